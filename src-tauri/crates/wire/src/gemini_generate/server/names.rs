//! One spelling of names: JSON of a protocol buffer takes `functionCall` and `function_call` alike,
//! and Google's own SDKs mix both in one body.

use canonical::Error;
use serde_json::{Map, Value};

use crate::fields::{Fields, wrong};

/// The fields of one object, by their names in camel case. Only names at this level change: what
/// lies below may be the client's own (arguments, schemas).
pub(super) fn object(value: Value, place: impl Into<String>) -> Result<Fields, Error> {
    match value {
        Value::Object(fields) => Fields::new(renamed(fields).into(), place),
        other => Fields::new(other, place),
    }
}

/// The object in the field `name` of `fields`.
pub(super) fn inner(fields: &mut Fields, name: &str) -> Result<Option<Fields>, Error> {
    let path = fields.path(name);
    fields.take(name).map(|value| object(value, path)).transpose()
}

/// What was not taken, without nulls.
pub(super) fn rest(fields: Fields) -> Map<String, Value> {
    let mut rest = fields.rest();
    rest.retain(|_, value| !value.is_null());
    rest
}

/// A repeated field; one value alone counts as a list of one, as in Google's own examples.
pub(super) fn repeated(fields: &mut Fields, name: &str) -> Vec<Value> {
    match fields.take(name) {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(one) => vec![one],
    }
}

/// A word of an enum in upper case, whichever case or number it came in. `words` is in the order of
/// the numbers.
pub(super) fn word(fields: &mut Fields, name: &str, words: &[&str]) -> Result<Option<String>, Error> {
    let path = fields.path(name);
    match fields.take(name) {
        None => Ok(None),
        Some(Value::String(word)) => Ok(Some(word.to_ascii_uppercase())),
        Some(Value::Number(number)) => {
            let word = number.as_u64().and_then(|number| words.get(usize::try_from(number).ok()?));
            Ok(Some(word.map_or_else(|| number.to_string(), |word| (*word).to_owned())))
        }
        Some(other) => Err(wrong(&path, "a word", &other)),
    }
}

fn renamed(fields: Map<String, Value>) -> Map<String, Value> {
    let mut renamed = Map::with_capacity(fields.len());
    for (name, value) in fields {
        let name = camel(&name);
        // Of two spellings the one that says something holds.
        if !value.is_null() || !renamed.contains_key(&name) {
            renamed.insert(name, value);
        }
    }
    renamed
}

/// `function_call` → `functionCall`; other names as they are.
pub(super) fn camel(name: &str) -> String {
    let is_snake = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !is_snake {
        return name.to_owned();
    }
    let mut camel = String::with_capacity(name.len());
    for (position, word) in name.split('_').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if position > 0 => camel.push(first.to_ascii_uppercase()),
            Some(first) => camel.push(first),
            None => {}
        }
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_have_one_spelling_and_what_lies_below_keeps_its_own() {
        let value = json!({"function_call": {"my_name": 1}, "functionCall": null, "$schema": 2, "top_p": 3});
        let fields = object(value, "").unwrap();
        let expected = json!({"functionCall": {"my_name": 1}, "$schema": 2, "topP": 3});
        assert_eq!(Value::Object(fields.rest()), expected);
        assert_eq!(camel("parameters_json_schema"), "parametersJsonSchema");
        assert_eq!((camel("_private").as_str(), camel("Already_So").as_str()), ("_private", "Already_So"));
    }

    #[test]
    fn enums_are_words_of_any_case_or_numbers() {
        let mut fields = object(json!({"a": "any", "b": 1, "c": 9, "d": {}}), "").unwrap();
        let mut read = |name| word(&mut fields, name, &["NONE", "ALL"]);
        assert_eq!(read("a").unwrap().as_deref(), Some("ANY"));
        assert_eq!(read("b").unwrap().as_deref(), Some("ALL"));
        assert_eq!(read("c").unwrap().as_deref(), Some("9"));
        assert!(read("d").is_err());
    }
}
