//! Requests that went through the port, with their attempts and what each cost.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{CostStatus, DecisionView, ToolFailureView, UsageView};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct RequestView {
    pub id: String,
    pub started_at: i64,
    /// `None` is the chat window.
    pub client: Option<String>,
    pub dialect: String,
    /// `chat`, `embeddings`; `None` where it is not known.
    pub operation: Option<String>,
    /// The chat that it belongs to, and the answer's message in it.
    pub chat_id: Option<String>,
    pub message_id: Option<String>,
    pub route: Option<String>,
    pub provider: Option<String>,
    /// As the provider was asked for it.
    pub model: Option<String>,
    pub request_model: String,
    pub response_model: Option<String>,
    pub stream: bool,
    pub status: String,
    pub http_status: Option<u16>,
    pub error_kind: Option<String>,
    pub error_message: Option<String>,
    pub finish_reason: Option<String>,
    pub finish_reason_raw: Option<String>,
    pub usage: Option<UsageView>,
    pub cost_picousd: Option<i64>,
    pub cost_status: CostStatus,
    pub cost_lines: Vec<CostLineView>,
    /// For people: why the cost is less certain, or unknown.
    pub cost_notes: Vec<String>,
    pub duration_ms: Option<i64>,
    pub time_to_first_token_ms: Option<i64>,
    /// Of the prices that were used.
    pub price_version: Option<String>,
    pub attempts: Vec<AttemptView>,
    /// Why it went where it went; `None` where nothing was decided, or not yet.
    pub decision: Option<DecisionView>,
    /// Checks of the answer that failed.
    pub tool_failures: Vec<ToolFailureView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CostLineView {
    pub label: String,
    /// Whose price it is, where not the answering model's.
    pub model: Option<String>,
    pub quantity: u64,
    pub cost_picousd: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct AttemptView {
    pub id: String,
    /// From 0.
    pub ordinal: u32,
    pub provider: String,
    pub model: String,
    pub outcome: String,
    pub error_kind: Option<String>,
    pub http_status: Option<u16>,
    /// Why it was made.
    pub reason: Option<String>,
    pub error_message: Option<String>,
    pub duration_ms: Option<i64>,
    pub time_to_first_token_ms: Option<i64>,
    pub cost_picousd: Option<i64>,
    pub cost_status: CostStatus,
    pub started_at: i64,
    /// `verbatim` or `translated`, where an answer began.
    pub lane: Option<String>,
    /// Pieces of its stream that were passed over: of no known kind.
    pub unknown_frames: u32,
    /// Likewise: not to be read.
    pub malformed_frames: u32,
    /// A refusal in the provider's own words.
    pub error_body: Option<String>,
    /// What of the request the provider was not told as the client said it (`dropped:seed`).
    pub notes: Vec<String>,
    pub usage: Option<UsageView>,
    /// The provider's own id of it.
    pub provider_request_id: Option<String>,
}
