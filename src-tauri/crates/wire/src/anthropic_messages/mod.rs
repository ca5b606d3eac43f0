//! Anthropic's Messages.

pub mod client;
mod models;
mod schema;
pub mod server;
pub mod types;

/// The family's name, as in the corpus; keys its extensions and opaque parts.
pub(crate) const FAMILY: &str = "anthropic-messages";
