//! A plain reading of Cohere's chat (version 2), streamed or not.

use std::collections::BTreeMap;

use canonical::Usage;
use canonical::usage::BilledTokens;
use serde_json::Value;

/// What the answer says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    pub id: Option<String>,
    pub plan: String,
    /// Content blocks by their number; a stream's are put together from their deltas.
    pub content: BTreeMap<u64, Value>,
    pub calls: BTreeMap<u64, Call>,
    pub citations: Vec<Value>,
    pub finish_reason: Option<String>,
    pub usage: Value,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Call {
    pub id: String,
    pub name: String,
    pub arguments: String,
}

/// Reads one answer: an event stream or one document.
pub fn read(is_stream: bool, body: &str) -> Reading {
    let mut reading = Reading::default();
    if is_stream {
        let payloads = body.lines().filter_map(|line| line.strip_prefix("data:"));
        for event in payloads.filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok()) {
            read_event(&event, &mut reading);
        }
    } else if let Ok(answer) = serde_json::from_str::<Value>(body) {
        read_document(&answer, &mut reading);
    }
    reading
}

fn read_document(answer: &Value, reading: &mut Reading) {
    let message = &answer["message"];
    let list = |name: &str| message[name].as_array().cloned().unwrap_or_default();
    reading.id = answer["id"].as_str().map(str::to_owned);
    reading.plan = word(&message["tool_plan"]);
    reading.content = (0..).zip(list("content")).collect();
    reading.calls = (0..).zip(list("tool_calls").iter().map(read_call)).collect();
    reading.citations = list("citations");
    reading.finish_reason = answer["finish_reason"].as_str().map(str::to_owned);
    reading.usage = answer["usage"].clone();
}

#[expect(clippy::panic, reason = "test support: what nobody read must stop the test")]
fn read_event(event: &Value, reading: &mut Reading) {
    let index = event["index"].as_u64().unwrap_or(0);
    let message = &event["delta"]["message"];
    match event["type"].as_str().unwrap_or("") {
        "message-start" => reading.id = event["id"].as_str().map(str::to_owned),
        "content-start" => drop(reading.content.insert(index, message["content"].clone())),
        "content-delta" => {
            let block = reading.content.entry(index).or_default();
            for name in ["text", "thinking"] {
                if let Some(more) = message["content"][name].as_str() {
                    block[name] = (word(&block[name]) + more).into();
                }
            }
        }
        "tool-plan-delta" => reading.plan += &word(&message["tool_plan"]),
        "tool-call-start" => drop(reading.calls.insert(index, read_call(&message["tool_calls"]))),
        "tool-call-delta" => {
            let more = word(&message["tool_calls"]["function"]["arguments"]);
            reading.calls.entry(index).or_default().arguments += &more;
        }
        "citation-start" => reading.citations.push(message["citations"].clone()),
        "content-end" | "tool-call-end" | "citation-end" => {}
        "message-end" => {
            reading.finish_reason = event["delta"]["finish_reason"].as_str().map(str::to_owned);
            reading.usage = event["delta"]["usage"].clone();
        }
        other => panic!("an event that this reading does not know: {other}"),
    }
}

fn read_call(call: &Value) -> Call {
    let function = &call["function"];
    Call { id: word(&call["id"]), name: word(&function["name"]), arguments: word(&function["arguments"]) }
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or("").to_owned()
}

impl Reading {
    /// The joined text of every block of `kind`.
    pub fn text(&self, kind: &str) -> String {
        self.content.values().filter(|block| block["type"] == kind).map(|block| word(&block[kind])).collect()
    }

    /// The counts by our convention: what the model read, its images too.
    pub fn usage(&self) -> Option<Usage> {
        let count = |place: &str| self.usage.pointer(place).and_then(Value::as_u64).unwrap_or(0);
        self.usage.is_object().then(|| Usage {
            input_tokens: count("/tokens/input_tokens") + count("/tokens/image_tokens"),
            input_image_tokens: count("/tokens/image_tokens"),
            cache_read_tokens: count("/cached_tokens"),
            output_tokens: count("/tokens/output_tokens"),
            reasoning_tokens: count("/tokens/reasoning_tokens"),
            billed: Some(Box::new(BilledTokens {
                input: count("/billed_units/input_tokens"),
                output: count("/billed_units/output_tokens"),
            })),
            ..Usage::default()
        })
    }
}
