//! The body of `POST /v1/chat/completions` → a canonical request.
//!
//! Strict where the client would otherwise be misled, with an error that names the field; what
//! nobody here knows is kept for a provider of the same family.

use canonical::request::{
    FunctionTool, Media, MediaSource, Opaque, Reasoning, ReasoningEffort, ReasoningRequest, ResponseFormat,
    ToolCall, ToolResult,
};
use canonical::{ChatRequest, Content, Error, Message, Part, Role, Tool, ToolChoice};
use serde_json::{Map, Value};

use crate::fields::{Fields, invalid, missing, wrong};
use crate::openai_chat::client::{media_of_url, thinking_text, thought_signature};
use crate::openai_chat::types::{FAMILY, FUNCTION_PREFIX};

pub(super) fn decode(body: &[u8]) -> Result<ChatRequest, Error> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        Error::caller(format!("The request's body is no valid JSON: {error}.")).with_code("invalid_json")
    })?;
    let mut fields = Fields::new(value, "")?;
    let mut request = ChatRequest { model: fields.required_text("model")?, ..ChatRequest::default() };
    if fields.peek("messages").is_none() {
        return Err(missing("messages"));
    }
    request.messages = messages(fields.list("messages")?)?;
    if request.messages.is_empty() {
        return Err(invalid("messages", "'messages' must hold at least one message."));
    }
    sampling(&mut request, &mut fields)?;
    tools(&mut request, &mut fields)?;
    request.reasoning = reasoning(&mut fields)?;
    request.response_format = response_format(&mut fields)?;
    request.service_tier = fields.text("service_tier")?;
    request.user = fields.text("user")?;
    request.stream = fields.flag("stream")?.unwrap_or(false);
    if let Some(mut options) = fields.object("stream_options")? {
        request.include_usage = options.flag("include_usage")?.unwrap_or(false);
        let rest = options.rest();
        if !rest.is_empty() {
            fields.keep("stream_options", rest.into());
        }
    }
    request.extensions.extend(FAMILY, fields.rest());
    Ok(request)
}

fn sampling(request: &mut ChatRequest, fields: &mut Fields) -> Result<(), Error> {
    let older = fields.count("max_tokens")?;
    request.max_output_tokens = fields.count("max_completion_tokens")?.or(older);
    request.temperature = fields.number("temperature")?;
    request.top_p = fields.number("top_p")?;
    request.top_k = fields.count("top_k")?;
    request.frequency_penalty = fields.number("frequency_penalty")?;
    request.presence_penalty = fields.number("presence_penalty")?;
    request.seed = fields.integer("seed")?;
    request.stop = stop(fields)?;
    request.choice_count = match fields.count("n")? {
        None => None,
        Some(0) => return Err(invalid("n", "'n' must be at least 1.")),
        Some(count) => Some(u32::try_from(count).map_err(|_| invalid("n", "'n' is too large."))?),
    };
    Ok(())
}

fn stop(fields: &mut Fields) -> Result<Vec<String>, Error> {
    match fields.take("stop") {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one]),
        Some(Value::Array(items)) => items
            .into_iter()
            .enumerate()
            .map(|(position, item)| match item {
                Value::String(text) => Ok(text),
                other => Err(wrong(&format!("stop[{position}]"), "a string", &other)),
            })
            .collect(),
        Some(other) => Err(wrong("stop", "a string or a list of strings", &other)),
    }
}

// === tools ===

fn tools(request: &mut ChatRequest, fields: &mut Fields) -> Result<(), Error> {
    request.parallel_tool_calls = fields.flag("parallel_tool_calls")?;
    for (position, value) in fields.list("tools")?.into_iter().enumerate() {
        request.tools.push(tool(value, &format!("tools[{position}]"))?);
    }
    // The form before `tools`.
    for (position, value) in fields.list("functions")?.into_iter().enumerate() {
        let function = Fields::new(value, format!("functions[{position}]"))?;
        request.tools.push(Tool::Function(function_tool(function, Map::new())?));
    }
    let choice = match fields.take("tool_choice") {
        Some(choice) => Some(tool_choice(choice)?),
        None => fields.take("function_call").map(older_tool_choice).transpose()?,
    };
    request.tool_choice = choice;
    Ok(())
}

fn tool(value: Value, place: &str) -> Result<Tool, Error> {
    let is_function = value.get("type").is_none_or(|kind| kind == "function");
    if !is_function || value.get("function").is_none() {
        if is_function {
            return Err(missing(&format!("{place}.function")));
        }
        return Ok(Tool::Opaque(Opaque { family: FAMILY.to_owned(), value }));
    }
    let mut fields = Fields::new(value, place)?;
    fields.take("type");
    let function = fields.object("function")?.ok_or_else(|| missing(&format!("{place}.function")))?;
    function_tool(function, fields.rest()).map(Tool::Function)
}

fn function_tool(mut function: Fields, outer: Map<String, Value>) -> Result<FunctionTool, Error> {
    let mut tool = FunctionTool {
        name: function.required_text("name")?,
        description: function.text("description")?,
        parameters: function.take("parameters"),
        strict: function.flag("strict")?,
        ..FunctionTool::default()
    };
    if let Some(parameters) =
        tool.parameters.as_ref().filter(|schema| !schema.is_object() && !schema.is_boolean())
    {
        return Err(wrong(&function.path("parameters"), "an object", parameters));
    }
    tool.extensions.extend(FAMILY, outer);
    for (name, value) in function.rest() {
        if !value.is_null() {
            tool.extensions.insert(FAMILY, format!("{FUNCTION_PREFIX}{name}"), value);
        }
    }
    Ok(tool)
}

fn tool_choice(value: Value) -> Result<ToolChoice, Error> {
    let named = value.pointer("/function/name").and_then(Value::as_str);
    Ok(match (&value, named) {
        (Value::String(word), _) => match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            // `any` is Mistral's.
            "required" | "any" => ToolChoice::Required,
            _ => return Err(invalid("tool_choice", format!("'tool_choice' does not know '{word}'."))),
        },
        (Value::Object(_), Some(name)) => ToolChoice::Function(name.to_owned()),
        (Value::Object(_), None) => ToolChoice::Opaque(Opaque { family: FAMILY.to_owned(), value }),
        (other, _) => return Err(wrong("tool_choice", "a string or an object", other)),
    })
}

fn older_tool_choice(value: Value) -> Result<ToolChoice, Error> {
    match value.get("name").and_then(Value::as_str) {
        Some(name) => Ok(ToolChoice::Function(name.to_owned())),
        None => tool_choice(value),
    }
}

// === reasoning and format ===

/// `reasoning_effort`, or OpenRouter's `reasoning: {effort, max_tokens, enabled}`, which is kept as
/// well for what it says beyond.
fn reasoning(fields: &mut Fields) -> Result<Option<ReasoningRequest>, Error> {
    let word = fields.text("reasoning_effort")?;
    let mut object = fields.object("reasoning")?;
    if word.is_none() && object.is_none() {
        return Ok(None);
    }
    let mut asked = ReasoningRequest { effort: word.map(effort), ..ReasoningRequest::default() };
    if let Some(object) = &mut object {
        asked.effort = object.text("effort")?.map(effort).or(asked.effort);
        asked.budget_tokens = object.count("max_tokens")?;
        asked.is_enabled = object.flag("enabled")?;
    }
    if let Some(rest) = object.map(Fields::rest).filter(|rest| !rest.is_empty()) {
        fields.keep("reasoning", rest.into());
    }
    Ok(Some(asked))
}

fn effort(word: String) -> ReasoningEffort {
    match word.as_str() {
        "none" => ReasoningEffort::None,
        "minimal" => ReasoningEffort::Minimal,
        "low" => ReasoningEffort::Low,
        "medium" => ReasoningEffort::Medium,
        "high" => ReasoningEffort::High,
        _ => ReasoningEffort::Other(word),
    }
}

/// A format of another shape (no name, llama.cpp's `schema` beside `json_object`) is kept as it is, and
/// replaces ours on the way out.
fn response_format(fields: &mut Fields) -> Result<Option<ResponseFormat>, Error> {
    let Some(value) = fields.take("response_format") else { return Ok(None) };
    let mut format = Fields::new(value.clone(), "response_format")?;
    let kind = format.required_text("type")?;
    let decoded = match kind.as_str() {
        "text" => Some(ResponseFormat::Text),
        "json_object" => Some(ResponseFormat::JsonObject),
        "json_schema" => {
            let mut inner =
                format.object("json_schema")?.ok_or_else(|| missing("response_format.json_schema"))?;
            let decoded = ResponseFormat::JsonSchema {
                name: inner.text("name")?,
                description: inner.text("description")?,
                schema: inner.take("schema").unwrap_or_else(|| Map::new().into()),
                strict: inner.flag("strict")?,
            };
            let is_plain = matches!(&decoded, ResponseFormat::JsonSchema { name: Some(_), .. });
            if !is_plain || !inner.rest().is_empty() {
                format.keep("json_schema", Value::Null);
            }
            Some(decoded)
        }
        _ => None,
    };
    if decoded.is_none() || !format.rest().is_empty() {
        fields.keep("response_format", value);
    }
    Ok(decoded)
}

// === messages ===

/// Calls of the form before `tool_calls` that have no answer yet: name and minted id.
type OlderCalls = Vec<(String, String)>;

fn messages(values: Vec<Value>) -> Result<Vec<Message>, Error> {
    let mut older = OlderCalls::new();
    let mut minted = 0;
    values
        .into_iter()
        .enumerate()
        .map(|(position, value)| {
            let fields = Fields::new(value, format!("messages[{position}]"))?;
            message(fields, &mut older, &mut minted)
        })
        .collect()
}

fn message(mut fields: Fields, older: &mut OlderCalls, minted: &mut usize) -> Result<Message, Error> {
    let word = fields.required_text("role")?;
    let name = fields.text("name")?;
    let (role, parts, name) = match word.as_str() {
        "system" => (Role::System, content(&mut fields)?, name),
        "developer" => (Role::Developer, content(&mut fields)?, name),
        "user" => (Role::User, content(&mut fields)?, name),
        "assistant" => (Role::Assistant, assistant(&mut fields, older, minted)?, name),
        "tool" => {
            let call_id = fields.required_text("tool_call_id")?;
            (Role::Tool, tool_result(&mut fields, call_id, name.clone())?, name)
        }
        "function" => {
            let function = name.ok_or_else(|| missing(&fields.path("name")))?;
            let call_id = answered(older, &function);
            (Role::Tool, tool_result(&mut fields, call_id, Some(function))?, None)
        }
        other => {
            let path = fields.path("role");
            let known = "'system', 'developer', 'user', 'assistant' and 'tool'";
            return Err(invalid(&path, format!("'{path}' is '{other}'; the roles are {known}.")));
        }
    };
    let mut message = Message { role, parts, name, extensions: canonical::Extensions::default() };
    message.extensions.extend(FAMILY, without_nulls(fields.rest()));
    Ok(message)
}

/// The id of the oldest unanswered call of that function.
fn answered(older: &mut OlderCalls, function: &str) -> String {
    match older.iter().position(|(name, _)| name == function) {
        Some(position) => older.remove(position).1,
        None => format!("call_{function}"),
    }
}

fn tool_result(fields: &mut Fields, call_id: String, name: Option<String>) -> Result<Vec<Part>, Error> {
    let content = content(fields)?;
    Ok(vec![Content::ToolResult(ToolResult { call_id, name, content, is_error: false }).into()])
}

fn assistant(fields: &mut Fields, older: &mut OlderCalls, minted: &mut usize) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    let content_field = fields.text("reasoning_content")?;
    // `reasoning` is the same thing under another name; an object there is nobody's message field.
    let thought = content_field.or(fields.text("reasoning")?).filter(|text| !text.is_empty());
    if let Some(text) = thought {
        parts.push(Content::Reasoning(Reasoning { text, ..Reasoning::default() }).into());
    }
    parts.extend(content(fields)?);
    if let Some(refusal) = fields.text("refusal")?.filter(|text| !text.is_empty()) {
        parts.push(Content::Refusal(refusal).into());
    }
    let path = fields.path("tool_calls");
    for (position, value) in fields.list("tool_calls")?.into_iter().enumerate() {
        parts.push(tool_call(value, &format!("{path}[{position}]"))?);
    }
    if let Some(mut call) = fields.object("function_call")? {
        let name = call.required_text("name")?;
        let id = format!("call_{minted}");
        *minted += 1;
        older.push((name.clone(), id.clone()));
        let arguments = arguments(&mut call)?;
        parts.push(Content::ToolCall(ToolCall { id, name, arguments, ..ToolCall::default() }).into());
    }
    Ok(parts)
}

fn tool_call(value: Value, place: &str) -> Result<Part, Error> {
    if value.get("type").is_some_and(|kind| kind == "custom") {
        return Ok(Content::Opaque(Opaque { family: FAMILY.to_owned(), value }).into());
    }
    let mut fields = Fields::new(value, place)?;
    fields.take("type");
    let id = fields.text("id")?.unwrap_or_default();
    let mut function = fields.object("function")?.ok_or_else(|| missing(&format!("{place}.function")))?;
    let signature = fields.peek("extra_content").and_then(thought_signature).map(str::to_owned);
    let call = ToolCall {
        id,
        name: function.required_text("name")?,
        arguments: arguments(&mut function)?,
        signature,
        is_server_side: false,
    };
    let mut part = Part::from(Content::ToolCall(call));
    part.extensions.extend(FAMILY, without_nulls(fields.rest()));
    Ok(part)
}

fn arguments(function: &mut Fields) -> Result<String, Error> {
    match function.take("arguments") {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        // What some local servers and older clients send.
        Some(object @ Value::Object(_)) => Ok(object.to_string()),
        Some(other) => Err(wrong(&function.path("arguments"), "a string", &other)),
    }
}

// === content ===

fn content(fields: &mut Fields) -> Result<Vec<Part>, Error> {
    let path = fields.path("content");
    match fields.take("content") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::text(text)]),
        Some(Value::Array(items)) => items
            .into_iter()
            .enumerate()
            .map(|(position, item)| part(item, &format!("{path}[{position}]")))
            .collect(),
        Some(other) => Err(wrong(&path, "a string or a list of parts", &other)),
    }
}

fn part(value: Value, place: &str) -> Result<Part, Error> {
    if let Value::String(text) = value {
        return Ok(Part::text(text));
    }
    let original = value.clone();
    let mut fields = Fields::new(value, place)?;
    let kind = fields.required_text("type")?;
    let content = match kind.as_str() {
        "text" | "input_text" | "output_text" => Content::Text(fields.required_text("text")?),
        "refusal" => Content::Refusal(fields.required_text("refusal")?),
        "image_url" => Content::Image(image(&mut fields)?),
        "input_audio" if original["input_audio"].is_object() => Content::Audio(audio(&mut fields)?),
        "file" => match document(&mut fields)? {
            Some(media) => Content::Document(media),
            None => return Ok(opaque(original)),
        },
        "thinking" => {
            let text = thinking_text(&original);
            fields.take("thinking");
            Content::Reasoning(Reasoning { text, ..Reasoning::default() })
        }
        _ => return Ok(opaque(original)),
    };
    let mut part = Part::from(content);
    part.extensions.extend(FAMILY, without_nulls(fields.rest()));
    Ok(part)
}

fn opaque(value: Value) -> Part {
    Content::Opaque(Opaque { family: FAMILY.to_owned(), value }).into()
}

fn image(fields: &mut Fields) -> Result<Media, Error> {
    let path = fields.path("image_url");
    match fields.take("image_url") {
        Some(Value::String(url)) => Ok(media_of_url(&url)),
        Some(value) => {
            let mut image = Fields::new(value, path)?;
            let url = image.required_text("url")?;
            Ok(Media { detail: image.text("detail")?, ..media_of_url(&url) })
        }
        None => Err(missing(&path)),
    }
}

fn audio(fields: &mut Fields) -> Result<Media, Error> {
    let place = fields.path("input_audio");
    let mut audio = fields.object("input_audio")?.ok_or_else(|| missing(&place))?;
    let data = audio.required_text("data")?;
    let media_type = audio.text("format")?.map(|format| match format.as_str() {
        "mp3" => "audio/mpeg".to_owned(),
        other => format!("audio/{other}"),
    });
    Ok(Media { media_type, ..plain(MediaSource::Base64(data)) })
}

fn document(fields: &mut Fields) -> Result<Option<Media>, Error> {
    let Some(mut file) = fields.object("file")? else { return Err(missing(fields.place())) };
    let name = file.text("filename")?;
    let source = match (file.text("file_data")?, file.text("file_id")?) {
        (Some(data), _) => media_of_url(&data),
        (None, Some(id)) => plain(MediaSource::FileId(id)),
        (None, None) => return Ok(None),
    };
    // Bare base64 without a `data:` prefix looks like a URL to the reader above.
    let source = match source.source {
        MediaSource::Url(url) if !url.contains("://") => plain(MediaSource::Base64(url)),
        _ => source,
    };
    Ok(Some(Media { name, ..source }))
}

fn plain(source: MediaSource) -> Media {
    Media { source, media_type: None, name: None, detail: None }
}

fn without_nulls(mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|_, value| !value.is_null());
    fields
}
