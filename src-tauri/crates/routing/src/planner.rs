//! A request's possible targets → a [`Plan`].

use crate::strategies::{Candidate, StrategyId};
use crate::{Draw, Plan, Target};

/// Ranks `targets` (in the order of the settings) by `strategy`.
pub fn plan(targets: impl IntoIterator<Item = Target>, strategy: StrategyId, draw: &mut Draw<'_>) -> Plan {
    let mut candidates: Vec<Candidate> =
        targets.into_iter().enumerate().map(|(position, target)| Candidate { target, position }).collect();
    strategy.rank(&mut candidates, draw);
    Plan { targets: candidates.into_iter().map(|candidate| candidate.target).collect() }
}
