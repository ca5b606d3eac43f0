//! What OpenAI's document calls `ChatCompletion` and `ChatCompletionChunk`, field for field, with
//! the fields that compatible providers add. One set of structs reads both: a whole answer is a
//! chunk whose choices carry `message` instead of `delta`.
//!
//! <https://platform.openai.com/docs/api-reference/chat/object>
//!
//! Reading is lenient where the recorded corpus is: `null` and a missing field are one, a field of
//! the wrong type counts as missing where the answer makes sense without it.

use std::borrow::Cow;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::{LooseFields, RawFields, lenient, lenient_object, lenient_text, open_object};

/// The family's name, in the corpus and in [`canonical::Extensions`].
pub const FAMILY: &str = "openai-chat";

/// Fields of a choice's `delta` or `message` that only the family knows are kept as extensions of
/// the choice under this prefix; fields of the choice itself without it.
pub const MESSAGE_PREFIX: &str = "message.";

/// A tool's extensions hold fields of its `function` object under this prefix, its own without.
pub const FUNCTION_PREFIX: &str = "function.";

#[derive(Debug, Default)]
pub struct Chunk<'a> {
    pub id: Option<Cow<'a, str>>,
    pub object: Option<Cow<'a, str>>,
    pub created: Option<i64>,
    pub model: Option<Cow<'a, str>>,
    pub choices: Option<Vec<Choice<'a>>>,
    /// Raw, because costs in it are read as decimal text and never as a float.
    pub usage: Option<&'a RawValue>,
    pub system_fingerprint: Option<Cow<'a, str>>,
    pub error: Value,
    /// Only hides a chunk's length from eavesdroppers.
    pub padding: Option<IgnoredAny>,
    pub rest: RawFields<'a>,
}

open_object!(Chunk<'de> {
    "id" => id: Text,
    "object" => object: Text,
    "created" => created: Lenient,
    "model" => model: Text,
    "choices" => choices: Strict,
    "usage" => usage: Strict,
    "system_fingerprint" => system_fingerprint: Text,
    "error" => error: Strict,
    "obfuscation" => padding: Strict,
    "p" => padding: Strict,
});

#[derive(Debug, Default)]
pub struct Choice<'a> {
    pub index: Option<u32>,
    pub delta: Option<Message<'a>>,
    /// The whole answer; beside `delta` in a stream (Perplexity, Writer) it only repeats.
    pub message: Option<Message<'a>>,
    /// A word at nearly everyone's; the raw value is kept as text.
    pub finish_reason: Value,
    pub rest: LooseFields<'a>,
}

open_object!(Choice<'de> {
    "index" => index: Lenient,
    "delta" => delta: Strict,
    "message" => message: Strict,
    "finish_reason" => finish_reason: Strict,
});

/// A `delta` or a `message` of an answer.
#[derive(Debug, Default)]
pub struct Message<'a> {
    pub role: Option<IgnoredAny>,
    pub content: Option<Content>,
    /// DeepSeek, Z.ai, Moonshot, Alibaba, xAI, llama.cpp.
    pub reasoning_content: Option<String>,
    /// OpenRouter, Groq, Ollama, Cerebras.
    pub reasoning: Option<String>,
    /// OpenRouter and those who follow it: text, summaries, signatures and encrypted thoughts.
    pub reasoning_details: Option<Vec<Value>>,
    pub refusal: Option<String>,
    pub tool_calls: Option<Vec<ToolCall<'a>>>,
    /// OpenAI's form before `tool_calls`.
    pub function_call: Option<Function<'a>>,
    /// Images that the model made (OpenRouter).
    pub images: Option<Vec<Value>>,
    pub rest: LooseFields<'a>,
}

open_object!(Message<'de> {
    "role" => role: Strict,
    "content" => content: Strict,
    "reasoning_content" => reasoning_content: Lenient,
    "reasoning" => reasoning: Lenient,
    "reasoning_details" => reasoning_details: List,
    "refusal" => refusal: Lenient,
    "tool_calls" => tool_calls: Strict,
    "function_call" => function_call: Object,
    "images" => images: List,
});

#[derive(Debug)]
pub enum Content {
    Text(String),
    /// Mistral's reasoning models: `{type: thinking, thinking: [{type: text, text}]}` and text.
    Parts(Vec<Value>),
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrParts;
        impl<'de> Visitor<'de> for TextOrParts {
            type Value = Content;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text or a list of parts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Content, E> {
                Ok(Content::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, parts: A) -> Result<Content, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(parts)).map(Content::Parts)
            }
        }
        deserializer.deserialize_any(TextOrParts)
    }
}

#[derive(Debug, Default, Deserialize)]
pub struct ToolCall<'a> {
    #[serde(default, deserialize_with = "lenient")]
    pub index: Option<u32>,
    #[serde(default, borrow, deserialize_with = "lenient_text")]
    pub id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient_text", rename = "type")]
    pub kind: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient_object")]
    pub function: Option<Function<'a>>,
    /// A call of a tool with free-form input.
    #[serde(default, deserialize_with = "lenient_object")]
    pub custom: Option<Custom>,
    /// Google's place for a thought's signature.
    #[serde(default)]
    pub extra_content: Value,
}

#[derive(Debug, Default, Deserialize)]
pub struct Function<'a> {
    #[serde(default, borrow, deserialize_with = "lenient_text")]
    pub name: Option<Cow<'a, str>>,
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
    #[serde(default, deserialize_with = "lenient_object")]
    pub prompt_tokens_details: Option<PromptDetails>,
    #[serde(default, deserialize_with = "lenient_object")]
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
    #[serde(default, deserialize_with = "lenient_object")]
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
    /// OpenRouter, Vercel: `cost` is the relay's fee alone.
    pub is_byok: Option<Value>,
    /// OpenRouter, Vercel: what `cost` is made of, or leaves out.
    pub cost_details: Option<Value>,
    /// xAI: how often its own tools ran.
    pub server_side_tool_usage_details: Option<Value>,
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
