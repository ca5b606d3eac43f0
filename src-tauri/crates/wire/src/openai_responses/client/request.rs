//! A canonical request → the body of `POST /responses`.
//! <https://platform.openai.com/docs/api-reference/responses/create>
//!
//! What has no place there is left out, with a note: `stop`, `seed`, `top_k`, the two penalties. What another
//! client of this family said in words of its own is written back where it stood.
//!
//! The gateway sends the whole conversation each time, so nothing need stay at the provider: it is
//! told not to store, and asked for the thoughts in the encrypted form in which they can be sent
//! back. A client of this family that wants otherwise says `store` or `include` itself, or names
//! something stored.

use canonical::request::{FunctionTool, ReasoningEffort, ReasoningRequest, ResponseFormat};
use canonical::{ChatRequest, Error, ToolChoice};
use serde_json::{Map, Value, json};

use super::super::FAMILY;
use super::input;
use crate::json::{beside, merge_missing, one_answer, put};
use crate::notes::{self, Note, Place};
use crate::{TargetContext, function_tools};

/// The least that `max_output_tokens` may be; less is refused with an error.
/// <https://github.com/earendil-works/pi/issues/6265>
const MIN_OUTPUT_TOKENS: u64 = 16;

/// Fields that name something stored at the provider, or make it store.
const STORED: [&str; 3] = ["previous_response_id", "conversation", "background"];

/// Fields that mean the same in OpenAI's Chat Completions, whose clients set them there.
const KNOWN: [&str; 4] = ["metadata", "prompt_cache_key", "safety_identifier", "store"];

/// Where the body says what the request asks for.
const PLACES: [Place<'_>; 11] = [
    ("max_output_tokens", &["/max_output_tokens"]),
    ("temperature", &["/temperature"]),
    ("top_p", &["/top_p"]),
    ("tool_choice", &["/tool_choice"]),
    ("parallel_tool_calls", &["/parallel_tool_calls"]),
    ("strict", &["/tools"]),
    ("reasoning", &["/reasoning"]),
    ("response_format", &["/text/format"]),
    ("service_tier", &["/service_tier"]),
    ("user", &["/user"]),
    ("stop", &["/stop"]),
];

/// The body, and what of the request it does not say.
pub(super) fn encode(request: &ChatRequest, target: &TargetContext<'_>) -> Result<(Value, Vec<Note>), Error> {
    one_answer(request, "OpenAI's Responses give")?;
    let mut body = Map::new();
    body.insert("model".into(), target.model.into());
    let conversation = input::convert(&request.messages)?;
    put(&mut body, "instructions", conversation.instructions);
    body.insert("input".into(), conversation.items.into());
    settings(&mut body, request, target.model);
    let mut notes = Vec::new();
    notes::drop_fields(&mut body, &target.quirks.drop_fields, &mut notes);
    notes.extend(notes::unsaid(request, &body, &PLACES));
    if request.max_output_tokens.is_some_and(|limit| limit < MIN_OUTPUT_TOKENS) {
        notes.push(Note::clamped("max_output_tokens"));
    }
    Ok((Value::Object(body), notes::tidy(notes)))
}

/// All but the conversation.
pub(in super::super) fn settings(body: &mut Map<String, Value>, request: &ChatRequest, model: &str) {
    function_tools::put(body, request, FAMILY, function_tool, tool_choice);
    put(body, "max_output_tokens", request.max_output_tokens.map(|limit| limit.max(MIN_OUTPUT_TOKENS)));
    put(body, "temperature", request.temperature);
    put(body, "top_p", request.top_p);
    let format = request.response_format.as_ref();
    put(body, "text", format.map(|format| json!({"format": text_format(format)})));
    put(body, "reasoning", request.reasoning.as_ref().and_then(reasoning));
    put(body, "service_tier", request.service_tier.clone());
    put(body, "user", request.user.clone());
    if request.stream {
        body.insert("stream".into(), true.into());
    }
    write_back(body, request);
    keep_nothing(body, model);
}

/// Writes fields that another client of this family sent back to their places. Where both sides
/// have an object (`text`, `reasoning`), the client's fields join ours.
fn write_back(body: &mut Map<String, Value>, request: &ChatRequest) {
    for (name, value) in beside(&request.extensions, FAMILY, &KNOWN) {
        // Not to be stored is what is asked for anyway, together with what that takes.
        if name == "store" && value == false && request.extensions.field(FAMILY, "store").is_none() {
            continue;
        }
        match (body.get_mut(&name), value) {
            (Some(Value::Object(ours)), Value::Object(theirs)) => merge_missing(ours, &theirs),
            (_, value) => drop(body.insert(name, value)),
        }
    }
}

fn keep_nothing(body: &mut Map<String, Value>, model: &str) {
    let names_stored = STORED.iter().any(|name| body.get(*name).is_some_and(|value| !value.is_null()));
    if body.contains_key("store") || names_stored {
        return;
    }
    body.insert("store".into(), false.into());
    if !body.contains_key("include") && may_think(model) {
        body.insert("include".into(), json!(["reasoning.encrypted_content"]));
    }
}

/// False for OpenAI's models that do not think: they refuse to be asked for encrypted thoughts
/// (`Encrypted content is not supported with this model.`).
/// <https://github.com/pydantic/pydantic-ai/issues/2865>,
/// <https://github.com/pydantic/pydantic-ai/issues/3326>
fn may_think(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let is_older = ["gpt-3", "gpt-4", "chatgpt-"].iter().any(|prefix| name.starts_with(prefix));
    let is_chat = name.starts_with("gpt-") && name.contains("-chat");
    !is_older && !is_chat
}

// === tools ===

/// Where nothing is said, `strict` is true here and false for all other families; `parameters` is
/// required. A tool of this family is sent as it came.
fn function_tool(tool: &FunctionTool) -> Value {
    let kept = tool.extensions.get(FAMILY);
    let mut object = Map::from_iter([("type".to_owned(), "function".into())]);
    object.insert("name".into(), tool.name.clone().into());
    put(&mut object, "description", tool.description.clone());
    let none = || json!({"type": "object", "properties": {}});
    let parameters = tool.parameters.clone().or_else(|| kept.is_none().then(none));
    put(&mut object, "parameters", parameters);
    put(&mut object, "strict", tool.strict.or(kept.is_none().then_some(false)));
    for (name, value) in kept.into_iter().flatten() {
        object.insert(name.clone(), value.clone());
    }
    object.into()
}

fn tool_choice(choice: &ToolChoice) -> Option<Value> {
    match choice {
        ToolChoice::Auto => Some("auto".into()),
        ToolChoice::None => Some("none".into()),
        ToolChoice::Required => Some("required".into()),
        ToolChoice::Function(name) => Some(json!({"type": "function", "name": name})),
        ToolChoice::Opaque(opaque) => function_tools::own(opaque, FAMILY),
    }
}

// === format and reasoning ===

fn text_format(format: &ResponseFormat) -> Value {
    match format {
        ResponseFormat::Text => json!({"type": "text"}),
        ResponseFormat::JsonObject => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema { name, description, schema, strict } => {
            let mut object = Map::from_iter([("type".to_owned(), "json_schema".into())]);
            // The name is required here and unknown to other families.
            object.insert("name".into(), name.as_deref().unwrap_or("answer").into());
            put(&mut object, "description", description.clone());
            object.insert("schema".into(), schema.clone());
            put(&mut object, "strict", *strict);
            object.into()
        }
    }
}

/// The level, also where the client gave a budget in tokens. `None` where it only said that the
/// model shall think: these do.
fn reasoning(asked: &ReasoningRequest) -> Option<Value> {
    let effort = match (&asked.effort, asked.is_enabled, asked.budget_tokens) {
        (Some(effort), ..) => effort_word(effort),
        (None, Some(false), _) | (None, _, Some(0)) => "none",
        (None, _, Some(..=2_048)) => "low",
        (None, _, Some(..=8_192)) => "medium",
        (None, _, Some(_)) => "high",
        (None, _, None) => return None,
    };
    Some(json!({ "effort": effort }))
}

fn effort_word(effort: &ReasoningEffort) -> &str {
    match effort {
        ReasoningEffort::None => "none",
        ReasoningEffort::Minimal => "minimal",
        ReasoningEffort::Low => "low",
        ReasoningEffort::Medium => "medium",
        ReasoningEffort::High => "high",
        ReasoningEffort::Other(word) => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_do_not_think_are_not_asked_for_their_thoughts() {
        for (model, expected) in [
            ("gpt-5.2", true),
            ("o4-mini", true),
            ("grok-4.3", true),
            ("openai/gpt-oss-20b", true),
            ("deepseek-chat", true),
            ("gpt-4o-mini", false),
            ("openai/gpt-4.1", false),
            ("chatgpt-4o-latest", false),
            ("gpt-5-chat-latest", false),
        ] {
            assert_eq!(may_think(model), expected, "{model}");
        }
    }

    #[test]
    fn what_chat_completions_calls_the_same_is_carried_over_and_nothing_else_is() {
        let quirks = crate::Quirks::default();
        let target = TargetContext { model: "gpt-5.2", quirks: &quirks, max_output_tokens: None };
        let chat = crate::openai_chat::types::FAMILY;
        let mut request = ChatRequest::default();
        for (name, value) in [
            ("metadata", json!({"run": "7"})),
            ("prompt_cache_key", json!("session-1")),
            ("safety_identifier", json!("somebody")),
            ("store", json!(false)),
            ("logit_bias", json!({"50256": -100})),
        ] {
            request.extensions.insert(chat, name, value);
        }
        let (body, _) = encode(&request, &target).unwrap();
        assert_eq!(body["metadata"], json!({"run": "7"}));
        assert_eq!(
            (&body["prompt_cache_key"], &body["safety_identifier"]),
            (&json!("session-1"), &json!("somebody"))
        );
        assert_eq!(body.get("logit_bias"), None);
        // As where the client says nothing of it.
        assert_eq!(
            (&body["store"], &body["include"]),
            (&json!(false), &json!(["reasoning.encrypted_content"]))
        );
        request.extensions.insert(chat, "store", json!(true));
        assert_eq!(encode(&request, &target).unwrap().0["store"], true);
        request.extensions.insert(FAMILY, "prompt_cache_key", json!("its own"));
        assert_eq!(encode(&request, &target).unwrap().0["prompt_cache_key"], "its own");
    }

    #[test]
    fn what_is_stored_at_the_provider_may_be_referred_to() {
        let quirks = crate::Quirks::default();
        let target = TargetContext { model: "gpt-5.2", quirks: &quirks, max_output_tokens: None };
        let sent = |name: &str, value: Value| {
            let mut request = ChatRequest::default();
            request.extensions.insert(FAMILY, name, value);
            encode(&request, &target).unwrap().0
        };
        assert_eq!(sent("metadata", json!({}))["store"], json!(false));
        assert_eq!(sent("store", json!(true))["store"], json!(true));
        let referring = sent("previous_response_id", json!("resp_1"));
        assert_eq!((&referring["store"], &referring["include"]), (&Value::Null, &Value::Null));
        assert_eq!(sent("previous_response_id", Value::Null)["store"], json!(false));
    }
}
