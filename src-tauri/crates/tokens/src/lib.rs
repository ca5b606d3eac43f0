//! How many tokens a text is, as good as can be said without asking: for answers whose provider
//! reported nothing, and for clients whose provider does not count.
//!
//! OpenAI's encodings are public and here; other makers' are not, and most are near. What a
//! provider wraps around messages and tools is counted by the figures in [`family`], which were
//! measured on recorded traffic. Never exact: whoever shows a number of these says that it is an
//! estimate.
//!
//! Pure and blocking: the first count reads an encoding's ranks, which takes a part of a second.

mod answer;
mod family;
mod request;
mod text;
mod tools;

pub use answer::Written;
pub use request::{embedding_input, input};
pub use text::{load, text};
