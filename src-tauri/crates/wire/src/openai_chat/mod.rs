//! OpenAI's Chat Completions, and everyone who says to be compatible with it.

pub mod client;
pub mod server;
pub mod types;

#[cfg(test)]
mod tests;
