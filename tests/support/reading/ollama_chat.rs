//! A plain reading of Ollama's own chat, streamed or not: one JSON document per line either way.

use canonical::Usage;
use serde_json::{Map, Value};

/// What the answer says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    pub model: Option<String>,
    pub text: String,
    pub thinking: String,
    /// Every call, as it came.
    pub calls: Vec<Value>,
    pub done_reason: Option<String>,
    /// The line that says `done`, without what stands above.
    pub end: Map<String, Value>,
}

/// Reads one answer.
///
/// # Panics
/// Where a line is no JSON: none recorded is, so nobody would have read it.
#[expect(clippy::panic, reason = "test support: what nobody read must stop the test")]
pub fn read(body: &str) -> Reading {
    let mut reading = Reading::default();
    for text in body.lines().filter(|text| !text.trim().is_empty()) {
        let line: Value =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in the line {text}"));
        let message = &line["message"];
        reading.text += message["content"].as_str().unwrap_or("");
        reading.thinking += message["thinking"].as_str().unwrap_or("");
        reading.calls.extend(message["tool_calls"].as_array().into_iter().flatten().cloned());
        reading.model = line["model"].as_str().map(str::to_owned);
        if line["done"] == true {
            reading.done_reason = line["done_reason"].as_str().map(str::to_owned);
            reading.end = line.as_object().cloned().unwrap_or_default();
        }
    }
    for name in ["model", "message", "done", "done_reason"] {
        reading.end.remove(name);
    }
    reading
}

impl Reading {
    /// The counts by our convention, which is theirs: what the cache gave is not told apart.
    pub fn usage(&self) -> Option<Usage> {
        let count = |name: &str| self.end.get(name).and_then(Value::as_u64);
        let (input, output) = (count("prompt_eval_count"), count("eval_count"));
        (input.is_some() || output.is_some()).then(|| Usage {
            input_tokens: input.unwrap_or(0),
            output_tokens: output.unwrap_or(0),
            ..Usage::default()
        })
    }
}
