//! What OpenAI's document calls `ChatCompletion` and `ChatCompletionChunk`, field for field, with
//! the fields that compatible providers add. One set of structs reads both: a whole answer is a
//! chunk whose choices carry `message` instead of `delta`.
//!
//! <https://platform.openai.com/docs/api-reference/chat/object>
//!
//! Reading is lenient where the recorded corpus is: `null` and a missing field are one, a field of
//! the wrong type counts as missing where the answer makes sense without it.

use std::borrow::Cow;

use canonical::PicoUsd;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::json::reading::{Object, Rest};
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
    pub error: Option<&'a RawValue>,
    /// Only hides a chunk's length from eavesdroppers.
    pub padding: Option<IgnoredAny>,
    pub rest: RawFields<'a>,
}

open_object!(Chunk<'de> {
    "id" => id: Text,
    "object" => object: Text,
    "created" => created: Lenient,
    "model" => model: Text,
    "choices" => choices: Few,
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
    pub message: Option<Box<Message<'a>>>,
    /// A word at nearly everyone's.
    pub finish_reason: Option<&'a RawValue>,
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
    pub function_call: Option<Box<Function<'a>>>,
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
    "tool_calls" => tool_calls: Few,
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

/// The report of what an answer used. Beside OpenAI's own counts, compatible providers have some
/// twenty of their own: see `client/usage.rs`.
#[derive(Debug, Default)]
pub struct Usage {
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    pub total_tokens: Option<u64>,
    pub rest: UsageRest,
}

open_object!(Usage {
    "prompt_tokens" => prompt_tokens: Count,
    "completion_tokens" => completion_tokens: Count,
    "total_tokens" => total_tokens: Count,
});

/// The other fields of a report. The details are without the counts that are OpenAI's own, and only
/// there where something is left; what is empty is left out.
#[derive(Debug, Default)]
pub struct UsageRest {
    pub prompt: PromptDetails,
    pub completion: CompletionDetails,
    /// OpenRouter: dollars. Perplexity, Venice: an object. Read as decimal text, never as a float.
    pub cost: Option<PicoUsd>,
    pub fields: Map<String, Value>,
}

#[derive(Debug, Default)]
pub struct PromptDetails {
    pub cached_tokens: Option<u64>,
    pub audio_tokens: Option<u64>,
    pub rest: Map<String, Value>,
}

open_object!(PromptDetails {
    "cached_tokens" => cached_tokens: Count,
    "audio_tokens" => audio_tokens: Count,
});

#[derive(Debug, Default)]
pub struct CompletionDetails {
    pub reasoning_tokens: Option<u64>,
    pub audio_tokens: Option<u64>,
    pub rest: Map<String, Value>,
}

open_object!(CompletionDetails {
    "reasoning_tokens" => reasoning_tokens: Count,
    "audio_tokens" => audio_tokens: Count,
});

impl<'de> Rest<'de> for UsageRest {
    fn keep<A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, map: &mut A) -> Result<(), A::Error> {
        let value = match &*name {
            "prompt_tokens_details" => {
                let Object(details) = map.next_value()?;
                self.prompt = details.unwrap_or_default();
                Value::Object(std::mem::take(&mut self.prompt.rest))
            }
            "completion_tokens_details" => {
                let Object(details) = map.next_value()?;
                self.completion = details.unwrap_or_default();
                Value::Object(std::mem::take(&mut self.completion.rest))
            }
            _ => {
                // What cannot be read (a number past every range) says nothing.
                let raw: &RawValue = map.next_value()?;
                if name == "cost" {
                    self.cost = dollars(raw);
                }
                serde_json::from_str(raw.get()).unwrap_or_default()
            }
        };
        if !value.is_null() && value.as_object().is_none_or(|object| !object.is_empty()) {
            self.fields.insert(name.into_owned(), value);
        }
        Ok(())
    }
}

/// Dollars as the JSON text says them, exactly: a number, or Perplexity's object with a total, or
/// Venice's with dollars.
pub(crate) fn dollars(raw: &RawValue) -> Option<PicoUsd> {
    #[derive(Deserialize)]
    struct Costs<'a> {
        #[serde(borrow)]
        total_cost: Option<&'a RawValue>,
        #[serde(borrow)]
        usd: Option<&'a RawValue>,
    }
    PicoUsd::from_decimal_usd(raw.get().trim()).or_else(|| {
        let costs: Costs<'_> = serde_json::from_str(raw.get()).ok()?;
        PicoUsd::from_decimal_usd(costs.total_cost.or(costs.usd)?.get().trim())
    })
}
