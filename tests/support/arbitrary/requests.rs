//! Requests: conversations, tools and settings.

use canonical::request::{FunctionTool, ReasoningEffort, ReasoningRequest, ResponseFormat, ToolResult};
use canonical::{ChatRequest, Content, Message, Part, Role, Tool, ToolChoice};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::parts::{answer_parts, images, user_parts};
use super::{Says, maybe, one_of, text, word};

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
