//! The best by one measure.

use std::time::Duration;

use super::{Candidate, Strategy, two_choices};
use crate::Draw;

/// Cheapest first; an unknown price comes last. Of equal ones the faster leads.
#[derive(Debug, Clone, Copy)]
pub struct LowestCost;

impl Strategy for LowestCost {
    const ID: &'static str = "lowest-cost";

    fn rank(&self, targets: &mut [Candidate], _: &mut Draw<'_>) {
        targets.sort_by_key(|candidate| {
            let speed = candidate.ttft_p95.unwrap_or(Duration::MAX);
            (candidate.cost.is_none(), candidate.cost, speed, candidate.position)
        });
    }
}

/// The one whose answers begin soonest, by the 95th percentile. Those within a tenth of the best
/// are alike, and share. One that nobody has measured yet is tried first: once.
#[derive(Debug, Clone, Copy)]
pub struct LowestLatency;

impl Strategy for LowestLatency {
    const ID: &'static str = "lowest-latency";

    fn rank(&self, targets: &mut [Candidate], draw: &mut Draw<'_>) {
        // Not measured and busy: somebody is measuring it.
        let key = |candidate: &Candidate| match candidate.ttft_p95 {
            Some(p95) => p95,
            None if candidate.in_flight == 0 => Duration::ZERO,
            None => Duration::MAX,
        };
        targets.sort_by_key(|candidate| (key(candidate), candidate.position));
        let Some(best) = targets.first().map(key).filter(|best| *best < Duration::MAX) else { return };
        let alike = targets.iter().take_while(|candidate| key(candidate) <= best + best / 10).count();
        two_choices(&mut targets[..alike], draw, |a, b| a.in_flight < b.in_flight);
    }
}

/// The one known to do what the request wants; of several the one with the larger window.
#[derive(Debug, Clone, Copy)]
pub struct Capability;

impl Strategy for Capability {
    const ID: &'static str = "capability";

    fn rank(&self, targets: &mut [Candidate], _: &mut Draw<'_>) {
        targets.sort_by_key(|candidate| {
            let window = candidate.context_window.unwrap_or_default();
            (candidate.lacks, std::cmp::Reverse(window), candidate.position)
        });
    }
}
