//! What of JSON Schema `responseJsonSchema` holds a model to. The rest is taken and passed over
//! (“The model ignores unsupported properties”), so it is sent as it came and noted.
//! <https://ai.google.dev/api/generate-content#GenerationConfig> (`responseJsonSchema`),
//! <https://ai.google.dev/gemini-api/docs/structured-output#limitations>

use serde_json::Value;

use crate::Note;

/// Keywords that constrain an answer, as documented.
const HELD: &[&str] = &[
    "$id",
    "$defs",
    "$ref",
    "$anchor",
    "type",
    "format",
    "title",
    "description",
    "enum",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "anyOf",
    "oneOf",
    "properties",
    "additionalProperties",
    "required",
    "propertyOrdering",
];

/// Words about a schema that constrain nothing.
const IDLE: &[&str] =
    &["$schema", "$comment", "default", "examples", "example", "deprecated", "readOnly", "writeOnly"];

/// Adds a note for each keyword of `schema`, which stands at `place`, that constrains nothing there.
pub(super) fn ignored(schema: &Value, place: &str, notes: &mut Vec<Note>) {
    let Value::Object(fields) = schema else { return };
    for (name, value) in fields {
        let inner = format!("{place}/{name}");
        match name.as_str() {
            "properties" | "$defs" => {
                for (name, schema) in value.as_object().into_iter().flatten() {
                    ignored(schema, &format!("{inner}/{name}"), notes);
                }
            }
            "anyOf" | "oneOf" | "prefixItems" => {
                for (position, schema) in value.as_array().into_iter().flatten().enumerate() {
                    ignored(schema, &format!("{inner}/{position}"), notes);
                }
            }
            "items" | "additionalProperties" => ignored(value, &inner, notes),
            name if HELD.contains(&name) || IDLE.contains(&name) => {}
            name => {
                notes.push(Note::SchemaKeywordIgnored { place: place.to_owned(), keyword: name.to_owned() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_constrains_nothing_there_is_noted_with_its_place() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "pattern": {"type": "string", "pattern": "^a", "default": "a"},
                "ages": {"type": "array", "items": {"type": "integer", "minimum": 0, "multipleOf": 5}}
            },
            "required": ["pattern"]
        });
        let mut notes = Vec::new();
        ignored(&schema, "response_format", &mut notes);
        let at = |place: &str, keyword: &str| Note::SchemaKeywordIgnored {
            place: format!("response_format/properties/{place}"),
            keyword: keyword.into(),
        };
        assert_eq!(notes, [at("pattern", "pattern"), at("ages/items", "multipleOf")]);
    }
}
