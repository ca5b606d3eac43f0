//! `function_call` and `custom_tool_call`: what the client is to run.

use canonical::{Error, ErrorKind, Origin, PartDelta, PartKind};
use serde_json::Value;

use super::super::super::qualified;
use super::super::super::types::Item;
use super::{Sink, announced, telling};

#[derive(Debug, Default)]
pub(in super::super) struct Call {
    /// `None` until the call's id and name are known.
    pub(super) part: Option<u32>,
    is_custom: bool,
    said: String,
}

impl Call {
    pub(super) fn new(is_custom: bool) -> Self {
        Self { is_custom, ..Self::default() }
    }

    pub(super) fn open(&mut self, item: &Item, sink: &mut Sink<'_>) {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
        let (id, mut name, namespace) = (text("call_id"), text("name"), text("namespace"));
        if self.part.is_none() && !id.is_empty() && !name.is_empty() {
            let mut announced = announced(item);
            if namespace.is_empty() {
                announced.shift_remove("name");
            } else {
                name = qualified(&namespace, &name);
            }
            let kind = PartKind::ToolCall { id, name, is_server_side: false };
            self.part = Some(sink.start_with(kind, &announced));
        }
    }

    pub(super) fn delta(&mut self, delta: String, sink: &mut Sink<'_>) {
        self.said.push_str(&delta);
        if let Some(part) = self.part {
            sink.delta(part, PartDelta::Arguments(delta));
        }
    }

    pub(super) fn finish(mut self, mut item: Item, sink: &mut Sink<'_>) -> Result<(), Error> {
        if self.part.is_none() {
            // Nothing was passed on yet.
            self.said.clear();
            self.open(&item, sink);
        }
        let Some(part) = self.part else {
            // No client can answer a call without an id or a name.
            sink.opaque(item);
            return Ok(());
        };
        let said_in = if self.is_custom { "input" } else { "arguments" };
        let whole = match item.shift_remove(said_in) {
            Some(Value::String(text)) => text,
            None | Some(Value::Null) => self.said.clone(),
            Some(object) => object.to_string(),
        };
        match whole.strip_prefix(&self.said) {
            Some(more) => sink.delta(part, PartDelta::Arguments(more.to_owned())),
            None if self.is_whole() => {}
            None => {
                sink.end(part);
                return Err(broken_call());
            }
        }
        item.shift_remove("call_id");
        if !item.get("namespace").is_some_and(Value::is_string) {
            item.shift_remove("name");
        }
        sink.end_with(part, telling(item));
        Ok(())
    }

    /// Whether what was passed on makes sense, though the finished item writes it otherwise.
    pub(super) fn is_whole(&self) -> bool {
        self.is_custom || serde_json::from_str::<serde::de::IgnoredAny>(&self.said).is_ok()
    }
}

/// What was passed on of a call's arguments cannot become what the provider says they are.
pub(in super::super) fn broken_call() -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Origin::Provider,
        "A piece of a tool call's arguments was lost on the way.",
    )
}
