//! Each request to the next target in turn, and again after a pause where it failed.

use super::{Asked, Ending, Moment, Pilot, Step, Ticket};
use crate::chance::Chance;
use crate::provider::Told;
use crate::span::{MS, Micros, SECOND};

/// The first attempt and three more.
const ATTEMPTS: u32 = 4;
const PAUSE: Micros = 500 * MS;
const LONGEST_PAUSE: Micros = 8 * SECOND;

/// Takes turns, retries with doubled pauses and heeds `Retry-After` up to its longest pause.
#[derive(Debug)]
pub struct RoundRobin {
    targets: usize,
    turn: usize,
}

impl RoundRobin {
    pub fn new(targets: usize) -> Self {
        Self { targets, turn: 0 }
    }
}

#[derive(Debug, Default)]
pub struct Run {
    attempts: u32,
    resume_at: Micros,
    is_over: bool,
}

impl Pilot for RoundRobin {
    type Run = Run;
    type Permit = ();

    fn begin(&mut self, _: &Asked, _: Moment, _: &mut Chance) -> Run {
        Run::default()
    }

    fn next(&mut self, run: &mut Run, moment: Moment, _: &mut Chance) -> Step<()> {
        if run.is_over || run.attempts >= ATTEMPTS {
            return Step::GiveUp;
        }
        if moment.at < run.resume_at {
            return Step::Wait { until: run.resume_at };
        }
        run.attempts += 1;
        self.turn = (self.turn + 1) % self.targets;
        Step::Ask(Ticket { permit: (), target: self.turn, hedge_after: None, goes_on: false })
    }

    fn hedge(&mut self, _: &mut Run, _: Moment, _: &mut Chance) -> Option<Ticket<()>> {
        None
    }

    fn told(&mut self, (): &(), _: &[Told], _: Moment) {}

    fn ended(&mut self, run: &mut Run, (): (), ending: &Ending<'_>, moment: Moment, _: &mut Chance) {
        run.is_over |= ending.is_committed;
        let doubled = PAUSE << run.attempts.saturating_sub(1);
        run.resume_at = moment.at + doubled.min(LONGEST_PAUSE);
    }
}
