//! A request's response format, and whether a text keeps to it.

use std::sync::Arc;

use canonical::request::ResponseFormat;
use serde_json::Value;

use crate::fit;
use crate::mend::{self, Root};
use crate::schema::{Schema, Schemas, type_of};
use crate::tools::parse;
use crate::verdict::{Failure, Repaired};

/// What an answer's text must be.
#[derive(Debug)]
pub struct Format {
    kind: Kind,
    /// Why the schema says nothing, where it does not compile: then any JSON will do.
    pub unchecked: Option<String>,
}

#[derive(Debug)]
enum Kind {
    Object,
    Schema(Arc<Schema>),
    AnyJson,
}

impl Format {
    /// `None` where plain text was asked for.
    pub fn of(format: &ResponseFormat, schemas: &Schemas) -> Option<Self> {
        match format {
            ResponseFormat::Text => None,
            ResponseFormat::JsonObject => Some(Self { kind: Kind::Object, unchecked: None }),
            ResponseFormat::JsonSchema { schema, .. } => Some(match schemas.get(schema) {
                Ok(schema) => Self { kind: Kind::Schema(schema), unchecked: None },
                Err(why) => Self { kind: Kind::AnyJson, unchecked: Some(why) },
            }),
        }
    }

    /// The schema that is held against the text.
    pub fn schema(&self) -> Option<&Value> {
        match &self.kind {
            Kind::Schema(schema) => Some(schema.source()),
            Kind::Object | Kind::AnyJson => None,
        }
    }

    /// # Errors
    /// What is wrong with `text`.
    pub fn check(&self, text: &str) -> Result<(), Failure> {
        let value = parse(text).map_err(|at| Failure::InvalidJson { at })?;
        match &self.kind {
            Kind::Schema(schema) => schema.check(&value),
            Kind::Object if !value.is_object() => {
                let message = format!("is {} where an object was asked for", type_of(&value));
                Err(Failure::SchemaMismatch { path: String::new(), message })
            }
            Kind::Object | Kind::AnyJson => Ok(()),
        }
    }

    /// The JSON that the text plainly stands for, where it passes the check.
    pub fn repair(&self, text: &str, is_cut: bool) -> Option<Repaired> {
        let root = if matches!(self.kind, Kind::Object) { Root::Object } else { Root::Container };
        let mended = mend::mend(text, root, is_cut)?;
        let mut notes = mended.notes;
        let value = match &self.kind {
            Kind::Schema(schema) => fit::fit(mended.value, schema, &mut notes)?,
            Kind::Object | Kind::AnyJson => mended.value,
        };
        let text = value.to_string();
        self.check(&text).ok()?;
        notes.sort_unstable();
        notes.dedup();
        Some(Repaired { name: String::new(), text, notes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Note;
    use serde_json::json;

    fn schema(schema: Value) -> Format {
        let format = ResponseFormat::JsonSchema { name: None, description: None, schema, strict: None };
        Format::of(&format, &Schemas::default()).unwrap()
    }

    #[test]
    fn plain_text_has_nothing_to_keep_to() {
        assert!(Format::of(&ResponseFormat::Text, &Schemas::default()).is_none());
    }

    #[test]
    fn any_object_will_do_where_json_alone_was_asked_for() {
        let format = Format::of(&ResponseFormat::JsonObject, &Schemas::default()).unwrap();
        assert_eq!(format.check("{\"a\":1}"), Ok(()));
        assert_eq!(format.check("[1]").unwrap_err().kind(), "schema_mismatch");
        assert_eq!(format.check("Sure: {}").unwrap_err().kind(), "invalid_json");
    }

    #[test]
    fn a_fenced_answer_is_unwrapped_and_fitted() {
        let format =
            schema(json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}));
        let repaired = format.repair("Here you are:\n```json\n{\"n\": \"4\",}\n```", false).unwrap();
        assert_eq!(repaired.text, "{\"n\":4}");
        assert_eq!(repaired.notes, [Note::CodeFence, Note::TextAround, Note::TrailingComma, Note::ToNumber]);
        assert_eq!(format.repair("{\"m\": 4}", false), None);
        assert_eq!(format.repair("{\"n\": 4", true), None, "what was cut off is not completed");
    }

    #[test]
    fn a_list_may_be_what_was_asked_for() {
        let format = schema(json!({"type": "array", "items": {"type": "string"}}));
        assert_eq!(format.repair("```\n[\"a\"]\n```", false).unwrap().text, "[\"a\"]");
    }
}
