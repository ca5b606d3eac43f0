//! What of a request did not go out as the client said it, and why nobody has to guess: every
//! client of a protocol leaves a note where it drops, clamps or rewords something.
//!
//! Plain parameters are not noted where they are dropped but read off the finished body
//! ([`unsaid`]): whatever kept one out, a note cannot be forgotten.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use canonical::request::{ReasoningEffort, ResponseFormat};
use canonical::{ChatRequest, Tool};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One thing that the provider was not told, or not in the client's words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Note {
    /// The protocol, the provider or the model takes no such field.
    ParameterDropped { name: String },
    /// The value lay outside of what is taken and was moved to the nearest that is.
    ParameterClamped { name: String },
    /// The field has no place of its own there: the model was told in words.
    Instructed { name: String },
    /// The provider's schemas know no such keyword: it was left out, or became words of the
    /// description. `place` is the JSON pointer to its schema (`response_format/properties/age`).
    SchemaKeywordDropped { place: String, keyword: String },
    /// The keyword was sent, and is documented to be passed over.
    SchemaKeywordIgnored { place: String, keyword: String },
}

impl Note {
    pub fn dropped(name: impl Into<String>) -> Self {
        Self::ParameterDropped { name: name.into() }
    }

    pub fn clamped(name: impl Into<String>) -> Self {
        Self::ParameterClamped { name: name.into() }
    }

    pub fn instructed(name: impl Into<String>) -> Self {
        Self::Instructed { name: name.into() }
    }

    /// With its place, for the user's own book.
    pub fn in_full(&self) -> String {
        match self {
            Self::SchemaKeywordDropped { place, .. } | Self::SchemaKeywordIgnored { place, .. } => {
                format!("{self} in {place}")
            }
            Self::ParameterDropped { .. } | Self::ParameterClamped { .. } | Self::Instructed { .. } => {
                self.to_string()
            }
        }
    }
}

/// Names alone, never a place: a schema's own names are the client's content.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ParameterDropped { name } => write!(f, "dropped:{name}"),
            Self::ParameterClamped { name } => write!(f, "clamped:{name}"),
            Self::Instructed { name } => write!(f, "instructed:{name}"),
            Self::SchemaKeywordDropped { keyword, .. } => write!(f, "schema:{keyword}"),
            Self::SchemaKeywordIgnored { keyword, .. } => write!(f, "ignored:{keyword}"),
        }
    }
}

/// Bytes of a summary at most: it goes into a header.
const LONGEST_SUMMARY: usize = 512;

/// The notes by their names, each once, joined by commas; `None` where there are none. What is too
/// long for a header ends with `…` in ASCII (`...`).
pub fn summary(notes: &[Note]) -> Option<String> {
    let names: BTreeSet<String> = notes.iter().map(Note::to_string).collect();
    let mut line = String::new();
    for name in names {
        if line.len() + name.len() + 1 > LONGEST_SUMMARY {
            line.push_str(",...");
            break;
        }
        if !line.is_empty() {
            line.push(',');
        }
        line.extend(name.chars().map(|char| if char.is_ascii_graphic() { char } else { '?' }));
    }
    (!line.is_empty()).then_some(line)
}

/// Where the schema of an answer stands, as a note's place and as a parameter's name.
pub(crate) const RESPONSE_FORMAT: &str = "response_format";

/// The demand for JSON as a sentence to the model, for an API that has no field for it.
pub(crate) fn in_words(format: &ResponseFormat) -> Cow<'static, str> {
    match format {
        ResponseFormat::Text => "Answer with plain text.".into(),
        ResponseFormat::JsonObject => {
            "Answer with one JSON object and nothing else: no prose, no code fence.".into()
        }
        ResponseFormat::JsonSchema { schema, .. } => format!(
            "Answer with one JSON value that obeys this JSON Schema and nothing else: no prose, no code \
             fence.\n{schema}"
        )
        .into(),
    }
}

/// Where a protocol's body says a parameter: the canonical field's name and the JSON pointers to
/// where it may stand.
pub(crate) type Place<'a> = (&'a str, &'a [&'a str]);

/// A note for each parameter that `request` asks for and `body` says nowhere. One without a place
/// has none in the protocol.
pub(crate) fn unsaid(request: &ChatRequest, body: &Map<String, Value>, places: &[Place<'_>]) -> Vec<Note> {
    let is_said = |name: &str| {
        let mut pointers = places.iter().filter(|place| place.0 == name).flat_map(|place| place.1);
        pointers.any(|pointer| find(body, pointer).is_some_and(|value| !value.is_null()))
    };
    asked(request).into_iter().filter(|name| !is_said(name)).map(Note::dropped).collect()
}

fn find<'a>(body: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    let mut names = pointer.split('/').skip(1);
    let first = body.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}

/// What the request asks for beyond its conversation, by the canonical fields' names. A value that
/// is everybody's default (`top_p` 1, a penalty of 0) asks for nothing.
fn asked(request: &ChatRequest) -> Vec<&'static str> {
    let is_not =
        |value: Option<f64>, idle: f64| value.is_some_and(|value| (value - idle).abs() > f64::EPSILON);
    let has_tools = !request.tools.is_empty();
    [
        ("max_output_tokens", request.max_output_tokens.is_some()),
        ("temperature", request.temperature.is_some()),
        ("top_p", is_not(request.top_p, 1.0)),
        ("top_k", request.top_k.is_some()),
        ("frequency_penalty", is_not(request.frequency_penalty, 0.0)),
        ("presence_penalty", is_not(request.presence_penalty, 0.0)),
        ("seed", request.seed.is_some()),
        ("stop", !request.stop.is_empty()),
        ("tool_choice", has_tools && is_choice(request)),
        ("strict", request.tools.iter().any(is_strict)),
        ("parallel_tool_calls", has_tools && request.parallel_tool_calls == Some(false)),
        ("reasoning", wants_thought(request)),
        (RESPONSE_FORMAT, wants_format(request)),
        (
            "service_tier",
            request.service_tier.as_deref().is_some_and(|tier| !matches!(tier, "auto" | "default")),
        ),
        ("user", request.user.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, is_asked)| is_asked.then_some(name))
    .collect()
}

fn is_strict(tool: &Tool) -> bool {
    matches!(tool, Tool::Function(function) if function.strict == Some(true))
}

fn is_choice(request: &ChatRequest) -> bool {
    use canonical::ToolChoice::{Function, None, Opaque, Required};
    matches!(request.tool_choice, Some(None | Required | Function(_) | Opaque(_)))
}

fn wants_format(request: &ChatRequest) -> bool {
    use canonical::request::ResponseFormat::{JsonObject, JsonSchema};
    matches!(request.response_format, Some(JsonObject | JsonSchema { .. }))
}

fn wants_thought(request: &ChatRequest) -> bool {
    request.reasoning.as_ref().is_some_and(|asked| {
        let is_off = asked.is_enabled == Some(false)
            || asked.budget_tokens == Some(0)
            || asked.effort == Some(ReasoningEffort::None);
        !is_off && (asked.effort.is_some() || asked.budget_tokens.is_some())
    })
}

/// Takes `fields` out of a body that its provider would refuse with them, with a note for each that
/// was there.
pub(crate) fn drop_fields(body: &mut Map<String, Value>, fields: &[String], notes: &mut Vec<Note>) {
    for field in fields {
        if body.shift_remove(field).is_some() {
            notes.push(Note::dropped(field));
        }
    }
}

/// `notes` in order, each once.
pub(crate) fn tidy(mut notes: Vec<Note>) -> Vec<Note> {
    notes.sort();
    notes.dedup();
    notes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_body_does_not_say_is_noted_and_a_default_is_nothing_to_say() {
        let request = ChatRequest {
            temperature: Some(0.2),
            top_p: Some(1.0),
            frequency_penalty: Some(0.0),
            seed: Some(7),
            stop: vec!["END".into()],
            ..ChatRequest::default()
        };
        let Value::Object(body) = json!({"config": {"temperature": 0.2, "stop": null}}) else { panic!() };
        let places: [Place<'_>; 2] =
            [("temperature", &["/t", "/config/temperature"]), ("stop", &["/config/stop"])];
        assert_eq!(unsaid(&request, &body, &places), [Note::dropped("seed"), Note::dropped("stop")]);
    }

    #[test]
    fn a_summary_names_each_thing_once_and_never_a_place() {
        let at = |place: &str| Note::SchemaKeywordDropped { place: place.into(), keyword: "minimum".into() };
        let notes = [at("response_format/properties/secret"), at("tools/0"), Note::dropped("seed")];
        assert_eq!(summary(&notes).as_deref(), Some("dropped:seed,schema:minimum"));
        assert_eq!(summary(&[]), None);
    }

    #[test]
    fn a_summary_fits_a_header() {
        let notes: Vec<Note> = (0..200).map(|n| Note::dropped(format!("field {n}\n"))).collect();
        let line = summary(&notes).unwrap();
        assert!(line.len() <= LONGEST_SUMMARY + 4 && line.ends_with(",..."), "{line}");
        assert!(line.bytes().all(|byte| byte.is_ascii_graphic()), "{line}");
    }
}
