//! Tools in OpenAI's form, as other vendors took it over in protocols of their own (Cohere, Ollama).

use canonical::request::FunctionTool;
use canonical::{ChatRequest, Tool, ToolChoice};
use serde_json::{Map, Value, json};

/// The request's tools, all of which the family can name. Where one function must be
/// called it stands alone: these protocols cannot say which one.
pub(crate) fn encode(request: &ChatRequest) -> Vec<Value> {
    let mut tools = Vec::with_capacity(request.tools.len());
    for tool in &request.tools {
        match tool {
            Tool::Function(function) if is_wanted(function, request) => tools.push(function_tool(function)),
            Tool::Function(_) => {}
            Tool::Opaque(opaque) => tools.push(opaque.value.clone()),
        }
    }
    tools
}

/// Whether the function may be called at all: not beside another one that must be.
pub(crate) fn is_wanted(function: &FunctionTool, request: &ChatRequest) -> bool {
    match &request.tool_choice {
        Some(ToolChoice::Function(name)) => function.name == *name,
        _ => true,
    }
}

fn function_tool(tool: &FunctionTool) -> Value {
    let mut function = Map::from_iter([("name".to_owned(), tool.name.clone().into())]);
    if let Some(description) = &tool.description {
        function.insert("description".into(), description.clone().into());
    }
    // Ollama's templates walk the properties: a tool without arguments has none, but says so.
    let none = || json!({"type": "object", "properties": {}});
    function.insert("parameters".into(), tool.parameters.clone().unwrap_or_else(none));
    json!({"type": "function", "function": function})
}
