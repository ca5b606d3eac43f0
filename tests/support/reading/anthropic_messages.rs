//! A plain reading of Anthropic's Messages, streamed or not.

use std::collections::BTreeMap;

use canonical::usage::Pass;
use canonical::{PicoUsd, Usage};
use serde_json::{Map, Value, json};

/// What the answer says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    pub id: Option<String>,
    pub model: Option<String>,
    /// Its blocks, in order; a stream's are put together from their deltas.
    pub blocks: Vec<Value>,
    pub stop_reason: Option<String>,
    /// The stop sequence, details of a refusal, the container, …: what stands beside the blocks.
    pub beside: Map<String, Value>,
    /// Every field's last value.
    pub usage: Map<String, Value>,
    /// The message of an error inside the answer.
    pub error: Option<String>,
}

/// Reads one answer: an event stream or one document.
pub fn read(is_stream: bool, body: &str) -> Reading {
    let mut reading = Reading::default();
    if is_stream && !body.trim_start().starts_with('{') {
        let mut blocks = BTreeMap::new();
        let payloads = body.lines().filter_map(|line| line.strip_prefix("data:"));
        for event in payloads.filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok()) {
            read_event(&event, &mut blocks, &mut reading);
        }
        reading.blocks.extend(blocks.into_values().map(whole));
    } else if let Ok(message) = serde_json::from_str::<Value>(body) {
        read_message(&message, &mut reading);
    }
    reading
}

fn read_event(event: &Value, blocks: &mut BTreeMap<u64, Value>, reading: &mut Reading) {
    let index = event["index"].as_u64().unwrap_or(0);
    match event["type"].as_str().unwrap_or("") {
        "message_start" => read_message(&event["message"], reading),
        "content_block_start" => {
            blocks.insert(index, event["content_block"].clone());
        }
        "content_block_delta" => {
            if let Some(block) = blocks.get_mut(&index) {
                read_delta(&event["delta"], block);
            }
        }
        "message_delta" => {
            keep(&event["delta"], &mut reading.beside);
            keep_usage(&event["usage"], &mut reading.usage);
            if let Some(context) = event.get("context_management").filter(|context| !context.is_null()) {
                reading.beside.insert("context_management".into(), context.clone());
            }
            if let Some(Value::String(reason)) = reading.beside.remove("stop_reason") {
                reading.stop_reason = Some(reason);
            }
        }
        "error" => reading.error = event["error"]["message"].as_str().map(str::to_owned),
        _ => {}
    }
}

#[expect(clippy::panic, reason = "test support: what nobody read must stop the test")]
fn read_delta(delta: &Value, block: &mut Value) {
    let (from, to) = match delta["type"].as_str().unwrap_or("") {
        "text_delta" => ("text", "text"),
        "thinking_delta" => ("thinking", "thinking"),
        "signature_delta" => ("signature", "signature"),
        "input_json_delta" => ("partial_json", "pieces"),
        "citations_delta" => {
            let mut citations = block["citations"].as_array().cloned().unwrap_or_default();
            citations.push(delta["citation"].clone());
            block["citations"] = citations.into();
            return;
        }
        other => panic!("a delta that this reading does not know: {other}"),
    };
    let have = block[to].as_str().unwrap_or("").to_owned();
    block[to] = Value::from(have + delta[from].as_str().unwrap_or(""));
}

/// A streamed block as it would stand in a document.
fn whole(mut block: Value) -> Value {
    let pieces = block.as_object_mut().and_then(|block| block.remove("pieces"));
    if let Some(pieces) = pieces.as_ref().and_then(Value::as_str).filter(|pieces| !pieces.is_empty()) {
        block["input"] = serde_json::from_str(pieces).unwrap_or_else(|_| json!(pieces));
    }
    block
}

fn read_message(message: &Value, reading: &mut Reading) {
    reading.error = message["error"]["message"].as_str().map(str::to_owned);
    reading.id = message["id"].as_str().map(str::to_owned);
    reading.model = message["model"].as_str().map(str::to_owned);
    reading.stop_reason = message["stop_reason"].as_str().map(str::to_owned);
    reading.blocks = message["content"].as_array().cloned().unwrap_or_default();
    keep(message, &mut reading.beside);
    for name in ["id", "model", "type", "role", "content", "usage", "stop_reason"] {
        reading.beside.remove(name);
    }
    keep_usage(&message["usage"], &mut reading.usage);
}

fn keep(from: &Value, to: &mut Map<String, Value>) {
    for (name, value) in from.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        to.insert(name.clone(), value.clone());
    }
}

fn keep_usage(usage: &Value, to: &mut Map<String, Value>) {
    keep(usage, to);
}

impl Reading {
    /// The joined text of every block of `kind`.
    pub fn text(&self, kind: &str) -> String {
        let blocks = self.blocks.iter().filter(|block| block["type"] == kind);
        blocks.filter_map(|block| block[kind].as_str()).collect()
    }

    /// Every citation, in order.
    pub fn citations(&self) -> Vec<Value> {
        self.blocks.iter().filter_map(|block| block["citations"].as_array()).flatten().cloned().collect()
    }

    /// The counts by our convention: what the cache gave and took is part of the input.
    pub fn usage(&self) -> Option<Usage> {
        if self.usage.is_empty() {
            return None;
        }
        let report = Value::Object(self.usage.clone());
        let count = |place: &str| report.pointer(place).and_then(Value::as_u64).unwrap_or(0);
        let word = |name: &str| report[name].as_str().map(str::to_owned);
        let (read, write) = (count("/cache_read_input_tokens"), count("/cache_creation_input_tokens"));
        let list = report["iterations"].as_array().map_or(&[][..], Vec::as_slice);
        let is_special = list.iter().any(|pass| pass["type"] != "message" || !pass["model"].is_null());
        let pass = |pass: &Value| {
            let count = |name: &str| pass[name].as_u64().unwrap_or(0);
            assert_ne!(pass["type"], "compaction", "its tokens would be part of the totals");
            let (read, write) = (count("cache_read_input_tokens"), count("cache_creation_input_tokens"));
            Pass {
                model: pass["model"].as_str().map(str::to_owned),
                input_tokens: count("input_tokens") + read + write,
                cache_read_tokens: read,
                cache_write_tokens: write,
                cache_write_1h_tokens: 0,
                output_tokens: count("output_tokens"),
            }
        };
        Some(Usage {
            passes: is_special.then(|| list.iter().map(pass).collect()),
            input_tokens: count("/input_tokens") + read + write,
            cache_read_tokens: read,
            cache_write_tokens: write,
            cache_write_1h_tokens: count("/cache_creation/ephemeral_1h_input_tokens"),
            output_tokens: count("/output_tokens"),
            reasoning_tokens: count("/output_tokens_details/thinking_tokens"),
            web_searches: count("/server_tool_use/web_search_requests"),
            service_tier: word("service_tier"),
            inference_geo: word("inference_geo"),
            speed: word("speed"),
            reported_cost: report.get("cost").and_then(|cost| PicoUsd::from_decimal_usd(&cost.to_string())),
            ..Usage::default()
        })
    }
}
