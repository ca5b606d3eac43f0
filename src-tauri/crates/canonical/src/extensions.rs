//! What one wire family can say and the canonical form has no word for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// JSON fields kept as they came, keyed by the wire family that knows them
/// (`openai-chat`, `anthropic-messages`, …).
///
/// They are written back when the other end speaks the same family and ignored otherwise:
/// nothing is lost, nothing leaks across.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extensions(BTreeMap<String, Map<String, Value>>);

impl Extensions {
    /// The key for what our own events say and the content has no field for; no wire's name.
    pub const COMMON: &str = "canonical";

    pub fn is_empty(&self) -> bool {
        self.0.values().all(Map::is_empty)
    }

    /// The fields kept for `family`, in the order in which they came.
    pub fn get(&self, family: &str) -> Option<&Map<String, Value>> {
        self.0.get(family)
    }

    /// Every family with its fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
        self.0.iter().map(|(family, fields)| (family.as_str(), fields))
    }

    /// One field of `family`.
    pub fn field(&self, family: &str, name: &str) -> Option<&Value> {
        self.0.get(family)?.get(name)
    }

    pub fn insert(&mut self, family: &str, name: impl Into<String>, value: Value) {
        self.0.entry(family.to_owned()).or_default().insert(name.into(), value);
    }

    /// Takes one field of `family` away, and the family with its last one.
    pub fn remove(&mut self, family: &str, name: &str) {
        if let Some(fields) = self.0.get_mut(family) {
            fields.shift_remove(name);
            if fields.is_empty() {
                self.0.remove(family);
            }
        }
    }

    /// Keeps every field of `fields` for `family`; a later value replaces an earlier one.
    pub fn extend(&mut self, family: &str, fields: Map<String, Value>) {
        if !fields.is_empty() {
            self.0.entry(family.to_owned()).or_default().extend(fields);
        }
    }
}
