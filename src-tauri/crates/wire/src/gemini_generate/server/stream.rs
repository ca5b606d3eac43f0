//! Events → chunks, each a `GenerateContentResponse` of its own: server-sent events where the client
//! asked for them (`alt=sse`, as every SDK does), else the elements of one JSON array.
//!
//! Text goes out as it comes. Calls are whole in this protocol, so they wait for their end, and then
//! for what comes next: like Google's own, they go out together, in the last chunk where they are the
//! last to be said. With it go the finish reasons, the counts and the fields of the whole answer.
//!
//! An answer that breaks off ends with a chunk `{"error": …}`, at which the SDKs raise; no chunk
//! before it has a finish reason. Of the calls only those go out whose arguments had come whole: a
//! call that was cut in the middle of them would be run with arguments that the model never gave.

use std::collections::{BTreeMap, BTreeSet};

use canonical::event::ResponseStart;
use canonical::request::ToolCall;
use canonical::{Error, ErrorKind, FinishReason, Origin, PartDelta, PartKind, StreamEvent, Usage};
use serde_json::{Map, Value, json};

use super::super::FAMILY;
use super::super::client::known_finish;
use super::{answer, error};
use crate::{AnswerContext, StreamEncoder};

#[derive(Debug)]
pub(super) struct Encoder {
    context: AnswerContext,
    framing: Framing,
    start: ResponseStart,
    /// Parts that may still grow.
    open: BTreeMap<u32, (u32, Open)>,
    candidates: BTreeMap<u32, Candidate>,
    usage: Option<Usage>,
    usage_fields: Map<String, Value>,
    /// The family's fields of the whole answer, until the next chunk.
    waiting_top: Map<String, Value>,
    has_ended: bool,
}

/// How chunks are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Events,
    /// Elements of an array, and whether there was one already.
    Array {
        is_begun: bool,
    },
}

#[derive(Debug, Default)]
struct Candidate {
    /// Parts that are whole and not sent yet.
    waiting: Vec<Value>,
    /// Which of them are calls that go out only where the answer came to its end.
    doubtful: BTreeSet<usize>,
    finish: Option<String>,
    /// The family's own fields, each with its last value.
    fields: Map<String, Value>,
}

impl Candidate {
    /// What waits, of an answer that broke off.
    fn certain(self) -> Vec<Value> {
        let waiting = self.waiting.into_iter().enumerate();
        waiting.filter(|(position, _)| !self.doubtful.contains(position)).map(|(_, part)| part).collect()
    }
}

#[derive(Debug)]
enum Open {
    Prose {
        is_thought: bool,
    },
    Call {
        call: ToolCall,
    },
    /// Whole from its start, but for its signature.
    Whole {
        part: Map<String, Value>,
    },
    /// Not for this client.
    Hidden,
}

impl Encoder {
    pub(super) fn new(context: &AnswerContext) -> Self {
        let mut pairs = context.query.as_deref().unwrap_or_default().split('&');
        let framing = if pairs.any(|pair| pair == "alt=sse") {
            Framing::Events
        } else {
            Framing::Array { is_begun: false }
        };
        Self {
            context: context.clone(),
            framing,
            start: ResponseStart::default(),
            open: BTreeMap::new(),
            candidates: BTreeMap::new(),
            usage: None,
            usage_fields: Map::new(),
            waiting_top: Map::new(),
            has_ended: false,
        }
    }

    fn part_start(&mut self, index: u32, choice: u32, kind: &PartKind) {
        let open = match kind {
            PartKind::Text | PartKind::Refusal => Open::Prose { is_thought: false },
            PartKind::Reasoning if self.context.hide_reasoning => Open::Hidden,
            PartKind::Reasoning => Open::Prose { is_thought: true },
            // The provider answers it itself; to the client it would be a call nobody declared.
            PartKind::ToolCall { is_server_side: true, .. } => Open::Hidden,
            PartKind::ToolCall { id, name, .. } => {
                Open::Call { call: ToolCall { id: id.clone(), name: name.clone(), ..ToolCall::default() } }
            }
            PartKind::Image { media } | PartKind::Audio { media } => {
                Open::Whole { part: answer::media(media) }
            }
            PartKind::Opaque { opaque } => match opaque.value.as_object() {
                Some(part) if opaque.family == FAMILY => Open::Whole { part: part.clone() },
                _ => Open::Hidden,
            },
        };
        self.open.insert(index, (choice, open));
    }

    fn part_delta(&mut self, index: u32, delta: &PartDelta, out: &mut Vec<u8>) {
        let Some((choice, open)) = self.open.get_mut(&index) else { return };
        let choice = *choice;
        match (open, delta) {
            (Open::Prose { is_thought }, PartDelta::Text(text)) if !text.is_empty() => {
                let part = answer::prose(text, *is_thought);
                self.say(choice, part.into(), out);
            }
            (Open::Prose { is_thought }, PartDelta::Signature(signature)) => {
                let mut part = answer::prose("", *is_thought);
                answer::sign(&mut part, Some(signature));
                if part.contains_key("thoughtSignature") {
                    self.candidate(choice).waiting.push(part.into());
                }
            }
            (Open::Prose { .. }, PartDelta::Encrypted(value)) => {
                self.candidate(choice).waiting.extend(answer::encrypted(value));
            }
            (Open::Call { call }, PartDelta::Arguments(piece)) => call.arguments.push_str(piece),
            (Open::Call { call }, PartDelta::Signature(signature)) => {
                call.signature = Some(signature.clone());
            }
            (Open::Whole { part }, PartDelta::Signature(signature)) => {
                answer::sign(part, Some(signature));
            }
            _ => {}
        }
    }

    fn part_end(&mut self, index: u32, out: &mut Vec<u8>) {
        match self.open.remove(&index) {
            Some((choice, Open::Call { call })) => {
                let mut part = answer::function_call(&call);
                answer::sign(&mut part, call.signature.as_deref());
                let candidate = self.candidate(choice);
                // Decoders end what is open before they tell of an error.
                if serde_json::from_str::<Map<String, Value>>(&call.arguments).is_err() {
                    candidate.doubtful.insert(candidate.waiting.len());
                }
                candidate.waiting.push(part.into());
            }
            Some((choice, Open::Whole { part })) => self.say(choice, part.into(), out),
            Some((_, Open::Prose { .. } | Open::Hidden)) | None => {}
        }
    }

    fn extension(&mut self, choice: Option<u32>, fields: &Map<String, Value>) {
        let mut fields = fields.clone();
        if let Some(choice) = choice {
            self.candidate(choice).fields.extend(fields);
            return;
        }
        if let Some(Value::Object(more)) = fields.shift_remove("usageMetadata") {
            self.usage_fields.extend(more);
        }
        self.waiting_top.extend(fields);
    }

    fn finish(&mut self, choice: u32, reason: FinishReason, raw: Option<&str>, out: &mut Vec<u8>) {
        let is_own = raw.is_some_and(|raw| known_finish(raw, reason));
        if reason == FinishReason::Error && !is_own {
            let error = Error::new(
                ErrorKind::ServerError,
                Origin::Provider,
                "The provider ended its answer with an error of its own.",
            );
            self.error(&error, out);
            return;
        }
        self.candidate(choice).finish = Some(answer::finish_word(reason, raw));
    }

    fn candidate(&mut self, choice: u32) -> &mut Candidate {
        self.candidates.entry(choice).or_default()
    }

    /// Sends a part, after what waits before it.
    fn say(&mut self, choice: u32, part: Value, out: &mut Vec<u8>) {
        let candidate = self.candidate(choice);
        candidate.doubtful.clear();
        let mut parts = std::mem::take(&mut candidate.waiting);
        parts.push(part);
        self.chunk(vec![content(choice, &parts)], out);
    }

    fn chunk(&mut self, candidates: Vec<Value>, out: &mut Vec<u8>) {
        self.write(&self.object(candidates), out);
        self.waiting_top.clear();
    }

    fn object(&self, candidates: Vec<Value>) -> Map<String, Value> {
        let mut object = Map::from_iter([("candidates".to_owned(), candidates.into())]);
        object.extend(answer::head(&self.start, &self.context));
        for (name, value) in &self.waiting_top {
            object.entry(name.clone()).or_insert_with(|| value.clone());
        }
        object
    }

    fn write(&mut self, object: &Map<String, Value>, out: &mut Vec<u8>) {
        let json = serde_json::to_vec(object).unwrap_or_default();
        match &mut self.framing {
            Framing::Events => {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(&json);
                out.extend_from_slice(b"\r\n\r\n");
            }
            Framing::Array { is_begun } => {
                let before: &[u8] = if std::mem::replace(is_begun, true) { b",\r\n" } else { b"[" };
                out.extend_from_slice(before);
                out.extend_from_slice(&json);
            }
        }
    }

    fn close(&self, out: &mut Vec<u8>) {
        match self.framing {
            Framing::Events => {}
            Framing::Array { is_begun: true } => out.extend_from_slice(b"]\r\n"),
            Framing::Array { is_begun: false } => out.extend_from_slice(b"[]\r\n"),
        }
    }
}

fn content(choice: u32, parts: &[Value]) -> Value {
    json!({"content": {"parts": parts, "role": "model"}, "index": choice})
}

impl StreamEncoder for Encoder {
    fn content_type(&self) -> &'static str {
        match self.framing {
            Framing::Events => "text/event-stream",
            Framing::Array { .. } => "application/json; charset=UTF-8",
        }
    }

    fn follow_raw(&mut self) {
        if let Framing::Array { is_begun } = &mut self.framing {
            *is_begun = true;
        }
    }

    fn event(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        if self.has_ended {
            return;
        }
        match event {
            StreamEvent::Start(start) => self.start = start.clone(),
            StreamEvent::PartStart { index, choice, kind } => self.part_start(*index, *choice, kind),
            StreamEvent::PartDelta { index, delta } => self.part_delta(*index, delta, out),
            StreamEvent::PartEnd { index } => self.part_end(*index, out),
            StreamEvent::Usage(usage) => self.usage = Some(Usage::clone(usage)),
            StreamEvent::Extension { choice, family, fields } if family == FAMILY => {
                self.extension(*choice, fields);
            }
            StreamEvent::Extension { .. } => {}
            StreamEvent::Finish { choice, reason, raw } => {
                self.finish(*choice, *reason, raw.as_deref(), out);
            }
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        for (choice, candidate) in std::mem::take(&mut self.candidates) {
            let parts = candidate.certain();
            if !parts.is_empty() {
                self.chunk(vec![content(choice, &parts)], out);
            }
        }
        if let Value::Object(body) = error::body(error, Some(&self.context.request_id)) {
            self.write(&body, out);
        }
        self.close(out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let mut candidates = Vec::with_capacity(self.candidates.len());
        for (choice, mut candidate) in std::mem::take(&mut self.candidates) {
            if candidate.waiting.is_empty() {
                // Clients look at the first part of every chunk, and Google has one in its last.
                candidate.waiting.push(answer::prose("", false).into());
            }
            let mut object = content(choice, &candidate.waiting);
            if let Value::Object(object) = &mut object {
                if let Some(finish) = candidate.finish {
                    object.insert("finishReason".into(), finish.into());
                }
                for (name, value) in candidate.fields {
                    object.entry(name).or_insert(value);
                }
            }
            candidates.push(object);
        }
        let mut object = self.object(candidates);
        if let Some(usage) = &self.usage {
            let more = Value::Object(std::mem::take(&mut self.usage_fields));
            object.insert("usageMetadata".into(), answer::usage_metadata(usage, Some(&more)));
        }
        self.write(&object, out);
        self.close(out);
    }
}
