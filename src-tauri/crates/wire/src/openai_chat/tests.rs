//! What the recorded corpus does not show, or shows once: calls that are hard to tell apart, ends
//! that are no ends, damage. Whole recordings are in the workspace's own tests.

mod answers;
mod calls;
mod ends;
mod requests;

use canonical::grammar::Grammar;
use canonical::{ChatResponse, Content, Error, fold};
use serde_json::{Value, json};

use super::client;
use crate::Quirks;
use crate::driver::{StreamCounters, StreamDriver};

struct Told {
    response: ChatResponse,
    outcome: Result<(), Error>,
    counters: StreamCounters,
}

/// Drives a stream whose events hold `frames`, and holds it to the grammar.
fn told(frames: &[&str]) -> Told {
    let stream = frames.join("\n\ndata: ");
    driven(format!("data: {stream}\n\n").as_bytes())
}

fn driven(bytes: &[u8]) -> Told {
    let mut driver = StreamDriver::new(&client::OpenAiChat, &Quirks::default());
    let mut events = Vec::new();
    let outcome = driver.push(bytes, &mut events).and_then(|()| driver.finish(&mut events));
    let mut grammar = Grammar::default();
    for event in &events {
        grammar.accept(event).unwrap();
    }
    Told { response: fold::fold(&events), outcome, counters: driver.counters() }
}

/// A chunk with one choice.
fn chunk(delta: &Value, finish_reason: &Value) -> String {
    json!({
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    })
    .to_string()
}

fn text(text: &str) -> String {
    chunk(&json!({ "content": text }), &Value::Null)
}

fn call(piece: &Value) -> String {
    chunk(&json!({ "tool_calls": [piece] }), &Value::Null)
}

fn finished(word: &str) -> String {
    chunk(&json!({}), &word.into())
}

fn calls(told: &Told) -> Vec<(String, String, String)> {
    let parts = told.response.choices.iter().flat_map(|choice| &choice.parts);
    parts
        .filter_map(|part| match &part.content {
            Content::ToolCall(call) => Some((call.id.clone(), call.name.clone(), call.arguments.clone())),
            _ => None,
        })
        .collect()
}
