//! An answer as it grows, cut into numbered items for those who watch.
//!
//! Pure: events go in, [`Board::commit`] makes the next item of what is new, and each watcher has a
//! [`Cursor`]. Numbers count up by one, so a watcher sees a gap; one that is too far behind, or
//! comes from somewhere else, gets a snapshot.

use std::collections::{BTreeSet, HashMap, VecDeque};

use canonical::{PartDelta, PartKind, StreamEvent};
use serde_json::Value;

use crate::types::{MessageView, ToolCallView, WatchItem, WatchKind};

/// Bytes of text in one item, as JSON. The whole message must stay below 8 KiB: larger ones leave
/// the fast path of Tauri's channel.
const MAX_ITEM_BYTES: usize = 7 * 1024;

/// Items kept for watchers that are a little behind.
const RECENT: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Board {
    text: String,
    reasoning: String,
    calls: Vec<ToolCallView>,
    /// Where each open part of the stream goes.
    parts: HashMap<u32, Place>,
    /// How much of `text` and `reasoning` is in items already.
    shown_text: usize,
    shown_reasoning: usize,
    /// Calls that changed since the last item.
    changed_calls: BTreeSet<usize>,
    /// Of the last item.
    seq: u64,
    recent: VecDeque<WatchItem>,
    end: Option<WatchItem>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Text,
    Reasoning,
    Call(usize),
    /// Nothing of it can be shown.
    Nowhere,
}

/// Where a watcher is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor {
    seq: u64,
    is_new: bool,
}

impl Cursor {
    pub(super) const fn new(since: u64) -> Self {
        Self { seq: since, is_new: true }
    }
}

impl Board {
    /// Takes in one event of the answer. Only the first choice is shown; a chat asks for one.
    pub(super) fn apply(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::PartStart { index, choice: 0, kind } => {
                let place = self.place(kind);
                self.parts.insert(*index, place);
            }
            StreamEvent::PartDelta { index, delta } => {
                if let Some(place) = self.parts.get(index).copied() {
                    self.extend(place, delta);
                }
            }
            StreamEvent::PartEnd { index } => drop(self.parts.remove(index)),
            StreamEvent::PartStart { .. }
            | StreamEvent::Start(_)
            | StreamEvent::Usage(_)
            | StreamEvent::Extension { .. }
            | StreamEvent::Finish { .. } => {}
        }
    }

    fn place(&mut self, kind: &PartKind) -> Place {
        match kind {
            // A refusal is what the model says instead of its answer.
            PartKind::Text | PartKind::Refusal => Place::Text,
            PartKind::Reasoning => Place::Reasoning,
            PartKind::ToolCall { id, name, .. } => {
                let index = self.calls.len();
                self.calls.push(ToolCallView {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                });
                self.changed_calls.insert(index);
                Place::Call(index)
            }
            PartKind::Image { .. } | PartKind::Audio { .. } => {
                self.text.push_str("*(The model sent an image or sound, which the chat cannot show yet.)*\n");
                Place::Nowhere
            }
            PartKind::Opaque { .. } => Place::Nowhere,
        }
    }

    fn extend(&mut self, place: Place, delta: &PartDelta) {
        match (place, delta) {
            (Place::Text, PartDelta::Text(text)) => self.text.push_str(text),
            (Place::Reasoning, PartDelta::Text(text)) => self.reasoning.push_str(text),
            (Place::Call(index), PartDelta::Arguments(text)) => {
                if let Some(call) = self.calls.get_mut(index) {
                    call.arguments.push_str(text);
                    self.changed_calls.insert(index);
                }
            }
            // Signatures and encrypted thoughts are for the provider, and not sent back here.
            _ => {}
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn reasoning(&self) -> &str {
        &self.reasoning
    }

    /// The calls as they are kept with the message.
    pub(super) fn calls_json(&self) -> Option<Value> {
        if self.calls.is_empty() {
            return None;
        }
        // A list of strings: there is nothing in it that JSON cannot say.
        serde_json::to_value(&self.calls).ok()
    }

    /// Whether something arrived that is in no item yet.
    pub(super) fn has_news(&self) -> bool {
        self.shown_text < self.text.len()
            || self.shown_reasoning < self.reasoning.len()
            || !self.changed_calls.is_empty()
    }

    /// Makes the next item of what is new, as much as fits into one. Does nothing without news.
    pub(super) fn commit(&mut self) {
        if !self.has_news() {
            return;
        }
        let reasoning = head(&self.reasoning[self.shown_reasoning..], MAX_ITEM_BYTES);
        let (reasoning, used) = (reasoning.0.to_owned(), reasoning.1);
        let text = head(&self.text[self.shown_text..], MAX_ITEM_BYTES - used).0.to_owned();
        self.shown_reasoning += reasoning.len();
        self.shown_text += text.len();
        let changed = std::mem::take(&mut self.changed_calls);
        let calls: Vec<_> = changed.into_iter().filter_map(|index| self.calls.get(index).cloned()).collect();
        self.seq += 1;
        self.recent.push_back(WatchItem {
            seq: self.seq,
            kind: WatchKind::Delta,
            text: (!text.is_empty()).then_some(text),
            reasoning: (!reasoning.is_empty()).then_some(reasoning),
            tool_calls: (!calls.is_empty()).then_some(calls),
            message: None,
        });
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// The last item: the message as it was saved.
    pub(super) fn end(&mut self, message: MessageView) {
        self.seq += 1;
        self.end = Some(WatchItem {
            seq: self.seq,
            kind: WatchKind::End,
            text: None,
            reasoning: None,
            tool_calls: None,
            message: Some(message),
        });
    }

    /// What the watcher at `cursor` has not seen; it has seen it afterwards.
    pub(super) fn items(&self, cursor: &mut Cursor) -> VecDeque<WatchItem> {
        let was_new = std::mem::replace(&mut cursor.is_new, false);
        if let Some(end) = &self.end {
            cursor.seq = self.seq;
            return VecDeque::from([end.clone()]);
        }
        if cursor.seq == self.seq {
            return VecDeque::new();
        }
        let from = cursor.seq + 1;
        cursor.seq = self.seq;
        let is_known = self.recent.front().is_some_and(|oldest| oldest.seq <= from) && from <= self.seq;
        if is_known && !was_new {
            return self.recent.iter().filter(|item| item.seq >= from).cloned().collect();
        }
        VecDeque::from([self.snapshot()])
    }

    /// Everything that the items up to now say, in one.
    fn snapshot(&self) -> WatchItem {
        WatchItem {
            seq: self.seq,
            kind: WatchKind::Snapshot,
            text: Some(self.text[..self.shown_text].to_owned()),
            reasoning: Some(self.reasoning[..self.shown_reasoning].to_owned()),
            tool_calls: Some(self.calls.clone()),
            message: None,
        }
    }
}

/// The longest beginning of `text` whose JSON has at most `limit` bytes, and how many it has.
fn head(text: &str, limit: usize) -> (&str, usize) {
    let mut used = 0;
    for (at, letter) in text.char_indices() {
        let cost = match letter {
            '"' | '\\' | '\n' | '\r' | '\t' => 2,
            '\u{0}'..='\u{1f}' => 6,
            other => other.len_utf8(),
        };
        if used + cost > limit {
            return (&text[..at], used);
        }
        used += cost;
    }
    (text, used)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_part(board: &mut Board) {
        board.apply(&StreamEvent::PartStart { index: 0, choice: 0, kind: PartKind::Text });
    }

    fn say(board: &mut Board, text: &str) {
        board.apply(&StreamEvent::PartDelta { index: 0, delta: PartDelta::Text(text.to_owned()) });
    }

    /// What a window would show that applies items in their order.
    fn shown(items: impl IntoIterator<Item = WatchItem>) -> String {
        items.into_iter().fold(String::new(), |shown, item| match item.kind {
            WatchKind::Snapshot => item.text.unwrap_or_default(),
            WatchKind::Delta => shown + &item.text.unwrap_or_default(),
            WatchKind::End => shown,
        })
    }

    #[test]
    fn a_watcher_from_the_beginning_sees_numbers_without_a_gap() {
        let mut board = Board::default();
        text_part(&mut board);
        let mut cursor = Cursor::new(0);
        assert!(board.items(&mut cursor).is_empty());
        let mut seen = Vec::new();
        for word in ["one ", "two ", "three"] {
            say(&mut board, word);
            board.commit();
            seen.extend(board.items(&mut cursor));
        }
        assert_eq!(seen.iter().map(|item| item.seq).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(shown(seen), "one two three");
    }

    #[test]
    fn one_that_comes_back_gets_a_snapshot_unless_nothing_is_new() {
        let mut board = Board::default();
        text_part(&mut board);
        say(&mut board, "one ");
        board.commit();
        assert!(board.items(&mut Cursor::new(1)).is_empty());
        say(&mut board, "two");
        board.commit();
        for since in [0, 1, 77] {
            let items = board.items(&mut Cursor::new(since));
            assert_eq!(items.len(), 1, "since {since}");
            assert_eq!((items[0].kind, items[0].seq), (WatchKind::Snapshot, 2));
            assert_eq!(shown(items), "one two");
        }
    }

    #[test]
    fn a_watcher_that_fell_far_behind_gets_a_snapshot() {
        let mut board = Board::default();
        text_part(&mut board);
        let mut cursor = Cursor::new(0);
        board.items(&mut cursor);
        for _ in 0..=RECENT {
            say(&mut board, "x");
            board.commit();
        }
        let items = board.items(&mut cursor);
        assert_eq!(items[0].kind, WatchKind::Snapshot);
        assert_eq!(shown(items).len(), RECENT + 1);
    }

    #[test]
    fn no_item_is_larger_than_the_fast_path_takes_and_nothing_is_lost() {
        let mut board = Board::default();
        text_part(&mut board);
        let whole = "ü\"\n\u{1}日".repeat(5000);
        say(&mut board, &whole);
        let mut cursor = Cursor::new(0);
        board.items(&mut cursor);
        let mut items = Vec::new();
        while board.has_news() {
            board.commit();
            items.extend(board.items(&mut cursor));
        }
        assert!(items.len() > 5);
        for item in &items {
            assert!(serde_json::to_string(item).unwrap().len() < 8 * 1024);
        }
        assert_eq!(shown(items), whole);
    }

    #[test]
    fn calls_are_sent_whole_whenever_they_change() {
        let mut board = Board::default();
        let kind = PartKind::ToolCall { id: "c1".to_owned(), name: "look".to_owned(), is_server_side: false };
        board.apply(&StreamEvent::PartStart { index: 3, choice: 0, kind });
        let mut cursor = Cursor::new(0);
        board.items(&mut cursor);
        let mut last = Vec::new();
        for piece in ["{\"a\"", ":1}"] {
            board.apply(&StreamEvent::PartDelta { index: 3, delta: PartDelta::Arguments(piece.to_owned()) });
            board.commit();
            last =
                board.items(&mut cursor).into_iter().filter_map(|item| item.tool_calls).flatten().collect();
        }
        assert_eq!(last[0].arguments, "{\"a\":1}");
        board.commit();
        assert!(board.items(&mut cursor).is_empty());
    }
}
