//! An answer that broke off after the caller had seen a part of it, and the next model's on top of it:
//! what was told, what the next model is asked, and how its events follow those before. Plain values.
//!
//! | the route says | the caller sees |
//! | --- | --- |
//! | `end` | the text so far, and the error |
//! | `restart` | the text so far, a line that says so, and the next model's answer from its beginning |
//! | `continue` | one text: the next model goes on where it stopped ([`overlap`]) |
//!
//! Both are one message with the first answer's id. Nobody goes on where the caller may already act
//! on what it has ([`Told::obstacle`]): then the answer ends there, as with `end`.

mod overlap;
mod told;

use std::collections::BTreeMap;

use canonical::request::ResponseFormat;
use canonical::{ChatRequest, Content, Message, PartDelta, PartKind, Role, StreamEvent, Usage};
use wire::Prefill;

use overlap::Overlap;
use told::Shape;
pub(super) use told::Told;

/// Characters of the text that the next model is asked to begin with, where it is asked in words.
const ANCHOR_CHARS: usize = 48;

/// The least that is asked for where the caller limits the answer: some providers take no less.
const LEAST_OUTPUT_TOKENS: u64 = 16;

/// Bytes that are about a token, to take what was told off the caller's limit.
const BYTES_PER_TOKEN: u64 = 4;

/// How the next model is brought to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How {
    /// From where it stopped; what the model does with a message of its own at the end says how it
    /// is asked.
    Continue(Prefill),
    /// From the beginning, behind this line.
    Restart { line: String },
}

impl How {
    /// The line that says that an answer begins again.
    pub(super) fn restart(model: &str) -> Self {
        Self::Restart { line: format!("\n\n[The answer broke off here and begins again with {model}.]\n\n") }
    }

    /// As the decision and the book name it.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Continue(Prefill::Never) => "instruction",
            Self::Continue(Prefill::Last | Prefill::Prefix) => "prefill",
            Self::Restart { .. } => "restart",
        }
    }
}

/// What the next model is asked, behind `told`.
pub(super) fn question(request: &ChatRequest, told: &Told, how: &How) -> ChatRequest {
    let mut question = request.clone();
    let How::Continue(prefill) = how else { return question };
    if told.text().trim().is_empty() {
        return question;
    }
    if let Some(most) = question.max_output_tokens {
        let told = told.text().len() as u64 / BYTES_PER_TOKEN;
        question.max_output_tokens = Some(most.saturating_sub(told).max(LEAST_OUTPUT_TOKENS.min(most)));
    }
    let mut said = said_before(&mut question).unwrap_or_default();
    said.push_str(told.text());
    // A message that ends with a space is refused by some, and none of it is lost: see `Overlap`.
    let mut message = Message::text(Role::Assistant, said.trim_end());
    if *prefill == Prefill::Prefix {
        message.extensions.insert("openai-chat", "prefix", true.into());
    }
    question.messages.push(message);
    if *prefill == Prefill::Never {
        question.messages.push(Message::text(Role::User, instruction(told.text())));
    }
    question
}

/// The caller's own beginning of the answer, where the conversation ends with one: it and what was
/// told are one message.
fn said_before(question: &mut ChatRequest) -> Option<String> {
    let last = question.messages.last()?;
    let is_text = last.parts.iter().all(|part| matches!(part.content, Content::Text(_)));
    (last.role == Role::Assistant && is_text)
        .then(|| question.messages.pop())
        .flatten()
        .map(|it| it.plain_text())
}

/// Beginning with words that were told makes the place plain, spaces and all; they are taken off.
fn instruction(text: &str) -> String {
    let anchor = overlap::anchor(text, ANCHOR_CHARS);
    format!(
        "Your answer above was cut off by a broken connection. Go on exactly where it stopped. Begin with its \
         last words, “{anchor}”, and continue from there. Repeat nothing else, do not start over, and say \
         nothing about the interruption."
    )
}

/// Whether the answer has a format that only the same text, gone on with, can keep.
fn has_format(request: &ChatRequest) -> bool {
    !matches!(request.response_format, None | Some(ResponseFormat::Text))
}

/// The next model's events on their way behind those that were told.
#[derive(Debug)]
pub(super) struct Join {
    /// What becomes of each of its parts; `None`: the caller does not see it.
    parts: BTreeMap<u32, Option<u32>>,
    next_index: u32,
    /// Parts of the answer before that are open.
    open: Vec<(u32, Shape)>,
    /// The part that goes on with the text.
    joined: Option<u32>,
    /// Text was told.
    has_text: bool,
    line: Option<String>,
    overlap: Option<Overlap>,
    /// What the answers before used.
    before: Option<Usage>,
}

impl Join {
    /// `before` is what all of the answers before used.
    pub(super) fn new(told: &Told, how: &How, before: Option<Usage>) -> Self {
        let has_text = !told.text().trim().is_empty();
        let (line, overlap) = match how {
            _ if !has_text => (None, None),
            How::Restart { line } => (Some(line.clone()), None),
            How::Continue(prefill) => (None, Some(Overlap::new(told.text(), *prefill == Prefill::Never))),
        };
        Self {
            parts: BTreeMap::new(),
            next_index: told.next_index(),
            open: told.open(),
            joined: None,
            has_text,
            line,
            overlap,
            before,
        }
    }

    /// Puts into `out` what the caller sees of `event`.
    pub(super) fn take(&mut self, event: StreamEvent, out: &mut Vec<StreamEvent>) {
        match event {
            // The message has begun, and keeps its id.
            StreamEvent::Start(_) => {}
            StreamEvent::PartStart { index, choice, kind } => self.start(index, choice, kind, out),
            StreamEvent::PartDelta { index, delta } => {
                let Some(index) = self.parts.get(&index).copied().flatten() else { return };
                let delta = match (&mut self.overlap, delta) {
                    (Some(overlap), PartDelta::Text(text)) if self.joined == Some(index) => {
                        PartDelta::Text(overlap.push(&text))
                    }
                    (_, delta) => delta,
                };
                if !delta.is_empty() {
                    out.push(StreamEvent::PartDelta { index, delta });
                }
            }
            StreamEvent::PartEnd { index } => {
                let Some(index) = self.parts.get(&index).copied().flatten() else { return };
                self.release(out);
                self.open.retain(|(open, _)| *open != index);
                out.push(StreamEvent::PartEnd { index });
            }
            StreamEvent::Usage(usage) => {
                out.push(StreamEvent::Usage(match &self.before {
                    Some(before) => Box::new(sum(before, &usage)),
                    None => usage,
                }));
            }
            StreamEvent::Finish { .. } => {
                self.release(out);
                self.close(out);
                out.push(event);
            }
            StreamEvent::Extension { .. } => out.push(event),
        }
    }

    fn start(&mut self, index: u32, choice: u32, kind: PartKind, out: &mut Vec<StreamEvent>) {
        // A thought in the middle of a text would take the text apart.
        if kind == PartKind::Reasoning && self.has_text && self.joined.is_none() {
            self.parts.insert(index, None);
            return;
        }
        let is_joined = kind == PartKind::Text && self.joined.is_none();
        let open =
            self.open.iter().find(|(_, shape)| is_joined && *shape == Shape::Text).map(|(index, _)| *index);
        let at = open.unwrap_or_else(|| {
            self.release(out);
            self.close(out);
            let at = self.next_index;
            self.next_index += 1;
            out.push(StreamEvent::PartStart { index: at, choice, kind });
            at
        });
        self.parts.insert(index, Some(at));
        if is_joined {
            self.joined = Some(at);
            self.open.retain(|(index, _)| *index != at);
            if let Some(line) = self.line.take() {
                out.push(StreamEvent::PartDelta { index: at, delta: PartDelta::Text(line) });
            }
        }
    }

    /// What waits for more of the text, as it is: no more will come.
    pub(super) fn release(&mut self, out: &mut Vec<StreamEvent>) {
        if let Some(index) = self.joined
            && let Some(rest) = self.overlap.take().map(Overlap::finish)
            && !rest.is_empty()
        {
            out.push(StreamEvent::PartDelta { index, delta: PartDelta::Text(rest) });
        }
    }

    /// Ends what the answer before left open.
    fn close(&mut self, out: &mut Vec<StreamEvent>) {
        out.extend(self.open.drain(..).map(|(index, _)| StreamEvent::PartEnd { index }));
    }
}

/// Where one model's words end and the next one's begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seam {
    /// In characters of the text.
    pub at_chars: usize,
    /// `provider/model`.
    pub from: String,
    pub to: String,
    pub cause: canonical::ErrorKind,
    /// `prefill`, `instruction` or `restart`.
    pub how: &'static str,
}

/// Both together, for those who look at the whole answer. What is charged for is counted attempt by
/// attempt: parts that have a price of their own are left out.
pub(super) fn sum(before: &Usage, after: &Usage) -> Usage {
    let add = |of: fn(&Usage) -> u64| of(before).saturating_add(of(after));
    Usage {
        input_tokens: add(|it| it.input_tokens),
        cache_read_tokens: add(|it| it.cache_read_tokens),
        cache_read_explicit_tokens: add(|it| it.cache_read_explicit_tokens),
        cache_write_tokens: add(|it| it.cache_write_tokens),
        cache_write_1h_tokens: add(|it| it.cache_write_1h_tokens),
        cache_write_12h_tokens: add(|it| it.cache_write_12h_tokens),
        input_audio_tokens: add(|it| it.input_audio_tokens),
        input_image_tokens: add(|it| it.input_image_tokens),
        input_video_tokens: add(|it| it.input_video_tokens),
        cache_read_audio_tokens: add(|it| it.cache_read_audio_tokens),
        cache_read_image_tokens: add(|it| it.cache_read_image_tokens),
        tool_use_tokens: add(|it| it.tool_use_tokens),
        output_tokens: add(|it| it.output_tokens),
        reasoning_tokens: add(|it| it.reasoning_tokens),
        output_audio_tokens: add(|it| it.output_audio_tokens),
        output_image_tokens: add(|it| it.output_image_tokens),
        output_video_tokens: add(|it| it.output_video_tokens),
        citation_tokens: add(|it| it.citation_tokens),
        web_searches: add(|it| it.web_searches),
        service_tier: after.service_tier.clone(),
        is_estimated: before.is_estimated || after.is_estimated,
        ..Usage::default()
    }
}

#[cfg(test)]
mod tests;
