//! What the core tells every front unasked. Events are of low rate and carry ids, not content: a
//! front that hears one asks for what it shows.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RequestEvent {
    pub id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AttemptFailedEvent {
    pub request_id: String,
    pub provider: String,
    pub model: String,
    pub error_kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ConfigChangedEvent {
    /// The file as it stands is not in force, and why.
    pub error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PortChangedEvent {
    pub listening: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ChatsChangedEvent {
    pub chat_id: String,
}

macro_rules! events {
    ($($(#[$meta:meta])* $variant:ident = $name:literal ($payload:ty),)+) => {
        /// One event, with its name and its payload.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum ControlEvent { $($(#[$meta])* $variant($payload),)+ }

        impl ControlEvent {
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)+ }
            }

            /// The payload as JSON.
            pub fn data(&self) -> Value {
                match self {
                    // Structs of strings: there is nothing in them that JSON cannot say.
                    $(Self::$variant(payload) => serde_json::to_value(payload).unwrap_or(Value::Null),)+
                }
            }
        }

        /// Shows every event's name and payload type to `visit`, for the bindings.
        pub(crate) fn signatures(visit: &mut impl crate::bindings::Signatures) {
            $(visit.event::<$payload>($name);)+
        }
    };
}

events! {
    RequestStarted = "request.started" (RequestEvent),
    AttemptFailed = "attempt.failed" (AttemptFailedEvent),
    RequestSettled = "request.settled" (RequestEvent),
    ConfigChanged = "config.changed" (ConfigChangedEvent),
    PortChanged = "port.changed" (PortChangedEvent),
    /// A chat was made, changed or removed.
    ChatsChanged = "chats.changed" (ChatsChangedEvent),
}
