//! What the caller has seen of an answer.

use std::collections::BTreeMap;

use canonical::{ChatRequest, PartDelta, PartKind, StreamEvent};
use wire::Prefill;

use super::has_format;

/// What kind of part is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Reasoning,
    Other,
}

/// The answer so far, as the caller has it.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct Told {
    text: String,
    next_index: u32,
    open: BTreeMap<u32, Shape>,
    /// Something that cannot be gone on with, by name.
    barrier: Option<&'static str>,
}

impl Told {
    pub(in crate::engine) fn note(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::PartStart { index, kind, .. } => {
                self.next_index = self.next_index.max(index + 1);
                let shape = self.shape(kind);
                self.open.insert(*index, shape);
            }
            StreamEvent::PartDelta { index, delta: PartDelta::Text(text) } => {
                if self.open.get(index) == Some(&Shape::Text) {
                    self.text.push_str(text);
                }
            }
            StreamEvent::PartEnd { index } => {
                self.open.remove(index);
            }
            StreamEvent::Finish { .. } => self.barrier = Some("the answer is complete"),
            StreamEvent::Start(_)
            | StreamEvent::PartDelta { .. }
            | StreamEvent::Usage(_)
            | StreamEvent::Extension { .. } => {}
        }
    }

    fn shape(&mut self, kind: &PartKind) -> Shape {
        let (shape, barrier) = match kind {
            PartKind::Text => (Shape::Text, None),
            PartKind::Reasoning => (Shape::Reasoning, None),
            PartKind::Refusal => (Shape::Other, Some("the model declined")),
            PartKind::ToolCall { .. } => (Shape::Other, Some("a tool call was sent")),
            PartKind::Image { .. } | PartKind::Audio { .. } | PartKind::Opaque { .. } => {
                (Shape::Other, Some("more than text was sent"))
            }
        };
        self.barrier = self.barrier.or(barrier);
        shape
    }

    /// Why no other model may go on; `None` where one may.
    pub(in crate::engine) fn obstacle(&self, request: &ChatRequest) -> Option<&'static str> {
        if request.choice_count.unwrap_or(1) > 1 {
            return Some("several answers were asked for");
        }
        self.barrier
    }

    /// As [`Self::obstacle`], of a model that is asked in this way.
    pub(in crate::engine) fn obstacle_for(
        &self,
        request: &ChatRequest,
        how: &super::How,
    ) -> Option<&'static str> {
        let is_exact = matches!(how, super::How::Continue(Prefill::Last | Prefill::Prefix));
        let is_fresh = self.text.trim().is_empty();
        (has_format(request) && !is_exact && !is_fresh)
            .then_some("the answer has a format that no other beginning would keep")
            .or_else(|| self.obstacle(request))
    }

    pub(in crate::engine) fn text(&self) -> &str {
        &self.text
    }

    /// In characters of the text.
    pub(in crate::engine) fn chars(&self) -> usize {
        self.text.chars().count()
    }

    /// The ends of the parts that are open.
    pub(in crate::engine) fn ends(&self) -> impl Iterator<Item = StreamEvent> {
        self.open.keys().map(|index| StreamEvent::PartEnd { index: *index })
    }

    pub(super) const fn next_index(&self) -> u32 {
        self.next_index
    }

    pub(super) fn open(&self) -> Vec<(u32, Shape)> {
        self.open.iter().map(|(index, shape)| (*index, *shape)).collect()
    }
}
