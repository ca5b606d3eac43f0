//! What was spent: by the user's days, by provider or model, today and this month.
//!
//! Every request's cost is counted once. Where failed attempts of it cost something, that part
//! stands under the target that charged it and the rest under the one that answered, so the groups
//! always sum to the total. A request without a known cost adds to `unknown` and not to a sum.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use rusqlite::Connection;
use serde::Serialize;

use crate::{Ledger, Result};

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
const EPOCH: Date = date(1970, 1, 1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SpendBy {
    Provider,
    Model,
}

/// Sums of one group of requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SpendTotal {
    pub cost_picousd: i64,
    /// Settled and interrupted ones; what still runs is not counted.
    pub requests: u64,
    /// Requests whose cost is not known and is not in the sum.
    pub unknown: u64,
    /// Cached ones included.
    pub input_tokens: u64,
    pub cache_read_tokens: u64,
    pub cache_write_tokens: u64,
    /// Reasoning included.
    pub output_tokens: u64,
    pub reasoning_tokens: u64,
    pub web_searches: u64,
}

impl SpendTotal {
    fn add(&mut self, other: &Self) {
        self.cost_picousd = self.cost_picousd.saturating_add(other.cost_picousd);
        for (sum, more) in [
            (&mut self.requests, other.requests),
            (&mut self.unknown, other.unknown),
            (&mut self.input_tokens, other.input_tokens),
            (&mut self.cache_read_tokens, other.cache_read_tokens),
            (&mut self.cache_write_tokens, other.cache_write_tokens),
            (&mut self.output_tokens, other.output_tokens),
            (&mut self.reasoning_tokens, other.reasoning_tokens),
            (&mut self.web_searches, other.web_searches),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpendGroup {
    /// A provider's id, or `provider/model`; empty for requests that reached no provider.
    pub key: String,
    /// Empty for requests that reached no provider.
    pub provider: String,
    /// `None` when grouped by provider.
    pub model: Option<String>,
    pub total: SpendTotal,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpendDay {
    /// `2026-11-20`, by the user's clock.
    pub date: String,
    /// The most expensive first.
    pub groups: Vec<SpendGroup>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpendSummary {
    pub today: SpendTotal,
    /// Since the first of the month by the user's clock, whatever `days` is.
    pub month: SpendTotal,
    /// Every day of the span, oldest first, those without requests included.
    pub days: Vec<SpendDay>,
    /// Over the span, the most expensive first.
    pub totals: Vec<SpendGroup>,
}

/// What attempts of one kind cost together: each at the target that charged it, whether it gave the
/// answer or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    pub client: Option<String>,
    /// The route, or the model as the client named it where that is none.
    pub route: String,
    /// Who charged it.
    pub provider: String,
    pub model: String,
    pub cost_picousd: i64,
}

impl Ledger {
    /// What the attempts that started at `from_ms` or later have cost so far, by everything that a
    /// budget may be for. Blocks.
    pub fn charges_since(&self, from_ms: i64) -> Result<Vec<Charge>> {
        self.read(|connection| charges(connection, from_ms).map_err(|error| self.sqlite(&error)))
    }

    /// Spend of the last `days` days (today is one of them), today and this month, where a day
    /// begins at midnight `utc_offset_minutes` east of UTC. Blocks.
    pub fn spend(
        &self,
        now_ms: i64,
        days: u32,
        by: SpendBy,
        utc_offset_minutes: i32,
    ) -> Result<SpendSummary> {
        let calendar = Calendar::new(now_ms, utc_offset_minutes);
        self.read(|connection| summary(connection, calendar, days, by).map_err(|error| self.sqlite(&error)))
    }

    /// Only today's sum; cheap enough for a status line. Blocks.
    pub fn spend_today(&self, now_ms: i64, utc_offset_minutes: i32) -> Result<SpendTotal> {
        let calendar = Calendar::new(now_ms, utc_offset_minutes);
        self.read(|connection| {
            let cells = cells(connection, calendar, calendar.today, calendar.today, SpendBy::Provider)
                .map_err(|error| self.sqlite(&error))?;
            Ok(sum(&cells, calendar.today))
        })
    }
}

/// Days since 1970-01-01 by the user's clock.
type Day = i64;

#[derive(Debug, Clone, Copy)]
struct Calendar {
    offset_ms: i64,
    today: Day,
}

impl Calendar {
    fn new(now_ms: i64, utc_offset_minutes: i32) -> Self {
        let offset_ms = i64::from(utc_offset_minutes) * MINUTE_MS;
        Self { offset_ms, today: now_ms.saturating_add(offset_ms).div_euclid(DAY_MS) }
    }

    /// The moment a day begins.
    fn starts_at(self, day: Day) -> i64 {
        day.saturating_mul(DAY_MS).saturating_sub(self.offset_ms)
    }

    /// The first day of today's month.
    fn month_start(self) -> Day {
        self.today - i64::from(date_of(self.today).day()) + 1
    }
}

/// Days outside of what a calendar can name count as its ends.
fn date_of(day: Day) -> Date {
    EPOCH.saturating_add(day.clamp(-4_000_000, 4_000_000).days())
}

/// Sums by day and by (provider, model); the model is empty when grouped by provider.
type Cells = BTreeMap<(Day, String, String), SpendTotal>;

fn summary(
    connection: &Connection,
    calendar: Calendar,
    days: u32,
    by: SpendBy,
) -> rusqlite::Result<SpendSummary> {
    let first_shown = calendar.today - i64::from(days.max(1)) + 1;
    let first_read = first_shown.min(calendar.month_start());
    let cells = cells(connection, calendar, first_read, calendar.today, by)?;
    let shown = || cells.iter().filter(|((day, ..), _)| *day >= first_shown);

    let mut by_day: BTreeMap<Day, Vec<SpendGroup>> =
        (first_shown..=calendar.today).map(|day| (day, Vec::new())).collect();
    let mut totals: BTreeMap<(&str, &str), SpendTotal> = BTreeMap::new();
    for ((day, provider, model), total) in shown() {
        by_day.entry(*day).or_default().push(group(provider, model, by, total.clone()));
        totals.entry((provider, model)).or_default().add(total);
    }
    let days = by_day
        .into_iter()
        .map(|(day, groups)| SpendDay { date: date_of(day).to_string(), groups: dearest_first(groups) })
        .collect();
    let totals = totals.into_iter().map(|((provider, model), total)| group(provider, model, by, total));
    Ok(SpendSummary {
        today: sum(&cells, calendar.today),
        month: sum(&cells, calendar.month_start()),
        days,
        totals: dearest_first(totals.collect()),
    })
}

fn group(provider: &str, model: &str, by: SpendBy, total: SpendTotal) -> SpendGroup {
    let (key, model) = match by {
        SpendBy::Provider => (provider.to_owned(), None),
        SpendBy::Model if provider.is_empty() && model.is_empty() => (String::new(), Some(String::new())),
        SpendBy::Model => (format!("{provider}/{model}"), Some(model.to_owned())),
    };
    SpendGroup { key, provider: provider.to_owned(), model, total }
}

fn dearest_first(mut groups: Vec<SpendGroup>) -> Vec<SpendGroup> {
    groups.sort_by(|a, b| b.total.cost_picousd.cmp(&a.total.cost_picousd).then_with(|| a.key.cmp(&b.key)));
    groups
}

/// Everything since the day `first`.
fn sum(cells: &Cells, first: Day) -> SpendTotal {
    let mut total = SpendTotal::default();
    for (_, cell) in cells.iter().filter(|((day, ..), _)| *day >= first) {
        total.add(cell);
    }
    total
}

fn cells(
    connection: &Connection,
    calendar: Calendar,
    first: Day,
    last: Day,
    by: SpendBy,
) -> rusqlite::Result<Cells> {
    let mut cells = Cells::new();
    let range = (calendar.starts_at(first), calendar.starts_at(last + 1));
    // Days are aligned to the first one's midnight, so the division is of numbers that are not negative.
    let day_of = |started_at: i64| first + (started_at - range.0) / DAY_MS;
    let named = |model: String| if by == SpendBy::Model { model } else { String::new() };

    let mut statement = connection.prepare_cached(
        "SELECT (started_at - ?1) / 86400000, coalesce(provider, ''),
             CASE WHEN ?3 THEN coalesce(model, response_model, '') ELSE '' END,
             coalesce(sum(cost_picousd), 0), count(*), count(*) - count(cost_picousd),
             coalesce(sum(input_tokens), 0), coalesce(sum(cache_read_tokens), 0),
             coalesce(sum(cache_write_tokens), 0), coalesce(sum(output_tokens), 0),
             coalesce(sum(reasoning_tokens), 0), coalesce(sum(web_searches), 0)
         FROM requests
         WHERE started_at >= ?1 AND started_at < ?2 AND outcome <> 'running'
         GROUP BY 1, 2, 3",
    )?;
    let mut rows = statement.query((range.0, range.1, by == SpendBy::Model))?;
    while let Some(row) = rows.next()? {
        let count = |column: usize| -> rusqlite::Result<u64> { Ok(row.get::<_, i64>(column)?.max(0) as u64) };
        let key = (first + row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?);
        let total = SpendTotal {
            cost_picousd: row.get(3)?,
            requests: count(4)?,
            unknown: count(5)?,
            input_tokens: count(6)?,
            cache_read_tokens: count(7)?,
            cache_write_tokens: count(8)?,
            output_tokens: count(9)?,
            reasoning_tokens: count(10)?,
            web_searches: count(11)?,
        };
        cells.entry(key).or_default().add(&total);
    }

    // An attempt never starts before its request, which lets the index skip the past.
    // What failed attempts cost goes from the target that answered to the one that charged.
    let mut statement = connection.prepare_cached(
        "SELECT r.started_at, coalesce(r.provider, ''), coalesce(r.model, r.response_model, ''),
             a.provider, a.model, a.cost_picousd
         FROM attempts AS a CROSS JOIN requests AS r ON r.id = a.request_id
         WHERE a.outcome <> 'ok' AND a.cost_picousd > 0 AND a.started_at >= ?1 AND r.outcome <> 'running'
             AND r.cost_picousd IS NOT NULL AND r.started_at >= ?1 AND r.started_at < ?2
             AND (a.provider, a.model) IS NOT (r.provider, coalesce(r.model, r.response_model))",
    )?;
    let mut rows = statement.query(range)?;
    while let Some(row) = rows.next()? {
        let day = day_of(row.get(0)?);
        let answered = (day, row.get(1)?, named(row.get(2)?));
        let charged = (day, row.get(3)?, named(row.get(4)?));
        let cost: i64 = row.get(5)?;
        let cell = cells.entry(answered).or_default();
        cell.cost_picousd = cell.cost_picousd.saturating_sub(cost);
        let cell = cells.entry(charged).or_default();
        cell.cost_picousd = cell.cost_picousd.saturating_add(cost);
    }
    Ok(cells)
}

fn charges(connection: &Connection, from_ms: i64) -> rusqlite::Result<Vec<Charge>> {
    let mut statement = connection.prepare_cached(
        "SELECT r.client, coalesce(r.route, r.request_model), a.provider, a.model, sum(a.cost_picousd)
         FROM attempts AS a JOIN requests AS r ON r.id = a.request_id
         WHERE a.started_at >= ?1 AND a.cost_picousd > 0
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
    )?;
    let rows = statement.query_map([from_ms], |row| {
        Ok(Charge {
            client: row.get(0)?,
            route: row.get(1)?,
            provider: row.get(2)?,
            model: row.get(3)?,
            cost_picousd: row.get(4)?,
        })
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests;
