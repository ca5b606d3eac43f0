//! A JSON object read field by field: what is taken is checked, what is left is kept.

use canonical::Error;
use serde_json::{Map, Value};

/// The fields of one object, and where it stands in the request (`messages[2].content[0]`).
pub(crate) struct Fields {
    fields: Map<String, Value>,
    place: String,
}

impl Fields {
    pub(crate) fn new(value: Value, place: impl Into<String>) -> Result<Self, Error> {
        let place = place.into();
        match value {
            Value::Object(fields) => Ok(Self { fields, place }),
            other => Err(wrong(&place, "an object", &other)),
        }
    }

    /// The name of a field as a client's error message shows it.
    pub(crate) fn path(&self, name: &str) -> String {
        if self.place.is_empty() { name.to_owned() } else { format!("{}.{name}", self.place) }
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Takes a field out; `null` is as good as missing.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        // `shift_remove` keeps the order of what is left.
        self.fields.shift_remove(name).filter(|value| !value.is_null())
    }

    pub(crate) fn peek(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Fields>, Error> {
        let path = self.path(name);
        self.take(name).map(|value| Fields::new(value, path)).transpose()
    }

    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<Value>, Error> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(wrong(&self.path(name), "a list", &other)),
        }
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        self.typed(name, "a string", |value| match value {
            Value::String(text) => Ok(text),
            other => Err(other),
        })
    }

    pub(crate) fn required_text(&mut self, name: &str) -> Result<String, Error> {
        self.text(name)?.ok_or_else(|| missing(&self.path(name)))
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Error> {
        self.typed(name, "true or false", |value| value.as_bool().ok_or(value))
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<f64>, Error> {
        self.typed(name, "a number", |value| value.as_f64().ok_or(value))
    }

    /// A whole number from 0, also where it is written `5.0`.
    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u64>, Error> {
        self.typed(name, "a whole number from 0", |value| {
            let float = value.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0);
            value.as_u64().or(float.map(|number| number as u64)).ok_or(value)
        })
    }

    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, Error> {
        self.typed(name, "a whole number", |value| value.as_i64().ok_or(value))
    }

    /// What was not taken, in the order in which it came.
    pub(crate) fn rest(self) -> Map<String, Value> {
        self.fields
    }

    /// Puts a field back for [`Self::rest`].
    pub(crate) fn keep(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    fn typed<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl Fn(Value) -> Result<T, Value>,
    ) -> Result<Option<T>, Error> {
        let path = self.path(name);
        self.take(name).map(|value| read(value).map_err(|value| wrong(&path, expected, &value))).transpose()
    }
}

pub(crate) fn missing(path: &str) -> Error {
    Error::caller(format!("Missing required parameter: '{path}'."))
        .with_param(path)
        .with_code("missing_required_parameter")
}

pub(crate) fn wrong(path: &str, expected: &str, got: &Value) -> Error {
    let got = match got {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let name = if path.is_empty() { "The request's body".to_owned() } else { format!("'{path}'") };
    Error::caller(format!("Invalid type: {name} must be {expected}, but is {got}."))
        .with_param(path)
        .with_code("invalid_type")
}

pub(crate) fn invalid(path: &str, message: impl Into<String>) -> Error {
    Error::caller(message).with_param(path).with_code("invalid_value")
}
