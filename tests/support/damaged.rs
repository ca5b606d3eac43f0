//! Recorded streams, damaged in the sixteen ways in which providers, relays and networks damage
//! them, as bytes on a socket, each with what the client must make of it.
//!
//! Every damage is drawn from the record's id and the kind: the same case is always the same bytes.

use std::time::{Duration, SystemTime};

use serde_json::Value;

pub mod binary;

pub use binary::messages as binary_messages;

use crate::corpus::Record;
use crate::laws::{Chance, chunks};
use crate::upstream::Step;

/// A reset drops what the receiving kernel has not yet taken, so that nobody could say what had
/// arrived. What fits the first receive window (64 KiB on loopback) is taken at once.
const MAX_BYTES_BEFORE_RESET: usize = 32 << 10;

/// Longer than a gateway waits for one target, so that the refusal reaches the client.
const WAIT: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    CutAndReset,
    CutAndClosed,
    CutAndClosedCleanly,
    NoTerminator,
    MalformedChunk,
    CommentsAndPings,
    LineEnds,
    ByteByByte,
    InsideCharacters,
    UsageTwice,
    HtmlWith200,
    HtmlWith502,
    WaitInSeconds,
    WaitInMilliseconds,
    WaitAsDate,
    WaitInBody,
}

impl Kind {
    pub const ALL: [Self; 16] = [
        Self::CutAndReset,
        Self::CutAndClosed,
        Self::CutAndClosedCleanly,
        Self::NoTerminator,
        Self::MalformedChunk,
        Self::CommentsAndPings,
        Self::LineEnds,
        Self::ByteByByte,
        Self::InsideCharacters,
        Self::UsageTwice,
        Self::HtmlWith200,
        Self::HtmlWith502,
        Self::WaitInSeconds,
        Self::WaitInMilliseconds,
        Self::WaitAsDate,
        Self::WaitInBody,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::CutAndReset => "cut, reset",
            Self::CutAndClosed => "cut, closed",
            Self::CutAndClosedCleanly => "cut, closed cleanly",
            Self::NoTerminator => "terminator dropped",
            Self::MalformedChunk => "one malformed chunk",
            Self::CommentsAndPings => "comments and pings",
            Self::LineEnds => "other line ends",
            Self::ByteByByte => "one byte at a time",
            Self::InsideCharacters => "split in a character",
            Self::UsageTwice => "usage sent twice",
            Self::HtmlWith200 => "HTML with 200",
            Self::HtmlWith502 => "HTML with 502",
            Self::WaitInSeconds => "429, seconds",
            Self::WaitInMilliseconds => "429, milliseconds",
            Self::WaitAsDate => "429, date",
            Self::WaitInBody => "429, in the body",
        }
    }

    /// In how many forms the kind comes.
    pub fn forms(self, protocol: &str) -> u8 {
        match self {
            // `[DONE]` alone is dropped, and the finish reasons with it.
            // Bedrock's reason and its counts are two messages.
            Self::NoTerminator if ["openai-chat", "bedrock-converse"].contains(&protocol) => 2,
            // One more chunk that is broken, and one of the answer's own.
            Self::MalformedChunk => 2,
            _ => 1,
        }
    }

    /// Whether the damage takes nothing away.
    pub fn is_harmless(self) -> bool {
        use Kind as K;
        matches!(
            self,
            K::CommentsAndPings | K::LineEnds | K::ByteByByte | K::InsideCharacters | K::UsageTwice
        )
    }

    pub fn is_cut(self) -> bool {
        matches!(self, Self::CutAndReset | Self::CutAndClosed | Self::CutAndClosedCleanly)
    }
}

/// One damaged answer.
#[derive(Debug, Clone)]
pub struct Damaged {
    /// What the socket says.
    pub steps: Vec<Step>,
    pub expected: Expected,
}

/// What the client must be shown.
#[derive(Debug, Clone)]
pub enum Expected {
    /// What a plain reading of this stream says; an error where the reading is not whole.
    Reading(Vec<u8>),
    Refusal {
        status: u16,
        code: Option<&'static str>,
        /// Seconds in `retry-after`, from and to.
        wait: Option<(u64, u64)>,
    },
}

/// `record` with that damage, as it stands at `now`; `None` where the record has no place for it.
pub fn damage(record: &Record, protocol: &str, kind: Kind, form: u8, now: SystemTime) -> Option<Damaged> {
    let bytes = record.body();
    let mut chance = Chance::new(format!("{} {kind:?} {form}", record.id).as_bytes());
    match kind {
        Kind::CutAndReset | Kind::CutAndClosed | Kind::CutAndClosedCleanly => {
            return Some(cut(record, kind, &bytes, &mut chance));
        }
        Kind::ByteByByte => return Some(in_pieces(record, &bytes, &(1..bytes.len()).collect::<Vec<_>>())),
        Kind::InsideCharacters => {
            // UTF-8's later bytes; in a binary stream some of them are of other things.
            let cuts: Vec<usize> = (1..bytes.len()).filter(|at| bytes[*at] & 0xc0 == 0x80).collect();
            return (!cuts.is_empty()).then(|| in_pieces(record, &bytes, &cuts));
        }
        Kind::HtmlWith200 => return Some(page("200 OK", 502, Some("invalid_response"))),
        Kind::HtmlWith502 => return Some(page("502 Bad Gateway", 502, None)),
        Kind::WaitInSeconds | Kind::WaitInMilliseconds | Kind::WaitAsDate | Kind::WaitInBody => {
            return Some(rate_limit(protocol, kind, now));
        }
        _ if protocol == "bedrock-converse" => {
            let changed = binary::change(&bytes, kind, form, &mut chance)?;
            let steps = whole(record, &changed.served, &mut chance);
            return Some(Damaged { steps, expected: Expected::Reading(changed.left) });
        }
        _ => {}
    }
    let body = String::from_utf8(bytes).ok()?;
    let changed = match kind {
        Kind::NoTerminator => no_terminator(protocol, &body, form)?,
        Kind::MalformedChunk => return malformed(record, protocol, &body, form, &mut chance),
        Kind::CommentsAndPings => noisy(protocol, &body, &mut chance),
        Kind::LineEnds => other_line_ends(protocol, &body, &mut chance),
        _ => usage_twice(protocol, &body)?,
    };
    // What the plain reading cannot know of line ends and comments, it need not: it reads the
    // record. Where something was taken away it reads what is left.
    let read = if kind.is_harmless() { body } else { changed.clone() };
    Some(Damaged {
        steps: whole(record, changed.as_bytes(), &mut chance),
        expected: Expected::Reading(read.into_bytes()),
    })
}

// === on the wire ===

fn head(record: &Record) -> Vec<u8> {
    let recorded = record.headers().get("content-type").map(str::to_owned);
    let kind = recorded.unwrap_or_else(|| "text/event-stream".into());
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    )
    .into_bytes()
}

/// Each piece is a chunk of its own, which an HTTP client hands on by itself.
fn chunked<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, bytes: &mut Vec<u8>) {
    for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
}

fn some_cuts(length: usize, chance: &mut Chance) -> Vec<usize> {
    let mut cuts: Vec<usize> = (0..length / 512).map(|_| chance.below(length)).collect();
    cuts.sort_unstable();
    cuts
}

fn whole(record: &Record, body: &[u8], chance: &mut Chance) -> Vec<Step> {
    let mut bytes = head(record);
    chunked(chunks(body, &some_cuts(body.len(), chance)), &mut bytes);
    bytes.extend_from_slice(b"0\r\n\r\n");
    vec![Step::Send(bytes)]
}

fn in_pieces(record: &Record, body: &[u8], cuts: &[usize]) -> Damaged {
    let mut bytes = head(record);
    chunked(chunks(body, cuts), &mut bytes);
    bytes.extend_from_slice(b"0\r\n\r\n");
    Damaged { steps: vec![Step::Send(bytes)], expected: Expected::Reading(body.to_vec()) }
}

fn cut(record: &Record, kind: Kind, body: &[u8], chance: &mut Chance) -> Damaged {
    let limit = if kind == Kind::CutAndReset { body.len().min(MAX_BYTES_BEFORE_RESET) } else { body.len() };
    let piece = &body[..chance.below(limit)];
    let mut bytes = head(record);
    chunked(chunks(piece, &some_cuts(piece.len(), chance)), &mut bytes);
    if kind == Kind::CutAndClosedCleanly {
        bytes.extend_from_slice(b"0\r\n\r\n");
    }
    let mut steps = vec![Step::Send(bytes)];
    if kind == Kind::CutAndReset {
        steps.push(Step::Reset);
    }
    Damaged { steps, expected: Expected::Reading(piece.to_vec()) }
}

fn answer(status: &str, content_type: &str, extra: &str, body: &str) -> Vec<Step> {
    crate::upstream::answer(status, content_type, extra, body)
}

fn page(says: &str, status: u16, code: Option<&'static str>) -> Damaged {
    let page = "<!doctype html>\n<html><head><title>Sign in</title></head><body>Welcome</body></html>\n";
    Damaged {
        steps: answer(says, "text/html; charset=utf-8", "", page),
        expected: Expected::Refusal { status, code, wait: None },
    }
}

fn rate_limit(protocol: &str, kind: Kind, now: SystemTime) -> Damaged {
    let seconds = WAIT.as_secs();
    let (header, wait) = match kind {
        Kind::WaitInSeconds => (format!("retry-after: {seconds}\r\n"), (seconds, seconds)),
        // Rounded up: too early would only be refused again.
        Kind::WaitInMilliseconds => {
            (format!("retry-after-ms: {}\r\n", seconds * 1000 - 500), (seconds, seconds))
        }
        Kind::WaitAsDate => {
            let date = httpdate::fmt_http_date(now + WAIT);
            // Some of it has passed when it is read.
            (format!("retry-after: {date}\r\n"), (seconds - 60, seconds))
        }
        _ => (String::new(), (seconds, seconds)),
    };
    let in_body = kind == Kind::WaitInBody;
    let words = if in_body { " Please try again in 5m0s." } else { "" };
    let details = if in_body {
        format!(
            r#","details":[{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{seconds}s"}}]"#
        )
    } else {
        String::new()
    };
    let body = match protocol {
        "anthropic-messages" => format!(
            r#"{{"type":"error","error":{{"type":"rate_limit_error","message":"Too many requests.{words}"}}}}"#
        ),
        "gemini-generate" => format!(
            r#"{{"error":{{"code":429,"message":"Resource has been exhausted.","status":"RESOURCE_EXHAUSTED"{details}}}}}"#
        ),
        "cohere-chat" | "bedrock-converse" => format!(r#"{{"message":"Too many requests.{words}"}}"#),
        "ollama-chat" => format!(r#"{{"error":"Too many requests.{words}"}}"#),
        _ => format!(
            r#"{{"error":{{"message":"Rate limit reached.{words}","type":"requests","param":null,"code":"rate_limit_exceeded"}}}}"#
        ),
    };
    let expected = Expected::Refusal { status: 429, code: Some("rate_limit_exceeded"), wait: Some(wait) };
    Damaged { steps: answer("429 Too Many Requests", "application/json", &header, &body), expected }
}

// === on the text ===

/// How a stream of text is cut into messages.
#[derive(Clone, Copy, PartialEq)]
enum Framing {
    Events,
    /// The elements of a JSON array.
    Array,
    /// A JSON document per line.
    Lines,
}

impl Framing {
    fn of(protocol: &str, body: &str) -> Self {
        match protocol {
            "ollama-chat" => Self::Lines,
            _ if body.trim_start().starts_with('[') => Self::Array,
            _ => Self::Events,
        }
    }

    /// The messages, each without what ends it.
    fn split(self, body: &str) -> Vec<String> {
        let lines = body.replace("\r\n", "\n");
        let full = |piece: &&str| !piece.trim().is_empty();
        match self {
            Self::Events => lines.split("\n\n").filter(full).map(str::to_owned).collect(),
            Self::Lines => lines.lines().filter(full).map(str::to_owned).collect(),
            Self::Array => {
                let elements: Vec<Value> = serde_json::from_str(body).unwrap_or_default();
                elements.iter().map(Value::to_string).collect()
            }
        }
    }

    fn join(self, pieces: &[String]) -> String {
        match self {
            Self::Events => pieces.iter().flat_map(|piece| [piece.trim_matches('\n'), "\n\n"]).collect(),
            Self::Lines => pieces.iter().flat_map(|piece| [piece.as_str(), "\n"]).collect(),
            Self::Array => format!("[{}\n]", pieces.join("\n,\n")),
        }
    }

    fn document(self, piece: &str) -> Option<Value> {
        let data = match self {
            Self::Events => piece.lines().find_map(|line| line.strip_prefix("data:"))?,
            Self::Array | Self::Lines => piece,
        };
        serde_json::from_str(data.trim()).ok()
    }

    fn piece(self, value: &Value) -> String {
        match self {
            Self::Events => format!("data: {value}"),
            Self::Array | Self::Lines => value.to_string(),
        }
    }
}

/// `None` where the record has no terminator to drop.
fn no_terminator(protocol: &str, body: &str, form: u8) -> Option<String> {
    let framing = Framing::of(protocol, body);
    if framing == Framing::Array {
        return Some(body.trim_end().trim_end_matches(']').to_owned());
    }
    let mut all = framing.split(body);
    let before = framing.join(&all);
    let has_kind = |event: &String, kinds: &[&str]| {
        let value = framing.document(event);
        value.is_some_and(|value| value["type"].as_str().is_some_and(|kind| kinds.contains(&kind)))
    };
    match (protocol, form) {
        ("openai-chat", form) => {
            all.retain(|event| !event.contains("data: [DONE]") && !event.contains("data:[DONE]"));
            if form == 1 {
                for event in &mut all {
                    without_finish(event, "choices", "finish_reason");
                }
            }
        }
        ("anthropic-messages", _) => {
            all.retain(|event| !has_kind(event, &["message_stop"]) && !event.contains("[DONE]"));
        }
        ("gemini-generate", _) => {
            for event in &mut all {
                without_finish(event, "candidates", "finishReason");
            }
        }
        ("cohere-chat", _) => all.retain(|event| !has_kind(event, &["message-end"])),
        ("ollama-chat", _) => {
            all.retain(|line| framing.document(line).is_none_or(|line| line["done"] != true));
        }
        _ => {
            let ends = ["response.completed", "response.incomplete", "response.failed"];
            all.retain(|event| !has_kind(event, &ends));
        }
    }
    let after = framing.join(&all);
    (after != before).then_some(after)
}

/// The same event whose choices do not say that they are finished.
fn without_finish(event: &mut String, list: &str, field: &str) {
    let Some(mut value) = Framing::Events.document(event) else { return };
    let Some(choices) = value.get_mut(list).and_then(Value::as_array_mut) else { return };
    let mut has_changed = false;
    for choice in choices.iter_mut().filter_map(Value::as_object_mut) {
        has_changed |= choice.get(field).is_some_and(|word| !word.is_null());
        choice.shift_remove(field);
    }
    if has_changed {
        *event = format!("data: {value}");
    }
}

/// Form 0: a broken chunk more. Form 1: one of the answer's own is broken in its middle, and what
/// only it said is missing.
fn malformed(record: &Record, protocol: &str, body: &str, form: u8, chance: &mut Chance) -> Option<Damaged> {
    let framing = Framing::of(protocol, body);
    let mut all = framing.split(body);
    let at = chance.below(all.len());
    let mut left = all.clone();
    if form == 0 {
        let broken = match framing {
            Framing::Events => "data: {\"choices\": [{\"delta\": {\"con",
            Framing::Lines => "{\"message\": {\"content\": \"con",
            // An array's framing is its braces: the broken chunk has to close them.
            Framing::Array => "{\"candidates\": [oops]}",
        };
        all.insert(at, broken.into());
    } else {
        framing.document(&all[at])?;
        left[at] = lost(protocol, &all[at]);
        all[at] = if framing == Framing::Array {
            all[at].replacen(':', "", 1)
        } else {
            let prefix = if framing == Framing::Events { "data:" } else { "" };
            let data = all[at].find(prefix)? + prefix.len();
            let middle = data + (all[at].len() - data) / 2;
            let middle = (middle..all[at].len()).find(|place| all[at].is_char_boundary(*place))?;
            all[at][..middle].to_owned()
        };
    }
    left.retain(|piece| !piece.is_empty());
    let served = framing.join(&all);
    Some(Damaged {
        steps: whole(record, served.as_bytes(), chance),
        expected: Expected::Reading(framing.join(&left).into_bytes()),
    })
}

/// What is known of an event that was lost: nothing, but that a text or a thought of Messages goes
/// on shows that it had begun.
fn lost(protocol: &str, event: &str) -> String {
    let begun =
        Framing::Events.document(event).filter(|_| protocol == "anthropic-messages").and_then(|value| {
            let block = &value["content_block"];
            let (kind, text) = match block["type"].as_str()? {
                "text" => ("text", "text"),
                "thinking" => ("thinking", "thinking"),
                _ => return None,
            };
            let index = value["index"].clone();
            Some(serde_json::json!({
                "type": "content_block_start",
                "index": index,
                "content_block": {"type": kind, text: ""},
            }))
        });
    begun.map(|begun| format!("data: {begun}")).unwrap_or_default()
}

fn noisy(protocol: &str, body: &str, chance: &mut Chance) -> String {
    let framing = Framing::of(protocol, body);
    if framing != Framing::Events {
        // There are no comments: white space keeps such a connection alive.
        let spaced: Vec<String> = framing.split(body).iter().map(|piece| format!("\n \r\n{piece}")).collect();
        return framing.join(&spaced);
    }
    let mut text = String::new();
    for event in framing.split(body) {
        match chance.below(4) {
            0 => text.push_str(": keep-alive\n\n"),
            1 => text.push_str(":\n:\n\n"),
            2 => text.push_str("event: ping\ndata: {\"type\": \"ping\"}\n\n"),
            _ => {}
        }
        if chance.below(2) == 0 {
            text.push_str(": in front of the event's own lines\n");
        }
        text.push_str(event.trim_matches('\n'));
        text.push_str("\n\n");
    }
    text.push_str(": the last word\n\n");
    text
}

fn other_line_ends(protocol: &str, body: &str, chance: &mut Chance) -> String {
    let lines = body.replace("\r\n", "\n");
    match chance.below(3) {
        0 if body.contains("\r\n") => lines,
        0 => lines.replace('\n', "\r\n"),
        // To a reader of JSON lines a CR alone is white space.
        1 if Framing::of(protocol, body) != Framing::Lines => lines.replace('\n', "\r"),
        // Each line ends as it likes, but CR LF stands for one end and never for two.
        _ => lines
            .split_inclusive('\n')
            .map(|line| match (line.strip_suffix('\n'), chance.below(2)) {
                (Some(line), 0) => format!("{line}\r\n"),
                _ => line.to_owned(),
            })
            .collect(),
    }
}

/// The event with the last usage comes once more, without content. `None` where there is none.
fn usage_twice(protocol: &str, body: &str) -> Option<String> {
    let framing = Framing::of(protocol, body);
    let mut all = framing.split(body);
    let has_usage = |value: &Value| match protocol {
        "openai-chat" => value["usage"].is_object() || value["x_groq"]["usage"].is_object(),
        "anthropic-messages" => value["type"] == "message_delta" && value["usage"].is_object(),
        "gemini-generate" => value["usageMetadata"].is_object(),
        "cohere-chat" => value["delta"]["usage"].is_object(),
        "ollama-chat" => value["eval_count"].is_u64(),
        _ => value["response"]["usage"].is_object(),
    };
    let at = all.iter().rposition(|piece| framing.document(piece).as_ref().is_some_and(has_usage))?;
    let mut again = framing.document(&all[at])?;
    let object = again.as_object_mut()?;
    match protocol {
        "openai-chat" => drop(object.insert("choices".into(), Value::Array(Vec::new()))),
        "gemini-generate" => drop(object.shift_remove("candidates")),
        _ => {}
    }
    all.insert(at + 1, framing.piece(&again));
    Some(framing.join(&all))
}
