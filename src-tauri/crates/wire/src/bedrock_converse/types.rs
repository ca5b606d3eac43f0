//! The wire types, field for field:
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html> and, for
//! streams, `…/API_runtime_ConverseStream.html`.
//!
//! Unions have one field each, named for what they hold. Answers are read leniently; blocks stay
//! JSON until that name is known.

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::json::reading::{Name, Object};
use crate::json::{lenient, open_object};

// Requests.

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConverseRequest {
    pub messages: Vec<Message>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub system: Vec<ContentBlock>,
    #[serde(skip_serializing_if = "InferenceConfig::is_empty")]
    pub inference_config: InferenceConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_config: Option<ToolConfig>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub additional_model_request_fields: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<ServiceTier>,
}

#[derive(Debug, Serialize)]
pub struct Message {
    pub role: &'static str,
    pub content: Vec<ContentBlock>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ContentBlock {
    Text(String),
    Image(Media),
    Document(Document),
    ToolUse(ToolUse),
    ToolResult(ToolResult),
    ReasoningContent(ReasoningContent),
    CachePoint(CachePoint),
    /// A block kept as it came.
    #[serde(untagged)]
    Opaque(Value),
}

#[derive(Debug, Clone, Serialize)]
pub struct Media {
    pub format: String,
    pub source: Source,
}

#[derive(Debug, Clone, Serialize)]
pub struct Document {
    pub format: String,
    pub name: String,
    pub source: Source,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// Base64.
    Bytes(String),
    S3Location {
        uri: String,
    },
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolUse {
    pub tool_use_id: String,
    pub name: String,
    pub input: Value,
    /// `server_tool_use` where Bedrock ran the tool itself.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolResult {
    pub tool_use_id: String,
    pub content: Vec<ContentBlock>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ReasoningContent {
    ReasoningText {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// Base64.
    RedactedContent(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CachePoint {
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InferenceConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_sequences: Vec<String>,
}

impl InferenceConfig {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolConfig {
    pub tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolSpec {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub input_schema: InputSchema,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

#[derive(Debug, Serialize)]
pub struct InputSchema {
    pub json: Value,
}

#[derive(Debug, Serialize)]
pub struct ServiceTier {
    #[serde(rename = "type")]
    pub kind: &'static str,
}

// Answers.

#[derive(Debug, Default)]
pub struct ConverseResponse {
    /// `None` where the document holds none, and then it is no answer.
    pub output: Option<Output>,
    pub stop_reason: Option<String>,
    pub usage: Option<TokenUsage>,
    /// `metrics`, `trace`, `performanceConfig`, `serviceTier`, `additionalModelResponseFields`.
    pub rest: Map<String, Value>,
}

open_object!(ConverseResponse {
    "output" => output: Lenient,
    "stopReason" => stop_reason: Lenient,
    "usage" => usage: Object,
});

#[derive(Debug, Deserialize)]
pub struct Output {
    pub message: OutputMessage,
}

#[derive(Debug, Deserialize)]
pub struct OutputMessage {
    pub content: Vec<Map<String, Value>>,
}

/// `contentBlockStart`: of a tool's call or result, or an image. Text and thoughts have none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockStart {
    pub content_block_index: u64,
    pub start: Map<String, Value>,
}

/// `contentBlockDelta`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockDelta {
    pub content_block_index: u64,
    pub delta: Delta,
}

/// One piece of a block: the union's field and what it holds.
#[derive(Debug)]
pub enum Delta {
    Text(String),
    Reasoning(ReasoningDelta),
    ToolUse(ToolUseDelta),
    Other(String, Value),
    /// No field at all.
    Nothing,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ReasoningDelta {
    #[serde(deserialize_with = "lenient")]
    pub text: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub signature: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub redacted_content: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ToolUseDelta {
    #[serde(deserialize_with = "lenient")]
    pub input: Option<String>,
}

impl<'de> Deserialize<'de> for Delta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Union;
        impl<'de> Visitor<'de> for Union {
            type Value = Delta;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with one field")
            }

            /// The first field, unless a text follows.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Delta, A::Error> {
                let mut delta = Delta::Nothing;
                while let Some(Name(name)) = map.next_key()? {
                    let is_first = matches!(delta, Delta::Nothing);
                    match &*name {
                        "text" => match map.next_value()? {
                            Value::String(text) => delta = Delta::Text(text),
                            value if is_first => delta = Delta::Other(name.into_owned(), value),
                            _ => {}
                        },
                        _ if !is_first => drop(map.next_value::<IgnoredAny>()?),
                        "reasoningContent" => {
                            let Object(thought) = map.next_value()?;
                            delta = Delta::Reasoning(thought.unwrap_or_default());
                        }
                        "toolUse" => {
                            let Object(piece) = map.next_value()?;
                            delta = Delta::ToolUse(piece.unwrap_or_default());
                        }
                        _ => delta = Delta::Other(name.into_owned(), map.next_value()?),
                    }
                }
                Ok(delta)
            }
        }
        deserializer.deserialize_map(Union)
    }
}

/// `contentBlockStop`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockStop {
    pub content_block_index: u64,
}

/// `messageStop`.
#[derive(Debug, Default)]
pub struct MessageStop {
    pub stop_reason: Option<String>,
    /// `additionalModelResponseFields`.
    pub rest: Map<String, Value>,
}

open_object!(MessageStop {
    "stopReason" => stop_reason: Lenient,
});

/// `metadata`: the last event.
#[derive(Debug, Default)]
pub struct Metadata {
    pub usage: Option<TokenUsage>,
    /// `metrics`, `trace`, `performanceConfig`, `serviceTier`.
    pub rest: Map<String, Value>,
}

open_object!(Metadata {
    "usage" => usage: Object,
});

/// Counters of one answer. `inputTokens` leaves out what was read from or written to the cache.
/// Each cache count is sent under two names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenUsage {
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub total_tokens: Option<u64>,
    pub cache_read_input_tokens: Option<u64>,
    pub cache_read_input_token_count: Option<u64>,
    pub cache_write_input_tokens: Option<u64>,
    pub cache_write_input_token_count: Option<u64>,
    /// What was written, by lifetime.
    pub cache_details: Option<Vec<CacheDetail>>,
    /// `serverToolUsage`, a relay's own.
    pub rest: Map<String, Value>,
}

open_object!(TokenUsage {
    "inputTokens" => input_tokens: Lenient,
    "outputTokens" => output_tokens: Lenient,
    "totalTokens" => total_tokens: Lenient,
    "cacheReadInputTokens" => cache_read_input_tokens: Lenient,
    "cacheReadInputTokenCount" => cache_read_input_token_count: Lenient,
    "cacheWriteInputTokens" => cache_write_input_tokens: Lenient,
    "cacheWriteInputTokenCount" => cache_write_input_token_count: Lenient,
    "cacheDetails" => cache_details: Objects,
});

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CacheDetail {
    #[serde(deserialize_with = "lenient")]
    pub input_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub ttl: Option<String>,
}

/// `GET /foundation-models`:
/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html>.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelList {
    pub model_summaries: Vec<ModelSummary>,
}

/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListInferenceProfiles.html>.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InferenceProfileList {
    pub inference_profile_summaries: Vec<InferenceProfile>,
    #[serde(default, deserialize_with = "lenient")]
    pub next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InferenceProfile {
    pub inference_profile_id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub inference_profile_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub inference_profile_arn: Option<String>,
    /// `ACTIVE`.
    #[serde(default, deserialize_with = "lenient")]
    pub status: Option<String>,
    /// `SYSTEM_DEFINED`, or the account's own `APPLICATION`.
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    pub kind: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelSummary {
    pub model_id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub model_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub output_modalities: Option<Vec<String>>,
}
