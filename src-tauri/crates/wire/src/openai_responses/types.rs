//! What OpenAI's document calls `Response` and `ResponseStreamEvent`, with the fields that
//! compatible providers add. Items stay JSON until their type is known.
//!
//! <https://platform.openai.com/docs/api-reference/responses/object>,
//! <https://platform.openai.com/docs/api-reference/responses-streaming>
//!
//! Reading is lenient where the recorded corpus is: a field of the wrong type counts as missing.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::json::{lenient, lenient_object, open_object};

#[derive(Debug, Default)]
pub struct Response {
    pub id: Option<String>,
    pub object: Option<String>,
    /// Seconds since the Unix epoch; some write it as a float.
    pub created_at: Option<f64>,
    /// `completed`, `incomplete`, `failed`, `cancelled`, `queued` or `in_progress`; older answers
    /// say `complete`.
    pub status: Option<String>,
    pub error: Value,
    pub incomplete_details: Option<IncompleteDetails>,
    pub model: Option<String>,
    pub output: Option<Vec<Item>>,
    /// Raw, because costs in it are read as decimal text and never as a float.
    pub usage: Option<Box<RawValue>>,
    pub rest: Map<String, Value>,
}

open_object!(Response {
    "id" => id: Lenient,
    "object" => object: Lenient,
    "created_at" => created_at: Lenient,
    "status" => status: Lenient,
    "error" => error: Strict,
    "incomplete_details" => incomplete_details: Object,
    "model" => model: Lenient,
    "output" => output: Objects,
    "usage" => usage: Strict,
});

/// One item of the output, by its fields.
pub type Item = Map<String, Value>;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct IncompleteDetails {
    #[serde(deserialize_with = "lenient")]
    pub reason: Option<String>,
}

/// One event of a stream: all kinds in one, each field in those that have it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Event<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    #[serde(deserialize_with = "lenient")]
    pub output_index: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub content_index: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub summary_index: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub delta: Option<String>,
    #[serde(deserialize_with = "lenient_object")]
    pub item: Option<Item>,
    pub annotation: Option<Value>,
    pub response: Option<Box<Response>>,
    pub error: Value,
    /// Copilot: what the answer costs it, beside the response.
    pub copilot_usage: Option<Value>,
}

/// <https://platform.openai.com/docs/api-reference/responses/object#responses-object-usage>
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Usage {
    #[serde(deserialize_with = "count")]
    pub input_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub input_tokens_details: Option<InputDetails>,
    #[serde(deserialize_with = "count")]
    pub output_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub output_tokens_details: Option<OutputDetails>,
    #[serde(deserialize_with = "count")]
    pub total_tokens: Option<u64>,
    /// OpenRouter: dollars.
    pub cost: Option<Box<RawValue>>,
    /// xAI: 10⁻¹⁰ dollars.
    #[serde(deserialize_with = "count")]
    pub cost_in_usd_ticks: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct InputDetails {
    #[serde(deserialize_with = "count")]
    pub cached_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub cache_write_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub audio_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub image_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct OutputDetails {
    #[serde(deserialize_with = "count")]
    pub reasoning_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub audio_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    pub image_tokens: Option<u64>,
}

/// A count, also where it is written as a float; `None` for anything else.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let float = || value.as_f64().filter(|number| *number >= 0.0).map(|number| number.round() as u64);
    Ok(value.as_u64().or_else(float))
}
