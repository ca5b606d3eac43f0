use super::*;
use canonical::request::Opaque;
use proptest::prelude::*;
use serde_json::json;

fn function(name: &str, parameters: Option<Value>) -> Tool {
    Tool::Function(FunctionTool { name: name.into(), parameters, ..FunctionTool::default() })
}

fn weather() -> Value {
    json!({
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "exact": {"type": "boolean"},
            "unit": {"type": "string", "enum": ["Celsius", "Fahrenheit"]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "where": {"type": "object", "properties": {"lat": {"type": "number"}}, "required": ["lat"]}
        },
        "required": ["city"],
        "additionalProperties": false
    })
}

fn set() -> ToolSet {
    let tools = [function("get_weather", Some(weather())), function("ring", None)];
    ToolSet::compile(&tools, &Schemas::default())
}

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall { name: name.into(), arguments: arguments.into(), ..ToolCall::default() }
}

fn kind(set: &ToolSet, name: &str, arguments: &str) -> &'static str {
    match set.check(&call(name, arguments)) {
        Verdict::Ok => "ok",
        Verdict::Unchecked => "unchecked",
        Verdict::Failed(failure) => failure.kind(),
    }
}

#[test]
fn each_call_has_its_verdict() {
    let set = set();
    for (name, arguments, expected) in [
        ("get_weather", "{\"city\":\"Oslo\",\"days\":3}", "ok"),
        ("get_weather", "{\"city\":\"Oslo\",\"limit\":null}", "ok"),
        ("get_weather", "{\"city\":\"Oslo\"", "invalid_json"),
        ("get_weather", "{\"town\":\"Oslo\"}", "schema_mismatch"),
        ("get_weather", "", "schema_mismatch"),
        ("get_weather", "[]", "schema_mismatch"),
        ("ring", "", "ok"),
        ("ring", " \n", "ok"),
        ("ring", "{}", "ok"),
        ("ring", "{\"anything\":1}", "ok"),
        ("ring", "7", "schema_mismatch"),
        ("get_wether", "{}", "unknown_tool"),
    ] {
        assert_eq!(kind(&set, name, arguments), expected, "{name} {arguments}");
    }
}

#[test]
fn a_verdict_names_the_place_and_the_nearest_tool() {
    let said = |name: &str, arguments: &str| match set().check(&call(name, arguments)) {
        Verdict::Failed(failure) => failure.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(said("get_wether", "{}"), "There is no tool `get_wether`; the nearest is `get_weather`.");
    assert_eq!(said("delete_disk", "{}"), "There is no tool `delete_disk`.");
    assert_eq!(said("ring", "{\"a\":\n tru}"), "This is not JSON from byte 10 on.");
    let long = "x".repeat(10_000);
    assert!(said(&long, "{}").len() < 400);
}

#[test]
fn tools_that_only_a_family_or_a_provider_knows_are_not_checked() {
    let opaque = |value| Tool::Opaque(Opaque { family: "openai-chat".into(), value });
    let custom = opaque(json!({"type": "custom", "custom": {"name": "shell", "format": {"type": "text"}}}));
    let set = ToolSet::compile(&[function("ring", None), custom], &Schemas::default());
    assert_eq!(kind(&set, "shell", "ls -l"), "unchecked");
    assert_eq!(kind(&set, "other", "{}"), "unknown_tool");
    // Nobody can know what calls a nameless tool makes.
    let set =
        ToolSet::compile(&[function("ring", None), opaque(json!({"type": "computer"}))], &Schemas::default());
    assert_eq!(kind(&set, "anything", "{}"), "unchecked");
    let at_server = ToolCall { is_server_side: true, ..call("web_search", "{") };
    assert_eq!(set.check(&at_server), Verdict::Unchecked);
}

#[test]
fn a_schema_that_says_nothing_is_noted_and_any_object_passes() {
    let tools = [function("odd", Some(json!({"$ref": "https://example.com/x.json"})))];
    let set = ToolSet::compile(&tools, &Schemas::default());
    assert_eq!(set.unchecked[0].0, "odd");
    assert_eq!(kind(&set, "odd", "{\"a\":1}"), "ok");
    assert_eq!(kind(&set, "odd", "[1]"), "schema_mismatch");
    assert_eq!(kind(&set, "odd", "{"), "invalid_json");
}

#[test]
fn a_call_is_read_as_it_was_plainly_meant() {
    use Note::{
        Brackets, CodeFence, EncodedTwice, EnumCase, NullRemoved, Quotes, RepeatedValue, TextAround,
        ToBoolean, ToList, ToNumber, ToText, ToolName, TrailingComma, Wrapped,
    };
    let set = set();
    for (name, arguments, expected, notes) in [
        ("get_weather", "```json\n{\"city\":\"Oslo\"}\n```", "{\"city\":\"Oslo\"}", vec![CodeFence]),
        ("get_weather", "Sure: {\"city\":\"Oslo\"} done", "{\"city\":\"Oslo\"}", vec![TextAround]),
        ("get_weather", "{\"city\":\"Oslo\",}", "{\"city\":\"Oslo\"}", vec![TrailingComma]),
        ("get_weather", "{'city':'Oslo'}", "{\"city\":\"Oslo\"}", vec![Quotes]),
        ("get_weather", "{\"city\":\"Oslo\"", "{\"city\":\"Oslo\"}", vec![Brackets]),
        ("get_weather", "{\"city\":\"Oslo\"}}", "{\"city\":\"Oslo\"}", vec![Brackets]),
        ("get_weather", "\"{\\\"city\\\":\\\"Oslo\\\"}\"", "{\"city\":\"Oslo\"}", vec![EncodedTwice]),
        ("get_weather", "{\"arguments\":{\"city\":\"Oslo\"}}", "{\"city\":\"Oslo\"}", vec![Wrapped]),
        (
            "get_weather",
            "{\"name\":\"get_weather\",\"parameters\":{\"city\":\"Oslo\"}}",
            "{\"city\":\"Oslo\"}",
            vec![Wrapped],
        ),
        (
            "get_weather",
            "{\"arguments\":\"{\\\"city\\\":\\\"Oslo\\\"}\"}",
            "{\"city\":\"Oslo\"}",
            vec![EncodedTwice, Wrapped],
        ),
        (
            "get_weather",
            "{\"city\":\"Oslo\",\"days\":\"3\"}",
            "{\"city\":\"Oslo\",\"days\":3}",
            vec![ToNumber],
        ),
        ("get_weather", "{\"city\":7}", "{\"city\":\"7\"}", vec![ToText]),
        (
            "get_weather",
            "{\"city\":\"Oslo\",\"exact\":\"True\"}",
            "{\"city\":\"Oslo\",\"exact\":true}",
            vec![ToBoolean],
        ),
        (
            "get_weather",
            "{\"city\":\"Oslo\",\"tags\":\"sea\"}",
            "{\"city\":\"Oslo\",\"tags\":[\"sea\"]}",
            vec![ToList],
        ),
        (
            "get_weather",
            "{\"city\":\"Oslo\",\"tags\":\"[\\\"sea\\\"]\"}",
            "{\"city\":\"Oslo\",\"tags\":[\"sea\"]}",
            vec![EncodedTwice],
        ),
        (
            "get_weather",
            "{\"city\":\"Oslo\",\"where\":\"{\\\"lat\\\":\\\"1.5\\\"}\"}",
            "{\"city\":\"Oslo\",\"where\":{\"lat\":1.5}}",
            vec![EncodedTwice, ToNumber],
        ),
        (
            "get_weather",
            "{\"city\":\"Oslo\",\"unit\":\"celsius\"}",
            "{\"city\":\"Oslo\",\"unit\":\"Celsius\"}",
            vec![EnumCase],
        ),
        ("get_weather", "{\"city\":\"Oslo\",\"days\":null}", "{\"city\":\"Oslo\"}", vec![NullRemoved]),
        (
            "get_weather",
            "{\"city\":\"Oslo\",\"limit\":\"5\"}",
            "{\"city\":\"Oslo\",\"limit\":5}",
            vec![ToNumber],
        ),
        ("get_weather", "{}{\"city\":\"Oslo\"}", "{\"city\":\"Oslo\"}", vec![RepeatedValue]),
        ("functions.Get-Weather", "{\"city\":\"Oslo\"}", "{\"city\":\"Oslo\"}", vec![ToolName]),
        ("functions.get_weather:0", "{\"city\":\"Oslo\"}", "{\"city\":\"Oslo\"}", vec![ToolName]),
    ] {
        let repaired = set.repair(&call(name, arguments), false).unwrap_or_else(|| panic!("{arguments}"));
        assert_eq!(
            (repaired.name.as_str(), repaired.text.as_str()),
            ("get_weather", expected),
            "{arguments}"
        );
        assert_eq!(repaired.notes, notes, "{arguments}");
    }
}

#[test]
fn where_two_readings_are_possible_there_is_none() {
    let set = set();
    for (name, arguments, why) in [
        ("get_weather", "{\"city\":\"Os", "a value was cut"),
        ("get_weather", "{\"city\":\"Oslo\",", "a member may be missing"),
        ("get_weather", "{\"city\":\"Oslo\"}{\"city\":\"Rome\"}", "two calls in one"),
        ("get_weather", "{\"city\":\"Oslo\",\"city\":\"Rome\",}", "said twice"),
        ("get_weather", "{'city':'it's','b':1}", "a quote in a quote"),
        ("get_weather", "{\"city\":null}", "a required value is missing"),
        ("get_weather", "{\"city\":\"Oslo\",\"exact\":\"yes\"}", "yes is a word, not a boolean"),
        ("get_weather", "{\"city\":\"Oslo\",\"days\":\"three\"}", "no number"),
        ("get_weather", "{\"city\":\"Oslo\",\"unit\":\"kelvin\"}", "no such value"),
        ("get_weather", "{\"town\":\"Oslo\"}", "another name"),
        ("delete_disk", "{}", "no such tool"),
    ] {
        assert_eq!(set.repair(&call(name, arguments), false), None, "{why}");
    }
    assert_eq!(
        set.repair(&call("get_weather", "{\"city\":\"Oslo\""), true),
        None,
        "an answer that was cut off"
    );
    let both = [function("get_x", None), function("get-x", None)];
    let both = ToolSet::compile(&both, &Schemas::default());
    assert_eq!(both.repair(&call("GET_X", "{}"), false), None, "either of two tools");
}

#[test]
fn digits_are_never_lost_to_a_repair() {
    let tools = [function("pay", Some(json!({"type": "object", "properties": {"id": {"type": "number"}}})))];
    let set = ToolSet::compile(&tools, &Schemas::default());
    assert_eq!(set.repair(&call("pay", "{\"id\": 123456789012345678901234567890,}"), false), None);
    assert_eq!(set.repair(&call("pay", "{\"id\": \"123456789012345678901234567890\"}"), false), None);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9\"'{}\\[\\],: ü\n]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(
                "city|days|exact|unit|tags|limit|where|arguments|[a-z]",
                inner,
                0..5
            )
            .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_schema() -> impl Strategy<Value = Value> {
    let word = "object|array|string|number|integer|boolean|null";
    (word, any_json(), proptest::collection::vec("[a-d]", 0..3), any::<bool>()).prop_map(
        |(word, json, required, closed)| {
            json!({"type": word, "properties": {"city": {"type": "string"}, "a": json, "b": {"enum": [json]}},
            "required": required, "additionalProperties": !closed, "items": json})
        },
    )
}

proptest! {
    /// Whatever a model writes, there is a verdict, and a repair passes its own check.
    #[test]
    fn repairs_always_validate_whatever_was_written(text in "\\PC{0,40}", json in any_json(), cut in any::<prop::sample::Index>(), is_cut: bool) {
        let set = set();
        let whole = json.to_string();
        let end = (0..=cut.index(whole.len() + 1)).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
        for arguments in [text.as_str(), &whole, &whole[..end], &format!("```json\n{whole}\n```")] {
            for name in ["get_weather", "ring", "Get-Weather", "other"] {
                let call = call(name, arguments);
                let verdict = set.check(&call);
                if let Some(repaired) = set.repair(&call, is_cut) {
                    let mended = ToolCall { name: repaired.name, arguments: repaired.text, ..call };
                    prop_assert_eq!(set.check(&mended), Verdict::Ok);
                } else {
                    prop_assert_ne!(verdict, Verdict::Ok);
                }
            }
        }
    }

    /// Whatever a client declares, compiling and checking end, and repairs validate.
    #[test]
    fn any_schema_is_compiled_or_noted(schema in any_schema(), json in any_json()) {
        let set = ToolSet::compile(&[function("f", Some(schema))], &Schemas::default());
        let call = call("f", &json.to_string());
        set.check(&call);
        if let Some(repaired) = set.repair(&call, false) {
            prop_assert_eq!(set.check(&ToolCall { arguments: repaired.text, ..call }), Verdict::Ok);
        }
    }
}
