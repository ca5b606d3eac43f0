//! A whole answer → `GenerateContentResponse`, and what it shares with a stream's chunks.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use canonical::event::ResponseStart;
use canonical::request::{Media, MediaSource, ToolCall};
use canonical::{ChatResponse, Choice, Content, FinishReason, Part, Usage};
use serde_json::{Map, Value, json};

use super::super::FAMILY;
use super::super::client::known_finish;
use crate::AnswerContext;
use crate::json::{arguments_object, merge_missing};

pub(super) fn encode(response: &ChatResponse, context: &AnswerContext) -> Value {
    let candidates: Vec<Value> = response.choices.iter().map(|choice| candidate(choice, context)).collect();
    let mut object = Map::from_iter([("candidates".to_owned(), candidates.into())]);
    if let Some(usage) = &response.usage {
        let more = response.extensions.field(FAMILY, "usageMetadata");
        object.insert("usageMetadata".into(), usage_metadata(usage, more));
    }
    object.extend(head(&response.start, context));
    for (name, value) in response.extensions.get(FAMILY).into_iter().flatten() {
        if name != "usageMetadata" {
            object.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    object.into()
}

/// What every chunk says of the answer.
pub(super) fn head(start: &ResponseStart, context: &AnswerContext) -> Map<String, Value> {
    let model = start.model.clone().unwrap_or_else(|| context.requested_model.clone());
    let id = start.id.clone().unwrap_or_else(|| context.request_id.clone());
    Map::from_iter([("modelVersion".to_owned(), model.into()), ("responseId".to_owned(), id.into())])
}

fn candidate(choice: &Choice, context: &AnswerContext) -> Value {
    let mut parts: Vec<Value> = Vec::with_capacity(choice.parts.len());
    for said in &choice.parts {
        parts.extend(part(said, context));
        if let Content::Reasoning(thought) = &said.content
            && !context.hide_reasoning
        {
            parts.extend(thought.encrypted.as_deref().and_then(encrypted));
        }
    }
    let mut content = Map::from_iter([("role".to_owned(), "model".into())]);
    if !parts.is_empty() {
        content.insert("parts".into(), parts.into());
    }
    let mut object = Map::from_iter([("content".to_owned(), content.into())]);
    let reason = choice.finish_reason.unwrap_or(FinishReason::Other);
    object.insert("finishReason".into(), finish_word(reason, choice.finish_reason_raw.as_deref()).into());
    object.insert("index".into(), choice.index.into());
    for (name, value) in choice.extensions.get(FAMILY).into_iter().flatten() {
        object.entry(name.clone()).or_insert_with(|| value.clone());
    }
    object.into()
}

/// `None` where the client is not to see it, or this protocol has no words for it.
fn part(part: &Part, context: &AnswerContext) -> Option<Value> {
    let signature = part.signature();
    let mut object = match &part.content {
        Content::Text(text) | Content::Refusal(text) if text.is_empty() && signature.is_none() => {
            return None;
        }
        Content::Text(text) | Content::Refusal(text) => prose(text, false),
        Content::Reasoning(_) if context.hide_reasoning => return None,
        Content::Reasoning(thought) if thought.text.is_empty() && signature.is_none() => return None,
        Content::Reasoning(thought) => prose(&thought.text, true),
        // A call that the provider answers itself is not the client's to answer.
        Content::ToolCall(call) if call.is_server_side => return None,
        Content::ToolCall(call) => function_call(call),
        Content::Image(media) | Content::Audio(media) | Content::Document(media) => self::media(media),
        Content::Opaque(opaque) if opaque.family == FAMILY => opaque.value.as_object()?.clone(),
        Content::Opaque(_) | Content::ToolResult(_) => return None,
    };
    sign(&mut object, signature);
    Some(object.into())
}

pub(super) fn prose(text: &str, is_thought: bool) -> Map<String, Value> {
    let mut object = Map::from_iter([("text".to_owned(), text.into())]);
    if is_thought {
        object.insert("thought".into(), true.into());
    }
    object
}

/// A thought that is only handed out encrypted: one without text, which the client brings back.
/// `None` where an SDK could not hold it.
pub(super) fn encrypted(value: &str) -> Option<Value> {
    is_base64(value).then(|| json!({"thought": true, "thoughtSignature": value}))
}

pub(super) fn function_call(call: &ToolCall) -> Map<String, Value> {
    let arguments = arguments_object(&call.arguments);
    let call = json!({"id": call.id, "name": call.name, "args": arguments});
    Map::from_iter([("functionCall".to_owned(), call)])
}

/// An image or a sound that the model made.
pub(super) fn media(media: &Media) -> Map<String, Value> {
    let kind = |standard: &str| media.media_type.clone().unwrap_or_else(|| standard.to_owned());
    let (name, value) = match &media.source {
        MediaSource::Base64(data) => {
            ("inlineData", json!({"mimeType": kind(crate::json::image_type(data)), "data": data}))
        }
        MediaSource::Url(uri) | MediaSource::FileId(uri) => match data_url(uri) {
            Some((kind, data)) => ("inlineData", json!({"mimeType": kind, "data": data})),
            None => ("fileData", json!({"mimeType": kind("image/png"), "fileUri": uri})),
        },
    };
    Map::from_iter([(name.to_owned(), value)])
}

fn data_url(url: &str) -> Option<(&str, &str)> {
    url.strip_prefix("data:")?.split_once(";base64,")
}

/// Puts a signature on a part. The field is bytes: an SDK fails over text that is not base64, so such
/// a signature stays with us.
pub(super) fn sign(part: &mut Map<String, Value>, signature: Option<&str>) {
    if let Some(signature) = signature.filter(|signature| is_base64(signature)) {
        part.insert("thoughtSignature".into(), signature.into());
    }
}

/// In either alphabet.
pub(super) fn is_base64(text: &str) -> bool {
    const ANY_PADDING: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, ANY_PADDING);
    const FOR_URLS: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, ANY_PADDING);
    !text.is_empty() && (STANDARD.decode(text).is_ok() || FOR_URLS.decode(text).is_ok())
}

/// One of Google's words: the provider's own where it is one. Calls end with a plain `STOP` here.
pub(super) fn finish_word(reason: FinishReason, raw: Option<&str>) -> String {
    if let Some(raw) = raw.filter(|raw| known_finish(raw, reason)) {
        return raw.to_owned();
    }
    match reason {
        FinishReason::Stop | FinishReason::StopSequence | FinishReason::ToolCalls => "STOP",
        FinishReason::Length => "MAX_TOKENS",
        FinishReason::ContentFilter | FinishReason::Refusal => "SAFETY",
        FinishReason::Paused | FinishReason::Error | FinishReason::Other => "OTHER",
    }
    .to_owned()
}

/// Counts in Google's shape, where thoughts are no part of the candidates and what tools brought in
/// none of the prompt, with what else a provider of this family said.
pub(super) fn usage_metadata(usage: &Usage, more: Option<&Value>) -> Value {
    let prompt = usage.input_tokens.saturating_sub(usage.tool_use_tokens);
    let candidates = usage.output_tokens.saturating_sub(usage.reasoning_tokens);
    let total = usage.input_tokens.saturating_add(usage.output_tokens);
    let mut object = Map::from_iter([
        ("promptTokenCount".to_owned(), prompt.into()),
        ("candidatesTokenCount".to_owned(), candidates.into()),
        ("totalTokenCount".to_owned(), usage.total_tokens.unwrap_or(total).into()),
    ]);
    for (name, count) in [
        ("cachedContentTokenCount", usage.cache_read_tokens),
        ("thoughtsTokenCount", usage.reasoning_tokens.min(usage.output_tokens)),
        ("toolUsePromptTokenCount", usage.tool_use_tokens),
    ] {
        if count > 0 {
            object.insert(name.into(), count.into());
        }
    }
    let media = [usage.input_image_tokens, usage.input_video_tokens, usage.input_audio_tokens];
    details(&mut object, "promptTokensDetails", prompt, media);
    let media = [usage.cache_read_image_tokens, 0, usage.cache_read_audio_tokens];
    details(&mut object, "cacheTokensDetails", usage.cache_read_tokens, media);
    let media = [usage.output_image_tokens, usage.output_video_tokens, usage.output_audio_tokens];
    details(&mut object, "candidatesTokensDetails", candidates, media);
    // The words that Google's own clients know.
    let tiers = ["standard", "flex", "priority"];
    if let Some(tier) = usage.service_tier.as_deref().filter(|tier| tiers.contains(tier)) {
        object.insert("serviceTier".into(), tier.into());
    }
    if usage.service_tier.as_deref() == Some("provisioned_throughput") {
        object.insert("trafficType".into(), "PROVISIONED_THROUGHPUT".into());
    }
    if let Some(Value::Object(more)) = more {
        merge_missing(&mut object, more);
    }
    object.into()
}

/// How many tokens were of which kind, where some were not text.
fn details(object: &mut Map<String, Value>, name: &str, total: u64, media: [u64; 3]) {
    if media == [0; 3] {
        return;
    }
    let text = media.iter().fold(total, |rest, count| rest.saturating_sub(*count));
    let counts = [("TEXT", text), ("IMAGE", media[0]), ("VIDEO", media[1]), ("AUDIO", media[2])];
    let entry = |(kind, count): (&str, u64)| json!({"modality": kind, "tokenCount": count});
    let entries: Vec<Value> = counts.into_iter().filter(|(_, count)| *count > 0).map(entry).collect();
    object.insert(name.into(), entries.into());
}
