//! The checks of one answer, as a value between the provider's events and the client's.
//!
//! | mode | what the client gets |
//! | --- | --- |
//! | observe | every event at once, unchanged |
//! | repair | a call when it is whole, mended where that can be done; text without its fence |
//! | retry, reject | a call, or a text with a format, when the whole answer is judged |
//!
//! While something is held back everything behind it waits too, so that parts keep their order.
//! What an answer holds back is bounded: past that it flows as it came, and is not checked.

mod held;
mod second;

use std::collections::BTreeMap;
use std::sync::Arc;

use canonical::fold::Fold;
use canonical::request::ToolCall;
use canonical::{ChatRequest, FinishReason, PartDelta, PartKind, StreamEvent};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fence::StreamingFence;
use crate::format::Format;
use crate::schema::Schemas;
use crate::tools::ToolSet;
use crate::verdict::{Failure, Note, Repaired, Verdict};

pub use held::check_whole;
pub use second::{Sent, corrected};

/// Bytes of one answer that are kept for its checks.
const LONGEST: usize = 8 << 20;

/// What is done about a call or a text that is wrong. Each does what the one before does, and more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is written down.
    #[default]
    Observe,
    /// It is mended where it is plain what was meant.
    Repair,
    /// It is asked for once more, where it cannot be mended.
    Retry,
    /// It never reaches the client.
    Reject,
}

impl Mode {
    pub const ALL: [Self; 4] = [Self::Observe, Self::Repair, Self::Retry, Self::Reject];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Repair => "repair",
            Self::Retry => "retry",
            Self::Reject => "reject",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }
}

/// What was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    ToolCall { id: String, name: String },
    Output,
}

/// What became of something that was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// It went on as it was.
    None,
    Repaired(Vec<Note>),
    /// It did not reach the client: the model was asked again, or the answer ended.
    Withheld,
}

/// One failed check.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub subject: Subject,
    pub failure: Failure,
    pub remedy: Remedy,
    /// As the model wrote it. Content: for the user's own book, never for a log.
    pub text: String,
    /// What it was held against; `None` where there is no such thing.
    pub schema: Option<Value>,
}

/// What the checks of one answer saw.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Calls that there was something to check against.
    pub calls: u32,
    /// Texts likewise.
    pub outputs: u32,
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether a limit of tokens is all that keeps the answer from the client: no other question
    /// would bring another.
    pub fn is_cut_off(&self) -> bool {
        let mut withheld = self.findings.iter().filter(|finding| finding.remedy == Remedy::Withheld);
        let first = withheld.next();
        first.is_some_and(|first| first.failure == Failure::CutOff)
            && withheld.all(|finding| finding.failure == Failure::CutOff)
    }

    /// What was withheld goes on all the same.
    pub fn pass_on(&mut self) {
        for finding in self.findings.iter_mut().filter(|finding| finding.remedy == Remedy::Withheld) {
            finding.remedy = Remedy::None;
        }
    }
}

/// What one request's answers are held to.
#[derive(Debug, Default)]
pub struct Checks {
    /// `None` where the request has no tools and had none.
    tools: Option<ToolSet>,
    tool_mode: Mode,
    format: Option<Format>,
    output_mode: Mode,
}

impl Checks {
    pub fn of(request: &ChatRequest, schemas: &Schemas, tool_mode: Mode, output_mode: Mode) -> Self {
        let tools = (!request.tools.is_empty()).then(|| ToolSet::compile(&request.tools, schemas));
        let format = request.response_format.as_ref().and_then(|format| Format::of(format, schemas));
        Self { tools, tool_mode, format, output_mode }
    }

    /// Whether there is anything to check.
    pub fn is_needed(&self) -> bool {
        self.tools.is_some() || self.format.is_some()
    }

    /// Whether what the client gets may differ from what the provider sent.
    pub fn may_change(&self) -> bool {
        self.calls_mode() > Mode::Observe || self.text_mode() > Mode::Observe
    }

    /// Schemas that say nothing, each with the reason, for the log: names only.
    pub fn unchecked(&self) -> impl Iterator<Item = (&str, &str)> {
        let tools = self.tools.iter().flat_map(|tools| &tools.unchecked);
        let format =
            self.format.iter().filter_map(|format| Some(("response_format", format.unchecked.as_deref()?)));
        tools.map(|(name, why)| (name.as_str(), why.as_str())).chain(format)
    }

    /// Whether what was withheld may not reach the client even after a second question.
    pub fn rejects(&self, report: &Report) -> bool {
        let withheld = report.findings.iter().filter(|finding| finding.remedy == Remedy::Withheld);
        withheld.into_iter().any(|finding| match finding.subject {
            Subject::ToolCall { .. } => self.tool_mode == Mode::Reject,
            Subject::Output => self.output_mode == Mode::Reject,
        })
    }

    fn calls_mode(&self) -> Mode {
        self.tools.as_ref().map_or(Mode::Observe, |_| self.tool_mode)
    }

    fn text_mode(&self) -> Mode {
        self.format.as_ref().map_or(Mode::Observe, |_| self.output_mode)
    }

    /// Whether `mode` may ask again or refuse, for anything this request can bring.
    fn judges_late(&self) -> bool {
        self.calls_mode() >= Mode::Retry || self.text_mode() >= Mode::Retry
    }

    /// What is wrong with `call` in a choice that ended for `reason`; `None` where that is not known.
    fn judge_call(&self, call: &ToolCall, reason: Option<FinishReason>) -> Judged {
        let Some(tools) = &self.tools else { return Judged::unchecked() };
        let is_cut = !is_whole(reason);
        match tools.check(call) {
            Verdict::Unchecked => Judged::unchecked(),
            Verdict::Ok => Judged { was_checked: true, failure: None, repaired: None },
            Verdict::Failed(failure) => {
                let repaired = (self.tool_mode > Mode::Observe).then(|| tools.repair(call, is_cut)).flatten();
                let was_limited = reason == Some(FinishReason::Length) && repaired.is_none() && is_open(call);
                let failure = if was_limited { Failure::CutOff } else { failure };
                Judged { was_checked: true, failure: Some(failure), repaired }
            }
        }
    }

    fn judge_text(&self, text: &str) -> Judged {
        let Some(format) = &self.format else { return Judged::unchecked() };
        match format.check(text) {
            Ok(()) => Judged { was_checked: true, failure: None, repaired: None },
            Err(failure) => {
                let repaired =
                    (self.output_mode > Mode::Observe).then(|| format.repair(text, false)).flatten();
                Judged { was_checked: true, failure: Some(failure), repaired }
            }
        }
    }

    fn schema_of(&self, subject: &Subject) -> Option<&Value> {
        match subject {
            Subject::ToolCall { name, .. } => self.tools.as_ref()?.schema(name),
            Subject::Output => self.format.as_ref()?.schema(),
        }
    }
}

/// What a check says of one call or text.
struct Judged {
    was_checked: bool,
    failure: Option<Failure>,
    repaired: Option<Repaired>,
}

impl Judged {
    const fn unchecked() -> Self {
        Self { was_checked: false, failure: None, repaired: None }
    }
}

/// Whether a choice that ended so said all that it had to say.
const fn is_whole(reason: Option<FinishReason>) -> bool {
    matches!(
        reason,
        Some(FinishReason::Stop | FinishReason::ToolCalls | FinishReason::StopSequence | FinishReason::Other)
    )
}

/// Whether the arguments are no JSON, so that more of them may have been to come.
fn is_open(call: &ToolCall) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(&call.arguments).is_err()
}

/// Whether the text of a choice that ended so is the answer that the format speaks of: not where
/// it was cut off, declined, or only goes along with a call.
const fn is_final_text(reason: Option<FinishReason>) -> bool {
    matches!(reason, Some(FinishReason::Stop | FinishReason::StopSequence | FinishReason::Other))
}

/// A call that is whole and not yet judged.
#[derive(Debug)]
struct Undecided {
    index: u32,
    choice: u32,
    call: ToolCall,
}

/// One answer under its checks.
#[derive(Debug)]
pub struct AnswerCheck {
    checks: Arc<Checks>,
    report: Report,
    /// Open calls: the choice of each, and what has arrived of it.
    open: BTreeMap<u32, (u32, ToolCall)>,
    /// Whole calls that wait for the answer's end to be judged.
    undecided: Vec<Undecided>,
    /// How each choice ended.
    ended: BTreeMap<u32, FinishReason>,
    /// The text of each choice, where there is a format.
    texts: BTreeMap<u32, String>,
    /// Which choice each open text part belongs to, with what takes its fence off.
    open_texts: BTreeMap<u32, (u32, Option<StreamingFence>)>,
    held: Vec<StreamEvent>,
    /// Bytes kept for all of it; past the limit everything flows unchecked.
    kept_bytes: usize,
    is_given_up: bool,
    /// The answer as it was written, where it may have to be shown to the model again.
    written: Option<Fold>,
    second: second::Second,
}

impl AnswerCheck {
    pub fn new(checks: Arc<Checks>) -> Self {
        let written = checks.judges_late().then(Fold::default);
        Self {
            checks,
            report: Report::default(),
            open: BTreeMap::new(),
            undecided: Vec::new(),
            ended: BTreeMap::new(),
            texts: BTreeMap::new(),
            open_texts: BTreeMap::new(),
            held: Vec::new(),
            kept_bytes: 0,
            is_given_up: false,
            written,
            second: second::Second::default(),
        }
    }

    /// An answer that goes on where another one's calls or text were withheld: what the client has
    /// seen is not begun a second time.
    pub fn continuing(checks: Arc<Checks>, sent: Sent) -> Self {
        Self { second: second::Second::after(sent), ..Self::new(checks) }
    }

    /// Takes the provider's next event and appends what the client may see to `out`.
    pub fn event(&mut self, event: StreamEvent, out: &mut Vec<StreamEvent>) {
        let Some(event) = self.second.renumber(event) else { return };
        if !self.is_given_up && self.keep(&event) > LONGEST {
            self.give_up(out);
        }
        if self.is_given_up {
            self.send(event, out);
            return;
        }
        match event {
            StreamEvent::PartStart { index, choice, kind } => self.part_start(index, choice, kind, out),
            StreamEvent::PartDelta { index, delta } => self.part_delta(index, delta, out),
            StreamEvent::PartEnd { index } => self.part_end(index, out),
            StreamEvent::Finish { choice, reason, raw } => {
                self.finish(choice, reason, out);
                self.pass(StreamEvent::Finish { choice, reason, raw }, out);
            }
            event => self.pass(event, out),
        }
    }

    /// The answer is whole. Appends what was held back.
    ///
    /// # Errors
    /// What is wrong, where that may not reach the client yet: [`AnswerCheck::release`] passes it
    /// on all the same, dropping it withholds it.
    pub fn end(&mut self, out: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        if !self.is_given_up {
            self.judge_undecided(None);
            self.judge_held_texts();
        }
        if let Some(failure) = self.report.withheld() {
            return Err(failure.clone());
        }
        self.flush(out);
        Ok(())
    }

    /// Passes on what [`AnswerCheck::end`] kept back, or what a broken stream left behind.
    pub fn release(&mut self, out: &mut Vec<StreamEvent>) {
        self.report.pass_on();
        self.flush(out);
    }

    /// The request that asks for the withheld answer once more, with what was wrong in it. `None`
    /// where that cannot be said (several choices, or nothing kept).
    pub fn corrected(&self, request: &ChatRequest) -> Option<ChatRequest> {
        corrected(request, self.written.as_ref()?.response(), &self.report)
    }

    /// As [`Report::is_cut_off`].
    pub fn is_cut_off(&self) -> bool {
        self.report.is_cut_off()
    }

    /// As [`Checks::rejects`].
    pub fn must_reject(&self) -> bool {
        self.checks.rejects(&self.report)
    }

    /// What the client has seen, for an answer that goes on.
    pub fn sent(&self) -> Sent {
        self.second.sent()
    }

    pub fn report(&self) -> &Report {
        &self.report
    }

    pub fn into_report(self) -> Report {
        self.report
    }

    fn part_start(&mut self, index: u32, choice: u32, kind: PartKind, out: &mut Vec<StreamEvent>) {
        match &kind {
            PartKind::ToolCall { id, name, is_server_side: false } if self.checks.tools.is_some() => {
                let call = ToolCall { id: id.clone(), name: name.clone(), ..ToolCall::default() };
                self.open.insert(index, (choice, call));
            }
            PartKind::Text if self.checks.format.is_some() => {
                let fence = (self.checks.output_mode == Mode::Repair).then(StreamingFence::default);
                self.open_texts.insert(index, (choice, fence));
                self.texts.entry(choice).or_default();
            }
            _ => {}
        }
        let holds = match &kind {
            PartKind::ToolCall { is_server_side: false, .. } => self.checks.calls_mode() > Mode::Observe,
            PartKind::Text => self.checks.text_mode() >= Mode::Retry,
            _ => false,
        };
        let event = StreamEvent::PartStart { index, choice, kind };
        if holds { self.held.push(event) } else { self.pass(event, out) }
    }

    fn part_delta(&mut self, index: u32, delta: PartDelta, out: &mut Vec<StreamEvent>) {
        if let (Some((_, call)), PartDelta::Arguments(more)) = (self.open.get_mut(&index), &delta) {
            call.arguments.push_str(more);
        }
        let delta = match (self.open_texts.get_mut(&index), delta) {
            (Some((choice, fence)), PartDelta::Text(text)) => {
                self.texts.entry(*choice).or_default().push_str(&text);
                match fence {
                    None => PartDelta::Text(text),
                    Some(fence) => {
                        let mut flowing = String::new();
                        fence.push(&text, &mut flowing);
                        if flowing.is_empty() {
                            return;
                        }
                        PartDelta::Text(flowing)
                    }
                }
            }
            (_, delta) => delta,
        };
        self.pass(StreamEvent::PartDelta { index, delta }, out);
    }

    fn part_end(&mut self, index: u32, out: &mut Vec<StreamEvent>) {
        if let Some((_, Some(mut fence))) = self.open_texts.remove(&index) {
            let mut rest = String::new();
            fence.end(&mut rest);
            if !rest.is_empty() {
                self.pass(StreamEvent::PartDelta { index, delta: PartDelta::Text(rest) }, out);
            }
        }
        self.pass(StreamEvent::PartEnd { index }, out);
        let Some((choice, call)) = self.open.remove(&index) else { return };
        self.undecided.push(Undecided { index, choice, call });
        if self.checks.judges_late() {
            // Judged with all others at the end: one bad call withholds them all.
            return;
        }
        // It may have been cut off, which only the end tells: what needs completing waits for that.
        self.judge_sure();
        self.flush_decided(out);
    }

    fn finish(&mut self, choice: u32, reason: FinishReason, out: &mut Vec<StreamEvent>) {
        self.ended.insert(choice, reason);
        if !self.checks.judges_late() {
            self.judge_undecided(Some(choice));
            self.flush_decided(out);
        }
        // In the later modes the text is held, and judged at the end.
        if self.checks.text_mode() >= Mode::Retry {
            return;
        }
        if let Some(text) = self.texts.remove(&choice)
            && is_final_text(Some(reason))
        {
            self.judge_flowed(text);
        }
    }

    fn flush_decided(&mut self, out: &mut Vec<StreamEvent>) {
        if self.open.is_empty() && self.undecided.is_empty() {
            self.flush(out);
        }
    }

    /// To the client, or behind what is held back.
    fn pass(&mut self, event: StreamEvent, out: &mut Vec<StreamEvent>) {
        if self.held.is_empty() { self.send(event, out) } else { self.held.push(event) }
    }

    fn send(&mut self, event: StreamEvent, out: &mut Vec<StreamEvent>) {
        self.second.note_sent(&event);
        out.push(event);
    }

    fn flush(&mut self, out: &mut Vec<StreamEvent>) {
        for event in std::mem::take(&mut self.held) {
            self.send(event, out);
        }
    }

    /// Counts what is kept of the answer, in bytes.
    fn keep(&mut self, event: &StreamEvent) -> usize {
        if let StreamEvent::PartDelta { delta, .. } = event {
            let (PartDelta::Text(text)
            | PartDelta::Arguments(text)
            | PartDelta::Signature(text)
            | PartDelta::Encrypted(text)) = delta;
            self.kept_bytes += text.len();
        }
        if let Some(written) = &mut self.written {
            written.push(event);
        }
        self.kept_bytes
    }

    /// Lets everything flow from here on.
    fn give_up(&mut self, out: &mut Vec<StreamEvent>) {
        for (index, (_, fence)) in std::mem::take(&mut self.open_texts) {
            let mut rest = String::new();
            fence.unwrap_or_default().end(&mut rest);
            if !rest.is_empty() {
                self.pass(StreamEvent::PartDelta { index, delta: PartDelta::Text(rest) }, out);
            }
        }
        self.open.clear();
        self.undecided.clear();
        self.texts.clear();
        self.written = None;
        self.is_given_up = true;
        self.flush(out);
    }
}

#[cfg(test)]
mod tests;
