//! What a model wrote, gathered as it arrives, → its output tokens.

use canonical::{ChatResponse, Content, Part, PartDelta, PartKind, StreamEvent};

use crate::family::Family;
use crate::text::raw;

/// As many bytes of an answer are kept; what comes behind is counted by its length.
const MAX_KEPT: usize = 256 << 10;

/// The words of an answer. Keeps text, so it lives no longer than the attempt that it is of.
#[derive(Default)]
pub struct Written {
    text: String,
    /// Bytes past what is kept.
    beyond: usize,
    calls: u64,
}

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Written")
            .field("bytes", &(self.text.len() + self.beyond))
            .field("calls", &self.calls)
            .finish()
    }
}

impl Written {
    pub fn note(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::PartStart { kind: PartKind::ToolCall { name, .. }, .. } => self.call(name),
            StreamEvent::PartDelta { delta: PartDelta::Text(text) | PartDelta::Arguments(text), .. } => {
                self.add(text);
            }
            _ => {}
        }
    }

    pub fn note_whole(&mut self, response: &ChatResponse) {
        for part in response.choices.iter().flat_map(|choice| &choice.parts) {
            self.part(part);
        }
    }

    fn part(&mut self, part: &Part) {
        match &part.content {
            Content::Text(text) | Content::Refusal(text) => self.add(text),
            Content::Reasoning(reasoning) => self.add(&reasoning.text),
            Content::ToolCall(call) => {
                self.call(&call.name);
                self.add(&call.arguments);
            }
            _ => {}
        }
    }

    fn call(&mut self, name: &str) {
        self.calls += 1;
        self.add(name);
    }

    fn add(&mut self, text: &str) {
        if self.text.len() + text.len() <= MAX_KEPT {
            self.text += text;
        } else {
            self.beyond += text.len();
        }
    }

    /// Its tokens, written by `model`.
    pub fn tokens(&self, model: &str) -> u64 {
        let family = Family::of(model);
        let kept = family.scaled(raw(family, &self.text));
        let beyond = u128::from(kept) * self.beyond as u128 / (self.text.len().max(1) as u128);
        kept + beyond as u64 + self.calls * family.per_tool
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_counted_alike_in_pieces_and_past_what_is_kept() {
        let mut written = Written::default();
        assert_eq!(written.tokens("gpt-4o"), 0);
        for piece in ["The quick brown ", "fox jumps over ", "the lazy dog."] {
            written.note(&StreamEvent::PartDelta { index: 0, delta: PartDelta::Text(piece.into()) });
        }
        assert_eq!(written.tokens("gpt-4o"), 10);
        let mut long = Written::default();
        for _ in 0..100_000 {
            long.add("lorem ipsum ");
        }
        assert!(long.text.len() <= MAX_KEPT);
        let per_word = long.tokens("gpt-4o") as f64 / 200_000.0;
        assert!((0.5..3.0).contains(&per_word), "{per_word}");
        assert!(!format!("{long:?}").contains("lorem"), "content is in no log");
    }
}
