//! Judging what is held back, and rewriting it where it can be mended.

use canonical::request::Content;
use canonical::{ChatResponse, PartDelta, PartKind, StreamEvent};

use super::{
    AnswerCheck, Checks, Finding, Judged, Mode, Remedy, Report, Subject, Undecided, is_final_text, is_open,
};
use crate::fence::StreamingFence;
use crate::verdict::{Failure, Note, Repaired};

impl AnswerCheck {
    /// Judges the calls that are right, plainly mended even if they were cut off, or plainly whole.
    pub(super) fn judge_sure(&mut self) {
        for undecided in std::mem::take(&mut self.undecided) {
            let judged = self.checks.judge_call(&undecided.call, None);
            let waits = judged.failure.is_some()
                && judged.repaired.is_none()
                && (self.checks.tool_mode == Mode::Repair || is_open(&undecided.call));
            if waits {
                self.undecided.push(undecided);
            } else {
                self.decide(undecided, judged);
            }
        }
    }

    /// Judges what is left of `choice`'s calls, or of all.
    pub(super) fn judge_undecided(&mut self, choice: Option<u32>) {
        for undecided in std::mem::take(&mut self.undecided) {
            if choice.is_some_and(|choice| choice != undecided.choice) {
                self.undecided.push(undecided);
                continue;
            }
            let reason = self.ended.get(&undecided.choice).copied();
            let judged = self.checks.judge_call(&undecided.call, reason);
            self.decide(undecided, judged);
        }
    }

    fn decide(&mut self, undecided: Undecided, judged: Judged) {
        let Undecided { index, call, .. } = undecided;
        self.report.calls += u32::from(judged.was_checked);
        if let Some(repaired) = &judged.repaired {
            rewrite_call(&mut self.held, index, repaired);
        }
        let subject = Subject::ToolCall { id: call.id, name: call.name };
        self.report.note(&self.checks, self.checks.tool_mode, subject, call.arguments, judged);
    }

    /// Judges texts that wait for the answer's end.
    pub(super) fn judge_held_texts(&mut self) {
        if self.checks.text_mode() < Mode::Retry {
            return;
        }
        for (choice, text) in std::mem::take(&mut self.texts) {
            if !is_final_text(self.ended.get(&choice).copied()) {
                continue;
            }
            let judged = self.checks.judge_text(&text);
            self.report.outputs += u32::from(judged.was_checked);
            if let Some(repaired) = &judged.repaired {
                rewrite_text(&mut self.held, choice, &repaired.text);
            }
            self.report.note(&self.checks, self.checks.output_mode, Subject::Output, text, judged);
        }
    }

    /// Judges a text that the client has seen. All that could be mended in it was its fence.
    pub(super) fn judge_flowed(&mut self, text: String) {
        let mut judged = self.checks.judge_text(&text);
        self.report.outputs += u32::from(judged.was_checked);
        judged.repaired = judged.repaired.filter(|_| {
            let mut fence = StreamingFence::default();
            let mut flowed = String::new();
            fence.push(&text, &mut flowed);
            fence.end(&mut flowed);
            fence.is_fenced() && self.checks.judge_text(&flowed).failure.is_none()
        });
        if let Some(repaired) = &mut judged.repaired {
            repaired.notes = vec![Note::CodeFence];
        }
        self.report.note(&self.checks, self.checks.output_mode, Subject::Output, text, judged);
    }
}

impl Report {
    fn note(&mut self, checks: &Checks, mode: Mode, subject: Subject, text: String, judged: Judged) {
        let Some(failure) = judged.failure else { return };
        let remedy = match judged.repaired {
            Some(repaired) => Remedy::Repaired(repaired.notes),
            None if failure == Failure::CutOff && mode < Mode::Reject => Remedy::None,
            None if mode >= Mode::Retry => Remedy::Withheld,
            None => Remedy::None,
        };
        let schema = checks.schema_of(&subject).cloned();
        self.findings.push(Finding { subject, failure, remedy, text, schema });
    }

    /// The first thing that may not reach the client.
    pub(super) fn withheld(&self) -> Option<&Failure> {
        self.findings
            .iter()
            .find(|finding| finding.remedy == Remedy::Withheld)
            .map(|finding| &finding.failure)
    }
}

/// Puts a mended call in the place of what was held of it.
fn rewrite_call(held: &mut Vec<StreamEvent>, of: u32, repaired: &Repaired) {
    let mut rewritten = Vec::with_capacity(held.len());
    for mut event in held.drain(..) {
        match &mut event {
            StreamEvent::PartStart { index, kind: PartKind::ToolCall { name, .. }, .. } if *index == of => {
                name.clone_from(&repaired.name);
            }
            StreamEvent::PartDelta { index, delta: PartDelta::Arguments(_) } if *index == of => continue,
            StreamEvent::PartEnd { index } if *index == of => {
                let delta = PartDelta::Arguments(repaired.text.clone());
                rewritten.push(StreamEvent::PartDelta { index: of, delta });
            }
            _ => {}
        }
        rewritten.push(event);
    }
    *held = rewritten;
}

/// Puts a mended text in the first of the choice's text parts, and nothing into its others.
fn rewrite_text(held: &mut Vec<StreamEvent>, of: u32, text: &str) {
    let parts: Vec<u32> = held
        .iter()
        .filter_map(|event| match event {
            StreamEvent::PartStart { index, choice, kind: PartKind::Text } if *choice == of => Some(*index),
            _ => None,
        })
        .collect();
    let mut rewritten = Vec::with_capacity(held.len());
    for event in held.drain(..) {
        match &event {
            StreamEvent::PartDelta { index, delta: PartDelta::Text(_) } if parts.contains(index) => continue,
            StreamEvent::PartEnd { index } if parts.first() == Some(index) => {
                let delta = PartDelta::Text(text.to_owned());
                rewritten.push(StreamEvent::PartDelta { index: *index, delta });
            }
            _ => {}
        }
        rewritten.push(event);
    }
    *held = rewritten;
}

/// Checks a whole answer and mends it in place, as [`AnswerCheck`] does event by event.
///
/// # Errors
/// What is wrong and may not reach the client yet; the report says it too.
pub fn check_whole(checks: &Checks, response: &mut ChatResponse) -> (Report, Result<(), Failure>) {
    let mut report = Report::default();
    for choice in &mut response.choices {
        let reason = choice.finish_reason;
        for part in &mut choice.parts {
            let Content::ToolCall(call) = &mut part.content else { continue };
            let judged = checks.judge_call(call, reason);
            report.calls += u32::from(judged.was_checked);
            let written = call.clone();
            if let Some(repaired) = &judged.repaired {
                call.name.clone_from(&repaired.name);
                call.arguments.clone_from(&repaired.text);
            }
            let subject = Subject::ToolCall { id: written.id, name: written.name };
            report.note(checks, checks.tool_mode, subject, written.arguments, judged);
        }
        let has_text = choice.parts.iter().any(|part| matches!(part.content, Content::Text(_)));
        if checks.format.is_none() || !has_text || !is_final_text(choice.finish_reason) {
            continue;
        }
        let text = choice.plain_text();
        let judged = checks.judge_text(&text);
        report.outputs += u32::from(judged.was_checked);
        if let Some(repaired) = &judged.repaired {
            let mut texts = choice.parts.iter_mut().filter_map(|part| match &mut part.content {
                Content::Text(text) => Some(text),
                _ => None,
            });
            if let Some(first) = texts.next() {
                first.clone_from(&repaired.text);
            }
            texts.for_each(String::clear);
        }
        report.note(checks, checks.output_mode, Subject::Output, text, judged);
    }
    let result = report.withheld().map_or(Ok(()), |failure| Err(failure.clone()));
    (report, result)
}
