//! Our counts → theirs, where each token is counted once: input without what the cache gave and took.

use canonical::Usage;
use serde_json::{Value, json};

use crate::json::merge_missing;

/// `usage` of an answer. `more`: what a provider of this family said beyond the canonical counts.
/// Where nothing was reported the counts are zero, since the SDKs cannot do without.
pub(super) fn encode(usage: Option<&Usage>, more: Option<&Value>) -> Value {
    let none = Usage::default();
    let mut usage = usage.unwrap_or(&none).clone();
    let mut more = more.and_then(Value::as_object).cloned().unwrap_or_default();
    for pass in more.get("iterations").and_then(Value::as_array).into_iter().flatten() {
        if pass["type"] == "compaction" {
            take_pass(&mut usage, pass);
        }
    }
    let cached = usage.cache_read_tokens.saturating_add(usage.cache_write_tokens);
    let hour = usage.cache_write_1h_tokens.min(usage.cache_write_tokens);
    let mut object = json!({
        "input_tokens": usage.input_tokens.saturating_sub(cached),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens - hour,
            "ephemeral_1h_input_tokens": hour,
        },
        "output_tokens": usage.output_tokens,
    });
    if usage.reasoning_tokens > 0 {
        object["output_tokens_details"] = json!({"thinking_tokens": usage.reasoning_tokens});
    }
    let fetches = more.shift_remove("web_fetch_requests");
    if usage.web_searches > 0 || fetches.is_some() {
        object["server_tool_use"] = json!({
            "web_search_requests": usage.web_searches,
            "web_fetch_requests": fetches.unwrap_or_else(|| 0.into()),
        });
    }
    let words = [
        ("service_tier", usage.service_tier.as_deref().map(tier)),
        ("inference_geo", usage.inference_geo.as_deref()),
        ("speed", usage.speed.as_deref()),
    ];
    for (name, word) in words {
        if let Some(word) = word {
            object[name] = word.into();
        }
    }
    if let Some(cost) = usage.reported_cost {
        // A relay's dollars, as OpenRouter writes them.
        object["cost"] = json!(cost.0 as f64 / canonical::PicoUsd::PER_USD as f64);
    }
    if let Value::Object(object) = &mut object {
        merge_missing(object, &more);
    }
    object
}

/// OpenAI's word for the usual tier is `default`.
fn tier(word: &str) -> &str {
    if word == "default" { "standard" } else { word }
}

/// Passes of compaction are beside the totals on this wire and part of ours.
fn take_pass(usage: &mut Usage, pass: &Value) {
    let count = |place: &str| pass.pointer(place).and_then(Value::as_u64).unwrap_or(0);
    let (read, write) = (count("/cache_read_input_tokens"), count("/cache_creation_input_tokens"));
    let input = count("/input_tokens").saturating_add(read).saturating_add(write);
    let hour = count("/cache_creation/ephemeral_1h_input_tokens");
    for (total, part) in [
        (&mut usage.input_tokens, input),
        (&mut usage.cache_read_tokens, read),
        (&mut usage.cache_write_tokens, write),
        (&mut usage.cache_write_1h_tokens, hour),
        (&mut usage.output_tokens, count("/output_tokens")),
    ] {
        *total = total.saturating_sub(part);
    }
}
