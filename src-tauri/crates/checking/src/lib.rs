//! Whether a model kept its side: tool calls against the tools it was given, structured output
//! against the format that was asked for.
//!
//! - [`schema`]: JSON Schemas, compiled once and kept; nothing outside of a schema is ever read.
//! - [`tools`]: a request's tools, and a call's verdict.
//! - [`format`](mod@format): a request's response format, and a text's verdict.
//! - [`mend`]: JSON that is nearly right, read as what it plainly means; [`fit`]: values moved
//!   into a schema. Both are bounded, and what they make counts only where it passes the check.
//! - [`fence`]: code fences taken off a text as it streams.
//! - [`answer`]: all of it over a sequence of events, in the mode that the settings say.
//!
//! Findings carry names and paths and never a value: they are logged. Nothing here waits, reads a
//! clock or opens anything.

pub mod answer;
pub mod fence;
pub mod fit;
pub mod format;
pub mod mend;
pub mod schema;
pub mod tools;
mod verdict;

pub use answer::{AnswerCheck, Finding, Mode, Remedy, Report, Subject};
pub use fence::StreamingFence;
pub use format::Format;
pub use schema::{Schema, Schemas};
pub use tools::ToolSet;
pub use verdict::{Failure, Note, Repaired, Verdict};
