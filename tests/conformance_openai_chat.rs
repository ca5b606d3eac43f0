//! Every recorded Chat Completions exchange: decoded without loss, held to the laws, handed to a
//! client of the same family unchanged, and its request sent on as it came.
//!
//! What is expected is read off the same JSON by `reading::openai_chat`, written apart.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail as its body does")]

#[path = "conformance_openai_chat/answers.rs"]
mod answers;
#[path = "conformance_openai_chat/at_client.rs"]
mod at_client;
#[path = "conformance_openai_chat/requests.rs"]
mod requests;

use std::collections::BTreeMap;

use canonical::ErrorKind;
use serde_json::Value;
use signalbox_tests::conformance;
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::laws::{self, Decoded};
use signalbox_tests::quirks::quirks_for;
use signalbox_tests::reading::openai_chat::error_message;
use wire::openai_chat::server::OpenAiChat;
use wire::{Dialect as _, Protocol, ProtocolId};

use answers::Differences;

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
