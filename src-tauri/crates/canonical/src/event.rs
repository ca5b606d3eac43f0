//! An answer as it arrives, event by event. The laws of a sequence are in [`crate::grammar`].

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Usage;
use crate::request::{Media, Opaque};
use crate::response::FinishReason;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum StreamEvent {
    /// The provider began to answer. Always first, exactly once.
    Start(ResponseStart),
    /// A part opens. `index` counts parts over the whole answer from 0 and is never used twice;
    /// several parts may be open at once.
    PartStart { index: u32, choice: u32, kind: PartKind },
    /// More of an open part.
    PartDelta { index: u32, delta: PartDelta },
    /// The part is whole.
    PartEnd { index: u32 },
    /// Tokens so far. A later report replaces an earlier one; the last one holds. Boxed, because they
    /// come once or twice an answer and every event has the size of the largest.
    Usage(Box<Usage>),
    /// Fields that only `family` knows (log probabilities, citations, filter results …).
    Extension { choice: Option<u32>, family: String, fields: Map<String, Value> },
    /// One choice is complete: its parts have ended and no more will come.
    Finish {
        choice: u32,
        reason: FinishReason,
        /// The provider's own word, exactly as sent.
        raw: Option<String>,
    },
}

impl StreamEvent {
    /// Whether the client has seen something of the answer once this was passed on. From the first
    /// such event on, another provider cannot take over unseen.
    pub fn is_content(&self) -> bool {
        match self {
            Self::PartStart { kind, .. } => {
                !matches!(kind, PartKind::Text | PartKind::Reasoning | PartKind::Refusal)
            }
            Self::PartDelta { delta, .. } => !delta.is_empty(),
            Self::Start(_)
            | Self::PartEnd { .. }
            | Self::Usage(_)
            | Self::Extension { .. }
            | Self::Finish { .. } => false,
        }
    }
}

/// What the provider says of the whole answer when it begins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseStart {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The model that really answers; may differ from the one asked for.
    pub model: Option<String>,
    /// Seconds since the Unix epoch.
    pub created: Option<i64>,
    pub system_fingerprint: Option<String>,
}

/// What kind of part opens, with what is known of it from the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PartKind {
    Text,
    Reasoning,
    Refusal,
    ToolCall {
        id: String,
        name: String,
        is_server_side: bool,
    },
    /// An image that the model made; whole at once.
    Image {
        media: Media,
    },
    Audio {
        media: Media,
    },
    /// A part that only its family can name; whole at once.
    Opaque {
        opaque: Opaque,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "delta", content = "value", rename_all = "snake_case")]
pub enum PartDelta {
    /// Of a text, reasoning or refusal part.
    Text(String),
    /// Of a tool call: the next piece of its arguments.
    Arguments(String),
    /// Of any part: its signature, whole.
    Signature(String),
    /// Of a reasoning part: its encrypted form, whole.
    Encrypted(String),
}

impl PartDelta {
    /// What it brings, of whatever kind.
    pub fn text(&self) -> &str {
        let (Self::Text(text) | Self::Arguments(text) | Self::Signature(text) | Self::Encrypted(text)) = self;
        text
    }

    pub fn is_empty(&self) -> bool {
        self.text().is_empty()
    }
}
