//! How the router stands: circuits, limits, budgets; and what a person can do about a target.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::ErrorView;

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct RoutingView {
    /// When it was so; what is said in spans counts from here.
    pub at: i64,
    pub targets: Vec<PlaceView>,
    /// Keys and accounts as a whole; `model` is empty.
    pub providers: Vec<PlaceView>,
    pub budgets: Vec<BudgetView>,
    /// Rate-limit headers that made no sense and were passed over.
    pub ignored_headers: u64,
}

/// A target, or a provider's key and account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "Place")]
pub struct PlaceView {
    pub provider: String,
    pub model: String,
    /// `closed`, `open`, `half_open` or `ramp`.
    pub circuit: String,
    /// The share of its traffic that it gets while it comes back, 0 to 1.
    pub share: Option<f64>,
    /// What keeps requests away at this moment (`circuit_open`, `cooling`, `parked`, `limited`).
    pub against: Option<String>,
    /// For how long, where that is known.
    pub opens_in_ms: Option<u64>,
    pub in_flight: u32,
    /// Taken out by hand.
    pub is_drained: bool,
    pub limits: Vec<LimitView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "Limit")]
pub struct LimitView {
    /// `requests`, `tokens`, `input_tokens`, `output_tokens` or `concurrency`.
    pub counted: String,
    /// `None` for what is counted at one moment, and where the provider does not say.
    pub window_ms: Option<u64>,
    /// `None` where the provider does not say.
    pub most: Option<u64>,
    pub left: u64,
    /// Until it is whole again if nothing more is asked.
    pub resets_in_ms: Option<u64>,
    /// From the settings, and not from the provider's answers.
    pub is_set: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "Budget")]
pub struct BudgetView {
    pub name: String,
    /// `hour`, `day`, `week` or `month`.
    pub per: String,
    pub amount_picousd: i64,
    pub spent_picousd: i64,
    /// Of requests under way.
    pub reserved_picousd: i64,
    pub resets_at: i64,
    /// Spent and reserved, of the amount; above 1 where it was overshot.
    pub share: f64,
    /// Requests of this period whose cost is not known.
    pub unknown: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct ParkArgs {
    pub provider: String,
    pub model: String,
    /// How long it is left alone, from 1 to 10,080; left out, it is let in at once.
    #[serde(default)]
    #[ts(optional = nullable)]
    pub minutes: Option<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct DrainArgs {
    pub provider: String,
    pub model: String,
    pub is_drained: bool,
}

/// What a target said to one small request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ProbeView {
    pub ok: bool,
    pub request_id: String,
    pub duration_ms: i64,
    pub error: Option<ErrorView>,
}
