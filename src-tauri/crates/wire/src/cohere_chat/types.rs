//! The wire types, field for field: <https://docs.cohere.com/reference/chat> and, for streams,
//! <https://docs.cohere.com/reference/chat-stream>.
//!
//! Answers are read leniently (a field of the wrong type counts as absent); content blocks stay
//! JSON until their type is known.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json::{lenient, lenient_object, lenient_text, open_object};

// Requests.

#[derive(Debug, Default, Serialize)]
pub struct ChatRequest {
    pub model: String,
    pub messages: Vec<InputMessage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// `REQUIRED` or `NONE`; the model decides where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_tools: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_sequences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
}

#[derive(Debug, Default, Serialize)]
pub struct InputMessage {
    pub role: &'static str,
    /// Text where that says it all, else blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tool_plan: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// `citations` of an earlier answer.
    #[serde(flatten)]
    pub extensions: Map<String, Value>,
}

#[derive(Debug, Serialize)]
pub struct Thinking {
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_budget: Option<u64>,
}

// Answers.

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ChatResponse {
    #[serde(deserialize_with = "lenient")]
    pub id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub message: Option<Message>,
    #[serde(deserialize_with = "lenient")]
    pub finish_reason: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub usage: Option<Usage>,
    /// `logprobs`, …
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Message {
    #[serde(deserialize_with = "lenient")]
    pub content: Option<Vec<Map<String, Value>>>,
    #[serde(deserialize_with = "lenient")]
    pub tool_plan: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub tool_calls: Option<Vec<ToolCall>>,
    #[serde(deserialize_with = "lenient")]
    pub citations: Option<Vec<Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ToolCall {
    #[serde(deserialize_with = "lenient")]
    pub id: Option<String>,
    #[serde(deserialize_with = "lenient_object")]
    pub function: Option<Function>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Function {
    #[serde(deserialize_with = "lenient")]
    pub name: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub arguments: Option<String>,
}

/// One event of a stream; what its `type` does not use is absent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Event<'a> {
    #[serde(rename = "type", borrow, deserialize_with = "lenient_text")]
    pub kind: Option<Cow<'a, str>>,
    /// Counted apart for content, calls and citations.
    #[serde(deserialize_with = "lenient")]
    pub index: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub id: Option<String>,
    #[serde(deserialize_with = "lenient_object")]
    pub delta: Option<Delta>,
    #[serde(deserialize_with = "lenient")]
    pub logprobs: Option<Value>,
    /// Of an error, which has no `type`.
    pub message: Value,
    pub error: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Delta {
    #[serde(deserialize_with = "lenient_object")]
    pub message: Option<DeltaMessage>,
    #[serde(deserialize_with = "lenient")]
    pub finish_reason: Option<String>,
    #[serde(deserialize_with = "lenient_object")]
    pub usage: Option<Usage>,
    /// Why the answer failed, in `message-end`.
    #[serde(deserialize_with = "lenient")]
    pub error: Option<String>,
}

/// Where a whole message has lists, an event has the one that it is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeltaMessage {
    #[serde(deserialize_with = "lenient_object")]
    pub content: Option<Content>,
    #[serde(deserialize_with = "lenient")]
    pub tool_plan: Option<String>,
    #[serde(deserialize_with = "lenient_object")]
    pub tool_calls: Option<ToolCall>,
    #[serde(deserialize_with = "lenient_object")]
    pub citations: Option<Map<String, Value>>,
}

/// A content block, or more of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Content {
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub kind: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub thinking: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub text: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// What the model read and wrote, with the service's own template.
    pub tokens: Option<Tokens>,
    /// Part of the input tokens.
    pub cached_tokens: Option<u64>,
    /// `billed_units`: what is charged for, without the template.
    pub rest: Map<String, Value>,
}

open_object!(Usage { "tokens" => tokens: Object, "cached_tokens" => cached_tokens: Lenient });

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Tokens {
    /// Images are not part of it: a recorded answer counts 34 beside 259 of its image and bills 267.
    #[serde(deserialize_with = "lenient")]
    pub input_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub output_tokens: Option<u64>,
    /// Part of the output tokens.
    #[serde(deserialize_with = "lenient")]
    pub reasoning_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub image_tokens: Option<u64>,
}

/// `GET /v1/models`: <https://docs.cohere.com/reference/list-models>.
#[derive(Debug, Deserialize)]
pub struct ModelList {
    pub models: Vec<Model>,
    /// There is more.
    #[serde(default, deserialize_with = "lenient")]
    pub next_page_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Model {
    #[serde(deserialize_with = "lenient")]
    pub name: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub context_length: Option<u64>,
}
