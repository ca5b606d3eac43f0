//! Amazon Bedrock's Converse: one wire for the models of every maker that Amazon hosts.

pub mod client;
pub mod types;

/// The family's name, as in the corpus; keys its extensions and opaque parts.
pub(crate) const FAMILY: &str = "bedrock-converse";
