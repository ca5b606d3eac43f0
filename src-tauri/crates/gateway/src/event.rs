//! What the gateway tells whoever listens. No content, no secrets.

use canonical::ErrorKind;
use ledger::Outcome;
use serde::Serialize;

use crate::port::PortState;

/// Something changed. Listeners that lag lose the oldest ones and should read the state anew.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    RequestStarted {
        request_id: String,
        client: Option<String>,
        request_model: String,
        chat_id: Option<String>,
        message_id: Option<String>,
    },
    AttemptFailed {
        request_id: String,
        provider: String,
        model: String,
        error_kind: ErrorKind,
        message: String,
    },
    RequestSettled {
        request_id: String,
        outcome: Outcome,
        provider: Option<String>,
        model: Option<String>,
        error_kind: Option<ErrorKind>,
        chat_id: Option<String>,
        message_id: Option<String>,
    },
    /// The settings file was read again. `error` says why it was refused and the last good
    /// settings go on; `None`: the new ones hold.
    ConfigChanged {
        error: Option<String>,
    },
    PortChanged(PortState),
    /// A provider's key was stored or removed.
    KeyChanged {
        provider: String,
    },
}
