//! What the conformance tests found, one line per recorded exchange, for `docs/CONFORMANCE.md`.
//!
//! `cargo xtask conformance` names a folder in `SIGNALBOX_CONFORMANCE`, runs the tests and makes the
//! table of what they wrote there. Without the variable nothing is written.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use canonical::{Choice, Content};
use serde::Serialize;
use wire::{Protocol, Quirks};

use crate::corpus::Record;
use crate::laws::{self, Decoded};

/// What an exchange had, all of it compared with the independent reading and found equal.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Found {
    pub text: bool,
    pub calls: bool,
    pub usage: bool,
    pub finish: bool,
    pub error: bool,
}

impl Found {
    pub fn of(decoded: &Decoded) -> Self {
        let response = &decoded.response;
        let any = |has: fn(&Choice) -> bool| response.choices.iter().any(has);
        Self {
            text: any(|choice| !choice.plain_text().is_empty()),
            calls: any(|choice| choice.parts.iter().any(|part| matches!(part.content, Content::ToolCall(_)))),
            usage: response.usage.is_some(),
            finish: any(|choice| choice.finish_reason.is_some()),
            error: decoded.outcome.is_err(),
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    provider: &'a str,
    /// The protocol, or the operation where it is no chat.
    protocol: &'a str,
    streamed: bool,
    #[serde(flatten)]
    found: Found,
    /// Why the record is refused as it must be, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a str>,
}

/// Writes down that `record` was read by `protocol` and equals its independent reading.
///
/// # Panics
/// Where the folder that was asked for cannot be written to.
pub fn passed(protocol: &'static dyn Protocol, quirks: &Quirks, record: &Record) {
    if folder().is_some() {
        let found = Found::of(&laws::decode(protocol, quirks, record));
        write(&line(protocol.id().as_str(), record, found, None));
    }
}

/// As [`passed`], for an exchange of another `operation` than chat (`embeddings`, `models`, …).
pub fn passed_as(operation: &str, record: &Record, found: Found) {
    write(&line(operation, record, found, None));
}

/// Writes down that `record` is refused, as it must be, and why.
pub fn refused(protocol: &str, record: &Record, reason: &str) {
    write(&line(protocol, record, Found { error: true, ..Found::default() }, Some(reason)));
}

fn line<'a>(protocol: &'a str, record: &'a Record, found: Found, refused: Option<&'a str>) -> Line<'a> {
    Line { id: &record.id, provider: &record.provider, protocol, streamed: record.stream, found, refused }
}

/// An empty variable is none: the lines would land beside the tests.
fn folder() -> Option<PathBuf> {
    std::env::var_os("SIGNALBOX_CONFORMANCE").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

#[expect(clippy::expect_used, reason = "test support: a lost line would be a lost record")]
fn write(line: &Line<'_>) {
    let Some(folder) = folder() else { return };
    let path = folder.join(format!("{}.jsonl", line.protocol));
    let mut text = serde_json::to_string(line).expect("a line is plain data");
    text.push('\n');
    let mut file =
        OpenOptions::new().create(true).append(true).open(path).expect("the folder can be written to");
    // In one piece, because several tests may write at once.
    file.write_all(text.as_bytes()).expect("the folder can be written to");
}
