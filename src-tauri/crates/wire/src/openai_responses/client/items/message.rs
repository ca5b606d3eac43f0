//! A `message`: its pieces of content, and what the finished item says of each.

use std::collections::BTreeMap;

use canonical::{PartDelta, PartKind};
use serde_json::{Map, Value};

use super::super::super::ITEM_PREFIX;
use super::super::super::types::Item;
use super::{Sink, announced, lists, telling};

#[derive(Debug, Default)]
pub(in super::super) struct Message {
    /// By their index in the message's content; empty ones are never opened.
    prose: BTreeMap<u64, Prose>,
    /// What the item was announced with.
    announced: Map<String, Value>,
}

#[derive(Debug)]
struct Prose {
    part: u32,
    is_refusal: bool,
    said: String,
    annotations: Vec<Value>,
}

impl Prose {
    fn open(is_refusal: bool, announced: &Map<String, Value>, sink: &mut Sink<'_>) -> Self {
        let kind = if is_refusal { PartKind::Refusal } else { PartKind::Text };
        let part = sink.start_with(kind, announced);
        Self { part, is_refusal, said: String::new(), annotations: Vec::new() }
    }
}

impl Message {
    pub(super) fn of(item: &Item) -> Self {
        Self { announced: message_fields(&announced(item), Map::new()), ..Self::default() }
    }

    pub(super) fn delta(&mut self, content_index: u64, is_refusal: bool, delta: String, sink: &mut Sink<'_>) {
        if delta.is_empty() {
            return;
        }
        let announced = &self.announced;
        let prose =
            self.prose.entry(content_index).or_insert_with(|| Prose::open(is_refusal, announced, sink));
        prose.said.push_str(&delta);
        sink.delta(prose.part, PartDelta::Text(delta));
    }

    /// A citation of a text, ahead of the finished item that lists them all.
    pub(super) fn annotation(&mut self, content_index: u64, annotation: Value) {
        if let Some(prose) = self.prose.get_mut(&content_index) {
            prose.annotations.push(annotation);
        }
    }

    pub(super) fn abandon(self, sink: &mut Sink<'_>) {
        for prose in self.prose.into_values() {
            sink.end_with(prose.part, lists([("annotations", prose.annotations)]));
        }
    }

    /// Pieces are matched by their order: Bedrock counts them from 1 while it streams. A hole that
    /// a lost delta left in a text stays: what was passed on cannot be taken back, and a text is
    /// worth having without a word of it.
    pub(super) fn finish(self, mut item: Item, sink: &mut Sink<'_>) {
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
            let prose = open.next().unwrap_or_else(|| Prose::open(is_refusal, &self.announced, sink));
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
