//! Every recorded answer in Google's generateContent decodes to what a plain reading of its JSON says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails here fails its test")]
#![allow(clippy::needless_pass_by_value, reason = "values are written where they are used")]

#[path = "conformance_gemini_generate/at_client.rs"]
mod at_client;
#[path = "conformance_gemini_generate/from_client.rs"]
mod from_client;

use canonical::request::{Media, MediaSource};
use canonical::{Content, ErrorKind, FinishReason, Part};
use serde_json::{Value, json};
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::damage;
use signalbox_tests::judge::{every_answer, same};
use signalbox_tests::laws::{self, Decoded};
use signalbox_tests::reading::gemini_generate::{CallReading, CandidateReading, leaves, read};
use wire::gemini_generate::client::GeminiGenerate;
use wire::{Protocol as _, Quirks};

const FAMILY: &str = "gemini-generate";

#[test]
fn every_recorded_answer_decodes_without_loss_and_obeys_the_laws() {
    let Some(records) = corpus::records(FAMILY) else { return };
    let counts = every_answer(&GeminiGenerate, records, judge);
    assert!(counts.len() >= 4, "providers went missing: {counts:?}");
}

fn judge(record: &Record) -> Result<(), String> {
    let decoded = laws::check(&GeminiGenerate, &Quirks::default(), record)?;
    let body = record.response.body_text.clone().unwrap_or_default();
    if record.response.status >= 400 {
        return judge_error(record.response.status, &body, &decoded);
    }
    decoded.outcome.clone().map_err(|error| format!("outcome: {error}"))?;
    same("passed over", &(decoded.counters.unknown, decoded.counters.malformed), &(0, 0))?;
    let reading = read(&body);
    let response = &decoded.response;
    same("id", &response.start.id, &reading.id)?;
    same("model", &response.start.model, &reading.model)?;
    same("usage", &response.usage, &reading.usage())?;
    same("candidates", &response.choices.len(), &reading.candidates.len())?;
    for (choice, (index, candidate)) in response.choices.iter().zip(&reading.candidates) {
        same("index", &u64::from(choice.index), index)?;
        same("raw finish reason", &choice.finish_reason_raw, &candidate.finish)?;
        same("finish reason", &choice.finish_reason, &expected_finish(candidate)?)?;
        judge_parts(&choice.parts, candidate, reading.id.as_deref())?;
        for name in &candidate.beside {
            if choice.extensions.field(FAMILY, name).is_none() {
                return Err(format!("{name} is lost"));
            }
        }
        let tokens = choice.extensions.field(FAMILY, "logprobsResult");
        let tokens = tokens.and_then(|logprobs| logprobs["chosenCandidates"].as_array()).map_or(0, Vec::len);
        same("log probabilities", &tokens, &candidate.logprobs)?;
    }
    Ok(())
}

fn expected_finish(candidate: &CandidateReading) -> Result<Option<FinishReason>, String> {
    Ok(Some(match candidate.finish.as_deref() {
        Some("STOP" | "1") if !candidate.calls.is_empty() => FinishReason::ToolCalls,
        Some("STOP" | "1") => FinishReason::Stop,
        Some("MAX_TOKENS") => FinishReason::Length,
        Some("SAFETY" | "MODEL_ARMOR") => FinishReason::ContentFilter,
        Some("UNEXPECTED_TOOL_CALL") => FinishReason::Error,
        None => return Ok(None),
        other => return Err(format!("a finish reason that this test does not know: {other:?}")),
    }))
}

fn judge_parts(parts: &[Part], candidate: &CandidateReading, answer: Option<&str>) -> Result<(), String> {
    let mut got = CandidateReading::default();
    let mut ids = Vec::new();
    for part in parts {
        // Opaque parts hold their own signature.
        got.signatures.extend(part.signature().map(str::to_owned));
        got.follow(match &part.content {
            Content::Text(_) => "text",
            Content::Reasoning(_) => "thought",
            Content::ToolCall(_) => "call",
            Content::Opaque(_) => "other",
            _ => "media",
        });
        match &part.content {
            Content::Text(text) => got.text.push_str(text),
            Content::Reasoning(thought) => got.thought.push_str(&thought.text),
            Content::ToolCall(call) => {
                let arguments: Value = serde_json::from_str(&call.arguments)
                    .map_err(|error| format!("arguments {:?}: {error}", call.arguments))?;
                if !arguments.is_object() {
                    return Err(format!("arguments are {arguments}"));
                }
                ids.push(call.id.clone());
                got.calls.push(CallReading { id: None, name: call.name.clone(), leaves: leaves(&arguments) });
            }
            Content::Image(Media { source: MediaSource::Base64(data), .. })
            | Content::Audio(Media { source: MediaSource::Base64(data), .. }) => got.media.push(data.clone()),
            Content::Opaque(opaque) => got.others.push(opaque.value.clone()),
            other => return Err(format!("unexpected {other:?}")),
        }
    }
    same("text", &got.text, &candidate.text)?;
    same("order", &got.order, &candidate.order)?;
    same("thought", &got.thought, &candidate.thought)?;
    same("signatures", &got.signatures, &candidate.signatures)?;
    same("media", &got.media, &candidate.media)?;
    same("other parts", &got.others, &candidate.others)?;
    let expected: Vec<CallReading> =
        candidate.calls.iter().map(|call| CallReading { id: None, ..call.clone() }).collect();
    same("calls", &got.calls, &expected)?;
    for (at, (id, call)) in ids.iter().zip(&candidate.calls).enumerate() {
        let minted = answer.map_or_else(|| format!("call_{at}"), |answer| format!("call_{answer}_{at}"));
        same("call id", id, call.id.as_ref().unwrap_or(&minted))?;
    }
    Ok(())
}

fn judge_error(status: u16, body: &str, decoded: &Decoded) -> Result<(), String> {
    let said: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let said = if said.is_array() { &said[0]["error"] } else { &said["error"] };
    let error = decoded.outcome.as_ref().expect_err("an error status is an error");
    same("message", &Some(error.message.as_str()), &said["message"].as_str())?;
    same("status", &error.status, &Some(status))?;
    let reason =
        said["details"].as_array().into_iter().flatten().find_map(|detail| detail["reason"].as_str());
    let expected = match (status, reason) {
        (_, Some("API_KEY_INVALID")) => ErrorKind::Authentication,
        (404, _) => ErrorKind::NotFound,
        (403, _) => ErrorKind::Permission,
        // It speaks of plan and billing; the quota it names is one per minute.
        (429, _) if body.contains("PerMinute") => {
            same("wait", &error.retry_after, &Some(std::time::Duration::from_secs(48)))?;
            ErrorKind::RateLimited
        }
        (400, _) if error.message.contains("input token count") => ErrorKind::ContextTooLong,
        (400, _) => ErrorKind::InvalidRequest,
        other => return Err(format!("an error that this test does not know: {other:?}")),
    };
    same("kind", &error.kind, &expected)
}

/// Decode, then encode in the same family: the same parts. Thoughts are not wanted back, texts that
/// follow each other are one, and a call has an id where the provider gave none.
#[test]
fn an_answer_that_is_sent_back_says_what_it_said() {
    let Some(records) = corpus::records(FAMILY) else { return };
    let mut compared = 0;
    for record in records.iter().filter(|record| record.response.status == 200 && !record.stream) {
        let body = record.response.body_text.as_deref().unwrap_or("");
        let said: Value = serde_json::from_str(body).unwrap();
        let parts = said["candidates"][0]["content"]["parts"].as_array().cloned().unwrap_or_default();
        let decoded = laws::decode(&GeminiGenerate, &Quirks::default(), record);
        let mut sent = sent_back(decoded.response.choices[0].parts.clone());
        for (sent, said) in sent.iter_mut().zip(&as_sent_back(&parts)) {
            if said["functionCall"]["id"].is_null() {
                sent.get_mut("functionCall")
                    .and_then(Value::as_object_mut)
                    .and_then(|call| call.remove("id"));
            }
        }
        let expected = as_sent_back(&parts);
        assert_eq!(sent, expected, "{}", record.id);
        compared += expected.len();
    }
    assert!(compared > 80, "only {compared} parts were compared");
}

fn sent_back(parts: Vec<Part>) -> Vec<Value> {
    let body = laws::sent_back(&GeminiGenerate, "gemini-2.5-flash", parts);
    let answer = &body["contents"][1];
    if answer["role"] == "model" { answer["parts"].as_array().cloned().unwrap() } else { Vec::new() }
}

fn as_sent_back(parts: &[Value]) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for part in parts.iter().filter(|part| part["thought"] != true && part["text"] != "") {
        match (kept.last_mut(), part["text"].as_str()) {
            (Some(last), Some(more)) if last["text"].is_string() && last["thoughtSignature"].is_null() => {
                last["text"] = Value::from(last["text"].as_str().unwrap_or("").to_owned() + more);
                if let Some(signature) = part.get("thoughtSignature") {
                    last["thoughtSignature"] = signature.clone();
                }
            }
            _ => kept.push(part.clone()),
        }
    }
    kept
}

#[test]
fn a_damaged_stream_is_never_taken_for_a_whole_answer() {
    let Some(records) = corpus::records(FAMILY) else { return };
    let streamed = |record: &Record| record.response.status == 200 && record.stream;
    let mut failures = Vec::new();
    let mut damaged = 0;
    for record in records.iter().filter(|record| streamed(record)) {
        damaged += 1;
        if let Err(failure) = damage::check(&GeminiGenerate, &Quirks::default(), record) {
            failures.push(format!("{}: {failure}", record.id));
        }
    }
    assert!(failures.is_empty(), "{} of {damaged}:\n{}", failures.len(), failures.join("\n"));
    assert!(damaged > 50, "only {damaged} streams");
}

#[test]
fn the_recorded_list_of_models_is_read_whole() {
    let Some(records) = corpus::records("models") else { return };
    let google = records.iter().filter(|record| record.provider == "google");
    let mut lists = 0;
    for record in google.filter(|record| record.response.status == 200) {
        let said: Value = serde_json::from_slice(&record.body()).unwrap();
        let models = GeminiGenerate.decode_models(&record.body()).unwrap();
        let generate = |model: &&Value| {
            let methods = model["supportedGenerationMethods"].as_array();
            methods.is_none_or(|methods| methods.contains(&"generateContent".into()))
        };
        let expected: Vec<&Value> = said["models"].as_array().unwrap().iter().filter(generate).collect();
        assert_eq!(models.len(), expected.len(), "{}", record.id);
        for (model, said) in models.iter().zip(expected) {
            assert_eq!(Some(format!("models/{}", model.id).as_str()), said["name"].as_str());
            assert_eq!(model.context_window, said["inputTokenLimit"].as_u64());
            assert_eq!(model.max_output_tokens, said["outputTokenLimit"].as_u64());
        }
        lists += 1;
    }
    assert!(lists > 0, "no recorded list");
}

// What no record shows.

fn stream(chunks: &[Value]) -> Decoded {
    let body = chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect::<Vec<_>>().concat();
    let decoded = laws::decode_stream(&GeminiGenerate, &Quirks::default(), [body.as_bytes()]);
    laws::grammar(&decoded).unwrap();
    decoded
}

fn says(parts: Value, finish: Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": finish}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
        "responseId": "abc"})
}

#[test]
fn an_answer_without_a_finish_reason_is_truncated_and_keeps_its_text() {
    let decoded =
        stream(&[says(json!([{"text": "Hel"}]), Value::Null), says(json!([{"text": "lo"}]), Value::Null)]);
    assert_eq!(decoded.outcome.as_ref().unwrap_err().kind, ErrorKind::Truncated);
    assert_eq!(decoded.response.choices[0].plain_text(), "Hello");
    assert_eq!(decoded.response.usage.as_ref().unwrap().total_tokens, Some(7));
    let counts_only = stream(&[json!({"usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}})]);
    assert_eq!(counts_only.outcome.unwrap_err().kind, ErrorKind::Truncated);
}

#[test]
fn an_array_that_is_not_closed_is_truncated() {
    let body = format!("[{}", says(json!([{"text": "Hello"}]), "STOP".into()));
    let decoded = laws::decode_stream(&GeminiGenerate, &Quirks::default(), [body.as_bytes()]);
    assert_eq!(decoded.outcome.unwrap_err().kind, ErrorKind::Truncated);
}

#[test]
fn a_finish_reason_in_every_chunk_finishes_once_at_the_end() {
    let decoded = stream(&[
        says(json!([{"text": "Hel"}]), "STOP".into()),
        says(json!([{"text": "lo"}]), "STOP".into()),
    ]);
    assert_eq!(decoded.outcome, Ok(()));
    assert_eq!(decoded.response.choices[0].plain_text(), "Hello");
}

#[test]
fn a_blocked_prompt_is_an_error_and_never_an_empty_answer() {
    let body = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}, "modelVersion": "gemini-2.5-flash"});
    let streamed = stream(std::slice::from_ref(&body));
    let error = streamed.outcome.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::ContentFiltered, Some("PROHIBITED_CONTENT")));
    assert_eq!(streamed.response.usage.unwrap().input_tokens, 9, "a blocked prompt is billed");
    let protocol = wire::protocol(wire::ProtocolId::GeminiGenerate);
    let error = protocol.decode_response(body.to_string().as_bytes(), &Quirks::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::ContentFiltered);
    let error = protocol.decode_response(b"{\"usageMetadata\": {}}", &Quirks::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidResponse);
}

#[test]
fn an_error_inside_a_stream_ends_it_as_that_error() {
    let decoded = stream(&[
        says(json!([{"text": "Hel"}]), Value::Null),
        json!({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}),
    ]);
    let error = decoded.outcome.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Overloaded, Some(503)));
    assert_eq!(decoded.response.choices[0].plain_text(), "Hel");
}

#[test]
fn a_signature_belongs_to_the_part_it_came_on() {
    let decoded = stream(&[
        says(json!([{"text": "Think.", "thought": true}]), Value::Null),
        says(json!([{"text": "One"}]), Value::Null),
        says(json!([{"text": "", "thoughtSignature": "c2lnMQ=="}]), Value::Null),
        says(
            json!([{"functionCall": {"name": "add", "args": {"a": 1}}, "thoughtSignature": "c2lnMg=="},
                    {"functionCall": {"name": "add", "args": {}}}]),
            "STOP".into(),
        ),
    ]);
    let parts = &decoded.response.choices[0].parts;
    let seen: Vec<Option<&str>> = parts.iter().map(Part::signature).collect();
    assert_eq!(seen, [None, Some("c2lnMQ=="), Some("c2lnMg=="), None]);
    let Content::ToolCall(last) = &parts[3].content else { panic!("{:?}", parts[3]) };
    assert_eq!((last.id.as_str(), last.arguments.as_str()), ("call_abc_1", "{}"));
    assert_eq!(decoded.response.choices[0].finish_reason, Some(FinishReason::ToolCalls));
}

#[test]
fn candidates_are_choices() {
    let decoded = stream(&[
        json!({"candidates": [{"index": 0, "content": {"parts": [{"text": "A"}]}},
                              {"index": 1, "content": {"parts": [{"text": "B"}]}}]}),
        json!({"candidates": [{"index": 1, "content": {"parts": [{"text": "b"}]}, "finishReason": "STOP"},
                              {"index": 0, "content": {"parts": [{"text": "a"}]}, "finishReason": "MAX_TOKENS"}]}),
    ]);
    assert_eq!(decoded.outcome, Ok(()));
    let texts: Vec<String> = decoded.response.choices.iter().map(canonical::Choice::plain_text).collect();
    assert_eq!(texts, ["Aa", "Bb"]);
    assert_eq!(decoded.response.choices[0].finish_reason, Some(FinishReason::Length));
}
