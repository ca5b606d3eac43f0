//! Finish words → one vocabulary.

use canonical::FinishReason;
use serde_json::Value;
use serde_json::value::RawValue;

/// What a finish word means. Sources: the providers' documents and the recorded corpus; a word
/// nobody knows is `Other`, with the raw one beside it.
pub(super) fn reason(word: &str) -> FinishReason {
    match word.to_ascii_lowercase().as_str() {
        "stop" | "eos" | "eos_token" | "end_turn" | "end" | "complete" | "completed" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopSequence,
        // `model_length` is Mistral's word for the end of the context window.
        "length" | "max_tokens" | "max_output_tokens" | "model_length" => FinishReason::Length,
        "tool_calls" | "tool_call" | "tool_use" | "function_call" => FinishReason::ToolCalls,
        // `sensitive` is Z.ai's.
        "content_filter" | "safety" | "sensitive" => FinishReason::ContentFilter,
        "refusal" => FinishReason::Refusal,
        "pause_turn" => FinishReason::Paused,
        // The last two are DeepSeek's and Z.ai's.
        "error" | "insufficient_system_resource" | "network_error" => FinishReason::Error,
        _ => FinishReason::Other,
    }
}

/// The word as text; `None` where the choice is not finished. Snowflake's empty word says nothing.
pub(super) fn word(said: Option<&RawValue>) -> Option<String> {
    match serde_json::from_str(said?.get()).ok()? {
        Value::Null => None,
        Value::String(word) => (!word.is_empty()).then_some(word),
        other => Some(other.to_string()),
    }
}

/// The reason once the whole choice is known: many say `stop` where the client is to run tools.
pub(super) fn normalised(reason: FinishReason, has_client_calls: bool) -> FinishReason {
    match reason {
        FinishReason::Stop | FinishReason::Other if has_client_calls => FinishReason::ToolCalls,
        other => other,
    }
}
