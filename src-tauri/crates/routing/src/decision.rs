//! Why a request went where it went, as data: kept with it, shown with it, told in its headers.

use serde::{Deserialize, Serialize};

use crate::classify::Class;
use crate::policy::Cause;

/// The whole story of one request's way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub route: String,
    pub strategy: String,
    pub task: Task,
    /// The route's rule that matched, from 0.
    pub rule: Option<usize>,
    /// In the order in which they would be asked; those that were out of the question come last.
    pub candidates: Vec<Considered>,
    /// What happened, in its order.
    pub steps: Vec<Told>,
    /// Budgets that are nearly used up, by name.
    pub budgets: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub class: Class,
    pub why: String,
}

/// One target, as it looked when the request came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Considered {
    pub provider: String,
    pub model: String,
    /// From 1; `None` where it was out of the question.
    pub rank: Option<usize>,
    /// Why it was out of the question, or stands behind others.
    pub why: Option<Against>,
    /// What the strategy `score` gave it; less is better.
    pub score: Option<f64>,
    /// In pico-dollars, as text.
    pub estimated_cost: Option<String>,
    pub ttft_p95_ms: Option<u64>,
    /// The scarcest of its limits, 0 to 1.
    pub quota_left: f64,
    /// The conversation's own target.
    pub sticky: bool,
}

/// What speaks against a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// Its own condition does not hold.
    Condition,
    /// It is asked only after a failure of another kind.
    OnlyAfter,
    TooLong,
    NoTools,
    NoImages,
    /// A budget does not allow it.
    Budget,
    /// Taken out by hand.
    Drained,
    CircuitOpen,
    /// The provider asked to be left alone for a while.
    Cooling,
    /// Its key or its credit was refused.
    Parked,
    /// Somebody else finds out right now whether it is well again.
    Probing,
    /// It comes back in steps, and this request is not among its share.
    Recovering,
    /// A limit leaves no room at the moment.
    Limited,
    /// The request is larger than a limit as a whole.
    LimitTooSmall,
    /// Many of its answers were refusals for the rate.
    Demoted,
    /// Its last attempt here failed.
    Tried,
}

impl Against {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Condition => "condition",
            Self::OnlyAfter => "only_after",
            Self::TooLong => "too_long",
            Self::NoTools => "no_tools",
            Self::NoImages => "no_images",
            Self::Budget => "budget",
            Self::Drained => "drained",
            Self::CircuitOpen => "circuit_open",
            Self::Cooling => "cooling",
            Self::Parked => "parked",
            Self::Probing => "probing",
            Self::Recovering => "recovering",
            Self::Limited => "limited",
            Self::LimitTooSmall => "limit_too_small",
            Self::Demoted => "demoted",
            Self::Tried => "tried",
        }
    }
}

/// One thing that happened on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Since the request came.
    pub at_ms: u64,
    pub what: What,
    pub provider: Option<String>,
    pub model: Option<String>,
    /// Why it was asked.
    pub why: Option<Why>,
    /// Why it was passed over.
    pub against: Option<Against>,
    /// Why it failed.
    pub cause: Option<Cause>,
    pub wait_ms: Option<u64>,
    /// Where in the answer, in characters, another model went on.
    pub at_chars: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Asked,
    PassedOver,
    Waited,
    Failed,
    /// The other one of a pair was faster.
    Lost,
    Answered,
    /// Another model goes on in mid-answer.
    Seam,
    GaveUp,
}

/// Why an attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    First,
    /// The same target once more.
    Retry,
    /// Another one, because the one before failed.
    Failover,
    /// Beside a slow one.
    Hedge,
    /// The answer before failed its checks.
    Check,
    /// To find out whether the target is well again.
    Probe,
    /// To go on with an answer that broke off.
    Continue,
}

impl Why {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Retry => "retry",
            Self::Failover => "failover",
            Self::Hedge => "hedge",
            Self::Check => "check",
            Self::Probe => "probe",
            Self::Continue => "continue",
        }
    }
}
