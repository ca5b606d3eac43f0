//! The conversations as a client of OpenAI's Responses asks them: the whole of it each time, as Codex
//! does.

use serde_json::{Value, json};

use super::{Case, PDF, PNG};

fn weather_tool() -> Value {
    json!({"type": "function", "name": "get_weather", "description": "The weather in a city, now.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
            "additionalProperties": false}, "strict": true})
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"type": "function_call", "id": format!("fc_{id}"), "status": "completed", "call_id": id, "name": name,
        "arguments": arguments})
}

fn result(id: &str, output: &Value) -> Value {
    json!({"type": "function_call_output", "call_id": id, "output": output})
}

fn said(role: &str, text: &str) -> Value {
    json!({"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]})
}

fn answered(text: &str) -> Value {
    json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}]})
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("text", json!({"model": "any", "input": "Say hello."})),
        Case::new(
            "system",
            json!({"model": "any", "instructions": "You are a station master.", "input": [
                said("developer", "Answer in one sentence."),
                said("user", "Is the line clear?"),
                answered("It is."),
                said("system", "The line is blocked since noon."),
                said("user", "And now?")
            ]}),
        ),
        Case::new(
            "multi_turn",
            json!({"model": "any", "stream": true, "store": false, "prompt_cache_key": "train-7", "input": [
                {"role": "user", "content": "Name a prime."},
                {"role": "assistant", "content": "Seven."},
                {"role": "user", "content": [{"type": "input_text", "text": "Another."},
                    {"type": "input_text", "text": "Larger."}]},
                {"role": "user", "content": "Below twenty."}
            ]}),
        ),
        Case::new(
            "tools",
            json!({"model": "any", "input": "Weather in Oslo?", "tools": [weather_tool(),
                    {"type": "namespace", "name": "crm", "description": "Customers.", "tools": [
                        {"type": "function", "name": "list", "description": "Lists them.",
                            "parameters": {"type": "object", "properties": {}}}]}],
                "tool_choice": {"type": "function", "name": "get_weather"}, "parallel_tool_calls": false}),
        ),
        Case::new(
            "allowed_tools",
            json!({"model": "any", "input": "Weather in Oslo?", "tools": [weather_tool(),
                    {"type": "function", "name": "ring_bell", "parameters": {"type": "object", "properties": {}}}],
                "tool_choice": {"type": "allowed_tools", "mode": "required",
                    "tools": [{"type": "function", "name": "get_weather"}]}}),
        ),
        Case::new(
            "parallel_tools",
            json!({"model": "any", "input": [
                said("user", "Weather in Oslo and Rome?"),
                answered("Looking."),
                call("call_1", "get_weather", "{\"city\": \"Oslo\"}"),
                call("call_2", "get_weather", "{\"city\": \"Rome\"}"),
                result("call_1", &json!("4 °C, rain")),
                result("call_2", &json!("{\"celsius\": 19, \"sky\": \"clear\"}"))
            ], "tools": [weather_tool()], "tool_choice": "auto"}),
        ),
        Case::new(
            "tool_results",
            json!({"model": "any", "input": [
                said("user", "What is the time?"),
                call("call_1", "get_time", "{}"),
                result("call_1", &json!([{"type": "input_text", "text": "12:04"}])),
                said("user", "In words, please.")
            ]}),
        ),
        Case::new(
            "image",
            json!({"model": "any", "input": [{"role": "user", "content": [
                {"type": "input_text", "text": "Compare these."},
                {"type": "input_image", "image_url": "https://example.com/signal.png", "detail": "low"},
                {"type": "input_image", "image_url": format!("data:image/png;base64,{PNG}")}
            ]}]}),
        ),
        Case::new(
            "pdf",
            json!({"model": "any", "input": [{"role": "user", "content": [
                {"type": "input_text", "text": "Summarise this."},
                {"type": "input_file", "filename": "timetable.pdf",
                    "file_data": format!("data:application/pdf;base64,{PDF}")}
            ]}]}),
        ),
        Case::new(
            "reasoning",
            json!({"model": "any", "reasoning": {"effort": "high", "summary": "auto"}, "max_output_tokens": 8000,
            "store": false, "include": ["reasoning.encrypted_content"], "input": [
                said("user", "Is 2027 a prime?"),
                {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAAAABo",
                    "summary": [{"type": "summary_text", "text": "**Dividing**"}]},
                answered("It is."),
                said("user", "And 2029?")
            ]}),
        ),
        Case::new(
            "json_schema",
            json!({"model": "any", "input": "Describe a dog.", "text": {"verbosity": "low", "format": {
                "type": "json_schema", "name": "dog", "strict": true, "schema": {
                    "type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
                    "required": ["name", "age"], "additionalProperties": false}}}}),
        ),
        Case::new(
            "model_change",
            json!({"model": "any", "input": [
                said("user", "Is the line clear?"),
                {"type": "web_search_call", "id": "ws_1", "status": "completed",
                    "action": {"type": "search", "query": "line status"}},
                {"type": "local_shell_call", "id": "lsh_1", "call_id": "call_1", "status": "completed",
                    "action": {"type": "exec", "command": ["signal", "--state"], "env": {}}},
                {"type": "local_shell_call_output", "id": "lsh_1", "output": "red"},
                answered("It is blocked."),
                said("user", "Since when?")
            ]}),
        ),
        Case::new(
            "item_reference",
            json!({"model": "any", "input": [{"type": "item_reference", "id": "msg_1"}, said("user", "Go on.")]}),
        ),
    ]
}
