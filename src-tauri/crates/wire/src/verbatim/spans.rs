//! Where the fields of a JSON object stand in its text, and edits of such places: what is not
//! edited keeps its bytes, its order and its spaces.
//!
//! The text is known to be valid JSON, because a dialect has read it; this only finds its way
//! around in it. `None` means that it lost it all the same, and nobody should edit.

use std::borrow::Cow;
use std::ops::Range;

/// One field: its key with the quotes, and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub name: Cow<'a, str>,
    pub key: Range<usize>,
    pub value: Range<usize>,
}

/// An object's fields in their order; a name may come twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object<'a> {
    /// Behind the opening brace.
    inside: usize,
    pub fields: Vec<Field<'a>>,
}

impl<'a> Object<'a> {
    /// The object that stands at `range` of `text`, spaces around it allowed.
    pub(crate) fn read(text: &'a [u8], range: Range<usize>) -> Option<Self> {
        let inside = skip_spaces(text, range.start);
        (text.get(inside) == Some(&b'{')).then_some(())?;
        let inside = inside + 1;
        let mut object = Self { inside, fields: Vec::new() };
        let mut at = skip_spaces(text, inside);
        while *text.get(at)? != b'}' {
            let key = at..end_of_value(text, at)?;
            let colon = skip_spaces(text, key.end);
            (text.get(colon) == Some(&b':')).then_some(())?;
            let start = skip_spaces(text, colon + 1);
            let value = start..end_of_value(text, start)?;
            at = skip_spaces(text, value.end);
            object.fields.push(Field { name: name(text.get(key.clone())?)?, key, value });
            match text.get(at)? {
                b',' => at = skip_spaces(text, at + 1),
                b'}' => {}
                _ => return None,
            }
        }
        Some(object)
    }

    /// Every field of that name. Parsers disagree which of several counts, so all are edited.
    pub(crate) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Field<'a>> {
        self.fields.iter().filter(move |field| field.name == name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }
}

/// Replacements of places in one text.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    spans: Vec<(Range<usize>, Vec<u8>)>,
}

impl Edits {
    pub(crate) fn replace(&mut self, span: Range<usize>, with: impl Into<Vec<u8>>) {
        self.spans.push((span, with.into()));
    }

    /// Takes fields out, each with the one comma that goes with it.
    pub(crate) fn remove(&mut self, object: &Object<'_>, is_removed: impl Fn(&str) -> bool) {
        let fields = &object.fields;
        let mut at = 0;
        while at < fields.len() {
            if !is_removed(&fields[at].name) {
                at += 1;
                continue;
            }
            let first = at;
            while at < fields.len() && is_removed(&fields[at].name) {
                at += 1;
            }
            let span = match (first, fields.get(at)) {
                (_, Some(next)) => fields[first].key.start..next.key.start,
                (0, None) => fields[0].key.start..fields[at - 1].value.end,
                (_, None) => fields[first - 1].value.end..fields[at - 1].value.end,
            };
            self.replace(span, "");
        }
    }

    /// Puts `field` (`"name":value`) in front of the object's others: their commas stay as they are.
    pub(crate) fn put_first(&mut self, object: &Object<'_>, field: &str) {
        let comma = if object.fields.is_empty() { "" } else { "," };
        self.replace(object.inside..object.inside, format!("{field}{comma}"));
    }

    /// Puts `field` behind the object's last one, which stays.
    pub(crate) fn put_last(&mut self, object: &Object<'_>, field: &str) {
        match object.fields.last() {
            Some(last) => self.replace(last.value.end..last.value.end, format!(",{field}")),
            None => self.put_first(object, field),
        }
    }

    pub(crate) fn apply(mut self, text: &[u8]) -> Vec<u8> {
        // Stable: of two at the same place the one that was asked for first comes first.
        self.spans.sort_by_key(|(span, _)| span.start);
        let more: usize = self.spans.iter().map(|(_, with)| with.len()).sum();
        let mut edited = Vec::with_capacity(text.len() + more);
        let mut from = 0;
        for (span, with) in &self.spans {
            edited.extend_from_slice(text.get(from..span.start).unwrap_or_default());
            edited.extend_from_slice(with);
            from = from.max(span.end);
        }
        edited.extend_from_slice(text.get(from..).unwrap_or_default());
        edited
    }
}

fn name(quoted: &[u8]) -> Option<Cow<'_, str>> {
    let bare = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr(b'\\', bare).is_some() {
        return serde_json::from_slice::<String>(quoted).ok().map(Cow::Owned);
    }
    std::str::from_utf8(bare).ok().map(Cow::Borrowed)
}

fn skip_spaces(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// Where the value that begins at `at` ends.
fn end_of_value(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => end_of_string(text, at + 1),
        b'{' | b'[' => end_of_nested(text, at),
        _ => {
            let rest = text.get(at..)?;
            let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
            let length = rest.iter().position(is_end).unwrap_or(rest.len());
            (length > 0).then_some(at + length)
        }
    }
}

/// `at` is behind the opening quote.
fn end_of_string(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn end_of_nested(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match text.get(at)? {
            b'"' => {
                at = end_of_string(text, at + 1)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    fn read(text: &str) -> Vec<(String, &str)> {
        let object = Object::read(text.as_bytes(), 0..text.len()).unwrap();
        object.fields.iter().map(|field| (field.name.to_string(), &text[field.value.clone()])).collect()
    }

    fn without(text: &str, names: &[&str]) -> String {
        let object = Object::read(text.as_bytes(), 0..text.len()).unwrap();
        let mut edits = Edits::default();
        edits.remove(&object, |name| names.contains(&name));
        String::from_utf8(edits.apply(text.as_bytes())).unwrap()
    }

    #[test]
    fn fields_are_found_whatever_stands_in_and_around_them() {
        let text = " {\"a\":1 ,\n\"mod\\u0065l\" : \"x\\\"}\\\\\",\t\"n\":{\"model\":[\"]\",{}]},\"model\":null,\"t\":true} ";
        assert_eq!(
            read(text),
            [
                ("a".into(), "1"),
                ("model".into(), "\"x\\\"}\\\\\""),
                ("n".into(), "{\"model\":[\"]\",{}]}"),
                ("model".into(), "null"),
                ("t".into(), "true"),
            ]
        );
        assert_eq!(read("{ }"), []);
        assert_eq!(Object::read(b"[1]", 0..3), None);
        assert_eq!(Object::read(b"{\"a\":", 0..5), None);
    }

    #[test]
    fn a_removed_field_takes_one_comma_with_it() {
        let text = "{ \"a\": 1, \"b\": 2, \"c\": 3 }";
        for (names, left) in [
            (&["a"][..], "{ \"b\": 2, \"c\": 3 }"),
            (&["b"], "{ \"a\": 1, \"c\": 3 }"),
            (&["c"], "{ \"a\": 1, \"b\": 2 }"),
            (&["b", "c"], "{ \"a\": 1 }"),
            (&["a", "c"], "{ \"b\": 2 }"),
            (&["a", "b", "c"], "{  }"),
            (&["d"], text),
        ] {
            assert_eq!(without(text, names), left, "{names:?}");
        }
    }

    #[test]
    fn a_field_is_put_in_front_or_behind_and_nothing_else_moves() {
        for (text, first, last) in [
            ("{}", "{\"z\":0}", "{\"z\":0}"),
            ("{ \"a\" : 1 }", "{\"z\":0, \"a\" : 1 }", "{ \"a\" : 1,\"z\":0 }"),
        ] {
            let object = Object::read(text.as_bytes(), 0..text.len()).unwrap();
            let mut edits = Edits::default();
            edits.put_first(&object, "\"z\":0");
            assert_eq!(edits.apply(text.as_bytes()), first.as_bytes());
            let mut edits = Edits::default();
            edits.put_last(&object, "\"z\":0");
            assert_eq!(edits.apply(text.as_bytes()), last.as_bytes());
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[\"\\\\{}\\[\\],:a-z\u{e9}\n]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[\"\\\\a-c]{0,3}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        /// Whatever an object holds, its fields are those that a JSON parser finds, and a removed
        /// one is gone while the rest is the same.
        #[test]
        fn spans_agree_with_a_parser(fields in prop::collection::btree_map("[\"\\\\a-c]{0,3}", value(), 0..5), pretty: bool) {
            let object: Map<String, Value> = fields.into_iter().collect();
            let text = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) }.unwrap();
            let read: Map<String, Value> =
                read(&text).into_iter().map(|(name, value)| (name, serde_json::from_str(value).unwrap())).collect();
            prop_assert_eq!(&read, &object);
            if let Some(name) = object.keys().next() {
                let mut expected = object.clone();
                expected.shift_remove(name);
                let left: Map<String, Value> = serde_json::from_str(&without(&text, &[name])).unwrap();
                prop_assert_eq!(left, expected);
            }
        }
    }
}
