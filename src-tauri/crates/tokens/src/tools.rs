//! A tool as a model reads it. OpenAI's models read a declaration in TypeScript and not the schema,
//! which is longer; others were found to be near it, once the tokens around each tool are added.

use std::fmt::Write as _;

use canonical::Tool;
use canonical::request::FunctionTool;
use serde_json::{Value, json};

/// Deeper schemas are written as they stand: a schema may not fill the stack.
const MAX_DEPTH: usize = 12;

pub(crate) fn written(tool: &Tool, as_json: bool) -> String {
    match tool {
        Tool::Function(function) if as_json => json(function),
        Tool::Function(function) => declaration(function),
        Tool::Opaque(opaque) => opaque.value.to_string(),
    }
}

fn json(tool: &FunctionTool) -> String {
    let function =
        json!({ "name": tool.name, "description": tool.description, "parameters": tool.parameters });
    json!({ "type": "function", "function": function }).to_string()
}

fn declaration(tool: &FunctionTool) -> String {
    let mut out = String::new();
    if let Some(description) = &tool.description {
        comment(&mut out, description);
    }
    let _ = write!(out, "type {} = (", tool.name);
    if let Some(parameters) = tool.parameters.as_ref().filter(|it| has_properties(it)) {
        out += "_: ";
        shape(&mut out, parameters, 0);
    }
    out += ") => any;\n\n";
    out
}

fn has_properties(schema: &Value) -> bool {
    schema.get("properties").and_then(Value::as_object).is_some_and(|properties| !properties.is_empty())
}

fn comment(out: &mut String, text: &str) {
    let _ = writeln!(out, "// {text}");
}

fn shape(out: &mut String, schema: &Value, depth: usize) {
    if depth > MAX_DEPTH {
        *out += &schema.to_string();
        return;
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        let choices: Vec<String> = choices.iter().map(Value::to_string).collect();
        *out += &choices.join(" | ");
        return;
    }
    for word in ["anyOf", "oneOf"] {
        let Some(choices) = schema.get(word).and_then(Value::as_array) else { continue };
        for (index, choice) in choices.iter().enumerate() {
            if index > 0 {
                *out += " | ";
            }
            shape(out, choice, depth + 1);
        }
        return;
    }
    match schema.get("type").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
        Some("object") | None if has_properties(schema) => object(out, schema, depth),
        Some("array") => {
            match schema.get("items") {
                Some(items) => shape(out, items, depth + 1),
                None => *out += "any",
            }
            *out += "[]";
        }
        Some("integer") => *out += "number",
        Some(other) => *out += other,
        None => *out += "any",
    }
}

fn object(out: &mut String, schema: &Value, depth: usize) {
    *out += "{\n";
    let required = schema.get("required").and_then(Value::as_array);
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if let Some(description) = property.get("description").and_then(Value::as_str) {
            comment(out, description);
        }
        let is_required = required.is_some_and(|names| names.iter().any(|it| it.as_str() == Some(name)));
        *out += name;
        *out += if is_required { ": " } else { "?: " };
        shape(out, property, depth + 1);
        *out += ",\n";
    }
    *out += "}";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_reads_as_a_declaration() {
        let tool = Tool::Function(FunctionTool {
            name: "get_weather".into(),
            description: Some("Gets the weather".into()),
            parameters: Some(json!({
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Its name"},
                    "unit": {"enum": ["c", "f"]},
                    "days": {"type": "array", "items": {"type": "integer"}},
                },
                "required": ["city"],
            })),
            ..FunctionTool::default()
        });
        let expected = "// Gets the weather\ntype get_weather = (_: {\n// Its name\ncity: string,\n\
                        unit?: \"c\" | \"f\",\ndays?: number[],\n}) => any;\n\n";
        assert_eq!(written(&tool, false), expected);
    }

    #[test]
    fn a_schema_without_end_is_written_to_a_depth() {
        let mut schema = json!({"type": "string"});
        for _ in 0..200 {
            schema = json!({"type": "array", "items": schema});
        }
        let tool = Tool::Function(FunctionTool {
            name: "deep".into(),
            parameters: Some(json!({"type": "object", "properties": {"x": schema}})),
            ..FunctionTool::default()
        });
        assert!(written(&tool, false).contains("[][][]"));
    }
}
