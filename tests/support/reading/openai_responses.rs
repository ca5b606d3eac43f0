//! A plain reading of an answer of OpenAI's Responses, streamed or not.

use std::collections::BTreeMap;

use canonical::PicoUsd;
use serde_json::{Value, json};

/// What the answer says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    pub id: Option<String>,
    pub model: Option<String>,
    /// The items of the output as they were when finished, in order.
    pub items: Vec<Value>,
    /// The text of all deltas of a stream, in the order in which they came: answer, refusal,
    /// thought and arguments each for itself. Empty where the provider sends no such deltas.
    pub deltas: BTreeMap<&'static str, String>,
    /// The status, or why the answer is incomplete.
    pub finish: Option<String>,
    pub usage: Option<UsageReading>,
    /// The message of an error inside the answer.
    pub error: Option<String>,
    pub tier: Option<String>,
    /// Fields of the whole answer, as it said them last.
    pub beside: Value,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct UsageReading {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub reasoning: u64,
    pub total: Option<u64>,
    pub cost: Option<PicoUsd>,
    pub searches: u64,
    /// Calls of the provider's other tools that may have a price.
    pub tools: BTreeMap<String, u64>,
}

/// Reads one answer: an event stream, up to its first end, or one document.
pub fn read(is_stream: bool, body: &str) -> Reading {
    let mut reading = Reading::default();
    if !is_stream || body.trim_start().starts_with('{') {
        let document: Value = serde_json::from_str(body).unwrap_or_default();
        reading.items = list(&document["output"]).to_vec();
        read_end(&document, &mut reading);
        return reading;
    }
    let mut items = BTreeMap::new();
    let payloads = body.lines().filter_map(|line| line.strip_prefix("data:"));
    for event in payloads.filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok()) {
        if read_event(&event, &mut items, &mut reading) {
            break;
        }
    }
    reading.items = items.into_values().collect();
    if let Some(usage) = &mut reading.usage {
        usage.searches = searches(&reading.beside, &reading.items);
    }
    reading
}

/// True where the event is the end.
fn read_event(event: &Value, items: &mut BTreeMap<u64, Value>, reading: &mut Reading) -> bool {
    let kind = event["type"].as_str().unwrap_or("");
    if let Some(delta) = event["delta"].as_str() {
        let of = match kind {
            "response.output_text.delta" => "text",
            "response.refusal.delta" => "refusal",
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => "reasoning",
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => "arguments",
            _ => "other",
        };
        reading.deltas.entry(of).or_default().push_str(delta);
    }
    match kind {
        "response.created" => {
            reading.id = text(&event["response"]["id"]);
            reading.model = text(&event["response"]["model"]);
        }
        "response.output_item.done" => {
            items.insert(event["output_index"].as_u64().unwrap_or(0), event["item"].clone());
        }
        "response.completed" | "response.incomplete" | "response.failed" => {
            read_end(&event["response"], reading);
            return true;
        }
        "error" => {
            reading.error = text(&event["error"]["message"]).or_else(|| text(&event["message"]));
            return true;
        }
        _ => {}
    }
    false
}

fn read_end(response: &Value, reading: &mut Reading) {
    reading.id = reading.id.take().or_else(|| text(&response["id"]));
    reading.model = reading.model.take().or_else(|| text(&response["model"]));
    reading.finish = text(&response["incomplete_details"]["reason"]).or_else(|| text(&response["status"]));
    reading.error = text(&response["error"]["message"]);
    reading.tier = text(&response["service_tier"]);
    let usage = &response["usage"];
    if usage.is_object() {
        let count = |place: &str| usage.pointer(place).and_then(Value::as_u64).unwrap_or(0);
        reading.usage = Some(UsageReading {
            input: count("/input_tokens"),
            output: count("/output_tokens"),
            cache_read: count("/input_tokens_details/cached_tokens"),
            cache_write: count("/input_tokens_details/cache_write_tokens"),
            reasoning: count("/output_tokens_details/reasoning_tokens"),
            total: usage["total_tokens"].as_u64(),
            cost: cost(usage),
            searches: searches(response, &reading.items),
            // A stream says its items before; its end repeats them.
            tools: tools(response["output"].as_array().map_or(&[][..], Vec::as_slice)),
        });
    }
    reading.beside = response.clone();
}

fn cost(usage: &Value) -> Option<PicoUsd> {
    match (usage["cost_in_usd_ticks"].as_i64(), &usage["cost"]) {
        (Some(ticks), _) => Some(PicoUsd(ticks * 100)),
        (None, Value::Number(dollars)) => PicoUsd::from_decimal_usd(&dollars.to_string()),
        _ => None,
    }
}

/// What the provider counts, or the searches among the items: opening a page is none.
fn searches(response: &Value, items: &[Value]) -> u64 {
    let counted = response["tool_usage"]["web_search"]["num_requests"].as_u64();
    counted.unwrap_or_else(|| {
        let is_search = |item: &&Value| match item["type"].as_str() {
            Some("web_search_call") => item["action"].is_null() || item["action"]["type"] == "search",
            _ => false,
        };
        items.iter().filter(is_search).count() as u64
    })
}

/// The provider's other tools that may have a price, by the calls among the items.
fn tools(items: &[Value]) -> BTreeMap<String, u64> {
    const PRICED: [&str; 4] = ["file_search", "code_interpreter", "image_generation", "x_search"];
    let mut tools = BTreeMap::new();
    for kind in items.iter().filter_map(|item| item["type"].as_str()?.strip_suffix("_call")) {
        if PRICED.contains(&kind) {
            *tools.entry(kind.to_owned()).or_default() += 1;
        }
    }
    tools
}

impl Reading {
    /// The texts of one kind in the finished items, as [`Reading::deltas`] has them.
    pub fn texts(&self, kind: &str) -> String {
        let mut all = String::new();
        for item in &self.items {
            let pieces = match (kind, item["type"].as_str().unwrap_or("")) {
                ("text" | "refusal", "message") => {
                    let field = if kind == "text" { "text" } else { "refusal" };
                    list(&item["content"]).iter().filter_map(|piece| text(&piece[field])).collect()
                }
                ("reasoning", "reasoning") => list(&item["summary"])
                    .iter()
                    .chain(list(&item["content"]))
                    .filter_map(|piece| text(&piece["text"]))
                    .collect(),
                ("arguments", "function_call") => text(&item["arguments"]).into_iter().collect(),
                ("arguments", "custom_tool_call") => text(&item["input"]).into_iter().collect(),
                _ => Vec::new(),
            };
            all.extend(pieces);
        }
        all
    }

    /// The calls that the client is to answer: id, name, arguments or input.
    pub fn calls(&self) -> Vec<Value> {
        let is_call = |item: &&Value| item["type"] == "function_call" || item["type"] == "custom_tool_call";
        self.items
            .iter()
            .filter(is_call)
            .map(|item| {
                let said = if item["input"].is_string() { &item["input"] } else { &item["arguments"] };
                json!([item["call_id"], item["name"], said])
            })
            .collect()
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
