//! Values moved into a schema: a number that came as text, one value where a list is wanted. Each
//! step mends what it was made for and breaks nothing beside it, or it is not taken.

use serde_json::{Number, Value};

use crate::mend::{self, Root};
use crate::schema::{Mismatch, Schema};
use crate::verdict::Note;

/// Steps for one value.
const STEPS: usize = 48;

/// `value` so that `schema` accepts it; `None` where the known steps do not lead there.
pub fn fit(mut value: Value, schema: &Schema, notes: &mut Vec<Note>) -> Option<Value> {
    let mut wrong = schema.mismatches(&value);
    for _ in 0..STEPS {
        if wrong.is_empty() {
            return Some(value);
        }
        let (next, left, note) = wrong.iter().find_map(|mismatch| step(&value, mismatch, &wrong, schema))?;
        notes.push(note);
        (value, wrong) = (next, left);
    }
    wrong.is_empty().then_some(value)
}

/// The first change at the mismatch's place after which that place is right.
fn step(
    value: &Value,
    mismatch: &Mismatch,
    before: &[Mismatch],
    schema: &Schema,
) -> Option<(Value, Vec<Mismatch>, Note)> {
    let here = value.pointer(&mismatch.path)?;
    let parent = mismatch.path.rsplit_once('/').map(|(parent, _)| parent);
    let is_wrong = |list: &[Mismatch], path: &str| list.iter().any(|one| one.path == path);
    candidates(here, mismatch).into_iter().find_map(|(change, note)| {
        let changed = apply(value, &mismatch.path, change)?;
        let after = schema.mismatches(&changed);
        let parent_broke = parent.is_some_and(|parent| is_wrong(&after, parent) && !is_wrong(before, parent));
        (!is_wrong(&after, &mismatch.path) && !parent_broke).then_some((changed, after, note))
    })
}

/// What may stand in a value's place; `None` is nothing at all.
fn candidates(here: &Value, mismatch: &Mismatch) -> Vec<(Option<Value>, Note)> {
    let wants = |name: &str| mismatch.wanted.types.contains(&name);
    let mut found = Vec::new();
    if let Value::String(text) = here {
        if wants("integer") || wants("number") {
            found.extend(number(text).map(|number| (Some(Value::Number(number)), Note::ToNumber)));
        }
        if wants("boolean") {
            found.extend(boolean(text).map(|value| (Some(Value::Bool(value)), Note::ToBoolean)));
        }
        if wants("array") || wants("object") {
            let inner = mend::mend(text, Root::Container, true).filter(|mended| mended.notes.is_empty());
            found.extend(inner.map(|mended| (Some(mended.value), Note::EncodedTwice)));
        }
    }
    if wants("string") && (here.is_number() || here.is_boolean()) {
        found.push((Some(here.to_string().into()), Note::ToText));
    }
    found.extend(listed(here, &mismatch.wanted.values));
    if wants("array") && !here.is_null() && !here.is_array() {
        found.push((Some(Value::Array(vec![here.clone()])), Note::ToList));
    }
    if here.is_null() {
        found.push((None, Note::NullRemoved));
    }
    found
}

/// The one listed value that is the same but for case, or but for being text.
fn listed(here: &Value, values: &[Value]) -> Option<(Option<Value>, Note)> {
    let text = plain_text(here)?;
    let mut same = values.iter().filter(|value| {
        plain_text(value).is_some_and(|known| known.trim().to_lowercase() == text.trim().to_lowercase())
    });
    let found = same.next()?;
    if same.any(|other| other != found) {
        return None;
    }
    let note = match found {
        Value::String(_) if here.is_string() => Note::EnumCase,
        Value::String(_) => Note::ToText,
        Value::Bool(_) => Note::ToBoolean,
        _ => Note::ToNumber,
    };
    Some((Some(found.clone()), note))
}

fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// A number in JSON's own form, so that no digit is guessed.
fn number(text: &str) -> Option<Number> {
    let number: Number = serde_json::from_str(text.trim()).ok()?;
    let is_whole = text.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    (!is_whole || number.is_i64() || number.is_u64()).then_some(number)
}

fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// `value` with `change` at `path`; a member that is removed must be an object's.
fn apply(value: &Value, path: &str, change: Option<Value>) -> Option<Value> {
    let mut changed = value.clone();
    if let Some(change) = change {
        *changed.pointer_mut(path)? = change;
    } else {
        let (parent, name) = path.rsplit_once('/')?;
        let name = name.replace("~1", "/").replace("~0", "~");
        changed.pointer_mut(parent)?.as_object_mut()?.shift_remove(&name)?;
    }
    Some(changed)
}
