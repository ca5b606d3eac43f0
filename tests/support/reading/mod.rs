//! Plain readings of recorded answers: what a person reads off the JSON, written apart from the
//! decoders and with nothing but `serde_json::Value`, for the conformance tests to compare with.

pub mod anthropic_messages;
pub mod at_client;
pub mod bedrock_converse;
pub mod cohere_chat;
pub mod gemini_generate;
pub mod ollama_chat;
pub mod openai_chat;
pub mod openai_responses;
