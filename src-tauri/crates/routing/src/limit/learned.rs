//! A limit as the provider's own headers tell it: an estimate that every answer corrects.

use std::time::Duration;

use super::{LimitSeen, Need, Reservation, Totals};
use crate::policy::Counted;

/// Where nothing says how long the provider counts.
const USUAL_PERIOD: Duration = Duration::from_secs(60);

/// No window that a provider is known for is longer than a month.
const LONGEST: Duration = Duration::from_secs(32 * 24 * 3600);

/// A reset this far away is more likely one moment at which everything is there again than a
/// bucket that fills all the time, and to ask it early costs a refusal each time.
const LONG_RESET: Duration = Duration::from_secs(120);

/// Windows that vendors count in, in seconds.
const NATURAL: [f64; 6] = [1.0, 10.0, 60.0, 3_600.0, 86_400.0, 2_592_000.0];

#[derive(Debug, Clone)]
pub(super) struct Learned {
    pub counted: Counted,
    /// As the provider names it.
    pub window: Option<Duration>,
    limit: Option<u64>,
    /// What is left, by our count, at `at_ms`. Below zero where more is under way than was left.
    level: f64,
    at_ms: u64,
    /// What comes back per second, where it does so all the time.
    rate: f64,
    /// When everything is there again, by the provider's word.
    reset_at_ms: u64,
    period_ms: u64,
    /// Above zero: it was seen to fill all the time; below: at one moment.
    votes: i8,
    /// The level knows of this reservation and of those before it from the provider itself.
    covered: u64,
}

impl Learned {
    /// `None` where nothing is said to hold on to.
    pub(super) fn new(seen: &LimitSeen) -> Option<Self> {
        seen.remaining?;
        Some(Self {
            counted: seen.counted,
            window: seen.window,
            limit: None,
            level: 0.0,
            at_ms: 0,
            rate: 0.0,
            reset_at_ms: 0,
            period_ms: 0,
            votes: 0,
            covered: 0,
        })
    }

    /// Takes the provider's word. `told_by` is the request whose answer brought it: what was
    /// reserved after it may not be in the provider's count yet. Without it, the same holds for
    /// everything under way.
    pub(super) fn learn(
        &mut self,
        seen: &LimitSeen,
        told_by: Option<&Reservation>,
        sent: &Totals,
        in_flight: &Totals,
        now_ms: u64,
    ) {
        self.limit = seen.limit.or(self.limit);
        let Some(remaining) = seen.remaining else { return };
        self.vote(seen, remaining);
        let period = seen.window.or(seen.reset).or(self.window).unwrap_or(USUAL_PERIOD);
        let reset = seen.reset.unwrap_or(period);
        (self.period_ms, self.reset_at_ms) = (ms(period).max(1), now_ms + ms(reset));
        self.rate = self.rate_from(remaining, reset, period);
        let uncounted = match told_by {
            Some(reservation) => sent.since(&reservation.sent).of(self.counted),
            None => in_flight.of(self.counted),
        };
        self.covered = told_by.map_or(0, |reservation| reservation.serial);
        self.at_ms = now_ms;
        self.level = remaining as f64;
        if self.counted != Counted::OutputTokens {
            self.level -= uncounted as f64;
        }
    }

    /// A bucket that fills evenly misses as large a part of its limit as the reset is of its
    /// period. Where that gives a period that vendors use, it is one; where it does not, everything
    /// comes back at once.
    fn vote(&mut self, seen: &LimitSeen, remaining: u64) {
        let (Some(limit), Some(reset)) = (self.limit, seen.reset) else { return };
        let missing = limit.saturating_sub(remaining);
        // A reset in whole seconds says nothing while it is short.
        let is_exact = reset.subsec_nanos() != 0 || reset >= Duration::from_secs(10);
        if missing == 0 || !is_exact {
            return;
        }
        let period = reset.as_secs_f64() * limit as f64 / missing as f64;
        let natural = seen.window.map(|window| window.as_secs_f64());
        let off = NATURAL.into_iter().chain(natural).map(|natural| (period / natural).ln().abs());
        let off = off.fold(f64::INFINITY, f64::min);
        if off < 0.05 {
            self.votes = (self.votes + 1).min(3);
        } else if off > 0.2 {
            self.votes = (self.votes - 1).max(-3);
        }
    }

    fn rate_from(&self, remaining: u64, reset: Duration, period: Duration) -> f64 {
        let Some(limit) = self.limit else { return 0.0 };
        let missing = limit.saturating_sub(remaining);
        if missing == 0 || reset.is_zero() {
            return if self.rate > 0.0 {
                self.rate
            } else {
                limit as f64 / period.max(USUAL_PERIOD).as_secs_f64()
            };
        }
        missing as f64 / reset.as_secs_f64()
    }

    fn fills_evenly(&self) -> bool {
        match self.votes {
            0 => self.period_ms <= ms(LONG_RESET),
            votes => votes > 0,
        }
    }

    pub(super) fn advance(&mut self, in_flight: &Totals, now_ms: u64) {
        let passed_ms = now_ms.saturating_sub(self.at_ms);
        if passed_ms == 0 {
            return;
        }
        self.at_ms = now_ms;
        let Some(limit) = self.limit.map(|limit| limit as f64) else {
            // How much comes back is unknown; that it does, is not.
            if now_ms >= self.reset_at_ms {
                self.level = f64::INFINITY;
            }
            return;
        };
        if self.fills_evenly() {
            self.level = (self.level + self.rate * passed_ms as f64 / 1_000.0).min(limit);
        } else if now_ms >= self.reset_at_ms {
            let periods = (now_ms - self.reset_at_ms) / self.period_ms + 1;
            self.reset_at_ms += periods * self.period_ms;
            self.level = limit;
            if self.counted != Counted::OutputTokens {
                self.level -= in_flight.of(self.counted) as f64;
            }
            self.covered = 0;
        }
    }

    /// What may be reserved now.
    fn available(&self, in_flight: &Totals) -> f64 {
        match self.counted {
            Counted::OutputTokens => self.level - in_flight.output as f64,
            _ => self.level,
        }
    }

    /// More than the whole limit is asked of no provider's window; how it counts is not ours to
    /// know, so it may have such a request when nothing else is under way.
    fn amount(&self, need: &Need) -> f64 {
        let amount = need.of(self.counted);
        self.limit.map_or(amount, |limit| amount.min(limit)) as f64
    }

    /// When there is room; `None` is now.
    pub(super) fn room(&self, need: &Need, in_flight: &Totals, now_ms: u64) -> Option<u64> {
        let missing = self.amount(need) - self.available(in_flight);
        if missing <= 0.0 {
            return None;
        }
        if self.limit.is_some() && self.fills_evenly() && self.rate > 0.0 {
            let wait = (missing / self.rate * 1_000.0).ceil().min(ms(LONGEST) as f64);
            return Some(now_ms + (wait as u64).max(1));
        }
        Some(self.reset_at_ms.max(now_ms + 1))
    }

    pub(super) fn take(&mut self, need: &Need) {
        if self.counted != Counted::OutputTokens {
            self.level -= need.of(self.counted) as f64;
        }
    }

    /// `None`: it never left us.
    pub(super) fn settle(&mut self, reservation: &Reservation, used: Option<&Need>) {
        let used = used.map_or(0, |used| used.of(self.counted)) as f64;
        if self.counted == Counted::OutputTokens {
            // The provider's word came before the output did.
            self.level -= used;
        } else if reservation.serial > self.covered {
            self.level += reservation.need.of(self.counted) as f64 - used;
        }
        if let Some(limit) = self.limit {
            self.level = self.level.min(limit as f64);
        }
    }

    /// From 0 to 1, where the whole is known.
    pub(super) fn share(&self, in_flight: &Totals) -> Option<f64> {
        let limit = self.limit?;
        Some((self.available(in_flight) / limit as f64).clamp(0.0, 1.0))
    }

    /// Whether anything is known of what is left: not after the reset of a limit that was never told.
    pub(super) fn is_known(&self) -> bool {
        self.level.is_finite()
    }

    pub(super) fn limit(&self) -> Option<u64> {
        self.limit
    }

    pub(super) fn left(&self, in_flight: &Totals) -> u64 {
        self.available(in_flight).max(0.0) as u64
    }

    /// When all of it is there again, if nothing more is asked.
    pub(super) fn whole_at(&self, in_flight: &Totals) -> Option<u64> {
        let missing = self.limit? as f64 - self.available(in_flight);
        if missing <= 0.0 {
            return None;
        }
        if self.fills_evenly() && self.rate > 0.0 {
            let wait = (missing / self.rate * 1_000.0).ceil().min(ms(LONGEST) as f64);
            return Some(self.at_ms + wait as u64);
        }
        Some(self.reset_at_ms)
    }
}

/// Whether a header can be meant.
pub(super) fn is_sane(seen: &LimitSeen) -> bool {
    let fits = |span: Option<Duration>| span.is_none_or(|span| span <= LONGEST);
    let more_than_all =
        matches!((seen.limit, seen.remaining), (Some(limit), Some(remaining)) if remaining > limit);
    seen.counted != Counted::Concurrency
        && (seen.limit.is_some() || seen.remaining.is_some())
        && seen.limit != Some(0)
        && !more_than_all
        && fits(seen.reset)
        && fits(seen.window)
        && seen.window.is_none_or(|window| !window.is_zero())
}

// === Over a restart ===

/// What survives of a learned limit.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SavedLearned {
    counted: Counted,
    window_ms: Option<u64>,
    limit: Option<u64>,
    level: f64,
    rate: f64,
    period_ms: u64,
    votes: i8,
    reset_at_unix_ms: i64,
}

/// Whatever is whole again sooner is not worth remembering.
const WORTH_SAVING_MS: u64 = 60_000;

impl Learned {
    /// `unix_of` turns our milliseconds into Unix time.
    pub(super) fn saved(&self, in_flight: &Totals, unix_of: impl Fn(u64) -> i64) -> Option<SavedLearned> {
        let level = self.available(in_flight);
        let is_far = self.reset_at_ms > self.at_ms + WORTH_SAVING_MS;
        (is_far && level.is_finite()).then(|| SavedLearned {
            counted: self.counted,
            window_ms: self.window.map(ms),
            limit: self.limit,
            level,
            rate: self.rate,
            period_ms: self.period_ms,
            votes: self.votes,
            reset_at_unix_ms: unix_of(self.reset_at_ms),
        })
    }

    /// As it was; what came back in the meantime is not counted, so nothing is asked too early.
    /// `None` where it is whole again, or nonsense.
    pub(super) fn restored(saved: &SavedLearned, now_ms: u64, now_unix_ms: i64) -> Option<Self> {
        let wait = u64::try_from(saved.reset_at_unix_ms.checked_sub(now_unix_ms)?).ok()?;
        let is_sane = wait <= ms(LONGEST)
            && (1..=ms(LONGEST)).contains(&saved.period_ms)
            && saved.limit != Some(0)
            && saved.level.is_finite()
            && saved.rate.is_finite()
            && saved.rate >= 0.0;
        is_sane.then(|| Self {
            counted: saved.counted,
            window: saved.window_ms.map(Duration::from_millis),
            limit: saved.limit,
            level: saved.level,
            at_ms: now_ms,
            rate: saved.rate,
            reset_at_ms: now_ms + wait,
            period_ms: saved.period_ms,
            votes: saved.votes.clamp(-3, 3),
            covered: 0,
        })
    }
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
