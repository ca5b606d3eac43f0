//! What a request's answers are held to, as the engine sees it: the modes that hold for its route,
//! what a failed check becomes, and how an answer is asked for once more. The checks themselves
//! are plain values in the crate `checking`.

use std::sync::Arc;

use canonical::{ChatRequest, ChatResponse, Error, ErrorKind, Origin, StreamEvent};
use checking::answer::{Checks, Sent, check_whole, corrected};
use checking::{AnswerCheck, Failure, Finding, Remedy, Report, Subject};

use crate::core::Core;
use crate::providers::Snapshot;

/// Failures of one answer that get a row of their own; all are counted.
const MOST_ROWS: usize = 32;

/// Characters of a tool's name that are kept; a model can make it as long as it likes.
const LONGEST_NAME: usize = 128;

/// The code under which a client hears of a tool call that was withheld.
const TOOL_CALL_INVALID: &str = "tool_call_invalid";

/// Likewise where a limit of tokens ended it.
const TOOL_CALL_CUT_OFF: &str = "tool_call_cut_off";

/// Likewise of a text that is not what was asked for.
const OUTPUT_INVALID: &str = "output_invalid";

/// What one attempt's answer is held to.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    checks: Arc<Checks>,
    /// What the client has seen of an answer before, which this one continues.
    sent: Option<Sent>,
    /// The question will not be asked once more.
    is_last: bool,
}

/// An answer that did not reach the client, or not to its end.
#[derive(Debug)]
pub(super) struct Withheld {
    pub error: Error,
    /// The request that says what was wrong; `None` where that cannot be said.
    pub corrected: Option<ChatRequest>,
    pub sent: Sent,
    /// Another question would only bring another such answer.
    pub is_final: bool,
}

/// What the request's answers are held to; `None` where it asks for nothing that can be checked.
pub(super) fn of(
    core: &Core,
    snapshot: &Snapshot,
    request: &ChatRequest,
    route: Option<&str>,
) -> Option<Arc<Checks>> {
    let modes = snapshot.config.checks_of(route);
    let checks = Checks::of(request, &core.schemas, modes.tools, modes.output);
    for (name, why) in checks.unchecked() {
        tracing::debug!(tool = name, why, "a schema says nothing and is held against no call");
    }
    checks.is_needed().then(|| Arc::new(checks))
}

impl Watch {
    pub(super) const fn new(checks: Arc<Checks>, sent: Option<Sent>, is_last: bool) -> Self {
        Self { checks, sent, is_last }
    }

    pub(super) fn begin(&self) -> Watched {
        let checks = Arc::clone(&self.checks);
        let check = match self.sent {
            Some(sent) => AnswerCheck::continuing(checks, sent),
            None => AnswerCheck::new(checks),
        };
        Watched { check, before: self.sent.unwrap_or_default(), is_last: self.is_last }
    }

    /// Checks a whole answer, and mends it where the mode says so.
    pub(super) fn whole(
        &self,
        request: &ChatRequest,
        response: &mut ChatResponse,
    ) -> (Report, Option<Withheld>) {
        let written = self.checks.may_change().then(|| response.clone());
        let (mut report, result) = check_whole(&self.checks, response);
        let Err(failure) = result else { return (report, None) };
        if self.is_last && !self.checks.rejects(&report) {
            report.pass_on();
            return (report, None);
        }
        let corrected = written.and_then(|written| corrected(request, &written, &report));
        let withheld = Withheld {
            error: refused(&report, &failure),
            corrected,
            sent: Sent::default(),
            is_final: report.is_cut_off(),
        };
        (report, Some(withheld))
    }
}

/// A streamed answer under its checks.
#[derive(Debug)]
pub(super) struct Watched {
    check: AnswerCheck,
    /// What the client had seen before.
    before: Sent,
    is_last: bool,
}

impl Watched {
    /// Takes the events behind `from` and puts in their place what the client may see.
    pub(super) fn sift(&mut self, events: &mut Vec<StreamEvent>, from: usize) {
        let arrived = events.split_off(from);
        for event in arrived {
            self.check.event(event, events);
        }
    }

    /// The answer is whole: what was held back follows, or why it may not.
    pub(super) fn end(&mut self, request: &ChatRequest, events: &mut Vec<StreamEvent>) -> Option<Withheld> {
        let Err(failure) = self.check.end(events) else { return None };
        if self.is_last && !self.check.must_reject() {
            self.check.release(events);
            return None;
        }
        Some(Withheld {
            error: refused(self.check.report(), &failure),
            corrected: self.check.corrected(request),
            sent: self.check.sent(),
            is_final: self.check.is_cut_off(),
        })
    }

    /// The answer broke off: what had come is shown.
    pub(super) fn release(&mut self, events: &mut Vec<StreamEvent>) {
        self.check.release(events);
    }

    /// What the client had seen before this answer.
    pub(super) const fn before(&self) -> Sent {
        self.before
    }

    pub(super) fn report(&self) -> &Report {
        self.check.report()
    }
}

/// The error that a client gets in the place of what was withheld.
fn refused(report: &Report, failure: &Failure) -> Error {
    let is_output = report
        .findings
        .iter()
        .find(|finding| finding.remedy == Remedy::Withheld)
        .is_some_and(|finding| finding.subject == Subject::Output);
    let (what, code) = if *failure == Failure::CutOff {
        ("The model's tool call is not complete", TOOL_CALL_CUT_OFF)
    } else if is_output {
        ("The model's answer is not in the format that was asked for", OUTPUT_INVALID)
    } else {
        ("The model's tool call is not valid", TOOL_CALL_INVALID)
    };
    Error::new(ErrorKind::InvalidResponse, Origin::Provider, format!("{what}. {failure}")).with_code(code)
}

/// How many checks there were, for the attempt's row.
pub(super) fn counts(report: &Report) -> ledger::CheckCounts {
    let repaired =
        report.findings.iter().filter(|finding| matches!(finding.remedy, Remedy::Repaired(_))).count();
    ledger::CheckCounts {
        checked: report.calls + report.outputs,
        failed: report.findings.len() as u32,
        repaired: repaired as u32,
    }
}

/// Which attempt a failure belongs to.
pub(super) struct Place<'a> {
    pub request_id: &'a str,
    pub ordinal: u32,
    pub at: i64,
    pub provider: &'a str,
    pub model: &'a str,
}

/// A row for each failure, the first ones where there are many.
pub(super) fn rows(report: &Report, place: &Place<'_>) -> Vec<ledger::ToolFailed> {
    report.findings.iter().take(MOST_ROWS).map(|finding| row(finding, place)).collect()
}

fn row(finding: &Finding, place: &Place<'_>) -> ledger::ToolFailed {
    let (remedy, repairs) = match &finding.remedy {
        Remedy::None => ("none", None),
        Remedy::Withheld => ("withheld", None),
        Remedy::Repaired(notes) => {
            let names: Vec<&str> = notes.iter().map(|note| note.as_str()).collect();
            ("repaired", Some(names.join(",")))
        }
    };
    ledger::ToolFailed {
        request_id: place.request_id.to_owned(),
        ordinal: place.ordinal,
        at: place.at,
        provider: place.provider.to_owned(),
        model: place.model.to_owned(),
        tool: match &finding.subject {
            Subject::ToolCall { name, .. } => Some(name.chars().take(LONGEST_NAME).collect()),
            Subject::Output => None,
        },
        kind: finding.failure.kind().to_owned(),
        path: finding.failure.path().map(str::to_owned),
        message: finding.failure.to_string(),
        remedy: remedy.to_owned(),
        repairs,
        arguments: finding.text.clone(),
        schema: finding.schema.as_ref().map(ToString::to_string),
    }
}
