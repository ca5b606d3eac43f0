//! The points: which target a request goes to, and what happens after a failure.
//!
//! Decisions only. Time is an argument and so is chance ([`Draw`]); nothing here waits, opens a
//! socket or remembers a request.
//!
//! - [`limit`]: what may leave for a target now; [`budget`]: what may be spent. Reserved before,
//!   settled after.
//! - [`classify`]: how much a request asks of a model.
//! - [`strategies`]: the ways to rank a route's targets, one file each.
//! - [`planner`]: a request's candidates → a [`Plan`].
//! - [`plan`]: the plan, and the one policy for what follows a failed attempt.

pub mod budget;
pub mod circuit;
pub mod classify;
pub mod health;
pub mod histogram;
pub mod limit;
pub mod plan;
pub mod planner;
pub mod policy;
pub mod share;
pub mod sticky;
pub mod strategies;
pub mod time;

pub use plan::{Plan, Progress, Step};
pub use planner::plan;
pub use policy::{Policy, Route, RouteTarget};
pub use strategies::{Candidate, STRATEGIES, Strategy, StrategyId};
pub use time::Now;

/// Where chance comes from: a number in `0.0..1.0` per call. A test hands in a fixed one.
pub struct Draw<'a>(&'a mut dyn FnMut() -> f64);

impl<'a> Draw<'a> {
    pub fn new(source: &'a mut dyn FnMut() -> f64) -> Self {
        Self(source)
    }

    /// The next number, kept within `0.0..1.0` whatever the source says.
    pub fn unit(&mut self) -> f64 {
        (self.0)().clamp(0.0, 1.0 - f64::EPSILON)
    }
}

impl std::fmt::Debug for Draw<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Draw")
    }
}

/// One provider and one of its models: where an attempt may go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The provider's id in the settings.
    pub provider: String,
    /// The model's id as that provider's API takes it.
    pub model: String,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}
