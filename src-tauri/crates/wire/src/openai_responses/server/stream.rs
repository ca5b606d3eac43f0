//! Events → the client's events, as the official SDKs' parsers expect them.
//! <https://platform.openai.com/docs/api-reference/responses-streaming>
//!
//! `response.completed`, `.incomplete` or `.failed` is the end and repeats all of the answer; an answer
//! that is asked for whole is just that. An answer that breaks off ends with an `error` event and
//! `response.failed`, which holds what had arrived.

use std::collections::BTreeMap;

use canonical::request::{Media, ToolCall};
use canonical::{Error, FinishReason, PartDelta, PartKind, StreamEvent, Usage};
use serde_json::{Map, Value, json};

use super::super::{FAMILY, ITEM_PREFIX, NEXT_PIECE, PART_PREFIX};
use super::answer::{Facts, State};
use super::envelope::{self, Sealed};
use super::items::{self, Body, Call, Item, List, Piece, Thought, Words};
use super::{error, mint, tools};
use crate::custom_tools;
use crate::{AnswerContext, StreamEncoder};

#[derive(Debug)]
pub(super) struct Encoder {
    request_id: String,
    facts: Facts,
    /// The output, done or not.
    items: Vec<Item>,
    /// Parts that are being written.
    places: BTreeMap<u32, Place>,
    /// What this family alone can say of each part.
    kept: BTreeMap<u32, Map<String, Value>>,
    /// Signatures of parts whose items have no field for them, until the part ends.
    proofs: BTreeMap<u32, Sealed>,
    /// The namespace and name behind each name that stands for both.
    names: Map<String, Value>,
    finish: Option<(FinishReason, Option<String>)>,
    /// A provider of this family answers.
    is_own: bool,
    /// The client knows that the answer has begun.
    has_begun: bool,
    is_over: bool,
    /// The number of the next event.
    sequence: u64,
    /// Only the whole answer is wanted.
    is_silent: bool,
}

/// Where a part lies.
#[derive(Debug, Clone)]
enum Place {
    /// A piece of the message at that place of the output.
    Piece(usize, usize),
    Item(usize),
    /// Not in the output before it ends.
    Image(Media),
}

impl Encoder {
    pub(super) fn new(context: &AnswerContext) -> Self {
        Self {
            request_id: context.request_id.clone(),
            facts: Facts::new(context),
            items: Vec::new(),
            places: BTreeMap::new(),
            kept: BTreeMap::new(),
            proofs: BTreeMap::new(),
            names: context.echo.get("tools").map(tools::qualified_names).unwrap_or_default(),
            finish: None,
            is_own: false,
            has_begun: false,
            is_over: false,
            sequence: 0,
            is_silent: false,
        }
    }

    /// The whole answer of these events.
    pub(super) fn whole(events: &[StreamEvent], context: &AnswerContext) -> Value {
        let (mut encoder, mut out) = (Self { is_silent: true, ..Self::new(context) }, Vec::new());
        for event in events {
            encoder.event(event, &mut out);
        }
        let state = encoder.close(&mut out);
        encoder.response(&state)
    }

    // === parts ===

    fn part_start(&mut self, index: u32, kind: &PartKind, out: &mut Vec<u8>) {
        let fields = self.kept.get(&index).cloned().unwrap_or_default();
        let place = match kind {
            PartKind::Text => self.prose(false, fields, out),
            PartKind::Refusal => self.prose(true, fields, out),
            PartKind::Reasoning => Place::Item(self.thought(fields, out)),
            PartKind::ToolCall { is_server_side: false, id, name } => {
                Place::Item(self.call(id, name, fields, out))
            }
            PartKind::Image { media } => Place::Image(media.clone()),
            PartKind::Opaque { opaque } if opaque.family == FAMILY => {
                if let Value::Object(fields) = &opaque.value {
                    self.add_whole(fields.clone(), out);
                }
                return;
            }
            PartKind::Opaque { opaque } => {
                if let Some(call) = custom_tools::call_of(opaque) {
                    self.custom_call(&call, out);
                }
                return;
            }
            // A call that the provider answers itself would look like one nobody declared; audio has
            // no item here.
            PartKind::ToolCall { .. } | PartKind::Audio { .. } => return,
        };
        if let Place::Piece(item, _) | Place::Item(item) = &place {
            self.items[*item].open += 1;
        }
        self.places.insert(index, place);
    }

    /// Begins a piece of text: in the last message, or in a new one where that is another's.
    fn prose(&mut self, is_refusal: bool, fields: Map<String, Value>, out: &mut Vec<u8>) -> Place {
        let id = fields.get(&format!("{ITEM_PREFIX}id"));
        let last = self.items.last().filter(|item| !item.is_sealed && item.status.is_none());
        let is_same =
            last.is_some_and(|item| matches!(item.body, Body::Message(_)) && item.fields.get("id") == id);
        if !is_same {
            let mut item = Item::new(self.mint("msg"), Body::Message(Vec::new()));
            item.take_fields(fields);
            self.add(item, out);
        }
        let at = self.items.len() - 1;
        let item = &mut self.items[at];
        let Body::Message(pieces) = &mut item.body else { return Place::Item(at) };
        pieces.push(Piece { is_refusal, text: String::new(), fields: Map::new() });
        let (number, part) = (pieces.len() - 1, pieces[pieces.len() - 1].json());
        self.emit("response.content_part.added", at, json!({"content_index": number, "part": part}), out);
        Place::Piece(at, number)
    }

    fn thought(&mut self, mut fields: Map<String, Value>, out: &mut Vec<u8>) -> usize {
        // A whole answer's part is one text; the item's own lists stand in its fields.
        let whole = ["summary", "content"].into_iter().find(|list| fields.contains_key(*list));
        let is_own = !fields.is_empty();
        let next = fields.shift_remove(NEXT_PIECE).and_then(|list| Some(List::of_name(list.as_str()?)));
        let thought = Thought { next: next.or(whole.map(List::of_name)), is_own, ..Thought::default() };
        let mut item = Item::new(self.mint("rs"), Body::Thought(thought));
        item.take_fields(fields);
        self.add(item, out)
    }

    fn call(&mut self, id: &str, name: &str, mut fields: Map<String, Value>, out: &mut Vec<u8>) -> usize {
        let is_custom = fields.get("type").is_some_and(|kind| kind == "custom_tool_call");
        if let Some(Value::Object(names)) = self.names.get(name) {
            for (name, value) in names {
                fields.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        let (id, name) = (id.to_owned(), name.to_owned());
        let call = Call { id, name, arguments: String::new(), is_custom };
        let mut item = Item::new(self.mint(if is_custom { "ctc" } else { "fc" }), Body::Call(call));
        item.take_fields(fields);
        self.add(item, out)
    }

    /// A call with free-form input that came whole, as Chat Completions' do.
    fn custom_call(&mut self, call: &ToolCall, out: &mut Vec<u8>) {
        let at = self.call(&call.id, &call.name, custom_tools::item_fields(), out);
        self.items[at].open += 1;
        if let Body::Call(said) = &mut self.items[at].body {
            said.arguments.clone_from(&call.arguments);
            self.emit(CUSTOM_DELTA, at, json!({"delta": call.arguments}), out);
        }
        self.end_item(at, Map::new(), out);
    }

    fn part_delta(&mut self, index: u32, delta: &PartDelta, out: &mut Vec<u8>) {
        let Some(place) = self.places.get(&index).cloned() else { return };
        match (place, delta) {
            (_, PartDelta::Text(text) | PartDelta::Arguments(text)) if text.is_empty() => {}
            (Place::Piece(at, number), PartDelta::Text(text)) => self.more_prose(at, number, text, out),
            (Place::Item(at), PartDelta::Text(text)) => self.more_thought(at, text, out),
            (Place::Item(at), PartDelta::Arguments(text)) => {
                let Body::Call(call) = &mut self.items[at].body else { return };
                call.arguments.push_str(text);
                let kind = if call.is_custom { CUSTOM_DELTA } else { ARGUMENTS_DELTA };
                self.emit(kind, at, json!({"delta": text}), out);
            }
            (Place::Item(at), PartDelta::Encrypted(encrypted)) => {
                if let Body::Thought(thought) = &mut self.items[at].body {
                    thought.encrypted = Some(encrypted.clone());
                }
            }
            (place, PartDelta::Signature(signature)) => self.sign(index, &place, signature.clone()),
            _ => {}
        }
    }

    fn more_prose(&mut self, at: usize, number: usize, text: &str, out: &mut Vec<u8>) {
        let Body::Message(pieces) = &mut self.items[at].body else { return };
        pieces[number].text.push_str(text);
        if pieces[number].is_refusal {
            self.emit("response.refusal.delta", at, json!({"content_index": number, "delta": text}), out);
        } else {
            let fields = json!({"content_index": number, "delta": text, "logprobs": []});
            self.emit("response.output_text.delta", at, fields, out);
        }
    }

    fn more_thought(&mut self, at: usize, text: &str, out: &mut Vec<u8>) {
        let pieces = self.items[at].pieces_of(text);
        if !pieces.is_empty() {
            for (list, text) in pieces {
                self.begin_words(at, list, out);
                self.more_words(at, &text, out);
            }
            return;
        }
        let Body::Thought(thought) = &mut self.items[at].body else { return };
        let is_first = thought.pieces.is_empty();
        if let Some(list) = thought.next.take() {
            self.begin_words(at, list, out);
            if !is_first {
                // What parts two pieces of a thought belongs to neither.
                return;
            }
        } else if is_first {
            self.begin_words(at, List::Summary, out);
        }
        self.more_words(at, text, out);
    }

    fn more_words(&mut self, at: usize, text: &str, out: &mut Vec<u8>) {
        let Body::Thought(thought) = &mut self.items[at].body else { return };
        let Some(last) = thought.pieces.last_mut() else { return };
        last.text.push_str(text);
        let Some((number, Words { list, .. })) = thought.last() else { return };
        match list {
            List::Summary => {
                let fields = json!({"summary_index": number, "delta": text});
                self.emit("response.reasoning_summary_text.delta", at, fields, out);
            }
            List::Content => {
                let fields = json!({"content_index": number, "delta": text});
                self.emit("response.reasoning_text.delta", at, fields, out);
            }
        }
    }

    /// Begins a piece of a thought; the one before it is ended.
    fn begin_words(&mut self, at: usize, list: List, out: &mut Vec<u8>) {
        self.end_words(at, out);
        let Body::Thought(thought) = &mut self.items[at].body else { return };
        let number = thought.begin(list);
        let part = json!({"type": list.piece(), "text": ""});
        match list {
            List::Summary => {
                let fields = json!({"summary_index": number, "part": part});
                self.emit("response.reasoning_summary_part.added", at, fields, out);
            }
            List::Content => {
                let fields = json!({"content_index": number, "part": part});
                self.emit("response.content_part.added", at, fields, out);
            }
        }
    }

    fn end_words(&mut self, at: usize, out: &mut Vec<u8>) {
        let Body::Thought(thought) = &self.items[at].body else { return };
        let Some((number, words)) = thought.last() else { return };
        let (list, text, part) = (words.list, words.text.clone(), words.json());
        match list {
            List::Summary => {
                let fields = json!({"summary_index": number, "text": text});
                self.emit("response.reasoning_summary_text.done", at, fields, out);
                let fields = json!({"summary_index": number, "part": part});
                self.emit("response.reasoning_summary_part.done", at, fields, out);
            }
            List::Content => {
                let fields = json!({"content_index": number, "text": text});
                self.emit("response.reasoning_text.done", at, fields, out);
                let fields = json!({"content_index": number, "part": part});
                self.emit("response.content_part.done", at, fields, out);
            }
        }
    }

    fn sign(&mut self, index: u32, place: &Place, signature: String) {
        let proof = match place {
            Place::Item(at) => match &mut self.items[*at].body {
                Body::Thought(thought) => {
                    thought.signature = Some(signature);
                    return;
                }
                Body::Call(call) => Sealed::Call { id: call.id.clone(), signature },
                Body::Message(_) | Body::Whole => return,
            },
            Place::Piece(..) | Place::Image(_) => Sealed::Before { signature },
        };
        self.proofs.insert(index, proof);
    }

    fn part_end(&mut self, index: u32, out: &mut Vec<u8>) {
        let Some(place) = self.places.remove(&index) else { return };
        let fields = self.kept.remove(&index).unwrap_or_default();
        match place {
            Place::Piece(at, number) => self.end_prose(at, number, fields, out),
            Place::Item(at) => self.end_item(at, fields, out),
            Place::Image(media) => {
                if let Some(item) = items::image(self.mint("ig"), &media, fields) {
                    let at = self.add(item, out);
                    self.seal(at, "completed", out);
                }
            }
        }
        if let Some(proof) = self.proofs.remove(&index) {
            let thought = Thought { envelope: Some(envelope::seal(&proof)), ..Thought::default() };
            let at = self.add(Item::new(self.mint("rs"), Body::Thought(thought)), out);
            self.seal(at, "completed", out);
        }
    }

    fn end_prose(&mut self, at: usize, number: usize, fields: Map<String, Value>, out: &mut Vec<u8>) {
        let item = &mut self.items[at];
        item.open -= 1;
        let rest = item.take_fields(fields);
        let Body::Message(pieces) = &mut item.body else { return };
        pieces[number].fields = rest;
        let piece = pieces[number].json();
        let annotations = piece["annotations"].as_array().cloned().unwrap_or_default();
        for (place, annotation) in annotations.into_iter().enumerate() {
            let fields =
                json!({"content_index": number, "annotation_index": place, "annotation": annotation});
            self.emit("response.output_text.annotation.added", at, fields, out);
        }
        if piece["type"] == "refusal" {
            let fields = json!({"content_index": number, "refusal": piece["refusal"]});
            self.emit("response.refusal.done", at, fields, out);
        } else {
            let fields =
                json!({"content_index": number, "text": piece["text"], "logprobs": piece["logprobs"]});
            self.emit("response.output_text.done", at, fields, out);
        }
        self.emit("response.content_part.done", at, json!({"content_index": number, "part": piece}), out);
        self.finish_sealed(at, "completed", out);
    }

    fn end_item(&mut self, at: usize, mut fields: Map<String, Value>, out: &mut Vec<u8>) {
        let item = &mut self.items[at];
        item.open -= 1;
        let is_own = !fields.is_empty();
        fields.shift_remove(NEXT_PIECE);
        item.take_fields(fields);
        let Body::Thought(thought) = &mut item.body else {
            return self.finish_sealed(at, "completed", out);
        };
        thought.is_own |= is_own;
        self.end_words(at, out);
        self.seal(at, "completed", out);
    }

    /// Keeps what this family alone can say of a part, which may have begun.
    fn keep(&mut self, index: u32, fields: Map<String, Value>) {
        if let Some(Place::Item(at)) = self.places.get(&index)
            && let Body::Thought(thought) = &mut self.items[*at].body
        {
            thought.next = fields.get(NEXT_PIECE).and_then(|list| Some(List::of_name(list.as_str()?)));
        }
        self.kept.insert(index, fields);
    }

    // === items ===

    fn mint(&self, kind: &str) -> String {
        mint(kind, &self.request_id, self.items.len())
    }

    /// Adds an item to the output; the one before it is sealed.
    fn add(&mut self, item: Item, out: &mut Vec<u8>) -> usize {
        if let Some(last) = self.items.len().checked_sub(1) {
            self.seal(last, "completed", out);
        }
        let shown = item.json();
        self.items.push(item);
        let at = self.items.len() - 1;
        self.emit_numbered("response.output_item.added", json!({"output_index": at, "item": shown}), out);
        at
    }

    fn add_whole(&mut self, fields: Map<String, Value>, out: &mut Vec<u8>) {
        let mut item = Item::new(self.mint("item"), Body::Whole);
        item.take_fields(fields);
        let at = self.add(item, out);
        self.seal(at, "completed", out);
    }

    fn seal(&mut self, at: usize, status: &'static str, out: &mut Vec<u8>) {
        self.items[at].is_sealed = true;
        self.finish_sealed(at, status, out);
    }

    /// Says that the item is done, where nothing more comes.
    fn finish_sealed(&mut self, at: usize, status: &'static str, out: &mut Vec<u8>) {
        let item = &mut self.items[at];
        if !item.is_sealed || item.open > 0 || item.status.is_some() {
            return;
        }
        item.status = Some(status);
        if let Body::Call(call) = &item.body {
            let (_, said_in) = call.words();
            let name = item.fields.get("name").cloned().unwrap_or_else(|| call.name.clone().into());
            let fields = json!({said_in: call.arguments, "name": name});
            let kind = if call.is_custom { CUSTOM_DONE } else { ARGUMENTS_DONE };
            self.emit(kind, at, fields, out);
        }
        let item = self.items[at].json();
        self.emit_numbered("response.output_item.done", json!({"output_index": at, "item": item}), out);
    }

    // === the whole ===

    fn response(&self, state: &State) -> Value {
        self.facts.response(state, self.items.iter().map(Item::json).collect())
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_begun, true) || self.is_silent {
            return;
        }
        let response = self.response(&State::of("in_progress"));
        self.emit_numbered("response.created", json!({"response": response}), out);
        self.emit_numbered("response.in_progress", json!({"response": response}), out);
    }

    /// Ends what is open; says how the answer ended.
    fn close(&mut self, out: &mut Vec<u8>) -> State {
        self.begin(out);
        let (reason, raw) = self.finish.take().unwrap_or((FinishReason::Other, None));
        let has_refused = self.items.iter().any(|item| match &item.body {
            Body::Message(pieces) => pieces.iter().any(|piece| piece.is_refusal),
            _ => false,
        });
        let state = State::ended(reason, raw.as_deref(), self.is_own, has_refused);
        let is_cut = state.status == "incomplete";
        let last = self.items.len().saturating_sub(1);
        for at in 0..self.items.len() {
            self.items[at].open = 0;
            let status = if is_cut && at == last { "incomplete" } else { "completed" };
            self.seal(at, status, out);
        }
        state
    }

    /// Writes an event about the item at `at`.
    fn emit(&mut self, kind: &str, at: usize, mut fields: Value, out: &mut Vec<u8>) {
        if !self.is_silent {
            fields["item_id"] = self.items[at].id.clone().into();
            fields["output_index"] = at.into();
            self.emit_numbered(kind, fields, out);
        }
    }

    fn emit_numbered(&mut self, kind: &str, fields: Value, out: &mut Vec<u8>) {
        if self.is_silent {
            return;
        }
        let mut event = Map::from_iter([
            ("type".to_owned(), kind.into()),
            ("sequence_number".to_owned(), self.sequence.into()),
        ]);
        self.sequence += 1;
        if let Value::Object(fields) = fields {
            event.extend(fields);
        }
        for piece in ["event: ", kind, "\ndata: ", &Value::Object(event).to_string(), "\n\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
    }
}

const ARGUMENTS_DELTA: &str = "response.function_call_arguments.delta";
const ARGUMENTS_DONE: &str = "response.function_call_arguments.done";
const CUSTOM_DELTA: &str = "response.custom_tool_call_input.delta";
const CUSTOM_DONE: &str = "response.custom_tool_call_input.done";

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        if self.is_over {
            return;
        }
        match event {
            StreamEvent::Start(start) => self.facts.start(start),
            // An answer is one here; a request cannot ask for several.
            StreamEvent::PartStart { index, choice: 0, kind } => {
                self.begin(out);
                self.part_start(*index, kind, out);
            }
            StreamEvent::PartDelta { index, delta } => self.part_delta(*index, delta, out),
            StreamEvent::PartEnd { index } => self.part_end(*index, out),
            StreamEvent::Usage(usage) => self.facts.usage = Some(Usage::clone(usage)),
            StreamEvent::Extension { choice, family, fields } if family == FAMILY => {
                self.is_own = true;
                match choice {
                    None => self.facts.extend(fields),
                    Some(_) => part_fields(fields).for_each(|(index, fields)| self.keep(index, fields)),
                }
            }
            StreamEvent::Finish { choice: 0, reason, raw } => self.finish = Some((*reason, raw.clone())),
            StreamEvent::PartStart { .. } | StreamEvent::Extension { .. } | StreamEvent::Finish { .. } => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        if self.is_over {
            return;
        }
        self.begin(out);
        self.is_over = true;
        self.emit_numbered("error", error::event(error, &self.request_id).into(), out);
        for item in self.items.iter_mut().filter(|item| item.status.is_none()) {
            item.status = Some("incomplete");
        }
        let state = State { error: error::of_response(error), ..State::of("failed") };
        let response = self.response(&state);
        self.emit_numbered("response.failed", json!({"response": response}), out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.is_over {
            return;
        }
        if let Some((FinishReason::Error, _)) = self.finish {
            let error = Error::new(
                canonical::ErrorKind::ServerError,
                canonical::Origin::Provider,
                "The provider ended its answer with an error of its own.",
            );
            return self.error(&error, out);
        }
        let state = self.close(out);
        self.is_over = true;
        let kind = if state.status == "completed" { "response.completed" } else { "response.incomplete" };
        let response = self.response(&state);
        self.emit_numbered(kind, json!({"response": response}), out);
    }
}

/// The fields of each part, by its number.
fn part_fields(fields: &Map<String, Value>) -> impl Iterator<Item = (u32, Map<String, Value>)> {
    fields.iter().filter_map(|(name, value)| {
        let number = name.strip_prefix(PART_PREFIX)?.parse().ok()?;
        Some((number, value.as_object()?.clone()))
    })
}
