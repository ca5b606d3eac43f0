//! The body of `POST /v1/responses` → a canonical request.
//! <https://platform.openai.com/docs/api-reference/responses/create>
//!
//! Strict where the client would otherwise be misled, with an error that names the field; what
//! nobody here knows is kept for a provider of the same family. What is kept under the name of a
//! field that we write ourselves (`tools`, `text`) replaces ours there.

use canonical::request::{Held, ReasoningEffort, ReasoningRequest, ResponseFormat};
use canonical::{ChatRequest, Error, Message, Role, ToolChoice};
use serde_json::{Map, Value};

use super::super::FAMILY;
use super::{input, tools};
use crate::fields::{Fields, invalid, missing};

/// Fields that name something stored at the provider. <https://platform.openai.com/docs/guides/conversation-state>
const STORED: [&str; 3] = ["previous_response_id", "conversation", "prompt"];

pub(super) fn decode(body: &[u8]) -> Result<ChatRequest, Error> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        Error::caller(format!("The request's body is no valid JSON: {error}.")).with_code("invalid_json")
    })?;
    let mut fields = Fields::new(value, "")?;
    let model = fields.required_text("model")?;
    // Usage is part of every answer here.
    let mut request = ChatRequest { model, include_usage: true, ..ChatRequest::default() };
    if let Some(text) = fields.text("instructions")?.filter(|text| !text.is_empty()) {
        request.messages.push(Message::text(Role::System, text));
    }
    let said = input::decode(fields.take("input"))?;
    request.messages.extend(said.messages);
    let held = held(&fields);
    if said.is_empty && held.is_none() {
        return Err(missing("input"));
    }
    request.held = held.or(said.held).map(|param| Held { family: FAMILY.to_owned(), param });
    tools::decode(&mut request, &mut fields)?;
    text(&mut request, &mut fields)?;
    request.reasoning = reasoning(&mut fields)?;
    request.max_output_tokens = fields.count("max_output_tokens")?;
    request.temperature = fields.number("temperature")?;
    request.top_p = fields.number("top_p")?;
    request.service_tier = fields.text("service_tier")?;
    request.user = fields.text("user")?;
    request.stream = fields.flag("stream")?.unwrap_or(false);
    request.extensions.extend(FAMILY, fields.rest());
    Ok(request)
}

/// The field by which the request leans on a provider's memory.
fn held(fields: &Fields) -> Option<String> {
    let stored = STORED.into_iter().find(|name| fields.peek(name).is_some());
    // Written while nobody waits, and fetched by its id later.
    let later = fields.peek("background").is_some_and(|value| value == true).then_some("background");
    stored.or(later).map(str::to_owned)
}

/// `text: {format, verbosity}`. A format that says more than the canonical one stays whole, and so does
/// one beside a forced tool: the tool wins, and only a provider of this family is told of both.
fn text(request: &mut ChatRequest, fields: &mut Fields) -> Result<(), Error> {
    let Some(original) = fields.peek("text").cloned() else { return Ok(()) };
    let Some(mut text) = fields.object("text")? else { return Ok(()) };
    let mut is_whole = true;
    if let Some(format) = text.object("format")? {
        (request.response_format, is_whole) = response_format(format)?;
    }
    let forces_a_tool = matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Function(_) | ToolChoice::Opaque(_))
    );
    let is_json = !matches!(request.response_format, None | Some(ResponseFormat::Text));
    if forces_a_tool && is_json {
        request.response_format = None;
        is_whole = false;
    }
    let rest = text.rest();
    if !is_whole {
        fields.keep("text", original);
    } else if !rest.is_empty() {
        fields.keep("text", rest.into());
    }
    Ok(())
}

/// The format, and whether that is all that the client said of it.
fn response_format(mut format: Fields) -> Result<(Option<ResponseFormat>, bool), Error> {
    let kind = format.required_text("type")?;
    let decoded = match kind.as_str() {
        "text" => ResponseFormat::Text,
        "json_object" => ResponseFormat::JsonObject,
        "json_schema" => {
            let path = format.path("schema");
            ResponseFormat::JsonSchema {
                name: format.text("name")?,
                description: format.text("description")?,
                schema: format.take("schema").ok_or_else(|| missing(&path))?,
                strict: format.flag("strict")?,
            }
        }
        _ => return Ok((None, false)),
    };
    let is_whole = format.rest().values().all(Value::is_null);
    Ok((Some(decoded), is_whole))
}

/// `reasoning: {effort, summary}`; what is said beside the effort is kept.
fn reasoning(fields: &mut Fields) -> Result<Option<ReasoningRequest>, Error> {
    let Some(mut object) = fields.object("reasoning")? else { return Ok(None) };
    let effort = object.text("effort")?.map(effort);
    let rest: Map<String, Value> = object.rest();
    if !rest.is_empty() {
        fields.keep("reasoning", rest.into());
    }
    Ok(effort.map(|effort| ReasoningRequest { effort: Some(effort), ..ReasoningRequest::default() }))
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

/// A value of a closed list that is none of its words.
pub(super) fn unknown_word(path: &str, word: &str, known: &str) -> Error {
    invalid(path, format!("'{path}' is '{word}'; it may be {known}."))
}
