//! Events → `chat.completion.chunk`s, as the official SDKs' parsers expect them.
//!
//! A stream that breaks off ends with `data: {"error": …}` and nothing behind it: no finish reason
//! and no `[DONE]`, so that no client takes what it has for the whole answer.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{Error, FinishReason, PartDelta, PartKind, StreamEvent, Usage};
use serde_json::{Map, Value, json};

use super::{answer, error};
use crate::custom_tools;
use crate::openai_chat::types::{FAMILY, MESSAGE_PREFIX};
use crate::openai_responses::FAMILY as RESPONSES;
use crate::{AnswerContext, StreamEncoder};

#[derive(Debug)]
pub(super) struct Encoder {
    context: AnswerContext,
    id: String,
    model: String,
    created: i64,
    system_fingerprint: Option<String>,
    /// Parts whose deltas are passed on.
    parts: BTreeMap<u32, Place>,
    /// Parts that are calls with free-form input, as Responses' fields say ahead of them.
    customs: BTreeSet<u32>,
    /// How many tool calls each choice has shown.
    calls: BTreeMap<u32, u32>,
    /// Choices whose first delta, with the role, was sent.
    begun: BTreeSet<u32>,
    /// The family's fields of each choice, until the chunk that they go with.
    waiting: BTreeMap<u32, Waiting>,
    /// The next number of an entry, by choice and list (`annotations`, `reasoning_details`, …).
    entries: BTreeMap<(u32, String), u64>,
    /// The family's fields of the whole answer, until the next chunk.
    waiting_top: Map<String, Value>,
    usage: Option<Usage>,
    usage_fields: Option<Value>,
    has_failed: bool,
}

#[derive(Debug, Default)]
struct Waiting {
    delta: Map<String, Value>,
    outer: Map<String, Value>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    choice: u32,
    form: Form,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    /// A text field of the delta.
    Prose(&'static str),
    /// A tool call, by its number within the choice.
    Call(u32),
    /// One with free-form input.
    Custom(u32),
}

impl Encoder {
    pub(super) fn new(context: &AnswerContext) -> Self {
        Self {
            id: context.request_id.clone(),
            model: context.requested_model.clone(),
            created: context.created,
            context: context.clone(),
            system_fingerprint: None,
            parts: BTreeMap::new(),
            customs: BTreeSet::new(),
            calls: BTreeMap::new(),
            begun: BTreeSet::new(),
            waiting: BTreeMap::new(),
            entries: BTreeMap::new(),
            waiting_top: Map::new(),
            usage: None,
            usage_fields: None,
            has_failed: false,
        }
    }

    fn part_start(&mut self, index: u32, choice: u32, kind: &PartKind, out: &mut Vec<u8>) {
        let form = match kind {
            PartKind::Text => Form::Prose("content"),
            PartKind::Reasoning => Form::Prose("reasoning_content"),
            PartKind::Refusal => Form::Prose("refusal"),
            // The provider answers it itself; to the client it would be a call nobody declared.
            PartKind::ToolCall { is_server_side: true, .. } | PartKind::Audio { .. } => return,
            PartKind::ToolCall { id, name, .. } if self.customs.contains(&index) => {
                let number = self.next_call(choice);
                let mut call = custom_tools::chat_call_of(id, name, "");
                call["index"] = number.into();
                self.delta(choice, "tool_calls", json!([call]), out);
                Form::Custom(number)
            }
            PartKind::ToolCall { id, name, .. } => {
                let number = self.next_call(choice);
                let call = json!({
                    "index": number,
                    "id": id,
                    "type": "function",
                    "function": {"name": name, "arguments": ""},
                });
                self.delta(choice, "tool_calls", json!([call]), out);
                Form::Call(number)
            }
            PartKind::Image { media } => {
                if let Some(image) = answer::image(media) {
                    self.delta(choice, "images", json!([image]), out);
                }
                return;
            }
            PartKind::Opaque { opaque } => {
                if let Some(mut call) = answer::custom_call(opaque) {
                    call["index"] = self.next_call(choice).into();
                    self.delta(choice, "tool_calls", json!([call]), out);
                }
                return;
            }
        };
        self.parts.insert(index, Place { choice, form });
    }

    fn next_call(&mut self, choice: u32) -> u32 {
        let count = self.calls.entry(choice).or_default();
        *count += 1;
        *count - 1
    }

    fn part_delta(&mut self, index: u32, delta: &PartDelta, out: &mut Vec<u8>) {
        let Some(Place { choice, form }) = self.parts.get(&index).copied() else { return };
        match (form, delta) {
            (Form::Prose(field), PartDelta::Text(text)) => {
                self.delta(choice, field, text.clone().into(), out);
            }
            (Form::Call(number), PartDelta::Arguments(pieces)) => {
                let call = json!({"index": number, "function": {"arguments": pieces}});
                self.delta(choice, "tool_calls", json!([call]), out);
            }
            (Form::Custom(number), PartDelta::Arguments(pieces)) => {
                let call = json!({"index": number, "custom": {"input": pieces}});
                self.delta(choice, "tool_calls", json!([call]), out);
            }
            (Form::Call(number), PartDelta::Signature(signature)) => {
                // The SDK for Python insists on a function in every piece of a call.
                let call = json!({
                    "index": number,
                    "function": {"arguments": ""},
                    "extra_content": answer::signature_field(signature),
                });
                self.delta(choice, "tool_calls", json!([call]), out);
            }
            _ => {}
        }
    }

    /// Fields wait for the chunk that they stood in, so that a client sees them beside the content
    /// again, and no chunk without choices in the middle of a stream.
    fn extension(&mut self, choice: Option<u32>, fields: &Map<String, Value>, out: &mut Vec<u8>) {
        let Some(choice) = choice else {
            let mut fields = fields.clone();
            self.usage_fields = fields.shift_remove("usage").or(self.usage_fields.take());
            self.waiting_top.extend(fields);
            return;
        };
        let has_same = |waiting: &Waiting| {
            fields.keys().any(|name| match name.strip_prefix(MESSAGE_PREFIX) {
                Some(name) => waiting.delta.contains_key(name),
                None => waiting.outer.contains_key(name),
            })
        };
        // The next of the same: what waits had no content beside it.
        if self.waiting.get(&choice).is_some_and(has_same) {
            self.choice(choice, Map::new(), Value::Null, out);
        }
        let waiting = self.waiting.entry(choice).or_default();
        for (name, value) in fields {
            match name.strip_prefix(MESSAGE_PREFIX) {
                Some(name) => waiting.delta.insert(name.to_owned(), value.clone()),
                None => waiting.outer.insert(name.clone(), value.clone()),
            };
        }
    }

    fn finish(&mut self, choice: u32, reason: FinishReason, out: &mut Vec<u8>) {
        if reason == FinishReason::Error {
            let error = Error::new(
                canonical::ErrorKind::ServerError,
                canonical::Origin::Provider,
                "The provider ended its answer with an error of its own.",
            );
            self.error(&error, out);
            return;
        }
        let word = answer::finish_word(reason, self.calls.contains_key(&choice));
        self.choice(choice, Map::new(), word.into(), out);
    }

    fn delta(&mut self, choice: u32, field: &str, value: Value, out: &mut Vec<u8>) {
        self.choice(choice, Map::from_iter([(field.to_owned(), value)]), Value::Null, out);
    }

    fn choice(&mut self, index: u32, mut delta: Map<String, Value>, finish_reason: Value, out: &mut Vec<u8>) {
        if self.begun.insert(index) {
            delta.insert("role".into(), "assistant".into());
        }
        let waiting = self.waiting.remove(&index).unwrap_or_default();
        for (name, value) in waiting.delta {
            delta.entry(name).or_insert(value);
        }
        self.number_entries(index, &mut delta);
        let mut choice = Map::from_iter([
            ("index".to_owned(), index.into()),
            ("delta".to_owned(), delta.into()),
            ("logprobs".to_owned(), Value::Null),
        ]);
        choice.extend(waiting.outer);
        choice.insert("finish_reason".into(), finish_reason);
        self.chunk(&json!([choice]), Map::new(), out);
    }

    /// Numbers the entries of lists that have no number: the SDKs put a list together by `index`,
    /// and the one for Python fails without (OpenRouter sends annotations so).
    fn number_entries(&mut self, choice: u32, delta: &mut Map<String, Value>) {
        for (name, value) in delta.iter_mut() {
            let Value::Array(entries) = value else { continue };
            let next = self.entries.entry((choice, name.clone())).or_default();
            for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
                let index = entry.get("index").and_then(Value::as_u64).unwrap_or(*next);
                entry.insert("index".into(), index.into());
                *next = (*next).max(index + 1);
            }
        }
    }

    fn chunk(&mut self, choices: &Value, more: Map<String, Value>, out: &mut Vec<u8>) {
        let mut object = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if let Some(fingerprint) = &self.system_fingerprint {
            object["system_fingerprint"] = fingerprint.clone().into();
        }
        if self.context.include_usage {
            object["usage"] = Value::Null;
        }
        if let Value::Object(object) = &mut object {
            object.extend(more);
            // What came with the usage (Venice's cost) goes with the usage.
            let is_before_usage = self.context.include_usage && self.usage.is_some();
            let waiting = if is_before_usage { Map::new() } else { std::mem::take(&mut self.waiting_top) };
            for (name, value) in waiting {
                object.entry(name).or_insert(value);
            }
        }
        write(&object, out);
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        if self.has_failed {
            return;
        }
        match event {
            StreamEvent::Start(start) => {
                self.id = start.id.clone().unwrap_or_else(|| self.context.request_id.clone());
                self.model = start.model.clone().unwrap_or_else(|| self.context.requested_model.clone());
                self.created = start.created.unwrap_or(self.context.created);
                self.system_fingerprint.clone_from(&start.system_fingerprint);
            }
            StreamEvent::PartStart { index, choice, kind } => self.part_start(*index, *choice, kind, out),
            StreamEvent::PartDelta { index, delta } => self.part_delta(*index, delta, out),
            StreamEvent::PartEnd { index } => drop(self.parts.remove(index)),
            StreamEvent::Usage(usage) => self.usage = Some(Usage::clone(usage)),
            StreamEvent::Extension { choice, family, fields } if family == FAMILY => {
                self.extension(*choice, fields, out);
            }
            StreamEvent::Extension { family, fields, .. } if family == RESPONSES => {
                self.customs.extend(custom_tools::parts_in(fields));
            }
            StreamEvent::Extension { .. } => {}
            StreamEvent::Finish { choice, reason, .. } => self.finish(*choice, *reason, out),
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.has_failed, true) {
            write(&error::body(error, Some(&self.context.request_id)), out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_failed, true) {
            return;
        }
        if let Some(usage) = self.usage.take().filter(|_| self.context.include_usage) {
            let usage = answer::usage(&usage, self.usage_fields.as_ref());
            self.chunk(&Value::Array(Vec::new()), Map::from_iter([("usage".to_owned(), usage)]), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

fn write(value: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(value.to_string().as_bytes());
    out.extend_from_slice(b"\n\n");
}
