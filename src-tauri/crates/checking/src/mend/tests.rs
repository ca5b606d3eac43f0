use super::*;
use proptest::prelude::*;
use serde_json::json;

fn value(text: &str) -> Option<Value> {
    mend(text, Root::Container, false).map(|mended| mended.value)
}

#[test]
fn json_that_is_right_is_read_as_it_is() {
    for text in ["{}", "[]", "{\"a\":[1,-2.5e3,true,null,\"\\u00fc\\n\"]}", " [ {\"a\" : \"}\"} ] "] {
        let mended = mend(text, Root::Container, true).unwrap();
        assert_eq!(mended.value, serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(mended.notes, [], "{text}");
    }
}

#[test]
fn what_python_and_scripts_write_is_read() {
    assert_eq!(
        value("{'a': True, 'b': None, c: 'say \"hi\"'}"),
        Some(json!({"a": true, "b": null, "c": "say \"hi\""}))
    );
    assert_eq!(value("{'a': 'it\\'s'}"), Some(json!({"a": "it's"})));
    assert_eq!(value("{\"a\": \"line\none\"}"), Some(json!({"a": "line\none"})));
    assert_eq!(value("{\"a\": NaN}"), None);
}

#[test]
fn brackets_are_closed_at_the_end_only() {
    assert_eq!(value("{\"a\": [1, {\"b\": 2"), Some(json!({"a": [1, {"b": 2}]})));
    assert_eq!(value("{\"a\": [1, 2}"), None);
    assert_eq!(value("{\"a\": [1, 2"), Some(json!({"a": [1, 2]})));
    assert_eq!(value("{\"a\":"), None);
    assert_eq!(mend("{\"a\": 1", Root::Object, true), None);
}

#[test]
fn deep_and_long_texts_are_left() {
    assert_eq!(value(&"[".repeat(100_000)), None);
    assert_eq!(value(&format!("{}{}", "[".repeat(500), "]".repeat(500))), None);
    assert_eq!(value(&format!("[\"{}\"]", "x".repeat(LONGEST))), None);
}

proptest! {
    #[test]
    fn any_text_has_an_end(text in "[{}\\[\\]'\",:a0 \\\\`\nTrue-]{0,60}", is_cut: bool) {
        let _ = mend(&text, Root::Object, is_cut);
        let _ = mend(&text, Root::Container, is_cut);
    }

    /// What is JSON already is never read as something else.
    #[test]
    fn json_is_never_misread(items in proptest::collection::vec("\\PC{0,12}", 0..4)) {
        let json = Value::from(items);
        prop_assert_eq!(value(&json.to_string()), Some(json));
    }
}
