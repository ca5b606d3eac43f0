//! Requests, in both directions.

use canonical::request::{Media, MediaSource, ReasoningRequest, ToolResult};
use canonical::{ChatRequest, Content, Error, ErrorKind, Message, Part, Role};
use serde_json::{Value, json};

use super::super::{client, server};
use crate::{Dialect as _, Protocol as _, Quirks, TargetContext};

pub(super) fn decoded(body: &Value) -> Result<ChatRequest, Error> {
    server::OpenAiChat.decode_request(&crate::RequestHead::default(), body.to_string().as_bytes())
}

fn encoded(request: &ChatRequest, quirks: &Quirks) -> Result<Value, Error> {
    let target = TargetContext { model: "target-model", quirks, max_output_tokens: None };
    let sent = client::OpenAiChat.encode_request(request, &target)?;
    assert_eq!(sent.path, "/chat/completions");
    Ok(serde_json::from_slice(&sent.body).unwrap())
}

fn asked(message: Message) -> ChatRequest {
    ChatRequest { model: "m".into(), messages: vec![message], ..ChatRequest::default() }
}

#[test]
fn a_bad_request_is_refused_by_the_name_of_its_field() {
    let user = json!([{"role": "user", "content": "Hi"}]);
    for (body, param) in [
        (json!({"messages": user}), "model"),
        (json!({"model": "m"}), "messages"),
        (json!({"model": "m", "messages": []}), "messages"),
        (json!({"model": "m", "messages": "Hi"}), "messages"),
        (json!({"model": "m", "messages": [{"content": "Hi"}]}), "messages[0].role"),
        (json!({"model": "m", "messages": [{"role": "robot"}]}), "messages[0].role"),
        (json!({"model": "m", "messages": [{"role": "tool", "content": "x"}]}), "messages[0].tool_call_id"),
        (json!({"model": "m", "messages": [{"role": "user", "content": 7}]}), "messages[0].content"),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            "messages[0].content[0].text",
        ),
        (json!({"model": "m", "messages": user, "temperature": "hot"}), "temperature"),
        (json!({"model": "m", "messages": user, "max_tokens": -1}), "max_tokens"),
        (json!({"model": "m", "messages": user, "stream": "yes"}), "stream"),
        (json!({"model": "m", "messages": user, "stop": [1]}), "stop[0]"),
        (json!({"model": "m", "messages": user, "n": 0}), "n"),
        (json!({"model": "m", "messages": user, "tools": [{"type": "function"}]}), "tools[0].function"),
        (json!({"model": "m", "messages": user, "tool_choice": "maybe"}), "tool_choice"),
    ] {
        let error = decoded(&body).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
        assert!(error.message.contains(param), "{}", error.message);
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
    }
    assert_eq!(
        server::OpenAiChat.decode_request(&crate::RequestHead::default(), b"{").unwrap_err().code.as_deref(),
        Some("invalid_json")
    );
}

#[test]
fn the_form_before_tools_becomes_tools_and_results_find_their_call() {
    let request = decoded(&json!({
        "model": "m",
        "functions": [{"name": "f", "parameters": {}}],
        "function_call": {"name": "f"},
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{\"x\":1}"}},
            {"role": "function", "name": "f", "content": "one"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{\"x\":2}"}},
            {"role": "function", "name": "f", "content": "two"},
        ],
    }))
    .unwrap();
    let body = encoded(&request, &Quirks::default()).unwrap();
    assert_eq!(body["tools"][0]["function"]["name"], "f");
    assert_eq!(body["tool_choice"]["function"]["name"], "f");
    for (at, content) in [(1, "one"), (3, "two")] {
        assert_eq!(body["messages"][at]["tool_calls"][0]["id"], body["messages"][at + 1]["tool_call_id"]);
        assert_eq!(body["messages"][at + 1]["content"], content);
    }
    assert_ne!(body["messages"][1]["tool_calls"][0]["id"], body["messages"][3]["tool_calls"][0]["id"]);
}

#[test]
fn unknown_fields_are_kept_where_they_stood() {
    let body = json!({
        "model": "target-model",
        "messages": [{
            "role": "user",
            "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}],
            "mood": "good",
        }],
        "tools": [{"type": "function", "mark": 1, "function": {"name": "f", "pace": "slow"}}, {"type": "web_search"}],
        "metadata": {"a": "b"},
        "stream": true,
        "stream_options": {"include_obfuscation": false, "include_usage": true},
    });
    let request = decoded(&body).unwrap();
    assert_eq!(encoded(&request, &Quirks::default()).unwrap(), body);
}

#[test]
fn what_other_families_say_is_said_in_this_ones_words() {
    let image = Media {
        source: MediaSource::Base64("QUJD".into()),
        media_type: Some("image/jpeg".into()),
        name: None,
        detail: None,
    };
    let result = ToolResult {
        call_id: "c1".into(),
        name: Some("f".into()),
        content: vec![Part::text("a"), Part::text("b")],
        is_error: false,
    };
    let message = Message::new(
        Role::User,
        vec![Part::text("Look"), Content::Image(image).into(), Content::ToolResult(result).into()],
    );
    let body = encoded(&asked(message), &Quirks::default()).unwrap();
    let tool = json!({"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]});
    assert_eq!(body["messages"][0], tool);
    assert_eq!(body["messages"][1]["content"][1]["image_url"]["url"], "data:image/jpeg;base64,QUJD");
    assert_eq!(body["messages"].as_array().unwrap().len(), 2);
}

#[test]
fn what_tools_show_follows_all_their_results_and_failures_are_said() {
    let media = |kind: &str| Media {
        source: MediaSource::Base64("QUJD".into()),
        media_type: Some(kind.into()),
        name: None,
        detail: None,
    };
    let result = |id: &str, content: Vec<Part>, is_error: bool| {
        Content::ToolResult(ToolResult { call_id: id.into(), name: None, content, is_error })
    };
    let shot = vec![Part::text("Shot"), Content::Image(media("image/png")).into()];
    let paper = vec![Content::Document(media("application/pdf")).into()];
    let first = vec![
        result("c1", shot, false).into(),
        result("c2", vec![Part::text("No such file")], true).into(),
        result("c3", vec![], true).into(),
    ];
    let mut request = asked(Message::new(Role::User, first));
    request.messages.push(Message::new(Role::Tool, vec![result("c4", paper, false).into()]));
    request.messages.push(Message::new(Role::User, vec![Part::text("Well?")]));
    let body = encoded(&request, &Quirks::default()).unwrap();
    let expected = json!([
        {"role": "tool", "tool_call_id": "c1", "content": "Shot"},
        {"role": "tool", "tool_call_id": "c2", "content": "Error: No such file"},
        {"role": "tool", "tool_call_id": "c3", "content": "Error"},
        {"role": "tool", "tool_call_id": "c4", "content": ""},
        {"role": "user", "content": [
            {"type": "text", "text": "What the tool call c1 gave back:"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
            {"type": "text", "text": "What the tool call c4 gave back:"},
            {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,QUJD"}}]},
        {"role": "user", "content": "Well?"}]);
    assert_eq!(body["messages"], expected);
    let quirks = Quirks { tool_media: true, ..Quirks::default() };
    let within = encoded(&request, &quirks).unwrap();
    assert_eq!(within["messages"][0]["content"][1]["type"], "image_url");
    assert_eq!(within["messages"].as_array().unwrap().len(), 5);
}

#[test]
fn reasoning_is_asked_for_and_sent_back_as_the_provider_takes_it() {
    let thought =
        Content::Reasoning(canonical::request::Reasoning { text: "Hm".into(), ..Default::default() });
    let mut request = asked(Message::new(Role::Assistant, vec![thought.into(), Part::text("Hi")]));
    request.reasoning = Some(ReasoningRequest { budget_tokens: Some(4_000), ..ReasoningRequest::default() });
    let plain = encoded(&request, &Quirks::default()).unwrap();
    assert_eq!(plain["reasoning_effort"], "medium");
    assert_eq!(plain["messages"][0], json!({"role": "assistant", "content": "Hi"}));
    let quirks = Quirks {
        reasoning_field: Some("reasoning".into()),
        reasoning_object: true,
        no_developer_role: true,
        max_tokens_field: Some("max_completion_tokens".into()),
        drop_fields: vec!["temperature".into()],
        ..Quirks::default()
    };
    request.max_output_tokens = Some(9);
    request.temperature = Some(0.5);
    request.messages.push(Message::text(Role::Developer, "Be kind"));
    let body = encoded(&request, &quirks).unwrap();
    assert_eq!(body["reasoning"], json!({"max_tokens": 4_000}));
    assert_eq!(body["messages"][0]["reasoning"], "Hm");
    assert_eq!(body["messages"][1]["role"], "system");
    assert_eq!((&body["max_completion_tokens"], &body["temperature"]), (&json!(9), &Value::Null));
}
