//! What a check says, and what a repair did.

use std::fmt;

/// Bytes of a name or a path that a message repeats; a model can make them as long as it likes.
const SHOWN_BYTES: usize = 120;

/// What became of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    /// Nothing to check against: a tool that the provider runs, or one that only its family knows.
    Unchecked,
    Failed(Failure),
}

impl Verdict {
    pub fn failure(self) -> Option<Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Ok | Self::Unchecked => None,
        }
    }
}

/// What is wrong with a call or a text. `Display` names places and never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The request has no tool of that name.
    UnknownTool { name: String, nearest: Option<String> },
    /// No JSON; `at` is the byte where reading stopped.
    InvalidJson { at: usize },
    /// JSON that the schema refuses. `path` is a JSON pointer, empty for the whole.
    SchemaMismatch { path: String, message: String },
    /// The answer ended at its limit of tokens in the middle of this call: the limit is wrong, not the
    /// model, and asking again would only end there again.
    CutOff,
}

impl Failure {
    /// The name under which it is counted.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::UnknownTool { .. } => "unknown_tool",
            Self::InvalidJson { .. } => "invalid_json",
            Self::SchemaMismatch { .. } => "schema_mismatch",
            Self::CutOff => "cut_off",
        }
    }

    /// Where in the arguments, where that can be said.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::SchemaMismatch { path, .. } => Some(path),
            Self::UnknownTool { .. } | Self::InvalidJson { .. } | Self::CutOff => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTool { name, nearest: None } => write!(f, "There is no tool `{}`.", shown(name)),
            Self::UnknownTool { name, nearest: Some(nearest) } => {
                write!(f, "There is no tool `{}`; the nearest is `{}`.", shown(name), shown(nearest))
            }
            Self::InvalidJson { at } => write!(f, "This is not JSON from byte {at} on."),
            Self::SchemaMismatch { path, message } if path.is_empty() => write!(f, "The whole {message}."),
            Self::SchemaMismatch { path, message } => write!(f, "`{}` {message}.", shown(path)),
            Self::CutOff => write!(
                f,
                "The limit of output tokens cut it off: a higher one (`max_tokens`) leaves room for it."
            ),
        }
    }
}

/// The beginning of a name that is too long to be repeated.
pub(crate) fn shown(name: &str) -> String {
    let mut end = name.len().min(SHOWN_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let more = if end < name.len() { "…" } else { "" };
    let kept: String = name[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{kept}{more}")
}

/// One repair, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Note {
    ToolName,
    CodeFence,
    TextAround,
    RepeatedValue,
    TrailingComma,
    Quotes,
    BareKey,
    Literal,
    ControlCharacter,
    Brackets,
    EncodedTwice,
    Wrapped,
    ToNumber,
    ToBoolean,
    ToText,
    ToList,
    EnumCase,
    NullRemoved,
}

impl Note {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ToolName => "tool_name",
            Self::CodeFence => "code_fence",
            Self::TextAround => "text_around",
            Self::RepeatedValue => "repeated_value",
            Self::TrailingComma => "trailing_comma",
            Self::Quotes => "quotes",
            Self::BareKey => "bare_key",
            Self::Literal => "literal",
            Self::ControlCharacter => "control_character",
            Self::Brackets => "brackets",
            Self::EncodedTwice => "encoded_twice",
            Self::Wrapped => "wrapped",
            Self::ToNumber => "to_number",
            Self::ToBoolean => "to_boolean",
            Self::ToText => "to_text",
            Self::ToList => "to_list",
            Self::EnumCase => "enum_case",
            Self::NullRemoved => "null_removed",
        }
    }
}

/// A call or a text that passes its check after a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// The tool's name; for a text, empty.
    pub name: String,
    /// The arguments, or the text.
    pub text: String,
    /// What was done, each once.
    pub notes: Vec<Note>,
}
