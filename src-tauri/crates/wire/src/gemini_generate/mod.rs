//! Google's generateContent and streamGenerateContent.

pub mod client;
pub mod types;
