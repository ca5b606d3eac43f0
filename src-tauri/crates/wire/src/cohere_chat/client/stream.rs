//! Their answers → events.
//!
//! `message-end` is the end, with the reason and the counts; the `[DONE]` that follows says nothing
//! more. A plan before tool calls is a thought like any other. Citations come between the pieces of
//! the text that they stand for, and are kept beside it.

use std::collections::BTreeMap;

use canonical::event::ResponseStart;
use canonical::fold::fold;
use canonical::request::Opaque;
use canonical::usage::BilledTokens;
use canonical::{
    ChatResponse, Error, ErrorKind, FinishReason, Origin, PartDelta, PartKind, StreamEvent, Usage,
};
use serde_json::{Map, Value};

use super::super::FAMILY;
use super::{invalid, types};
use crate::frame::MAX_INDEX;
use crate::{Frame, FrameOutcome, StreamDecoder, emit, errors};

/// A whole answer.
pub(super) fn decode_whole(body: &[u8]) -> Result<ChatResponse, Error> {
    let value: Value = serde_json::from_slice(body).map_err(|error| invalid(&error.to_string()))?;
    if let Some(error) = in_band(&value) {
        return Err(error);
    }
    if !value["message"].is_object() {
        return Err(invalid("it has no `message`"));
    }
    let answer: types::ChatResponse =
        serde_json::from_value(value).map_err(|error| invalid(&error.to_string()))?;
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    decoder.answer(answer, &mut events);
    decoder.end(&mut events)?;
    Ok(fold(&events))
}

#[derive(Debug, Default)]
pub(super) struct Decoder {
    has_started: bool,
    /// Index of the next part.
    next_part: u32,
    /// The plan that grows.
    plan: Option<u32>,
    /// Content's index → the part that grows.
    content: BTreeMap<u64, Growing>,
    /// A call's index → its part.
    calls: BTreeMap<u64, u32>,
    has_calls: bool,
    /// So far; a later list replaces an earlier one.
    citations: Vec<Value>,
    /// Of all events so far.
    logprobs: Vec<Value>,
    has_finished: bool,
}

#[derive(Debug, Clone, Copy)]
struct Growing {
    part: u32,
    is_thought: bool,
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<StreamEvent>) -> Result<FrameOutcome, Error> {
        if frame.data.trim() == "[DONE]" {
            return Ok(FrameOutcome::Known);
        }
        let Ok(event) = serde_json::from_str::<types::Event<'_>>(frame.data) else {
            return Ok(FrameOutcome::Malformed);
        };
        // Where an answer has its message, an error has its words.
        let has_words = event.kind.is_none() && event.message.is_string();
        if has_words || !event.error.is_null() {
            self.end_parts(out);
            return Err(failure(&serde_json::from_str(frame.data).unwrap_or_default()));
        }
        match event.kind.as_deref() {
            None => Ok(FrameOutcome::Malformed),
            Some(_) if event.index.is_some_and(|index| index > MAX_INDEX) => Ok(FrameOutcome::Malformed),
            Some(tag) if self.has_finished || !TAGS.contains(&tag) => Ok(FrameOutcome::Unknown),
            Some(_) => self.event(event, out),
        }
    }

    fn end(&mut self, out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        self.end_parts(out);
        if self.has_finished {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Truncated,
            Origin::Provider,
            "The provider's answer broke off before its end (no finish reason).",
        ))
    }

    fn whole(&self, body: &[u8]) -> Result<ChatResponse, Error> {
        decode_whole(body)
    }
}

/// Events with a meaning; the others are passed over and counted.
const TAGS: [&str; 10] = [
    "message-start",
    "content-start",
    "content-delta",
    "content-end",
    "tool-plan-delta",
    "tool-call-start",
    "tool-call-delta",
    "tool-call-end",
    "citation-start",
    "message-end",
];

/// `{"id": …, "message": "…"}`: where an answer has its message, an error has its words.
fn in_band(value: &Value) -> Option<Error> {
    let has_error = value.get("error").is_some_and(|error| !error.is_null());
    let has_words = value.get("type").is_none() && value["message"].is_string();
    if !(has_error || has_words) {
        return None;
    }
    Some(failure(value))
}

fn failure(value: &Value) -> Error {
    errors::classify_value(200, value).unwrap_or_else(|| invalid("an error without words"))
}

impl Decoder {
    fn event(&mut self, event: types::Event<'_>, out: &mut Vec<StreamEvent>) -> Result<FrameOutcome, Error> {
        self.start(event.id, out);
        self.logprobs.extend(event.logprobs);
        let index = event.index.unwrap_or(0);
        let delta = event.delta.unwrap_or_default();
        let message = delta.message.unwrap_or_default();
        match event.kind.as_deref().unwrap_or_default() {
            tag @ ("content-start" | "content-delta") => {
                let Some(content) = message.content else { return Ok(FrameOutcome::Malformed) };
                return Ok(self.content(index, content, tag == "content-start", out));
            }
            "content-end" => self.end_content(index, out),
            "tool-plan-delta" => self.plan(message.tool_plan.unwrap_or_default(), out),
            "tool-call-start" => self.call(index, message.tool_calls.unwrap_or_default(), out),
            "tool-call-delta" => {
                let function = message.tool_calls.and_then(|call| call.function).unwrap_or_default();
                let (Some(part), Some(more)) = (self.calls.get(&index), function.arguments) else {
                    return Ok(FrameOutcome::Malformed);
                };
                emit::delta(out, *part, PartDelta::Arguments(more));
            }
            "tool-call-end" => self.end_call(index, out),
            "citation-start" => {
                let Some(citation) = message.citations else { return Ok(FrameOutcome::Malformed) };
                self.citations.push(citation.into());
                self.push_citations(out);
            }
            "message-end" => {
                if let Some(words) = delta.error.filter(|words| !words.is_empty()) {
                    return Err(self.failed(&words, delta.usage, out));
                }
                return Ok(self.finish(delta.finish_reason, delta.usage, out));
            }
            // `message-start`: its lists are empty, and come one by one.
            _ => {}
        }
        Ok(FrameOutcome::Known)
    }

    fn answer(&mut self, answer: types::ChatResponse, out: &mut Vec<StreamEvent>) {
        self.start(answer.id, out);
        let message = answer.message.unwrap_or_default();
        self.plan(message.tool_plan.unwrap_or_default(), out);
        for (index, block) in (0..).zip(message.content.unwrap_or_default()) {
            self.block(index, block, out);
        }
        for (index, call) in (0..).zip(message.tool_calls.unwrap_or_default()) {
            self.call(index, call, out);
        }
        self.citations = message.citations.unwrap_or_default();
        if !self.citations.is_empty() {
            self.push_citations(out);
        }
        emit::extension(
            out,
            FAMILY,
            Some(0),
            answer.rest.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        );
        self.finish(answer.finish_reason, answer.usage, out);
    }

    /// `Start`, once. A stream whose first event was lost starts with its next.
    fn start(&mut self, id: Option<String>, out: &mut Vec<StreamEvent>) {
        if !std::mem::replace(&mut self.has_started, true) {
            out.push(StreamEvent::Start(ResponseStart { id, ..ResponseStart::default() }));
        }
    }

    fn plan(&mut self, more: String, out: &mut Vec<StreamEvent>) {
        if more.is_empty() {
            return;
        }
        let part = match self.plan {
            Some(part) => part,
            None => self.start_part(PartKind::Reasoning, out),
        };
        self.plan = Some(part);
        emit::delta(out, part, PartDelta::Text(more));
    }

    /// A block of a whole message; one that this version has no word for is kept as it is.
    fn block(&mut self, index: u64, block: Map<String, Value>, out: &mut Vec<StreamEvent>) {
        let text = |name: &str| block.get(name).and_then(Value::as_str).map(str::to_owned);
        let content = types::Content { kind: text("type"), thinking: text("thinking"), text: text("text") };
        if self.content(index, content, true, out) == FrameOutcome::Unknown {
            let opaque = Opaque { family: FAMILY.into(), value: block.into() };
            let index = self.start_part(PartKind::Opaque { opaque }, out);
            out.push(StreamEvent::PartEnd { index });
        }
        self.end_content(index, out);
    }

    /// The beginning of a content block, or more of it. Where its beginning was lost, what it holds
    /// tells what it was.
    fn content(
        &mut self,
        index: u64,
        content: types::Content,
        is_start: bool,
        out: &mut Vec<StreamEvent>,
    ) -> FrameOutcome {
        if is_start {
            self.end_content(index, out);
        }
        let (is_thought, more) = match (content.kind.as_deref(), content.thinking, content.text) {
            (Some("thinking"), more, _) | (None, more @ Some(_), None) => (true, more),
            (Some("text"), _, more) | (None, None, more @ Some(_)) => (false, more),
            (Some(_), _, _) => return FrameOutcome::Unknown,
            (None, _, _) => return FrameOutcome::Malformed,
        };
        let part = match self.content.get(&index) {
            Some(open) if open.is_thought == is_thought => open.part,
            Some(_) => return FrameOutcome::Malformed,
            None => {
                self.end_plan(out);
                let kind = if is_thought { PartKind::Reasoning } else { PartKind::Text };
                let part = self.start_part(kind, out);
                self.content.insert(index, Growing { part, is_thought });
                part
            }
        };
        emit::delta(out, part, PartDelta::Text(more.unwrap_or_default()));
        FrameOutcome::Known
    }

    fn call(&mut self, index: u64, call: types::ToolCall, out: &mut Vec<StreamEvent>) {
        self.end_plan(out);
        self.end_call(index, out);
        self.has_calls = true;
        let function = call.function.unwrap_or_default();
        let (id, name) = (call.id.unwrap_or_default(), function.name.unwrap_or_default());
        let part = self.start_part(PartKind::ToolCall { id, name, is_server_side: false }, out);
        self.calls.insert(index, part);
        emit::delta(out, part, PartDelta::Arguments(function.arguments.unwrap_or_default()));
    }

    fn finish(
        &mut self,
        raw: Option<String>,
        usage: Option<types::Usage>,
        out: &mut Vec<StreamEvent>,
    ) -> FrameOutcome {
        self.end_parts(out);
        push_usage(usage, out);
        if !self.logprobs.is_empty() {
            let logprobs = Value::Array(std::mem::take(&mut self.logprobs));
            emit::extension(out, FAMILY, Some(0), Map::from_iter([("logprobs".to_owned(), logprobs)]));
        }
        let Some(raw) = raw else { return FrameOutcome::Malformed };
        self.has_finished = true;
        let reason = finish_reason(&raw, self.has_calls);
        out.push(StreamEvent::Finish { choice: 0, reason, raw: Some(raw) });
        FrameOutcome::Known
    }

    fn failed(&mut self, words: &str, usage: Option<types::Usage>, out: &mut Vec<StreamEvent>) -> Error {
        self.end_parts(out);
        push_usage(usage, out);
        let said = Value::Object(Map::from_iter([("message".to_owned(), words.into())]));
        errors::classify_value(200, &said).unwrap_or_else(|| invalid("an error without words"))
    }

    fn push_citations(&self, out: &mut Vec<StreamEvent>) {
        let all = Value::Array(self.citations.clone());
        emit::extension(out, FAMILY, Some(0), Map::from_iter([("citations".to_owned(), all)]));
    }

    fn start_part(&mut self, kind: PartKind, out: &mut Vec<StreamEvent>) -> u32 {
        let index = self.next_part;
        self.next_part += 1;
        out.push(StreamEvent::PartStart { index, choice: 0, kind });
        index
    }

    fn end_parts(&mut self, out: &mut Vec<StreamEvent>) {
        self.end_plan(out);
        let content = std::mem::take(&mut self.content).into_values().map(|open| open.part);
        let calls = std::mem::take(&mut self.calls).into_values();
        out.extend(content.chain(calls).map(|index| StreamEvent::PartEnd { index }));
    }

    fn end_plan(&mut self, out: &mut Vec<StreamEvent>) {
        out.extend(self.plan.take().map(|index| StreamEvent::PartEnd { index }));
    }

    fn end_content(&mut self, index: u64, out: &mut Vec<StreamEvent>) {
        out.extend(self.content.remove(&index).map(|open| StreamEvent::PartEnd { index: open.part }));
    }

    fn end_call(&mut self, index: u64, out: &mut Vec<StreamEvent>) {
        out.extend(self.calls.remove(&index).map(|index| StreamEvent::PartEnd { index }));
    }
}

/// The tokens by our convention, and what of them is billed; the bill is kept beside too, as it
/// came, since it may hold more (searches, classifications).
fn push_usage(usage: Option<types::Usage>, out: &mut Vec<StreamEvent>) {
    let Some(usage) = usage else { return };
    let billed = |name: &str| usage.rest.get("billed_units")?.get(name)?.as_u64();
    let billed = billed("input_tokens").zip(billed("output_tokens"));
    if let Some(tokens) = usage.tokens {
        let images = tokens.image_tokens.unwrap_or(0);
        let input = tokens.input_tokens.unwrap_or(0).saturating_add(images);
        let output = tokens.output_tokens.unwrap_or(0);
        out.push(StreamEvent::Usage(Box::new(Usage {
            input_tokens: input,
            input_image_tokens: images,
            cache_read_tokens: usage.cached_tokens.unwrap_or(0).min(input),
            output_tokens: output,
            reasoning_tokens: tokens.reasoning_tokens.unwrap_or(0).min(output),
            billed: billed.map(|(input, output)| Box::new(BilledTokens { input, output })),
            ..Usage::default()
        })));
    }
    if !usage.rest.is_empty() {
        emit::extension(out, FAMILY, None, Map::from_iter([("usage".to_owned(), Value::Object(usage.rest))]));
    }
}

/// <https://docs.cohere.com/reference/chat#response.body.finish_reason>
fn finish_reason(raw: &str, has_calls: bool) -> FinishReason {
    match raw {
        "COMPLETE" if has_calls => FinishReason::ToolCalls,
        "COMPLETE" => FinishReason::Stop,
        "STOP_SEQUENCE" => FinishReason::StopSequence,
        "MAX_TOKENS" => FinishReason::Length,
        "TOOL_CALL" => FinishReason::ToolCalls,
        "ERROR" | "TIMEOUT" => FinishReason::Error,
        _ => FinishReason::Other,
    }
}
