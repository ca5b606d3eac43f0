//! Clients of the port and their keys.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ClientView {
    pub id: String,
    pub name: String,
    /// The key's last four characters.
    pub key_hint: String,
    pub created_at: i64,
    pub last_seen_at: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct AddClientArgs {
    pub name: String,
}

/// A client just made; its key is shown this once.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct NewClient {
    pub id: String,
    pub name: String,
    pub key: String,
}

impl std::fmt::Debug for NewClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewClient")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("key", &"•••")
            .finish()
    }
}
