//! What OpenAI's document calls `ChatCompletion` and `ChatCompletionChunk`, field for field, with
//! the fields that compatible providers add. One set of structs reads both: a whole answer is a
//! chunk whose choices carry `message` instead of `delta`.
//!
//! <https://platform.openai.com/docs/api-reference/chat/object>
//!
//! Reading is lenient where the recorded corpus is: `null` and a missing field are one, a field of
//! the wrong type counts as missing where the answer makes sense without it.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::json::lenient;

/// The family's name, in the corpus and in [`canonical::Extensions`].
pub const FAMILY: &str = "openai-chat";

/// Fields of a choice's `delta` or `message` that only the family knows are kept as extensions of
/// the choice under this prefix; fields of the choice itself without it.
pub const MESSAGE_PREFIX: &str = "message.";

/// A tool's extensions hold fields of its `function` object under this prefix, its own without.
pub const FUNCTION_PREFIX: &str = "function.";

#[derive(Debug, Default, Deserialize)]
pub struct Chunk {
    #[serde(default, deserialize_with = "lenient")]
    pub id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub object: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub created: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    pub model: Option<String>,
    pub choices: Option<Vec<Choice>>,
    /// Raw, because costs in it are read as decimal text and never as a float.
    pub usage: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "lenient")]
    pub system_fingerprint: Option<String>,
    #[serde(default)]
    pub error: Value,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
pub struct Choice {
    #[serde(default, deserialize_with = "lenient")]
    pub index: Option<u32>,
    pub delta: Option<Message>,
    /// The whole answer; beside `delta` in a stream (Perplexity, Writer) it only repeats.
    pub message: Option<Message>,
    /// A word at nearly everyone's; the raw value is kept as text.
    #[serde(default)]
    pub finish_reason: Value,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A `delta` or a `message` of an answer.
#[derive(Debug, Default, Deserialize)]
pub struct Message {
    #[serde(default, deserialize_with = "lenient")]
    pub role: Option<String>,
    pub content: Option<Content>,
    /// DeepSeek, Z.ai, Moonshot, Alibaba, xAI, llama.cpp.
    #[serde(default, deserialize_with = "lenient")]
    pub reasoning_content: Option<String>,
    /// OpenRouter, Groq, Ollama, Cerebras.
    #[serde(default, deserialize_with = "lenient")]
    pub reasoning: Option<String>,
    /// OpenRouter and those who follow it: text, summaries, signatures and encrypted thoughts.
    #[serde(default, deserialize_with = "lenient")]
    pub reasoning_details: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "lenient")]
    pub refusal: Option<String>,
    pub tool_calls: Option<Vec<ToolCall>>,
    /// OpenAI's form before `tool_calls`.
    #[serde(default, deserialize_with = "lenient")]
    pub function_call: Option<Function>,
    /// Images that the model made (OpenRouter).
    #[serde(default, deserialize_with = "lenient")]
    pub images: Option<Vec<Value>>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Content {
    Text(String),
    /// Mistral's reasoning models: `{type: thinking, thinking: [{type: text, text}]}` and text.
    Parts(Vec<Value>),
}

#[derive(Debug, Default, Deserialize)]
pub struct ToolCall {
    #[serde(default, deserialize_with = "lenient")]
    pub index: Option<u32>,
    #[serde(default, deserialize_with = "lenient")]
    pub id: Option<String>,
    #[serde(default, deserialize_with = "lenient", rename = "type")]
    pub kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub function: Option<Function>,
    /// A call of a tool with free-form input.
    #[serde(default, deserialize_with = "lenient")]
    pub custom: Option<Custom>,
    /// Google's place for a thought's signature.
    #[serde(default)]
    pub extra_content: Value,
}

#[derive(Debug, Default, Deserialize)]
pub struct Function {
    #[serde(default, deserialize_with = "lenient")]
    pub name: Option<String>,
    /// Text; some local servers send the object itself.
    #[serde(default)]
    pub arguments: Value,
}

#[derive(Debug, Default, Deserialize)]
pub struct Custom {
    #[serde(default, deserialize_with = "lenient")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub input: Option<String>,
}

/// Token counts of every compatible provider in one struct; see `client/usage.rs` for what each
/// means where.
#[derive(Debug, Default, Deserialize)]
pub struct Usage {
    #[serde(default, deserialize_with = "count")]
    pub prompt_tokens: Option<u64>,
    #[serde(default, deserialize_with = "count")]
    pub completion_tokens: Option<u64>,
    #[serde(default, deserialize_with = "count")]
    pub total_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    pub prompt_tokens_details: Option<PromptDetails>,
    #[serde(default, deserialize_with = "lenient")]
    pub completion_tokens_details: Option<CompletionDetails>,
    /// Copilot, Perplexity.
    #[serde(default, deserialize_with = "count")]
    pub reasoning_tokens: Option<u64>,
    /// DeepSeek.
    #[serde(default, deserialize_with = "count")]
    pub prompt_cache_hit_tokens: Option<u64>,
    /// Mistral, older.
    #[serde(default, deserialize_with = "count")]
    pub num_cached_tokens: Option<u64>,
    /// Moonshot, Together, Hugging Face.
    #[serde(default, deserialize_with = "count")]
    pub cached_tokens: Option<u64>,
    /// Venice, Doubleword.
    #[serde(default, deserialize_with = "count")]
    pub cache_read_input_tokens: Option<u64>,
    /// Vercel, Doubleword.
    #[serde(default, deserialize_with = "count")]
    pub cache_creation_input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    pub cache_creation: Option<CacheCreation>,
    /// Perplexity.
    #[serde(default, deserialize_with = "count")]
    pub citation_tokens: Option<u64>,
    /// Perplexity.
    #[serde(default, deserialize_with = "count")]
    pub num_search_queries: Option<u64>,
    /// Perplexity.
    #[serde(default, deserialize_with = "lenient")]
    pub search_context_size: Option<String>,
    /// xAI.
    #[serde(default, deserialize_with = "count")]
    pub num_sources_used: Option<u64>,
    /// OpenRouter.
    #[serde(default, deserialize_with = "lenient")]
    pub server_tool_use_details: Option<ServerToolUse>,
    /// Mistral.
    #[serde(default, deserialize_with = "lenient")]
    pub service_tier: Option<String>,
    /// OpenRouter: dollars. Perplexity: an object.
    pub cost: Option<Box<RawValue>>,
    /// xAI: 10⁻¹⁰ dollars.
    #[serde(default, deserialize_with = "count")]
    pub cost_in_usd_ticks: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PromptDetails {
    #[serde(deserialize_with = "count")]
    pub cached_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub cache_write_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub audio_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub image_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub video_tokens: Option<u64>,
    /// Alibaba: `ephemeral` where the cache was one that the request named, `implicit` else.
    #[serde(deserialize_with = "lenient")]
    pub cache_type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CompletionDetails {
    #[serde(deserialize_with = "count")]
    pub reasoning_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub audio_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub image_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CacheCreation {
    #[serde(deserialize_with = "count")]
    pub ephemeral_5m_input_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ServerToolUse {
    #[serde(deserialize_with = "count")]
    pub web_search_requests: Option<u64>,
}

/// A count, also where it is written as a float.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let float = || value.as_f64().filter(|number| *number >= 0.0).map(|number| number.round() as u64);
    Ok(value.as_u64().or_else(float))
}
