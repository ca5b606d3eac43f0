//! The wire types, field for field: <https://github.com/ollama/ollama/blob/main/docs/api.md> and,
//! where that says less, <https://github.com/ollama/ollama/blob/main/api/types.go>.
//!
//! Answers are read leniently: a field of the wrong type counts as absent.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json::{lenient, open_object};

// Requests.

#[derive(Debug, Default, Serialize)]
pub struct ChatRequest {
    pub model: String,
    pub messages: Vec<InputMessage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// `"json"` or a JSON schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Value>,
    #[serde(skip_serializing_if = "Options::is_empty")]
    pub options: Options,
    /// True or false, or a level (`low`, `medium`, `high`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub think: Option<Value>,
    /// Always sent: Ollama streams where nothing is said.
    pub stream: bool,
}

#[derive(Debug, Default, Serialize)]
pub struct InputMessage {
    pub role: &'static str,
    pub content: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub thinking: String,
    /// Base64, without a `data:` prefix.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<InputToolCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct InputToolCall {
    pub id: String,
    pub function: InputFunction,
}

#[derive(Debug, Serialize)]
pub struct InputFunction {
    pub name: String,
    /// An object, not text.
    pub arguments: Value,
}

/// Parameters of the model; all others may stand in a client's own `options`.
/// <https://github.com/ollama/ollama/blob/main/docs/modelfile.mdx#valid-parameters-and-values>
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_predict: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
}

impl Options {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

// Answers.

/// One line of a stream; a whole answer is one line with everything in it.
#[derive(Debug, Default)]
pub struct ChatResponse<'a> {
    pub model: Option<Cow<'a, str>>,
    pub created_at: Option<Cow<'a, str>>,
    pub message: Option<Message>,
    pub done: Option<bool>,
    pub done_reason: Option<String>,
    /// Absent where the whole prompt came from the cache (older versions).
    pub prompt_eval_count: Option<u64>,
    pub eval_count: Option<u64>,
    pub logprobs: Option<Vec<Value>>,
    pub error: Value,
    /// Durations in nanoseconds; on Ollama's cloud, the remote model and host.
    pub rest: Map<String, Value>,
}

open_object!(ChatResponse<'de> {
    "model" => model: Text,
    "created_at" => created_at: Text,
    "message" => message: Object,
    "done" => done: Lenient,
    "done_reason" => done_reason: Lenient,
    "prompt_eval_count" => prompt_eval_count: Lenient,
    "eval_count" => eval_count: Lenient,
    "logprobs" => logprobs: List,
    "error" => error: Strict,
});

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Message {
    #[serde(deserialize_with = "lenient")]
    pub content: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub thinking: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub tool_calls: Option<Vec<ToolCall>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ToolCall {
    /// Older versions send none.
    #[serde(deserialize_with = "lenient")]
    pub id: Option<String>,
    pub function: Function,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Function {
    #[serde(deserialize_with = "lenient")]
    pub name: Option<String>,
    /// An object, never in pieces.
    pub arguments: Value,
}

/// `GET /api/tags`.
#[derive(Debug, Deserialize)]
pub struct TagList {
    pub models: Vec<Tag>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Tag {
    #[serde(deserialize_with = "lenient")]
    pub model: Option<String>,
    /// The same, in versions that send no `model`.
    #[serde(deserialize_with = "lenient")]
    pub name: Option<String>,
}
