//! Ways to rank a route's targets. A strategy only orders; health, limits, budgets, failover and
//! the deadline live around it, so every strategy has them.

mod by_chance;
mod by_measure;
mod priority;
mod score;

use std::time::Duration;

use canonical::PicoUsd;

use crate::Draw;
use crate::policy::ScoreWeights;

pub use by_chance::{LeastBusy, RemainingQuota, Weighted};
pub use by_measure::{Capability, LowestCost, LowestLatency};
pub use priority::Priority;
pub use score::Score;

/// A target with what a strategy may rank it by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Its place in the route as the user wrote it, from 0.
    pub position: usize,
    pub weight: u32,
    /// What this request may cost there.
    pub cost: Option<PicoUsd>,
    /// The time in which 95 of 100 answers begin.
    pub ttft_p95: Option<Duration>,
    /// Of five minutes, 0 to 1.
    pub error_rate: f64,
    /// Requests under way.
    pub in_flight: u32,
    /// The scarcest limit, 0 to 1.
    pub quota_left: f64,
    /// Abilities that the request wants and the model is not known to have.
    pub lacks: u32,
    pub context_window: Option<u64>,
    /// Written by [`Score`].
    pub score: Option<f64>,
}

/// One way to order targets, best first.
pub trait Strategy {
    /// The name in the settings.
    const ID: &'static str;

    fn rank(&self, targets: &mut [Candidate], draw: &mut Draw<'_>);
}

/// A strategy as the settings name it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StrategyId {
    #[default]
    Priority,
    Weighted,
    LowestCost,
    LowestLatency,
    LeastBusy,
    RemainingQuota,
    Capability,
    Score,
}

/// Every strategy; settings and error messages read this list.
pub const STRATEGIES: &[StrategyId] = &[
    StrategyId::Priority,
    StrategyId::Weighted,
    StrategyId::LowestCost,
    StrategyId::LowestLatency,
    StrategyId::LeastBusy,
    StrategyId::RemainingQuota,
    StrategyId::Capability,
    StrategyId::Score,
];

impl StrategyId {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Priority => Priority::ID,
            Self::Weighted => Weighted::ID,
            Self::LowestCost => LowestCost::ID,
            Self::LowestLatency => LowestLatency::ID,
            Self::LeastBusy => LeastBusy::ID,
            Self::RemainingQuota => RemainingQuota::ID,
            Self::Capability => Capability::ID,
            Self::Score => Score::ID,
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        STRATEGIES.iter().copied().find(|id| id.as_str() == name)
    }

    /// Orders `targets` by the strategy of this name.
    pub fn rank(self, targets: &mut [Candidate], weights: &ScoreWeights, draw: &mut Draw<'_>) {
        match self {
            Self::Priority => Priority.rank(targets, draw),
            Self::Weighted => Weighted.rank(targets, draw),
            Self::LowestCost => LowestCost.rank(targets, draw),
            Self::LowestLatency => LowestLatency.rank(targets, draw),
            Self::LeastBusy => LeastBusy.rank(targets, draw),
            Self::RemainingQuota => RemainingQuota.rank(targets, draw),
            Self::Capability => Capability.rank(targets, draw),
            Self::Score => Score(*weights).rank(targets, draw),
        }
    }
}

/// The better by `is_better` of two that chance names leads; the others follow as they are. Many
/// that are alike so share the load without all of it going to the one that looks best
/// (Mitzenmacher, “The power of two choices in randomized load balancing”).
fn two_choices(
    targets: &mut [Candidate],
    draw: &mut Draw<'_>,
    is_better: impl Fn(&Candidate, &Candidate) -> bool,
) {
    if targets.len() < 2 {
        return;
    }
    let first = pick(targets.len(), draw);
    // Another one than the first, each as likely.
    let second = (first + 1 + pick(targets.len() - 1, draw)) % targets.len();
    let winner = if is_better(&targets[second], &targets[first]) { second } else { first };
    targets[..=winner].rotate_right(1);
}

fn pick(count: usize, draw: &mut Draw<'_>) -> usize {
    ((draw.unit() * count as f64) as usize).min(count.saturating_sub(1))
}

#[cfg(test)]
mod tests;
