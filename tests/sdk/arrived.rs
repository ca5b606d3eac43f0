//! What reached the providers.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use signalbox_tests::replay::Arrived;

use super::{PIXEL, Plan};

pub(super) fn judge_arrived(plan: &Plan, arrived: &[Arrived]) -> Result<()> {
    for arrived in arrived {
        let has_key = arrived.headers.iter().any(|(_, value)| value.contains("sk-replayed"));
        ensure!(has_key, "a request to {} carried no key", arrived.path);
        ensure!(arrived.headers.iter().all(|(_, value)| !value.contains("sb-")), "a client's key went out");
    }
    let last = |model: &Value| -> Result<&Arrived> {
        let number = model.as_str().and_then(|model| model.rsplit_once("record-")?.1.parse().ok());
        arrived.iter().rfind(|arrived| Some(arrived.take) == number).context("the request did not arrive")
    };
    for case in &plan.cases {
        let protocol = case["protocol"].as_str().unwrap_or("");
        match case["kind"].as_str() {
            Some("vision") => {
                let body = &last(&case["model"])?.body;
                ensure!(has_pixel(protocol, body), "{}: no image in {body}", case["id"]);
            }
            Some("tool_loop") => {
                let body = &last(&case["second_model"])?.body;
                ensure!(has_result(protocol, body), "{}: no tool result in {body}", case["id"]);
            }
            // Only Responses' SDKs play this one, and not first.
            Some("thought_loop") => {
                if let Ok(arrived) = last(&case["second_model"]) {
                    let back = arrived.body.pointer("/messages/1/content/0/signature");
                    ensure!(
                        back == Some(&case["signature"]),
                        "{}: the thought came back unsigned",
                        case["id"]
                    );
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The image in the protocol's own form.
fn has_pixel(protocol: &str, body: &Value) -> bool {
    let (place, prefix) = match protocol {
        "openai-chat" => ("/messages/0/content/1/image_url/url", "data:image/png;base64,"),
        "anthropic-messages" => ("/messages/0/content/1/source/data", ""),
        _ => ("/contents/0/parts/1/inlineData/data", ""),
    };
    let data = body.pointer(place).and_then(Value::as_str).and_then(|data| data.strip_prefix(prefix));
    data.is_some_and(|data| data.starts_with(PIXEL))
}

/// The call and its result, in the protocol's own form, joined by the call's id or name.
fn has_result(protocol: &str, body: &Value) -> bool {
    let (call, result, id) = match protocol {
        "openai-chat" => ("/messages/1/tool_calls/0/id", "/messages/2/tool_call_id", "id"),
        "anthropic-messages" => ("/messages/1/content", "/messages/2/content/0/tool_use_id", "id"),
        _ => ("/contents/1/parts", "/contents/2/parts/0/functionResponse/name", "name"),
    };
    let Some(result) = body.pointer(result).and_then(Value::as_str) else { return false };
    match body.pointer(call) {
        Some(Value::String(call)) => call == result,
        Some(Value::Array(parts)) => parts.iter().any(|part| {
            let call = part.get("functionCall").unwrap_or(part);
            call[id] == result
        }),
        _ => false,
    }
}
