//! Tools that only one family can name: those that its providers run (`web_search`, `googleSearch`) and
//! its own kinds of call (`custom`, `local_shell`).
//!
//! One policy towards every protocol: what the target's family cannot name is left out with a note,
//! and the request goes on with its other tools. It is refused, and the next target may try, where
//! the client insists on such a tool.

use std::borrow::Cow;

use canonical::request::Opaque;
use canonical::{ChatRequest, Error, Tool, ToolChoice};
use serde_json::Value;

use crate::HttpRequest;
use crate::json::unsayable;
use crate::notes::{self, Note};

/// Encodes the request with those tools alone that are functions or that `is_own` knows, for an API
/// that people call `vendor`.
pub(crate) fn encode(
    request: &ChatRequest,
    vendor: &str,
    is_own: impl Fn(&Opaque) -> bool,
    encode: impl FnOnce(&ChatRequest) -> Result<HttpRequest, Error>,
) -> Result<HttpRequest, Error> {
    let is_foreign = |tool: &Tool| matches!(tool, Tool::Opaque(opaque) if !is_own(opaque));
    let foreign: Vec<&Value> = request.tools.iter().filter(|tool| is_foreign(tool)).map(said).collect();
    if foreign.is_empty() {
        return encode(request);
    }
    if let Some(tool) = foreign.iter().find(|tool| is_insisted_on(tool, request)) {
        return Err(refused(&[tool], vendor));
    }
    if request.tool_choice == Some(ToolChoice::Required) && foreign.len() == request.tools.len() {
        return Err(refused(&foreign, vendor));
    }
    let mut kept = request.clone();
    kept.tools.retain(|tool| !is_foreign(tool));
    let mut sent = encode(&kept)?;
    sent.notes.extend(foreign.iter().map(|tool| Note::dropped(format!("tools/{}", name(tool)))));
    sent.notes = notes::tidy(sent.notes);
    Ok(sent)
}

/// What the client wrote for a tool of no family but its own.
fn said(tool: &Tool) -> &Value {
    match tool {
        Tool::Opaque(opaque) => &opaque.value,
        Tool::Function(_) => &Value::Null,
    }
}

/// Whether the choice names this tool, and nothing that could be called in its place.
fn is_insisted_on(tool: &Value, request: &ChatRequest) -> bool {
    let is_function =
        |wanted: &str| request.tools.iter().any(|tool| matches!(tool, Tool::Function(f) if f.name == wanted));
    match &request.tool_choice {
        Some(ToolChoice::Function(wanted)) => *wanted == name(tool) && !is_function(wanted),
        Some(ToolChoice::Opaque(choice)) => {
            let choice = &choice.value;
            let names = (given_name(choice), given_name(tool));
            choice["type"].is_string()
                && choice["type"] == tool["type"]
                && (names.0 == names.1 || names.0.is_none() || names.1.is_none())
        }
        _ => false,
    }
}

fn refused(tools: &[&Value], vendor: &str) -> Error {
    let names: Vec<String> = tools.iter().map(|tool| format!("“{}”", name(tool))).collect();
    let message = format!("{vendor} cannot be given the tool {}, which must be called.", names.join(" or "));
    unsayable(message, "tool_choice")
}

/// The tool's name, else its kind: Gemini's stand as the only field's name.
fn name(tool: &Value) -> Cow<'_, str> {
    let kind = || tool["type"].as_str().or_else(|| tool.as_object()?.keys().next().map(String::as_str));
    given_name(tool).or_else(kind).unwrap_or("unknown").into()
}

/// A `custom` tool of OpenAI's Chat says its name one level down.
fn given_name(tool: &Value) -> Option<&str> {
    ["/name", "/custom/name"].iter().find_map(|place| tool.pointer(place)?.as_str())
}

#[cfg(test)]
mod tests {
    use canonical::request::FunctionTool;
    use canonical::{ErrorKind, Message, Retry, Role};
    use serde_json::json;

    use super::*;
    use crate::{ProtocolId, Quirks, TargetContext, protocol};

    fn opaque(family: &str, value: Value) -> Opaque {
        Opaque { family: family.into(), value }
    }

    fn asked(tools: Vec<Tool>) -> ChatRequest {
        ChatRequest { messages: vec![Message::text(Role::User, "?")], tools, ..ChatRequest::default() }
    }

    fn sent(request: &ChatRequest, id: ProtocolId) -> Result<(Value, Vec<String>), Error> {
        let quirks = Quirks::default();
        let target = TargetContext { model: "any", quirks: &quirks, max_output_tokens: None };
        let sent = protocol(id).encode_request(request, &target)?;
        let notes = sent.notes.iter().map(Note::to_string).collect();
        Ok((serde_json::from_slice(&sent.body).unwrap(), notes))
    }

    /// A tool's family, what it is, its name in a note, and other protocols that know it too.
    fn kinds() -> Vec<(&'static str, Value, &'static str, &'static [ProtocolId])> {
        vec![
            (
                "openai-chat",
                json!({"type": "custom", "custom": {"name": "patch"}}),
                "patch",
                &[ProtocolId::OpenaiResponses],
            ),
            ("openai-chat", json!({"type": "openrouter:web_search"}), "openrouter:web_search", &[]),
            ("openai-chat", json!({"type": "google_search"}), "google_search", &[ProtocolId::GeminiGenerate]),
            ("openai-responses", json!({"type": "custom", "name": "apply_patch"}), "apply_patch", &[]),
            ("openai-responses", json!({"type": "web_search"}), "web_search", &[]),
            ("openai-responses", json!({"type": "local_shell"}), "local_shell", &[]),
            ("openai-responses", json!({"type": "mcp", "server_label": "wiki"}), "mcp", &[]),
            (
                "anthropic-messages",
                json!({"type": "web_search_20250305", "name": "web_search"}),
                "web_search",
                &[],
            ),
            ("gemini-generate", json!({"googleSearch": {}}), "googleSearch", &[]),
            ("bedrock-converse", json!({"systemTool": {"name": "nova_grounding"}}), "systemTool", &[]),
            (
                "openai-chat",
                json!({"type": "bash_20250124", "name": "bash"}),
                "bash",
                &[ProtocolId::AnthropicMessages],
            ),
        ]
    }

    #[test]
    fn a_tool_that_the_family_cannot_name_is_left_out_with_a_note_and_the_others_go() {
        for (family, value, name, others) in kinds() {
            for id in ProtocolId::ALL {
                let look = Tool::Function(FunctionTool { name: "look".into(), ..FunctionTool::default() });
                let request = asked(vec![Tool::Opaque(opaque(family, value.clone())), look]);
                let (body, notes) = sent(&request, id).unwrap();
                let is_known = id.as_str() == family || others.contains(&id);
                let expected = if is_known { vec![] } else { vec![format!("dropped:tools/{name}")] };
                assert_eq!(notes, expected, "{family}'s {value} towards {id}");
                let said = body.to_string();
                assert!(said.contains("\"look\""), "{family}'s {value} towards {id}: {said}");
                if !is_known {
                    let kind = value["type"].as_str().unwrap_or(name);
                    assert!(!said.contains(kind), "{family}'s {value} towards {id}: {said}");
                }
            }
        }
    }

    #[test]
    fn a_request_goes_on_without_tools_where_the_only_one_is_left_out() {
        for id in ProtocolId::ALL {
            let request = asked(vec![Tool::Opaque(opaque("another", json!({"type": "local_shell"})))]);
            let (body, notes) = sent(&request, id).unwrap();
            assert_eq!(notes, ["dropped:tools/local_shell"], "{id}");
            assert!(!body.to_string().contains("tool"), "{id}: {body}");
        }
    }

    #[test]
    fn a_tool_that_must_be_called_and_cannot_be_named_is_refused_by_its_name() {
        let patch = opaque("another", json!({"type": "custom", "name": "apply_patch"}));
        let chosen = opaque("another", json!({"type": "custom", "custom": {"name": "apply_patch"}}));
        let choices = [
            ToolChoice::Required,
            ToolChoice::Function("apply_patch".into()),
            ToolChoice::Opaque(patch.clone()),
            ToolChoice::Opaque(chosen),
        ];
        for choice in choices {
            for id in ProtocolId::ALL {
                let mut request = asked(vec![Tool::Opaque(patch.clone())]);
                request.tool_choice = Some(choice.clone());
                let error = sent(&request, id).unwrap_err();
                assert_eq!((error.kind, error.retry), (ErrorKind::InvalidRequest, Retry::NextTarget), "{id}");
                assert_eq!(error.param.as_deref(), Some("tool_choice"));
                assert!(error.message.contains("“apply_patch”"), "{id}: {error}");
            }
        }
    }

    #[test]
    fn a_required_call_is_still_asked_for_where_a_function_is_left() {
        for id in ProtocolId::ALL {
            let look = Tool::Function(FunctionTool { name: "look".into(), ..FunctionTool::default() });
            let search = Tool::Opaque(opaque("another", json!({"type": "web_search"})));
            for choice in [ToolChoice::Required, ToolChoice::Function("look".into())] {
                let mut request = asked(vec![search.clone(), look.clone()]);
                request.tool_choice = Some(choice);
                let (body, notes) = sent(&request, id).unwrap();
                assert!(notes.contains(&"dropped:tools/web_search".to_owned()), "{id}: {notes:?}");
                assert!(body.to_string().contains("look"), "{id}: {body}");
            }
        }
    }
}
