//! Parts of a conversation that only another family can name: what an earlier provider ran itself and
//! found, a client's items of its own. A change of models in the middle of a conversation brings them
//! to a provider that knows none of it.
//!
//! One policy towards every protocol. What a provider ran and found is left out with a note: the answer
//! that it led to stands beside it. What the client said goes on as text where it holds any, and is else
//! left out with a note, too. Only of the question itself nothing is lost: it is refused, and the next
//! target may be one that can read it.

use std::borrow::Cow;

use canonical::request::Opaque;
use canonical::{ChatRequest, Content, Error, Message, Part, Role};
use serde_json::Value;

use crate::HttpRequest;
use crate::json::unsayable;
use crate::notes::{self, Note};

/// What a protocol can name of its own.
#[derive(Clone, Copy)]
pub(crate) struct Own<'p> {
    /// What people call the API.
    pub vendor: &'static str,
    /// Whether a part can be written as it is.
    pub part: &'p dyn Fn(&Opaque) -> bool,
    /// Whether it has a form for calls that the provider runs itself.
    pub server_calls: bool,
    /// Whether the id of such a call is one that only this provider gives.
    pub server_call_id: &'p dyn Fn(&str) -> bool,
}

/// Encodes the request without the parts that are another family's.
pub(crate) fn encode(
    request: &ChatRequest,
    own: Own<'_>,
    encode: impl FnOnce(&ChatRequest) -> Result<HttpRequest, Error>,
) -> Result<HttpRequest, Error> {
    let results = results(request);
    let has_strays = results.iter().any(|result| (own.part)(result) && is_stray(result, request));
    let mut work = Work { own, notes: Vec::new(), results, has_strays };
    let request = work.request(request)?;
    let mut sent = encode(&request)?;
    if !work.notes.is_empty() {
        sent.notes.extend(work.notes);
        sent.notes = notes::tidy(sent.notes);
    }
    Ok(sent)
}

/// What came back of calls that a provider ran itself.
fn results(request: &ChatRequest) -> Vec<Opaque> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let found = parts.filter_map(|part| match &part.content {
        Content::Opaque(opaque) if answered(&opaque.value).is_some() => Some(opaque.clone()),
        _ => None,
    });
    found.collect()
}

/// Whether no call of the conversation is the one that the result names.
fn is_stray(result: &Opaque, request: &ChatRequest) -> bool {
    let named = answered(&result.value);
    let mut parts = request.messages.iter().flat_map(|message| &message.parts);
    !parts.any(|part| matches!(&part.content, Content::ToolCall(call) if named == Some(&call.id)))
}

/// The call that a result is of: Anthropic's stand at the top, Bedrock's one level down.
fn answered(value: &Value) -> Option<&str> {
    let inner = || value.as_object()?.values().find_map(|value| value.get("toolUseId")?.as_str());
    value.get("tool_use_id").and_then(Value::as_str).or_else(inner)
}

struct Work<'p> {
    own: Own<'p>,
    notes: Vec<Note>,
    results: Vec<Opaque>,
    /// Results of the provider's own name calls that are not there: whoever kept the conversation gave
    /// them other ids, so a call without a result may have one.
    has_strays: bool,
}

/// What becomes of a part.
enum Fate {
    Stays,
    Goes(Note),
    Becomes(String, Note),
}

impl Work<'_> {
    fn request<'r>(&mut self, request: &'r ChatRequest) -> Result<Cow<'r, ChatRequest>, Error> {
        let question = request.messages.iter().rposition(|message| message.role == Role::Assistant);
        let question = question.map_or(0, |at| at + 1);
        let mut kept: Cow<'_, ChatRequest> = Cow::Borrowed(request);
        let mut emptied = Vec::new();
        for (at, message) in request.messages.iter().enumerate() {
            let is_last = at + 1 == request.messages.len();
            let refuses = at >= question;
            let refused = |error: Error| error.with_param(format!("messages[{at}]"));
            let parts = self.parts(message, &message.parts, is_last, refuses).map_err(refused)?;
            let Some(parts) = parts else { continue };
            if parts.is_empty() && !message.parts.is_empty() {
                emptied.push(at);
            }
            kept.to_mut().messages[at].parts = parts;
        }
        if !emptied.is_empty() {
            let mut at = 0..;
            kept.to_mut().messages.retain(|_| at.next().is_none_or(|at| !emptied.contains(&at)));
        }
        Ok(kept)
    }

    /// `None` where all of them stay as they are.
    fn parts(
        &mut self,
        message: &Message,
        parts: &[Part],
        is_last: bool,
        refuses: bool,
    ) -> Result<Option<Vec<Part>>, Error> {
        let mut settled: Option<Vec<Part>> = None;
        for (at, part) in parts.iter().enumerate() {
            let inner = match &part.content {
                Content::ToolResult(result) => self.parts(message, &result.content, is_last, refuses)?,
                _ => None,
            };
            let fate = self.fate(part, message.role, is_last, refuses)?;
            if matches!(fate, Fate::Stays) && inner.is_none() {
                if let Some(settled) = &mut settled {
                    settled.push(part.clone());
                }
                continue;
            }
            let settled = settled.get_or_insert_with(|| parts[..at].to_vec());
            match fate {
                Fate::Stays => {
                    let mut part = part.clone();
                    if let (Content::ToolResult(result), Some(inner)) = (&mut part.content, inner) {
                        result.content = inner;
                    }
                    settled.push(part);
                }
                Fate::Goes(note) => self.notes.push(note),
                Fate::Becomes(text, note) => {
                    settled.push(Part::text(text));
                    self.notes.push(note);
                }
            }
        }
        Ok(settled)
    }

    fn fate(&self, part: &Part, role: Role, is_last: bool, refuses: bool) -> Result<Fate, Error> {
        let opaque = match &part.content {
            Content::Opaque(opaque) => opaque,
            Content::ToolCall(call) if call.is_server_side => {
                let found: Vec<bool> = self
                    .results
                    .iter()
                    .filter(|result| answered(&result.value) == Some(&call.id))
                    .map(|result| (self.own.part)(result))
                    .collect();
                // An answer that is to go on may end with a call that is still to be run, or wait in it
                // for what a client's tool says.
                let is_ours = self.has_strays || (self.own.server_call_id)(&call.id);
                let goes_on = found.is_empty() && (is_last || is_ours);
                let stays = self.own.server_calls && (goes_on || found.contains(&true));
                return Ok(if stays { Fate::Stays } else { Fate::Goes(dropped(&call.name)) });
            }
            _ => return Ok(Fate::Stays),
        };
        if (self.own.part)(opaque) {
            return Ok(Fate::Stays);
        }
        let kind = kind(&opaque.value);
        if role == Role::Assistant {
            return Ok(Fate::Goes(dropped(kind)));
        }
        if let Some(text) = readable(&opaque.value) {
            // Bare, it would look like the client's own words.
            let text =
                if kind.ends_with("_output") { format!("What a tool gave back:\n{text}") } else { text };
            return Ok(Fate::Becomes(text, Note::instructed(format!("messages/{kind}"))));
        }
        if refuses {
            return Err(unsayable(format!("{} cannot say “{kind}” parts.", self.own.vendor), "messages"));
        }
        Ok(Fate::Goes(dropped(kind)))
    }
}

fn dropped(kind: &str) -> Note {
    Note::dropped(format!("messages/{kind}"))
}

/// A part's type; Gemini's and Bedrock's stand as the first field's name.
fn kind(value: &Value) -> &str {
    let first = || value.as_object()?.keys().next().map(String::as_str);
    value["type"].as_str().or_else(first).unwrap_or("unknown")
}

/// Where families write what people can read.
const WORDS: [&str; 12] = [
    "title",
    "url",
    "source",
    "query",
    "text",
    "content",
    "input",
    "output",
    "stdout",
    "stderr",
    "result",
    "transcript",
];

/// More than this without a blank is no word but data.
const LONGEST_WORD: usize = 512;

/// What a part says in words, line by line; `None` where it says nothing.
fn readable(value: &Value) -> Option<String> {
    let mut lines = Vec::new();
    let fields = value.as_object()?;
    for name in WORDS {
        fields.get(name).into_iter().for_each(|value| words(value, &mut lines));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn words<'v>(value: &'v Value, lines: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => {
            let is_data = text.split_whitespace().any(|word| word.len() > LONGEST_WORD);
            if !text.trim().is_empty() && !is_data {
                lines.push(text);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| words(item, lines)),
        Value::Object(fields) => {
            for name in WORDS {
                fields.get(name).into_iter().for_each(|value| words(value, lines));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use canonical::request::{ToolCall, ToolResult};
    use canonical::{ErrorKind, Retry};
    use serde_json::json;

    use super::*;
    use crate::{ProtocolId, Quirks, TargetContext, protocol};

    fn opaque(family: &str, value: Value) -> Part {
        Content::Opaque(Opaque { family: family.into(), value }).into()
    }

    fn sent(messages: Vec<Message>, id: ProtocolId) -> Result<(Value, Vec<String>), Error> {
        let quirks = Quirks::default();
        let target = TargetContext { model: "any", quirks: &quirks, max_output_tokens: Some(9) };
        let request = ChatRequest { messages, ..ChatRequest::default() };
        let sent = protocol(id).encode_request(&request, &target)?;
        // Bedrock wants the tools of earlier calls declared, and asks in words for none of them.
        let is_of_tools = |note: &&Note| **note != Note::instructed("tool_choice");
        let notes = sent.notes.iter().filter(is_of_tools).map(Note::to_string).collect();
        Ok((serde_json::from_slice(&sent.body).unwrap(), notes))
    }

    fn user(text: &str) -> Message {
        Message::text(Role::User, text)
    }

    /// A search by the provider, as each family writes it: the parts of the answer, and their names.
    fn searched(family: &str) -> (Vec<Part>, Vec<String>) {
        let call = ToolCall {
            id: "srv_1".into(),
            name: "web_search".into(),
            arguments: "{\"query\":\"trains\"}".into(),
            is_server_side: true,
            ..ToolCall::default()
        };
        let (mut parts, value) = match family {
            "anthropic-messages" => (
                vec![Content::ToolCall(call).into()],
                json!({"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": [
                    {"type": "web_search_result", "title": "Secret trains", "url": "https://example.com",
                        "encrypted_content": "EqgfCioIARgBIiQ3"}]}),
            ),
            "bedrock-converse" => (
                vec![Content::ToolCall(call).into()],
                json!({"toolResult": {"toolUseId": "srv_1", "content": [{"text": "Secret trains"}]}}),
            ),
            "openai-responses" => (
                vec![],
                json!({"type": "web_search_call", "id": "ws_1", "status": "completed",
                    "action": {"type": "search", "query": "Secret trains"}}),
            ),
            "gemini-generate" => {
                (vec![], json!({"executableCode": {"language": "PYTHON", "code": "print('Secret trains')"}}))
            }
            _ => (vec![], json!({"type": "audio_reference", "id": "a_1", "transcript": "Secret trains"})),
        };
        let mut names: Vec<String> = parts.iter().map(|_| "dropped:messages/web_search".to_owned()).collect();
        names.push(format!("dropped:messages/{}", kind(&value)));
        parts.push(opaque(family, value));
        parts.push(Part::text("They run."));
        names.sort();
        (parts, names)
    }

    const FAMILIES: [&str; 5] =
        ["openai-chat", "openai-responses", "anthropic-messages", "gemini-generate", "bedrock-converse"];

    #[test]
    fn what_another_provider_ran_and_found_is_left_out_and_the_conversation_goes_on() {
        for family in FAMILIES {
            for id in ProtocolId::ALL.into_iter().filter(|id| id.as_str() != family) {
                let (parts, names) = searched(family);
                let messages =
                    vec![user("Do trains run?"), Message::new(Role::Assistant, parts), user("And now?")];
                let (body, notes) = sent(messages, id).unwrap();
                assert_eq!(notes, names, "{family}'s towards {id}");
                let said = body.to_string();
                assert!(said.contains("They run.") && said.contains("And now?"), "{family}→{id}: {said}");
                assert!(!said.contains("Secret") && !said.contains("srv_1"), "{family}→{id}: {said}");
            }
        }
    }

    #[test]
    fn the_family_itself_gets_back_what_its_provider_ran() {
        for family in FAMILIES {
            let id = ProtocolId::from_name(family).unwrap();
            let (parts, _) = searched(family);
            let messages =
                vec![user("Do trains run?"), Message::new(Role::Assistant, parts), user("And now?")];
            let (body, notes) = sent(messages, id).unwrap();
            assert!(notes.is_empty() && body.to_string().contains("Secret trains"), "{family}: {body}");
        }
    }

    #[test]
    fn an_answer_of_such_parts_alone_is_no_message_any_more() {
        for id in ProtocolId::ALL.into_iter().filter(|id| *id != ProtocolId::OpenaiResponses) {
            let search = opaque("openai-responses", json!({"type": "web_search_call", "id": "ws_1"}));
            let messages =
                vec![user("Look."), Message::new(Role::Assistant, vec![search]), user("What is there?")];
            let (body, notes) = sent(messages, id).unwrap();
            assert_eq!(notes, ["dropped:messages/web_search_call"], "{id}");
            assert!(
                !body.to_string().contains("assistant") && !body.to_string().contains("\"model\":{"),
                "{body}"
            );
        }
    }

    #[test]
    fn what_the_client_said_in_words_is_said_in_words() {
        let found = json!({"type": "search_result", "source": "https://example.com/line", "title": "The line",
            "content": [{"type": "text", "text": "It is blocked."}], "citations": {"enabled": true}});
        for id in ProtocolId::ALL.into_iter().filter(|id| *id != ProtocolId::AnthropicMessages) {
            // In the question, and in what a tool gave back.
            let call = ToolCall {
                id: "call_1".into(),
                name: "look".into(),
                arguments: "{}".into(),
                ..ToolCall::default()
            };
            let result = ToolResult {
                call_id: "call_1".into(),
                name: None,
                content: vec![opaque("an-other", found.clone())],
                is_error: false,
            };
            let messages = vec![
                Message::new(Role::User, vec![Part::text("Is it?"), opaque("an-other", found.clone())]),
                Message::new(Role::Assistant, vec![Content::ToolCall(call).into()]),
                Message::new(Role::Tool, vec![Content::ToolResult(result).into()]),
            ];
            let (body, notes) = sent(messages, id).unwrap();
            assert_eq!(notes, ["instructed:messages/search_result"], "{id}");
            assert_eq!(body.to_string().matches("It is blocked.").count(), 2, "{id}: {body}");
            assert!(!body.to_string().contains("search_result"), "{id}: {body}");
        }
    }

    #[test]
    fn of_the_question_itself_nothing_is_lost() {
        let film = || {
            opaque("an-other", json!({"type": "video_url", "video_url": {"url": "https://example.com/a"}}))
        };
        for id in ProtocolId::ALL {
            let asked = Message::new(Role::User, vec![Part::text("What is this?"), film()]);
            let error = sent(vec![asked.clone()], id).unwrap_err();
            assert_eq!((error.kind, error.retry), (ErrorKind::InvalidRequest, Retry::NextTarget), "{id}");
            assert!(error.message.contains("“video_url”"), "{id}: {error}");
            assert_eq!(error.param.as_deref(), Some("messages[0]"), "{id}");
            // Once it was answered, the conversation goes on.
            let messages = vec![asked, Message::text(Role::Assistant, "A train."), user("How long?")];
            let (_, notes) = sent(messages, id).unwrap();
            assert_eq!(notes, ["dropped:messages/video_url"], "{id}");
        }
    }

    #[test]
    fn data_is_no_text() {
        let picture = "A".repeat(600);
        assert_eq!(readable(&json!({"type": "x", "output": picture, "id": "y"})), None);
        assert_eq!(
            readable(&json!({"type": "x", "output": [{"type": "text", "text": "one"}, "two"], "stderr": ""}))
                .as_deref(),
            Some("one\ntwo")
        );
    }
}
