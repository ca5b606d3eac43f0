//! The next turn of a request: whom to ask, how long to wait, or that it is over.

use std::sync::Arc;
use std::time::Duration;

use super::{Router, who};
use crate::Draw;
use crate::budget::Standing as Allowed;
use crate::decision::{Against, What, Why};
use crate::policy::{Cause, HedgeAfter};
use crate::run::{GaveUp, Happened, Held, Hopeless, Permit, Run, Step};
use crate::target::Standing;
use crate::time::Now;

/// So often those look who wait for somebody else's attempt to end.
const PROBE_LOOK: Duration = Duration::from_millis(250);

/// And those so often who wait where everything is closed: a circuit lets early probes through in
/// this interval.
const EARLY_LOOK: Duration = Duration::from_secs(1);

/// No second attempt beside a first one earlier than this, however fast the target usually is.
const LEAST_HEDGE: Duration = Duration::from_millis(200);

/// Why a slot cannot be asked at this moment.
struct Not {
    slot: usize,
    against: Against,
    until: Option<Duration>,
}

impl Router {
    /// What the request does next. Call it first, after every failed attempt, and when a wait is
    /// over; not while an attempt is under way.
    pub fn next(&mut self, run: &mut Run, now: Now, draw: &mut Draw<'_>) -> Step {
        if run.is_hopeless {
            return give_up(run, now, Hopeless::Failed, None);
        }
        if now.mono >= run.ask.deadline {
            return give_up(run, now, Hopeless::Deadline, None);
        }
        if let Some(slot) = run.again {
            let until = run.slots[slot].not_before;
            if until > now.mono && until < run.ask.deadline {
                return wait(run, now, slot, until);
            }
        }
        let mut refused = Vec::new();
        for slot in turn(run) {
            match self.try_slot(run, slot, now, false, draw) {
                Ok(permit) => return Step::Ask(permit),
                Err(not) => {
                    note(run, &not, now);
                    refused.push(not);
                }
            }
        }
        self.when_all_refuse(run, &refused, now, draw)
    }

    /// A second target beside the one of a run that is slow to begin, where the share of such
    /// attempts, the limits and the targets allow it.
    pub fn hedge(&mut self, run: &mut Run, now: Now, draw: &mut Draw<'_>) -> Option<Permit> {
        if run.ask.acts
            || run.under_way != 1
            || now.mono >= run.ask.deadline
            || self.hedges.left(now.mono) < 1.0
        {
            return None;
        }
        for slot in 0..run.slots.len() {
            let it = &run.slots[slot];
            if it.is_done || it.is_reserve || it.attempts > 0 || it.against == Some(Against::Recovering) {
                continue;
            }
            // A target in doubt is no help for one that is slow.
            if let Ok(mut permit) = self.try_slot(run, slot, now, false, draw) {
                if permit.is_probe() {
                    self.give_back(run, permit, now);
                    continue;
                }
                self.hedges.take(now.mono);
                permit.why = Why::Hedge;
                permit.hedge_after = None;
                if let Some(step) = run.steps.last_mut() {
                    step.why = Some(Why::Hedge);
                }
                return Some(permit);
            }
        }
        None
    }

    fn when_all_refuse(&mut self, run: &mut Run, refused: &[Not], now: Now, draw: &mut Draw<'_>) -> Step {
        let retry = &Arc::clone(&self.policy).retry;
        let soonest = refused
            .iter()
            .filter_map(|not| Some((waitable(not, now)?, not.slot)))
            .min_by_key(|(until, _)| *until);
        // Those who look for a probe's outcome wait in pieces: all of them together are the wait.
        let since = run.waiting_since.unwrap_or(now.mono);
        let deadline = run.ask.deadline;
        let fits =
            |until: Duration, patience: Duration| until.saturating_sub(since) <= patience && until < deadline;
        if let Some((until, slot)) = soonest
            && fits(until, retry.patience_with_alternative)
        {
            return wait(run, now, slot, until);
        }
        // Everything is closed or far away: the least bad one is asked whether it is well again.
        let mut closed: Vec<&Not> = refused.iter().filter(|not| is_closed(not)).collect();
        closed.sort_by_key(|not| not.until);
        for not in closed {
            if let Ok(permit) = self.try_slot(run, not.slot, now, true, draw) {
                return Step::Ask(permit);
            }
        }
        if let Some((until, slot)) = soonest
            && fits(until, retry.patience)
        {
            // Somebody's early probe may bring a closed one back before its time.
            let is_probed = refused.iter().any(is_closed);
            return wait(run, now, slot, if is_probed { until.min(now.mono + EARLY_LOOK) } else { until });
        }
        let retry_after =
            refused.iter().filter_map(|not| not.until).min().map(|until| until.saturating_sub(now.mono));
        let target = refused.first().map(|not| not.slot);
        let is = |against: Against| refused.iter().any(|not| not.against == against);
        let why = if run.failures > 0 {
            Hopeless::Failed
        } else if let Some((name, resets_at_ms)) = run.blocked_by.clone() {
            Hopeless::Budget { name, resets_at_ms }
        } else if is(Against::Limited) || is(Against::Cooling) {
            Hopeless::AllLimited
        } else if is(Against::LimitTooSmall) {
            Hopeless::LimitTooSmall
        } else if refused.is_empty() {
            Hopeless::NoTarget
        } else {
            Hopeless::AllClosed
        };
        let mut step = give_up(run, now, why, target);
        if let Step::GiveUp(gave_up) = &mut step {
            gave_up.retry_after = retry_after;
        }
        step
    }

    /// Everything that an attempt at the slot needs, or the reason against it.
    fn try_slot(
        &mut self,
        run: &mut Run,
        slot: usize,
        now: Now,
        early: bool,
        _: &mut Draw<'_>,
    ) -> Result<Permit, Not> {
        let not = |against, until| Not { slot, against, until };
        let (position, not_before) = (run.slots[slot].position, run.slots[slot].not_before);
        if not_before > now.mono {
            return Err(not(Against::Tried, Some(not_before)));
        }
        let is_again = run.again == Some(slot);
        let is_repeat = run.slots[slot].attempts > 0 && !is_again;
        if is_repeat && self.retries.left(now.mono) < 1.0 {
            run.slots[slot].is_done = true;
            return Err(not(Against::Tried, None));
        }
        let route = Arc::clone(&run.ask.route);
        let target = &route.targets[position].target;
        let (policy, need) = (Arc::clone(&self.policy), run.ask.need());
        let opens = |standing: Standing| match standing {
            Standing::Not { against: Against::CircuitOpen | Against::Parked, .. } if early => Ok(()),
            Standing::Not { against, until } => Err(not(against, until)),
            Standing::Free | Standing::Share(_) | Standing::Probe => Ok(()),
        };
        opens(self.target(target, now).standing(&policy.circuit, &need, now))?;
        opens(self.provider(&target.provider).standing(&policy.circuit, &need, now))?;
        let budget = if self.budgets.is_empty() {
            None
        } else {
            match self.budgets.reserve(&who(&run.ask, target), run.slots[slot].cost, now) {
                Ok(hold) => Some(hold),
                Err(standing) => {
                    let Allowed::Blocked { budget, resets_at_ms, is_held } = standing else {
                        run.slots[slot].is_done = true;
                        return Err(not(Against::Budget, None));
                    };
                    run.blocked_by.get_or_insert((budget, resets_at_ms));
                    // What others hold may come back.
                    run.slots[slot].is_done = !is_held;
                    return Err(not(Against::Budget, is_held.then_some(now.mono + PROBE_LOOK)));
                }
            }
        };
        let held = Held {
            target: self.target(target, now).limits.reserve(&need, now).ok(),
            provider: self.provider(&target.provider).limits.reserve(&need, now).ok(),
            budget,
            own: self.target(target, now).admit(&policy.circuit, now.mono, early),
            key: self.provider(&target.provider).admit(&policy.circuit, now.mono, early),
        };
        let mut permit = Permit {
            ordinal: run.attempts + 1,
            target: target.clone(),
            why: Why::First,
            hedge_after: None,
            estimated_cost: run.slots[slot].cost,
            slot,
            held,
        };
        let has_room = permit.held.target.is_some() && permit.held.provider.is_some();
        if !has_room || permit.held.own.is_none() || permit.held.key.is_none() {
            self.release(permit, now);
            let against = if has_room { Against::Probing } else { Against::Limited };
            return Err(not(against, Some(now.mono + PROBE_LOOK)));
        }
        if is_repeat {
            self.retries.take(now.mono);
        }
        permit.why = Self::why(run, &permit, is_again || is_repeat);
        permit.hedge_after = self.hedge_after(run, &permit, now);
        self.target(target, now).in_flight += 1;
        self.provider(&target.provider).in_flight += 1;
        run.again = run.again.filter(|_| !is_again);
        run.slots[slot].attempts += 1;
        run.slots[slot].against = None;
        run.attempts += 1;
        run.under_way += 1;
        run.waiting_since = None;
        run.steps
            .push(Happened { why: Some(permit.why), ..Happened::new(now.mono, What::Asked, Some(position)) });
        Ok(permit)
    }

    fn why(run: &Run, permit: &Permit, is_same: bool) -> Why {
        match run.causes.last() {
            _ if permit.is_probe() => Why::Probe,
            Some(Cause::Check) => Why::Check,
            Some(Cause::Broke) => Why::Continue,
            _ if is_same => Why::Retry,
            None if run.attempts == 0 => Why::First,
            _ => Why::Failover,
        }
    }

    /// When a second target is to be asked beside this first one.
    fn hedge_after(&mut self, run: &Run, permit: &Permit, now: Now) -> Option<Duration> {
        let hedge = run.ask.route.hedge?;
        if run.attempts > 0 || run.ask.acts || !run.has_alternative(permit) {
            return None;
        }
        let after = match hedge {
            HedgeAfter::P95 => self.target(&permit.target, now).view(now.mono).ttft_p95?,
            HedgeAfter::Fixed(after) => after,
            HedgeAfter::Share(share) => run.ask.first_content.mul_f64(share.clamp(0.0, 1.0)),
        };
        Some(after.max(LEAST_HEDGE))
    }

    /// Undoes an attempt that was not made after all.
    fn give_back(&mut self, run: &mut Run, permit: Permit, now: Now) {
        run.slots[permit.slot].attempts -= 1;
        run.attempts -= 1;
        run.under_way -= 1;
        run.steps.pop();
        let place = self.target(&permit.target, now);
        place.in_flight = place.in_flight.saturating_sub(1);
        let place = self.provider(&permit.target.provider);
        place.in_flight = place.in_flight.saturating_sub(1);
        self.release(permit, now);
    }

    /// Gives everything back that a permit holds, unused.
    fn release(&mut self, permit: Permit, now: Now) {
        let Permit { target, held, .. } = permit;
        let place = self.target(&target, now);
        if let Some(admitted) = held.own {
            place.circuit.released(admitted, now.mono);
        }
        if let Some(reservation) = held.target {
            place.limits.settle(reservation, None, false, now);
        }
        let place = self.provider(&target.provider);
        if let Some(admitted) = held.key {
            place.circuit.released(admitted, now.mono);
        }
        if let Some(reservation) = held.provider {
            place.limits.settle(reservation, None, false, now);
        }
        if let Some(hold) = held.budget {
            self.budgets.settle(hold, Some(canonical::PicoUsd::ZERO), now);
        }
    }
}

/// The slots in the order of this turn: the one to be repeated, those that wait for what just
/// happened, those not asked yet, and last those asked before.
fn turn(run: &Run) -> Vec<usize> {
    let fits = |slot: &usize| {
        let it = &run.slots[*slot];
        let waits_for = || &run.ask.route.targets[it.position].only_after;
        !it.is_done && (!it.is_reserve || waits_for().iter().any(|cause| run.causes.contains(cause)))
    };
    let answers_last = |slot: &usize| {
        let it = &run.slots[*slot];
        it.is_reserve
            && run
                .causes
                .last()
                .is_some_and(|cause| run.ask.route.targets[it.position].only_after.contains(cause))
    };
    let mut slots: Vec<usize> = (0..run.slots.len()).filter(fits).collect();
    slots.sort_by_key(|slot| {
        (run.again != Some(*slot), run.slots[*slot].attempts > 0, !answers_last(slot), *slot)
    });
    slots
}

/// Only a probe may go there, before its time where nothing else is left.
fn is_closed(not: &Not) -> bool {
    matches!(not.against, Against::CircuitOpen | Against::Parked)
}

/// When it is worth asking again, where waiting helps at all.
fn waitable(not: &Not, now: Now) -> Option<Duration> {
    match not.against {
        Against::Probing => Some(now.mono + PROBE_LOOK),
        Against::Limited | Against::Cooling | Against::Tried | Against::CircuitOpen | Against::Budget => {
            not.until
        }
        _ => None,
    }
}

fn note(run: &mut Run, not: &Not, now: Now) {
    let slot = &mut run.slots[not.slot];
    if slot.against == Some(not.against) && run.attempts == 0 {
        // The plan has said so.
        return;
    }
    let is_news = slot.against.replace(not.against) != Some(not.against);
    if is_news {
        let position = Some(slot.position);
        run.steps.push(Happened {
            against: Some(not.against),
            ..Happened::new(now.mono, What::PassedOver, position)
        });
    }
}

fn wait(run: &mut Run, now: Now, slot: usize, until: Duration) -> Step {
    let wait = until.saturating_sub(now.mono);
    let position = run.slots[slot].position;
    run.waiting_since.get_or_insert(now.mono);
    match run.steps.last_mut().filter(|step| step.what == What::Waited && step.position == Some(position)) {
        // Those who look for a probe's outcome wait in pieces.
        Some(step) => step.wait = Some(until.saturating_sub(step.at)),
        None => run.steps.push(Happened {
            wait: Some(wait),
            against: run.slots[slot].against,
            ..Happened::new(now.mono, What::Waited, Some(position))
        }),
    }
    Step::Wait { until }
}

fn give_up(run: &mut Run, now: Now, why: Hopeless, slot: Option<usize>) -> Step {
    run.steps.push(Happened::new(now.mono, What::GaveUp, None));
    let target = slot.map(|slot| run.ask.route.targets[run.slots[slot].position].target.clone());
    Step::GiveUp(GaveUp { why, retry_after: None, target })
}
