//! OpenAI's Chat Completions.

use canonical::{ChatRequest, ChatResponse, Content, FinishReason, Usage};
use proptest::prelude::*;
use serde_json::json;
use signalbox_tests::arbitrary::{self, Finishes, Says, Thoughts};
use wire::ProtocolId;

use super::{NONE, answer_and_back, differences, request_and_back, streams_and_back};

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
    let usage = arbitrary::usage().prop_map(|usage| {
        Some(Usage { total_tokens: Some(usage.input_tokens + usage.output_tokens), ..usage })
    });
    arbitrary::response(SAYS, FINISHES, usage.boxed())
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

/// A message has a field for each kind of part and no order among them; where all are open at once,
/// a call is seen
/// first and prose in pieces.
fn by_kind(mut response: ChatResponse) -> ChatResponse {
    for choice in &mut response.choices {
        choice.parts.sort_by_key(|part| match part.content {
            Content::Reasoning(_) => 0,
            Content::Text(_) => 1,
            Content::Refusal(_) => 2,
            _ => 3,
        });
        choice.parts.dedup_by(|later, part| match (&mut part.content, &later.content) {
            (Content::Text(text), Content::Text(more)) | (Content::Refusal(text), Content::Refusal(more)) => {
                text.push_str(more);
                true
            }
            (Content::Reasoning(thought), Content::Reasoning(more)) => {
                thought.text.push_str(&more.text);
                true
            }
            _ => false,
        });
    }
    response
}

proptest! {
    #[test]
    fn a_request_comes_back_as_it_went_out(request in requests()) {
        prop_assert_eq!(differences(&request_and_back(PROTOCOL, &request), &request), NONE);
    }

    #[test]
    fn a_whole_answer_comes_back_as_it_went_out(response in responses()) {
        prop_assert_eq!(differences(&answer_and_back(PROTOCOL, &response), &response), NONE);
    }

    #[test]
    fn a_streamed_answer_comes_back_as_it_went_out(response in responses(), piece in 1_usize..9) {
        for back in streams_and_back(PROTOCOL, &response, piece) {
            prop_assert_eq!(differences(&by_kind(back), &response), NONE);
        }
    }
}
