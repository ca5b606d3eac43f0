//! How far a request has come along its plan: which target is next, why, and after which pause.

use canonical::Error;
use routing::plan::{Plan, Progress, Step};
use routing::{Draw, Target};
use tokio::time::{Instant, sleep_until};

use super::admit::Admitted;
use super::race::{cancelled, chance};
use super::settle::Why;
use crate::core::Core;

pub(super) struct Course {
    plan: Plan,
    progress: Progress,
    pub why: Why,
    deadline: Instant,
}

impl Course {
    pub(super) fn new(admitted: &Admitted, deadline: Instant) -> Self {
        let plan = Plan { targets: admitted.targets.clone() };
        let progress = Progress { position: 0, attempts_here: 1 };
        Self { plan, progress, why: Why::First, deadline }
    }

    /// Who is asked now; `None` for a plan without targets.
    pub(super) fn target(&self) -> Option<&Target> {
        self.plan.targets.get(self.progress.position)
    }

    /// Where in the plan that is.
    pub(super) const fn position(&self) -> usize {
        self.progress.position
    }

    /// Whether another target would be left.
    pub(super) fn has_next(&self) -> bool {
        self.progress.position + 1 < self.plan.targets.len()
    }

    /// Goes on after an answer that failed its checks: to the next target, or to the same one again
    /// where there is no other.
    pub(super) fn once_more(&mut self) {
        if self.has_next() {
            self.progress = Progress { position: self.progress.position + 1, attempts_here: 1 };
        } else {
            self.progress.attempts_here += 1;
        }
        self.why = Why::Check;
    }

    /// Goes on after a failed attempt, where anything is left to try; else the error is the answer.
    /// `leaving` resolves when the caller has left.
    pub(super) async fn after(
        &mut self,
        core: &Core,
        error: Error,
        leaving: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        let remaining = self.deadline.saturating_duration_since(core.clock.now());
        let step = self.plan.after_failure(self.progress, &error, remaining, &mut Draw::new(&mut chance));
        match step {
            Step::Again { after } => {
                tokio::select! {
                    biased;
                    () = leaving => return Err(cancelled(core)),
                    () = sleep_until(core.clock.now() + after) => {}
                }
                self.progress.attempts_here += 1;
                self.why = Why::Retry;
            }
            Step::Next => {
                self.progress = Progress { position: self.progress.position + 1, attempts_here: 1 };
                self.why = Why::Failover;
            }
            Step::GiveUp => return Err(error),
        }
        Ok(())
    }
}
