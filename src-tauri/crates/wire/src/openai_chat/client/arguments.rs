//! The arguments of a call as they grow.

use serde::de::IgnoredAny;

/// Text that is to become a JSON value. Whether it is one already is asked at each piece where a
/// provider repeats the call's name, so brackets are counted as they come: the text is parsed once
/// they are closed and not before, or the work would grow with the square of its length.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    text: String,
    /// Open brackets.
    depth: usize,
    in_string: bool,
    after_backslash: bool,
    /// What was found where the brackets last closed: nothing can follow that changes it but blanks.
    verdict: std::cell::Cell<Option<bool>>,
}

/// A value without brackets that is longer than this is no call's arguments.
const MAX_SCALAR_BYTES: usize = 256;

impl Arguments {
    pub(super) fn push(&mut self, piece: &str) {
        self.text.push_str(piece);
        let is_blank = piece.bytes().all(|byte| byte.is_ascii_whitespace());
        if !is_blank {
            // A closed value with something behind it is none; an open or a short one may become one.
            let was_closed = self.verdict.take().is_some() && self.begins_with_bracket();
            self.verdict.set(was_closed.then_some(false));
        }
        for byte in piece.bytes() {
            self.take(byte);
        }
    }

    /// Whether the text is a complete JSON value.
    pub(super) fn is_whole(&self) -> bool {
        if self.depth > 0 || self.in_string {
            return false;
        }
        if !self.begins_with_bracket() && self.text.len() > MAX_SCALAR_BYTES {
            return false;
        }
        self.verdict.get().unwrap_or_else(|| {
            let verdict = serde_json::from_str::<IgnoredAny>(&self.text).is_ok();
            self.verdict.set(Some(verdict));
            verdict
        })
    }

    fn begins_with_bracket(&self) -> bool {
        self.text.trim_ascii_start().starts_with(['{', '['])
    }

    fn take(&mut self, byte: u8) {
        match byte {
            _ if self.after_backslash => self.after_backslash = false,
            b'\\' if self.in_string => self.after_backslash = true,
            b'"' => self.in_string = !self.in_string,
            b'{' | b'[' if !self.in_string => self.depth += 1,
            b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(pieces: &[&str]) -> bool {
        let mut arguments = Arguments::default();
        pieces.iter().fold(false, |_, piece| {
            arguments.push(piece);
            arguments.is_whole()
        })
    }

    #[test]
    fn brackets_and_strings_decide_where_a_value_ends() {
        for (given, is_whole) in [
            (&["{}"][..], true),
            (&["{\"a\": \"}", "\\\"\"}"], true),
            (&["{\"a\": [1, {\"b\": 2}]", "}", " \n"], true),
            (&["{\"a\": 1"], false),
            (&["{\"a\": \"}"], false),
            (&["{}", "{}"], false),
            (&["{bad}"], false),
            (&["{bad}", " "], false),
            (&["1", "2"], true),
            (&["tru", "e"], true),
            (&["\"a", "\""], true),
            (&["", " "], false),
        ] {
            assert_eq!(pieces(given), is_whole, "{given:?}");
        }
    }
}
