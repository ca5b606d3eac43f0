//! JSON Schema as `output_config.format` takes it: objects are closed, and constraints that the
//! constrained sampler does not know (lengths, ranges, patterns) move into the description, where
//! the model still reads them. The same rules as those of Anthropic's own SDKs.
//! <https://docs.claude.com/en/docs/build-with-claude/structured-outputs#json-schema-limitations>

use serde_json::{Map, Value};

use crate::Note;

/// Formats of strings that the sampler knows.
const FORMATS: &[&str] =
    &["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Keywords that are refused.
const REFUSED: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "maxItems",
    "uniqueItems",
    "minContains",
    "maxContains",
    "contains",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
];

/// The schema that stands at `place`, with a note for each keyword that is no longer one.
pub(crate) fn restrict(schema: &Value, place: &str, notes: &mut Vec<Note>) -> Value {
    let Value::Object(fields) = schema else {
        return schema.clone();
    };
    let mut kept = Map::new();
    let mut moved = Vec::new();
    let drop_keyword = |keyword: &str, notes: &mut Vec<Note>| {
        notes.push(Note::SchemaKeywordDropped { place: place.to_owned(), keyword: keyword.to_owned() });
    };
    for (name, value) in fields {
        let inner = format!("{place}/{name}");
        match name.as_str() {
            "$schema" => {}
            "properties" | "$defs" | "definitions" => {
                kept.insert(name.clone(), each_value(value, &inner, notes));
            }
            "items" | "not" | "if" | "then" | "else" => {
                kept.insert(name.clone(), restrict(value, &inner, notes));
            }
            "anyOf" | "allOf" => {
                kept.insert(name.clone(), each_item(value, &inner, notes));
            }
            "oneOf" => {
                drop_keyword(name, notes);
                kept.insert("anyOf".into(), each_item(value, &inner, notes));
            }
            "format" if value.as_str().is_some_and(|format| !FORMATS.contains(&format)) => {
                drop_keyword(name, notes);
                moved.push(format!("{name}: {value}"));
            }
            "minItems" if value.as_u64().is_none_or(|count| count > 1) => {
                drop_keyword(name, notes);
                moved.push(format!("{name}: {value}"));
            }
            refused if REFUSED.contains(&refused) => {
                drop_keyword(name, notes);
                moved.push(format!("{name}: {value}"));
            }
            "additionalProperties" if *value == Value::Bool(false) => {}
            "additionalProperties" => drop_keyword(name, notes),
            _ => {
                kept.insert(name.clone(), value.clone());
            }
        }
    }
    if is_object(fields) {
        kept.insert("additionalProperties".into(), false.into());
    }
    if !moved.is_empty() {
        let note = format!("{{{}}}", moved.join(", "));
        let described = match kept.get("description").and_then(Value::as_str) {
            Some(text) => format!("{text}\n\n{note}"),
            None => note,
        };
        kept.insert("description".into(), described.into());
    }
    Value::Object(kept)
}

/// Whether the schema is an object's own, not a name for one that stands elsewhere.
fn is_object(fields: &Map<String, Value>) -> bool {
    if fields.contains_key("$ref") {
        return false;
    }
    match fields.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => fields.contains_key("properties"),
    }
}

fn each_value(value: &Value, place: &str, notes: &mut Vec<Note>) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, schema)| (name.clone(), restrict(schema, &format!("{place}/{name}"), notes)))
            .collect::<Map<String, Value>>()
            .into(),
        other => other.clone(),
    }
}

fn each_item(value: &Value, place: &str, notes: &mut Vec<Note>) -> Value {
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(position, schema)| restrict(schema, &format!("{place}/{position}"), notes))
            .collect::<Vec<Value>>()
            .into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_closed_and_refused_keywords_become_words() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "age": {"type": "integer", "minimum": 0, "maximum": 130, "description": "In years."},
                "tags": {"type": "array", "minItems": 1, "maxItems": 3, "items": {"type": "object", "properties": {}}},
                "minimum": {"type": "string", "format": "ulid"}
            },
            "required": ["age"]
        });
        let mut notes = Vec::new();
        assert_eq!(
            restrict(&schema, "response_format", &mut notes),
            json!({
                "type": "object",
                "properties": {
                    "age": {"type": "integer", "description": "In years.\n\n{minimum: 0, maximum: 130}"},
                    "tags": {
                        "type": "array", "minItems": 1,
                        "items": {"type": "object", "properties": {}, "additionalProperties": false},
                        "description": "{maxItems: 3}"
                    },
                    "minimum": {"type": "string", "description": "{format: \"ulid\"}"}
                },
                "required": ["age"],
                "additionalProperties": false
            })
        );
        let dropped = |place: &str, keyword: &str| Note::SchemaKeywordDropped {
            place: format!("response_format/properties/{place}"),
            keyword: keyword.into(),
        };
        assert_eq!(
            notes,
            [
                dropped("age", "minimum"),
                dropped("age", "maximum"),
                dropped("tags", "maxItems"),
                dropped("minimum", "format")
            ]
        );
    }

    #[test]
    fn an_object_that_was_open_and_a_choice_that_was_exclusive_are_noted() {
        let schema = json!({"type": "object", "additionalProperties": {"type": "string"}, "oneOf": [{"pattern": "a"}]});
        let mut notes = Vec::new();
        restrict(&schema, "tools/0", &mut notes);
        let names: Vec<String> = notes.iter().map(Note::to_string).collect();
        assert_eq!(names, ["schema:additionalProperties", "schema:oneOf", "schema:pattern"]);
    }
}
