//! Arguments of a call in pieces, each a path and a value (`$.recipe.ingredients[0].amount`), put
//! together again. <https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling>

use serde_json::{Map, Value};

use super::types::PartialArg;

/// The farthest that a piece may reach past an array's end: past it, the path is nonsense.
const MAX_GAP: usize = 1024;

/// A call's arguments so far.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    root: Map<String, Value>,
    /// The path of a string that goes on.
    continued: Option<String>,
}

impl Arguments {
    /// Adds one piece. False where its path cannot be followed: the piece is passed over.
    pub(super) fn add(&mut self, piece: &PartialArg) -> bool {
        let value = match (&piece.string_value, &piece.number_value, piece.bool_value) {
            (Some(text), _, _) => Value::from(text.as_str()),
            (_, Some(number), _) => Value::Number(number.clone()),
            (_, _, Some(flag)) => Value::Bool(flag),
            _ => Value::Null,
        };
        let goes_on = self.continued.as_deref() == Some(&piece.json_path);
        self.continued = piece.will_continue.then(|| piece.json_path.clone());
        let Some(steps) = steps(&piece.json_path) else { return false };
        let Some(place) = place(&mut self.root, &steps) else { return false };
        match (place, value) {
            (Value::String(have), Value::String(more)) if goes_on => have.push_str(&more),
            (place, value) => *place = value,
        }
        true
    }

    /// Everything together, as JSON.
    pub(super) fn into_json(self) -> String {
        Value::Object(self.root).to_string()
    }
}

#[derive(Debug, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

/// The steps of a JSON path made of names and indexes: `$.a.b[0]['c.d']`.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            steps.push(Step::Key(name[..end].to_owned()));
            rest = &name[end..];
        } else {
            let inner = rest.strip_prefix('[')?;
            let quote = inner.chars().next().filter(|first| matches!(first, '\'' | '"'));
            let (step, after) = if let Some(quote) = quote {
                let (name, after) = inner[1..].split_once(quote)?;
                (Step::Key(name.to_owned()), after.strip_prefix(']')?)
            } else {
                let (index, after) = inner.split_once(']')?;
                (Step::Index(index.parse().ok()?), after)
            };
            steps.push(step);
            rest = after;
        }
    }
    Some(steps)
}

/// The place that `steps` lead to, made where it is missing.
fn place<'a>(root: &'a mut Map<String, Value>, steps: &[Step]) -> Option<&'a mut Value> {
    let Some((Step::Key(first), steps)) = steps.split_first() else { return None };
    let mut place = root.entry(first.clone()).or_insert(Value::Null);
    for step in steps {
        place = match step {
            Step::Key(name) => {
                if place.is_null() {
                    *place = Value::Object(Map::new());
                }
                place.as_object_mut()?.entry(name.clone()).or_insert(Value::Null)
            }
            Step::Index(index) => {
                if place.is_null() {
                    *place = Value::Array(Vec::new());
                }
                let items = place.as_array_mut()?;
                if *index >= items.len() + MAX_GAP {
                    return None;
                }
                if *index >= items.len() {
                    items.resize(index + 1, Value::Null);
                }
                items.get_mut(*index)?
            }
        };
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn piece(value: Value) -> PartialArg {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn pieces_grow_strings_and_fill_nested_places() {
        let mut arguments = Arguments::default();
        for value in [
            json!({"jsonPath": "$.items[0].name", "stringValue": "Las", "willContinue": true}),
            json!({"jsonPath": "$.items[0].name", "stringValue": "agna", "willContinue": true}),
            json!({"jsonPath": "$.items[0].name", "stringValue": ""}),
            json!({"jsonPath": "$.items[1]['a.b']", "numberValue": 0.5}),
            json!({"jsonPath": "$.ready", "boolValue": true}),
            json!({"jsonPath": "$.none", "nullValue": "NULL_VALUE"}),
        ] {
            assert!(arguments.add(&piece(value)));
        }
        assert_eq!(
            serde_json::from_str::<Value>(&arguments.into_json()).unwrap(),
            json!({"items": [{"name": "Lasagna"}, {"a.b": 0.5}], "ready": true, "none": null})
        );
    }

    #[test]
    fn a_path_that_leads_nowhere_is_passed_over() {
        let mut arguments = Arguments::default();
        for path in ["", "a", "$", "$[0]", "$.a[99999999]", "$.a[", "$.a['b", "$.a[x]"] {
            assert!(!arguments.add(&piece(json!({"jsonPath": path, "stringValue": "x"}))), "{path}");
        }
    }
}
