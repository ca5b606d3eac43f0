//! Tokens counted here, where a provider reported none: an estimate, and marked as one.
//!
//! The first count reads an encoding's ranks, and a long text takes a while: both on a thread where
//! blocking is allowed, and never before the client has its answer.

use canonical::{ChatRequest, EmbeddingRequest, Usage};
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
