//! Every recorded Chat Completions exchange: decoded without loss, held to the laws, handed to a
//! client of the same family unchanged, and its request sent on as it came.
//!
//! What is expected is read off the same JSON by `reading::openai_chat`, written apart.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail as its body does")]

use std::collections::BTreeMap;

use canonical::request::Opaque;
use canonical::{ChatResponse, Choice, Content, ErrorKind, FinishReason, StreamEvent, Usage};
use serde_json::{Value, json};
use signalbox_tests::conformance;
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::laws::{self, Decoded};
use signalbox_tests::quirks::quirks_for;
use signalbox_tests::reading::openai_chat::{
    CallReading, ChoiceReading, Reading, UsageReading, error_message, read,
};
use wire::openai_chat::server::OpenAiChat;
use wire::{AnswerContext, Dialect as _, Protocol, ProtocolId, Quirks, TargetContext};

const FAMILY: &str = "openai-chat";

/// Which test may find a difference in which record (a piece of its id), and why. Aim: none.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "requests",
    "test_writer_async_streaming_chat_tool_calls_legacy.yaml",
    "its tool message has no `tool_call_id`, which the API demands: refused by the field's name",
)];

fn protocol() -> &'static dyn Protocol {
    wire::protocol(ProtocolId::OpenaiChat)
}

/// Counts records per provider, and collects what is wrong with which.
struct Tally {
    what: &'static str,
    passed: BTreeMap<String, u32>,
    excepted: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn new(what: &'static str) -> Self {
        Self { what, passed: BTreeMap::new(), excepted: 0, wrong: Vec::new() }
    }

    fn take(&mut self, record: &Record, differences: Vec<String>) {
        if differences.is_empty() {
            if matches!(self.what, "answers" | "errors") {
                conformance::passed(protocol(), &quirks_for(&record.provider), record);
            }
            *self.passed.entry(record.provider.clone()).or_default() += 1;
        } else if EXCEPTIONS.iter().any(|(what, piece, _)| *what == self.what && record.id.contains(piece)) {
            self.excepted += 1;
        } else {
            let lines: Vec<_> = differences.into_iter().map(|line| shorten(&line)).collect();
            self.wrong.push(format!("{} {}\n    {}", record.provider, record.id, lines.join("\n    ")));
        }
    }

    fn settle(self) {
        let (what, total) = (self.what, self.passed.values().sum::<u32>());
        println!("{what}: {total} records and {} excepted, by provider: {:?}", self.excepted, self.passed);
        assert!(total > 0, "no record was looked at");
        assert!(self.wrong.is_empty(), "{} of {what} differ:\n{}", self.wrong.len(), self.wrong.join("\n"));
        let expected = EXCEPTIONS.iter().filter(|(of, ..)| *of == what).count();
        assert_eq!(self.excepted, expected, "an exception that nothing needs any more");
    }
}

fn shorten(line: &str) -> String {
    line.chars().take(600).collect()
}

fn records() -> Option<Vec<Record>> {
    corpus::records(FAMILY)
}

// === answers ===

#[test]
fn every_recorded_answer_is_read_without_loss() {
    let Some(records) = records() else { return };
    let mut tally = Tally::new("answers");
    for record in records.iter().filter(|record| record.response.status < 400) {
        let quirks = quirks_for(&record.provider);
        let differences = match laws::check(protocol(), &quirks, record) {
            Ok(decoded) => {
                let mut differences = answer_differences(record, &decoded);
                differences.extend(laws::damage(protocol(), &quirks, record, &decoded).err());
                differences
            }
            Err(law) => vec![law],
        };
        tally.take(record, differences);
    }
    tally.settle();
}

fn answer_differences(record: &Record, decoded: &Decoded) -> Vec<String> {
    let body = record.response.body_text.as_deref().unwrap_or("");
    let expected = read(&record.provider, record.stream, body);
    let mut wrong = Differences::default();
    wrong.outcome(record, &expected, decoded);
    if expected.choices.is_empty() && expected.error.is_some() {
        return wrong.0;
    }
    let mut got = reading_of(&decoded.response);
    count_extensions(decoded, &mut got);
    for (index, choice) in &expected.choices {
        let Some(got) = got.choices.get(index) else {
            wrong.0.push(format!("choice {index} is missing"));
            continue;
        };
        let mut got = got.clone();
        if expected.error.is_some() {
            // An error takes back the finish reason that came before it.
            got.finish.clone_from(&choice.finish);
        }
        wrong.choice(choice, &got);
        if expected.error.is_none() {
            let canonical = decoded.response.choices.iter().find(|have| u64::from(have.index) == *index);
            wrong.same(
                "finish reason",
                &canonical.and_then(|have| have.finish_reason),
                &Some(finish_of(choice)),
            );
        }
    }
    wrong.same("number of choices", &got.choices.len(), &expected.choices.len());
    wrong.same("usage", &got.usage, &expected.usage);
    wrong.same("model", &got.model, &expected.model);
    wrong.same("id", &got.id, &expected.id);
    if got.usage.is_some() && expected.tier.is_some() {
        wrong.same("service tier", &got.tier, &expected.tier);
    }
    wrong.same("malformed frames", &decoded.counters.malformed, &0);
    wrong.0
}

#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, got: &T, expected: &T) {
        if got != expected {
            self.0.push(format!("{what}: {got:?}, expected {expected:?}"));
        }
    }

    fn outcome(&mut self, record: &Record, expected: &Reading, decoded: &Decoded) {
        let is_finished = expected.choices.values().all(|choice| choice.finish.is_some());
        match (&decoded.outcome, &expected.error) {
            (Ok(()), None) => {
                let ends_in_calls = expected.choices.values().all(|choice| !choice.calls.is_empty());
                let may_lack_reason = !record.stream || record.provider == "snowflake" || ends_in_calls;
                if !is_finished && !may_lack_reason {
                    self.0.push("an unfinished answer was taken for whole".into());
                }
            }
            (Err(error), Some(message)) => {
                self.same("message", &error.message, message);
                if error.kind == ErrorKind::Internal || error.kind == ErrorKind::Truncated {
                    self.0.push(format!("kind {:?}", error.kind));
                }
            }
            (Ok(()), Some(message)) => self.0.push(format!("the error was passed over: {message}")),
            (Err(error), None) if is_finished => self.0.push(format!("refused: {error:?}")),
            (Err(error), None) => self.same("kind", &error.kind, &ErrorKind::Truncated),
        }
    }

    fn choice(&mut self, expected: &ChoiceReading, got: &ChoiceReading) {
        self.same("text", &got.text, &expected.text);
        self.same("reasoning", &got.reasoning, &expected.reasoning);
        self.same("signatures", &got.seals, &expected.seals);
        self.same("refusal", &got.refusal, &expected.refusal);
        self.same("raw finish reason", &got.finish, &expected.finish);
        self.same("log probabilities", &got.logprobs, &expected.logprobs);
        self.same("annotations", &got.annotations, &expected.annotations);
        self.same("number of tool calls", &got.calls.len(), &expected.calls.len());
        let ids: std::collections::BTreeSet<_> = got.calls.iter().map(|call| &call.id).collect();
        self.same("number of tool call ids", &ids.len(), &got.calls.len());
        for (got, expected) in got.calls.iter().zip(&expected.calls) {
            self.same("tool", &got.name, &expected.name);
            self.same("arguments", &got.arguments, &expected.arguments);
            self.same("thought signature", &got.signature, &expected.signature);
            match expected.id.as_str() {
                "" => self.same("minted id is empty", &got.id.is_empty(), &false),
                id => self.same("tool call id", &got.id.as_str(), &id),
            }
        }
    }
}

/// What a raw word means, said once more and by hand.
fn finish_of(choice: &ChoiceReading) -> FinishReason {
    match choice.finish.as_deref() {
        Some("length" | "max_tokens") => FinishReason::Length,
        Some("content_filter") => FinishReason::ContentFilter,
        Some("stop" | "eos") | None if choice.calls.is_empty() => FinishReason::Stop,
        Some("tool_calls" | "function_call" | "stop" | "eos") | None => FinishReason::ToolCalls,
        Some(_) => FinishReason::Other,
    }
}

/// The canonical answer as a reading.
fn reading_of(response: &ChatResponse) -> Reading {
    Reading {
        choices: response
            .choices
            .iter()
            .map(|choice| (u64::from(choice.index), choice_reading(choice)))
            .collect(),
        usage: response.usage.as_ref().map(usage_reading),
        error: None,
        model: response.start.model.clone(),
        id: response.start.id.clone(),
        tier: response.usage.as_ref().and_then(|usage| usage.service_tier.clone()),
        fingerprint: response.start.system_fingerprint.clone(),
    }
}

fn choice_reading(choice: &Choice) -> ChoiceReading {
    let mut reading = ChoiceReading { finish: choice.finish_reason_raw.clone(), ..ChoiceReading::default() };
    for part in &choice.parts {
        match &part.content {
            Content::Text(text) => reading.text.push_str(text),
            Content::Refusal(text) => reading.refusal.push_str(text),
            Content::Reasoning(reasoning) => {
                reading.reasoning.push_str(&reasoning.text);
                reading
                    .seals
                    .extend([reasoning.signature.clone(), reasoning.encrypted.clone()].into_iter().flatten());
            }
            Content::ToolCall(call) => reading.calls.push(CallReading {
                id: call.id.clone(),
                index: None,
                name: call.name.clone(),
                arguments: call.arguments.clone(),
                signature: call.signature.clone(),
            }),
            Content::Opaque(Opaque { value, .. }) => panic!("no record holds a part like {value}"),
            _ => {}
        }
    }
    let length = |name: &str, place: &str| {
        let field = choice.extensions.field(FAMILY, name);
        field.and_then(|value| value.pointer(place)?.as_array()).map_or(0, Vec::len)
    };
    reading.logprobs = length("logprobs", "/content");
    reading.annotations = length("message.annotations", "");
    reading
}

/// A folded stream keeps the last chunk's lists; all of them are in its events.
fn count_extensions(decoded: &Decoded, reading: &mut Reading) {
    let mut counts: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    for event in &decoded.events {
        let StreamEvent::Extension { choice: Some(choice), fields, .. } = event else { continue };
        let length = |name: &str, place: &str| {
            fields.get(name).and_then(|value| value.pointer(place)?.as_array()).map_or(0, Vec::len)
        };
        let (logprobs, annotations) = counts.entry(u64::from(*choice)).or_default();
        *logprobs += length("logprobs", "/content");
        *annotations += length("message.annotations", "");
    }
    for (index, choice) in &mut reading.choices {
        (choice.logprobs, choice.annotations) = counts.get(index).copied().unwrap_or_default();
    }
}

fn usage_reading(usage: &Usage) -> UsageReading {
    UsageReading {
        input: usage.input_tokens,
        output: usage.output_tokens,
        cache_read: usage.cache_read_tokens,
        cache_write: usage.cache_write_tokens,
        reasoning: usage.reasoning_tokens,
        input_audio: usage.input_audio_tokens,
        output_audio: usage.output_audio_tokens,
        input_image: usage.input_image_tokens,
        output_image: usage.output_image_tokens,
        searches: usage.web_searches,
        total: usage.total_tokens,
        cost: usage.reported_cost,
    }
}

// === the same answer, at a client ===

#[test]
fn every_recorded_answer_reaches_a_client_of_the_same_family_unchanged() {
    let Some(records) = records() else { return };
    let mut tally = Tally::new("answers at a client");
    for record in records.iter().filter(|record| record.response.status < 400) {
        let decoded = laws::decode(protocol(), &quirks_for(&record.provider), record);
        if decoded.outcome.is_err() && decoded.events.is_empty() {
            continue;
        }
        let mut differences = Vec::new();
        if record.stream {
            differences.extend(client_differences(&decoded, true));
        }
        if decoded.outcome.is_ok() {
            differences.extend(client_differences(&decoded, false));
        }
        tally.take(record, differences);
    }
    tally.settle();
}

fn client_differences(decoded: &Decoded, is_stream: bool) -> Vec<String> {
    let context = AnswerContext {
        request_id: "req-1".into(),
        requested_model: "asked-for".into(),
        created: 1,
        include_usage: true,
        ..AnswerContext::default()
    };
    let body = if is_stream {
        encoded_stream(decoded, &context)
    } else {
        String::from_utf8(OpenAiChat.encode_response(&decoded.response, &context)).unwrap()
    };
    let got = read("openai", is_stream, &body);
    let mut expected = reading_of(&decoded.response);
    if is_stream {
        count_extensions(decoded, &mut expected);
    }
    let mut wrong = Differences::default();
    for (index, expected) in &expected.choices {
        let got = got.choices.get(index).cloned().unwrap_or_default();
        let canonical =
            &decoded.response.choices.iter().find(|have| u64::from(have.index) == *index).unwrap();
        let finish =
            canonical.finish_reason.filter(|_| decoded.outcome.is_ok() || canonical.finish_reason.is_some());
        let expected = ChoiceReading { finish: finish.map(openai_word), ..expected.clone() };
        wrong.choice(&expected, &got);
    }
    // A stream that broke off says so, and says nothing behind it.
    wrong.same("error", &got.error.is_some(), &decoded.outcome.is_err());
    if is_stream {
        wrong.same("[DONE]", &body.ends_with("data: [DONE]\n\n"), &decoded.outcome.is_ok());
    }
    if decoded.outcome.is_ok() {
        let total = |usage: UsageReading| UsageReading { total: Some(usage.input + usage.output), ..usage };
        wrong.same("usage", &got.usage, &expected.usage.map(total));
    }
    wrong.same(
        "model",
        &got.model.unwrap_or_default(),
        &expected.model.unwrap_or_else(|| "asked-for".into()),
    );
    wrong.0
}

fn encoded_stream(decoded: &Decoded, context: &AnswerContext) -> String {
    let (mut encoder, mut out) = (OpenAiChat.stream_encoder(context), Vec::new());
    for event in &decoded.events {
        encoder.event(event, &mut out);
    }
    match &decoded.outcome {
        Ok(()) => encoder.end(&mut out),
        Err(error) => encoder.error(error, &mut out),
    }
    String::from_utf8(out).unwrap()
}

fn openai_word(reason: FinishReason) -> String {
    match reason {
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter | FinishReason::Refusal => "content_filter",
        _ => "stop",
    }
    .to_owned()
}

// === errors ===

#[test]
fn every_recorded_error_keeps_its_words_and_status() {
    let Some(records) = records() else { return };
    let mut tally = Tally::new("errors");
    for record in records.iter().filter(|record| record.response.status >= 400) {
        let decoded = laws::decode(protocol(), &quirks_for(&record.provider), record);
        tally.take(record, error_differences(record, &decoded));
    }
    tally.settle();
}

fn error_differences(record: &Record, decoded: &Decoded) -> Vec<String> {
    let Err(error) = &decoded.outcome else { return vec!["the error was passed over".into()] };
    let body = record.response.body_text.as_deref().unwrap_or("");
    let said = serde_json::from_str::<Value>(body).ok().and_then(|body| error_message(&body));
    let mut wrong = Differences::default();
    wrong.same("status", &error.status, &Some(record.response.status));
    wrong.same("message", &error.message, &said.unwrap_or_else(|| body.trim().to_owned()));
    let fits = match record.response.status {
        401 => error.kind == ErrorKind::Authentication,
        404 => error.kind == ErrorKind::NotFound,
        429 => matches!(error.kind, ErrorKind::RateLimited | ErrorKind::QuotaExhausted),
        // Some relays put an upstream's failure into their own 400.
        400 => {
            !matches!(error.kind, ErrorKind::Internal | ErrorKind::ServerError | ErrorKind::InvalidResponse)
        }
        500.. => {
            matches!(error.kind, ErrorKind::ServerError | ErrorKind::Overloaded | ErrorKind::InvalidRequest)
        }
        _ => error.kind != ErrorKind::Internal,
    };
    if !fits {
        wrong.0.push(format!("{} is {:?}", record.response.status, error.kind));
    }
    let (status, encoded) = OpenAiChat.encode_error(error, Some("req-1"));
    let encoded: Value = serde_json::from_slice(&encoded).unwrap();
    wrong.same("message at the client", &encoded["error"]["message"].as_str(), &Some(error.message.as_str()));
    if error.kind != ErrorKind::ServerError && record.response.status != 400 {
        wrong.same("status at the client", &status, &record.response.status);
    }
    wrong.0
}

// === requests ===

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
