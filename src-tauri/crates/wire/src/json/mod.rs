//! Small moves on JSON, and one on errors, that every family makes.

pub(crate) mod passed_on;
pub(crate) mod reading;

use canonical::{ChatRequest, Error, Extensions, Retry};
use serde::Serialize;
use serde_json::{Map, Value};

pub(crate) use passed_on::{PassedOn, raw_field};
pub(crate) use reading::{LooseFields, RawFields};
pub(crate) use reading::{lenient, lenient_object, lenient_text, open_object};

/// A request's body as an object, for fields to be added to.
pub(crate) fn object(body: &impl Serialize) -> Result<Map<String, Value>, Error> {
    match serde_json::to_value(body) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(Error::caller("The request cannot be written as JSON.")),
    }
}

/// Refuses a request for several answers, where a protocol knows only one.
pub(crate) fn one_answer(request: &ChatRequest, vendor: &str) -> Result<(), Error> {
    if request.choice_count.is_some_and(|count| count > 1) {
        return Err(unsayable(format!("{vendor} one answer per request, not several (`n`)."), "n"));
    }
    Ok(())
}

/// Sets the field, where there is a value for it.
pub(crate) fn put(body: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(name.into(), value.into());
    }
}

/// Adds the fields of `extra` that `body` does not say itself; objects that both have are merged
/// by the same rule.
pub(crate) fn merge_missing(body: &mut Map<String, Value>, extra: &Map<String, Value>) {
    for (name, value) in extra {
        match (body.get_mut(name), value) {
            (None, value) => {
                body.insert(name.clone(), value.clone());
            }
            (Some(Value::Object(ours)), Value::Object(theirs)) => merge_missing(ours, theirs),
            (Some(_), _) => {}
        }
    }
}

/// What goes out beside the canonical fields: everything that `family` itself said, and of what a
/// client of OpenAI's said beyond its own protocol the fields that `family` knows.
pub(crate) fn beside(extensions: &Extensions, family: &str, known: &[&str]) -> Map<String, Value> {
    let mut fields = extensions.get(family).cloned().unwrap_or_default();
    for name in known {
        if let Some(value) = extensions.field(crate::openai_chat::types::FAMILY, name) {
            fields.entry(*name).or_insert_with(|| value.clone());
        }
    }
    fields
}

/// The arguments of a tool call as the object that wires with structured arguments demand.
/// Text that is no JSON object is kept whole under `arguments`: the model sees what it wrote.
pub(crate) fn arguments_object(arguments: &str) -> Value {
    if arguments.trim().is_empty() {
        return Value::Object(Map::new());
    }
    match serde_json::from_str(arguments) {
        Ok(Value::Object(object)) => Value::Object(object),
        Ok(other) => Value::Object(Map::from_iter([("arguments".to_owned(), other)])),
        Err(_) => Value::Object(Map::from_iter([("arguments".to_owned(), arguments.into())])),
    }
}

/// Whether the part is an item of OpenAI's Responses. What is encrypted in such a thought is
/// OpenAI's own, and everyone else refuses it.
pub(crate) fn is_item_of_responses(part: &canonical::Part) -> bool {
    part.extensions.get(crate::openai_responses::FAMILY).is_some()
}

/// What the first characters of base64 say of an image that came without its media type.
pub(crate) fn image_type(base64: &str) -> &'static str {
    match base64.as_bytes() {
        [b'/', b'9', b'j', ..] => "image/jpeg",
        [b'R', b'0', b'l', b'G', ..] => "image/gif",
        [b'U', b'k', b'l', b'G', ..] => "image/webp",
        _ => "image/png",
    }
}

/// The caller's wish that a protocol has no words for: refused before anything is sent, and asked of
/// the next target, which may have them.
pub(crate) fn unsayable(message: impl Into<String>, param: &str) -> Error {
    let mut error = Error::caller(message).with_param(param);
    error.retry = Retry::NextTarget;
    error
}
