//! What kind of task a request is: local, cheap, and only as clever as it can be sure of.
//!
//! It looks at what a request is like, never at what it means: length, turns, tools, images, a
//! schema, code, whether thinking was asked for. A client that knows better says so with a label.

use serde::{Deserialize, Serialize};

/// How much a task asks of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Simple,
    Standard,
    Complex,
}

impl Class {
    pub const ALL: [Self; 3] = [Self::Simple, Self::Standard, Self::Complex];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Standard => "standard",
            Self::Complex => "complex",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

/// What a request is like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traits {
    pub input_tokens: u64,
    pub messages: u32,
    /// Tools that the model may call.
    pub tools: u32,
    pub images: bool,
    /// The answer has to be JSON of a given form.
    pub schema: bool,
    /// The last message holds code.
    pub code: bool,
    /// Thinking was asked for.
    pub reasoning: bool,
    /// What the client says it is.
    pub label: Option<Class>,
}

/// From here on a request is long, however plain: a file or two, a long conversation.
const LONG: u64 = 16_000;
/// Code of this length is more than a snippet.
const LONG_CODE: u64 = 2_000;
/// Up to here it is a question and an answer: a title, a translation of a sentence.
const SHORT: u64 = 600;
/// Agents bring a dozen tools and more; a program that calls a model brings one or two.
const MANY_TOOLS: u32 = 8;
/// Turns of a conversation that is still a short one.
const FEW_MESSAGES: u32 = 4;

/// The class, and why, as a part of a sentence. The first that applies counts.
pub fn classify(traits: &Traits) -> (Class, &'static str) {
    let &Traits { input_tokens, messages, tools, images, schema, code, reasoning, label } = traits;
    match label {
        Some(label) => (label, "the client says so"),
        None if reasoning => (Class::Complex, "thinking was asked for"),
        None if tools >= MANY_TOOLS => (Class::Complex, "it brings many tools"),
        None if input_tokens >= LONG => (Class::Complex, "it is long"),
        None if code && input_tokens >= LONG_CODE => (Class::Complex, "it holds much code"),
        None if code => (Class::Standard, "it holds code"),
        None if tools > 0 => (Class::Standard, "it brings tools"),
        None if images => (Class::Standard, "it holds images"),
        None if schema => (Class::Standard, "its answer has a form"),
        None if messages > FEW_MESSAGES => (Class::Standard, "the conversation goes on"),
        None if input_tokens > SHORT => (Class::Standard, "it is of middling length"),
        None => (Class::Simple, "it is short and plain"),
    }
}

/// Of a text's beginning and end, so much is looked at.
const LOOKED_AT: usize = 4_096;
/// Lines that look like code, before a text does.
const CODE_LINES: usize = 4;

/// Whether `text` holds code: a fenced block, a diff, or several lines of it among few others.
/// Looks at the first and the last 4 kB.
pub fn looks_like_code(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (head, tail) = if bytes.len() <= 2 * LOOKED_AT {
        (bytes, &bytes[..0])
    } else {
        (&bytes[..LOOKED_AT], &bytes[bytes.len() - LOOKED_AT..])
    };
    let (mut code, mut all) = (0, 0);
    for line in head.split(|byte| *byte == b'\n').chain(tail.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.starts_with(b"```") || line.starts_with(b"diff --git ") || line.starts_with(b"@@ -") {
            return true;
        }
        all += usize::from(!line.is_empty());
        code += usize::from(is_code(line));
    }
    // A list of addresses ends in brackets too, now and then; in code a third of the lines does.
    code >= CODE_LINES && code * 3 >= all
}

/// Beginnings of lines that prose does not have.
const KEYWORDS: [&[u8]; 21] = [
    b"fn ",
    b"pub ",
    b"def ",
    b"class ",
    b"import ",
    b"#include",
    b"const ",
    b"let ",
    b"var ",
    b"func ",
    b"function ",
    b"return ",
    b"if (",
    b"for (",
    b"while (",
    b"} else",
    b"package ",
    b"using ",
    b"#!/",
    b"SELECT ",
    b"export ",
];

fn is_code(line: &[u8]) -> bool {
    let Some(last) = line.last() else { return false };
    let starts = || KEYWORDS.iter().any(|keyword| line.starts_with(keyword));
    matches!(last, b';' | b'{' | b'}') || line.ends_with(b"):") || line.ends_with(b"=>") || starts()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_what_it_is_like() {
        let plain = Traits { input_tokens: 200, messages: 1, ..Traits::default() };
        for (traits, class, why) in [
            (plain, Class::Simple, "it is short and plain"),
            (Traits { label: Some(Class::Complex), ..plain }, Class::Complex, "the client says so"),
            (
                Traits { label: Some(Class::Simple), reasoning: true, tools: 30, ..plain },
                Class::Simple,
                "the client says so",
            ),
            (Traits { reasoning: true, ..plain }, Class::Complex, "thinking was asked for"),
            (Traits { tools: 1, ..plain }, Class::Standard, "it brings tools"),
            (Traits { tools: 12, ..plain }, Class::Complex, "it brings many tools"),
            (Traits { images: true, ..plain }, Class::Standard, "it holds images"),
            (Traits { schema: true, ..plain }, Class::Standard, "its answer has a form"),
            (Traits { code: true, ..plain }, Class::Standard, "it holds code"),
            (Traits { code: true, input_tokens: 3_000, ..plain }, Class::Complex, "it holds much code"),
            (Traits { input_tokens: 3_000, ..plain }, Class::Standard, "it is of middling length"),
            (Traits { input_tokens: 20_000, ..plain }, Class::Complex, "it is long"),
            (Traits { messages: 9, ..plain }, Class::Standard, "the conversation goes on"),
        ] {
            assert_eq!(classify(&traits), (class, why), "{traits:?}");
        }
    }

    #[test]
    fn names_lead_back_to_their_class() {
        for class in Class::ALL {
            assert_eq!(Class::from_name(class.as_str()), Some(class));
        }
        assert_eq!(Class::from_name("hard"), None);
    }

    #[test]
    fn code_is_told_from_prose() {
        for code in [
            "Why does this fail?\n```\nx\n```",
            "fn main() {\n    let x = 1;\n    println!(\"{x}\");\n}\n",
            "def f(x):\n    return x\n\nclass A(B):\n    import os\n",
            "diff --git a/x b/x\n+1",
            "SELECT a FROM b;\nSELECT c FROM d;\nSELECT e;\nSELECT f;",
        ] {
            assert!(looks_like_code(code), "{code}");
        }
        for prose in [
            "",
            "Translate: good morning; good evening; good night;",
            "Dear all,\n\nlet me begin with thanks.\nIf you can, come.\nFor those who cannot: write.\n",
            "Class struggle is a term.\nImport duties are another.\nReturn to sender.\nVariables vary.",
        ] {
            assert!(!looks_like_code(prose), "{prose}");
        }
        // In the middle of a long text it is not looked for.
        let long = format!("{}\n```\n{}", "word ".repeat(2_000), "word ".repeat(2_000));
        assert!(!looks_like_code(&long));
        assert!(looks_like_code(&format!("{}\n```\nx\n```", "word ".repeat(2_000))));
    }

    proptest! {
        /// More of anything never makes a task easier.
        #[test]
        fn more_is_never_easier(
            input_tokens in 0..40_000_u64,
            messages in 0..20_u32,
            tools in 0..20_u32,
            flags in prop::array::uniform4(any::<bool>()),
            more in 0..10_000_u64,
        ) {
            let [images, schema, code, reasoning] = flags;
            let traits = Traits { input_tokens, messages, tools, images, schema, code, reasoning, label: None };
            let class = classify(&traits).0;
            for harder in [
                Traits { input_tokens: input_tokens + more, ..traits },
                Traits { tools: tools + 1, ..traits },
                Traits { messages: messages + 1, ..traits },
                Traits { code: true, ..traits },
                Traits { schema: true, ..traits },
                Traits { images: true, ..traits },
                Traits { reasoning: true, ..traits },
            ] {
                prop_assert!(classify(&harder).0 >= class, "{traits:?} {harder:?}");
            }
        }

        #[test]
        fn any_text_can_be_looked_at(text in "\\PC{0,9000}") {
            let _ = looks_like_code(&text);
        }
    }
}
