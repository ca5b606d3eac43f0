//! The body of `POST /v1beta/models/MODEL:generateContent` → a canonical request.
//! <https://ai.google.dev/api/generate-content>
//!
//! Strict where the client would otherwise be misled, with an error that names the field; what
//! nobody here knows is kept for a provider of the same family, under its name in camel case.

use canonical::request::{FunctionTool, Opaque, ReasoningEffort, ReasoningRequest, ResponseFormat};
use canonical::{ChatRequest, Error, Tool, ToolChoice};
use serde_json::{Map, Value, json};

use super::super::FAMILY;
use super::names::{self, inner, object, repeated, word};
use super::{contents, schema};
use crate::RequestHead;
use crate::fields::{Fields, invalid, missing, wrong};

pub(super) fn decode(head: &RequestHead<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        Error::caller(format!("The request's body is no valid JSON: {error}.")).with_code("invalid_json")
    })?;
    let mut fields = object(value, "")?;
    let named = fields.text("model")?;
    let mut request = ChatRequest {
        model: model(head, named)?,
        stream: head.stream,
        // There is no way to ask for it or not: every answer says it.
        include_usage: true,
        ..ChatRequest::default()
    };
    if fields.peek("contents").is_none() {
        return Err(missing("contents"));
    }
    if let Some(instruction) = fields.take("systemInstruction") {
        request.messages.extend(contents::system(instruction)?);
    }
    request.messages.extend(contents::messages(repeated(&mut fields, "contents"))?);
    if request.messages.is_empty() {
        return Err(invalid("contents", "'contents' must say something."));
    }
    tools(&mut request, &mut fields)?;
    tool_config(&mut request, &mut fields)?;
    generation_config(&mut request, &mut fields)?;
    if let Some(Value::String(tier)) = fields.peek("serviceTier") {
        request.service_tier = Some(tier.clone());
    }
    request.extensions.extend(FAMILY, names::rest(fields));
    Ok(request)
}

/// The path names the model; SDKs put `models/` before it, and the older ones into the body.
fn model(head: &RequestHead<'_>, named: Option<String>) -> Result<String, Error> {
    let model = head.model.map(str::to_owned).or(named).filter(|model| !model.is_empty());
    let model = model.ok_or_else(|| missing("model"))?;
    Ok(model.strip_prefix("models/").unwrap_or(&model).to_owned())
}

// === tools ===

fn tools(request: &mut ChatRequest, fields: &mut Fields) -> Result<(), Error> {
    for (position, value) in repeated(fields, "tools").into_iter().enumerate() {
        let place = format!("tools[{position}]");
        let mut tool = object(value, place)?;
        let path = tool.path("functionDeclarations");
        for (number, value) in repeated(&mut tool, "functionDeclarations").into_iter().enumerate() {
            let declaration = object(value, format!("{path}[{number}]"))?;
            request.tools.push(Tool::Function(function(declaration)?));
        }
        for (name, settings) in names::rest(tool) {
            let value = json!({ name: settings });
            request.tools.push(Tool::Opaque(Opaque { family: FAMILY.to_owned(), value }));
        }
    }
    Ok(())
}

fn function(mut declaration: Fields) -> Result<FunctionTool, Error> {
    let mut tool = FunctionTool {
        name: declaration.required_text("name")?,
        description: declaration.text("description")?,
        ..FunctionTool::default()
    };
    let path = declaration.path("parameters");
    let own = declaration.take("parameters").map(schema::to_json_schema);
    tool.parameters = declaration.take("parametersJsonSchema").or(own);
    if let Some(other) = tool.parameters.as_ref().filter(|schema| !schema.is_object() && !schema.is_boolean())
    {
        return Err(wrong(&path, "an object", other));
    }
    tool.extensions.extend(FAMILY, names::rest(declaration));
    Ok(tool)
}

/// `allowedFunctionNames` has no word elsewhere, but leaving the other functions out is the same.
fn tool_config(request: &mut ChatRequest, fields: &mut Fields) -> Result<(), Error> {
    let Some(mut config) = inner(fields, "toolConfig")? else { return Ok(()) };
    let mut kept = Map::new();
    if let Some(mut calling) = inner(&mut config, "functionCallingConfig")? {
        let mode = word(&mut calling, "mode", &["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"])?;
        let allowed = texts(&mut calling, "allowedFunctionNames")?;
        request.tool_choice = match (mode.as_deref(), allowed.as_slice()) {
            (Some("NONE"), _) => Some(ToolChoice::None),
            (Some("ANY"), [one]) => Some(ToolChoice::Function(one.clone())),
            (Some("ANY"), _) => Some(ToolChoice::Required),
            (Some("AUTO"), _) => Some(ToolChoice::Auto),
            // As AUTO, with calls held to their schemas; only Google has a word for it.
            (Some("VALIDATED"), _) => {
                kept.insert("mode".into(), "VALIDATED".into());
                None
            }
            (Some("MODE_UNSPECIFIED") | None, _) => None,
            (Some(other), _) => {
                let path = calling.path("mode");
                let known = "AUTO, ANY, NONE and VALIDATED";
                return Err(invalid(&path, format!("'{path}' is '{other}'; the modes are {known}.")));
            }
        };
        let is_one = matches!(request.tool_choice, Some(ToolChoice::Function(_)));
        if !allowed.is_empty() && !is_one {
            request.tools.retain(|tool| match tool {
                Tool::Function(function) => allowed.contains(&function.name),
                Tool::Opaque(_) => true,
            });
            kept.insert("allowedFunctionNames".into(), allowed.into());
        }
        kept.extend(names::rest(calling));
    }
    let mut rest = names::rest(config);
    if !kept.is_empty() {
        rest.insert("functionCallingConfig".into(), kept.into());
    }
    if !rest.is_empty() {
        fields.keep("toolConfig", rest.into());
    }
    Ok(())
}

// === generation ===

fn generation_config(request: &mut ChatRequest, fields: &mut Fields) -> Result<(), Error> {
    // Google shows thoughts to those who ask for them.
    request.hide_reasoning = true;
    let Some(mut config) = inner(fields, "generationConfig")? else { return Ok(()) };
    request.temperature = config.number("temperature")?;
    request.top_p = config.number("topP")?;
    request.top_k = config.count("topK")?;
    request.max_output_tokens = config.count("maxOutputTokens")?;
    request.presence_penalty = config.number("presencePenalty")?;
    request.frequency_penalty = config.number("frequencyPenalty")?;
    request.seed = config.integer("seed")?;
    request.stop = texts(&mut config, "stopSequences")?;
    request.choice_count = match config.count("candidateCount")? {
        None => None,
        Some(count) => {
            let path = config.path("candidateCount");
            let count = u32::try_from(count).ok().filter(|count| *count > 0);
            Some(count.ok_or_else(|| invalid(&path, format!("'{path}' must be at least 1.")))?)
        }
    };
    request.response_format = response_format(&mut config)?;
    thinking(request, &mut config)?;
    let rest = names::rest(config);
    if !rest.is_empty() {
        fields.keep("generationConfig", rest.into());
    }
    Ok(())
}

/// A list of texts; one alone counts as a list.
fn texts(fields: &mut Fields, name: &str) -> Result<Vec<String>, Error> {
    let path = fields.path(name);
    repeated(fields, name)
        .into_iter()
        .enumerate()
        .map(|(position, value)| match value {
            Value::String(text) => Ok(text),
            other => Err(wrong(&format!("{path}[{position}]"), "a string", &other)),
        })
        .collect()
}

/// Media types without a canonical word (`text/x.enum`) stay, with their schema.
fn response_format(config: &mut Fields) -> Result<Option<ResponseFormat>, Error> {
    let Some(kind) = config.text("responseMimeType")? else { return Ok(None) };
    match kind.as_str() {
        "text/plain" => Ok(Some(ResponseFormat::Text)),
        "application/json" => {
            let own = config.take("responseSchema").map(schema::to_json_schema);
            let older = config.take("responseJsonSchema");
            let schema = older.or(config.take("_responseJsonSchema")).or(own);
            Ok(Some(match schema {
                Some(schema) => {
                    ResponseFormat::JsonSchema { name: None, description: None, schema, strict: None }
                }
                None => ResponseFormat::JsonObject,
            }))
        }
        _ => {
            config.keep("responseMimeType", kind.into());
            Ok(None)
        }
    }
}

/// In the order of their numbers.
const LEVELS: [&str; 5] = ["THINKING_LEVEL_UNSPECIFIED", "LOW", "MEDIUM", "HIGH", "MINIMAL"];

/// The client's own words stay beside their canonical form: to Google they go as they came.
fn thinking(request: &mut ChatRequest, config: &mut Fields) -> Result<(), Error> {
    let Some(value) = config.take("thinkingConfig") else { return Ok(()) };
    let mut thinking = object(value.clone(), config.path("thinkingConfig"))?;
    let own = object(value, config.path("thinkingConfig"))?;
    let mut asked = ReasoningRequest::default();
    let shows = thinking.flag("includeThoughts")?.unwrap_or(false);
    request.hide_reasoning = !shows;
    match thinking.integer("thinkingBudget")? {
        Some(0) => asked.is_enabled = Some(false),
        Some(budget) if budget > 0 => asked.budget_tokens = budget.try_into().ok(),
        // -1: as much as the model likes.
        Some(_) => asked.is_enabled = Some(true),
        None => {}
    }
    asked.effort = match word(&mut thinking, "thinkingLevel", &LEVELS)?.as_deref() {
        None | Some("THINKING_LEVEL_UNSPECIFIED") => None,
        Some("MINIMAL") => Some(ReasoningEffort::Minimal),
        Some("LOW") => Some(ReasoningEffort::Low),
        Some("MEDIUM") => Some(ReasoningEffort::Medium),
        Some("HIGH") => Some(ReasoningEffort::High),
        Some(other) => Some(ReasoningEffort::Other(other.to_ascii_lowercase())),
    };
    if shows && asked == ReasoningRequest::default() {
        asked.is_enabled = Some(true);
    }
    request.reasoning = Some(asked).filter(|asked| *asked != ReasoningRequest::default());
    config.keep("thinkingConfig", names::rest(own).into());
    Ok(())
}
