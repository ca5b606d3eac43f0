//! Thoughts held for clients whose dialect has no word for them.
//!
//! Gemini wants the signature back that came with a call, Claude the signed thinking before it,
//! OpenAI its encrypted reasoning. A client of Chat Completions sends back the call alone. So what an
//! answer's calls were thought with is kept here under the call's id, and put back when the
//! conversation returns with it.
//!
//! In memory only, because thinking is content: after a restart a provider's own fallback holds
//! (Gemini's placeholder, a turn of Claude's without thinking).

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use canonical::event::{PartDelta, PartKind};
use canonical::request::Reasoning;
use canonical::{ChatRequest, ChatResponse, Content, Part, StreamEvent};

/// All that is held, roughly; the oldest goes first.
const MAX_BYTES: usize = 32 << 20;

/// What one thing may weigh: more thinking than any model writes in one turn.
const MAX_HELD_BYTES: usize = 4 << 20;

/// What one answer's calls were thought with.
#[derive(Debug, Clone, Default, PartialEq)]
struct Held {
    /// The thinking before the first call, whole parts; only those that carry a proof.
    thoughts: Vec<Reasoning>,
    /// Of each call that was signed, by its id.
    signatures: HashMap<String, String>,
}

impl Held {
    fn weight(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let thoughts =
            self.thoughts.iter().map(|it| it.text.len() + text(&it.signature) + text(&it.encrypted));
        let signatures = self.signatures.iter().map(|(id, signature)| id.len() + signature.len());
        256 + thoughts.sum::<usize>() + signatures.sum::<usize>()
    }
}

/// Whose call: two clients may hold the same id.
type Key = (String, String);

#[derive(Debug, Default)]
pub(crate) struct Vault(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    /// By every call of the answer.
    by_call: HashMap<Key, u64>,
    held: HashMap<u64, (Held, Vec<Key>)>,
    /// The oldest first.
    order: VecDeque<u64>,
    next: u64,
    bytes: usize,
}

impl Vault {
    /// Holds what `gathered` found in an answer to `owner`.
    pub(crate) fn keep(&self, owner: &str, gathered: Gathered) {
        let Some((held, calls)) = gathered.held() else { return };
        let weight = held.weight();
        if weight > MAX_HELD_BYTES {
            return;
        }
        let keys: Vec<Key> = calls.into_iter().map(|call| (owner.to_owned(), call)).collect();
        let mut shelf = self.lock();
        let number = shelf.next;
        shelf.next += 1;
        for key in &keys {
            shelf.by_call.insert(key.clone(), number);
        }
        shelf.held.insert(number, (held, keys));
        shelf.order.push_back(number);
        shelf.bytes += weight;
        shelf.make_room();
    }

    /// Puts back what is held for the calls in `request` that come without it. Returns to how many
    /// messages.
    pub(crate) fn give_back(&self, owner: &str, request: &mut ChatRequest) -> usize {
        let shelf = self.lock();
        if shelf.held.is_empty() {
            return 0;
        }
        request
            .messages
            .iter_mut()
            .map(|message| usize::from(shelf.complete(owner, &mut message.parts)))
            .sum()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn make_room(&mut self) {
        while self.bytes > MAX_BYTES {
            let Some(oldest) = self.order.pop_front() else { return };
            let Some((held, keys)) = self.held.remove(&oldest) else { continue };
            self.bytes -= held.weight();
            for key in keys {
                // A later answer may have used the id again.
                if self.by_call.get(&key) == Some(&oldest) {
                    self.by_call.remove(&key);
                }
            }
        }
    }

    /// Whether anything was put back into a message's parts.
    fn complete(&self, owner: &str, parts: &mut Vec<Part>) -> bool {
        let mut changed = false;
        let mut thoughts: Option<&[Reasoning]> = None;
        for part in parts.iter_mut() {
            let Content::ToolCall(call) = &mut part.content else { continue };
            let Some(number) = self.by_call.get(&(owner.to_owned(), call.id.clone())) else { continue };
            let Some((held, _)) = self.held.get(number) else { continue };
            if call.signature.is_none()
                && let Some(signature) = held.signatures.get(&call.id)
            {
                call.signature = Some(signature.clone());
                changed = true;
            }
            thoughts.get_or_insert(&held.thoughts);
        }
        let has_proof = parts.iter().any(|part| match &part.content {
            Content::Reasoning(thought) => thought.signature.is_some() || thought.encrypted.is_some(),
            _ => false,
        });
        let Some(thoughts) = thoughts.filter(|thoughts| !thoughts.is_empty() && !has_proof) else {
            return changed;
        };
        // Thinking without its proof is the same thinking, less.
        parts.retain(|part| !matches!(part.content, Content::Reasoning(_)));
        parts.splice(0..0, thoughts.iter().map(|thought| Content::Reasoning(thought.clone()).into()));
        true
    }
}

/// Watches an answer go by for what is to be held of it.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    open: HashMap<u32, Open>,
    thoughts: Vec<Reasoning>,
    calls: Vec<String>,
    signatures: HashMap<String, String>,
    bytes: usize,
}

#[derive(Debug)]
enum Open {
    Thought(Reasoning),
    Call(String),
}

impl Gathered {
    pub(crate) fn note(&mut self, event: &StreamEvent) {
        match event {
            // Other choices are other answers; nobody sends more than one back.
            StreamEvent::PartStart { index, choice: 0, kind } => {
                let open = match kind {
                    PartKind::Reasoning if self.calls.is_empty() => Open::Thought(Reasoning::default()),
                    PartKind::ToolCall { id, is_server_side: false, .. } => {
                        self.calls.push(id.clone());
                        Open::Call(id.clone())
                    }
                    _ => return,
                };
                self.open.insert(*index, open);
            }
            StreamEvent::PartDelta { index, delta } => self.delta(*index, delta),
            StreamEvent::PartEnd { index } => {
                if let Some(Open::Thought(thought)) = self.open.remove(index)
                    && (thought.signature.is_some() || thought.encrypted.is_some())
                {
                    self.thoughts.push(thought);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn note_whole(&mut self, response: &ChatResponse) {
        for event in canonical::fold::unfold(response) {
            self.note(&event);
        }
    }

    fn delta(&mut self, index: u32, delta: &PartDelta) {
        let Some(open) = self.open.get_mut(&index) else { return };
        let (PartDelta::Text(text)
        | PartDelta::Arguments(text)
        | PartDelta::Signature(text)
        | PartDelta::Encrypted(text)) = delta;
        match (open, delta) {
            (Open::Thought(thought), PartDelta::Text(_)) if self.bytes <= MAX_HELD_BYTES => {
                thought.text.push_str(text);
            }
            (Open::Thought(thought), PartDelta::Signature(_)) => thought.signature = Some(text.clone()),
            (Open::Thought(thought), PartDelta::Encrypted(_)) => thought.encrypted = Some(text.clone()),
            (Open::Call(id), PartDelta::Signature(_)) => {
                self.signatures.insert(id.clone(), text.clone());
            }
            _ => return,
        }
        self.bytes += text.len();
    }

    /// What to hold, and under which calls; `None` where no call or no proof came.
    fn held(self) -> Option<(Held, Vec<String>)> {
        let is_whole = self.bytes <= MAX_HELD_BYTES;
        let held = Held { thoughts: self.thoughts, signatures: self.signatures };
        let has_proof = !held.thoughts.is_empty() || !held.signatures.is_empty();
        (is_whole && has_proof && !self.calls.is_empty()).then_some((held, self.calls))
    }
}

#[cfg(test)]
mod tests {
    use canonical::request::ToolCall;
    use canonical::{Choice, Message, Role};

    use super::*;

    fn call(id: &str, signature: Option<&str>) -> Part {
        let call = ToolCall {
            id: id.into(),
            name: "look".into(),
            arguments: "{}".into(),
            signature: signature.map(str::to_owned),
            ..ToolCall::default()
        };
        Content::ToolCall(call).into()
    }

    fn thought(text: &str, signature: Option<&str>) -> Part {
        let signature = signature.map(str::to_owned);
        Content::Reasoning(Reasoning { text: text.into(), signature, encrypted: None }).into()
    }

    fn answer(parts: Vec<Part>) -> Gathered {
        let mut gathered = Gathered::default();
        let choices = vec![Choice { parts, ..Choice::default() }];
        gathered.note_whole(&ChatResponse { choices, ..ChatResponse::default() });
        gathered
    }

    fn turn(parts: Vec<Part>) -> ChatRequest {
        ChatRequest { messages: vec![Message::new(Role::Assistant, parts)], ..ChatRequest::default() }
    }

    #[test]
    fn a_call_gets_back_its_signature_and_the_thinking_before_it() {
        let vault = Vault::default();
        let said =
            vec![thought("Hm.", Some("t")), Part::text("I look."), call("1", Some("c")), call("2", None)];
        vault.keep("agent", answer(said.clone()));
        let mut request = turn(vec![Part::text("I look."), call("1", None), call("2", None)]);
        assert_eq!(vault.give_back("agent", &mut request), 1);
        assert_eq!(request.messages[0].parts, said);
        assert_eq!(vault.give_back("agent", &mut request), 0, "what is there is not put there twice");
    }

    #[test]
    fn thinking_that_came_back_without_its_proof_is_replaced() {
        let vault = Vault::default();
        vault.keep("agent", answer(vec![thought("Hm.", Some("t")), call("1", None)]));
        let mut request = turn(vec![thought("Hm.", None), call("1", None)]);
        vault.give_back("agent", &mut request);
        assert_eq!(request.messages[0].parts, [thought("Hm.", Some("t")), call("1", None)]);
    }

    #[test]
    fn a_call_is_its_clients_own() {
        let vault = Vault::default();
        vault.keep("agent", answer(vec![call("1", Some("c"))]));
        let mut request = turn(vec![call("1", None)]);
        assert_eq!(vault.give_back("another", &mut request), 0);
        assert_eq!(request, turn(vec![call("1", None)]));
    }

    #[test]
    fn an_answer_without_a_call_or_a_proof_is_not_held() {
        let vault = Vault::default();
        vault.keep("agent", answer(vec![thought("Hm.", Some("t")), Part::text("Done.")]));
        vault.keep("agent", answer(vec![thought("Hm.", None), call("1", None)]));
        assert!(vault.lock().held.is_empty());
    }

    #[test]
    fn the_oldest_goes_when_there_is_no_room() {
        let vault = Vault::default();
        let long = "x".repeat(3 << 20);
        for number in 0..20 {
            vault.keep("agent", answer(vec![thought(&long, Some("t")), call(&number.to_string(), None)]));
        }
        let shelf = vault.lock();
        assert!(shelf.bytes <= MAX_BYTES && shelf.held.len() == 10, "{}", shelf.held.len());
        assert_eq!(shelf.by_call.len(), shelf.held.len());
        assert!(shelf.by_call.contains_key(&("agent".into(), "19".into())));
        drop(shelf);
        vault.keep("agent", answer(vec![thought(&"x".repeat(5 << 20), Some("t")), call("huge", None)]));
        assert!(!vault.lock().by_call.contains_key(&("agent".into(), "huge".into())));
    }
}
