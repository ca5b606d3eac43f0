//! Tools in OpenAI's form: what its two APIs say alike, and how other vendors took it over in protocols
//! of their own (Cohere, Ollama).

use canonical::request::{FunctionTool, Opaque};
use canonical::{ChatRequest, Tool, ToolChoice};
use serde_json::{Map, Value, json};

use crate::json::put as put_field;

/// What one of OpenAI's APIs says of tools and of which may be called, in its own `family`'s words.
pub(crate) fn put(
    body: &mut Map<String, Value>,
    request: &ChatRequest,
    family: &str,
    function_tool: impl Fn(&FunctionTool) -> Value,
    tool_choice: impl Fn(&ToolChoice) -> Option<Value>,
) {
    let tool = |tool: &Tool| match tool {
        Tool::Function(function) => Some(function_tool(function)),
        Tool::Opaque(opaque) => own(opaque, family),
    };
    let tools: Vec<Value> = request.tools.iter().filter_map(tool).collect();
    if tools.is_empty() {
        return;
    }
    body.insert("tools".into(), tools.into());
    put_field(body, "tool_choice", request.tool_choice.as_ref().and_then(tool_choice));
    put_field(body, "parallel_tool_calls", request.parallel_tool_calls);
}

/// What `family` said in its own words; nothing of another family leaks across.
pub(crate) fn own(opaque: &Opaque, family: &str) -> Option<Value> {
    (opaque.family == family).then(|| opaque.value.clone())
}

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
