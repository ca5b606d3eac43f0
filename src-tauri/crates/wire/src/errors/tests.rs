use std::time::{Duration, SystemTime};

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
        (402, r#"{"error":{"message":"Insufficient Balance","type":"unknown_error"}}"#, K::QuotaExhausted),
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
        assert_eq!((error.kind, error.retry_after), (kind, Some(Duration::from_millis(48_900))), "{quota}");
    }
}

#[test]
fn a_refusal_without_a_wait_takes_the_reset_of_what_is_used_up() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_754_667_640);
    let headers: Headers =
        [("x-ratelimit-limit", "1"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1754667660000")]
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
