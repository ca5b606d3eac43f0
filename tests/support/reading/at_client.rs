//! What a client of Chat Completions must be shown of an answer in any protocol, and whether the
//! answer is whole: read off the raw text, also where it is cut.
//!
//! An answer is whole where its protocol's own last word is in it:
//!
//! | protocol | the last word |
//! |---|---|
//! | Chat Completions | a finish reason in every choice; `[DONE]` alone at Snowflake, which sends no reasons, and behind complete tool calls |
//! | Messages | `message_stop` (or a relay's `[DONE]`) behind a stop reason |
//! | generateContent | a finish reason in every candidate; in a JSON array also its `]` |
//! | Responses | `response.completed`, `.incomplete` or `.cancelled` |
//! | Converse | `messageStop` and `metadata` |
//! | Cohere's chat | `message-end` with a reason |
//! | Ollama's chat | the line that says `done` |

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::gemini_generate::leaves;
use super::{
    anthropic_messages, bedrock_converse, cohere_chat, gemini_generate, ollama_chat, openai_chat,
    openai_responses,
};
use crate::damaged;

/// An answer in the words of an OpenAI client.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    pub choices: BTreeMap<u64, Said>,
    /// Input, output, cached and reasoning tokens.
    pub usage: Option<[u64; 4]>,
    /// The provider itself says that it failed.
    pub has_failed: bool,
    /// The protocol's last word is there.
    pub is_whole: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    pub text: String,
    pub refusal: String,
    pub reasoning: String,
    /// Name and arguments as text.
    pub calls: Vec<(String, String)>,
    pub finish: Option<&'static str>,
}

impl Said {
    /// Whether there is anything to show before the end.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.refusal.is_empty() && self.reasoning.is_empty() && self.calls.is_empty()
    }

    /// The calls with their arguments by the path of each value, so that key order and spacing do
    /// not count; text that is no JSON stays text.
    pub fn calls_by_value(&self) -> Vec<(&str, Value)> {
        let value = |text: &str| {
            serde_json::from_str::<Value>(text).map_or_else(|_| text.into(), |value| json!(leaves(&value)))
        };
        self.calls.iter().map(|(name, text)| (name.as_str(), value(text))).collect()
    }
}

/// Reads the stream `body`, or the piece of one that had arrived.
pub fn read(protocol: &str, provider: &str, body: &[u8]) -> Answer {
    let text = &String::from_utf8_lossy(body);
    match protocol {
        "openai-chat" => read_openai(provider, text),
        "anthropic-messages" => read_anthropic(text),
        "gemini-generate" => read_gemini(text),
        "bedrock-converse" => read_bedrock(body),
        "cohere-chat" => read_cohere(text),
        "ollama-chat" => read_ollama(text),
        _ => read_responses(text),
    }
}

/// The payload of every `data:` line.
fn payloads(body: &str) -> impl Iterator<Item = &str> {
    body.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim)
}

fn documents(body: &str) -> impl Iterator<Item = Value> {
    payloads(body).filter_map(|data| serde_json::from_str(data).ok())
}

fn read_openai(provider: &str, body: &str) -> Answer {
    let reading = openai_chat::read(provider, true, body);
    let is_done = payloads(body).any(|data| data == "[DONE]");
    let is_failure = |word: &str| ["error", "insufficient_system_resource", "network_error"].contains(&word);
    let mut answer = Answer {
        usage: reading.usage.map(|usage| [usage.input, usage.output, usage.cache_read, usage.reasoning]),
        has_failed: reading.error.is_some(),
        is_whole: !reading.choices.is_empty(),
        ..Answer::default()
    };
    for (index, choice) in reading.choices {
        // Pieces of a call whose beginning was lost are none that a client could run.
        let calls = choice.calls.into_iter().map(|call| (call.name, call.arguments));
        let calls: Vec<_> = calls.filter(|(name, _)| !name.is_empty()).collect();
        let ends_in_calls =
            !calls.is_empty() && calls.iter().all(|(_, text)| serde_json::from_str::<Value>(text).is_ok());
        answer.has_failed |= choice.finish.as_deref().is_some_and(is_failure);
        let finish = match choice.finish.as_deref() {
            Some("length" | "max_tokens" | "model_length") => Some("length"),
            Some("content_filter" | "sensitive" | "refusal") => Some("content_filter"),
            Some("tool_calls" | "function_call") => Some("tool_calls"),
            Some(_) if !calls.is_empty() => Some("tool_calls"),
            Some(_) => Some("stop"),
            None if is_done && ends_in_calls => Some("tool_calls"),
            None if is_done && provider == "snowflake" => Some("stop"),
            None => None,
        };
        answer.is_whole &= finish.is_some();
        let said =
            Said { text: choice.text, refusal: choice.refusal, reasoning: choice.reasoning, calls, finish };
        answer.choices.insert(index, said);
    }
    answer
}

fn read_anthropic(body: &str) -> Answer {
    let reading = anthropic_messages::read(true, body);
    let has_stop = documents(body).any(|event| event["type"] == "message_stop")
        || payloads(body).any(|data| data == "[DONE]");
    let calls = reading.blocks.iter().filter(|block| block["type"] == "tool_use").map(|block| {
        let input = block["input"].as_str().map_or_else(|| block["input"].to_string(), str::to_owned);
        (block["name"].as_str().unwrap_or("").to_owned(), input)
    });
    let finish = reading.stop_reason.as_deref().map(|reason| match reason {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        _ => "stop",
    });
    let said = Said {
        text: reading.text("text"),
        reasoning: reading.text("thinking"),
        calls: calls.collect(),
        finish: finish.filter(|_| has_stop),
        ..Said::default()
    };
    let usage = reading.usage().map(|usage| counts(&usage));
    Answer {
        is_whole: said.finish.is_some(),
        has_failed: documents(body).any(|event| event["type"] == "error"),
        choices: BTreeMap::from([(0, said)]),
        usage,
    }
}

fn read_gemini(body: &str) -> Answer {
    let chunks = gemini_chunks(body);
    let reading = gemini_generate::read(&Value::Array(chunks.clone()).to_string());
    let is_array = body.trim_start().starts_with('[');
    let mut answer = Answer {
        usage: reading.usage().map(|usage| counts(&usage)),
        has_failed: chunks
            .iter()
            .any(|chunk| !chunk["error"].is_null() || !chunk["promptFeedback"]["blockReason"].is_null()),
        is_whole: !reading.candidates.is_empty() && (!is_array || body.trim_end().ends_with(']')),
        ..Answer::default()
    };
    for (index, candidate) in reading.candidates {
        let word =
            candidate.finish.as_deref().filter(|word| !["FINISH_REASON_UNSPECIFIED", "0"].contains(word));
        let finish = word.map(|word| match word {
            "MAX_TOKENS" | "2" => "length",
            "SAFETY" | "3" | "RECITATION" | "4" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII"
            | "MODEL_ARMOR" => "content_filter",
            _ if !candidate.calls.is_empty() => "tool_calls",
            _ => "stop",
        });
        answer.has_failed |= word.is_some_and(|word| {
            ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "10", "12"].contains(&word)
        });
        answer.is_whole &= finish.is_some();
        let calls = candidate.calls.into_iter().map(|call| {
            let arguments = gemini_arguments(call.leaves);
            (call.name, arguments)
        });
        let said = Said {
            text: candidate.text,
            reasoning: candidate.thought,
            calls: calls.collect(),
            finish,
            ..Said::default()
        };
        answer.choices.insert(index, said);
    }
    answer
}

/// Arguments as text: a document with these values at these paths.
fn gemini_arguments(leaves: BTreeMap<String, Value>) -> String {
    let mut root = json!({});
    for (path, leaf) in leaves {
        let mut place = &mut root;
        for step in path.split('/').skip(1) {
            place = if let Ok(at) = step.parse::<usize>() {
                if !place.is_array() {
                    *place = json!([]);
                }
                let Value::Array(items) = place else { break };
                if items.len() <= at {
                    items.resize(at + 1, Value::Null);
                }
                &mut items[at]
            } else {
                if !place.is_object() {
                    *place = json!({});
                }
                &mut place[step]
            };
        }
        *place = leaf;
    }
    root.to_string()
}

/// The chunks of an event stream, or those of a JSON array as far as it goes.
fn gemini_chunks(body: &str) -> Vec<Value> {
    if !body.trim_start().starts_with('[') {
        return documents(body).collect();
    }
    let mut chunks = Vec::new();
    let mut rest = body;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '[' || c == ',');
        let mut documents = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let Some(Ok(chunk)) = documents.next() else { return chunks };
        let end = documents.byte_offset();
        chunks.push(chunk);
        rest = &rest[end..];
    }
}

/// One item of a Responses stream: what its deltas said, and what it says of itself when finished.
#[derive(Default)]
struct Item {
    kind: String,
    name: String,
    deltas: BTreeMap<&'static str, String>,
    done: Option<Value>,
}

fn read_responses(body: &str) -> Answer {
    let mut items: BTreeMap<u64, Item> = BTreeMap::new();
    let mut answer = Answer::default();
    let mut end = None;
    for event in documents(body) {
        let place = event["output_index"].as_u64().unwrap_or(0);
        match event["type"].as_str().unwrap_or("") {
            "response.output_item.added" => announce(items.entry(place).or_default(), &event["item"]),
            "response.output_item.done" => finish(items.entry(place).or_default(), &event["item"]),
            "response.completed" | "response.incomplete" | "response.cancelled" | "response.failed" => {
                end = Some(event["response"].clone());
                break;
            }
            "error" => {
                answer.has_failed = true;
                break;
            }
            kind => {
                if let (Some(of), Some(delta)) = (delta_of(kind), event["delta"].as_str()) {
                    let item = items.entry(place).or_default();
                    item.deltas.entry(of).or_default().push_str(delta);
                }
            }
        }
    }
    if let Some(end) = &end {
        // Its end repeats the output: what a lost event did not bring is there.
        let output = end["output"].as_array().cloned().unwrap_or_default();
        let is_same_list = items.iter().all(|(place, item)| {
            let at = usize::try_from(*place).ok().and_then(|at| output.get(at));
            item.done.is_none() || at.is_some_and(|at| at["type"] == item.kind.as_str())
        });
        for (place, item) in (0..).zip(&output).filter(|_| is_same_list) {
            finish(items.entry(place).or_default(), item);
        }
    }
    let mut said = Said::default();
    let mut has_client_call = false;
    for item in items.values() {
        answer.has_failed |= !say(item, &mut said);
        let others = ["apply_patch_call", "local_shell_call", "computer_call", "shell_call"];
        let is_search = item.kind == "tool_search_call";
        has_client_call |= item.done.as_ref().is_some_and(|done| {
            others.contains(&item.kind.as_str()) || (is_search && done["execution"] == "client")
        });
    }
    if let Some(end) = &end {
        let text = |place: &str| end.pointer(place).and_then(Value::as_str);
        answer.has_failed |= text("/status") == Some("failed") || end["error"].is_object();
        answer.is_whole = !answer.has_failed;
        said.finish = Some(match (text("/status"), text("/incomplete_details/reason")) {
            (Some("incomplete"), Some("max_output_tokens" | "max_tokens" | "length")) => "length",
            (Some("incomplete"), Some("content_filter")) => "content_filter",
            _ if has_client_call || !said.calls.is_empty() => "tool_calls",
            _ => "stop",
        });
        let usage = openai_responses::read(false, &end.to_string()).usage;
        answer.usage = usage.map(|usage| [usage.input, usage.output, usage.cache_read, usage.reasoning]);
    }
    answer.choices.insert(0, said);
    answer
}

fn delta_of(kind: &str) -> Option<&'static str> {
    match kind {
        "response.output_text.delta" => Some("text"),
        "response.refusal.delta" => Some("refusal"),
        "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => Some("reasoning"),
        "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
            Some("arguments")
        }
        _ => None,
    }
}

fn announce(item: &mut Item, said: &Value) {
    said["type"].as_str().unwrap_or("").clone_into(&mut item.kind);
    said["name"].as_str().unwrap_or("").clone_into(&mut item.name);
}

fn finish(item: &mut Item, said: &Value) {
    if item.done.is_none() {
        announce(item, said);
        item.done = Some(said.clone());
    }
}

/// Adds what the item says. A text with a hole keeps the hole, since what was shown cannot be taken
/// back; false where a call's arguments have one and make no sense.
fn say(item: &Item, said: &mut Said) -> bool {
    let delta = |of: &str| item.deltas.get(of).cloned().unwrap_or_default();
    let done = |of: &str| {
        let items = item.done.iter().cloned().collect();
        openai_responses::Reading { items, ..openai_responses::Reading::default() }.texts(of)
    };
    let whole = |of: &str| {
        let (shown, last) = (delta(of), done(of));
        if last.starts_with(&shown) { last } else { shown }
    };
    said.text.push_str(&whole("text"));
    said.refusal.push_str(&whole("refusal"));
    said.reasoning.push_str(&whole("reasoning"));
    if !["function_call", "custom_tool_call"].contains(&item.kind.as_str()) || item.name.is_empty() {
        return true;
    }
    let arguments = whole("arguments");
    let fits = item.done.is_none() || item.kind == "custom_tool_call" || arguments == done("arguments");
    let makes_sense = fits || serde_json::from_str::<Value>(&arguments).is_ok();
    said.calls.push((item.name.clone(), arguments));
    makes_sense
}

fn read_bedrock(body: &[u8]) -> Answer {
    let messages = damaged::binary_messages(body);
    let reading = bedrock_converse::read(true, &messages.concat());
    let has_ended = messages
        .iter()
        .flat_map(|message| bedrock_converse::events(message))
        .fold((false, false), |(stop, metadata), event| {
            (stop || event.name == "messageStop", metadata || event.name == "metadata")
        });
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let mut said = Said::default();
    for block in &reading.blocks {
        said.text += &text(&block["text"]);
        said.reasoning += &text(&block["reasoningContent"]["reasoningText"]["text"]);
        let call = &block["toolUse"];
        // Pieces of a call whose beginning was lost are none that a client could run.
        if call["name"].is_string() && call["type"] != "server_tool_use" {
            let pieces = call["pieces"].as_str().map(str::to_owned);
            said.calls.push((text(&call["name"]), pieces.unwrap_or_else(|| "{}".to_owned())));
        }
    }
    let is_whole = has_ended == (true, true);
    said.finish = reading.stop_reason.as_deref().filter(|_| is_whole).map(|reason| match reason {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "guardrail_intervened" | "content_filtered" => "content_filter",
        "tool_use" => "tool_calls",
        _ => "stop",
    });
    let usage = reading.usage().map(|usage| counts(&usage));
    Answer { choices: BTreeMap::from([(0, said)]), usage, has_failed: false, is_whole }
}

fn read_cohere(body: &str) -> Answer {
    let known: Vec<String> = documents(body)
        .filter(|event| event["type"] != "debug" && event["type"].is_string() && event["type"] != "ping")
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    let reading = cohere_chat::read(true, &known.concat());
    let field = |name: &str| -> String {
        reading.content.values().filter_map(|block| block[name].as_str()).collect()
    };
    let calls = reading.calls.values().map(|call| (call.name.clone(), call.arguments.clone()));
    let calls: Vec<_> = calls.filter(|(name, _)| !name.is_empty()).collect();
    let reason = reading.finish_reason.as_deref();
    let has_failed = reason.is_some_and(|reason| ["ERROR", "TIMEOUT"].contains(&reason));
    let finish = reason.map(|reason| match reason {
        "MAX_TOKENS" => "length",
        "TOOL_CALL" => "tool_calls",
        "COMPLETE" if !calls.is_empty() => "tool_calls",
        _ => "stop",
    });
    let usage = reading.usage().map(|usage| counts(&usage));
    let said = Said {
        text: field("text"),
        reasoning: reading.plan.clone() + &field("thinking"),
        calls,
        finish,
        ..Said::default()
    };
    Answer { choices: BTreeMap::from([(0, said)]), usage, has_failed, is_whole: finish.is_some() }
}

fn read_ollama(body: &str) -> Answer {
    let is_json = |line: &&str| serde_json::from_str::<Value>(line).is_ok();
    let lines: Vec<&str> = body.lines().filter(is_json).collect();
    let reading = ollama_chat::read(&lines.join("\n"));
    let is_whole =
        lines.iter().any(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line["done"] == true));
    let call = |call: &Value| {
        let function = &call["function"];
        (function["name"].as_str().unwrap_or("").to_owned(), function["arguments"].to_string())
    };
    let calls: Vec<_> = reading.calls.iter().map(call).collect();
    let finish = is_whole.then_some(match reading.done_reason.as_deref() {
        Some("length") => "length",
        Some("stop") | None if !calls.is_empty() => "tool_calls",
        _ => "stop",
    });
    let usage = reading.usage().map(|usage| counts(&usage));
    let said = Said { text: reading.text, reasoning: reading.thinking, calls, finish, ..Said::default() };
    Answer { choices: BTreeMap::from([(0, said)]), usage, has_failed: false, is_whole }
}

fn counts(usage: &canonical::Usage) -> [u64; 4] {
    [
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.reasoning_tokens.min(usage.output_tokens),
    ]
}
