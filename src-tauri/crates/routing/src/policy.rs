//! What the user asks of the router: the settings as values. Nothing here changes; new settings are
//! a new [`Policy`].

use std::time::Duration;

use canonical::PicoUsd;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::classify::Class;
use crate::{StrategyId, Target};

/// What holds for every route.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub limits: Vec<LimitRule>,
    pub budgets: Vec<BudgetRule>,
    pub circuit: CircuitPolicy,
    pub retry: RetryPolicy,
    pub hedge: HedgePolicy,
    /// Where days and months begin.
    pub zone: TimeZone,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            limits: Vec::new(),
            budgets: Vec::new(),
            circuit: CircuitPolicy::default(),
            retry: RetryPolicy::default(),
            hedge: HedgePolicy::default(),
            zone: TimeZone::UTC,
        }
    }
}

/// When a target is left alone, and how it comes back.
#[derive(Debug, Clone, PartialEq)]
pub struct CircuitPolicy {
    /// So many failures in a row open it.
    pub consecutive_failures: u32,
    /// So large a share of the last minute's requests failing opens it …
    pub error_rate: f64,
    /// … where there were at least so many.
    pub min_requests: u32,
    /// How long it stays open at first; doubles each time it opens again.
    pub open_for: Duration,
    /// And never longer than this.
    pub open_max: Duration,
    /// The shares of its traffic that it gets after a probe went well, one after another.
    pub ramp: [f64; 3],
    /// How long each share lasts at least.
    pub dwell: Duration,
    /// So large a share of five minutes' requests answered with 429 puts it behind the others.
    pub demote_429_share: f64,
}

impl Default for CircuitPolicy {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            error_rate: 0.5,
            min_requests: 10,
            open_for: Duration::from_secs(15),
            open_max: Duration::from_secs(120),
            ramp: [0.01, 0.05, 0.25],
            dwell: Duration::from_secs(10),
            demote_429_share: 0.2,
        }
    }
}

/// How often the same is asked again, and how long is waited for it.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// The first attempt included.
    pub attempts_per_target: u32,
    /// The pause before the second attempt is a random part of this, doubled with each further one.
    pub base: Duration,
    /// And of no more than this.
    pub cap: Duration,
    /// Repeated attempts as a share of all requests.
    pub share: f64,
    /// Repeated attempts that are always in reserve, for those who ask seldom.
    pub floor: u32,
    /// The longest wait where nothing else could answer; past it the client is told at once.
    pub patience: Duration,
    /// The longest wait while another target stands by.
    pub patience_with_alternative: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_per_target: 2,
            base: Duration::from_millis(400),
            cap: Duration::from_secs(8),
            share: 0.2,
            floor: 10,
            patience: Duration::from_secs(20),
            patience_with_alternative: Duration::from_secs(2),
        }
    }
}

/// Second attempts beside a slow first one.
#[derive(Debug, Clone, PartialEq)]
pub struct HedgePolicy {
    /// As a share of all requests.
    pub share: f64,
    /// Always in reserve.
    pub floor: u32,
}

impl Default for HedgePolicy {
    fn default() -> Self {
        Self { share: 0.05, floor: 3 }
    }
}

/// A name that clients use as a model, and what it stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    pub name: String,
    pub strategy: StrategyId,
    /// What the strategy `score` weighs.
    pub score: ScoreWeights,
    /// At least one. A route inside a route is here already as its targets.
    pub targets: Vec<RouteTarget>,
    /// The first that matches counts.
    pub rules: Vec<Rule>,
    /// The kind of task chooses the tier: the cheapest that does it.
    pub tiers: bool,
    /// An established conversation keeps its target.
    pub sticky: Option<Sticky>,
    pub hedge: Option<HedgeAfter>,
    pub commit: Commit,
    pub on_break: OnBreak,
    /// Replaces `timeouts.total`.
    pub total: Option<Duration>,
    /// Replaces `timeouts.first_content`.
    pub first_content: Option<Duration>,
}

impl Route {
    /// A route with the usual behaviour: what a model asked for by its own name gets.
    pub fn new(name: impl Into<String>, targets: impl IntoIterator<Item = Target>) -> Self {
        Self {
            name: name.into(),
            strategy: StrategyId::default(),
            score: ScoreWeights::default(),
            targets: targets.into_iter().map(RouteTarget::new).collect(),
            rules: Vec::new(),
            tiers: false,
            sticky: None,
            hedge: None,
            commit: Commit::default(),
            on_break: OnBreak::default(),
            total: None,
            first_content: None,
        }
    }
}

/// One target of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteTarget {
    pub target: Target,
    /// For `weighted`; 0 is never chosen first.
    pub weight: u32,
    pub tier: Option<Tier>,
    /// Empty: always. Else it is asked only after one of these.
    pub only_after: Vec<Cause>,
    /// It is asked only for such requests.
    pub when: Option<Condition>,
}

impl RouteTarget {
    pub fn new(target: Target) -> Self {
        Self { target, weight: 1, tier: None, only_after: Vec::new(), when: None }
    }
}

/// What a target is good for, in the user's judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    Cheap,
    Standard,
    Complex,
}

/// What becomes of an answer that breaks off after the client has seen a part of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBreak {
    /// It ends there, marked as broken off.
    #[default]
    End,
    /// The next target answers from the beginning.
    Restart,
    /// The next target goes on from the text so far; never from an open tool call.
    Continue,
}

/// When an answer is the client's: until then another target can take over unseen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Commit {
    /// So many characters of content; 0 is the first content.
    pub chars: usize,
    /// And no later than this after the first content.
    pub within: Option<Duration>,
}

/// When a second target is asked beside the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HedgeAfter {
    /// The time in which 95 of 100 answers of the first target begin, as measured now.
    P95,
    Fixed(Duration),
    /// Of the time allowed for the first content, 0 to 1.
    Share(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sticky {
    /// Forgotten after so long without a request.
    pub idle: Duration,
}

/// What the strategy `score` weighs; a share of the whole each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreWeights {
    pub latency: f64,
    pub errors: f64,
    pub cost: f64,
    pub quota: f64,
}

impl Default for ScoreWeights {
    fn default() -> Self {
        Self { latency: 1.0, errors: 2.0, cost: 1.0, quota: 0.5 }
    }
}

/// Why another target is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    ContextTooLong,
    /// A filter stopped it, or the model refused.
    ContentFiltered,
    /// No credit left, or the key is refused.
    Quota,
    RateLimited,
    Failed,
    /// It did not answer in time.
    Slow,
    /// Its answer failed its checks.
    Check,
    /// It broke off in mid-answer.
    Broke,
}

impl Cause {
    pub const ALL: [Self; 8] = [
        Self::ContextTooLong,
        Self::ContentFiltered,
        Self::Quota,
        Self::RateLimited,
        Self::Failed,
        Self::Slow,
        Self::Check,
        Self::Broke,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ContextTooLong => "context_too_long",
            Self::ContentFiltered => "content_filtered",
            Self::Quota => "quota",
            Self::RateLimited => "rate_limited",
            Self::Failed => "failed",
            Self::Slow => "slow",
            Self::Check => "check",
            Self::Broke => "broke",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == name)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub when: Condition,
    pub then: Then,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// Positions in the route's targets, in this order; the others stand behind them.
    Targets(Vec<usize>),
    Tier(Tier),
}

/// What a request is like; everything that is said must hold. Names are globs (`gpt-*`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Condition {
    /// The model as the client named it.
    pub models: Vec<String>,
    pub clients: Vec<String>,
    /// One of them is enough.
    pub tags: Vec<String>,
    pub tasks: Vec<Class>,
    pub min_input_tokens: Option<u64>,
    pub max_input_tokens: Option<u64>,
    pub tools: Option<bool>,
    pub images: Option<bool>,
    pub schema: Option<bool>,
    pub code: Option<bool>,
}

/// A limit set by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRule {
    pub provider: String,
    /// `None`: of all its models together.
    pub model: Option<String>,
    pub counted: Counted,
    pub window: Window,
    pub most: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    Requests,
    /// Input and output together.
    Tokens,
    InputTokens,
    OutputTokens,
    /// Requests at the same time.
    Concurrency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// For what is counted at one moment.
    Now,
    Second,
    Minute,
    Hour,
    Day,
}

/// A sum that may be spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetRule {
    pub name: String,
    pub scope: Scope,
    pub amount: PicoUsd,
    pub per: Period,
    pub then: OverBudget,
    /// From here on it counts as near.
    pub warn_at_percent: u8,
}

/// Whose requests count: those that match everything said (globs).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    pub client: Option<String>,
    pub model: Option<String>,
    pub provider: Option<String>,
    pub route: Option<String>,
}

/// Begins by the calendar, in the user's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    Hour,
    Day,
    /// From Monday on.
    Week,
    Month,
}

/// What follows when a budget is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverBudget {
    Warn,
    /// Requests take this route instead.
    Downgrade(String),
    Block,
}
