//! What a body says of a failure, in whatever shape.

use std::time::Duration;

use canonical::ErrorKind;
use serde_json::Value;

use super::waits::duration;

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
pub(super) fn details(object: &Value) -> impl Iterator<Item = &Value> {
    object.get("details").and_then(Value::as_array).into_iter().flatten()
}

pub(super) fn text(value: Option<&Value>) -> Option<String> {
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
