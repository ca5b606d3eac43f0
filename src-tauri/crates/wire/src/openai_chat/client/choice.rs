//! One choice of an answer as it is put together: which parts are open, which tool call a fragment
//! belongs to.

use std::borrow::Cow;

use canonical::event::StreamEvent;
use canonical::request::Opaque;
use canonical::{FinishReason, PartDelta, PartKind};
use serde_json::{Map, Value, json};

use super::arguments::Arguments;
use super::finish;
use super::media::media_of_url;
use crate::json::LooseFields;
use crate::openai_chat::types::{Content, FAMILY, Function, MESSAGE_PREFIX, Message, ToolCall};

/// Fields that only pad a chunk against eavesdroppers.
const PADDING: [&str; 3] = ["obfuscation", "p", "padding"];

/// Where events go, and the number of the next part, which counts over all choices.
pub(super) struct Sink<'a> {
    pub out: &'a mut Vec<StreamEvent>,
    pub next_part: &'a mut u32,
}

impl Sink<'_> {
    fn start(&mut self, choice: u32, kind: PartKind) -> u32 {
        let index = *self.next_part;
        *self.next_part += 1;
        self.out.push(StreamEvent::PartStart { index, choice, kind });
        index
    }

    fn delta(&mut self, index: u32, delta: PartDelta) {
        if !delta.is_empty() {
            self.out.push(StreamEvent::PartDelta { index, delta });
        }
    }

    fn end(&mut self, index: u32) {
        self.out.push(StreamEvent::PartEnd { index });
    }
}

#[derive(Debug, Default)]
pub(super) struct ChoiceState {
    index: u32,
    /// Text, reasoning or refusal: one of them at a time.
    prose: Option<Prose>,
    calls: Vec<Call>,
    /// Calls with free-form input; no event can carry them in pieces, so they wait for the end.
    customs: Vec<Value>,
    finish_word: Option<String>,
    is_closed: bool,
}

#[derive(Debug)]
struct Prose {
    part: u32,
    kind: ProseKind,
    /// Reasoning has got its signature or its encrypted form; another one begins a new part.
    is_sealed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProseKind {
    Text,
    Reasoning,
    Refusal,
}

#[derive(Debug)]
struct Call {
    wire_index: Option<u32>,
    wire_id: Option<String>,
    /// Its id where the wire has none.
    minted_id: String,
    name: String,
    /// `None` until its name is known to be whole: some send it in pieces, and none behind the first
    /// of its arguments.
    part: Option<u32>,
    arguments: Arguments,
}

impl Call {
    /// Whether a fragment without an id that says `name` goes on with this call: it repeats the name,
    /// or brings more of it where this call has an id and the fragment, unlike a call of its own, none.
    fn goes_on_as(&self, name: &str) -> bool {
        let is_more_of_it = self.part.is_none() && self.wire_id.is_some();
        !self.is_whole() && (self.name == name || is_more_of_it)
    }

    /// Takes what a fragment says of who is called, while that may still change: the next piece of
    /// the name, the name as far as it is known, or the same name again.
    fn more_of_its_head(&mut self, id: Option<&str>, name: Option<&str>) {
        if self.part.is_some() {
            return;
        }
        if let (None, Some(id)) = (&self.wire_id, id) {
            self.wire_id = Some(id.to_owned());
        }
        match name {
            Some(name) if name.starts_with(&self.name) => name.clone_into(&mut self.name),
            Some(name) => self.name.push_str(name),
            None => {}
        }
    }

    /// Whether the arguments are a complete JSON value already.
    fn is_whole(&self) -> bool {
        self.arguments.is_whole()
    }
}

impl ChoiceState {
    pub(super) fn new(index: u32) -> Self {
        Self { index, ..Self::default() }
    }

    pub(super) fn finish_word(&self) -> Option<&str> {
        self.finish_word.as_deref()
    }

    /// The last word said holds: a later chunk may repeat or correct it.
    pub(super) fn set_finish_word(&mut self, word: Option<String>) {
        self.finish_word = word.or(self.finish_word.take());
    }

    /// Takes a `delta`, or a whole `message`. `answer_key` makes minted ids differ between answers.
    pub(super) fn take(&mut self, message: Message<'_>, answer_key: &str, sink: &mut Sink<'_>) {
        let Message { content, reasoning_content, reasoning, reasoning_details, refusal, .. } = message;
        let details = reasoning_details.unwrap_or_default();
        let mut fields = message.rest;
        if !details.is_empty() {
            fields.push(("reasoning_details".into(), Value::Array(details.clone())));
        }
        self.extension(fields, MESSAGE_PREFIX, sink);
        // The same thought under several names at once (Doubleword, OpenRouter) is one thought.
        let thought = [reasoning_content, reasoning].into_iter().flatten().find(|text| !text.is_empty());
        self.reasoning(thought, &details, sink);
        self.content(content, sink);
        self.prose(ProseKind::Refusal, refusal.unwrap_or_default(), sink);
        for call in message.tool_calls.into_iter().flatten() {
            self.tool_call(call, answer_key, sink);
        }
        if let Some(function) = message.function_call.filter(|call| !is_blank(call)) {
            let call = ToolCall { function: Some(*function), ..ToolCall::default() };
            self.tool_call(call, answer_key, sink);
        }
        for image in message.images.into_iter().flatten() {
            self.image(image, sink);
        }
    }

    /// Passes fields on that only the family knows; `prefix` says whose they are. They come before
    /// the content that they stand beside, so that an encoder can put both into one chunk again.
    pub(super) fn extension(&self, fields: LooseFields<'_>, prefix: &str, sink: &mut Sink<'_>) {
        if fields.is_empty() {
            return;
        }
        let fields: Map<String, Value> = fields
            .into_iter()
            .filter(|(name, value)| !value.is_null() && !PADDING.contains(&&**name))
            .map(|(name, value)| {
                let name = if prefix.is_empty() { name.into_owned() } else { format!("{prefix}{name}") };
                (name, value)
            })
            .collect();
        if !fields.is_empty() {
            let family = FAMILY.to_owned();
            sink.out.push(StreamEvent::Extension { choice: Some(self.index), family, fields });
        }
    }

    /// Ends what is open. Nothing may be taken afterwards.
    pub(super) fn close(&mut self, sink: &mut Sink<'_>) {
        if std::mem::replace(&mut self.is_closed, true) {
            return;
        }
        self.end_prose(sink);
        self.start_waiting(sink);
        for part in self.calls.iter().filter_map(|call| call.part) {
            sink.end(part);
        }
        for value in std::mem::take(&mut self.customs) {
            self.opaque(value, sink);
        }
    }

    /// Says how the choice ended; after [`Self::close`]. Without a finish word the answer itself
    /// says it, where the caller knows that it is whole.
    pub(super) fn finish(&self, sink: &mut Sink<'_>) {
        let said = self.finish_word.as_deref().map_or(FinishReason::Stop, finish::reason);
        let reason = finish::normalised(said, self.has_calls());
        let raw = self.finish_word.clone();
        sink.out.push(StreamEvent::Finish { choice: self.index, reason, raw });
    }

    /// Whether the answer ends in tool calls with complete arguments: then it shows its end itself.
    pub(super) fn ends_in_whole_calls(&self) -> bool {
        self.has_calls() && self.prose.is_none() && self.calls.iter().all(Call::is_whole)
    }

    fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    fn content(&mut self, content: Option<Content>, sink: &mut Sink<'_>) {
        match content {
            None => {}
            Some(Content::Text(text)) => self.prose(ProseKind::Text, text, sink),
            Some(Content::Parts(parts)) => parts.into_iter().for_each(|part| self.content_part(part, sink)),
        }
    }

    fn content_part(&mut self, part: Value, sink: &mut Sink<'_>) {
        match part.get("type").and_then(Value::as_str) {
            Some("text" | "output_text") => {
                let text = part.get("text").and_then(Value::as_str).unwrap_or("");
                self.prose(ProseKind::Text, text.to_owned(), sink);
            }
            Some("thinking") => self.prose(ProseKind::Reasoning, thinking_text(&part), sink),
            Some("refusal") => {
                let text = part.get("refusal").and_then(Value::as_str).unwrap_or("");
                self.prose(ProseKind::Refusal, text.to_owned(), sink);
            }
            Some("image_url") => self.image(part, sink),
            _ => match part {
                Value::String(text) => self.prose(ProseKind::Text, text, sink),
                other => {
                    self.end_prose(sink);
                    self.start_waiting(sink);
                    self.opaque(other, sink);
                }
            },
        }
    }

    fn reasoning(&mut self, thought: Option<String>, details: &[Value], sink: &mut Sink<'_>) {
        let text = |detail: &Value| {
            let said = detail.get("text").or_else(|| detail.get("summary"));
            said.and_then(Value::as_str).unwrap_or("").to_owned()
        };
        let field = |detail: &Value, name: &str| {
            let value = detail.get(name).and_then(Value::as_str).unwrap_or("");
            (!value.is_empty()).then(|| value.to_owned())
        };
        let thought = thought.unwrap_or_else(|| details.iter().map(text).collect());
        self.prose(ProseKind::Reasoning, thought, sink);
        for detail in details {
            if let Some(signature) = field(detail, "signature") {
                self.seal(PartDelta::Signature(signature), sink);
            }
            if let Some(data) = field(detail, "data") {
                self.seal(PartDelta::Encrypted(data), sink);
            }
        }
    }

    /// Puts a signature or an encrypted thought on the open reasoning, or on one of its own.
    fn seal(&mut self, delta: PartDelta, sink: &mut Sink<'_>) {
        let part = self.open_prose(ProseKind::Reasoning, sink);
        sink.delta(part, delta);
        if let Some(prose) = &mut self.prose {
            prose.is_sealed = true;
        }
    }

    fn prose(&mut self, kind: ProseKind, text: String, sink: &mut Sink<'_>) {
        if text.is_empty() {
            return;
        }
        let part = self.open_prose(kind, sink);
        sink.delta(part, PartDelta::Text(text));
    }

    /// The open part of that kind; another kind that is open ends first.
    fn open_prose(&mut self, kind: ProseKind, sink: &mut Sink<'_>) -> u32 {
        match &self.prose {
            Some(prose) if prose.kind == kind && !prose.is_sealed => return prose.part,
            _ => self.end_prose(sink),
        }
        self.start_waiting(sink);
        let started = match kind {
            ProseKind::Text => PartKind::Text,
            ProseKind::Reasoning => PartKind::Reasoning,
            ProseKind::Refusal => PartKind::Refusal,
        };
        let part = sink.start(self.index, started);
        self.prose = Some(Prose { part, kind, is_sealed: false });
        part
    }

    fn end_prose(&mut self, sink: &mut Sink<'_>) {
        if let Some(prose) = self.prose.take() {
            sink.end(prose.part);
        }
    }

    fn tool_call(&mut self, call: ToolCall<'_>, answer_key: &str, sink: &mut Sink<'_>) {
        if call.kind.as_deref() == Some("custom") || (call.function.is_none() && call.custom.is_some()) {
            self.custom_call(call, answer_key);
            return;
        }
        let known = self.find_call(&call);
        let Function { name, arguments } = call.function.unwrap_or_default();
        let is_named = [&call.id, &name].into_iter().flatten().any(|word| !word.is_empty());
        if known.is_none() && !is_named {
            // A piece of a call whose beginning was lost: nobody can run a call without a name.
            return;
        }
        let id = call.id.filter(|id| !id.is_empty());
        let name = name.filter(|name| !name.is_empty());
        let position = if let Some(position) = known {
            self.calls[position].more_of_its_head(id.as_deref(), name.as_deref());
            position
        } else {
            let (id, name) = (id.map(Cow::into_owned), name.unwrap_or_default().into_owned());
            self.begin_call(call.index, id, name, answer_key, sink)
        };
        let pieces = match arguments {
            Value::Null => String::new(),
            Value::String(pieces) => pieces,
            object => object.to_string(),
        };
        let signature = thought_signature(&call.extra_content);
        if pieces.is_empty() && signature.is_none() {
            return;
        }
        self.start_waiting(sink);
        let open = &mut self.calls[position];
        let Some(part) = open.part else { return };
        open.arguments.push(&pieces);
        sink.delta(part, PartDelta::Arguments(pieces));
        if let Some(signature) = signature {
            sink.delta(part, PartDelta::Signature(signature.to_owned()));
        }
    }

    /// A call whose part starts when its name is whole; those before it start now.
    fn begin_call(
        &mut self,
        wire_index: Option<u32>,
        wire_id: Option<String>,
        name: String,
        answer_key: &str,
        sink: &mut Sink<'_>,
    ) -> usize {
        self.end_prose(sink);
        self.start_waiting(sink);
        let minted_id = self.mint_id(answer_key);
        let arguments = Arguments::default();
        self.calls.push(Call { wire_index, wire_id, minted_id, name, part: None, arguments });
        self.calls.len() - 1
    }

    /// Starts the part of the call that has none yet: the last one begun.
    fn start_waiting(&mut self, sink: &mut Sink<'_>) {
        let Some(call) = self.calls.last_mut().filter(|call| call.part.is_none()) else { return };
        let id = call.wire_id.clone().unwrap_or_else(|| call.minted_id.clone());
        let kind = PartKind::ToolCall { id, name: call.name.clone(), is_server_side: false };
        call.part = Some(sink.start(self.index, kind));
    }

    /// An id for a call that came without one: the same for the same answer, another for the next
    /// answer of a conversation.
    fn mint_id(&self, answer_key: &str) -> String {
        let number = self.calls.len() + self.customs.len();
        format!("call_{answer_key}{}_{number}", self.index)
    }

    /// The open call that a fragment goes on with, or `None` where it begins another.
    ///
    /// Ids are believed first, then indices. An index alone does not begin a new call and is not
    /// enough to go on with one: some send whole calls all numbered 0, some number none.
    fn find_call(&self, fragment: &ToolCall<'_>) -> Option<usize> {
        let id = fragment.id.as_deref().filter(|id| !id.is_empty());
        let name = fragment.function.as_ref().and_then(|function| function.name.as_deref());
        let name = name.filter(|name| !name.is_empty());
        let last = self.calls.len().checked_sub(1);
        let is_numbered = fragment.index.is_some();
        let numbered = || {
            let index = fragment.index?;
            self.calls.iter().rposition(|call| call.wire_index == Some(index))
        };
        match (id, name) {
            (Some(id), _) => self
                .calls
                .iter()
                .rposition(|call| {
                    let has_same_index = call.wire_index.is_none()
                        || fragment.index.is_none()
                        || call.wire_index == fragment.index;
                    call.wire_id.as_deref() == Some(id) && has_same_index
                })
                // A new id on every nameless piece (older vLLM) begins nothing.
                .or_else(|| numbered().filter(|_| name.is_none())),
            // The name again on each piece, or another call without an id?
            (None, Some(name)) => numbered()
                .or_else(|| last.filter(|_| fragment.index.is_none()))
                .filter(|position| self.calls[*position].goes_on_as(name)),
            // A number that no call has belongs to one whose beginning was lost.
            (None, None) => numbered()
                .or_else(|| last.filter(|last| !is_numbered || self.calls[*last].wire_index.is_none())),
        }
    }

    /// Free-form calls: kept as the family's own JSON and passed on whole.
    fn custom_call(&mut self, call: ToolCall<'_>, answer_key: &str) {
        let custom = call.custom.unwrap_or_default();
        let input = custom.input.unwrap_or_default();
        let index = call.index;
        let id = call.id.filter(|id| !id.is_empty());
        let known = self.customs.iter_mut().rev().find(|have| match (&id, index) {
            (Some(id), _) => have["id"] == **id,
            (None, Some(index)) => have["index"] == index,
            (None, None) => true,
        });
        if let Some(Value::String(have)) = known.and_then(|have| have.pointer_mut("/custom/input")) {
            have.push_str(&input);
            return;
        }
        let id = id.map_or_else(|| self.mint_id(answer_key), Cow::into_owned);
        let custom = json!({"name": custom.name.unwrap_or_default(), "input": input});
        self.customs.push(json!({"id": id, "index": index, "type": "custom", "custom": custom}));
    }

    fn image(&mut self, part: Value, sink: &mut Sink<'_>) {
        self.end_prose(sink);
        self.start_waiting(sink);
        let url = part.get("image_url").map(|image| image.get("url").unwrap_or(image));
        match url.and_then(Value::as_str) {
            Some(url) => {
                let media = media_of_url(url);
                let index = sink.start(self.index, PartKind::Image { media });
                sink.end(index);
            }
            None => self.opaque(part, sink),
        }
    }

    fn opaque(&self, value: Value, sink: &mut Sink<'_>) {
        let opaque = Opaque { family: FAMILY.to_owned(), value };
        let index = sink.start(self.index, PartKind::Opaque { opaque });
        sink.end(index);
    }
}

/// Snowflake sends an empty `function_call` with every message.
fn is_blank(function: &Function<'_>) -> bool {
    let has_name = function.name.as_deref().is_some_and(|name| !name.is_empty());
    let has_arguments = match &function.arguments {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        _ => true,
    };
    !has_name && !has_arguments
}

/// `extra_content.google.thought_signature` of Google's compatible endpoint.
pub(in crate::openai_chat) fn thought_signature(extra_content: &Value) -> Option<&str> {
    extra_content.get("google")?.get("thought_signature")?.as_str()
}

/// The text of Mistral's `thinking` part.
pub(in crate::openai_chat) fn thinking_text(part: &Value) -> String {
    match part.get("thinking") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            items.iter().filter_map(|item| item.get("text")?.as_str()).collect::<String>()
        }
        _ => String::new(),
    }
}
