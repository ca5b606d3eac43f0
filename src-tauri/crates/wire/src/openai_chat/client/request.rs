//! A canonical request → the body of `POST /chat/completions`.
//!
//! Only what the client said is sent. What another client of this family said in words of its own
//! is written back where it stood, and replaces our own word for the same thing.

use canonical::request::{
    FunctionTool, Media, MediaSource, Opaque, ReasoningEffort, ReasoningRequest, ResponseFormat, ToolCall,
    ToolResult,
};
use canonical::{ChatRequest, Content, Error, Extensions, Message, Part, Role, ToolChoice};
use serde_json::{Map, Value, json};

use super::media::{audio, data_url};
use crate::json::{merge_missing, put};
use crate::notes::{self, Note};
use crate::openai_chat::types::{FAMILY, FUNCTION_PREFIX};
use crate::openai_responses::FAMILY as RESPONSES;
use crate::{Quirks, TargetContext, function_tools};

/// Fields of an earlier answer that only its own provider takes back.
const ECHOED_REASONING: &str = "reasoning_details";

/// Fields that mean the same in OpenAI's Responses, whose clients set them there.
const SHARED: [&str; 4] = ["metadata", "prompt_cache_key", "safety_identifier", "store"];

/// The body, and what of the request it does not say.
pub(super) fn encode(request: &ChatRequest, target: &TargetContext<'_>) -> Result<(Value, Vec<Note>), Error> {
    let quirks = target.quirks;
    let mut body = Map::new();
    body.insert("model".into(), target.model.into());
    body.insert("messages".into(), messages(&request.messages, quirks)?);
    sampling(&mut body, request, quirks);
    function_tools::put(&mut body, request, FAMILY, function_tool, tool_choice);
    put(&mut body, "response_format", request.response_format.as_ref().map(response_format));
    if let Some(reasoning) = &request.reasoning {
        self::reasoning(&mut body, reasoning, quirks);
    }
    put(&mut body, "service_tier", request.service_tier.clone());
    put(&mut body, "user", request.user.clone());
    if request.stream {
        body.insert("stream".into(), true.into());
        if !quirks.omit_stream_options {
            // Asked for whether or not the client wants to see it: the ledger does.
            body.insert("stream_options".into(), json!({ "include_usage": true }));
        }
    }
    write_back(&mut body, &request.extensions, quirks);
    let mut notes = Vec::new();
    notes::drop_fields(&mut body, &quirks.drop_fields, &mut notes);
    notes.extend(unsaid(request, quirks, &body));
    Ok((Value::Object(body), notes::tidy(notes)))
}

fn unsaid(request: &ChatRequest, quirks: &Quirks, body: &Map<String, Value>) -> Vec<Note> {
    let limit = format!("/{}", quirks.max_tokens_field.as_deref().unwrap_or("max_tokens"));
    let places: [notes::Place<'_>; 15] = [
        ("max_output_tokens", &[&limit, "/max_tokens", "/max_completion_tokens"]),
        ("temperature", &["/temperature"]),
        ("top_p", &["/top_p"]),
        ("top_k", &["/top_k"]),
        ("frequency_penalty", &["/frequency_penalty"]),
        ("presence_penalty", &["/presence_penalty"]),
        ("seed", &["/seed"]),
        ("stop", &["/stop"]),
        ("tool_choice", &["/tool_choice"]),
        ("parallel_tool_calls", &["/parallel_tool_calls"]),
        ("strict", &["/tools"]),
        ("reasoning", &["/reasoning", "/reasoning_effort"]),
        ("response_format", &["/response_format"]),
        ("service_tier", &["/service_tier"]),
        ("user", &["/user"]),
    ];
    notes::unsaid(request, body, &places)
}

fn sampling(body: &mut Map<String, Value>, request: &ChatRequest, quirks: &Quirks) {
    let limit = quirks.max_tokens_field.as_deref().unwrap_or("max_tokens");
    put(body, limit, request.max_output_tokens);
    put(body, "temperature", request.temperature);
    put(body, "top_p", request.top_p);
    put(body, "top_k", request.top_k);
    put(body, "frequency_penalty", request.frequency_penalty);
    put(body, "presence_penalty", request.presence_penalty);
    put(body, "seed", request.seed);
    put(body, "n", request.choice_count);
    if !request.stop.is_empty() {
        body.insert("stop".into(), request.stop.clone().into());
    }
}

fn function_tool(tool: &FunctionTool) -> Value {
    let mut function = Map::from_iter([("name".to_owned(), tool.name.clone().into())]);
    put(&mut function, "description", tool.description.clone());
    put(&mut function, "parameters", tool.parameters.clone());
    put(&mut function, "strict", tool.strict);
    let mut outer = Map::from_iter([("type".to_owned(), "function".into())]);
    for (name, value) in tool.extensions.get(FAMILY).into_iter().flatten() {
        match name.strip_prefix(FUNCTION_PREFIX) {
            Some(name) => function.insert(name.to_owned(), value.clone()),
            None => outer.insert(name.clone(), value.clone()),
        };
    }
    outer.insert("function".into(), function.into());
    outer.into()
}

fn tool_choice(choice: &ToolChoice) -> Option<Value> {
    match choice {
        ToolChoice::Auto => Some("auto".into()),
        ToolChoice::None => Some("none".into()),
        ToolChoice::Required => Some("required".into()),
        ToolChoice::Function(name) => Some(json!({"type": "function", "function": {"name": name}})),
        ToolChoice::Opaque(opaque) => function_tools::own(opaque, FAMILY),
    }
}

fn response_format(format: &ResponseFormat) -> Value {
    match format {
        ResponseFormat::Text => json!({"type": "text"}),
        ResponseFormat::JsonObject => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema { name, description, schema, strict } => {
            // The name is required here and unknown to other families.
            let name = name.as_deref().unwrap_or("answer");
            let mut inner = Map::from_iter([("name".to_owned(), name.into())]);
            put(&mut inner, "description", description.clone());
            inner.insert("schema".into(), schema.clone());
            put(&mut inner, "strict", *strict);
            json!({"type": "json_schema", "json_schema": inner})
        }
    }
}

// === reasoning ===

fn reasoning(body: &mut Map<String, Value>, reasoning: &ReasoningRequest, quirks: &Quirks) {
    if quirks.reasoning_object {
        let mut object = Map::new();
        put(&mut object, "effort", reasoning.effort.as_ref().map(effort));
        put(&mut object, "max_tokens", reasoning.budget_tokens);
        put(&mut object, "enabled", reasoning.is_enabled);
        body.insert("reasoning".into(), object.into());
        return;
    }
    let said = reasoning.effort.as_ref().map(effort);
    let derived = || match (reasoning.is_enabled, reasoning.budget_tokens) {
        (Some(false), _) | (_, Some(0)) => Some("none"),
        (_, Some(budget)) => Some(effort_of_budget(budget)),
        (_, None) => None,
    };
    put(body, "reasoning_effort", said.or_else(derived));
}

fn effort(effort: &ReasoningEffort) -> &str {
    match effort {
        ReasoningEffort::None => "none",
        ReasoningEffort::Minimal => "minimal",
        ReasoningEffort::Low => "low",
        ReasoningEffort::Medium => "medium",
        ReasoningEffort::High => "high",
        ReasoningEffort::Other(word) => word,
    }
}

/// A budget in tokens where the provider only takes a level.
fn effort_of_budget(tokens: u64) -> &'static str {
    match tokens {
        0..=2_048 => "low",
        2_049..=8_192 => "medium",
        _ => "high",
    }
}

/// Writes fields that another client of this family sent back to their places.
fn write_back(body: &mut Map<String, Value>, extensions: &Extensions, quirks: &Quirks) {
    for (name, value) in extensions.get(FAMILY).into_iter().flatten() {
        match name.as_str() {
            // What is left of `stream_options` beside `include_usage`.
            "stream_options" => merge(body.get_mut("stream_options"), value),
            // The client's own form of what is written as an effort or an object by now.
            "reasoning" if quirks.reasoning_object => match body.get_mut("reasoning") {
                Some(object) => merge(Some(object), value),
                None => drop(body.insert(name.clone(), value.clone())),
            },
            "reasoning" if body.contains_key("reasoning_effort") => {}
            _ => drop(body.insert(name.clone(), value.clone())),
        }
    }
    if quirks.openai_extras {
        for name in SHARED {
            if let Some(value) = extensions.field(RESPONSES, name).filter(|value| !value.is_null()) {
                body.entry(name).or_insert_with(|| value.clone());
            }
        }
    }
}

fn merge(target: Option<&mut Value>, more: &Value) {
    if let (Some(Value::Object(target)), Value::Object(more)) = (target, more) {
        merge_missing(target, more);
    }
}

// === messages ===

fn messages(messages: &[Message], quirks: &Quirks) -> Result<Value, Error> {
    let mut conversation =
        Conversation { quirks, encoded: Vec::with_capacity(messages.len()), beside: Vec::new() };
    for (position, message) in messages.iter().enumerate() {
        conversation.take(message).map_err(|error| error.with_param(format!("messages[{position}]")))?;
    }
    conversation.show_results();
    Ok(conversation.encoded.into())
}

struct Conversation<'q> {
    quirks: &'q Quirks,
    encoded: Vec<Value>,
    /// What tools gave back beside text, until the last of the results that belong together.
    beside: Vec<Value>,
}

impl Conversation<'_> {
    /// Each tool result is a message of its own here, wherever its family puts it; the results come
    /// before whatever else the message says.
    fn take(&mut self, message: &Message) -> Result<(), Error> {
        let mut rest = Vec::new();
        for part in &message.parts {
            match &part.content {
                Content::ToolResult(result) => self.result(result, message)?,
                _ => rest.push(part),
            }
        }
        let is_results_only = rest.is_empty() && !message.parts.is_empty();
        if is_results_only {
            return Ok(());
        }
        self.show_results();
        self.encoded.push(match message.role {
            Role::Assistant => assistant(message, &rest, self.quirks)?,
            role => plain_message(role_name(role, self.quirks), message, &rest)?,
        });
        Ok(())
    }

    /// A tool's message takes nothing but text at most providers:
    /// <https://platform.openai.com/docs/api-reference/chat/create>
    fn result(&mut self, result: &ToolResult, message: &Message) -> Result<(), Error> {
        let (media, said): (Vec<&Part>, Vec<&Part>) =
            result.content.iter().partition(|part| is_media(&part.content) && !self.quirks.tool_media);
        self.encoded.push(tool_message(result, &said, message)?);
        if let Some(Value::Array(media)) = content(&media)? {
            let origin = format!("What the tool call {} gave back:", result.call_id);
            self.beside.push(json!({"type": "text", "text": origin}));
            self.beside.extend(media);
        }
        Ok(())
    }

    /// Shows the model what tools gave back beside text, as the user: no message may come between
    /// the results of one answer's calls.
    fn show_results(&mut self) {
        if !self.beside.is_empty() {
            self.encoded.push(json!({"role": "user", "content": std::mem::take(&mut self.beside)}));
        }
    }
}

const fn is_media(content: &Content) -> bool {
    matches!(content, Content::Image(_) | Content::Audio(_) | Content::Document(_))
}

fn role_name(role: Role, quirks: &Quirks) -> &'static str {
    match role {
        Role::Developer if !quirks.no_developer_role => "developer",
        Role::System | Role::Developer => "system",
        // A tool message without a result is the client's own words.
        Role::User | Role::Tool => "user",
        Role::Assistant => "assistant",
    }
}

fn plain_message(role: &str, message: &Message, parts: &[&Part]) -> Result<Value, Error> {
    let mut object = Map::from_iter([("role".to_owned(), role.into())]);
    object.insert("content".into(), content(parts)?.unwrap_or_else(|| "".into()));
    put(&mut object, "name", message.name.clone());
    extend(&mut object, &message.extensions, &[]);
    Ok(object.into())
}

fn tool_message(result: &ToolResult, said: &[&Part], message: &Message) -> Result<Value, Error> {
    let mut object = Map::from_iter([("role".to_owned(), "tool".into())]);
    object.insert("tool_call_id".into(), result.call_id.clone().into());
    put(&mut object, "name", message.name.clone());
    let mut content = content(said)?.unwrap_or_else(|| "".into());
    if result.is_error {
        say_failed(&mut content);
    }
    object.insert("content".into(), content);
    extend(&mut object, &message.extensions, &[]);
    Ok(object.into())
}

/// No field says that a tool failed: its words do, where they do not begin so by themselves.
fn say_failed(content: &mut Value) {
    let first = match content {
        Value::Array(parts) => parts.iter_mut().find_map(|part| part.get_mut("text")),
        text => Some(text),
    };
    if let Some(Value::String(text)) = first
        && !text.starts_with("Error")
    {
        text.insert_str(0, if text.is_empty() { "Error" } else { "Error: " });
    }
}

fn assistant(message: &Message, parts: &[&Part], quirks: &Quirks) -> Result<Value, Error> {
    let (mut said, mut calls, mut thought, mut refusal) = (Vec::new(), Vec::new(), String::new(), None);
    for part in parts {
        match &part.content {
            Content::ToolCall(call) if call.is_server_side => {}
            Content::ToolCall(call) => calls.push(tool_call(call, &part.extensions, quirks)),
            Content::Reasoning(reasoning) => thought.push_str(&reasoning.text),
            Content::Refusal(text) => refusal.get_or_insert_with(String::new).push_str(text),
            Content::Opaque(opaque) if is_custom_call(opaque) => {
                calls.extend(function_tools::own(opaque, FAMILY));
            }
            _ => said.push(*part),
        }
    }
    let mut object = Map::from_iter([("role".to_owned(), "assistant".into())]);
    let has_more = !calls.is_empty() || refusal.is_some();
    let content = content(&said)?.unwrap_or_else(|| if has_more { Value::Null } else { "".into() });
    object.insert("content".into(), content);
    if let Some(field) = quirks.reasoning_field.as_deref().filter(|_| !thought.is_empty()) {
        object.insert(field.to_owned(), thought.into());
    }
    put(&mut object, "refusal", refusal);
    put(&mut object, "name", message.name.clone());
    if !calls.is_empty() {
        object.insert("tool_calls".into(), calls.into());
    }
    let takes_reasoning = quirks.reasoning_field.is_some() || quirks.reasoning_object;
    extend(&mut object, &message.extensions, if takes_reasoning { &[] } else { &[ECHOED_REASONING] });
    Ok(object.into())
}

fn is_custom_call(opaque: &Opaque) -> bool {
    opaque.value.get("type").is_some_and(|kind| kind == "custom")
}

fn tool_call(call: &ToolCall, extensions: &Extensions, quirks: &Quirks) -> Value {
    let mut object = Map::from_iter([
        ("id".to_owned(), call.id.clone().into()),
        ("type".to_owned(), "function".into()),
        ("function".to_owned(), json!({"name": call.name, "arguments": call.arguments})),
    ]);
    if let Some(signature) = call.signature.as_ref().filter(|_| quirks.google_signatures) {
        object.insert("extra_content".into(), json!({"google": {"thought_signature": signature}}));
    }
    extend(&mut object, extensions, &[]);
    object.into()
}

fn extend(object: &mut Map<String, Value>, extensions: &Extensions, without: &[&str]) {
    for (name, value) in extensions.get(FAMILY).into_iter().flatten() {
        if !without.contains(&name.as_str()) {
            object.insert(name.clone(), value.clone());
        }
    }
}

// === content ===

/// A string where the parts are one plain text, a list otherwise, `None` where there is nothing.
fn content(parts: &[&Part]) -> Result<Option<Value>, Error> {
    if let [Part { content: Content::Text(text), extensions }] = parts
        && extensions.get(FAMILY).is_none()
    {
        return Ok(Some(text.clone().into()));
    }
    let mut encoded = Vec::with_capacity(parts.len());
    for part in parts {
        let Some(Value::Object(mut object)) = content_part(&part.content)? else { continue };
        extend(&mut object, &part.extensions, &[]);
        encoded.push(Value::Object(object));
    }
    Ok((!encoded.is_empty()).then(|| encoded.into()))
}

fn content_part(content: &Content) -> Result<Option<Value>, Error> {
    Ok(match content {
        Content::Text(text) => Some(json!({"type": "text", "text": text})),
        Content::Refusal(text) => Some(json!({"type": "refusal", "refusal": text})),
        Content::Image(media) => Some(image(media)?),
        Content::Audio(media) => Some(audio(media)?),
        Content::Document(media) => Some(document(media)),
        Content::Opaque(opaque) => function_tools::own(opaque, FAMILY),
        // Only an assistant has these, and has said them in fields of their own.
        Content::Reasoning(_) | Content::ToolCall(_) | Content::ToolResult(_) => None,
    })
}

fn image(media: &Media) -> Result<Value, Error> {
    let mut image = Map::from_iter([("url".to_owned(), url(media, "image/png", "image")?.into())]);
    put(&mut image, "detail", media.detail.clone());
    Ok(json!({"type": "image_url", "image_url": image}))
}

fn url(media: &Media, default_type: &str, what: &str) -> Result<String, Error> {
    match &media.source {
        MediaSource::Url(url) => Ok(url.clone()),
        MediaSource::Base64(data) => Ok(data_url(media, default_type, data)),
        MediaSource::FileId(_) => Err(Error::caller(format!(
            "An {what} by file id cannot be sent to this provider: send its data or a URL."
        ))),
    }
}

fn document(media: &Media) -> Value {
    let mut file = Map::new();
    let is_data = !matches!(media.source, MediaSource::FileId(_));
    // Data needs a name here, which other families do not ask for.
    let name = media.name.clone().or_else(|| is_data.then(|| "document.pdf".to_owned()));
    put(&mut file, "filename", name);
    match &media.source {
        MediaSource::Url(url) => put(&mut file, "file_data", Some(url.clone())),
        MediaSource::Base64(data) => {
            put(&mut file, "file_data", Some(data_url(media, "application/pdf", data)));
        }
        MediaSource::FileId(id) => put(&mut file, "file_id", Some(id.clone())),
    }
    json!({"type": "file", "file": file})
}
