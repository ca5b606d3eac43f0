//! How one target has been doing: what it answered in the last five minutes, and how fast.
//!
//! Only what says something about the target is counted: a caller's bad request or a client that
//! left is neither a success nor a failure ([`is_fault`]). A refused key is not counted either: it
//! parks the target (`circuit.rs`), and says nothing about what comes after.

use std::time::Duration;

use canonical::ErrorKind;
use serde::{Serialize, Serializer};

use crate::histogram::{Decay, Histogram};

/// Counts are kept per half minute and forgotten by the half minute.
const SLOT: Duration = Duration::from_secs(30);
/// Five minutes, of which the newest half minute is just filling.
const SLOTS: usize = 10;
/// "The last minute": this slot and the one before, so 30 to 60 seconds.
const MINUTE: u64 = 2;

/// Going through the histograms is worth it only so often; people and plans see no difference.
const QUANTILES_EVERY: Duration = Duration::from_millis(250);

/// An answer that came in one piece has no speed of its own; below this the whole duration counts.
const SHORTEST_STREAM: Duration = Duration::from_millis(50);

/// Whether a failure of this kind speaks against the target: the one table for health and circuit.
pub const fn is_fault(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Overloaded
        | ErrorKind::Timeout
        | ErrorKind::Truncated
        | ErrorKind::InvalidResponse
        | ErrorKind::ServerError
        | ErrorKind::Network => true,
        // These park or cool the target; it works for whoever may use it.
        ErrorKind::Authentication
        | ErrorKind::Permission
        | ErrorKind::RateLimited
        | ErrorKind::QuotaExhausted
        // The caller's, the client's and our own.
        | ErrorKind::ContextTooLong
        | ErrorKind::ContentFiltered
        | ErrorKind::InvalidRequest
        | ErrorKind::NotFound
        | ErrorKind::PayloadTooLarge
        | ErrorKind::Cancelled
        | ErrorKind::Internal => false,
    }
}

/// How one attempt at a target went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    pub result: Sampled,
    /// From sending to the first content, where there was any.
    pub first_content: Option<Duration>,
    /// From sending to the end.
    pub duration: Duration,
    pub output_tokens: Option<u64>,
    /// Tool calls of the answer that failed their checks.
    pub tool_failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampled {
    Ok,
    Failed(ErrorKind),
    /// Answered with 429.
    Limited,
    /// Broke off after its first content.
    Truncated,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    requests: u32,
    faults: u32,
    limited: u32,
    truncated: u32,
    tool_failures: u32,
}

impl Counts {
    fn of(sample: &Sample) -> Option<Self> {
        let mut counts =
            Self { requests: 1, tool_failures: u32::from(sample.tool_failures > 0), ..Self::default() };
        match sample.result {
            Sampled::Ok => {}
            Sampled::Limited | Sampled::Failed(ErrorKind::RateLimited) => counts.limited = 1,
            Sampled::Truncated | Sampled::Failed(ErrorKind::Truncated) => {
                (counts.truncated, counts.faults) = (1, 1);
            }
            Sampled::Failed(kind) if is_fault(kind) => counts.faults = 1,
            Sampled::Failed(_) => return None,
        }
        Some(counts)
    }

    fn add(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.faults = self.faults.saturating_add(other.faults);
        self.limited = self.limited.saturating_add(other.limited);
        self.truncated = self.truncated.saturating_add(other.truncated);
        self.tool_failures = self.tool_failures.saturating_add(other.tool_failures);
    }

    fn share(self, count: u32) -> f64 {
        if self.requests == 0 { 0.0 } else { f64::from(count) / f64::from(self.requests) }
    }
}

/// Tokens over seconds, the newest answers counting most.
#[derive(Debug, Clone, Copy, Default)]
struct Speed {
    tokens: f64,
    seconds: f64,
    answers: f64,
    decay: Decay,
}

impl Speed {
    fn note(&mut self, tokens: u64, took: Duration, now: Duration) {
        let (weight, factor) = self.decay.weigh(now);
        if let Some(factor) = factor {
            self.tokens *= factor;
            self.seconds *= factor;
            self.answers *= factor;
        }
        self.tokens += tokens as f64 * weight;
        self.seconds += took.as_secs_f64() * weight;
        self.answers += weight;
    }

    fn per_second(&self, now: Duration) -> Option<f64> {
        (self.decay.is_known(self.answers, now) && self.seconds > 0.0).then(|| self.tokens / self.seconds)
    }
}

/// What is known of one target's answers.
#[derive(Debug, Clone, Default)]
pub struct Health {
    slots: [Counts; SLOTS],
    /// The slot being filled, counted from the clock's start.
    slot: u64,
    /// Of all slots.
    sum: Counts,
    first_content: Histogram,
    duration: Histogram,
    speed: Speed,
    /// What was last worked out of the histograms, and when.
    quantiles: Quantiles,
    quantiles_at: Option<Duration>,
}

/// What `view` gives: shares are 0 to 1, of the last five minutes' requests where nothing else is
/// said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct HealthView {
    pub requests: u32,
    /// Requests that failed through the target's own fault.
    pub error_rate: f64,
    pub error_rate_1m: f64,
    pub requests_1m: u32,
    /// Requests answered with 429.
    pub limited_share: f64,
    pub truncated_share: f64,
    /// Requests of whose tool calls one failed its checks.
    pub tool_failure_share: f64,
    /// `None` wherever nothing was measured lately.
    #[serde(rename = "ttft_p50_ms", serialize_with = "as_ms")]
    pub ttft_p50: Option<Duration>,
    #[serde(rename = "ttft_p95_ms", serialize_with = "as_ms")]
    pub ttft_p95: Option<Duration>,
    #[serde(rename = "ttft_p99_ms", serialize_with = "as_ms")]
    pub ttft_p99: Option<Duration>,
    #[serde(rename = "duration_p50_ms", serialize_with = "as_ms")]
    pub duration_p50: Option<Duration>,
    #[serde(rename = "duration_p95_ms", serialize_with = "as_ms")]
    pub duration_p95: Option<Duration>,
    #[serde(rename = "duration_p99_ms", serialize_with = "as_ms")]
    pub duration_p99: Option<Duration>,
    /// Once an answer has begun.
    pub tokens_per_second: Option<f64>,
}

#[expect(clippy::ref_option, reason = "serde calls it with a reference")]
fn as_ms<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => serializer.serialize_some(&(duration.as_micros() as f64 / 1000.0)),
        None => serializer.serialize_none(),
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Quantiles {
    first_content: [Option<Duration>; 3],
    duration: [Option<Duration>; 3],
    per_second: Option<f64>,
}

impl Health {
    /// Counts one attempt. Times are taken from answers alone: how long a failure took says nothing
    /// about how long an answer takes.
    pub fn note(&mut self, sample: &Sample, now: Duration) {
        self.forget(now);
        let Some(counts) = Counts::of(sample) else { return };
        self.slots[(self.slot % SLOTS as u64) as usize].add(counts);
        self.sum.add(counts);
        if let Some(first_content) = sample.first_content {
            self.first_content.note(first_content, now);
        }
        if sample.result != Sampled::Ok {
            return;
        }
        self.duration.note(sample.duration, now);
        if let Some(tokens) = sample.output_tokens {
            let streaming = sample.duration.saturating_sub(sample.first_content.unwrap_or_default());
            let took = if streaming < SHORTEST_STREAM { sample.duration } else { streaming };
            self.speed.note(tokens, took, now);
        }
    }

    /// What is known at `now`. Counts are exact; times are up to a quarter of a second old.
    pub fn view(&mut self, now: Duration) -> HealthView {
        self.forget(now);
        // A clock that went back makes what was worked out "later" stale, too.
        if self.quantiles_at.is_none_or(|at| now < at || now.saturating_sub(at) >= QUANTILES_EVERY) {
            let shares = [0.5, 0.95, 0.99];
            self.quantiles = Quantiles {
                first_content: self.first_content.quantiles(shares, now),
                duration: self.duration.quantiles(shares, now),
                per_second: self.speed.per_second(now),
            };
            self.quantiles_at = Some(now);
        }
        let Quantiles { first_content, duration, per_second } = self.quantiles;
        let (sum, minute) = (self.sum, self.last_minute());
        HealthView {
            requests: sum.requests,
            error_rate: sum.share(sum.faults),
            error_rate_1m: minute.share(minute.faults),
            requests_1m: minute.requests,
            limited_share: sum.share(sum.limited),
            truncated_share: sum.share(sum.truncated),
            tool_failure_share: sum.share(sum.tool_failures),
            ttft_p50: first_content[0],
            ttft_p95: first_content[1],
            ttft_p99: first_content[2],
            duration_p50: duration[0],
            duration_p95: duration[1],
            duration_p99: duration[2],
            tokens_per_second: per_second,
        }
    }

    fn last_minute(&self) -> Counts {
        let mut minute = Counts::default();
        for slot in self.slot.saturating_sub(MINUTE - 1)..=self.slot {
            minute.add(self.slots[(slot % SLOTS as u64) as usize]);
        }
        minute
    }

    /// Empties the slots that the clock has passed. A clock that stands or goes back fills the
    /// slot it had reached.
    fn forget(&mut self, now: Duration) {
        let slot = now.as_secs() / SLOT.as_secs();
        if slot <= self.slot {
            return;
        }
        for passed in self.slot + 1..=slot.min(self.slot + SLOTS as u64) {
            self.slots[(passed % SLOTS as u64) as usize] = Counts::default();
        }
        self.slot = slot;
        self.sum = Counts::default();
        for counts in self.slots {
            self.sum.add(counts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn s(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn sample(result: Sampled) -> Sample {
        Sample {
            result,
            first_content: (result == Sampled::Ok).then_some(ms(400)),
            duration: s(2),
            output_tokens: Some(160),
            tool_failures: 0,
        }
    }

    #[test]
    fn each_result_counts_as_what_it_says_about_the_target() {
        use ErrorKind as K;
        // result, counted, fault, limited, truncated
        for (result, counted, fault, limited, truncated) in [
            (Sampled::Ok, 1, 0.0, 0.0, 0.0),
            (Sampled::Limited, 1, 0.0, 1.0, 0.0),
            (Sampled::Failed(K::RateLimited), 1, 0.0, 1.0, 0.0),
            (Sampled::Truncated, 1, 1.0, 0.0, 1.0),
            (Sampled::Failed(K::Truncated), 1, 1.0, 0.0, 1.0),
            (Sampled::Failed(K::ServerError), 1, 1.0, 0.0, 0.0),
            (Sampled::Failed(K::Timeout), 1, 1.0, 0.0, 0.0),
            (Sampled::Failed(K::Network), 1, 1.0, 0.0, 0.0),
            (Sampled::Failed(K::InvalidResponse), 1, 1.0, 0.0, 0.0),
            (Sampled::Failed(K::Overloaded), 1, 1.0, 0.0, 0.0),
            (Sampled::Failed(K::InvalidRequest), 0, 0.0, 0.0, 0.0),
            (Sampled::Failed(K::ContextTooLong), 0, 0.0, 0.0, 0.0),
            (Sampled::Failed(K::Authentication), 0, 0.0, 0.0, 0.0),
            (Sampled::Failed(K::QuotaExhausted), 0, 0.0, 0.0, 0.0),
            (Sampled::Failed(K::Cancelled), 0, 0.0, 0.0, 0.0),
            (Sampled::Failed(K::Internal), 0, 0.0, 0.0, 0.0),
        ] {
            let mut health = Health::default();
            health.note(&sample(result), s(1));
            let view = health.view(s(1));
            let seen = (view.requests, view.error_rate, view.limited_share, view.truncated_share);
            assert_eq!(seen, (counted, fault, limited, truncated), "{result:?}");
        }
    }

    #[test]
    fn a_minute_and_five_minutes_are_apart_and_both_are_forgotten() {
        let mut health = Health::default();
        (0..10).for_each(|_| health.note(&sample(Sampled::Failed(ErrorKind::ServerError)), s(10)));
        (0..10).for_each(|_| health.note(&sample(Sampled::Ok), s(100)));
        let view = health.view(s(100));
        assert_eq!((view.requests, view.error_rate), (20, 0.5));
        assert_eq!((view.requests_1m, view.error_rate_1m), (10, 0.0));
        let view = health.view(s(305));
        assert_eq!((view.requests, view.error_rate, view.requests_1m), (10, 0.0, 0));
        assert_eq!(health.view(s(900)), HealthView::default());
    }

    #[test]
    fn speed_is_that_of_the_stream_or_of_the_whole_where_there_was_none() {
        let mut health = Health::default();
        health.note(&sample(Sampled::Ok), s(1));
        assert_eq!(health.view(s(1)).tokens_per_second, Some(100.0), "160 tokens in 2 s less 400 ms");
        let mut health = Health::default();
        health.note(&Sample { first_content: Some(ms(1_990)), ..sample(Sampled::Ok) }, s(1));
        assert_eq!(health.view(s(1)).tokens_per_second, Some(80.0), "all in one piece");
        let mut health = Health::default();
        health.note(&Sample { duration: Duration::ZERO, first_content: None, ..sample(Sampled::Ok) }, s(1));
        assert_eq!(health.view(s(1)).tokens_per_second, None, "no time, no speed");
    }

    #[test]
    fn how_long_a_failure_took_is_no_answers_time() {
        let mut health = Health::default();
        health.note(&Sample { duration: s(600), ..sample(Sampled::Failed(ErrorKind::Timeout)) }, s(1));
        let view = health.view(s(1));
        assert_eq!((view.duration_p50, view.ttft_p50, view.tokens_per_second), (None, None, None));
    }

    #[test]
    fn times_are_worked_out_four_times_a_second_at_most() {
        let mut health = Health::default();
        health.note(&sample(Sampled::Ok), s(1));
        let before = health.view(s(1)).ttft_p50;
        health.note(&Sample { first_content: Some(s(1)), ..sample(Sampled::Ok) }, s(1));
        assert_eq!(health.view(s(1) + ms(249)).ttft_p50, before);
        assert_eq!(health.view(s(1) + ms(249)).requests, 2, "counts are never old");
        assert_ne!(health.view(s(1) + ms(250)).ttft_p99, before);
    }

    #[test]
    fn the_screen_gets_times_as_milliseconds_and_null_for_unknown() {
        let view = HealthView { ttft_p95: Some(ms(812)), ..HealthView::default() };
        let json = serde_json::to_value(view).unwrap();
        assert_eq!((&json["ttft_p95_ms"], &json["ttft_p50_ms"]), (&812.0.into(), &serde_json::Value::Null));
    }

    proptest! {
        /// Running sums equal the slots they sum, shares are shares, and a clock that stands or
        /// jumps breaks nothing.
        #[test]
        fn shares_are_shares_whatever_the_clock_does(
            events in prop::collection::vec((0..5_u8, 0..1_000_u64), 1..300),
        ) {
            let mut health = Health::default();
            for (what, at) in events {
                let result = [
                    Sampled::Ok,
                    Sampled::Limited,
                    Sampled::Truncated,
                    Sampled::Failed(ErrorKind::ServerError),
                    Sampled::Failed(ErrorKind::InvalidRequest),
                ][usize::from(what)];
                health.note(&sample(result), s(at));
                let view = health.view(s(at));
                prop_assert_eq!(view.requests, health.slots.iter().map(|slot| slot.requests).sum::<u32>());
                prop_assert!(view.requests_1m <= view.requests);
                for share in [view.error_rate, view.error_rate_1m, view.limited_share, view.truncated_share] {
                    prop_assert!((0.0..=1.0).contains(&share));
                }
                prop_assert!(view.error_rate + view.limited_share <= 1.0 + 1e-9);
            }
        }

        /// Against a plain list of samples: nothing younger than four and a half minutes is
        /// missing, nothing older than five is counted.
        #[test]
        fn the_window_holds_what_it_says(steps in prop::collection::vec(0..40_u64, 1..200)) {
            let (mut health, mut at, mut now) = (Health::default(), Vec::new(), 0);
            for step in steps {
                now += step;
                health.note(&sample(Sampled::Ok), s(now));
                at.push(now);
                let younger = |age: u64| at.iter().filter(|at| now - **at < age).count() as u32;
                let view = health.view(s(now));
                prop_assert!(younger(271) <= view.requests && view.requests <= younger(300));
                prop_assert!(younger(31) <= view.requests_1m && view.requests_1m <= younger(60));
            }
        }
    }
}
