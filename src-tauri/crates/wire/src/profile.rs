//! What is known of single models, as data: what they refuse, what they misread, and what is sent
//! instead. A provider's file and the settings hold such profiles; nothing here knows a vendor's name.
//!
//! Every profile whose globs match the model holds, in their order: the shared ones that a file
//! names, the file's own, the settings'. Lists add up, of single values the last one counts, and
//! `keep` takes back what an earlier one drops. The result is applied to the canonical request
//! ([`Profile::shape`]) and then to the body ([`Shaped::edit`]), in either lane.

mod body;
mod glob;
mod hints;
mod shape;

use std::collections::BTreeMap;

use canonical::ChatRequest;
use canonical::request::ReasoningEffort;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ProtocolId;

pub use shape::Shaped;

/// What holds for some models of a provider.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Globs (`o3*`, `?`, and `!…` for exceptions), without regard to case, for the whole id or for
    /// what follows its last slash.
    pub models: Vec<String>,
    /// The protocols that it holds in; all where it names none.
    pub protocols: Vec<ProtocolId>,
    /// The requests that it holds for; all where it says nothing.
    pub when: Option<When>,
    /// Parameters that are left out.
    pub drop: Vec<Param>,
    /// Fields of the protocol's own body that are left out, as the body names them; a dot leads into
    /// an object (`generationConfig.seed`).
    pub drop_fields: Vec<String>,
    /// Of `drop` and `drop_fields` of earlier profiles, what is sent all the same.
    pub keep: Vec<String>,
    /// Fields at the top of the body that have another name here.
    pub rename: BTreeMap<String, String>,
    /// Fields at the top of the body, where the request says nothing of them.
    pub put: BTreeMap<String, Value>,
    /// What is beyond it is sent as its end.
    pub temperature: Option<Range>,
    pub top_p: Option<Range>,
    /// The most that may be asked for.
    pub max_output_tokens: Option<u64>,
    /// Refuses both at once: a `top_p` beside a temperature is left out.
    pub temperature_or_top_p: Option<bool>,
    /// Under which role instructions are sent.
    pub system_role: Option<SystemRole>,
    /// All instructions are one message, and the first.
    pub system_first: Option<bool>,
    /// Neighbours of the same role are one message.
    pub merge_consecutive_roles: Option<bool>,
    /// Refuses the `name` of a message.
    pub omit_names: Option<bool>,
    /// Refuses to be held to a tool: it is left to the model, and asked for in words.
    pub tool_choice_auto_only: Option<bool>,
    /// Stands before all other instructions.
    pub prepend_system: Option<String>,
    /// Stands behind the last thing that the user says.
    pub append_user: Option<String>,
    /// Asked for any JSON object, it refuses a conversation that does not say “JSON”.
    pub json_hint: Option<bool>,
    /// Translates the values of an enum into the conversation's language.
    pub english_enums: Option<bool>,
    /// Writes its family's answers so that the official SDKs misread them: a client of the same family
    /// gets them through the canonical form, and not in the provider's own bytes.
    pub translate: Option<bool>,
    /// How it goes on with a message of its own that is not at its end.
    pub prefill: Option<Prefill>,
}

/// How a model is brought to go on with what it has begun to say: by the last message of the
/// conversation being its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefill {
    /// It does not: it refuses such a conversation, or begins anew.
    #[default]
    Never,
    /// It goes on.
    Last,
    /// It goes on where the message says `"prefix": true`.
    Prefix,
}

/// A parameter of a request, in whichever words a protocol has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Param {
    Temperature,
    TopP,
    TopK,
    FrequencyPenalty,
    PresencePenalty,
    Seed,
    Stop,
    /// How many answers.
    N,
    ParallelToolCalls,
    ServiceTier,
    User,
    MaxOutputTokens,
    /// Whatever is said of thinking.
    Reasoning,
}

impl Param {
    pub const ALL: [Self; 13] = [
        Self::Temperature,
        Self::TopP,
        Self::TopK,
        Self::FrequencyPenalty,
        Self::PresencePenalty,
        Self::Seed,
        Self::Stop,
        Self::N,
        Self::ParallelToolCalls,
        Self::ServiceTier,
        Self::User,
        Self::MaxOutputTokens,
        Self::Reasoning,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::TopP => "top_p",
            Self::TopK => "top_k",
            Self::FrequencyPenalty => "frequency_penalty",
            Self::PresencePenalty => "presence_penalty",
            Self::Seed => "seed",
            Self::Stop => "stop",
            Self::N => "n",
            Self::ParallelToolCalls => "parallel_tool_calls",
            Self::ServiceTier => "service_tier",
            Self::User => "user",
            Self::MaxOutputTokens => "max_output_tokens",
            Self::Reasoning => "reasoning",
        }
    }
}

/// Both ends belong to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Range {
    pub min: Option<f64>,
    pub max: Option<f64>,
}

impl Range {
    fn clamp(self, value: f64) -> f64 {
        let above = self.min.map_or(value, |min| value.max(min));
        self.max.map_or(above, |max| above.min(max))
    }
}

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// It asks the model to think.
    Thinking,
    /// It asks for no stream.
    Whole,
    /// It asks for a stream.
    Stream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemRole {
    System,
    Developer,
    /// There is none: instructions begin what the user says first.
    User,
}

impl Profile {
    /// What holds for one request to `model`: all of `profiles` that match, as one.
    pub fn of<'p>(
        profiles: impl IntoIterator<Item = &'p Self>,
        protocol: ProtocolId,
        model: &str,
        request: &ChatRequest,
    ) -> Self {
        let mut all = Self::default();
        for profile in profiles {
            if profile.holds_for(protocol, model, request) {
                all.absorb(profile);
            }
        }
        all
    }

    fn holds_for(&self, protocol: ProtocolId, model: &str, request: &ChatRequest) -> bool {
        let is_meant = match self.when {
            None => true,
            Some(When::Thinking) => asks_to_think(request),
            Some(When::Whole) => !request.stream,
            Some(When::Stream) => request.stream,
        };
        let speaks = self.protocols.is_empty() || self.protocols.contains(&protocol);
        is_meant && speaks && glob::matches(&self.models, model)
    }

    fn absorb(&mut self, later: &Self) {
        self.drop.retain(|param| !later.keep.iter().any(|kept| kept == param.as_str()));
        self.drop_fields.retain(|field| !later.keep.contains(field));
        self.drop.extend(&later.drop);
        self.drop_fields.extend(later.drop_fields.iter().cloned());
        self.rename.extend(later.rename.clone());
        self.put.extend(later.put.clone());
        replace(&mut self.temperature, later.temperature.as_ref());
        replace(&mut self.top_p, later.top_p.as_ref());
        replace(&mut self.max_output_tokens, later.max_output_tokens.as_ref());
        replace(&mut self.temperature_or_top_p, later.temperature_or_top_p.as_ref());
        replace(&mut self.system_role, later.system_role.as_ref());
        replace(&mut self.system_first, later.system_first.as_ref());
        replace(&mut self.merge_consecutive_roles, later.merge_consecutive_roles.as_ref());
        replace(&mut self.omit_names, later.omit_names.as_ref());
        replace(&mut self.tool_choice_auto_only, later.tool_choice_auto_only.as_ref());
        replace(&mut self.prepend_system, later.prepend_system.as_ref());
        replace(&mut self.append_user, later.append_user.as_ref());
        replace(&mut self.json_hint, later.json_hint.as_ref());
        replace(&mut self.english_enums, later.english_enums.as_ref());
        replace(&mut self.translate, later.translate.as_ref());
        replace(&mut self.prefill, later.prefill.as_ref());
    }

    /// The keys that a profile may have, read off the type.
    pub fn keys() -> Vec<String> {
        let all = serde_json::to_value(Self::default());
        all.ok().and_then(|all| all.as_object().map(|all| all.keys().cloned().collect())).unwrap_or_default()
    }

    /// Why it cannot be meant so; `None` where it can.
    pub fn fault(&self) -> Option<String> {
        if !self.models.iter().any(|glob| !glob.starts_with('!')) {
            return Some("a profile names its models: models = [\"name*\"], or [\"*\"] for all".to_owned());
        }
        let is_upside_down = |range: &Range| {
            range.min.zip(range.max).is_some_and(|(min, max)| min > max)
                || [range.min, range.max].into_iter().flatten().any(|end| !end.is_finite())
        };
        if [self.temperature, self.top_p].iter().flatten().any(is_upside_down) {
            return Some("a range's min is not above its max".to_owned());
        }
        if self.max_output_tokens == Some(0) {
            return Some("max_output_tokens is at least 1".to_owned());
        }
        None
    }
}

fn replace<T: Clone>(slot: &mut Option<T>, later: Option<&T>) {
    if let Some(later) = later {
        *slot = Some(later.clone());
    }
}

/// Whether a request asks for thinking: in the canonical words, or in those that clients of Chat
/// Completions set beside them.
fn asks_to_think(request: &ChatRequest) -> bool {
    if let Some(asked) = &request.reasoning {
        let is_off = asked.is_enabled == Some(false)
            || asked.effort == Some(ReasoningEffort::None)
            || asked.budget_tokens == Some(0);
        let is_on = asked.is_enabled == Some(true) || asked.effort.is_some() || asked.budget_tokens.is_some();
        return is_on && !is_off;
    }
    let said = |name: &str| request.extensions.field(crate::openai_chat::types::FAMILY, name);
    said("thinking").is_some_and(|thinking| matches!(thinking["type"].as_str(), Some("enabled" | "adaptive")))
        || said("enable_thinking").is_some_and(|thinks| thinks == true)
}

#[cfg(test)]
mod tests;
