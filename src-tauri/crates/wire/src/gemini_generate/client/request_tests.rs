//! What snapshots of whole conversations do not show.

use canonical::request::{
    Media, MediaSource, Opaque, Reasoning, ReasoningEffort, ReasoningRequest, ToolCall, ToolResult,
};
use canonical::{ChatRequest, Content, ErrorKind, Message, Part, Retry, Role, Tool};
use serde_json::{Value, json};

use super::GeminiGenerate;
use crate::{HttpRequest, Protocol as _, Quirks, TargetContext};

fn encode(request: &ChatRequest, model: &str) -> Result<HttpRequest, canonical::Error> {
    let quirks = Quirks::default();
    GeminiGenerate.encode_request(request, &TargetContext { model, quirks: &quirks, max_output_tokens: None })
}

fn contents(messages: Vec<Message>, model: &str) -> Value {
    let request = ChatRequest { messages, ..ChatRequest::default() };
    let body: Value = serde_json::from_slice(&encode(&request, model).unwrap().body).unwrap();
    body["contents"].clone()
}

fn call(id: &str, signature: Option<&str>) -> Part {
    let (id, name, arguments) = (id.to_owned(), "look".to_owned(), "{}".to_owned());
    let signature = signature.map(str::to_owned);
    Content::ToolCall(ToolCall { id, name, arguments, signature, is_server_side: false }).into()
}

fn result(id: &str, content: Vec<Part>, is_error: bool) -> Message {
    let result = ToolResult { call_id: id.into(), name: None, content, is_error };
    Message::new(Role::Tool, vec![Content::ToolResult(result).into()])
}

fn image() -> Part {
    let source = MediaSource::Base64("iVBORw0K".into());
    Content::Image(Media { source, media_type: None, name: None, detail: None }).into()
}

#[test]
fn a_signature_goes_back_on_the_part_that_had_it() {
    let mut text = Part::text("");
    text.set_signature("dGV4dA==");
    let thought = Content::Reasoning(Reasoning { text: "Hm.".into(), ..Reasoning::default() });
    let answer = vec![thought.into(), text, call("a", Some("Y2FsbA==")), call("b", None)];
    let contents = contents(
        vec![Message::text(Role::User, "?"), Message::new(Role::Assistant, answer)],
        "gemini-3-flash-preview",
    );
    assert_eq!(
        contents[1]["parts"],
        json!([
            {"text": "", "thoughtSignature": "dGV4dA=="},
            {"functionCall": {"id": "a", "name": "look", "args": {}}, "thoughtSignature": "Y2FsbA=="},
            {"functionCall": {"id": "b", "name": "look", "args": {}}}
        ])
    );
}

#[test]
fn what_a_function_gave_back_is_an_object_and_media_go_where_the_model_reads_them() {
    let history = |model| {
        let messages = vec![
            Message::text(Role::User, "?"),
            Message::new(Role::Assistant, vec![call("a", None), call("b", None)]),
            result("a", vec![Part::text("A signal."), image()], false),
            result("b", vec![Part::text("[1]")], true),
        ];
        contents(messages, model)[2]["parts"].clone()
    };
    let png = json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0K"}});
    let failed = json!({"functionResponse": {"id": "b", "name": "look", "response": {"error": "[1]"}}});
    let answer = json!({"id": "a", "name": "look", "response": {"output": "A signal."}});
    assert_eq!(history("gemini-2.5-pro"), json!([{"functionResponse": answer}, failed, png]));
    let mut with_parts = answer;
    with_parts["parts"] = json!([png]);
    assert_eq!(history("gemini-3-pro-preview"), json!([{"functionResponse": with_parts}, failed]));
}

#[test]
fn a_result_without_its_call_is_the_callers_mistake() {
    let request = ChatRequest { messages: vec![result("gone", vec![], false)], ..ChatRequest::default() };
    let error = encode(&request, "gemini-2.5-pro").unwrap_err();
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::InvalidRequest, Some("messages")));
}

#[test]
fn what_cannot_be_said_is_refused_and_the_next_target_may_try() {
    let foreign = Opaque { family: "openai-chat".into(), value: json!({"type": "custom", "name": "x"}) };
    let said = Message::new(Role::User, vec![Content::Opaque(foreign).into()]);
    let request = ChatRequest { messages: vec![said], ..ChatRequest::default() };
    let error = encode(&request, "gemini-2.5-pro").unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::InvalidRequest, Retry::NextTarget), "{error}");
    let request = ChatRequest::default();
    assert_eq!(encode(&request, "../files").unwrap_err().param.as_deref(), Some("model"));
}

#[test]
fn own_tools_stand_beside_the_functions() {
    let search = Opaque { family: "openai-chat".into(), value: json!({"type": "google_search"}) };
    let request = ChatRequest {
        messages: vec![Message::text(Role::User, "?")],
        tools: vec![
            Tool::Opaque(search),
            Tool::Function(canonical::request::FunctionTool { name: "look".into(), ..Default::default() }),
        ],
        ..ChatRequest::default()
    };
    let body: Value = serde_json::from_slice(&encode(&request, "gemini-2.5-pro").unwrap().body).unwrap();
    assert_eq!(body["tools"], json!([{"functionDeclarations": [{"name": "look"}]}, {"googleSearch": {}}]));
}

#[test]
fn a_request_of_instructions_alone_becomes_the_users() {
    let contents = contents(vec![Message::text(Role::Developer, "Write a poem.")], "gemini-2.5-pro");
    assert_eq!(contents, json!([{"role": "user", "parts": [{"text": "Write a poem."}]}]));
}

#[test]
fn an_effort_becomes_a_budget_or_a_level() {
    use ReasoningEffort::{High, Low, Medium, Minimal, None as Off};
    for (model, effort, limit, expected) in [
        ("gemini-2.5-flash", High, None, json!({"includeThoughts": true, "thinkingBudget": 24_576})),
        ("gemini-2.5-flash", High, Some(1000), json!({"includeThoughts": true, "thinkingBudget": 800})),
        ("gemini-2.5-flash", Off, None, json!({"thinkingBudget": 0})),
        ("gemini-2.5-pro", Off, None, json!({"thinkingBudget": 128})),
        (
            "gemini-3-flash-preview",
            Minimal,
            None,
            json!({"includeThoughts": true, "thinkingLevel": "minimal"}),
        ),
        ("gemini-3-pro-preview", Minimal, None, json!({"includeThoughts": true, "thinkingLevel": "low"})),
        ("gemini-3-pro-preview", Medium, None, json!({"includeThoughts": true, "thinkingLevel": "high"})),
        ("gemini-3.1-pro-preview", Medium, None, json!({"includeThoughts": true, "thinkingLevel": "medium"})),
        ("gemini-2.0-flash", Low, None, Value::Null),
    ] {
        let request = ChatRequest {
            messages: vec![Message::text(Role::User, "?")],
            max_output_tokens: limit,
            reasoning: Some(ReasoningRequest { effort: Some(effort.clone()), ..ReasoningRequest::default() }),
            ..ChatRequest::default()
        };
        let body: Value = serde_json::from_slice(&encode(&request, model).unwrap().body).unwrap();
        assert_eq!(body["generationConfig"]["thinkingConfig"], expected, "{model} {effort:?}");
    }
}
