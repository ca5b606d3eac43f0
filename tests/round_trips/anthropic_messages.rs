//! Anthropic's Messages.

use std::convert::identity;

use canonical::request::{MediaSource, ReasoningRequest};
use canonical::{ChatRequest, ChatResponse, Content, FinishReason, Part, ToolChoice};
use proptest::prelude::*;
use serde_json::json;
use signalbox_tests::arbitrary::{self, Finishes, Says, Thoughts};
use wire::ProtocolId;

const PROTOCOL: ProtocolId = ProtocolId::AnthropicMessages;

const SAYS: Says = Says {
    image_urls: true,
    image_data: true,
    image_detail: false,
    pdfs: true,
    pdf_urls: true,
    pdf_names: true,
    file_ids: true,
    audio: false,
    developer: false,
    names: false,
    thoughts: Thoughts::SignedOrEncrypted,
    call_signatures: false,
    free_order: true,
    results_together: true,
    result_names: false,
    result_parts: true,
    result_images: true,
    empty_results: true,
    result_errors: true,
    refusals: false,
    choice_count: false,
    seed: false,
    penalties: false,
    top_k: true,
    stop: true,
    parallel_tool_calls: true,
    strict_tools: true,
    json_object: false,
    json_schema: true,
    schema_names: false,
    user: true,
    effort: false,
    budget: true,
    created: false,
    system_fingerprint: false,
};

const FINISHES: Finishes = Finishes {
    plain: &[
        (FinishReason::Stop, "end_turn"),
        (FinishReason::StopSequence, "stop_sequence"),
        (FinishReason::Length, "max_tokens"),
        (FinishReason::Length, "model_context_window_exceeded"),
        (FinishReason::Paused, "pause_turn"),
        (FinishReason::Refusal, "refusal"),
    ],
    calls: (FinishReason::ToolCalls, "tool_use"),
};

/// A model of the kind that takes budgets of thinking and schemas of the answer.
const MODEL: &str = "claude-sonnet-4-5";

fn requests() -> BoxedStrategy<ChatRequest> {
    let thinking = prop_oneof![
        Just(None),
        Just(Some(ReasoningRequest { is_enabled: Some(false), ..ReasoningRequest::default() })),
        (1024_u64..20_000).prop_map(|budget| Some(ReasoningRequest {
            budget_tokens: Some(budget),
            is_enabled: Some(true),
            ..ReasoningRequest::default()
        })),
    ];
    (arbitrary::request(SAYS), thinking, 1_u64..5_000, prop::sample::select(&["auto", "default"][..]))
        .prop_map(|(mut request, thinking, room, tier)| {
            request.model = MODEL.into();
            request.include_usage = request.stream;
            request.service_tier = Some(tier.into());
            request.reasoning = thinking;
            settle_limit(&mut request, room);
            settle_tools(&mut request);
            opt_in(&mut request);
            request
        })
        .boxed()
}

/// The limit is demanded and lies above the budget of thinking, which excludes sampling, forced
/// tools, and calls that come back without their thought.
fn settle_limit(request: &mut ChatRequest, room: u64) {
    let budget = request.reasoning.as_ref().and_then(|asked| asked.budget_tokens);
    request.max_output_tokens = Some(budget.unwrap_or(0) + room);
    if budget.is_none() {
        return;
    }
    (request.temperature, request.top_p, request.top_k) = (None, None, None);
    let has_calls = request.messages.iter().any(|message| message.role == canonical::Role::Tool);
    let forces = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Function(_)));
    if has_calls || forces {
        request.reasoning = None;
    }
}

/// Whether calls may be parallel is said in the tool choice, and only where they may not.
fn settle_tools(request: &mut ChatRequest) {
    if request.parallel_tool_calls != Some(false) || request.tool_choice == Some(ToolChoice::None) {
        request.parallel_tool_calls = None;
    } else if request.tool_choice.is_none() {
        request.tool_choice = Some(ToolChoice::Auto);
    }
}

/// Uploaded files need an opt-in, which the client half adds.
fn opt_in(request: &mut ChatRequest) {
    let is_file = |part: &Part| match &part.content {
        Content::Document(media) => matches!(media.source, MediaSource::FileId(_)),
        _ => false,
    };
    if request.messages.iter().flat_map(|message| &message.parts).any(is_file) {
        request.extensions.insert(PROTOCOL.as_str(), "anthropic_beta", json!(["files-api-2025-04-14"]));
    }
}

fn responses() -> BoxedStrategy<ChatResponse> {
    arbitrary::response(SAYS, FINISHES, arbitrary::usage().prop_map(Some).boxed())
}

come_back_as_they_went_out!(identity, identity, identity, identity);
