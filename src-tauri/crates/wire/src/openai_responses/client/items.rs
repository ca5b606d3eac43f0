//! Output items as they are written, and what each says when it is whole.
//!
//! Deltas are passed on as they come. The finished item repeats all of it; what a lost or missing
//! delta (LM Studio sends none for arguments) did not bring is passed on then. Bookkeeping is by
//! place, never by an item's id: Copilot gives each event another one.

mod call;
mod message;
mod thought;

use canonical::event::StreamEvent;
use canonical::request::{Media, MediaSource, Opaque};
use canonical::{Error, PartDelta, PartKind};
use serde_json::{Map, Value};

use super::super::types::{Event, Item};
use super::super::{FAMILY, PART_PREFIX};
use crate::json::image_type;

pub(super) use call::{Call, broken_call};
pub(super) use message::Message;
pub(super) use thought::Thought;

use thought::Source;

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

    /// Starts a part of an item that was announced with these fields.
    fn start_with(&mut self, kind: PartKind, fields: &Map<String, Value>) -> u32 {
        self.part_fields(*self.next_part, fields.clone());
        self.start(kind)
    }

    /// Says what only this family can say of a part.
    fn part_fields(&mut self, index: u32, fields: Map<String, Value>) {
        if !fields.is_empty() {
            let fields = Map::from_iter([(format!("{PART_PREFIX}{index}"), Value::Object(fields))]);
            self.out.push(StreamEvent::Extension { choice: Some(0), family: FAMILY.to_owned(), fields });
        }
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
        self.part_fields(index, fields);
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
    /// Another tool that the provider ran and may bill by the call, as price lists name it.
    pub tool: Option<&'static str>,
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
            "message" => Self::Message(Message::of(&item)),
            "reasoning" => Self::Thought(Thought::of(&item)),
            kind @ ("function_call" | "custom_tool_call") => {
                let mut call = Call::new(kind == "custom_tool_call");
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
            "response.function_call_arguments.delta" => Self::Call(Call::new(false)),
            "response.custom_tool_call_input.delta" => Self::Call(Call::new(true)),
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
        if let Self::Message(message) = self {
            message.annotation(content_index, annotation);
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
            (Self::Other(announced), kind) if kind_of(&announced) == kind => match kind {
                "image_generation_call" => image(item, sink),
                _ => sink.opaque(item),
            },
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
            Self::Message(message) => message.abandon(sink),
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
        _ => false,
    };
    // Calls of MCP servers and searches among tools cost their tokens alone.
    let tool = match kind {
        "file_search_call" => Some("file_search"),
        "code_interpreter_call" => Some("code_interpreter"),
        // Its tokens are another model's, and in no count of this answer.
        "image_generation_call" => Some("image_generation"),
        "x_search_call" => Some("x_search"),
        _ => None,
    };
    let has_failed = item.get("status").is_some_and(|status| status == "failed");
    Meaning { is_client_call, is_search, tool: tool.filter(|_| !has_failed) }
}

/// What an item is announced with that stays true when it is done, and is short.
fn announced(item: &Item) -> Map<String, Value> {
    const NAMES: [&str; 5] = ["type", "id", "phase", "namespace", "name"];
    let named =
        NAMES.iter().filter_map(|name| Some((*name, item.get(*name).filter(|value| value.is_string())?)));
    named.map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

/// Without the fields that say nothing.
fn telling(mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    fields
}

fn lists<const N: usize>(named: [(&str, Vec<Value>); N]) -> Map<String, Value> {
    telling(named.into_iter().map(|(name, list)| (name.to_owned(), Value::Array(list))).collect())
}

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
