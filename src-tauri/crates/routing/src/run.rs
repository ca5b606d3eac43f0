//! One request on its way: what it may still ask, what it has asked, and the story of both. The
//! engine holds it and hands it back to the router at every turn.

use std::time::Duration;

use canonical::PicoUsd;

use crate::Target;
use crate::ask::Ask;
use crate::budget::BudgetHold;
use crate::circuit::Admitted;
use crate::classify::Class;
use crate::decision::{Against, Considered, Decision, Task, Told, What, Why};
use crate::limit::Reservation;
use crate::policy::Cause;

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Ask this target now. Everything it needs is held; it comes back in [`crate::Ended`].
    Ask(Permit),
    /// Nothing can be asked before `until` (on the clock of `Now::mono`); ask again then.
    Wait { until: Duration },
    /// Nothing is left to try, or no time.
    GiveUp(GaveUp),
}

/// The right to make one attempt. It must come back, however the attempt ends: what it holds is
/// held until then.
#[derive(Debug)]
pub struct Permit {
    /// Of this request, from 1.
    pub ordinal: u32,
    pub target: Target,
    pub why: Why,
    /// When a second target is to be asked beside it, counted from now: see [`crate::Router::hedge`].
    pub hedge_after: Option<Duration>,
    /// What the attempt probably costs.
    pub estimated_cost: Option<PicoUsd>,
    /// In the run's order.
    pub(crate) slot: usize,
    pub(crate) held: Held,
}

impl Permit {
    /// It finds out whether its target, or its key, is well again.
    pub fn is_probe(&self) -> bool {
        [self.held.own, self.held.key].into_iter().flatten().any(|admitted| admitted.is_probe)
    }
}

/// What an attempt holds until it has ended.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Past the target's circuit.
    pub own: Option<Admitted>,
    /// Past the provider's.
    pub key: Option<Admitted>,
    pub target: Option<Reservation>,
    pub provider: Option<Reservation>,
    pub budget: Option<BudgetHold>,
}

/// Why nothing more is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GaveUp {
    pub why: Hopeless,
    /// After which the same request has a chance.
    pub retry_after: Option<Duration>,
    /// The target that stood in the way of hope longest, where it was one.
    pub target: Option<Target>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hopeless {
    /// The last attempt's error is the answer.
    Failed,
    /// The request's time is over.
    Deadline,
    /// Conditions leave no target for such a request.
    NoTarget,
    /// Every target is known to be broken at the moment.
    AllClosed,
    /// Every target's limits are used up.
    AllLimited,
    /// It is larger than some limit as a whole.
    LimitTooSmall,
    /// This budget is used up.
    Budget { name: String, resets_at_ms: i64 },
}

/// A target of the run.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    /// In the route.
    pub position: usize,
    pub attempts: u32,
    /// Attempts that were refused for the rate.
    pub refusals: u32,
    /// Never again in this run.
    pub is_done: bool,
    /// Not before this.
    pub not_before: Duration,
    pub cost: Option<PicoUsd>,
    pub against: Option<Against>,
    /// Waits for one of its causes.
    pub is_reserve: bool,
    pub score: Option<f64>,
    pub ttft_p95: Option<Duration>,
    pub quota_left: f64,
    pub is_sticky: bool,
}

/// Refusals for the rate that count for nothing: they say that there was no room, and not that the
/// target cannot answer.
const REFUSALS_FREE: u32 = 4;

impl Slot {
    /// Attempts that speak against asking here again.
    pub(crate) fn failures(&self) -> u32 {
        self.attempts.saturating_sub(self.refusals.min(REFUSALS_FREE))
    }
}

/// One request on its way.
#[derive(Debug)]
pub struct Run {
    pub(crate) ask: Ask,
    pub(crate) class: Class,
    pub(crate) class_why: &'static str,
    pub(crate) rule: Option<usize>,
    /// Best first.
    pub(crate) slots: Vec<Slot>,
    /// Out of the question from the start: position and reason.
    pub(crate) filtered: Vec<(usize, Against)>,
    pub(crate) causes: Vec<Cause>,
    /// The slot that is to be asked once more before any other.
    pub(crate) again: Option<usize>,
    /// No other target would say anything else.
    pub(crate) is_hopeless: bool,
    pub(crate) failures: u32,
    pub(crate) attempts: u32,
    /// Attempts that have not come back.
    pub(crate) under_way: u32,
    pub(crate) budgets: Vec<String>,
    pub(crate) blocked_by: Option<(String, i64)>,
    pub(crate) started: Duration,
    /// Since when nothing could be asked.
    pub(crate) waiting_since: Option<Duration>,
    pub(crate) steps: Vec<Happened>,
}

/// A [`Told`] before anybody asked for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Happened {
    pub at: Duration,
    pub what: What,
    /// In the route.
    pub position: Option<usize>,
    pub why: Option<Why>,
    pub against: Option<Against>,
    pub cause: Option<Cause>,
    pub wait: Option<Duration>,
    pub at_chars: Option<u64>,
}

impl Happened {
    pub(crate) const fn new(at: Duration, what: What, position: Option<usize>) -> Self {
        Self { at, what, position, why: None, against: None, cause: None, wait: None, at_chars: None }
    }
}

impl Run {
    pub fn ask(&self) -> &Ask {
        &self.ask
    }

    /// On the clock of `Now::mono`.
    pub fn deadline(&self) -> Duration {
        self.ask.deadline
    }

    /// Attempts made so far.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether a target other than that of `permit` might still answer: one that was closed or had no
    /// room when it was last looked at is nothing to give a working one up for.
    pub fn has_alternative(&self, permit: &Permit) -> bool {
        self.slots.iter().enumerate().any(|(slot, it)| {
            let is_away = matches!(
                it.against,
                Some(
                    Against::Drained
                        | Against::Limited
                        | Against::LimitTooSmall
                        | Against::CircuitOpen
                        | Against::Cooling
                        | Against::Parked
                )
            );
            slot != permit.slot && !it.is_done && !it.is_reserve && !is_away
        })
    }

    /// Another model goes on with an answer that broke off after `chars` characters.
    pub fn seam(&mut self, permit: &Permit, chars: u64, now: Duration) {
        let position = self.slots.get(permit.slot).map(|slot| slot.position);
        self.steps.push(Happened { at_chars: Some(chars), ..Happened::new(now, What::Seam, position) });
    }

    /// The story so far.
    pub fn decision(&self) -> Decision {
        let route = &self.ask.route;
        let target = |position: usize| route.targets.get(position).map(|it| &it.target);
        let mut rank = 0;
        let standing = self.slots.iter().filter_map(|slot| {
            let target = target(slot.position)?;
            rank += 1;
            Some(Considered {
                provider: target.provider.clone(),
                model: target.model.clone(),
                rank: Some(rank),
                why: slot.against,
                score: slot.score,
                estimated_cost: slot.cost.map(|cost| cost.0.to_string()),
                ttft_p95_ms: slot.ttft_p95.map(millis),
                quota_left: slot.quota_left,
                sticky: slot.is_sticky,
            })
        });
        let mut candidates: Vec<Considered> = standing.collect();
        candidates.extend(self.filtered.iter().filter_map(|(position, against)| {
            let target = target(*position)?;
            Some(Considered {
                provider: target.provider.clone(),
                model: target.model.clone(),
                rank: None,
                why: Some(*against),
                score: None,
                estimated_cost: None,
                ttft_p95_ms: None,
                quota_left: 1.0,
                sticky: false,
            })
        }));
        let steps = self.steps.iter().map(|step| {
            let target = step.position.and_then(target);
            Told {
                at_ms: millis(step.at.saturating_sub(self.started)),
                what: step.what,
                provider: target.map(|target| target.provider.clone()),
                model: target.map(|target| target.model.clone()),
                why: step.why,
                against: step.against,
                cause: step.cause,
                wait_ms: step.wait.map(millis),
                at_chars: step.at_chars,
            }
        });
        Decision {
            route: route.name.clone(),
            strategy: route.strategy.as_str().to_owned(),
            task: Task { class: self.class, why: self.class_why.to_owned() },
            rule: self.rule,
            candidates,
            steps: steps.collect(),
            budgets: self.budgets.clone(),
        }
    }
}

pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
