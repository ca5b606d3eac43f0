//! A request as a model reads it.

use std::borrow::Cow;

use canonical::request::ToolChoice;
use canonical::{ChatRequest, Content, Message, Role};
use serde_json::Value;

use super::{Param, Profile, SystemRole, body, hints};
use crate::{Note, ProtocolId};

/// A request with what its profile makes of it.
#[derive(Debug, Clone)]
pub struct Shaped<'r> {
    pub request: Cow<'r, ChatRequest>,
    /// Parameters that were left out, or sent with another value.
    params: Vec<(Param, Option<Value>)>,
    /// What was done to the conversation, by name.
    rewritten: Vec<&'static str>,
    profile: Profile,
}

impl Profile {
    /// `request` without what the model refuses and with what it needs. Borrowed where that is the
    /// same.
    pub fn shape(self, protocol: ProtocolId, request: &ChatRequest) -> Shaped<'_> {
        let mut work = Work { request: Cow::Borrowed(request), params: Vec::new(), rewritten: Vec::new() };
        work.drop(&self.drop);
        work.clamp(&self);
        work.words(&self, protocol);
        work.roles(&self);
        let Work { request, params, rewritten } = work;
        Shaped { request, params, rewritten, profile: self }
    }
}

impl Shaped<'_> {
    /// Whether no edit of single places makes the client's own body what it has to be, or the answer's
    /// own bytes are not for its family's clients.
    pub fn needs_translation(&self, family: &str) -> bool {
        self.profile.translate == Some(true)
            || !self.rewritten.is_empty()
            || self.params.iter().any(|(param, _)| body::places(*param, family).is_empty())
    }

    /// The parameters that the provider was not told as the client said them.
    pub fn notes(&self) -> impl Iterator<Item = Note> {
        self.params.iter().map(|(param, value)| match value {
            Some(_) => Note::clamped(param.as_str()),
            None => Note::dropped(param.as_str()),
        })
    }

    /// Makes of `body` what the profile demands, and says by name what was changed in the request
    /// and in the body. `is_own` says that the body is the client's and not made of
    /// [`Self::request`].
    pub fn edit(&self, family: &str, is_own: bool, body: &mut Vec<u8>) -> Vec<String> {
        let mut notes: Vec<String> = self.rewritten.iter().map(|name| (*name).to_owned()).collect();
        let verb = |value: &Option<Value>| if value.is_some() { "clamp" } else { "drop" };
        notes.extend(self.params.iter().map(|(param, value)| format!("{}:{}", verb(value), param.as_str())));
        let dropped = self.params.iter().filter(|(_, value)| value.is_none());
        let places = dropped.flat_map(|(param, _)| body::places(*param, family)).copied();
        let fields = self.profile.drop_fields.iter().map(String::as_str);
        let places: Vec<&str> = places.chain(fields).collect();
        let removed = body::remove(body, &places);
        notes.extend(
            removed
                .into_iter()
                .filter(|name| self.profile.drop_fields.contains(name))
                .map(|it| format!("drop:{it}")),
        );
        if is_own {
            for (param, value) in &self.params {
                if let Some(value) = value {
                    body::replace(body, body::places(*param, family), value);
                }
            }
        }
        let renamed = body::rename(body, &self.profile.rename);
        notes.extend(renamed.into_iter().map(|name| format!("rename:{name}")));
        let put = body::put(body, &self.profile.put);
        notes.extend(put.into_iter().map(|name| format!("put:{name}")));
        notes
    }
}

struct Work<'r> {
    request: Cow<'r, ChatRequest>,
    params: Vec<(Param, Option<Value>)>,
    rewritten: Vec<&'static str>,
}

impl Work<'_> {
    fn drop(&mut self, params: &[Param]) {
        for param in params {
            if has(&self.request, *param) {
                clear(self.request.to_mut(), *param);
                self.params.push((*param, None));
            }
        }
    }

    fn clamp(&mut self, profile: &Profile) {
        if let Some((range, value)) = profile.temperature.zip(self.request.temperature)
            && is_other(range.clamp(value), value)
        {
            self.request.to_mut().temperature = Some(range.clamp(value));
            self.params.push((Param::Temperature, Some(range.clamp(value).into())));
        }
        if let Some((range, value)) = profile.top_p.zip(self.request.top_p)
            && is_other(range.clamp(value), value)
        {
            self.request.to_mut().top_p = Some(range.clamp(value));
            self.params.push((Param::TopP, Some(range.clamp(value).into())));
        }
        if let Some((most, asked)) = profile.max_output_tokens.zip(self.request.max_output_tokens)
            && asked > most
        {
            self.request.to_mut().max_output_tokens = Some(most);
            self.params.push((Param::MaxOutputTokens, Some(most.into())));
        }
        let has_both = self.request.temperature.is_some() && self.request.top_p.is_some();
        if profile.temperature_or_top_p == Some(true) && has_both {
            self.drop(&[Param::TopP]);
            // A clamped value of what is not sent is none.
            self.params.retain(|(param, value)| *param != Param::TopP || value.is_none());
        }
    }

    /// What is said in addition.
    fn words(&mut self, profile: &Profile, protocol: ProtocolId) {
        if let Some(text) = &profile.prepend_system {
            hints::prepend(self.request.to_mut(), text);
            self.rewritten.push("prepend_system");
        }
        if profile.english_enums == Some(true) && hints::has_enums(&self.request) {
            hints::instruct(self.request.to_mut(), hints::ENUMS);
            self.rewritten.push("english_enums");
        }
        if let Some(text) = &profile.append_user
            && hints::append_to_user(&mut self.request, text)
        {
            self.rewritten.push("append_user");
        }
        if profile.json_hint == Some(true) && hints::lacks_json(&self.request, protocol) {
            hints::say_last(self.request.to_mut(), hints::JSON);
            self.rewritten.push("json_hint");
        }
        let asked = match &self.request.tool_choice {
            Some(ToolChoice::Required) => "Call one of the tools.".to_owned(),
            Some(ToolChoice::Function(name)) => format!("Call the tool `{name}`."),
            _ => return,
        };
        if profile.tool_choice_auto_only == Some(true) {
            let request = self.request.to_mut();
            request.tool_choice = Some(ToolChoice::Auto);
            hints::say_last(request, &asked);
            self.rewritten.push("tool_choice_auto_only");
        }
    }

    /// Who says it.
    fn roles(&mut self, profile: &Profile) {
        let messages = &self.request.messages;
        if profile.system_first == Some(true) && !is_system_first(messages) {
            gather_system(&mut self.request.to_mut().messages);
            self.rewritten.push("system_first");
        }
        if let Some(role) = profile.system_role {
            self.system_role(role);
        }
        if profile.merge_consecutive_roles == Some(true) && has_neighbours(&self.request.messages) {
            let messages = &mut self.request.to_mut().messages;
            *messages = merged(std::mem::take(messages));
            self.rewritten.push("merge_consecutive_roles");
        }
        if profile.omit_names == Some(true)
            && self.request.messages.iter().any(|message| message.name.is_some())
        {
            self.request.to_mut().messages.iter_mut().for_each(|message| message.name = None);
            self.rewritten.push("omit_names");
        }
    }

    fn system_role(&mut self, role: SystemRole) {
        let (from, to) = match role {
            SystemRole::System => (Role::Developer, Role::System),
            SystemRole::Developer => (Role::System, Role::Developer),
            SystemRole::User => {
                if self.request.messages.iter().any(|message| instructs(message.role)) {
                    into_user(&mut self.request.to_mut().messages);
                    self.rewritten.push("system_role");
                }
                return;
            }
        };
        if self.request.messages.iter().any(|message| message.role == from) {
            let messages = &mut self.request.to_mut().messages;
            messages.iter_mut().filter(|message| message.role == from).for_each(|message| message.role = to);
            self.rewritten.push("system_role");
        }
    }
}

fn is_other(one: f64, other: f64) -> bool {
    (one - other).abs() > f64::EPSILON
}

pub(super) fn instructs(role: Role) -> bool {
    matches!(role, Role::System | Role::Developer)
}

fn has(request: &ChatRequest, param: Param) -> bool {
    match param {
        Param::Temperature => request.temperature.is_some(),
        Param::TopP => request.top_p.is_some(),
        Param::TopK => request.top_k.is_some(),
        Param::FrequencyPenalty => request.frequency_penalty.is_some(),
        Param::PresencePenalty => request.presence_penalty.is_some(),
        Param::Seed => request.seed.is_some(),
        Param::Stop => !request.stop.is_empty(),
        Param::N => request.choice_count.is_some(),
        Param::ParallelToolCalls => request.parallel_tool_calls.is_some(),
        Param::ServiceTier => request.service_tier.is_some(),
        Param::User => request.user.is_some(),
        Param::MaxOutputTokens => request.max_output_tokens.is_some(),
        Param::Reasoning => request.reasoning.is_some(),
    }
}

fn clear(request: &mut ChatRequest, param: Param) {
    match param {
        Param::Temperature => request.temperature = None,
        Param::TopP => request.top_p = None,
        Param::TopK => request.top_k = None,
        Param::FrequencyPenalty => request.frequency_penalty = None,
        Param::PresencePenalty => request.presence_penalty = None,
        Param::Seed => request.seed = None,
        Param::Stop => request.stop.clear(),
        Param::N => request.choice_count = None,
        Param::ParallelToolCalls => request.parallel_tool_calls = None,
        Param::ServiceTier => request.service_tier = None,
        Param::User => request.user = None,
        Param::MaxOutputTokens => request.max_output_tokens = None,
        Param::Reasoning => request.reasoning = None,
    }
}

fn is_system_first(messages: &[Message]) -> bool {
    messages.iter().skip(1).all(|message| !instructs(message.role))
}

/// One message of all instructions, in front.
fn gather_system(messages: &mut Vec<Message>) {
    let (instructions, rest): (Vec<_>, Vec<_>) =
        std::mem::take(messages).into_iter().partition(|message| instructs(message.role));
    let mut one: Option<Message> = None;
    for message in instructions {
        match &mut one {
            Some(one) => hints::add_all(&mut one.parts, message.parts),
            None => one = Some(message),
        }
    }
    messages.extend(one);
    messages.extend(rest);
}

/// Instructions become the beginning of the first message of the user's.
fn into_user(messages: &mut Vec<Message>) {
    gather_system(messages);
    if !messages.first().is_some_and(|message| instructs(message.role)) {
        return;
    }
    let mut first = messages.remove(0);
    first.role = Role::User;
    match messages.iter().position(|message| message.role == Role::User) {
        Some(at) => {
            let said = std::mem::replace(&mut messages[at], first);
            hints::add_all(&mut messages[at].parts, said.parts);
        }
        None => messages.insert(0, first),
    }
}

fn is_mergeable(one: &Message, next: &Message) -> bool {
    let is_said = matches!(one.role, Role::User | Role::Assistant);
    let has_result =
        |message: &Message| message.parts.iter().any(|part| matches!(part.content, Content::ToolResult(_)));
    is_said && one.role == next.role && one.name == next.name && !has_result(one) && !has_result(next)
}

fn has_neighbours(messages: &[Message]) -> bool {
    messages.windows(2).any(|pair| is_mergeable(&pair[0], &pair[1]))
}

fn merged(messages: Vec<Message>) -> Vec<Message> {
    let mut all: Vec<Message> = Vec::with_capacity(messages.len());
    for message in messages {
        match all.last_mut() {
            Some(last) if is_mergeable(last, &message) => hints::add_all(&mut last.parts, message.parts),
            _ => all.push(message),
        }
    }
    all
}
