//! A call's arguments as this family's SDKs survive them: they parse what has arrived of
//! `partial_json` at every delta, and raise an exception where it cannot become an object any more
//! (`anthropic` for Python, `accumulate_event`).
//!
//! So arguments go out property by property, as Anthropic's own streams do, and only such as are
//! JSON. What is not goes on, whole and as a string, under [`REST`]: the model's words are not lost,
//! and the client's tool refuses them in its own way. An object that is merely cut off stays cut off.
//! Answers that are not streamed say the same with `json::arguments_object`.

use serde_json::{Map, Value};

/// The property that holds what is no JSON; the name that a whole answer gives it, too.
const REST: &str = "arguments";
/// Likewise where the model used that name itself.
const REST_BESIDE: &str = "arguments_rest";

/// Bytes of one property that are held back; a longer one flows unseen.
const LONGEST: usize = crate::frame::MAX_FRAME_BYTES;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Nothing but blanks so far.
    #[default]
    Before,
    /// Inside of the object.
    Open,
    /// Behind its last bracket, which waits for the end.
    Closed,
    /// What is held is no JSON, whatever follows.
    Spoiled,
    /// Past the limit: everything as it comes.
    Flowing,
}

/// The arguments of one call, as they stream.
#[derive(Debug, Default)]
pub(super) struct InputJson {
    state: State,
    /// From the property under way on; from the very beginning while none is out.
    held: String,
    /// How much of `held` was looked at.
    seen: usize,
    depth: usize,
    in_string: bool,
    after_backslash: bool,
    /// A property is out.
    has_property: bool,
    has_rest_name: bool,
}

impl InputJson {
    /// Takes the next piece of the arguments and appends to `out` what the client may see of them.
    pub(super) fn push(&mut self, piece: &str, out: &mut String) {
        if self.state == State::Flowing {
            out.push_str(piece);
            return;
        }
        self.held.push_str(piece);
        while self.seen < self.held.len() {
            let byte = self.held.as_bytes()[self.seen];
            self.seen += 1;
            self.take(byte, out);
        }
        if self.held.len() > LONGEST {
            self.separate(out);
            out.push_str(&std::mem::take(&mut self.held));
            self.state = State::Flowing;
        }
    }

    /// Appends what is left, so that the whole is an object, or the beginning of one that was cut off.
    pub(super) fn end(mut self, out: &mut String) {
        match self.state {
            State::Before | State::Flowing => {}
            State::Closed => out.push_str(if self.has_property { "}" } else { "{}" }),
            State::Open if self.is_cut_off() => {
                // Still open behind a property: its comma has come.
                if self.has_property {
                    self.separate(out);
                }
                out.push_str(&self.held);
            }
            State::Open | State::Spoiled => self.wrap(out),
        }
    }

    fn take(&mut self, byte: u8, out: &mut String) {
        match (self.state, byte) {
            (State::Before | State::Closed, b' ' | b'\t' | b'\n' | b'\r') => {
                if self.state == State::Closed {
                    self.forget();
                }
            }
            (State::Before, b'{') => (self.state, self.depth) = (State::Open, 1),
            (State::Before | State::Closed, _) => self.state = State::Spoiled,
            (State::Open, _) => self.within(byte, out),
            (State::Spoiled | State::Flowing, _) => {}
        }
    }

    fn within(&mut self, byte: u8, out: &mut String) {
        match byte {
            _ if self.after_backslash => self.after_backslash = false,
            b'\\' if self.in_string => self.after_backslash = true,
            b'"' => self.in_string = !self.in_string,
            _ if self.in_string => {}
            b'{' | b'[' => self.depth += 1,
            b',' if self.depth == 1 => self.property(false, out),
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.property(true, out);
                }
            }
            _ => {}
        }
    }

    /// A property has come to its end, or the object with its last one.
    fn property(&mut self, is_last: bool, out: &mut String) {
        let text = &self.held[..self.seen - 1];
        let text = if self.has_property { text } else { text.trim_start().strip_prefix('{').unwrap_or("") };
        let is_last = is_last && self.held.as_bytes()[self.seen - 1] == b'}';
        let fields = serde_json::from_str::<Map<String, Value>>(&format!("{{{text}}}")).ok();
        match fields {
            Some(fields) if fields.len() == 1 => {
                self.has_rest_name |= fields.contains_key(REST);
                let text = text.to_owned();
                self.separate(out);
                out.push_str(&text);
                self.has_property = true;
                self.forget();
            }
            Some(fields) if fields.is_empty() && is_last && !self.has_property => {}
            _ => {
                self.state = State::Spoiled;
                return;
            }
        }
        if is_last {
            self.state = State::Closed;
        } else if self.depth == 0 {
            self.state = State::Spoiled;
        }
    }

    /// What was looked at is out.
    fn forget(&mut self) {
        if self.has_property {
            self.held.drain(..self.seen);
            self.seen = 0;
        }
    }

    fn separate(&self, out: &mut String) {
        out.push(if self.has_property { ',' } else { '{' });
    }

    fn is_cut_off(&self) -> bool {
        let text = if self.has_property { format!("{{{}", self.held) } else { self.held.clone() };
        serde_json::from_str::<Value>(&text).is_err_and(|error| error.is_eof())
    }

    fn wrap(&mut self, out: &mut String) {
        let held = std::mem::take(&mut self.held);
        // A value that is no object stands as the value it is.
        let value = (!self.has_property).then(|| serde_json::from_str(&held).ok()).flatten();
        let name = if self.has_rest_name { REST_BESIDE } else { REST };
        self.separate(out);
        let value = value.unwrap_or(Value::String(held)).to_string();
        for piece in ["\"", name, "\":", &value, "}"] {
            out.push_str(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn streamed(pieces: &[&str]) -> (Vec<String>, String) {
        let mut input = InputJson::default();
        let mut out: Vec<String> = pieces
            .iter()
            .map(|piece| {
                let mut out = String::new();
                input.push(piece, &mut out);
                out
            })
            .collect();
        let mut last = String::new();
        input.end(&mut last);
        out.push(last);
        let all = out.concat();
        (out, all)
    }

    #[test]
    fn good_arguments_go_out_property_by_property() {
        let (out, _) = streamed(&["{\"a\"", ":[1,", "2],\"b\":", "\"x,}\"", "}"]);
        assert_eq!(out, ["", "", "{\"a\":[1,2]", "", ",\"b\":\"x,}\"", "}"]);
        for text in ["", "  "] {
            assert_eq!(streamed(&[text]).1, "");
        }
        assert_eq!(streamed(&["{ ", "} "]).1, "{}");
    }

    #[test]
    fn what_is_no_json_becomes_a_string_and_loses_no_word() {
        for (text, expected) in [
            ("I will ring.", json!({"arguments": "I will ring."})),
            ("[1, 2]", json!({"arguments": [1, 2]})),
            ("{\"a\": bad}", json!({"arguments": "{\"a\": bad}"})),
            ("{\"a\":1,\"b\":bad,\"c\":2}", json!({"a": 1, "arguments": "\"b\":bad,\"c\":2}"})),
            ("{\"a\":1}{\"a\":2}", json!({"a": 1, "arguments": "{\"a\":2}"})),
            ("{\"a\":1,}", json!({"a": 1, "arguments": "}"})),
            ("{\"a\":1]", json!({"a": 1, "arguments": ""})),
            ("{\"arguments\":1} x", json!({"arguments": 1, "arguments_rest": "x"})),
            ("{\"a\":\"line\nbreak\"}", json!({"arguments": "{\"a\":\"line\nbreak\"}"})),
            ("{} {}", json!({"arguments": "{} {}"})),
        ] {
            let all = streamed(&[text]).1;
            assert_eq!(serde_json::from_str::<Value>(&all).unwrap(), expected, "{text}: {all}");
        }
    }

    #[test]
    fn an_object_that_was_cut_off_stays_cut_off() {
        for text in [
            "{",
            "{\"a\":1,\"b\":\"tex",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1, ",
            "{\"a\":1, \"",
            "{\"a\":tr",
            "{\"a\":{\"b\":[1,",
        ] {
            assert_eq!(streamed(&[text]).1, text);
        }
    }

    proptest! {
        /// Whatever was written and however it came in pieces: at every moment an object or the
        /// beginning of one.
        #[test]
        fn a_reader_of_what_has_arrived_never_fails(
            text in "[{}\\[\\]\",:a1 \\\\n]{0,40}", cut in any::<prop::sample::Index>()
        ) {
            let cut = cut.index(text.len() + 1);
            let (out, all) = streamed(&[&text[..cut], &text[cut..]]);
            prop_assert_eq!(&all, &streamed(&[&text]).1);
            let mut arrived = String::new();
            for piece in out {
                arrived.push_str(&piece);
                if let Err(error) = serde_json::from_str::<Map<String, Value>>(&arrived) {
                    prop_assert!(error.is_eof(), "{} of {}: {}", arrived, text, error);
                }
            }
        }

        #[test]
        fn an_object_arrives_as_it_was_written(fields in prop::collection::btree_map("[a-z]{1,4}", "\\PC{0,8}", 0..4)) {
            let text = serde_json::to_string(&fields).unwrap();
            prop_assert_eq!(streamed(&[&text]).1, text);
        }
    }
}
