//! An error as Anthropic says it. Its SDKs choose their exception by the status and, where there is
//! one, by `error.details.error_code`.
//!
//! <https://docs.claude.com/en/api/errors>

use canonical::{Error, ErrorKind, Origin};
use serde_json::{Map, Value, json};

/// The code of a request for what only a provider's own threads can do; its SDKs then go on without.
pub(super) const THREADS: &str = "thread_unsupported_request";

/// How the API begins its refusal of a prompt that is too long; coding agents look for it and
/// shorten their history.
const TOO_LONG: &str = "prompt is too long";

/// The status that the client sees.
pub(super) fn status(error: &Error) -> u16 {
    match error.kind {
        ErrorKind::Authentication if error.is_missing_provider_key() => 503,
        ErrorKind::Authentication => 401,
        // A budget of the user's own comes back by itself: no bill is open.
        ErrorKind::QuotaExhausted if error.origin == Origin::Gateway => 429,
        ErrorKind::QuotaExhausted => 402,
        ErrorKind::Permission => 403,
        ErrorKind::NotFound => 404,
        ErrorKind::PayloadTooLarge => 413,
        ErrorKind::RateLimited => 429,
        ErrorKind::Overloaded => 529,
        ErrorKind::Timeout => 504,
        ErrorKind::ContextTooLong | ErrorKind::ContentFiltered => 400,
        // 409 and 422 have exceptions of their own in the SDKs.
        ErrorKind::InvalidRequest => {
            error.status.filter(|status| [405, 409, 415, 422].contains(status)).unwrap_or(400)
        }
        ErrorKind::Truncated | ErrorKind::InvalidResponse | ErrorKind::ServerError | ErrorKind::Network => {
            502
        }
        // We left, as we closed.
        ErrorKind::Cancelled if error.origin == Origin::Gateway => 503,
        // nginx' word for a client that left; nobody is there to read it.
        ErrorKind::Cancelled => 499,
        ErrorKind::Internal => 500,
    }
}

/// `{"type": "error", "error": {type, message}, "request_id"}`; the id is ours, to find the request again.
pub(super) fn body(error: &Error, request_id: Option<&str>) -> Value {
    let mut object = Map::from_iter([
        ("type".to_owned(), word(error).into()),
        ("message".to_owned(), message(error).into()),
    ]);
    if error.code.as_deref() == Some(THREADS) {
        let unsupported: Vec<&str> = error.param.as_deref().into_iter().collect();
        object.insert("details".into(), json!({"error_code": THREADS, "unsupported": unsupported}));
    }
    json!({"type": "error", "error": object, "request_id": request_id})
}

fn message(error: &Error) -> String {
    let is_known = error.message.to_ascii_lowercase().contains(TOO_LONG);
    if error.kind == ErrorKind::ContextTooLong && !is_known {
        return format!("{TOO_LONG}: {}", error.message);
    }
    error.message.clone()
}

/// `type`.
fn word(error: &Error) -> &'static str {
    match error.kind {
        ErrorKind::Authentication if error.is_missing_provider_key() => "api_error",
        ErrorKind::Authentication => "authentication_error",
        ErrorKind::Permission => "permission_error",
        ErrorKind::RateLimited => "rate_limit_error",
        ErrorKind::QuotaExhausted if error.origin == Origin::Gateway => "rate_limit_error",
        ErrorKind::QuotaExhausted => "billing_error",
        ErrorKind::Overloaded => "overloaded_error",
        ErrorKind::ContextTooLong | ErrorKind::ContentFiltered | ErrorKind::InvalidRequest => {
            "invalid_request_error"
        }
        ErrorKind::NotFound => "not_found_error",
        ErrorKind::PayloadTooLarge => "request_too_large",
        ErrorKind::Timeout => "timeout_error",
        ErrorKind::Cancelled if error.origin != Origin::Gateway => "invalid_request_error",
        ErrorKind::Truncated
        | ErrorKind::InvalidResponse
        | ErrorKind::ServerError
        | ErrorKind::Network
        | ErrorKind::Cancelled
        | ErrorKind::Internal => "api_error",
    }
}
