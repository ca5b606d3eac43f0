//! The target that has answered fastest of late; one that fails is left alone for a minute.

use super::{Asked, Ending, Moment, Pilot, Step, Ticket};
use crate::chance::Chance;
use crate::provider::Told;
use crate::span::{Micros, SECOND};

/// The first attempt and three more.
const ATTEMPTS: u32 = 4;
const COOLDOWN: Micros = 60 * SECOND;

/// Ranks by a moving average of the time to first content. Where every target cools down, the one
/// that is out first is asked, which is kinder than to refuse.
#[derive(Debug)]
pub struct LeastLatency {
    targets: Vec<Seen>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Microseconds; 0 until it has answered, so that each is tried.
    latency: f64,
    cool_until: Micros,
}

impl LeastLatency {
    pub fn new(targets: usize) -> Self {
        Self { targets: vec![Seen::default(); targets] }
    }

    fn best(&self, asked: u64, at: Micros) -> Option<usize> {
        let fresh = || (0..self.targets.len()).filter(|target| asked & (1 << target) == 0);
        let warm = fresh().filter(|&target| self.targets[target].cool_until <= at);
        let fastest = warm.min_by(|&a, &b| self.targets[a].latency.total_cmp(&self.targets[b].latency));
        fastest.or_else(|| fresh().min_by_key(|&target| self.targets[target].cool_until))
    }
}

#[derive(Debug, Default)]
pub struct Run {
    attempts: u32,
    /// A bit for each target.
    asked: u64,
    is_over: bool,
}

impl Pilot for LeastLatency {
    type Run = Run;
    type Permit = ();

    fn begin(&mut self, _: &Asked, _: Moment, _: &mut Chance) -> Run {
        Run::default()
    }

    fn next(&mut self, run: &mut Run, moment: Moment, _: &mut Chance) -> Step<()> {
        if run.is_over || run.attempts >= ATTEMPTS {
            return Step::GiveUp;
        }
        let Some(target) = self.best(run.asked, moment.at) else { return Step::GiveUp };
        run.attempts += 1;
        run.asked |= 1 << target;
        Step::Ask(Ticket { permit: (), target, hedge_after: None, goes_on: false })
    }

    fn hedge(&mut self, _: &mut Run, _: Moment, _: &mut Chance) -> Option<Ticket<()>> {
        None
    }

    fn told(&mut self, (): &(), _: &[Told], _: Moment) {}

    fn ended(&mut self, run: &mut Run, (): (), ending: &Ending<'_>, moment: Moment, _: &mut Chance) {
        run.is_over |= ending.is_committed;
        let seen = &mut self.targets[ending.target];
        if ending.result.is_err() {
            seen.cool_until = seen.cool_until.max(moment.at + COOLDOWN);
        } else if let Some(first) = ending.first_content {
            let first = first as f64;
            seen.latency = if seen.latency == 0.0 { first } else { seen.latency * 0.9 + first * 0.1 };
        }
    }
}
