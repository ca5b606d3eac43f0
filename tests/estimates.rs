//! Our own count of tokens against what providers reported, on recorded traffic.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails here fails its test")]

use canonical::{ChatRequest, Content, Message};
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::laws;
use tokens::Written;
use wire::{ProtocolId, Quirks, RequestHead};

/// Relative errors, in percent.
#[derive(Default)]
struct Errors {
    input: Vec<f64>,
    output: Vec<f64>,
}

fn median(mut errors: Vec<f64>) -> f64 {
    errors.sort_by(f64::total_cmp);
    errors[errors.len() / 2]
}

fn percent(estimate: u64, reported: u64) -> f64 {
    (estimate as f64 - reported as f64).abs() * 100.0 / reported as f64
}

/// Media and the provider's own tools cost what no text says.
fn is_plain(request: &ChatRequest) -> bool {
    let is_text = |message: &Message| {
        message.parts.iter().all(|part| {
            matches!(part.content, Content::Text(_) | Content::ToolCall(_) | Content::ToolResult(_))
        })
    };
    request.messages.iter().all(is_text)
        && request.tools.iter().all(|tool| matches!(tool, canonical::Tool::Function(_)))
}

/// The model that the path of Google's API names.
fn model_of(record: &Record, request: &ChatRequest) -> String {
    let path = record.request.as_ref().map(|request| request.path.as_str()).unwrap_or_default();
    let named = path.rsplit_once("/models/").and_then(|(_, rest)| rest.split(':').next());
    named.map_or_else(|| request.model.clone(), str::to_owned)
}

/// Errors over the records of `provider` in `protocol`; `None` where the corpus is absent or no
/// client speaks the family to us.
fn errors(protocol: ProtocolId, provider: &str) -> Option<Errors> {
    let dialect = wire::dialect(protocol.as_str())?;
    let mut errors = Errors::default();
    let records = corpus::records(protocol.as_str())?;
    for record in records.iter().filter(|record| record.provider == provider) {
        let Some(body) = record.request.as_ref().and_then(|request| request.body.as_ref()) else { continue };
        let path = record.request.as_ref().map(|request| request.path.as_str()).unwrap_or_default();
        let named = path.rsplit_once("/models/").and_then(|(_, rest)| rest.split(':').next());
        let head = RequestHead { model: named, stream: record.stream, ..RequestHead::default() };
        let Ok(request) = dialect.decode_request(&head, body.to_string().as_bytes()) else { continue };
        let decoded = laws::decode(wire::protocol(protocol), &Quirks::default(), record);
        let Some(usage) = decoded.response.usage.filter(|_| decoded.outcome.is_ok()) else { continue };
        let model = model_of(record, &request);
        // Handwritten fixtures count nothing; what the provider's own tools brought in, we cannot.
        let is_ours = is_plain(&request) && usage.tool_use_tokens == 0 && !record.has_tag("handwritten");
        if is_ours && usage.input_tokens > 0 {
            let estimate = tokens::input(&model, &request);
            if std::env::var_os("SHOW_ESTIMATES").is_some() {
                println!(
                    "{model} {estimate} {} tools {} {}",
                    usage.input_tokens,
                    request.tools.len(),
                    record.id
                );
            }
            errors.input.push(percent(estimate, usage.input_tokens));
        }
        let mut written = Written::default();
        for choice in &decoded.response.choices {
            let response = canonical::ChatResponse { choices: vec![choice.clone()], ..Default::default() };
            written.note_whole(&response);
        }
        let is_text = decoded.response.choices.iter().all(|choice| {
            choice.parts.iter().all(|part| matches!(part.content, Content::Text(_) | Content::ToolCall(_)))
        });
        if is_text && usage.reasoning_tokens == 0 && usage.output_tokens > 0 {
            errors.output.push(percent(written.tokens(&model), usage.output_tokens));
        }
    }
    Some(errors)
}

fn judge(protocol: ProtocolId, provider: &str, least: usize, bound: f64) {
    let Some(errors) = errors(protocol, provider) else { return };
    let counts = (errors.input.len(), errors.output.len());
    assert!(counts.0 >= least && counts.1 >= least, "{provider}: records went missing: {counts:?}");
    let (input, output) = (median(errors.input), median(errors.output));
    println!(
        "{provider}: median error {input:.1}% of input ({}), {output:.1}% of output ({})",
        counts.0, counts.1
    );
    assert!(input < bound && output < bound, "{provider}: {input:.1}% of input, {output:.1}% of output");
}

#[test]
fn an_estimate_is_near_what_openai_reports() {
    judge(ProtocolId::OpenaiChat, "openai", 50, 15.0);
}

/// Others keep their encodings to themselves; the nearest public one must do.
#[test]
fn an_estimate_is_not_far_from_what_others_report() {
    judge(ProtocolId::OpenaiChat, "groq", 20, 40.0);
    judge(ProtocolId::OpenaiChat, "mistral", 40, 40.0);
    judge(ProtocolId::OpenaiChat, "deepseek", 40, 40.0);
    judge(ProtocolId::AnthropicMessages, "anthropic", 30, 40.0);
    judge(ProtocolId::GeminiGenerate, "google", 30, 40.0);
}
