//! Routes as the settings say them, and changes to one.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A name of the user's own for targets, with everything that decides between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct RouteView {
    pub name: String,
    pub strategy: String,
    /// In the file's order; those of routes inside it stand in their place.
    pub targets: Vec<RouteTargetView>,
    /// The first that matches counts.
    pub rules: Vec<RouteRuleView>,
    /// The kind of task chooses the tier.
    pub tiers: bool,
    /// How long a conversation keeps its target without a request; `None` where it does not.
    pub sticky_ms: Option<u64>,
    pub hedge: Option<HedgeView>,
    /// So many characters are held back, so that a failure within them stays unseen.
    pub hold_chars: u64,
    pub hold_ms: Option<u64>,
    /// `end`, `restart` or `continue`.
    pub on_break: String,
    /// For the whole request; `None` where `timeouts.total` holds.
    pub total_ms: Option<u64>,
    /// For the first content; `None` where `timeouts.first_content` holds.
    pub first_content_ms: Option<u64>,
    /// `observe`, `repair`, `retry` or `reject`; `None` where `[checks]` holds.
    pub tool_check: Option<String>,
    /// Likewise.
    pub output_check: Option<String>,
    /// Budgets that its requests count for.
    pub budgets: Vec<BudgetRuleView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RouteTargetView {
    pub provider: String,
    pub model: String,
    pub weight: u32,
    /// `cheap`, `standard` or `complex`.
    pub tier: Option<String>,
    /// Where there are any: asked only after one of these causes.
    pub only_after: Vec<String>,
    /// Asked only for such requests.
    pub when: Option<ConditionView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RouteRuleView {
    pub when: ConditionView,
    /// Positions in the route's targets, from 0; the others stand behind them.
    pub targets: Vec<u32>,
    /// Instead of `targets`: those of this tier.
    pub tier: Option<String>,
}

/// What a request is like; everything that is said must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ConditionView {
    pub models: Vec<String>,
    pub clients: Vec<String>,
    pub tags: Vec<String>,
    pub tasks: Vec<String>,
    pub min_input_tokens: Option<u64>,
    pub max_input_tokens: Option<u64>,
    pub tools: Option<bool>,
    pub images: Option<bool>,
    pub schema: Option<bool>,
    pub code: Option<bool>,
}

/// When a second target is asked beside a slow first one. One of the three.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct HedgeView {
    /// When it is slower than 95 of 100.
    pub is_p95: bool,
    pub after_ms: Option<u64>,
    /// Of the time for the first content, 0 to 1.
    pub share: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BudgetRuleView {
    pub name: String,
    pub amount_picousd: i64,
    /// `hour`, `day`, `week` or `month`.
    pub per: String,
    /// `warn`, `block` or `downgrade`.
    pub then: String,
    /// Where it is `downgrade`.
    pub then_route: Option<String>,
}

/// Changes to a route. What is left out stays; an empty text takes the key away.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[ts(optional_fields = nullable)]
pub struct SaveRouteArgs {
    pub name: String,
    #[serde(default)]
    pub strategy: Option<String>,
    /// All of them, in their order. What the file says of each beside its name stays.
    #[serde(default)]
    pub targets: Option<Vec<TargetView>>,
    #[serde(default)]
    pub on_break: Option<String>,
    /// `10m`
    #[serde(default)]
    pub sticky: Option<String>,
    /// `p95`, `2s` or `25%`
    #[serde(default)]
    pub hedge: Option<String>,
    /// `60s`
    #[serde(default)]
    pub total: Option<String>,
    /// `8s`
    #[serde(default)]
    pub first_content: Option<String>,
    #[serde(default)]
    pub tool_check: Option<String>,
    #[serde(default)]
    pub output_check: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TargetView {
    pub provider: String,
    pub model: String,
}
