//! Chunks → events; a whole answer is one chunk.
//!
//! The end of a stream has two signs: each choice's finish reason, and `[DONE]`. The finish reason
//! is the one that counts, because it is the model's: an answer is whole where every choice has
//! one, also when the connection then ends without `[DONE]` (Perplexity, Writer and GPUStack never
//! send it, and at most a last usage report can be missing). `[DONE]` without a finish reason is a
//! relay's word only; it counts where a quirk says that this provider leaves the reason out, and
//! where the answer ends in complete tool calls (OpenRouter's Novita).
//!
//! Finish events wait for the end, because chunks after the finish reason may still bring tool
//! calls, another reason or an error (OpenRouter).

use std::borrow::Cow;
use std::collections::BTreeMap;

use canonical::event::ResponseStart;
use canonical::{ChatResponse, Error, ErrorKind, FinishReason, Origin, StreamEvent, Usage, fold};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::choice::{ChoiceState, Sink};
use super::{finish, usage};
use crate::frame::MAX_INDEX;
use crate::json::{PassedOn, RawFields, raw_field};
use crate::openai_chat::types::{Choice, Chunk, FAMILY, dollars};
use crate::{Frame, FrameOutcome, Quirks, StreamDecoder, emit, errors};

/// The terminator of a stream.
const DONE: &str = "[DONE]";

/// The quirks that answers have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    reasoning_beside_completion: bool,
    done_without_finish_reason: bool,
}

impl Habits {
    pub(super) fn of(quirks: &Quirks) -> Self {
        Self {
            reasoning_beside_completion: quirks.reasoning_beside_completion,
            done_without_finish_reason: quirks.done_without_finish_reason,
        }
    }
}

#[derive(Debug)]
pub(super) struct Decoder {
    habits: Habits,
    is_started: bool,
    /// Differs between answers; part of ids that are minted.
    answer_key: String,
    next_part: u32,
    /// Boxed: a node of the map makes room for eleven.
    choices: BTreeMap<u32, Box<ChoiceState>>,
    /// Fields of the whole answer that were passed on already: some repeat in every chunk
    /// (Perplexity's citations, 10 KB each time).
    passed_on: PassedOn,
    /// Those that came before the answer began.
    waiting: Map<String, Value>,
    service_tier: Option<String>,
    /// The last usage that was passed on.
    usage: Option<Usage>,
    /// The last report whose fields beside the counts were passed on.
    usage_report: Option<Box<str>>,
    /// Nothing more is taken: the end or an error was passed on.
    is_over: bool,
}

impl Decoder {
    pub(super) fn new(habits: Habits) -> Self {
        Self {
            habits,
            is_started: false,
            answer_key: String::new(),
            next_part: 0,
            choices: BTreeMap::new(),
            passed_on: PassedOn::default(),
            waiting: Map::new(),
            service_tier: None,
            usage: None,
            usage_report: None,
            is_over: false,
        }
    }

    fn chunk(&mut self, mut chunk: Chunk<'_>, out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        let choices = chunk.choices.take().unwrap_or_default();
        let id = chunk.id.take().filter(|id| !id.is_empty());
        // Azure's first chunk is about the prompt; the next one has the answer's id.
        if id.is_some() || !choices.is_empty() || chunk.usage.is_some() {
            self.start(id, &mut chunk, out);
        }
        self.fields(std::mem::take(&mut chunk.rest), out);
        for choice in choices {
            self.choice(choice, out)?;
        }
        self.usage(&chunk, out);
        Ok(())
    }

    fn start(&mut self, id: Option<Cow<'_, str>>, chunk: &mut Chunk<'_>, out: &mut Vec<StreamEvent>) {
        if std::mem::replace(&mut self.is_started, true) {
            return;
        }
        self.answer_key = id.as_deref().map(answer_key).unwrap_or_default();
        let said = |text: Option<Cow<'_, str>>| text.filter(|text| !text.is_empty()).map(Cow::into_owned);
        out.push(StreamEvent::Start(ResponseStart {
            id: id.map(Cow::into_owned),
            model: said(chunk.model.take()),
            created: chunk.created.filter(|seconds| *seconds > 0),
            system_fingerprint: said(chunk.system_fingerprint.take()),
        }));
        emit::extension(out, FAMILY, None, std::mem::take(&mut self.waiting));
    }

    /// Fields of the whole answer: passed on when they are new or have changed.
    fn fields(&mut self, fields: RawFields<'_>, out: &mut Vec<StreamEvent>) {
        if fields.is_empty() {
            return;
        }
        let news = self.passed_on.news(fields);
        if let Some(tier) = news.get("service_tier").and_then(Value::as_str) {
            self.service_tier = Some(tier.to_owned());
        }
        self.pass_on(news, out);
    }

    fn pass_on(&mut self, news: Map<String, Value>, out: &mut Vec<StreamEvent>) {
        if self.is_started {
            emit::extension(out, FAMILY, None, news);
        } else {
            self.waiting.extend(news);
        }
    }

    fn choice(&mut self, choice: Choice<'_>, out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        let mut rest = choice.rest;
        let error = rest.iter().position(|(name, _)| name == "error").map(|at| rest.remove(at).1);
        let index = choice.index.unwrap_or(0);
        let state = self.choices.entry(index).or_insert_with(|| Box::new(ChoiceState::new(index)));
        let mut sink = Sink { out, next_part: &mut self.next_part };
        state.extension(rest, "", &mut sink);
        if let Some(message) = choice.delta.or(choice.message.map(|message| *message)) {
            state.take(message, &self.answer_key, &mut sink);
        }
        state.set_finish_word(finish::word(choice.finish_reason));
        match error {
            Some(error) => Err(in_band(&serde_json::json!({ "error": error }))),
            None => Ok(()),
        }
    }

    fn usage(&mut self, chunk: &Chunk<'_>, out: &mut Vec<StreamEvent>) {
        let older = || {
            // Groq's place for it before `usage` came to streams.
            let groq = self.passed_on.get("x_groq")?;
            let value = groq.get("usage")?;
            RawValue::from_string(value.to_string()).ok()
        };
        let older = if chunk.usage.is_none() && self.usage.is_none() { older() } else { None };
        let Some(raw) = chunk.usage.or(older.as_deref()) else { return };
        let reasoning_is_beside = self.habits.reasoning_beside_completion;
        let Some((mut decoded, rest)) = usage::decode(raw, reasoning_is_beside) else { return };
        decoded.service_tier = decoded.service_tier.take().or_else(|| self.service_tier.clone());
        decoded.reported_cost = decoded.reported_cost.or_else(|| self.cost_beside_usage());
        if self.usage.as_ref() != Some(&decoded) {
            self.usage = Some(decoded.clone());
            out.push(StreamEvent::Usage(Box::new(decoded)));
        }
        let known = self.usage_report.as_deref();
        let is_known = |known: &str| known == raw.get() || usage::rest(known) == rest;
        if !rest.is_empty() && !known.is_some_and(is_known) {
            self.usage_report = Some(raw.get().into());
            self.pass_on(Map::from_iter([("usage".to_owned(), Value::Object(rest))]), out);
        }
    }

    /// Venice says the cost beside the usage: `cost: {usd, diem}`.
    fn cost_beside_usage(&self) -> Option<canonical::PicoUsd> {
        let cost = self.passed_on.get("cost")?;
        dollars(&RawValue::from_string(cost.to_string()).ok()?)
    }

    /// Ends every part, and every choice that has its finish reason (or that is known to be whole).
    fn conclude(&mut self, is_known_whole: bool, out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        self.is_over = true;
        self.close(out);
        let mut sink = Sink { out, next_part: &mut self.next_part };
        let (ended, open): (Vec<_>, Vec<_>) =
            self.choices.values().partition(|choice| is_known_whole || choice.finish_word().is_some());
        if let Some(word) =
            ended.iter().filter_map(|choice| choice.finish_word()).find(|word| is_failure(word))
        {
            return Err(failed(word));
        }
        for choice in &ended {
            choice.finish(&mut sink);
        }
        if ended.is_empty() || !open.is_empty() { Err(truncated()) } else { Ok(()) }
    }

    fn close(&mut self, out: &mut Vec<StreamEvent>) {
        let mut sink = Sink { out, next_part: &mut self.next_part };
        self.choices.values_mut().for_each(|choice| choice.close(&mut sink));
    }

    /// An error in the stream: what had arrived is ended, so that it is whole.
    fn fail(&mut self, error: Error, out: &mut Vec<StreamEvent>) -> Error {
        self.is_over = true;
        self.close(out);
        error
    }
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<StreamEvent>) -> Result<FrameOutcome, Error> {
        if self.is_over {
            return Ok(FrameOutcome::Known);
        }
        if frame.data.trim() == DONE {
            let shows_its_end = self.habits.done_without_finish_reason
                || self
                    .choices
                    .values()
                    .all(|choice| choice.finish_word().is_some() || choice.ends_in_whole_calls());
            self.conclude(shows_its_end, out)?;
            return Ok(FrameOutcome::Known);
        }
        let Ok(chunk) = serde_json::from_str::<Chunk<'_>>(frame.data) else {
            return Ok(FrameOutcome::Malformed);
        };
        let is_error = chunk.error.is_some()
            || frame.event == Some("error")
            || chunk.object.as_deref() == Some("error")
            || raw_field(&chunk.rest, "type").is_some_and(|kind| kind.get() == r#""error""#);
        if is_error {
            let value = serde_json::from_str(frame.data).unwrap_or(Value::Null);
            // The chunk may hold the usage that the failed answer is billed for.
            let outcome = if chunk.usage.is_some() { self.chunk(chunk, out) } else { Ok(()) };
            return Err(self.fail(outcome.err().unwrap_or_else(|| in_band(&value)), out));
        }
        if chunk.choices.is_none() && chunk.usage.is_none() {
            return Ok(FrameOutcome::Unknown);
        }
        let mut indexes = chunk.choices.iter().flatten().filter_map(|choice| choice.index);
        if indexes.any(|index| u64::from(index) > MAX_INDEX) {
            return Ok(FrameOutcome::Malformed);
        }
        match self.chunk(chunk, out) {
            Ok(()) => Ok(FrameOutcome::Known),
            Err(error) => Err(self.fail(error, out)),
        }
    }

    fn end(&mut self, out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        if self.is_over { Ok(()) } else { self.conclude(false, out) }
    }

    /// A whole answer. Its JSON is closed, so nothing of it is missing, whether a finish reason
    /// was sent or not.
    fn whole(&self, body: &[u8]) -> Result<ChatResponse, Error> {
        let mut chunk: Chunk<'_> = serde_json::from_slice(body).map_err(|error| {
            let is_cut = error.is_eof() && body.trim_ascii_start().starts_with(b"{");
            if is_cut { cut() } else { not_an_answer() }
        })?;
        if chunk.choices.as_ref().is_none_or(Vec::is_empty) {
            return Err(not_an_answer());
        }
        // Perplexity's whole answers hold an empty delta beside the message.
        for choice in chunk.choices.iter_mut().flatten().filter(|choice| choice.message.is_some()) {
            choice.delta = None;
        }
        let (mut decoder, mut events) = (Self::new(self.habits), Vec::new());
        decoder.chunk(chunk, &mut events)?;
        decoder.conclude(true, &mut events)?;
        Ok(fold::fold(&events))
    }
}

/// Eight hexadecimal digits of an answer's id (FNV-1a) and a separator.
fn answer_key(id: &str) -> String {
    let hash =
        id.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}_")
}

fn is_failure(word: &str) -> bool {
    finish::reason(word) == FinishReason::Error
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

fn failed(word: &str) -> Error {
    Error::new(
        ErrorKind::ServerError,
        Origin::Provider,
        format!("The provider gave up in the middle of its answer (finish reason “{word}”)."),
    )
    .with_code(word)
}

fn truncated() -> Error {
    Error::new(
        ErrorKind::Truncated,
        Origin::Provider,
        "The provider's answer broke off: its stream ended without a finish reason.",
    )
}

fn cut() -> Error {
    Error::new(
        ErrorKind::Truncated,
        Origin::Provider,
        "The provider's answer broke off: its JSON ends in the middle.",
    )
}

fn not_an_answer() -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Origin::Provider,
        "The provider answered with something that is no chat completion. Check the base URL.",
    )
}
