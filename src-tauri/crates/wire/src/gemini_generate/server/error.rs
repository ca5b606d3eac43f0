//! An error as Google says it: `{"error": {code, message, status, details}}`. Its SDKs choose their
//! exception by the HTTP status, and raise in the middle of a stream where `error` is a chunk's first
//! field and its `code` a status from 400.
//!
//! <https://cloud.google.com/apis/design/errors>

use std::time::Duration;

use canonical::{Error, ErrorKind, Origin};
use serde_json::{Value, json};

/// The HTTP status that the client sees, and its name in Google's own vocabulary.
pub(super) fn status(error: &Error) -> (u16, &'static str) {
    match error.kind {
        ErrorKind::Authentication if error.is_missing_provider_key() => (503, "UNAVAILABLE"),
        ErrorKind::Authentication => (401, "UNAUTHENTICATED"),
        ErrorKind::Permission => (403, "PERMISSION_DENIED"),
        ErrorKind::RateLimited | ErrorKind::QuotaExhausted => (429, "RESOURCE_EXHAUSTED"),
        ErrorKind::ContextTooLong | ErrorKind::ContentFiltered | ErrorKind::InvalidRequest => {
            (400, "INVALID_ARGUMENT")
        }
        ErrorKind::NotFound => (404, "NOT_FOUND"),
        ErrorKind::PayloadTooLarge => (413, "INVALID_ARGUMENT"),
        ErrorKind::Timeout => (504, "DEADLINE_EXCEEDED"),
        ErrorKind::Overloaded => (503, "UNAVAILABLE"),
        ErrorKind::Truncated | ErrorKind::Network => (502, "UNAVAILABLE"),
        ErrorKind::InvalidResponse | ErrorKind::ServerError => (502, "INTERNAL"),
        // We left, as we closed: no mistake of the request.
        ErrorKind::Cancelled if error.origin == Origin::Gateway => (503, "UNAVAILABLE"),
        ErrorKind::Cancelled => (499, "CANCELLED"),
        ErrorKind::Internal => (500, "INTERNAL"),
    }
}

/// The error object; `request_id` is ours, to find the request again.
pub(super) fn body(error: &Error, request_id: Option<&str>) -> Value {
    let (code, status) = status(error);
    let reason = match (&error.code, error.kind) {
        // Where Google says it, SDKs and people look for this word.
        (_, ErrorKind::Authentication) if !error.is_missing_provider_key() => "API_KEY_INVALID".to_owned(),
        (Some(code), _) if is_word(code) => reason(code),
        // https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto
        (_, ErrorKind::RateLimited) => "RATE_LIMIT_EXCEEDED".to_owned(),
        (_, ErrorKind::QuotaExhausted) => "RESOURCE_QUOTA_EXCEEDED".to_owned(),
        (_, kind) => reason(kind.as_str()),
    };
    let mut details = vec![json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "signalbox",
        "metadata": {"kind": error.kind.as_str()},
    })];
    if let Some(wait) = error.retry_after {
        let delay = seconds(wait);
        details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}));
    }
    if let Some(field) = &error.param {
        let violation = json!({"field": field, "description": error.message});
        details.push(
            json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}),
        );
    }
    if let Some(id) = request_id {
        details.push(json!({"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": id}));
    }
    json!({"error": {"code": code, "message": error.message, "status": status, "details": details}})
}

/// Whether a provider's code says something by itself: some are the status again (`429`) or a number
/// of the vendor's own (`1300`).
fn is_word(code: &str) -> bool {
    code.starts_with(|letter: char| letter.is_ascii_alphabetic())
}

/// A code in the form of Google's reasons: `model_not_found` → `MODEL_NOT_FOUND`.
fn reason(code: &str) -> String {
    let letter =
        |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    code.chars().map(letter).collect()
}

/// `48s`, `1.5s`: seconds with as many decimals as they need.
fn seconds(wait: Duration) -> String {
    let nanos = format!("{:09}", wait.subsec_nanos());
    match nanos.trim_end_matches('0') {
        "" => format!("{}s", wait.as_secs()),
        decimals => format!("{}.{decimals}s", wait.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_its_status_twice_and_how_long_to_wait() {
        let mut error = Error::new(ErrorKind::RateLimited, Origin::Provider, "Slow down.").with_status(429);
        error.retry_after = Some(Duration::from_millis(1500));
        let said = body(&error, Some("req-1"));
        // The SDK for Python looks at how the chunk begins.
        assert!(said.to_string().starts_with("{\"error\":{\"code\":429,"));
        assert_eq!(said["error"]["status"], "RESOURCE_EXHAUSTED");
        assert_eq!(said["error"]["details"][0]["reason"], "RATE_LIMIT_EXCEEDED");
        assert_eq!(said["error"]["details"][1]["retryDelay"], "1.5s");
        assert_eq!(said["error"]["details"][2]["requestId"], "req-1");
        assert_eq!(seconds(Duration::from_secs(48)), "48s");
    }

    #[test]
    fn a_reason_is_a_word_and_never_a_number() {
        let said = |kind, code: &str| {
            let error = Error::new(kind, Origin::Provider, "No.").with_code(code);
            body(&error, None)["error"]["details"][0]["reason"].as_str().unwrap().to_owned()
        };
        assert_eq!(said(ErrorKind::RateLimited, "429"), "RATE_LIMIT_EXCEEDED");
        assert_eq!(said(ErrorKind::QuotaExhausted, "429"), "RESOURCE_QUOTA_EXCEEDED");
        assert_eq!(said(ErrorKind::ServerError, "500"), "SERVER_ERROR");
        assert_eq!(said(ErrorKind::RateLimited, "tokens_per_minute"), "TOKENS_PER_MINUTE");
    }

    #[test]
    fn a_mistake_names_its_field() {
        let error = Error::caller("No.").with_param("contents[0].role").with_code("invalid_value");
        let said = body(&error, None);
        assert_eq!((status(&error).0, &said["error"]["status"]), (400, &"INVALID_ARGUMENT".into()));
        assert_eq!(said["error"]["details"][0]["reason"], "INVALID_VALUE");
        assert_eq!(said["error"]["details"][1]["fieldViolations"][0]["field"], "contents[0].role");
    }

    #[test]
    fn a_key_that_we_lack_is_not_the_clients() {
        let missing = Error::new(ErrorKind::Authentication, Origin::Gateway, "No key.");
        let missing = missing.with_code("provider_key_missing");
        for family in ["openai-chat", "openai-responses", "anthropic-messages", "gemini-generate"] {
            let dialect = crate::dialect(family).unwrap();
            let (status, body) = dialect.encode_error(&missing, None);
            let body = String::from_utf8(body).unwrap().to_lowercase();
            assert_eq!(status, 503, "{family}");
            for word in ["invalid_api_key", "api_key_invalid", "authentication_error", "unauthenticated"] {
                assert!(!body.contains(word), "{family}: {body}");
            }
            let wrong = Error::new(ErrorKind::Authentication, Origin::Caller, "Wrong key.");
            assert_eq!(dialect.encode_error(&wrong, None).0, 401, "{family}");
        }
    }

    #[test]
    fn every_kind_is_an_error_to_the_sdks() {
        for kind in ErrorKind::ALL {
            for origin in [Origin::Caller, Origin::Gateway, Origin::Provider, Origin::Network] {
                let (code, name) = status(&Error::new(kind, origin, "x"));
                assert!((400..600).contains(&code) && !name.is_empty(), "{kind:?}");
            }
        }
    }
}
