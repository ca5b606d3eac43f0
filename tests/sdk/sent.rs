//! What the bytes themselves say, which a client of the same family sees unchanged.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use signalbox_tests::corpus::Record;
use signalbox_tests::reading::gemini_generate::leaves;

/// What the provider itself wrote where a client of its family gets its bytes: why each choice
/// ended, its calls' ids and the two totals of usage; and what makes an official SDK give up.
pub(super) fn sent(protocol: &str, record: &Record) -> Value {
    let body = record.response.body_text.as_deref().unwrap_or("");
    match protocol {
        "openai-chat" => sent_chat(body),
        // Two messages in one stream.
        "anthropic-messages" => {
            let starts = payloads(body).iter().filter(|event| event["type"] == "message_start").count();
            json!({ "repeats_start": starts > 1 })
        }
        // The recorded client asked for enumerations as numbers; an official SDK does not.
        "gemini-generate" => {
            let path = record.request.as_ref().map_or("", |request| request.path.as_str());
            json!({ "has_numbers": path.contains("enum-encoding") })
        }
        _ => Value::Null,
    }
}

/// The events of a stream, or the one document.
pub(super) fn payloads(body: &str) -> Vec<Value> {
    let whole = serde_json::from_str(body).ok().filter(Value::is_object);
    whole.map_or_else(
        || {
            let lines = body.lines().filter_map(|line| line.strip_prefix("data:"));
            lines.filter_map(|data| serde_json::from_str(data.trim()).ok()).collect()
        },
        |document| vec![document],
    )
}

fn sent_chat(body: &str) -> Value {
    let (mut finish, mut ids, mut usage) = (BTreeMap::new(), BTreeMap::new(), Value::Null);
    for payload in payloads(body) {
        if payload["usage"].is_object() {
            let count = |name: &str| payload["usage"][name].as_u64();
            usage = json!({"input": count("prompt_tokens"), "output": count("completion_tokens")});
        }
        for (at, choice) in payload["choices"].as_array().into_iter().flatten().enumerate() {
            let index = choice["index"].as_u64().unwrap_or(at as u64);
            let reason = finish.entry(index).or_insert(Value::Null);
            if !choice["finish_reason"].is_null() {
                *reason = choice["finish_reason"].clone();
            }
            let calls = choice["message"]["tool_calls"].as_array();
            let called: Vec<Value> = calls.into_iter().flatten().map(|call| call["id"].clone()).collect();
            ids.insert(index, called);
        }
    }
    json!({
        "finish": finish.into_values().collect::<Vec<_>>(),
        "ids": ids.into_values().collect::<Vec<_>>(),
        "usage": usage,
    })
}

pub(super) fn counts(usage: &canonical::Usage) -> [u64; 4] {
    [
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.reasoning_tokens.min(usage.output_tokens),
    ]
}

/// Arguments by the path of each value, so that key order and spacing do not count; text that is
/// no JSON stays text.
pub(super) fn arguments(text: &str) -> Value {
    serde_json::from_str::<Value>(text).map_or_else(|_| text.into(), |value| json!(leaves(&value)))
}
