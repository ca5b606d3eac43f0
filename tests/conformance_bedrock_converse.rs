//! Every recorded answer in Bedrock's Converse decodes to what a plain reading of its bytes says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails here fails its test")]

use canonical::{Content, ErrorKind, FinishReason};
use serde_json::{Value, json};
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::damage;
use signalbox_tests::judge::{every_answer, same};
use signalbox_tests::laws::{self, Decoded};
use signalbox_tests::reading::bedrock_converse::{Reading, read};
use wire::bedrock_converse::client::BedrockConverse;
use wire::{Protocol as _, Quirks};

const FAMILY: &str = "bedrock-converse";

#[test]
fn every_recorded_answer_decodes_without_loss_and_obeys_the_laws() {
    let Some(records) = corpus::records(FAMILY) else { return };
    let counts = every_answer(&BedrockConverse, records.iter().cloned(), judge);
    assert!(records.len() >= 95 && counts.len() >= 2, "records went missing: {counts:?}");
}

fn judge(record: &Record) -> Result<(), String> {
    let decoded = laws::check(&BedrockConverse, &Quirks::default(), record)?;
    if record.response.status >= 400 {
        return judge_error(record, &decoded);
    }
    decoded.outcome.clone().map_err(|error| format!("outcome: {error}"))?;
    same("passed over", &(decoded.counters.unknown, decoded.counters.malformed), &(0, 0))?;
    judge_answer(&decoded, &read(record.stream, &record.body()))
}

fn judge_error(record: &Record, decoded: &Decoded) -> Result<(), String> {
    let said: Value = serde_json::from_slice(&record.body()).map_err(|error| error.to_string())?;
    let headers = record.headers();
    let header = headers.get("x-amzn-errortype").map(|kind| kind.split(':').next().unwrap_or(kind));
    let error = decoded.outcome.as_ref().expect_err("an error status is an error");
    same("message", &Some(error.message.as_str()), &said["message"].as_str())?;
    same("code", &error.code.as_deref(), &header)?;
    same("status", &error.status, &Some(record.response.status))?;
    let expected = match (record.response.status, header) {
        (403, Some("UnrecognizedClientException")) => ErrorKind::Authentication,
        (404, Some("ResourceNotFoundException")) => ErrorKind::NotFound,
        _ if error.message.contains("exceeds maximum length") => ErrorKind::ContextTooLong,
        (400, Some("ValidationException") | None) => ErrorKind::InvalidRequest,
        other => return Err(format!("an error that this test does not know: {other:?}")),
    };
    same("kind", &error.kind, &expected)
}

fn judge_answer(decoded: &Decoded, reading: &Reading) -> Result<(), String> {
    let response = &decoded.response;
    same("usage", &response.usage, &reading.usage())?;
    let kept = response.extensions.field(FAMILY, "usage").cloned().unwrap_or_default();
    let is_idle = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    for (name, value) in reading.usage.as_object().into_iter().flatten() {
        if !name.ends_with("Tokens") && !name.ends_with("TokenCount") && name != "cacheDetails" {
            same(name, &kept[name], if is_idle(value) { &Value::Null } else { value })?;
        }
    }
    let [choice] = response.choices.as_slice() else {
        return Err(format!("{} choices", response.choices.len()));
    };
    let expected = match reading.stop_reason.as_deref() {
        Some("end_turn") => Some(FinishReason::Stop),
        Some("tool_use") => Some(FinishReason::ToolCalls),
        Some("max_tokens") => Some(FinishReason::Length),
        Some("guardrail_intervened") => Some(FinishReason::ContentFilter),
        other => return Err(format!("a stop reason that this test does not know: {other:?}")),
    };
    same("finish reason", &choice.finish_reason, &expected)?;
    same("raw finish reason", &choice.finish_reason_raw, &reading.stop_reason)?;
    same("text", &choice.plain_text(), &reading.text())?;
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
        let fields = citation.as_object_mut().unwrap();
        let part = fields.remove("part_index").and_then(|part| part.as_u64()).unwrap();
        let cited = &choice.parts[usize::try_from(part).unwrap()].content;
        same("a cited part is text", &matches!(cited, Content::Text(_)), &true)?;
    }
    same("citations", &citations, &reading.citations())
}

fn judge_block(content: &Content, block: &Value) -> Result<(), String> {
    let (name, inner) =
        block.as_object().and_then(|block| block.iter().find(|(name, _)| *name != "citations")).unwrap();
    let word = |field: &str| inner[field].as_str().unwrap_or("").to_owned();
    match (content, name.as_str()) {
        (Content::Text(text), "text") => same("text", text, &inner.as_str().unwrap_or("").to_owned()),
        (Content::Reasoning(thought), "reasoningContent") => {
            let text = &inner["reasoningText"];
            let field = |value: &Value| value.as_str().map(str::to_owned);
            same("thought", &thought.text, &field(&text["text"]).unwrap_or_default())?;
            same("signature", &thought.signature, &field(&text["signature"]))?;
            same("redacted", &thought.encrypted, &field(&inner["redactedContent"]))
        }
        (Content::ToolCall(call), "toolUse") => {
            same("id", &call.id, &word("toolUseId"))?;
            same("name", &call.name, &word("name"))?;
            same("is run by the provider", &call.is_server_side, &(word("type") == "server_tool_use"))?;
            let arguments: Value = serde_json::from_str(&call.arguments)
                .map_err(|error| format!("arguments {:?}: {error}", call.arguments))?;
            same("arguments", &arguments, &inner["input"])
        }
        (Content::Opaque(opaque), _) => same("block", &opaque.value, block),
        (content, name) => Err(format!("{name} became {content:?}")),
    }
}

/// Decode, then encode in the same family: the same blocks. Sources and a call's `tool_use` type are
/// not sent back, nor are empty text, which the API refuses, and thoughts without a signature.
#[test]
fn an_answer_that_is_sent_back_says_what_it_said() {
    let Some(records) = corpus::records(FAMILY) else { return };
    let mut compared = 0;
    for record in records.iter().filter(|record| record.response.status == 200) {
        let decoded = laws::decode(&BedrockConverse, &Quirks::default(), record);
        let parts = decoded.response.choices[0].parts.clone();
        let reading = read(record.stream, &record.body());
        let expected: Vec<Value> = reading.blocks.iter().filter_map(as_sent_back).collect();
        assert_eq!(sent_back(parts), expected, "{}", record.id);
        compared += expected.len();
    }
    assert!(compared > 100, "only {compared} blocks were compared");
}

fn sent_back(parts: Vec<canonical::Part>) -> Vec<Value> {
    let body = laws::sent_back(&BedrockConverse, "amazon.nova-lite-v1:0", parts);
    let answer = &body["messages"][1];
    if answer["role"] == "assistant" { answer["content"].as_array().cloned().unwrap() } else { Vec::new() }
}

fn as_sent_back(block: &Value) -> Option<Value> {
    let mut block = block.clone();
    let fields = block.as_object_mut()?;
    fields.remove("citations");
    let is_blank = fields.get("text").is_some_and(|text| text.as_str().unwrap().trim().is_empty());
    let thought = fields.get("reasoningContent");
    let is_unsigned = thought.is_some_and(|thought| {
        thought.get("redactedContent").is_none() && thought["reasoningText"].get("signature").is_none()
    });
    if let Some(Value::Object(call)) = fields.get_mut("toolUse") {
        call.remove("pieces");
        if call.get("type").is_some_and(|kind| kind == "tool_use") {
            call.remove("type");
        }
    }
    (!is_blank && !is_unsigned).then_some(block)
}

#[test]
fn a_damaged_stream_is_never_taken_for_a_whole_answer() {
    let Some(records) = corpus::records(FAMILY) else { return };
    let mut damaged = 0;
    for record in records.iter().filter(|record| record.response.status == 200 && record.stream) {
        damaged += 1;
        let checked = damage::check(&BedrockConverse, &Quirks::default(), record);
        assert_eq!(checked, Ok(()), "{}", record.id);
        wrong_bits(record);
    }
    assert!(damaged > 30, "only {damaged} streams");
}

/// One wrong bit anywhere: the stream fails, and what it had said by then is how the answer begins.
fn wrong_bits(record: &Record) {
    let body = record.body();
    let whole = laws::decode_stream(&BedrockConverse, &Quirks::default(), [body.as_slice()]);
    let mut chance = laws::Chance::new(&body);
    for _ in 0..40 {
        let (at, bit) = (chance.below(body.len()), chance.below(8));
        let mut broken = body.clone();
        broken[at] ^= 1 << bit;
        let decoded = laws::decode_stream(&BedrockConverse, &Quirks::default(), [broken.as_slice()]);
        let kind = decoded.outcome.as_ref().expect_err("a broken message is an error").kind;
        assert!(
            matches!(kind, ErrorKind::InvalidResponse | ErrorKind::Truncated),
            "{} byte {at} bit {bit}: {kind:?}",
            record.id
        );
        laws::grammar(&decoded).unwrap();
        let (said, all) = (text(&decoded), text(&whole));
        assert!(all.starts_with(&said), "{} byte {at} bit {bit}: {said:?}", record.id);
    }
}

fn text(decoded: &Decoded) -> String {
    decoded.response.choices.first().map(canonical::Choice::plain_text).unwrap_or_default()
}

// What no record shows. Frames go to the decoder as the framer names them; its own tests write the bytes.

fn decode(frames: &[(&str, Value)]) -> (canonical::ChatResponse, Result<(), canonical::Error>) {
    let mut decoder = BedrockConverse.stream_decoder(&Quirks::default());
    let mut out = Vec::new();
    let fed = frames.iter().try_for_each(|(event, data)| {
        let data = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
        decoder.frame(wire::Frame { event: Some(event), data: &data }, &mut out).map(|_| ())
    });
    let outcome = fed.and_then(|()| decoder.end(&mut out));
    (canonical::fold::fold(&out), outcome)
}

fn opened() -> Vec<(&'static str, Value)> {
    vec![
        ("messageStart", json!({"role": "assistant"})),
        ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"text": "Hello"}})),
    ]
}

#[test]
fn an_exception_in_a_stream_ends_it_as_that_error_and_keeps_what_was_said() {
    for (event, data, kind, message) in [
        (
            "exception:throttlingException",
            json!({"message": "Slow down."}),
            ErrorKind::RateLimited,
            "Slow down.",
        ),
        (
            "exception:modelStreamErrorException",
            json!({"originalMessage": "It broke.", "originalStatusCode": 500}),
            ErrorKind::ServerError,
            "It broke.",
        ),
        (
            "exception:serviceUnavailableException",
            json!({"message": "Later."}),
            ErrorKind::Overloaded,
            "Later.",
        ),
        ("exception:validationException", json!({"message": "No."}), ErrorKind::InvalidRequest, "No."),
        ("error:InternalFailure", json!("Broken inside."), ErrorKind::ServerError, "Broken inside."),
    ] {
        let (response, outcome) = decode(&[opened(), vec![(event, data)]].concat());
        let error = outcome.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (kind, message), "{event}");
        assert_eq!(error.code.as_deref(), event.split_once(':').map(|(_, name)| name));
        assert_eq!(response.choices[0].plain_text(), "Hello");
        assert_eq!(response.choices[0].finish_reason, None);
    }
}

#[test]
fn an_answer_without_its_metadata_is_truncated_and_keeps_its_text() {
    let stop = ("messageStop", json!({"stopReason": "end_turn"}));
    let metadata = ("metadata", json!({"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}}));
    for after in [vec![], vec![stop.clone()], vec![metadata.clone()]] {
        let (response, outcome) = decode(&[opened(), after].concat());
        assert_eq!(outcome.unwrap_err().kind, ErrorKind::Truncated);
        assert_eq!(response.choices[0].plain_text(), "Hello");
        assert_eq!(response.choices[0].finish_reason, None);
    }
    for after in [vec![stop.clone(), metadata.clone()], vec![metadata, stop]] {
        let (response, outcome) = decode(&[opened(), after].concat());
        assert_eq!(outcome, Ok(()));
        assert_eq!(response.choices[0].finish_reason, Some(FinishReason::Stop));
        assert_eq!(response.usage.unwrap().output_tokens, 2);
    }
}

#[test]
fn pieces_of_redacted_thinking_become_one() {
    let piece = |data: &str| {
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"reasoningContent": {"redactedContent": data}}}),
        )
    };
    // "ab" and "cd", each on its own.
    let (response, _) = decode(&[piece("YWI="), piece("Y2Q=")]);
    let Content::Reasoning(thought) = &response.choices[0].parts[0].content else { panic!("no thought") };
    assert_eq!(thought.encrypted.as_deref(), Some("YWJjZA=="));
}

#[test]
fn an_image_that_a_model_makes_is_an_image() {
    let (response, _) = decode(&[
        ("contentBlockStart", json!({"contentBlockIndex": 0, "start": {"image": {"format": "png"}}})),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"image": {"source": {"bytes": "AAAA"}}}}),
        ),
        ("contentBlockStop", json!({"contentBlockIndex": 0})),
    ]);
    let Content::Image(media) = &response.choices[0].parts[0].content else { panic!("no image") };
    assert_eq!(media.media_type.as_deref(), Some("image/png"));
}

#[test]
fn a_whole_answer_that_is_none_is_an_invalid_response() {
    for body in ["", "[]", "{}", "{\"output\": {}}", "<html>"] {
        let error = BedrockConverse.decode_response(body.as_bytes(), &Quirks::default()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidResponse, "{body:?}");
    }
}
