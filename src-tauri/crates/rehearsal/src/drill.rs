//! Misbehaviour on request: each way in which real providers fail, under a name.
//!
//! A line `/drill stall` in the last message asks for one, and so does the model `drill-stall`,
//! which lets a route meet it without touching the prompt.

/// One way to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Drill {
    SlowStart,
    Stall,
    RateLimited,
    ServerErrorInHtml,
    Malformed,
    Cut,
    Empty,
    Safety,
    ErrorInBand,
    Overloaded,
    WrongKey,
    Length,
    Long,
    Tool,
    ParallelTools,
}

impl Drill {
    pub const ALL: &'static [Self] = &[
        Self::SlowStart,
        Self::Stall,
        Self::RateLimited,
        Self::ServerErrorInHtml,
        Self::Malformed,
        Self::Cut,
        Self::Empty,
        Self::Safety,
        Self::ErrorInBand,
        Self::Overloaded,
        Self::WrongKey,
        Self::Length,
        Self::Long,
        Self::Tool,
        Self::ParallelTools,
    ];

    /// The word after `/drill`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SlowStart => "slow-start",
            Self::Stall => "stall",
            Self::RateLimited => "429",
            Self::ServerErrorInHtml => "500-html",
            Self::Malformed => "malformed",
            Self::Cut => "cut",
            Self::Empty => "empty",
            Self::Safety => "safety",
            Self::ErrorInBand => "error-in-stream",
            Self::Overloaded => "503",
            Self::WrongKey => "401",
            Self::Length => "length",
            Self::Long => "long",
            Self::Tool => "tool",
            Self::ParallelTools => "parallel-tools",
        }
    }

    /// What happens, for people.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::SlowStart => "nothing comes for 8 seconds (or the number that follows), then the answer",
            Self::Stall => "the answer begins and then says nothing more, with the connection open",
            Self::RateLimited => "429 with `Retry-After` of 2 seconds (or the number that follows)",
            Self::ServerErrorInHtml => "500 with an HTML page, as a proxy would send it",
            Self::Malformed => "one chunk in the middle of the answer is broken JSON",
            Self::Cut => "the connection is cut in the middle of the answer",
            Self::Empty => "an answer without a word in it",
            Self::Safety => "a filter ends the answer after its first words",
            Self::ErrorInBand => "an error object arrives in the middle of the stream",
            Self::Overloaded => "503, overloaded",
            Self::WrongKey => "401, as for a key that was revoked",
            Self::Length => "the answer reaches its limit of tokens in the middle of a sentence",
            Self::Long => "an answer of about 4 000 words (or the number that follows)",
            Self::Tool => "one tool call, with a tool of its own where the request has none",
            Self::ParallelTools => "two tool calls at once",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|drill| drill.word() == word)
    }
}

/// What a message asks for with `/drill`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Drill {
        drill: Drill,
        /// The number after the word, where there is one.
        number: Option<u64>,
    },
    /// `/drill` alone, or with a word that is none.
    Help(String),
}

/// Finds the first line of `text` that begins with `/drill`.
pub fn asked(text: &str) -> Option<Asked> {
    let line = text.lines().map(str::trim).find(|line| is_drill_line(line))?;
    let mut words = line.split_whitespace().skip(1);
    let word = words.next().unwrap_or_default().to_ascii_lowercase();
    let number = words.next().and_then(|word| word.parse().ok());
    Some(Drill::from_word(&word).map_or(Asked::Help(word), |drill| Asked::Drill { drill, number }))
}

/// `text` without its `/drill` lines.
pub fn without_drills(text: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| !is_drill_line(line.trim())).collect();
    lines.join("\n").trim().to_owned()
}

fn is_drill_line(line: &str) -> bool {
    line.strip_prefix("/drill").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_drill_is_found_under_its_own_word_and_no_other() {
        for drill in Drill::ALL {
            assert_eq!(
                asked(&format!("Hello\n/drill {}", drill.word())),
                Some(Asked::Drill { drill: *drill, number: None })
            );
        }
        let words: std::collections::BTreeSet<_> = Drill::ALL.iter().map(|drill| drill.word()).collect();
        assert_eq!(words.len(), Drill::ALL.len());
    }

    #[test]
    fn a_number_may_follow_and_unknown_words_ask_for_help() {
        assert_eq!(asked("/drill 429 7"), Some(Asked::Drill { drill: Drill::RateLimited, number: Some(7) }));
        assert_eq!(asked("/drill dance"), Some(Asked::Help("dance".to_owned())));
        assert_eq!(asked("/drilling for oil"), None);
        assert_eq!(asked("a /drill in the middle of a line"), None);
    }

    #[test]
    fn drill_lines_are_no_part_of_the_prompt() {
        assert_eq!(without_drills("Tell me of tea\n/drill cut\nplease"), "Tell me of tea\nplease");
    }
}
