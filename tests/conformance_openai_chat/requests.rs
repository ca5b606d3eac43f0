//! Recorded requests: sent on as they came.

use serde_json::{Value, json};
use wire::openai_chat::server::OpenAiChat;
use wire::{Dialect as _, Quirks, TargetContext};

use super::answers::Differences;
use super::{Tally, protocol, records};

#[test]
fn every_recorded_request_goes_through_unchanged() {
    let Some(records) = records() else { return };
    let mut tally = Tally::new("requests");
    for record in &records {
        let Some(body) = record.request.as_ref().and_then(|request| request.body.as_ref()) else { continue };
        tally.take(record, request_differences(body));
    }
    tally.settle();
}

fn request_differences(body: &Value) -> Vec<String> {
    let request = match OpenAiChat.decode_request(&wire::RequestHead::default(), body.to_string().as_bytes())
    {
        Ok(request) => request,
        Err(error) => return vec![format!("refused: {error}")],
    };
    let quirks = quirks_of(body);
    let target = TargetContext { model: &request.model, quirks: &quirks, max_output_tokens: None };
    let encoded = match protocol().encode_request(&request, &target) {
        Ok(encoded) => encoded,
        Err(error) => return vec![format!("not sent: {error}")],
    };
    let got: Value = serde_json::from_slice(&encoded.body).unwrap();
    let (got, expected) = (normalised(got), normalised(body.clone()));
    let mut wrong = Differences::default();
    let names: std::collections::BTreeSet<_> =
        [&got, &expected].into_iter().flat_map(|body| body.as_object().unwrap().keys()).collect();
    for name in names {
        let (got, expected) = (&got[name], &expected[name]);
        match (got, expected) {
            (Value::Array(got), Value::Array(expected)) if got.len() == expected.len() => {
                got.iter().zip(expected).for_each(|(got, expected)| wrong.same(name, got, expected));
            }
            _ => wrong.same(name, got, expected),
        }
    }
    wrong.0
}

/// The deviations that the request's own words show, so that everything it says can be sent on.
/// (What a provider is sent by default is the catalogue's choice.)
fn quirks_of(body: &Value) -> Quirks {
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let field = ["reasoning", "reasoning_content", "reasoning_details"].iter().find(|name| {
        messages.iter().any(|message| message.get(**name).is_some_and(|thought| !thought.is_null()))
    });
    let shows_media = |message: &Value| {
        message["role"] == "tool"
            && message["content"]
                .as_array()
                .is_some_and(|parts| parts.iter().any(|part| part["type"] != "text"))
    };
    Quirks {
        tool_media: messages.iter().any(shows_media),
        reasoning_field: field.map(|name| (*name).to_owned()),
        reasoning_object: body["reasoning"].is_object(),
        google_signatures: true,
        ..Quirks::default()
    }
}

/// The same request in one of its several equal forms. Each step is one thing that we write in our
/// own way, or in the target's.
fn normalised(mut body: Value) -> Value {
    without_nulls(&mut body);
    let fields = body.as_object_mut().unwrap();
    // One limit under two names.
    if let Some(limit) = fields.remove("max_completion_tokens") {
        fields.insert("max_tokens".into(), limit);
    }
    // Usage is always asked for; `false` is the default.
    if fields.get("stream") == Some(&json!(true)) {
        fields.entry("stream_options").or_insert_with(|| json!({}))["include_usage"] = json!(true);
    } else {
        fields.remove("stream");
        fields.remove("stream_options");
    }
    // One stop sequence or a list of them.
    if let Some(stop @ Value::String(_)) = fields.get_mut("stop") {
        *stop = json!([stop.clone()]);
    }
    // The form before tools.
    if let Some(Value::Array(functions)) = fields.remove("functions") {
        let tools = functions.into_iter().map(|function| json!({"type": "function", "function": function}));
        fields.insert("tools".into(), tools.collect());
    }
    if let Some(choice) = fields.remove("function_call") {
        let choice =
            if choice.is_object() { json!({"type": "function", "function": choice}) } else { choice };
        fields.insert("tool_choice".into(), choice);
    }
    // Mistral's word.
    if fields.get("tool_choice") == Some(&json!("any")) {
        fields.insert("tool_choice".into(), json!("required"));
    }
    // No tools at all.
    if fields.get("tools").is_none_or(|tools| tools == &json!([])) {
        for name in ["tools", "tool_choice"] {
            fields.remove(name);
        }
    }
    for tool in fields.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
        if tool.get("type").is_none() {
            tool["type"] = json!("function");
        }
    }
    for message in fields.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
        normalise_message(message);
    }
    body
}

fn normalise_message(message: &mut Value) {
    let Some(fields) = message.as_object_mut() else { return };
    // Nothing said is nothing, however it is written.
    if fields.get("content").is_some_and(|content| content == "" || content == &json!([])) {
        fields.remove("content");
    }
    // One text is a text.
    if let Some(content) = fields.get_mut("content") {
        normalise_content(content);
    }
    // The same thought under the name that the target takes; empty ones are none.
    if let Some(thought) = fields.remove("reasoning") {
        fields.insert("reasoning_content".into(), thought);
    }
    for name in ["reasoning_content", "refusal"] {
        if fields.get(name) == Some(&json!("")) {
            fields.remove(name);
        }
    }
    if fields.get("tool_calls") == Some(&json!([])) {
        fields.remove("tool_calls");
    }
    for call in fields.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
        call["type"] = json!(call.get("type").and_then(Value::as_str).unwrap_or("function"));
        let arguments = &mut call["function"]["arguments"];
        if arguments.is_object() {
            *arguments = arguments.to_string().into();
        }
    }
}

fn normalise_content(content: &mut Value) {
    for part in content.as_array_mut().into_iter().flatten() {
        if let Some(url @ Value::String(_)) = part.get_mut("image_url") {
            *url = json!({ "url": url.clone() });
        }
    }
    if let Some([only]) = content.as_array().map(Vec::as_slice)
        && only["type"] == "text"
        && only.as_object().is_some_and(|fields| fields.len() == 2)
    {
        *content = only["text"].clone();
    }
}

/// `null` is as good as missing; numbers are compared as numbers.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        Value::Number(number) => *value = json!(number.as_f64()),
        _ => {}
    }
}
