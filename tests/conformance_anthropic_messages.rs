//! Every recorded answer in Anthropic's Messages decodes to what a plain reading of its JSON says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails here fails its test")]

#[path = "conformance_anthropic_messages/server.rs"]
mod server;

use canonical::{Content, ErrorKind, FinishReason};
use serde_json::{Value, json};
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::damage;
use signalbox_tests::judge::{every_answer, same};
use signalbox_tests::laws::{self, Decoded};
use signalbox_tests::reading::anthropic_messages::{Reading, read};
use wire::Quirks;
use wire::anthropic_messages::client::AnthropicMessages;

const FAMILY: &str = "anthropic-messages";

/// A fixture that strings fifteen answers of one conversation together, one after the other. No
/// connection carries more than one, so each is decoded as its own stream; none is left out.
const SEVERAL_ANSWERS: &str =
    "vercel-ai/packages/anthropic/src/__fixtures__/anthropic-programmatic-tool-calling.1.chunks.txt#0";

/// A handwritten fixture of a relay that lost its upstream in the middle of a call and spliced a
/// second answer behind it. The first is cut, and must count as cut; what it said until then is
/// compared with the reading of that piece.
const SPLICED: &str = "vercel-ai/packages/anthropic/src/__fixtures__/spliced-message-start.chunks.txt#0";

#[test]
fn every_recorded_answer_decodes_without_loss_and_obeys_the_laws() {
    let Some(records) = corpus::records(FAMILY) else { return };
    let counts = every_answer(&AnthropicMessages, records.iter().flat_map(answers), judge);
    assert!(counts.len() >= 5, "providers went missing: {counts:?}");
}

/// The answers in a record: one, but for [`SEVERAL_ANSWERS`].
fn answers(record: &Record) -> Vec<Record> {
    if record.id != SEVERAL_ANSWERS {
        return vec![record.clone()];
    }
    let body = record.response.body_text.clone().unwrap_or_default();
    let parts: Vec<&str> =
        body.split("event: message_start").filter(|part| !part.trim().is_empty()).collect();
    assert_eq!(parts.len(), 15);
    parts
        .into_iter()
        .enumerate()
        .map(|(at, part)| {
            let mut one = record.clone();
            one.id = format!("{} answer {at}", record.id);
            one.response.body_text = Some(format!("event: message_start{part}"));
            one
        })
        .collect()
}

/// Counters with a canonical word; the others are kept as they came.
const COUNTED: [&str; 11] = [
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
    "service_tier",
    "inference_geo",
    "speed",
    "cost",
];

fn judge(record: &Record) -> Result<(), String> {
    let decoded = laws::check(&AnthropicMessages, &Quirks::default(), record)?;
    let body = record.response.body_text.clone().unwrap_or_default();
    if record.response.status >= 400 {
        return judge_error(record.response.status, &body, &decoded);
    }
    let reading = read(record.stream, &body);
    if let Some(message) = &reading.error {
        let error = decoded.outcome.as_ref().expect_err("an error in the answer is an error");
        return same("error", &error.message, message);
    }
    if record.id == SPLICED {
        return judge_spliced(&decoded, &body);
    }
    decoded.outcome.clone().map_err(|error| format!("outcome: {error}"))?;
    same("passed over", &(decoded.counters.unknown, decoded.counters.malformed), &(0, 0))?;
    judge_answer(&decoded, &reading)
}

fn judge_spliced(decoded: &Decoded, body: &str) -> Result<(), String> {
    same("outcome", &decoded.outcome.as_ref().err().map(|error| error.kind), &Some(ErrorKind::Truncated))?;
    let first = body.split("event: message_start").nth(1).unwrap_or("");
    let reading = read(true, first);
    same("id", &decoded.response.start.id, &reading.id)?;
    let parts = &decoded.response.choices[0].parts;
    same("parts", &parts.len(), &reading.blocks.len())?;
    judge_block(&parts[0].content, &reading.blocks[0])?;
    let Content::ToolCall(call) = &parts[1].content else { return Err("the call is lost".into()) };
    same("arguments so far", &Value::from(call.arguments.as_str()), &reading.blocks[1]["input"])?;
    same("finish reason", &decoded.response.choices[0].finish_reason, &None)
}

fn judge_error(status: u16, body: &str, decoded: &Decoded) -> Result<(), String> {
    let said: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let error = decoded.outcome.as_ref().expect_err("an error status is an error");
    same("message", &Some(error.message.as_str()), &said["error"]["message"].as_str())?;
    same("code", &error.code.as_deref(), &said["error"]["type"].as_str())?;
    same("status", &error.status, &Some(status))?;
    let expected = match (status, said["error"]["type"].as_str()) {
        (_, Some("authentication_error")) => ErrorKind::Authentication,
        (_, Some("not_found_error")) => ErrorKind::NotFound,
        _ if error.message.starts_with("prompt is too long") => ErrorKind::ContextTooLong,
        (400, Some("invalid_request_error")) => ErrorKind::InvalidRequest,
        other => return Err(format!("an error that this test does not know: {other:?}")),
    };
    same("kind", &error.kind, &expected)
}

fn judge_answer(decoded: &Decoded, reading: &Reading) -> Result<(), String> {
    let response = &decoded.response;
    same("id", &response.start.id, &reading.id)?;
    same("model", &response.start.model, &reading.model)?;
    same("usage", &response.usage, &reading.usage())?;
    for (name, value) in reading.usage.iter().filter(|(name, _)| !COUNTED.contains(&name.as_str())) {
        let kept = response.extensions.field(FAMILY, "usage").map(|usage| usage[name].clone());
        same(name, &kept.as_ref(), &Some(value))?;
    }
    let [choice] = response.choices.as_slice() else {
        return Err(format!("{} choices", response.choices.len()));
    };
    let expected = match reading.stop_reason.as_deref() {
        Some("end_turn") => Some(FinishReason::Stop),
        Some("tool_use") => Some(FinishReason::ToolCalls),
        Some("max_tokens") => Some(FinishReason::Length),
        Some("stop_sequence") => Some(FinishReason::StopSequence),
        Some("refusal") => Some(FinishReason::Refusal),
        other => return Err(format!("a stop reason that this test does not know: {other:?}")),
    };
    same("finish reason", &choice.finish_reason, &expected)?;
    same("raw finish reason", &choice.finish_reason_raw, &reading.stop_reason)?;
    same("text", &choice.plain_text(), &reading.text("text"))?;
    same("parts", &choice.parts.len(), &reading.blocks.len())?;
    for (at, (part, block)) in choice.parts.iter().zip(&reading.blocks).enumerate() {
        judge_block(&part.content, block).map_err(|failure| format!("part {at}: {failure}"))?;
    }
    let kept = |name: &str| choice.extensions.field(FAMILY, name).cloned().unwrap_or_default();
    for (name, value) in &reading.beside {
        same(name, &kept(name), value)?;
    }
    let mut citations = kept("citations").as_array().cloned().unwrap_or_default();
    for citation in &mut citations {
        citation.as_object_mut().and_then(|fields| fields.remove("part_index"));
    }
    same("citations", &citations, &reading.citations())
}

fn judge_block(content: &Content, block: &Value) -> Result<(), String> {
    let word = |name: &str| block[name].as_str().unwrap_or("").to_owned();
    let seal = |name: &str| Some(word(name)).filter(|text| !text.is_empty());
    match (content, block["type"].as_str().unwrap_or("")) {
        (Content::Text(text), "text") => same("text", text, &word("text")),
        (Content::Reasoning(thought), "thinking") => {
            same("thinking", &thought.text, &word("thinking"))?;
            same("signature", &thought.signature, &seal("signature"))
        }
        (Content::Reasoning(thought), "redacted_thinking") => same("data", &thought.encrypted, &seal("data")),
        (Content::ToolCall(call), kind @ ("tool_use" | "server_tool_use" | "mcp_tool_use")) => {
            same("id", &call.id, &word("id"))?;
            same("name", &call.name, &word("name"))?;
            same("is run by the provider", &call.is_server_side, &(kind != "tool_use"))?;
            let arguments: Value = serde_json::from_str(&call.arguments)
                .map_err(|error| format!("arguments {:?}: {error}", call.arguments))?;
            same("arguments", &arguments, &block["input"])
        }
        (Content::Opaque(opaque), _) => same("block", &opaque.value, block),
        (content, kind) => Err(format!("{kind} became {content:?}")),
    }
}

/// Decode, then encode in the same family: the same blocks. What the canonical form keeps beside the
/// parts (citations, callers) is not sent back, nor are empty text, which the API refuses, and thoughts
/// without a signature. An MCP call would need its server's name, which only the answer's extensions hold.
#[test]
fn an_answer_that_is_sent_back_says_what_it_said() {
    let Some(records) = corpus::records(FAMILY) else { return };
    let mut compared = 0;
    for record in records.iter().flat_map(answers).filter(|record| record.response.status == 200) {
        let reading = read(record.stream, record.response.body_text.as_deref().unwrap_or(""));
        let has_mcp = reading.blocks.iter().any(|block| block["type"] == "mcp_tool_use");
        if has_mcp || record.id == SPLICED {
            continue;
        }
        let decoded = laws::decode(&AnthropicMessages, &Quirks::default(), &record);
        let parts = decoded.response.choices[0].parts.clone();
        let expected: Vec<Value> = reading.blocks.iter().filter_map(as_sent_back).collect();
        assert_eq!(sent_back(parts), expected, "{}", record.id);
        compared += expected.len();
    }
    assert!(compared > 150, "only {compared} blocks were compared");
}

fn sent_back(parts: Vec<canonical::Part>) -> Vec<Value> {
    let body = laws::sent_back(&AnthropicMessages, "claude-sonnet-4-5", parts);
    let answer = &body["messages"][1];
    match (answer["role"].as_str(), &answer["content"]) {
        (Some("assistant"), Value::String(text)) => vec![json!({"type": "text", "text": text})],
        (Some("assistant"), Value::Array(blocks)) => blocks.clone(),
        _ => Vec::new(),
    }
}

fn as_sent_back(block: &Value) -> Option<Value> {
    let is_empty = |name: &str| block[name].as_str().is_none_or(|text| text.trim().is_empty());
    let mut block = match block["type"].as_str()? {
        "text" if is_empty("text") => return None,
        "thinking" if is_empty("signature") => return None,
        "text" | "thinking" | "redacted_thinking" | "tool_use" | "server_tool_use" => block.clone(),
        _ => return Some(block.clone()),
    };
    let fields = block.as_object_mut()?;
    fields.retain(|name, _| !matches!(name.as_str(), "citations" | "caller"));
    Some(block)
}

#[test]
fn a_damaged_stream_is_never_taken_for_a_whole_answer() {
    let Some(records) = corpus::records(FAMILY) else { return };
    let streamed = |record: &Record| record.response.status == 200 && record.stream;
    let mut failures = Vec::new();
    let mut damaged = 0;
    for record in records.iter().flat_map(answers).filter(|record| streamed(record)) {
        damaged += 1;
        if let Err(failure) = damage::check(&AnthropicMessages, &Quirks::default(), &record) {
            failures.push(format!("{}: {failure}", record.id));
        }
    }
    assert!(failures.is_empty(), "{} of {damaged}:\n{}", failures.len(), failures.join("\n"));
    assert!(damaged > 50, "only {damaged} streams");
}

// What no record shows.

#[test]
fn a_start_that_a_relay_repeats_says_nothing_new() {
    let repeated = stream(
        &[
            &[start()],
            text_block().as_slice(),
            &[start(), stopped("end_turn"), json!({"type": "message_stop"})],
        ]
        .concat(),
    );
    assert_eq!(repeated.outcome, Ok(()));
    assert_eq!(repeated.response.choices[0].plain_text(), "Hello");
    assert_eq!(repeated.response.usage.unwrap().output_tokens, 7);
}

fn stream(events: &[Value]) -> Decoded {
    let body = events.iter().map(|event| format!("data: {event}\n\n")).collect::<Vec<_>>().concat();
    laws::decode_stream(&AnthropicMessages, &Quirks::default(), [body.as_bytes()])
}

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-x", "content": [],
        "stop_reason": null, "usage": {"input_tokens": 5, "output_tokens": 1}}})
}

fn text_block() -> [Value; 3] {
    [
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}),
        json!({"type": "content_block_stop", "index": 0}),
    ]
}

fn stopped(reason: &str) -> Value {
    json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 7}})
}

fn with_text(after: &[Value]) -> Decoded {
    stream(&[&[start()], text_block().as_slice(), after].concat())
}

#[test]
fn an_answer_without_its_end_is_truncated_and_keeps_its_text() {
    for after in [vec![], vec![stopped("end_turn")], vec![json!({"type": "message_stop"})]] {
        let decoded = with_text(&after);
        assert_eq!(decoded.outcome.as_ref().unwrap_err().kind, ErrorKind::Truncated, "{after:?}");
        assert_eq!(decoded.response.choices[0].plain_text(), "Hello");
        assert_eq!(decoded.response.choices[0].finish_reason, None);
        laws::grammar(&decoded).unwrap();
    }
}

#[test]
fn a_relays_done_ends_an_answer_too() {
    let body = format!("data: {}\n\ndata: {}\n\ndata: [DONE]\n\n", start(), stopped("max_tokens"));
    let decoded = laws::decode_stream(&AnthropicMessages, &Quirks::default(), [body.as_bytes()]);
    assert_eq!(decoded.outcome, Ok(()));
    assert_eq!(decoded.response.choices[0].finish_reason, Some(FinishReason::Length));
}

#[test]
fn an_error_event_ends_the_stream_as_that_error() {
    let decoded = with_text(&[
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    ]);
    let error = decoded.outcome.clone().unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Overloaded, "Overloaded"));
    assert_eq!(decoded.response.choices[0].plain_text(), "Hello");
}

#[test]
fn a_malformed_frame_costs_nothing_but_itself() {
    let mut decoder = wire::protocol(wire::ProtocolId::AnthropicMessages).stream_decoder(&Quirks::default());
    let mut out = Vec::new();
    let [opened, delta, closed] = text_block();
    let frames = [
        start().to_string(),
        "{\"type\":\"content_block_start\",\"ind".into(),
        delta.to_string(),
        delta.to_string(),
        "{\"type\": \"content_block_delta\", \"index\": \"zero\", \"delta\": {}}".into(),
        closed.to_string(),
        stopped("end_turn").to_string(),
        json!({"type": "message_stop"}).to_string(),
    ];
    for data in &frames {
        decoder.frame(wire::Frame { event: None, data }, &mut out).unwrap();
    }
    decoder.end(&mut out).unwrap();
    let response = canonical::fold::fold(&out);
    assert_eq!(response.choices[0].plain_text(), "HelloHello", "the lost start was {opened}");
    assert_eq!(response.choices[0].finish_reason, Some(FinishReason::Stop));
}

#[test]
fn a_whole_answer_that_is_none_is_an_invalid_response() {
    let protocol = wire::protocol(wire::ProtocolId::AnthropicMessages);
    for body in ["", "[]", "{}", "{\"id\": \"msg_1\"}", "<html>"] {
        let error = protocol.decode_response(body.as_bytes(), &Quirks::default()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidResponse, "{body:?}");
    }
}

#[test]
fn a_paused_turn_and_a_full_window_have_their_words() {
    for (raw, expected) in [
        ("pause_turn", FinishReason::Paused),
        ("model_context_window_exceeded", FinishReason::Length),
        ("something_new", FinishReason::Other),
    ] {
        let decoded = with_text(&[stopped(raw), json!({"type": "message_stop"})]);
        assert_eq!(decoded.response.choices[0].finish_reason, Some(expected));
        assert_eq!(decoded.response.choices[0].finish_reason_raw.as_deref(), Some(raw));
    }
}
