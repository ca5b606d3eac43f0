//! OpenAI's Chat Completions.

use std::convert::identity;

use canonical::{ChatRequest, ChatResponse, FinishReason};
use proptest::prelude::*;
use serde_json::json;
use signalbox_tests::arbitrary::{self, Finishes, Says, Thoughts};
use wire::ProtocolId;

use super::{by_kind, summed_usage};

const PROTOCOL: ProtocolId = ProtocolId::OpenaiChat;

const SAYS: Says = Says {
    image_urls: true,
    image_data: true,
    image_detail: true,
    pdfs: true,
    pdf_urls: false,
    pdf_names: true,
    file_ids: false,
    audio: true,
    developer: true,
    names: true,
    thoughts: Thoughts::Text,
    call_signatures: false,
    free_order: false,
    results_together: false,
    result_names: false,
    result_parts: true,
    result_images: false,
    empty_results: false,
    result_errors: false,
    refusals: true,
    choice_count: true,
    seed: true,
    penalties: true,
    top_k: true,
    stop: true,
    parallel_tool_calls: true,
    strict_tools: true,
    json_object: true,
    json_schema: true,
    schema_names: true,
    user: true,
    effort: true,
    budget: false,
    created: true,
    system_fingerprint: true,
};

const FINISHES: Finishes = Finishes {
    plain: &[
        (FinishReason::Stop, "stop"),
        (FinishReason::Length, "length"),
        (FinishReason::ContentFilter, "content_filter"),
    ],
    calls: (FinishReason::ToolCalls, "tool_calls"),
};

fn requests() -> BoxedStrategy<ChatRequest> {
    // Thoughts are only sent back where a provider's quirks say so.
    arbitrary::request(Says { thoughts: Thoughts::None, ..SAYS })
        .prop_map(|mut request| {
            // Usage is asked of the provider whether or not the client wants to see it.
            request.include_usage = request.stream;
            request
        })
        .boxed()
}

fn responses() -> BoxedStrategy<ChatResponse> {
    arbitrary::response(SAYS, FINISHES, summed_usage())
        .prop_map(|mut response| {
            // OpenRouter's counter of cache writes is kept as it came beside its canonical word.
            let written = response.usage.as_ref().map_or(0, |usage| usage.cache_write_tokens);
            if written > 0 {
                let details = json!({"prompt_tokens_details": {"cache_write_tokens": written}});
                response.extensions.insert(PROTOCOL.as_str(), "usage", details);
            }
            response
        })
        .boxed()
}

come_back_as_they_went_out!(identity, identity, by_kind, by_kind);
