//! A whole answer → `chat.completion`, and what it shares with its chunks.

use canonical::request::{Media, MediaSource, Opaque, ToolCall};
use canonical::{ChatResponse, Choice, Content, Extensions, FinishReason, Usage};
use serde_json::{Map, Value, json};

use crate::AnswerContext;
use crate::custom_tools;
use crate::json::merge_missing;
use crate::openai_chat::types::{FAMILY, MESSAGE_PREFIX};

pub(super) fn encode(response: &ChatResponse, context: &AnswerContext) -> Value {
    let choices: Vec<Value> = response.choices.iter().map(choice).collect();
    let mut object = Map::from_iter([
        ("id".to_owned(), response.start.id.clone().unwrap_or_else(|| context.request_id.clone()).into()),
        ("object".to_owned(), "chat.completion".into()),
        ("created".to_owned(), response.start.created.unwrap_or(context.created).into()),
        (
            "model".to_owned(),
            response.start.model.clone().unwrap_or_else(|| context.requested_model.clone()).into(),
        ),
        ("choices".to_owned(), choices.into()),
    ]);
    if let Some(usage) = &response.usage {
        let more = response.extensions.field(FAMILY, "usage");
        object.insert("usage".into(), self::usage(usage, more));
    }
    if let Some(fingerprint) = &response.start.system_fingerprint {
        object.insert("system_fingerprint".into(), fingerprint.clone().into());
    }
    for (name, value) in response.extensions.get(FAMILY).into_iter().flatten() {
        object.entry(name.clone()).or_insert_with(|| value.clone());
    }
    // A usage without counts is none; only its extras are left where the provider sent no more.
    if response.usage.is_none() {
        object.shift_remove("usage");
    }
    object.into()
}

fn choice(choice: &Choice) -> Value {
    let mut object = Map::from_iter([
        ("index".to_owned(), choice.index.into()),
        ("message".to_owned(), message(choice)),
        ("logprobs".to_owned(), Value::Null),
        ("finish_reason".to_owned(), finish_reason(choice).into()),
    ]);
    for (name, value) in own_fields(&choice.extensions) {
        if !name.starts_with(MESSAGE_PREFIX) && name != "finish_reason" {
            object.insert(name.clone(), value.clone());
        }
    }
    object.into()
}

fn message(choice: &Choice) -> Value {
    let (mut text, mut thought, mut refusal) = (String::new(), String::new(), String::new());
    let (mut calls, mut images) = (Vec::new(), Vec::new());
    for (at, part) in choice.parts.iter().enumerate() {
        match &part.content {
            Content::Text(more) => text.push_str(more),
            Content::Reasoning(reasoning) => thought.push_str(&reasoning.text),
            Content::Refusal(more) => refusal.push_str(more),
            // A call that the provider answers itself is not the client's to answer.
            Content::ToolCall(call) if custom_tools::is_custom_part(&choice.extensions, at) => {
                calls.push(custom_tools::chat_call_of(&call.id, &call.name, &call.arguments));
            }
            Content::ToolCall(call) if !call.is_server_side => calls.push(tool_call(call)),
            Content::Opaque(opaque) => calls.extend(custom_call(opaque)),
            Content::Image(media) => images.extend(image(media)),
            _ => {}
        }
    }
    let content = (!text.is_empty() || (calls.is_empty() && refusal.is_empty())).then_some(text);
    let mut object = Map::from_iter([
        ("role".to_owned(), "assistant".into()),
        ("content".to_owned(), content.into()),
        ("refusal".to_owned(), Some(refusal).filter(|text| !text.is_empty()).into()),
    ]);
    if !thought.is_empty() {
        object.insert("reasoning_content".into(), thought.into());
    }
    if !calls.is_empty() {
        object.insert("tool_calls".into(), calls.into());
    }
    if !images.is_empty() {
        object.insert("images".into(), images.into());
    }
    for (name, value) in message_fields(&choice.extensions) {
        object.entry(name).or_insert(value);
    }
    object.into()
}

/// The family's fields of a `message` or a `delta`.
fn message_fields(extensions: &Extensions) -> impl Iterator<Item = (String, Value)> {
    own_fields(extensions)
        .filter_map(|(name, value)| Some((name.strip_prefix(MESSAGE_PREFIX)?.to_owned(), value.clone())))
}

fn own_fields(extensions: &Extensions) -> impl Iterator<Item = (&String, &Value)> {
    extensions.get(FAMILY).into_iter().flatten()
}

fn tool_call(call: &ToolCall) -> Value {
    let mut object = json!({
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    });
    if let Some(signature) = &call.signature {
        object["extra_content"] = signature_field(signature);
    }
    object
}

/// Where clients of Google's compatible endpoint keep a thought's signature, and send it back from.
pub(super) fn signature_field(signature: &str) -> Value {
    json!({"google": {"thought_signature": signature}})
}

/// A free-form tool call that this family's decoder kept.
pub(super) fn custom_call(opaque: &Opaque) -> Option<Value> {
    let is_call = opaque.family == FAMILY && opaque.value.get("type").is_some_and(|kind| kind == "custom");
    is_call.then(|| {
        let mut value = opaque.value.clone();
        if let Value::Object(fields) = &mut value {
            fields.shift_remove("index");
        }
        value
    })
}

/// An image that the model made, as OpenRouter hands it out.
pub(super) fn image(media: &Media) -> Option<Value> {
    let url = match &media.source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Base64(data) => {
            format!("data:{};base64,{data}", media.media_type.as_deref().unwrap_or("image/png"))
        }
        MediaSource::FileId(_) => return None,
    };
    Some(json!({"type": "image_url", "image_url": {"url": url}}))
}

fn finish_reason(choice: &Choice) -> &'static str {
    let has_custom = choice.parts.iter().any(|part| match &part.content {
        Content::Opaque(opaque) => custom_call(opaque).is_some(),
        _ => false,
    });
    finish_word(
        choice.finish_reason.unwrap_or(FinishReason::Other),
        choice.has_client_tool_calls() || has_custom,
    )
}

/// One of OpenAI's words.
pub(super) fn finish_word(reason: FinishReason, has_client_calls: bool) -> &'static str {
    match reason {
        FinishReason::Length => "length",
        FinishReason::ContentFilter | FinishReason::Refusal => "content_filter",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Stop | FinishReason::Other | FinishReason::Paused | FinishReason::Error
            if has_client_calls =>
        {
            "tool_calls"
        }
        FinishReason::Stop
        | FinishReason::StopSequence
        | FinishReason::Paused
        | FinishReason::Error
        | FinishReason::Other => "stop",
    }
}

/// Counts in OpenAI's shape, with what else a provider of this family said.
pub(super) fn usage(usage: &Usage, more: Option<&Value>) -> Value {
    let mut object = json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens.saturating_add(usage.output_tokens),
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "audio_tokens": usage.input_audio_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.output_audio_tokens,
        },
    });
    if usage.cache_write_tokens > 0 {
        object["prompt_tokens_details"]["cache_write_tokens"] = usage.cache_write_tokens.into();
    }
    if let (Value::Object(object), Some(Value::Object(more))) = (&mut object, more) {
        merge_missing(object, more);
    }
    object
}
