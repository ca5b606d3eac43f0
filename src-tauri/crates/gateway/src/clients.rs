//! Keys that our own port accepts: made here, shown once, stored as hashes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger::{Client, Ledger};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::Clock;

/// What every key begins with, so that people and secret scanners recognise one.
pub const KEY_PREFIX: &str = "sb-";

/// Random bytes in a key.
const KEY_BYTES: usize = 32;

/// Characters at the end of a key that are kept to tell keys apart.
const HINT_CHARS: usize = 4;

/// A client that was just made. The only time its key is seen.
#[derive(Clone, Serialize)]
pub struct NewClient {
    pub id: String,
    pub name: String,
    pub key: String,
}

impl std::fmt::Debug for NewClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewClient").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why no client was made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("A client needs a name of 1 to 64 characters on one line.")]
    BadName,
    #[error("The system gave no random bytes: {0}.")]
    NoRandomness(String),
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
}

/// Makes a client with a new key; stored when it returns. Blocks. Works beside a running gateway,
/// which accepts the key at once.
pub fn create(ledger: &Ledger, clock: Clock, name: &str) -> Result<NewClient, ClientError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
        return Err(ClientError::BadName);
    }
    let mut bytes = [0_u8; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| ClientError::NoRandomness(error.to_string()))?;
    let key = format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let client = Client {
        id: clock.new_id(),
        name: name.to_owned(),
        key_hash: key_hash(&key),
        key_hint: key[key.len() - HINT_CHARS..].to_owned(),
        created_at: clock.now_ms(),
        last_seen_at: None,
    };
    let id = client.id.clone();
    ledger.add_client(client)?;
    Ok(NewClient { id, name: name.to_owned(), key })
}

/// SHA-256 of a key, in lower-case hex. A key is 32 random bytes, so no slow hash is needed.
pub(crate) fn key_hash(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_long_unique_and_only_its_hash_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join(ledger::FILE_NAME), 0).unwrap();
        let first = create(&ledger, Clock, "editor").unwrap();
        let second = create(&ledger, Clock, "script").unwrap();
        assert!(first.key.starts_with("sb-") && first.key.len() == 3 + 43, "{}", first.key.len());
        assert_ne!(first.key, second.key);
        let stored = ledger.find_client(&key_hash(&first.key)).unwrap().unwrap();
        assert_eq!((stored.name.as_str(), stored.id), ("editor", first.id.clone()));
        assert!(first.key.ends_with(&stored.key_hint));
        assert!(!format!("{first:?}").contains(&first.key));
        assert!(matches!(create(&ledger, Clock, " \n"), Err(ClientError::BadName)));
    }
}
