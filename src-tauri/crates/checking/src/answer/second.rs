//! Asking once more: the request that says what was wrong, and the answer that goes on where the
//! first one stopped.

use std::collections::{BTreeMap, BTreeSet};

use canonical::request::{Content, ToolCall, ToolResult};
use canonical::{ChatRequest, ChatResponse, Message, Part, PartKind, Role, StreamEvent};
use serde_json::Value;

use super::{Remedy, Report, Subject};

/// What the client has seen of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    has_start: bool,
    parts: u32,
    has_text: bool,
}

impl Sent {
    /// Whether the client has seen anything at all.
    pub const fn is_nothing(self) -> bool {
        !self.has_start && self.parts == 0
    }
}

/// Keeps what is sent twice from the client, and its parts numbered in one line.
#[derive(Debug, Default)]
pub(super) struct Second {
    /// What the first answer had sent; `None` for a first answer.
    before: Option<Sent>,
    sent: Sent,
    next: u32,
    /// The provider's number of a part → the client's.
    numbers: BTreeMap<u32, u32>,
    dropped: BTreeSet<u32>,
}

impl Second {
    pub(super) fn after(sent: Sent) -> Self {
        Self { before: Some(sent), sent, next: sent.parts, ..Self::default() }
    }

    pub(super) const fn sent(&self) -> Sent {
        self.sent
    }

    /// The event as it continues what was sent; `None` where the client has had its like.
    pub(super) fn renumber(&mut self, event: StreamEvent) -> Option<StreamEvent> {
        let Some(before) = self.before else { return Some(event) };
        match event {
            StreamEvent::Start(_) if before.has_start => None,
            StreamEvent::PartStart { index, choice, kind } => {
                let again = before.parts > 0
                    && match kind {
                        PartKind::Text => before.has_text,
                        PartKind::ToolCall { is_server_side, .. } => is_server_side,
                        _ => true,
                    };
                if again {
                    self.dropped.insert(index);
                    return None;
                }
                let number = self.next;
                self.next += 1;
                self.numbers.insert(index, number);
                Some(StreamEvent::PartStart { index: number, choice, kind })
            }
            StreamEvent::PartDelta { index, delta } => {
                Some(StreamEvent::PartDelta { index: *self.numbers.get(&index)?, delta })
            }
            StreamEvent::PartEnd { index } => {
                Some(StreamEvent::PartEnd { index: *self.numbers.get(&index)? })
            }
            event => Some(event),
        }
    }

    pub(super) fn note_sent(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::Start(_) => self.sent.has_start = true,
            StreamEvent::PartStart { kind, .. } => {
                self.sent.parts += 1;
                self.sent.has_text |= matches!(kind, PartKind::Text);
            }
            _ => {}
        }
    }
}

/// `request` with the withheld answer and what was wrong in it behind, as a tool's result or a
/// user's word. `None` where there are several choices, or none.
pub fn corrected(request: &ChatRequest, answer: &ChatResponse, report: &Report) -> Option<ChatRequest> {
    let [choice] = answer.choices.as_slice() else { return None };
    let mut parts = choice.parts.clone();
    let mut results = Vec::new();
    for part in &mut parts {
        let Content::ToolCall(call) = &mut part.content else { continue };
        if call.is_server_side {
            continue;
        }
        results.push(Part::from(Content::ToolResult(ToolResult {
            call_id: call.id.clone(),
            name: Some(call.name.clone()),
            content: vec![Part::text(verdict_on(call, report))],
            is_error: true,
        })));
        // Protocols send a call's arguments back as JSON, and cannot where they are none.
        if !matches!(serde_json::from_str(&call.arguments), Ok(Value::Object(_))) {
            "{}".clone_into(&mut call.arguments);
        }
    }
    let mut corrected = request.clone();
    corrected.messages.push(Message::new(Role::Assistant, parts));
    if results.is_empty() {
        let words = report.findings.iter().find(|finding| finding.subject == Subject::Output)?;
        let words = format!(
            "This answer was not accepted: {} Answer again, with nothing but JSON that keeps to the format.",
            words.failure
        );
        corrected.messages.push(Message::text(Role::User, words));
    } else {
        corrected.messages.push(Message::new(Role::Tool, results));
    }
    Some(corrected)
}

fn verdict_on(call: &ToolCall, report: &Report) -> String {
    let is_this = |subject: &Subject| matches!(subject, Subject::ToolCall { id, name } if *id == call.id && *name == call.name);
    let finding = report.findings.iter().find(|one| one.remedy == Remedy::Withheld && is_this(&one.subject));
    match finding {
        Some(finding) => format!(
            "The call was not run: {} Call a tool that was declared, with arguments that keep to its schema.",
            finding.failure
        ),
        None => {
            "The call was not run, because another call of the same turn was wrong. Make it again.".to_owned()
        }
    }
}
