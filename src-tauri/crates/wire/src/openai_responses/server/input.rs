//! `input` → messages.
//! <https://platform.openai.com/docs/api-reference/responses/create#responses-create-input>
//!
//! What the assistant said stands here as items of their own: its messages, thoughts and calls. Those
//! that follow each other are one turn, so that every family sees parallel calls as parallel. A second
//! message begins a new turn: side by side, two messages could not be told apart any more.

use canonical::request::{Media, MediaSource, Opaque, Reasoning, ToolCall, ToolResult};
use canonical::{Content, Error, Message, Part, Role};
use serde_json::{Map, Value};

use super::super::{BETWEEN_THOUGHTS, FAMILY, ITEM_PREFIX, qualified};
use super::envelope::{self, Sealed};
use super::is_ours;
use super::request::unknown_word;
use crate::fields::{Fields, missing, wrong};
use crate::json::image_type;
use crate::openai_chat::client::media_of_url;

/// What the client's input says.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub messages: Vec<Message>,
    /// Where an item stands that only a provider can resolve.
    pub held: Option<String>,
    pub is_empty: bool,
}

pub(super) fn decode(input: Option<Value>) -> Result<Said, Error> {
    let mut said = Said::default();
    match input {
        None => said.is_empty = true,
        Some(Value::String(text)) => said.messages.push(Message::text(Role::User, text)),
        Some(Value::Array(items)) => {
            said.is_empty = items.is_empty();
            for (position, item) in items.into_iter().enumerate() {
                said.item(item, &format!("input[{position}]"))?;
            }
        }
        Some(other) => return Err(wrong("input", "a string or a list of items", &other)),
    }
    Ok(said)
}

impl Said {
    fn item(&mut self, value: Value, place: &str) -> Result<(), Error> {
        let kind = match value.get("type") {
            Some(Value::String(kind)) => kind.clone(),
            Some(other) if !other.is_null() => {
                return Err(wrong(&format!("{place}.type"), "a string", other));
            }
            // The two that may leave their type out.
            _ if value.get("role").is_none() && value.get("id").is_some() => "item_reference".to_owned(),
            _ => "message".to_owned(),
        };
        match kind.as_str() {
            "message" => self.message(Fields::new(value, place)?),
            "function_call" | "custom_tool_call" => self.call(Fields::new(value, place)?),
            "function_call_output" | "custom_tool_call_output" => self.result(Fields::new(value, place)?),
            "reasoning" => {
                self.reasoning(value);
                Ok(())
            }
            "image_generation_call" if value["result"].as_str().is_some_and(|data| !data.is_empty()) => {
                self.made_image(Fields::new(value, place)?)
            }
            kind => {
                // What the provider keeps or made of the conversation so far: without it, the rest
                // is another conversation.
                if matches!(kind, "item_reference" | "compaction") {
                    self.held.get_or_insert_with(|| place.to_owned());
                }
                let is_clients = kind == "item_reference"
                    || ["_output", "_response"].iter().any(|end| kind.ends_with(end));
                let part = opaque(value);
                if is_clients {
                    self.messages.push(Message::new(Role::User, vec![part]));
                } else {
                    self.said_by_assistant(part);
                }
                Ok(())
            }
        }
    }

    /// Adds to the assistant's turn.
    fn said_by_assistant(&mut self, part: Part) {
        match self.messages.last_mut() {
            Some(last) if last.role == Role::Assistant => last.parts.push(part),
            _ => self.messages.push(Message::new(Role::Assistant, vec![part])),
        }
    }

    fn message(&mut self, mut fields: Fields) -> Result<(), Error> {
        fields.take("type");
        let word = fields.required_text("role")?;
        let role = match word.as_str() {
            "system" => Role::System,
            "developer" => Role::Developer,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            word => {
                let known = "'user', 'assistant', 'system' or 'developer'";
                return Err(unknown_word(&fields.path("role"), word, known));
            }
        };
        if fields.peek("content").is_none() {
            return Err(missing(&fields.path("content")));
        }
        let mut parts = content(&mut fields, "content")?;
        let of_item = own_fields(fields);
        if role != Role::Assistant {
            let mut message = Message::new(role, parts);
            message.extensions.extend(FAMILY, of_item);
            self.messages.push(message);
            return Ok(());
        }
        for part in &mut parts {
            for (name, value) in &of_item {
                part.extensions.insert(FAMILY, format!("{ITEM_PREFIX}{name}"), value.clone());
            }
        }
        match self.messages.last_mut() {
            Some(last) if last.role == role && !last.parts.last().is_some_and(is_prose) => {
                last.parts.append(&mut parts);
            }
            _ if parts.is_empty() => {}
            _ => self.messages.push(Message::new(role, parts)),
        }
        Ok(())
    }

    fn call(&mut self, mut fields: Fields) -> Result<(), Error> {
        let is_custom = fields.peek("type").is_some_and(|kind| kind == "custom_tool_call");
        let id = fields.required_text("call_id")?;
        let mut name = fields.required_text("name")?;
        let said_in = if is_custom { "input" } else { "arguments" };
        let arguments = match fields.take(said_in) {
            None => String::new(),
            Some(Value::String(text)) => text,
            Some(object @ Value::Object(_)) => object.to_string(),
            Some(other) => return Err(wrong(&fields.path(said_in), "a string", &other)),
        };
        if let Some(namespace) = fields.text("namespace")? {
            let inner = std::mem::take(&mut name);
            name = qualified(&namespace, &inner);
            fields.keep("name", inner.into());
            fields.keep("namespace", namespace.into());
        }
        if !is_custom {
            fields.take("type");
        }
        let call = ToolCall { id, name, arguments, ..ToolCall::default() };
        self.said_by_assistant(with(Content::ToolCall(call), own_fields(fields)));
        Ok(())
    }

    fn result(&mut self, mut fields: Fields) -> Result<(), Error> {
        if fields.peek("type").is_some_and(|kind| kind == "function_call_output") {
            fields.take("type");
        }
        let call_id = fields.required_text("call_id")?;
        let content = content(&mut fields, "output")?;
        let result = ToolResult { call_id, name: None, content, is_error: false };
        let part = with(Content::ToolResult(result), own_fields(fields));
        self.messages.push(Message::new(Role::Tool, vec![part]));
        Ok(())
    }

    /// A thought of this family is kept with its item; without a word of it, it is opaque. What we
    /// sealed is opened.
    fn reasoning(&mut self, value: Value) {
        let text = text_of(&value);
        let encrypted = value["encrypted_content"].as_str().unwrap_or("").to_owned();
        let thought = |signature, encrypted| Reasoning { text: text.clone(), signature, encrypted };
        match envelope::open(&encrypted) {
            Some(Sealed::Thought { signature, encrypted }) => {
                self.said_by_assistant(Content::Reasoning(thought(signature, encrypted)).into());
            }
            Some(Sealed::Call { id, signature }) => self
                .sign(&signature, |part| matches!(&part.content, Content::ToolCall(call) if call.id == id)),
            Some(Sealed::Before { signature }) => self.sign(&signature, |_| true),
            // Another provider's, from a client that left the envelope out.
            None if value["id"].as_str().is_some_and(is_ours) => {
                self.said_by_assistant(Content::Reasoning(thought(None, None)).into());
            }
            None if text.is_empty() && encrypted.is_empty() => self.said_by_assistant(opaque(value)),
            None => {
                let encrypted = Some(encrypted).filter(|text| !text.is_empty());
                let Value::Object(mut fields) = value else { return };
                let length = |name: &str| fields.get(name).and_then(Value::as_array).map_or(0, Vec::len);
                let is_one_summary = length("summary") <= 1 && length("content") == 0;
                fields.shift_remove("encrypted_content");
                if is_one_summary {
                    fields.shift_remove("summary");
                }
                let content = Content::Reasoning(Reasoning { text, signature: None, encrypted });
                self.said_by_assistant(with(content, telling(fields)));
            }
        }
    }

    /// Signs the last part of the assistant that `is_it`.
    fn sign(&mut self, signature: &str, is_it: impl Fn(&Part) -> bool) {
        let turns = self.messages.iter_mut().rev().filter(|message| message.role == Role::Assistant);
        if let Some(part) = turns.flat_map(|turn| turn.parts.iter_mut().rev()).find(|part| is_it(part)) {
            part.set_signature(signature);
        }
    }

    fn made_image(&mut self, mut fields: Fields) -> Result<(), Error> {
        fields.take("type");
        let data = fields.required_text("result")?;
        let format = fields.peek("output_format").and_then(Value::as_str);
        let media_type = format.map_or_else(|| image_type(&data).to_owned(), |name| format!("image/{name}"));
        let media = Media { media_type: Some(media_type), ..plain(MediaSource::Base64(data)) };
        let is_another_makers = fields.peek("id").and_then(Value::as_str).is_some_and(is_ours);
        let kept = if is_another_makers { Map::new() } else { own_fields(fields) };
        self.said_by_assistant(with(Content::Image(media), kept));
        Ok(())
    }
}

/// The fields of an item that go back with it. Of an item that we named, neither its id nor what
/// hangs on it: its provider knows no such item.
fn own_fields(mut fields: Fields) -> Map<String, Value> {
    if fields.peek("id").and_then(Value::as_str).is_some_and(is_ours) {
        fields.take("id");
        fields.take("status");
    }
    telling(fields.rest())
}

/// Without the fields that say nothing.
fn telling(mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    fields
}

/// A piece of a message, not an item of its own.
fn is_prose(part: &Part) -> bool {
    match &part.content {
        Content::Reasoning(_) | Content::ToolCall(_) | Content::ToolResult(_) => false,
        // An item's id is the image's own; one in a message has none.
        Content::Image(_) => part.extensions.field(FAMILY, "id").is_none(),
        Content::Opaque(opaque) => {
            opaque.value["type"].as_str().is_some_and(|kind| kind.starts_with("input_"))
        }
        Content::Text(_) | Content::Refusal(_) | Content::Audio(_) | Content::Document(_) => true,
    }
}

fn with(content: Content, fields: Map<String, Value>) -> Part {
    let mut part = Part::from(content);
    part.extensions.extend(FAMILY, fields);
    part
}

fn opaque(value: Value) -> Part {
    Content::Opaque(Opaque { family: FAMILY.to_owned(), value }).into()
}

/// The words of a thought: its summaries, then its full text.
fn text_of(item: &Value) -> String {
    let texts =
        ["summary", "content"].into_iter().flat_map(|list| item[list].as_array().into_iter().flatten());
    let texts: Vec<&str> =
        texts.filter_map(|piece| piece["text"].as_str()).filter(|text| !text.is_empty()).collect();
    texts.join(BETWEEN_THOUGHTS)
}

// === content ===

fn content(fields: &mut Fields, name: &str) -> Result<Vec<Part>, Error> {
    let path = fields.path(name);
    match fields.take(name) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::text(text)]),
        Some(Value::Array(pieces)) => pieces
            .into_iter()
            .enumerate()
            .map(|(position, piece)| self::piece(piece, &format!("{path}[{position}]")))
            .collect(),
        Some(other) => Err(wrong(&path, "a string or a list of parts", &other)),
    }
}

fn piece(value: Value, place: &str) -> Result<Part, Error> {
    let original = value.clone();
    let mut fields = Fields::new(value, place)?;
    let kind = fields.required_text("type")?;
    let content = match kind.as_str() {
        "input_text" | "output_text" | "text" => Content::Text(fields.required_text("text")?),
        "refusal" => Content::Refusal(fields.required_text("refusal")?),
        "input_image" => Content::Image(image(&mut fields)?),
        "input_file" => Content::Document(document(&mut fields)?),
        "input_audio" if original["input_audio"].is_object() => Content::Audio(audio(&mut fields)?),
        _ => return Ok(opaque(original)),
    };
    Ok(with(content, telling(fields.rest())))
}

fn image(fields: &mut Fields) -> Result<Media, Error> {
    let media = match (fields.text("image_url")?, fields.text("file_id")?) {
        (Some(url), _) => media_of_url(&url),
        (None, Some(id)) => plain(MediaSource::FileId(id)),
        (None, None) => return Err(missing(&fields.path("image_url"))),
    };
    Ok(Media { detail: fields.text("detail")?, ..media })
}

fn document(fields: &mut Fields) -> Result<Media, Error> {
    let name = fields.text("filename")?;
    let (data, url, id) = (fields.text("file_data")?, fields.text("file_url")?, fields.text("file_id")?);
    let media = match (data, url, id) {
        (Some(data), ..) => match media_of_url(&data) {
            // Bare base64 looks like an address.
            Media { source: MediaSource::Url(data), .. } => plain(MediaSource::Base64(data)),
            media => media,
        },
        (None, Some(url), _) => media_of_url(&url),
        (None, None, Some(id)) => plain(MediaSource::FileId(id)),
        (None, None, None) => return Err(missing(&fields.path("file_data"))),
    };
    Ok(Media { name, ..media })
}

fn audio(fields: &mut Fields) -> Result<Media, Error> {
    let path = fields.path("input_audio");
    let mut audio = fields.object("input_audio")?.ok_or_else(|| missing(&path))?;
    let data = audio.required_text("data")?;
    let media_type = audio.text("format")?.map(|format| match format.as_str() {
        "mp3" => "audio/mpeg".to_owned(),
        other => format!("audio/{other}"),
    });
    Ok(Media { media_type, ..plain(MediaSource::Base64(data)) })
}

fn plain(source: MediaSource) -> Media {
    Media { source, media_type: None, name: None, detail: None }
}
