//! A provider's rate limits, as the headers of its answers tell them: what may be asked per window,
//! what is left of it, and when it is whole again.
//!
//! No two vendors write them alike; the forms read here are those of the recorded corpus:
//!
//! | vendor | names | reset |
//! | --- | --- | --- |
//! | OpenAI, Groq, xAI | `x-ratelimit-{limit,remaining,reset}-{requests,tokens,…}` | `12ms`, `1m2.5s` |
//! | Azure | the same, with `x-ratelimit-renewalperiod-*` | seconds |
//! | Anthropic | `anthropic-ratelimit-{…}-{limit,remaining,reset}` | RFC 3339 |
//! | OpenRouter, Together | `x-ratelimit-{limit,remaining,reset}` | epoch milliseconds; seconds |
//! | Mistral | `x-ratelimit-{limit,remaining}-tokens-minute`, `-req-10-second` | none: the name says the window |
//! | Cohere (trial) | `x-trial-endpoint-call-{limit,remaining}` | none |

use std::time::{Duration, SystemTime};

use crate::Headers;
use crate::errors::is_nonsense;

/// Longest reset that is believed: a month's window, and a day of slack.
const MAX_RESET: Duration = Duration::from_secs(32 * 24 * 3600);

/// A number from here on is a point in time: seconds since 1970 passed a thousand million in 2001,
/// and no window is that long.
const FIRST_EPOCH_SECOND: f64 = 1e9;
/// And from here on it counts milliseconds.
const FIRST_EPOCH_MILLISECOND: f64 = 1e11;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counted {
    Requests,
    /// Input and output together.
    Tokens,
    InputTokens,
    OutputTokens,
    InputImages,
}

/// One limit. What the provider did not say is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    pub counted: Counted,
    /// Over how long it is counted, where the provider says so.
    pub window: Option<Duration>,
    pub limit: Option<u64>,
    pub remaining: Option<u64>,
    /// How long until it is whole again, from `now` on.
    pub reset: Option<Duration>,
}

/// Every limit that `headers` tell, in the order of [`Counted`] and then of the window.
pub fn read(headers: &Headers, now: SystemTime) -> Vec<RateLimit> {
    read_counting(headers, now).0
}

/// As [`read`], and how many values could not be meant: negative, no number, years away.
pub fn read_counting(headers: &Headers, now: SystemTime) -> (Vec<RateLimit>, usize) {
    let mut limits: Vec<RateLimit> = Vec::new();
    let mut unreadable = 0;
    // Azure tells a window apart from its limit.
    let mut periods: Vec<(Counted, Duration)> = Vec::new();
    for (name, value) in headers.iter() {
        let name = name.to_ascii_lowercase();
        unreadable += usize::from(is_nonsense(&name, value, now));
        let Some(Name { counted, window, field }) = parse_name(&name) else { continue };
        let at = limits.iter().position(|limit| (limit.counted, limit.window) == (counted, window));
        let at = at.unwrap_or_else(|| {
            limits.push(RateLimit { counted, window, limit: None, remaining: None, reset: None });
            limits.len() - 1
        });
        let limit = &mut limits[at];
        match field {
            Field::Limit => limit.limit = count(value),
            Field::Remaining => limit.remaining = count(value),
            Field::Reset => limit.reset = reset(value, now),
            Field::Period => {
                periods.extend(count(value).map(|seconds| (counted, Duration::from_secs(seconds))));
            }
        }
        let is_read = match field {
            Field::Limit => limit.limit.is_some(),
            Field::Remaining => limit.remaining.is_some(),
            Field::Reset => limit.reset.is_some(),
            Field::Period => count(value).is_some(),
        };
        unreadable += usize::from(!is_read);
    }
    for limit in limits.iter_mut().filter(|limit| limit.window.is_none()) {
        limit.window =
            periods.iter().find(|(counted, _)| *counted == limit.counted).map(|(_, window)| *window);
    }
    limits.retain(|limit| limit.limit.is_some() || limit.remaining.is_some());
    limits.sort_by_key(|limit| (limit.counted, limit.window));
    (limits, unreadable)
}

/// How long to wait after a refusal: until the last of the limits that have nothing left is whole
/// again. `None` where none of them says so.
pub fn wait(limits: &[RateLimit]) -> Option<Duration> {
    limits.iter().filter(|limit| limit.remaining == Some(0)).filter_map(|limit| limit.reset).max()
}

enum Field {
    Limit,
    Remaining,
    Reset,
    Period,
}

struct Name {
    counted: Counted,
    window: Option<Duration>,
    field: Field,
}

/// A header's name, lower-cased. Words that stand for no limit (`x-ratelimit-key`,
/// `x-ratelimit-tokens-query-cost`) are none.
fn parse_name(name: &str) -> Option<Name> {
    if let Some(rest) = name.strip_prefix("anthropic-ratelimit-") {
        let (counted, field) = rest.rsplit_once('-')?;
        return Some(Name { counted: counted_of(counted)?, window: None, field: field_of(field)? });
    }
    if let Some(field) = name.strip_prefix("x-trial-endpoint-call-") {
        return Some(Name { counted: Counted::Requests, window: None, field: field_of(field)? });
    }
    let rest = name.strip_prefix("x-ratelimit-")?;
    let (field, what) = rest.split_once('-').unwrap_or((rest, ""));
    let field = field_of(field)?;
    let (counted, window) = match what {
        "" => (Counted::Requests, None),
        _ => windowed(what)?,
    };
    Some(Name { counted, window, field })
}

fn field_of(word: &str) -> Option<Field> {
    Some(match word {
        "limit" => Field::Limit,
        "remaining" => Field::Remaining,
        "reset" => Field::Reset,
        "renewalperiod" => Field::Period,
        _ => return None,
    })
}

fn counted_of(word: &str) -> Option<Counted> {
    Some(match word {
        "requests" | "req" => Counted::Requests,
        "tokens" => Counted::Tokens,
        "input-tokens" => Counted::InputTokens,
        "output-tokens" => Counted::OutputTokens,
        "input-images" => Counted::InputImages,
        _ => return None,
    })
}

/// `tokens`, `tokens-minute`, `req-10-second`.
fn windowed(what: &str) -> Option<(Counted, Option<Duration>)> {
    if let Some(counted) = counted_of(what) {
        return Some((counted, None));
    }
    let (rest, unit) = what.rsplit_once('-')?;
    let seconds = match unit {
        "second" => 1,
        "minute" => 60,
        "hour" => 3600,
        "day" => 24 * 3600,
        // A calendar month; the longest, so that nothing is asked too early.
        "month" => 31 * 24 * 3600,
        _ => return None,
    };
    let (counted, times) = match rest.rsplit_once('-') {
        Some((counted, times)) if times.bytes().all(|byte| byte.is_ascii_digit()) => {
            (counted, times.parse().ok()?)
        }
        _ => (rest, 1_u64),
    };
    Some((counted_of(counted)?, Some(Duration::from_secs(seconds * times.min(1_000)))))
}

fn count(value: &str) -> Option<u64> {
    let value = value.trim();
    // Some count in fractions; a part of a request is none.
    value.parse().ok().or_else(|| {
        value.parse::<f64>().ok().filter(|count| *count >= 0.0 && count.is_finite()).map(|count| count as u64)
    })
}

/// A reset in any of its forms, as a wait from `now` on; zero where it has passed.
fn reset(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = if let Ok(number) = value.parse::<f64>() {
        if number >= FIRST_EPOCH_MILLISECOND {
            until(Duration::try_from_secs_f64(number / 1000.0).ok()?, now)
        } else if number >= FIRST_EPOCH_SECOND {
            until(Duration::try_from_secs_f64(number).ok()?, now)
        } else {
            Duration::try_from_secs_f64(number).ok()?
        }
    } else if let Ok(at) = value.parse::<jiff::Timestamp>() {
        until(Duration::try_from(at.duration_since(jiff::Timestamp::UNIX_EPOCH)).ok()?, now)
    } else {
        spoken(value)?
    };
    (wait <= MAX_RESET).then_some(wait)
}

/// The point in time, `since_epoch` after 1970, seen from `now`.
fn until(since_epoch: Duration, now: SystemTime) -> Duration {
    let at = SystemTime::UNIX_EPOCH.checked_add(since_epoch);
    at.and_then(|at| at.duration_since(now).ok()).unwrap_or_default()
}

/// `12ms`, `17.4s`, `1m2.5s`, `1h3m`, `2d`: durations as Go writes them, and Google, OpenAI and Groq
/// with it.
pub(crate) fn spoken(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let seconds = match &after[..unit] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 24.0 * 3600.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        total = total.checked_add(part)?;
        rest = &after[unit..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-11T14:28:40Z.
    const NOW: u64 = 1_773_239_320;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
    }

    fn limits(headers: &[(&str, &str)]) -> Vec<RateLimit> {
        read(&headers.iter().copied().collect(), now())
    }

    #[expect(clippy::unnecessary_wraps, reason = "what it is compared with is optional")]
    fn seconds(seconds: f64) -> Option<Duration> {
        Some(Duration::from_secs_f64(seconds))
    }

    fn limit(counted: Counted, limit: u64, remaining: u64, reset: Option<Duration>) -> RateLimit {
        RateLimit { counted, window: None, limit: Some(limit), remaining: Some(remaining), reset }
    }

    #[test]
    fn openai_and_groq_write_durations() {
        let read = limits(&[
            ("x-ratelimit-limit-requests", "10000"),
            ("X-RateLimit-Remaining-Requests", "9999"),
            ("x-ratelimit-reset-requests", "6ms"),
            ("x-ratelimit-limit-tokens", "30000"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "1m2.5s"),
        ]);
        assert_eq!(read[0], limit(Counted::Requests, 10_000, 9_999, seconds(0.006)));
        assert_eq!(read[1], limit(Counted::Tokens, 30_000, 0, seconds(62.5)));
        assert_eq!(wait(&read), seconds(62.5));
    }

    #[test]
    fn anthropic_writes_points_in_time() {
        let read = limits(&[
            ("anthropic-ratelimit-input-tokens-limit", "400000"),
            ("anthropic-ratelimit-input-tokens-remaining", "400000"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-03-11T14:28:48Z"),
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-03-11T14:28:30Z"),
        ]);
        assert_eq!(read[0], limit(Counted::Requests, 50, 0, seconds(0.0)));
        assert_eq!(read[1], limit(Counted::InputTokens, 400_000, 400_000, seconds(8.0)));
    }

    #[test]
    fn azure_names_the_window_apart() {
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let headers = [
                ("x-ratelimit-limit-tokens", "120000"),
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-renewalperiod-tokens", "60"),
            ];
            let read = limits(&order.map(|at| headers[at]));
            let expected = RateLimit { window: seconds(60.0), ..limit(Counted::Tokens, 120_000, 0, None) };
            assert_eq!(read, [expected]);
        }
    }

    #[test]
    fn mistral_names_several_windows_of_one_thing() {
        let read = limits(&[
            ("x-ratelimit-limit-req-10-second", "60"),
            ("x-ratelimit-remaining-req-10-second", "50"),
            ("x-ratelimit-limit-req-minute", "360"),
            ("x-ratelimit-limit-tokens-month", "200000000000"),
            ("x-ratelimit-tokens-query-cost", "10"),
        ]);
        let windows: Vec<_> =
            read.iter().map(|limit| (limit.counted, limit.window.map(|it| it.as_secs()))).collect();
        assert_eq!(
            windows,
            [
                (Counted::Requests, Some(10)),
                (Counted::Requests, Some(60)),
                (Counted::Tokens, Some(31 * 24 * 3600))
            ]
        );
    }

    #[test]
    fn what_cannot_be_meant_is_left_out_and_counted() {
        let headers = [
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "-3"),
            ("x-ratelimit-reset-requests", "99999999"),
            ("x-ratelimit-limit-tokens", "unlimited"),
            ("x-ratelimit-remaining-tokens", "inf"),
            ("x-ratelimit-key", "no limit at all"),
            ("retry-after", "-5"),
            ("retry-after-ms", "99999999999999"),
            ("x-ms-retry-after-ms", "soon"),
        ];
        let (limits, unreadable) = read_counting(&headers.iter().copied().collect(), now());
        let told = RateLimit { remaining: None, ..limit(Counted::Requests, 60, 0, None) };
        assert_eq!((limits, unreadable), (vec![told], 7));
    }

    #[test]
    fn a_wait_that_can_be_meant_is_not_counted() {
        let past = httpdate::fmt_http_date(now() - Duration::from_secs(60));
        let far = httpdate::fmt_http_date(now() + Duration::from_secs(400 * 24 * 3600));
        for (value, expected) in [("30", 0), ("0.5", 0), (past.as_str(), 0), (far.as_str(), 1)] {
            let headers = [("retry-after", value)].into_iter().collect();
            assert_eq!(read_counting(&headers, now()).1, expected, "{value}");
        }
    }

    #[test]
    fn a_reset_may_be_seconds_or_a_point_in_time_of_either_unit() {
        for (value, expected) in [
            ("2", seconds(2.0)),
            (&format!("{}", (NOW + 20) * 1000), seconds(20.0)),
            (&format!("{}", NOW + 20), seconds(20.0)),
            ("17.399999999s", seconds(17.399_999_999)),
            ("-1", None),
            ("soon", None),
            ("", None),
            ("9e99", None),
        ] {
            assert_eq!(reset(value, now()), expected, "{value}");
        }
    }
}
