//! Their answers → events. A whole answer takes the same way as a stream, block by block.
//!
//! `metadata` is the end: it follows `messageStop` in every recorded stream. The stop reason is held
//! back until it comes, so an answer that is cut between the two counts as truncated.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use canonical::event::ResponseStart;
use canonical::fold::fold;
use canonical::request::{Media, MediaSource, Opaque};
use canonical::{ChatResponse, Error, ErrorKind, FinishReason, Origin, PartDelta, PartKind, StreamEvent};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::FAMILY;
use super::types::{Delta, ReasoningDelta, ToolUseDelta};
use super::{invalid, types, usage};
use crate::frame::MAX_INDEX;
use crate::{Frame, FrameOutcome, StreamDecoder, emit, errors};

/// A whole answer.
pub(super) fn decode_whole(body: &[u8]) -> Result<ChatResponse, Error> {
    let value: Value = serde_json::from_slice(body).map_err(|error| invalid(&error.to_string()))?;
    if value.get("output").is_none()
        && let Some(error) = errors::classify_value(200, &value)
    {
        return Err(error);
    }
    let response: types::ConverseResponse =
        serde_json::from_value(value).map_err(|error| invalid(&error.to_string()))?;
    let Some(output) = response.output else {
        return Err(invalid("it has no `output.message.content`"));
    };
    let (mut decoder, mut events) = (Decoder::default(), Vec::new());
    decoder.start(&mut events);
    for (index, block) in (0..).zip(output.message.content) {
        decoder.whole_block(index, block, &mut events);
    }
    decoder.stop_reason = response.stop_reason;
    decoder.metadata(types::Metadata { usage: response.usage, rest: response.rest }, &mut events);
    Ok(fold(&events))
}

#[derive(Debug, Default)]
pub(super) struct Decoder {
    has_started: bool,
    /// Index of the next part.
    next_part: u32,
    /// Their block's index → what is known of it. Boxed: a node of the map makes room for eleven.
    open: BTreeMap<u64, Box<OpenBlock>>,
    /// Held back until `metadata`.
    stop_reason: Option<String>,
    has_metadata: bool,
    has_finished: bool,
    /// Sources of text parts: what only this family can say of them.
    citations: Vec<Value>,
}

#[derive(Debug, Default)]
struct OpenBlock {
    shape: Shape,
    citations: Vec<Value>,
}

#[derive(Debug, Default)]
enum Shape {
    /// Nothing but a source came yet.
    #[default]
    Unknown,
    Text {
        part: u32,
    },
    Reasoning {
        part: u32,
        signature: String,
        /// Base64, each of its own bytes.
        redacted: Vec<String>,
    },
    /// `input`: what the block's start said; it counts where no piece of JSON follows.
    ToolUse {
        part: u32,
        input: Value,
        has_pieces: bool,
    },
    /// Becomes a part when it is whole: the union's field and what it holds.
    Opaque {
        name: String,
        fields: Map<String, Value>,
    },
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<StreamEvent>) -> Result<FrameOutcome, Error> {
        let Some(tag) = frame.event else { return Ok(FrameOutcome::Malformed) };
        for kind in ["exception", "error"] {
            if let Some(name) = tag.strip_prefix(kind).and_then(|name| name.strip_prefix(':')) {
                self.end_parts(out);
                return Err(in_band(kind, name, frame.data));
            }
        }
        let handled = match tag {
            _ if self.has_finished => return Ok(FrameOutcome::Unknown),
            "messageStart" => {
                self.start(out);
                Some(FrameOutcome::Known)
            }
            "contentBlockStart" => parsed(frame.data).map(|event: types::BlockStart| {
                self.start(out);
                self.block_start(event.content_block_index, event.start, out)
            }),
            "contentBlockDelta" => parsed(frame.data).map(|event: types::BlockDelta| {
                self.start(out);
                self.block_delta(event.content_block_index, event.delta, out)
            }),
            "contentBlockStop" => parsed(frame.data).map(|event: types::BlockStop| {
                self.block_stop(event.content_block_index, out);
                FrameOutcome::Known
            }),
            "messageStop" => parsed(frame.data).and_then(|event: types::MessageStop| {
                let reason = event.stop_reason?;
                self.start(out);
                self.stop_reason = Some(reason);
                push_rest(event.rest, out);
                self.settle(out);
                Some(FrameOutcome::Known)
            }),
            "metadata" => parsed(frame.data).map(|event: types::Metadata| {
                self.start(out);
                self.metadata(event, out);
                FrameOutcome::Known
            }),
            _ => return Ok(FrameOutcome::Unknown),
        };
        Ok(handled.unwrap_or(FrameOutcome::Malformed))
    }

    fn end(&mut self, out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        self.end_parts(out);
        if self.has_finished {
            return Ok(());
        }
        let message = match (self.has_metadata, &self.stop_reason) {
            (true, _) => "The provider ended its answer without saying why it stopped.",
            (false, Some(_)) => "The provider's answer broke off before its end (no `metadata`).",
            (false, None) => "The provider's answer broke off in the middle.",
        };
        Err(Error::new(ErrorKind::Truncated, Origin::Provider, message))
    }

    fn whole(&self, body: &[u8]) -> Result<ChatResponse, Error> {
        decode_whole(body)
    }
}

fn parsed<'a, T: Deserialize<'a>>(data: &'a str) -> Option<T> {
    serde_json::from_str(data).ok()
}

/// An exception's payload is JSON with a message, an error's is the message itself.
fn in_band(kind: &str, name: &str, data: &str) -> Error {
    let mut said = match serde_json::from_str(data) {
        Ok(Value::Object(said)) if kind == "exception" => said,
        _ => Map::from_iter([("message".to_owned(), data.into())]),
    };
    if said.get("message").and_then(Value::as_str).is_none_or(str::is_empty) {
        let message = said.remove("Message").or_else(|| said.remove("originalMessage"));
        let reason = || "The provider ended its answer with an error and gave no reason.".into();
        said.insert("message".into(), message.unwrap_or_else(reason));
    }
    said.insert("__type".into(), name.into());
    let error = errors::classify_value(200, &Value::Object(said));
    error.unwrap_or_else(|| Error::new(ErrorKind::ServerError, Origin::Provider, name))
}

impl Decoder {
    /// `Start`, once. A stream whose first event was lost starts with its next.
    fn start(&mut self, out: &mut Vec<StreamEvent>) {
        if !std::mem::replace(&mut self.has_started, true) {
            out.push(StreamEvent::Start(ResponseStart::default()));
        }
    }

    fn metadata(&mut self, metadata: types::Metadata, out: &mut Vec<StreamEvent>) {
        self.has_metadata = true;
        push_rest(metadata.rest, out);
        if let Some(report) = metadata.usage {
            out.push(StreamEvent::Usage(Box::new(usage::convert(&report))));
            let beside = usage::beside(&report);
            if !beside.is_empty() {
                emit::extension(
                    out,
                    FAMILY,
                    None,
                    Map::from_iter([("usage".to_owned(), Value::Object(beside))]),
                );
            }
        }
        self.settle(out);
    }

    /// Finishes where both ends have come.
    fn settle(&mut self, out: &mut Vec<StreamEvent>) {
        if !self.has_metadata || self.has_finished {
            return;
        }
        if let Some(raw) = self.stop_reason.take() {
            self.end_parts(out);
            self.has_finished = true;
            out.push(StreamEvent::Finish { choice: 0, reason: finish_reason(&raw), raw: Some(raw) });
        }
    }

    fn end_parts(&mut self, out: &mut Vec<StreamEvent>) {
        let open: Vec<u64> = self.open.keys().copied().collect();
        for index in open {
            self.block_stop(index, out);
        }
    }

    fn open_part(&mut self, kind: PartKind, out: &mut Vec<StreamEvent>) -> u32 {
        let index = self.next_part;
        self.next_part += 1;
        out.push(StreamEvent::PartStart { index, choice: 0, kind });
        index
    }

    /// A block of a whole answer: the same as its start, deltas and stop.
    fn whole_block(&mut self, index: u64, block: Map<String, Value>, out: &mut Vec<StreamEvent>) {
        for (name, value) in block {
            match (name.as_str(), value) {
                ("citationsContent", Value::Object(mut cited)) => {
                    for text in list(cited.remove("content")) {
                        self.text(index, text["text"].clone(), out);
                    }
                    for citation in list(cited.remove("citations")) {
                        self.delta(index, Delta::Other("citation".into(), citation), out);
                    }
                }
                ("reasoningContent", Value::Object(mut thought)) => {
                    if let Some(Value::Object(text)) = thought.remove("reasoningText") {
                        thought.extend(text);
                    }
                    for (field, value) in thought {
                        let thought = serde_json::from_value(json!({ field: value })).unwrap_or_default();
                        self.delta(index, Delta::Reasoning(thought), out);
                    }
                }
                ("text", text) => self.text(index, text, out),
                (_, value) => {
                    self.block_start(index, Map::from_iter([(name, value)]), out);
                }
            }
        }
        self.block_stop(index, out);
    }

    fn text(&mut self, index: u64, text: Value, out: &mut Vec<StreamEvent>) {
        if let Value::String(text) = text {
            self.delta(index, Delta::Text(text), out);
        }
    }

    fn block_start(
        &mut self,
        index: u64,
        start: Map<String, Value>,
        out: &mut Vec<StreamEvent>,
    ) -> FrameOutcome {
        if index > MAX_INDEX {
            return FrameOutcome::Malformed;
        }
        self.block_stop(index, out);
        let Some((name, value)) = start.into_iter().next() else { return FrameOutcome::Known };
        let Value::Object(mut fields) = value else { return FrameOutcome::Malformed };
        let shape = if name == "toolUse" {
            let is_server_side = fields.get("type").is_some_and(|kind| kind == "server_tool_use");
            let input = fields.remove("input").unwrap_or_default();
            let mut word = |name: &str| match fields.remove(name) {
                Some(Value::String(text)) => text,
                _ => String::new(),
            };
            let kind = PartKind::ToolCall { id: word("toolUseId"), name: word("name"), is_server_side };
            Shape::ToolUse { part: self.open_part(kind, out), input, has_pieces: false }
        } else {
            Shape::Opaque { name, fields }
        };
        self.open.insert(index, Box::new(OpenBlock { shape, citations: Vec::new() }));
        FrameOutcome::Known
    }

    fn block_delta(&mut self, index: u64, delta: Delta, out: &mut Vec<StreamEvent>) -> FrameOutcome {
        if index > MAX_INDEX { FrameOutcome::Malformed } else { self.delta(index, delta, out) }
    }

    /// One piece. Text and thoughts begin without a start, so their first piece opens their part.
    fn delta(&mut self, index: u64, delta: Delta, out: &mut Vec<StreamEvent>) -> FrameOutcome {
        if let Some(block) = self.open.get_mut(&index)
            && !matches!(block.shape, Shape::Unknown)
        {
            return block.grow(delta, out);
        }
        let shape = match &delta {
            Delta::Text(_) => Shape::Text { part: self.open_part(PartKind::Text, out) },
            Delta::Reasoning(_) => {
                let part = self.open_part(PartKind::Reasoning, out);
                Shape::Reasoning { part, signature: String::new(), redacted: Vec::new() }
            }
            Delta::Other(name, _) if name == "citation" => Shape::Unknown,
            // A call whose start was lost: nobody can know its name.
            Delta::ToolUse(_) | Delta::Nothing => return FrameOutcome::Malformed,
            Delta::Other(name, _) if name == "text" => return FrameOutcome::Malformed,
            Delta::Other(..) => return FrameOutcome::Unknown,
        };
        let block = self.open.entry(index).or_default();
        block.shape = shape;
        block.grow(delta, out)
    }

    fn block_stop(&mut self, index: u64, out: &mut Vec<StreamEvent>) {
        let Some(open) = self.open.remove(&index) else { return };
        let part = match open.shape {
            // A source without words of its own is one of the words before it.
            Shape::Unknown => None,
            Shape::Text { part } => Some(part),
            Shape::Reasoning { part, signature, redacted } => {
                emit::delta(out, part, PartDelta::Encrypted(joined(redacted)));
                emit::delta(out, part, PartDelta::Signature(signature));
                Some(part)
            }
            Shape::ToolUse { part, input, has_pieces } => {
                if !has_pieces {
                    let input = if input.is_null() { json!({}) } else { input };
                    emit::delta(out, part, PartDelta::Arguments(input.to_string()));
                }
                Some(part)
            }
            Shape::Opaque { name, fields } => Some(self.open_part(whole_kind(name, fields), out)),
        };
        if let Some(index) = part {
            out.push(StreamEvent::PartEnd { index });
        }
        if !open.citations.is_empty() {
            let part = part.unwrap_or(self.next_part.saturating_sub(1));
            emit::citations(out, FAMILY, &mut self.citations, part, open.citations);
        }
    }
}

impl OpenBlock {
    /// Takes a piece of what the block is known to be.
    fn grow(&mut self, delta: Delta, out: &mut Vec<StreamEvent>) -> FrameOutcome {
        match (delta, &mut self.shape) {
            (Delta::Other(name, citation), _) if name == "citation" => self.citations.push(citation),
            (Delta::Text(text), Shape::Text { part }) => emit::delta(out, *part, PartDelta::Text(text)),
            (Delta::Reasoning(thought), Shape::Reasoning { part, signature, redacted }) => {
                return think(*part, thought, signature, redacted, out);
            }
            (
                Delta::ToolUse(ToolUseDelta { input: Some(piece) }),
                Shape::ToolUse { part, has_pieces, .. },
            ) => {
                *has_pieces |= !piece.is_empty();
                emit::delta(out, *part, PartDelta::Arguments(piece));
            }
            (Delta::Other(name, value), Shape::Opaque { name: of, fields }) if *of == name => {
                grow(fields, value);
            }
            (Delta::Other(name, _), _) if name != "text" => return FrameOutcome::Unknown,
            _ => return FrameOutcome::Malformed,
        }
        FrameOutcome::Known
    }
}

fn think(
    part: u32,
    thought: ReasoningDelta,
    signature: &mut String,
    redacted: &mut Vec<String>,
    out: &mut Vec<StreamEvent>,
) -> FrameOutcome {
    match thought {
        ReasoningDelta { text: Some(text), .. } => emit::delta(out, part, PartDelta::Text(text)),
        ReasoningDelta { signature: Some(piece), .. } => signature.push_str(&piece),
        ReasoningDelta { redacted_content: Some(piece), .. } => redacted.push(piece),
        ReasoningDelta { .. } => return FrameOutcome::Unknown,
    }
    FrameOutcome::Known
}

/// The pieces of encrypted thinking as one: each is base64 of its own bytes.
fn joined(mut pieces: Vec<String>) -> String {
    if pieces.len() < 2 {
        return pieces.pop().unwrap_or_default();
    }
    let decoded: Result<Vec<Vec<u8>>, _> = pieces.iter().map(|piece| STANDARD.decode(piece)).collect();
    decoded.map_or_else(|_| pieces.concat(), |bytes| STANDARD.encode(bytes.concat()))
}

/// More of a block that becomes a part when it is whole: lists are a tool result's content, fields
/// are the block's own.
fn grow(block: &mut Map<String, Value>, delta: Value) {
    match (delta, block.get_mut("content")) {
        (Value::Array(mut more), Some(Value::Array(have))) => have.append(&mut more),
        (Value::Array(more), _) => {
            block.insert("content".into(), more.into());
        }
        (Value::Object(fields), _) => block.extend(fields),
        _ => {}
    }
}

/// An image by its own name, everything else as it came.
fn whole_kind(name: String, fields: Map<String, Value>) -> PartKind {
    let bytes = fields.get("source").and_then(|source| source["bytes"].as_str());
    if let ("image", Some(bytes)) = (name.as_str(), bytes) {
        let format = fields.get("format").and_then(Value::as_str);
        return PartKind::Image {
            media: Media {
                source: MediaSource::Base64(bytes.to_owned()),
                media_type: format.map(|format| format!("image/{format}")),
                name: None,
                detail: None,
            },
        };
    }
    let value = Value::Object(Map::from_iter([(name, Value::Object(fields))]));
    PartKind::Opaque { opaque: Opaque { family: FAMILY.into(), value } }
}

fn list(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// Fields beside those with a canonical word: `metrics`, `trace`, `performanceConfig`, …. `p` is
/// padding against who counts bytes.
fn push_rest(rest: Map<String, Value>, out: &mut Vec<StreamEvent>) {
    let fields = rest.into_iter().filter(|(name, value)| !value.is_null() && name != "p").collect();
    emit::extension(out, FAMILY, Some(0), fields);
}

/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_MessageStopEvent.html>
fn finish_reason(raw: &str) -> FinishReason {
    match raw {
        "end_turn" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopSequence,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "guardrail_intervened" | "content_filtered" => FinishReason::ContentFilter,
        "malformed_model_output" | "malformed_tool_use" => FinishReason::Error,
        _ => FinishReason::Other,
    }
}
