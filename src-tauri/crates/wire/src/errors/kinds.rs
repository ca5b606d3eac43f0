//! Vendors' words and statuses → one vocabulary.

use canonical::ErrorKind;

/// Providers' own words, lower-cased. Sources: their documents and the corpus.
pub(super) fn by_code(code: &str, status: u16) -> Option<ErrorKind> {
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
pub(super) fn refine(kind: ErrorKind, message: &str, status: u16) -> ErrorKind {
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
pub(super) fn by_message(message: &str, status: u16) -> Option<ErrorKind> {
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

pub(super) fn by_status(status: u16) -> ErrorKind {
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
