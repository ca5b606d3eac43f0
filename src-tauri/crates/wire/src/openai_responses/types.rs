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

use crate::json::reading::count;
use crate::json::{RawFields, lenient, lenient_object, lenient_text, open_object};

#[derive(Debug, Default)]
pub struct Response<'a> {
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
    /// Raw, because the last event repeats what the others brought.
    pub output: Option<Vec<&'a RawValue>>,
    /// Raw, because costs in it are read as decimal text and never as a float.
    pub usage: Option<&'a RawValue>,
    /// Most of it the request's, and the same in three events.
    pub rest: RawFields<'a>,
}

open_object!(Response<'de> {
    "id" => id: Lenient,
    "object" => object: Lenient,
    "created_at" => created_at: Lenient,
    "status" => status: Lenient,
    "error" => error: Strict,
    "incomplete_details" => incomplete_details: Object,
    "model" => model: Lenient,
    "output" => output: List,
    "usage" => usage: Strict,
});

/// One item of the output, by its fields.
pub type Item = Map<String, Value>;

/// All that is wanted of an item that is known already.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ItemKind<'a> {
    #[serde(rename = "type", borrow, deserialize_with = "lenient_text")]
    pub kind: Option<Cow<'a, str>>,
}

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
    #[serde(borrow, deserialize_with = "strict")]
    pub response: Option<Box<Response<'a>>>,
    pub error: Value,
    /// Copilot: what the answer costs it, beside the response.
    #[serde(borrow)]
    pub copilot_usage: Option<&'a RawValue>,
}

/// As the type itself is read: what `derive` makes of a field cannot borrow as long as the text lives.
fn strict<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<Response<'de>>>, D::Error> {
    Option::deserialize(deserializer)
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
    /// OpenRouter: `cost` is the relay's fee alone.
    pub is_byok: Option<Value>,
    /// OpenRouter: what `cost` is made of, or leaves out.
    pub cost_details: Option<Value>,
    /// xAI: how often its own tools ran.
    pub server_side_tool_usage_details: Option<Value>,
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
