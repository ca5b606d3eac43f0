//! `system` and `messages` → canonical messages.
//!
//! Results of tools stand in the user's message here and in messages of their own in the canonical
//! form: one message becomes several where it holds both. Blocks that say more than the canonical
//! form can (search results, documents in pieces) are shown to other families as what they have
//! words for, and kept whole for this one ([`OWN_BLOCK`]).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use canonical::request::{Media, MediaSource, Opaque, Reasoning, ToolCall, ToolResult};
use canonical::{Content, Error, Message, Part, Role};
use serde_json::{Map, Value};

use super::super::FAMILY;
use super::super::types::OWN_BLOCK;
use super::request::without_nulls;
use crate::fields::{Fields, invalid, missing, wrong};

pub(super) fn decode(system: Option<Value>, values: Vec<Value>) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::with_capacity(values.len() + 1);
    if let Some(system) = system {
        push(&mut messages, Role::System, blocks(system, "system")?);
    }
    let hoisted = messages.len();
    for (position, value) in values.into_iter().enumerate() {
        message(Fields::new(value, format!("messages[{position}]"))?, &mut messages)?;
    }
    // A system prompt alone asks nothing.
    if messages.len() == hoisted {
        messages.clear();
    }
    Ok(messages)
}

fn message(mut fields: Fields, messages: &mut Vec<Message>) -> Result<(), Error> {
    let role = match fields.required_text("role")?.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        other => {
            let path = fields.path("role");
            let known = "'user', 'assistant' and, for instructions, 'system'";
            return Err(invalid(&path, format!("'{path}' is '{other}'; the roles are {known}.")));
        }
    };
    let path = fields.path("content");
    let parts = blocks(fields.take("content").ok_or_else(|| missing(&path))?, &path)?;
    push(messages, role, parts);
    Ok(())
}

/// One message, or one for each run of results and of what stands between them.
fn push(messages: &mut Vec<Message>, role: Role, parts: Vec<Part>) {
    let speaker = |part: &Part| match part.content {
        Content::ToolResult(_) => Role::Tool,
        _ => role,
    };
    let before = messages.len();
    for part in parts {
        match messages[before..].last_mut() {
            Some(last) if last.role == speaker(&part) => last.parts.push(part),
            _ => messages.push(Message::new(speaker(&part), vec![part])),
        }
    }
}

fn blocks(content: Value, place: &str) -> Result<Vec<Part>, Error> {
    match content {
        Value::String(text) => Ok(vec![Part::text(text)]),
        Value::Array(items) => items
            .into_iter()
            .enumerate()
            .map(|(position, item)| block(item, &format!("{place}[{position}]")))
            .collect(),
        other => Err(wrong(place, "a string or a list of blocks", &other)),
    }
}

fn block(value: Value, place: &str) -> Result<Part, Error> {
    let original = value.clone();
    let mut fields = Fields::new(value, place)?;
    let content = match fields.required_text("type")?.as_str() {
        "text" => Content::Text(fields.required_text("text")?),
        "image" => Content::Image(source(&mut fields)?.media),
        "document" => return document(fields, original),
        "search_result" => return Ok(shown(search_result(&original), original)),
        "tool_reference" => return Ok(shown(text_of(&original, "tool_name"), original)),
        "thinking" => {
            let text = fields.required_text("thinking")?;
            let signature = fields.text("signature")?.filter(|signature| !signature.is_empty());
            Content::Reasoning(Reasoning { text, signature, encrypted: None })
        }
        "redacted_thinking" => {
            let encrypted = Some(fields.required_text("data")?);
            Content::Reasoning(Reasoning { encrypted, ..Reasoning::default() })
        }
        "tool_use" => Content::ToolCall(tool_use(&mut fields, false)?),
        "server_tool_use" => Content::ToolCall(tool_use(&mut fields, true)?),
        "mcp_tool_use" => {
            let mut part = Part::from(Content::ToolCall(tool_use(&mut fields, true)?));
            part.extensions.insert(FAMILY, OWN_BLOCK, original);
            return Ok(part);
        }
        "tool_result" => Content::ToolResult(tool_result(&mut fields)?),
        // Results of tools that the provider ran, uploads into its container, …
        _ => return Ok(Content::Opaque(Opaque { family: FAMILY.to_owned(), value: original }).into()),
    };
    let mut part = Part::from(content);
    part.extensions.extend(FAMILY, without_nulls(fields.rest()));
    Ok(part)
}

/// A block that other families are shown as `text`.
fn shown(text: String, original: Value) -> Part {
    let mut part = Part::text(text);
    part.extensions.insert(FAMILY, OWN_BLOCK, original);
    part
}

fn text_of(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// Title, source and text of a search result, one per line.
fn search_result(value: &Value) -> String {
    let texts = value["content"].as_array().into_iter().flatten().map(|block| text_of(block, "text"));
    let lines = [text_of(value, "title"), text_of(value, "source")].into_iter().chain(texts);
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

// === media ===

/// A block's source; `is_whole` where it says all that the original does.
struct Source {
    media: Media,
    is_whole: bool,
}

fn source(fields: &mut Fields) -> Result<Source, Error> {
    let place = fields.path("source");
    let mut source = fields.object("source")?.ok_or_else(|| missing(&place))?;
    let kind = source.required_text("type")?;
    let (source, media_type, is_whole) = match kind.as_str() {
        "base64" => (MediaSource::Base64(source.required_text("data")?), source.text("media_type")?, true),
        "url" => (MediaSource::Url(source.required_text("url")?), None, true),
        "file" => (MediaSource::FileId(source.required_text("file_id")?), None, true),
        "text" => {
            let media_type = source.text("media_type")?.unwrap_or_else(|| "text/plain".into());
            (MediaSource::Base64(STANDARD.encode(source.required_text("data")?)), Some(media_type), true)
        }
        "content" => {
            let text = plain(&source.take("content").unwrap_or_default());
            (MediaSource::Base64(STANDARD.encode(text)), Some("text/plain".into()), false)
        }
        other => {
            let known = "'base64', 'url', 'file', 'text' and 'content'";
            let path = format!("{place}.type");
            return Err(invalid(&path, format!("'{path}' is '{other}'; the sources are {known}.")));
        }
    };
    Ok(Source { media: Media { source, media_type, name: None, detail: None }, is_whole })
}

/// The text of a document that came in pieces, a paragraph for each.
fn plain(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            blocks.iter().map(|block| text_of(block, "text")).collect::<Vec<_>>().join("\n\n")
        }
        _ => String::new(),
    }
}

fn document(mut fields: Fields, original: Value) -> Result<Part, Error> {
    let Source { media, is_whole } = source(&mut fields)?;
    let name = fields.text("title")?;
    let mut part = Part::from(Content::Document(Media { name, ..media }));
    if is_whole {
        part.extensions.extend(FAMILY, without_nulls(fields.rest()));
    } else {
        part.extensions.insert(FAMILY, OWN_BLOCK, original);
    }
    Ok(part)
}

// === tools ===

fn tool_use(fields: &mut Fields, is_server_side: bool) -> Result<ToolCall, Error> {
    let path = fields.path("input");
    Ok(ToolCall {
        id: fields.required_text("id")?,
        name: fields.required_text("name")?,
        arguments: match fields.take("input") {
            None => Map::new().into(),
            Some(input @ Value::Object(_)) => input,
            Some(other) => return Err(wrong(&path, "an object", &other)),
        }
        .to_string(),
        // Ours, in answers of makers that sign calls; Anthropic's have none.
        signature: fields.text("signature")?,
        is_server_side,
    })
}

fn tool_result(fields: &mut Fields) -> Result<ToolResult, Error> {
    let call_id = fields.required_text("tool_use_id")?;
    let path = fields.path("content");
    let content = match fields.take("content") {
        None => Vec::new(),
        Some(Value::String(text)) if text.is_empty() => Vec::new(),
        Some(content) => blocks(content, &path)?,
    };
    let is_error = fields.flag("is_error")?.unwrap_or(false);
    Ok(ToolResult { call_id, name: None, content, is_error })
}
