//! `systemInstruction` and `contents` → messages.
//!
//! One content may hold answers of functions beside other parts: the answers become a message of
//! the role `Tool`, which comes first, as the API itself has it. Turns of the model that follow each
//! other are one: the SDK for Python sends the empty last piece of a stream back as a turn of its own
//! between calls and their answers, where other providers refuse it.

use std::collections::BTreeSet;

use canonical::request::{Media, MediaSource, Opaque, Reasoning, ToolCall, ToolResult};
use canonical::{Content, Error, Message, Part, Role};
use serde_json::{Map, Value};

use super::super::{FAMILY, RESULT_PREFIX, UNSIGNED, function_result};
use super::names::{self, inner, object, repeated};
use crate::fields::{Fields, invalid, missing, wrong};

pub(super) fn system(value: Value) -> Result<Option<Message>, Error> {
    let mut reader = Reader::default();
    let parts = match value {
        // Documents and SDKs know a bare text, a list of parts, and a content.
        Value::Array(parts) => reader.parts(parts, "systemInstruction")?,
        other => {
            let mut content = content(other, "systemInstruction")?;
            reader.parts(repeated(&mut content, "parts"), "systemInstruction.parts")?
        }
    };
    Ok((!parts.is_empty()).then(|| Message::new(Role::System, parts)))
}

pub(super) fn messages(values: Vec<Value>) -> Result<Vec<Message>, Error> {
    let mut reader = Reader { taken: ids_in(&values), ..Reader::default() };
    let mut messages: Vec<Message> = Vec::with_capacity(values.len());
    for (position, value) in values.into_iter().enumerate() {
        for mut message in reader.content(content(value, &format!("contents[{position}]"))?)? {
            match messages.last_mut() {
                Some(last) if last.role == Role::Assistant && message.role == Role::Assistant => {
                    last.parts.append(&mut message.parts);
                }
                _ => messages.push(message),
            }
        }
    }
    Ok(messages)
}

/// A content; a bare text is one too.
fn content(value: Value, place: &str) -> Result<Fields, Error> {
    match value {
        Value::String(text) => {
            object(Map::from_iter([("parts".to_owned(), Value::String(text))]).into(), place)
        }
        value => object(value, place),
    }
}

/// Ids that calls bring along, so that none is minted twice.
fn ids_in(contents: &[Value]) -> BTreeSet<String> {
    let field = |value: &Value, names: [&str; 2]| names.into_iter().find_map(|name| value.get(name).cloned());
    let mut ids = BTreeSet::new();
    for part in contents.iter().filter_map(|content| content.get("parts")?.as_array()).flatten() {
        if let Some(call) = field(part, ["functionCall", "function_call"])
            && let Some(id) = call.get("id").and_then(Value::as_str)
        {
            ids.insert(id.to_owned());
        }
    }
    ids
}

/// What is known of the conversation so far.
#[derive(Debug, Default)]
struct Reader {
    /// Calls without an answer: name and id, in order.
    open: Vec<(String, String)>,
    /// Calls that came without an id, so far.
    minted: usize,
    /// Ids that are given away.
    taken: BTreeSet<String>,
}

impl Reader {
    fn content(&mut self, mut content: Fields) -> Result<Vec<Message>, Error> {
        let role = role(&mut content)?;
        let path = content.path("parts");
        let parts = self.parts(repeated(&mut content, "parts"), &path)?;
        let is_result = |part: &Part| matches!(part.content, Content::ToolResult(_));
        let (results, others): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(is_result);
        let mut messages = Vec::new();
        if !results.is_empty() {
            messages.push(Message::new(Role::Tool, results));
        }
        if !others.is_empty() {
            messages.push(Message::new(role, others));
        }
        Ok(messages)
    }

    fn parts(&mut self, values: Vec<Value>, place: &str) -> Result<Vec<Part>, Error> {
        let mut parts = Vec::with_capacity(values.len());
        for (position, value) in values.into_iter().enumerate() {
            match value {
                Value::String(text) => parts.push(Part::text(text)),
                value => {
                    let part = self.part(object(value, format!("{place}[{position}]"))?)?;
                    match (parts.last_mut(), part) {
                        (Some(last), Some(part)) if completes(last, &part) => join(last, part),
                        (_, part) => parts.extend(part),
                    }
                }
            }
        }
        Ok(parts)
    }

    /// `None` where the part says nothing.
    fn part(&mut self, mut part: Fields) -> Result<Option<Part>, Error> {
        let is_thought = part.flag("thought")?.unwrap_or(false);
        let signature = part.text("thoughtSignature")?.filter(|text| !text.is_empty());
        let content = if let Some(text) = part.text("text")? {
            if text.is_empty() && signature.is_none() {
                return Ok(None);
            }
            if is_thought {
                Content::Reasoning(Reasoning { text, ..Reasoning::default() })
            } else {
                Content::Text(text)
            }
        } else if let Some(call) = inner(&mut part, "functionCall")? {
            Content::ToolCall(self.call(call)?)
        } else if let Some(response) = inner(&mut part, "functionResponse")? {
            return self.result(response, names::rest(part)).map(Some);
        } else if let Some(blob) = inner(&mut part, "inlineData")? {
            inline(blob)?
        } else if let Some(file) = inner(&mut part, "fileData")? {
            linked(file)?
        } else {
            let rest = names::rest(part);
            if rest.is_empty() && signature.is_none() {
                return Ok(None);
            }
            return Ok(Some(own(rest, signature, is_thought)));
        };
        let mut part = with_fields(content, names::rest(part));
        if let Some(signature) = signature {
            part.set_signature(signature_as_given(signature));
        }
        Ok(Some(part))
    }

    fn call(&mut self, mut call: Fields) -> Result<ToolCall, Error> {
        let id = call.text("id")?.filter(|id| !id.is_empty());
        let name = call.required_text("name")?;
        let path = call.path("args");
        let arguments = match call.take("args") {
            None => "{}".to_owned(),
            Some(args @ Value::Object(_)) => args.to_string(),
            Some(other) => return Err(wrong(&path, "an object", &other)),
        };
        let id = id.unwrap_or_else(|| self.mint());
        self.open.push((name.clone(), id.clone()));
        Ok(ToolCall { id, name, arguments, ..ToolCall::default() })
    }

    /// The same for the same conversation, however far it went on.
    fn mint(&mut self) -> String {
        loop {
            self.minted += 1;
            let id = format!("call_{}", self.minted);
            if self.taken.insert(id.clone()) {
                return id;
            }
        }
    }

    fn result(&mut self, mut response: Fields, beside: Map<String, Value>) -> Result<Part, Error> {
        let id = response.text("id")?.filter(|id| !id.is_empty());
        let name = response.required_text("name")?;
        let path = response.path("response");
        let said = match response.take("response") {
            None => Map::new(),
            Some(Value::Object(said)) => said,
            Some(other) => return Err(wrong(&path, "an object", &other)),
        };
        let (text, is_error) = said_by(&said);
        let mut own = Map::new();
        // Back at Google it reads as it came.
        if function_result(&text, is_error).as_object() != Some(&said) {
            own.insert(format!("{RESULT_PREFIX}response"), said.into());
        }
        let mut content = if text.is_empty() { Vec::new() } else { vec![Part::text(text)] };
        let path = response.path("parts");
        content.extend(self.parts(repeated(&mut response, "parts"), &path)?);
        let rest = names::rest(response).into_iter();
        own.extend(rest.map(|(name, value)| (format!("{RESULT_PREFIX}{name}"), value)));
        own.extend(beside);
        let call_id = self.answered(id, &name);
        Ok(with_fields(Content::ToolResult(ToolResult { call_id, name: Some(name), content, is_error }), own))
    }

    /// The call that is answered: of that id, or the oldest of that name that still waits.
    fn answered(&mut self, id: Option<String>, name: &str) -> String {
        let by_id = |open: &(String, String)| id.as_deref() == Some(open.1.as_str());
        let found = self.open.iter().position(by_id);
        match found.or_else(|| self.open.iter().position(|(open, _)| open == name)) {
            Some(position) => self.open.remove(position).1,
            None => id.unwrap_or_else(|| format!("call_{name}")),
        }
    }
}

fn role(content: &mut Fields) -> Result<Role, Error> {
    let Some(word) = content.text("role")?.filter(|word| !word.is_empty()) else { return Ok(Role::User) };
    Ok(match word.to_ascii_lowercase().as_str() {
        // Answers of functions are told by their parts.
        "user" | "function" | "tool" => Role::User,
        "model" | "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => {
            let path = content.path("role");
            return Err(invalid(&path, format!("'{path}' is '{word}'; use a valid role: user, model.")));
        }
    })
}

/// The words that SDKs put around what a function gave back.
const WRAPPERS: [&str; 4] = ["result", "output", "return_value", "content"];

/// What a function gave back, and whether it failed.
fn said_by(said: &Map<String, Value>) -> (String, bool) {
    let is_wrapped = |names: &[&str]| said.keys().all(|name| names.contains(&name.as_str()));
    if said.is_empty() {
        return (String::new(), false);
    }
    if let Some(Value::String(error)) = said.get("error").filter(|_| said.len() == 1) {
        return (error.clone(), true);
    }
    // `content` alone is nobody's wrapper, but a field of the answer.
    let wrapper = WRAPPERS.iter().find_map(|name| match *name {
        "content" if is_wrapped(&["name", "content"]) && said.len() == 2 => said.get("content"),
        "content" => None,
        name => said.get(name).filter(|_| said.len() == 1),
    });
    match wrapper {
        Some(Value::String(text)) => (text.clone(), false),
        Some(value) => (value.to_string(), false),
        None => (Value::Object(said.clone()).to_string(), false),
    }
}

fn inline(mut blob: Fields) -> Result<Content, Error> {
    let path = blob.path("data");
    let data = blob.text("data")?.ok_or_else(|| missing(&path))?;
    let media_type = blob.text("mimeType")?;
    let name = blob.text("displayName")?;
    Ok(media(MediaSource::Base64(standard_base64(data)), media_type, name))
}

fn linked(mut file: Fields) -> Result<Content, Error> {
    let uri = file.required_text("fileUri")?;
    let media_type = file.text("mimeType")?;
    let name = file.text("displayName")?;
    // What lies in Google's own storage is no address that another provider could fetch.
    let is_upload = uri.starts_with("gs://") || uri.starts_with("https://generativelanguage.googleapis.com/");
    let source = if is_upload { MediaSource::FileId(uri) } else { MediaSource::Url(uri) };
    Ok(media(source, media_type, name))
}

fn media(source: MediaSource, media_type: Option<String>, name: Option<String>) -> Content {
    let kind = media_type.as_deref().and_then(|kind| kind.split('/').next());
    let kind = kind.map(str::to_ascii_lowercase).or_else(|| kind_of_address(&source).map(str::to_owned));
    let media = Media { source, media_type, name, detail: None };
    match kind.as_deref() {
        Some("image") => Content::Image(media),
        Some("audio") => Content::Audio(media),
        _ => Content::Document(media),
    }
}

fn kind_of_address(source: &MediaSource) -> Option<&'static str> {
    let MediaSource::Url(url) = source else { return None };
    let path = url.split(['?', '#']).next()?.to_ascii_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| path.ends_with(ending));
    if ends(&[".png", ".jpg", ".jpeg", ".gif", ".webp", ".heic"]) {
        Some("image")
    } else if ends(&[".mp3", ".wav"]) {
        Some("audio")
    } else {
        None
    }
}

/// Whether `part` is the encrypted form of the thought that `last` is.
fn completes(last: &Part, part: &Part) -> bool {
    let (Content::Reasoning(last), Content::Reasoning(part)) = (&last.content, &part.content) else {
        return false;
    };
    last.encrypted.is_none() && last.signature.is_none() && part.encrypted.is_some()
}

fn join(last: &mut Part, part: Part) {
    if let (Content::Reasoning(last), Content::Reasoning(part)) = (&mut last.content, part.content) {
        last.encrypted = part.encrypted;
    }
}

/// A part that only this family can name, with its signature, as it came.
fn own(mut fields: Map<String, Value>, signature: Option<String>, is_thought: bool) -> Part {
    if fields.is_empty() && is_thought {
        // What our own answers hold of thoughts that are only handed out encrypted.
        return Content::Reasoning(Reasoning {
            encrypted: signature.map(signature_as_given),
            ..Reasoning::default()
        })
        .into();
    }
    if fields.is_empty() {
        // A signature alone: Google puts it on an empty text.
        let mut part = Part::text("");
        part.set_signature(signature_as_given(signature.unwrap_or_default()));
        return part;
    }
    if is_thought {
        fields.insert("thought".into(), true.into());
    }
    if let Some(signature) = signature {
        fields.insert("thoughtSignature".into(), signature.into());
    }
    Content::Opaque(Opaque { family: FAMILY.to_owned(), value: fields.into() }).into()
}

fn with_fields(content: Content, fields: Map<String, Value>) -> Part {
    let mut part = Part::from(content);
    part.extensions.extend(FAMILY, fields);
    part
}

/// The SDK for Python writes bytes in the alphabet for addresses; the canonical form is the standard one.
fn standard_base64(data: String) -> String {
    let mut data = standard_alphabet(data);
    let missing = (4 - data.len() % 4) % 4;
    if missing < 3 {
        data.extend(std::iter::repeat_n('=', missing));
    }
    data
}

/// Signatures too, those of other providers as well, who know theirs in the standard alphabet only.
/// Google reads both.
fn signature_as_given(signature: String) -> String {
    if signature == UNSIGNED { signature } else { standard_alphabet(signature) }
}

fn standard_alphabet(data: String) -> String {
    if !data.contains(['-', '_', '\n', '\r', ' ']) {
        return data;
    }
    let letters = data.chars().filter(|letter| !letter.is_ascii_whitespace());
    letters
        .map(|letter| match letter {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect()
}
