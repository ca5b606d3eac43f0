//! JSON Schemas, compiled once. A schema stands for itself: what it refers to outside is never
//! read, from no network and no disk; then it does not compile, and nothing is held against it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

use crate::verdict::{Failure, shown};

/// Steps back that one regular expression may take; past it the value passes.
const BACKTRACK_STEPS: usize = 100_000;

/// Bytes that one compiled regular expression may take.
const REGEX_BYTES: usize = 1 << 20;

/// Schemas kept. An agent sends the same few dozen with every request.
const KEPT: usize = 256;

/// The largest schema that is kept, in nodes and bytes of text together. Larger ones are compiled
/// each time.
const KEPT_WEIGHT: usize = 256 << 10;

/// A reference chain may run in a circle, and the validator follows it by recursion: schemas
/// deeper than this are not compiled. No tool of the corpus is deeper than 20.
const DEEPEST: usize = 64;

/// Errors looked at of one value; the first is told, the others only steer repairs.
const ERRORS: usize = 16;

/// One compiled schema.
#[derive(Debug)]
pub struct Schema {
    source: Value,
    validator: Validator,
}

/// One disagreement of a value with its schema.
#[derive(Debug, Clone)]
pub struct Mismatch {
    /// JSON pointer into the value.
    pub path: String,
    pub message: String,
    /// What could stand at `path`: types by their names, and the values of an enumeration.
    pub wanted: Wanted,
}

#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub types: Vec<&'static str>,
    pub values: Vec<Value>,
}

impl Schema {
    /// # Errors
    /// Why it says nothing, without its content.
    pub fn compile(source: &Value) -> Result<Self, String> {
        if depth(source, 0) > DEEPEST {
            return Err(format!("it is nested deeper than {DEEPEST}"));
        }
        if has_circle(source) {
            return Err("its references run in a circle".to_owned());
        }
        let plain = plain(source);
        let patterns = PatternOptions::fancy_regex()
            .backtrack_limit(BACKTRACK_STEPS)
            .size_limit(REGEX_BYTES)
            .dfa_size_limit(REGEX_BYTES);
        let built = jsonschema::options()
            .with_draft(draft(&plain))
            .with_pattern_options(patterns)
            // A format is a hint to a model, and vendors disagree what each holds.
            .should_validate_formats(false)
            .offline()
            .build(&plain);
        match built {
            Ok(validator) => Ok(Self { source: plain, validator }),
            Err(error) => Err(format!(
                "`{}` breaks `{}`",
                shown(error.instance_path().as_str()),
                error.kind().keyword()
            )),
        }
    }

    /// The schema itself, in the form that was compiled.
    pub fn source(&self) -> &Value {
        &self.source
    }

    pub fn accepts(&self, value: &Value) -> bool {
        self.first(value).is_none()
    }

    /// # Errors
    /// The first thing wrong.
    pub fn check(&self, value: &Value) -> Result<(), Failure> {
        match self.first(value) {
            None => Ok(()),
            Some(Mismatch { path, message, .. }) => Err(Failure::SchemaMismatch { path, message }),
        }
    }

    /// The first things wrong, at most a handful.
    pub fn mismatches(&self, value: &Value) -> Vec<Mismatch> {
        if self.validator.is_valid(value) {
            return Vec::new();
        }
        self.validator.iter_errors(value).filter(counts).take(ERRORS).map(|error| mismatch(&error)).collect()
    }

    fn first(&self, value: &Value) -> Option<Mismatch> {
        if self.validator.is_valid(value) {
            return None;
        }
        self.validator.iter_errors(value).find(counts).map(|error| mismatch(&error))
    }
}

/// A pattern that could not be tried to its end says nothing of the value.
fn counts(error: &ValidationError<'_>) -> bool {
    !matches!(
        error.kind(),
        ValidationErrorKind::BacktrackLimitExceeded { .. }
            | ValidationErrorKind::RegexEngineFailure { .. }
            | ValidationErrorKind::Referencing(_)
    )
}

fn mismatch(error: &ValidationError<'_>) -> Mismatch {
    let mut wanted = Wanted::default();
    collect_wanted(error, &mut wanted);
    Mismatch {
        path: error.instance_path().as_str().to_owned(),
        message: message(error.kind(), error.instance()),
        wanted,
    }
}

/// What would pass at the error's own place, over all branches of a choice.
fn collect_wanted(error: &ValidationError<'_>, wanted: &mut Wanted) {
    match error.kind() {
        ValidationErrorKind::Type { kind } => wanted.types.extend(type_names(kind)),
        ValidationErrorKind::Enum { options } => {
            wanted.values.extend(options.as_array().into_iter().flatten().cloned());
        }
        ValidationErrorKind::Constant { expected_value } => wanted.values.push((**expected_value).clone()),
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            let here = error.instance_path().as_str();
            for inner in context.iter().flatten().filter(|inner| inner.instance_path().as_str() == here) {
                collect_wanted(inner, wanted);
            }
        }
        _ => {}
    }
}

fn type_names(kind: &TypeKind) -> Vec<&'static str> {
    let has = |name: &str| match kind {
        TypeKind::Single(one) => one.to_string() == name,
        TypeKind::Multiple(set) => set.iter().any(|one| one.to_string() == name),
    };
    ["array", "boolean", "integer", "null", "number", "object", "string"]
        .into_iter()
        .filter(|name| has(name))
        .collect()
}

/// What is wrong, in words that follow a path. Only names of the schema and of properties.
fn message(kind: &ValidationErrorKind, instance: &Value) -> String {
    match kind {
        ValidationErrorKind::Type { kind } => {
            format!("is {} where the schema wants {}", type_of(instance), type_names(kind).join(" or "))
        }
        ValidationErrorKind::Required { property } => {
            format!("lacks the required property `{}`", shown(property.as_str().unwrap_or("?")))
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let names: Vec<String> =
                unexpected.iter().take(3).map(|name| format!("`{}`", shown(name))).collect();
            format!("has properties that the schema does not know: {}", names.join(", "))
        }
        ValidationErrorKind::Enum { options } => {
            let count = options.as_array().map_or(0, Vec::len);
            format!("is none of the {count} values that the schema lists")
        }
        kind => format!("breaks the schema's `{}`", kind.keyword()),
    }
}

pub(crate) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The draft that the schema names; the newest where it names none or one nobody knows.
fn draft(schema: &Value) -> jsonschema::Draft {
    let named = schema.get("$schema").and_then(Value::as_str).unwrap_or_default();
    let drafts = [
        ("draft-04", jsonschema::Draft::Draft4),
        ("draft-06", jsonschema::Draft::Draft6),
        ("draft-07", jsonschema::Draft::Draft7),
        ("2019-09", jsonschema::Draft::Draft201909),
    ];
    drafts
        .into_iter()
        .find(|(name, _)| named.contains(name))
        .map_or(jsonschema::Draft::Draft202012, |(_, draft)| draft)
}

/// The schema as JSON Schema writes it: Google's form of OpenAPI writes types in capitals and has
/// `nullable`. <https://ai.google.dev/api/caching#Schema>
fn plain(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(fields) => {
            let mut plain_fields = serde_json::Map::with_capacity(fields.len());
            for (name, value) in fields {
                let value = match (name.as_str(), value) {
                    ("type", Value::String(word)) => Value::String(word.to_ascii_lowercase()),
                    // Values, not schemas.
                    ("enum" | "const" | "default" | "examples" | "example", value) => value.clone(),
                    // An unknown dialect would be looked for elsewhere; the draft is given beside it.
                    ("$schema", Value::String(_)) => continue,
                    (_, value) => plain(value),
                };
                plain_fields.insert(name.clone(), value);
            }
            if plain_fields.get("nullable") == Some(&Value::Bool(true)) {
                allow_null(&mut plain_fields);
            }
            Value::Object(plain_fields)
        }
        value => value.clone(),
    }
}

fn allow_null(fields: &mut serde_json::Map<String, Value>) {
    if let Some(Value::String(word)) = fields.get("type").cloned() {
        fields.insert("type".to_owned(), Value::Array(vec![word.into(), "null".into()]));
    }
    if let Some(Value::Array(values)) = fields.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

fn depth(value: &Value, above: usize) -> usize {
    if above > DEEPEST {
        return above;
    }
    match value {
        Value::Array(items) => items.iter().map(|item| depth(item, above + 1)).max().unwrap_or(above),
        Value::Object(fields) => fields.values().map(|field| depth(field, above + 1)).max().unwrap_or(above),
        _ => above,
    }
}

/// Whether some `$ref` leads back to itself without taking a step into the value. Any two
/// references that meet under the same keyword-free chain would do; only chains through
/// `$ref`, `allOf`, `anyOf`, `oneOf` stay at the same value.
fn has_circle(root: &Value) -> bool {
    fn walk<'v>(root: &'v Value, schema: &'v Value, trail: &mut Vec<&'v str>, budget: &mut usize) -> bool {
        *budget = budget.saturating_sub(1);
        if *budget == 0 {
            return true;
        }
        let Some(fields) = schema.as_object() else { return false };
        if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
            if trail.contains(&reference) {
                return true;
            }
            let target = match reference.strip_prefix('#') {
                Some("") => Some(root),
                Some(pointer) => root.pointer(pointer),
                None => None,
            };
            if let Some(target) = target {
                trail.push(reference);
                let circle = walk(root, target, trail, budget);
                trail.pop();
                if circle {
                    return true;
                }
            }
        }
        let choices =
            ["allOf", "anyOf", "oneOf"].iter().filter_map(|name| fields.get(*name)?.as_array()).flatten();
        let others = ["not", "if", "then", "else"].iter().filter_map(|name| fields.get(*name));
        choices.chain(others).any(|inner| walk(root, inner, trail, budget))
    }
    fn each<'v>(root: &'v Value, value: &'v Value, budget: &mut usize) -> bool {
        walk(root, value, &mut Vec::new(), budget)
            || match value {
                Value::Array(items) => items.iter().any(|item| each(root, item, budget)),
                Value::Object(fields) => fields.values().any(|field| each(root, field, budget)),
                _ => false,
            }
    }
    each(root, root, &mut 200_000)
}

fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => 1 + text.len(),
        Value::Array(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::Object(fields) => {
            1 + fields.iter().map(|(name, field)| name.len() + weight(field)).sum::<usize>()
        }
        _ => 1,
    }
}

/// A schema that compiled, or why it did not.
pub type Compiled = Result<Arc<Schema>, String>;

/// Compiled schemas, shared by all requests. Bounded: the one longest unused goes.
#[derive(Debug, Default)]
pub struct Schemas {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_source: HashMap<Value, (u64, Compiled)>,
    uses: u64,
}

impl Schemas {
    /// The schema compiled, now or before.
    pub fn get(&self, source: &Value) -> Compiled {
        if let Some(found) = self.look(source) {
            return found;
        }
        let compiled = Schema::compile(source).map(Arc::new);
        if weight(source) <= KEPT_WEIGHT {
            self.keep(source, compiled.clone());
        }
        compiled
    }

    pub fn len(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).by_source.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn look(&self, source: &Value) -> Option<Compiled> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uses += 1;
        let now = kept.uses;
        let (used, compiled) = kept.by_source.get_mut(source)?;
        *used = now;
        Some(compiled.clone())
    }

    fn keep(&self, source: &Value, compiled: Compiled) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.by_source.len() >= KEPT {
            let oldest =
                kept.by_source.iter().min_by_key(|(_, (used, _))| *used).map(|(source, _)| source.clone());
            if let Some(oldest) = oldest {
                kept.by_source.remove(&oldest);
            }
        }
        let now = kept.uses;
        kept.by_source.insert(source.clone(), (now, compiled));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_is_compiled_once_and_the_longest_unused_goes() {
        let schemas = Schemas::default();
        let first = json!({"type": "object", "title": "first"});
        let kept = schemas.get(&first).unwrap();
        for number in 0..KEPT {
            schemas.get(&json!({"type": "object", "title": number.to_string()})).unwrap();
            assert!(Arc::ptr_eq(&kept, &schemas.get(&first).unwrap()));
        }
        assert_eq!(schemas.len(), KEPT);
    }

    #[test]
    fn nothing_outside_of_a_schema_is_read() {
        for reference in ["https://example.com/schema.json", "file:///etc/hostname", "other.json"] {
            assert!(Schema::compile(&json!({"$ref": reference})).is_err(), "{reference}");
        }
    }

    #[test]
    fn references_in_a_circle_do_not_compile_and_recursive_types_do() {
        let circle = json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}});
        assert!(Schema::compile(&circle).is_err());
        assert!(Schema::compile(&json!({"$ref": "#"})).is_err());
        let tree = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        let tree = Schema::compile(&tree).unwrap();
        assert!(tree.accepts(&json!({"next": {"next": {}}})));
        assert!(!tree.accepts(&json!({"next": {"next": 1}})));
    }

    #[test]
    fn a_schema_that_says_nonsense_is_noted_and_an_unknown_dialect_is_not() {
        assert!(Schema::compile(&json!({"type": "objekt"})).is_err());
        assert!(Schema::compile(&json!({"properties": {"a": {"required": true}}})).is_err());
        assert!(Schema::compile(&json!({"$schema": "https://example.com/mine", "type": "object"})).is_ok());
    }

    #[test]
    fn googles_capitals_and_nullable_are_understood() {
        let schema = json!({"type": "OBJECT", "properties": {"type": {"type": "STRING", "nullable": true, "enum": ["A"]}}});
        let schema = Schema::compile(&schema).unwrap();
        assert!(schema.accepts(&json!({"type": null})));
        assert!(schema.accepts(&json!({"type": "A"})));
        assert!(!schema.accepts(&json!({"type": "a"})));
    }

    #[test]
    fn a_mismatch_names_places_and_never_a_value() {
        let schema = json!({
            "type": "object", "required": ["city"], "additionalProperties": false,
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}, "days": {"type": ["integer", "null"]},
                "code": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 3}}
        });
        let schema = Schema::compile(&schema).unwrap();
        for (value, expected) in [
            (json!({}), "The whole lacks the required property `city`."),
            (
                json!({"city": "x", "unit": "secret"}),
                "`/unit` is none of the 2 values that the schema lists.",
            ),
            (
                json!({"city": "x", "days": "secret"}),
                "`/days` is string where the schema wants integer or null.",
            ),
            (
                json!({"city": "x", "extra": "secret"}),
                "The whole has properties that the schema does not know: `extra`.",
            ),
            (json!({"city": "x", "code": "SECRET"}), "`/code` breaks the schema's `maxLength`."),
            (json!("secret"), "The whole is string where the schema wants object."),
        ] {
            assert_eq!(schema.check(&value).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_pattern_that_runs_away_is_left() {
        let schema = json!({"type": "string", "pattern": "^(?=(a+)+$)(a+)+\\1b$"});
        let schema = Schema::compile(&schema).unwrap();
        // Whatever it says, it says it soon.
        let _ = schema.check(&json!("a".repeat(40)));
    }
}
