//! Every recorded request: read by the dialect, written again by the protocol, it asks for the same.
//! [`plain`] makes one form of both, and is the list of what may differ.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::judge::{every, same};
use wire::gemini_generate::client::GeminiGenerate as Client;
use wire::gemini_generate::server::GeminiGenerate as Server;
use wire::{Dialect as _, Protocol as _, Quirks, RequestHead, TargetContext};

use super::FAMILY;

#[test]
fn every_recorded_request_goes_through_unchanged() {
    let Some(records) = corpus::records(FAMILY) else { return };
    let has_body = |record: &Record| record.request.as_ref().is_some_and(|request| request.body.is_some());
    let counts = every(records.into_iter().filter(has_body), judge);
    let read: usize = counts.values().map(|count| count.whole + count.streamed + count.errors).sum();
    assert!(read > 180, "only {read} requests");
}

fn judge(record: &Record) -> Result<(), String> {
    let request = record.request.as_ref().ok_or("no request")?;
    let body = request.body.clone().ok_or("no body")?;
    let (model, method) = model_of(&request.path).ok_or_else(|| format!("no model in {}", request.path))?;
    let is_stream = method == "streamGenerateContent";
    let head = RequestHead { model: Some(model), stream: is_stream, ..RequestHead::default() };
    let decoded = match Server.decode_request(&head, body.to_string().as_bytes()) {
        Ok(decoded) => decoded,
        // Google refused it as well, for the same field.
        Err(error) if record.response.status == 400 && error.param.as_deref() == Some("contents[0].role") => {
            return Ok(());
        }
        Err(error) => return Err(format!("refused: {error}")),
    };
    let quirks = Quirks::default();
    let target = TargetContext { model, quirks: &quirks, max_output_tokens: None };
    let sent = Client.encode_request(&decoded, &target).map_err(|error| format!("not sent: {error}"))?;
    same("path", &sent.path, &format!("/models/{model}:{method}"))?;
    let got: Value = serde_json::from_slice(&sent.body).map_err(|error| error.to_string())?;
    let (mut got, expected) = (plain(&got), plain(&body));
    forgive(&mut got, &expected);
    let mut found = Vec::new();
    differences(&got, &expected, "", &mut found);
    if found.is_empty() { Ok(()) } else { Err(found.join("; ")) }
}

fn model_of(path: &str) -> Option<(&str, &str)> {
    path.split('?').next()?.rsplit('/').next()?.rsplit_once(':')
}

/// What is written where the client wrote nothing: an id for a call, the type that an address' ending
/// tells, and the word that stands for a signature that no client could know.
fn forgive(got: &mut Value, expected: &Value) {
    match (got, expected) {
        (Value::Object(got), Value::Object(expected)) => {
            for (name, value) in got.iter_mut() {
                forgive(value, expected.get(name).unwrap_or(&Value::Null));
            }
            let ours = |name: &str, value: &Value| match name {
                "id" | "mimeType" => true,
                "thoughtSignature" => *value == "skip_thought_signature_validator",
                _ => false,
            };
            got.retain(|name, value| expected.contains_key(name) || !ours(name, value));
        }
        (Value::Array(got), Value::Array(expected)) => {
            for (got, expected) in got.iter_mut().zip(expected) {
                forgive(got, expected);
            }
        }
        _ => {}
    }
}

fn differences(got: &Value, expected: &Value, place: &str, found: &mut Vec<String>) {
    match (got, expected) {
        (Value::Object(one), Value::Object(other)) => {
            let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in names {
                differences(&got[name.as_str()], &expected[name.as_str()], &format!("{place}/{name}"), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (at, (one, other)) in one.iter().zip(other).enumerate() {
                differences(one, other, &format!("{place}/{at}"), found);
            }
        }
        (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => {}
        _ if got == expected => {}
        _ => found.push(format!("{place} is {got}, not {expected}")),
    }
}

// === one form of every spelling ===

fn plain(body: &Value) -> Value {
    let mut body = named(body);
    // Of the older SDKs; the path says it.
    body.remove("model");
    let system = body.remove("systemInstruction").map(|content| parts(&named(&content)["parts"]));
    body.extend(system.map(|parts| ("systemInstruction".to_owned(), parts.into())));
    let contents = body.remove("contents").unwrap_or_default();
    body.insert("contents".into(), self::contents(list(&contents)));
    if is_empty(&body["contents"])
        && let Some(system) = body.remove("systemInstruction")
    {
        // Someone has to speak.
        body.insert("contents".into(), json!([{"role": "user", "parts": system}]));
    }
    let tools = body.remove("tools").map(|tools| self::tools(&list(&tools))).unwrap_or_default();
    let has_functions = tools.contains_key("functionDeclarations");
    body.insert("tools".into(), json!(tools));
    if let Some(config) = body.remove("toolConfig") {
        let mut config = named(&config);
        if let Some(calling) = config.remove("functionCallingConfig") {
            let mut calling = named(&calling);
            upper(&mut calling, "mode");
            // The default, in other words; without functions there is nothing to choose.
            if has_functions || calling["mode"] != "AUTO" {
                config.insert("functionCallingConfig".into(), calling.into());
            }
        }
        body.insert("toolConfig".into(), config.into());
    }
    if let Some(config) = body.remove("generationConfig") {
        body.insert("generationConfig".into(), generation_config(&config));
    }
    body.retain(|_, value| !is_empty(value));
    body.into()
}

fn contents(contents: Vec<Value>) -> Value {
    let mut turns: Vec<(String, Vec<Value>)> = Vec::new();
    for content in contents {
        let content = named(&content);
        let role = content.get("role").and_then(Value::as_str).unwrap_or("user").to_owned();
        let mut parts = parts(&content["parts"]);
        match turns.last_mut() {
            _ if parts.is_empty() => {}
            // Neighbours of one role are one turn.
            Some((last, have)) if *last == role => have.append(&mut parts),
            _ => turns.push((role, parts)),
        }
    }
    for (_, parts) in &mut turns {
        // Answers of functions come first, right behind their calls.
        parts.sort_by_key(|part| part["functionResponse"].is_null());
    }
    turns.into_iter().map(|(role, parts)| json!({"role": role, "parts": parts})).collect()
}

fn parts(value: &Value) -> Vec<Value> {
    let mut parts = Vec::new();
    for part in list(value) {
        let mut part = named(&part);
        // Google does not want thoughts back, and an empty text says nothing without a signature.
        let is_thought = part.remove("thought") == Some(Value::Bool(true));
        if is_thought || (part.get("text") == Some(&"".into()) && !part.contains_key("thoughtSignature")) {
            continue;
        }
        for name in ["functionCall", "functionResponse", "inlineData", "fileData"] {
            if let Some(inner) = part.remove(name) {
                let mut inner = named(&inner);
                if let Some(media) = inner.remove("parts") {
                    inner.insert("parts".into(), self::parts(&media).into());
                }
                standard(&mut inner, "data");
                part.insert(name.to_owned(), inner.into());
            }
        }
        standard(&mut part, "thoughtSignature");
        parts.push(part.into());
    }
    parts
}

/// Declarations in order, every other tool by its name.
fn tools(tools: &[Value]) -> BTreeMap<String, Value> {
    let mut found: BTreeMap<String, Value> = BTreeMap::new();
    for tool in tools {
        for (name, value) in named(tool) {
            if name != "functionDeclarations" {
                found.insert(name, value);
                continue;
            }
            for declaration in list(&value) {
                let mut declaration = named(&declaration);
                let schema = declaration.remove("parametersJsonSchema").or(declaration.remove("parameters"));
                let schema = schema.map(|schema| json_schema(&schema));
                // A function that takes nothing has no schema.
                let takes = schema.filter(|schema| !is_empty(&schema["properties"]));
                declaration.extend(takes.map(|schema| ("parametersJsonSchema".to_owned(), schema)));
                let all = found.entry(name.clone()).or_insert_with(|| json!([]));
                all.as_array_mut().unwrap().push(declaration.into());
            }
        }
    }
    found
}

fn generation_config(config: &Value) -> Value {
    let mut config = named(config);
    if let Some(thinking) = config.remove("thinkingConfig") {
        let thinking = named(&thinking);
        config.insert("thinkingConfig".into(), thinking.into());
    }
    let schema = config.remove("responseJsonSchema").or(config.remove("responseSchema"));
    config.extend(schema.map(|schema| ("responseJsonSchema".to_owned(), json_schema(&schema))));
    // One answer is what comes anyway.
    config.retain(|name, value| !(name == "candidateCount" && *value == 1));
    config.into()
}

/// Google's schemas and JSON Schema in one form.
fn json_schema(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let mut fields: Map<String, Value> = fields.clone();
            fields.retain(|_, value| !value.is_null());
            let is_keyword = |value: &Value| value.is_string() || value.is_number();
            if let Some(kind) = fields.get("type").filter(|kind| is_keyword(kind)).cloned() {
                let words = ["", "string", "number", "integer", "boolean", "array", "object"];
                let word = kind.as_str().map(str::to_ascii_lowercase);
                let number = kind.as_u64().and_then(|number| words.get(number as usize));
                let word = word.or(number.map(|word| (*word).to_owned())).unwrap();
                let is_nullable = fields.remove("nullable") == Some(Value::Bool(true));
                fields.insert("type".into(), if is_nullable { json!([word, "null"]) } else { word.into() });
            }
            fields.into_iter().map(|(name, value)| (spelled(&name), json_schema(&value))).collect()
        }
        Value::Array(items) => items.iter().map(json_schema).collect(),
        other => other.clone(),
    }
}

/// The keywords of schemas that the records spell in snake case; names of properties stay.
fn spelled(name: &str) -> String {
    match name {
        "any_of" | "property_ordering" | "max_items" | "min_items" | "additional_properties" => camel(name),
        _ => name.to_owned(),
    }
}

fn named(value: &Value) -> Map<String, Value> {
    let fields = value.as_object().cloned().unwrap_or_default();
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (camel(&name), value))
        .collect()
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or("").to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at(word.len().min(1));
        name + &head.to_ascii_uppercase() + tail
    })
}

fn upper(fields: &mut Map<String, Value>, name: &str) {
    if let Some(Value::String(word)) = fields.get_mut(name) {
        word.make_ascii_uppercase();
    }
}

/// Base64 of either alphabet.
fn standard(fields: &mut Map<String, Value>, name: &str) {
    if let Some(Value::String(data)) = fields.get_mut(name)
        && data != "skip_thought_signature_validator"
    {
        let standard = data.replace('-', "+").replace('_', "/");
        data.clear();
        data.push_str(standard.trim_end_matches('='));
    }
}

fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
