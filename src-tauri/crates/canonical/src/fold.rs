//! Streaming and not are one thing: events fold into a response, a response unfolds into events.

use std::collections::BTreeMap;

use crate::Usage;
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
                    append(part, delta);
                }
            }
            StreamEvent::PartEnd { .. } => {}
            StreamEvent::Usage(usage) => self.response.usage = Some(Usage::clone(usage)),
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

fn append(part: &mut Part, delta: &PartDelta) {
    if let PartDelta::Signature(signature) = delta {
        part.set_signature(signature.clone());
        return;
    }
    match (&mut part.content, delta) {
        (Content::Text(text) | Content::Refusal(text), PartDelta::Text(more)) => text.push_str(more),
        (Content::Reasoning(reasoning), PartDelta::Text(more)) => reasoning.text.push_str(more),
        (Content::Reasoning(reasoning), PartDelta::Encrypted(encrypted)) => {
            reasoning.encrypted = Some(encrypted.clone());
        }
        (Content::ToolCall(call), PartDelta::Arguments(more)) => call.arguments.push_str(more),
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
            push_part(&mut events, index, choice.index, part);
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
        events.push(StreamEvent::Usage(Box::new(usage.clone())));
    }
    events
}

fn push_extensions(events: &mut Vec<StreamEvent>, choice: Option<u32>, extensions: &crate::Extensions) {
    for (family, fields) in extensions.iter() {
        events.push(StreamEvent::Extension { choice, family: family.to_owned(), fields: fields.clone() });
    }
}

fn push_part(events: &mut Vec<StreamEvent>, index: u32, choice: u32, part: &Part) {
    let (kind, mut deltas) = match &part.content {
        Content::Text(text) => (PartKind::Text, vec![PartDelta::Text(text.clone())]),
        Content::Refusal(text) => (PartKind::Refusal, vec![PartDelta::Text(text.clone())]),
        Content::Reasoning(reasoning) => {
            let mut deltas = vec![PartDelta::Text(reasoning.text.clone())];
            deltas.extend(reasoning.encrypted.clone().map(PartDelta::Encrypted));
            (PartKind::Reasoning, deltas)
        }
        Content::ToolCall(call) => {
            let deltas = vec![PartDelta::Arguments(call.arguments.clone())];
            let (id, name) = (call.id.clone(), call.name.clone());
            (PartKind::ToolCall { id, name, is_server_side: call.is_server_side }, deltas)
        }
        Content::Image(media) => (PartKind::Image { media: media.clone() }, Vec::new()),
        Content::Audio(media) | Content::Document(media) => {
            (PartKind::Audio { media: media.clone() }, Vec::new())
        }
        Content::Opaque(opaque) => (PartKind::Opaque { opaque: opaque.clone() }, Vec::new()),
        // An answer holds no tool results; a provider-run tool's result is an opaque part.
        Content::ToolResult(_) => return,
    };
    deltas.extend(part.signature().map(|signature| PartDelta::Signature(signature.to_owned())));
    events.push(StreamEvent::PartStart { index, choice, kind });
    events.extend(
        deltas
            .into_iter()
            .filter(|delta| !delta.is_empty())
            .map(|delta| StreamEvent::PartDelta { index, delta }),
    );
    events.push(StreamEvent::PartEnd { index });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PartKind;
    use crate::grammar::Grammar;
    use crate::response::FinishReason;
    use proptest::prelude::*;

    fn any_part() -> impl Strategy<Value = Part> {
        prop_oneof![
            "[a-zü ]{0,12}".prop_map(Part::text),
            "[a-z]{1,8}".prop_map(|text| Content::Refusal(text).into()),
            ("[a-z]{0,8}", proptest::option::of("[a-z]{1,4}")).prop_map(|(text, signature)| {
                Content::Reasoning(Reasoning { text, signature, encrypted: None }).into()
            }),
            ("[a-z]{1,4}", "[a-z]{1,4}", any::<bool>()).prop_map(|(id, name, is_server_side)| {
                let arguments = "{\"a\":1}".to_owned();
                Content::ToolCall(ToolCall { id, name, arguments, signature: None, is_server_side }).into()
            }),
        ]
    }

    fn any_response() -> impl Strategy<Value = ChatResponse> {
        let choice = (proptest::collection::vec(any_part(), 0..4), any::<bool>());
        (proptest::collection::vec(choice, 1..3), 0..100_u64).prop_map(|(choices, tokens)| ChatResponse {
            choices: (0..)
                .zip(choices)
                .map(|(index, (parts, is_done))| Choice {
                    index,
                    parts,
                    finish_reason: is_done.then_some(FinishReason::Stop),
                    finish_reason_raw: is_done.then(|| "stop".to_owned()),
                    ..Choice::default()
                })
                .collect(),
            usage: Some(Usage { input_tokens: tokens, ..Usage::default() }),
            ..ChatResponse::default()
        })
    }

    proptest! {
        /// Streaming and not are one thing: what unfolds folds back to the same answer, lawfully.
        #[test]
        fn unfolding_then_folding_gives_the_same_answer(response in any_response()) {
            let events = unfold(&response);
            let mut grammar = Grammar::default();
            for event in &events {
                prop_assert_eq!(grammar.accept(event), Ok(()));
            }
            // A choice without parts and without an end leaves no event to tell of it.
            let mut expected = response;
            expected.choices.retain(|choice| !choice.parts.is_empty() || choice.finish_reason.is_some());
            prop_assert_eq!(fold(&events), expected);
        }
    }

    #[test]
    fn two_tool_calls_may_be_open_at_once() {
        let call = |index, id: &str| StreamEvent::PartStart {
            index,
            choice: 0,
            kind: PartKind::ToolCall { id: id.into(), name: "f".into(), is_server_side: false },
        };
        let more =
            |index, text: &str| StreamEvent::PartDelta { index, delta: PartDelta::Arguments(text.into()) };
        let events = [
            StreamEvent::Start(crate::event::ResponseStart::default()),
            call(0, "a"),
            call(1, "b"),
            more(0, "{"),
            more(1, "["),
            more(0, "}"),
            more(1, "]"),
        ];
        let response = fold(&events);
        let arguments: Vec<_> = response.choices[0]
            .parts
            .iter()
            .map(|part| match &part.content {
                Content::ToolCall(call) => call.arguments.as_str(),
                _ => "",
            })
            .collect();
        assert_eq!(arguments, ["{}", "[]"]);
    }

    #[test]
    fn a_signature_stays_with_its_part_whatever_the_part_is() {
        let call = PartKind::ToolCall { id: "a".into(), name: "f".into(), is_server_side: false };
        let kinds = [PartKind::Text, PartKind::Reasoning, call];
        let mut events = vec![StreamEvent::Start(crate::event::ResponseStart::default())];
        for (index, kind) in (0..).zip(kinds) {
            let delta = PartDelta::Signature(format!("signature {index}"));
            events.push(StreamEvent::PartStart { index, choice: 0, kind });
            events.push(StreamEvent::PartDelta { index, delta });
            events.push(StreamEvent::PartEnd { index });
        }
        let response = fold(&events);
        let signatures: Vec<_> = response.choices[0].parts.iter().filter_map(Part::signature).collect();
        assert_eq!(signatures, ["signature 0", "signature 1", "signature 2"]);
        assert_eq!(unfold(&response), events);
    }
}
