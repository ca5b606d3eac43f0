//! Their answers → events. A whole answer takes the same way as a stream: as its first event,
//! with everything in it.
//!
//! `message_stop` is the end. A stop reason (in `message_delta`) is held back until it comes, so an
//! answer that is cut between the two counts as truncated: every recorded host sends the end, and
//! whoever cuts a connection may cut there. A relay's `[DONE]` counts as the end too. An end without
//! a stop reason finishes nothing: nobody knows whether the answer is whole.

use std::collections::BTreeMap;

use canonical::event::ResponseStart;
use canonical::fold::fold;
use canonical::request::Opaque;
use canonical::{ChatResponse, Error, ErrorKind, FinishReason, Origin, PartDelta, PartKind, StreamEvent};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::super::FAMILY;
use super::{invalid, types, usage};
use crate::frame::MAX_INDEX;
use crate::{Frame, FrameOutcome, StreamDecoder, emit, errors};

/// A whole answer.
pub(super) fn decode_whole(body: &[u8]) -> Result<ChatResponse, Error> {
    let value: Value = serde_json::from_slice(body).map_err(|error| invalid(&error.to_string()))?;
    if value["type"] == "error" || value.get("error").is_some_and(|error| !error.is_null()) {
        return Err(errors::classify_value(200, &value).unwrap_or_else(|| invalid("an error without words")));
    }
    let message: types::Message =
        serde_json::from_value(value).map_err(|error| invalid(&error.to_string()))?;
    if message.content.is_none() {
        return Err(invalid("it has no `content`"));
    }
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    decoder.message_start(message, &mut events);
    decoder.message_stop(&mut events);
    Ok(fold(&events))
}

#[derive(Debug, Default)]
pub(super) struct Decoder {
    has_started: bool,
    message_id: Option<String>,
    /// Index of the next part.
    next_part: u32,
    /// Their block's index → what is known of it. Boxed: a node of the map makes room for eleven.
    open: BTreeMap<u64, Box<OpenBlock>>,
    /// All reports so far, merged.
    usage: Option<types::Usage>,
    /// Held back until `message_stop`.
    stop_reason: Option<String>,
    /// Sources of text parts: what only this family can say of them.
    citations: Vec<Value>,
    /// Of tool calls: the fields that have no canonical word (`caller`, `server_name`), by call id.
    call_fields: Map<String, Value>,
    /// Finished, or ended without a reason to finish.
    has_stopped: bool,
    has_finished: bool,
}

#[derive(Debug)]
struct OpenBlock {
    shape: Shape,
    signature: String,
    citations: Vec<Value>,
}

#[derive(Debug)]
enum Shape {
    Text {
        part: u32,
    },
    Thinking {
        part: u32,
    },
    /// `input`: what the block's start said; it counts where no piece of JSON follows.
    ToolUse {
        part: u32,
        input: Value,
        has_pieces: bool,
    },
    /// Becomes a part when it is whole.
    Opaque(Map<String, Value>),
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<StreamEvent>) -> Result<FrameOutcome, Error> {
        if frame.data.trim() == "[DONE]" {
            self.message_stop(out);
            return Ok(FrameOutcome::Known);
        }
        let Ok(event) = serde_json::from_str::<types::Event<'_>>(frame.data) else {
            return Ok(FrameOutcome::Malformed);
        };
        if event.kind.as_deref() == Some("error") || !event.error.is_null() {
            self.end_parts(out);
            return Err(in_band(&serde_json::from_str(frame.data).unwrap_or_default()));
        }
        match event.kind.as_deref() {
            None => Ok(FrameOutcome::Malformed),
            Some(_) if event.index.is_some_and(|index| index > MAX_INDEX) => Ok(FrameOutcome::Malformed),
            Some("ping") => Ok(FrameOutcome::Known),
            Some(_) if self.has_stopped => Ok(FrameOutcome::Unknown),
            Some(_) => self.event(event, out).unwrap_or(Ok(FrameOutcome::Malformed)),
        }
    }

    fn end(&mut self, out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        self.end_parts(out);
        if self.has_finished {
            return Ok(());
        }
        let message = match (self.has_stopped, &self.stop_reason) {
            (true, _) => "The provider ended its answer without saying why it stopped.",
            (false, Some(_)) => "The provider's answer broke off before its end (no `message_stop`).",
            (false, None) => "The provider's answer broke off in the middle.",
        };
        Err(Error::new(ErrorKind::Truncated, Origin::Provider, message))
    }

    fn whole(&self, body: &[u8]) -> Result<ChatResponse, Error> {
        decode_whole(body)
    }
}

fn parsed<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

fn in_band(value: &Value) -> Error {
    errors::classify_value(200, value).unwrap_or_else(|| {
        Error::new(
            ErrorKind::ServerError,
            Origin::Provider,
            "The provider ended its answer with an error and gave no reason.",
        )
    })
}

impl Decoder {
    /// `None` where the event lacks what its kind must have.
    fn event(
        &mut self,
        event: types::Event<'_>,
        out: &mut Vec<StreamEvent>,
    ) -> Option<Result<FrameOutcome, Error>> {
        match event.kind.as_deref()? {
            "content_block_delta" => return Some(Ok(self.block_delta(event.index?, event.delta?, out))),
            "content_block_start" => {
                let (index, block) = (event.index?, parsed(event.content_block?)?);
                self.start(ResponseStart::default(), out);
                self.block_stop(index, out);
                self.block_start(index, block, out);
            }
            "content_block_stop" => self.block_stop(event.index?, out),
            "message_start" => return Some(self.any_message_start(parsed(event.message?)?, out)),
            "message_delta" => {
                let delta: types::MessageDelta = match event.delta {
                    Some(delta) => parsed(delta)?,
                    None => types::MessageDelta::default(),
                };
                self.start(ResponseStart::default(), out);
                if delta.stop_reason.is_some() {
                    self.stop_reason = delta.stop_reason;
                }
                push_rest(delta.rest, out);
                push_rest(event.rest, out);
                self.take_usage(event.usage, out);
            }
            "message_stop" => self.message_stop(out),
            _ => return Some(Ok(FrameOutcome::Unknown)),
        }
        Some(Ok(FrameOutcome::Known))
    }

    /// `Start`, once. A stream whose first event was lost starts with its next.
    fn start(&mut self, start: ResponseStart, out: &mut Vec<StreamEvent>) {
        if !std::mem::replace(&mut self.has_started, true) {
            out.push(StreamEvent::Start(start));
        }
    }

    /// A relay may repeat the start, which says nothing new. One that lost its upstream and asked
    /// again splices a second answer behind a piece of the first, which what was passed on cannot
    /// take back: the first one counts as cut (<https://github.com/vercel/ai/issues/18331>).
    fn any_message_start(
        &mut self,
        message: types::Message,
        out: &mut Vec<StreamEvent>,
    ) -> Result<FrameOutcome, Error> {
        match &self.message_id {
            None => self.message_start(message, out),
            Some(_) if message.id.is_none() || message.id == self.message_id => {}
            Some(_) => {
                self.end_parts(out);
                return Err(Error::new(
                    ErrorKind::Truncated,
                    Origin::Provider,
                    "The provider's answer broke off and another began in its place.",
                ));
            }
        }
        Ok(FrameOutcome::Known)
    }

    fn message_start(&mut self, message: types::Message, out: &mut Vec<StreamEvent>) {
        self.message_id.clone_from(&message.id);
        self.start(ResponseStart { id: message.id, model: message.model, ..ResponseStart::default() }, out);
        for (index, block) in (0..).zip(message.content.unwrap_or_default()) {
            if let Value::Object(block) = block {
                self.block_start(index, block, out);
                self.block_stop(index, out);
            }
        }
        self.stop_reason = message.stop_reason;
        push_rest(message.rest, out);
        self.take_usage(message.usage, out);
    }

    fn message_stop(&mut self, out: &mut Vec<StreamEvent>) {
        self.end_parts(out);
        if !std::mem::replace(&mut self.has_stopped, true)
            && let Some(raw) = self.stop_reason.take()
        {
            self.start(ResponseStart::default(), out);
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

    fn take_usage(&mut self, report: Option<types::Usage>, out: &mut Vec<StreamEvent>) {
        let Some(report) = report else { return };
        let merged = self.usage.get_or_insert_with(types::Usage::default);
        usage::merge(merged, report);
        out.push(StreamEvent::Usage(Box::new(usage::convert(merged))));
        let beside = usage::beside(merged);
        if !beside.is_empty() {
            emit::extension(out, FAMILY, None, Map::from_iter([("usage".to_owned(), Value::Object(beside))]));
        }
    }

    fn open_part(&mut self, kind: PartKind, out: &mut Vec<StreamEvent>) -> u32 {
        let index = self.next_part;
        self.next_part += 1;
        out.push(StreamEvent::PartStart { index, choice: 0, kind });
        index
    }

    fn block_start(&mut self, index: u64, mut block: Map<String, Value>, out: &mut Vec<StreamEvent>) {
        let kind = string(&mut block, "type");
        let mut open = OpenBlock {
            shape: Shape::Opaque(Map::new()),
            signature: String::new(),
            citations: match block.remove("citations") {
                Some(Value::Array(citations)) => citations,
                _ => Vec::new(),
            },
        };
        match kind.as_str() {
            "text" => {
                let part = self.open_part(PartKind::Text, out);
                emit::delta(out, part, PartDelta::Text(string(&mut block, "text")));
                open.shape = Shape::Text { part };
            }
            "thinking" => {
                let part = self.open_part(PartKind::Reasoning, out);
                emit::delta(out, part, PartDelta::Text(string(&mut block, "thinking")));
                open.signature = string(&mut block, "signature");
                open.shape = Shape::Thinking { part };
            }
            "redacted_thinking" => {
                let part = self.open_part(PartKind::Reasoning, out);
                emit::delta(out, part, PartDelta::Encrypted(string(&mut block, "data")));
                open.shape = Shape::Thinking { part };
            }
            "tool_use" | "server_tool_use" | "mcp_tool_use" => {
                open.shape = self.tool_use(block, kind != "tool_use", out);
            }
            _ => {
                block.shift_insert(0, "type".into(), kind.into());
                if !open.citations.is_empty() {
                    block.insert("citations".into(), std::mem::take(&mut open.citations).into());
                }
                open.shape = Shape::Opaque(block);
            }
        }
        self.open.insert(index, Box::new(open));
    }

    fn tool_use(
        &mut self,
        mut block: Map<String, Value>,
        is_server_side: bool,
        out: &mut Vec<StreamEvent>,
    ) -> Shape {
        let (id, name) = (string(&mut block, "id"), string(&mut block, "name"));
        let input = block.remove("input").unwrap_or_default();
        block.retain(|name, value| {
            let is_usual = name == "caller" && value.get("type").is_some_and(|kind| kind == "direct");
            !value.is_null() && !is_usual
        });
        if !block.is_empty() {
            self.call_fields.insert(id.clone(), Value::Object(block));
            emit::extension(
                out,
                FAMILY,
                Some(0),
                [("tool_calls".to_owned(), Value::Object(self.call_fields.clone()))].into_iter().collect(),
            );
        }
        let part = self.open_part(PartKind::ToolCall { id, name, is_server_side }, out);
        Shape::ToolUse { part, input, has_pieces: false }
    }

    fn block_delta(&mut self, index: u64, raw: &RawValue, out: &mut Vec<StreamEvent>) -> FrameOutcome {
        let Some(delta) = parsed::<types::BlockDelta<'_>>(raw) else { return FrameOutcome::Malformed };
        let kind = delta.kind.as_deref().unwrap_or_default();
        if !self.open.contains_key(&index) && !self.open_implied(index, kind, out) {
            return FrameOutcome::Malformed;
        }
        let Some(open) = self.open.get_mut(&index) else {
            return FrameOutcome::Malformed;
        };
        match (kind, &mut open.shape) {
            ("text_delta", Shape::Text { part }) => {
                emit::delta(out, *part, PartDelta::Text(delta.text.unwrap_or_default()));
            }
            ("thinking_delta", Shape::Thinking { part }) => {
                emit::delta(out, *part, PartDelta::Text(delta.thinking.unwrap_or_default()));
            }
            ("signature_delta", Shape::Thinking { .. }) => {
                open.signature.push_str(&delta.signature.unwrap_or_default());
            }
            ("citations_delta", _) => open.citations.extend(delta.citation),
            ("input_json_delta", Shape::ToolUse { part, has_pieces, .. }) => {
                let piece = delta.partial_json.unwrap_or_default();
                *has_pieces |= !piece.is_empty();
                emit::delta(out, *part, PartDelta::Arguments(piece));
            }
            (_, Shape::Opaque(block)) => append_strings(block, parsed(raw).unwrap_or_default()),
            ("text_delta" | "thinking_delta" | "signature_delta" | "input_json_delta", _) => {
                return FrameOutcome::Malformed;
            }
            _ => return FrameOutcome::Unknown,
        }
        FrameOutcome::Known
    }

    /// A block whose start was lost: its first delta tells what it was, unless it was a tool call,
    /// whose name nobody can know.
    fn open_implied(&mut self, index: u64, delta: &str, out: &mut Vec<StreamEvent>) -> bool {
        let kind = match delta {
            "text_delta" => "text",
            "thinking_delta" => "thinking",
            _ => return false,
        };
        self.start(ResponseStart::default(), out);
        self.block_start(index, Map::from_iter([("type".to_owned(), kind.into())]), out);
        true
    }

    fn block_stop(&mut self, index: u64, out: &mut Vec<StreamEvent>) {
        let Some(open) = self.open.remove(&index) else { return };
        let part = match open.shape {
            Shape::Text { part } => part,
            Shape::Thinking { part } => {
                emit::delta(out, part, PartDelta::Signature(open.signature));
                part
            }
            Shape::ToolUse { part, input, has_pieces } => {
                if !has_pieces {
                    let input = if input.is_null() { Value::Object(Map::new()) } else { input };
                    emit::delta(out, part, PartDelta::Arguments(input.to_string()));
                }
                part
            }
            Shape::Opaque(block) => {
                let opaque = Opaque { family: FAMILY.into(), value: Value::Object(block) };
                self.open_part(PartKind::Opaque { opaque }, out)
            }
        };
        out.push(StreamEvent::PartEnd { index: part });
        if !open.citations.is_empty() {
            emit::citations(out, FAMILY, &mut self.citations, part, open.citations);
        }
    }
}

/// Fields beside those with a canonical word: `stop_sequence`, `stop_details`, `container`, ….
fn push_rest(rest: Map<String, Value>, out: &mut Vec<StreamEvent>) {
    if rest.is_empty() {
        return;
    }
    let fields = rest
        .into_iter()
        .filter(|(name, value)| !value.is_null() && !matches!(name.as_str(), "type" | "role"))
        .collect();
    emit::extension(out, FAMILY, Some(0), fields);
}

fn string(block: &mut Map<String, Value>, name: &str) -> String {
    match block.remove(name) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    }
}

/// A delta of a block that this version has no word for (`compaction_delta`): strings grow, other
/// fields are replaced.
fn append_strings(block: &mut Map<String, Value>, delta: Map<String, Value>) {
    for (name, value) in delta.into_iter().filter(|(name, _)| name != "type") {
        match (block.get_mut(&name), value) {
            (Some(Value::String(have)), Value::String(more)) => have.push_str(&more),
            (_, value) => {
                block.insert(name, value);
            }
        }
    }
}

/// <https://docs.claude.com/en/api/handling-stop-reasons>
pub(crate) fn finish_reason(raw: &str) -> FinishReason {
    match raw {
        "end_turn" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopSequence,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "pause_turn" | "compaction" => FinishReason::Paused,
        "refusal" => FinishReason::Refusal,
        _ => FinishReason::Other,
    }
}
