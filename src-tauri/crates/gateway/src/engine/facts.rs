//! What the router is told: of a request, as far as it can be seen without work; of a target, as far
//! as lists and the catalogue know it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use canonical::request::{ReasoningEffort, ResponseFormat};
use canonical::{ChatRequest, Content, EmbeddingRequest, Message, Role, Tool};
use routing::classify::{Class, Traits, looks_like_code};
use routing::{Facts, Route};

use super::{Caller, estimate};
use crate::core::Core;
use crate::models;
use crate::providers::Snapshot;

/// A token is about so many bytes of text, whatever the vendor: near enough to choose and to reserve.
const BYTES_PER_TOKEN: usize = 4;

/// What an image is read as, about: vendors count between 85 and 1,600.
const TOKENS_PER_IMAGE: u64 = 1_000;

/// How long an answer is taken to become where the client does not limit it, and the most that is
/// held back for one that it does: few come near their limit.
const USUAL_OUTPUT_TOKENS: u64 = 1_000;
const MOST_OUTPUT_TOKENS: u64 = 4_096;

/// Models that are remembered; a client may name any.
const MOST_MODELS: usize = 4_096;

/// Words in a provider's own tool or field that say that it may do something beyond its answer: call
/// servers of others, run code, use a computer.
const ACTING: [&str; 6] = ["mcp", "code_interpreter", "code_execution", "codeExecution", "computer", "shell"];

/// What a client says of its request beside it, in headers of ours or of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// `x-signalbox-task`: what kind of task it is, in the client's judgement.
    pub task: Option<Class>,
    /// `x-signalbox-tags`, by commas.
    pub tags: Vec<String>,
    /// `x-signalbox-conversation`, or what known clients call their session.
    pub conversation: Option<String>,
}

/// Where known clients name their session, ours first: Codex, opencode, OpenRouter's and Claude Code.
const CONVERSATION_HEADERS: [&str; 5] = [
    "x-signalbox-conversation",
    "session_id",
    "x-session-id",
    "x-session-affinity",
    "x-claude-code-session-id",
];

impl Hints {
    pub(crate) fn of(headers: &wire::Headers) -> Self {
        let task = match headers.get("x-signalbox-task").map(str::trim) {
            Some("simple") => Some(Class::Simple),
            Some("standard") => Some(Class::Standard),
            Some("complex") => Some(Class::Complex),
            _ => None,
        };
        let tags = headers.get("x-signalbox-tags").unwrap_or_default().split(',').map(str::trim);
        let conversation = CONVERSATION_HEADERS.iter().find_map(|name| headers.get(name));
        Self {
            task,
            tags: tags.filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
            conversation: conversation.filter(|id| !id.is_empty()).map(str::to_owned),
        }
    }
}

/// What a conversation's request is like.
pub(super) fn traits(request: &ChatRequest, caller: &Caller) -> Traits {
    let images = images_in(request.messages.iter().flat_map(|message| &message.parts));
    // A body without media weighs what its words, its tools and its schemas weigh.
    let body = caller.inbound.as_ref().map(|inbound| inbound.body.len()).filter(|_| images == 0);
    let bytes = body.unwrap_or_else(|| estimate::weight(request));
    let last = request.messages.iter().rev().find(|message| message.role == Role::User);
    let reasoning = request.reasoning.as_ref();
    Traits {
        input_tokens: (bytes / BYTES_PER_TOKEN) as u64 + images * TOKENS_PER_IMAGE,
        messages: request.messages.len().try_into().unwrap_or(u32::MAX),
        tools: request.tools.len().try_into().unwrap_or(u32::MAX),
        images: images > 0,
        schema: matches!(request.response_format, Some(ResponseFormat::JsonSchema { .. })),
        code: last.is_some_and(has_code),
        reasoning: reasoning.is_some_and(|asked| {
            asked.is_enabled == Some(true)
                || asked.budget_tokens.is_some_and(|budget| budget > 0)
                || matches!(asked.effort, Some(ReasoningEffort::High | ReasoningEffort::Other(_)))
        }),
        label: caller.hints.task,
    }
}

fn images_in<'a>(parts: impl Iterator<Item = &'a canonical::Part>) -> u64 {
    parts
        .map(|part| match &part.content {
            Content::Image(_) => 1,
            Content::ToolResult(result) => images_in(result.content.iter()),
            _ => 0,
        })
        .sum()
}

fn has_code(message: &Message) -> bool {
    message.parts.iter().any(|part| matches!(&part.content, Content::Text(text) if looks_like_code(text)))
}

/// What a request for embeddings is like.
pub(super) fn embedding_traits(request: &EmbeddingRequest) -> Traits {
    let bytes = estimate::embedding_weight(request);
    Traits { input_tokens: (bytes / BYTES_PER_TOKEN) as u64, messages: 1, ..Traits::default() }
}

/// How long the answer probably becomes.
pub(super) fn output_tokens(request: &ChatRequest) -> u64 {
    let choices = u64::from(request.choice_count.unwrap_or(1).max(1));
    let each = request.max_output_tokens.unwrap_or(USUAL_OUTPUT_TOKENS).min(MOST_OUTPUT_TOKENS);
    each.saturating_mul(choices)
}

/// Which conversation a request goes on with: as the client says, or by how it began.
pub(super) fn conversation(request: &ChatRequest, caller: &Caller) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    caller.client.hash(&mut hasher);
    let named = caller.chat_id.as_deref().or(caller.hints.conversation.as_deref()).or_else(|| id_of(request));
    if let Some(id) = named {
        id.hash(&mut hasher);
        return Some(hasher.finish());
    }
    let is_instruction = |message: &&Message| matches!(message.role, Role::System | Role::Developer);
    let first = request.messages.iter().find(|message| !is_instruction(message))?;
    for message in request.messages.iter().take_while(is_instruction).chain([first]) {
        message.plain_text().hash(&mut hasher);
    }
    Some(hasher.finish())
}

/// The conversation's id, where the dialect has a place for one.
fn id_of(request: &ChatRequest) -> Option<&str> {
    let cache_key = ["openai-responses", "openai-chat"]
        .iter()
        .find_map(|family| request.extensions.field(family, "prompt_cache_key")?.as_str());
    // Claude Code writes its session behind the user's id; elsewhere a user has many conversations.
    cache_key.or_else(|| request.user.as_deref().filter(|user| user.contains("session")))
}

/// Whether the request may have effects beyond its answer.
pub(super) fn acts(request: &ChatRequest) -> bool {
    let acts = |word: &str| ACTING.iter().any(|acting| word.contains(acting));
    let by_tool = request.tools.iter().any(|tool| match tool {
        Tool::Opaque(tool) => {
            let kind = tool.value.get("type").and_then(|kind| kind.as_str());
            let names = tool.value.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
            kind.map_or_else(|| names.clone().any(acts), acts)
        }
        Tool::Function(_) => false,
    });
    let said = |name| {
        ["openai-responses", "openai-chat", "anthropic-messages"]
            .iter()
            .find_map(|family| request.extensions.field(family, name))
    };
    by_tool || said("mcp_servers").is_some() || said("store").is_some_and(|value| value == true)
}

/// Facts that were joined before. They hold as long as the lists and the settings do.
#[derive(Debug, Default)]
pub(crate) struct KnownFacts {
    known: Mutex<HashMap<(String, String), Facts>>,
}

impl KnownFacts {
    /// A list or the settings changed.
    pub(crate) fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Of each of the route's targets, in their order.
    pub(super) fn of(&self, core: &Core, snapshot: &Snapshot, route: &Route) -> Arc<[Facts]> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > MOST_MODELS {
            known.clear();
        }
        let facts = route.targets.iter().map(|target| {
            let target = &target.target;
            let key = (target.provider.clone(), target.model.clone());
            *known.entry(key).or_insert_with(|| {
                let provider = snapshot.provider(&target.provider);
                provider
                    .map(|provider| models::facts(&core.lists, provider, &target.model))
                    .unwrap_or_default()
            })
        });
        facts.collect()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use canonical::request::{FunctionTool, Opaque};
    use serde_json::json;

    use super::*;
    use crate::engine::Inbound;

    fn asks(messages: &[(Role, &str)]) -> ChatRequest {
        let messages = messages.iter().map(|(role, text)| Message::text(*role, *text)).collect();
        ChatRequest { messages, ..ChatRequest::default() }
    }

    fn from(client: &str) -> Caller {
        Caller { client: Some(client.to_owned()), ..Caller::default() }
    }

    #[test]
    fn a_conversation_is_known_by_its_beginning_and_stays_so_as_it_grows() {
        let first = asks(&[(Role::System, "Be kind."), (Role::User, "Hello")]);
        let later = asks(&[
            (Role::System, "Be kind."),
            (Role::User, "Hello"),
            (Role::Assistant, "Hi"),
            (Role::User, "?"),
        ]);
        let other = asks(&[(Role::System, "Be kind."), (Role::User, "Bye")]);
        let caller = from("a");
        assert_eq!(conversation(&first, &caller), conversation(&later, &caller));
        assert_ne!(conversation(&first, &caller), conversation(&other, &caller));
        assert_ne!(conversation(&first, &caller), conversation(&first, &from("b")));
        assert_eq!(conversation(&asks(&[]), &caller), None);
    }

    #[test]
    fn a_conversation_is_what_the_client_calls_one() {
        let mut one = asks(&[(Role::User, "Hello")]);
        one.extensions.insert("openai-responses", "prompt_cache_key", json!("k1"));
        let mut two = asks(&[(Role::User, "Something else")]);
        two.extensions.insert("openai-responses", "prompt_cache_key", json!("k1"));
        assert_eq!(conversation(&one, &from("a")), conversation(&two, &from("a")));
        let hints = Hints { conversation: Some("mine".into()), ..Hints::default() };
        let named = Caller { hints, ..from("a") };
        assert_ne!(conversation(&one, &named), conversation(&one, &from("a")));
        two.extensions = canonical::Extensions::default();
        assert_eq!(conversation(&one, &named), conversation(&two, &named));
        // A user's name is no conversation, Claude Code's is.
        let user = |id: &str, text| ChatRequest { user: Some(id.into()), ..asks(&[(Role::User, text)]) };
        assert_ne!(conversation(&user("u", "a"), &from("a")), conversation(&user("u", "b"), &from("a")));
        let session = "user_1_account__session_2";
        assert_eq!(
            conversation(&user(session, "a"), &from("a")),
            conversation(&user(session, "b"), &from("a"))
        );
    }

    #[test]
    fn what_a_provider_runs_beyond_its_answer_acts() {
        let with = |value| {
            let tool = Tool::Opaque(Opaque { family: "openai-responses".into(), value });
            acts(&ChatRequest { tools: vec![tool], ..ChatRequest::default() })
        };
        for tool in [
            json!({"type": "mcp", "server_url": "https://x.example"}),
            json!({"type": "code_interpreter"}),
            json!({"type": "code_execution_20250825"}),
            json!({"codeExecution": {}}),
            json!({"type": "computer_20250124"}),
        ] {
            assert!(with(tool.clone()), "{tool}");
        }
        for tool in [json!({"type": "web_search"}), json!({"googleSearch": {}}), json!({"type": "custom"})] {
            assert!(!with(tool.clone()), "{tool}");
        }
        // What the client runs itself is its own to repeat.
        let own = Tool::Function(FunctionTool { name: "shell".into(), ..FunctionTool::default() });
        assert!(!acts(&ChatRequest { tools: vec![own], ..ChatRequest::default() }));
        let mut stored = ChatRequest::default();
        stored.extensions.insert("openai-responses", "store", json!(true));
        assert!(acts(&stored));
    }

    #[test]
    fn a_request_weighs_its_body_and_its_images() {
        let mut request = asks(&[(Role::User, &"word ".repeat(80))]);
        let mut caller = from("a");
        assert_eq!(traits(&request, &caller).input_tokens, 100);
        let body = Bytes::from(vec![b' '; 4_000]);
        caller.inbound =
            Some(Inbound { family: "openai-chat", body, headers: wire::Headers::default(), query: vec![] });
        assert_eq!(traits(&request, &caller).input_tokens, 1_000);
        let media = canonical::request::Media {
            source: canonical::request::MediaSource::Base64("x".repeat(1 << 20)),
            media_type: None,
            name: None,
            detail: None,
        };
        request.messages[0].parts.push(Content::Image(media).into());
        let seen = traits(&request, &caller);
        assert_eq!((seen.input_tokens, seen.images), (1_100, true));
    }

    #[test]
    fn hints_are_read_from_headers() {
        let headers: wire::Headers =
            [("X-Signalbox-Task", "complex"), ("x-signalbox-tags", "ci, nightly,,"), ("session_id", "s")]
                .into_iter()
                .collect();
        let hints = Hints::of(&headers);
        assert_eq!(hints.task, Some(Class::Complex));
        assert_eq!(hints.tags, ["ci", "nightly"]);
        assert_eq!(hints.conversation.as_deref(), Some("s"));
        assert_eq!(Hints::of(&wire::Headers::default()), Hints::default());
    }
}
