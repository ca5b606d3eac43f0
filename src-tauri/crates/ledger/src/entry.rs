//! What is written: plain records, one per thing that happened. The writer turns them into rows.
//!
//! Times are integer milliseconds since the Unix epoch (UTC), durations integer milliseconds, money
//! is pico-dollars. `None` is unknown and never the same as 0. Ids are the caller's.

use canonical::error::Origin;
use canonical::{ErrorKind, FinishReason, PicoUsd, Usage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::chats::{MessageEnded, MessageProgress, NewMessage};

/// One thing that happened, for [`crate::Ledger::write`].
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    RequestStarted(RequestStarted),
    AttemptStarted(AttemptStarted),
    AttemptEnded(AttemptEnded),
    RequestSettled(RequestSettled),
    ToolFailed(ToolFailed),
    Decided(Decided),
    MessageCreated(NewMessage),
    MessageProgress(MessageProgress),
    MessageEnded(MessageEnded),
    /// A client's key was used.
    ClientSeen {
        id: String,
        at: i64,
    },
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word that stands in the database and in exports.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// `None` for a word of another vocabulary.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl rusqlite::types::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl rusqlite::types::FromSql for $name {
            fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                Self::from_word(value.as_str()?).ok_or(rusqlite::types::FromSqlError::InvalidType)
            }
        }
    };
}
pub(crate) use words;

words! {
    /// How a request or an attempt stands or ended.
    Outcome {
        Running = "running",
        Ok = "ok",
        Failed = "failed",
        /// The answer broke off without its end.
        Truncated = "truncated",
        /// The client left, or the user pressed stop.
        Cancelled = "cancelled",
        /// Our process died while it ran; how it ended is unknown.
        Interrupted = "interrupted",
        /// An attempt that was given up because another one answered. Never a request's.
        Superseded = "superseded",
    }
}

words! {
    /// Where a cost comes from.
    CostStatus {
        /// The provider said what it charged.
        Reported = "reported",
        /// Reported usage times known prices.
        Computed = "computed",
        /// Our own count of tokens, or a price that may not be the one in force.
        Estimated = "estimated",
        /// No usage or no price: the cost is NULL.
        Unknown = "unknown",
    }
}

/// A cost and where it comes from; the amount is there exactly where the status is not `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    picousd: Option<PicoUsd>,
    status: CostStatus,
}

impl Cost {
    pub const UNKNOWN: Self = Self { picousd: None, status: CostStatus::Unknown };

    /// Certainly nothing: no provider was reached, or the provider is our own rehearsal.
    pub const FREE: Self = Self::computed(PicoUsd::ZERO);

    pub const fn computed(cost: PicoUsd) -> Self {
        Self { picousd: Some(cost), status: CostStatus::Computed }
    }

    pub const fn reported(cost: PicoUsd) -> Self {
        Self { picousd: Some(cost), status: CostStatus::Reported }
    }

    pub const fn estimated(cost: PicoUsd) -> Self {
        Self { picousd: Some(cost), status: CostStatus::Estimated }
    }

    /// Unknown where either side of the pair says so.
    pub const fn new(picousd: Option<PicoUsd>, status: CostStatus) -> Self {
        match (picousd, status) {
            (None, _) | (_, CostStatus::Unknown) => Self::UNKNOWN,
            known => Self { picousd: known.0, status },
        }
    }

    pub const fn picousd(self) -> Option<PicoUsd> {
        self.picousd
    }

    pub const fn status(self) -> CostStatus {
        self.status
    }
}

impl Default for Cost {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

/// A request was accepted; it stands as `running` until it is settled.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestStarted {
    pub id: String,
    pub started_at: i64,
    /// The name of the client whose key was used; `None` where no key was needed (the chat window).
    pub client: Option<String>,
    /// What the client speaks (`openai-chat`), or `chat` for the chat window.
    pub dialect: String,
    /// What is asked for: `chat`, `embeddings`. `None` where it was refused before that was read.
    pub operation: Option<String>,
    /// The route that the model name chose, if one.
    pub route: Option<String>,
    /// The model name exactly as the client wrote it.
    pub request_model: String,
    pub stream: bool,
    pub chat_id: Option<String>,
    /// The answer's message in the chat.
    pub message_id: Option<String>,
}

/// One target was asked. Its request was written before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AttemptStarted {
    pub id: String,
    pub request_id: String,
    /// 0 for the first attempt of a request.
    pub ordinal: u32,
    pub provider: String,
    /// The model's id as the provider is asked for it.
    pub model: String,
    pub started_at: i64,
    /// Why this attempt was made (`first`, `failover`, `retry`), where it is known at its start.
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AttemptEnded {
    pub id: String,
    pub outcome: Outcome,
    pub error_kind: Option<ErrorKind>,
    /// Only `Provider` and `Network` (and `None`) count against the provider's health.
    pub error_origin: Option<Origin>,
    pub http_status: Option<u16>,
    /// Replaces the reason given at the start, where it is `Some`.
    pub reason: Option<String>,
    /// For people; never a secret, never content.
    pub error_message: Option<String>,
    pub duration_ms: i64,
    pub time_to_first_token_ms: Option<i64>,
    pub usage: Option<Usage>,
    pub cost: Cost,
    pub provider_request_id: Option<String>,
    pub finish_reason: Option<FinishReason>,
    pub checks: CheckCounts,
    /// `verbatim` or `translated`, where an answer began.
    pub lane: Option<String>,
    /// A refusal in the provider's own words, cut to some KiB; never a secret.
    pub error_body: Option<String>,
    /// What of the request the target was not told as the client said it.
    pub notes: Vec<String>,
    pub passed_over: PassedOver,
}

/// Pieces of a stream that were passed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// Good, and of no kind that is known.
    pub unknown: u32,
    /// Not to be read.
    pub malformed: u32,
}

/// How many calls and texts of an answer were checked, how many failed, how many of those were mended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckCounts {
    pub checked: u32,
    pub failed: u32,
    pub repaired: u32,
}

/// Why a request went where it went. Its request was written before; a later one takes its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    pub request_id: String,
    /// As the router shows it: candidates, steps, causes. Names and numbers, no content.
    pub decision: Value,
}

/// A tool call, or a text with a format, that failed its check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolFailed {
    pub request_id: String,
    /// The attempt's.
    pub ordinal: u32,
    pub at: i64,
    pub provider: String,
    pub model: String,
    /// `None` where the answer's text was checked.
    pub tool: Option<String>,
    /// `unknown_tool`, `invalid_json`, `schema_mismatch`, `cut_off`.
    pub kind: String,
    /// JSON pointer into the arguments.
    pub path: Option<String>,
    /// Names and places, no values.
    pub message: String,
    /// `none`, `repaired`, `withheld`.
    pub remedy: String,
    pub repairs: Option<String>,
    /// Content, as the model wrote it; kept to some KiB.
    pub arguments: String,
    /// What it was held against; likewise.
    pub schema: Option<String>,
}

impl AttemptEnded {
    /// An attempt that ended so after `duration_ms`, with nothing else known yet.
    pub fn new(id: impl Into<String>, outcome: Outcome, duration_ms: i64) -> Self {
        Self {
            id: id.into(),
            outcome,
            error_kind: None,
            error_origin: None,
            http_status: None,
            reason: None,
            error_message: None,
            duration_ms,
            time_to_first_token_ms: None,
            usage: None,
            cost: Cost::UNKNOWN,
            provider_request_id: None,
            finish_reason: None,
            checks: CheckCounts::default(),
            lane: None,
            error_body: None,
            notes: Vec::new(),
            passed_over: PassedOver::default(),
        }
    }
}

/// A request's end. Settling twice keeps the first.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestSettled {
    pub id: String,
    pub outcome: Outcome,
    pub settled_at: i64,
    /// The target that answered. `None` takes the last attempt's.
    pub provider: Option<String>,
    /// The model as that provider was asked for it. `None` takes the last attempt's.
    pub model: Option<String>,
    /// The model's name as the provider wrote it in its answer.
    pub response_model: Option<String>,
    /// What our client was answered.
    pub http_status: Option<u16>,
    pub error_kind: Option<ErrorKind>,
    pub error_message: Option<String>,
    pub finish_reason: Option<FinishReason>,
    pub finish_reason_raw: Option<String>,
    pub usage: Option<Usage>,
    /// Of the whole request, failed attempts included.
    pub cost: Cost,
    /// What the provider says it charged, even where `cost` is computed.
    pub reported_cost: Option<PicoUsd>,
    pub price_version: Option<String>,
    /// How the cost was arrived at, as JSON.
    pub cost_lines: Option<Value>,
    pub duration_ms: i64,
    pub time_to_first_token_ms: Option<i64>,
    pub system_fingerprint: Option<String>,
}

impl RequestSettled {
    /// A request that ended so, with nothing else known yet.
    pub fn new(id: impl Into<String>, outcome: Outcome, settled_at: i64, duration_ms: i64) -> Self {
        Self {
            id: id.into(),
            outcome,
            settled_at,
            provider: None,
            model: None,
            response_model: None,
            http_status: None,
            error_kind: None,
            error_message: None,
            finish_reason: None,
            finish_reason_raw: None,
            usage: None,
            cost: Cost::UNKNOWN,
            reported_cost: None,
            price_version: None,
            cost_lines: None,
            duration_ms,
            time_to_first_token_ms: None,
            system_fingerprint: None,
        }
    }
}

/// The word under which an origin is stored.
pub(crate) const fn origin_word(origin: Origin) -> &'static str {
    match origin {
        Origin::Caller => "caller",
        Origin::Gateway => "gateway",
        Origin::Provider => "provider",
        Origin::Network => "network",
    }
}

impl Record {
    /// What the record weighs in memory, roughly: the queue is bounded by it.
    pub(crate) fn size_bytes(&self) -> usize {
        const ROW: usize = 512;
        let content = match self {
            Self::MessageCreated(message) => message.text.len() + json_len(message.attachments.as_ref()),
            Self::MessageProgress(progress) => {
                progress.text.len() + progress.reasoning.len() + json_len(progress.tool_calls.as_ref())
            }
            Self::MessageEnded(end) => {
                end.text.len() + end.reasoning.len() + json_len(end.tool_calls.as_ref())
            }
            Self::AttemptEnded(end) => {
                let texts = [&end.error_message, &end.error_body];
                texts.into_iter().flatten().chain(&end.notes).map(String::len).sum()
            }
            Self::RequestSettled(end) => {
                end.error_message.as_ref().map_or(0, String::len) + json_len(end.cost_lines.as_ref())
            }
            Self::Decided(decided) => json_len(Some(&decided.decision)),
            Self::ToolFailed(failed) => {
                failed.arguments.len() + failed.schema.as_ref().map_or(0, String::len)
            }
            _ => 0,
        };
        ROW + content
    }

    /// Whether a later record says all that this one says, so that losing it loses nothing for good.
    pub(crate) fn is_provisional(&self) -> bool {
        matches!(self, Self::MessageProgress(_) | Self::ClientSeen { .. })
    }
}

/// The length of a value's strings, which is what can be large in it (an image in base64).
fn json_len(value: Option<&Value>) -> usize {
    fn len(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(len).sum::<usize>() + 16 * items.len(),
            Value::Object(fields) => fields.iter().map(|(key, field)| key.len() + 16 + len(field)).sum(),
            _ => 8,
        }
    }
    value.map_or(0, len)
}
