//! A plain reading of Bedrock's Converse, streamed or not. The binary messages are cut by their
//! lengths alone; whether their checksums fit is not this reading's business.

use std::collections::BTreeMap;

use canonical::Usage;
use serde_json::{Map, Value, json};

/// What the answer says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// Its blocks as a whole answer would hold them, in order; a stream's are put together from
    /// their deltas, with sources beside the text (`citations`).
    pub blocks: Vec<Value>,
    pub stop_reason: Option<String>,
    /// `metrics`, `trace`, …: what stands beside the blocks.
    pub beside: Map<String, Value>,
    pub usage: Value,
}

/// One binary message.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub name: String,
    pub payload: Value,
}

/// The messages of a binary stream: `[total][headers' length][checksum] headers payload [checksum]`,
/// each header `[name's length] name [7][value's length, two bytes] value`.
///
/// # Panics
/// Where the recording holds something else: then no test of it means anything.
pub fn events(mut body: &[u8]) -> Vec<Event> {
    let number = |bytes: &[u8]| bytes.iter().fold(0_usize, |sum, byte| sum * 256 + usize::from(*byte));
    let mut found = Vec::new();
    while !body.is_empty() {
        let (total, head) = (number(&body[..4]), number(&body[4..8]));
        let payload = serde_json::from_slice(&body[12 + head..total - 4]).unwrap_or(Value::Null);
        let mut headers = &body[12..12 + head];
        let mut names = BTreeMap::new();
        while !headers.is_empty() {
            let (name, rest) = headers[1..].split_at(usize::from(headers[0]));
            assert_eq!(rest[0], 7, "a header that is no text");
            let (value, rest) = rest[3..].split_at(number(&rest[1..3]));
            names.insert(String::from_utf8_lossy(name), String::from_utf8_lossy(value));
            headers = rest;
        }
        assert_eq!(names[":message-type"], "event", "a message that is no event");
        found.push(Event { name: names[":event-type"].to_string(), payload });
        body = &body[total..];
    }
    found
}

/// Reads one answer: a binary stream or one document.
pub fn read(is_stream: bool, body: &[u8]) -> Reading {
    let mut reading = Reading::default();
    if !is_stream {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let blocks = answer["output"]["message"]["content"].as_array().cloned().unwrap_or_default();
        for block in &blocks {
            read_whole(block, &mut reading.blocks);
        }
        reading.stop_reason = answer["stopReason"].as_str().map(str::to_owned);
        reading.usage = answer["usage"].clone();
        keep(&answer, &mut reading.beside);
        return reading;
    }
    let mut blocks: BTreeMap<u64, Value> = BTreeMap::new();
    for Event { name, payload } in events(body) {
        let index = payload["contentBlockIndex"].as_u64().unwrap_or(0);
        match name.as_str() {
            "contentBlockStart" => drop(blocks.insert(index, payload["start"].clone())),
            "contentBlockDelta" => read_delta(&payload["delta"], blocks.entry(index).or_insert(json!({}))),
            "messageStop" => reading.stop_reason = payload["stopReason"].as_str().map(str::to_owned),
            "metadata" => {
                reading.usage = payload["usage"].clone();
                keep(&payload, &mut reading.beside);
            }
            _ => {}
        }
    }
    reading.blocks.extend(blocks.into_values().map(|mut block| {
        if let Some(pieces) = block["toolUse"]["pieces"].as_str() {
            block["toolUse"]["input"] = serde_json::from_str(pieces).unwrap_or_else(|_| json!({}));
        }
        block
    }));
    reading
}

/// A cited text as a text with its sources; sources without words belong to the text before them.
fn read_whole(block: &Value, blocks: &mut Vec<Value>) {
    let Some(cited) = block.get("citationsContent") else {
        blocks.push(block.clone());
        return;
    };
    let sources = cited["citations"].as_array().cloned().unwrap_or_default();
    match (cited["content"].as_array(), blocks.last_mut()) {
        (None, Some(last)) => {
            let mut all = last["citations"].as_array().cloned().unwrap_or_default();
            all.extend(sources);
            last["citations"] = all.into();
        }
        (content, _) => {
            let words = content.into_iter().flatten().filter_map(|piece| piece["text"].as_str());
            let text: String = words.collect();
            blocks.push(json!({ "text": text, "citations": sources }));
        }
    }
}

#[expect(clippy::panic, reason = "test support: what nobody read must stop the test")]
fn read_delta(delta: &Value, block: &mut Value) {
    fn grow(place: &mut Value, more: &Value) {
        *place = Value::from(place.as_str().unwrap_or("").to_owned() + more.as_str().unwrap_or(""));
    }
    for (name, value) in delta.as_object().into_iter().flatten() {
        match name.as_str() {
            "text" => grow(&mut block["text"], value),
            "toolUse" => grow(&mut block["toolUse"]["pieces"], &value["input"]),
            "reasoningContent" => {
                for (field, value) in value.as_object().into_iter().flatten() {
                    grow(&mut block["reasoningContent"]["reasoningText"][field], value);
                }
            }
            "citation" => {
                let mut all = block["citations"].as_array().cloned().unwrap_or_default();
                all.push(value.clone());
                block["citations"] = all.into();
            }
            "toolResult" => block["toolResult"]["content"] = value.clone(),
            other => panic!("a delta that this reading does not know: {other}"),
        }
    }
}

fn keep(from: &Value, to: &mut Map<String, Value>) {
    for (name, value) in from.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        if !["output", "stopReason", "usage", "p"].contains(&name.as_str()) {
            to.insert(name.clone(), value.clone());
        }
    }
}

impl Reading {
    /// The joined text.
    pub fn text(&self) -> String {
        self.blocks.iter().filter_map(|block| block["text"].as_str()).collect()
    }

    /// Every source, in order.
    pub fn citations(&self) -> Vec<Value> {
        self.blocks.iter().filter_map(|block| block["citations"].as_array()).flatten().cloned().collect()
    }

    /// The counts by our convention, read off the provider's own total: what is neither plain input
    /// nor output came from the cache or went there.
    pub fn usage(&self) -> Option<Usage> {
        let count = |name: &str| self.usage[name].as_u64();
        let total = count("totalTokens")?;
        let output = count("outputTokens").unwrap_or(0);
        Some(Usage {
            input_tokens: total - output,
            cache_read_tokens: count("cacheReadInputTokenCount").unwrap_or(0),
            cache_write_tokens: count("cacheWriteInputTokenCount").unwrap_or(0),
            output_tokens: output,
            total_tokens: Some(total),
            ..Usage::default()
        })
    }
}
