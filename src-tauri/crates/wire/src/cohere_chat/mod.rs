//! Cohere's chat, version 2.

pub mod client;
pub mod types;

/// The family's name, as in the corpus; keys its extensions and opaque parts.
pub(crate) const FAMILY: &str = "cohere-chat";
