//! A request → their JSON. <https://docs.cohere.com/reference/chat>
//!
//! What has no place there is left out, with a note: `parallel_tool_calls`, `service_tier`, `user`. One function
//! that must be called is said as “some tool must be called” with that tool alone. Values are sent
//! as the client gave them: the provider decides which it takes, and says so.
//!
//! Earlier thoughts go back as the plan of the calls that follow them, else as thinking content.

use canonical::request::{
    Media, MediaSource, Opaque, ReasoningEffort, ReasoningRequest, ResponseFormat, ToolCall, ToolResult,
};
use canonical::{ChatRequest, Content, Error, Message, Part, Role, Tool, ToolChoice};
use serde_json::{Map, Value, json};

use super::super::{FAMILY, types};
use crate::function_tools;
use crate::json::{beside, merge_missing, object, one_answer, unsayable};
use crate::notes::{self, Place};
use crate::{HttpRequest, TargetContext};

/// Fields of this API that clients of OpenAI's set beside their own.
const KNOWN: [&str; 7] =
    ["citation_options", "documents", "logprobs", "priority", "raw_prompting", "safety_mode", "strict_tools"];

const PLACES: [Place<'_>; 12] = [
    ("max_output_tokens", &["/max_tokens"]),
    ("temperature", &["/temperature"]),
    ("top_p", &["/p"]),
    ("top_k", &["/k"]),
    ("frequency_penalty", &["/frequency_penalty"]),
    ("presence_penalty", &["/presence_penalty"]),
    ("seed", &["/seed"]),
    ("stop", &["/stop_sequences"]),
    ("tool_choice", &["/tool_choice"]),
    ("reasoning", &["/thinking"]),
    ("response_format", &["/response_format"]),
    ("strict", &["/strict_tools"]),
];

pub(super) fn encode(request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error> {
    one_answer(request, "Cohere gives")?;
    let body = types::ChatRequest {
        model: target.model.to_owned(),
        messages: messages(&request.messages)?,
        tools: function_tools::encode(request),
        tool_choice: tool_choice(request)?,
        strict_tools: strict_tools(request),
        response_format: request.response_format.as_ref().and_then(response_format),
        thinking: request.reasoning.as_ref().and_then(thinking),
        max_tokens: request.max_output_tokens,
        stop_sequences: request.stop.clone(),
        temperature: request.temperature,
        seed: request.seed,
        frequency_penalty: request.frequency_penalty,
        presence_penalty: request.presence_penalty,
        k: request.top_k,
        p: request.top_p,
        stream: request.stream,
    };
    let mut body = object(&body)?;
    merge_missing(&mut body, &beside(&request.extensions, FAMILY, &KNOWN));
    let mut notes = Vec::new();
    notes::drop_fields(&mut body, &target.quirks.drop_fields, &mut notes);
    notes.extend(notes::unsaid(request, &body, &PLACES));
    let body = Value::Object(body).to_string().into_bytes();
    Ok(HttpRequest { notes: notes::tidy(notes), ..HttpRequest::post("/v2/chat", body) })
}

/// A schema stands in “any JSON object” here, bare.
/// <https://docs.cohere.com/docs/structured-outputs>
fn response_format(format: &ResponseFormat) -> Option<Value> {
    match format {
        ResponseFormat::Text => None,
        ResponseFormat::JsonObject => Some(json!({"type": "json_object"})),
        ResponseFormat::JsonSchema { schema, .. } => {
            Some(json!({"type": "json_object", "json_schema": schema}))
        }
    }
}

/// Yes or no, and a budget where one was named; there are no levels.
/// <https://docs.cohere.com/docs/reasoning>
fn thinking(reasoning: &ReasoningRequest) -> Option<types::Thinking> {
    let is_off = reasoning.is_enabled == Some(false)
        || reasoning.budget_tokens == Some(0)
        || reasoning.effort == Some(ReasoningEffort::None);
    let kind = if is_off { "disabled" } else { "enabled" };
    let was_asked =
        reasoning.is_enabled.is_some() || reasoning.budget_tokens.is_some() || reasoning.effort.is_some();
    was_asked.then(|| types::Thinking { kind, token_budget: reasoning.budget_tokens.filter(|_| !is_off) })
}

// === tools ===

/// Without tools no choice is sent: there is nothing to choose.
fn tool_choice(request: &ChatRequest) -> Result<Option<&'static str>, Error> {
    Ok(match &request.tool_choice {
        _ if request.tools.is_empty() => None,
        None | Some(ToolChoice::Auto) => None,
        Some(ToolChoice::None) => Some("NONE"),
        Some(ToolChoice::Required | ToolChoice::Function(_)) => Some("REQUIRED"),
        Some(ToolChoice::Opaque(opaque)) => {
            return Err(unsayable(
                format!("Cohere has no such tool choice as this one of {}.", opaque.family),
                "tool_choice",
            ));
        }
    })
}

/// One word for all tools: said where all that are sent ask for it.
/// <https://docs.cohere.com/docs/structured-outputs#structured-outputs-tools>
fn strict_tools(request: &ChatRequest) -> Option<bool> {
    let mut strict = request.tools.iter().filter_map(|tool| match tool {
        Tool::Function(function) if function_tools::is_wanted(function, request) => {
            Some(function.strict == Some(true))
        }
        _ => None,
    });
    let first = strict.next()?;
    (first && strict.all(|strict| strict)).then_some(true)
}

/// Whether a tool is one that this family's providers can be told of.
pub(super) fn is_own_tool(tool: &Opaque) -> bool {
    tool.family == FAMILY
}

// === messages ===

fn messages(messages: &[Message]) -> Result<Vec<types::InputMessage>, Error> {
    let mut encoded = Vec::with_capacity(messages.len());
    for (position, message) in messages.iter().enumerate() {
        push_message(&mut encoded, message).map_err(|mut error| {
            error.param = Some(format!("messages[{position}]"));
            error
        })?;
    }
    Ok(encoded)
}

/// Each tool result is a message of its own here, wherever its family puts it; the results come
/// before whatever else the message says.
fn push_message(encoded: &mut Vec<types::InputMessage>, message: &Message) -> Result<(), Error> {
    let mut said = types::InputMessage { role: role(message.role), ..types::InputMessage::default() };
    let (mut blocks, mut thoughts) = (Vec::new(), Vec::new());
    for part in &message.parts {
        match &part.content {
            Content::ToolResult(result) => encoded.push(tool_message(result)?),
            Content::ToolCall(call) if call.is_server_side => {}
            Content::ToolCall(call) => said.tool_calls.push(tool_call(call)),
            Content::Reasoning(thought) if thought.text.is_empty() => {}
            Content::Reasoning(thought) => thoughts.push(thought.text.as_str()),
            _ => blocks.extend(block(part, message.role)?),
        }
    }
    if said.tool_calls.is_empty() {
        let thinking = thoughts.iter().map(|text| json!({"type": "thinking", "thinking": text}));
        blocks.splice(0..0, thinking);
    } else {
        said.tool_plan = thoughts.concat();
    }
    let says_nothing = blocks.is_empty() && said.tool_calls.is_empty();
    if says_nothing && !message.parts.is_empty() {
        return Ok(());
    }
    said.content = content(blocks).or_else(|| said.tool_calls.is_empty().then(|| "".into()));
    said.extensions = message.extensions.get(FAMILY).cloned().unwrap_or_default();
    encoded.push(said);
    Ok(())
}

/// The arguments as the model wrote them; where it wrote none, the JSON for that.
fn tool_call(call: &ToolCall) -> Value {
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { call.arguments.as_str() };
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System | Role::Developer => "system",
        // A tool message without a result is the client's own words.
        Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
    }
}

fn tool_message(result: &ToolResult) -> Result<types::InputMessage, Error> {
    let mut blocks = Vec::with_capacity(result.content.len());
    for part in &result.content {
        match &part.content {
            Content::Text(_) | Content::Refusal(_) => blocks.extend(block(part, Role::Tool)?),
            Content::Opaque(opaque) if opaque.family == FAMILY => blocks.push(opaque.value.clone()),
            _ => return Err(unsayable("Cohere takes text alone as a tool's result.", "messages")),
        }
    }
    Ok(types::InputMessage {
        role: "tool",
        tool_call_id: Some(result.call_id.clone()),
        content: Some(content(blocks).unwrap_or_else(|| "".into())),
        ..types::InputMessage::default()
    })
}

/// A string where one plain text is all there is, `None` where there is nothing.
fn content(blocks: Vec<Value>) -> Option<Value> {
    match blocks.as_slice() {
        [] => None,
        [Value::Object(block)] if block.len() == 2 && block["type"] == "text" => Some(block["text"].clone()),
        _ => Some(blocks.into()),
    }
}

/// The part as a content block; `None` where it says nothing here.
fn block(part: &Part, role: Role) -> Result<Option<Value>, Error> {
    Ok(Some(match &part.content {
        Content::Text(text) | Content::Refusal(text) => json!({"type": "text", "text": text}),
        Content::Image(media) => image(media)?,
        Content::Opaque(opaque) if opaque.family == FAMILY => opaque.value.clone(),
        // Another provider's remark on its own answer.
        Content::Opaque(_) if role == Role::Assistant => return Ok(None),
        Content::Opaque(opaque) => {
            let kind = opaque.value["type"].as_str().unwrap_or("unknown");
            return Err(unsayable(format!("Cohere's chat has no “{kind}” parts."), "messages"));
        }
        Content::Audio(_) | Content::Document(_) => {
            return Err(unsayable(
                "Cohere's chat takes text and images, no audio and no files; text to cite from goes in \
                 `documents`.",
                "messages",
            ));
        }
        Content::Reasoning(_) | Content::ToolCall(_) | Content::ToolResult(_) => return Ok(None),
    }))
}

fn image(media: &Media) -> Result<Value, Error> {
    let url = match &media.source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Base64(data) => {
            let media_type = media.media_type.as_deref().unwrap_or_else(|| crate::json::image_type(data));
            format!("data:{media_type};base64,{data}")
        }
        MediaSource::FileId(_) => {
            return Err(unsayable(
                "Cohere's chat keeps no files: send the image's data or its address.",
                "messages",
            ));
        }
    };
    let mut image = Map::from_iter([("url".to_owned(), url.into())]);
    if let Some(detail) = &media.detail {
        image.insert("detail".into(), detail.clone().into());
    }
    Ok(json!({"type": "image_url", "image_url": image}))
}
