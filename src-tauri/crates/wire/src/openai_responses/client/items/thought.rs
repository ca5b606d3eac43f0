//! `reasoning`: summaries and full text as one part.

use canonical::{PartDelta, PartKind};
use serde_json::{Map, Value};

use super::super::super::types::Item;
use super::super::super::{BETWEEN_THOUGHTS, NEXT_PIECE};
use super::{Sink, announced, telling};

#[derive(Debug, Default)]
pub(in super::super) struct Thought {
    pub(super) part: Option<u32>,
    pieces: Vec<Piece>,
    /// What the item was announced with.
    announced: Map<String, Value>,
}

#[derive(Debug)]
struct Piece {
    place: Place,
    said: String,
}

/// Which of an item's two lists a piece of its thought is in, and where.
pub(super) type Place = (Source, u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Summary,
    Content,
}

impl Source {
    /// The item's list.
    fn list(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Content => "content",
        }
    }
}

impl Thought {
    pub(super) fn of(item: &Item) -> Self {
        Self { announced: announced(item), ..Self::default() }
    }

    pub(super) fn delta(&mut self, place: Place, delta: &str, sink: &mut Sink<'_>) {
        if delta.is_empty() {
            return;
        }
        let is_new_piece = self.pieces.last().is_none_or(|last| last.place != place);
        if is_new_piece {
            self.announced.insert(NEXT_PIECE.into(), place.0.list().into());
        }
        let part = match self.part {
            Some(part) if is_new_piece => {
                sink.part_fields(part, self.announced.clone());
                part
            }
            _ => self.part(sink),
        };
        if is_new_piece {
            if !self.pieces.is_empty() {
                sink.delta(part, PartDelta::Text(BETWEEN_THOUGHTS.to_owned()));
            }
            self.pieces.push(Piece { place, said: String::new() });
        }
        if let Some(last) = self.pieces.last_mut() {
            last.said.push_str(delta);
        }
        sink.delta(part, PartDelta::Text(delta.to_owned()));
    }

    fn part(&mut self, sink: &mut Sink<'_>) -> u32 {
        *self.part.get_or_insert_with(|| sink.start_with(PartKind::Reasoning, &self.announced))
    }

    pub(super) fn finish(mut self, item: Item, sink: &mut Sink<'_>) {
        let summary = self.complete(Source::Summary, item.get("summary"), sink);
        let content = self.complete(Source::Content, item.get("content"), sink);
        let encrypted = item.get("encrypted_content").and_then(Value::as_str).unwrap_or("").to_owned();
        if self.part.is_none() && encrypted.is_empty() {
            sink.opaque(item);
            return;
        }
        let part = self.part(sink);
        // The announcement has an encrypted form as well, of a thought not yet thought.
        sink.delta(part, PartDelta::Encrypted(encrypted));
        let mut fields = telling(item);
        fields.shift_remove("encrypted_content");
        if summary <= 1 && content == 0 {
            fields.shift_remove("summary");
        }
        sink.end_with(part, fields);
    }

    /// Passes on what deltas did not bring of one list; says how many pieces it has.
    fn complete(&mut self, source: Source, list: Option<&Value>, sink: &mut Sink<'_>) -> usize {
        let texts = list.and_then(Value::as_array).into_iter().flatten();
        let texts = texts.filter_map(|piece| piece.get("text")?.as_str()).filter(|text| !text.is_empty());
        let mut count = 0;
        for text in texts {
            let known =
                self.pieces.iter().enumerate().filter(|(_, piece)| piece.place.0 == source).nth(count);
            count += 1;
            match known {
                None => self.delta((source, u64::MAX - count as u64), text, sink),
                Some((at, piece)) => {
                    // Text can only be added at the end.
                    let more = text.strip_prefix(&piece.said).filter(|_| at + 1 == self.pieces.len());
                    let place = piece.place;
                    if let Some(more) = more.map(str::to_owned) {
                        self.delta(place, &more, sink);
                    }
                }
            }
        }
        count
    }
}
