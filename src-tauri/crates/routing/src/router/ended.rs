//! What an attempt's end teaches, and what it leaves of the request's choices.

use std::time::Duration;

use canonical::{Error, ErrorKind, Origin, PicoUsd, Retry};

use super::Router;
use super::plan::sticky_key;
use crate::Draw;
use crate::ask::Ask;
use crate::decision::What;
use crate::health::{Sample, Sampled};
use crate::limit::Need;
use crate::policy::Cause;
use crate::run::{Happened, Permit, Run};
use crate::share::full_jitter;
use crate::time::Now;

/// A provider that asks to be left alone for longer than this is not believed: an absurd header
/// would take it away for good.
const LONGEST_COOLING: Duration = Duration::from_secs(24 * 3600);

/// How long a refused key, an empty account or a model that is not there is left alone. A new key
/// ends it at once, and a request that has no other way asks earlier.
const PARKED_FOR: Duration = Duration::from_secs(300);

/// The first pause after a refusal for the rate that names none; doubles with each in a row.
const COOLING: Duration = Duration::from_secs(1);
const MOST_COOLING: Duration = Duration::from_secs(60);

/// So often another model goes on with one answer: each reads the whole text so far again, and bills it.
const MOST_SEAMS: usize = 3;

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    pub result: Result<(), &'a Error>,
    /// What the engine knows better than the error says: the answer failed its checks
    /// ([`Cause::Check`]), or it broke off and another model is to go on ([`Cause::Broke`]).
    pub cause: Option<Cause>,
    /// The other one of a pair was faster; this one was hung up on.
    pub has_lost: bool,
    /// The client has seen a part of it.
    pub is_committed: bool,
    /// The provider may have heard the question.
    pub was_sent: bool,
    /// From sending to the first content.
    pub first_content: Option<Duration>,
    pub duration: Duration,
    /// What it took, where that is known.
    pub used: Option<Need>,
    pub cost: Option<PicoUsd>,
    /// Calls in the answer that broke the request's own schemas.
    pub tool_failures: u32,
}

/// Whom a failure speaks against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blame {
    /// Nobody: the request's own fault, ours, or the client left.
    Nobody,
    Target,
    /// The target is well and wants less.
    Rate,
    /// The target is well and cannot bear more at once.
    Load,
    /// The key or the account.
    Key,
    /// This model under this key.
    Model,
}

impl Router {
    /// An attempt has ended: gives back what it held, and learns from it.
    pub fn ended(&mut self, run: &mut Run, permit: Permit, ended: &Ended<'_>, now: Now, draw: &mut Draw<'_>) {
        run.under_way = run.under_way.saturating_sub(1);
        self.learn_from(&permit, ended, now);
        Self::tell(run, &permit, ended, now);
        match ended.result {
            Ok(()) => {
                if run.ask.route.sticky.is_some()
                    && let Some(key) = sticky_key(&run.ask)
                {
                    self.sticky.put(key, permit.target.clone(), now.mono);
                }
            }
            Err(_) if ended.has_lost => run.slots[permit.slot].is_done = true,
            Err(error) => self.after_failure(run, &permit, error, ended, now, draw),
        }
        self.settle(permit, ended, now);
    }

    fn tell(run: &mut Run, permit: &Permit, ended: &Ended<'_>, now: Now) {
        let what = match ended.result {
            Ok(()) => What::Answered,
            Err(_) if ended.has_lost => What::Lost,
            Err(_) => What::Failed,
        };
        let cause = ended.result.err().filter(|_| !ended.has_lost).map(|error| cause_of(error, ended.cause));
        let position = run.slots[permit.slot].position;
        run.steps.push(Happened { cause, ..Happened::new(now.mono, what, Some(position)) });
    }

    fn learn_from(&mut self, permit: &Permit, ended: &Ended<'_>, now: Now) {
        let policy = std::sync::Arc::clone(&self.policy);
        let blame = blame_of(ended);
        let sampled = match (ended.result, blame) {
            (Ok(()), _) => Some(Sampled::Ok),
            // It answered, and not as it was asked to.
            (Err(_), Blame::Nobody) if ended.cause == Some(Cause::Check) => Some(Sampled::Ok),
            (Err(_), Blame::Nobody) => None,
            (Err(_), Blame::Rate) => Some(Sampled::Limited),
            (Err(error), _) if error.kind == ErrorKind::Truncated => Some(Sampled::Truncated),
            (Err(error), _) => Some(Sampled::Failed(error.kind)),
        };
        let place = self.target(&permit.target, now);
        place.in_flight = place.in_flight.saturating_sub(1);
        let blame =
            if blame == Blame::Target && is_refusal_for_load(ended) && place.ceiling.is_alive(now.mono) {
                place.ceiling.refused(place.in_flight, now.mono);
                Blame::Load
            } else {
                blame
            };
        if let Some(result) = sampled {
            place.health.note(
                &Sample {
                    result,
                    first_content: ended.first_content,
                    duration: ended.duration,
                    output_tokens: ended.used.map(|used| used.output_tokens),
                    tool_failures: ended.tool_failures,
                },
                now.mono,
            );
        }
        let asked_to_wait = ended.result.err().and_then(|error| error.retry_after);
        let asked_to_wait = asked_to_wait.filter(|wait| *wait <= LONGEST_COOLING);
        if blame != Blame::Rate && sampled.is_some() {
            place.refusals_in_row = 0;
        }
        let answered = blame == Blame::Nobody && sampled.is_some();
        if answered {
            place.ceiling.answered(now.mono);
        }
        if let Some(own) = permit.held.own {
            match blame {
                Blame::Nobody if answered => place.circuit.succeeded(&policy.circuit, own, now.mono),
                Blame::Target => {
                    let view = place.health.view(now.mono);
                    let (rate, requests) = (view.error_rate_1m, view.requests_1m);
                    place.circuit.failed(&policy.circuit, own, rate, requests, now.mono);
                }
                _ => place.circuit.released(own, now.mono),
            }
        }
        match blame {
            Blame::Rate => {
                let doubled = COOLING.saturating_mul(1 << place.refusals_in_row.min(10));
                place.refusals_in_row = place.refusals_in_row.saturating_add(1);
                place.circuit.cool(now.mono + asked_to_wait.unwrap_or(doubled.min(MOST_COOLING)));
            }
            Blame::Target | Blame::Load => place.circuit.cool(now.mono + asked_to_wait.unwrap_or_default()),
            Blame::Model => place.circuit.park(now.mono + PARKED_FOR),
            Blame::Nobody | Blame::Key => {}
        }
        let place = self.provider(&permit.target.provider);
        place.in_flight = place.in_flight.saturating_sub(1);
        if let Some(key) = permit.held.key {
            match blame {
                // Whatever else it said, it took the key.
                Blame::Rate | Blame::Load | Blame::Model | Blame::Target => {
                    place.circuit.succeeded(&policy.circuit, key, now.mono);
                }
                Blame::Nobody if answered => place.circuit.succeeded(&policy.circuit, key, now.mono),
                Blame::Nobody | Blame::Key => place.circuit.released(key, now.mono),
            }
        }
        if blame == Blame::Key {
            place.circuit.park(now.mono + asked_to_wait.unwrap_or(PARKED_FOR));
        }
    }

    fn settle(&mut self, permit: Permit, ended: &Ended<'_>, now: Now) {
        let Permit { target, held, .. } = permit;
        if let Some(reservation) = held.target {
            self.target(&target, now).limits.settle(reservation, ended.used, ended.was_sent, now);
        }
        if let Some(reservation) = held.provider {
            self.provider(&target.provider).limits.settle(reservation, ended.used, ended.was_sent, now);
        }
        if let Some(hold) = held.budget {
            let cost = if ended.was_sent { ended.cost } else { Some(PicoUsd::ZERO) };
            self.budgets.settle(hold, cost, now);
        }
    }

    /// What the failure leaves of the run's choices.
    fn after_failure(
        &mut self,
        run: &mut Run,
        permit: &Permit,
        error: &Error,
        ended: &Ended<'_>,
        now: Now,
        draw: &mut Draw<'_>,
    ) {
        run.failures += 1;
        let cause = cause_of(error, ended.cause);
        run.causes.push(cause);
        if error.retry == Retry::Never && !matches!(cause, Cause::Check | Cause::Broke) {
            run.is_hopeless = true;
            return;
        }
        if run.ask.acts && ended.was_sent && may_have_acted(error) {
            run.is_hopeless = true;
            return;
        }
        if run.causes.iter().filter(|cause| **cause == Cause::Broke).count() > MOST_SEAMS {
            run.is_hopeless = true;
            return;
        }
        rule_out(run, permit, cause);
        let retry = &std::sync::Arc::clone(&self.policy).retry;
        let has_alternative = run.has_alternative(permit);
        if cause == Cause::Broke {
            // Whoever goes on reads what has been said so far, too.
            let said = ended.used.map_or(0, |used| used.output_tokens);
            run.ask.traits.input_tokens = run.ask.traits.input_tokens.saturating_add(said);
            let need = run.ask.need();
            for slot in &mut run.slots {
                slot.cost = run.ask.facts.get(slot.position).and_then(|facts| facts.cost(&need));
            }
        }
        let is_alone = run.slots.len() == 1;
        let slot = &mut run.slots[permit.slot];
        slot.refusals += u32::from(cause == Cause::RateLimited);
        match cause {
            Cause::Check | Cause::Broke => {
                // Another model is the better judge of its answer; what broke off may go on at the same
                // one, behind the others. Without another the same is asked again.
                let is_spent = cause == Cause::Check || slot.failures() >= retry.attempts_per_target;
                slot.is_done = has_alternative && is_spent;
                run.again = (!has_alternative).then_some(permit.slot);
            }
            // A slow or garbled answer is one request's bad luck as often as not: behind the others it
            // is asked again.
            _ if error.retry == Retry::NextTarget => {
                let is_luck = matches!(error.kind, ErrorKind::Timeout | ErrorKind::InvalidResponse);
                slot.is_done = !is_luck || is_alone || slot.failures() >= retry.attempts_per_target;
            }
            _ if slot.failures() >= retry.attempts_per_target => slot.is_done = true,
            _ => {
                let jitter = full_jitter(slot.attempts, retry.base, retry.cap, draw);
                let pause = error.retry_after.unwrap_or(jitter);
                slot.not_before = now.mono.saturating_add(pause);
                // A slip is soonest mended where the conversation's cache is.
                let is_slip =
                    matches!(error.kind, ErrorKind::ServerError | ErrorKind::Network | ErrorKind::Truncated);
                if is_slip && pause <= retry.patience_with_alternative && self.retries.take(now.mono) {
                    run.again = Some(permit.slot);
                }
            }
        }
    }
}

/// Takes out what would fail for the same reason.
fn rule_out(run: &mut Run, permit: &Permit, cause: Cause) {
    let Ask { route, facts, .. } = &run.ask;
    let window = |position: usize| facts.get(position).and_then(|facts| facts.context_window);
    let own = window(run.slots[permit.slot].position);
    for slot in &mut run.slots {
        let is_same_provider = route.targets[slot.position].target.provider == permit.target.provider;
        slot.is_done |= match cause {
            Cause::ContextTooLong => match (window(slot.position), own) {
                (Some(window), Some(own)) => window <= own,
                _ => false,
            },
            Cause::ContentFiltered | Cause::Quota => is_same_provider,
            _ => false,
        };
    }
}

/// It was refused because of the load, before any of an answer.
fn is_refusal_for_load(ended: &Ended<'_>) -> bool {
    ended.first_content.is_none() && ended.result.is_err_and(|error| error.kind == ErrorKind::Overloaded)
}

fn blame_of(ended: &Ended<'_>) -> Blame {
    let Err(error) = ended.result else { return Blame::Nobody };
    if ended.has_lost || ended.cause == Some(Cause::Check) {
        return Blame::Nobody;
    }
    if matches!(error.origin, Origin::Caller | Origin::Gateway) {
        return Blame::Nobody;
    }
    match error.kind {
        ErrorKind::Cancelled
        | ErrorKind::Internal
        | ErrorKind::InvalidRequest
        | ErrorKind::PayloadTooLarge
        | ErrorKind::ContextTooLong
        | ErrorKind::ContentFiltered => Blame::Nobody,
        ErrorKind::RateLimited => Blame::Rate,
        ErrorKind::Authentication | ErrorKind::QuotaExhausted => Blame::Key,
        ErrorKind::Permission | ErrorKind::NotFound => Blame::Model,
        ErrorKind::Overloaded
        | ErrorKind::Timeout
        | ErrorKind::Truncated
        | ErrorKind::InvalidResponse
        | ErrorKind::ServerError
        | ErrorKind::Network => Blame::Target,
    }
}

/// Why another target is asked, in the settings' words.
fn cause_of(error: &Error, known: Option<Cause>) -> Cause {
    known.unwrap_or(match error.kind {
        ErrorKind::ContextTooLong | ErrorKind::PayloadTooLarge => Cause::ContextTooLong,
        ErrorKind::ContentFiltered => Cause::ContentFiltered,
        ErrorKind::QuotaExhausted | ErrorKind::Authentication => Cause::Quota,
        ErrorKind::RateLimited => Cause::RateLimited,
        ErrorKind::Timeout => Cause::Slow,
        _ => Cause::Failed,
    })
}

/// Whether the provider may have done what was asked although it did not say so.
fn may_have_acted(error: &Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::Timeout
            | ErrorKind::Network
            | ErrorKind::Truncated
            | ErrorKind::ServerError
            | ErrorKind::InvalidResponse
    )
}
