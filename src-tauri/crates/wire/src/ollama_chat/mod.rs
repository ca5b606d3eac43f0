//! Ollama's own chat API.

pub mod client;
pub mod types;

/// The family's name, as in the corpus; keys its extensions and opaque parts.
pub(crate) const FAMILY: &str = "ollama-chat";
