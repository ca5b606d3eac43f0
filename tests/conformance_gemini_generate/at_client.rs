//! Every recorded answer, as it reaches a client of the same family: whole, in server-sent events and
//! as an array. A plain reading of what the client gets says what a plain reading of the record says.

use canonical::Usage;
use canonical::fold::unfold;
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::judge::{every, same};
use signalbox_tests::laws;
use signalbox_tests::reading::gemini_generate::{CandidateReading, Reading, read};
use wire::gemini_generate::client::GeminiGenerate as Client;
use wire::gemini_generate::server::GeminiGenerate as Server;
use wire::{AnswerContext, Dialect as _, Quirks};

use super::FAMILY;

#[test]
fn every_recorded_answer_reaches_a_client_of_the_same_family_unchanged() {
    let Some(records) = corpus::records(FAMILY) else { return };
    let answers = records.into_iter().filter(|record| record.response.status < 400);
    let counts = every(answers, judge);
    let read: usize = counts.values().map(|count| count.whole + count.streamed).sum();
    assert!(read > 180, "only {read} answers");
}

fn judge(record: &Record) -> Result<(), String> {
    let decoded = laws::decode(&Client, &Quirks::default(), record);
    decoded.outcome.clone().map_err(|error| format!("outcome: {error}"))?;
    let expected = at_client(read(record.response.body_text.as_deref().unwrap_or("")));
    let context = |query: &str| AnswerContext {
        request_id: "request-1".into(),
        requested_model: "asked-for".into(),
        query: Some(query.into()),
        ..AnswerContext::default()
    };
    let whole = Server.encode_response(&decoded.response, &context(""));
    judge_one("whole", whole, &expected)?;
    // A whole answer may be asked for as a stream too: a route's next target may not stream.
    for events in [decoded.events.clone(), unfold(&decoded.response)] {
        for query in ["alt=sse", ""] {
            let (mut encoder, mut bytes) = (Server.stream_encoder(&context(query)), Vec::new());
            for event in &events {
                encoder.event(event, &mut bytes);
            }
            encoder.end(&mut bytes);
            judge_one(query, bytes, &expected)?;
        }
    }
    Ok(())
}

/// What may differ: an id or a model that the provider left out is ours, and a client that did not ask
/// for numbers gets words.
fn at_client(mut reading: Reading) -> Reading {
    reading.id = reading.id.or(Some("request-1".into()));
    reading.model = reading.model.or(Some("asked-for".into()));
    for candidate in reading.candidates.values_mut() {
        if candidate.finish.as_deref() == Some("1") {
            candidate.finish = Some("STOP".into());
        }
    }
    reading
}

fn judge_one(what: &str, bytes: Vec<u8>, expected: &Reading) -> Result<(), String> {
    let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
    let got = read(&text);
    let differs = |failure: String| format!("{what}: {failure}");
    same("id", &got.id, &expected.id).map_err(differs)?;
    same("model", &got.model, &expected.model).map_err(differs)?;
    // Clients are used to a total, also where the provider says none.
    let total = got.usage().and_then(|usage| usage.total_tokens);
    let usage = expected.usage().map(|usage| Usage { total_tokens: usage.total_tokens.or(total), ..usage });
    same("usage", &got.usage(), &usage).map_err(differs)?;
    same("candidates", &got.candidates.len(), &expected.candidates.len()).map_err(differs)?;
    for (index, expected) in &expected.candidates {
        let got = got.candidates.get(index).ok_or_else(|| format!("{what}: no candidate {index}"))?;
        judge_candidate(got, expected).map_err(differs)?;
    }
    Ok(())
}

fn judge_candidate(got: &CandidateReading, expected: &CandidateReading) -> Result<(), String> {
    same("text", &got.text, &expected.text)?;
    same("thought", &got.thought, &expected.thought)?;
    same("order", &got.order, &expected.order)?;
    same("signatures", &got.signatures, &expected.signatures)?;
    same("media", &got.media, &expected.media)?;
    same("other parts", &got.others, &expected.others)?;
    same("finish", &got.finish, &expected.finish)?;
    same("fields beside", &got.beside, &expected.beside)?;
    same("log probabilities", &got.logprobs, &expected.logprobs)?;
    same("calls", &got.calls.len(), &expected.calls.len())?;
    for (got, expected) in got.calls.iter().zip(&expected.calls) {
        same("name", &got.name, &expected.name)?;
        same("arguments", &got.leaves, &expected.leaves)?;
        // A call has an id at our clients, also where the provider gave none.
        match &expected.id {
            Some(id) => same("id", &got.id.as_ref(), &Some(id))?,
            None if got.id.is_some() => {}
            None => return Err("a call without an id".into()),
        }
    }
    Ok(())
}
