//! Edits of a body's fields, whoever wrote it: everything else keeps its bytes.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::Param;
use crate::verbatim::spans::{Edits, Object};

/// Where a family's body says it; nothing where it has no such place, or where this does not know it.
pub(super) fn places(param: Param, family: &str) -> &'static [&'static str] {
    match family {
        "openai-chat" => in_chat(param),
        "openai-responses" => in_responses(param),
        "anthropic-messages" => in_messages(param),
        "gemini-generate" => in_gemini(param),
        _ => &[],
    }
}

const fn in_chat(param: Param) -> &'static [&'static str] {
    match param {
        Param::Temperature => &["temperature"],
        Param::TopP => &["top_p"],
        Param::TopK => &["top_k"],
        Param::FrequencyPenalty => &["frequency_penalty"],
        Param::PresencePenalty => &["presence_penalty"],
        Param::Seed => &["seed"],
        Param::Stop => &["stop"],
        Param::N => &["n"],
        Param::ParallelToolCalls => &["parallel_tool_calls"],
        Param::ServiceTier => &["service_tier"],
        Param::User => &["user"],
        Param::MaxOutputTokens => &["max_completion_tokens", "max_tokens"],
        Param::Reasoning => &["reasoning_effort", "reasoning"],
    }
}

const fn in_responses(param: Param) -> &'static [&'static str] {
    match param {
        Param::Temperature => &["temperature"],
        Param::TopP => &["top_p"],
        Param::ParallelToolCalls => &["parallel_tool_calls"],
        Param::ServiceTier => &["service_tier"],
        Param::User => &["user"],
        Param::MaxOutputTokens => &["max_output_tokens"],
        Param::Reasoning => &["reasoning"],
        _ => &[],
    }
}

const fn in_messages(param: Param) -> &'static [&'static str] {
    match param {
        Param::Temperature => &["temperature"],
        Param::TopP => &["top_p"],
        Param::TopK => &["top_k"],
        Param::Stop => &["stop_sequences"],
        Param::ServiceTier => &["service_tier"],
        Param::User => &["metadata.user_id"],
        Param::MaxOutputTokens => &["max_tokens"],
        Param::Reasoning => &["thinking", "output_config.effort"],
        _ => &[],
    }
}

const fn in_gemini(param: Param) -> &'static [&'static str] {
    match param {
        Param::Temperature => &["generationConfig.temperature"],
        Param::TopP => &["generationConfig.topP"],
        Param::TopK => &["generationConfig.topK"],
        Param::FrequencyPenalty => &["generationConfig.frequencyPenalty"],
        Param::PresencePenalty => &["generationConfig.presencePenalty"],
        Param::Seed => &["generationConfig.seed"],
        Param::Stop => &["generationConfig.stopSequences"],
        Param::N => &["generationConfig.candidateCount"],
        Param::MaxOutputTokens => &["generationConfig.maxOutputTokens"],
        Param::Reasoning => &["generationConfig.thinkingConfig"],
        _ => &[],
    }
}

/// Takes fields out; a dot leads into an object. The names of those that were there.
pub(super) fn remove(body: &mut Vec<u8>, places: &[&str]) -> Vec<String> {
    let mut removed = Vec::new();
    if places.is_empty() {
        return removed;
    }
    let mut edits = Edits::default();
    take_out(body, 0..body.len(), "", places, &mut edits, &mut removed);
    if !removed.is_empty() {
        *body = edits.apply(body);
    }
    removed
}

fn take_out(
    body: &[u8],
    range: Range<usize>,
    prefix: &str,
    places: &[&str],
    edits: &mut Edits,
    removed: &mut Vec<String>,
) {
    let Some(object) = Object::read(body, range) else { return };
    let whole = |name: &str| format!("{prefix}{name}");
    let is_named = |name: &str| places.contains(&whole(name).as_str());
    edits.remove(&object, is_named);
    for field in &object.fields {
        let name = whole(&field.name);
        if is_named(&field.name) {
            removed.push(name);
            continue;
        }
        let inside = format!("{name}.");
        if places.iter().any(|place| place.starts_with(&inside)) {
            take_out(body, field.value.clone(), &inside, places, edits, removed);
        }
    }
}

/// Writes `value` wherever one of `places` has a value.
pub(super) fn replace(body: &mut Vec<u8>, places: &[&str], value: &Value) {
    let mut edits = Edits::default();
    for place in places {
        let mut range = 0..body.len();
        let mut names = place.split('.').peekable();
        while let Some(name) = names.next() {
            let Some(object) = Object::read(body, range.clone()) else { break };
            let Some(field) = object.all(name).last() else { break };
            range = field.value.clone();
            if names.peek().is_none() {
                for field in object.all(name) {
                    edits.replace(field.value.clone(), value.to_string());
                }
            }
        }
    }
    *body = edits.apply(body);
}

/// Gives fields at the top other names; where the other is there already, the old one goes.
pub(super) fn rename(body: &mut Vec<u8>, names: &BTreeMap<String, String>) -> Vec<String> {
    let mut renamed = Vec::new();
    for (from, to) in names {
        let Some(object) = Object::read(body, 0..body.len()) else { break };
        if from == to || !object.has(from) {
            continue;
        }
        let mut edits = Edits::default();
        if object.has(to) {
            edits.remove(&object, |name| name == from);
        } else {
            for field in object.all(from) {
                edits.replace(field.key.clone(), Value::from(to.as_str()).to_string());
            }
        }
        let edited = edits.apply(body);
        *body = edited;
        renamed.push(from.clone());
    }
    renamed
}

/// Adds fields at the top that are not there.
pub(super) fn put(body: &mut Vec<u8>, fields: &BTreeMap<String, Value>) -> Vec<String> {
    let mut added = Vec::new();
    for (name, value) in fields {
        let Some(object) = Object::read(body, 0..body.len()) else { break };
        if object.has(name) {
            continue;
        }
        let mut edits = Edits::default();
        edits.put_last(&object, &format!("{}:{value}", Value::from(name.as_str())));
        let edited = edits.apply(body);
        *body = edited;
        added.push(name.clone());
    }
    added
}
