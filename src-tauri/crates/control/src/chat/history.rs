//! From a chat's tree to a request: the path from its beginning to one message.

use std::collections::HashMap;

use canonical::{ChatRequest, Message, Role};
use ledger::MessageState;
use ledger::chats::StoredMessage;

use crate::types::ToolCallView;
use crate::views;

/// Characters of a title.
const TITLE_CHARS: usize = 48;

/// What a chat is called before anything was said in it.
pub(crate) const UNTITLED: &str = "New chat";

/// The messages from the chat's beginning to `last`, which is part of it. Empty where it is not in
/// the chat.
pub(crate) fn path<'m>(messages: &'m [StoredMessage], last: &str) -> Vec<&'m StoredMessage> {
    let by_id: HashMap<&str, &StoredMessage> =
        messages.iter().map(|message| (message.id.as_str(), message)).collect();
    let mut path = Vec::new();
    let mut next = Some(last);
    while let Some(message) = next.and_then(|id| by_id.get(id).copied()) {
        path.push(message);
        // A circle cannot be made from here; a damaged file could have one.
        if path.len() > messages.len() {
            return Vec::new();
        }
        next = message.parent_id.as_deref();
    }
    path.reverse();
    path
}

/// The request that asks `model` to go on after `path`.
pub(crate) fn request(path: &[&StoredMessage], model: &str) -> ChatRequest {
    ChatRequest {
        model: model.to_owned(),
        messages: path.iter().filter_map(|message| said(message)).collect(),
        stream: true,
        include_usage: true,
        ..ChatRequest::default()
    }
}

/// What a message adds to the conversation; `None` for an answer that never said anything.
fn said(message: &StoredMessage) -> Option<Message> {
    let role = match message.role.as_str() {
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => Role::User,
    };
    if role != Role::Assistant {
        return Some(Message::text(role, message.text.clone()));
    }
    if message.state == MessageState::Streaming {
        return None;
    }
    let mut text = message.text.clone();
    // Nothing runs tools in a chat yet, and a call without its result is refused by providers:
    // the model is told in words what it had asked for.
    for call in views::tool_calls(message.tool_calls.as_ref()) {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(&asked_for(&call));
    }
    (!text.trim().is_empty()).then(|| Message::text(role, text))
}

fn asked_for(call: &ToolCallView) -> String {
    format!("(I asked for the tool {} with {}; it was not run.)", call.name, call.arguments)
}

/// A chat's title: the first words of what was asked.
pub(crate) fn title(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line = line.trim_start_matches(['#', '>', '*', '-', '`', ' ']);
    if line.is_empty() {
        return UNTITLED.to_owned();
    }
    let Some((end, _)) = line.char_indices().nth(TITLE_CHARS) else { return line.to_owned() };
    let head = &line[..end];
    let words = head.rsplit_once(char::is_whitespace).map_or(head, |(words, _)| words);
    format!("{}…", words.trim_end_matches([',', ';', ':', '.', ' ']))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(id: &str, parent: Option<&str>, role: &str, text: &str) -> StoredMessage {
        StoredMessage {
            id: id.to_owned(),
            chat_id: "chat".to_owned(),
            parent_id: parent.map(str::to_owned),
            role: role.to_owned(),
            state: MessageState::Complete,
            text: text.to_owned(),
            reasoning: String::new(),
            tool_calls: None,
            attachments: None,
            model: None,
            error_kind: None,
            error_message: None,
            request_id: None,
            created_at: 0,
            ended_at: None,
            receipt: None,
        }
    }

    #[test]
    fn a_request_follows_one_branch_only() {
        let messages = [
            message("q1", None, "user", "one"),
            message("a1", Some("q1"), "assistant", "first"),
            message("a2", Some("q1"), "assistant", "second"),
            message("q2", Some("a2"), "user", "two"),
        ];
        let request = request(&path(&messages, "q2"), "rehearsal/fast");
        let said: Vec<_> = request.messages.iter().map(Message::plain_text).collect();
        assert_eq!(said, ["one", "second", "two"]);
        assert!(request.stream);
        assert!(path(&messages, "elsewhere").is_empty());
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let messages = [message("a", Some("b"), "user", "x"), message("b", Some("a"), "user", "y")];
        assert!(path(&messages, "a").is_empty());
    }

    #[test]
    fn an_answer_that_said_nothing_is_left_out_and_a_call_is_told_in_words() {
        let mut failed = message("a1", Some("q1"), "assistant", "");
        failed.state = MessageState::Failed;
        let mut called = message("a2", Some("q2"), "assistant", "");
        called.tool_calls = Some(json!([{"id": "c", "name": "look", "arguments": "{}"}]));
        let messages =
            [message("q1", None, "user", "one"), failed, message("q2", Some("a1"), "user", "two"), called];
        let request = request(&path(&messages, "a2"), "m");
        let roles: Vec<_> = request.messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::User, Role::User, Role::Assistant]);
        assert!(request.messages[2].plain_text().contains("look"));
    }

    #[test]
    fn a_title_is_the_first_words() {
        assert_eq!(title("\n\n## Why do leaves fall?\nPlease."), "Why do leaves fall?");
        assert_eq!(title("   "), UNTITLED);
        let long =
            title("Explain the history of tea in the mountains, and why it was carried so far by mules");
        assert_eq!(long, "Explain the history of tea in the mountains…");
    }
}
