//! Where a text that goes on repeats the end of the one before it, so that it is not said twice.

/// Bytes from which on an overlap is no chance, wherever it begins: four characters of a script without
/// spaces, or two words of one that has them.
const PLAIN_BYTES: usize = 12;

/// How far back an overlap may begin; past it only a repetition of everything counts.
const WINDOW_CHARS: usize = 400;

/// The last words of `text`, about `most` characters, from the beginning of one.
pub(super) fn anchor(text: &str, most: usize) -> &str {
    let text = text.trim_end();
    let from = text.char_indices().rev().nth(most.saturating_sub(1)).map_or(0, |(at, _)| at);
    let tail = &text[from..];
    // A line's end would make the sentence that quotes it two.
    let tail = tail.rsplit('\n').next().unwrap_or(tail);
    if from == 0 || tail.len() < text[from..].len() {
        return tail.trim_start();
    }
    match tail.find(char::is_whitespace) {
        Some(at) if !tail[at..].trim().is_empty() => tail[at..].trim_start(),
        _ => tail,
    }
}

/// Holds the beginning of a text back until it is plain whether it repeats the end of `told`.
#[derive(Debug)]
pub(super) struct Overlap {
    /// What was told, without the space at its end.
    told: String,
    /// That space.
    space: String,
    /// Where in `told` an overlap may begin, the longest first.
    begins: Vec<usize>,
    held: Option<String>,
}

enum Decided {
    /// More is needed to tell.
    No,
    /// So many bytes repeat what was told.
    Skip(usize),
}

impl Overlap {
    /// `was_asked_to`: the model was asked to begin with words that were told, so a short overlap is
    /// one as well.
    pub(super) fn new(told: &str, was_asked_to: bool) -> Self {
        let core = told.trim_end();
        let window = core.char_indices().rev().take(WINDOW_CHARS).map(|(at, _)| at);
        let mut begins: Vec<usize> = window
            .filter(|at| core.len() - at >= PLAIN_BYTES || (was_asked_to && begins_word(core, *at)))
            .filter(|at| !core[*at..].starts_with(char::is_whitespace))
            .collect();
        begins.push(0);
        begins.sort_unstable();
        begins.dedup();
        Self {
            told: core.to_owned(),
            space: told[core.len()..].to_owned(),
            begins,
            held: Some(String::new()),
        }
    }

    /// What of `text` the caller may see; what is not yet decided comes with a later piece.
    pub(super) fn push(&mut self, text: &str) -> String {
        let Some(mut held) = self.held.take() else { return text.to_owned() };
        held.push_str(text);
        match self.decide(&held) {
            Decided::Skip(bytes) => held.split_off(bytes),
            Decided::No => {
                self.held = Some(held);
                String::new()
            }
        }
    }

    /// What is held back, as far as it repeats nothing: no more comes.
    pub(super) fn finish(self) -> String {
        let Some(held) = &self.held else { return String::new() };
        held[self.repeated(held)..].to_owned()
    }

    fn decide(&self, held: &str) -> Decided {
        let words = held.trim_start();
        let may_grow = |begin: &usize| {
            let end = &self.told[*begin..];
            // The space behind it may still repeat the space that was told.
            end.len() > words.len() && end.starts_with(words)
                || !self.space.is_empty()
                    && words.strip_prefix(end).is_some_and(|rest| self.space.starts_with(rest))
        };
        if words.is_empty() || self.begins.iter().any(may_grow) {
            return Decided::No;
        }
        Decided::Skip(self.repeated(held))
    }

    /// How many bytes of `held` were told already.
    fn repeated(&self, held: &str) -> usize {
        let words = held.trim_start();
        let longest =
            self.begins.iter().map(|begin| &self.told[*begin..]).find(|end| words.starts_with(*end));
        let before = match longest {
            Some(end) => held.len() - words.len() + end.len(),
            None => 0,
        };
        before + common_prefix(&held[before..], &self.space)
    }
}

fn begins_word(text: &str, at: usize) -> bool {
    let before = text[..at].chars().next_back();
    let here = text[at..].chars().next();
    !(before.is_some_and(char::is_alphanumeric) && here.is_some_and(char::is_alphanumeric))
}

fn common_prefix(a: &str, b: &str) -> usize {
    a.char_indices().zip(b.chars()).take_while(|((_, a), b)| a == b).map(|((_, a), _)| a.len_utf8()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joined(told: &str, pieces: &[&str], was_asked_to: bool) -> String {
        let mut overlap = Overlap::new(told, was_asked_to);
        let mut text = told.to_owned();
        for piece in pieces {
            text.push_str(&overlap.push(piece));
        }
        text + &overlap.finish()
    }

    #[test]
    fn words_that_were_told_are_not_told_again() {
        for (told, said, expected) in [
            ("The quick brown", "The quick brown fox", "The quick brown fox"),
            ("The quick brown", "quick brown fox", "The quick brown fox"),
            ("The quick brown", " brown fox", "The quick brown fox"),
            ("The quick bro", "brown fox", "The quick brown fox"),
            ("The quick brown", " fox", "The quick brown fox"),
            ("One.\n\n", "\n\nTwo.", "One.\n\nTwo."),
            ("One.\n\n", "One.\n\nTwo.", "One.\n\nTwo."),
            ("One.\n\n", "Two.", "One.\n\nTwo."),
            ("Der Zug fährt über die Brü", "über die Brücke", "Der Zug fährt über die Brücke"),
            (
                "日本語の長い文章をここで書いて",
                "長い文章をここで書いています",
                "日本語の長い文章をここで書いています",
            ),
            ("The end", "", "The end"),
        ] {
            assert_eq!(joined(told, &[said], true), expected, "{told:?} + {said:?}");
        }
    }

    #[test]
    fn a_chance_likeness_is_none_where_the_model_goes_on_from_the_text_itself() {
        assert_eq!(joined("He had", &[" had enough"], false), "He had had enough");
        // A provider that repeats the whole beginning does so exactly.
        let told = "A long beginning of an answer";
        assert_eq!(
            joined(told, &[told, " that goes on"], false),
            "A long beginning of an answer that goes on"
        );
        assert_eq!(joined("I", &["I am"], false), "I am");
    }

    #[test]
    fn nothing_waits_longer_than_it_has_to() {
        let mut overlap = Overlap::new("The quick brown", true);
        assert_eq!(overlap.push("qui"), "");
        assert_eq!(overlap.push("et"), "quiet");
        assert_eq!(overlap.push(" brown"), " brown");
    }

    #[test]
    fn an_anchor_is_whole_words_of_the_last_line() {
        assert_eq!(anchor("one two three four", 9), "four");
        assert_eq!(anchor("one two three four ", 11), "three four");
        assert_eq!(anchor("first line\nsecond", 48), "second");
        assert_eq!(anchor("short", 48), "short");
        assert_eq!(anchor("", 48), "");
    }

    proptest! {
        /// However the pieces fall, and however much is repeated from the beginning of a word, the text
        /// is the one that was meant.
        #[test]
        fn any_repetition_is_taken_off_however_it_is_cut(
            words in prop::collection::vec("[a-z]{3,9}", 4..30),
            stop in 0.2..0.9_f64,
            back in 0..12_usize,
            piece in 1..7_usize,
        ) {
            // Words that differ, so that only the true repetition is one.
            let words: Vec<String> = words.iter().enumerate().map(|(at, word)| format!("{word}{at}")).collect();
            let cut = (((words.len() as f64) * stop) as usize).max(1);
            let told = words[..cut].join(" ");
            let said = words[cut.saturating_sub(back.min(cut))..].join(" ");
            let said = if back == 0 { format!(" {said}") } else { said };
            let pieces: Vec<String> =
                said.chars().collect::<Vec<_>>().chunks(piece).map(|piece| piece.iter().collect()).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert_eq!(joined(&told, &pieces, true), words.join(" "));
        }
    }
}
