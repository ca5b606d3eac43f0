//! Anthropic's Messages.

pub mod client;
pub mod types;
