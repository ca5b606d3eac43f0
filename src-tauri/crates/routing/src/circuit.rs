//! Whether a target may be asked: the memory of its failures, of "come back later" and of refused
//! keys. The same type serves a whole provider.
//!
//! ```text
//!            failures in a row, or a bad minute
//!   Closed ───────────────────────────────────────▶ Open ◀──────────────┐
//!     ▲                                    its time │ ▲                 │
//!     │                                     is over │ │ the probe failed│ failures
//!     │                                             ▼ │ (time doubles)  │ (time doubles)
//!     └───────── dwell ── 25% ◀─ dwell ─ 5% ◀─ dwell ─ 1% ◀── the probe went well
//! ```
//!
//! Apart from the circuit there are two deadlines, which only ever move later: `cool` (the provider
//! said when to come back) and `park` (the key is refused or has no credit). Before them nothing
//! goes out, not even a probe.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Now;
use crate::policy::CircuitPolicy;

/// Closed for so long, the next opening is a first one again.
const FORGET: Duration = Duration::from_secs(300);

/// The error rate is that of a minute; sooner after an opening it would still be that opening's.
const RATE_WINDOW: Duration = Duration::from_secs(60);

/// Where every target is closed, the least bad is probed so often before its time.
const EARLY_PROBES_EVERY: Duration = Duration::from_secs(1);

/// A probe that neither ended nor came back for so long is lost, and another may go. Longer than
/// any answer takes.
const PROBE_LOST: Duration = Duration::from_secs(900);

/// When to look again while a probe is under way: nobody knows when it ends.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// May one attempt go to the target? A look; nothing changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// All its traffic.
    Free,
    /// This share of its traffic; the rest only where nothing else could answer.
    Share(f64),
    /// One probe.
    Probe,
    /// Nothing before `until`.
    Closed { until: Duration, why: Blocked },
}

/// Why nothing may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocked {
    CircuitOpen,
    /// The provider said when to come back.
    Cooling,
    /// The key is refused, or has no credit.
    Parked,
    ProbeUnderWay,
}

/// The circuit as screens show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Closed,
    /// No traffic before `until`; opened `times` times without five quiet minutes in between.
    Open {
        until: Duration,
        times: u32,
    },
    HalfOpen {
        probe_in_flight: bool,
    },
    /// `stage` counts from 0.
    Ramp {
        stage: u8,
        since: Duration,
    },
}

/// Whether so many failures in a row tell of something new. A busy target that fails one request in
/// ten has five in a row every few minutes by chance alone; a minute in which chance would bring such
/// a row less than once in a thousand times does not.
fn is_surprising(in_a_row: u32, error_rate_1m: f64, requests_1m: u32) -> bool {
    let others = f64::from(requests_1m.saturating_sub(in_a_row));
    let failed = error_rate_1m * f64::from(requests_1m) - f64::from(in_a_row);
    if others < 1.0 || failed <= 0.0 {
        return true;
    }
    let usual = (failed / others).min(1.0);
    usual.powf(f64::from(in_a_row)) * others < 0.001
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half_open",
            Self::Ramp { .. } => "ramp",
        }
    }
}

/// One attempt was let through; it comes back with what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    /// It alone decides whether the target comes back.
    pub is_probe: bool,
    /// When, counted in openings and probes: an attempt from before says nothing about after.
    epoch: u32,
    /// It goes out with a key that was refused, so many times by then.
    tries_key: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// `since` is `None` where it never opened.
    Closed { since: Option<Duration> },
    /// Until `until`, then for the first attempt that comes.
    Open { until: Duration },
    /// A probe left at `since`; without it the circuit would be open until `until`.
    Probing { since: Duration, until: Duration, is_early: bool },
    /// Shares of the traffic, `dwell` each.
    Ramp { since: Duration, dwell: Duration, seen: Stage },
}

/// What was seen of one stage of the ramp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Stage {
    number: u8,
    ok: u32,
    failed: u32,
}

/// Stages of the ramp.
const STAGES: u8 = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circuit {
    phase: Phase,
    epoch: u32,
    /// Failures in a row while closed.
    in_a_row: u32,
    /// Openings without [`FORGET`] between them.
    times: u32,
    /// When it last opened by failures, or an attempt last left: the pace of early ones.
    last_try: Duration,
    /// How often the key was refused.
    refusals: u32,
    opened: Option<Duration>,
    cooling_until: Duration,
    parked_until: Duration,
}

impl Default for Circuit {
    fn default() -> Self {
        Self {
            phase: Phase::Closed { since: None },
            epoch: 0,
            in_a_row: 0,
            times: 0,
            last_try: Duration::ZERO,
            refusals: 0,
            opened: None,
            cooling_until: Duration::ZERO,
            parked_until: Duration::ZERO,
        }
    }
}

// === looking ===

impl Circuit {
    pub fn verdict(&self, policy: &CircuitPolicy, now: Duration) -> Verdict {
        if let Some((until, why)) = self.told(now) {
            return Verdict::Closed { until: until.max(self.open_until().unwrap_or_default()), why };
        }
        match self.phase_at(now) {
            Phase::Closed { .. } => Verdict::Free,
            Phase::Open { until } if now < until => Verdict::Closed { until, why: Blocked::CircuitOpen },
            Phase::Open { .. } => Verdict::Probe,
            Phase::Probing { since, .. } if now.saturating_sub(since) >= PROBE_LOST => Verdict::Probe,
            Phase::Probing { .. } => {
                let until = now.saturating_add(LOOK_AGAIN);
                Verdict::Closed { until, why: Blocked::ProbeUnderWay }
            }
            Phase::Ramp { seen, .. } => Verdict::Share(policy.ramp[usize::from(seen.number.min(STAGES - 1))]),
        }
    }

    /// What is shown; deadlines that were told are not part of it.
    pub fn state(&self, now: Duration) -> State {
        match self.phase_at(now) {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { until } if now < until => State::Open { until, times: self.times },
            Phase::Open { .. } => State::HalfOpen { probe_in_flight: false },
            Phase::Probing { .. } => State::HalfOpen { probe_in_flight: true },
            Phase::Ramp { since, dwell, seen } => State::Ramp {
                stage: seen.number,
                since: since.saturating_add(dwell * u32::from(seen.number)),
            },
        }
    }

    /// The deadline that the provider set, where it is not over.
    fn told(&self, now: Duration) -> Option<(Duration, Blocked)> {
        let why = if now < self.parked_until {
            Blocked::Parked
        } else if now < self.cooling_until {
            Blocked::Cooling
        } else {
            return None;
        };
        Some((self.parked_until.max(self.cooling_until), why))
    }

    fn open_until(&self) -> Option<Duration> {
        match self.phase {
            Phase::Open { until } => Some(until),
            _ => None,
        }
    }

    /// The phase with the stages that time alone has passed.
    fn phase_at(&self, now: Duration) -> Phase {
        let Phase::Ramp { since, dwell, seen } = self.phase else { return self.phase };
        let passed = match dwell.as_nanos() {
            0 => u128::from(STAGES),
            dwell => now.saturating_sub(since).as_nanos() / dwell,
        };
        if passed >= u128::from(STAGES) {
            return Phase::Closed { since: Some(since.saturating_add(dwell * u32::from(STAGES))) };
        }
        let number = passed as u8;
        // A clock that went back does not bring a stage back.
        let seen = if number > seen.number { Stage { number, ..Stage::default() } } else { seen };
        Phase::Ramp { since, dwell, seen }
    }
}

// === letting through ===

impl Circuit {
    /// Lets one attempt through, or not. `early`: every other target is closed, too; an open
    /// circuit then lets a probe through before its time, once a second, and a parked one an
    /// attempt. When the provider said to come back holds all the same.
    pub fn admit(&mut self, policy: &CircuitPolicy, now: Duration, early: bool) -> Option<Admitted> {
        match self.verdict(policy, now) {
            Verdict::Free | Verdict::Share(_) => {
                self.last_try = now;
                Some(self.admitted(false))
            }
            Verdict::Probe => Some(self.probe(now, false)),
            Verdict::Closed { why: Blocked::CircuitOpen, .. } if early && self.may_probe_early(now) => {
                Some(self.probe(now, true))
            }
            // The key may have been mended where we cannot see it.
            Verdict::Closed { why: Blocked::Parked, .. }
                if early && now >= self.cooling_until && self.may_probe_early(now) =>
            {
                self.try_parked(now)
            }
            Verdict::Closed { .. } => None,
        }
    }

    fn try_parked(&mut self, now: Duration) -> Option<Admitted> {
        self.last_try = now;
        let admitted = match self.phase_at(now) {
            Phase::Closed { .. } | Phase::Ramp { .. } => self.admitted(false),
            Phase::Open { .. } => self.probe(now, true),
            Phase::Probing { .. } => return None,
        };
        Some(Admitted { tries_key: Some(self.refusals), ..admitted })
    }

    fn admitted(&self, is_probe: bool) -> Admitted {
        Admitted { is_probe, epoch: self.epoch, tries_key: None }
    }

    fn may_probe_early(&self, now: Duration) -> bool {
        now.saturating_sub(self.last_try) >= EARLY_PROBES_EVERY
    }

    fn probe(&mut self, now: Duration, is_early: bool) -> Admitted {
        let until = match self.phase {
            Phase::Open { until } | Phase::Probing { until, .. } => until,
            Phase::Closed { .. } | Phase::Ramp { .. } => now,
        };
        self.phase = Phase::Probing { since: now, until, is_early };
        self.last_try = now;
        self.epoch = self.epoch.wrapping_add(1);
        self.admitted(true)
    }
}

// === learning ===

impl Circuit {
    /// The first content came. A probe has shown enough with it: a long answer does not keep the
    /// others waiting. What becomes of the attempt is still to be told.
    pub fn answering(&mut self, policy: &CircuitPolicy, admitted: Admitted, now: Duration) {
        if self.is_current(admitted) && matches!(self.phase, Phase::Probing { .. }) {
            self.phase = Phase::Ramp { since: now, dwell: policy.dwell, seen: Stage::default() };
        }
    }

    pub fn succeeded(&mut self, policy: &CircuitPolicy, admitted: Admitted, now: Duration) {
        self.phase = self.phase_at(now);
        if !self.is_current(admitted) {
            return;
        }
        self.in_a_row = 0;
        if admitted.tries_key == Some(self.refusals) {
            self.unpark();
        }
        match &mut self.phase {
            Phase::Probing { .. } => self.answering(policy, admitted, now),
            Phase::Ramp { seen, .. } => seen.ok = seen.ok.saturating_add(1),
            Phase::Closed { .. } | Phase::Open { .. } => {}
        }
    }

    /// The attempt failed through the target's own fault (`health::is_fault`). Whether the circuit
    /// opened by it.
    pub fn failed(
        &mut self,
        policy: &CircuitPolicy,
        admitted: Admitted,
        error_rate_1m: f64,
        requests_1m: u32,
        now: Duration,
    ) -> bool {
        self.phase = self.phase_at(now);
        if !self.is_current(admitted) {
            return false;
        }
        match &mut self.phase {
            Phase::Closed { .. } => {
                self.in_a_row = self.in_a_row.saturating_add(1);
                let in_a_row = self.in_a_row >= policy.consecutive_failures.max(1)
                    && is_surprising(self.in_a_row, error_rate_1m, requests_1m);
                // The minute before the last opening is paid for.
                let is_judged = self.opened.is_some_and(|opened| now.saturating_sub(opened) < RATE_WINDOW);
                let too_often = !is_judged
                    && requests_1m >= policy.min_requests.max(1)
                    && error_rate_1m >= policy.error_rate;
                if in_a_row || too_often {
                    self.open(policy, now);
                }
                in_a_row || too_often
            }
            // A probe that was sent before its time changes nothing but the pace.
            Phase::Probing { until, is_early: true, .. } if now < *until => {
                self.phase = Phase::Open { until: *until };
                false
            }
            Phase::Probing { .. } => {
                self.open(policy, now);
                true
            }
            Phase::Ramp { seen, .. } => {
                seen.failed = seen.failed.saturating_add(1);
                let share = f64::from(seen.failed) / f64::from(seen.failed.saturating_add(seen.ok));
                // One failure among many answers is a provider's daily life, not a relapse.
                let relapsed = share >= policy.error_rate;
                if relapsed {
                    self.open(policy, now);
                }
                relapsed
            }
            Phase::Open { .. } => false,
        }
    }

    /// The attempt ended and nothing was learned: the client left, the fault was the caller's, or
    /// the provider said 429. A probe makes room for the next.
    pub fn released(&mut self, admitted: Admitted, now: Duration) {
        self.phase = self.phase_at(now);
        if !self.is_current(admitted) {
            return;
        }
        if let Phase::Probing { until, .. } = self.phase {
            self.phase = Phase::Open { until };
        }
    }

    /// The provider said when to come back. The caller has bounded what it said.
    pub fn cool(&mut self, until: Duration) {
        self.cooling_until = self.cooling_until.max(until);
    }

    /// The key is refused or has no credit.
    pub fn park(&mut self, until: Duration) {
        self.parked_until = self.parked_until.max(until);
        self.refusals = self.refusals.wrapping_add(1);
    }

    /// Another key is there, or the user wants to try.
    pub fn unpark(&mut self) {
        self.parked_until = Duration::ZERO;
    }

    /// Nothing happened since it was admitted that makes its result old.
    fn is_current(&self, admitted: Admitted) -> bool {
        admitted.epoch == self.epoch
    }

    fn open(&mut self, policy: &CircuitPolicy, now: Duration) {
        let was_quiet = match self.phase {
            Phase::Closed { since: Some(since) } => now.saturating_sub(since) >= FORGET,
            Phase::Closed { since: None } => true,
            Phase::Open { .. } | Phase::Probing { .. } | Phase::Ramp { .. } => false,
        };
        self.times = if was_quiet { 1 } else { self.times.saturating_add(1) };
        let doubled = 1_u32.checked_shl(self.times - 1).unwrap_or(u32::MAX);
        let open_for = policy.open_for.saturating_mul(doubled).min(policy.open_max.max(policy.open_for));
        self.phase = Phase::Open { until: now.saturating_add(open_for) };
        self.in_a_row = 0;
        self.opened = Some(now);
        self.last_try = now;
        self.epoch = self.epoch.wrapping_add(1);
    }
}

// === across a restart ===

/// What outlives the process. Lengths, not moments: a clock that was set in between can shorten
/// them but never make them longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedCircuit {
    /// Unix time.
    pub saved_at_ms: i64,
    /// `None`: it is closed. 0: it is to be probed.
    pub open_for_ms: Option<u64>,
    pub times: u32,
    pub cooling_for_ms: u64,
    pub parked_for_ms: u64,
}

impl Circuit {
    /// `None` where there is nothing to remember.
    pub fn saved(&self, now: Now) -> Option<SavedCircuit> {
        let left =
            |until: Duration| u64::try_from(until.saturating_sub(now.mono).as_millis()).unwrap_or(u64::MAX);
        let open_for_ms = match self.phase_at(now.mono) {
            Phase::Closed { .. } => None,
            Phase::Open { until } | Phase::Probing { until, .. } => Some(left(until)),
            // Too short to be worth it: it begins with a probe again.
            Phase::Ramp { .. } => Some(0),
        };
        let saved = SavedCircuit {
            saved_at_ms: now.unix_ms,
            open_for_ms,
            times: self.times,
            cooling_for_ms: left(self.cooling_until),
            parked_for_ms: left(self.parked_until),
        };
        let matters = open_for_ms.is_some() || saved.cooling_for_ms > 0 || saved.parked_for_ms > 0;
        matters.then_some(saved)
    }

    /// The circuit as it would be had the process gone on; what is over for five minutes is
    /// forgotten.
    pub fn restored(saved: &SavedCircuit, now: Now) -> Self {
        let gone = u64::try_from(now.unix_ms.saturating_sub(saved.saved_at_ms)).unwrap_or(0);
        let until = |ms: u64| match ms.saturating_sub(gone) {
            0 => Duration::ZERO,
            left => now.mono.saturating_add(Duration::from_millis(left)),
        };
        let mut circuit = Self {
            cooling_until: until(saved.cooling_for_ms),
            parked_until: until(saved.parked_for_ms),
            ..Self::default()
        };
        let Some(open_for) = saved.open_for_ms else { return circuit };
        if gone.saturating_sub(open_for) >= FORGET.as_millis() as u64 {
            return circuit;
        }
        circuit.phase = Phase::Open { until: until(open_for) };
        circuit.times = saved.times;
        circuit.opened = Some(now.mono);
        circuit.last_try = now.mono;
        circuit
    }
}

#[cfg(test)]
mod tests;
