//! Canonical → wire → canonical, for every family that has both halves: a request goes out of the
//! client half and into the server half, an answer the other way round, whole and streamed. What
//! comes back is what went in.
//!
//! What is made up: `signalbox_tests::arbitrary`. A family's file says what it has words for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails here fails its test"
)]

/// The three laws of a family, for its `PROTOCOL`, its `requests()` and its `responses()`. What comes
/// back is compared as the family's own functions show it: a request, a whole answer, and an answer
/// that was streamed in order or with all parts open at once (where what was sent is shown so too).
macro_rules! come_back_as_they_went_out {
    ($request:path, $whole:path, $in_order:path, $mixed:path) => {
        proptest! {
            #[test]
            fn a_request_comes_back_as_it_went_out(request in requests()) {
                let back = $request(super::request_and_back(PROTOCOL, &request));
                prop_assert_eq!(super::differences(&back, &request), super::NONE);
            }

            #[test]
            fn a_whole_answer_comes_back_as_it_went_out(response in responses()) {
                let back = $whole(super::answer_and_back(PROTOCOL, &response));
                prop_assert_eq!(super::differences(&back, &response), super::NONE);
            }

            #[test]
            fn a_streamed_answer_comes_back_as_it_went_out(response in responses(), piece in 1_usize..9) {
                let [in_order, mixed] = super::streams_and_back(PROTOCOL, &response, piece);
                prop_assert_eq!(super::differences(&$in_order(in_order), &response), super::NONE);
                prop_assert_eq!(super::differences(&$mixed(mixed), &$mixed(response)), super::NONE);
            }
        }
    };
}

#[path = "round_trips/anthropic_messages.rs"]
mod anthropic_messages;
#[path = "round_trips/gemini_generate.rs"]
mod gemini_generate;
#[path = "round_trips/openai_chat.rs"]
mod openai_chat;
#[path = "round_trips/openai_responses.rs"]
mod openai_responses;

use std::collections::BTreeSet;

use canonical::fold::unfold;
use canonical::{ChatRequest, ChatResponse, Content, StreamEvent, Usage};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use signalbox_tests::{arbitrary, laws};
use wire::{AnswerContext, ProtocolId, Quirks, RequestHead, TargetContext};

/// No differences.
const NONE: Vec<String> = Vec::new();

/// `request` written by the client half for its own model and read by the server half.
fn request_and_back(protocol: ProtocolId, request: &ChatRequest) -> ChatRequest {
    let quirks = Quirks::default();
    let target = TargetContext { model: &request.model, quirks: &quirks, max_output_tokens: None };
    let sent = wire::protocol(protocol).encode_request(request, &target).unwrap();
    let headers = sent.headers.iter().map(|(name, value)| (*name, value.clone())).collect();
    let head = RequestHead {
        model: Some(&request.model),
        stream: request.stream,
        headers: Some(&headers),
        ..RequestHead::default()
    };
    let body = String::from_utf8(sent.body).unwrap();
    dialect(protocol).decode_request(&head, body.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{body}"))
}

/// `response` written by the server half and read by the client half.
fn answer_and_back(protocol: ProtocolId, response: &ChatResponse) -> ChatResponse {
    let body = dialect(protocol).encode_response(response, &context());
    wire::protocol(protocol)
        .decode_response(&body, &Quirks::default())
        .unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(&body)))
}

/// The same, as a stream: in order, and with all of its parts open at once.
fn streams_and_back(protocol: ProtocolId, response: &ChatResponse, piece: usize) -> [ChatResponse; 2] {
    [unfold(response), arbitrary::mixed_events(response, piece)]
        .map(|events| stream_and_back(protocol, &events))
}

fn stream_and_back(protocol: ProtocolId, events: &[StreamEvent]) -> ChatResponse {
    let mut encoder = dialect(protocol).stream_encoder(&context());
    let mut bytes = Vec::new();
    for event in events {
        encoder.event(event, &mut bytes);
    }
    encoder.end(&mut bytes);
    let decoded = laws::decode_stream(wire::protocol(protocol), &Quirks::default(), [bytes.as_slice()]);
    assert_eq!(decoded.outcome, Ok(()), "{}", String::from_utf8_lossy(&bytes));
    assert_eq!((decoded.counters.unknown, decoded.counters.malformed), (0, 0));
    laws::grammar(&decoded).unwrap();
    decoded.response
}

fn dialect(protocol: ProtocolId) -> &'static dyn wire::Dialect {
    wire::dialect(protocol.as_str()).expect("the family has a server half")
}

fn context() -> AnswerContext {
    AnswerContext { request_id: "request-1".into(), include_usage: true, ..AnswerContext::default() }
}

/// Counts whose total is the sum of what was read and written.
fn summed_usage() -> BoxedStrategy<Option<Usage>> {
    let summed =
        |usage: Usage| Usage { total_tokens: Some(usage.input_tokens + usage.output_tokens), ..usage };
    arbitrary::usage().prop_map(move |usage| Some(summed(usage))).boxed()
}

/// As a message that has a field for each kind of part and no order among them shows it: thoughts,
/// texts and refusals in one piece each, and then the calls.
fn by_kind(mut response: ChatResponse) -> ChatResponse {
    for choice in &mut response.choices {
        choice.parts.sort_by_key(|part| match part.content {
            Content::Reasoning(_) => 0,
            Content::Text(_) => 1,
            Content::Refusal(_) => 2,
            _ => 3,
        });
        choice.parts.dedup_by(|later, part| match (&mut part.content, &later.content) {
            (Content::Text(text), Content::Text(more)) | (Content::Refusal(text), Content::Refusal(more)) => {
                text.push_str(more);
                true
            }
            (Content::Reasoning(thought), Content::Reasoning(more)) => {
                thought.text.push_str(&more.text);
                true
            }
            _ => false,
        });
    }
    response
}

/// Where `back` is not `sent`, place by place; empty where they are the same.
fn differences<T: Serialize>(back: &T, sent: &T) -> Vec<String> {
    let mut found = Vec::new();
    compare(&json!(back), &json!(sent), "", &mut found);
    found
}

fn compare(back: &Value, sent: &Value, place: &str, found: &mut Vec<String>) {
    match (back, sent) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in names {
                compare(&back[name.as_str()], &sent[name.as_str()], &format!("{place}/{name}"), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (at, (one, other)) in one.iter().zip(other).enumerate() {
                compare(one, other, &format!("{place}/{at}"), found);
            }
        }
        _ if back == sent => {}
        _ => found.push(format!("{place}: {back}, not {sent}")),
    }
}
