//! JSON Schema as `output_config.format` takes it: objects are closed, and constraints that the
//! constrained sampler does not know (lengths, ranges, patterns) move into the description, where
//! the model still reads them. The same rules as those of Anthropic's own SDKs.
//! <https://docs.claude.com/en/docs/build-with-claude/structured-outputs#json-schema-limitations>

use serde_json::{Map, Value};

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

pub(crate) fn restrict(schema: &Value) -> Value {
    let Value::Object(fields) = schema else {
        return schema.clone();
    };
    let mut kept = Map::new();
    let mut moved = Vec::new();
    for (name, value) in fields {
        match name.as_str() {
            "$schema" => {}
            "properties" | "$defs" | "definitions" => {
                kept.insert(name.clone(), each_value(value));
            }
            "items" | "not" | "if" | "then" | "else" => {
                kept.insert(name.clone(), restrict(value));
            }
            "anyOf" | "allOf" => {
                kept.insert(name.clone(), each_item(value));
            }
            "oneOf" => {
                kept.insert("anyOf".into(), each_item(value));
            }
            "format" if value.as_str().is_some_and(|format| !FORMATS.contains(&format)) => {
                moved.push(format!("{name}: {value}"));
            }
            "minItems" if value.as_u64().is_none_or(|count| count > 1) => {
                moved.push(format!("{name}: {value}"));
            }
            refused if REFUSED.contains(&refused) => moved.push(format!("{name}: {value}")),
            "additionalProperties" => {}
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

fn is_object(fields: &Map<String, Value>) -> bool {
    match fields.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => fields.contains_key("properties"),
    }
}

fn each_value(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, schema)| (name.clone(), restrict(schema))).collect())
        }
        other => other.clone(),
    }
}

fn each_item(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(restrict).collect()),
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
        assert_eq!(
            restrict(&schema),
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
    }
}
