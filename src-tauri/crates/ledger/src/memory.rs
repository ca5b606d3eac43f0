//! What others ask the ledger to keep over a restart: a text by its name.

use rusqlite::OptionalExtension;

use crate::{Ledger, Result};

impl Ledger {
    /// Keeps `value` under `key`, in the place of what was there; `None` takes it away. On disk when
    /// it returns. Blocks.
    pub fn remember(&self, key: &str, value: Option<String>, now_ms: i64) -> Result<()> {
        let (key, path) = (key.to_owned(), self.path().to_owned());
        self.transact(move |transaction| {
            match value {
                Some(value) => transaction.execute(
                    "INSERT INTO memory (key, value, written_at) VALUES (?1, ?2, ?3)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value, written_at = excluded.written_at",
                    (&key, &value, now_ms),
                ),
                None => transaction.execute("DELETE FROM memory WHERE key = ?1", [&key]),
            }
            .map_err(|error| crate::LedgerError::sqlite(&path, &error))?;
            Ok(())
        })
    }

    /// What is kept under `key`. Blocks.
    pub fn remembered(&self, key: &str) -> Result<Option<String>> {
        self.read(|connection| {
            connection
                .query_row("SELECT value FROM memory WHERE key = ?1", [key], |row| row.get(0))
                .optional()
                .map_err(|error| self.sqlite(&error))
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Book;

    #[test]
    fn what_is_kept_is_there_after_a_restart() {
        let book = Book::new();
        book.ledger.remember("router", Some("one".into()), 1).unwrap();
        book.ledger.remember("router", Some("two".into()), 2).unwrap();
        book.ledger.remember("other", Some("three".into()), 2).unwrap();
        let book = book.reopen();
        assert_eq!(book.ledger.remembered("router").unwrap().as_deref(), Some("two"));
        book.ledger.remember("router", None, 3).unwrap();
        assert_eq!(book.ledger.remembered("router").unwrap(), None);
        assert_eq!(book.ledger.remembered("other").unwrap().as_deref(), Some("three"));
    }
}
