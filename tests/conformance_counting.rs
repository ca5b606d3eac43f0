//! Every recorded count of tokens decodes to what it says, and what it counts is what we would send.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails here fails its test")]

use canonical::{ChatRequest, ErrorKind, Message, Role};
use serde_json::{Value, json};
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::judge::{every_operation, same};
use wire::{Counting, ProtocolId, Quirks, TargetContext};

const FORMS: [(&str, ProtocolId, usize); 4] = [
    ("anthropic-count-tokens", ProtocolId::AnthropicMessages, 6),
    ("gemini-count-tokens", ProtocolId::GeminiGenerate, 4),
    ("bedrock-count-tokens", ProtocolId::BedrockConverse, 7),
    ("responses-input-tokens", ProtocolId::OpenaiResponses, 2),
];

fn counting(protocol: ProtocolId) -> &'static dyn Counting {
    wire::protocol(protocol).counting().expect("the protocol's vendors count")
}

#[test]
fn every_recorded_count_decodes_to_what_it_says() {
    for (wire, protocol, expected) in FORMS {
        let Some(records) = corpus::of_wire(wire) else { return };
        assert_eq!(records.len(), expected, "{wire}");
        every_operation("token counts", records, |record| judge(protocol, record));
    }
}

fn judge(protocol: ProtocolId, record: &Record) -> Result<(), String> {
    let body = record.body();
    let said: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    if record.response.status >= 400 {
        let error = wire::protocol(protocol).decode_error(record.response.status, &record.headers(), &body);
        let message = said.pointer("/error/message").or(said.get("message"));
        same("message", &Some(error.message.as_str()), &message.and_then(Value::as_str))?;
        let expected =
            if record.response.status == 404 { ErrorKind::NotFound } else { ErrorKind::InvalidRequest };
        return match error.kind {
            // Bedrock says 400 of a model that there is none of.
            ErrorKind::NotFound if said["message"] == "The provided model identifier is invalid." => Ok(()),
            kind => same("kind", &kind, &expected),
        };
    }
    let usage = counting(protocol).decode(&body).map_err(|error| error.message)?;
    let counted = ["input_tokens", "inputTokens", "totalTokens"].iter().find_map(|name| said[*name].as_u64());
    same("tokens", &Some(usage.input_tokens), &counted)?;
    same("output", &(usage.output_tokens, usage.is_estimated), &(0, false))
}

#[test]
fn a_count_that_is_none_is_no_zero() {
    for (_, protocol, _) in FORMS {
        for broken in ["{}", "[]", "null", r#"{"input_tokens":"many"}"#, "<html>"] {
            let error = counting(protocol).decode(broken.as_bytes()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidResponse, "{protocol}: {broken}");
        }
    }
}

/// What is counted is the chat request itself in each vendor's envelope, without what it refuses.
#[test]
fn a_request_is_counted_in_each_vendors_envelope() {
    let request = ChatRequest {
        messages: vec![Message::text(Role::System, "Be terse."), Message::text(Role::User, "Hello, world!")],
        max_output_tokens: Some(10),
        temperature: Some(0.5),
        stream: true,
        ..ChatRequest::default()
    };
    let sent = |protocol, model, quirks: &Quirks| {
        let target = TargetContext { model, quirks, max_output_tokens: None };
        let sent = counting(protocol).encode(&request, &target).unwrap();
        (sent.path, serde_json::from_slice::<Value>(&sent.body).unwrap())
    };
    let plain = Quirks::default();
    let text = json!([{"role": "user", "parts": [{"text": "Hello, world!"}]}]);
    let system = json!({"parts": [{"text": "Be terse."}]});
    let (path, body) = sent(ProtocolId::AnthropicMessages, "claude-haiku-4-5", &plain);
    assert_eq!(path, "/messages/count_tokens");
    let fields: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["model", "system", "messages"]);
    let (path, body) = sent(ProtocolId::GeminiGenerate, "gemini-3.5-flash", &plain);
    assert_eq!(path, "/models/gemini-3.5-flash:countTokens");
    let inner = &body["generateContentRequest"];
    assert_eq!((&inner["contents"], &inner["systemInstruction"]), (&text, &system));
    assert_eq!(inner["model"], "models/gemini-3.5-flash");
    let vertex = Quirks { vertex_forms: true, ..Quirks::default() };
    let (_, body) = sent(ProtocolId::GeminiGenerate, "gemini-2.5-flash", &vertex);
    assert_eq!((&body["contents"], &body["systemInstruction"]), (&text, &system));
    let (path, body) =
        sent(ProtocolId::BedrockConverse, "us.anthropic.claude-sonnet-4-20250514-v1:0", &plain);
    assert_eq!(
        path, "/model/anthropic.claude-sonnet-4-20250514-v1%3A0/count-tokens",
        "a profile cannot count"
    );
    assert_eq!(
        body,
        json!({"input": {"converse": {
            "messages": [{"role": "user", "content": [{"text": "Hello, world!"}]}],
            "system": [{"text": "Be terse."}],
        }}})
    );
    let (path, body) = sent(ProtocolId::OpenaiResponses, "gpt-4.1-mini", &plain);
    assert_eq!(path, "/responses/input_tokens");
    for refused in ["max_output_tokens", "temperature", "stream", "store", "include"] {
        assert!(body.get(refused).is_none(), "{refused}");
    }
    assert_eq!((body["model"].as_str(), body["input"].is_array()), (Some("gpt-4.1-mini"), true));
}
