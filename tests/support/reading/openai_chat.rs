//! A plain reading of a Chat Completions answer, streamed or not.
//!
//! It knows providers by name, because what a count means is a fact about a provider; the decoder
//! must find the same without names.

use std::collections::BTreeMap;

use canonical::PicoUsd;
use serde_json::Value;

/// What the answer says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    pub choices: BTreeMap<u64, ChoiceReading>,
    pub usage: Option<UsageReading>,
    /// The message of an error inside the answer.
    pub error: Option<String>,
    pub model: Option<String>,
    pub id: Option<String>,
    pub tier: Option<String>,
    pub fingerprint: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChoiceReading {
    pub text: String,
    pub reasoning: String,
    /// Signatures and encrypted thoughts, in order.
    pub seals: Vec<String>,
    pub refusal: String,
    pub calls: Vec<CallReading>,
    pub finish: Option<String>,
    /// Tokens with a log probability.
    pub logprobs: usize,
    pub annotations: usize,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallReading {
    /// Empty where the provider sent none.
    pub id: String,
    pub index: Option<u64>,
    pub name: String,
    pub arguments: String,
    pub signature: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct UsageReading {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub reasoning: u64,
    pub input_audio: u64,
    pub output_audio: u64,
    pub input_image: u64,
    pub output_image: u64,
    pub searches: u64,
    pub total: Option<u64>,
    pub cost: Option<PicoUsd>,
}

/// Reads `body`, an event stream or one document, as `provider` means it.
pub fn read(provider: &str, is_stream: bool, body: &str) -> Reading {
    let mut reading = Reading::default();
    // A whole answer is its message. Perplexity puts an empty delta beside it, and a message with all
    // of the text so far beside each delta of a stream.
    let is_whole = !is_stream || body.trim_start().starts_with('{');
    for mut document in documents(is_stream, body) {
        for choice in document["choices"].as_array_mut().into_iter().flatten() {
            if is_whole && choice["message"].is_object() {
                choice["delta"] = Value::Null;
            }
        }
        read_document(provider, &document, &mut reading);
    }
    reading
}

/// The JSON documents of a body: the payload of every `data:` line, or the body itself.
fn documents(is_stream: bool, body: &str) -> Vec<Value> {
    if !is_stream || body.trim_start().starts_with('{') {
        return serde_json::from_str(body).into_iter().collect();
    }
    body.lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter_map(|data| serde_json::from_str(data.trim()).ok())
        .collect()
}

fn read_document(provider: &str, document: &Value, reading: &mut Reading) {
    if !document["error"].is_null() {
        reading.error = Some(error_message(document).unwrap_or_default());
    }
    let keep = |place: &mut Option<String>, name: &str| {
        if place.is_none() {
            *place = text(&document[name]).filter(|text| !text.is_empty());
        }
    };
    keep(&mut reading.id, "id");
    keep(&mut reading.fingerprint, "system_fingerprint");
    if !list(&document["choices"]).is_empty() {
        keep(&mut reading.model, "model");
    }
    if let Some(tier) = text(&document["service_tier"]) {
        reading.tier = Some(tier);
    }
    for choice in list(&document["choices"]) {
        let index = choice["index"].as_u64().unwrap_or(0);
        read_choice(choice, reading.choices.entry(index).or_default());
    }
    let older = &document["x_groq"]["usage"];
    let usage = [&document["usage"], older].into_iter().find(|usage| usage["prompt_tokens"].is_u64());
    if let Some(usage) = usage {
        reading.usage = Some(read_usage(provider, usage, document));
    }
}

fn read_choice(choice: &Value, reading: &mut ChoiceReading) {
    let message = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
    read_content(&message["content"], reading);
    reading.reasoning.push_str(&thought(message));
    for detail in list(&message["reasoning_details"]) {
        let seals = [&detail["signature"], &detail["data"]];
        reading.seals.extend(seals.into_iter().filter_map(text).filter(|seal| !seal.is_empty()));
    }
    reading.refusal.push_str(message["refusal"].as_str().unwrap_or(""));
    for call in list(&message["tool_calls"]) {
        read_call(call, &mut reading.calls);
    }
    let older = &message["function_call"];
    if older["name"].as_str().is_some_and(|name| !name.is_empty())
        || older["arguments"].as_str().is_some_and(|text| !text.is_empty())
    {
        read_call(&serde_json::json!({ "function": older }), &mut reading.calls);
    }
    let finish = match &choice["finish_reason"] {
        Value::Number(number) => Some(number.to_string()),
        other => text(other).filter(|word| !word.is_empty()),
    };
    reading.finish = finish.or(reading.finish.take());
    reading.logprobs += list(&choice["logprobs"]["content"]).len();
    reading.annotations += list(&message["annotations"]).len();
}

fn read_content(content: &Value, reading: &mut ChoiceReading) {
    match content {
        Value::String(text) => reading.text.push_str(text),
        Value::Array(items) => {
            for item in items {
                reading.text.push_str(item["text"].as_str().unwrap_or(""));
                for thought in list(&item["thinking"]) {
                    reading.reasoning.push_str(thought["text"].as_str().unwrap_or(""));
                }
            }
        }
        _ => {}
    }
}

/// A thought has several names; where more than one is there, they say the same.
fn thought(message: &Value) -> String {
    let names = ["reasoning_content", "reasoning"];
    let direct = names.iter().filter_map(|name| text(&message[*name])).find(|text| !text.is_empty());
    direct.unwrap_or_else(|| {
        let details = list(&message["reasoning_details"]).iter();
        details.filter_map(|detail| text(&detail["text"]).or_else(|| text(&detail["summary"]))).collect()
    })
}

/// A new id begins a call; without one the index, and without that the latest call, goes on.
fn read_call(piece: &Value, calls: &mut Vec<CallReading>) {
    let id = text(&piece["id"]).unwrap_or_default();
    let index = piece["index"].as_u64();
    // A tool with free-form input has another word for each; Snowflake has both fields in every call.
    let (called, said) = match (&piece["function"], &piece["custom"]) {
        (Value::Null, custom @ Value::Object(_)) => (custom, "input"),
        (function, _) => (function, "arguments"),
    };
    let name = text(&called["name"]).unwrap_or_default();
    let arguments = match &called[said] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        object => object.to_string(),
    };
    let goes_on = match (id.as_str(), name.as_str(), index) {
        ("", "", Some(index)) => calls.iter().rposition(|call| call.index == Some(index)),
        ("", "", None) => calls.len().checked_sub(1),
        ("", _, _) => None,
        (id, ..) => calls.iter().rposition(|call| call.id == id),
    };
    if let Some(position) = goes_on {
        calls[position].arguments.push_str(&arguments);
    } else {
        let signature = text(&piece["extra_content"]["google"]["thought_signature"]);
        calls.push(CallReading { id, index, name, arguments, signature });
    }
}

fn read_usage(provider: &str, usage: &Value, document: &Value) -> UsageReading {
    let count = |places: &[&str]| {
        places.iter().filter_map(|place| usage.pointer(place)?.as_u64()).find(|count| *count > 0).unwrap_or(0)
    };
    let mut read = UsageReading {
        input: count(&["/prompt_tokens"]),
        output: count(&["/completion_tokens"]),
        cache_read: count(&[
            "/prompt_tokens_details/cached_tokens",
            "/prompt_cache_hit_tokens",
            "/num_cached_tokens",
            "/cached_tokens",
            "/cache_read_input_tokens",
        ]),
        cache_write: count(&["/prompt_tokens_details/cache_write_tokens", "/cache_creation_input_tokens"]),
        reasoning: count(&["/completion_tokens_details/reasoning_tokens", "/reasoning_tokens"]),
        input_audio: count(&["/prompt_tokens_details/audio_tokens"]),
        output_audio: count(&["/completion_tokens_details/audio_tokens"]),
        input_image: count(&["/prompt_tokens_details/image_tokens"]),
        output_image: count(&["/completion_tokens_details/image_tokens"]),
        searches: count(&[
            "/num_search_queries",
            "/num_sources_used",
            "/server_tool_use_details/web_search_requests",
        ]),
        total: usage["total_tokens"].as_u64(),
        cost: read_cost(usage, document),
    };
    match provider {
        // Reasoning stands beside the completion.
        "xai" => read.output += read.reasoning,
        // Thoughts show in the total alone.
        "google" => {
            read.reasoning = read.total.unwrap_or(0).saturating_sub(read.input + read.output);
            read.output += read.reasoning;
        }
        // Audio stands beside the prompt.
        "mistral" => read.input += read.input_audio,
        // Grok there counts the cached ones beside the prompt.
        "azure" if read.cache_read > read.input => read.input += read.cache_read,
        _ => {}
    }
    read.reasoning = read.reasoning.min(read.output);
    read
}

fn read_cost(usage: &Value, document: &Value) -> Option<PicoUsd> {
    if let Some(ticks) = usage["cost_in_usd_ticks"].as_i64() {
        return Some(PicoUsd(ticks * 100));
    }
    let costs = [&usage["cost"], &usage["cost"]["total_cost"], &document["cost"]["usd"]];
    let said = |cost: &Value| PicoUsd::from_decimal_usd(&cost.to_string());
    let cost = costs.into_iter().find(|cost| cost.is_number()).and_then(said)?;
    // With the caller's own key the relay's fee is one bill of two.
    let other = if usage["is_byok"] == true {
        said(&usage["cost_details"]["upstream_inference_cost"])?
    } else {
        PicoUsd::ZERO
    };
    Some(cost + other)
}

/// The words of an error body, in whichever of the recorded shapes.
pub fn error_message(body: &Value) -> Option<String> {
    let places = ["/error/message", "/error", "/message", "/detail", "/0/error/message", "/detail/0/msg"];
    places.iter().find_map(|place| text(body.pointer(place)?))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
