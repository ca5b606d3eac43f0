//! OpenAI's Responses.

use canonical::{ChatRequest, ChatResponse, Content, FinishReason, Part, Role, Tool, ToolChoice};
use proptest::prelude::*;
use signalbox_tests::arbitrary::{self, Finishes, Says, Thoughts};
use wire::ProtocolId;

use super::summed_usage;

const PROTOCOL: ProtocolId = ProtocolId::OpenaiResponses;

const SAYS: Says = Says {
    image_urls: true,
    image_data: true,
    image_detail: true,
    pdfs: true,
    pdf_urls: false,
    pdf_names: true,
    file_ids: false,
    audio: false,
    developer: true,
    names: false,
    // A thought without an id and a proof of this family's is another provider's, and left out.
    thoughts: Thoughts::None,
    call_signatures: false,
    free_order: true,
    results_together: false,
    result_names: false,
    result_parts: false,
    result_images: false,
    empty_results: false,
    result_errors: false,
    refusals: true,
    choice_count: false,
    seed: false,
    penalties: false,
    top_k: false,
    stop: false,
    parallel_tool_calls: true,
    strict_tools: true,
    json_object: true,
    json_schema: true,
    schema_names: true,
    user: true,
    effort: true,
    budget: false,
    created: true,
    system_fingerprint: false,
};

const FINISHES: Finishes = Finishes {
    plain: &[
        (FinishReason::Stop, "completed"),
        (FinishReason::Length, "max_output_tokens"),
        (FinishReason::ContentFilter, "content_filter"),
    ],
    calls: (FinishReason::ToolCalls, "completed"),
};

fn text_of(part: &Part) -> String {
    match &part.content {
        Content::Text(text) => text.clone(),
        _ => String::new(),
    }
}

fn requests() -> BoxedStrategy<ChatRequest> {
    arbitrary::request(SAYS)
        .prop_map(|mut request| {
            // Usage is part of every answer here.
            request.include_usage = true;
            // `instructions` is one text.
            for message in request.messages.iter_mut().filter(|message| message.role == Role::System) {
                let texts: Vec<String> = message.parts.iter().map(text_of).collect();
                message.parts = vec![Part::text(texts.join("\n\n"))];
            }
            // A forced tool wins over a format.
            if matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_))) {
                request.response_format = None;
            }
            // Whether a tool is strict is always said.
            for tool in &mut request.tools {
                if let Tool::Function(tool) = tool {
                    tool.strict = tool.strict.or(Some(false));
                }
            }
            request
        })
        .boxed()
}

fn responses() -> BoxedStrategy<ChatResponse> {
    arbitrary::response(SAYS, FINISHES, summed_usage()).boxed()
}

/// Without the ids and states of items, which this family's answers give their parts.
fn without_items(mut response: ChatResponse) -> ChatResponse {
    response.extensions = canonical::Extensions::default();
    for choice in &mut response.choices {
        choice.extensions = canonical::Extensions::default();
        for part in &mut choice.parts {
            part.extensions = canonical::Extensions::default();
        }
    }
    response
}

/// Where all parts are open at once, a call is seen before a text that has no word yet.
fn calls_last(response: ChatResponse) -> ChatResponse {
    let mut response = without_items(response);
    for choice in &mut response.choices {
        choice.parts.sort_by_key(|part| matches!(part.content, Content::ToolCall(_)));
    }
    response
}

/// Without what a provider of this family is told beside the canonical words.
fn without_fields(mut request: ChatRequest) -> ChatRequest {
    request.extensions = canonical::Extensions::default();
    for tool in &mut request.tools {
        if let Tool::Function(tool) = tool {
            tool.extensions = canonical::Extensions::default();
        }
    }
    for message in &mut request.messages {
        message.extensions = canonical::Extensions::default();
        for part in &mut message.parts {
            part.extensions = canonical::Extensions::default();
        }
    }
    request
}

come_back_as_they_went_out!(without_fields, without_items, without_items, calls_last);
