//! What conversations and recorded traffic do not show.
#![expect(clippy::needless_pass_by_value, reason = "JSON literals read best as they stand")]

use canonical::event::ResponseStart;
use canonical::fold::{fold, unfold};
use canonical::request::{Media, MediaSource, Opaque, Reasoning, ReasoningEffort, ToolCall};
use canonical::{
    ChatRequest, ChatResponse, Choice, Content, Error, ErrorKind, FinishReason, Origin, Part, PartDelta,
    PartKind, Role, StreamEvent, Tool, ToolChoice, Usage,
};
use serde_json::{Value, json};

use super::AnthropicMessages;
use crate::{AnswerContext, Dialect as _, Headers, Protocol as _, Quirks, RequestHead};

fn decode(body: &Value) -> Result<ChatRequest, Error> {
    AnthropicMessages.decode_request(&RequestHead::default(), body.to_string().as_bytes())
}

fn with(fields: Value) -> Value {
    let mut body = json!({"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "?"}]});
    for (name, value) in fields.as_object().cloned().unwrap_or_default() {
        body[name] = value;
    }
    body
}

fn decoded(fields: Value) -> ChatRequest {
    decode(&with(fields)).unwrap()
}

fn said(role: &str, content: Value) -> Vec<canonical::Message> {
    decoded(json!({"messages": [{"role": role, "content": content}]})).messages
}

fn context() -> AnswerContext {
    AnswerContext {
        request_id: "request-1".into(),
        requested_model: "asked".into(),
        ..AnswerContext::default()
    }
}

fn whole(response: &ChatResponse) -> Value {
    serde_json::from_slice(&AnthropicMessages.encode_response(response, &context())).unwrap()
}

fn answer(parts: Vec<Part>, reason: FinishReason, raw: Option<&str>) -> ChatResponse {
    let choice = Choice {
        parts,
        finish_reason: Some(reason),
        finish_reason_raw: raw.map(str::to_owned),
        ..Choice::default()
    };
    ChatResponse { choices: vec![choice], ..ChatResponse::default() }
}

/// The events that a client sees, as name and data.
fn streamed(events: &[StreamEvent]) -> Vec<(String, Value)> {
    let mut encoder = AnthropicMessages.stream_encoder(&context());
    let mut out = Vec::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    encoder.end(&mut out);
    frames(&out)
}

fn frames(bytes: &[u8]) -> Vec<(String, Value)> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    text.split_terminator("\n\n")
        .map(|frame| {
            let (name, data) = frame.split_once('\n').unwrap();
            let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            (name.strip_prefix("event: ").unwrap().to_owned(), data)
        })
        .collect()
}

fn names(frames: &[(String, Value)]) -> Vec<&str> {
    frames.iter().map(|(name, _)| name.as_str()).collect()
}

// === requests ===

#[test]
fn what_is_missing_or_wrong_is_named() {
    for (body, param) in [
        (json!({"max_tokens": 1, "messages": []}), "model"),
        (json!({"model": "m", "messages": []}), "max_tokens"),
        (json!({"model": "m", "max_tokens": 1}), "messages"),
        (json!({"model": "m", "max_tokens": 1, "messages": []}), "messages"),
        (json!({"model": "m", "max_tokens": 1, "messages": [], "system": "Only this."}), "messages"),
        (with(json!({"messages": [{"role": "tool", "content": "x"}]})), "messages[0].role"),
        (with(json!({"messages": [{"role": "user"}]})), "messages[0].content"),
        (
            with(json!({"messages": [{"role": "user", "content": [{"text": "x"}]}]})),
            "messages[0].content[0].type",
        ),
        (with(json!({"tools": [{"name": "f"}]})), "tools[0].input_schema"),
        (with(json!({"tool_choice": {"type": "some"}})), "tool_choice.type"),
        (with(json!({"thinking": {"type": "enabled"}})), "thinking.budget_tokens"),
        (with(json!({"output_config": {"format": {"type": "xml"}}})), "output_config.format.type"),
        (with(json!({"stop_sequences": [1]})), "stop_sequences[0]"),
    ] {
        let error = decode(&body).unwrap_err();
        assert_eq!((error.kind, error.origin), (ErrorKind::InvalidRequest, Origin::Caller), "{body}");
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
    }
    assert_eq!(
        AnthropicMessages.decode_request(&RequestHead::default(), b"{").unwrap_err().code.as_deref(),
        Some("invalid_json")
    );
}

#[test]
fn results_become_messages_of_their_own_and_the_rest_stays_the_users() {
    let messages = said(
        "user",
        json!([
            {"type": "tool_result", "tool_use_id": "a", "content": "1"},
            {"type": "tool_result", "tool_use_id": "b", "is_error": true},
            {"type": "text", "text": "Well?"}
        ]),
    );
    assert_eq!(messages.iter().map(|message| message.role).collect::<Vec<_>>(), [Role::Tool, Role::User]);
    let Content::ToolResult(second) = &messages[0].parts[1].content else { panic!("{messages:?}") };
    assert_eq!((second.call_id.as_str(), second.is_error, second.content.len()), ("b", true, 0));
}

#[test]
fn a_breakpoint_of_the_cache_stays_on_its_part() {
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let request = decoded(json!({
        "system": [{"type": "text", "text": "Rules.", "cache_control": mark}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": mark}],
    }));
    assert_eq!(
        request.messages[0].parts[0].extensions.field("anthropic-messages", "cache_control"),
        Some(&mark)
    );
    let Tool::Function(tool) = &request.tools[0] else { panic!("{:?}", request.tools) };
    assert_eq!(tool.extensions.field("anthropic-messages", "cache_control"), Some(&mark));
}

#[test]
fn a_thought_without_a_signature_is_a_thought_nobody_signed() {
    let messages = said(
        "assistant",
        json!([
            {"type": "thinking", "thinking": "Hm.", "signature": ""},
            {"type": "redacted_thinking", "data": "ZGF0YQ=="}
        ]),
    );
    let thought = |text: &str, encrypted: Option<&str>| {
        Content::Reasoning(Reasoning {
            text: text.into(),
            signature: None,
            encrypted: encrypted.map(str::to_owned),
        })
    };
    assert_eq!(messages[0].parts[0].content, thought("Hm.", None));
    assert_eq!(messages[0].parts[1].content, thought("", Some("ZGF0YQ==")));
}

#[test]
fn what_other_families_cannot_name_is_shown_to_them_as_text() {
    let messages = said(
        "user",
        json!([
            {"type": "search_result", "title": "T", "source": "S", "content": [{"type": "text", "text": "C"}]},
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "one"},
                {"type": "text", "text": "two"}]}}
        ]),
    );
    assert_eq!(messages[0].parts[0].content, Content::Text("T\nS\nC".into()));
    let Content::Document(document) = &messages[0].parts[1].content else { panic!("{messages:?}") };
    assert_eq!(document.source, MediaSource::Base64("b25lCgp0d28=".into()));
}

#[test]
fn a_thread_is_refused_so_that_the_sdk_goes_on_without() {
    for thread in [json!({"type": "create"}), json!({"type": "continue", "previous_message_id": "msg_1"})] {
        let error = decode(&json!({"model": "m", "max_tokens": 1, "thread": thread})).unwrap_err();
        let (status, body) = AnthropicMessages.encode_error(&error, None);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((status, &body["error"]["type"]), (400, &json!("invalid_request_error")));
        assert_eq!(
            body["error"]["details"],
            json!({"error_code": "thread_unsupported_request", "unsupported": ["thread"]})
        );
    }
}

#[test]
fn thinking_effort_and_format_have_their_canonical_words() {
    let reasoning = |fields: Value| decoded(fields).reasoning.unwrap();
    let enabled = reasoning(json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}));
    assert_eq!((enabled.budget_tokens, enabled.is_enabled), (Some(2000), Some(true)));
    assert_eq!(reasoning(json!({"thinking": {"type": "adaptive"}})).is_enabled, Some(true));
    assert_eq!(reasoning(json!({"thinking": {"type": "disabled"}})).is_enabled, Some(false));
    let effort = reasoning(json!({"output_config": {"effort": "max"}}));
    assert_eq!((effort.effort, effort.is_enabled), (Some(ReasoningEffort::Other("max".into())), None));
    let schema = json!({"type": "json_schema", "schema": {"type": "object"}});
    let formats = [json!({"output_format": schema}), json!({"output_config": {"format": schema}})];
    for fields in formats {
        assert!(decoded(fields).response_format.is_some());
    }
}

#[test]
fn tools_and_choices_are_told_apart() {
    let request = decoded(json!({
        "tools": [{"name": "f", "type": "custom", "input_schema": {"type": "object"}},
            {"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
    }));
    assert!(matches!(&request.tools[0], Tool::Function(tool) if tool.name == "f"));
    assert!(
        matches!(&request.tools[1], Tool::Opaque(Opaque { family, .. }) if family == "anthropic-messages")
    );
    assert_eq!(request.tool_choice, Some(ToolChoice::Function("f".into())));
    assert_eq!(request.parallel_tool_calls, Some(false));
}

#[test]
fn opt_ins_of_the_header_and_unknown_fields_are_kept_for_the_family() {
    let headers: Headers = [("anthropic-beta", "one, two")].into_iter().collect();
    let head = RequestHead { headers: Some(&headers), ..RequestHead::default() };
    let body = with(json!({"context_management": {"edits": []}, "metadata": {"user_id": "u", "more": 1}}));
    let request = AnthropicMessages.decode_request(&head, body.to_string().as_bytes()).unwrap();
    let kept = |name| request.extensions.field("anthropic-messages", name).cloned().unwrap_or_default();
    assert_eq!(kept("anthropic_beta"), json!(["one", "two"]));
    assert_eq!(kept("context_management"), json!({"edits": []}));
    assert_eq!((request.user.as_deref(), kept("metadata")), (Some("u"), json!({"more": 1})));
}

// === answers ===

#[test]
fn another_makers_answer_is_a_message_with_all_that_can_be_shown() {
    let image = Media {
        source: MediaSource::Url("https://example.com/a.png".into()),
        media_type: None,
        name: None,
        detail: None,
    };
    let call = ToolCall { id: "c".into(), name: "f".into(), arguments: "[1".into(), ..ToolCall::default() };
    let mut response = answer(
        vec![
            Content::Reasoning(Reasoning { text: "Hm.".into(), ..Reasoning::default() }).into(),
            Content::Refusal("No.".into()).into(),
            Content::Image(image).into(),
            Content::ToolCall(call).into(),
        ],
        FinishReason::Stop,
        Some("stop"),
    );
    response.usage = Some(Usage {
        input_tokens: 100,
        cache_read_tokens: 30,
        cache_write_tokens: 20,
        cache_write_1h_tokens: 5,
        output_tokens: 9,
        reasoning_tokens: 4,
        service_tier: Some("default".into()),
        ..Usage::default()
    });
    let message = whole(&response);
    assert_eq!((&message["id"], &message["model"]), (&json!("request-1"), &json!("asked")));
    assert_eq!(
        message["content"],
        json!([
            {"type": "thinking", "thinking": "Hm.", "signature": ""},
            {"type": "text", "text": "No."},
            {"type": "text", "text": "![image](https://example.com/a.png)"},
            {"type": "tool_use", "id": "c", "name": "f", "input": {"arguments": "[1"}}
        ])
    );
    assert_eq!(message["stop_reason"], "tool_use");
    assert_eq!(
        message["usage"],
        json!({"input_tokens": 50, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 5},
            "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}, "service_tier": "standard"})
    );
}

#[test]
fn every_reason_to_stop_has_a_word() {
    for (reason, raw, word) in [
        (FinishReason::Stop, Some("stop"), json!("end_turn")),
        (FinishReason::StopSequence, None, json!("stop_sequence")),
        (FinishReason::Length, Some("length"), json!("max_tokens")),
        (FinishReason::Length, Some("model_context_window_exceeded"), json!("model_context_window_exceeded")),
        (FinishReason::ToolCalls, Some("tool_calls"), json!("tool_use")),
        (FinishReason::ContentFilter, Some("SAFETY"), json!("refusal")),
        (FinishReason::Refusal, None, json!("refusal")),
        (FinishReason::Paused, Some("pause_turn"), json!("pause_turn")),
        (FinishReason::Other, Some("odd"), json!("end_turn")),
        (FinishReason::Error, Some("error"), Value::Null),
    ] {
        let message = whole(&answer(vec![Part::text("x")], reason, raw));
        assert_eq!(message["stop_reason"], word, "{reason:?} {raw:?}");
    }
}

#[test]
fn an_answer_without_counts_still_has_a_usage() {
    let message = whole(&answer(vec![Part::text("x")], FinishReason::Stop, None));
    assert_eq!(
        (&message["usage"]["input_tokens"], &message["usage"]["output_tokens"]),
        (&json!(0), &json!(0))
    );
}

#[test]
fn a_thought_that_is_readable_and_encrypted_is_two_blocks_in_both_forms() {
    let thought = Reasoning { text: "Hm.".into(), signature: None, encrypted: Some("ZGF0YQ==".into()) };
    let response = answer(vec![Content::Reasoning(thought).into()], FinishReason::Stop, None);
    let blocks = whole(&response)["content"].clone();
    assert_eq!(blocks[1], json!({"type": "redacted_thinking", "data": "ZGF0YQ=="}));
    let starts: Vec<Value> = streamed(&unfold(&response))
        .into_iter()
        .filter(|(name, _)| name == "content_block_start")
        .map(|(_, data)| data["content_block"]["type"].clone())
        .collect();
    assert_eq!(starts, [json!("thinking"), json!("redacted_thinking")]);
}

// === streams ===

fn start() -> StreamEvent {
    StreamEvent::Start(ResponseStart { id: Some("msg_1".into()), ..ResponseStart::default() })
}

fn open(index: u32, kind: PartKind) -> StreamEvent {
    StreamEvent::PartStart { index, choice: 0, kind }
}

fn call(id: &str) -> PartKind {
    PartKind::ToolCall { id: id.into(), name: "f".into(), is_server_side: false }
}

fn text(index: u32, text: &str) -> StreamEvent {
    StreamEvent::PartDelta { index, delta: PartDelta::Text(text.into()) }
}

fn arguments(index: u32, piece: &str) -> StreamEvent {
    StreamEvent::PartDelta { index, delta: PartDelta::Arguments(piece.into()) }
}

fn finish() -> StreamEvent {
    StreamEvent::Finish { choice: 0, reason: FinishReason::Stop, raw: None }
}

#[test]
fn a_stream_is_told_in_the_order_that_sdks_expect() {
    let usage = |input_tokens, output_tokens| {
        StreamEvent::Usage(Box::new(Usage { input_tokens, output_tokens, ..Usage::default() }))
    };
    let events = [
        start(),
        usage(7, 1),
        open(0, PartKind::Text),
        text(0, "Hello"),
        StreamEvent::PartEnd { index: 0 },
        finish(),
        usage(7, 3),
    ];
    let frames = streamed(&events);
    assert_eq!(
        names(&frames),
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    assert_eq!(frames[0].1["message"]["usage"]["input_tokens"], 7);
    assert_eq!(frames[0].1["message"]["stop_reason"], Value::Null);
    assert_eq!(
        (&frames[4].1["delta"]["stop_reason"], &frames[4].1["usage"]["output_tokens"]),
        (&json!("end_turn"), &json!(3))
    );
}

#[test]
fn text_is_passed_on_as_it_comes() {
    let mut encoder = AnthropicMessages.stream_encoder(&context());
    let mut out = Vec::new();
    for event in [start(), open(0, PartKind::Text), text(0, "Hel")] {
        encoder.event(&event, &mut out);
    }
    assert_eq!(names(&frames(&out)), ["message_start", "content_block_start", "content_block_delta"]);
}

#[test]
fn parts_that_overlap_come_out_one_after_the_other() {
    let end = |index| StreamEvent::PartEnd { index };
    let events = [
        start(),
        open(0, call("a")),
        open(1, call("b")),
        arguments(1, "{\"x\""),
        arguments(0, "{}"),
        arguments(1, ":1}"),
        end(1),
        end(0),
        finish(),
    ];
    let frames = streamed(&events);
    let indices: Vec<u64> = frames.iter().filter_map(|(_, data)| data["index"].as_u64()).collect();
    assert_eq!(indices, [0, 0, 0, 1, 1, 1, 1]);
    let mut decoder = crate::anthropic_messages::client::AnthropicMessages.stream_decoder(&Quirks::default());
    let mut back = Vec::new();
    for (_, data) in &frames {
        decoder.frame(crate::Frame { event: None, data: &data.to_string() }, &mut back).unwrap();
    }
    decoder.end(&mut back).unwrap();
    assert_eq!(fold(&back).choices[0].parts, fold(&events).choices[0].parts);
    assert_eq!(fold(&back).choices[0].finish_reason, Some(FinishReason::ToolCalls));
}

#[test]
fn what_waits_for_its_turn_is_said_before_the_error() {
    let mut encoder = AnthropicMessages.stream_encoder(&context());
    let mut out = Vec::new();
    for event in [start(), open(0, call("a")), arguments(0, "{\"x"), open(1, call("b"))] {
        encoder.event(&event, &mut out);
    }
    encoder.error(&Error::new(ErrorKind::Truncated, Origin::Provider, "Cut."), &mut out);
    let frames = frames(&out);
    assert_eq!(
        names(&frames),
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "error"
        ]
    );
    assert_eq!(frames[4].1["content_block"]["id"], "b");
}

#[test]
fn the_proof_of_a_call_stands_in_its_block_and_comes_back_with_it() {
    let signature = StreamEvent::PartDelta { index: 0, delta: PartDelta::Signature("c2ln".into()) };
    let end = StreamEvent::PartEnd { index: 0 };
    let events = [start(), open(0, call("a")), signature, arguments(0, "{}"), end, finish()];
    let block = streamed(&events)[1].1["content_block"].clone();
    assert_eq!(block["signature"], "c2ln");
    assert_eq!(whole(&fold(&events))["content"][0], block);
    let Content::ToolCall(back) = &said("assistant", json!([block]))[0].parts[0].content else {
        panic!("no call")
    };
    assert_eq!(back.signature.as_deref(), Some("c2ln"));
}

#[test]
fn a_call_without_arguments_is_a_block_all_the_same() {
    let frames = streamed(&[start(), open(0, call("a")), StreamEvent::PartEnd { index: 0 }, finish()]);
    assert_eq!(frames[1].1["content_block"]["type"], "tool_use");
    assert_eq!(frames[2].0, "content_block_stop");
}

#[test]
fn an_error_in_the_middle_is_the_last_word() {
    let mut encoder = AnthropicMessages.stream_encoder(&context());
    let mut out = Vec::new();
    for event in [start(), open(0, PartKind::Text), text(0, "Hel")] {
        encoder.event(&event, &mut out);
    }
    encoder.error(&Error::new(ErrorKind::Overloaded, Origin::Provider, "Too busy."), &mut out);
    encoder.event(&text(0, "lo"), &mut out);
    encoder.end(&mut out);
    let frames = frames(&out);
    let (name, data) = frames.last().unwrap();
    assert_eq!(name, "error");
    assert_eq!(
        data,
        &json!({"type": "error", "error": {"type": "overloaded_error", "message": "Too busy."}, "request_id": "request-1"})
    );
    assert!(!names(&frames).contains(&"message_stop"));
}

// === errors ===

#[test]
fn every_kind_of_error_has_its_status_and_type() {
    let expected = |kind| match kind {
        ErrorKind::Authentication => (401, "authentication_error"),
        ErrorKind::QuotaExhausted => (402, "billing_error"),
        ErrorKind::Permission => (403, "permission_error"),
        ErrorKind::NotFound => (404, "not_found_error"),
        ErrorKind::PayloadTooLarge => (413, "request_too_large"),
        ErrorKind::RateLimited => (429, "rate_limit_error"),
        ErrorKind::Overloaded => (529, "overloaded_error"),
        ErrorKind::Timeout => (504, "timeout_error"),
        ErrorKind::InvalidRequest | ErrorKind::ContextTooLong | ErrorKind::ContentFiltered => {
            (400, "invalid_request_error")
        }
        ErrorKind::Truncated | ErrorKind::InvalidResponse | ErrorKind::ServerError | ErrorKind::Network => {
            (502, "api_error")
        }
        ErrorKind::Internal => (500, "api_error"),
        ErrorKind::Cancelled => (503, "api_error"),
    };
    for kind in ErrorKind::ALL {
        // A provider's missing key is told apart from a client's wrong one, and its open bill from a
        // budget of the user's own.
        let origin = match kind {
            ErrorKind::Authentication => Origin::Caller,
            ErrorKind::QuotaExhausted => Origin::Provider,
            _ => Origin::Gateway,
        };
        let (status, body) =
            AnthropicMessages.encode_error(&Error::new(kind, origin, "Why."), Some("request-1"));
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((status, body["error"]["type"].as_str().unwrap()), expected(kind), "{kind:?}");
        assert_eq!((&body["type"], &body["request_id"]), (&json!("error"), &json!("request-1")));
    }
}

#[test]
fn a_prompt_that_is_too_long_is_refused_in_the_words_that_agents_look_for() {
    for (message, shown) in [
        ("This model's maximum is 8 tokens.", "prompt is too long: This model's maximum is 8 tokens."),
        ("prompt is too long: 9 tokens > 8 maximum", "prompt is too long: 9 tokens > 8 maximum"),
    ] {
        let error = Error::new(ErrorKind::ContextTooLong, Origin::Provider, message);
        let body: Value = serde_json::from_slice(&AnthropicMessages.encode_error(&error, None).1).unwrap();
        assert_eq!(body["error"]["message"], shown);
    }
}

#[test]
fn arguments_that_are_no_json_reach_an_sdk_as_an_object_streamed_and_whole() {
    for (written, expected) in [
        ("I will ring.", json!({"arguments": "I will ring."})),
        ("{\"x\": one}", json!({"arguments": "{\"x\": one}"})),
    ] {
        let events = [
            start(),
            open(0, call("a")),
            arguments(0, &written[..5]),
            arguments(0, &written[5..]),
            StreamEvent::PartEnd { index: 0 },
            StreamEvent::Finish { choice: 0, reason: FinishReason::ToolCalls, raw: None },
        ];
        let frames = streamed(&events);
        let pieces = frames.iter().filter_map(|(_, data)| data["delta"]["partial_json"].as_str());
        let streamed: Value = serde_json::from_str(&pieces.collect::<String>()).unwrap();
        let whole = AnthropicMessages.encode_response(&canonical::fold::fold(&events), &context());
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!((&streamed, &whole["content"][0]["input"]), (&expected, &expected), "{written}");
    }
}

#[test]
fn a_call_that_breaks_off_shows_what_had_arrived_before_the_error() {
    let mut encoder = AnthropicMessages.stream_encoder(&context());
    let mut out = Vec::new();
    for event in [start(), open(0, call("a")), arguments(0, "{\"x\":1,\"y\":\"tex")] {
        encoder.event(&event, &mut out);
    }
    encoder.error(&Error::new(ErrorKind::Truncated, Origin::Network, "It broke."), &mut out);
    let frames = frames(&out);
    let pieces = frames.iter().filter_map(|(_, data)| data["delta"]["partial_json"].as_str());
    assert_eq!(pieces.collect::<String>(), "{\"x\":1,\"y\":\"tex");
    assert_eq!(names(&frames).last().copied(), Some("error"));
}
