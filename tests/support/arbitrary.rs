//! Requests and answers made up at random, for round trips of every family.
//!
//! [`Says`] names what a family has words for; what it cannot say is not made up. What a family says
//! in a narrower way still (a budget of thinking below the limit, say) its own test maps.

mod answers;
mod parts;
mod requests;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

pub use answers::{Finish, Finishes, mixed_events, response, usage};
pub use requests::request;

/// What a family has words for; by default little but text and calls.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one word that a family has or has not")]
pub struct Says {
    pub image_urls: bool,
    pub image_data: bool,
    /// OpenAI's `detail`.
    pub image_detail: bool,
    /// PDFs as base64.
    pub pdfs: bool,
    pub pdf_urls: bool,
    /// Documents have a name, always.
    pub pdf_names: bool,
    /// Images and documents that were uploaded before.
    pub file_ids: bool,
    pub audio: bool,
    pub developer: bool,
    /// A user's own name.
    pub names: bool,
    pub thoughts: Thoughts,
    /// Calls carry the proof of the thought behind them.
    pub call_signatures: bool,
    /// Several parts of one kind in one answer, in any order.
    pub free_order: bool,
    /// The results of one turn's calls are one message.
    pub results_together: bool,
    pub result_names: bool,
    /// Results of several texts.
    pub result_parts: bool,
    /// Images in results.
    pub result_images: bool,
    /// Results that say nothing at all.
    pub empty_results: bool,
    pub result_errors: bool,
    pub refusals: bool,
    pub choice_count: bool,
    pub seed: bool,
    pub penalties: bool,
    pub top_k: bool,
    pub stop: bool,
    pub parallel_tool_calls: bool,
    pub strict_tools: bool,
    pub json_object: bool,
    pub json_schema: bool,
    /// A schema's name, description and strictness.
    pub schema_names: bool,
    pub user: bool,
    pub effort: bool,
    pub budget: bool,
    /// An answer says when it was made.
    pub created: bool,
    pub system_fingerprint: bool,
}

/// How a family says what a model thought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Thoughts {
    #[default]
    None,
    Text,
    /// Text with a signature, always.
    Signed,
    /// Signed, or encrypted and without text.
    SignedOrEncrypted,
}

/// Words that no wire trims, splits or takes for something else.
pub fn text() -> BoxedStrategy<String> {
    "[a-zé][a-z0-9 ü\"\\\\\n]{0,16}[.!?😀]".boxed()
}

fn word() -> BoxedStrategy<String> {
    "[a-z][a-z0-9_]{0,8}".boxed()
}

/// Standard base64 with padding.
fn base64() -> BoxedStrategy<String> {
    use base64::Engine as _;
    vec(any::<u8>(), 1..12).prop_map(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes)).boxed()
}

/// A value as the text of a JSON object, as a wire with structured arguments writes it.
fn arguments() -> BoxedStrategy<String> {
    let value = prop_oneof![
        text().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        vec(word(), 0..3).prop_map(Value::from),
        Just(json!({"deep": {"er": null}})),
    ];
    proptest::collection::btree_map(word(), value, 0..3)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()).to_string())
        .boxed()
}

fn one_of<T: std::fmt::Debug + Clone + 'static>(options: Vec<BoxedStrategy<T>>) -> BoxedStrategy<T> {
    proptest::strategy::Union::new(options).boxed()
}

/// A value where the family has a word for it, and sometimes none.
fn maybe<T: std::fmt::Debug + Clone + 'static>(
    has_word: bool,
    value: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Option<T>> {
    if has_word { option::of(value).boxed() } else { Just(None).boxed() }
}
