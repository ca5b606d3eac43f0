//! Every request as one JSON object per line, oldest first, in the shape that other programs rely on.
//!
//! Read in pages by key, each page in a snapshot of its own: memory stays small however large the
//! ledger is, and no long-lived snapshot keeps the owner's journal from being reset.

use std::collections::VecDeque;

use canonical::Usage;
use rusqlite::Connection;
use serde::Serialize;
use serde_json::Value;

use crate::entry::{CostStatus, Outcome};
use crate::query::{AttemptRow, REQUEST_COLUMNS, REQUEST_TABLES, RequestRow, attempts, decision};
use crate::{Ledger, Result};

/// Requests read at once.
const PAGE: u32 = 500;

/// One line of `signalboxd export requests`. The fields' names and order are a contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportedRequest {
    pub id: String,
    pub started_at: i64,
    pub client: Option<String>,
    pub dialect: String,
    pub route: Option<String>,
    pub provider: Option<String>,
    pub request_model: String,
    pub response_model: Option<String>,
    pub stream: bool,
    pub status: Outcome,
    pub http_status: Option<u16>,
    pub error_kind: Option<String>,
    pub finish_reason: Option<String>,
    pub finish_reason_raw: Option<String>,
    /// `null` where no usage is known.
    pub usage: Option<Usage>,
    pub cost_picousd: Option<i64>,
    pub cost_status: CostStatus,
    pub duration_ms: Option<i64>,
    pub time_to_first_token_ms: Option<i64>,
    pub attempts: Vec<ExportedAttempt>,
    /// `chat`, `embeddings`; `null` where it is not known.
    pub operation: Option<String>,
    /// Why it went where it went; `null` where nothing was decided.
    pub decision: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportedAttempt {
    pub provider: String,
    pub model: String,
    pub outcome: Outcome,
    pub error_kind: Option<String>,
    pub http_status: Option<u16>,
    pub reason: Option<String>,
    pub duration_ms: Option<i64>,
    pub cost_picousd: Option<i64>,
    /// `verbatim` or `translated`; `null` where no answer began.
    pub lane: Option<String>,
    /// What of the request the provider was not told as the client said it.
    pub notes: Vec<String>,
}

impl From<AttemptRow> for ExportedAttempt {
    fn from(row: AttemptRow) -> Self {
        Self {
            provider: row.provider,
            model: row.model,
            outcome: row.outcome,
            error_kind: row.error_kind,
            http_status: row.http_status,
            reason: row.reason,
            duration_ms: row.duration_ms,
            cost_picousd: row.cost_picousd,
            lane: row.lane,
            notes: row.notes,
        }
    }
}

impl ExportedRequest {
    fn new(row: RequestRow, attempts: Vec<AttemptRow>, decision: Option<Value>) -> Self {
        Self {
            id: row.id,
            started_at: row.started_at,
            client: row.client,
            dialect: row.dialect,
            route: row.route,
            provider: row.provider,
            request_model: row.request_model,
            response_model: row.response_model,
            stream: row.stream,
            status: row.outcome,
            http_status: row.http_status,
            error_kind: row.error_kind,
            finish_reason: row.finish_reason,
            finish_reason_raw: row.finish_reason_raw,
            usage: row.usage,
            cost_picousd: row.cost_picousd,
            cost_status: row.cost_status,
            duration_ms: row.duration_ms,
            time_to_first_token_ms: row.time_to_first_token_ms,
            attempts: attempts.into_iter().map(ExportedAttempt::from).collect(),
            operation: row.operation,
            decision,
        }
    }
}

impl Ledger {
    /// All requests, oldest first; each `next` may read a page and then blocks.
    pub fn export_requests(&self) -> RequestExport {
        RequestExport { ledger: self.clone(), page: VecDeque::new(), after: None, is_done: false }
    }
}

/// See [`Ledger::export_requests`]. Ends after the first error.
#[derive(Debug)]
pub struct RequestExport {
    ledger: Ledger,
    page: VecDeque<ExportedRequest>,
    /// The key of the last request that was read.
    after: Option<(i64, String)>,
    is_done: bool,
}

impl RequestExport {
    fn read_page(&mut self) -> Result<()> {
        let after = self.after.clone();
        let page = self.ledger.read(|connection| {
            page(connection, after.as_ref()).map_err(|error| self.ledger.sqlite(&error))
        })?;
        self.after = page.last().map(|last| (last.started_at, last.id.clone()));
        self.is_done = page.len() < PAGE as usize;
        self.page = page.into();
        Ok(())
    }
}

impl Iterator for RequestExport {
    type Item = Result<ExportedRequest>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty()
            && !self.is_done
            && let Err(error) = self.read_page()
        {
            self.is_done = true;
            return Some(Err(error));
        }
        self.page.pop_front().map(Ok)
    }
}

fn page(connection: &Connection, after: Option<&(i64, String)>) -> rusqlite::Result<Vec<ExportedRequest>> {
    let (started_at, id) = after.map_or((i64::MIN, ""), |(started_at, id)| (*started_at, id));
    let rows: Vec<RequestRow> = connection
        .prepare_cached(&format!(
            "SELECT {REQUEST_COLUMNS} FROM {REQUEST_TABLES}
             WHERE (r.started_at, r.id) > (?1, ?2) ORDER BY r.started_at, r.id LIMIT ?3"
        ))?
        .query_map((started_at, id, PAGE), RequestRow::from_row)?
        .collect::<rusqlite::Result<_>>()?;
    rows.into_iter()
        .map(|row| {
            let (attempts, decision) = (attempts(connection, &row.id)?, decision(connection, &row.id)?);
            Ok(ExportedRequest::new(row, attempts, decision))
        })
        .collect()
}

#[cfg(test)]
mod tests;
