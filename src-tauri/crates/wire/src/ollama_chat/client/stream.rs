//! Their lines → events. A whole answer takes the same way as a stream: as its only line.
//!
//! The line that says `done` is the end, with the reason, the counts and the durations. Calls come
//! whole, each in a line before it; the reason is `stop` all the same.

use std::borrow::Cow;

use canonical::event::ResponseStart;
use canonical::fold::fold;
use canonical::{
    ChatResponse, Error, ErrorKind, FinishReason, Origin, PartDelta, PartKind, StreamEvent, Usage,
};
use serde_json::{Map, Value};

use super::super::FAMILY;
use super::{invalid, types};
use crate::{Frame, FrameOutcome, StreamDecoder, emit, errors};

/// A whole answer.
pub(super) fn decode_whole(body: &[u8]) -> Result<ChatResponse, Error> {
    let line: types::ChatResponse<'_> =
        serde_json::from_slice(body).map_err(|error| invalid(&error.to_string()))?;
    if !line.error.is_null() {
        return Err(in_band(&serde_json::from_slice(body).unwrap_or_default()));
    }
    if line.message.is_none() {
        return Err(invalid("it has no `message`"));
    }
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    decoder.line(line, &mut events);
    decoder.end(&mut events)?;
    Ok(fold(&events))
}

#[derive(Debug, Default)]
pub(super) struct Decoder {
    has_started: bool,
    /// When the answer began, as they write it; names calls that came without an id.
    created_at: String,
    /// Index of the next part.
    next_part: u32,
    /// The part that grows.
    open: Option<Open>,
    /// Calls so far.
    calls: u32,
    /// Of all lines so far.
    logprobs: Vec<Value>,
    has_finished: bool,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    part: u32,
    is_thought: bool,
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<StreamEvent>) -> Result<FrameOutcome, Error> {
        let Ok(line) = serde_json::from_str::<types::ChatResponse<'_>>(frame.data) else {
            return Ok(FrameOutcome::Malformed);
        };
        if !line.error.is_null() {
            self.end_part(out);
            return Err(in_band(&serde_json::from_str(frame.data).unwrap_or_default()));
        }
        if self.has_finished || (line.message.is_none() && line.done.is_none()) {
            return Ok(FrameOutcome::Unknown);
        }
        if line.message.is_none() && line.done != Some(true) {
            return Ok(FrameOutcome::Malformed);
        }
        self.line(line, out);
        Ok(FrameOutcome::Known)
    }

    fn end(&mut self, out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        self.end_part(out);
        if self.has_finished {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Truncated,
            Origin::Provider,
            "The provider's answer broke off before its end (no line with `done`).",
        ))
    }

    fn whole(&self, body: &[u8]) -> Result<ChatResponse, Error> {
        decode_whole(body)
    }
}

/// `{"error": "…"}`, with an error status or in the middle of a stream.
fn in_band(value: &Value) -> Error {
    errors::classify_value(200, value).unwrap_or_else(|| invalid("an error without words"))
}

impl Decoder {
    fn line(&mut self, mut line: types::ChatResponse<'_>, out: &mut Vec<StreamEvent>) {
        if !std::mem::replace(&mut self.has_started, true) {
            let model = line.model.take().map(Cow::into_owned);
            out.push(StreamEvent::Start(ResponseStart { model, ..Default::default() }));
            line.created_at.as_deref().unwrap_or_default().clone_into(&mut self.created_at);
        }
        self.logprobs.extend(line.logprobs.take().into_iter().flatten());
        if let Some(message) = line.message.take() {
            self.grow(true, message.thinking.unwrap_or_default(), out);
            self.grow(false, message.content.unwrap_or_default(), out);
            for call in message.tool_calls.into_iter().flatten() {
                self.call(call, out);
            }
        }
        if line.done == Some(true) {
            self.done(line, out);
        }
    }

    /// More of the thought or of the text; the other of the two ends where this one begins.
    fn grow(&mut self, is_thought: bool, text: String, out: &mut Vec<StreamEvent>) {
        if text.is_empty() {
            return;
        }
        let part = match self.open {
            Some(open) if open.is_thought == is_thought => open.part,
            _ => {
                let kind = if is_thought { PartKind::Reasoning } else { PartKind::Text };
                let part = self.start_part(kind, out);
                self.open = Some(Open { part, is_thought });
                part
            }
        };
        out.push(StreamEvent::PartDelta { index: part, delta: PartDelta::Text(text) });
    }

    fn call(&mut self, call: types::ToolCall, out: &mut Vec<StreamEvent>) {
        let id = call.id.filter(|id| !id.is_empty()).unwrap_or_else(|| self.mint_id());
        self.calls += 1;
        let name = call.function.name.unwrap_or_default();
        let index = self.start_part(PartKind::ToolCall { id, name, is_server_side: false }, out);
        let arguments = match call.function.arguments {
            Value::Null => "{}".to_owned(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        out.push(StreamEvent::PartDelta { index, delta: PartDelta::Arguments(arguments) });
        out.push(StreamEvent::PartEnd { index });
    }

    /// An id for a call that came without one: the same for the same bytes, and another for the
    /// next answer of the conversation.
    fn mint_id(&self) -> String {
        let when: String = self.created_at.chars().filter(char::is_ascii_digit).collect();
        format!("call_{when}_{}", self.calls)
    }

    fn done(&mut self, line: types::ChatResponse<'_>, out: &mut Vec<StreamEvent>) {
        self.end_part(out);
        if line.prompt_eval_count.is_some() || line.eval_count.is_some() {
            out.push(StreamEvent::Usage(Box::new(Usage {
                input_tokens: line.prompt_eval_count.unwrap_or(0),
                output_tokens: line.eval_count.unwrap_or(0),
                ..Usage::default()
            })));
        }
        let mut beside = line.rest;
        if let Some(created_at) = line.created_at {
            beside.insert("created_at".into(), created_at.into_owned().into());
        }
        emit::extension(out, FAMILY, None, beside);
        if !self.logprobs.is_empty() {
            let logprobs = Value::Array(std::mem::take(&mut self.logprobs));
            emit::extension(out, FAMILY, Some(0), Map::from_iter([("logprobs".to_owned(), logprobs)]));
        }
        self.has_finished = true;
        let reason = finish_reason(line.done_reason.as_deref(), self.calls > 0);
        out.push(StreamEvent::Finish { choice: 0, reason, raw: line.done_reason });
    }

    fn start_part(&mut self, kind: PartKind, out: &mut Vec<StreamEvent>) -> u32 {
        self.end_part(out);
        let index = self.next_part;
        self.next_part += 1;
        out.push(StreamEvent::PartStart { index, choice: 0, kind });
        index
    }

    fn end_part(&mut self, out: &mut Vec<StreamEvent>) {
        if let Some(open) = self.open.take() {
            out.push(StreamEvent::PartEnd { index: open.part });
        }
    }
}

/// `stop` also where calls are to be answered; versions before 0.3 send no reason at all. The
/// words are those of <https://github.com/ollama/ollama/blob/main/llm/server.go> (`DoneReason`).
fn finish_reason(raw: Option<&str>, has_calls: bool) -> FinishReason {
    match raw {
        Some("stop") | None if has_calls => FinishReason::ToolCalls,
        Some("stop") | None => FinishReason::Stop,
        Some("length") => FinishReason::Length,
        // `load` and `unload`: a request without messages only moved the model.
        Some(_) => FinishReason::Other,
    }
}
