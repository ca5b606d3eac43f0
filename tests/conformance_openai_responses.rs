//! Every recorded exchange of OpenAI's Responses: decoded without loss, held to the laws, sent back
//! item by item as it came, and its request sent on as it came.
//!
//! What is expected is read off the same JSON by `reading::openai_responses`, written apart.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helpers fail as its body does"
)]

#[path = "conformance_openai_responses/dialect.rs"]
mod dialect;

use std::collections::{BTreeMap, BTreeSet};

use canonical::{ChatRequest, ChatResponse, Content, ErrorKind, FinishReason, Message, Part, Role};
use serde_json::{Value, json};
use signalbox_tests::conformance;
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::laws::{self, Decoded};
use signalbox_tests::reading::openai_chat;
use signalbox_tests::reading::openai_responses::{Reading, UsageReading, read};
use wire::openai_chat::server::OpenAiChat;
use wire::openai_responses::PART_PREFIX;
use wire::openai_responses::client::OpenAiResponses;
use wire::{AnswerContext, Dialect as _, Protocol as _, Quirks, TargetContext};

const FAMILY: &str = "openai-responses";

/// A fixture that strings the four answers of one conversation together. No connection carries
/// more than one, so each is decoded as its own stream; none is left out.
const SEVERAL_ANSWERS: &str =
    "vercel-ai/packages/azure/src/__fixtures__/azure-reasoning-encrypted-content.1.chunks.txt#0";

/// What each of them begins with.
const BEGINNING: &str = "event: response.created";

/// Counts records per provider, and collects what is wrong with which.
#[derive(Default)]
struct Tally {
    passed: BTreeMap<String, u32>,
    wrong: Vec<String>,
}

impl Tally {
    fn take(&mut self, record: &Record, differences: &[String]) {
        if differences.is_empty() {
            *self.passed.entry(record.provider.clone()).or_default() += 1;
            return;
        }
        let lines: Vec<String> =
            differences.iter().map(|line| line.chars().take(700).collect::<String>()).collect();
        self.wrong.push(format!("{} {}\n    {}", record.provider, record.id, lines.join("\n    ")));
    }

    fn settle(self, what: &str) {
        let total: u32 = self.passed.values().sum();
        println!("{what}: {total} records, by provider: {:?}", self.passed);
        assert!(self.wrong.is_empty(), "{} of {what} differ:\n{}", self.wrong.len(), self.wrong.join("\n"));
        assert!(total > 0, "no record was looked at");
    }
}

#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, got: &T, expected: &T) {
        if got != expected {
            self.0.push(format!("{what}: {got:?}, expected {expected:?}"));
        }
    }
}

/// The records, each answer by itself.
fn records() -> Option<Vec<Record>> {
    Some(corpus::records(FAMILY)?.iter().flat_map(answers).collect())
}

/// The answers in a record: one, but for [`SEVERAL_ANSWERS`].
fn answers(record: &Record) -> Vec<Record> {
    if record.id != SEVERAL_ANSWERS {
        return vec![record.clone()];
    }
    let body = record.response.body_text.clone().unwrap_or_default();
    let pieces: Vec<&str> = body.split(BEGINNING).filter(|piece| !piece.trim().is_empty()).collect();
    assert_eq!(pieces.len(), 4);
    let one = |(at, piece): (usize, &str)| {
        let mut one = record.clone();
        one.id = format!("{} answer {at}", record.id);
        one.response.body_text = Some(format!("{BEGINNING}{piece}"));
        one
    };
    pieces.into_iter().enumerate().map(one).collect()
}

fn body_of(record: &Record) -> &str {
    record.response.body_text.as_deref().unwrap_or("")
}

// === answers ===

#[test]
fn every_recorded_answer_is_read_without_loss() {
    let Some(records) = records() else { return };
    let mut tally = Tally::default();
    for record in records.iter().filter(|record| record.response.status < 400) {
        let differences = match laws::check(&OpenAiResponses, &Quirks::default(), record) {
            Ok(decoded) => answer_differences(record, &decoded),
            Err(law) => vec![law],
        };
        if differences.is_empty() {
            conformance::passed(&OpenAiResponses, &Quirks::default(), record);
        }
        tally.take(record, &differences);
    }
    tally.settle("answers");
}

fn answer_differences(record: &Record, decoded: &Decoded) -> Vec<String> {
    let expected = read(record.stream, body_of(record));
    let response = &decoded.response;
    let mut wrong = Differences::default();
    match (&decoded.outcome, &expected.error) {
        (Ok(()), None) => {}
        (Err(error), Some(message)) => {
            wrong.same("message", &error.message, message);
            wrong.same("kind", &error.kind, &ErrorKind::QuotaExhausted);
        }
        (outcome, expected) => wrong.0.push(format!("outcome {outcome:?}, expected {expected:?}")),
    }
    wrong.same("id", &response.start.id, &expected.id);
    wrong.same("model", &response.start.model, &expected.model);
    wrong.same("passed over", &(decoded.counters.unknown, decoded.counters.malformed), &(0, 0));
    let parts = response.choices.first().map_or(&[][..], |choice| &choice.parts);
    for kind in ["text", "refusal", "arguments", "reasoning"] {
        let got = said(parts, kind);
        let without_breaks = |text: &str| text.replace("\n\n", "");
        let same = |wrong: &mut Differences, what: &str, expected: &str| {
            if kind == "reasoning" {
                // Its pieces are parted by blank lines.
                wrong.same(what, &without_breaks(&got), &without_breaks(expected));
            } else {
                wrong.same(what, &got.as_str(), &expected);
            }
        };
        same(&mut wrong, kind, &expected.texts(kind));
        if let Some(deltas) = expected.deltas.get(kind) {
            same(&mut wrong, &format!("{kind} of the deltas"), deltas);
        }
    }
    wrong.same("calls", &calls(parts), &expected.calls());
    if expected.error.is_none() {
        let choice = &response.choices[0];
        wrong.same("raw finish reason", &choice.finish_reason_raw, &expected.finish);
        wrong.same("finish reason", &choice.finish_reason, &Some(finish_of(&expected)));
    }
    wrong.same("usage", &usage_of(response), &expected.usage);
    if let Some(usage) = &response.usage {
        wrong.same("service tier", &usage.service_tier, &expected.tier);
        wrong.same("total", &Some(usage.input_tokens + usage.output_tokens), &usage.total_tokens);
    }
    beside(&mut wrong, response, &expected.beside);
    wrong.0
}

fn said(parts: &[Part], kind: &str) -> String {
    let text = |part: &Part| match (&part.content, kind) {
        (Content::Text(text), "text") | (Content::Refusal(text), "refusal") => text.clone(),
        (Content::Reasoning(reasoning), "reasoning") => reasoning.text.clone(),
        (Content::ToolCall(call), "arguments") => call.arguments.clone(),
        _ => String::new(),
    };
    parts.iter().map(text).collect()
}

fn calls(parts: &[Part]) -> Vec<Value> {
    parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::ToolCall(call) => {
                assert!(!call.is_server_side);
                Some(json!([call.id, call.name, call.arguments]))
            }
            _ => None,
        })
        .collect()
}

/// What the end of an answer means, said once more and by hand.
fn finish_of(reading: &Reading) -> FinishReason {
    let is_to_be_run = |item: &Value| match item["type"].as_str().unwrap_or("") {
        "function_call" | "custom_tool_call" | "apply_patch_call" => true,
        "tool_search_call" => item["execution"] == "client",
        _ => false,
    };
    match reading.finish.as_deref() {
        Some("completed" | "complete") if reading.items.iter().any(is_to_be_run) => FinishReason::ToolCalls,
        Some("completed" | "complete") => FinishReason::Stop,
        Some("max_output_tokens") => FinishReason::Length,
        Some("queued") => FinishReason::Paused,
        other => panic!("an end that this test does not know: {other:?}"),
    }
}

fn usage_of(response: &ChatResponse) -> Option<UsageReading> {
    response.usage.as_ref().map(|usage| UsageReading {
        input: usage.input_tokens,
        output: usage.output_tokens,
        cache_read: usage.cache_read_tokens,
        cache_write: usage.cache_write_tokens,
        reasoning: usage.reasoning_tokens,
        total: usage.total_tokens,
        cost: usage.reported_cost,
        searches: usage.web_searches,
        tools: usage.tool_calls.iter().flatten().map(|calls| (calls.tool.clone(), calls.count)).collect(),
    })
}

/// Every field of the whole answer that has no canonical word is in its extensions.
fn beside(wrong: &mut Differences, response: &ChatResponse, last: &Value) {
    const KNOWN: [&str; 10] = [
        "id",
        "object",
        "created_at",
        "model",
        "status",
        "output",
        "output_text",
        "usage",
        "error",
        "incomplete_details",
    ];
    for (name, value) in last.as_object().into_iter().flatten() {
        if !KNOWN.contains(&name.as_str()) && !value.is_null() {
            wrong.same(name, &response.extensions.field(FAMILY, name), &Some(value));
        }
    }
    for name in ["num_sources_used", "is_byok", "cost_details", "context_details", "pydantic_ai_gateway"] {
        let kept = response.extensions.field(FAMILY, "usage").unwrap_or(&Value::Null);
        wrong.same(name, &kept[name], &last["usage"][name]);
    }
}

// === damage ===

#[test]
fn what_is_lost_on_the_way_is_made_up_for_or_said() {
    let Some(records) = records() else { return };
    let mut tally = Tally::default();
    for record in records.iter().filter(|record| laws::is_streamed(record)) {
        let whole = laws::decode(&OpenAiResponses, &Quirks::default(), record);
        if whole.outcome.is_ok() {
            let frames: Vec<&str> = body_of(record).split_inclusive("\n\n").collect();
            let mut wrong = Differences::default();
            cut(&mut wrong, &frames, &whole);
            disturbed(&mut wrong, &frames, &whole);
            missing(&mut wrong, &frames, &whole);
            shaken(&mut wrong, &frames);
            tally.take(record, &wrong.0);
        }
    }
    tally.settle("damaged streams");
}

fn stream(frames: &[&str]) -> Decoded {
    laws::decode_stream(&OpenAiResponses, &Quirks::default(), [frames.concat().as_bytes()])
}

fn parts_of(decoded: &Decoded) -> &[Part] {
    decoded.response.choices.first().map_or(&[], |choice| &choice.parts)
}

/// At most 40 places of `frames`, all of a short stream.
fn places(frames: &[&str]) -> impl Iterator<Item = usize> {
    (0..frames.len()).step_by(frames.len() / 40 + 1)
}

fn is_end(frame: &str) -> bool {
    ["completed", "incomplete"].iter().any(|end| frame.contains(&format!("\"type\":\"response.{end}\"")))
}

/// Without its end, an answer is cut; what had arrived is its beginning.
fn cut(wrong: &mut Differences, frames: &[&str], whole: &Decoded) {
    let end = frames.iter().position(|frame| is_end(frame)).expect("a whole stream has its end");
    for place in places(&frames[..=end]) {
        let got = stream(&frames[..place]);
        let kind = got.outcome.as_ref().err().map(|error| error.kind);
        wrong.same(&format!("cut before event {place}"), &kind, &Some(ErrorKind::Truncated));
        for kind in ["text", "refusal", "reasoning", "arguments"] {
            let (got, whole) = (said(parts_of(&got), kind), said(parts_of(whole), kind));
            wrong.same(&format!("{kind} before event {place}"), &whole.starts_with(&got), &true);
        }
    }
}

/// A piece of nonsense, a comment and a tag of tomorrow cost nothing.
fn disturbed(wrong: &mut Differences, frames: &[&str], whole: &Decoded) {
    const NOISE: &str =
        "data: {\"type\": \"response.outp\n\n: ping\n\ndata: {\"type\":\"response.tomorrow\"}\n\n";
    for place in places(frames) {
        let got = stream(&[&frames[..place], &[NOISE], &frames[place..]].concat());
        wrong.same(&format!("disturbed before event {place}"), &got.events, &whole.events);
        wrong.same("outcome", &got.outcome, &whole.outcome);
    }
}

/// An event that is no delta is made up for by those that repeat it.
fn missing(wrong: &mut Differences, frames: &[&str], whole: &Decoded) {
    let end = frames
        .iter()
        .find(|frame| is_end(frame))
        .and_then(|end| end.lines().find_map(|line| line.strip_prefix("data:")));
    let end: Value = serde_json::from_str(end.unwrap()).unwrap();
    for place in places(frames) {
        let is_needed = frames[place].contains(".delta\"") || is_end(frames[place]);
        // ChatGPT's end does not repeat the output.
        let is_only = frames[place].contains("output_item.done") && end["response"]["output"] == json!([]);
        if is_needed || is_only || frames[place].contains("[DONE]") {
            continue;
        }
        let got = stream(&[&frames[..place], &frames[place + 1..]].concat());
        wrong.same(&format!("outcome without event {place}"), &got.outcome, &whole.outcome);
        wrong.same(&format!("calls without event {place}"), &calls(parts_of(&got)), &calls(parts_of(whole)));
        wrong.same("number of parts", &parts_of(&got).len(), &parts_of(whole).len());
        for kind in ["text", "refusal", "reasoning"] {
            let (got, whole) = (said(parts_of(&got), kind), said(parts_of(whole), kind));
            wrong.same(&format!("{kind} without event {place}"), &got, &whole);
        }
        wrong.same("usage", &got.response.usage, &whole.response.usage);
    }
}

/// Events twice, out of order or with a wrong letter: whatever becomes of them, it is lawful.
fn shaken(wrong: &mut Differences, frames: &[&str]) {
    let mut chance = laws::Chance::new(frames.concat().as_bytes());
    for round in 0..24 {
        let mut shaken = frames.to_vec();
        for _ in 0..=round % 4 {
            let (from, to) = (chance.below(shaken.len()), chance.below(shaken.len()));
            match round % 3 {
                0 => shaken.swap(from, to),
                1 => shaken.insert(to, shaken[from]),
                _ => {}
            }
        }
        let mut body = shaken.concat().into_bytes();
        if round % 3 == 2 {
            let at = chance.below(body.len());
            body[at] = b"\"{}[]:,0x"[chance.below(9)];
        }
        let got = laws::decode_stream(&OpenAiResponses, &Quirks::default(), [body.as_slice()]);
        let held = laws::grammar(&got).and_then(|()| laws::folding(&got));
        wrong.same(&format!("shaken {round}"), &held, &Ok(()));
    }
}

// === the same items, sent back ===

#[test]
fn every_recorded_item_is_sent_back_as_it_came() {
    let Some(records) = records() else { return };
    let mut tally = Tally::default();
    for record in records.iter().filter(|record| record.response.status < 400) {
        let decoded = laws::decode(&OpenAiResponses, &Quirks::default(), record);
        let Some(choice) = decoded.response.choices.first() else { continue };
        let mut message = Message::new(Role::Assistant, choice.parts.clone());
        for (position, part) in message.parts.iter_mut().enumerate() {
            let fields = choice.extensions.field(FAMILY, &format!("{PART_PREFIX}{position}"));
            if let Some(Value::Object(fields)) = fields {
                part.extensions.extend(FAMILY, fields.clone());
            }
        }
        let request = ChatRequest { messages: vec![message], ..ChatRequest::default() };
        let sent = encoded(&request, "gpt-5.2");
        let (mut got, mut expected) =
            (sent["input"].clone(), json!(read(record.stream, body_of(record)).items));
        normalise_items(&mut got);
        normalise_items(&mut expected);
        let mut wrong = Differences::default();
        items(&mut wrong, &got, &expected);
        tally.take(record, &wrong.0);
    }
    tally.settle("answers sent back");
}

fn items(wrong: &mut Differences, got: &Value, expected: &Value) {
    let (got, expected) = (got.as_array().unwrap(), expected.as_array().unwrap());
    wrong.same("number of items", &got.len(), &expected.len());
    for (got, expected) in got.iter().zip(expected) {
        if got != expected {
            wrong.0.push(format!("item {got}\n        expected {expected}"));
        }
    }
}

fn encoded(request: &ChatRequest, model: &str) -> Value {
    let quirks = Quirks::default();
    let target = TargetContext { model, quirks: &quirks, max_output_tokens: None };
    let sent = OpenAiResponses.encode_request(request, &target).unwrap();
    assert_eq!(sent.path, "/responses");
    serde_json::from_slice(&sent.body).unwrap()
}

/// The same items in one of their several equal forms: no empty fields, one text as plain text, and
/// no type where `role` says that it is a message.
fn normalise_items(items: &mut Value) {
    without_nothing(items);
    for item in items.as_array_mut().into_iter().flatten() {
        if item["type"] == "message" {
            item.as_object_mut().unwrap().remove("type");
        }
        for place in ["content", "output"] {
            if let Some([only]) = item[place].as_array().map(Vec::as_slice)
                && only["text"].is_string()
                && only["type"] != "reasoning_text"
                && only.as_object().is_some_and(|fields| fields.len() == 2)
            {
                item[place] = only["text"].clone();
            }
        }
        without_nothing(item);
    }
}

/// `null` and an empty list are as good as missing; numbers are compared as numbers.
fn without_nothing(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(without_nothing);
            fields.retain(|_, value| !value.is_null() && value != &json!([]));
        }
        Value::Array(items) => items.iter_mut().for_each(without_nothing),
        Value::Number(number) => *value = json!(number.as_f64()),
        _ => {}
    }
}

// === the same answer, at a client of another family ===

#[test]
fn every_recorded_answer_reaches_a_client_of_chat_completions() {
    let Some(records) = records() else { return };
    let mut tally = Tally::default();
    for record in records.iter().filter(|record| record.response.status < 400) {
        let decoded = laws::decode(&OpenAiResponses, &Quirks::default(), record);
        let context = AnswerContext { include_usage: true, ..AnswerContext::default() };
        let (mut encoder, mut body) = (OpenAiChat.stream_encoder(&context), Vec::new());
        decoded.events.iter().for_each(|event| encoder.event(event, &mut body));
        match &decoded.outcome {
            Ok(()) => encoder.end(&mut body),
            Err(error) => encoder.error(error, &mut body),
        }
        let got = openai_chat::read("openai", true, &String::from_utf8(body).unwrap());
        let choice = got.choices.get(&0).cloned().unwrap_or_default();
        let expected = read(record.stream, body_of(record));
        let mut wrong = Differences::default();
        wrong.same("error", &got.error, &expected.error);
        wrong.same("text", &choice.text, &expected.texts("text"));
        wrong.same("refusal", &choice.refusal, &expected.texts("refusal"));
        let calls: Vec<Value> =
            choice.calls.iter().map(|call| json!([call.id, call.name, call.arguments])).collect();
        wrong.same("calls", &calls, &expected.calls());
        let counts =
            |usage: openai_chat::UsageReading| (usage.input, usage.output, usage.cache_read, usage.reasoning);
        let counted = expected
            .usage
            .as_ref()
            .map(|usage| (usage.input, usage.output, usage.cache_read, usage.reasoning));
        wrong.same("usage", &got.usage.map(counts), &counted);
        if expected.error.is_none() {
            let word = match finish_of(&expected) {
                FinishReason::ToolCalls => "tool_calls",
                FinishReason::Length => "length",
                _ => "stop",
            };
            wrong.same("finish reason", &choice.finish.as_deref(), &Some(word));
        }
        tally.take(record, &wrong.0);
    }
    tally.settle("answers at a client of Chat Completions");
}

// === errors ===

#[test]
fn every_recorded_error_keeps_its_words_and_status() {
    let Some(records) = records() else { return };
    let mut tally = Tally::default();
    for record in records.iter().filter(|record| record.response.status >= 400) {
        let decoded = laws::decode(&OpenAiResponses, &Quirks::default(), record);
        let error = decoded.outcome.unwrap_err();
        let said: Value = serde_json::from_str(body_of(record)).unwrap();
        let said = &said["error"];
        let mut wrong = Differences::default();
        wrong.same("status", &error.status, &Some(record.response.status));
        wrong.same("message", &Some(error.message.as_str()), &said["message"].as_str());
        wrong.same("param", &error.param.as_deref(), &said["param"].as_str());
        let code = said["code"].as_str().or(said["type"].as_str());
        wrong.same("code", &error.code.as_deref(), &code);
        let kind = match (record.response.status, said["code"].as_str()) {
            (401, _) => ErrorKind::Authentication,
            (429, Some("insufficient_quota")) => ErrorKind::QuotaExhausted,
            (400, Some("model_not_found")) => ErrorKind::NotFound,
            (400, _) => ErrorKind::InvalidRequest,
            other => panic!("an error that this test does not know: {other:?}"),
        };
        wrong.same("kind", &error.kind, &kind);
        if wrong.0.is_empty() {
            conformance::passed(&OpenAiResponses, &Quirks::default(), record);
        }
        tally.take(record, &wrong.0);
    }
    tally.settle("errors");
}

// === requests ===

#[test]
fn every_recorded_request_goes_through_unchanged() {
    let Some(records) = corpus::records(FAMILY) else { return };
    let mut tally = Tally::default();
    for record in &records {
        let Some(body) = record.request.as_ref().and_then(|request| request.body.as_ref()) else { continue };
        let request = dialect::request_of(body);
        let got = normalised(encoded(&request, &request.model), body);
        let expected = normalised(body.clone(), body);
        let mut wrong = Differences::default();
        let names: BTreeSet<&String> =
            [&got, &expected].into_iter().flat_map(|body| body.as_object().unwrap().keys()).collect();
        for name in names {
            match (&got[name], &expected[name]) {
                (Value::Array(_), Value::Array(_)) => items(&mut wrong, &got[name], &expected[name]),
                (got, expected) => wrong.same(name, got, expected),
            }
        }
        tally.take(record, &wrong.0);
    }
    tally.settle("requests");
}

/// The same request in one of its several equal forms. Each step is one thing that we write in our
/// own way.
fn normalised(mut body: Value, recorded: &Value) -> Value {
    let fields = body.as_object_mut().unwrap();
    // What we add where the client said nothing.
    for name in ["store", "include"] {
        if recorded.get(name).is_none() {
            fields.remove(name);
        }
    }
    if fields.get("stream") == Some(&json!(false)) {
        fields.remove("stream");
    }
    // One text is the user's message.
    if let Some(text @ Value::String(_)) = fields.get_mut("input") {
        *text = json!([{"role": "user", "content": text}]);
    }
    normalise_items(&mut fields["input"]);
    // Instructions are the system's first words, wherever they stand.
    let mut instructions: Vec<Value> = fields.remove("instructions").into_iter().collect();
    let input = fields["input"].as_array_mut().unwrap();
    let leading = input.iter().take_while(|item| item["role"] == "system").count();
    instructions.extend(input.drain(..leading).map(|item| item["content"].clone()));
    let instructions: Vec<&str> = instructions.iter().filter_map(Value::as_str).collect();
    let instructions = instructions.join("\n\n");
    if !instructions.is_empty() {
        fields.insert("instructions".into(), instructions.into());
    }
    without_nothing(&mut body);
    body
}
