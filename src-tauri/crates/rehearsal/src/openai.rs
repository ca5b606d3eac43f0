//! The JSON of `openai-chat`, from the provider's side: requests in, chunks and whole answers out.
//!
//! Field names: <https://platform.openai.com/docs/api-reference/chat>. Thoughts go into
//! `reasoning_content`, as DeepSeek, vLLM and others have it.

use canonical::request::{FunctionTool, Media, MediaSource, ResponseFormat, ToolCall, ToolResult};
use canonical::{ChatRequest, Content, FinishReason, Message, Part, Role, Tool, ToolChoice};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::script::{Answer, Refusal, RefusalBody, Step, Usage};

// === requests ===

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    model: String,
    messages: Vec<BodyMessage>,
    tools: Vec<Value>,
    tool_choice: Value,
    parallel_tool_calls: Option<bool>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    stop: Value,
    n: Option<u32>,
    response_format: Value,
    stream: Option<bool>,
    stream_options: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BodyMessage {
    role: String,
    content: Value,
    tool_calls: Vec<Value>,
    tool_call_id: Option<String>,
}

/// Reads a request's body. Fields that the rehearsal has no use for are passed over.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn request(body: &[u8]) -> Result<ChatRequest, String> {
    let body: Body =
        serde_json::from_slice(body).map_err(|error| format!("The body is not a chat request: {error}."))?;
    let messages = body.messages.iter().map(message).collect::<Result<_, _>>()?;
    Ok(ChatRequest {
        model: body.model,
        messages,
        tools: body.tools.iter().filter_map(tool).collect(),
        tool_choice: tool_choice(&body.tool_choice),
        parallel_tool_calls: body.parallel_tool_calls,
        max_output_tokens: body.max_completion_tokens.or(body.max_tokens),
        stop: strings(&body.stop),
        choice_count: body.n,
        response_format: response_format(&body.response_format),
        stream: body.stream.unwrap_or_default(),
        include_usage: body.stream_options["include_usage"].as_bool().unwrap_or_default(),
        ..ChatRequest::default()
    })
}

fn message(message: &BodyMessage) -> Result<Message, String> {
    let role = match message.role.as_str() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        other => return Err(format!("There is no role `{other}`.")),
    };
    let content = parts(&message.content);
    if role == Role::Tool {
        let call_id = message.tool_call_id.clone().unwrap_or_default();
        let result = ToolResult { call_id, name: None, content, is_error: false };
        return Ok(Message::new(role, vec![Content::ToolResult(result).into()]));
    }
    let calls = message.tool_calls.iter().map(|call| Content::ToolCall(tool_call(call)).into());
    Ok(Message::new(role, content.into_iter().chain(calls).collect()))
}

fn parts(content: &Value) -> Vec<Part> {
    match content {
        Value::String(text) => vec![Part::text(text.clone())],
        Value::Array(parts) => parts.iter().filter_map(part).collect(),
        _ => Vec::new(),
    }
}

fn part(part: &Value) -> Option<Part> {
    match part["type"].as_str()? {
        "text" => part["text"].as_str().map(Part::text),
        "image_url" => part["image_url"]["url"].as_str().map(|url| Content::Image(media(url)).into()),
        _ => None,
    }
}

/// An image's address, or its bytes in a `data:` address.
fn media(url: &str) -> Media {
    let data = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let (source, media_type) = match data {
        Some((media_type, data)) => (MediaSource::Base64(data.to_owned()), Some(media_type.to_owned())),
        None => (MediaSource::Url(url.to_owned()), None),
    };
    Media { source, media_type, name: None, detail: None }
}

fn tool_call(call: &Value) -> ToolCall {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    ToolCall {
        id: text(&call["id"]),
        name: text(&call["function"]["name"]),
        arguments: text(&call["function"]["arguments"]),
        ..ToolCall::default()
    }
}

fn tool(tool: &Value) -> Option<Tool> {
    let function = &tool["function"];
    Some(Tool::Function(FunctionTool {
        name: function["name"].as_str()?.to_owned(),
        description: function["description"].as_str().map(str::to_owned),
        parameters: function.get("parameters").cloned(),
        ..FunctionTool::default()
    }))
}

fn tool_choice(choice: &Value) -> Option<ToolChoice> {
    match choice {
        Value::String(word) => match word.as_str() {
            "none" => Some(ToolChoice::None),
            "required" => Some(ToolChoice::Required),
            _ => Some(ToolChoice::Auto),
        },
        Value::Object(_) => {
            choice["function"]["name"].as_str().map(|name| ToolChoice::Function(name.to_owned()))
        }
        _ => None,
    }
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn response_format(format: &Value) -> Option<ResponseFormat> {
    match format["type"].as_str()? {
        "json_object" => Some(ResponseFormat::JsonObject),
        "json_schema" => {
            let schema = format["json_schema"]["schema"].clone();
            Some(ResponseFormat::JsonSchema { name: None, description: None, schema, strict: None })
        }
        _ => Some(ResponseFormat::Text),
    }
}

// === answers ===

/// What every chunk of one answer repeats.
#[derive(Debug, Clone)]
pub struct Head {
    pub id: String,
    /// Seconds since the Unix epoch.
    pub created: u64,
    pub model: String,
    pub include_usage: bool,
}

/// Marks every answer as ours, for whoever looks.
const FINGERPRINT: &str = "rehearsal";

impl Head {
    fn chunk(&self, choices: &Value) -> Value {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
            "choices": choices,
        });
        if self.include_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn delta(&self, delta: &Value) -> Value {
        self.chunk(&json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": null}]))
    }

    /// The first chunk: who speaks.
    pub fn opening(&self) -> String {
        frame(&self.delta(&json!({"role": "assistant", "content": "", "refusal": null})))
    }

    /// The chunk of one step, or `None` where the step says nothing.
    pub fn step(&self, step: &Step) -> Option<String> {
        let delta = match step {
            Step::Text(text) => json!({"content": text}),
            Step::Reasoning(text) => json!({"reasoning_content": text}),
            Step::ToolCall { index, id, name } => json!({"tool_calls": [
                {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}
            ]}),
            Step::Arguments { index, text } => {
                json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]})
            }
            Step::Malformed => {
                return Some(format!("data: {{\"id\":\"{}\",\"choices\":[{{\"delta\":{{\"con\n\n", self.id));
            }
            Step::ErrorInBand => {
                return Some(frame(&error(
                    "server_error",
                    Some("internal_error"),
                    "Rehearsed: the server failed in the middle of its answer.",
                )));
            }
            Step::Pause(_) | Step::Cut | Step::Hang => return None,
        };
        Some(frame(&self.delta(&delta)))
    }

    /// The last chunks: why it ended, what it used, and the end itself.
    pub fn closing(&self, answer: &Answer) -> String {
        let finish =
            json!([{"index": 0, "delta": {}, "logprobs": null, "finish_reason": finish_word(answer.finish)}]);
        let mut out = frame(&self.chunk(&finish));
        if self.include_usage {
            let mut last = self.chunk(&json!([]));
            last["usage"] = usage(&answer.usage);
            out.push_str(&frame(&last));
        }
        out.push_str("data: [DONE]\n\n");
        out
    }

    /// The whole answer as one JSON object.
    pub fn whole(&self, answer: &Answer) -> Value {
        let (mut text, mut thoughts, mut calls) = (String::new(), String::new(), Vec::new());
        for step in &answer.steps {
            match step {
                Step::Text(piece) => text.push_str(piece),
                Step::Reasoning(piece) => thoughts.push_str(piece),
                Step::ToolCall { id, name, .. } => calls.push((id, name, String::new())),
                Step::Arguments { index, text } => {
                    if let Some(call) = calls.get_mut(*index as usize) {
                        call.2.push_str(text);
                    }
                }
                Step::Pause(_) | Step::Malformed | Step::ErrorInBand | Step::Cut | Step::Hang => {}
            }
        }
        let mut message = Map::new();
        message.insert("role".to_owned(), json!("assistant"));
        message.insert("content".to_owned(), if calls.is_empty() { json!(text) } else { Value::Null });
        message.insert("refusal".to_owned(), Value::Null);
        if !thoughts.is_empty() {
            message.insert("reasoning_content".to_owned(), json!(thoughts));
        }
        if !calls.is_empty() {
            let calls = calls.iter().map(|(id, name, arguments)| {
                json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
            });
            message.insert("tool_calls".to_owned(), calls.collect());
        }
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
            "choices": [{
                "index": 0,
                "message": message,
                "logprobs": null,
                "finish_reason": finish_word(answer.finish),
            }],
            "usage": usage(&answer.usage),
        })
    }
}

fn frame(value: &Value) -> String {
    format!("data: {value}\n\n")
}

const fn finish_word(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        _ => "stop",
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    })
}

/// OpenAI's form of an error.
pub fn error(kind: &str, code: Option<&str>, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

/// A refusal's content type and body.
pub fn refusal(refusal: &Refusal) -> (&'static str, String) {
    match &refusal.body {
        RefusalBody::Html(page) => ("text/html; charset=utf-8", page.clone()),
        RefusalBody::Error { kind, code, message } => {
            ("application/json", error(kind, *code, message).to_string())
        }
    }
}

/// The error for anything else that is asked (embeddings, say).
pub fn unknown_path() -> Value {
    json!({"error": {
        "message": "The rehearsal plays conversations only: it has no embeddings and nothing else.",
        "type": "invalid_request_error", "param": null, "code": "unknown_url"}})
}

/// The answer to `GET /v1/models`.
pub fn models() -> Value {
    let models = crate::model_ids().into_iter().map(
        |id| json!({"id": id, "object": "model", "created": 1_767_225_600, "owned_by": crate::PROVIDER_ID}),
    );
    json!({"object": "list", "data": models.collect::<Vec<_>>()})
}
