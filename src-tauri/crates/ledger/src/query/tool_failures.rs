//! Checks that failed: the newest with their context, and how many of each kind a model has.

use rusqlite::{Connection, Row};
use serde::Serialize;

use crate::{Ledger, Result, ToolFailed};

/// How often a model's calls or texts failed in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolFailureCount {
    pub provider: String,
    pub model: String,
    pub kind: String,
    pub failures: u32,
    pub repaired: u32,
}

/// What to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolFailureFilter {
    pub provider: Option<String>,
    pub model: Option<String>,
    pub since_ms: i64,
    pub limit: u32,
}

impl Ledger {
    /// Failed checks since a time, the newest first. Blocks.
    pub fn tool_failures(&self, filter: &ToolFailureFilter) -> Result<Vec<ToolFailed>> {
        self.read(|connection| list(connection, filter).map_err(|error| self.sqlite(&error)))
    }

    /// Failed checks since a time, by provider, model and kind. Blocks.
    pub fn tool_failure_counts(&self, since_ms: i64) -> Result<Vec<ToolFailureCount>> {
        self.read(|connection| counts(connection, since_ms).map_err(|error| self.sqlite(&error)))
    }
}

pub(super) fn of_request(connection: &Connection, request_id: &str) -> rusqlite::Result<Vec<ToolFailed>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM tool_failures WHERE request_id = ?1 ORDER BY seq"))?
        .query_map([request_id], from_row)?
        .collect()
}

const COLUMNS: &str = "request_id, ordinal, at, provider, model, tool, kind, path, message, remedy, repairs,
                       arguments, schema_json";

fn list(connection: &Connection, filter: &ToolFailureFilter) -> rusqlite::Result<Vec<ToolFailed>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM tool_failures
             WHERE at >= ?1 AND (?2 IS NULL OR provider = ?2) AND (?3 IS NULL OR model = ?3)
             ORDER BY at DESC, seq DESC LIMIT ?4",
        ))?
        .query_map((filter.since_ms, &filter.provider, &filter.model, filter.limit), from_row)?
        .collect()
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<ToolFailed> {
    Ok(ToolFailed {
        request_id: row.get(0)?,
        ordinal: row.get(1)?,
        at: row.get(2)?,
        provider: row.get(3)?,
        model: row.get(4)?,
        tool: row.get(5)?,
        kind: row.get(6)?,
        path: row.get(7)?,
        message: row.get(8)?,
        remedy: row.get(9)?,
        repairs: row.get(10)?,
        arguments: row.get(11)?,
        schema: row.get(12)?,
    })
}

fn counts(connection: &Connection, since_ms: i64) -> rusqlite::Result<Vec<ToolFailureCount>> {
    connection
        .prepare_cached(
            "SELECT provider, model, kind, count(*), sum(remedy = 'repaired') FROM tool_failures
             WHERE at >= ?1 GROUP BY provider, model, kind ORDER BY provider, model, kind",
        )?
        .query_map([since_ms], |row| {
            Ok(ToolFailureCount {
                provider: row.get(0)?,
                model: row.get(1)?,
                kind: row.get(2)?,
                failures: row.get(3)?,
                repaired: row.get(4)?,
            })
        })?
        .collect()
}

#[cfg(test)]
mod tests {
    use canonical::FinishReason;

    use super::*;
    use crate::testing::{Book, Exchange, NOON};
    use crate::{AttemptEnded, CheckCounts, Record};

    fn failed(request_id: &str, at: i64, kind: &str, remedy: &str) -> Record {
        Record::ToolFailed(ToolFailed {
            request_id: request_id.to_owned(),
            ordinal: 0,
            at,
            provider: "acme".to_owned(),
            model: "large".to_owned(),
            tool: Some("ring".to_owned()),
            kind: kind.to_owned(),
            path: Some("/n".to_owned()),
            message: "`/n` is string where the schema wants integer.".to_owned(),
            remedy: remedy.to_owned(),
            repairs: Some("to_number".to_owned()),
            arguments: "ü".repeat(10_000),
            schema: Some("{}".to_owned()),
        })
    }

    fn asked(book: &Book) {
        let exchange = Exchange::new("r", NOON, "acme/large");
        for record in exchange.started() {
            book.write(record);
        }
        book.write(Record::AttemptEnded(AttemptEnded {
            checks: CheckCounts { checked: 5, failed: 3, repaired: 1 },
            finish_reason: Some(FinishReason::Refusal),
            ..exchange.attempt_ended()
        }));
        book.write(failed("r", NOON, "schema_mismatch", "repaired"));
        book.write(failed("r", NOON + 1, "schema_mismatch", "none"));
        book.write(failed("r", NOON + 2, "invalid_json", "withheld"));
        book.settle();
    }

    #[test]
    fn the_newest_come_first_with_their_context_cut_to_size() {
        let book = Book::new();
        asked(&book);
        let filter = ToolFailureFilter { since_ms: NOON, limit: 2, ..ToolFailureFilter::default() };
        let rows = book.ledger.tool_failures(&filter).unwrap();
        let kinds: Vec<_> = rows.iter().map(|row| (row.at - NOON, row.kind.as_str())).collect();
        assert_eq!(kinds, [(2, "invalid_json"), (1, "schema_mismatch")]);
        assert!(rows[0].arguments.len() <= 8 << 10 && rows[0].arguments.starts_with('ü'));
        let other = ToolFailureFilter { model: Some("small".to_owned()), limit: 9, ..filter };
        assert_eq!(book.ledger.tool_failures(&other).unwrap(), []);
    }

    #[test]
    fn each_model_has_its_counts() {
        let book = Book::new();
        asked(&book);
        let counts = book.ledger.tool_failure_counts(NOON).unwrap();
        let shown: Vec<_> =
            counts.iter().map(|one| (one.kind.as_str(), one.failures, one.repaired)).collect();
        assert_eq!(shown, [("invalid_json", 1, 0), ("schema_mismatch", 2, 1)]);
        let health = book.ledger.health(NOON + 10, 60_000, 1).unwrap().remove(0);
        assert_eq!(
            (health.checked, health.check_failures, health.check_repairs, health.refusals),
            (5, 3, 1, 1)
        );
    }
}
