//! How many requests at once a target bears, where no header says it: learned from its refusals.
//!
//! A provider that is loaded to its brim answers most requests and refuses some with 503 or 529. To
//! take these refusals for failures would close the circuit of a target that works, and send all of
//! its load to the next one, which then does the same. So the load itself is lowered: by a tenth
//! below what was under way at the refusal, and up again by one with every few answers (additive
//! increase, multiplicative decrease, as TCP has it).

use std::time::Duration;

/// What is left of the load after a refusal.
const LOWERED: f64 = 0.9;

/// How much an answer raises it: by one in twenty answers.
const RAISED: f64 = 0.05;

/// Refusals so close together are one: they were sent before the first one was heard.
const ONE_EVENT: Duration = Duration::from_secs(1);

/// Without a refusal for so long, nothing is known any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// A target that has answered so lately is loaded, not down.
const LATELY: Duration = Duration::from_secs(3);

/// How many at once.
#[derive(Debug, Default)]
pub(crate) struct Ceiling {
    most: Option<f64>,
    refused_at: Duration,
    answered_at: Option<Duration>,
}

impl Ceiling {
    /// Whether one more would be borne beside `in_flight` others.
    pub(crate) fn has_room(&self, in_flight: u32, now: Duration) -> bool {
        let is_known = now.saturating_sub(self.refused_at) < FORGOTTEN_AFTER;
        self.most.is_none_or(|most| !is_known || f64::from(in_flight) + 1.0 <= most)
    }

    /// Whether a refusal for overload means the load, and not that nothing works.
    pub(crate) fn is_alive(&self, now: Duration) -> bool {
        self.answered_at.is_some_and(|at| now.saturating_sub(at) < LATELY)
    }

    /// One was refused for overload, and `in_flight` others were under way.
    pub(crate) fn refused(&mut self, in_flight: u32, now: Duration) {
        let since = now.saturating_sub(self.refused_at);
        let known = self.most.filter(|_| since < FORGOTTEN_AFTER);
        if known.is_some() && since < ONE_EVENT {
            return;
        }
        let borne = known.unwrap_or(f64::MAX).min(f64::from(in_flight));
        (self.most, self.refused_at) = (Some((borne * LOWERED).max(1.0)), now);
    }

    /// One was answered.
    pub(crate) fn answered(&mut self, now: Duration) {
        self.answered_at = Some(now);
        self.most = self.most.map(|most| most + RAISED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_refusal_lowers_what_is_sent_at_once_and_answers_raise_it() {
        let mut ceiling = Ceiling::default();
        assert!(ceiling.has_room(1_000, at(100)));
        ceiling.refused(100, at(100));
        assert!(ceiling.has_room(89, at(100)) && !ceiling.has_room(90, at(100)));
        for _ in 0..40 {
            ceiling.answered(at(101));
        }
        assert!(ceiling.has_room(90, at(101)) && !ceiling.has_room(92, at(101)));
    }

    #[test]
    fn refusals_that_were_sent_together_count_once() {
        let mut ceiling = Ceiling::default();
        for _ in 0..20 {
            ceiling.refused(100, at(100));
        }
        assert!(ceiling.has_room(89, at(100)));
        ceiling.refused(90, at(102));
        assert!(ceiling.has_room(80, at(102)) && !ceiling.has_room(81, at(102)));
    }

    #[test]
    fn one_at_a_time_is_always_borne_and_a_quiet_minute_forgets() {
        let mut ceiling = Ceiling::default();
        ceiling.refused(0, at(100));
        assert!(ceiling.has_room(0, at(100)) && !ceiling.has_room(1, at(100)));
        assert!(ceiling.has_room(1, at(161)));
    }

    #[test]
    fn only_a_target_that_answers_is_taken_to_be_loaded() {
        let mut ceiling = Ceiling::default();
        assert!(!ceiling.is_alive(at(1)));
        ceiling.answered(at(10));
        assert!(ceiling.is_alive(at(12)) && !ceiling.is_alive(at(14)));
    }
}
