//! Answers as clients get them, and lists of models.

use canonical::event::ResponseStart;
use canonical::request::ToolCall;
use canonical::{
    ChatResponse, Content, Error, ErrorKind, FinishReason, PartDelta, PartKind, StreamEvent, Usage, fold,
};
use serde_json::{Value, json};

use super::super::{client, server};
use super::requests::decoded;
use crate::{AnswerContext, Dialect as _, Protocol as _};

fn context() -> AnswerContext {
    AnswerContext {
        request_id: "req".into(),
        requested_model: "asked".into(),
        created: 7,
        include_usage: true,
        ..AnswerContext::default()
    }
}

fn streamed(events: &[StreamEvent], context: &AnswerContext) -> Vec<Value> {
    let (mut encoder, mut out) = (server::OpenAiChat.stream_encoder(context), Vec::new());
    for event in events {
        encoder.event(event, &mut out);
    }
    encoder.end(&mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"));
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter(|line| *line != "[DONE]").map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_call_that_the_provider_answers_itself_is_not_the_clients() {
    let server_side = |id: &str, is_server_side| PartKind::ToolCall {
        id: id.into(),
        name: "search".into(),
        is_server_side,
    };
    let events = [
        StreamEvent::Start(ResponseStart::default()),
        StreamEvent::PartStart { index: 0, choice: 0, kind: server_side("s", true) },
        StreamEvent::PartDelta { index: 0, delta: PartDelta::Arguments("{}".into()) },
        StreamEvent::PartEnd { index: 0 },
        StreamEvent::PartStart { index: 1, choice: 0, kind: PartKind::Text },
        StreamEvent::PartDelta { index: 1, delta: PartDelta::Text("Found".into()) },
        StreamEvent::PartEnd { index: 1 },
        StreamEvent::Finish { choice: 0, reason: FinishReason::Stop, raw: None },
    ];
    let chunks = streamed(&events, &context());
    assert!(chunks.iter().all(|chunk| chunk["choices"][0]["delta"].get("tool_calls").is_none()));
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");
    let whole = server::OpenAiChat.encode_response(&fold::fold(&events), &context());
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(whole["choices"][0]["message"]["content"], "Found");
    assert!(whole["choices"][0]["message"].get("tool_calls").is_none());
}

#[test]
fn chunks_have_what_the_sdks_need() {
    let kind = PartKind::ToolCall { id: "a".into(), name: "f".into(), is_server_side: false };
    let usage = Usage { input_tokens: 5, cache_read_tokens: 2, output_tokens: 3, ..Usage::default() };
    let events = [
        StreamEvent::Start(ResponseStart::default()),
        StreamEvent::PartStart { index: 0, choice: 0, kind },
        StreamEvent::PartDelta { index: 0, delta: PartDelta::Arguments("{}".into()) },
        StreamEvent::PartEnd { index: 0 },
        StreamEvent::Usage(Box::new(usage)),
        StreamEvent::Finish { choice: 0, reason: FinishReason::ToolCalls, raw: None },
    ];
    let chunks = streamed(&events, &context());
    for chunk in &chunks {
        assert_eq!(
            (&chunk["id"], &chunk["model"], &chunk["created"]),
            (&json!("req"), &json!("asked"), &json!(7))
        );
        assert_eq!(chunk["object"], "chat.completion.chunk");
    }
    let first = &chunks[0]["choices"][0]["delta"];
    assert_eq!(first["role"], "assistant");
    let call = json!({"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}});
    assert_eq!(first["tool_calls"][0], call);
    assert!(chunks[1]["choices"][0]["delta"].get("role").is_none());
    let last = chunks.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["total_tokens"], 8);
    assert_eq!(last["usage"]["prompt_tokens_details"]["cached_tokens"], 2);
    let unasked = AnswerContext { include_usage: false, ..context() };
    assert!(streamed(&events, &unasked).iter().all(|chunk| chunk.get("usage").is_none()));
}

#[test]
fn a_broken_stream_ends_with_its_error_and_nothing_else() {
    let (mut encoder, mut out) = (server::OpenAiChat.stream_encoder(&context()), Vec::new());
    let error = Error::new(ErrorKind::Truncated, canonical::Origin::Provider, "It broke off.");
    encoder.error(&error, &mut out);
    encoder.end(&mut out);
    let text = String::from_utf8(out).unwrap();
    let body: Value = serde_json::from_str(text.trim().strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(body["error"]["message"], "It broke off.");
    assert_eq!(body["error"]["code"], "truncated");
}

#[test]
fn every_kind_of_error_has_a_status_and_openais_shape() {
    for kind in ErrorKind::ALL {
        let error = Error::new(kind, canonical::Origin::Provider, "Why").with_param("p");
        let (status, body) = server::OpenAiChat.encode_error(&error, Some("req"));
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!((400..=599).contains(&status), "{kind:?}");
        assert_eq!(body["error"]["message"], "Why");
        assert!(body["error"]["type"].is_string() && body["error"]["param"] == "p");
    }
}

#[test]
fn a_signature_travels_with_its_call_and_comes_back() {
    let call = ToolCall {
        id: "a".into(),
        name: "f".into(),
        arguments: "{}".into(),
        signature: Some("sig".into()),
        is_server_side: false,
    };
    let choice = canonical::Choice {
        parts: vec![Content::ToolCall(call).into()],
        finish_reason: Some(FinishReason::ToolCalls),
        ..canonical::Choice::default()
    };
    let response = ChatResponse { choices: vec![choice], ..ChatResponse::default() };
    let body: Value =
        serde_json::from_slice(&server::OpenAiChat.encode_response(&response, &context())).unwrap();
    let message = body["choices"][0]["message"].clone();
    let request = decoded(&json!({"model": "m", "messages": [message]})).unwrap();
    let Content::ToolCall(back) = &request.messages[0].parts[0].content else { panic!("no call") };
    assert_eq!(back.signature.as_deref(), Some("sig"));
}

#[test]
fn lists_of_models_are_read_in_everyones_shape() {
    let read = |body: Value| client::OpenAiChat.decode_models(body.to_string().as_bytes());
    let list = read(json!({"object": "list", "data": [
        {"id": "a", "context_length": 10, "top_provider": {"max_completion_tokens": 5}, "name": "A"},
        {"id": "b", "context_window": 20, "max_completion_tokens": 7},
    ]}))
    .unwrap();
    assert_eq!((list[0].context_window, list[0].max_output_tokens), (Some(10), Some(5)));
    assert_eq!(list[0].display_name.as_deref(), Some("A"));
    assert_eq!((list[1].context_window, list[1].max_output_tokens), (Some(20), Some(7)));
    assert_eq!(read(json!([{"id": "t"}])).unwrap()[0].id, "t");
    assert_eq!(read(json!({"hello": 1})).unwrap_err().kind, ErrorKind::InvalidResponse);
}
