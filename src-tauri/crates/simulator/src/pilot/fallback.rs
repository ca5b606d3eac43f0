//! A list, from top to bottom, for every request anew.

use super::{Asked, Ending, Moment, Pilot, Step, Ticket};
use crate::chance::Chance;
use crate::provider::Told;

/// Asks each target once, in order. Remembers nothing from one request to the next.
#[derive(Debug)]
pub struct Fallback {
    targets: usize,
}

impl Fallback {
    pub fn new(targets: usize) -> Self {
        Self { targets }
    }
}

#[derive(Debug, Default)]
pub struct Run {
    next: usize,
    is_over: bool,
}

impl Pilot for Fallback {
    type Run = Run;
    type Permit = ();

    fn begin(&mut self, _: &Asked, _: Moment, _: &mut Chance) -> Run {
        Run::default()
    }

    fn next(&mut self, run: &mut Run, _: Moment, _: &mut Chance) -> Step<()> {
        if run.is_over || run.next >= self.targets {
            return Step::GiveUp;
        }
        run.next += 1;
        Step::Ask(Ticket { permit: (), target: run.next - 1, hedge_after: None, goes_on: false })
    }

    fn hedge(&mut self, _: &mut Run, _: Moment, _: &mut Chance) -> Option<Ticket<()>> {
        None
    }

    fn told(&mut self, (): &(), _: &[Told], _: Moment) {}

    fn ended(&mut self, run: &mut Run, (): (), ending: &Ending<'_>, _: Moment, _: &mut Chance) {
        // A second beginning would be put behind what the client has read.
        run.is_over |= ending.is_committed;
    }
}
