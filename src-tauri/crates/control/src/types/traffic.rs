//! Pages of requests, why each went where it went, and where some were switched.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::CostStatus;

/// What a request is looked for by. All of it must hold; what is left out holds for all.
#[derive(Debug, Clone, Default, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(optional_fields = nullable)]
pub struct RequestFilter {
    #[ts(as = "Option<Vec<RequestTerm>>")]
    pub terms: Vec<RequestTerm>,
    /// Started at this time or later.
    pub since_at: Option<i64>,
    /// Started before this time.
    pub until_at: Option<i64>,
    /// Known to have cost more.
    pub cost_over_picousd: Option<i64>,
    /// Asked of more than one target in turn.
    #[ts(as = "Option<bool>")]
    pub is_switched: bool,
    /// Only these, where there are any.
    #[ts(as = "Option<Vec<String>>")]
    pub ids: Vec<String>,
}

/// One word of a search; `*` stands for anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RequestTerm {
    pub field: RequestField,
    pub value: String,
    /// Whatever does not match.
    #[serde(default)]
    pub is_not: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RequestField {
    /// Who answered, or was asked last.
    Provider,
    /// Asked by any attempt.
    Tried,
    /// A part of its name is enough.
    Model,
    /// `chat` is the chat window.
    Client,
    Route,
    Outcome,
    /// A part of its kind or its words.
    Error,
    /// `chat`, `embeddings`.
    Operation,
    /// A part of any name.
    Text,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct ListRequestsArgs {
    #[serde(default)]
    pub filter: RequestFilter,
    /// Only those behind this one; the newest where it is left out.
    #[serde(default)]
    #[ts(optional = nullable)]
    pub before: Option<RequestKey>,
    /// At most so many, from 1 to 1,000.
    pub limit: u32,
}

/// A request's place in the order of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RequestKey {
    pub started_at: i64,
    pub id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RequestPage {
    /// The newest first.
    pub rows: Vec<RequestLine>,
    /// There are older ones.
    pub has_more: bool,
}

/// A request as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RequestLine {
    pub id: String,
    pub started_at: i64,
    /// `running`, `ok`, `failed`, `truncated`, `cancelled`, `interrupted`.
    pub status: String,
    /// `None` is the chat window, or nobody known.
    pub client: Option<String>,
    pub dialect: String,
    pub operation: Option<String>,
    pub route: Option<String>,
    pub request_model: String,
    pub stream: bool,
    /// Who answered; while it runs, who is being asked.
    pub provider: Option<String>,
    pub model: Option<String>,
    pub attempts: u32,
    /// Of the attempts, those at another target than the one before.
    pub switches: u32,
    pub http_status: Option<u16>,
    pub error_kind: Option<String>,
    pub time_to_first_token_ms: Option<i64>,
    pub duration_ms: Option<i64>,
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    pub cost_picousd: Option<i64>,
    pub cost_status: CostStatus,
}

/// Over everything that a filter lets through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RequestTotals {
    pub requests: u64,
    pub cost_picousd: i64,
    /// Ended with a cost that is not known, and is not in the sum.
    pub unknown: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct SwitchesArgs {
    /// How far back.
    pub minutes: u32,
    /// At most so many, from 1 to 1,000.
    pub limit: u32,
}

/// A request that went on at another target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "Switch")]
pub struct SwitchView {
    pub request_id: String,
    /// When the second target was asked.
    pub at: i64,
    pub from_provider: String,
    pub from_model: String,
    pub to_provider: String,
    pub to_model: String,
    /// `failover`, `hedge`, `continue`, `check`.
    pub reason: Option<String>,
    /// The first target's error.
    pub error_kind: Option<String>,
    pub error_message: Option<String>,
    pub http_status: Option<u16>,
    /// From asking the first to asking the second.
    pub after_ms: i64,
    /// The request was answered, or is being answered still.
    pub is_saved: bool,
}

/// Why a request went where it went. What the router did not say is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(rename = "Decision")]
pub struct DecisionView {
    /// Empty where a model was asked for by its own name.
    pub route: String,
    pub strategy: String,
    pub task: Option<TaskView>,
    /// The route's rule that matched, from 0.
    pub rule: Option<u32>,
    /// In the order in which they would be asked; those out of the question last.
    pub candidates: Vec<CandidateView>,
    /// What happened, in its order.
    pub steps: Vec<StepView>,
    /// Budgets that are nearly used up.
    pub budgets: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(rename = "DecisionTask")]
pub struct TaskView {
    /// `simple`, `standard`, `complex`.
    pub class: String,
    pub why: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(rename = "DecisionCandidate")]
pub struct CandidateView {
    pub provider: String,
    pub model: String,
    /// From 1; `None` where it was out of the question.
    pub rank: Option<u32>,
    /// What spoke against it (`circuit_open`, `limited`, `too_long`).
    pub why: Option<String>,
    /// By the strategy; less is better.
    pub score: Option<f64>,
    /// Pico-dollars, as text.
    pub estimated_cost: Option<String>,
    pub ttft_p95_ms: Option<u64>,
    /// Of the scarcest limit, 0 to 1.
    pub quota_left: Option<f64>,
    /// The conversation's own target.
    pub sticky: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(rename = "DecisionStep")]
pub struct StepView {
    /// Since the request came.
    pub at_ms: u64,
    /// `asked`, `passed_over`, `waited`, `failed`, `lost`, `answered`, `seam`, `gave_up`.
    pub what: String,
    pub provider: Option<String>,
    pub model: Option<String>,
    /// Why it was asked (`first`, `retry`, `failover`, `hedge`, `check`, `probe`, `continue`).
    pub why: Option<String>,
    /// Why it was passed over.
    pub against: Option<String>,
    /// Why it failed.
    pub cause: Option<String>,
    pub wait_ms: Option<u64>,
    /// Where in the answer, in characters, another model went on.
    pub at_chars: Option<u64>,
}
