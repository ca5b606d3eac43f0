//! From a request to a plan: what is said, in which pieces, at what times, and what goes wrong.
//!
//! Nothing here waits or writes. The same request with the same cached tokens gives the same plan.

use std::time::Duration;

use canonical::request::{FunctionTool, Media, MediaSource, ResponseFormat};
use canonical::{ChatRequest, Content, FinishReason, Message, Role, Tool, ToolChoice};
use serde_json::{Value, json};

use crate::answers::{self, Subject};
use crate::drill::{self, Asked, Drill};
use crate::sample::{self, Words};
use crate::tokens;

/// Before a drill's word in a model id.
pub const DRILL_PREFIX: &str = "drill-";

/// One of our models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    pub id: &'static str,
    /// For people.
    pub summary: &'static str,
    pace: Pace,
    /// Thinks aloud before it answers.
    thinks: bool,
    /// Calls a tool wherever the request has one.
    is_eager: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pace {
    /// Before the first piece.
    first: Duration,
    /// Between two pieces.
    between: Duration,
}

/// About thirty words a second, as a hosted model writes.
const STEADY: Pace = Pace { first: Duration::from_millis(350), between: Duration::from_millis(33) };
const AT_ONCE: Pace = Pace { first: Duration::ZERO, between: Duration::ZERO };

pub const MODELS: &[Model] = &[
    Model {
        id: "steady",
        summary: "writes at the pace of a hosted model",
        pace: STEADY,
        thinks: false,
        is_eager: false,
    },
    Model {
        id: "thinker",
        summary: "thinks aloud before it answers",
        pace: STEADY,
        thinks: true,
        is_eager: false,
    },
    Model {
        id: "tools",
        summary: "calls a tool wherever it is given one",
        pace: STEADY,
        thinks: false,
        is_eager: true,
    },
    Model {
        id: "fast",
        summary: "answers at once, without a pause",
        pace: AT_ONCE,
        thinks: false,
        is_eager: false,
    },
];

/// Pieces of a word that has no spaces in it, as in Japanese.
const PIECE_CHARS: usize = 12;

const DEFAULT_SLOW_START: u64 = 8;
const DEFAULT_RETRY_AFTER: u64 = 2;
const DEFAULT_LONG_WORDS: u64 = 4000;
/// Longer is refused to nobody, but not written either.
const MAX_LONG_WORDS: u64 = 200_000;
const MAX_SECONDS: u64 = 3600;

/// What the server does with one request.
#[derive(Debug, Clone, PartialEq)]
pub enum Script {
    Answer(Answer),
    Refuse(Refusal),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub steps: Vec<Step>,
    pub finish: FinishReason,
    pub usage: Usage,
}

/// One step of an answer, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Pause(Duration),
    Reasoning(String),
    Text(String),
    ToolCall {
        index: u32,
        id: String,
        name: String,
    },
    Arguments {
        index: u32,
        text: String,
    },
    /// A chunk whose JSON is broken.
    Malformed,
    /// An error object where a chunk should be.
    ErrorInBand,
    /// The connection ends here, without an end of the answer.
    Cut,
    /// Nothing more comes, and the connection stays open.
    Hang,
}

/// As OpenAI counts: the prompt includes the cached tokens, the completion the reasoning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub cached_tokens: u64,
    pub completion_tokens: u64,
    pub reasoning_tokens: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    /// Seconds, for the `Retry-After` header.
    pub retry_after: Option<u64>,
    pub body: RefusalBody,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusalBody {
    Html(String),
    Error { kind: &'static str, code: Option<&'static str>, message: String },
}

impl Refusal {
    fn error(status: u16, kind: &'static str, code: Option<&'static str>, message: String) -> Self {
        Self { status, retry_after: None, body: RefusalBody::Error { kind, code, message } }
    }
}

/// Plans the answer to `request`, of whose prompt `cached_tokens` were seen before.
pub fn script(request: &ChatRequest, cached_tokens: u64) -> Script {
    let Some((model, model_drill)) = find_model(&request.model) else {
        let message = format!(
            "The model `{}` does not exist. There are: {}.",
            request.model,
            crate::model_ids().join(", ")
        );
        return Script::Refuse(Refusal::error(
            404,
            "invalid_request_error",
            Some("model_not_found"),
            message,
        ));
    };
    if request.choice_count.is_some_and(|count| count != 1) {
        let message = "The rehearsal writes one answer at a time: `n` must be 1.".to_owned();
        return Script::Refuse(Refusal::error(
            400,
            "invalid_request_error",
            Some("unsupported_value"),
            message,
        ));
    }
    if request.messages.is_empty() {
        let message = "`messages` must have at least one message.".to_owned();
        return Script::Refuse(Refusal::error(400, "invalid_request_error", None, message));
    }
    let scene = Scene::new(request, model);
    let asked =
        model_drill.map(|drill| Asked::Drill { drill, number: None }).or_else(|| drill::asked(&scene.raw));
    match asked {
        Some(Asked::Drill { drill, number }) => scene.misbehave(drill, number, cached_tokens),
        Some(Asked::Help(word)) => scene.say(&answers::drills(&word), cached_tokens),
        None => scene.play(cached_tokens),
    }
}

fn find_model(id: &str) -> Option<(&'static Model, Option<Drill>)> {
    if let Some(word) = id.strip_prefix(DRILL_PREFIX) {
        return Drill::from_word(word).map(|drill| (&MODELS[0], Some(drill)));
    }
    MODELS.iter().find(|model| model.id == id).map(|model| (model, None))
}

/// A request, read once.
struct Scene<'a> {
    request: &'a ChatRequest,
    model: &'static Model,
    /// The last thing that the user said, drills included.
    raw: String,
    /// The same without its `/drill` lines.
    prompt: String,
    is_first: bool,
    seed: u64,
}

impl<'a> Scene<'a> {
    fn new(request: &'a ChatRequest, model: &'static Model) -> Self {
        let last = request.messages.iter().rev().find(|message| message.role == Role::User);
        let raw = last.map(Message::plain_text).unwrap_or_default();
        let prompt = drill::without_drills(&raw);
        let is_first = !request.messages.iter().any(|message| message.role == Role::Assistant);
        let seed = tokens::fnv(tokens::FNV_OFFSET, prompt.as_bytes());
        Self { request, model, raw, prompt, is_first, seed }
    }

    fn play(&self, cached_tokens: u64) -> Script {
        if let Some(results) = self.tool_results() {
            return self.say(&answers::tool_results(&results), cached_tokens);
        }
        let calls = self.wanted_calls();
        if !calls.is_empty() {
            return self.call(&calls, cached_tokens);
        }
        self.say(&self.ordinary_text(), cached_tokens)
    }

    fn ordinary_text(&self) -> String {
        match &self.request.response_format {
            Some(ResponseFormat::JsonSchema { schema, .. }) => self.sampled(schema, 0).to_string(),
            Some(ResponseFormat::JsonObject) => {
                let subject = Subject::of(&self.prompt);
                json!({"rehearsal": true, "topic": subject.topic, "keywords": subject.keywords}).to_string()
            }
            Some(ResponseFormat::Text) | None => {
                let images = self.images();
                if images.is_empty() {
                    answers::answer(&self.prompt, self.is_first, self.seed)
                } else {
                    answers::pictures(&images)
                }
            }
        }
    }

    fn sampled(&self, schema: &Value, first_word: usize) -> Value {
        let words = names_first(&self.prompt);
        sample::value(schema, &self.prompt, &mut Words::new(&words, first_word))
    }

    /// What each picture of the last message is, for people.
    fn images(&self) -> Vec<String> {
        let last = self.request.messages.iter().rev().find(|message| message.role == Role::User);
        let parts = last.map(|message| message.parts.as_slice()).unwrap_or_default();
        parts
            .iter()
            .filter_map(|part| match &part.content {
                Content::Image(media) => Some(describe(media)),
                _ => None,
            })
            .collect()
    }

    // === tools ===

    /// The results that stand at the end of the chat, with their tools' names.
    fn tool_results(&self) -> Option<Vec<(String, String)>> {
        let tail = self.request.messages.iter().rev().take_while(|message| message.role == Role::Tool);
        let mut results: Vec<_> = tail
            .flat_map(|message| &message.parts)
            .filter_map(|part| match &part.content {
                Content::ToolResult(result) => {
                    let text = canonical::request::plain_text(&result.content);
                    Some((self.name_of_call(&result.call_id), text))
                }
                _ => None,
            })
            .collect();
        results.reverse();
        (!results.is_empty()).then_some(results)
    }

    fn name_of_call(&self, call_id: &str) -> String {
        let calls = self.request.messages.iter().flat_map(|message| &message.parts);
        let name = calls
            .filter_map(|part| match &part.content {
                Content::ToolCall(call) if call.id == call_id => Some(call.name.clone()),
                _ => None,
            })
            .next_back();
        name.unwrap_or_else(|| call_id.to_owned())
    }

    fn functions(&self) -> Vec<&'a FunctionTool> {
        let tools = self.request.tools.iter();
        tools
            .filter_map(|tool| match tool {
                Tool::Function(function) => Some(function),
                Tool::Opaque(_) => None,
            })
            .collect()
    }

    /// The calls that the request asks for: by its choice, by its words, or by its model.
    fn wanted_calls(&self) -> Vec<Call> {
        let functions = self.functions();
        let wanted: Vec<&FunctionTool> = match &self.request.tool_choice {
            Some(ToolChoice::None) => Vec::new(),
            Some(ToolChoice::Function(name)) => {
                functions.into_iter().filter(|function| &function.name == name).take(1).collect()
            }
            choice => {
                let named: Vec<_> =
                    functions.iter().copied().filter(|function| is_meant(function, &self.prompt)).collect();
                let must = self.model.is_eager || matches!(choice, Some(ToolChoice::Required));
                if named.is_empty() && (must || asks_for_tools(&self.prompt)) {
                    functions.into_iter().take(1).collect()
                } else {
                    named
                }
            }
        };
        let most = if self.request.parallel_tool_calls == Some(false) { 1 } else { 4 };
        // One tool and several names ("the weather in Oslo and Bergen") are several calls of it.
        let names = names(&self.prompt);
        let times = match wanted.as_slice() {
            [_] if self.prompt.contains(" and ") => names.len().clamp(1, most),
            _ => 1,
        };
        wanted
            .iter()
            .flat_map(|function| (0..times).map(move |time| (*function, time)))
            .take(most)
            .map(|(function, time)| self.call_of(function, time))
            .collect()
    }

    fn call_of(&self, function: &FunctionTool, time: usize) -> Call {
        let arguments =
            function.parameters.as_ref().map_or_else(|| json!({}), |schema| self.sampled(schema, time));
        Call { name: function.name.clone(), arguments: arguments.to_string() }
    }

    /// Calls that a drill makes: the request's own tools where it has some.
    fn drilled_calls(&self, count: usize) -> Vec<Call> {
        let functions = self.functions();
        (0..count)
            .map(|index| {
                if let Some(function) = functions.get(index % functions.len().max(1)) {
                    return self.call_of(function, index);
                }
                let subject = Subject::of(&self.prompt);
                let query = &subject.keywords[index % subject.keywords.len()];
                Call { name: "rehearsal_lookup".to_owned(), arguments: json!({"query": query}).to_string() }
            })
            .collect()
    }

    fn call(&self, calls: &[Call], cached_tokens: u64) -> Script {
        let mut steps = vec![Step::Pause(self.model.pace.first)];
        let reasoning_tokens = self.think(&mut steps);
        let mut written = 0;
        for (index, call) in (0u32..).zip(calls) {
            let id =
                format!("call_{:016x}", tokens::fnv(self.seed, format!("{index}{}", call.name).as_bytes()));
            steps.push(Step::ToolCall { index, id, name: call.name.clone() });
            for piece in pieces(&call.arguments) {
                self.pace(&mut steps);
                steps.push(Step::Arguments { index, text: piece.to_owned() });
            }
            written += tokens::count(&call.name) + tokens::count(&call.arguments);
        }
        let usage = self.usage(cached_tokens, written, reasoning_tokens);
        Script::Answer(Answer { steps: without_idle_pauses(steps), finish: FinishReason::ToolCalls, usage })
    }

    // === text ===

    fn say(&self, text: &str, cached_tokens: u64) -> Script {
        Script::Answer(self.spoken(text, cached_tokens))
    }

    fn spoken(&self, text: &str, cached_tokens: u64) -> Answer {
        let mut steps = vec![Step::Pause(self.model.pace.first)];
        let reasoning_tokens = self.think(&mut steps);
        let (text, finish) = self.within_limits(text, reasoning_tokens);
        for piece in pieces(text) {
            steps.push(Step::Text(piece.to_owned()));
            self.pace(&mut steps);
        }
        let usage = self.usage(cached_tokens, tokens::count(text), reasoning_tokens);
        Answer { steps: without_idle_pauses(steps), finish, usage }
    }

    /// Stop sequences and the limit of tokens, as a provider applies them.
    fn within_limits<'t>(&self, text: &'t str, spent: u64) -> (&'t str, FinishReason) {
        let stops = self.request.stop.iter().filter(|stop| !stop.is_empty());
        let end = stops.filter_map(|stop| text.find(stop.as_str())).min();
        let text = end.map_or(text, |end| &text[..end]);
        let Some(limit) = self.request.max_output_tokens else { return (text, FinishReason::Stop) };
        let head = tokens::head(text, limit.saturating_sub(spent));
        (head, if head.len() < text.len() { FinishReason::Length } else { FinishReason::Stop })
    }

    /// Appends the model's thoughts, where it has any, and counts them.
    fn think(&self, steps: &mut Vec<Step>) -> u64 {
        if !self.model.thinks {
            return 0;
        }
        let thoughts = answers::thoughts(&self.prompt);
        for piece in pieces(&thoughts) {
            steps.push(Step::Reasoning(piece.to_owned()));
            self.pace(steps);
        }
        tokens::count(&thoughts)
    }

    fn pace(&self, steps: &mut Vec<Step>) {
        steps.push(Step::Pause(self.model.pace.between));
    }

    fn usage(&self, cached_tokens: u64, written: u64, reasoning_tokens: u64) -> Usage {
        let prompt_tokens = tokens::of_prompt(self.request);
        Usage {
            prompt_tokens,
            cached_tokens: cached_tokens.min(prompt_tokens),
            completion_tokens: written + reasoning_tokens,
            reasoning_tokens,
        }
    }

    // === drills ===

    fn misbehave(&self, drill: Drill, number: Option<u64>, cached_tokens: u64) -> Script {
        let seconds = |default: u64| number.unwrap_or(default).min(MAX_SECONDS);
        let broken = |step: Step| {
            let mut answer = self.spoken(&self.ordinary_text(), cached_tokens);
            let middle = answer.steps.len() / 2;
            answer.steps.insert(middle, step);
            Script::Answer(answer)
        };
        match drill {
            Drill::SlowStart => {
                let mut answer = self.spoken(&self.ordinary_text(), cached_tokens);
                answer.steps.insert(0, Step::Pause(Duration::from_secs(seconds(DEFAULT_SLOW_START))));
                Script::Answer(answer)
            }
            Drill::Stall => broken(Step::Hang),
            Drill::Malformed => broken(Step::Malformed),
            Drill::Cut => broken(Step::Cut),
            Drill::ErrorInBand => broken(Step::ErrorInBand),
            Drill::Empty => self.say("", cached_tokens),
            Drill::Safety => {
                let text = self.ordinary_text();
                let mut answer = self.spoken(tokens::head(&text, 24), cached_tokens);
                answer.finish = FinishReason::ContentFilter;
                Script::Answer(answer)
            }
            Drill::Length => {
                let text = self.ordinary_text();
                let mut answer = self.spoken(tokens::head(&text, 40), cached_tokens);
                answer.finish = FinishReason::Length;
                Script::Answer(answer)
            }
            Drill::Long => {
                let words = number.unwrap_or(DEFAULT_LONG_WORDS).min(MAX_LONG_WORDS);
                self.say(&answers::long(&self.prompt, words), cached_tokens)
            }
            Drill::Tool => self.call(&self.drilled_calls(1), cached_tokens),
            Drill::ParallelTools => self.call(&self.drilled_calls(2), cached_tokens),
            Drill::RateLimited => {
                let after = seconds(DEFAULT_RETRY_AFTER);
                let message = format!("Rehearsed: too many requests. Try again in {after} seconds.");
                let refusal = Refusal::error(429, "rate_limit_error", Some("rate_limit_exceeded"), message);
                Script::Refuse(Refusal { retry_after: Some(after), ..refusal })
            }
            Drill::Overloaded => {
                let message = "Rehearsed: the model is overloaded.".to_owned();
                Script::Refuse(Refusal::error(503, "overloaded_error", Some("overloaded"), message))
            }
            Drill::WrongKey => {
                let message = "Rehearsed: this key was revoked.".to_owned();
                Script::Refuse(Refusal::error(401, "invalid_request_error", Some("invalid_api_key"), message))
            }
            Drill::ServerErrorInHtml => Script::Refuse(Refusal {
                status: 500,
                retry_after: None,
                body: RefusalBody::Html(ERROR_PAGE.to_owned()),
            }),
        }
    }
}

/// As proxies send them.
const ERROR_PAGE: &str = "<!DOCTYPE html>\n<html>\n<head><title>500 Internal Server Error</title></head>\n<body>\n\
     <center><h1>500 Internal Server Error</h1></center>\n<hr><center>rehearsal</center>\n</body>\n</html>\n";

struct Call {
    name: String,
    arguments: String,
}

/// Pieces as a model writes them: a word with the space after it; a long word in parts.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(char::is_whitespace).flat_map(|word| {
        let mut rest = word;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let end = rest.char_indices().nth(PIECE_CHARS).map_or(rest.len(), |(end, _)| end);
            let (piece, tail) = rest.split_at(end);
            rest = tail;
            Some(piece)
        })
    })
}

fn without_idle_pauses(mut steps: Vec<Step>) -> Vec<Step> {
    steps.retain(|step| !matches!(step, Step::Pause(pause) if pause.is_zero()));
    steps
}

/// Words of the prompt that are names: capitalised, and not merely at its beginning.
fn names(prompt: &str) -> Vec<String> {
    let words = prompt
        .split(|letter: char| !letter.is_alphanumeric() && letter != '-')
        .filter(|word| !word.is_empty());
    words.skip(1).filter(|word| word.starts_with(char::is_uppercase)).map(str::to_owned).collect()
}

/// Names, then the other telling words.
fn names_first(prompt: &str) -> Vec<String> {
    let mut words = names(prompt);
    for keyword in Subject::of(prompt).keywords {
        if !words.contains(&keyword) {
            words.push(keyword);
        }
    }
    words
}

/// Whether the prompt speaks of this tool: by its name or by a telling word of it.
fn is_meant(function: &FunctionTool, prompt: &str) -> bool {
    let prompt = prompt.to_lowercase();
    let name = function.name.to_lowercase();
    let is_telling = |word: &&str| word.len() > 3 && !["tool", "function", "call", "current"].contains(word);
    prompt.contains(&name) || name.split(['_', '-', '.']).filter(is_telling).any(|word| prompt.contains(word))
}

fn asks_for_tools(prompt: &str) -> bool {
    let prompt = prompt.to_lowercase();
    prompt.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == "tool" || word == "tools")
}

fn describe(media: &Media) -> String {
    let kind = media.media_type.as_deref().unwrap_or("image");
    match &media.source {
        MediaSource::Base64(data) => format!("{kind}, {} KiB", (data.len() / 4 * 3).div_ceil(1024)),
        MediaSource::Url(_) => format!("{kind} by its address"),
        MediaSource::FileId(_) => format!("{kind} by its file id"),
    }
}

#[cfg(test)]
mod tests;
