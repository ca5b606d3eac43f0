//! One request's way through the router: what is held for it comes back, however it ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use canonical::{Error, ErrorKind, Origin, Retry};
use routing::decision::{Decision, Why};
use routing::limit::Need;
use routing::policy::Cause;
use routing::run::{GaveUp, Hopeless, Permit, Run};
use routing::{Ask, Draw, Ended, Planned, Route, Step, Target};
use tokio::time::{Instant, sleep_until};

use super::race::{cancelled, chance};
use super::seen::Seen;
use crate::config::KeySource;
use crate::core::Core;

/// Routes that a request is led on to by budgets, one after the other; more is a circle.
const MOST_DIVERSIONS: usize = 8;

/// The right to ask one target once. Everything else about it stays with [`Drive`].
#[derive(Debug, Clone)]
pub(super) struct Leg {
    pub ordinal: u32,
    pub target: Target,
    pub why: Why,
    pub hedge_at: Option<Instant>,
    pub has_alternative: bool,
}

/// What a request does next.
#[derive(Debug)]
pub(super) enum Turn {
    Ask(Leg),
    GiveUp(GaveUp),
}

/// How an attempt ended, for the router.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcome<'a> {
    pub error: Option<&'a Error>,
    pub cause: Option<Cause>,
    pub has_lost: bool,
    pub is_committed: bool,
}

/// A request on its way.
#[derive(Debug)]
pub(super) struct Drive<'c> {
    core: &'c Arc<Core>,
    run: Box<Run>,
    /// Attempts under way.
    out: Vec<Permit>,
}

impl<'c> Drive<'c> {
    /// Plans the way. `led_to` finds the route that a budget leads its requests on to.
    pub(super) fn begin(
        core: &'c Arc<Core>,
        mut ask: Ask,
        led_to: impl Fn(&str) -> Option<(Arc<Route>, Arc<[routing::Facts]>)>,
    ) -> Result<Self, Error> {
        for _ in 0..MOST_DIVERSIONS {
            let planned =
                core.route(|router, now| router.plan(ask.clone(), now, &mut Draw::new(&mut chance)));
            match planned {
                Planned::Run(run) => return Ok(Self { core, run, out: Vec::new() }),
                Planned::Divert { budget, route } => {
                    tracing::info!(budget, route, "a budget is used up, another route takes the request");
                    let Some((route, facts)) = led_to(&route) else { break };
                    (ask.route, ask.facts) = (route, facts);
                }
            }
        }
        let message = "The budgets in the settings lead this request from one used-up route to the next.";
        Err(Error::new(ErrorKind::QuotaExhausted, Origin::Gateway, message).with_code("budget_exhausted"))
    }

    /// Waits as long as the router says, and comes back with what is next. `leaving` resolves when
    /// the caller has left.
    pub(super) async fn next(&mut self, leaving: impl Future<Output = ()>) -> Result<Turn, Error> {
        tokio::pin!(leaving);
        loop {
            let step =
                self.core.route(|router, now| router.next(&mut self.run, now, &mut Draw::new(&mut chance)));
            match step {
                Step::Ask(permit) => return Ok(Turn::Ask(self.take(permit))),
                Step::GiveUp(gave_up) => return Ok(Turn::GiveUp(gave_up)),
                Step::Wait { until } => tokio::select! {
                    biased;
                    () = &mut leaving => return Err(cancelled(self.core)),
                    () = sleep_until(self.core.instant_of(until)) => {}
                },
            }
        }
    }

    /// A second target beside the first, where one may be asked.
    pub(super) fn hedge(&mut self) -> Option<Leg> {
        let permit =
            self.core.route(|router, now| router.hedge(&mut self.run, now, &mut Draw::new(&mut chance)));
        permit.map(|permit| self.take(permit))
    }

    fn take(&mut self, permit: Permit) -> Leg {
        let leg = Leg {
            ordinal: permit.ordinal,
            target: permit.target.clone(),
            why: permit.why,
            hedge_at: permit.hedge_after.map(|after| self.core.clock.now() + after),
            has_alternative: self.run.has_alternative(&permit),
        };
        self.out.push(permit);
        leg
    }

    /// Tells the router what the answer's headers said of limits; those who come next go by it.
    pub(super) fn learn(&self, leg: &Leg, seen: &mut Seen) {
        let limits = std::mem::take(&mut seen.limits);
        let permit = self.out.iter().find(|permit| permit.ordinal == leg.ordinal);
        if let Some(permit) = permit.filter(|_| !limits.is_empty()) {
            self.core.route(|router, now| router.learn(permit, &limits, now));
        }
    }

    /// The attempt's first content is here.
    pub(super) fn answering(&self, leg: &Leg) {
        if let Some(permit) = self.out.iter().find(|permit| permit.ordinal == leg.ordinal) {
            self.core.route(|router, now| router.answering(permit, now));
        }
    }

    /// The attempt is over: what it held goes back, and the router learns.
    pub(super) fn ended(
        &mut self,
        leg: &Leg,
        outcome: Outcome<'_>,
        seen: &mut Seen,
        started: Instant,
        cost: Option<canonical::PicoUsd>,
    ) {
        self.learn(leg, seen);
        if !outcome.has_lost {
            self.core.faults.note(&leg.target, outcome.error);
        }
        let now = self.core.clock.now();
        let since = |at: Instant| at.saturating_duration_since(started);
        let ended = Ended {
            result: outcome.error.map_or(Ok(()), Err),
            cause: outcome.cause,
            has_lost: outcome.has_lost,
            is_committed: outcome.is_committed,
            was_sent: seen.was_sent,
            first_content: seen.first_content.filter(|_| seen.is_stream).map(since),
            duration: since(now),
            used: used(seen),
            cost,
            tool_failures: seen.report.findings.len().try_into().unwrap_or(u32::MAX),
        };
        self.give_back(leg.ordinal, &ended);
        self.forget_refused_key(&leg.target.provider, outcome.error);
    }

    /// A provider that takes no key can have none refused: what it said was about that one request
    /// (a drill of the rehearsal), and nobody could mend it with another key.
    fn forget_refused_key(&self, provider: &str, error: Option<&Error>) {
        let is_refusal = error
            .is_some_and(|error| matches!(error.kind, ErrorKind::Authentication | ErrorKind::Permission));
        let takes_no_key =
            || self.core.snapshot().provider(provider).is_some_and(|it| it.key == KeySource::None);
        if is_refusal && takes_no_key() {
            self.core.route(|router, _| router.key_changed(provider));
        }
    }

    fn give_back(&mut self, ordinal: u32, ended: &Ended<'_>) {
        let Some(at) = self.out.iter().position(|permit| permit.ordinal == ordinal) else { return };
        let permit = self.out.swap_remove(at);
        self.core.route(|router, now| {
            router.ended(&mut self.run, permit, ended, now, &mut Draw::new(&mut chance));
        });
    }

    /// Another model goes on in mid-answer, after so many characters.
    pub(super) fn seam(&mut self, leg: &Leg, chars: usize) {
        let now = self.core.router_now().mono;
        if let Some(permit) = self.out.iter().find(|permit| permit.ordinal == leg.ordinal) {
            self.run.seam(permit, chars as u64, now);
        }
    }

    /// The story so far.
    pub(super) fn decision(&self) -> Decision {
        self.run.decision()
    }
}

impl Drop for Drive<'_> {
    /// Whatever took the request away took nothing from anybody else.
    fn drop(&mut self) {
        let error = cancelled(self.core);
        let ended = Ended {
            result: Err(&error),
            cause: None,
            has_lost: false,
            is_committed: false,
            was_sent: true,
            first_content: None,
            duration: Duration::ZERO,
            used: None,
            cost: None,
            tool_failures: 0,
        };
        while let Some(ordinal) = self.out.first().map(|permit| permit.ordinal) {
            self.give_back(ordinal, &ended);
        }
    }
}

/// What the attempt took of limits on tokens; `None` where that cannot be said.
fn used(seen: &Seen) -> Option<Need> {
    if let Some(usage) = &seen.usage {
        return Some(Need { input_tokens: usage.input_tokens, output_tokens: usage.output_tokens });
    }
    // What is refused is not read.
    let is_refused = seen.http_status.is_some_and(|status| status >= 400);
    is_refused.then_some(Need { input_tokens: 0, output_tokens: 0 })
}

/// What targets refused last, for those who ask while they are left alone: that they are says less
/// than why. What speaks against a key stands under its provider, with no model.
#[derive(Debug, Default)]
pub(crate) struct LastFaults {
    faults: Mutex<HashMap<Target, Error>>,
}

fn key_of(target: &Target) -> Target {
    Target { provider: target.provider.clone(), model: String::new() }
}

impl LastFaults {
    /// Keeps what speaks against the target, and not against the request.
    fn note(&self, target: &Target, error: Option<&Error>) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        match error.filter(|error| matches!(error.origin, Origin::Provider | Origin::Network)) {
            Some(error) => {
                if faults.len() >= MOST_FAULTS {
                    faults.clear();
                }
                let error = Error { body: None, ..error.clone() };
                if matches!(error.kind, ErrorKind::Authentication | ErrorKind::QuotaExhausted) {
                    faults.insert(key_of(target), error.clone());
                }
                faults.insert(target.clone(), error);
            }
            None if error.is_none() && !faults.is_empty() => {
                faults.remove(target);
                faults.remove(&key_of(target));
            }
            None => {}
        }
    }

    fn of(&self, target: Option<&Target>) -> Option<Error> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.get(&key_of(target?)).or_else(|| faults.get(target?)).cloned()
    }
}

/// Targets whose last fault is remembered.
const MOST_FAULTS: usize = 1024;

/// What a client hears of a request that nobody was asked, or none could be asked any more.
pub(super) fn hopeless(core: &Core, gave_up: &GaveUp, route: &str) -> Error {
    let last = core.faults.of(gave_up.target.as_ref()).filter(|_| gave_up.why == Hopeless::AllClosed);
    match last {
        // A key that is refused, a model that is not there: this is the answer, asked or not.
        Some(mut error) if error.retry == Retry::NextTarget && error.kind != ErrorKind::InvalidResponse => {
            error.message = format!("{} It was not asked again.", error.message.trim_end());
            error
        }
        Some(last) => {
            let mut error = unasked(gave_up, route, core.clock.now_ms());
            error.message = format!("{} It said: {}", error.message, last.message);
            error
        }
        None => unasked(gave_up, route, core.clock.now_ms()),
    }
}

fn unasked(gave_up: &GaveUp, route: &str, now_ms: i64) -> Error {
    let place = gave_up.target.as_ref().map(|target| format!(" (first \"{target}\")")).unwrap_or_default();
    let mut error = match &gave_up.why {
        Hopeless::AllLimited => Error::new(
            ErrorKind::RateLimited,
            Origin::Gateway,
            format!("The rate limits of every target of \"{route}\" are used up at the moment{place}."),
        )
        .with_code("rate_limit_exceeded"),
        Hopeless::AllClosed => Error::new(
            ErrorKind::Overloaded,
            Origin::Gateway,
            format!("Every target of \"{route}\" has failed lately and is left alone for a while{place}."),
        )
        .with_code("all_targets_down"),
        Hopeless::LimitTooSmall => Error::new(
            ErrorKind::InvalidRequest,
            Origin::Gateway,
            format!("The request is larger than a limit of \"{route}\" as a whole: no waiting helps{place}."),
        )
        .with_code("request_exceeds_limit"),
        Hopeless::Budget { name, resets_at_ms } => {
            let wait = u64::try_from(resets_at_ms.saturating_sub(now_ms)).unwrap_or_default();
            let mut error = Error::new(
                ErrorKind::QuotaExhausted,
                Origin::Gateway,
                format!(
                    "The budget \"{name}\" has no room for this request until {}. It is set in Signalbox's settings.",
                    jiff::Timestamp::from_millisecond(*resets_at_ms)
                        .map(|at| at.to_string())
                        .unwrap_or_default()
                ),
            )
            .with_code("budget_exhausted");
            error.retry_after = Some(Duration::from_millis(wait));
            error
        }
        Hopeless::NoTarget => Error::new(
            ErrorKind::InvalidRequest,
            Origin::Gateway,
            format!(
                "No target of \"{route}\" takes such a request: the conditions in the settings leave none."
            ),
        )
        .with_code("no_target"),
        Hopeless::Deadline => Error::new(
            ErrorKind::Timeout,
            Origin::Gateway,
            format!("The request's time was over before a target of \"{route}\" could be asked."),
        ),
        Hopeless::Failed => {
            Error::new(ErrorKind::Internal, Origin::Gateway, "The request ended without a reason.")
        }
    };
    error.retry_after = error.retry_after.or(gave_up.retry_after);
    error
}

/// The way in a line, for a header: each target with what became of it.
pub(super) fn in_short(decision: &Decision, chosen: Option<&Target>) -> String {
    use routing::decision::What;
    let word = |provider: &str, model: &str, against: Option<&'static str>| {
        if chosen.is_some_and(|target| target.provider == provider && target.model == model) {
            return "chosen";
        }
        let failed = decision.steps.iter().rev().find(|step| {
            matches!(step.what, What::Failed | What::Lost)
                && step.provider.as_deref() == Some(provider)
                && step.model.as_deref() == Some(model)
        });
        match failed {
            Some(step) if step.what == What::Lost => "lost",
            Some(step) => step.cause.map_or("failed", Cause::as_str),
            None => against.unwrap_or("standby"),
        }
    };
    let mut line = String::new();
    for it in &decision.candidates {
        let against = it.why.map(routing::decision::Against::as_str);
        let next = format!("{}/{}={}", it.provider, it.model, word(&it.provider, &it.model, against));
        if line.len() + next.len() > LONGEST_LINE {
            line.push_str(", …");
            break;
        }
        if !line.is_empty() {
            line.push_str(", ");
        }
        line.push_str(&next);
    }
    line
}

/// Bytes of the line: headers of 8 KiB together are the least that clients take.
const LONGEST_LINE: usize = 1024;
