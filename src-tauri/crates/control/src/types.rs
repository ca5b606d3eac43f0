//! What crosses the control surface: arguments, results, events. `bindings.rs` writes the same
//! types for the window, so a field renamed here is a compile error there.
//!
//! Units are in the names: `*_at` is milliseconds since the Unix epoch (UTC), `*_ms` milliseconds,
//! `*_picousd` pico-dollars (10⁻¹² USD). `None` is unknown, never 0. No result ever carries a
//! provider's key; a client's key is in the answer to `clients.add` and nowhere else.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

mod app;
mod chats;
mod clients;
mod health;
mod providers;
mod requests;
mod routes;
mod routing;
mod settings;
mod spend;
mod traffic;
mod watch;

pub use app::*;
pub use chats::*;
pub use clients::*;
pub use health::*;
pub use providers::*;
pub use requests::*;
pub use routes::*;
pub use routing::*;
pub use settings::*;
pub use spend::*;
pub use traffic::*;
pub use watch::*;

/// No arguments.
#[derive(Debug, Clone, Default, Serialize, Deserialize, TS)]
#[ts(type = "Record<string, never>")]
pub struct Empty {}

/// What went wrong, in a closed vocabulary for programs and a sentence for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ControlErrorKind {
    /// The command does not exist.
    UnknownCommand,
    /// The arguments have not the command's shape.
    InvalidArgs,
    /// The arguments are well-formed and cannot be followed.
    Invalid,
    /// What was named is not there.
    NotFound,
    /// The name is taken.
    Conflict,
    /// An answer is being written; stop it first.
    Busy,
    /// No keychain on this machine.
    KeychainAbsent,
    /// The keychain is there and closed.
    KeychainLocked,
    /// The keychain is there and failed.
    KeychainError,
    /// The settings file has a mistake or cannot be written.
    Settings,
    /// The address is taken or cannot be listened on.
    Port,
    /// The provider said no, or could not be reached.
    Provider,
    /// The database said no.
    Ledger,
    /// The database is damaged; only the user's word moves it aside.
    LedgerCorrupt,
    /// Another Signalbox runs with the same data folder.
    AlreadyRunning,
    /// A fault of our own.
    Internal,
}

/// An error that is part of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ErrorView {
    pub kind: String,
    pub message: String,
}
