//! Google's generateContent and streamGenerateContent.

pub mod client;
pub(crate) mod models;
pub mod types;

/// The family's name, as in the corpus; keys its extensions and opaque parts.
pub(crate) const FAMILY: &str = "gemini-generate";
