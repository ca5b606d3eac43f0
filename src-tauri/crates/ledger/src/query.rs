//! Reading the book: one request with its attempts, and how healthy each target was.
//!
//! Everything here blocks. Nothing is left out by itself: whoever does not want the rehearsal's
//! rows drops them.

use std::collections::BTreeMap;

use canonical::Usage;
use hdrhistogram::Histogram;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::entry::{CostStatus, Outcome};
use crate::{Ledger, Result};

/// A request as it stands in the book.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestRow {
    pub id: String,
    pub started_at: i64,
    pub settled_at: Option<i64>,
    pub outcome: Outcome,
    pub client: Option<String>,
    pub dialect: String,
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
    r.duration_ms, r.time_to_first_token_ms, d.system_fingerprint";

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
}

pub(crate) const ATTEMPTS_SQL: &str = "SELECT id, ordinal, provider, model, started_at, outcome, error_kind,
    error_origin, http_status, reason, error_message, duration_ms, time_to_first_token_ms, usage_json,
    cost_picousd, cost_status, provider_request_id FROM attempts WHERE request_id = ?1 ORDER BY ordinal";

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
}

/// In milliseconds; three significant figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastError {
    pub kind: Option<String>,
    pub message: Option<String>,
    pub at: i64,
}

/// How one provider's model did over a window, counted in attempts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetHealth {
    pub provider: String,
    pub model: String,
    /// Every attempt that started in the window, running and cancelled ones included.
    pub requests: u64,
    /// Attempts that failed or broke off through the provider's or the network's fault.
    pub errors: u64,
    /// Of the errors, those that broke off.
    pub truncated: u64,
    /// Errors among the attempts that came to an end of their own; 0 where none did.
    pub error_rate: f64,
    /// Of attempts that ended well.
    pub ttft_ms: Option<Quantiles>,
    /// Of attempts that ended well.
    pub duration_ms: Option<Quantiles>,
    /// Output tokens from the first token to the end, over all attempts that ended well.
    pub tokens_per_second: Option<f64>,
    pub last_error: Option<LastError>,
    pub last_seen_at: i64,
    /// Attempts per bucket, oldest first.
    pub sparkline: Vec<u64>,
    pub error_sparkline: Vec<u64>,
}

impl Ledger {
    /// One request with its attempts. Blocks.
    pub fn request(&self, id: &str) -> Result<Option<RequestDetail>> {
        self.read(|connection| detail(connection, id).map_err(|error| self.sqlite(&error)))
    }

    /// The health of every target that was asked in the `window_ms` before `now_ms`, by provider and
    /// model, with sparklines of `buckets` (at least 1) equal parts. Blocks.
    pub fn health(&self, now_ms: i64, window_ms: i64, buckets: usize) -> Result<Vec<TargetHealth>> {
        let window = Window::new(now_ms, window_ms, buckets);
        self.read(|connection| health(connection, window).map_err(|error| self.sqlite(&error)))
    }
}

fn detail(connection: &Connection, id: &str) -> rusqlite::Result<Option<RequestDetail>> {
    let request = connection
        .prepare_cached(&format!("SELECT {REQUEST_COLUMNS} FROM {REQUEST_TABLES} WHERE r.id = ?1"))?
        .query_row([id], RequestRow::from_row)
        .optional()?;
    let Some(request) = request else { return Ok(None) };
    Ok(Some(RequestDetail { attempts: attempts(connection, id)?, request }))
}

pub(crate) fn attempts(connection: &Connection, request_id: &str) -> rusqlite::Result<Vec<AttemptRow>> {
    connection.prepare_cached(ATTEMPTS_SQL)?.query_map([request_id], AttemptRow::from_row)?.collect()
}

// === impl health ===

#[derive(Debug, Clone, Copy)]
struct Window {
    /// The first millisecond that counts; the last is `end`.
    start: i64,
    end: i64,
    buckets: usize,
}

impl Window {
    fn new(now_ms: i64, window_ms: i64, buckets: usize) -> Self {
        Self { start: now_ms.saturating_sub(window_ms.max(1) - 1), end: now_ms, buckets: buckets.max(1) }
    }

    /// The bucket of a time inside the window.
    fn bucket(self, at: i64) -> usize {
        let length = i128::from(self.end) - i128::from(self.start) + 1;
        let offset = i128::from(at) - i128::from(self.start);
        ((offset * self.buckets as i128 / length).max(0) as usize).min(self.buckets - 1)
    }
}

/// Durations up to a day; a longer one counts as a day.
const LONGEST_MS: u64 = 86_400_000;

/// What is gathered about one target while its rows are read.
struct Tally {
    window: Window,
    requests: u64,
    ended: u64,
    errors: u64,
    truncated: u64,
    ttft: Histogram<u64>,
    duration: Histogram<u64>,
    output_tokens: u64,
    writing_ms: u64,
    last_error: Option<LastError>,
    last_seen_at: i64,
    sparkline: Vec<u64>,
    error_sparkline: Vec<u64>,
}

/// One attempt, as far as health asks.
struct Sample {
    started_at: i64,
    outcome: Outcome,
    is_own_fault: bool,
    error_kind: Option<String>,
    error_message: Option<String>,
    duration_ms: Option<i64>,
    time_to_first_token_ms: Option<i64>,
    output_tokens: Option<i64>,
}

impl Tally {
    /// `None` never happens with these bounds; the histogram's constructor can refuse others.
    fn new(window: Window) -> Option<Self> {
        let histogram = || {
            let mut histogram = Histogram::<u64>::new_with_bounds(1, LONGEST_MS, 3).ok();
            if let Some(histogram) = &mut histogram {
                histogram.auto(false);
            }
            histogram
        };
        Some(Self {
            window,
            requests: 0,
            ended: 0,
            errors: 0,
            truncated: 0,
            ttft: histogram()?,
            duration: histogram()?,
            output_tokens: 0,
            writing_ms: 0,
            last_error: None,
            last_seen_at: window.start,
            sparkline: vec![0; window.buckets],
            error_sparkline: vec![0; window.buckets],
        })
    }

    fn add(&mut self, sample: Sample) {
        let bucket = self.window.bucket(sample.started_at);
        self.requests += 1;
        self.sparkline[bucket] += 1;
        self.last_seen_at = self.last_seen_at.max(sample.started_at);
        match sample.outcome {
            Outcome::Ok => {
                self.ended += 1;
                self.add_speed(&sample);
            }
            // A request that no provider could serve says nothing about this one.
            Outcome::Failed | Outcome::Truncated if sample.is_own_fault => self.ended += 1,
            Outcome::Failed | Outcome::Truncated => {
                self.ended += 1;
                self.errors += 1;
                self.truncated += u64::from(sample.outcome == Outcome::Truncated);
                self.error_sparkline[bucket] += 1;
                let at = sample.started_at.saturating_add(sample.duration_ms.unwrap_or(0));
                if self.last_error.as_ref().is_none_or(|last| last.at <= at) {
                    let (kind, message) = (sample.error_kind, sample.error_message);
                    self.last_error = Some(LastError { kind, message, at });
                }
            }
            Outcome::Running | Outcome::Cancelled | Outcome::Interrupted | Outcome::Superseded => {}
        }
    }

    fn add_speed(&mut self, sample: &Sample) {
        let Some(duration) = sample.duration_ms.and_then(|ms| u64::try_from(ms).ok()) else { return };
        self.duration.saturating_record(duration);
        let Some(ttft) = sample.time_to_first_token_ms.and_then(|ms| u64::try_from(ms).ok()) else { return };
        self.ttft.saturating_record(ttft);
        let Some(output) = sample.output_tokens.and_then(|count| u64::try_from(count).ok()) else { return };
        if duration > ttft {
            self.output_tokens = self.output_tokens.saturating_add(output);
            self.writing_ms = self.writing_ms.saturating_add(duration - ttft);
        }
    }

    fn finish(self, (provider, model): (String, String)) -> TargetHealth {
        TargetHealth {
            provider,
            model,
            requests: self.requests,
            errors: self.errors,
            truncated: self.truncated,
            error_rate: if self.ended == 0 { 0.0 } else { self.errors as f64 / self.ended as f64 },
            ttft_ms: quantiles(&self.ttft),
            duration_ms: quantiles(&self.duration),
            tokens_per_second: (self.writing_ms > 0 && self.output_tokens > 0)
                .then(|| self.output_tokens as f64 * 1000.0 / self.writing_ms as f64),
            last_error: self.last_error,
            last_seen_at: self.last_seen_at,
            sparkline: self.sparkline,
            error_sparkline: self.error_sparkline,
        }
    }
}

fn quantiles(histogram: &Histogram<u64>) -> Option<Quantiles> {
    (!histogram.is_empty()).then(|| Quantiles {
        p50: histogram.value_at_quantile(0.50),
        p95: histogram.value_at_quantile(0.95),
        p99: histogram.value_at_quantile(0.99),
    })
}

fn health(connection: &Connection, window: Window) -> rusqlite::Result<Vec<TargetHealth>> {
    let mut tallies: BTreeMap<(String, String), Tally> = BTreeMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT provider, model, started_at, outcome, coalesce(error_origin IN ('caller', 'gateway'), 0),
             error_kind, error_message, duration_ms, time_to_first_token_ms, output_tokens
         FROM attempts WHERE started_at BETWEEN ?1 AND ?2",
    )?;
    let mut rows = statement.query([window.start, window.end])?;
    while let Some(row) = rows.next()? {
        let target = (row.get(0)?, row.get(1)?);
        let sample = Sample {
            started_at: row.get(2)?,
            outcome: row.get(3)?,
            is_own_fault: row.get(4)?,
            error_kind: row.get(5)?,
            error_message: row.get(6)?,
            duration_ms: row.get(7)?,
            time_to_first_token_ms: row.get(8)?,
            output_tokens: row.get(9)?,
        };
        if let Some(tally) = tallies.get_mut(&target) {
            tally.add(sample);
        } else if let Some(mut tally) = Tally::new(window) {
            tally.add(sample);
            tallies.insert(target, tally);
        }
    }
    Ok(tallies.into_iter().map(|(target, tally)| tally.finish(target)).collect())
}

#[cfg(test)]
mod tests;
