//! Where requests were switched from one target to another, and why. Nothing of it is stored: a
//! switch is an attempt behind one at another target.

use rusqlite::{Connection, Row};
use serde::Serialize;

use crate::entry::Outcome;
use crate::{Ledger, Result};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwitchRow {
    pub request_id: String,
    /// When the second target was asked.
    pub at: i64,
    pub from_provider: String,
    pub from_model: String,
    pub to_provider: String,
    pub to_model: String,
    /// Why the second attempt was made (`failover`, `hedge`, `continue`, `check`).
    pub reason: Option<String>,
    /// The first target's error, where it had one by then or later.
    pub error_kind: Option<String>,
    pub error_message: Option<String>,
    pub http_status: Option<u16>,
    /// From asking the first target to asking the second.
    pub after_ms: i64,
    /// How the second attempt stands or ended.
    pub outcome: Outcome,
    /// How the whole request stands or ended: `Ok` is one that was saved.
    pub request_outcome: Outcome,
}

impl Ledger {
    /// The newest `limit` switches since `since_ms`, the newest first. Blocks.
    pub fn switches(&self, since_ms: i64, limit: u32) -> Result<Vec<SwitchRow>> {
        self.read(|connection| list(connection, since_ms, limit).map_err(|error| self.sqlite(&error)))
    }
}

const SWITCHES_SQL: &str =
    "SELECT b.request_id, b.started_at, a.provider, a.model, b.provider, b.model, b.reason,
        a.error_kind, a.error_message, a.http_status, b.started_at - a.started_at, b.outcome, r.outcome
    FROM attempts AS b
    JOIN attempts AS a ON a.request_id = b.request_id AND a.ordinal = b.ordinal - 1
    JOIN requests AS r ON r.id = b.request_id
    WHERE b.ordinal > 0 AND b.started_at >= ?1 AND (a.provider <> b.provider OR a.model <> b.model)
    ORDER BY b.started_at DESC, b.seq DESC LIMIT ?2";

fn list(connection: &Connection, since_ms: i64, limit: u32) -> rusqlite::Result<Vec<SwitchRow>> {
    connection.prepare_cached(SWITCHES_SQL)?.query_map((since_ms, limit), from_row)?.collect()
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<SwitchRow> {
    Ok(SwitchRow {
        request_id: row.get(0)?,
        at: row.get(1)?,
        from_provider: row.get(2)?,
        from_model: row.get(3)?,
        to_provider: row.get(4)?,
        to_model: row.get(5)?,
        reason: row.get(6)?,
        error_kind: row.get(7)?,
        error_message: row.get(8)?,
        http_status: row.get(9)?,
        after_ms: row.get(10)?,
        outcome: row.get(11)?,
        request_outcome: row.get(12)?,
    })
}

#[cfg(test)]
mod tests {
    use canonical::ErrorKind;

    use super::*;
    use crate::testing::{Book, NOON, attempt, attempt_id, request};
    use crate::{AttemptEnded, Record, RequestSettled};

    /// A request that was asked of these targets in turn, 10 ms apart; all but the last failed.
    fn walk(book: &Book, id: &str, at: i64, targets: &[&str]) {
        book.write(Record::RequestStarted(request(id, at)));
        let last = targets.len() - 1;
        for (n, target) in targets.iter().enumerate() {
            let (provider, model) = target.split_once('/').unwrap();
            let ordinal = u32::try_from(n).unwrap();
            let mut started = attempt(id, ordinal, provider, model, at + 10 * i64::from(ordinal));
            started.reason = Some(if n == 0 { "first" } else { "failover" }.to_owned());
            book.write(Record::AttemptStarted(started));
            let outcome = if n == last { Outcome::Ok } else { Outcome::Failed };
            let error_kind = (n != last).then_some(ErrorKind::Overloaded);
            let ended = AttemptEnded { error_kind, ..AttemptEnded::new(attempt_id(id, ordinal), outcome, 9) };
            book.write(Record::AttemptEnded(ended));
        }
        book.write(Record::RequestSettled(RequestSettled::new(id, Outcome::Ok, at + 99, 99)));
    }

    #[test]
    fn a_switch_is_an_attempt_behind_one_at_another_target() {
        let book = Book::new();
        walk(&book, "early", NOON - 1, &["a/m", "b/m"]);
        walk(&book, "plain", NOON, &["a/m"]);
        walk(&book, "again", NOON + 1_000, &["a/m", "a/m", "b/m"]);
        walk(&book, "model", NOON + 2_000, &["a/m", "a/n"]);
        book.settle();
        let switches = book.ledger.switches(NOON + 100, 10).unwrap();
        let seen: Vec<_> = switches
            .iter()
            .map(|one| {
                (one.request_id.as_str(), one.at - NOON, one.to_provider.as_str(), one.to_model.as_str())
            })
            .collect();
        assert_eq!(seen, [("model", 2_010, "a", "n"), ("again", 1_020, "b", "m")]);
        let again = &switches[1];
        assert_eq!((again.from_provider.as_str(), again.after_ms), ("a", 10));
        assert_eq!(again.error_kind.as_deref(), Some("overloaded"));
        assert_eq!(again.reason.as_deref(), Some("failover"));
        assert_eq!((again.outcome, again.request_outcome), (Outcome::Ok, Outcome::Ok));
        assert_eq!(book.ledger.switches(0, 1).unwrap().len(), 1, "the newest, and no more than asked for");
        assert_eq!(book.ledger.switches(0, 9).unwrap().len(), 3);
    }

    #[test]
    fn the_timeline_reads_only_later_attempts_by_their_time() {
        let book = Book::new();
        let plan: Vec<String> = book
            .ledger
            .read(|connection| {
                let mut statement =
                    connection.prepare(&format!("EXPLAIN QUERY PLAN {SWITCHES_SQL}")).unwrap();
                let rows = statement.query_map((NOON, 9), |row| row.get::<_, String>(3)).unwrap();
                Ok(rows.map(|row| row.unwrap()).collect())
            })
            .unwrap();
        assert!(plan[0].contains("attempts_later"), "{plan:?}");
        assert!(!plan.iter().any(|step| step.contains("SCAN")), "{plan:?}");
    }
}
