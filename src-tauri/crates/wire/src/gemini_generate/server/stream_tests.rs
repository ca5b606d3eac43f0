//! Answers as Google's clients read them, whole and in chunks.

use canonical::event::ResponseStart;
use canonical::fold::fold;
use canonical::{Error, ErrorKind, FinishReason, Origin, PartDelta, PartKind, StreamEvent, Usage};
use serde_json::{Map, Value, json};

use super::super::FAMILY;
use super::GeminiGenerate;
use crate::{AnswerContext, Dialect as _};

fn context(query: &str) -> AnswerContext {
    AnswerContext {
        request_id: "req".into(),
        requested_model: "asked".into(),
        query: Some(query.into()),
        ..AnswerContext::default()
    }
}

fn part(index: u32, kind: PartKind, deltas: &[PartDelta]) -> Vec<StreamEvent> {
    let mut events = vec![StreamEvent::PartStart { index, choice: 0, kind }];
    events.extend(deltas.iter().map(|delta| StreamEvent::PartDelta { index, delta: delta.clone() }));
    events.push(StreamEvent::PartEnd { index });
    events
}

fn call(id: &str) -> PartKind {
    PartKind::ToolCall { id: id.into(), name: "look".into(), is_server_side: false }
}

/// A thought, two words of text, two calls, counts.
fn answer() -> Vec<StreamEvent> {
    let text = |text: &str| PartDelta::Text(text.into());
    let arguments = |text: &str| PartDelta::Arguments(text.into());
    let mut events =
        vec![StreamEvent::Start(ResponseStart { model: Some("m".into()), ..ResponseStart::default() })];
    events.extend(part(0, PartKind::Reasoning, &[text("Hm."), PartDelta::Signature("YQ==".into())]));
    events.extend(part(1, PartKind::Text, &[text("Let"), text(" me.")]));
    events.extend(part(
        2,
        call("a"),
        &[arguments("{\"x\":"), arguments("1}"), PartDelta::Signature("not base64!".into())],
    ));
    events.extend(part(3, call("b"), &[]));
    events.push(StreamEvent::Extension {
        choice: Some(0),
        family: FAMILY.into(),
        fields: Map::from_iter([("avgLogprobs".to_owned(), json!(-0.5))]),
    });
    events.push(StreamEvent::Finish {
        choice: 0,
        reason: FinishReason::ToolCalls,
        raw: Some("tool_calls".into()),
    });
    let usage = Usage {
        input_tokens: 10,
        cache_read_tokens: 4,
        output_tokens: 7,
        reasoning_tokens: 3,
        ..Usage::default()
    };
    events.push(StreamEvent::Usage(Box::new(usage)));
    events
}

fn stream(events: &[StreamEvent], context: &AnswerContext, error: Option<&Error>) -> String {
    let (mut encoder, mut out) = (GeminiGenerate.stream_encoder(context), Vec::new());
    for event in events {
        encoder.event(event, &mut out);
    }
    match error {
        Some(error) => encoder.error(error, &mut out),
        None => encoder.end(&mut out),
    }
    String::from_utf8(out).unwrap()
}

fn chunks(text: &str) -> Vec<Value> {
    text.split_terminator("\r\n\r\n")
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

#[test]
fn calls_go_out_whole_and_together_with_the_finish() {
    let chunks = chunks(&stream(&answer(), &context("alt=sse"), None));
    let parts: Vec<&Value> = chunks.iter().map(|chunk| &chunk["candidates"][0]["content"]["parts"]).collect();
    assert_eq!(*parts[0], json!([{"text": "Hm.", "thought": true}]));
    assert_eq!(
        *parts[1],
        json!([{"text": "", "thought": true, "thoughtSignature": "YQ=="}, {"text": "Let"}])
    );
    assert_eq!(*parts[2], json!([{"text": " me."}]));
    // A signature that is not base64 would make the SDK for Python fail.
    let calls = json!([
        {"functionCall": {"id": "a", "name": "look", "args": {"x": 1}}},
        {"functionCall": {"id": "b", "name": "look", "args": {}}}]);
    assert_eq!(*parts[3], calls);
    let last = &chunks[3];
    assert_eq!((chunks.len(), &last["candidates"][0]["finishReason"]), (4, &"STOP".into()));
    assert_eq!(last["candidates"][0]["avgLogprobs"], -0.5);
    assert_eq!((&last["modelVersion"], &last["responseId"]), (&"m".into(), &"req".into()));
    assert_eq!(
        last["usageMetadata"],
        json!({"promptTokenCount": 10, "candidatesTokenCount": 4, "totalTokenCount": 17,
            "cachedContentTokenCount": 4, "thoughtsTokenCount": 3})
    );
    assert!(chunks[..3].iter().all(|chunk| chunk["candidates"][0]["finishReason"].is_null()));
}

#[test]
fn without_sse_the_stream_is_one_array() {
    let context = context("$alt=json;enum-encoding=int");
    let encoder = GeminiGenerate.stream_encoder(&context);
    assert_eq!(encoder.content_type(), "application/json; charset=UTF-8");
    let array: Vec<Value> = serde_json::from_str(&stream(&answer(), &context, None)).unwrap();
    let events = chunks(&stream(&answer(), &super::stream_tests::context("key=x&alt=sse"), None));
    assert_eq!(array, events);
}

#[test]
fn a_broken_answer_shows_what_came_and_then_an_error_and_no_finish() {
    let error = Error::new(ErrorKind::Truncated, Origin::Provider, "Cut.");
    for query in ["alt=sse", ""] {
        let text = stream(&answer()[..14], &context(query), Some(&error));
        let chunks = if query.is_empty() { serde_json::from_str(&text).unwrap() } else { chunks(&text) };
        let (last, before) = chunks.split_last().unwrap();
        assert_eq!((&last["error"]["code"], &last["error"]["status"]), (&502.into(), &"UNAVAILABLE".into()));
        assert!(before.iter().all(|chunk| chunk["candidates"][0]["finishReason"].is_null()));
        assert_eq!(before.last().unwrap()["candidates"][0]["content"]["parts"][0]["functionCall"]["id"], "a");
    }
}

#[test]
fn a_call_that_was_cut_within_its_arguments_is_not_handed_over() {
    let error = Error::new(ErrorKind::Truncated, Origin::Provider, "Cut.");
    for cut in ["", "{\"path\": \"/tmp", "{\"path\": \"/tmp\"", "1"] {
        let mut events = vec![StreamEvent::Start(ResponseStart::default())];
        events.extend(part(0, call("a"), &[PartDelta::Arguments("{\"x\": 1}".into())]));
        events.extend(part(1, call("b"), &[PartDelta::Arguments(cut.into())]));
        let chunks = chunks(&stream(&events, &context("alt=sse"), Some(&error)));
        let whole = json!([{"functionCall": {"id": "a", "name": "look", "args": {"x": 1}}}]);
        assert_eq!(chunks[0]["candidates"][0]["content"]["parts"], whole, "{cut}");
        assert_eq!((chunks.len(), &chunks[1]["error"]["code"]), (2, &502.into()), "{cut}");
    }
}

#[test]
fn thoughts_are_hidden_from_a_client_that_did_not_ask() {
    let context = AnswerContext { hide_reasoning: true, ..context("alt=sse") };
    assert!(!stream(&answer(), &context, None).contains("thought\""));
    let whole: Value =
        serde_json::from_slice(&GeminiGenerate.encode_response(&fold(&answer()), &context)).unwrap();
    assert_eq!(whole["candidates"][0]["content"]["parts"][0], json!({"text": "Let me."}));
    assert_eq!(whole["usageMetadata"]["thoughtsTokenCount"], 3);
}

#[test]
fn the_last_chunk_of_plain_text_has_an_empty_part() {
    let mut events = vec![StreamEvent::Start(ResponseStart::default())];
    events.extend(part(0, PartKind::Text, &[PartDelta::Text("Hi".into())]));
    events.push(StreamEvent::Finish {
        choice: 0,
        reason: FinishReason::Length,
        raw: Some("max_tokens".into()),
    });
    let chunks = chunks(&stream(&events, &context("alt=sse"), None));
    assert_eq!(chunks[1]["candidates"][0]["content"], json!({"role": "model", "parts": [{"text": ""}]}));
    assert_eq!(chunks[1]["candidates"][0]["finishReason"], "MAX_TOKENS");
    assert_eq!(chunks[1]["modelVersion"], "asked");
}

#[test]
fn finish_reasons_are_googles_words_and_its_own_are_kept() {
    let word = |reason, raw: &str| {
        let events = [
            StreamEvent::Start(ResponseStart::default()),
            StreamEvent::Finish { choice: 0, reason, raw: Some(raw.into()) },
        ];
        chunks(&stream(&events, &context("alt=sse"), None))[0].clone()
    };
    for (reason, raw, expected) in [
        (FinishReason::Stop, "end_turn", "STOP"),
        (FinishReason::StopSequence, "STOP_SEQUENCE", "STOP"),
        (FinishReason::ContentFilter, "RECITATION", "RECITATION"),
        (FinishReason::Refusal, "refusal", "SAFETY"),
        (FinishReason::Other, "LANGUAGE", "LANGUAGE"),
        (FinishReason::Other, "weird", "OTHER"),
        (FinishReason::Stop, "1", "STOP"),
        (FinishReason::Error, "MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL"),
    ] {
        assert_eq!(word(reason, raw)["candidates"][0]["finishReason"], expected, "{raw}");
    }
    assert_eq!(word(FinishReason::Error, "error")["error"]["status"], "INTERNAL");
}

#[test]
fn an_encrypted_thought_goes_to_the_client_and_comes_back() {
    let deltas = [PartDelta::Text("Hm.".into()), PartDelta::Encrypted("YWJj".into())];
    let mut events = vec![StreamEvent::Start(ResponseStart::default())];
    events.extend(part(0, PartKind::Reasoning, &deltas));
    events.extend(part(1, PartKind::Reasoning, &[PartDelta::Encrypted("ZGVm".into())]));
    events.push(StreamEvent::Finish { choice: 0, reason: FinishReason::Stop, raw: None });
    let whole: Value =
        serde_json::from_slice(&GeminiGenerate.encode_response(&fold(&events), &context(""))).unwrap();
    let content = &whole["candidates"][0]["content"];
    let streamed = stream(&events, &context(""), None);
    let streamed: Vec<Value> = serde_json::from_str(&streamed).unwrap();
    let pieces: Vec<&Value> = streamed
        .iter()
        .flat_map(|chunk| chunk["candidates"][0]["content"]["parts"].as_array().unwrap())
        .collect();
    assert_eq!(pieces, content["parts"].as_array().unwrap().iter().collect::<Vec<_>>());
    let head = crate::RequestHead { model: Some("m"), ..crate::RequestHead::default() };
    let body = json!({"contents": [{"parts": [{"text": "?"}]}, content]}).to_string();
    let back = GeminiGenerate.decode_request(&head, body.as_bytes()).unwrap();
    assert_eq!(back.messages[1].parts, fold(&events).choices[0].parts);
}

#[test]
fn arguments_that_are_no_json_go_out_as_an_object_that_holds_them() {
    for (written, expected) in [
        ("I will ring.", json!({"arguments": "I will ring."})),
        ("{\"x\": one}", json!({"arguments": "{\"x\": one}"})),
        ("[1]", json!({"arguments": [1]})),
    ] {
        let mut events = vec![StreamEvent::Start(ResponseStart::default())];
        events.extend(part(0, call("a"), &[PartDelta::Arguments(written.into())]));
        events.push(StreamEvent::Finish { choice: 0, reason: FinishReason::ToolCalls, raw: None });
        let context = context("alt=sse");
        let sent = chunks(&stream(&events, &context, None));
        let args = |body: &Value| body.pointer("/candidates/0/content/parts/0/functionCall/args").cloned();
        let whole = GeminiGenerate.encode_response(&fold(&events), &context);
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        let streamed = sent.iter().find_map(args);
        assert_eq!((streamed, args(&whole)), (Some(expected.clone()), Some(expected)), "{written}");
    }
}
