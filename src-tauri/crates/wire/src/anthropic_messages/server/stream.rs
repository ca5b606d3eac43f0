//! Events → the events of a streamed message, as the official SDKs put them together again.
//! <https://docs.claude.com/en/docs/build-with-claude/streaming>
//!
//! Blocks follow one another on this wire and never overlap. Parts do: what comes of a later part
//! while an earlier one is open waits for its turn. A stream that breaks off ends with an `error`
//! event and nothing behind it, so that no client takes what it has for the whole answer.

use std::collections::VecDeque;

use canonical::event::ResponseStart;
use canonical::{Error, ErrorKind, FinishReason, Origin, PartDelta, PartKind, StreamEvent, Usage};
use serde_json::{Map, Value, json};

use super::super::FAMILY;
use super::answer::{self, CALL_FIELDS, CITATIONS};
use super::input_json::InputJson;
use super::{error, usage};
use crate::{AnswerContext, StreamEncoder};

#[derive(Debug)]
pub(super) struct Encoder {
    context: AnswerContext,
    start: ResponseStart,
    /// `message_start` was written. It waits for the first part, and so for the counts before it.
    has_begun: bool,
    /// Parts that have no end yet, or whose end was not written; the first one is being written.
    parts: VecDeque<Part>,
    /// The number of the next block.
    next_block: u64,
    /// The family's fields of the answer.
    fields: Map<String, Value>,
    usage: Option<Usage>,
    usage_fields: Option<Value>,
    has_client_calls: bool,
    finish: Option<(FinishReason, Option<String>)>,
    has_failed: bool,
}

#[derive(Debug)]
struct Part {
    index: u32,
    kind: PartKind,
    /// What came and was not written yet.
    deltas: Vec<PartDelta>,
    is_over: bool,
    /// The block that is open for it.
    block: Option<u64>,
    /// Of a thought: its encrypted form, a block of its own behind the readable one.
    encrypted: Option<String>,
    /// Of a call: the proof that some makers demand back with it.
    signature: Option<String>,
    /// Of a call: what of its arguments waits to be whole.
    input: InputJson,
}

impl Part {
    /// A thought's first piece tells whether its block is a readable one, a call's whether it is signed.
    fn opens_late(&self) -> bool {
        matches!(self.kind, PartKind::Reasoning | PartKind::ToolCall { .. })
    }
}

impl Encoder {
    pub(super) fn new(context: &AnswerContext) -> Self {
        Self {
            context: context.clone(),
            start: ResponseStart::default(),
            has_begun: false,
            parts: VecDeque::new(),
            next_block: 0,
            fields: Map::new(),
            usage: None,
            usage_fields: None,
            has_client_calls: false,
            finish: None,
            has_failed: false,
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        let mut message = answer::head(
            self.start.id.as_ref().unwrap_or(&self.context.request_id),
            self.start.model.as_ref().unwrap_or(&self.context.requested_model),
        );
        message.insert("content".into(), json!([]));
        message.insert("stop_reason".into(), Value::Null);
        message.insert("stop_sequence".into(), Value::Null);
        message.insert("usage".into(), usage::encode(self.usage.as_ref(), self.usage_fields.as_ref()));
        write(&json!({"type": "message_start", "message": message}), out);
    }

    fn part_start(&mut self, index: u32, kind: &PartKind, out: &mut Vec<u8>) {
        self.begin(out);
        self.has_client_calls |= matches!(kind, PartKind::ToolCall { is_server_side: false, .. });
        self.parts.push_back(Part {
            index,
            kind: kind.clone(),
            deltas: Vec::new(),
            is_over: false,
            block: None,
            encrypted: None,
            signature: None,
            input: InputJson::default(),
        });
    }

    /// Writes what may be written: of the first part, and of the next ones as they become the first.
    fn advance(&mut self, out: &mut Vec<u8>) {
        while let Some(mut part) = self.parts.pop_front() {
            self.write_part(&mut part, out);
            if !part.is_over {
                self.parts.push_front(part);
                return;
            }
            self.close(part, out);
        }
    }

    /// Writes all that had arrived when the answer broke off: what waits for its turn as well, and of
    /// a call its name.
    fn flush(&mut self, out: &mut Vec<u8>) {
        while let Some(mut part) = self.parts.pop_front() {
            self.write_part(&mut part, out);
            if part.block.is_none() && matches!(part.kind, PartKind::ToolCall { .. }) {
                part.block = self.opened(&part, out);
            }
            if !self.parts.is_empty() {
                self.close(part, out);
            } else if let Some(block) = part.block {
                write_rest(&mut part, block, out);
            }
        }
    }

    fn write_part(&mut self, part: &mut Part, out: &mut Vec<u8>) {
        if part.block.is_none() && !part.opens_late() {
            part.block = self.opened(part, out);
        }
        for delta in std::mem::take(&mut part.deltas) {
            let delta = match (&part.kind, delta) {
                (PartKind::Text | PartKind::Refusal, PartDelta::Text(text)) => {
                    json!({"type": "text_delta", "text": text})
                }
                (PartKind::Reasoning, PartDelta::Text(text)) => {
                    json!({"type": "thinking_delta", "thinking": text})
                }
                (PartKind::Reasoning, PartDelta::Signature(signature)) => {
                    json!({"type": "signature_delta", "signature": signature})
                }
                (PartKind::ToolCall { .. }, PartDelta::Arguments(piece)) => {
                    let mut ready = String::new();
                    part.input.push(&piece, &mut ready);
                    if ready.is_empty() {
                        part.block = part.block.or_else(|| self.opened(part, out));
                        continue;
                    }
                    input_delta(&ready)
                }
                (PartKind::Reasoning, PartDelta::Encrypted(data)) => {
                    part.encrypted = Some(data);
                    continue;
                }
                (PartKind::ToolCall { .. }, PartDelta::Signature(signature)) => {
                    part.signature = Some(signature);
                    continue;
                }
                _ => continue,
            };
            part.block = part.block.or_else(|| self.opened(part, out));
            let Some(block) = part.block else { continue };
            write(&json!({"type": "content_block_delta", "index": block, "delta": delta}), out);
        }
    }

    /// The block of a part that begins, where there is a word for it.
    fn opened(&mut self, part: &Part, out: &mut Vec<u8>) -> Option<u64> {
        let block = match &part.kind {
            PartKind::Text | PartKind::Refusal => json!({"type": "text", "text": ""}),
            PartKind::Reasoning => json!({"type": "thinking", "thinking": "", "signature": ""}),
            PartKind::ToolCall { id, name, is_server_side } => {
                let fields = self.fields.get(CALL_FIELDS);
                let mut block = answer::call_head(id, name, *is_server_side, fields);
                answer::sign(&mut block, part.signature.as_deref());
                block
            }
            PartKind::Image { media } => {
                let block = self.open(&json!({"type": "text", "text": ""}), out);
                let delta = json!({"type": "text_delta", "text": answer::image(media)});
                write(&json!({"type": "content_block_delta", "index": block, "delta": delta}), out);
                return Some(block);
            }
            PartKind::Opaque { opaque } => answer::own(opaque)?,
            PartKind::Audio { .. } => return None,
        };
        Some(self.open(&block, out))
    }

    fn open(&mut self, block: &Value, out: &mut Vec<u8>) -> u64 {
        let index = self.next_block;
        self.next_block += 1;
        write(&json!({"type": "content_block_start", "index": index, "content_block": block}), out);
        index
    }

    fn close(&mut self, mut part: Part, out: &mut Vec<u8>) {
        let is_unopened = part.block.is_none() && part.opens_late() && part.encrypted.is_none();
        let block = if is_unopened { self.opened(&part, out) } else { part.block };
        if let Some(block) = block {
            write_rest(&mut part, block, out);
            if matches!(part.kind, PartKind::Text) {
                for citation in answer::citations(part.index, self.fields.get(CITATIONS)) {
                    let delta = json!({"type": "citations_delta", "citation": citation});
                    write(&json!({"type": "content_block_delta", "index": block, "delta": delta}), out);
                }
            }
            write(&json!({"type": "content_block_stop", "index": block}), out);
        }
        if let Some(data) = part.encrypted {
            let block = self.open(&answer::redacted(&data), out);
            write(&json!({"type": "content_block_stop", "index": block}), out);
        }
    }

    fn extension(&mut self, choice: Option<u32>, fields: &Map<String, Value>) {
        let mut fields = fields.clone();
        if choice.is_none() {
            self.usage_fields = fields.shift_remove("usage").or(self.usage_fields.take());
        } else {
            self.fields.extend(fields);
        }
    }

    fn finish(&mut self, reason: FinishReason, raw: Option<&String>, out: &mut Vec<u8>) {
        if reason == FinishReason::Error {
            let message = "The provider ended its answer with an error of its own.";
            self.error(&Error::new(ErrorKind::ServerError, Origin::Provider, message), out);
            return;
        }
        self.finish = Some((reason, raw.cloned()));
    }

    /// `message_delta`: why it stopped and what it took.
    fn last_words(&mut self) -> Value {
        let stop = self
            .finish
            .as_ref()
            .and_then(|(reason, raw)| answer::stop_reason(*reason, raw.as_deref(), self.has_client_calls));
        let mut delta = Map::from_iter([
            ("stop_reason".to_owned(), stop.into()),
            ("stop_sequence".to_owned(), Value::Null),
        ]);
        let mut fields = std::mem::take(&mut self.fields);
        let beside = fields.shift_remove("context_management");
        fields.retain(|name, _| !matches!(name.as_str(), CITATIONS | CALL_FIELDS));
        delta.extend(fields);
        let usage = usage::encode(self.usage.as_ref(), self.usage_fields.as_ref());
        let mut event = json!({"type": "message_delta", "delta": delta, "usage": usage});
        if let Some(context_management) = beside {
            event["context_management"] = context_management;
        }
        event
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        if self.has_failed {
            return;
        }
        match event {
            StreamEvent::Start(start) => self.start = start.clone(),
            StreamEvent::PartStart { index, choice: 0, kind } => {
                // Citations of a part follow its end; now there are no more to come.
                self.advance(out);
                self.part_start(*index, kind, out);
                self.advance(out);
            }
            StreamEvent::PartDelta { index, delta } => {
                if let Some(part) = self.parts.iter_mut().find(|part| part.index == *index) {
                    part.deltas.push(delta.clone());
                    self.advance(out);
                }
            }
            StreamEvent::PartEnd { index } => {
                if let Some(part) = self.parts.iter_mut().find(|part| part.index == *index) {
                    part.is_over = true;
                }
            }
            StreamEvent::Usage(usage) => self.usage = Some(Usage::clone(usage)),
            StreamEvent::Extension { choice: choice @ (None | Some(0)), family, fields }
                if family == FAMILY =>
            {
                self.extension(*choice, fields);
            }
            StreamEvent::Finish { choice: 0, reason, raw } => {
                self.advance(out);
                self.finish(*reason, raw.as_ref(), out);
            }
            // Nobody can ask for a second choice here.
            StreamEvent::PartStart { .. } | StreamEvent::Finish { .. } | StreamEvent::Extension { .. } => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.has_failed, true) {
            self.flush(out);
            write(&error::body(error, Some(&self.context.request_id)), out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_failed, true) {
            return;
        }
        self.begin(out);
        self.advance(out);
        let last = self.last_words();
        write(&last, out);
        write(&json!({"type": "message_stop"}), out);
    }
}

fn input_delta(piece: &str) -> Value {
    json!({"type": "input_json_delta", "partial_json": piece})
}

/// What was held back of a call's arguments.
fn write_rest(part: &mut Part, block: u64, out: &mut Vec<u8>) {
    let mut rest = String::new();
    std::mem::take(&mut part.input).end(&mut rest);
    if !rest.is_empty() {
        let delta = input_delta(&rest);
        write(&json!({"type": "content_block_delta", "index": block, "delta": delta}), out);
    }
}

/// One event; its name is its type.
fn write(event: &Value, out: &mut Vec<u8>) {
    let name = event["type"].as_str().unwrap_or_default();
    out.extend_from_slice(format!("event: {name}\ndata: {event}\n\n").as_bytes());
}
