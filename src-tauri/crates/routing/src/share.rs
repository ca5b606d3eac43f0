//! Repeats as a share of the traffic: a provider in trouble gets no more than a fifth on top of what
//! it cannot do already, where each request repeating twice would triple it.

use std::time::Duration;

use crate::Draw;

/// How many requests' share may be saved up for worse times.
const SAVED_REQUESTS: f64 = 100.0;

/// The reserve fills up in this time, so that a lone user who asks seldom has it whenever it is
/// needed; at worst it adds so many repeats a minute.
const REFILL: Duration = Duration::from_secs(60);

/// Five fifths are one, whatever adding them up rounds off.
const ONE: f64 = 1.0 - 1e-9;

/// What may still be repeated. Each request adds its share, each repeat takes one.
#[derive(Debug, Clone, PartialEq)]
pub struct ShareBudget {
    share: f64,
    floor: f64,
    left: f64,
    refilled: Duration,
}

impl ShareBudget {
    /// Begins with the reserve, `floor`.
    pub fn new(share: f64, floor: u32) -> Self {
        Self { share: sane(share), floor: f64::from(floor), left: f64::from(floor), refilled: Duration::ZERO }
    }

    /// Other settings; what is left stays, as far as they allow.
    pub fn set(&mut self, share: f64, floor: u32) {
        (self.share, self.floor) = (sane(share), f64::from(floor));
        self.left = self.left.min(self.most());
    }

    /// A request came in.
    pub fn request(&mut self, now: Duration) {
        self.refill(now);
        self.left = (self.left + self.share).min(self.most());
    }

    /// Takes one repeat, if one is left.
    pub fn take(&mut self, now: Duration) -> bool {
        self.refill(now);
        let has_one = self.left >= ONE;
        if has_one {
            self.left = (self.left - 1.0).max(0.0);
        }
        has_one
    }

    /// Gives back a repeat that was taken and not made.
    pub fn give_back(&mut self) {
        self.left = (self.left + 1.0).min(self.most());
    }

    pub fn left(&mut self, now: Duration) -> f64 {
        self.refill(now);
        self.left
    }

    fn most(&self) -> f64 {
        self.floor.max(self.share * SAVED_REQUESTS)
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.refilled);
        self.refilled = self.refilled.max(now);
        if self.left < self.floor {
            let grown = self.floor * passed.as_secs_f64() / REFILL.as_secs_f64();
            self.left = (self.left + grown).min(self.floor);
        }
    }
}

/// A share is 0 to 1; what is not a number is none.
fn sane(share: f64) -> f64 {
    if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
}

/// The pause before attempt `attempt + 1`: any part of `base` doubled with each attempt, no more
/// than `cap`. All of it is chance, so that those who failed together do not return together
/// ("full jitter"; M. Brooker, "Exponential Backoff And Jitter", AWS 2015).
pub fn full_jitter(attempt: u32, base: Duration, cap: Duration, draw: &mut Draw<'_>) -> Duration {
    let doubled = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    base.saturating_mul(doubled).min(cap).mul_f64(draw.unit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn s(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn takes(budget: &mut ShareBudget, now: Duration) -> u32 {
        (0..1_000).map(|_| u32::from(budget.take(now))).sum()
    }

    #[test]
    fn the_reserve_is_there_at_once_and_back_after_a_minute() {
        let mut budget = ShareBudget::new(0.2, 10);
        assert_eq!(takes(&mut budget, s(0)), 10);
        assert_eq!(takes(&mut budget, s(6)), 1);
        assert_eq!(takes(&mut budget, s(66)), 10);
        assert_eq!(takes(&mut budget, s(9_999)), 10, "and never more than the reserve");
    }

    #[test]
    fn a_hundred_requests_earn_their_share_and_no_more_is_saved() {
        let mut budget = ShareBudget::new(0.2, 0);
        (0..50).for_each(|_| budget.request(s(1)));
        assert_eq!(takes(&mut budget, s(1)), 10);
        (0..100_000).for_each(|_| budget.request(s(2)));
        assert_eq!(takes(&mut budget, s(2)), 20);
    }

    #[test]
    fn what_was_taken_and_not_made_comes_back() {
        let mut budget = ShareBudget::new(0.0, 1);
        assert!(budget.take(s(0)) && !budget.take(s(0)));
        budget.give_back();
        assert!(budget.take(s(0)));
    }

    #[test]
    fn shares_that_are_none_allow_only_the_reserve() {
        for share in [f64::NAN, -3.0, f64::NEG_INFINITY] {
            let mut budget = ShareBudget::new(share, 2);
            (0..1_000).for_each(|_| budget.request(s(0)));
            assert_eq!(takes(&mut budget, s(0)), 2, "{share}");
        }
    }

    #[test]
    fn smaller_settings_take_back_what_was_saved() {
        let mut budget = ShareBudget::new(1.0, 50);
        (0..100).for_each(|_| budget.request(s(0)));
        budget.set(0.05, 3);
        assert_eq!(takes(&mut budget, s(0)), 5);
    }

    #[test]
    fn pauses_double_up_to_the_most_and_are_all_chance() {
        let (base, cap) = (Duration::from_millis(400), s(8));
        for (attempt, most) in
            [(0, 400), (1, 400), (2, 800), (3, 1600), (5, 6400), (6, 8000), (40, 8000), (u32::MAX, 8000)]
        {
            for (drawn, share) in [(0.0, 0), (0.5, 50), (1.0, 100)] {
                let pause = full_jitter(attempt, base, cap, &mut Draw::new(&mut || drawn));
                let expected = Duration::from_millis(most * share / 100);
                assert!(pause.abs_diff(expected) < Duration::from_micros(1), "{attempt} {drawn}: {pause:?}");
            }
        }
        assert!(full_jitter(9, Duration::MAX, Duration::MAX, &mut Draw::new(&mut || 1.0)) <= Duration::MAX);
    }

    proptest! {
        /// Over any stretch: no more repeats than the share of the requests, what was saved, and
        /// one reserve a minute.
        #[test]
        fn repeats_stay_within_their_share(
            steps in prop::collection::vec((0..2_000_u64, 0..5_u8, 0..5_u8), 1..300),
            share in 0.0..0.5_f64,
            floor in 0..20_u32,
        ) {
            let mut budget = ShareBudget::new(share, floor);
            let (mut now, mut requests, mut repeats) = (Duration::ZERO, 0.0, 0.0);
            for (wait, came, wanted) in steps {
                now += Duration::from_millis(wait);
                for _ in 0..came {
                    budget.request(now);
                    requests += 1.0;
                }
                for _ in 0..wanted {
                    repeats += f64::from(u8::from(budget.take(now)));
                }
                let most = f64::from(floor) * (1.0 + now.as_secs_f64() / 60.0) + share * requests;
                prop_assert!(repeats <= most + 1e-3, "{repeats} of {most}");
            }
        }
    }
}
