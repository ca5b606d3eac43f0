//! The laws of an event sequence, as a checker. Every decoder obeys them, every encoder relies on
//! them; the engine runs the checker in debug builds.
//!
//! 1. `Start` comes first, once.
//! 2. A part's index is new when it starts, and counts up from 0.
//! 3. Deltas and ends name an open part, and a delta fits its kind.
//! 4. `Finish` comes once per choice, when all parts of that choice have ended; no part of the
//!    choice starts after it. `Usage` and `Extension` may follow.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{PartDelta, PartKind, StreamEvent};

/// Feeds on events one by one and says which law a wrong one breaks.
#[derive(Debug, Default)]
pub struct Grammar {
    is_started: bool,
    next_index: u32,
    /// Open parts: index → choice and shape.
    open: BTreeMap<u32, (u32, Shape)>,
    finished: BTreeSet<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Reasoning,
    ToolCall,
    Whole,
}

impl Grammar {
    /// Accepts the next event, or says in a sentence which law it breaks.
    pub fn accept(&mut self, event: &StreamEvent) -> Result<(), String> {
        if let StreamEvent::Start(_) = event {
            return if std::mem::replace(&mut self.is_started, true) {
                Err("a second Start".into())
            } else {
                Ok(())
            };
        }
        if !self.is_started {
            return Err(format!("{event:?} before Start"));
        }
        match event {
            StreamEvent::PartStart { index, choice, kind } => self.part_start(*index, *choice, kind),
            StreamEvent::PartDelta { index, delta } => self.part_delta(*index, delta),
            StreamEvent::PartEnd { index } => self
                .open
                .remove(index)
                .map(|_| ())
                .ok_or_else(|| format!("end of part {index}, which is not open")),
            StreamEvent::Finish { choice, .. } => self.finish(*choice),
            StreamEvent::Start(_) | StreamEvent::Usage(_) | StreamEvent::Extension { .. } => Ok(()),
        }
    }

    /// Whether everything that was opened has ended and at least one choice finished.
    pub fn is_complete(&self) -> bool {
        self.is_started && self.open.is_empty() && !self.finished.is_empty()
    }

    fn part_start(&mut self, index: u32, choice: u32, kind: &PartKind) -> Result<(), String> {
        if index != self.next_index {
            return Err(format!("part {index} starts where {} was due", self.next_index));
        }
        if self.finished.contains(&choice) {
            return Err(format!("part {index} starts after choice {choice} finished"));
        }
        self.next_index += 1;
        self.open.insert(index, (choice, shape(kind)));
        Ok(())
    }

    fn part_delta(&mut self, index: u32, delta: &PartDelta) -> Result<(), String> {
        let Some((_, shape)) = self.open.get(&index) else {
            return Err(format!("delta of part {index}, which is not open"));
        };
        let fits = match delta {
            PartDelta::Text(_) => matches!(shape, Shape::Text | Shape::Reasoning),
            PartDelta::Arguments(_) => *shape == Shape::ToolCall,
            // Gemini signs any part, images too.
            PartDelta::Signature(_) => true,
            PartDelta::Encrypted(_) => *shape == Shape::Reasoning,
        };
        if fits { Ok(()) } else { Err(format!("{delta:?} does not fit part {index}, a {shape:?}")) }
    }

    fn finish(&mut self, choice: u32) -> Result<(), String> {
        if self.open.values().any(|(of, _)| *of == choice) {
            return Err(format!("choice {choice} finishes with a part still open"));
        }
        if self.finished.insert(choice) { Ok(()) } else { Err(format!("choice {choice} finishes twice")) }
    }
}

fn shape(kind: &PartKind) -> Shape {
    match kind {
        PartKind::Text | PartKind::Refusal => Shape::Text,
        PartKind::Reasoning => Shape::Reasoning,
        PartKind::ToolCall { .. } => Shape::ToolCall,
        PartKind::Image { .. } | PartKind::Audio { .. } | PartKind::Opaque { .. } => Shape::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::FinishReason;

    fn check(events: &[StreamEvent]) -> Result<bool, String> {
        let mut grammar = Grammar::default();
        events.iter().try_for_each(|event| grammar.accept(event))?;
        Ok(grammar.is_complete())
    }

    #[test]
    fn each_law_is_held() {
        let start = || StreamEvent::Start(crate::event::ResponseStart::default());
        let open = |index| StreamEvent::PartStart { index, choice: 0, kind: PartKind::Text };
        let text = |index| StreamEvent::PartDelta { index, delta: PartDelta::Text("a".into()) };
        let arguments = |index| StreamEvent::PartDelta { index, delta: PartDelta::Arguments("a".into()) };
        let end = |index| StreamEvent::PartEnd { index };
        let finish = || StreamEvent::Finish { choice: 0, reason: FinishReason::Stop, raw: None };

        assert_eq!(check(&[start(), open(0), text(0), end(0), finish()]), Ok(true));
        assert_eq!(check(&[start(), open(0), text(0)]), Ok(false));
        for wrong in [
            vec![open(0)],
            vec![start(), start()],
            vec![start(), open(1)],
            vec![start(), open(0), end(0), open(0)],
            vec![start(), text(0)],
            vec![start(), open(0), arguments(0)],
            vec![start(), open(0), end(0), text(0)],
            vec![start(), open(0), finish()],
            vec![start(), finish(), finish()],
            vec![start(), finish(), open(0)],
        ] {
            assert!(check(&wrong).is_err(), "{wrong:?}");
        }
    }
}
