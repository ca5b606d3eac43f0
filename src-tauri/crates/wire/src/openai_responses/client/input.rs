//! Messages → input items.
//! <https://platform.openai.com/docs/api-reference/responses/create#responses-create-input>
//!
//! System messages at the beginning are the instructions; later ones stay where they stand. Calls,
//! their results and thoughts are items of their own, in the order in which the parts stand.

use std::collections::BTreeSet;

use canonical::request::{Media, MediaSource, Reasoning, ToolCall, ToolResult};
use canonical::{Content, Error, Extensions, Message, Part, Role};
use serde_json::{Map, Value, json};

use super::super::{FAMILY, ITEM_PREFIX};
use crate::function_tools::own;
use crate::json::put;
use crate::openai_chat::client::{audio, data_url};

/// A conversation in this protocol's words.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub instructions: Option<String>,
    pub items: Vec<Value>,
}

pub(super) fn convert(messages: &[Message]) -> Result<Conversation, Error> {
    let leading = messages.iter().take_while(|message| is_plain_system(message)).count();
    // Instructions alone are no input.
    let leading = if leading == messages.len() { 0 } else { leading };
    let (instructions, rest) = messages.split_at(leading);
    let parts = instructions.iter().flat_map(|message| &message.parts);
    let texts: Vec<&str> = parts
        .filter_map(|part| match &part.content {
            Content::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let mut writer = Writer { items: Vec::new(), customs: custom_calls(messages), open: None };
    for (position, message) in rest.iter().enumerate() {
        writer
            .message(message)
            .map_err(|error| error.with_param(format!("messages[{}]", leading + position)))?;
    }
    Ok(Conversation { instructions: (!texts.is_empty()).then(|| texts.join("\n\n")), items: writer.items })
}

/// Nothing but text, and no field that only an item could hold.
fn is_plain_system(message: &Message) -> bool {
    let is_text =
        |part: &Part| matches!(part.content, Content::Text(_)) && part.extensions.get(FAMILY).is_none();
    message.role == Role::System
        && message.extensions.get(FAMILY).is_none()
        && message.parts.iter().all(is_text)
}

/// Ids of calls with free-form input: their results have another type.
fn custom_calls(messages: &[Message]) -> BTreeSet<&str> {
    let parts = messages.iter().flat_map(|message| &message.parts);
    parts
        .filter_map(|part| match &part.content {
            Content::ToolCall(call) if is_custom(&part.extensions) => Some(call.id.as_str()),
            _ => None,
        })
        .collect()
}

fn is_custom(extensions: &Extensions) -> bool {
    extensions.field(FAMILY, "type").is_some_and(|kind| kind == "custom_tool_call")
}

struct Writer<'a> {
    items: Vec<Value>,
    customs: BTreeSet<&'a str>,
    /// The message item that the next piece of content belongs to.
    open: Option<OpenMessage>,
}

#[derive(Debug)]
struct OpenMessage {
    role: &'static str,
    /// The item's own fields.
    fields: Map<String, Value>,
    content: Vec<Value>,
}

impl Writer<'_> {
    fn message(&mut self, message: &Message) -> Result<(), Error> {
        let role = match message.role {
            Role::System => "system",
            Role::Developer => "developer",
            Role::Assistant => "assistant",
            // A tool message without a result is the client's own words.
            Role::User | Role::Tool => "user",
        };
        let mut fields = Map::new();
        extend(&mut fields, &message.extensions);
        for part in &message.parts {
            match &part.content {
                Content::ToolCall(call) => self.call(call, &part.extensions),
                Content::ToolResult(result) => self.result(result, &part.extensions)?,
                Content::Reasoning(reasoning) => self.reasoning(reasoning, &part.extensions),
                Content::Image(media) if role == "assistant" => self.made_image(media, &part.extensions),
                Content::Opaque(opaque) => self.opaque(own(opaque, FAMILY), role, &fields),
                content => {
                    if let Some(piece) = piece(content, role)? {
                        self.content(role, &fields, piece, &part.extensions);
                    }
                }
            }
        }
        if message.parts.is_empty() && role != "assistant" {
            self.begin(role, fields);
        }
        self.flush();
        Ok(())
    }

    fn begin(&mut self, role: &'static str, fields: Map<String, Value>) {
        self.flush();
        self.open = Some(OpenMessage { role, fields, content: Vec::new() });
    }

    /// Adds a piece to the open message, or to a new one where its item is another.
    fn content(
        &mut self,
        role: &'static str,
        of_message: &Map<String, Value>,
        mut piece: Map<String, Value>,
        extensions: &Extensions,
    ) {
        let mut fields = of_message.clone();
        for (name, value) in extensions.get(FAMILY).into_iter().flatten() {
            match name.strip_prefix(ITEM_PREFIX) {
                Some(name) => fields.insert(name.to_owned(), value.clone()),
                None => piece.insert(name.clone(), value.clone()),
            };
        }
        if self.open.as_ref().is_none_or(|open| open.fields != fields) {
            self.begin(role, fields);
        }
        if let Some(open) = &mut self.open {
            open.content.push(piece.into());
        }
    }

    /// A piece of content or an item of this family, as it came; another family's is left out.
    fn opaque(&mut self, value: Option<Value>, role: &'static str, fields: &Map<String, Value>) {
        let Some(value) = value else { return };
        let is_content = value["type"].as_str().is_some_and(|kind| {
            kind.starts_with("input_") || matches!(kind, "output_text" | "refusal" | "summary_text")
        });
        match value {
            Value::Object(piece) if is_content => self.content(role, fields, piece, &Extensions::default()),
            item => self.push(item),
        }
    }

    fn push(&mut self, item: Value) {
        self.flush();
        self.items.push(item);
    }

    fn flush(&mut self) {
        let Some(OpenMessage { role, fields, content }) = self.open.take() else { return };
        let mut item = Map::new();
        if !fields.is_empty() {
            // Fields of an item need its type.
            item.insert("type".into(), "message".into());
        }
        item.insert("role".into(), role.into());
        item.insert("content".into(), shortest(content));
        item.extend(fields);
        self.items.push(item.into());
    }

    fn call(&mut self, call: &ToolCall, extensions: &Extensions) {
        // Another provider's own tool: it has run, and what it found is not ours to claim.
        if call.is_server_side {
            return;
        }
        let (kind, said_in) = if is_custom(extensions) {
            ("custom_tool_call", "input")
        } else {
            ("function_call", "arguments")
        };
        let mut item = Map::from_iter([("type".to_owned(), kind.into())]);
        item.insert("call_id".into(), call.id.clone().into());
        item.insert("name".into(), call.name.clone().into());
        // Others write a call without arguments as nothing at all.
        let is_blank = said_in == "arguments" && call.arguments.trim().is_empty();
        let said = if is_blank { "{}" } else { &call.arguments };
        item.insert(said_in.into(), said.into());
        extend(&mut item, extensions);
        self.push(item.into());
    }

    fn result(&mut self, result: &ToolResult, extensions: &Extensions) -> Result<(), Error> {
        let is_custom = self.customs.contains(result.call_id.as_str());
        let kind = if is_custom { "custom_tool_call_output" } else { "function_call_output" };
        let mut output = Vec::new();
        for part in &result.content {
            if let Content::Opaque(opaque) = &part.content {
                output.extend(own(opaque, FAMILY));
                continue;
            }
            if let Some(mut piece) = piece(&part.content, "user")? {
                extend(&mut piece, &part.extensions);
                output.push(Value::Object(piece));
            }
        }
        let mut item = Map::from_iter([("type".to_owned(), kind.into())]);
        item.insert("call_id".into(), result.call_id.clone().into());
        item.insert("output".into(), shortest(output));
        extend(&mut item, extensions);
        self.push(item.into());
        Ok(())
    }

    /// Only a thought that came over this wire is taken back: another provider's proofs mean
    /// nothing here, and its words were never this model's.
    fn reasoning(&mut self, reasoning: &Reasoning, extensions: &Extensions) {
        if extensions.get(FAMILY).is_none() {
            return;
        }
        let mut item = Map::from_iter([("type".to_owned(), "reasoning".into())]);
        let summary = match extensions.field(FAMILY, "content") {
            // The text is that of the full thought, not of a summary.
            Some(_) => Vec::new(),
            None if reasoning.text.is_empty() => Vec::new(),
            None => vec![json!({"type": "summary_text", "text": reasoning.text})],
        };
        item.insert("summary".into(), summary.into());
        put(&mut item, "encrypted_content", reasoning.encrypted.clone());
        extend(&mut item, extensions);
        self.push(item.into());
    }

    /// An image that the model made at this provider; others are not the assistant's to send.
    fn made_image(&mut self, media: &Media, extensions: &Extensions) {
        if let (Some(_), MediaSource::Base64(data)) = (extensions.get(FAMILY), &media.source) {
            let mut item = Map::from_iter([("type".to_owned(), "image_generation_call".into())]);
            item.insert("result".into(), data.clone().into());
            extend(&mut item, extensions);
            self.push(item.into());
        }
    }
}

fn extend(object: &mut Map<String, Value>, extensions: &Extensions) {
    for (name, value) in extensions.get(FAMILY).into_iter().flatten() {
        object.insert(name.clone(), value.clone());
    }
}

/// Plain text where that says it all, else the pieces.
fn shortest(mut pieces: Vec<Value>) -> Value {
    match pieces.as_mut_slice() {
        [] => "".into(),
        [Value::Object(only)] if only.len() == 2 && only.get("text").is_some_and(Value::is_string) => {
            only["text"].take()
        }
        _ => pieces.into(),
    }
}

/// A piece of a message's content; `None` for what is an item of its own.
fn piece(content: &Content, role: &str) -> Result<Option<Map<String, Value>>, Error> {
    let kind = if role == "assistant" { "output_text" } else { "input_text" };
    let value = match content {
        Content::Text(text) => json!({"type": kind, "text": text}),
        Content::Refusal(text) => json!({"type": "refusal", "refusal": text}),
        Content::Image(media) => image(media),
        Content::Audio(media) => audio(media)?,
        Content::Document(media) => document(media),
        Content::Reasoning(_) | Content::ToolCall(_) | Content::ToolResult(_) | Content::Opaque(_) => {
            return Ok(None);
        }
    };
    Ok(value.as_object().cloned())
}

fn image(media: &Media) -> Value {
    let mut image = Map::from_iter([("type".to_owned(), "input_image".into())]);
    match &media.source {
        MediaSource::Url(url) => put(&mut image, "image_url", Some(url.clone())),
        MediaSource::Base64(data) => {
            put(&mut image, "image_url", Some(data_url(media, "image/png", data)));
        }
        MediaSource::FileId(id) => put(&mut image, "file_id", Some(id.clone())),
    }
    put(&mut image, "detail", media.detail.clone());
    image.into()
}

fn document(media: &Media) -> Value {
    let mut file = Map::from_iter([("type".to_owned(), "input_file".into())]);
    match &media.source {
        MediaSource::Url(url) => {
            put(&mut file, "filename", media.name.clone());
            put(&mut file, "file_url", Some(url.clone()));
        }
        MediaSource::Base64(data) => {
            // Data needs a name here, which other families do not ask for.
            put(&mut file, "filename", Some(media.name.as_deref().unwrap_or("document.pdf")));
            put(&mut file, "file_data", Some(data_url(media, "application/pdf", data)));
        }
        MediaSource::FileId(id) => put(&mut file, "file_id", Some(id.clone())),
    }
    file.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use canonical::request::Opaque;

    fn part(content: Content, fields: &Value) -> Part {
        let mut part = Part::from(content);
        part.extensions.extend(FAMILY, fields.as_object().cloned().unwrap_or_default());
        part
    }

    fn items(messages: &[Message]) -> Value {
        convert(messages).unwrap().items.into()
    }

    #[test]
    fn instructions_alone_are_sent_as_a_message() {
        let conversation = convert(&[Message::text(Role::System, "Begin.")]).unwrap();
        assert_eq!(conversation.instructions, None);
        assert_eq!(conversation.items, [json!({"role": "system", "content": "Begin."})]);
    }

    #[test]
    fn another_familys_thoughts_and_tools_stay_behind() {
        let thought = Reasoning { text: "Hm.".into(), signature: Some("s".into()), ..Reasoning::default() };
        let search =
            ToolCall { id: "1".into(), name: "search".into(), is_server_side: true, ..ToolCall::default() };
        let found =
            Opaque { family: "anthropic-messages".into(), value: json!({"type": "web_search_tool_result"}) };
        let parts = vec![
            Content::Reasoning(thought).into(),
            Content::ToolCall(search).into(),
            Content::Opaque(found).into(),
            Part::text("Done."),
        ];
        let said = items(&[Message::new(Role::Assistant, parts)]);
        assert_eq!(said, json!([{"role": "assistant", "content": "Done."}]));
    }

    #[test]
    fn a_custom_tools_result_has_the_type_of_its_call() {
        let call = ToolCall {
            id: "c1".into(),
            name: "sql".into(),
            arguments: "SELECT 1".into(),
            ..ToolCall::default()
        };
        let result =
            ToolResult { call_id: "c1".into(), name: None, content: vec![Part::text("1")], is_error: false };
        let said = items(&[
            Message::new(
                Role::Assistant,
                vec![part(Content::ToolCall(call), &json!({"type": "custom_tool_call"}))],
            ),
            Message::new(Role::Tool, vec![Content::ToolResult(result).into()]),
        ]);
        let expected = json!([
            {"type": "custom_tool_call", "call_id": "c1", "name": "sql", "input": "SELECT 1"},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": "1"}
        ]);
        assert_eq!(said, expected);
    }

    #[test]
    fn files_go_as_data_a_link_or_an_id() {
        let file = |source| Media { source, media_type: None, name: None, detail: None };
        let parts = vec![
            Content::Document(file(MediaSource::Base64("AA==".into()))).into(),
            Content::Document(file(MediaSource::Url("https://example.com/a.pdf".into()))).into(),
            Content::Image(file(MediaSource::FileId("file-1".into()))).into(),
            Content::Audio(file(MediaSource::Base64("AA==".into()))).into(),
        ];
        let said = items(&[Message::new(Role::User, parts)]);
        let expected = json!([
            {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,AA=="},
            {"type": "input_file", "file_url": "https://example.com/a.pdf"},
            {"type": "input_image", "file_id": "file-1"},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}
        ]);
        assert_eq!(said[0]["content"], expected);
    }
}
