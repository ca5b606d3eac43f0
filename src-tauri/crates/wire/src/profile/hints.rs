//! Sentences that a model needs to read.

use std::borrow::Cow;

use canonical::request::ResponseFormat;
use canonical::{ChatRequest, Content, Message, Part, Role, Tool};
use serde_json::Value;

use super::shape::instructs;
use crate::ProtocolId;

pub(super) const ENUMS: &str = "Where a tool or a schema lists the values that a field may have, write one of them exactly as it is \
     listed, and never translate it.";

pub(super) const JSON: &str = "Answer with one JSON object.";

/// `text` behind what `parts` say, a paragraph of its own. Part of the last text where nothing marks
/// that: some providers take a string and no list of parts.
fn add(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part { content: Content::Text(said), extensions }) if extensions.is_empty() => {
            said.push_str("\n\n");
            said.push_str(text);
        }
        Some(_) => parts.push(Part::text(format!("\n\n{text}"))),
        None => parts.push(Part::text(text)),
    }
}

/// `more` behind what `parts` say, texts apart.
pub(super) fn add_all(parts: &mut Vec<Part>, more: Vec<Part>) {
    let mut more = more.into_iter().peekable();
    let is_plain = |part: &Part| matches!(part.content, Content::Text(_)) && part.extensions.is_empty();
    if let Some(Part { content: Content::Text(text), .. }) = more.next_if(is_plain) {
        add(parts, &text);
    }
    parts.extend(more);
}

/// `text` stands before every other instruction.
pub(super) fn prepend(request: &mut ChatRequest, text: &str) {
    match request.messages.first_mut() {
        Some(first) if instructs(first.role) => {
            let said = std::mem::replace(&mut first.parts, vec![Part::text(text)]);
            add_all(&mut first.parts, said);
        }
        _ => request.messages.insert(0, Message::text(Role::System, text)),
    }
}

/// `text` stands behind the instructions that the conversation begins with.
pub(super) fn instruct(request: &mut ChatRequest, text: &str) {
    match request.messages.first_mut() {
        Some(first) if instructs(first.role) => add(&mut first.parts, text),
        _ => request.messages.insert(0, Message::text(Role::System, text)),
    }
}

/// `text` is the last that the user says, in the last message where that is the user's.
pub(super) fn say_last(request: &mut ChatRequest, text: &str) {
    match request.messages.last_mut() {
        Some(last) if is_plain_user(last) => add(&mut last.parts, text),
        _ => request.messages.push(Message::text(Role::User, text)),
    }
}

/// Whether there was anything of the user's to stand behind.
pub(super) fn append_to_user(request: &mut Cow<'_, ChatRequest>, text: &str) -> bool {
    let Some(at) = request.messages.iter().rposition(is_plain_user) else { return false };
    add(&mut request.to_mut().messages[at].parts, text);
    true
}

/// A family may put the results of calls into what the user says.
fn is_plain_user(message: &Message) -> bool {
    let is_result = |part: &Part| matches!(part.content, Content::ToolResult(_));
    message.role == Role::User && !message.parts.iter().any(is_result)
}

/// Whether any JSON object is asked for and nobody says so. Responses does not count what stands in
/// `instructions`.
pub(super) fn lacks_json(request: &ChatRequest, protocol: ProtocolId) -> bool {
    if request.response_format != Some(ResponseFormat::JsonObject) {
        return false;
    }
    let counts = |message: &&Message| protocol != ProtocolId::OpenaiResponses || !instructs(message.role);
    !request.messages.iter().filter(counts).flat_map(|message| &message.parts).any(says_json)
}

fn says_json(part: &Part) -> bool {
    match &part.content {
        Content::Text(text) => text.as_bytes().windows(4).any(|word| word.eq_ignore_ascii_case(b"json")),
        Content::ToolResult(result) => result.content.iter().any(says_json),
        _ => false,
    }
}

/// Whether a tool or the answer's schema lists words to choose from.
pub(super) fn has_enums(request: &ChatRequest) -> bool {
    let of_tool = |tool: &Tool| match tool {
        Tool::Function(function) => function.parameters.as_ref().is_some_and(lists_words),
        Tool::Opaque(_) => false,
    };
    let of_answer = match &request.response_format {
        Some(ResponseFormat::JsonSchema { schema, .. }) => lists_words(schema),
        _ => false,
    };
    of_answer || request.tools.iter().any(of_tool)
}

fn lists_words(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let is_list =
                name == "enum" && value.as_array().is_some_and(|values| values.iter().any(Value::is_string));
            is_list || lists_words(value)
        }),
        Value::Array(values) => values.iter().any(lists_words),
        _ => false,
    }
}
