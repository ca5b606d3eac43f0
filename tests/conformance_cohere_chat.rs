//! Every recorded answer in Cohere's chat (version 2) decodes to what a plain reading of its JSON says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails here fails its test")]

use canonical::{ChatRequest, Content, ErrorKind, FinishReason, Message, Retry, Role};
use serde_json::{Value, json};
use signalbox_tests::conformance;
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::damage;
use signalbox_tests::judge::{Count, every, every_answer, same};
use signalbox_tests::laws::{self, Decoded};
use signalbox_tests::reading::cohere_chat::{Call, Reading, read};
use wire::cohere_chat::client::CohereChat;
use wire::{Protocol as _, Quirks, TargetContext};

const FAMILY: &str = "cohere-chat";

/// Version 1 of the endpoint, with messages and events of another form. Cohere has replaced it, and
/// we never call it; its five records must be refused, not misread.
const VERSION_1: &str = "wire:cohere-v1-chat";

#[test]
fn every_recorded_answer_decodes_without_loss_and_obeys_the_laws() {
    let Some(records) = corpus::records(FAMILY) else { return };
    let (replaced, records): (Vec<_>, Vec<_>) =
        records.into_iter().partition(|record| record.has_tag(VERSION_1));
    let counts = every_answer(&CohereChat, records, judge);
    let Count { whole, streamed, errors } = counts["cohere"];
    assert!(whole > 40 && streamed > 20 && errors > 0, "records went missing: {counts:?}");
    assert_eq!(replaced.len(), 5);
    every(replaced, |record| {
        judge(record)?;
        conformance::refused(
            FAMILY,
            record,
            "version 1 of the endpoint, which Cohere has replaced and we never call",
        );
        Ok(())
    });
}

fn judge(record: &Record) -> Result<(), String> {
    let decoded = laws::check(&CohereChat, &Quirks::default(), record)?;
    let body = record.response.body_text.clone().unwrap_or_default();
    if record.has_tag(VERSION_1) {
        let kind = decoded.outcome.err().map(|error| error.kind);
        return same("outcome", &kind, &Some(ErrorKind::InvalidResponse));
    }
    if record.response.status >= 400 {
        let said: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        let error = decoded.outcome.as_ref().expect_err("an error status is an error");
        same("message", &Some(error.message.as_str()), &said["message"].as_str())?;
        return same("kind", &(error.status, error.kind), &(Some(404), ErrorKind::NotFound));
    }
    decoded.outcome.clone().map_err(|error| format!("outcome: {error}"))?;
    same("malformed", &decoded.counters.malformed, &0)?;
    let reading = read(record.stream, &body);
    // `citation-end` says nothing; where a citation begins, it is whole.
    let ends = if record.stream { reading.citations.len() as u64 } else { 0 };
    same("passed over", &decoded.counters.unknown, &ends)?;
    judge_answer(&decoded, &reading)
}

fn judge_answer(decoded: &Decoded, reading: &Reading) -> Result<(), String> {
    let response = &decoded.response;
    same("id", &response.start.id, &reading.id)?;
    same("usage", &response.usage, &reading.usage())?;
    if reading.usage.is_object() {
        let billed = response.extensions.field(FAMILY, "usage").map(|usage| &usage["billed_units"]);
        same("billed units", &billed, &Some(&reading.usage["billed_units"]))?;
    }
    let [choice] = response.choices.as_slice() else {
        return Err(format!("{} choices", response.choices.len()));
    };
    let expected = match reading.finish_reason.as_deref() {
        Some("COMPLETE") => FinishReason::Stop,
        Some("STOP_SEQUENCE") => FinishReason::StopSequence,
        Some("MAX_TOKENS") => FinishReason::Length,
        Some("TOOL_CALL") => FinishReason::ToolCalls,
        other => return Err(format!("a reason that this test does not know: {other:?}")),
    };
    same("finish reason", &choice.finish_reason, &Some(expected))?;
    same("raw finish reason", &choice.finish_reason_raw, &reading.finish_reason)?;
    same("text", &choice.plain_text(), &reading.text("text"))?;
    let (mut thoughts, mut calls) = (String::new(), Vec::new());
    for part in &choice.parts {
        match &part.content {
            Content::Text(_) => {}
            Content::Reasoning(thought) => thoughts += &thought.text,
            Content::ToolCall(call) => calls.push(Call {
                id: call.id.clone(),
                name: call.name.clone(),
                arguments: call.arguments.clone(),
            }),
            other => return Err(format!("no recorded answer has {other:?}")),
        }
    }
    same("plan and thinking", &thoughts, &(reading.plan.clone() + &reading.text("thinking")))?;
    same("calls", &calls, &reading.calls.values().cloned().collect())?;
    let citations = choice.extensions.field(FAMILY, "citations").and_then(Value::as_array);
    same("citations", &citations.cloned().unwrap_or_default(), &reading.citations)
}

/// Decode, then encode in the same family: the same text and calls; the thoughts as the plan of the
/// calls where there are any, since a stream does not say which of the two they were.
#[test]
fn an_answer_that_is_sent_back_says_what_it_said() {
    let Some(records) = corpus::records(FAMILY) else { return };
    let mut calls = 0;
    let of_ours = |record: &&Record| record.response.status == 200 && !record.has_tag(VERSION_1);
    for record in records.iter().filter(of_ours) {
        let reading = read(record.stream, record.response.body_text.as_deref().unwrap_or(""));
        let decoded = laws::decode(&CohereChat, &Quirks::default(), record);
        let Some(choice) = decoded.response.choices.first() else { panic!("{}", record.id) };
        let sent = &encoded(&said(choice.parts.clone())).unwrap()["messages"][0];
        let blocks = match &sent["content"] {
            Value::String(text) => vec![json!({"type": "text", "text": text})],
            other => other.as_array().cloned().unwrap_or_default(),
        };
        let text = |kind: &str| -> String {
            let of_kind = blocks.iter().filter(|block| block["type"] == kind);
            of_kind.filter_map(|block| block[kind].as_str()).collect()
        };
        assert_eq!(text("text"), reading.text("text"), "{}", record.id);
        let thoughts = sent["tool_plan"].as_str().unwrap_or("").to_owned() + &text("thinking");
        assert_eq!(thoughts, reading.plan.clone() + &reading.text("thinking"), "{}", record.id);
        let expected: Vec<Value> = reading.calls.values().map(as_sent_back).collect();
        assert_eq!(sent["tool_calls"].as_array().cloned().unwrap_or_default(), expected, "{}", record.id);
        calls += expected.len();
    }
    assert!(calls > 20, "only {calls} calls were compared");
}

fn as_sent_back(call: &Call) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
}

fn said(parts: Vec<canonical::Part>) -> ChatRequest {
    ChatRequest { messages: vec![Message::new(Role::Assistant, parts)], ..ChatRequest::default() }
}

fn encoded(request: &ChatRequest) -> Result<Value, canonical::Error> {
    let quirks = Quirks::default();
    let target = TargetContext { model: "command-a-03-2025", quirks: &quirks, max_output_tokens: None };
    let sent = CohereChat.encode_request(request, &target)?;
    assert_eq!(sent.path, "/v2/chat");
    Ok(serde_json::from_slice(&sent.body).unwrap())
}

#[test]
fn a_damaged_stream_is_never_taken_for_a_whole_answer() {
    let Some(records) = corpus::records(FAMILY) else { return };
    let mut failures = Vec::new();
    let mut damaged = 0;
    for record in records.iter().filter(|record| record.stream && !record.has_tag(VERSION_1)) {
        damaged += 1;
        let outcome = damage::check(&CohereChat, &Quirks::default(), record).and_then(|()| {
            let whole = laws::decode(&CohereChat, &Quirks::default(), record);
            laws::damage(&CohereChat, &Quirks::default(), record, &whole)
        });
        if let Err(failure) = outcome {
            failures.push(format!("{}: {failure}", record.id));
        }
    }
    assert!(failures.is_empty(), "{} of {damaged}:\n{}", failures.len(), failures.join("\n"));
    assert!(damaged > 20, "only {damaged} streams");
}

// What no record shows.

fn stream(events: &[Value]) -> Decoded {
    let body = events.iter().map(|event| format!("data: {event}\n\n")).collect::<Vec<_>>().concat();
    let decoded = laws::decode_stream(&CohereChat, &Quirks::default(), [body.as_bytes()]);
    laws::grammar(&decoded).unwrap();
    decoded
}

fn text(text: &str) -> Value {
    json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}})
}

fn ended(delta: &Value) -> Value {
    json!({"type": "message-end", "delta": delta})
}

#[test]
fn an_answer_without_its_end_is_truncated_and_keeps_its_text() {
    for after in [vec![], vec![ended(&json!({"usage": {}}))]] {
        let decoded = stream(&[&[text("Hel"), text("lo")], after.as_slice()].concat());
        assert_eq!(decoded.outcome.as_ref().unwrap_err().kind, ErrorKind::Truncated);
        assert_eq!(decoded.response.choices[0].plain_text(), "Hello");
        assert_eq!(decoded.response.choices[0].finish_reason, None);
    }
}

/// <https://docs.cohere.com/reference/chat-stream>: `message-end` may carry an `error`.
#[test]
fn an_answer_that_ends_with_an_error_is_that_error() {
    for end in [
        ended(&json!({"finish_reason": "ERROR", "error": "the model is overloaded"})),
        json!({"id": "x", "message": "the model is overloaded"}),
    ] {
        let decoded = stream(&[text("Hello"), end]);
        let error = decoded.outcome.clone().unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Overloaded, "the model is overloaded"));
        assert_eq!(decoded.response.choices[0].plain_text(), "Hello");
    }
    for (raw, expected) in
        [("ERROR", FinishReason::Error), ("TIMEOUT", FinishReason::Error), ("NEW", FinishReason::Other)]
    {
        let decoded = stream(&[text("Hello"), ended(&json!({"finish_reason": raw}))]);
        assert_eq!(decoded.response.choices[0].finish_reason, Some(expected));
    }
}

#[test]
fn what_is_no_answer_of_coheres_is_an_invalid_response() {
    for body in ["", "[]", "{}", "{\"message\": 1}", "<html>"] {
        let error = CohereChat.decode_response(body.as_bytes(), &Quirks::default()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidResponse, "{body:?}");
    }
}

/// The form of <https://docs.cohere.com/reference/list-models>; no record holds a list.
#[test]
fn the_list_of_models_keeps_names_and_context() {
    let body =
        br#"{"models": [{"name": "command-a-03-2025", "endpoints": ["chat"], "context_length": 288000},
        {"name": "command-x"}], "next_page_token": ""}"#;
    let models = CohereChat.decode_models(body).unwrap();
    assert_eq!((models[0].id.as_str(), models[0].context_window), ("command-a-03-2025", Some(288_000)));
    assert_eq!((models[1].id.as_str(), models[1].context_window), ("command-x", None));
    assert_eq!(CohereChat.decode_models(b"[]").unwrap_err().kind, ErrorKind::InvalidResponse);
}

#[test]
fn what_cohere_cannot_say_is_refused_and_the_next_target_is_asked() {
    let several = ChatRequest { choice_count: Some(2), ..ChatRequest::default() };
    let error = encoded(&several).unwrap_err();
    assert_eq!((error.retry, error.param.as_deref()), (Retry::NextTarget, Some("n")));
}
