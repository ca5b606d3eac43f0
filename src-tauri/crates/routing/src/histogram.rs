//! How long things took lately: a histogram that forgets.
//!
//! Buckets grow with what they hold, so a millisecond and an hour fit the same 168 numbers with
//! the same relative error. A sample counts half after [`HALF_LIFE`]. Nothing is touched to make it
//! so: new samples weigh more instead (forward decay; Cormode et al., 2009).

use std::time::Duration;

/// After so long a sample counts half. A target that slowed down shows within seconds, one that
/// recovered within five minutes.
const HALF_LIFE: Duration = Duration::from_secs(60);

/// What is left of a sample after five half-lives. Below it nothing is known: a target that nobody
/// asked for so long is unmeasured, not forever as slow as it was once.
const KNOWN: f64 = 1.0 / 32.0;

/// Half-lives after which all weights are brought down, long before a number could overflow.
const RESCALE: f64 = 16.0;

/// Of a power of two: a bucket is at most an eighth as wide as what it holds.
const STEPS: u64 = 8;

/// The last bucket begins at 2²² milliseconds, past an hour.
const OCTAVES: u32 = 20;
const BUCKETS: usize = (STEPS as usize) * (OCTAVES as usize + 1);

/// Weights that all age alike: the newest sample weighs most.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Decay {
    /// When a sample weighed 1.
    start: Duration,
}

impl Decay {
    /// What a sample weighs at `now`, and the factor that brings older ones down where they have
    /// grown too heavy.
    pub(crate) fn weigh(&mut self, now: Duration) -> (f64, Option<f64>) {
        let age = half_lives(self.start, now);
        if age < RESCALE {
            return (age.exp2(), None);
        }
        self.start = now;
        (1.0, Some((-age).exp2()))
    }

    /// How much `weight` counts at `now`: 1 is one fresh sample.
    pub(crate) fn at(self, weight: f64, now: Duration) -> f64 {
        weight * (-half_lives(self.start, now)).exp2()
    }

    /// Whether so much weight still says anything.
    pub(crate) fn is_known(self, weight: f64, now: Duration) -> bool {
        self.at(weight, now) >= KNOWN
    }
}

fn half_lives(from: Duration, to: Duration) -> f64 {
    to.saturating_sub(from).as_secs_f64() / HALF_LIFE.as_secs_f64()
}

/// Durations from 0 to two hours; longer ones count as that.
#[derive(Debug, Clone)]
pub struct Histogram {
    weights: [f32; BUCKETS],
    total: f64,
    decay: Decay,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { weights: [0.0; BUCKETS], total: 0.0, decay: Decay::default() }
    }
}

impl Histogram {
    pub fn note(&mut self, took: Duration, now: Duration) {
        let (weight, factor) = self.decay.weigh(now);
        if let Some(factor) = factor {
            self.weights.iter_mut().for_each(|held| *held *= factor as f32);
            self.total *= factor;
        }
        self.weights[bucket(took)] += weight as f32;
        self.total += weight;
    }

    /// The times within which these shares of the samples lie (`shares` rises), each within an
    /// eighth of the truth; `None` where nothing was noted lately.
    pub fn quantiles<const N: usize>(&self, shares: [f64; N], now: Duration) -> [Option<Duration>; N] {
        let mut found = [None; N];
        if !self.decay.is_known(self.total, now) {
            return found;
        }
        // Not `total`: adding up rounds, and the last share must be found.
        let sum: f64 = self.weights.iter().map(|&weight| f64::from(weight)).sum();
        let mut below = 0.0;
        let mut wanted = shares.iter().zip(&mut found).peekable();
        for (index, &weight) in self.weights.iter().enumerate() {
            let weight = f64::from(weight);
            if weight <= 0.0 {
                continue;
            }
            while let Some((share, slot)) = wanted.next_if(|(share, _)| **share * sum <= below + weight) {
                *slot = Some(within(index, (share * sum - below) / weight));
            }
            below += weight;
        }
        found
    }
}

/// Where `took` is counted: the first sixteen are a millisecond wide each, then eight to each
/// power of two.
fn bucket(took: Duration) -> usize {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    if ms < STEPS {
        return ms as usize;
    }
    let octave = ms.ilog2() - STEPS.ilog2();
    if octave >= OCTAVES {
        return BUCKETS - 1;
    }
    ((u64::from(octave) * STEPS) + (ms >> octave)) as usize
}

/// The first millisecond of a bucket.
fn start(index: usize) -> u64 {
    let index = index as u64;
    if index < STEPS {
        return index;
    }
    let octave = index / STEPS - 1;
    (STEPS + index % STEPS) << octave
}

/// A point within a bucket, as if its samples were spread evenly.
fn within(index: usize, share: f64) -> Duration {
    let (from, to) = (start(index) as f64, start(index + 1) as f64);
    Duration::from_secs_f64((from + (to - from) * share.clamp(0.0, 1.0)) / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const fn s(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn median(histogram: &Histogram, now: Duration) -> Option<Duration> {
        histogram.quantiles([0.5], now)[0]
    }

    #[test]
    fn buckets_lie_side_by_side_and_end_past_an_hour() {
        for index in 0..BUCKETS - 1 {
            assert_eq!(bucket(ms(start(index))), index);
            assert_eq!(bucket(ms(start(index + 1) - 1)), index, "the last millisecond of {index}");
        }
        assert!(start(BUCKETS - 1) > 3_600_000);
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn nothing_noted_is_nothing_known() {
        assert_eq!(Histogram::default().quantiles([0.5, 0.99], s(9)), [None, None]);
    }

    #[test]
    fn one_sample_is_known_for_five_half_lives() {
        let mut histogram = Histogram::default();
        histogram.note(ms(800), s(1000));
        assert!(median(&histogram, s(1000 + 299)).is_some());
        assert_eq!(median(&histogram, s(1000 + 301)), None);
    }

    #[test]
    fn a_target_that_slowed_down_shows_after_a_minute_and_recovers_within_five() {
        let mut histogram = Histogram::default();
        let mut now = Duration::ZERO;
        let mut run = |histogram: &mut Histogram, took: u64, seconds: u64| {
            for _ in 0..seconds {
                histogram.note(ms(took), now);
                now += s(1);
            }
            histogram.quantiles([0.5, 0.95], now).map(Option::unwrap)
        };
        assert!(run(&mut histogram, 300, 600)[1] < ms(330));
        assert!(run(&mut histogram, 5000, 10)[1] > ms(4500), "five in a hundred are slow after seconds");
        assert!(run(&mut histogram, 5000, 60)[0] > ms(4500), "and half after a minute");
        assert!(run(&mut histogram, 300, 290)[1] < ms(330), "forgotten after five");
    }

    #[test]
    fn days_without_a_sample_leave_only_the_new_ones() {
        let mut histogram = Histogram::default();
        (0..1000).for_each(|_| histogram.note(s(9), s(5)));
        histogram.note(ms(100), s(5 + 5 * 86_400));
        let seen = histogram.quantiles([0.5, 0.99], s(5 + 5 * 86_400)).map(Option::unwrap);
        assert!(seen.iter().all(|took| *took < ms(120)), "{seen:?}");
    }

    proptest! {
        /// At one moment all samples weigh alike, and every quantile is within a bucket of the
        /// exact one.
        #[test]
        fn quantiles_are_an_eighth_off_at_most(
            mut took in prop::collection::vec(0..4_000_000_u64, 1..200),
            moment in 0..10_000_000_u64,
        ) {
            let mut histogram = Histogram::default();
            for took in &took {
                histogram.note(ms(*took), ms(moment));
            }
            took.sort_unstable();
            let shares = [0.5, 0.95, 0.99, 1.0];
            for (share, seen) in shares.into_iter().zip(histogram.quantiles(shares, ms(moment))) {
                let seen = seen.unwrap().as_secs_f64() * 1000.0;
                let rank = ((share * took.len() as f64).ceil() as usize).clamp(1, took.len());
                // Weights are no whole numbers: where a share ends at a sample, the next one is as right.
                let (exact, next) = (took[rank - 1] as f64, took[rank.min(took.len() - 1)] as f64);
                prop_assert!(seen >= exact * 0.88 - 1.0 && seen <= next * 1.13 + 1.0, "{share}: {seen} for {exact}");
            }
        }

        /// Whatever the clock does, quantiles are ordered and no number breaks.
        #[test]
        fn quantiles_stay_ordered_whatever_the_clock_does(
            samples in prop::collection::vec((0..10_000_000_u64, 0..100_000_u64), 1..200),
        ) {
            let mut histogram = Histogram::default();
            for (took, at) in samples {
                histogram.note(ms(took), s(at));
                prop_assert!(histogram.total.is_finite() && histogram.total > 0.0);
                let [a, b, c] = histogram.quantiles([0.5, 0.95, 0.99], s(at));
                prop_assert!(a.is_none() == c.is_none());
                prop_assert!(a <= b && b <= c);
            }
        }
    }
}
