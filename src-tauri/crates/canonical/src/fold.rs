//! Streaming and not are one thing: events fold into a response, a response unfolds into events.

use std::collections::BTreeMap;

use crate::event::{PartDelta, PartKind, StreamEvent};
use crate::request::{Content, Part, Reasoning, ToolCall};
use crate::response::{ChatResponse, Choice};

/// Collects events into a response. Readable at any time: what has arrived is there.
#[derive(Debug, Clone, Default)]
pub struct Fold {
    response: ChatResponse,
    /// Where each part lies: index → (choice, position in its parts).
    places: BTreeMap<u32, (u32, usize)>,
}

impl Fold {
    /// Takes the next event. Events that break the grammar are passed over.
    pub fn push(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::Start(start) => self.response.start = start.clone(),
            StreamEvent::PartStart { index, choice, kind } => {
                let parts = &mut choice_mut(&mut self.response, *choice).parts;
                parts.push(content_of(kind).into());
                self.places.insert(*index, (*choice, parts.len() - 1));
            }
            StreamEvent::PartDelta { index, delta } => {
                if let Some(part) = self.part_mut(*index) {
                    append(&mut part.content, delta);
                }
            }
            StreamEvent::PartEnd { .. } => {}
            StreamEvent::Usage(usage) => self.response.usage = Some(usage.clone()),
            StreamEvent::Extension { choice: None, family, fields } => {
                self.response.extensions.extend(family, fields.clone());
            }
            StreamEvent::Extension { choice: Some(choice), family, fields } => {
                choice_mut(&mut self.response, *choice).extensions.extend(family, fields.clone());
            }
            StreamEvent::Finish { choice, reason, raw } => {
                let choice = choice_mut(&mut self.response, *choice);
                choice.finish_reason = Some(*reason);
                choice.finish_reason_raw.clone_from(raw);
            }
        }
    }

    /// What has arrived so far.
    pub fn response(&self) -> &ChatResponse {
        &self.response
    }

    pub fn into_response(self) -> ChatResponse {
        self.response
    }

    fn part_mut(&mut self, index: u32) -> Option<&mut Part> {
        let (choice, position) = *self.places.get(&index)?;
        choice_mut(&mut self.response, choice).parts.get_mut(position)
    }
}

fn choice_mut(response: &mut ChatResponse, index: u32) -> &mut Choice {
    let position = match response.choices.binary_search_by_key(&index, |choice| choice.index) {
        Ok(position) => position,
        Err(position) => {
            response.choices.insert(position, Choice { index, ..Choice::default() });
            position
        }
    };
    &mut response.choices[position]
}

fn content_of(kind: &PartKind) -> Content {
    match kind {
        PartKind::Text => Content::Text(String::new()),
        PartKind::Refusal => Content::Refusal(String::new()),
        PartKind::Reasoning => Content::Reasoning(Reasoning::default()),
        PartKind::ToolCall { id, name, is_server_side } => Content::ToolCall(ToolCall {
            id: id.clone(),
            name: name.clone(),
            is_server_side: *is_server_side,
            ..ToolCall::default()
        }),
        PartKind::Image { media } => Content::Image(media.clone()),
        PartKind::Audio { media } => Content::Audio(media.clone()),
        PartKind::Opaque { opaque } => Content::Opaque(opaque.clone()),
    }
}

fn append(content: &mut Content, delta: &PartDelta) {
    match (content, delta) {
        (Content::Text(text) | Content::Refusal(text), PartDelta::Text(more)) => text.push_str(more),
        (Content::Reasoning(reasoning), PartDelta::Text(more)) => reasoning.text.push_str(more),
        (Content::Reasoning(reasoning), PartDelta::Signature(signature)) => {
            reasoning.signature = Some(signature.clone());
        }
        (Content::Reasoning(reasoning), PartDelta::Encrypted(encrypted)) => {
            reasoning.encrypted = Some(encrypted.clone());
        }
        (Content::ToolCall(call), PartDelta::Arguments(more)) => call.arguments.push_str(more),
        (Content::ToolCall(call), PartDelta::Signature(signature)) => call.signature = Some(signature.clone()),
        _ => {}
    }
}

/// Folds a whole sequence.
pub fn fold<'a>(events: impl IntoIterator<Item = &'a StreamEvent>) -> ChatResponse {
    let mut fold = Fold::default();
    for event in events {
        fold.push(event);
    }
    fold.into_response()
}

/// The events of a whole answer, in an order that obeys the grammar. Folding them gives the same
/// response back.
pub fn unfold(response: &ChatResponse) -> Vec<StreamEvent> {
    let mut events = vec![StreamEvent::Start(response.start.clone())];
    push_extensions(&mut events, None, &response.extensions);
    let mut index = 0;
    for choice in &response.choices {
        push_extensions(&mut events, Some(choice.index), &choice.extensions);
        for part in &choice.parts {
            push_part(&mut events, index, choice.index, &part.content);
            index += 1;
        }
    }
    for choice in &response.choices {
        if let Some(reason) = choice.finish_reason {
            events.push(StreamEvent::Finish {
                choice: choice.index,
                reason,
                raw: choice.finish_reason_raw.clone(),
            });
        }
    }
    if let Some(usage) = &response.usage {
        events.push(StreamEvent::Usage(usage.clone()));
    }
    events
}

fn push_extensions(events: &mut Vec<StreamEvent>, choice: Option<u32>, extensions: &crate::Extensions) {
    for (family, fields) in extensions.iter() {
        events.push(StreamEvent::Extension { choice, family: family.to_owned(), fields: fields.clone() });
    }
}

fn push_part(events: &mut Vec<StreamEvent>, index: u32, choice: u32, content: &Content) {
    let (kind, deltas) = match content {
        Content::Text(text) => (PartKind::Text, vec![PartDelta::Text(text.clone())]),
        Content::Refusal(text) => (PartKind::Refusal, vec![PartDelta::Text(text.clone())]),
        Content::Reasoning(reasoning) => {
            let mut deltas = vec![PartDelta::Text(reasoning.text.clone())];
            deltas.extend(reasoning.signature.clone().map(PartDelta::Signature));
            deltas.extend(reasoning.encrypted.clone().map(PartDelta::Encrypted));
            (PartKind::Reasoning, deltas)
        }
        Content::ToolCall(call) => {
            let mut deltas = vec![PartDelta::Arguments(call.arguments.clone())];
            deltas.extend(call.signature.clone().map(PartDelta::Signature));
            let (id, name) = (call.id.clone(), call.name.clone());
            (PartKind::ToolCall { id, name, is_server_side: call.is_server_side }, deltas)
        }
        Content::Image(media) => (PartKind::Image { media: media.clone() }, Vec::new()),
        Content::Audio(media) | Content::Document(media) => (PartKind::Audio { media: media.clone() }, Vec::new()),
        Content::Opaque(opaque) => (PartKind::Opaque { opaque: opaque.clone() }, Vec::new()),
        // An answer holds no tool results; a provider-run tool's result is an opaque part.
        Content::ToolResult(_) => return,
    };
    events.push(StreamEvent::PartStart { index, choice, kind });
    events.extend(
        deltas
            .into_iter()
            .filter(|delta| !delta.is_empty())
            .map(|delta| StreamEvent::PartDelta { index, delta }),
    );
    events.push(StreamEvent::PartEnd { index });
}
