//! The words of an answer, made from the words of the prompt.

use std::fmt::Write as _;

use crate::drill::Drill;

/// Said once at the beginning of a chat: nobody should take these words for a model's.
pub const NOTICE: &str =
    "*This is a rehearsal: these words are made on this computer from yours, and no provider was asked.*";

/// What a prompt is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// A phrase of the prompt, without the words that only ask.
    pub topic: String,
    /// Its telling words, in their order, each once; never empty.
    pub keywords: Vec<String>,
}

const ASKING: &[&str] = &[
    "please",
    "can you",
    "could you",
    "would you",
    "write me",
    "write",
    "give me",
    "show me",
    "tell me about",
    "tell me",
    "explain to me",
    "explain",
    "describe",
    "what is",
    "what are",
    "what's",
    "why is",
    "why are",
    "why do",
    "why does",
    "who is",
    "how do i",
    "how do you",
    "how does",
    "how to",
    "list",
    "compare",
    "make",
    "create",
    "draw",
    "summarise",
    "summarize",
    "a",
    "an",
    "the",
    "me",
    "some",
    "about",
    "of",
];

const COMMON: &[&str] = &[
    "about", "after", "also", "and", "answer", "are", "between", "can", "code", "compare", "diagram", "draw",
    "could", "describe", "does", "each", "explain", "five", "for", "four", "from", "function", "give",
    "have", "how", "into", "list", "make", "please", "program", "script", "short", "show", "some", "table",
    "tell", "that", "the", "their", "them", "then", "there", "these", "they", "this", "three", "two", "use",
    "using", "very", "what", "when", "where", "which", "who", "why", "will", "with", "would", "write", "you",
    "your",
];

impl Subject {
    pub fn of(prompt: &str) -> Self {
        let first = prompt.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let sentence = first.split(['.', '?', '!']).next().unwrap_or_default().trim();
        let topic = shorten(without_asking(sentence), 60);
        let mut keywords: Vec<String> = Vec::new();
        for word in prompt.split(|letter: char| !letter.is_alphanumeric() && letter != '-') {
            let lower = word.to_lowercase();
            let is_telling = word.chars().count() > 2 && !COMMON.contains(&lower.as_str());
            if is_telling && !keywords.iter().any(|known| known.to_lowercase() == lower) {
                keywords.push(word.to_owned());
            }
            if keywords.len() == 8 {
                break;
            }
        }
        if keywords.is_empty() {
            keywords.push("rehearsal".to_owned());
        }
        let topic = if topic.is_empty() { keywords[0].clone() } else { topic };
        Self { topic, keywords }
    }

    /// The keyword at `index`; where the prompt has fewer, what there is to say of any subject.
    fn keyword(&self, index: usize) -> &str {
        const ANY: [&str; 3] = ["the aim", "the rest", "the detail"];
        self.keywords.get(index).map_or(ANY[index % ANY.len()], String::as_str)
    }
}

fn without_asking(sentence: &str) -> &str {
    let mut rest = sentence.trim();
    loop {
        let next = ASKING.iter().find_map(|phrase| {
            let head = rest.get(..phrase.len())?;
            let tail = &rest[phrase.len()..];
            (head.eq_ignore_ascii_case(phrase) && tail.starts_with([' ', ',']))
                .then(|| tail.trim_start_matches([' ', ',']))
        });
        match next {
            Some(shorter) => rest = shorter,
            None => return rest,
        }
    }
}

/// At most `limit` characters, ending with a whole word where there is one.
fn shorten(text: &str, limit: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(limit) else { return text.to_owned() };
    let head = &text[..end];
    head.rsplit_once(' ').map_or(head, |(words, _)| words).to_owned()
}

/// What kind of answer a prompt asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Greeting,
    Code,
    Table,
    List,
    Formula,
    Diagram,
    Essay,
}

impl Shape {
    pub fn of(prompt: &str) -> Self {
        let lower = prompt.to_lowercase();
        let words: Vec<_> = lower.split(|letter: char| !letter.is_alphanumeric()).collect();
        let has = |known: &[&str]| words.iter().any(|word| known.contains(word));
        if has(&["diagram", "flowchart", "mermaid"]) {
            Self::Diagram
        } else if has(&["table", "compare", "comparison", "versus", "vs"]) {
            Self::Table
        } else if has(&[
            "code",
            "function",
            "script",
            "program",
            "snippet",
            "class",
            "query",
            "implement",
            "regex",
        ]) {
            Self::Code
        } else if has(&["formula", "equation", "integral", "derivative", "latex"]) {
            Self::Formula
        } else if has(&["list", "steps", "ideas", "tips", "checklist", "examples", "bullet", "bullets"]) {
            Self::List
        } else if words.len() <= 6 && has(&["hello", "hi", "hey", "moin", "hallo", "greetings"]) {
            Self::Greeting
        } else {
            Self::Essay
        }
    }
}

/// The answer to `prompt`. `is_first` says whether it opens its chat, `seed` picks among phrasings.
pub fn answer(prompt: &str, is_first: bool, seed: u64) -> String {
    let subject = Subject::of(prompt);
    let body = match Shape::of(prompt) {
        Shape::Greeting => greeting(),
        Shape::Code => code(prompt, &subject),
        Shape::Table => table(&subject),
        Shape::List => list(&subject),
        Shape::Formula => formula(&subject),
        Shape::Diagram => diagram(&subject),
        Shape::Essay => essay(&subject, seed),
    };
    if is_first { format!("{NOTICE}\n\n{body}") } else { body }
}

fn greeting() -> String {
    "Hello. I am the rehearsal: I stand in until you add a provider with a key under Settings.\n\n\
     Ask me for an essay, a list, a table, code, a formula or a diagram and I write one from your words. \
     `/drill` on a line of its own shows how I can fail on request."
        .to_owned()
}

fn essay(subject: &Subject, seed: u64) -> String {
    let topic = &subject.topic;
    let openings = [
        format!("There are two ways into **{topic}**: from its details, or from what it is for."),
        format!("Whoever asks about **{topic}** usually wants to decide something."),
        format!("**{topic}** is easier to see whole than it looks at first."),
    ];
    let turns = [
        "That is less a matter of rules than of order: first what cannot be changed, then what can.",
        "It helps to say first what would count as an answer, and only then to look for one.",
        "Most disagreements about it turn out to be about words, and end when an example is on the table.",
    ];
    let opening = &openings[(seed % 3) as usize];
    let turn = turns[(seed / 3 % 3) as usize];
    let (one, two, three) = (subject.keyword(0), subject.keyword(1), subject.keyword(2));
    format!(
        "{opening} {turn}\n\n\
         Begin with *{one}*. It is the part that everything else leans on, and the one that people skip because \
         it seems obvious. Written down in a sentence, it either holds or shows where it does not.\n\n\
         Then comes *{two}*, which changes more often. Small steps serve here: change one thing, look, keep what \
         was better. What is left of *{three}* after that is mostly a matter of taste, and can wait.\n\n\
         A model would go on from here with facts. The rehearsal has none, and ends."
    )
}

fn list(subject: &Subject) -> String {
    let (one, two, three) = (subject.keyword(0), subject.keyword(1), subject.keyword(2));
    format!(
        "On **{}**, in order:\n\n\
         1. **Name the aim.** One sentence on what *{one}* is to achieve.\n\
         2. **Gather what is there.** Notes, numbers and everything on *{two}*.\n\
         3. **Try the smallest thing.** It shows in an hour what a plan hides for a week.\n\
         4. **Look at the result** and compare:\n   - what was expected of *{three}*,\n   - what happened.\n\
         5. **Keep or drop it**, and write down why.\n",
        subject.topic
    )
}

fn table(subject: &Subject) -> String {
    let mut out = format!(
        "**{}**, side by side:\n\n| | Strength | Weakness | Effort |\n|---|---|---|---:|\n",
        subject.topic
    );
    let strengths = ["quick to begin", "well understood", "scales far", "pleasant to use"];
    let weaknesses = ["needs care later", "slow to change", "costly at first", "hard to measure"];
    for (index, keyword) in subject.keywords.iter().take(4).enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| **{keyword}** | {} | {} | {} h |",
            strengths[index],
            weaknesses[index],
            2 + 3 * index
        );
    }
    out.push_str("\nThe hours are invented: this is a rehearsal, and only the table is real.\n");
    out
}

fn formula(subject: &Subject) -> String {
    format!(
        "For **{}** this is the shape that such answers have. Inline, $a^2 + b^2 = c^2$, and on its own line:\n\n\
         $$\n\\int_0^\\infty e^{{-x^2}}\\,dx = \\frac{{\\sqrt{{\\pi}}}}{{2}}\n$$\n\n\
         Both are true, whatever you asked.\n",
        subject.topic
    )
}

fn diagram(subject: &Subject) -> String {
    let (one, two, three) = (subject.keyword(0), subject.keyword(1), subject.keyword(2));
    format!(
        "**{}** as a diagram:\n\n```mermaid\nflowchart LR\n  A[{one}] --> B{{{two}}}\n  B -- yes --> C[{three}]\n  \
         B -- no --> A\n```\n",
        subject.topic
    )
}

/// A language by the words that ask for it, and a function in it.
struct Language {
    name: &'static str,
    words: &'static [&'static str],
    fence: &'static str,
    template: &'static str,
}

/// `NAME` becomes the function's name; the first language is the one where none is named.
const LANGUAGES: &[Language] = &[
    Language {
        name: "Python",
        words: &["python", "py"],
        fence: "python",
        template: "def NAME(items: list[str]) -> dict[str, int]:\n    \"\"\"Count how often each item occurs.\"\"\"\n    \
                   counts: dict[str, int] = {}\n    for item in items:\n        counts[item] = counts.get(item, 0) + 1\n    \
                   return counts\n\n\nif __name__ == \"__main__\":\n    print(NAME([\"a\", \"b\", \"a\"]))  # {'a': 2, 'b': 1}\n",
    },
    Language {
        name: "Rust",
        words: &["rust"],
        fence: "rust",
        template: "use std::collections::BTreeMap;\n\n/// Counts how often each item occurs.\npub fn NAME<'a>(items: &[&'a str]) \
                   -> BTreeMap<&'a str, usize> {\n    let mut counts = BTreeMap::new();\n    for item in items {\n        \
                   *counts.entry(*item).or_insert(0) += 1;\n    }\n    counts\n}\n",
    },
    Language {
        name: "TypeScript",
        words: &["typescript", "ts"],
        fence: "typescript",
        template: "/** Counts how often each item occurs. */\nexport function NAME(items: readonly string[]): Map<string, number> \
                   {\n  const counts = new Map<string, number>();\n  for (const item of items) {\n    counts.set(item, \
                   (counts.get(item) ?? 0) + 1);\n  }\n  return counts;\n}\n",
    },
    Language {
        name: "JavaScript",
        words: &["javascript", "js", "node"],
        fence: "javascript",
        template: "/** Counts how often each item occurs. */\nexport function NAME(items) {\n  const counts = new Map();\n  for \
                   (const item of items) {\n    counts.set(item, (counts.get(item) ?? 0) + 1);\n  }\n  return counts;\n}\n",
    },
    Language {
        name: "Go",
        words: &["go", "golang"],
        fence: "go",
        template: "// NAME counts how often each item occurs.\nfunc NAME(items []string) map[string]int {\n\tcounts := \
                   make(map[string]int)\n\tfor _, item := range items {\n\t\tcounts[item]++\n\t}\n\treturn counts\n}\n",
    },
    Language {
        name: "SQL",
        words: &["sql", "query"],
        fence: "sql",
        template: "SELECT item, count(*) AS occurrences\nFROM NAME\nGROUP BY item\nORDER BY occurrences DESC;\n",
    },
    Language {
        name: "shell script",
        words: &["bash", "shell", "sh"],
        fence: "bash",
        template: "# Counts how often each line of a file occurs.\nNAME() {\n  sort -- \"$1\" | uniq -c | sort -rn\n}\n",
    },
];

fn code(prompt: &str, subject: &Subject) -> String {
    let lower = prompt.to_lowercase();
    let words: Vec<_> = lower.split(|letter: char| !letter.is_alphanumeric()).collect();
    let language = LANGUAGES
        .iter()
        .find(|language| language.words.iter().any(|word| words.contains(word)))
        .unwrap_or(&LANGUAGES[0]);
    let name: Vec<_> = subject
        .keywords
        .iter()
        .map(|word| word.to_lowercase().replace('-', "_"))
        .filter(|word| !language.words.contains(&word.as_str()))
        .filter(|word| word.is_ascii() && !word.starts_with(|letter: char| letter.is_ascii_digit()))
        .take(2)
        .collect();
    let name = if name.is_empty() { "rehearse".to_owned() } else { name.join("_") };
    let program = language.template.replace("NAME", &name);
    format!(
        "Here is a small piece of {} under the name that you would look for:\n\n```{}\n{program}```\n\n\
         It runs as it stands. It counts, whatever you asked for: the rehearsal knows only this one.\n",
        language.name, language.fence
    )
}

/// About `words` words in sections, for seeing how a long answer behaves.
pub fn long(prompt: &str, words: u64) -> String {
    let subject = Subject::of(prompt);
    let mut out = format!("{NOTICE}\n\n# {}\n\n", subject.topic);
    let mut written = 0;
    let mut section = 0;
    while written < words {
        let _ = write!(out, "## {}. {}\n\n", section + 1, subject.keyword(section));
        let body = match section % 4 {
            1 => list(&subject),
            2 => code("", &subject),
            3 => table(&subject),
            _ => essay(&subject, section as u64),
        };
        written += body.split_whitespace().count() as u64;
        out.push_str(&body);
        out.push_str("\n\n");
        section += 1;
    }
    out
}

/// What the thinking model thinks before it answers.
pub fn thoughts(prompt: &str) -> String {
    let subject = Subject::of(prompt);
    let shape = match Shape::of(prompt) {
        Shape::Greeting => "a greeting, so a short answer is right",
        Shape::Code => "code, so a block with a sentence before and after it",
        Shape::Table => "a comparison, so a table",
        Shape::List => "steps, so a numbered list",
        Shape::Formula => "a formula",
        Shape::Diagram => "a diagram",
        Shape::Essay => "an explanation, so a few paragraphs",
    };
    format!(
        "The question is about {}. It asks for {shape}. The telling words are {}. I have no facts of my own, so the \
         answer should use these words, keep its shape, and say plainly that it is a rehearsal.",
        subject.topic,
        subject.keywords.join(", ")
    )
}

/// What is said of pictures, which a rehearsal cannot see.
pub fn pictures(images: &[String]) -> String {
    let kinds = images.join(", ");
    let count = match images.len() {
        1 => "one picture".to_owned(),
        many => format!("{many} pictures"),
    };
    format!(
        "{NOTICE}\n\nYour message came with {count} ({kinds}). A model that sees would describe what is there; the \
         rehearsal can only say that it arrived whole."
    )
}

/// What is said when tools have answered.
pub fn tool_results(results: &[(String, String)]) -> String {
    let mut out = String::from("The tools have answered:\n\n");
    for (name, result) in results {
        let _ = writeln!(out, "- **{name}**: {}", shorten(&result.replace('\n', " "), 200));
    }
    out.push_str("\nA model would now put this into words of its own.\n");
    out
}

/// The list of drills.
pub fn drills(word: &str) -> String {
    let mut out = match word {
        "" | "help" => {
            String::from("A line with `/drill` and one of these words makes the rehearsal misbehave:\n\n")
        }
        _ => format!("There is no drill \"{}\". There are these:\n\n", shorten(word, 40)),
    };
    for drill in Drill::ALL {
        let _ = writeln!(out, "- `/drill {}`: {}", drill.word(), drill.summary());
    }
    out.push_str("\nEach is also a model, `rehearsal/drill-…`, for use in routes.\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_is_the_prompt_without_its_asking_words() {
        let topic = |prompt| Subject::of(prompt).topic;
        assert_eq!(topic("Please explain the history of tea. Be brief."), "history of tea");
        assert_eq!(topic("Write me a poem about rain"), "poem about rain");
        assert_eq!(topic(""), "rehearsal");
        assert_eq!(topic("日本語で説明してください"), "日本語で説明してください");
    }

    #[test]
    fn an_answer_has_the_shape_that_was_asked_for() {
        assert!(answer("Write a rust function that parses dates", true, 0).contains("```rust\n"));
        assert!(answer("Compare cats and dogs", true, 0).contains("|---|"));
        assert!(answer("List five ideas for a garden", true, 0).contains("\n1. "));
        assert!(answer("Draw a flowchart of tea", true, 0).contains("```mermaid\n"));
        assert!(answer("Show me the formula of circles", true, 0).contains("$$"));
        assert!(answer("Why do leaves fall?", true, 0).contains("*leaves*"));
    }

    #[test]
    fn every_template_closes_its_fences() {
        for prompt in
            ["code in go", "sql query", "bash script", "typescript code", "javascript code", "python code"]
        {
            assert_eq!(answer(prompt, false, 0).matches("```").count(), 2, "{prompt}");
        }
    }

    #[test]
    fn a_chat_opens_by_saying_that_it_is_a_rehearsal() {
        assert!(answer("Why do leaves fall?", true, 1).starts_with(NOTICE));
        assert!(answer("Hello there", false, 1).contains("rehearsal"));
    }

    #[test]
    fn a_long_answer_is_as_long_as_asked() {
        let words = long("The history of tea", 4000).split_whitespace().count();
        assert!((4000..4500).contains(&words), "{words}");
    }
}
