//! Google's generateContent and streamGenerateContent.

pub mod client;
pub(crate) mod models;
pub mod server;
pub mod types;

use serde_json::{Value, json};

/// The family's name, as in the corpus; keys its extensions and opaque parts.
pub(crate) const FAMILY: &str = "gemini-generate";

/// Begins the names of extensions that stand inside a part's `functionResponse`.
const RESULT_PREFIX: &str = "functionResponse.";

/// Stands in for the signature of a call that another model made, or whose signature a client's
/// protocol could not carry; Google's own word for it.
/// <https://ai.google.dev/gemini-api/docs/thought-signatures>
const UNSIGNED: &str = "skip_thought_signature_validator";

/// What a function gave back, as the object that it must be. One that is keeps its fields; other text
/// goes under `output`, a failure under `error`, as the API's document names them.
fn function_result(text: &str, is_error: bool) -> Value {
    if is_error {
        return json!({ "error": text });
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Value::Object(object),
        _ => json!({ "output": text }),
    }
}
