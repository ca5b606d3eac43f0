//! How providers have been doing, and which checks of their answers failed.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct HealthArgs {
    /// How far back.
    pub minutes: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct HealthRow {
    pub provider: String,
    pub model: String,
    pub lamp: LampState,
    /// Attempts: answered, refused, failed, and those that run or were stopped.
    pub requests: u64,
    pub answered: u64,
    /// Failed through the request's or the settings' own fault; no error of the provider's.
    pub refused: u64,
    pub errors: u64,
    /// 0 to 1, of what was answered, refused or failed.
    pub error_rate: f64,
    pub truncated: u64,
    /// Tool calls and structured answers that were checked.
    pub checked: u64,
    /// Of those, the ones that were wrong, mended ones included.
    pub check_failures: u64,
    pub check_repairs: u64,
    /// Answers that the model or a filter declined.
    pub refusals: u64,
    pub ttft_ms: Option<QuantilesView>,
    pub duration_ms: Option<QuantilesView>,
    pub tokens_per_second: Option<f64>,
    pub last_error: Option<LastErrorView>,
    pub last_seen_at: Option<i64>,
    /// Requests per bucket, oldest first.
    pub sparkline: Vec<u64>,
    pub error_sparkline: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum LampState {
    Ok,
    Degraded,
    /// The circuit is open.
    Open,
    HalfOpen,
    /// Set aside until a time that the provider named.
    Parked,
    /// Nothing was asked of it lately.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "Quantiles")]
pub struct QuantilesView {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "LastError")]
pub struct LastErrorView {
    pub kind: String,
    pub message: String,
    pub at: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct ToolFailuresArgs {
    /// How far back.
    pub minutes: u32,
    /// Only this provider's.
    pub provider: Option<String>,
    /// Only this model's.
    pub model: Option<String>,
    /// At most so many, from 1 to 500.
    pub limit: u32,
}

/// A tool call, or a structured answer, that was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "ToolFailure")]
pub struct ToolFailureView {
    pub request_id: String,
    /// 0 for the request's first attempt.
    pub ordinal: u32,
    pub at: i64,
    pub provider: String,
    pub model: String,
    /// None where the answer's text was checked.
    pub tool: Option<String>,
    /// unknown_tool, invalid_json, schema_mismatch, cut_off.
    pub kind: String,
    /// JSON pointer into the arguments.
    pub path: Option<String>,
    pub message: String,
    /// none, repaired, withheld.
    pub remedy: String,
    /// The repairs by their names, joined by commas.
    pub repairs: Option<String>,
    /// As the model wrote them, the first KiB.
    pub arguments: String,
    pub schema: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "ToolFailureCount")]
pub struct ToolFailureCountView {
    pub provider: String,
    pub model: String,
    pub kind: String,
    pub failures: u32,
    pub repaired: u32,
}
