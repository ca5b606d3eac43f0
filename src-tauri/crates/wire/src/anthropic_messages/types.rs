//! The wire types, field for field: <https://docs.claude.com/en/api/messages> and, for streams,
//! <https://docs.claude.com/en/docs/build-with-claude/streaming>.
//!
//! Answers are read leniently (a field of the wrong type counts as absent) because relays fill
//! this wire too; blocks stay JSON until their type is known.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::json::{lenient, lenient_text, open_object};

/// The extension of a request whose values are the `anthropic-beta` header.
pub(crate) const BETAS: &str = "anthropic_beta";

/// The extension of a part that holds its whole block as this family said it: what the part itself
/// says is for other families.
pub(crate) const OWN_BLOCK: &str = "block";

// Requests.

#[derive(Debug, Default, Serialize)]
pub struct MessagesRequest {
    pub model: String,
    pub max_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<BlockContent>,
    pub messages: Vec<InputMessage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<ThinkingConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_config: Option<OutputConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_sequences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
}

#[derive(Debug, Serialize)]
pub struct InputMessage {
    pub role: &'static str,
    pub content: BlockContent,
}

/// Plain text where that says it all, else blocks.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum BlockContent {
    Text(String),
    Blocks(Vec<InputBlock>),
}

/// One block, with the fields that only this family knows (`cache_control`, `citations`, …).
#[derive(Debug, Clone, Serialize)]
pub struct InputBlock {
    #[serde(flatten)]
    pub block: Block,
    #[serde(flatten)]
    pub extensions: Map<String, Value>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    Text {
        text: String,
    },
    Image {
        source: Source,
    },
    Document {
        source: Source,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
    Thinking {
        thinking: String,
        signature: String,
    },
    RedactedThinking {
        data: String,
    },
    ToolUse {
        id: String,
        name: String,
        input: Value,
    },
    ServerToolUse {
        id: String,
        name: String,
        input: Value,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<ResultContent>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
    /// A block kept as it came.
    #[serde(untagged)]
    Opaque(Map<String, Value>),
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum ResultContent {
    Text(String),
    Blocks(Vec<InputBlock>),
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Source {
    Base64 { media_type: String, data: String },
    Text { media_type: &'static str, data: String },
    Url { url: String },
    File { file_id: String },
}

#[derive(Debug, Serialize)]
pub struct Tool {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub input_schema: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    #[serde(flatten)]
    pub extensions: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ThinkingConfig {
    Enabled { budget_tokens: u64 },
    Adaptive,
    Disabled,
}

#[derive(Debug, Default, Serialize)]
pub struct OutputConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Value>,
}

#[derive(Debug, Serialize)]
pub struct Metadata {
    pub user_id: String,
}

// Answers.

#[derive(Debug, Default)]
pub struct Message {
    pub id: Option<String>,
    pub model: Option<String>,
    /// `None` where the document holds none, and then it is no message.
    pub content: Option<Vec<Value>>,
    pub stop_reason: Option<String>,
    pub usage: Option<Usage>,
    /// `stop_sequence`, `stop_details`, `container`, `context_management`, a relay's own, …
    pub rest: Map<String, Value>,
}

open_object!(Message {
    "id" => id: Lenient,
    "model" => model: Lenient,
    "content" => content: List,
    "stop_reason" => stop_reason: Lenient,
    "usage" => usage: Object,
});

/// One event of a stream: all kinds in one, each field in those that have it, and raw until the
/// kind is known. `event:` repeats `type` and is not needed.
#[derive(Debug, Default)]
pub struct Event<'a> {
    pub kind: Option<Cow<'a, str>>,
    pub index: Option<u64>,
    pub message: Option<&'a RawValue>,
    pub content_block: Option<&'a RawValue>,
    /// Of a block, or of the message.
    pub delta: Option<&'a RawValue>,
    pub usage: Option<Usage>,
    pub error: Value,
    /// In `message_delta`: `context_management`, a relay's own, …
    pub rest: Map<String, Value>,
}

open_object!(Event<'de> {
    "type" => kind: Text,
    "index" => index: Lenient,
    "message" => message: Strict,
    "content_block" => content_block: Strict,
    "delta" => delta: Strict,
    "usage" => usage: Object,
    "error" => error: Strict,
});

/// `delta` of `content_block_delta`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct BlockDelta<'a> {
    #[serde(rename = "type", borrow, deserialize_with = "lenient_text")]
    pub kind: Option<Cow<'a, str>>,
    #[serde(deserialize_with = "lenient")]
    pub text: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub thinking: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub signature: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub partial_json: Option<String>,
    pub citation: Option<Value>,
}

/// `delta` of `message_delta`.
#[derive(Debug, Default)]
pub struct MessageDelta {
    pub stop_reason: Option<String>,
    /// `stop_sequence`, `stop_details`, `container`.
    pub rest: Map<String, Value>,
}

open_object!(MessageDelta { "stop_reason" => stop_reason: Lenient });

/// Counters of one answer. `input_tokens` leaves out what was read from or written to the cache.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    pub input_tokens: Option<u64>,
    pub cache_creation_input_tokens: Option<u64>,
    pub cache_read_input_tokens: Option<u64>,
    pub cache_creation: Option<CacheCreation>,
    pub output_tokens: Option<u64>,
    pub output_tokens_details: Option<OutputTokensDetails>,
    pub server_tool_use: Option<ServerToolUse>,
    pub service_tier: Option<String>,
    pub inference_geo: Option<String>,
    pub speed: Option<String>,
    /// The passes that one answer took where there were several: compaction, an advisor's, a
    /// fallback model's.
    pub iterations: Option<Vec<Value>>,
    /// OpenRouter: dollars charged.
    pub cost: Option<serde_json::Number>,
    /// A relay's own.
    pub rest: Map<String, Value>,
}

open_object!(Usage {
    "input_tokens" => input_tokens: Lenient,
    "cache_creation_input_tokens" => cache_creation_input_tokens: Lenient,
    "cache_read_input_tokens" => cache_read_input_tokens: Lenient,
    "cache_creation" => cache_creation: Object,
    "output_tokens" => output_tokens: Lenient,
    "output_tokens_details" => output_tokens_details: Object,
    "server_tool_use" => server_tool_use: Object,
    "service_tier" => service_tier: Lenient,
    "inference_geo" => inference_geo: Lenient,
    "speed" => speed: Lenient,
    "iterations" => iterations: List,
    "cost" => cost: Lenient,
});

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CacheCreation {
    #[serde(deserialize_with = "lenient")]
    pub ephemeral_5m_input_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct OutputTokensDetails {
    #[serde(deserialize_with = "lenient")]
    pub thinking_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ServerToolUse {
    #[serde(deserialize_with = "lenient")]
    pub web_search_requests: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub web_fetch_requests: Option<u64>,
}

/// `GET /v1/models`: <https://docs.claude.com/en/api/models-list>.
#[derive(Debug, Deserialize)]
pub struct ModelList {
    pub data: Vec<ModelInfo>,
    #[serde(default, deserialize_with = "lenient")]
    pub has_more: Option<bool>,
    /// Of this page; the next one begins behind it.
    #[serde(default, deserialize_with = "lenient")]
    pub last_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct ModelInfo {
    pub id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub display_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub max_input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    pub max_tokens: Option<u64>,
}
