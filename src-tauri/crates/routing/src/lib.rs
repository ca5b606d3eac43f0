//! The points: which target a request goes to, what happens after a failure, and why.
//!
//! Decisions only. Time is an argument ([`Now`]) and so is chance ([`Draw`]); nothing here waits or
//! opens a socket. [`Router`] is the whole of it: a gateway drives it with real requests, a
//! simulator with modelled ones.
//!
//! - [`policy`]: what the user asks for. [`ask`]: what a request is like. [`classify`]: how hard.
//! - [`router`]: the four turns of a request. [`run`]: one request on its way. [`strategies`]: the
//!   ways to rank targets, [`condition`]: the rules' words.
//! - [`health`], [`circuit`], [`limit`], [`budget`], [`share`], [`sticky`]: what is remembered.
//! - [`decision`]: why, as data.

pub mod ask;
pub mod budget;
mod ceiling;
pub mod circuit;
pub mod classify;
pub mod condition;
pub mod decision;
pub mod health;
pub mod histogram;
pub mod limit;
mod places;
pub mod policy;
pub mod router;
pub mod run;
pub mod share;
pub mod sticky;
pub mod strategies;
mod target;
pub mod time;

pub use ask::{Ask, Facts};
pub use decision::{Decision, Why};
pub use policy::{Policy, Route, RouteTarget};
pub use router::{Ended, Planned, Router, RouterView};
pub use run::{GaveUp, Hopeless, Permit, Run, Step};
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
