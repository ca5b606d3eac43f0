//! The items of an answer's output, as they grow.
//!
//! Pieces of text that follow each other are one message. A message and a call are done when the next
//! item begins or the answer ends: only then it is known whether a limit cut them short.

use canonical::request::{Media, MediaSource};
use serde_json::{Map, Value, json};

use super::super::{BETWEEN_THOUGHTS, ITEM_PREFIX};
use super::envelope::{self, Sealed};

#[derive(Debug)]
pub(super) struct Item {
    pub id: String,
    pub body: Body,
    /// The item's fields as a provider of this family said them.
    pub fields: Map<String, Value>,
    /// How many of its parts are being written.
    pub open: usize,
    /// Nothing more begins in it.
    pub is_sealed: bool,
    /// `None` until it is done.
    pub status: Option<&'static str>,
}

#[derive(Debug)]
pub(super) enum Body {
    Message(Vec<Piece>),
    Thought(Thought),
    Call(Call),
    /// An item of this family, as it came.
    Whole,
}

/// A piece of a message's content.
#[derive(Debug)]
pub(super) struct Piece {
    pub is_refusal: bool,
    pub text: String,
    pub fields: Map<String, Value>,
}

#[derive(Debug, Default)]
pub(super) struct Thought {
    pub pieces: Vec<Words>,
    /// A provider of this family said that another piece follows, and of which list.
    pub next: Option<List>,
    pub signature: Option<String>,
    pub encrypted: Option<String>,
    /// What another maker's proof is sealed in, where the item is nothing else.
    pub envelope: Option<String>,
    /// A provider of this family thought it.
    pub is_own: bool,
}

/// A piece of a thought.
#[derive(Debug)]
pub(super) struct Words {
    pub list: List,
    pub text: String,
}

/// The two lists of a `reasoning` item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Summary,
    /// The full thought.
    Content,
}

impl List {
    pub(super) fn of_name(name: &str) -> Self {
        if name == "content" { Self::Content } else { Self::Summary }
    }

    /// The type of a piece.
    pub(super) fn piece(self) -> &'static str {
        match self {
            Self::Summary => "summary_text",
            Self::Content => "reasoning_text",
        }
    }
}

#[derive(Debug)]
pub(super) struct Call {
    pub id: String,
    pub name: String,
    pub arguments: String,
    pub is_custom: bool,
}

impl Item {
    pub(super) fn new(id: String, body: Body) -> Self {
        Self { id, body, fields: Map::new(), open: 0, is_sealed: false, status: None }
    }

    /// Takes the fields of one of its parts: those of the item, or (as the rest) those of the piece of
    /// content.
    pub(super) fn take_fields(&mut self, fields: Map<String, Value>) -> Map<String, Value> {
        let is_message = matches!(self.body, Body::Message(_));
        let mut rest = Map::new();
        for (name, value) in fields {
            match name.strip_prefix(ITEM_PREFIX) {
                Some(name) => drop(self.fields.insert(name.to_owned(), value)),
                None if is_message => drop(rest.insert(name, value)),
                None => drop(self.fields.insert(name, value)),
            }
        }
        if let Some(id) = self.fields.get("id").and_then(Value::as_str) {
            id.clone_into(&mut self.id);
        }
        rest
    }

    /// The pieces of a thought that comes as one text, where the item lists them; none where it does
    /// not, or lists other words.
    pub(super) fn pieces_of(&self, text: &str) -> Vec<(List, String)> {
        let of_list = |name: &'static str| {
            let pieces = self.fields.get(name).and_then(Value::as_array).into_iter().flatten();
            pieces
                .filter_map(move |piece| Some((List::of_name(name), piece.get("text")?.as_str()?.to_owned())))
        };
        let pieces: Vec<_> =
            of_list("summary").chain(of_list("content")).filter(|(_, text)| !text.is_empty()).collect();
        let texts: Vec<&str> = pieces.iter().map(|(_, text)| text.as_str()).collect();
        if texts.join(BETWEEN_THOUGHTS) == text { pieces } else { Vec::new() }
    }

    /// The item as it is now.
    pub(super) fn json(&self) -> Value {
        let status = self.status.unwrap_or("in_progress");
        let mut object = match &self.body {
            Body::Message(pieces) => json!({
                "id": self.id,
                "type": "message",
                "status": status,
                "role": "assistant",
                "content": pieces.iter().map(Piece::json).collect::<Vec<_>>(),
            }),
            Body::Call(call) => {
                let (kind, said_in) = call.words();
                json!({
                    "id": self.id,
                    "type": kind,
                    "status": status,
                    said_in: call.arguments,
                    "call_id": call.id,
                    "name": call.name,
                })
            }
            Body::Thought(thought) => thought.json(&self.id),
            Body::Whole => json!({}),
        };
        if let Value::Object(object) = &mut object {
            object.extend(self.fields.clone());
        }
        object
    }
}

impl Piece {
    pub(super) fn json(&self) -> Value {
        let mut object = if self.is_refusal {
            json!({"type": "refusal", "refusal": self.text})
        } else {
            json!({"type": "output_text", "text": self.text, "annotations": [], "logprobs": []})
        };
        if let Value::Object(object) = &mut object {
            object.extend(self.fields.clone());
        }
        object
    }
}

impl Thought {
    fn list(&self, list: List) -> Vec<Value> {
        self.pieces.iter().filter(|words| words.list == list).map(Words::json).collect()
    }

    /// Begins a piece; says its place in its list.
    pub(super) fn begin(&mut self, list: List) -> usize {
        self.pieces.push(Words { list, text: String::new() });
        self.list(list).len() - 1
    }

    /// The last piece, and its place in its list.
    pub(super) fn last(&self) -> Option<(usize, &Words)> {
        let last = self.pieces.last()?;
        Some((self.list(last.list).len() - 1, last))
    }

    fn json(&self, id: &str) -> Value {
        let mut object = json!({"id": id, "type": "reasoning", "summary": self.list(List::Summary)});
        let content = self.list(List::Content);
        if !content.is_empty() {
            object["content"] = content.into();
        }
        let encrypted = match &self.envelope {
            Some(envelope) => Some(envelope.clone()),
            None if self.is_own => self.encrypted.clone(),
            None => {
                let (signature, encrypted) = (self.signature.clone(), self.encrypted.clone());
                Some(envelope::seal(&Sealed::Thought { signature, encrypted }))
            }
        };
        if let Some(encrypted) = encrypted {
            object["encrypted_content"] = encrypted.into();
        }
        object
    }
}

impl Words {
    pub(super) fn json(&self) -> Value {
        json!({"type": self.list.piece(), "text": self.text})
    }
}

impl Call {
    /// The item's type, and the field that its arguments are said in.
    pub(super) fn words(&self) -> (&'static str, &'static str) {
        if self.is_custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") }
    }
}

/// An image that the model made; `None` where there are no bytes, which the item demands.
pub(super) fn image(id: String, media: &Media, fields: Map<String, Value>) -> Option<Item> {
    let MediaSource::Base64(data) = &media.source else { return None };
    let mut object = Map::from_iter([
        ("id".to_owned(), id.clone().into()),
        ("type".to_owned(), "image_generation_call".into()),
        ("status".to_owned(), "completed".into()),
    ]);
    if let Some(format) = media.media_type.as_deref().and_then(|kind| kind.strip_prefix("image/")) {
        object.insert("output_format".into(), format.into());
    }
    object.insert("result".into(), data.clone().into());
    object.extend(fields);
    let mut item = Item::new(id, Body::Whole);
    item.take_fields(object);
    Some(item)
}
