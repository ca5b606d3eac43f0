//! The same records at a client of this family: its requests read by our dialect, its answers written
//! by it, whole and streamed.

use canonical::ChatRequest;
use serde_json::{Value, json};
use signalbox_tests::corpus::Record;
use signalbox_tests::laws::{self, Decoded};
use signalbox_tests::reading::openai_responses::{Reading, read};
use wire::openai_responses::client;
use wire::openai_responses::server::OpenAiResponses;
use wire::{AnswerContext, Dialect as _, Quirks, RequestHead};

use crate::{Differences, Tally, body_of, encoded, items, normalise_items, records, without_nothing};

/// A recorded request as our dialect reads it.
pub(crate) fn request_of(body: &Value) -> ChatRequest {
    OpenAiResponses.decode_request(&RequestHead::default(), body.to_string().as_bytes()).unwrap()
}

/// Fields of a response that its reading covers, or that have one canonical form: the time is a whole
/// number of seconds, and the text joined from the output is the SDKs' own.
const JUDGED_ELSEWHERE: [&str; 7] = ["id", "model", "status", "output", "usage", "created_at", "output_text"];

fn context() -> AnswerContext {
    AnswerContext {
        request_id: "r1".into(),
        requested_model: "any".into(),
        created: 5,
        ..AnswerContext::default()
    }
}

/// What our dialect streams to its client.
fn streamed(decoded: &Decoded) -> String {
    let (mut encoder, mut body) = (OpenAiResponses.stream_encoder(&context()), Vec::new());
    decoded.events.iter().for_each(|event| encoder.event(event, &mut body));
    match &decoded.outcome {
        Ok(()) => encoder.end(&mut body),
        Err(error) => encoder.error(error, &mut body),
    }
    String::from_utf8(body).unwrap()
}

fn events(body: &str) -> Vec<Value> {
    body.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

#[test]
fn every_recorded_answer_reaches_a_client_of_its_own_family() {
    let Some(records) = records() else { return };
    let mut tally = Tally::default();
    for record in records.iter().filter(|record| record.response.status < 400) {
        let decoded = laws::decode(&client::OpenAiResponses, &Quirks::default(), record);
        let expected = read(record.stream, body_of(record));
        // As the port relays it: also an answer that came whole to a client that wants a stream.
        let (protocol, quirks) = (&client::OpenAiResponses, Quirks::default());
        let body = streamed(&laws::decode_stream(protocol, &quirks, [body_of(record).as_bytes()]));
        let mut wrong = Differences::default();
        same_reading(&mut wrong, "streamed", &read(true, &body), &expected);
        of_one_mind(&mut wrong, &events(&body));
        if decoded.outcome.is_ok() {
            let whole = OpenAiResponses.encode_response(&decoded.response, &context());
            let whole = String::from_utf8(whole).unwrap();
            same_reading(&mut wrong, "whole", &read(false, &whole), &expected);
            let last = events(&body).pop().unwrap();
            wrong.same("whole answer", &serde_json::from_str(&whole).ok().as_ref(), &last.get("response"));
            read_again(&mut wrong, &body, &decoded);
        }
        tally.take(record, &wrong.0);
    }
    tally.settle("answers at a client of Responses");
}

fn same_reading(wrong: &mut Differences, what: &str, got: &Reading, expected: &Reading) {
    wrong.same(&format!("{what} error"), &got.error, &expected.error);
    // An older answer's word for the same.
    let finish =
        expected.finish.clone().map(|word| if word == "complete" { "completed".into() } else { word });
    wrong.same(&format!("{what} finish"), &got.finish, &finish);
    if expected.error.is_some() {
        return;
    }
    wrong.same(&format!("{what} id"), &got.id, &expected.id);
    wrong.same(&format!("{what} model"), &got.model, &expected.model);
    wrong.same(&format!("{what} usage"), &counts(got), &counts(expected));
    wrong.same(&format!("{what} calls"), &got.calls(), &expected.calls());
    for kind in ["text", "refusal", "reasoning", "arguments"] {
        wrong.same(&format!("{what} {kind}"), &got.texts(kind), &expected.texts(kind));
    }
    let (mut got, mut expected) = (json!(got.items), json!(expected.items));
    normalise_items(&mut got);
    normalise_items(&mut expected);
    items(wrong, &got, &expected);
}

fn counts(reading: &Reading) -> Option<[u64; 4]> {
    reading.usage.as_ref().map(|usage| [usage.input, usage.output, usage.cache_read, usage.reasoning])
}

/// The stream's events are numbered, begin and end each item and piece once, and add up to what the
/// last of them says.
fn of_one_mind(wrong: &mut Differences, events: &[Value]) {
    for (number, event) in events.iter().enumerate() {
        wrong.same("sequence number", &event["sequence_number"], &json!(number));
    }
    let of_kind = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    wrong.same("begin", &(of_kind("response.created"), of_kind("response.in_progress")), &(1, 1));
    let last = &events[events.len() - 1]["response"];
    let output = last["output"].as_array().unwrap();
    wrong.same("items begun", &of_kind("response.output_item.added"), &output.len());
    if last["status"] != "failed" {
        wrong.same("items ended", &of_kind("response.output_item.done"), &output.len());
    }
    for (place, item) in output.iter().enumerate() {
        let added = |kind: &str, field: &str| -> String {
            let of_item =
                events.iter().filter(|event| event["type"] == kind && event["output_index"] == json!(place));
            of_item.filter_map(|event| event[field].as_str()).collect()
        };
        match item["type"].as_str() {
            Some("message") => {
                let said: String = item["content"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|piece| piece["text"].as_str())
                    .collect();
                wrong.same("text deltas", &added("response.output_text.delta", "delta"), &said);
            }
            Some("function_call") => {
                let said = item["arguments"].as_str().unwrap();
                wrong.same(
                    "argument deltas",
                    &added("response.function_call_arguments.delta", "delta"),
                    &said.into(),
                );
                if last["status"] != "failed" {
                    let done = added("response.function_call_arguments.done", "arguments");
                    wrong.same("arguments", &done, &said.into());
                }
            }
            _ => {}
        }
    }
}

/// What we wrote says to our own client half what the provider said.
fn read_again(wrong: &mut Differences, body: &str, decoded: &Decoded) {
    let again = laws::decode_stream(&client::OpenAiResponses, &Quirks::default(), [body.as_bytes()]);
    wrong.same("outcome of the second reading", &again.outcome, &Ok(()));
    let parts = |decoded: &Decoded| -> Vec<_> {
        let choices = decoded.response.choices.iter();
        choices.flat_map(|choice| choice.parts.iter().map(|part| part.content.clone())).collect()
    };
    wrong.same("second reading", &parts(&again), &parts(decoded));
    let reason = |decoded: &Decoded| decoded.response.choices.first().and_then(|choice| choice.finish_reason);
    wrong.same("finish of the second reading", &reason(&again), &reason(decoded));
}

#[test]
fn every_recorded_item_comes_back_from_a_client_as_it_came() {
    let Some(records) = records() else { return };
    let mut tally = Tally::default();
    for record in records.iter().filter(|record| record.response.status < 400) {
        let mut expected = json!(read(record.stream, body_of(record)).items);
        if expected == json!([]) {
            continue;
        }
        let mut sent = encoded(&request_of(&json!({"model": "gpt-5.2", "input": expected})), "gpt-5.2");
        let mut got = sent["input"].take();
        normalise_items(&mut got);
        normalise_items(&mut expected);
        let mut wrong = Differences::default();
        items(&mut wrong, &got, &expected);
        tally.take(record, &wrong.0);
    }
    tally.settle("answers sent back by a client");
}

/// What the provider says of the whole answer is said to the client too; the reading above judges the
/// rest.
#[test]
fn every_field_beside_the_answer_is_repeated() {
    let Some(records) = records() else { return };
    let mut tally = Tally::default();
    for record in records.iter().filter(|record: &&Record| record.response.status < 400) {
        let decoded = laws::decode(&client::OpenAiResponses, &Quirks::default(), record);
        if decoded.outcome.is_err() {
            continue;
        }
        let whole = OpenAiResponses.encode_response(&decoded.response, &context());
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        let mut expected = read(record.stream, body_of(record)).beside;
        without_nothing(&mut expected);
        let mut wrong = Differences::default();
        for (name, value) in expected.as_object().into_iter().flatten() {
            let mut got = whole[name].clone();
            without_nothing(&mut got);
            if !JUDGED_ELSEWHERE.contains(&name.as_str()) {
                wrong.same(name, &got, value);
            }
        }
        tally.take(record, &wrong.0);
    }
    tally.settle("fields beside the answer");
}
