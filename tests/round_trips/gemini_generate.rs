//! Google's generateContent.

use std::convert::identity;

use canonical::request::{Media, MediaSource};
use canonical::{ChatRequest, ChatResponse, Content, FinishReason, Part, Tool, Usage};
use proptest::prelude::*;
use serde_json::Value;
use signalbox_tests::arbitrary::{self, Finishes, Says, Thoughts};
use wire::ProtocolId;

use super::by_kind;

const PROTOCOL: ProtocolId = ProtocolId::GeminiGenerate;

const SAYS: Says = Says {
    image_urls: true,
    image_data: true,
    image_detail: false,
    pdfs: true,
    pdf_urls: true,
    pdf_names: false,
    file_ids: false,
    audio: true,
    developer: false,
    names: false,
    thoughts: Thoughts::Text,
    call_signatures: true,
    free_order: false,
    results_together: true,
    result_names: true,
    result_parts: false,
    result_images: false,
    empty_results: false,
    result_errors: true,
    refusals: false,
    choice_count: true,
    seed: true,
    penalties: true,
    top_k: true,
    stop: true,
    parallel_tool_calls: false,
    strict_tools: false,
    json_object: true,
    json_schema: true,
    schema_names: false,
    user: false,
    // How to say it hangs on the model: see the protocol's own tests.
    effort: false,
    budget: false,
    created: false,
    system_fingerprint: false,
};

const FINISHES: Finishes = Finishes {
    plain: &[
        (FinishReason::Stop, "STOP"),
        (FinishReason::Length, "MAX_TOKENS"),
        (FinishReason::ContentFilter, "PROHIBITED_CONTENT"),
    ],
    calls: (FinishReason::ToolCalls, "STOP"),
};

fn requests() -> BoxedStrategy<ChatRequest> {
    // Thoughts are not wanted back.
    arbitrary::request(Says { thoughts: Thoughts::None, ..SAYS })
        .prop_map(|mut request| {
            // Every answer has its counts, and thoughts only on demand.
            request.include_usage = true;
            request.hide_reasoning = true;
            request.choice_count = request.choice_count.filter(|count| *count > 1);
            for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
                type_address(part);
            }
            for tool in &mut request.tools {
                if let Tool::Function(function) = tool
                    && function.parameters.as_ref().is_some_and(takes_nothing)
                {
                    // A function that takes nothing has no schema.
                    function.parameters = None;
                }
            }
            request
        })
        .boxed()
}

fn takes_nothing(schema: &Value) -> bool {
    schema["properties"].as_object().is_none_or(serde_json::Map::is_empty)
}

/// Google wants to know the type of what it fetches.
fn type_address(part: &mut Part) {
    let type_it = |media: &mut Media, kind: &str| {
        if matches!(media.source, MediaSource::Url(_)) {
            media.media_type = Some(kind.to_owned());
        }
    };
    match &mut part.content {
        Content::Image(media) => type_it(media, "image/png"),
        Content::Document(media) => type_it(media, "application/pdf"),
        _ => {}
    }
}

fn responses() -> BoxedStrategy<ChatResponse> {
    let usage = arbitrary::usage().prop_map(|usage| {
        let input_tokens = usage.input_tokens - usage.cache_write_tokens;
        let total_tokens = Some(input_tokens + usage.output_tokens);
        Some(Usage { input_tokens, cache_write_tokens: 0, total_tokens, ..usage })
    });
    arbitrary::response(SAYS, FINISHES, usage.boxed())
}

come_back_as_they_went_out!(identity, identity, by_kind, by_kind);
