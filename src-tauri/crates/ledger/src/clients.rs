//! Who may use our port. Only the SHA-256 of a key is stored, so a stolen ledger opens no door.
//!
//! A revoked client keeps its row, because old requests name it, and gives its name free. Reads go
//! to the file each time, so a key added by another process counts at once.

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use crate::{Ledger, LedgerError, Result};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Client {
    pub id: String,
    pub name: String,
    /// SHA-256 of the whole key, in lower-case hex.
    #[serde(skip)]
    pub key_hash: String,
    /// The key's last four characters, to tell keys apart.
    pub key_hint: String,
    pub created_at: i64,
    pub last_seen_at: Option<i64>,
}

const COLUMNS: &str = "id, name, key_hash, key_hint, created_at, last_seen_at";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Client> {
    Ok(Client {
        id: row.get(0)?,
        name: row.get(1)?,
        key_hash: row.get(2)?,
        key_hint: row.get(3)?,
        created_at: row.get(4)?,
        last_seen_at: row.get(5)?,
    })
}

impl Ledger {
    /// Adds a client; on disk when it returns. Works beside a running owner. Blocks.
    ///
    /// # Errors
    /// `NameTaken` where a client of that name has not been revoked.
    pub fn add_client(&self, client: Client) -> Result<()> {
        let path = self.path().to_owned();
        self.transact(move |transaction| {
            let sqlite = |error: rusqlite::Error| LedgerError::sqlite(&path, &error);
            let is_taken: bool = transaction
                .query_row(
                    "SELECT EXISTS (SELECT 1 FROM clients WHERE name = ?1 AND revoked_at IS NULL)",
                    [&client.name],
                    |row| row.get(0),
                )
                .map_err(sqlite)?;
            if is_taken {
                return Err(LedgerError::NameTaken { what: "a client", name: client.name });
            }
            transaction
                .execute(
                    "INSERT INTO clients (id, name, key_hash, key_hint, created_at, last_seen_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        client.id,
                        client.name,
                        client.key_hash,
                        client.key_hint,
                        client.created_at,
                        client.last_seen_at
                    ],
                )
                .map(drop)
                .map_err(sqlite)
        })
    }

    /// The clients whose keys count, oldest first. Blocks.
    pub fn clients(&self) -> Result<Vec<Client>> {
        self.read(|connection| {
            let list = || -> rusqlite::Result<Vec<Client>> {
                connection
                    .prepare_cached(&format!(
                        "SELECT {COLUMNS} FROM clients WHERE revoked_at IS NULL ORDER BY created_at, id"
                    ))?
                    .query_map([], from_row)?
                    .collect()
            };
            list().map_err(|error| self.sqlite(&error))
        })
    }

    /// The client whose key has this hash (lower-case hex), unless it was revoked. Blocks.
    pub fn find_client(&self, key_hash: &str) -> Result<Option<Client>> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM clients WHERE key_hash = ?1 AND revoked_at IS NULL"
                ))
                .and_then(|mut statement| statement.query_row([key_hash], from_row).optional())
                .map_err(|error| self.sqlite(&error))
        })
    }

    /// From now on the client's key opens nothing. On disk when it returns. Blocks.
    ///
    /// # Errors
    /// `NotFound` where there is no such client, or it was revoked before.
    pub fn revoke_client(&self, id: &str, now_ms: i64) -> Result<()> {
        let (path, id) = (self.path().to_owned(), id.to_owned());
        self.transact(move |transaction| {
            let revoked = transaction
                .execute(
                    "UPDATE clients SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
                    params![id, now_ms],
                )
                .map_err(|error| LedgerError::sqlite(&path, &error))?;
            if revoked == 0 {
                return Err(LedgerError::NotFound { what: "client", id });
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
