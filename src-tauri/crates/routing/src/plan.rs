//! The targets of one request in order, and what follows a failed attempt.
//!
//! | the error says | what follows |
//! |---|---|
//! | `Never` | give up: every target would say the same |
//! | `NextTarget` | the next target, or give up after the last |
//! | `SameTarget`, first time here | the same target once more after a pause, if the pause fits; a long `retry_after` yields to the next target |
//! | `SameTarget`, again | the next target, or give up after the last |
//!
//! All of it only before the first content has reached the client, and only within the deadline.

use std::time::Duration;

use canonical::{Error, Retry};

use crate::{Draw, Target};

/// Attempts at one target: the first and one more.
const ATTEMPTS_PER_TARGET: u32 = 2;

/// The pause before the second attempt where the provider named none; half of it is chance, so
/// that clients which failed together do not return together.
const BACK_OFF: Duration = Duration::from_millis(400);

/// The longest pause while another target stands by: past it, asking elsewhere is faster.
const PATIENCE_WITH_ALTERNATIVE: Duration = Duration::from_secs(2);

/// The longest pause where this is the last target; past it the client learns at once how long
/// the provider wants to be left alone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a request may go, best first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub targets: Vec<Target>,
}

/// How far a request has come in its plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The target that was asked last.
    pub position: usize,
    /// Attempts made at it.
    pub attempts_here: u32,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The same target again, after this pause.
    Again { after: Duration },
    /// The next target, at once.
    Next,
    /// Tell the client.
    GiveUp,
}

impl Plan {
    /// What follows when the attempt at `progress` failed with `error`, `remaining` before the
    /// request's deadline.
    pub fn after_failure(
        &self,
        progress: Progress,
        error: &Error,
        remaining: Duration,
        draw: &mut Draw<'_>,
    ) -> Step {
        if remaining.is_zero() || error.retry == Retry::Never {
            return Step::GiveUp;
        }
        let has_alternative = progress.position + 1 < self.targets.len();
        let elsewhere = if has_alternative { Step::Next } else { Step::GiveUp };
        if error.retry == Retry::NextTarget || progress.attempts_here >= ATTEMPTS_PER_TARGET {
            return elsewhere;
        }
        let pause = error.retry_after.unwrap_or_else(|| BACK_OFF.mul_f64(0.5 + draw.unit() / 2.0));
        let patience = if has_alternative { PATIENCE_WITH_ALTERNATIVE } else { PATIENCE };
        if pause <= patience && pause < remaining { Step::Again { after: pause } } else { elsewhere }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use canonical::{ErrorKind, Origin};
    use proptest::prelude::*;

    fn plan(count: usize) -> Plan {
        let target = |n| Target { provider: format!("p{n}"), model: "m".into() };
        Plan { targets: (0..count).map(target).collect() }
    }

    fn error(retry: Retry, after_ms: Option<u64>) -> Error {
        let mut error = Error::new(ErrorKind::RateLimited, Origin::Provider, "slow down");
        error.retry = retry;
        error.retry_after = after_ms.map(Duration::from_millis);
        error
    }

    fn step(targets: usize, position: usize, attempts_here: u32, error: &Error, remaining_s: u64) -> Step {
        let progress = Progress { position, attempts_here };
        plan(targets).after_failure(
            progress,
            error,
            Duration::from_secs(remaining_s),
            &mut Draw::new(&mut || 0.0),
        )
    }

    #[test]
    fn a_failure_leads_where_the_table_says() {
        use Retry::{Never, NextTarget, SameTarget};
        let again = |ms| Step::Again { after: Duration::from_millis(ms) };
        for (what, targets, position, here, error, remaining, expected) in [
            ("hopeless", 2, 0, 1, error(Never, None), 60, Step::GiveUp),
            ("elsewhere", 2, 0, 1, error(NextTarget, None), 60, Step::Next),
            ("elsewhere, none left", 2, 1, 1, error(NextTarget, None), 60, Step::GiveUp),
            ("once more", 2, 0, 1, error(SameTarget, None), 60, again(200)),
            ("once more, as told", 1, 0, 1, error(SameTarget, Some(7_000)), 60, again(7_000)),
            ("twice was enough", 2, 0, 2, error(SameTarget, None), 60, Step::Next),
            ("a long wait with a stand-by", 2, 0, 1, error(SameTarget, Some(7_000)), 60, Step::Next),
            ("a wait past all patience", 1, 0, 1, error(SameTarget, Some(90_000)), 600, Step::GiveUp),
            ("a wait past the deadline", 1, 0, 1, error(SameTarget, Some(7_000)), 5, Step::GiveUp),
            ("no time left", 2, 0, 1, error(NextTarget, None), 0, Step::GiveUp),
        ] {
            assert_eq!(step(targets, position, here, &error, remaining), expected, "{what}");
        }
    }

    proptest! {
        /// However errors fall, a request ends: no target is asked more than twice, and no pause
        /// outlives the deadline.
        #[test]
        fn every_walk_through_a_plan_ends(
            targets in 1..5_usize,
            retries in prop::collection::vec((0..3_u8, prop::option::of(0..40_000_u64)), 30),
            draws in prop::collection::vec(0.0..1.0_f64, 30),
        ) {
            let (plan, mut progress) = (plan(targets), Progress { position: 0, attempts_here: 1 });
            let (mut remaining, mut attempts) = (Duration::from_secs(30), 1);
            for ((retry, after), draw) in retries.into_iter().zip(draws) {
                let retry = [Retry::Never, Retry::SameTarget, Retry::NextTarget][usize::from(retry)];
                match plan.after_failure(progress, &error(retry, after), remaining, &mut Draw::new(&mut || draw)) {
                    Step::Again { after } => {
                        prop_assert!(after < remaining);
                        remaining -= after;
                        progress.attempts_here += 1;
                    }
                    Step::Next => progress = Progress { position: progress.position + 1, attempts_here: 1 },
                    Step::GiveUp => return Ok(()),
                }
                attempts += 1;
                prop_assert!(progress.position < targets);
                prop_assert!(attempts <= targets * 2);
            }
        }
    }
}
