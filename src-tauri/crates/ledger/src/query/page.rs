//! Pages of requests, the newest first, by key: a page costs the same however far back it lies, and
//! what is added meanwhile moves nothing.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, Row, params_from_iter};
use serde::Serialize;

use crate::entry::{CostStatus, Outcome};
use crate::{Ledger, Result};

/// A request's place in the order of all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RequestKey {
    pub started_at: i64,
    pub id: String,
}

/// What a request is looked for by. All of it must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestFilter {
    pub terms: Vec<Term>,
    /// Started at this time or later.
    pub since_ms: Option<i64>,
    /// Started before this time.
    pub until_ms: Option<i64>,
    /// Known to have cost more than this.
    pub cost_over_picousd: Option<i64>,
    /// Asked of more than one target in turn.
    pub is_switched: bool,
    /// Only these, where there are any.
    pub ids: Vec<String>,
}

/// One word of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    pub field: Field,
    /// Upper and lower case are the same; `*` stands for anything. A model, an error or any text is
    /// found by a part of it, everything else by the whole word.
    pub value: String,
    /// Whatever does not match.
    pub is_not: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Who answered, or was asked last.
    Provider,
    /// Asked by any attempt.
    Tried,
    /// As the client, we or the provider wrote it.
    Model,
    /// `chat` is the chat window.
    Client,
    Route,
    Outcome,
    /// The kind of the error, or its words.
    Error,
    Operation,
    /// Any of model, provider, client, route and error; or the request's id.
    Text,
}

impl Field {
    /// Whether a part of the word is enough.
    const fn is_loose(self) -> bool {
        matches!(self, Self::Model | Self::Error | Self::Text)
    }

    /// What the pattern is held against; `?` is the pattern, once. `NULL` columns match nothing.
    const fn condition(self) -> &'static str {
        match self {
            Self::Provider => "lower(coalesce(r.provider, '')) GLOB ?",
            Self::Tried => {
                "EXISTS (SELECT 1 FROM attempts WHERE request_id = r.id AND lower(provider) GLOB ?)"
            }
            Self::Model => {
                "lower(r.request_model || char(10) || coalesce(r.model, '') || char(10)
                       || coalesce(r.response_model, '')) GLOB ?"
            }
            Self::Client => {
                "lower(coalesce(r.client, CASE r.dialect WHEN 'chat' THEN 'chat' ELSE '' END)) GLOB ?"
            }
            Self::Route => "lower(coalesce(r.route, '')) GLOB ?",
            Self::Outcome => "r.outcome GLOB ?",
            Self::Error => {
                "lower(coalesce(r.error_kind, '') || char(10) || coalesce(d.error_message, '')) GLOB ?"
            }
            Self::Operation => "coalesce(r.operation, '') GLOB ?",
            Self::Text => {
                "lower(r.id || char(10) || r.request_model || char(10) || coalesce(r.model, '') || char(10)
                       || coalesce(r.provider, '') || char(10) || coalesce(r.client, '') || char(10)
                       || coalesce(r.route, '') || char(10) || coalesce(r.error_kind, '') || char(10)
                       || coalesce(d.error_message, '')) GLOB ?"
            }
        }
    }
}

impl Term {
    /// The value as a `GLOB` in which only `*` is special.
    fn pattern(&self) -> String {
        let mut pattern = String::new();
        for letter in self.value.to_lowercase().chars() {
            match letter {
                '?' | '[' => pattern.extend(['[', letter, ']']),
                letter => pattern.push(letter),
            }
        }
        if self.field.is_loose() && !pattern.contains('*') { format!("*{pattern}*") } else { pattern }
    }
}

/// A request as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestLine {
    pub id: String,
    pub started_at: i64,
    pub outcome: Outcome,
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

/// Sums over everything that a filter lets through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RequestTotals {
    pub requests: u64,
    pub cost_picousd: i64,
    /// Ended with a cost that is not known, and is not in the sum.
    pub unknown: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RequestPage {
    /// The newest first.
    pub rows: Vec<RequestLine>,
    /// There are older ones.
    pub has_more: bool,
}

impl Ledger {
    /// The newest `limit` requests before `before` that `filter` lets through. Blocks.
    pub fn requests(
        &self,
        filter: &RequestFilter,
        before: Option<&RequestKey>,
        limit: u32,
    ) -> Result<RequestPage> {
        self.read(|connection| page(connection, filter, before, limit).map_err(|error| self.sqlite(&error)))
    }

    /// How many requests `filter` lets through, and what they cost. Reads all of them; blocks.
    pub fn request_totals(&self, filter: &RequestFilter) -> Result<RequestTotals> {
        self.read(|connection| totals(connection, filter).map_err(|error| self.sqlite(&error)))
    }
}

/// A request's attempts at another target than the one before them.
const SWITCHED: &str = "attempts AS a JOIN attempts AS b ON b.request_id = a.request_id
    AND b.ordinal = a.ordinal - 1 AND (b.provider <> a.provider OR b.model <> a.model)
    WHERE a.request_id = r.id";

const LINE_COLUMNS: &str = "r.id, r.started_at, r.outcome, r.client, r.dialect, r.operation, r.route,
    r.request_model, r.is_stream,
    coalesce(r.provider, (SELECT provider FROM attempts WHERE request_id = r.id ORDER BY ordinal DESC LIMIT 1)),
    coalesce(r.model, (SELECT model FROM attempts WHERE request_id = r.id ORDER BY ordinal DESC LIMIT 1)),
    (SELECT count(*) FROM attempts WHERE request_id = r.id), r.http_status, r.error_kind,
    r.time_to_first_token_ms, r.duration_ms, r.input_tokens, r.output_tokens, r.cost_picousd, r.cost_status";

fn line(row: &Row<'_>) -> rusqlite::Result<RequestLine> {
    Ok(RequestLine {
        id: row.get(0)?,
        started_at: row.get(1)?,
        outcome: row.get(2)?,
        client: row.get(3)?,
        dialect: row.get(4)?,
        operation: row.get(5)?,
        route: row.get(6)?,
        request_model: row.get(7)?,
        stream: row.get(8)?,
        provider: row.get(9)?,
        model: row.get(10)?,
        attempts: row.get(11)?,
        http_status: row.get(12)?,
        error_kind: row.get(13)?,
        time_to_first_token_ms: row.get(14)?,
        duration_ms: row.get(15)?,
        input_tokens: row.get(16)?,
        output_tokens: row.get(17)?,
        cost_picousd: row.get(18)?,
        cost_status: row.get(19)?,
        switches: row.get(20)?,
    })
}

/// A `WHERE`, with its values in the order of its question marks.
struct Where {
    sql: String,
    values: Vec<SqlValue>,
}

impl Where {
    fn new(filter: &RequestFilter) -> Self {
        let mut built = Self { sql: "TRUE".to_owned(), values: Vec::new() };
        for term in &filter.terms {
            let not = if term.is_not { "NOT " } else { "" };
            built.and(&format!("{not}{}", term.field.condition()), [term.pattern().into()]);
        }
        for (condition, value) in [
            ("r.started_at >= ?", filter.since_ms),
            ("r.started_at < ?", filter.until_ms),
            ("r.cost_picousd > ?", filter.cost_over_picousd),
        ] {
            if let Some(value) = value {
                built.and(condition, [value.into()]);
            }
        }
        if filter.is_switched {
            built.and(&format!("EXISTS (SELECT 1 FROM {SWITCHED})"), []);
        }
        if !filter.ids.is_empty() {
            let marks = vec!["?"; filter.ids.len()].join(", ");
            built.and(&format!("r.id IN ({marks})"), filter.ids.iter().map(|id| id.clone().into()));
        }
        built
    }

    fn and(&mut self, condition: &str, values: impl IntoIterator<Item = SqlValue>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.extend(values);
    }

    /// The tables that the conditions speak of.
    fn tables(filter: &RequestFilter) -> &'static str {
        let needs_details = filter.terms.iter().any(|term| matches!(term.field, Field::Error | Field::Text));
        if needs_details { super::REQUEST_TABLES } else { "requests AS r" }
    }
}

fn page(
    connection: &Connection,
    filter: &RequestFilter,
    before: Option<&RequestKey>,
    limit: u32,
) -> rusqlite::Result<RequestPage> {
    let mut wanted = Where::new(filter);
    if let Some(key) = before {
        wanted.and("(r.started_at, r.id) < (?, ?)", [key.started_at.into(), key.id.clone().into()]);
    }
    // One more than asked for tells whether there are older ones.
    wanted.values.push((i64::from(limit) + 1).into());
    let sql = format!(
        "SELECT {LINE_COLUMNS}, (SELECT count(*) FROM {SWITCHED}) FROM {} WHERE {} ORDER BY r.started_at DESC, r.id DESC LIMIT ?",
        Where::tables(filter),
        wanted.sql
    );
    let mut rows: Vec<RequestLine> = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(wanted.values), line)?
        .collect::<rusqlite::Result<_>>()?;
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    Ok(RequestPage { rows, has_more })
}

fn totals(connection: &Connection, filter: &RequestFilter) -> rusqlite::Result<RequestTotals> {
    let wanted = Where::new(filter);
    let sql = format!(
        "SELECT count(*), coalesce(sum(r.cost_picousd), 0),
                coalesce(sum(r.cost_picousd IS NULL AND r.outcome <> 'running'), 0)
         FROM {} WHERE {}",
        Where::tables(filter),
        wanted.sql
    );
    connection.prepare_cached(&sql)?.query_row(params_from_iter(wanted.values), |row| {
        let count = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
        Ok(RequestTotals { requests: count(0)?, cost_picousd: row.get(1)?, unknown: count(2)? })
    })
}

#[cfg(test)]
mod tests;
