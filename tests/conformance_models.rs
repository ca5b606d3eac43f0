//! Every recorded list of models decodes to what a plain reading of its JSON says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails here fails its test")]

use canonical::ErrorKind;
use serde_json::Value;
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::judge::{every_operation, same};
use wire::{ListedModel, Protocol, ProtocolId};

/// Whose form a record has.
fn protocol(record: &Record) -> &'static dyn Protocol {
    wire::protocol(match record.provider.as_str() {
        "anthropic" => ProtocolId::AnthropicMessages,
        "google" => ProtocolId::GeminiGenerate,
        "ollama" => ProtocolId::OllamaChat,
        _ => ProtocolId::OpenaiChat,
    })
}

#[test]
fn every_recorded_list_decodes_to_what_it_says() {
    let Some(records) = corpus::records("models") else { return };
    assert_eq!(records.len(), 15, "records went missing");
    let counts = every_operation("models", records, judge);
    assert_eq!(counts.values().map(|count| count.errors).sum::<usize>(), 4, "{counts:?}");
}

fn judge(record: &Record) -> Result<(), String> {
    let (protocol, body) = (protocol(record), record.body());
    let said: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    if record.response.status >= 400 {
        let error = protocol.decode_error(record.response.status, &record.headers(), &body);
        same("message", &Some(error.message.as_str()), &said["error"]["message"].as_str())?;
        // Google says 400 of a wrong key.
        return same("kind", &error.kind, &ErrorKind::Authentication);
    }
    let got = protocol.decode_models(&body).map_err(|error| error.message)?;
    let expected: Vec<ListedModel> = ["data", "models"]
        .iter()
        .find_map(|name| said[*name].as_array())
        .or(said.as_array())
        .unwrap()
        .iter()
        .filter(|model| {
            let methods = model["supportedGenerationMethods"].as_array();
            methods.is_none_or(|methods| methods.iter().any(|method| method == "generateContent"))
        })
        .map(plain)
        .collect();
    if expected.is_empty() {
        return Err("the plain reading found no model".into());
    }
    same("models", &got, &expected)?;
    let next = protocol.more_models_request(&body);
    let token = next.as_ref().and_then(|next| Some(next.query.last()?.1.as_str()));
    same("the next page", &token, &said["nextPageToken"].as_str())
}

/// By each vendor's own names.
fn plain(model: &Value) -> ListedModel {
    let id = ["id", "model_id", "model", "name"].iter().find_map(|name| model[*name].as_str()).unwrap();
    let id = id.strip_prefix("models/").unwrap_or(id).to_owned();
    let text = |place: &str| model.pointer(place).and_then(Value::as_str).map(str::to_owned);
    let limit = |place: &str| model.pointer(place).and_then(Value::as_u64);
    // Ollama's and Google's names are ids.
    let is_named = !model["id"].is_null();
    let name = text("/displayName").or(text("/model_spec/name")).or(text("/name").filter(|_| is_named));
    ListedModel {
        display_name: name.filter(|name| *name != id),
        context_window: limit("/inputTokenLimit")
            .or(limit("/max_context_length"))
            .or(limit("/context_length"))
            .or(limit("/context_window"))
            .or(limit("/capabilities/limits/max_context_window_tokens"))
            .or(limit("/meta/n_ctx")),
        max_output_tokens: limit("/outputTokenLimit")
            .or(limit("/capabilities/limits/max_output_tokens"))
            .or(limit("/model_spec/maxCompletionTokens")),
        id,
    }
}

#[test]
fn a_list_in_pages_is_asked_for_page_by_page() {
    for (id, body, expected) in [
        (
            ProtocolId::AnthropicMessages,
            r#"{"data":[{"id":"a"}],"has_more":true,"last_id":"a"}"#,
            Some("after_id=a"),
        ),
        (ProtocolId::AnthropicMessages, r#"{"data":[{"id":"a"}],"has_more":false,"last_id":"a"}"#, None),
        (ProtocolId::GeminiGenerate, r#"{"models":[],"nextPageToken":"xyz"}"#, Some("pageToken=xyz")),
        (ProtocolId::GeminiGenerate, r#"{"models":[],"nextPageToken":""}"#, None),
        (ProtocolId::CohereChat, r#"{"models":[],"next_page_token":"n"}"#, Some("page_token=n")),
        (ProtocolId::OpenaiChat, r#"{"data":[],"has_more":true}"#, None),
        (ProtocolId::OllamaChat, "no JSON", None),
    ] {
        let next = wire::protocol(id).more_models_request(body.as_bytes());
        let asked = next.map(|next| {
            let first = wire::protocol(id).models_request();
            assert_eq!((&next.path, &next.headers), (&first.path, &first.headers));
            assert_eq!(next.query.len(), first.query.len() + 1);
            let (name, value) = next.query.last().unwrap();
            format!("{name}={value}")
        });
        assert_eq!(asked.as_deref(), expected, "{id}: {body}");
    }
}
