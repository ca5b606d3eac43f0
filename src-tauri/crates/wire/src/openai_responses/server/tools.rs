//! `tools` and `tool_choice`.
//!
//! Functions are canonical. A `namespace` (tools in a tool) becomes its functions, each under the name
//! that [`qualified`] gives it, and `allowed_tools` becomes the choice among those alone: so other
//! families understand both. A provider of this family is told as it was said.

use canonical::request::{FunctionTool, Opaque};
use canonical::{ChatRequest, Error, Tool, ToolChoice};
use serde_json::{Map, Value};

use super::super::{FAMILY, qualified};
use super::request::unknown_word;
use crate::fields::{Fields, missing, wrong};

pub(super) fn decode(request: &mut ChatRequest, fields: &mut Fields) -> Result<(), Error> {
    request.parallel_tool_calls = fields.flag("parallel_tool_calls")?;
    let sent = fields.list("tools")?;
    let mut is_translated = false;
    for (position, value) in sent.iter().enumerate() {
        let place = format!("tools[{position}]");
        match kind_of(value, &place)? {
            "function" => request.tools.push(function(value.clone(), &place, None)?),
            "namespace" => {
                is_translated = true;
                namespace(value.clone(), &place, &mut request.tools)?;
            }
            _ => request.tools.push(opaque_tool(value.clone())),
        }
    }
    if let Some(choice) = fields.take("tool_choice") {
        if choice["type"] == "allowed_tools" && restrict(request, &choice) {
            is_translated = true;
            fields.keep("tool_choice", choice);
        } else {
            request.tool_choice = Some(tool_choice(choice)?);
        }
    }
    if is_translated {
        fields.keep("tools", sent.into());
    }
    Ok(())
}

fn kind_of<'a>(value: &'a Value, place: &str) -> Result<&'a str, Error> {
    match (value, value.get("type")) {
        (Value::Object(_), Some(Value::String(kind))) => Ok(kind),
        (Value::Object(_), None | Some(Value::Null)) => Err(missing(&format!("{place}.type"))),
        (Value::Object(_), Some(other)) => Err(wrong(&format!("{place}.type"), "a string", other)),
        (other, _) => Err(wrong(place, "an object", other)),
    }
}

fn opaque_tool(value: Value) -> Tool {
    Tool::Opaque(Opaque { family: FAMILY.to_owned(), value })
}

/// The type stays with it: where nothing is said of `strict` or `parameters`, this family's own
/// defaults hold for such a tool.
fn function(value: Value, place: &str, namespace: Option<&str>) -> Result<Tool, Error> {
    let mut fields = Fields::new(value, place)?;
    let name = fields.required_text("name")?;
    let mut tool = FunctionTool {
        name: namespace.map_or_else(|| name.clone(), |namespace| qualified(namespace, &name)),
        description: fields.text("description")?,
        parameters: fields.take("parameters"),
        strict: fields.flag("strict")?,
        ..FunctionTool::default()
    };
    if let Some(parameters) = tool.parameters.as_ref().filter(|schema| !schema.is_object()) {
        return Err(wrong(&fields.path("parameters"), "an object", parameters));
    }
    tool.extensions.extend(FAMILY, fields.rest());
    Ok(Tool::Function(tool))
}

/// <https://platform.openai.com/docs/guides/tools-tool-search>
fn namespace(value: Value, place: &str, tools: &mut Vec<Tool>) -> Result<(), Error> {
    let mut fields = Fields::new(value, place)?;
    let name = fields.required_text("name")?;
    for (position, inner) in fields.list("tools")?.into_iter().enumerate() {
        let place = format!("{place}.tools[{position}]");
        tools.push(match kind_of(&inner, &place)? {
            "function" => function(inner, &place, Some(&name))?,
            _ => opaque_tool(inner),
        });
    }
    Ok(())
}

fn tool_choice(value: Value) -> Result<ToolChoice, Error> {
    const PLACE: &str = "tool_choice";
    Ok(match &value {
        Value::String(word) => match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            _ => return Err(unknown_word(PLACE, word, "'auto', 'none', 'required' or an object")),
        },
        Value::Object(_) => match (kind_of(&value, PLACE)?, value["name"].as_str()) {
            ("function", Some(name)) => ToolChoice::Function(name.to_owned()),
            ("function", None) => return Err(missing("tool_choice.name")),
            _ => ToolChoice::Opaque(Opaque { family: FAMILY.to_owned(), value }),
        },
        other => return Err(wrong(PLACE, "a string or an object", other)),
    })
}

/// Leaves the allowed tools alone; false where the choice is of a form that this version does not
/// know.
fn restrict(request: &mut ChatRequest, choice: &Value) -> bool {
    let mode = match choice["mode"].as_str() {
        Some("auto") => ToolChoice::Auto,
        Some("required") => ToolChoice::Required,
        _ => return false,
    };
    let Some(allowed) = choice["tools"].as_array() else { return false };
    request.tools.retain(|tool| allowed.iter().any(|allowed| is_meant(tool, allowed)));
    request.tool_choice = Some(mode);
    true
}

fn is_meant(tool: &Tool, allowed: &Value) -> bool {
    match tool {
        Tool::Function(function) => allowed["type"] == "function" && allowed["name"] == *function.name,
        Tool::Opaque(opaque) => ["type", "name", "server_label"]
            .iter()
            .all(|field| allowed[field].is_null() || allowed[field] == opaque.value[field]),
    }
}

/// Of `tools` as the client sent them: the namespace and the name behind each name that
/// [`qualified`] made.
pub(super) fn qualified_names(tools: &Value) -> Map<String, Value> {
    let mut names = Map::new();
    for space in tools.as_array().into_iter().flatten().filter(|tool| tool["type"] == "namespace") {
        let Some(namespace) = space["name"].as_str() else { continue };
        for name in space["tools"].as_array().into_iter().flatten().filter_map(|tool| tool["name"].as_str()) {
            let fields = serde_json::json!({"namespace": namespace, "name": name});
            names.insert(qualified(namespace, name), fields);
        }
    }
    names
}
