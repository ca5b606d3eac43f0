//! How long a provider asks to wait, wherever it says so.

use std::time::{Duration, SystemTime};

use crate::{Headers, limits};

/// Longest wait that a provider is believed; past it the header is nonsense.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

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

/// Whether a header asks to wait, and for what cannot be meant: a negative time, no number and no
/// date, more than a week.
pub(crate) fn is_nonsense(name: &str, value: &str, now: SystemTime) -> bool {
    if !["retry-after", "retry-after-ms", "x-ms-retry-after-ms"].contains(&name) {
        return false;
    }
    let one: Headers = [(name, value)].into_iter().collect();
    let date = httpdate::parse_http_date(value.trim()).ok().filter(|_| name == "retry-after");
    match date {
        Some(at) => at.duration_since(now).is_ok_and(|wait| wait > MAX_RETRY_AFTER),
        None => retry_after(&one).is_none(),
    }
}

/// `34s`, `0.5s`, `1m2s`: durations as Google and OpenAI write them.
pub(super) fn duration(text: &str) -> Option<Duration> {
    limits::spoken(text).filter(|wait| *wait <= MAX_RETRY_AFTER)
}

/// `… Please try again in 1.5s.`: the wait in a message's own words (OpenAI, Groq; Google says
/// `retry in`).
pub(super) fn retry_after_in(message: &str) -> Option<Duration> {
    let rest = message.split_once("try again in ").or_else(|| message.split_once("retry in "))?.1;
    let word = rest.split(|c: char| c.is_whitespace()).next()?.trim_end_matches(['.', ',']);
    duration(word)
}
