//! How each target did lately, from its attempts.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use rusqlite::Connection;
use serde::Serialize;

use crate::entry::Outcome;
use crate::{Ledger, Result, SHORTEST_WRITING_MS};

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
    /// Attempts that ended well.
    pub answered: u64,
    /// Attempts that failed through the request's or the settings' own fault. What is neither
    /// answered, refused nor an error still runs, or was stopped.
    pub refused: u64,
    /// Attempts that failed or broke off through the provider's or the network's fault.
    pub errors: u64,
    /// Of the errors, those that broke off.
    pub truncated: u64,
    /// Tool calls, and texts with a format, that were held against what was asked.
    pub checked: u64,
    /// Of those, the ones that were wrong.
    pub check_failures: u64,
    /// Of the wrong ones, those that were mended.
    pub check_repairs: u64,
    /// Answers that the model or a filter declined.
    pub refusals: u64,
    /// Errors among the attempts that came to an end of their own; 0 where none did.
    pub error_rate: f64,
    /// Of attempts that ended well.
    pub ttft_ms: Option<Quantiles>,
    /// Of attempts that ended well.
    pub duration_ms: Option<Quantiles>,
    /// Output tokens from the first token to the end, over all attempts that ended well and took long
    /// enough to tell.
    pub tokens_per_second: Option<f64>,
    pub last_error: Option<LastError>,
    pub last_seen_at: i64,
    /// Attempts per bucket, oldest first.
    pub sparkline: Vec<u64>,
    pub error_sparkline: Vec<u64>,
}

impl Ledger {
    /// The health of every target that was asked in the `window_ms` before `now_ms`, by provider and
    /// model, with sparklines of `buckets` (at least 1) equal parts. Blocks.
    pub fn health(&self, now_ms: i64, window_ms: i64, buckets: usize) -> Result<Vec<TargetHealth>> {
        let window = Window::new(now_ms, window_ms, buckets);
        self.read(|connection| health(connection, window).map_err(|error| self.sqlite(&error)))
    }
}

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
    answered: u64,
    refused: u64,
    errors: u64,
    truncated: u64,
    checks: [u64; 3],
    refusals: u64,
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
    /// Checked, failed, repaired.
    checks: [u32; 3],
    is_refusal: bool,
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
            answered: 0,
            refused: 0,
            errors: 0,
            truncated: 0,
            checks: [0; 3],
            refusals: 0,
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
        self.refusals += u64::from(sample.is_refusal);
        for (sum, count) in self.checks.iter_mut().zip(sample.checks) {
            *sum += u64::from(count);
        }
        self.sparkline[bucket] += 1;
        self.last_seen_at = self.last_seen_at.max(sample.started_at);
        match sample.outcome {
            Outcome::Ok => {
                self.answered += 1;
                self.add_speed(&sample);
            }
            // A request that no provider could serve says nothing about this one.
            Outcome::Failed | Outcome::Truncated if sample.is_own_fault => self.refused += 1,
            Outcome::Failed | Outcome::Truncated => {
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
        if duration.saturating_sub(ttft) >= SHORTEST_WRITING_MS {
            self.output_tokens = self.output_tokens.saturating_add(output);
            self.writing_ms = self.writing_ms.saturating_add(duration - ttft);
        }
    }

    fn finish(self, (provider, model): (String, String)) -> TargetHealth {
        let ended = self.answered + self.refused + self.errors;
        TargetHealth {
            provider,
            model,
            requests: self.requests,
            answered: self.answered,
            refused: self.refused,
            errors: self.errors,
            truncated: self.truncated,
            checked: self.checks[0],
            check_failures: self.checks[1],
            check_repairs: self.checks[2],
            refusals: self.refusals,
            error_rate: if ended == 0 { 0.0 } else { self.errors as f64 / ended as f64 },
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
             error_kind, error_message, duration_ms, time_to_first_token_ms, output_tokens,
             checked, check_failures, check_repairs,
             coalesce(finish_reason IN ('refusal', 'content_filter'), 0) OR coalesce(error_kind = 'content_filtered', 0)
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
            checks: [row.get(10)?, row.get(11)?, row.get(12)?],
            is_refusal: row.get(13)?,
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
