//! An error as OpenAI says it. Its SDKs choose their exception by the status, so that is kept true
//! to what happened; `type` and `code` are OpenAI's own words.
//!
//! <https://platform.openai.com/docs/guides/error-codes>

use canonical::{Error, ErrorKind, Origin};
use serde_json::{Map, Value, json};

/// The status that the client sees.
pub(crate) fn status(error: &Error) -> u16 {
    match error.kind {
        ErrorKind::Authentication if error.is_missing_provider_key() => 503,
        ErrorKind::Authentication => 401,
        ErrorKind::Permission => 403,
        ErrorKind::RateLimited | ErrorKind::QuotaExhausted => 429,
        ErrorKind::Overloaded => 503,
        ErrorKind::ContextTooLong | ErrorKind::ContentFiltered => 400,
        // 409, 415 and 422 have exceptions of their own in the SDKs.
        ErrorKind::InvalidRequest => {
            error.status.filter(|status| [405, 409, 415, 422].contains(status)).unwrap_or(400)
        }
        ErrorKind::NotFound => 404,
        ErrorKind::PayloadTooLarge => 413,
        ErrorKind::Timeout => 504,
        ErrorKind::Truncated | ErrorKind::InvalidResponse | ErrorKind::ServerError | ErrorKind::Network => {
            502
        }
        ErrorKind::Cancelled if error.origin == Origin::Gateway => 503,
        // nginx' word for a client that left; nobody is there to read it.
        ErrorKind::Cancelled => 499,
        ErrorKind::Internal => 500,
    }
}

/// `{"error": {message, type, param, code}}`; `request_id` is ours, to find the request again.
pub(crate) fn body(error: &Error, request_id: Option<&str>) -> Value {
    let (kind, code) = match error.origin {
        // We left, as we closed: no mistake of the request.
        Origin::Gateway if error.kind == ErrorKind::Cancelled => words(ErrorKind::ServerError),
        _ if error.is_missing_provider_key() => words(ErrorKind::ServerError),
        _ => words(error.kind),
    };
    let own = error.code.as_deref().filter(|_| keeps_own_code(error.kind) || error.is_missing_provider_key());
    let mut object = Map::from_iter([
        ("message".to_owned(), error.message.clone().into()),
        ("type".to_owned(), kind.into()),
        ("param".to_owned(), error.param.clone().into()),
        ("code".to_owned(), own.or(code).into()),
    ]);
    if let Some(id) = request_id {
        object.insert("request_id".into(), id.into());
    }
    json!({ "error": object })
}

/// Where our word says less than the provider's.
fn keeps_own_code(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidRequest
            | ErrorKind::Permission
            | ErrorKind::InvalidResponse
            | ErrorKind::ServerError
    )
}

/// `type` and `code`.
fn words(kind: ErrorKind) -> (&'static str, Option<&'static str>) {
    const REQUEST: &str = "invalid_request_error";
    const SERVER: &str = "server_error";
    match kind {
        ErrorKind::Authentication => (REQUEST, Some("invalid_api_key")),
        ErrorKind::Permission => ("permission_error", None),
        ErrorKind::RateLimited => ("requests", Some("rate_limit_exceeded")),
        ErrorKind::QuotaExhausted => ("insufficient_quota", Some("insufficient_quota")),
        ErrorKind::Overloaded => (SERVER, Some("overloaded")),
        ErrorKind::ContextTooLong => (REQUEST, Some("context_length_exceeded")),
        ErrorKind::ContentFiltered => (REQUEST, Some("content_filter")),
        ErrorKind::InvalidRequest => (REQUEST, None),
        ErrorKind::NotFound => (REQUEST, Some("model_not_found")),
        ErrorKind::PayloadTooLarge => (REQUEST, Some("request_too_large")),
        ErrorKind::Timeout => (SERVER, Some("timeout")),
        ErrorKind::Truncated => (SERVER, Some("truncated")),
        ErrorKind::InvalidResponse => (SERVER, Some("invalid_response")),
        ErrorKind::ServerError => (SERVER, None),
        ErrorKind::Network => (SERVER, Some("network")),
        ErrorKind::Cancelled => (REQUEST, Some("cancelled")),
        ErrorKind::Internal => (SERVER, Some("internal")),
    }
}
