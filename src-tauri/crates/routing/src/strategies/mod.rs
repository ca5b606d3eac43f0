//! Ways to rank a route's targets. A strategy only orders; failover, waits and the deadline live
//! around it ([`crate::plan`]), so every strategy has them.

pub mod priority;

use crate::{Draw, Target};

/// A target with what a strategy may rank it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub target: Target,
    /// Its place in the route as the user wrote it, from 0.
    pub position: usize,
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
}

/// Every strategy; settings and error messages read this list.
pub const STRATEGIES: &[StrategyId] = &[StrategyId::Priority];

impl StrategyId {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Priority => priority::Priority::ID,
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        STRATEGIES.iter().copied().find(|id| id.as_str() == name)
    }

    /// Orders `targets` by the strategy of this name.
    pub fn rank(self, targets: &mut [Candidate], draw: &mut Draw<'_>) {
        match self {
            Self::Priority => priority::Priority.rank(targets, draw),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_strategy_is_found_by_its_own_name() {
        for id in STRATEGIES {
            assert_eq!(StrategyId::from_name(id.as_str()), Some(*id));
        }
        assert_eq!(StrategyId::from_name("fastest-of-all"), None);
    }
}
