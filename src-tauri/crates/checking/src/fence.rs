//! The code fence that models put around JSON, taken off while the text streams.
//!
//! Of the whole text, a first line of three backticks and a language and a last line of three
//! backticks are left out; without the first, nothing is. The machine reads character by
//! character, so that the pieces in which the text arrives mean nothing, and holds back only what
//! may still turn out to be a fence.

/// Characters of a language's name; behind more the line is text.
const LONGEST_TAG: usize = 24;

/// Bytes held back at most. What is longer, blank lines for the most part, is text.
const HELD: usize = 4096;

const FENCE: &str = "```";

#[derive(Debug, Default)]
pub struct StreamingFence {
    state: State,
    /// What may be a part of a fence.
    held: String,
    /// Whether a fence was taken off.
    is_fenced: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first character that is no space.
    #[default]
    Begin,
    /// Inside of what may be the first line of a fence.
    Opening,
    /// There is no fence: everything is text.
    Plain,
    /// Behind the first line; `held` may be the last one.
    Inside,
}

impl StreamingFence {
    /// Takes more of the text and appends what is certain to be the answer's to `out`.
    pub fn push(&mut self, text: &str, out: &mut String) {
        for c in text.chars() {
            match self.state {
                State::Plain => out.push(c),
                State::Begin => self.begin(c, out),
                State::Opening => self.opening(c, out),
                State::Inside => self.inside(c, out),
            }
        }
    }

    /// The text is whole: appends what was held back and is no fence.
    pub fn end(&mut self, out: &mut String) {
        let held = std::mem::take(&mut self.held);
        match self.state {
            State::Inside if held.trim() == FENCE => {}
            _ => out.push_str(&held),
        }
        self.state = State::Plain;
    }

    /// Whether the text began with a fence.
    pub fn is_fenced(&self) -> bool {
        self.is_fenced
    }

    fn begin(&mut self, c: char, out: &mut String) {
        self.held.push(c);
        if c == '`' {
            self.state = State::Opening;
        } else if !c.is_whitespace() || self.held.len() > HELD {
            self.give_up(out);
        }
    }

    fn opening(&mut self, c: char, out: &mut String) {
        self.held.push(c);
        let line = self.held.trim_start();
        let Some(tag) = line.strip_prefix(FENCE) else {
            if !FENCE.starts_with(line) {
                self.give_up(out);
            }
            return;
        };
        if c == '\n' {
            self.held.clear();
            self.is_fenced = true;
            self.state = State::Inside;
            return;
        }
        let is_tag =
            tag.trim_end().chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+'));
        if !is_tag || tag.len() > LONGEST_TAG {
            self.give_up(out);
        }
    }

    fn give_up(&mut self, out: &mut String) {
        out.push_str(&std::mem::take(&mut self.held));
        self.state = State::Plain;
    }

    /// Holds back spaces, and three backticks behind a line's beginning with nothing but spaces after them.
    fn inside(&mut self, c: char, out: &mut String) {
        let ticks = self.held.bytes().filter(|byte| *byte == b'`').count();
        let behind_ticks = self.held.ends_with(char::is_whitespace) && ticks > 0;
        let goes_on = match c {
            '`' => ticks < FENCE.len() && !behind_ticks,
            c => c.is_whitespace() && (ticks == 0 || ticks == FENCE.len()),
        };
        if goes_on && self.held.len() < HELD {
            self.held.push(c);
            return;
        }
        out.push_str(&std::mem::take(&mut self.held));
        if c == '`' || c.is_whitespace() {
            self.held.push(c);
        } else {
            out.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strip<'a>(pieces: impl IntoIterator<Item = &'a str>) -> String {
        let mut fence = StreamingFence::default();
        let mut out = String::new();
        for piece in pieces {
            fence.push(piece, &mut out);
        }
        fence.end(&mut out);
        out
    }

    #[test]
    fn a_fence_around_the_whole_goes_and_every_other_text_stays() {
        for (text, expected) in [
            ("```json\n{\"a\":1}\n```", "{\"a\":1}"),
            ("\n ```json  \r\n{\"a\":1}\n\n```  \n", "{\"a\":1}"),
            ("```\n{}```", "{}"),
            ("```json\n{\"a\":1}", "{\"a\":1}"),
            ("```json\n{\"a\":\"``` x ```\"}\n```\n", "{\"a\":\"``` x ```\"}"),
            ("```json\n{}\n```\nand more", "{}\n```\nand more"),
            ("{\"a\":1}\n```", "{\"a\":1}\n```"),
            ("{\"a\":1}", "{\"a\":1}"),
            ("  {\"a\":1} ", "  {\"a\":1} "),
            ("``x``", "``x``"),
            ("```not a tag\n{}\n```", "```not a tag\n{}\n```"),
            ("```json", "```json"),
            ("", ""),
        ] {
            assert_eq!(strip([text]), expected, "{text:?}");
        }
    }

    #[test]
    fn an_answer_flows_while_it_is_written() {
        let mut fence = StreamingFence::default();
        let mut out = String::new();
        fence.push("```json\n{\"a\": [1,", &mut out);
        assert_eq!(out, "{\"a\": [1,");
        assert!(fence.is_fenced());
    }

    #[test]
    fn endless_space_is_not_held_for_ever() {
        let mut fence = StreamingFence::default();
        let mut out = String::new();
        fence.push("```json\n", &mut out);
        fence.push(&" ".repeat(100_000), &mut out);
        assert!(fence.held.len() <= HELD, "{}", fence.held.len());
    }

    proptest! {
        /// The pieces in which a text arrives mean nothing.
        #[test]
        fn any_split_gives_the_same_text(
            text in "[ \n]{0,2}(```)?(json)?[ \n]{0,2}[{}a`ü \n\"]{0,24}[ \n]{0,2}(```)?[ \n]{0,2}",
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| bounds[cut.index(bounds.len())]).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let mut from = 0;
            let mut pieces = Vec::new();
            for cut in cuts {
                pieces.push(&text[from..cut]);
                from = cut;
            }
            prop_assert_eq!(strip(pieces), strip([text.as_str()]));
        }

        /// Nothing but the two fences is ever lost.
        #[test]
        fn only_fences_are_left_out(text in "[a-z`\n ]{0,40}") {
            let left = strip([text.as_str()]);
            let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
            if text.trim_start().starts_with("```") {
                prop_assert!(letters(&left) <= letters(&text));
            } else {
                prop_assert_eq!(left, text);
            }
        }
    }
}
