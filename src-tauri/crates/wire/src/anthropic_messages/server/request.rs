//! The body of `POST /v1/messages` → a canonical request. <https://docs.claude.com/en/api/messages>
//!
//! Strict where the client would otherwise be misled, with an error that names the field; what
//! nobody here knows is kept for a provider of the same family, and so are the opt-ins of the
//! `anthropic-beta` header.

use canonical::request::{FunctionTool, Opaque, ReasoningEffort, ReasoningRequest, ResponseFormat};
use canonical::{ChatRequest, Error, Tool, ToolChoice};
use serde_json::{Map, Value};

use super::super::FAMILY;
use super::super::types::BETAS;
use super::error::THREADS;
use super::messages;
use crate::RequestHead;
use crate::fields::{Fields, invalid, missing, wrong};

pub(super) fn decode(head: &RequestHead<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        Error::caller(format!("The request's body is no valid JSON: {error}.")).with_code("invalid_json")
    })?;
    let mut fields = Fields::new(value, "")?;
    no_thread(&fields)?;
    // Google's host of this API names the model in the path.
    let model = fields.text("model")?.or(head.model.map(str::to_owned)).ok_or_else(|| missing("model"))?;
    let mut request = ChatRequest { model, ..ChatRequest::default() };
    request.max_output_tokens = Some(fields.count("max_tokens")?.ok_or_else(|| missing("max_tokens"))?);
    if fields.peek("messages").is_none() {
        return Err(missing("messages"));
    }
    request.messages = messages::decode(fields.take("system"), fields.list("messages")?)?;
    if request.messages.is_empty() {
        return Err(invalid("messages", "'messages' must hold at least one message."));
    }
    request.temperature = fields.number("temperature")?;
    request.top_p = fields.number("top_p")?;
    request.top_k = fields.count("top_k")?;
    request.stop = stop_sequences(&mut fields)?;
    tools(&mut request, &mut fields)?;
    output(&mut request, &mut fields)?;
    request.service_tier = fields.text("service_tier")?.map(service_tier);
    request.user = user(&mut fields)?;
    request.stream = fields.flag("stream")?.unwrap_or(false);
    // The usage is part of every stream here.
    request.include_usage = request.stream;
    request.extensions.extend(FAMILY, without_nulls(fields.rest()));
    if let Some(betas) = head.headers.and_then(|headers| headers.get("anthropic-beta")) {
        let betas: Vec<&str> = betas.split(',').map(str::trim).filter(|beta| !beta.is_empty()).collect();
        request.extensions.insert(FAMILY, BETAS, betas.into());
    }
    Ok(request)
}

pub(super) fn without_nulls(mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|_, value| !value.is_null());
    fields
}

/// A thread's history lies with the provider that began it. The SDK's tool runner asks for one and,
/// told so in these words, goes on without.
fn no_thread(fields: &Fields) -> Result<(), Error> {
    if fields.peek("thread").is_none() {
        return Ok(());
    }
    let message = "Signalbox keeps no threads: send the whole conversation, without 'thread'.";
    Err(Error::caller(message).with_param("thread").with_code(THREADS))
}

fn stop_sequences(fields: &mut Fields) -> Result<Vec<String>, Error> {
    let items = fields.list("stop_sequences")?.into_iter().enumerate();
    items
        .map(|(position, item)| match item {
            Value::String(text) => Ok(text),
            other => Err(wrong(&format!("stop_sequences[{position}]"), "a string", &other)),
        })
        .collect()
}

/// `auto` is everybody's; their word for “no priority capacity” is OpenAI's `default`.
fn service_tier(word: String) -> String {
    if word == "standard_only" { "default".into() } else { word }
}

fn user(fields: &mut Fields) -> Result<Option<String>, Error> {
    let Some(mut metadata) = fields.object("metadata")? else { return Ok(None) };
    let user = metadata.text("user_id")?;
    let rest = without_nulls(metadata.rest());
    if !rest.is_empty() {
        fields.keep("metadata", rest.into());
    }
    Ok(user)
}

// === tools ===

fn tools(request: &mut ChatRequest, fields: &mut Fields) -> Result<(), Error> {
    for (position, value) in fields.list("tools")?.into_iter().enumerate() {
        request.tools.push(tool(value, &format!("tools[{position}]"))?);
    }
    if let Some(choice) = fields.object("tool_choice")? {
        let (choice, parallel) = tool_choice(choice)?;
        request.tool_choice = Some(choice);
        request.parallel_tool_calls = parallel;
    }
    Ok(())
}

/// Tools without a type, or of type `custom`, are the client's own; the others (`web_search_…`,
/// `bash_…`, `mcp_toolset`) only this family can name.
fn tool(value: Value, place: &str) -> Result<Tool, Error> {
    let kind = value.get("type").filter(|kind| !kind.is_null());
    if kind.is_some_and(|kind| kind != "custom") {
        return Ok(Tool::Opaque(Opaque { family: FAMILY.to_owned(), value }));
    }
    let mut fields = Fields::new(value, place)?;
    fields.take("type");
    let mut tool = FunctionTool {
        name: fields.required_text("name")?,
        description: fields.text("description")?,
        strict: fields.flag("strict")?,
        ..FunctionTool::default()
    };
    let path = fields.path("input_schema");
    tool.parameters = match fields.take("input_schema") {
        None => return Err(missing(&path)),
        Some(schema) if schema.is_object() => Some(schema),
        Some(other) => return Err(wrong(&path, "an object", &other)),
    };
    tool.extensions.extend(FAMILY, without_nulls(fields.rest()));
    Ok(Tool::Function(tool))
}

fn tool_choice(mut fields: Fields) -> Result<(ToolChoice, Option<bool>), Error> {
    let parallel = fields.flag("disable_parallel_tool_use")?.map(|disabled| !disabled);
    let choice = match fields.required_text("type")?.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Function(fields.required_text("name")?),
        other => {
            return Err(invalid("tool_choice.type", format!("'tool_choice.type' does not know '{other}'.")));
        }
    };
    Ok((choice, parallel))
}

// === thinking and format ===

/// `thinking`, and `output_config` with its effort and format (or `output_format`, its form in the
/// beta). What they say beyond is kept where it stood.
fn output(request: &mut ChatRequest, fields: &mut Fields) -> Result<(), Error> {
    let mut asked = thinking(fields)?;
    let mut format = fields.take("output_format");
    if let Some(mut config) = fields.object("output_config")? {
        if let Some(word) = config.text("effort")? {
            // Kept as well: it also steers answers without any thinking.
            config.keep("effort", word.clone().into());
            asked.get_or_insert_with(ReasoningRequest::default).effort = Some(effort(word));
        }
        format = config.take("format").or(format);
        let rest = without_nulls(config.rest());
        if !rest.is_empty() {
            fields.keep("output_config", rest.into());
        }
    }
    request.reasoning = asked;
    request.response_format = format.map(response_format).transpose()?;
    Ok(())
}

fn thinking(fields: &mut Fields) -> Result<Option<ReasoningRequest>, Error> {
    let original = fields.peek("thinking").cloned();
    let Some(mut thinking) = fields.object("thinking")? else { return Ok(None) };
    let mut asked = ReasoningRequest::default();
    match thinking.required_text("type")?.as_str() {
        "enabled" => {
            let path = thinking.path("budget_tokens");
            asked.budget_tokens = Some(thinking.count("budget_tokens")?.ok_or_else(|| missing(&path))?);
            asked.is_enabled = Some(true);
        }
        "adaptive" => asked.is_enabled = Some(true),
        "disabled" => asked.is_enabled = Some(false),
        _ => {
            fields.keep("thinking", original.unwrap_or_default());
            return Ok(None);
        }
    }
    let rest = without_nulls(thinking.rest());
    if !rest.is_empty() {
        fields.keep("thinking", rest.into());
    }
    Ok(Some(asked))
}

fn effort(word: String) -> ReasoningEffort {
    match word.as_str() {
        "low" => ReasoningEffort::Low,
        "medium" => ReasoningEffort::Medium,
        "high" => ReasoningEffort::High,
        _ => ReasoningEffort::Other(word),
    }
}

/// The schema holds by itself here; other makers' strict modes demand more of a schema than this
/// API does, so none is asked for.
fn response_format(value: Value) -> Result<ResponseFormat, Error> {
    let mut fields = Fields::new(value, "output_config.format")?;
    match fields.required_text("type")?.as_str() {
        "json_schema" => {
            let path = fields.path("schema");
            Ok(ResponseFormat::JsonSchema {
                name: None,
                description: None,
                schema: fields.take("schema").ok_or_else(|| missing(&path))?,
                strict: None,
            })
        }
        other => Err(invalid(
            "output_config.format.type",
            format!("'output_config.format.type' is '{other}'; only 'json_schema' is known."),
        )),
    }
}
