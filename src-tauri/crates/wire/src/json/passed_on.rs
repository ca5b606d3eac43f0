//! Fields that belong to a whole answer and that many providers repeat in each message of a stream.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::reading::RawFields;

/// What was passed on already, as it was written: what is written alike again is not even read.
#[derive(Debug, Default)]
pub(crate) struct PassedOn(BTreeMap<Box<str>, Box<str>>);

impl PassedOn {
    /// Those of `fields` that are new or have changed. They count as passed on from now.
    pub(crate) fn news(&mut self, fields: RawFields<'_>) -> Map<String, Value> {
        let mut news = Map::new();
        for (name, raw) in fields {
            if let Some(value) = self.take(&name, raw.get()) {
                news.insert(name.into_owned(), value);
            }
        }
        news
    }

    /// The last value of that name that was passed on.
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        serde_json::from_str(self.0.get(name)?).ok()
    }

    fn take(&mut self, name: &str, raw: &str) -> Option<Value> {
        let known = self.0.get_mut(name);
        if known.as_deref().is_some_and(|known| **known == *raw) {
            return None;
        }
        // What cannot be read (a number past every range) says nothing.
        let value: Value = serde_json::from_str(raw).ok()?;
        let Some(known) = known else {
            self.0.insert(name.into(), raw.into());
            return Some(value);
        };
        let is_same = serde_json::from_str::<Value>(known).is_ok_and(|known| known == value);
        *known = raw.into();
        (!is_same).then_some(value)
    }
}

/// The value of the field of that name, of which the last holds.
pub(crate) fn raw_field<'a>(fields: &RawFields<'a>, name: &str) -> Option<&'a RawValue> {
    fields.iter().rev().find(|(have, _)| have == name).map(|(_, raw)| *raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(passed_on: &mut PassedOn, json: &str) -> String {
        let fields: BTreeMap<&str, &RawValue> = serde_json::from_str(json).unwrap();
        let fields = fields.into_iter().map(|(name, raw)| (name.into(), raw)).collect();
        Value::Object(passed_on.news(fields)).to_string()
    }

    #[test]
    fn a_field_is_news_once_and_again_when_it_has_changed() {
        let mut passed_on = PassedOn::default();
        assert_eq!(news(&mut passed_on, r#"{"a": [1, 2], "b": "x"}"#), r#"{"a":[1,2],"b":"x"}"#);
        assert_eq!(news(&mut passed_on, r#"{"a": [1, 2], "b": "x"}"#), "{}");
        assert_eq!(news(&mut passed_on, r#"{"a": [1,2], "b": "\u0078"}"#), "{}");
        assert_eq!(news(&mut passed_on, r#"{"a": [1,3], "c": 1e999}"#), r#"{"a":[1,3]}"#);
        assert_eq!(passed_on.get("a"), Some(serde_json::json!([1, 3])));
    }
}
