//! Requests and answers made up at random, for round trips of every family.
//!
//! [`Says`] names what a family has words for; what it cannot say is not made up. What a family says
//! in a narrower way still (a budget of thinking below the limit, say) its own test maps.

use canonical::event::ResponseStart;
use canonical::fold::unfold;
use canonical::request::{
    FunctionTool, Media, MediaSource, Reasoning, ReasoningEffort, ReasoningRequest, ResponseFormat, ToolCall,
    ToolResult,
};
use canonical::{
    ChatRequest, ChatResponse, Choice, Content, FinishReason, Message, Part, PartDelta, Role, StreamEvent,
    Tool, ToolChoice, Usage,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

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

// === parts ===

fn media(source: MediaSource, media_type: Option<&str>) -> Media {
    Media { source, media_type: media_type.map(str::to_owned), name: None, detail: None }
}

fn images(says: Says) -> Vec<BoxedStrategy<Part>> {
    let detail = maybe(says.image_detail, prop_oneof![Just("low".to_owned()), Just("high".to_owned())]);
    let with_detail = move |sources: BoxedStrategy<Media>| {
        (sources, detail.clone())
            .prop_map(|(media, detail)| Content::Image(Media { detail, ..media }).into())
            .boxed()
    };
    let mut kinds = Vec::new();
    if says.image_urls {
        let url = word().prop_map(|name| MediaSource::Url(format!("https://example.com/{name}.png")));
        kinds.push(with_detail(url.prop_map(|source| media(source, None)).boxed()));
    }
    if says.image_data {
        let kind = prop_oneof![Just("image/png"), Just("image/jpeg"), Just("image/webp")];
        let data =
            (base64(), kind).prop_map(|(data, kind)| media(MediaSource::Base64(data), Some(kind))).boxed();
        kinds.push(with_detail(data));
    }
    kinds
}

fn documents(says: Says) -> Vec<BoxedStrategy<Part>> {
    let name = if says.pdf_names {
        word().prop_map(|name| Some(format!("{name}.pdf"))).boxed()
    } else {
        Just(None).boxed()
    };
    let named = move |sources: BoxedStrategy<Media>| {
        (sources, name.clone())
            .prop_map(|(media, name)| Content::Document(Media { name, ..media }).into())
            .boxed()
    };
    let mut kinds = Vec::new();
    if says.pdfs {
        let data = base64().prop_map(|data| media(MediaSource::Base64(data), Some("application/pdf")));
        kinds.push(named(data.boxed()));
    }
    if says.pdf_urls {
        let url = word().prop_map(|name| MediaSource::Url(format!("https://example.com/{name}.pdf")));
        kinds.push(named(url.prop_map(|source| media(source, None)).boxed()));
    }
    if says.file_ids {
        let id = word().prop_map(|id| media(MediaSource::FileId(format!("file_{id}")), None));
        kinds.push(named(id.boxed()));
    }
    kinds
}

fn user_parts(says: Says) -> BoxedStrategy<Vec<Part>> {
    let mut kinds = vec![text().prop_map(Part::text).boxed()];
    kinds.extend(images(says));
    kinds.extend(documents(says));
    if says.audio {
        let audio = base64()
            .prop_map(|data| Content::Audio(media(MediaSource::Base64(data), Some("audio/wav"))).into());
        kinds.push(audio.boxed());
    }
    vec(one_of(kinds), 1..4).boxed()
}

fn thought(says: Says) -> BoxedStrategy<Reasoning> {
    let text_of = |signed: bool| {
        (text(), if signed { base64().prop_map(Some).boxed() } else { Just(None).boxed() })
            .prop_map(|(text, signature)| Reasoning { text, signature, encrypted: None })
            .boxed()
    };
    match says.thoughts {
        Thoughts::None | Thoughts::Text => text_of(false),
        Thoughts::Signed => text_of(true),
        Thoughts::SignedOrEncrypted => {
            let sealed =
                base64().prop_map(|data| Reasoning { encrypted: Some(data), ..Reasoning::default() });
            prop_oneof![3 => text_of(true), 1 => sealed].boxed()
        }
    }
}

fn call(says: Says) -> BoxedStrategy<ToolCall> {
    (word(), arguments(), maybe(says.call_signatures, base64()))
        .prop_map(|(name, arguments, signature)| ToolCall {
            // Named in the order of the conversation once that is known.
            id: String::new(),
            name,
            arguments,
            signature,
            is_server_side: false,
        })
        .boxed()
}

/// What a model says: thoughts, text and calls.
fn answer_parts(says: Says, with_refusals: bool) -> BoxedStrategy<Vec<Part>> {
    let said = text().prop_map(Part::text).boxed();
    let calls = call(says).prop_map(|call| Content::ToolCall(call).into()).boxed();
    let thoughts = thought(says).prop_map(|thought| Content::Reasoning(thought).into()).boxed();
    let refusal = text().prop_map(|text| Content::Refusal(text).into()).boxed();
    let thinks = says.thoughts != Thoughts::None;
    if says.free_order {
        let mut kinds = vec![said, calls];
        kinds.extend(thinks.then_some(thoughts));
        return vec(one_of(kinds), 1..5).boxed();
    }
    (maybe(thinks, thoughts), option::of(said), maybe(with_refusals, refusal), vec(calls, 0..3))
        .prop_map(|(thought, text, refusal, calls)| {
            let mut parts: Vec<Part> = thought.into_iter().chain(text).chain(refusal).collect();
            parts.extend(calls);
            if parts.iter().all(|part| matches!(part.content, Content::Reasoning(_))) {
                parts.push(Part::text("Well."));
            }
            parts
        })
        .boxed()
}

// === requests ===

/// A question and its answer, with what its calls came to.
#[derive(Debug, Clone)]
struct Turn {
    asked: Vec<Part>,
    name: Option<String>,
    answered: Vec<Part>,
    /// One for each call there may be.
    results: Vec<(Vec<Part>, bool)>,
}

fn turn(says: Says) -> BoxedStrategy<Turn> {
    let result = if says.result_parts {
        let mut kinds = vec![text().prop_map(Part::text).boxed()];
        if says.result_images {
            kinds.extend(images(Says { image_detail: false, ..says }));
        }
        vec(one_of(kinds), usize::from(!says.empty_results)..3).boxed()
    } else {
        text().prop_map(|text| vec![Part::text(text)]).boxed()
    };
    let is_error = if says.result_errors { any::<bool>().boxed() } else { Just(false).boxed() };
    (
        user_parts(says),
        maybe(says.names, word()),
        answer_parts(says, says.refusals),
        vec((result, is_error), 5),
    )
        .prop_map(|(asked, name, answered, results)| Turn { asked, name, answered, results })
        .boxed()
}

/// The messages of `turns`, and a last question where no call waits for the model.
fn conversation(says: Says, system: Vec<Message>, turns: Vec<Turn>, last: Vec<Part>) -> Vec<Message> {
    let (mut messages, mut count, mut waits) = (system, 0, false);
    for turn in turns {
        let name = turn.name;
        messages.push(Message { name, ..Message::new(Role::User, turn.asked) });
        let mut parts = turn.answered;
        let mut results: Vec<Part> = Vec::new();
        let calls = parts.iter_mut().filter_map(|part| match &mut part.content {
            Content::ToolCall(call) => Some(call),
            _ => None,
        });
        for (call, (content, is_error)) in calls.zip(turn.results) {
            call.id = format!("call_{count}");
            count += 1;
            let name = says.result_names.then(|| call.name.clone());
            let call_id = call.id.clone();
            results.push(Content::ToolResult(ToolResult { call_id, name, content, is_error }).into());
        }
        messages.push(Message::new(Role::Assistant, parts));
        waits = !results.is_empty();
        if says.results_together && waits {
            messages.push(Message::new(Role::Tool, results));
        } else {
            messages.extend(results.into_iter().map(|result| Message::new(Role::Tool, vec![result])));
        }
    }
    if !waits {
        messages.push(Message::new(Role::User, last));
    }
    messages
}

fn system(says: Says) -> BoxedStrategy<Vec<Message>> {
    let message = |role| {
        vec(text().prop_map(Part::text), 1..3).prop_map(move |parts| vec![Message::new(role, parts)]).boxed()
    };
    let mut kinds = vec![Just(Vec::new()).boxed(), message(Role::System)];
    if says.developer {
        kinds.push(message(Role::Developer));
    }
    one_of(kinds)
}

/// A schema that every family takes as it is: closed, everything required.
fn schema() -> BoxedStrategy<Value> {
    let kind = prop_oneof![Just("string"), Just("integer"), Just("boolean")];
    proptest::collection::btree_map(word(), kind, 0..3)
        .prop_map(|fields| {
            let required: Vec<String> = fields.keys().cloned().collect();
            let properties: serde_json::Map<String, Value> =
                fields.into_iter().map(|(name, kind)| (name, json!({"type": kind}))).collect();
            json!({"type": "object", "properties": properties, "required": required,
                "additionalProperties": false})
        })
        .boxed()
}

fn tools(says: Says) -> BoxedStrategy<Vec<Tool>> {
    let strict = maybe(says.strict_tools, Just(true));
    vec((option::of(text()), schema(), strict), 1..3)
        .prop_map(|tools| {
            let tool = |(at, (description, schema, strict))| {
                let (name, parameters) = (format!("tool_{at}"), Some(schema));
                Tool::Function(FunctionTool {
                    name,
                    description,
                    parameters,
                    strict,
                    ..FunctionTool::default()
                })
            };
            (0..).zip(tools).map(tool).collect()
        })
        .boxed()
}

fn tool_choice() -> BoxedStrategy<Option<ToolChoice>> {
    option::of(prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        Just(ToolChoice::Function("tool_0".into())),
    ])
    .boxed()
}

fn response_format(says: Says) -> BoxedStrategy<Option<ResponseFormat>> {
    let mut kinds = vec![Just(None).boxed()];
    if says.json_object {
        kinds.push(Just(Some(ResponseFormat::JsonObject)).boxed());
    }
    if says.json_schema {
        let name = if says.schema_names { word().prop_map(Some).boxed() } else { Just(None).boxed() };
        let rest = (maybe(says.schema_names, text()), maybe(says.schema_names, any::<bool>()));
        let format = (name, rest, schema()).prop_map(|(name, (description, strict), schema)| {
            Some(ResponseFormat::JsonSchema { name, description, schema, strict })
        });
        kinds.push(format.boxed());
    }
    one_of(kinds)
}

fn reasoning(says: Says) -> BoxedStrategy<Option<ReasoningRequest>> {
    let effort = prop_oneof![
        Just(ReasoningEffort::Low),
        Just(ReasoningEffort::Medium),
        Just(ReasoningEffort::High),
        Just(ReasoningEffort::Other("xhigh".into())),
    ];
    let mut kinds = vec![Just(None).boxed()];
    if says.effort {
        kinds.push(
            effort
                .prop_map(|effort| {
                    Some(ReasoningRequest { effort: Some(effort), ..ReasoningRequest::default() })
                })
                .boxed(),
        );
    }
    if says.budget {
        kinds.push(
            (1024_u64..20_000)
                .prop_map(|budget| {
                    Some(ReasoningRequest { budget_tokens: Some(budget), ..ReasoningRequest::default() })
                })
                .boxed(),
        );
    }
    one_of(kinds)
}

/// The fields beside the conversation.
fn settings(says: Says) -> BoxedStrategy<ChatRequest> {
    let tenth = |from: u32| (from..10).prop_map(|tenths| f64::from(tenths) / 10.0);
    let sampling = (
        option::of(1_u64..100_000),
        option::of(tenth(0)),
        option::of(tenth(1)),
        maybe(says.top_k, 1_u64..100),
        maybe(says.penalties, tenth(0)),
        maybe(says.penalties, tenth(0)),
        maybe(says.seed, any::<i32>().prop_map(i64::from)),
        if says.stop { vec(word(), 0..3).boxed() } else { Just(Vec::new()).boxed() },
        maybe(says.choice_count, 1_u32..4),
    );
    let rest = (
        reasoning(says),
        response_format(says),
        maybe(says.user, word()),
        any::<bool>(),
        tool_choice(),
        maybe(says.parallel_tool_calls, any::<bool>()),
    );
    (sampling, rest)
        .prop_map(|(sampling, (reasoning, response_format, user, stream, tool_choice, parallel))| {
            let (max, temperature, top_p, top_k, frequency, presence, seed, stop, choice_count) = sampling;
            ChatRequest {
                max_output_tokens: max,
                temperature,
                top_p,
                top_k,
                frequency_penalty: frequency,
                presence_penalty: presence,
                seed,
                stop,
                choice_count,
                reasoning,
                response_format,
                user,
                stream,
                tool_choice,
                parallel_tool_calls: parallel,
                ..ChatRequest::default()
            }
        })
        .boxed()
}

/// A request that the family can say. Tools are declared wherever one was called, results follow
/// their calls, and the user has the last word unless a result has.
pub fn request(says: Says) -> BoxedStrategy<ChatRequest> {
    let talk = (system(says), vec(turn(says), 0..3), user_parts(says));
    (settings(says), talk, option::of(tools(says)), word())
        .prop_map(move |(settings, (system, turns, last), tools, model)| {
            let messages = conversation(says, system, turns, last);
            let calls = messages.iter().any(|message| message.role == Role::Tool);
            let bell = || vec![Tool::Function(FunctionTool { name: "tool_0".into(), ..bell() })];
            let tools = tools.unwrap_or_else(|| if calls { bell() } else { Vec::new() });
            let has_tools = !tools.is_empty();
            ChatRequest {
                model,
                messages,
                tools,
                tool_choice: settings.tool_choice.clone().filter(|_| has_tools),
                parallel_tool_calls: settings.parallel_tool_calls.filter(|_| has_tools),
                ..settings
            }
        })
        .boxed()
}

fn bell() -> FunctionTool {
    FunctionTool { parameters: Some(json!({"type": "object"})), ..FunctionTool::default() }
}

// === answers ===

/// A reason to finish, with the family's own word for it.
pub type Finish = (FinishReason, &'static str);

/// How answers of a family end: without calls in one of `plain`, with calls in `calls`.
#[derive(Debug, Clone, Copy)]
pub struct Finishes {
    pub plain: &'static [Finish],
    pub calls: Finish,
}

/// Counts that are consistent: subsets within their totals, reads and writes apart.
pub fn usage() -> BoxedStrategy<Usage> {
    let count = || 0_u64..5_000;
    (count(), count(), count(), count(), count())
        .prop_map(|(plain, read, write, said, thought)| Usage {
            input_tokens: plain + read + write,
            cache_read_tokens: read,
            cache_write_tokens: write,
            output_tokens: said + thought,
            reasoning_tokens: thought,
            ..Usage::default()
        })
        .boxed()
}

fn choice(says: Says, finishes: Finishes) -> BoxedStrategy<Choice> {
    (answer_parts(says, says.refusals), proptest::sample::select(finishes.plain))
        .prop_map(move |(mut parts, plain)| {
            let mut count = 0;
            for part in &mut parts {
                if let Content::ToolCall(call) = &mut part.content {
                    call.id = format!("call_{count}");
                    count += 1;
                }
            }
            let (reason, raw) = if count > 0 { finishes.calls } else { plain };
            Choice {
                parts,
                finish_reason: Some(reason),
                finish_reason_raw: Some(raw.to_owned()),
                ..Choice::default()
            }
        })
        .boxed()
}

/// A whole answer that the family can say.
pub fn response(
    says: Says,
    finishes: Finishes,
    usage: BoxedStrategy<Option<Usage>>,
) -> BoxedStrategy<ChatResponse> {
    let start = (
        word(),
        word(),
        if says.created { (1_i64..2_000_000_000).prop_map(Some).boxed() } else { Just(None).boxed() },
        maybe(says.system_fingerprint, word()),
    );
    let most = if says.choice_count { 3 } else { 2 };
    (start, vec(choice(says, finishes), 1..most), usage)
        .prop_map(|((id, model, created, system_fingerprint), mut choices, usage)| {
            for (index, choice) in (0..).zip(&mut choices) {
                choice.index = index;
            }
            let start = ResponseStart { id: Some(id), model: Some(model), created, system_fingerprint };
            ChatResponse { start, choices, usage, ..ChatResponse::default() }
        })
        .boxed()
}

/// The events of `response` with its parts all open at once, their deltas cut into pieces of
/// `piece` characters and mixed: as much out of order as the grammar allows.
pub fn mixed_events(response: &ChatResponse, piece: usize) -> Vec<StreamEvent> {
    let (mut before, mut starts, mut deltas, mut ends, mut after) = (vec![], vec![], vec![], vec![], vec![]);
    for event in unfold(response) {
        match event {
            StreamEvent::PartStart { .. } => starts.push(event),
            StreamEvent::PartDelta { index, delta } => {
                deltas
                    .extend((0_usize..).zip(pieces(delta, piece)).map(|(turn, delta)| (turn, index, delta)));
            }
            StreamEvent::PartEnd { .. } => ends.push(event),
            StreamEvent::Finish { .. } | StreamEvent::Usage(_) => after.push(event),
            StreamEvent::Start(_) | StreamEvent::Extension { .. } => before.push(event),
        }
    }
    // A signature stands for the whole of its part.
    deltas.sort_by_key(|(turn, index, delta)| match delta {
        PartDelta::Text(_) | PartDelta::Arguments(_) => (0, *turn, *index),
        PartDelta::Signature(_) | PartDelta::Encrypted(_) => (1, *turn, *index),
    });
    let deltas = deltas.into_iter().map(|(_, index, delta)| StreamEvent::PartDelta { index, delta });
    before.into_iter().chain(starts).chain(deltas).chain(ends).chain(after).collect()
}

fn pieces(delta: PartDelta, length: usize) -> Vec<PartDelta> {
    let cut = |text: &str| -> Vec<String> {
        let letters: Vec<char> = text.chars().collect();
        letters.chunks(length.max(1)).map(|piece| piece.iter().collect()).collect()
    };
    match delta {
        PartDelta::Text(text) => cut(&text).into_iter().map(PartDelta::Text).collect(),
        PartDelta::Arguments(text) => cut(&text).into_iter().map(PartDelta::Arguments).collect(),
        whole @ (PartDelta::Signature(_) | PartDelta::Encrypted(_)) => vec![whole],
    }
}
