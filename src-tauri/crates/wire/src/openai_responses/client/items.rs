//! Output items as they are written, and what each says when it is whole.
//!
//! Deltas are passed on as they come. The finished item repeats all of it; what a lost or missing
//! delta (LM Studio sends none for arguments) did not bring is passed on then. Bookkeeping is by
//! place, never by an item's id: Copilot gives each event another one.

use std::collections::BTreeMap;

use canonical::event::StreamEvent;
use canonical::request::{Media, MediaSource, Opaque};
use canonical::{Error, ErrorKind, Origin, PartDelta, PartKind};
use serde_json::{Map, Value};

use super::super::types::{Event, Item};
use super::super::{BETWEEN_THOUGHTS, FAMILY, ITEM_PREFIX, PART_PREFIX};
use crate::json::image_type;

/// Where events go, and the number of the next part.
pub(super) struct Sink<'a> {
    pub out: &'a mut Vec<StreamEvent>,
    pub next_part: &'a mut u32,
}

impl Sink<'_> {
    fn start(&mut self, kind: PartKind) -> u32 {
        let index = *self.next_part;
        *self.next_part += 1;
        self.out.push(StreamEvent::PartStart { index, choice: 0, kind });
        index
    }

    fn delta(&mut self, index: u32, delta: PartDelta) {
        if !delta.is_empty() {
            self.out.push(StreamEvent::PartDelta { index, delta });
        }
    }

    fn end(&mut self, index: u32) {
        self.out.push(StreamEvent::PartEnd { index });
    }

    /// Ends a part with what only this family can say of it.
    fn end_with(&mut self, index: u32, fields: Map<String, Value>) {
        if !fields.is_empty() {
            let fields = Map::from_iter([(format!("{PART_PREFIX}{index}"), Value::Object(fields))]);
            self.out.push(StreamEvent::Extension { choice: Some(0), family: FAMILY.to_owned(), fields });
        }
        self.end(index);
    }

    fn opaque(&mut self, item: Item) {
        let opaque = Opaque { family: FAMILY.to_owned(), value: Value::Object(item) };
        let index = self.start(PartKind::Opaque { opaque });
        self.end(index);
    }
}

/// What a finished item means for the whole answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Meaning {
    /// The client is to run it and answer.
    pub is_client_call: bool,
    /// A search that the provider ran and bills.
    pub is_search: bool,
}

/// One item that is still being written.
#[derive(Debug)]
pub(super) enum OpenItem {
    Message(Message),
    Thought(Thought),
    Call(Call),
    /// Kept as it is, with what its deltas brought.
    Other(Item),
}

impl OpenItem {
    /// Of `item` as it was announced.
    pub(super) fn new(item: Item, sink: &mut Sink<'_>) -> Self {
        match kind_of(&item) {
            "message" => Self::Message(Message::default()),
            "reasoning" => Self::Thought(Thought::default()),
            kind @ ("function_call" | "custom_tool_call") => {
                let mut call = Call { is_custom: kind == "custom_tool_call", ..Call::default() };
                call.open(&item, sink);
                Self::Call(call)
            }
            _ => Self::Other(item),
        }
    }

    /// Of an item whose announcement was lost, by the delta that belongs to it.
    pub(super) fn of_delta(kind: &str) -> Option<Self> {
        Some(match kind {
            "response.output_text.delta" | "response.refusal.delta" => Self::Message(Message::default()),
            "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => {
                Self::Thought(Thought::default())
            }
            "response.function_call_arguments.delta" => Self::Call(Call::default()),
            "response.custom_tool_call_input.delta" => {
                Self::Call(Call { is_custom: true, ..Call::default() })
            }
            _ => return None,
        })
    }

    /// Takes a delta; false where it does not fit the item.
    pub(super) fn delta(&mut self, event: Event<'_>, sink: &mut Sink<'_>) -> bool {
        let Some(delta) = event.delta else { return false };
        match (self, &*event.kind) {
            (Self::Message(message), kind @ ("response.output_text.delta" | "response.refusal.delta")) => {
                let is_refusal = kind == "response.refusal.delta";
                message.delta(event.content_index.unwrap_or(0), is_refusal, delta, sink);
            }
            (Self::Thought(thought), "response.reasoning_summary_text.delta") => {
                thought.delta((Source::Summary, event.summary_index.unwrap_or(0)), &delta, sink);
            }
            (Self::Thought(thought), "response.reasoning_text.delta") => {
                thought.delta((Source::Content, event.content_index.unwrap_or(0)), &delta, sink);
            }
            (
                Self::Call(call),
                "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta",
            ) => call.delta(delta, sink),
            (Self::Other(item), kind) => append(item, kind, &delta),
            _ => return false,
        }
        true
    }

    /// A citation of a text, ahead of the finished item that lists them all.
    pub(super) fn annotation(&mut self, content_index: u64, annotation: Value) {
        if let Self::Message(message) = self
            && let Some(prose) = message.prose.get_mut(&content_index)
        {
            prose.annotations.push(annotation);
        }
    }

    /// The item is whole: `item` says all of it. `Err` where what was passed on of a tool call
    /// cannot become what the item says.
    pub(super) fn finish(self, item: Item, sink: &mut Sink<'_>) -> Result<Meaning, Error> {
        let meaning = meaning(&item);
        match (self, kind_of(&item)) {
            (Self::Message(message), "message") => message.finish(item, sink),
            (Self::Thought(thought), "reasoning") => thought.finish(item, sink),
            (Self::Call(call), "function_call" | "custom_tool_call") => call.finish(item, sink)?,
            (Self::Other(_), "image_generation_call") => image(item, sink),
            (Self::Other(_), _) => sink.opaque(item),
            // Another item than was announced: both are kept.
            (open, _) => {
                open.abandon(sink);
                return Self::new(item.clone(), sink).finish(item, sink);
            }
        }
        Ok(meaning)
    }

    /// Of a call that the client has begun to see: whether its arguments make sense as they are.
    pub(super) fn call_is_whole(&self) -> Option<bool> {
        match self {
            Self::Call(call) => call.part.map(|_| call.is_whole()),
            _ => None,
        }
    }

    /// The answer broke off: what had arrived is ended.
    pub(super) fn abandon(self, sink: &mut Sink<'_>) {
        match self {
            Self::Message(message) => {
                for prose in message.prose.into_values() {
                    sink.end_with(prose.part, lists([("annotations", prose.annotations)]));
                }
            }
            Self::Thought(Thought { part, .. }) | Self::Call(Call { part, .. }) => {
                if let Some(part) = part {
                    sink.end(part);
                }
            }
            Self::Other(item) => sink.opaque(item),
        }
    }
}

pub(super) fn kind_of(item: &Item) -> &str {
    item.get("type").and_then(Value::as_str).unwrap_or("")
}

fn meaning(item: &Item) -> Meaning {
    let kind = kind_of(item);
    let is_client_call = match kind {
        "function_call" | "custom_tool_call" | "apply_patch_call" | "local_shell_call" | "computer_call" => {
            true
        }
        // <https://platform.openai.com/docs/guides/tools-shell>
        "shell_call" => {
            let environment = item.get("environment").and_then(|place| place.get("type"));
            environment.is_none_or(|kind| kind == "local")
        }
        // <https://platform.openai.com/docs/guides/tools-tool-search>
        "tool_search_call" => item.get("execution").is_some_and(|by| by == "client"),
        _ => false,
    };
    // Opening a page and finding words in it are steps of one search, and free.
    let action = || item.get("action").and_then(|action| action.get("type")).and_then(Value::as_str);
    let is_search = match kind {
        "web_search_call" => action().is_none_or(|action| action == "search"),
        "x_search_call" => true,
        _ => false,
    };
    Meaning { is_client_call, is_search }
}

// === messages ===

#[derive(Debug, Default)]
pub(super) struct Message {
    /// By their index in the message's content; empty ones are never opened.
    prose: BTreeMap<u64, Prose>,
}

#[derive(Debug)]
struct Prose {
    part: u32,
    is_refusal: bool,
    said: String,
    annotations: Vec<Value>,
}

impl Prose {
    fn open(is_refusal: bool, sink: &mut Sink<'_>) -> Self {
        let part = sink.start(if is_refusal { PartKind::Refusal } else { PartKind::Text });
        Self { part, is_refusal, said: String::new(), annotations: Vec::new() }
    }
}

impl Message {
    fn delta(&mut self, content_index: u64, is_refusal: bool, delta: String, sink: &mut Sink<'_>) {
        if delta.is_empty() {
            return;
        }
        let prose = self.prose.entry(content_index).or_insert_with(|| Prose::open(is_refusal, sink));
        prose.said.push_str(&delta);
        sink.delta(prose.part, PartDelta::Text(delta));
    }

    /// Pieces are matched by their order: Bedrock counts them from 1 while it streams.
    fn finish(self, mut item: Item, sink: &mut Sink<'_>) {
        let contents = match item.remove("content") {
            Some(Value::Array(contents)) => contents,
            Some(Value::String(text)) => vec![serde_json::json!({"type": "output_text", "text": text})],
            _ => Vec::new(),
        };
        let mut open = self.prose.into_values();
        for content in contents {
            let Value::Object(mut content) = content else { continue };
            let Some((is_refusal, text)) = prose_of(&mut content) else {
                content_alone(&item, content, sink);
                continue;
            };
            if text.is_empty() {
                continue;
            }
            let prose = open.next().unwrap_or_else(|| Prose::open(is_refusal, sink));
            if let Some(more) = text.strip_prefix(&prose.said).filter(|_| prose.is_refusal == is_refusal) {
                sink.delta(prose.part, PartDelta::Text(more.to_owned()));
            }
            sink.end_with(prose.part, message_fields(&item, content));
        }
        for prose in open {
            sink.end_with(prose.part, lists([("annotations", prose.annotations)]));
        }
    }
}

/// Takes the text out of a piece of content; `None` where it is of a kind without.
fn prose_of(content: &mut Map<String, Value>) -> Option<(bool, String)> {
    let (is_refusal, name) = match content.get("type").and_then(Value::as_str) {
        Some("output_text" | "text") => (false, "text"),
        Some("refusal") => (true, "refusal"),
        _ => return None,
    };
    content.shift_remove("type");
    match content.shift_remove(name) {
        Some(Value::String(text)) => Some((is_refusal, text)),
        _ => Some((is_refusal, String::new())),
    }
}

/// A piece of content that this version has no word for: kept in a message of its own.
fn content_alone(item: &Item, content: Map<String, Value>, sink: &mut Sink<'_>) {
    let mut item = item.clone();
    item.insert("content".into(), vec![Value::Object(content)].into());
    sink.opaque(item);
}

fn message_fields(item: &Item, content: Map<String, Value>) -> Map<String, Value> {
    let of_item = item
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "type" | "role" | "content"))
        .map(|(name, value)| (format!("{ITEM_PREFIX}{name}"), value.clone()));
    telling(of_item.chain(content).collect())
}

/// Without the fields that say nothing.
fn telling(mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    fields
}

fn lists<const N: usize>(named: [(&str, Vec<Value>); N]) -> Map<String, Value> {
    telling(named.into_iter().map(|(name, list)| (name.to_owned(), Value::Array(list))).collect())
}

// === reasoning ===

#[derive(Debug, Default)]
pub(super) struct Thought {
    part: Option<u32>,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    place: Place,
    said: String,
}

/// Which of an item's two lists a piece of its thought is in, and where.
type Place = (Source, u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Summary,
    Content,
}

impl Thought {
    fn delta(&mut self, place: Place, delta: &str, sink: &mut Sink<'_>) {
        if delta.is_empty() {
            return;
        }
        let part = self.part(sink);
        if self.pieces.last().is_none_or(|last| last.place != place) {
            if !self.pieces.is_empty() {
                sink.delta(part, PartDelta::Text(BETWEEN_THOUGHTS.to_owned()));
            }
            self.pieces.push(Piece { place, said: String::new() });
        }
        if let Some(last) = self.pieces.last_mut() {
            last.said.push_str(delta);
        }
        sink.delta(part, PartDelta::Text(delta.to_owned()));
    }

    fn part(&mut self, sink: &mut Sink<'_>) -> u32 {
        *self.part.get_or_insert_with(|| sink.start(PartKind::Reasoning))
    }

    fn finish(mut self, item: Item, sink: &mut Sink<'_>) {
        let summary = self.complete(Source::Summary, item.get("summary"), sink);
        let content = self.complete(Source::Content, item.get("content"), sink);
        let encrypted = item.get("encrypted_content").and_then(Value::as_str).unwrap_or("").to_owned();
        if self.part.is_none() && encrypted.is_empty() {
            sink.opaque(item);
            return;
        }
        let part = self.part(sink);
        // The announcement has an encrypted form as well, of a thought not yet thought.
        sink.delta(part, PartDelta::Encrypted(encrypted));
        let mut fields = telling(item);
        fields.shift_remove("encrypted_content");
        if summary <= 1 && content == 0 {
            fields.shift_remove("summary");
        }
        sink.end_with(part, fields);
    }

    /// Passes on what deltas did not bring of one list; says how many pieces it has.
    fn complete(&mut self, source: Source, list: Option<&Value>, sink: &mut Sink<'_>) -> usize {
        let texts = list.and_then(Value::as_array).into_iter().flatten();
        let texts = texts.filter_map(|piece| piece.get("text")?.as_str()).filter(|text| !text.is_empty());
        let mut count = 0;
        for text in texts {
            let known =
                self.pieces.iter().enumerate().filter(|(_, piece)| piece.place.0 == source).nth(count);
            count += 1;
            match known {
                None => self.delta((source, u64::MAX - count as u64), text, sink),
                Some((at, piece)) => {
                    // Text can only be added at the end.
                    let more = text.strip_prefix(&piece.said).filter(|_| at + 1 == self.pieces.len());
                    let place = piece.place;
                    if let Some(more) = more.map(str::to_owned) {
                        self.delta(place, &more, sink);
                    }
                }
            }
        }
        count
    }
}

// === tool calls ===

#[derive(Debug, Default)]
pub(super) struct Call {
    /// `None` until the call's id and name are known.
    part: Option<u32>,
    is_custom: bool,
    said: String,
}

impl Call {
    fn open(&mut self, item: &Item, sink: &mut Sink<'_>) {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
        let (id, name) = (text("call_id"), text("name"));
        if self.part.is_none() && !id.is_empty() && !name.is_empty() {
            self.part = Some(sink.start(PartKind::ToolCall { id, name, is_server_side: false }));
        }
    }

    fn delta(&mut self, delta: String, sink: &mut Sink<'_>) {
        self.said.push_str(&delta);
        if let Some(part) = self.part {
            sink.delta(part, PartDelta::Arguments(delta));
        }
    }

    fn finish(mut self, mut item: Item, sink: &mut Sink<'_>) -> Result<(), Error> {
        if self.part.is_none() {
            // Nothing was passed on yet.
            self.said.clear();
            self.open(&item, sink);
        }
        let Some(part) = self.part else {
            // No client can answer a call without an id or a name.
            sink.opaque(item);
            return Ok(());
        };
        let said_in = if self.is_custom { "input" } else { "arguments" };
        let whole = match item.shift_remove(said_in) {
            Some(Value::String(text)) => text,
            None | Some(Value::Null) => self.said.clone(),
            Some(object) => object.to_string(),
        };
        match whole.strip_prefix(&self.said) {
            Some(more) => sink.delta(part, PartDelta::Arguments(more.to_owned())),
            None if self.is_whole() => {}
            None => {
                sink.end(part);
                return Err(broken_call());
            }
        }
        item.shift_remove("call_id");
        item.shift_remove("name");
        sink.end_with(part, telling(item));
        Ok(())
    }

    /// Whether what was passed on makes sense, though the finished item writes it otherwise.
    fn is_whole(&self) -> bool {
        self.is_custom || serde_json::from_str::<serde::de::IgnoredAny>(&self.said).is_ok()
    }
}

/// What was passed on of a call's arguments cannot become what the provider says they are.
pub(super) fn broken_call() -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Origin::Provider,
        "A piece of a tool call's arguments was lost on the way.",
    )
}

// === everything else ===

/// `response.code_interpreter_call_code.delta` is more of the field `code`,
/// `response.apply_patch_call_operation_diff.delta` of `diff` in `operation`.
fn append(item: &mut Item, kind: &str, delta: &str) {
    let named = kind.strip_prefix("response.").and_then(|name| name.strip_suffix(".delta"));
    let field = named.and_then(|name| name.strip_prefix(kind_of(item))?.strip_prefix('_'));
    let Some(field) = field.map(str::to_owned) else { return };
    let inner = field.split_once('_').and_then(|(outer, inner)| {
        let outer = item.get_mut(outer)?.as_object_mut()?;
        Some(outer.entry(inner).or_insert_with(|| "".into()))
    });
    let place = match inner {
        Some(place) => place,
        None => item.entry(field).or_insert_with(|| "".into()),
    };
    match place {
        Value::String(have) => have.push_str(delta),
        place => *place = delta.into(),
    }
}

/// An image that the model made; without one (it failed, or is not done) the item is opaque.
fn image(mut item: Item, sink: &mut Sink<'_>) {
    match item.shift_remove("result") {
        Some(Value::String(data)) if !data.is_empty() => {
            let format = item.get("output_format").and_then(Value::as_str);
            let media_type =
                format.map_or_else(|| image_type(&data).to_owned(), |name| format!("image/{name}"));
            let media = Media {
                source: MediaSource::Base64(data),
                media_type: Some(media_type),
                name: None,
                detail: None,
            };
            let index = sink.start(PartKind::Image { media });
            sink.end_with(index, telling(item));
        }
        _ => sink.opaque(item),
    }
}
