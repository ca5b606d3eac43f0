//! A plain reading of Google's generateContent, streamed or not.

use std::collections::{BTreeMap, BTreeSet};

use canonical::Usage;
use serde_json::{Map, Value};

/// What the answer says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    pub id: Option<String>,
    pub model: Option<String>,
    pub candidates: BTreeMap<u64, CandidateReading>,
    /// Every field's last value.
    pub usage: Map<String, Value>,
    /// Searches that Google ran, each once.
    pub searches: BTreeSet<String>,
    pub block_reason: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct CandidateReading {
    pub text: String,
    pub thought: String,
    pub calls: Vec<CallReading>,
    /// What came after what: `text`, `thought`, `call`, `media`, `other`; neighbours of one kind
    /// count once.
    pub order: Vec<&'static str>,
    /// Signatures of text and calls, in order.
    pub signatures: Vec<String>,
    /// Base64 of images and sounds, in order.
    pub media: Vec<String>,
    /// Code, its results, calls of Google's own tools: parts kept whole.
    pub others: Vec<Value>,
    /// As sent: a word or a number.
    pub finish: Option<String>,
    /// Names of the fields beside content and finish.
    pub beside: BTreeSet<String>,
    /// Tokens with a log probability.
    pub logprobs: usize,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallReading {
    /// `None` where the provider sent none.
    pub id: Option<String>,
    pub name: String,
    /// Path (`/recipe/ingredients/0/name`) → value, of each value that is no object or list.
    pub leaves: BTreeMap<String, Value>,
}

/// Reads `body`: an event stream, a list of chunks, or one document.
pub fn read(body: &str) -> Reading {
    let mut reading = Reading::default();
    for chunk in chunks(body) {
        read_chunk(&chunk, &mut reading);
    }
    reading
}

fn chunks(body: &str) -> Vec<Value> {
    match serde_json::from_str(body) {
        Ok(Value::Array(chunks)) => chunks,
        Ok(document) => vec![document],
        Err(_) => body
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .filter_map(|data| serde_json::from_str(data.trim()).ok())
            .collect(),
    }
}

fn read_chunk(chunk: &Value, reading: &mut Reading) {
    let word = |name: &str| chunk[name].as_str().map(str::to_owned);
    reading.id = reading.id.take().or_else(|| word("responseId"));
    reading.model = reading.model.take().or_else(|| Some(word("modelVersion")?.replace("models/", "")));
    reading.block_reason = chunk["promptFeedback"]["blockReason"].as_str().map(str::to_owned);
    for (name, value) in chunk["usageMetadata"].as_object().into_iter().flatten() {
        reading.usage.insert(name.clone(), value.clone());
    }
    for (position, candidate) in list(&chunk["candidates"]).iter().enumerate() {
        let index = candidate["index"].as_u64().unwrap_or(position as u64);
        read_candidate(candidate, reading.candidates.entry(index).or_default());
        for query in list(&candidate["groundingMetadata"]["webSearchQueries"]) {
            reading.searches.extend(query.as_str().filter(|query| !query.is_empty()).map(str::to_owned));
        }
    }
}

fn read_candidate(candidate: &Value, reading: &mut CandidateReading) {
    for part in list(&candidate["content"]["parts"]) {
        read_part(part, reading);
    }
    match &candidate["finishReason"] {
        Value::Null => {}
        Value::String(word) => reading.finish = Some(word.clone()),
        number => reading.finish = Some(number.to_string()),
    }
    let known = ["content", "finishReason", "index"];
    let names = candidate.as_object().into_iter().flatten().map(|(name, _)| name.clone());
    reading.beside.extend(names.filter(|name| !known.contains(&name.as_str())));
    reading.logprobs += list(&candidate["logprobsResult"]["chosenCandidates"]).len();
}

fn read_part(part: &Value, reading: &mut CandidateReading) {
    let is_thought = part["thought"] == true;
    let mut is_whole = false;
    if let Some(text) = part["text"].as_str() {
        if is_thought {
            reading.thought.push_str(text);
        } else {
            reading.text.push_str(text);
        }
        // An empty text with a signature is a part; without one it is nothing.
        if !text.is_empty() || !part["thoughtSignature"].is_null() {
            reading.follow(if is_thought { "thought" } else { "text" });
        }
    } else if part["functionCall"].is_object() {
        reading.follow("call");
        read_call(&part["functionCall"], &mut reading.calls);
    } else if let Some(data) = part["inlineData"]["data"].as_str() {
        reading.follow("media");
        reading.media.push(data.to_owned());
    } else if part.as_object().is_some_and(|part| part.keys().any(|name| !name.starts_with("thought"))) {
        reading.follow("other");
        reading.others.push(part.clone());
        is_whole = true;
    }
    if !is_whole {
        reading.signatures.extend(part["thoughtSignature"].as_str().map(str::to_owned));
    }
}

/// A call with a name begins; one without goes on.
#[expect(clippy::panic, reason = "test support: what nobody read must stop the test")]
fn read_call(piece: &Value, calls: &mut Vec<CallReading>) {
    if let Some(name) = piece["name"].as_str() {
        let id = piece["id"].as_str().map(str::to_owned);
        calls.push(CallReading { id, name: name.to_owned(), leaves: BTreeMap::new() });
    }
    let Some(call) = calls.last_mut() else { return };
    call.leaves.extend(leaves(&piece["args"]));
    for argument in list(&piece["partialArgs"]) {
        let path = argument["jsonPath"].as_str().unwrap_or("");
        let path = path.trim_start_matches('$').replace(['.', '['], "/").replace(']', "");
        match (argument.get("stringValue").and_then(Value::as_str), argument.get("numberValue")) {
            (Some(more), _) => {
                let have = call.leaves.get(&path).and_then(Value::as_str).unwrap_or("").to_owned();
                call.leaves.insert(path, Value::from(have + more));
            }
            (None, Some(number)) => {
                call.leaves.insert(path, number.clone());
            }
            (None, None) => panic!("a value that this reading does not know: {argument}"),
        }
    }
}

/// Every value of `value` that is no object or list, by its path.
pub fn leaves(value: &Value) -> BTreeMap<String, Value> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        Value::Null => Vec::new(),
        leaf => return BTreeMap::from([(String::new(), leaf.clone())]),
    };
    let below = |(name, value): (String, &Value)| {
        leaves(value).into_iter().map(move |(path, leaf)| (format!("/{name}{path}"), leaf))
    };
    inner.into_iter().flat_map(below).collect()
}

impl CandidateReading {
    /// A part of `kind` comes next.
    pub fn follow(&mut self, kind: &'static str) {
        if self.order.last() != Some(&kind) {
            self.order.push(kind);
        }
    }
}

impl Reading {
    /// The counts by our convention: thoughts are output, what tools brought in is input.
    #[expect(clippy::panic, reason = "test support: what nobody read must stop the test")]
    pub fn usage(&self) -> Option<Usage> {
        let report = Value::Object(self.usage.clone());
        let count = |name: &str| report[name].as_u64().unwrap_or(0);
        let modality = |name: &str, word: &str, number: u64| -> u64 {
            let details = list(&report[name]).iter();
            details
                .filter(|detail| detail["modality"] == word || detail["modality"] == number)
                .map(|detail| detail["tokenCount"].as_u64().unwrap_or(0))
                .sum()
        };
        let in_prompt = |word: &str, number: u64| {
            modality("promptTokensDetails", word, number)
                + modality("toolUsePromptTokensDetails", word, number)
        };
        if !self.usage.keys().any(|name| name.ends_with("Count")) {
            return None;
        }
        Some(Usage {
            input_tokens: count("promptTokenCount") + count("toolUsePromptTokenCount"),
            tool_use_tokens: count("toolUsePromptTokenCount"),
            cache_read_tokens: count("cachedContentTokenCount"),
            cache_read_audio_tokens: modality("cacheTokensDetails", "AUDIO", 4),
            cache_read_image_tokens: modality("cacheTokensDetails", "IMAGE", 2),
            input_image_tokens: in_prompt("IMAGE", 2),
            input_video_tokens: in_prompt("VIDEO", 3),
            input_audio_tokens: in_prompt("AUDIO", 4),
            output_tokens: count("candidatesTokenCount") + count("thoughtsTokenCount"),
            reasoning_tokens: count("thoughtsTokenCount"),
            output_image_tokens: modality("candidatesTokensDetails", "IMAGE", 2),
            output_video_tokens: modality("candidatesTokensDetails", "VIDEO", 3),
            output_audio_tokens: modality("candidatesTokensDetails", "AUDIO", 4),
            web_searches: self.searches.len() as u64,
            total_tokens: report["totalTokenCount"].as_u64(),
            service_tier: match (report["serviceTier"].as_str(), report["trafficType"].as_str()) {
                (Some(tier), _) => Some(tier.to_owned()),
                (None, Some("ON_DEMAND")) => Some("standard".into()),
                (None, Some("ON_DEMAND_FLEX")) => Some("flex".into()),
                (None, Some("PROVISIONED_THROUGHPUT")) => Some("provisioned_throughput".into()),
                (None, Some(other)) => panic!("a kind of traffic that this reading does not know: {other}"),
                (None, None) => None,
            },
            ..Usage::default()
        })
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
