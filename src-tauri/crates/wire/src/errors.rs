//! Errors of every shape → one vocabulary: JSON of any vendor, HTML pages, plain text; with an
//! error status, inside a 200, or in the middle of a stream.
//!
//! The evidence, in the order in which it is believed: the provider's own code or type, words of
//! its message that only one failure uses, the HTTP status. Shapes are those of the recorded corpus.

use std::time::{Duration, SystemTime};

use canonical::{Error, ErrorKind, Origin, Retry};
use serde_json::Value;

use crate::{Headers, Protocol, limits};

/// Longest piece of a provider's message that is kept.
const MAX_MESSAGE_CHARS: usize = 2_000;

/// Longest piece of a provider's own words that is kept as evidence.
const MAX_BODY_BYTES: usize = 16 << 10;

/// Longest wait that a provider is believed; past it the header is nonsense.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a provider said of a failure, wherever in the body it stood.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    pub message: Option<String>,
    /// Its words for the failure, most telling first (`code`, `type`, `status`).
    pub codes: Vec<String>,
    pub param: Option<String>,
    /// A status that stands in the body (Gemini's `code`, Groq's `status_code`).
    pub status: Option<u16>,
    pub retry_after: Option<Duration>,
    /// Google's `QuotaFailure` names the quota: one per minute is a rate, one per day is used up.
    pub kind: Option<ErrorKind>,
}

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

/// Finds the failure in a JSON body of any vendor's shape.
pub fn evidence(body: &Value) -> Option<Evidence> {
    let body = match body {
        Value::Array(items) => items.first()?,
        other => other,
    };
    let object = body.as_object()?;
    match object.get("error") {
        Some(Value::Object(error)) => {
            let mut found = from_object(&Value::Object(error.clone()));
            if found.message.is_none() {
                found.message = text(object.get("message"));
            }
            Some(found)
        }
        Some(Value::String(message)) => {
            let mut found = from_object(body);
            found.message = Some(found.message.unwrap_or_else(|| message.clone()));
            found.codes.push(message.clone());
            Some(found)
        }
        _ if ["message", "detail", "msg", "errors"].iter().any(|name| object.contains_key(*name)) => {
            Some(from_object(body))
        }
        _ => None,
    }
}

fn from_object(object: &Value) -> Evidence {
    let code = object.get("code");
    let number = code.and_then(Value::as_u64).or_else(|| object.get("status_code").and_then(Value::as_u64));
    let mut codes: Vec<String> = Vec::new();
    codes.extend(text(code).filter(|code| !code.is_empty()));
    codes.extend(details(object).filter_map(|detail| text(detail.get("reason"))));
    codes.extend(["type", "status", "__type"].iter().filter_map(|name| text(object.get(*name))));
    Evidence {
        message: ["message", "detail", "msg", "errors"].iter().find_map(|name| words(object.get(*name)?)),
        codes,
        param: text(object.get("param")),
        status: number
            .and_then(|number| u16::try_from(number).ok())
            .filter(|status| (400..600).contains(status)),
        retry_after: details(object).find_map(|detail| duration(detail.get("retryDelay")?.as_str()?)),
        kind: violated_quota(object),
    }
}

/// What the violated quotas of a `google.rpc.QuotaFailure` mean
/// (<https://ai.google.dev/gemini-api/docs/rate-limits>). The message is the same for all of them and
/// speaks of plan and billing.
fn violated_quota(object: &Value) -> Option<ErrorKind> {
    let violations = details(object).filter_map(|detail| detail.get("violations")?.as_array()).flatten();
    let ids: Vec<&str> = violations.filter_map(|violation| violation.get("quotaId")?.as_str()).collect();
    if ids.iter().any(|id| id.contains("PerDay")) {
        return Some(ErrorKind::QuotaExhausted);
    }
    ids.iter().any(|id| id.contains("PerMinute")).then_some(ErrorKind::RateLimited)
}

/// Google's `details` list.
fn details(object: &Value) -> impl Iterator<Item = &Value> {
    object.get("details").and_then(Value::as_array).into_iter().flatten()
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A message that may be a string, or a list of complaints (FastAPI's `detail`).
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        Value::Array(items) => {
            let all: Vec<String> = items
                .iter()
                .filter_map(|item| words(item.get("msg").or(item.get("message")).unwrap_or(item)))
                .collect();
            (!all.is_empty()).then(|| all.join("; "))
        }
        Value::Object(object) => {
            object.get("message").or(object.get("detail")).map_or_else(|| Some(value.to_string()), words)
        }
        other => Some(other.to_string()),
    }
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

/// Providers' own words, lower-cased. Sources: their documents and the corpus.
fn by_code(code: &str, status: u16) -> Option<ErrorKind> {
    Some(match code.to_ascii_lowercase().as_str() {
        "invalid_api_key"
        | "authentication_error"
        | "unauthenticated"
        | "api_key_invalid"
        | "invalid_authentication"
        | "invalid_authentication_error"
        | "unauthorized"
        | "unrecognizedclientexception"
        | "expiredtokenexception"
        | "invalidsignatureexception"
        | "incompletesignatureexception"
        | "missingauthenticationtokenexception" => ErrorKind::Authentication,
        "permission_error" | "permission_denied" | "forbidden" | "accessdeniedexception" => {
            ErrorKind::Permission
        }
        "insufficient_quota"
        | "billing_error"
        | "billing_hard_limit_reached"
        | "payment_required"
        | "insufficient_balance"
        | "exceeded_current_quota_error"
        | "credits_exhausted" => ErrorKind::QuotaExhausted,
        "rate_limit_exceeded"
        | "rate_limit_error"
        | "resource_exhausted"
        | "rate_limited"
        | "too_many_requests"
        | "throttlingexception"
        | "servicequotaexceededexception"
        | "rate_limit_reached_error"
        | "tokens"
        | "requests"
            if status != 413 =>
        {
            ErrorKind::RateLimited
        }
        "overloaded_error"
        | "overloaded"
        | "engine_overloaded_error"
        | "provider_overloaded"
        | "service_unavailable"
        | "unavailable"
        | "capacity_exhausted"
        | "serviceunavailableexception"
        | "modelnotreadyexception" => ErrorKind::Overloaded,
        "context_length_exceeded" | "string_above_max_length" | "model_context_window_exceeded" => {
            ErrorKind::ContextTooLong
        }
        "content_filter"
        | "content_policy_violation"
        | "responsibleaipolicyviolation"
        | "data_inspection_failed"
        | "moderation_blocked"
        | "safety" => ErrorKind::ContentFiltered,
        "model_not_found"
        | "not_found_error"
        | "not_found"
        | "deploymentnotfound"
        | "model_not_available"
        | "resourcenotfoundexception" => ErrorKind::NotFound,
        "request_too_large" | "payload_too_large" => ErrorKind::PayloadTooLarge,
        "timeout_error" | "timeout" | "deadline_exceeded" | "request_timeout" | "modeltimeoutexception" => {
            ErrorKind::Timeout
        }
        "invalid_request_error"
        | "invalid_argument"
        | "failed_precondition"
        | "invalid_request"
        | "validationexception"
        | "badrequest"
        | "unprocessable_entity"
            if status < 500 =>
        {
            ErrorKind::InvalidRequest
        }
        "server_error"
        | "api_error"
        | "internal_server_error"
        | "internal"
        | "internal_error"
        | "internalserverexception"
        | "internalfailure"
        | "modelerrorexception"
        | "modelstreamerrorexception"
            if status != 429 =>
        {
            ErrorKind::ServerError
        }
        _ => return None,
    })
}

/// A broad code with a telling message or status is the narrower failure (DeepSeek's and Ollama's
/// 401 say `invalid_request_error` and `api_error`).
fn refine(kind: ErrorKind, message: &str, status: u16) -> ErrorKind {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::ServerError => {
            let telling = || matches!(status, 401..=404 | 408 | 413 | 429).then(|| by_status(status));
            by_message(message, 400).or_else(telling).unwrap_or(kind)
        }
        ErrorKind::RateLimited | ErrorKind::Permission => by_message(message, 400).unwrap_or(kind),
        _ => kind,
    }
}

/// Words that only one failure uses, across vendors; for bodies whose code says little or lies.
fn by_message(message: &str, status: u16) -> Option<ErrorKind> {
    let message = message.to_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| message.contains(needle));
    // Bedrock's throttling: “Too many tokens, please wait before trying again.”
    if has(&["too many tokens, please wait"]) {
        return Some(ErrorKind::RateLimited);
    }
    if has(&[
        "context length",
        "context window",
        "maximum context",
        "prompt is too long",
        "input token count",
        "too many tokens",
        "exceeds the maximum number of tokens",
        "exceed context limit",
        "input is too long",
        "input tokens exceeded",
        "exceeds the available context",
    ]) {
        return Some(ErrorKind::ContextTooLong);
    }
    if has(&[
        "api key not valid",
        "invalid api key",
        "incorrect api key",
        "api key expired",
        "invalid x-api-key",
    ]) {
        return Some(ErrorKind::Authentication);
    }
    if has(&[
        "insufficient balance",
        "credit balance is too low",
        "exceeded your current quota, please check your plan",
        "out of credits",
        "insufficient credits",
    ]) {
        return Some(ErrorKind::QuotaExhausted);
    }
    if status != 413 && has(&["rate limit", "too many requests", "rate-limited"]) {
        return Some(ErrorKind::RateLimited);
    }
    if has(&["overloaded", "currently experiencing high demand", "no healthy upstream"]) {
        return Some(ErrorKind::Overloaded);
    }
    if has(&["content management policy", "content policy", "flagged by our safety", "inappropriate content"])
    {
        return Some(ErrorKind::ContentFiltered);
    }
    if has(&["model not found", "does not exist or you do not have access", "unknown model", "no such model"])
    {
        return Some(ErrorKind::NotFound);
    }
    None
}

fn by_status(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Authentication,
        402 => ErrorKind::QuotaExhausted,
        403 => ErrorKind::Permission,
        404 | 410 => ErrorKind::NotFound,
        408 | 504 => ErrorKind::Timeout,
        413 => ErrorKind::PayloadTooLarge,
        429 => ErrorKind::RateLimited,
        503 | 529 => ErrorKind::Overloaded,
        400..=499 => ErrorKind::InvalidRequest,
        500..=599 => ErrorKind::ServerError,
        _ => ErrorKind::InvalidResponse,
    }
}

/// How long the headers ask to wait: `retry-after-ms`, `x-ms-retry-after-ms`, then `retry-after` in
/// seconds. (A point in time needs a clock: [`retry_after_at`].) Nonsense is ignored.
pub fn retry_after(headers: &Headers) -> Option<Duration> {
    let millis = headers
        .get("retry-after-ms")
        .or_else(|| headers.get("x-ms-retry-after-ms"))
        .and_then(|value| value.trim().parse::<f64>().ok())
        .and_then(|millis| Duration::try_from_secs_f64(millis / 1000.0).ok());
    millis
        .or_else(|| {
            let seconds = headers.get("retry-after")?.trim().parse::<f64>().ok()?;
            Duration::try_from_secs_f64(seconds).ok()
        })
        .filter(|wait| *wait <= MAX_RETRY_AFTER)
}

/// How long to wait where that is said as a point in time, against the caller's `now`: a
/// `retry-after` that is an HTTP date (RFC 9110 §10.2.3), else the reset of a limit that has nothing
/// left. Of use for refusals only: an answer may come with all of these too.
pub fn retry_after_at(headers: &Headers, now: SystemTime) -> Option<Duration> {
    let date = headers.get("retry-after").and_then(|date| httpdate::parse_http_date(date.trim()).ok());
    let wait = match date {
        Some(at) => at.duration_since(now).ok(),
        None => limits::wait(&limits::read(headers, now)),
    };
    wait.filter(|wait| *wait <= MAX_RETRY_AFTER)
}

/// `34s`, `0.5s`, `1m2s`: durations as Google and OpenAI write them.
fn duration(text: &str) -> Option<Duration> {
    limits::spoken(text).filter(|wait| *wait <= MAX_RETRY_AFTER)
}

/// `… Please try again in 1.5s.`: the wait in a message's own words (OpenAI, Groq; Google says
/// `retry in`).
fn retry_after_in(message: &str) -> Option<Duration> {
    let rest = message.split_once("try again in ").or_else(|| message.split_once("retry in "))?.1;
    let word = rest.split(|c: char| c.is_whitespace()).next()?.trim_end_matches(['.', ',']);
    duration(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(status: u16, body: &str) -> Error {
        classify(status, &Headers::default(), body.as_bytes())
    }

    #[test]
    fn every_vendors_shape_is_understood() {
        use ErrorKind as K;
        for (status, body, kind) in [
            (
                401,
                r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
                K::Authentication,
            ),
            (
                429,
                r#"{"error":{"message":"You exceeded your current quota, please check your plan","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
                K::QuotaExhausted,
            ),
            (
                429,
                r#"{"error":{"message":"Rate limit reached. Please try again in 1.5s.","type":"tokens","code":"rate_limit_exceeded"}}"#,
                K::RateLimited,
            ),
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 8192 tokens","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
                K::ContextTooLong,
            ),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":null}"#,
                K::Overloaded,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
                K::ContextTooLong,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}"#,
                K::Authentication,
            ),
            (
                429,
                r#"{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x/RetryInfo","retryDelay":"34s"}]}}"#,
                K::RateLimited,
            ),
            (401, r#"{"detail":"Invalid API Key"}"#, K::Authentication),
            (404, r#"{"error":"model 'x' not found"}"#, K::NotFound),
            (422, r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#, K::InvalidRequest),
            (502, "<html><head><title>502 Bad Gateway</title></head></html>", K::ServerError),
            (500, "", K::ServerError),
            (
                500,
                r#"{"error":{"message":"Rate limit exceeded, slow down","type":"server_error"}}"#,
                K::RateLimited,
            ),
            (
                402,
                r#"{"error":{"message":"Insufficient Balance","type":"unknown_error"}}"#,
                K::QuotaExhausted,
            ),
        ] {
            assert_eq!(classified(status, body).kind, kind, "{status} {body}");
        }
    }

    #[test]
    fn a_wait_is_found_wherever_it_is_said() {
        let seconds = |error: Error| error.retry_after.map(|wait| wait.as_secs_f64());
        let google = r#"{"error":{"code":429,"message":"q","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"34s"}]}}"#;
        assert_eq!(seconds(classified(429, google)), Some(34.0));
        let openai = r#"{"error":{"message":"Please try again in 1m2.5s.","code":"rate_limit_exceeded"}}"#;
        assert_eq!(seconds(classified(429, openai)), Some(62.5));
        for (name, value, expected) in [
            ("Retry-After", "7", Some(7.0)),
            ("retry-after-ms", "250", Some(0.25)),
            ("retry-after", "-3", None),
            ("retry-after", "soon", None),
            ("retry-after", "99999999999", None),
        ] {
            let headers: Headers = [(name, value)].into_iter().collect();
            assert_eq!(seconds(classify(429, &headers, b"{}")), expected, "{name}: {value}");
        }
    }

    #[test]
    fn googles_quota_is_a_rate_or_used_up_by_its_own_name() {
        for (quota, kind) in [
            ("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", ErrorKind::RateLimited),
            ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", ErrorKind::QuotaExhausted),
        ] {
            let body = serde_json::json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED",
                "message": "You exceeded your current quota, please check your plan and billing details.",
                "details": [{"violations": [{"quotaId": quota}]}, {"retryDelay": "48.9s"}]}});
            let error = classified(429, &body.to_string());
            assert_eq!(
                (error.kind, error.retry_after),
                (kind, Some(Duration::from_millis(48_900))),
                "{quota}"
            );
        }
    }

    #[test]
    fn a_refusal_without_a_wait_takes_the_reset_of_what_is_used_up() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_754_667_640);
        let headers: Headers = [
            ("x-ratelimit-limit", "1"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1754667660000"),
        ]
        .into_iter()
        .collect();
        assert_eq!(retry_after_at(&headers, now), Some(Duration::from_secs(20)));
        let dated: Headers = [("retry-after", "Fri, 08 Aug 2025 15:40:50 GMT")].into_iter().collect();
        assert_eq!(retry_after_at(&dated, now), Some(Duration::from_secs(10)));
    }

    #[test]
    fn an_html_page_names_its_title_and_the_remedy() {
        let error = classified(200, "<!doctype html><title>Sign in</title>");
        assert_eq!(error.kind, ErrorKind::InvalidResponse);
        assert!(error.message.contains("Sign in") && error.message.contains("base URL"), "{}", error.message);
    }
}
