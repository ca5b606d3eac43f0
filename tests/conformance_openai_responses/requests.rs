//! A recorded request of OpenAI's Responses in canonical form, for the protocol to write again.

use canonical::request::{
    FunctionTool, Media, MediaSource, Opaque, Reasoning, ReasoningEffort, ReasoningRequest, ResponseFormat,
    ToolCall, ToolResult,
};
use canonical::{ChatRequest, Content, Extensions, Message, Part, Role, Tool, ToolChoice};
use serde_json::{Map, Value};

use crate::FAMILY;

/// A recorded request in canonical form, as a client's dialect of this family is to read it: fields
/// without a canonical word are kept where they stood.
pub(crate) fn request_of(body: &Value) -> ChatRequest {
    let mut fields = body.as_object().unwrap().clone();
    let mut request =
        ChatRequest { model: take_text(&mut fields, "model").unwrap(), ..ChatRequest::default() };
    if let Some(instructions) = take_text(&mut fields, "instructions") {
        request.messages.push(Message::text(Role::System, instructions));
    }
    match fields.remove("input") {
        Some(Value::String(text)) => request.messages.push(Message::text(Role::User, text)),
        Some(Value::Array(items)) => request.messages.extend(items.iter().map(message_of)),
        other => panic!("an input that this test does not know: {other:?}"),
    }
    request.tools =
        fields.remove("tools").map(|tools| list(tools).map(tool_of).collect()).unwrap_or_default();
    request.tool_choice = fields.remove("tool_choice").map(tool_choice_of);
    request.parallel_tool_calls = take(&mut fields, "parallel_tool_calls", Value::as_bool);
    request.max_output_tokens = take(&mut fields, "max_output_tokens", Value::as_u64);
    request.temperature = take(&mut fields, "temperature", Value::as_f64);
    request.top_p = take(&mut fields, "top_p", Value::as_f64);
    request.stream = take(&mut fields, "stream", Value::as_bool).unwrap_or(false);
    if let Some(Value::Object(text)) = fields.get_mut("text") {
        request.response_format = text.remove("format").map(|format| format_of(&format));
    }
    if let Some(Value::Object(reasoning)) = fields.get_mut("reasoning") {
        let effort = take_text(reasoning, "effort").map(|effort| ReasoningRequest {
            effort: Some(match effort.as_str() {
                "low" => ReasoningEffort::Low,
                "medium" => ReasoningEffort::Medium,
                "high" => ReasoningEffort::High,
                _ => ReasoningEffort::Other(effort),
            }),
            ..ReasoningRequest::default()
        });
        request.reasoning = effort;
    }
    request.extensions.extend(FAMILY, fields);
    request
}

fn message_of(item: &Value) -> Message {
    let mut item = item.as_object().unwrap().clone();
    let kind = item.get("type").and_then(Value::as_str).unwrap_or("message").to_owned();
    if kind == "message" {
        item.remove("type");
        let role = match take_text(&mut item, "role").as_deref() {
            Some("system") => Role::System,
            Some("developer") => Role::Developer,
            Some("assistant") => Role::Assistant,
            _ => Role::User,
        };
        let parts = content_of(item.remove("content").unwrap());
        let mut message = Message::new(role, parts);
        message.extensions.extend(FAMILY, item);
        return message;
    }
    let (role, content) = match kind.as_str() {
        "function_call" | "custom_tool_call" => {
            let said_in = if kind == "function_call" { "arguments" } else { "input" };
            let call = ToolCall {
                id: take_text(&mut item, "call_id").unwrap(),
                name: take_text(&mut item, "name").unwrap(),
                arguments: take_text(&mut item, said_in).unwrap(),
                ..ToolCall::default()
            };
            (Role::Assistant, Content::ToolCall(call))
        }
        "function_call_output" => {
            let call_id = take_text(&mut item, "call_id").unwrap();
            let content = content_of(item.remove("output").unwrap());
            (Role::Tool, Content::ToolResult(ToolResult { call_id, name: None, content, is_error: false }))
        }
        "reasoning" if item.get("encrypted_content").is_some_and(Value::is_string) => {
            let encrypted = take_text(&mut item, "encrypted_content");
            (Role::Assistant, Content::Reasoning(Reasoning { encrypted, ..Reasoning::default() }))
        }
        _ => {
            let opaque = Opaque { family: FAMILY.into(), value: item.into() };
            return Message::new(Role::Assistant, vec![Content::Opaque(opaque).into()]);
        }
    };
    Message::new(role, vec![with(content, item)])
}

fn with(content: Content, fields: Map<String, Value>) -> Part {
    let mut part = Part { content, extensions: Extensions::default() };
    part.extensions.extend(FAMILY, fields);
    part
}

fn content_of(content: Value) -> Vec<Part> {
    match content {
        Value::String(text) => vec![Part::text(text)],
        pieces => list(pieces).map(|piece| piece_of(&piece)).collect(),
    }
}

fn piece_of(piece: &Value) -> Part {
    let mut piece = piece.as_object().unwrap().clone();
    let media = |url: String| {
        let (source, media_type) = match url.strip_prefix("data:").and_then(|url| url.split_once(";base64,"))
        {
            Some((kind, data)) => (MediaSource::Base64(data.into()), Some(kind.to_owned())),
            None => (MediaSource::Url(url), None),
        };
        Media { source, media_type, name: None, detail: None }
    };
    let content = match take_text(&mut piece, "type").as_deref() {
        Some("input_text" | "output_text") => Content::Text(take_text(&mut piece, "text").unwrap()),
        Some("input_image") => {
            let detail = take_text(&mut piece, "detail");
            Content::Image(Media { detail, ..media(take_text(&mut piece, "image_url").unwrap()) })
        }
        Some("input_file") => {
            let name = take_text(&mut piece, "filename");
            Content::Document(Media { name, ..media(take_text(&mut piece, "file_data").unwrap()) })
        }
        other => panic!("a piece of content that this test does not know: {other:?}"),
    };
    with(content, piece)
}

fn tool_of(tool: Value) -> Tool {
    if tool["type"] != "function" {
        return Tool::Opaque(Opaque { family: FAMILY.into(), value: tool });
    }
    let mut fields = tool.as_object().unwrap().clone();
    let mut function = FunctionTool {
        name: take_text(&mut fields, "name").unwrap(),
        description: take_text(&mut fields, "description"),
        parameters: fields.remove("parameters"),
        strict: take(&mut fields, "strict", Value::as_bool),
        ..FunctionTool::default()
    };
    // The type stays: what is said nothing of has this family's defaults.
    function.extensions.extend(FAMILY, fields);
    Tool::Function(function)
}

fn tool_choice_of(choice: Value) -> ToolChoice {
    match (choice.as_str(), choice["type"].as_str()) {
        (Some("auto"), _) => ToolChoice::Auto,
        (Some("none"), _) => ToolChoice::None,
        (Some("required"), _) => ToolChoice::Required,
        (_, Some("function")) => ToolChoice::Function(choice["name"].as_str().unwrap().into()),
        _ => ToolChoice::Opaque(Opaque { family: FAMILY.into(), value: choice }),
    }
}

fn format_of(format: &Value) -> ResponseFormat {
    let mut fields = format.as_object().unwrap().clone();
    match format["type"].as_str() {
        Some("json_schema") => ResponseFormat::JsonSchema {
            name: take_text(&mut fields, "name"),
            description: take_text(&mut fields, "description"),
            schema: fields.remove("schema").unwrap(),
            strict: take(&mut fields, "strict", Value::as_bool),
        },
        Some("json_object") => ResponseFormat::JsonObject,
        _ => ResponseFormat::Text,
    }
}

fn take<T>(fields: &mut Map<String, Value>, name: &str, read: fn(&Value) -> Option<T>) -> Option<T> {
    read(&fields.remove(name)?)
}

fn take_text(fields: &mut Map<String, Value>, name: &str) -> Option<String> {
    take(fields, name, |value| value.as_str().map(str::to_owned))
}

fn list(value: Value) -> impl Iterator<Item = Value> {
    match value {
        Value::Array(items) => items.into_iter(),
        other => panic!("no list: {other}"),
    }
}
