//! A provider's stream, passed on as it came while the protocol's own decoder reads it.
//!
//! | what comes | what is passed on |
//! |---|---|
//! | a whole frame, a comment, a ping | its bytes |
//! | a line beside the data, where the client's SDK knows no such lines (Google's) | nothing |
//! | a malformed frame | nothing; it is counted |
//! | of Anthropic's, what cannot stand behind a malformed frame | what can: [`super::message`] |
//! | a report of usage alone, which we and not the client asked for | nothing |
//! | OpenAI's last word `[DONE]`, in a family that has none | nothing |
//! | the protocol's own error | its bytes, and nothing after it |
//! | a frame in which the stream fails otherwise | nothing: our word takes its place |
//! | the protocol's last word without a finish reason | nothing: it would look like a clean end |
//! | an array's closing bracket | its bytes, once the decoder has found the end good |
//! | a last event without its blank line | its bytes; and the blank line, where the stream was cut there |
//! | a piece of an event, where the stream was cut | nothing |
//! | one document instead of a stream, or the other form of stream | nothing: events only |

use std::ops::Range;

use canonical::{Error, StreamEvent};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::cut::{Array, Cut, Cutter, Events};
use super::message::{Mended, Message};
use crate::driver::{StreamCounters, StreamDriver, too_large};
use crate::frame::{FrameTooLarge, MAX_FRAME_BYTES};

/// How a stream looks to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamForm {
    /// Server-sent events.
    #[default]
    Events,
    /// One JSON array (Gemini without `alt=sse`).
    Array,
}

/// How the stream of one answer is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TapOptions {
    /// What the client expects.
    pub form: StreamForm,
    /// Usage was asked for in the client's name, which does not expect it.
    pub hides_usage: bool,
    /// A `[DONE]` is no word of this family: Anthropic's own SDKs raise at the one with which
    /// OpenRouter ends its Messages.
    pub hides_done: bool,
    /// Of an event only lines that begin with `data: ` are passed on. Google's SDK takes every
    /// other line (a comment, `event:`, `data:` without its space) for a piece of JSON, and raises.
    pub data_lines_only: bool,
    /// The stream is a message of Anthropic's, whose SDKs raise at a block that has not begun.
    pub mends_message: bool,
}

/// Bytes for the client, in the order of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Kept from earlier pushes.
    Held(Vec<u8>),
    /// A range of the bytes that were pushed just now.
    Here(Range<usize>),
}

/// What the tap passes on as it came.
#[derive(Debug)]
enum State {
    /// Nothing but spaces so far.
    Undecided,
    Raw(Cutter),
    /// Not what the client expects: it gets the events, encoded.
    Foreign,
}

/// One provider stream: bytes in, the same bytes and their events out.
#[derive(Debug)]
pub struct Tap {
    driver: StreamDriver,
    options: TapOptions,
    state: State,
    /// The piece under way.
    held: Vec<u8>,
    /// The array's end, until the answer is known to be whole.
    close: Vec<u8>,
    is_closed: bool,
    /// An element of the array was passed on.
    has_element: bool,
    has_finish: bool,
    /// The last piece is the provider's own error.
    said_error: bool,
    is_over: bool,
    left_out: u64,
    /// Where [`TapOptions::mends_message`].
    message: Message,
}

impl Tap {
    pub fn new(driver: StreamDriver, options: TapOptions) -> Self {
        Self {
            driver,
            options,
            state: State::Undecided,
            held: Vec::new(),
            close: Vec::new(),
            is_closed: false,
            has_element: false,
            has_finish: false,
            said_error: false,
            is_over: false,
            left_out: 0,
            message: Message::default(),
        }
    }

    /// Where a message's own beginning is lost, it begins with this id and the name of this model.
    pub fn set_names(&mut self, id: &str, model: &str) {
        self.message = Message::named(id, model);
    }

    /// Whether the client gets the provider's bytes; where not, it needs the events encoded. Known
    /// with the first piece.
    pub fn is_raw(&self) -> bool {
        !matches!(self.state, State::Foreign)
    }

    /// Whether the last piece is the provider's own word for the error that ended the stream.
    pub fn said_error(&self) -> bool {
        self.said_error
    }

    /// Frames that were not passed on.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    pub fn counters(&self) -> StreamCounters {
        self.driver.counters()
    }

    /// Takes the next bytes; appends the events and the pieces that they complete. After an error
    /// the stream is over.
    pub fn push(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<StreamEvent>,
        raw: &mut Vec<Piece>,
    ) -> Result<(), Error> {
        if self.is_over {
            return Ok(());
        }
        let outcome = self.take(bytes, out, raw);
        self.is_over = outcome.is_err();
        outcome
    }

    /// The byte stream ended in good order; an error where the answer is not whole.
    pub fn finish(&mut self, out: &mut Vec<StreamEvent>, raw: &mut Vec<Piece>) -> Result<(), Error> {
        if std::mem::replace(&mut self.is_over, true) {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        let (before, from) = (self.driver.counters(), out.len());
        let pushed = self.driver.push(&held, out);
        let outcome = self.driver.finish(out).and(pushed);
        if !self.is_raw() {
            return outcome;
        }
        let is_kept = self.is_kept(&held, before, &out[from..]);
        match &outcome {
            Ok(()) => {
                if is_kept && !held.is_empty() {
                    self.pass(held, 0..0, &[], raw);
                }
                keep(std::mem::take(&mut self.close), raw);
            }
            // The cut took only the blank line: it is put back, and our word of the cut follows. What
            // has no data yet says nothing, though its end brings the parts that were open.
            Err(_)
                if is_kept && self.driver.counters().frames > before.frames && has_content(&out[from..]) =>
            {
                self.pass([&held, &b"\n\n"[..]].concat(), 0..0, &[], raw);
            }
            Err(_) => {}
        }
        outcome
    }

    fn take(&mut self, bytes: &[u8], out: &mut Vec<StreamEvent>, raw: &mut Vec<Piece>) -> Result<(), Error> {
        if matches!(self.state, State::Undecided) {
            self.decide(bytes);
        }
        let State::Raw(_) = &self.state else {
            if matches!(self.state, State::Undecided) {
                return self.hold(bytes);
            }
            let held = std::mem::take(&mut self.held);
            self.driver.push(&held, out)?;
            return self.driver.push(bytes, out);
        };
        let mut at = 0;
        while let Some(cut) = self.next_cut(&bytes[at..]) {
            let (Cut::Piece(length) | Cut::Close(length)) = cut;
            let span = at..at + length;
            at = span.end;
            self.piece(bytes, span, matches!(cut, Cut::Close(_)), out, raw)?;
        }
        self.hold(&bytes[at..])
    }

    fn next_cut(&mut self, bytes: &[u8]) -> Option<Cut> {
        match &mut self.state {
            State::Raw(cutter) => cutter.next(bytes),
            State::Undecided | State::Foreign => None,
        }
    }

    /// Content types lie, so the first byte decides.
    fn decide(&mut self, bytes: &[u8]) {
        let Some(first) = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) else { return };
        self.state = match (first, self.options.form) {
            (b'[', StreamForm::Array) => State::Raw(Cutter::Array(Array::default())),
            (b'[' | b'{' | b'<', _) | (_, StreamForm::Array) => State::Foreign,
            (_, StreamForm::Events) => State::Raw(Cutter::Events(Events::default())),
        };
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.held.len() + bytes.len() > MAX_FRAME_BYTES {
            return Err(too_large(FrameTooLarge));
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// A piece that ends with `span` of `bytes`.
    fn piece(
        &mut self,
        bytes: &[u8],
        span: Range<usize>,
        is_close: bool,
        out: &mut Vec<StreamEvent>,
        raw: &mut Vec<Piece>,
    ) -> Result<(), Error> {
        let (before, from) = (self.driver.counters(), out.len());
        let end = &bytes[span.clone()];
        let outcome = if self.held.is_empty() {
            self.driver.push(end, out)
        } else {
            self.held.extend_from_slice(end);
            self.driver.push(&self.held, out)
        };
        let held = std::mem::take(&mut self.held);
        let text = if held.is_empty() { end } else { &held };
        if let Err(error) = outcome {
            self.said_error = says_error(text);
            if self.said_error {
                self.pass(held, span, bytes, raw);
            }
            return Err(error);
        }
        if is_close || self.is_closed {
            self.is_closed = true;
            self.close.extend_from_slice(text);
        } else if self.is_kept(text, before, &out[from..]) {
            self.pass(held, span, bytes, raw);
        }
        Ok(())
    }

    /// Passes a piece on, without the comma of an element in front of it that was left out.
    fn pass(&mut self, held: Vec<u8>, span: Range<usize>, bytes: &[u8], raw: &mut Vec<Piece>) {
        if self.options.mends_message {
            let text = if held.is_empty() { &bytes[span.clone()] } else { &held[..] };
            match self.message.mend(text, self.driver.counters().malformed > 0) {
                Mended::AsItIs => {}
                Mended::Nothing => {
                    self.left_out += 1;
                    return;
                }
                Mended::Instead(mended) => return keep(mended, raw),
            }
        }
        let mut skipped = 0;
        if self.options.form == StreamForm::Array {
            let text = if held.is_empty() { &bytes[span.clone()] } else { &held[..] };
            let is_opening = text.trim_ascii() == b"[";
            let spaces = text.len() - text.trim_ascii_start().len();
            if !is_opening && !self.has_element && text.trim_ascii_start().starts_with(b",") {
                skipped = spaces + 1;
            }
            self.has_element |= !is_opening;
        } else if self.options.data_lines_only {
            let text = if held.is_empty() { &bytes[span.clone()] } else { &held[..] };
            if let Some(data) = data_lines(text) {
                return keep(data, raw);
            }
        }
        if !held.is_empty() {
            let mut held = held;
            held.drain(..skipped);
            return keep(held, raw);
        }
        let span = span.start + skipped..span.end;
        match raw.last_mut() {
            Some(Piece::Here(last)) if last.end == span.start => last.end = span.end,
            _ => raw.push(Piece::Here(span)),
        }
    }

    /// Whether a piece that the decoder has read is for the client; `events` are what it made of it.
    fn is_kept(&mut self, text: &[u8], before: StreamCounters, events: &[StreamEvent]) -> bool {
        self.has_finish |= events.iter().any(|event| matches!(event, StreamEvent::Finish { .. }));
        let is_left_out = self.driver.counters().malformed > before.malformed
            || (self.options.hides_usage && is_usage_alone(text, events))
            || (self.options.hides_done && is_done(text))
            || (!self.has_finish && is_last_word(text));
        self.left_out += u64::from(is_left_out);
        !is_left_out
    }
}

fn has_content(events: &[StreamEvent]) -> bool {
    events.iter().any(|event| matches!(event, StreamEvent::PartStart { .. } | StreamEvent::PartDelta { .. }))
}

fn keep(bytes: Vec<u8>, raw: &mut Vec<Piece>) {
    if !bytes.is_empty() {
        raw.push(Piece::Held(bytes));
    }
}

/// The event with nothing but its data, each line behind `data: `; empty where it has none, `None`
/// where it is so already.
fn data_lines(text: &[u8]) -> Option<Vec<u8>> {
    let lines = || text.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty());
    if lines().all(|line| line.starts_with(b"data: ")) {
        return None;
    }
    let mut data = Vec::new();
    for line in lines().filter_map(|line| line.strip_prefix(b"data:")) {
        let line = line.strip_prefix(b" ").unwrap_or(line);
        data.extend_from_slice(&[b"data: ", line, b"\n"].concat());
    }
    if !data.is_empty() {
        data.push(b'\n');
    }
    Some(data)
}

/// The payload of a piece: an event's data, or an array's element.
pub(super) fn data_of(text: &[u8]) -> Vec<u8> {
    let trimmed = text.trim_ascii_start();
    if let [b'[' | b',' | b'{', ..] = trimmed {
        let start = trimmed.iter().position(|byte| *byte == b'{').unwrap_or(trimmed.len());
        return trimmed[start..].trim_ascii_end().to_vec();
    }
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    let data: Vec<&[u8]> = lines.filter_map(|line| line.strip_prefix(b"data:")).collect();
    data.join(&b'\n').trim_ascii().to_vec()
}

/// Whether the piece itself says that the answer failed, in any family's way.
fn says_error(text: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(&data_of(text)) else { return false };
    let has_error = |value: &Value| value.get("error").is_some_and(|error| !error.is_null());
    has_error(&value)
        || value["type"] == "error"
        || value["type"] == "response.failed"
        || value["object"] == "error"
        || value["choices"].as_array().is_some_and(|choices| choices.iter().any(has_error))
}

/// Whether a chunk of Chat Completions reports usage and nothing else.
fn is_usage_alone(text: &[u8], events: &[StreamEvent]) -> bool {
    #[derive(Deserialize)]
    struct Chunk {
        choices: Option<Vec<IgnoredAny>>,
        usage: Option<IgnoredAny>,
    }
    let is_beside = |event: &StreamEvent| {
        matches!(
            event,
            StreamEvent::Start(_) | StreamEvent::Usage(_) | StreamEvent::Extension { choice: None, .. }
        )
    };
    events.iter().all(is_beside)
        && memchr::memmem::find(text, b"\"usage\"").is_some()
        && serde_json::from_slice::<Chunk>(&data_of(text))
            .is_ok_and(|chunk| chunk.usage.is_some() && chunk.choices.is_none_or(|all| all.is_empty()))
}

fn is_done(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"[DONE]").is_some() && data_of(text) == b"[DONE]"
}

/// Whether the piece ends a stream (of Chat Completions or Messages), whatever came before it.
fn is_last_word(text: &[u8]) -> bool {
    let has = |word: &[u8]| memchr::memmem::find(text, word).is_some();
    if !has(b"[DONE]") && !has(b"message_stop") {
        return false;
    }
    let data = data_of(text);
    data == b"[DONE]"
        || serde_json::from_slice::<Value>(&data).is_ok_and(|value| value["type"] == "message_stop")
}

#[cfg(test)]
mod tests;
