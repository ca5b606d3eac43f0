//! Values that fit a JSON Schema, for tool arguments and structured answers.

use serde_json::{Map, Value, json};

/// Deeper than this a schema is answered with `null`: it may refer to itself.
const MAX_DEPTH: usize = 12;

/// A value of `schema`'s shape. Strings are taken from `words` where they fit; an enum takes the
/// first of its values that `prompt` names.
pub fn value(schema: &Value, prompt: &str, words: &mut Words<'_>) -> Value {
    Sampler { root: schema, prompt: &prompt.to_lowercase() }.value(schema, words, 0)
}

/// Words of the prompt, handed out one after another, from the beginning again when they run out.
#[derive(Debug)]
pub struct Words<'a> {
    words: &'a [String],
    next: usize,
}

impl<'a> Words<'a> {
    pub const fn new(words: &'a [String], first: usize) -> Self {
        Self { words, next: first }
    }

    fn take(&mut self) -> String {
        let word = self.words.get(self.next % self.words.len().max(1));
        self.next += 1;
        word.cloned().unwrap_or_else(|| "rehearsal".to_owned())
    }
}

struct Sampler<'a> {
    root: &'a Value,
    /// In lower case.
    prompt: &'a str,
}

impl Sampler<'_> {
    fn value(&self, schema: &Value, words: &mut Words<'_>, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        if let Some(target) = schema["$ref"].as_str() {
            let target = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return target.map_or(Value::Null, |schema| self.value(schema, words, depth + 1));
        }
        if !schema["const"].is_null() {
            return schema["const"].clone();
        }
        if let Some(values) = schema["enum"].as_array() {
            return self.choose(values);
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            if let Some(first) = schema[key].as_array().and_then(|options| options.first()) {
                return self.value(first, words, depth + 1);
            }
        }
        match type_of(schema) {
            "object" => self.object(schema, words, depth),
            "array" => self.array(schema, words, depth),
            "string" => string(schema, words),
            "integer" => json!(number(schema).round() as i64),
            "number" => json!(number(schema)),
            "boolean" => json!(true),
            _ => Value::Null,
        }
    }

    fn choose(&self, values: &[Value]) -> Value {
        let named = values
            .iter()
            .find(|value| value.as_str().is_some_and(|word| self.prompt.contains(&word.to_lowercase())));
        named.or_else(|| values.first()).cloned().unwrap_or(Value::Null)
    }

    fn object(&self, schema: &Value, words: &mut Words<'_>, depth: usize) -> Value {
        let Some(properties) = schema["properties"].as_object() else { return json!({}) };
        let fields =
            properties.iter().map(|(name, schema)| (name.clone(), self.value(schema, words, depth + 1)));
        Value::Object(fields.collect::<Map<_, _>>())
    }

    fn array(&self, schema: &Value, words: &mut Words<'_>, depth: usize) -> Value {
        let least = schema["minItems"].as_u64().unwrap_or(2).min(16);
        let most = schema["maxItems"].as_u64().unwrap_or(16);
        let items = (0..least.min(most)).map(|_| self.value(&schema["items"], words, depth + 1));
        Value::Array(items.collect())
    }
}

fn type_of(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(name) => name,
        // `["string", "null"]`: the first that says something.
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or("null")
        }
        _ if schema["properties"].is_object() => "object",
        _ => "string",
    }
}

fn string(schema: &Value, words: &mut Words<'_>) -> Value {
    json!(match schema["format"].as_str() {
        Some("date") => "2026-01-15".to_owned(),
        Some("date-time") => "2026-01-15T09:30:00Z".to_owned(),
        Some("time") => "09:30:00Z".to_owned(),
        Some("email") => "rehearsal@example.com".to_owned(),
        Some("uri") => "https://example.com/".to_owned(),
        Some("uuid") => "00000000-0000-4000-8000-000000000000".to_owned(),
        _ => words.take(),
    })
}

fn number(schema: &Value) -> f64 {
    let least =
        schema["minimum"].as_f64().or_else(|| schema["exclusiveMinimum"].as_f64().map(|least| least + 1.0));
    let value = least.unwrap_or(3.0);
    schema["maximum"].as_f64().map_or(value, |most| value.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &Value, prompt: &str, expected: &Value) {
        let words = ["Oslo".to_owned(), "Bergen".to_owned()];
        assert_eq!(&value(schema, prompt, &mut Words::new(&words, 0)), expected);
    }

    #[test]
    fn objects_are_filled_from_the_prompt() {
        let schema = json!({"type": "object", "properties": {
            "city": {"type": "string"},
            "unit": {"enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer", "minimum": 1, "maximum": 7},
            "tags": {"type": "array", "items": {"type": ["string", "null"]}, "maxItems": 1},
        }});
        let expected = json!({"city": "Oslo", "unit": "fahrenheit", "days": 1, "tags": ["Bergen"]});
        check(&schema, "weather in Oslo in Fahrenheit", &expected);
    }

    #[test]
    fn references_are_followed_and_circles_end() {
        let schema = json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {
            "next": {"$ref": "#/$defs/node"},
        }}}});
        let words = [];
        let sampled = value(&schema, "", &mut Words::new(&words, 0));
        assert!(sampled["next"]["next"].is_object());
    }
}
