//! Google's own schemas → JSON Schema. <https://ai.google.dev/api/caching#Schema>
//!
//! They are a subset of OpenAPI 3.0: types in capitals (or as numbers), `nullable` instead of a type
//! `null`, and counts as text, as protocol buffers write 64 bits.

use serde_json::{Map, Value};

use super::names::camel;

/// The types in the order of their numbers.
const TYPES: [&str; 8] = ["", "string", "number", "integer", "boolean", "array", "object", "null"];

const COUNTS: [&str; 6] =
    ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

pub(super) fn to_json_schema(schema: Value) -> Value {
    let Value::Object(fields) = schema else { return schema };
    let mut converted = Map::with_capacity(fields.len());
    let mut is_nullable = false;
    for (name, value) in fields {
        if value.is_null() && name != "default" {
            continue;
        }
        let name = if name == "type_" { "type".to_owned() } else { camel(&name) };
        let value = match (name.as_str(), value) {
            ("nullable", value) => {
                is_nullable = value == Value::Bool(true);
                continue;
            }
            ("type", value) => match kind(value) {
                Some(kind) => kind,
                None => continue,
            },
            // OpenAPI's word beside `enum`; no format of JSON Schema.
            ("format", Value::String(format)) if format == "enum" || format.is_empty() => continue,
            (count, Value::String(digits)) if COUNTS.contains(&count) => {
                digits.parse::<u64>().map_or(Value::String(digits), Value::from)
            }
            ("properties" | "$defs" | "defs" | "definitions" | "patternProperties", Value::Object(named)) => {
                named.into_iter().map(|(name, schema)| (name, to_json_schema(schema))).collect()
            }
            ("items" | "additionalProperties" | "not", value) => to_json_schema(value),
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(schemas)) => {
                schemas.into_iter().map(to_json_schema).collect()
            }
            (_, value) => value,
        };
        let name = match name.as_str() {
            "defs" => "$defs".to_owned(),
            "ref" => "$ref".to_owned(),
            _ => name,
        };
        converted.insert(name, value);
    }
    if is_nullable {
        take_null(&mut converted);
    }
    converted.into()
}

/// `None` where the type is not said.
fn kind(value: Value) -> Option<Value> {
    match value {
        Value::String(word) if word.eq_ignore_ascii_case("TYPE_UNSPECIFIED") => None,
        Value::String(word) => Some(word.to_ascii_lowercase().into()),
        Value::Number(number) => {
            let word = TYPES.get(usize::try_from(number.as_u64()?).ok()?)?;
            (!word.is_empty()).then(|| (*word).into())
        }
        Value::Array(kinds) => Some(kinds.into_iter().filter_map(kind).collect()),
        other => Some(other),
    }
}

/// Makes a schema take null too.
fn take_null(schema: &mut Map<String, Value>) {
    if let Some(Value::String(kind)) = schema.get("type").cloned() {
        schema.insert("type".into(), Value::from(vec![kind, "null".to_owned()]));
    } else if let Some(Value::Array(schemas)) = schema.get_mut("anyOf") {
        schemas.push(Map::from_iter([("type".to_owned(), Value::from("null"))]).into());
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn googles_schema_becomes_json_schema() {
        let schema = json!({
            "type": "OBJECT",
            "properties": {
                // A property may have any name, also one that looks like a keyword.
                "type": {"type": "STRING", "format": "enum", "enum": ["a", "b"], "nullable": true},
                "max_items": {"type": 3},
                "list": {"type_": "ARRAY", "min_items": "1", "items": {"any_of": [{"type": "NUMBER"}, {"type": "BOOLEAN"}]}}
            },
            "required": ["type"], "property_ordering": ["type", "list"], "nullable": null
        });
        assert_eq!(
            to_json_schema(schema),
            json!({
                "type": "object",
                "properties": {
                    "type": {"type": ["string", "null"], "enum": ["a", "b", null]},
                    "max_items": {"type": "integer"},
                    "list": {"type": "array", "minItems": 1, "items": {"anyOf": [{"type": "number"}, {"type": "boolean"}]}}
                },
                "required": ["type"], "propertyOrdering": ["type", "list"]
            })
        );
    }

    #[test]
    fn json_schema_stays_as_it_is() {
        let schema = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "additionalProperties": false,
            "$defs": {"A": {"type": ["string", "null"], "const": "x", "default": null}}});
        assert_eq!(to_json_schema(schema.clone()), schema);
    }
}
