//! A whole answer → a message, and the blocks that it shares with its stream.

use canonical::request::{Media, MediaSource, Opaque, Reasoning};
use canonical::{ChatResponse, Choice, Content, Extensions, FinishReason, Part};
use serde_json::{Map, Value, json};

use super::super::FAMILY;
use super::super::client::finish_reason;
use super::usage;
use crate::AnswerContext;
use crate::json::arguments_object;

/// Of the choice's fields: what belongs to single blocks, and not to the message.
pub(super) const CITATIONS: &str = "citations";
pub(super) const CALL_FIELDS: &str = "tool_calls";

/// Where a citation keeps the number of the part that it stands for.
pub(super) const PART_INDEX: &str = "part_index";

pub(super) fn encode(response: &ChatResponse, context: &AnswerContext) -> Value {
    let none = Choice::default();
    // Nobody can ask for more than one here.
    let choice = response.choices.first().unwrap_or(&none);
    let mut message = head(
        response.start.id.as_ref().unwrap_or(&context.request_id),
        response.start.model.as_ref().unwrap_or(&context.requested_model),
    );
    let blocks = (0..).zip(&choice.parts).flat_map(|(index, part)| blocks(index, part, &choice.extensions));
    message.insert("content".into(), blocks.collect());
    let finish = choice.finish_reason;
    let stop = finish.and_then(|reason| {
        stop_reason(reason, choice.finish_reason_raw.as_deref(), choice.has_client_tool_calls())
    });
    message.insert("stop_reason".into(), stop.into());
    message.insert("stop_sequence".into(), Value::Null);
    for (name, value) in message_fields(&choice.extensions) {
        message.insert(name.clone(), value.clone());
    }
    let more = response.extensions.field(FAMILY, "usage");
    message.insert("usage".into(), usage::encode(response.usage.as_ref(), more));
    message.into()
}

/// How a message begins, whole or streamed.
pub(super) fn head(id: &str, model: &str) -> Map<String, Value> {
    Map::from_iter([
        ("id".to_owned(), id.into()),
        ("type".to_owned(), "message".into()),
        ("role".to_owned(), "assistant".into()),
        ("model".to_owned(), model.into()),
    ])
}

/// Fields of the message that only this family knows (`stop_sequence`, `container`, …).
fn message_fields(extensions: &Extensions) -> impl Iterator<Item = (&String, &Value)> {
    let fields = extensions.get(FAMILY).into_iter().flatten();
    fields.filter(|(name, _)| !matches!(name.as_str(), CITATIONS | CALL_FIELDS))
}

/// The part as blocks: mostly one; none where there is no word for it, two where a thought is
/// readable and encrypted at once.
fn blocks(index: u32, part: &Part, extensions: &Extensions) -> Vec<Value> {
    match &part.content {
        Content::Text(text) => {
            let mut block = json!({"type": "text", "text": text});
            let citations = citations(index, extensions.field(FAMILY, CITATIONS));
            if !citations.is_empty() {
                block[CITATIONS] = citations.into();
            }
            vec![block]
        }
        Content::Refusal(text) => vec![json!({"type": "text", "text": text})],
        Content::Reasoning(thought) => reasoning(thought),
        Content::ToolCall(call) => {
            let mut block =
                call_head(&call.id, &call.name, call.is_server_side, extensions.field(FAMILY, CALL_FIELDS));
            block["input"] = arguments_object(&call.arguments);
            sign(&mut block, call.signature.as_deref());
            vec![block]
        }
        Content::Image(media) => vec![json!({"type": "text", "text": image(media)})],
        Content::Opaque(opaque) => own(opaque).into_iter().collect(),
        Content::Audio(_) | Content::Document(_) | Content::ToolResult(_) => Vec::new(),
    }
}

fn reasoning(thought: &Reasoning) -> Vec<Value> {
    let mut blocks = Vec::new();
    if !thought.text.is_empty() || thought.encrypted.is_none() {
        let signature = thought.signature.as_deref().unwrap_or_default();
        blocks.push(json!({"type": "thinking", "thinking": thought.text, "signature": signature}));
    }
    blocks.extend(thought.encrypted.as_deref().map(redacted));
    blocks
}

pub(super) fn redacted(data: &str) -> Value {
    json!({"type": "redacted_thinking", "data": data})
}

/// A call without its input, with what only this family says of it (`caller`, `server_name`).
pub(super) fn call_head(id: &str, name: &str, is_server_side: bool, fields: Option<&Value>) -> Value {
    let own = fields.and_then(|fields| fields.get(id)).and_then(Value::as_object);
    let kind = match own {
        Some(own) if own.contains_key("server_name") => "mcp_tool_use",
        _ if is_server_side => "server_tool_use",
        _ => "tool_use",
    };
    let mut block = json!({"type": kind, "id": id, "name": name, "input": {}});
    for (name, value) in own.into_iter().flatten() {
        block[name.as_str()] = value.clone();
    }
    block
}

/// The proof that some makers demand back with a call. This API has no field for it; its SDKs keep
/// fields that they do not know, so it comes back with the call.
pub(super) fn sign(block: &mut Value, signature: Option<&str>) {
    if let Some(signature) = signature {
        block["signature"] = signature.into();
    }
}

/// The citations of the part with that number, without the number.
pub(super) fn citations(index: u32, all: Option<&Value>) -> Vec<Value> {
    let of_part = |citation: &&Value| citation[PART_INDEX] == index;
    let mut found: Vec<Value> =
        all.and_then(Value::as_array).into_iter().flatten().filter(of_part).cloned().collect();
    for citation in found.iter_mut().filter_map(Value::as_object_mut) {
        citation.shift_remove(PART_INDEX);
    }
    found
}

/// An image that the model made: answers hold none here, so it is shown as Markdown.
pub(super) fn image(media: &Media) -> String {
    let url = match &media.source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Base64(data) => {
            format!("data:{};base64,{data}", media.media_type.as_deref().unwrap_or("image/png"))
        }
        MediaSource::FileId(id) => id.clone(),
    };
    format!("![image]({url})")
}

/// A block that this family's decoder kept.
pub(super) fn own(opaque: &Opaque) -> Option<Value> {
    (opaque.family == FAMILY).then(|| opaque.value.clone())
}

/// One of Anthropic's words; a provider's own where it is one of them. `None`, which is “not
/// finished”, where the provider broke its answer off itself.
pub(super) fn stop_reason(reason: FinishReason, raw: Option<&str>, has_client_calls: bool) -> Option<&str> {
    let is_own = |raw: &&str| reason != FinishReason::Other && finish_reason(raw) == reason;
    if let Some(raw) = raw.filter(is_own) {
        return Some(raw);
    }
    Some(match reason {
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter | FinishReason::Refusal => "refusal",
        FinishReason::Error => return None,
        FinishReason::Stop | FinishReason::Paused | FinishReason::Other if has_client_calls => "tool_use",
        FinishReason::StopSequence => "stop_sequence",
        FinishReason::Paused => "pause_turn",
        FinishReason::Stop | FinishReason::Other => "end_turn",
    })
}
