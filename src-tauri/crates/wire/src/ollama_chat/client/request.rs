//! A request → their JSON. <https://github.com/ollama/ollama/blob/main/docs/api.md>
//!
//! What has no place there is left out, with a note: `parallel_tool_calls`, `service_tier`, `user`. A tool choice
//! has none either: no tools are sent where none may be called, only the one that must be called
//! where it is named; that some tool must be called cannot be said.

use std::collections::BTreeMap;

use canonical::request::{Media, MediaSource, Opaque, ReasoningEffort, ReasoningRequest, ResponseFormat};
use canonical::{ChatRequest, Content, Error, Message, Part, Role, ToolChoice};
use serde_json::Value;

use super::super::{FAMILY, types};
use crate::function_tools;
use crate::json::{arguments_object, beside, merge_missing, object, one_answer, unsayable};
use crate::notes::{self, Note, Place};
use crate::{HttpRequest, TargetContext};

/// Fields of this API that clients of OpenAI's set beside their own.
const KNOWN: [&str; 2] = ["keep_alive", "options"];

const PLACES: [Place<'_>; 10] = [
    ("max_output_tokens", &["/options/num_predict"]),
    ("temperature", &["/options/temperature"]),
    ("top_p", &["/options/top_p"]),
    ("top_k", &["/options/top_k"]),
    ("frequency_penalty", &["/options/frequency_penalty"]),
    ("presence_penalty", &["/options/presence_penalty"]),
    ("seed", &["/options/seed"]),
    ("stop", &["/options/stop"]),
    ("reasoning", &["/think"]),
    ("response_format", &["/format"]),
];

pub(super) fn encode(request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error> {
    one_answer(request, "Ollama gives")?;
    let body = types::ChatRequest {
        model: target.model.to_owned(),
        messages: messages(&request.messages)?,
        tools: tools(request),
        format: request.response_format.as_ref().and_then(format),
        options: types::Options {
            num_predict: request.max_output_tokens,
            temperature: request.temperature,
            top_p: request.top_p,
            top_k: request.top_k,
            seed: request.seed,
            stop: request.stop.clone(),
            frequency_penalty: request.frequency_penalty,
            presence_penalty: request.presence_penalty,
        },
        think: request.reasoning.as_ref().and_then(think),
        stream: request.stream,
    };
    let mut body = object(&body)?;
    merge_missing(&mut body, &beside(&request.extensions, FAMILY, &KNOWN));
    let mut notes = Vec::new();
    notes::drop_fields(&mut body, &target.quirks.drop_fields, &mut notes);
    notes.extend(notes::unsaid(request, &body, &PLACES));
    if request.tool_choice != Some(ToolChoice::Required) {
        // Kept by what is offered.
        notes.retain(|note| *note != Note::dropped("tool_choice"));
    }
    let body = Value::Object(body).to_string().into_bytes();
    Ok(HttpRequest { notes: notes::tidy(notes), ..HttpRequest::post("/chat", body) })
}

fn format(format: &ResponseFormat) -> Option<Value> {
    match format {
        ResponseFormat::Text => None,
        ResponseFormat::JsonObject => Some("json".into()),
        ResponseFormat::JsonSchema { schema, .. } => Some(schema.clone()),
    }
}

/// A level where one was named (models that know none take any for “yes”), else yes or no.
/// <https://docs.ollama.com/capabilities/thinking>
fn think(reasoning: &ReasoningRequest) -> Option<Value> {
    if reasoning.is_enabled == Some(false) || reasoning.budget_tokens == Some(0) {
        return Some(false.into());
    }
    match &reasoning.effort {
        Some(ReasoningEffort::None) => Some(false.into()),
        Some(ReasoningEffort::Minimal | ReasoningEffort::Low) => Some("low".into()),
        Some(ReasoningEffort::Medium) => Some("medium".into()),
        Some(ReasoningEffort::High | ReasoningEffort::Other(_)) => Some("high".into()),
        None => (reasoning.is_enabled.is_some() || reasoning.budget_tokens.is_some()).then(|| true.into()),
    }
}

// === tools ===

fn tools(request: &ChatRequest) -> Vec<Value> {
    if request.tool_choice == Some(ToolChoice::None) {
        return Vec::new();
    }
    function_tools::encode(request)
}

/// Whether a tool is one that this family's providers can be told of.
pub(super) fn is_own_tool(tool: &Opaque) -> bool {
    tool.family == FAMILY
}

// === messages ===

fn messages(messages: &[Message]) -> Result<Vec<types::InputMessage>, Error> {
    let mut encoded = Vec::with_capacity(messages.len());
    // Call id → tool, since a result is known by its tool's name here.
    let mut called = BTreeMap::new();
    for (position, message) in messages.iter().enumerate() {
        push_message(&mut encoded, message, &mut called).map_err(|mut error| {
            error.param = Some(format!("messages[{position}]"));
            error
        })?;
    }
    Ok(encoded)
}

/// Each tool result is a message of its own here, wherever its family puts it; the results come
/// before whatever else the message says.
fn push_message<'a>(
    encoded: &mut Vec<types::InputMessage>,
    message: &'a Message,
    called: &mut BTreeMap<&'a str, &'a str>,
) -> Result<(), Error> {
    let mut said = types::InputMessage { role: role(message.role), ..types::InputMessage::default() };
    let mut has_more = message.parts.is_empty();
    for part in &message.parts {
        if let Content::ToolResult(result) = &part.content {
            let name = result.name.as_deref().or_else(|| called.get(result.call_id.as_str()).copied());
            let mut answer = types::InputMessage {
                role: "tool",
                tool_name: name.map(str::to_owned),
                tool_call_id: Some(result.call_id.clone()),
                ..types::InputMessage::default()
            };
            for part in &result.content {
                push_part(&mut answer, part, Role::Tool)?;
            }
            encoded.push(answer);
            continue;
        }
        if let Content::ToolCall(call) = &part.content {
            called.insert(&call.id, &call.name);
        }
        has_more |= push_part(&mut said, part, message.role)?;
    }
    if has_more {
        encoded.push(said);
    }
    Ok(())
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System | Role::Developer => "system",
        // A tool message without a result is the client's own words.
        Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
    }
}

/// Adds one part; false where it says nothing here.
fn push_part(message: &mut types::InputMessage, part: &Part, role: Role) -> Result<bool, Error> {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => {
            // Pieces of an answer go on where the last one ended; those of a question are paragraphs.
            if role != Role::Assistant && !message.content.is_empty() {
                message.content.push('\n');
            }
            message.content.push_str(text);
        }
        Content::Reasoning(thought) if thought.text.is_empty() => return Ok(false),
        Content::Reasoning(thought) => message.thinking.push_str(&thought.text),
        Content::ToolCall(call) if call.is_server_side => return Ok(false),
        Content::ToolCall(call) => message.tool_calls.push(types::InputToolCall {
            id: call.id.clone(),
            function: types::InputFunction {
                name: call.name.clone(),
                arguments: arguments_object(&call.arguments),
            },
        }),
        Content::Image(media) => message.images.push(image(media)?),
        // Another provider's remark on its own answer.
        Content::Opaque(_) if role == Role::Assistant => return Ok(false),
        Content::Opaque(opaque) => {
            let kind = opaque.value["type"].as_str().unwrap_or("unknown");
            return Err(unsayable(format!("Ollama has no “{kind}” parts."), "messages"));
        }
        Content::Audio(_) | Content::Document(_) => {
            return Err(unsayable("Ollama takes text and images, no audio and no documents.", "messages"));
        }
        Content::ToolResult(_) => {
            return Err(unsayable("Ollama has no tool results within tool results.", "messages"));
        }
    }
    Ok(true)
}

/// Base64, the only form that the API takes: it fetches nothing.
fn image(media: &Media) -> Result<String, Error> {
    match &media.source {
        MediaSource::Base64(data) => Ok(data.clone()),
        MediaSource::Url(url) => url
            .strip_prefix("data:")
            .and_then(|rest| rest.split_once(";base64,"))
            .map(|(_, data)| data.to_owned())
            .ok_or_else(|| {
                unsayable("Ollama takes an image's data, not its address: send it as base64.", "messages")
            }),
        MediaSource::FileId(_) => {
            Err(unsayable("Ollama keeps no files: send the image as base64.", "messages"))
        }
    }
}
