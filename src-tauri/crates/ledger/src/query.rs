//! Reading the book: one request with its attempts, pages of many, where they were switched, and how
//! healthy each target was.
//!
//! Everything here blocks. Nothing is left out by itself: whoever does not want the rehearsal's
//! rows drops them.

use canonical::Usage;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::entry::{CostStatus, Outcome, ToolFailed};
use crate::{Ledger, Result};

mod health;
mod page;
mod switches;
mod tool_failures;

pub use health::{LastError, Quantiles, TargetHealth};
pub use page::{Field, RequestFilter, RequestKey, RequestLine, RequestPage, RequestTotals, Term};
pub use switches::SwitchRow;
pub use tool_failures::{ToolFailureCount, ToolFailureFilter};

/// A request as it stands in the book.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestRow {
    pub id: String,
    pub started_at: i64,
    pub settled_at: Option<i64>,
    pub outcome: Outcome,
    pub client: Option<String>,
    pub dialect: String,
    /// `chat`, `embeddings`; `None` where it is not known.
    pub operation: Option<String>,
    pub route: Option<String>,
    pub request_model: String,
    pub stream: bool,
    pub chat_id: Option<String>,
    pub message_id: Option<String>,
    pub provider: Option<String>,
    /// As the provider was asked for it.
    pub model: Option<String>,
    /// As the provider wrote it in its answer.
    pub response_model: Option<String>,
    pub http_status: Option<u16>,
    pub error_kind: Option<String>,
    pub error_message: Option<String>,
    pub finish_reason: Option<String>,
    pub finish_reason_raw: Option<String>,
    pub usage: Option<Usage>,
    pub cost_picousd: Option<i64>,
    pub cost_status: CostStatus,
    pub reported_cost_picousd: Option<i64>,
    pub price_version: Option<String>,
    pub cost_lines: Option<Value>,
    pub duration_ms: Option<i64>,
    pub time_to_first_token_ms: Option<i64>,
    pub system_fingerprint: Option<String>,
}

pub(crate) const REQUEST_COLUMNS: &str = "r.id, r.started_at, r.settled_at, r.outcome, r.client, r.dialect,
    r.route, r.request_model, r.is_stream, r.chat_id, r.message_id, r.provider, r.model, r.response_model,
    r.http_status, r.error_kind, d.error_message, r.finish_reason, r.finish_reason_raw, d.usage_json,
    r.cost_picousd, r.cost_status, r.reported_cost_picousd, r.price_version, d.cost_lines_json,
    r.duration_ms, r.time_to_first_token_ms, d.system_fingerprint, r.operation";

pub(crate) const REQUEST_TABLES: &str = "requests AS r LEFT JOIN request_details AS d ON d.seq = r.seq";

impl RequestRow {
    pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            started_at: row.get(1)?,
            settled_at: row.get(2)?,
            outcome: row.get(3)?,
            client: row.get(4)?,
            dialect: row.get(5)?,
            route: row.get(6)?,
            request_model: row.get(7)?,
            stream: row.get(8)?,
            chat_id: row.get(9)?,
            message_id: row.get(10)?,
            provider: row.get(11)?,
            model: row.get(12)?,
            response_model: row.get(13)?,
            http_status: row.get(14)?,
            error_kind: row.get(15)?,
            error_message: row.get(16)?,
            finish_reason: row.get(17)?,
            finish_reason_raw: row.get(18)?,
            usage: json_column(row, 19)?,
            cost_picousd: row.get(20)?,
            cost_status: row.get(21)?,
            reported_cost_picousd: row.get(22)?,
            price_version: row.get(23)?,
            cost_lines: json_column(row, 24)?,
            duration_ms: row.get(25)?,
            time_to_first_token_ms: row.get(26)?,
            system_fingerprint: row.get(27)?,
            operation: row.get(28)?,
        })
    }
}

/// One target that was asked for a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttemptRow {
    pub id: String,
    pub ordinal: u32,
    pub provider: String,
    pub model: String,
    pub started_at: i64,
    pub outcome: Outcome,
    pub error_kind: Option<String>,
    /// `caller`, `gateway`, `provider` or `network`.
    pub error_origin: Option<String>,
    pub http_status: Option<u16>,
    pub reason: Option<String>,
    pub error_message: Option<String>,
    pub duration_ms: Option<i64>,
    pub time_to_first_token_ms: Option<i64>,
    pub usage: Option<Usage>,
    pub cost_picousd: Option<i64>,
    pub cost_status: CostStatus,
    pub provider_request_id: Option<String>,
    /// `verbatim` or `translated`; `None` where no answer began.
    pub lane: Option<String>,
    /// A refusal in the provider's own words.
    pub error_body: Option<String>,
    /// What of the request the target was not told as the client said it.
    pub notes: Vec<String>,
    /// Pieces of its stream that were passed over: of no known kind.
    pub unknown_frames: u32,
    /// Likewise: not to be read.
    pub malformed_frames: u32,
}

pub(crate) const ATTEMPTS_SQL: &str = "SELECT id, ordinal, provider, model, started_at, outcome, error_kind,
    error_origin, http_status, reason, error_message, duration_ms, time_to_first_token_ms, usage_json,
    cost_picousd, cost_status, provider_request_id, lane, error_body, notes_json, unknown_frames,
    malformed_frames
    FROM attempts LEFT JOIN attempt_details ON attempt_id = id WHERE request_id = ?1 ORDER BY ordinal";

impl AttemptRow {
    pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            ordinal: row.get(1)?,
            provider: row.get(2)?,
            model: row.get(3)?,
            started_at: row.get(4)?,
            outcome: row.get(5)?,
            error_kind: row.get(6)?,
            error_origin: row.get(7)?,
            http_status: row.get(8)?,
            reason: row.get(9)?,
            error_message: row.get(10)?,
            duration_ms: row.get(11)?,
            time_to_first_token_ms: row.get(12)?,
            usage: json_column(row, 13)?,
            cost_picousd: row.get(14)?,
            cost_status: row.get(15)?,
            provider_request_id: row.get(16)?,
            lane: row.get(17)?,
            error_body: row.get(18)?,
            notes: json_column(row, 19)?.unwrap_or_default(),
            unknown_frames: row.get(20)?,
            malformed_frames: row.get(21)?,
        })
    }
}

/// A column of JSON, `None` where it is NULL.
pub(crate) fn json_column<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let Some(text) = row.get::<_, Option<String>>(column)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into())
    })
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestDetail {
    pub request: RequestRow,
    /// In the order they were made.
    pub attempts: Vec<AttemptRow>,
    /// Why it went where it went, as the router wrote it down; `None` where nothing was decided.
    pub decision: Option<Value>,
    /// Checks that failed, in the order they did.
    pub tool_failures: Vec<ToolFailed>,
}

impl Ledger {
    /// One request with its attempts. Blocks.
    pub fn request(&self, id: &str) -> Result<Option<RequestDetail>> {
        self.read(|connection| detail(connection, id).map_err(|error| self.sqlite(&error)))
    }
}

fn detail(connection: &Connection, id: &str) -> rusqlite::Result<Option<RequestDetail>> {
    let request = connection
        .prepare_cached(&format!("SELECT {REQUEST_COLUMNS} FROM {REQUEST_TABLES} WHERE r.id = ?1"))?
        .query_row([id], RequestRow::from_row)
        .optional()?;
    let Some(request) = request else { return Ok(None) };
    Ok(Some(RequestDetail {
        attempts: attempts(connection, id)?,
        decision: decision(connection, id)?,
        tool_failures: tool_failures::of_request(connection, id)?,
        request,
    }))
}

pub(crate) fn decision(connection: &Connection, request_id: &str) -> rusqlite::Result<Option<Value>> {
    let sql = "SELECT decision_json FROM request_decisions JOIN requests USING (seq) WHERE id = ?1";
    let found =
        connection.prepare_cached(sql)?.query_row([request_id], |row| json_column(row, 0)).optional()?;
    Ok(found.flatten())
}

pub(crate) fn attempts(connection: &Connection, request_id: &str) -> rusqlite::Result<Vec<AttemptRow>> {
    connection.prepare_cached(ATTEMPTS_SQL)?.query_map([request_id], AttemptRow::from_row)?.collect()
}

#[cfg(test)]
mod tests;
