//! Errors of every shape → one vocabulary: JSON of any vendor, HTML pages, plain text; with an
//! error status, inside a 200, or in the middle of a stream.
//!
//! The evidence, in the order in which it is believed: the provider's own code or type, words of
//! its message that only one failure uses, the HTTP status. Shapes are those of the recorded corpus.

mod evidence;
mod kinds;
#[cfg(test)]
mod tests;
mod waits;

use canonical::{Error, ErrorKind, Origin, Retry};
use serde_json::Value;

pub use evidence::{Evidence, evidence};
pub use waits::{retry_after, retry_after_at};

use crate::{Headers, Protocol};
use kinds::{by_code, by_message, by_status, refine};
pub(crate) use waits::is_nonsense;
use waits::retry_after_in;

/// Longest piece of a provider's message that is kept.
const MAX_MESSAGE_CHARS: usize = 2_000;

/// Longest piece of a provider's own words that is kept as evidence.
const MAX_BODY_BYTES: usize = 16 << 10;

/// The error for an answer with an error status.
pub fn classify(status: u16, headers: &Headers, body: &[u8]) -> Error {
    let mut error = match serde_json::from_slice::<Value>(body).ok().as_ref().and_then(evidence) {
        Some(evidence) => from_evidence(status, evidence),
        None => from_text(status, body),
    };
    error.retry_after = retry_after(headers).or(error.retry_after);
    error.body = kept(body);
    error
}

/// The body's text, cut where it is longer than is kept; `None` where there is none.
fn kept(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&body[..body.len().min(MAX_BODY_BYTES)]);
    (!text.trim().is_empty()).then(|| text.into_owned())
}

/// The error that an in-band object carries (`{"error": …}` in a stream's chunk).
/// `None` where `value` holds no error.
pub fn classify_value(status: u16, value: &Value) -> Option<Error> {
    evidence(value).map(|evidence| {
        let status = evidence.status.unwrap_or(status);
        let mut error = from_evidence(status, evidence);
        error.body = kept(value.to_string().as_bytes());
        error
    })
}

/// Whether a body that came with a good status is an error after all.
pub fn in_band(protocol: &dyn Protocol, status: u16, headers: &Headers, body: &[u8]) -> Option<Error> {
    let trimmed = body.trim_ascii_start();
    if trimmed.starts_with(b"<") {
        let mut error = not_json(status, trimmed);
        error.body = kept(body);
        return Some(error);
    }
    let value: Value = serde_json::from_slice(trimmed).ok()?;
    let has_error = value.get("error").is_some_and(|error| !error.is_null())
        || value.get("type").and_then(Value::as_str) == Some("error")
        || value.get("object").and_then(Value::as_str) == Some("error");
    has_error.then(|| protocol.decode_error(status, headers, body))
}

fn from_evidence(status: u16, evidence: Evidence) -> Error {
    let message =
        evidence.message.unwrap_or_else(|| format!("The provider answered {status} and gave no reason."));
    let by_codes = || {
        let kind = evidence.codes.iter().find_map(|code| by_code(code, status))?;
        Some(refine(kind, &message, status))
    };
    let kind =
        evidence.kind.or_else(by_codes).or_else(|| by_message(&message, status)).unwrap_or_else(|| {
            match evidence.status.filter(|_| status < 400).unwrap_or(status) {
                // It is the API that speaks, so its answer is not foreign; it failed.
                ..400 => ErrorKind::ServerError,
                status => by_status(status),
            }
        });
    let mut error = made(kind, shorten(&message));
    error.status = (status >= 400).then_some(status).or(evidence.status);
    error.code = evidence.codes.into_iter().next();
    error.param = evidence.param;
    error.retry_after = evidence.retry_after.or_else(|| retry_after_in(&message));
    error
}

fn from_text(status: u16, body: &[u8]) -> Error {
    let trimmed = body.trim_ascii_start();
    if trimmed.starts_with(b"<") {
        return not_json(status, trimmed);
    }
    let text = String::from_utf8_lossy(trimmed);
    let message = if text.trim().is_empty() {
        format!("The provider answered {status} with an empty body.")
    } else {
        shorten(text.trim())
    };
    let kind = by_message(&message, status).unwrap_or_else(|| by_status(status));
    let mut error = made(kind, message);
    error.status = Some(status);
    error
}

/// An HTML page: a proxy, a login wall or a load balancer answered, not the API.
fn not_json(status: u16, body: &[u8]) -> Error {
    let title = html_title(&String::from_utf8_lossy(body))
        .map(|title| format!(" titled “{title}”"))
        .unwrap_or_default();
    let kind = if status < 400 { ErrorKind::InvalidResponse } else { by_status(status) };
    let mut error = made(
        kind,
        format!(
            "The provider answered {status} with an HTML page{title} instead of its API. \
             Check the base URL, and any proxy between here and the provider."
        ),
    );
    error.status = Some(status);
    error
}

fn html_title(page: &str) -> Option<String> {
    let start = page.to_ascii_lowercase().find("<title>")? + "<title>".len();
    let title = page.get(start..)?.split('<').next()?.trim();
    (!title.is_empty()).then(|| title.chars().take(120).collect())
}

fn shorten(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

fn made(kind: ErrorKind, message: String) -> Error {
    let mut error = Error::new(kind, Origin::Provider, message);
    if kind == ErrorKind::InvalidRequest
        || kind == ErrorKind::ContextTooLong
        || kind == ErrorKind::PayloadTooLarge
    {
        error.origin = Origin::Caller;
    }
    if kind == ErrorKind::InvalidRequest {
        // The next target may well take what this one refuses: dialects of one protocol differ.
        error.retry = Retry::NextTarget;
    }
    error
}
