//! What snapshots of whole conversations do not show.

use canonical::request::{
    Media, MediaSource, Opaque, Reasoning, ReasoningEffort, ReasoningRequest, ResponseFormat, ToolCall,
    ToolResult,
};
use canonical::{ChatRequest, Content, ErrorKind, Message, Part, Retry, Role, Tool};
use serde_json::{Value, json};

use super::AnthropicMessages;
use crate::{HttpRequest, Protocol as _, Quirks, TargetContext};

fn encode(request: &ChatRequest, model: &str) -> Result<HttpRequest, canonical::Error> {
    let quirks = Quirks::default();
    AnthropicMessages
        .encode_request(request, &TargetContext { model, quirks: &quirks, max_output_tokens: None })
}

fn body_for(request: &ChatRequest, model: &str) -> Value {
    serde_json::from_slice(&encode(request, model).unwrap().body).unwrap()
}

fn body(messages: Vec<Message>) -> Value {
    body_for(&ChatRequest { messages, ..ChatRequest::default() }, "claude-sonnet-4-5")
}

fn user(content: Content) -> Vec<Message> {
    vec![Message::new(Role::User, vec![content.into()])]
}

fn media(source: MediaSource, media_type: Option<&str>) -> Media {
    Media { source, media_type: media_type.map(str::to_owned), name: None, detail: None }
}

fn thought(text: &str, signature: Option<&str>, encrypted: Option<&str>) -> Part {
    let (signature, encrypted) = (signature.map(str::to_owned), encrypted.map(str::to_owned));
    Content::Reasoning(Reasoning { text: text.into(), signature, encrypted }).into()
}

fn call(id: &str) -> Part {
    let (id, name, arguments) = (id.to_owned(), "f".to_owned(), "{}".to_owned());
    Content::ToolCall(ToolCall { id, name, arguments, ..ToolCall::default() }).into()
}

fn result(id: &str, content: Vec<Part>, is_error: bool) -> Part {
    Content::ToolResult(ToolResult { call_id: id.into(), name: None, content, is_error }).into()
}

#[test]
fn thoughts_go_back_only_with_their_seal() {
    let answer = vec![
        thought("signed", Some("c2ln"), None),
        thought("", None, Some("ZGF0YQ==")),
        thought("unsigned", None, None),
        Part::text("Yes."),
    ];
    let body = body(vec![Message::text(Role::User, "?"), Message::new(Role::Assistant, answer)]);
    assert_eq!(
        body["messages"][1]["content"],
        json!([
            {"type": "thinking", "thinking": "signed", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "ZGF0YQ=="},
            {"type": "text", "text": "Yes."}
        ])
    );
}

#[test]
fn results_come_first_in_the_message_after_the_calls() {
    let body = body(vec![
        Message::text(Role::User, "?"),
        Message::new(Role::Assistant, vec![call("a"), call("b")]),
        Message::new(Role::Tool, vec![result("a", vec![Part::text("1")], false)]),
        Message::text(Role::System, "Hurry."),
        Message::new(Role::Tool, vec![result("b", vec![], true)]),
        Message::text(Role::User, "Well?"),
    ]);
    assert_eq!(
        body["messages"][2]["content"],
        json!([
            {"type": "tool_result", "tool_use_id": "a", "content": "1"},
            {"type": "tool_result", "tool_use_id": "b", "is_error": true},
            {"type": "text", "text": "<system>\nHurry.\n</system>"},
            {"type": "text", "text": "Well?"}
        ])
    );
    assert_eq!(body["messages"].as_array().unwrap().len(), 3);
}

#[test]
fn media_keep_their_form_and_files_opt_in() {
    let text = media(MediaSource::Base64("w6Q=".into()), Some("text/csv"));
    assert_eq!(
        body(user(Content::Document(text)))["messages"][0]["content"][0]["source"],
        json!({"type": "text", "media_type": "text/plain", "data": "ä"})
    );
    let untyped = media(MediaSource::Base64("/9j/4AAQ".into()), None);
    assert_eq!(
        body(user(Content::Image(untyped)))["messages"][0]["content"][0]["source"]["media_type"],
        "image/jpeg"
    );
    let file = media(MediaSource::FileId("file_1".into()), None);
    let request = ChatRequest { messages: user(Content::Document(file)), ..ChatRequest::default() };
    let sent = encode(&request, "claude-sonnet-4-5").unwrap();
    assert!(sent.headers.contains(&("anthropic-beta", "files-api-2025-04-14".into())));
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body["messages"][0]["content"][0]["source"], json!({"type": "file", "file_id": "file_1"}));
}

#[test]
fn what_cannot_be_said_is_refused_and_the_next_target_may_try() {
    let audio = user(Content::Audio(media(MediaSource::Base64("AAAA".into()), Some("audio/wav"))));
    let foreign = Opaque { family: "openai-chat".into(), value: json!({"type": "custom", "name": "x"}) };
    let requests = [
        ChatRequest { messages: audio, ..ChatRequest::default() },
        ChatRequest { messages: user(Content::Opaque(foreign)), ..ChatRequest::default() },
        ChatRequest { choice_count: Some(2), ..ChatRequest::default() },
    ];
    for request in requests {
        let error = encode(&request, "claude-sonnet-4-5").unwrap_err();
        assert_eq!((error.kind, error.retry), (ErrorKind::InvalidRequest, Retry::NextTarget), "{error}");
        assert!(error.param.is_some());
    }
}

#[test]
fn tools_of_this_api_pass_whoever_sent_them() {
    let search = json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 2});
    let opaque = Opaque { family: "openai-chat".into(), value: search.clone() };
    let request = ChatRequest {
        messages: user(Content::Text("?".into())),
        tools: vec![Tool::Opaque(opaque)],
        ..ChatRequest::default()
    };
    assert_eq!(body_for(&request, "claude-sonnet-4-5")["tools"], json!([search]));
}

#[test]
fn a_limit_is_always_sent() {
    assert_eq!(body(user(Content::Text("?".into())))["max_tokens"], 4096);
}

#[test]
fn a_request_of_instructions_alone_becomes_the_users() {
    let body = body(vec![Message::text(Role::System, "Write a poem.")]);
    assert_eq!(body["messages"], json!([{"role": "user", "content": "Write a poem."}]));
    assert_eq!(body.get("system"), None);
}

#[test]
fn a_conversation_that_says_nothing_is_the_callers_mistake() {
    for text in ["", " \n"] {
        let request = ChatRequest { messages: user(Content::Text(text.into())), ..ChatRequest::default() };
        let error = encode(&request, "claude-sonnet-4-5").unwrap_err();
        assert_eq!(
            (error.kind, error.param.as_deref()),
            (ErrorKind::InvalidRequest, Some("messages[0]")),
            "{text:?}"
        );
    }
}

#[test]
fn a_begun_answer_does_not_end_in_white_space() {
    let body = body(vec![Message::text(Role::User, "?"), Message::text(Role::Assistant, "It is \n")]);
    assert_eq!(body["messages"][1]["content"], "It is");
}

#[test]
fn a_format_that_the_model_does_not_know_becomes_an_instruction() {
    let schema = ResponseFormat::JsonSchema {
        name: None,
        description: None,
        schema: json!({"type": "object"}),
        strict: None,
    };
    for (format, model) in
        [(schema, "claude-sonnet-4-20250514"), (ResponseFormat::JsonObject, "claude-opus-5")]
    {
        let request = ChatRequest {
            messages: user(Content::Text("?".into())),
            response_format: Some(format),
            ..ChatRequest::default()
        };
        let body = body_for(&request, model);
        assert_eq!(body.get("output_config"), None);
        assert!(body["system"].as_str().unwrap().starts_with("Answer with one JSON"), "{body}");
    }
}

#[test]
fn while_thinking_only_what_the_api_takes_is_sent() {
    let request = ChatRequest {
        messages: user(Content::Text("?".into())),
        max_output_tokens: Some(20_000),
        temperature: Some(0.5),
        top_p: Some(0.5),
        top_k: Some(5),
        reasoning: Some(ReasoningRequest {
            effort: Some(ReasoningEffort::Low),
            ..ReasoningRequest::default()
        }),
        ..ChatRequest::default()
    };
    let body = body_for(&request, "claude-sonnet-4-5");
    assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": 2048}));
    for name in ["temperature", "top_p", "top_k"] {
        assert_eq!(body.get(name), None, "{name}");
    }
}

#[test]
fn opt_ins_become_a_header_and_extensions_fill_what_is_missing() {
    let mut request = ChatRequest {
        messages: user(Content::Text("?".into())),
        service_tier: Some("default".into()),
        ..ChatRequest::default()
    };
    for (name, value) in [
        ("anthropic_beta", json!(["one", "two"])),
        ("container", json!("c_1")),
        ("service_tier", json!("auto")),
    ] {
        request.extensions.insert("anthropic-messages", name, value);
    }
    let sent = encode(&request, "claude-sonnet-4-5").unwrap();
    assert!(sent.headers.contains(&("anthropic-beta", "one,two".into())));
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!((&body["container"], &body["service_tier"]), (&json!("c_1"), &json!("standard_only")));
    assert_eq!(body.get("anthropic_beta"), None);
}
