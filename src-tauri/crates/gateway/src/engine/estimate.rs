//! Tokens counted here, where a provider reported none: an estimate, and marked as one.
//!
//! The first count reads an encoding's ranks, and a long text takes a while: both on a thread where
//! blocking is allowed, and never before the client has its answer.

use canonical::embedding::EmbeddingInput;
use canonical::{ChatRequest, Content, EmbeddingRequest, Error, ErrorKind, Origin, Part, Usage};
use tokens::Written;

/// What was read and written, as far as it was.
pub(super) async fn answer(request: &ChatRequest, model: &str, written: Written) -> Option<Usage> {
    let (request, model) = (request.clone(), model.to_owned());
    let count = move || Usage {
        input_tokens: tokens::input(&model, &request),
        output_tokens: written.tokens(&model),
        is_estimated: true,
        ..Usage::default()
    };
    tokio::task::spawn_blocking(count).await.ok()
}

/// By how much an estimate may exceed a window and still be sent: a quarter, because that is how far
/// estimates are off where a vendor's own count is not known (`tests/estimates.rs`). A request that
/// is refused wrongly is worse than one that the provider refuses itself.
const MARGIN_PERCENT: u64 = 25;

/// Refuses a request that the model cannot read, before it is sent: the next target may have a
/// larger window. `size_bytes` is what the request weighs; no text has more tokens than bytes, so
/// most requests are not counted at all.
pub(super) async fn fits(
    request: &ChatRequest,
    model: &str,
    size_bytes: usize,
    window: Option<u64>,
) -> Result<(), Error> {
    let Some(window) = window.filter(|window| *window > 0 && size_bytes as u64 > *window) else {
        return Ok(());
    };
    let Some(counted) = self::request(request.clone(), model.to_owned()).await else { return Ok(()) };
    let tokens = counted.input_tokens;
    if tokens <= window.saturating_add(window / 100 * MARGIN_PERCENT) {
        return Ok(());
    }
    let message = format!(
        "The request is about {tokens} tokens long, and \"{model}\" reads {window} at most. It was not sent."
    );
    Err(Error::new(ErrorKind::ContextTooLong, Origin::Caller, message).with_code("context_length_exceeded"))
}

/// What the words of a request weigh, where there is no body to weigh.
pub(super) fn weight(request: &ChatRequest) -> usize {
    request.messages.iter().map(|message| parts_weight(&message.parts)).sum()
}

fn parts_weight(parts: &[Part]) -> usize {
    let weigh = |part: &Part| match &part.content {
        Content::Text(text) | Content::Refusal(text) => text.len(),
        Content::Reasoning(thought) => thought.text.len(),
        Content::ToolCall(call) => call.arguments.len(),
        Content::ToolResult(result) => parts_weight(&result.content),
        Content::Image(_) | Content::Audio(_) | Content::Document(_) | Content::Opaque(_) => 0,
    };
    parts.iter().map(weigh).sum()
}

/// Likewise of texts for vectors; what is cut into tokens already weighs as much as they stand for.
pub(super) fn embedding_weight(request: &EmbeddingRequest) -> usize {
    let weigh = |input: &EmbeddingInput| match input {
        EmbeddingInput::Text(text) => text.len(),
        EmbeddingInput::Tokens(tokens) => tokens.len() * 4,
        EmbeddingInput::Parts(parts) => parts_weight(parts),
    };
    request.inputs.iter().map(weigh).sum()
}

/// What was read to make embeddings of.
pub(super) async fn embeddings(request: &EmbeddingRequest, model: &str) -> Option<Usage> {
    let (inputs, model) = (request.inputs.clone(), model.to_owned());
    let count = move || inputs.iter().map(|input| tokens::embedding_input(&model, input)).sum();
    let input_tokens = tokio::task::spawn_blocking(count).await.ok()?;
    Some(Usage { input_tokens, is_estimated: true, ..Usage::default() })
}

/// What a request would read.
pub(super) async fn request(request: ChatRequest, model: String) -> Option<Usage> {
    let counted = tokio::task::spawn_blocking(move || tokens::input(&model, &request)).await;
    Some(Usage { input_tokens: counted.ok()?, is_estimated: true, ..Usage::default() })
}
