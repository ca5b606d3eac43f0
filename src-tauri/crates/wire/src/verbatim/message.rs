//! Anthropic's stream of a message, mended behind an event that was malformed and left out.
//!
//! The vendor's SDKs put a message together by the numbers of its blocks, and raise at a delta or an end
//! whose block has not begun (`anthropic` for Python, `accumulate_event`: an `IndexError`), and at
//! anything in front of `message_start`. So one lost event would cost the whole answer:
//!
//! | what was lost | what the client gets |
//! |---|---|
//! | `message_start` | one with an id of the request and the model that was asked for, without counts |
//! | the start of a text or of a thought | an empty one, in front of the first delta |
//! | the start of anything else | nothing of that block, since nobody knows what it was |
//!
//! Blocks behind a lost one move up, so that their numbers have no gap. Until an event was left out,
//! nothing is changed: blocks are only counted.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::tap::data_of;

/// What the client gets in the place of one event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mended {
    AsItIs,
    Nothing,
    Instead(Vec<u8>),
}

/// One message, as far as it was passed on.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// For a `message_start` of ours.
    id: String,
    model: String,
    has_begun: bool,
    /// The client's number of each block, by the provider's.
    blocks: BTreeMap<u64, u64>,
    /// The client's number of the next block.
    next_block: u64,
}

/// What an event says of its place.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    index: Option<u64>,
    delta: Option<Delta<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<std::borrow::Cow<'a, str>>,
}

impl Message {
    pub(super) fn named(id: &str, model: &str) -> Self {
        Self { id: id.to_owned(), model: model.to_owned(), ..Self::default() }
    }

    /// Takes the next event that is for the client. `has_hole`: one was left out before it.
    pub(super) fn mend(&mut self, event: &[u8], has_hole: bool) -> Mended {
        let has = |word: &[u8]| memchr::memmem::find(event, word).is_some();
        if !has_hole && !has(b"message_start") && !has(b"content_block_start") {
            return Mended::AsItIs;
        }
        let data = data_of(event);
        let Ok(head) = serde_json::from_slice::<Head<'_>>(&data) else { return Mended::AsItIs };
        if head.kind == "message_start" {
            // Some fixtures string several answers together.
            self.blocks.clear();
            self.next_block = 0;
        }
        if !has_hole && let ("content_block_start", Some(index)) = (&*head.kind, head.index) {
            // As the provider numbers them, whatever that is.
            self.next_block = index;
        }
        let mut before = Vec::new();
        if has_hole && !self.has_begun && !matches!(&*head.kind, "message_start" | "error" | "ping") {
            write(&self.start(), &mut before);
        }
        self.has_begun |= !before.is_empty() || head.kind == "message_start";
        let place = match (&*head.kind, head.index) {
            ("content_block_start", Some(index)) => {
                self.begin_block(index);
                self.blocks.get(&index)
            }
            ("content_block_delta", Some(index)) if !self.blocks.contains_key(&index) => {
                let kind = head.delta.and_then(|delta| delta.kind);
                let Some(block) = kind.and_then(|kind| implied(&kind)) else { return nothing_but(before) };
                let number = self.begin_block(index);
                let start = json!({"type": "content_block_start", "index": number, "content_block": block});
                write(&start, &mut before);
                self.blocks.get(&index)
            }
            ("content_block_delta" | "content_block_stop", Some(index)) => match self.blocks.get(&index) {
                None => return nothing_but(before),
                place => place,
            },
            _ => None,
        };
        let is_moved = place.is_some() && place != head.index.as_ref();
        if !is_moved && before.is_empty() {
            return Mended::AsItIs;
        }
        let Ok(mut value) = serde_json::from_slice::<Value>(&data) else { return Mended::AsItIs };
        if let Some(place) = place {
            value["index"] = (*place).into();
        }
        write(&value, &mut before);
        Mended::Instead(before)
    }

    fn begin_block(&mut self, index: u64) -> u64 {
        let number = self.next_block;
        self.next_block = number.saturating_add(1);
        self.blocks.insert(index, number);
        number
    }

    fn start(&self) -> Value {
        json!({"type": "message_start", "message": {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }})
    }
}

/// The empty block that a delta of this kind belongs to, where the delta tells.
fn implied(delta: &str) -> Option<Value> {
    match delta {
        "text_delta" => Some(json!({"type": "text", "text": ""})),
        "thinking_delta" => Some(json!({"type": "thinking", "thinking": "", "signature": ""})),
        _ => None,
    }
}

fn nothing_but(before: Vec<u8>) -> Mended {
    if before.is_empty() { Mended::Nothing } else { Mended::Instead(before) }
}

fn write(event: &Value, out: &mut Vec<u8>) {
    let name = event["type"].as_str().unwrap_or_default();
    out.extend_from_slice(format!("event: {name}\ndata: {event}\n\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(value, &mut bytes);
        bytes
    }

    fn start(index: u64, kind: &str) -> Value {
        json!({"type": "content_block_start", "index": index, "content_block": {"type": kind}})
    }

    fn delta(index: u64, kind: &str) -> Value {
        json!({"type": "content_block_delta", "index": index, "delta": {"type": kind}})
    }

    fn stop(index: u64) -> Value {
        json!({"type": "content_block_stop", "index": index})
    }

    fn begin() -> Value {
        json!({"type": "message_start", "message": {"id": "m"}})
    }

    /// What the client gets of `events` when the one at `lost` was left out.
    fn mended(events: &[Value], lost: usize) -> Vec<Value> {
        let mut message = Message::named("req", "claude");
        let mut passed = Vec::new();
        for (at, value) in events.iter().enumerate().filter(|(at, _)| *at != lost) {
            let bytes = event(value);
            match message.mend(&bytes, at > lost) {
                Mended::AsItIs => passed.extend(bytes),
                Mended::Nothing => {}
                Mended::Instead(bytes) => passed.extend(bytes),
            }
        }
        let text = String::from_utf8(passed).unwrap();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    #[test]
    fn a_text_or_a_thought_whose_start_was_lost_begins_with_its_first_delta() {
        let events = [
            begin(),
            start(0, "thinking"),
            delta(0, "thinking_delta"),
            stop(0),
            start(1, "text"),
            delta(1, "text_delta"),
            stop(1),
        ];
        let passed = mended(&events, 1);
        assert_eq!(passed[1]["content_block"], json!({"type": "thinking", "thinking": "", "signature": ""}));
        assert_eq!(passed[2..], events[2..]);
        let passed = mended(&events, 4);
        assert_eq!(passed[..4], events[..4]);
        assert_eq!(passed[4]["content_block"], json!({"type": "text", "text": ""}));
        assert_eq!(passed[5..], events[5..]);
    }

    #[test]
    fn nothing_is_passed_on_of_a_call_whose_start_was_lost_and_the_next_block_moves_up() {
        let events = [
            begin(),
            start(0, "text"),
            stop(0),
            start(1, "tool_use"),
            delta(1, "input_json_delta"),
            stop(1),
            start(2, "tool_use"),
            delta(2, "input_json_delta"),
            stop(2),
            json!({"type": "message_stop"}),
        ];
        let expected =
            [&events[..3], &[start(1, "tool_use"), delta(1, "input_json_delta"), stop(1), events[9].clone()]];
        assert_eq!(mended(&events, 3), expected.concat());
    }

    #[test]
    fn a_lost_message_start_is_replaced_by_one_of_ours() {
        let events = [begin(), json!({"type": "ping"}), start(0, "text"), delta(0, "text_delta")];
        let passed = mended(&events, 0);
        assert_eq!(passed[0], events[1]);
        assert_eq!(
            (&passed[1]["message"]["id"], &passed[1]["message"]["model"]),
            (&json!("req"), &json!("claude"))
        );
        assert_eq!(passed[2..], events[2..]);
    }

    #[test]
    fn what_is_whole_and_what_lost_no_start_stays_as_it_is() {
        let mut message = Message::default();
        let events = [begin(), start(0, "text"), delta(0, "text_delta"), stop(0)];
        for (at, value) in events.iter().enumerate() {
            assert_eq!(message.mend(&event(value), at > 1), Mended::AsItIs, "{value}");
        }
        let comment = b": ping\n\n";
        assert_eq!(message.mend(comment, true), Mended::AsItIs);
    }
}
