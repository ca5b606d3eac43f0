//! The conversations as a client of OpenAI's Chat Completions asks them.

use serde_json::{Value, json};

use super::{Case, PDF, PNG};

fn weather_tool() -> Value {
    json!({"type": "function", "function": {
        "name": "get_weather", "description": "The weather in a city, now.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
            "additionalProperties": false}}})
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("text", json!({"model": "any", "messages": [{"role": "user", "content": "Say hello."}]})),
        Case::new(
            "system",
            json!({"model": "any", "messages": [
                {"role": "system", "content": "You are a station master."},
                {"role": "developer", "content": "Answer in one sentence."},
                {"role": "user", "content": "Is the line clear?"},
                {"role": "assistant", "content": "It is."},
                {"role": "system", "content": "The line is blocked since noon."},
                {"role": "user", "content": "And now?"}
            ]}),
        ),
        Case::new(
            "multi_turn",
            json!({"model": "any", "stream": true, "stream_options": {"include_usage": true}, "messages": [
                {"role": "user", "content": "Name a prime."},
                {"role": "assistant", "content": "Seven."},
                {"role": "user", "content": [{"type": "text", "text": "Another."}, {"type": "text", "text": "Larger."}]},
                {"role": "user", "content": "Below twenty."}
            ]}),
        ),
        Case::new(
            "tools",
            json!({"model": "any", "messages": [{"role": "user", "content": "Weather in Oslo?"}],
                "tools": [weather_tool(), {"type": "function", "function": {"name": "get_time", "strict": true,
                    "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": false}}},
                    {"type": "function", "function": {"name": "ring_bell"}}],
                "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
                "parallel_tool_calls": false}),
        ),
        Case::new(
            "parallel_tools",
            json!({"model": "any", "messages": [
                {"role": "user", "content": "Weather in Oslo and Rome?"},
                {"role": "assistant", "content": "Looking.", "tool_calls": [
                    call("call_1", "get_weather", "{\"city\": \"Oslo\"}"),
                    call("functions.get_weather:1", "get_weather", "{\"city\": \"Rome\"}")]},
                {"role": "tool", "tool_call_id": "call_1", "content": "4 °C, rain"},
                {"role": "tool", "tool_call_id": "functions.get_weather:1", "content": "{\"celsius\": 19, \"sky\": \"clear\"}"}
            ], "tools": [weather_tool()], "tool_choice": "auto"}),
        ),
        Case::new(
            "tool_results",
            json!({"model": "any", "messages": [
                {"role": "user", "content": "What is the time?"},
                {"role": "assistant", "content": null, "tool_calls": [call("call_1", "get_time", "")]},
                {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "12:04"}]},
                {"role": "user", "content": "In words, please."}
            ]}),
        ),
        Case::new(
            "image",
            json!({"model": "any", "messages": [{"role": "user", "content": [
                {"type": "text", "text": "Compare these."},
                {"type": "image_url", "image_url": {"url": "https://example.com/signal.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}")}}
            ]}]}),
        ),
        Case::new(
            "pdf",
            json!({"model": "any", "messages": [{"role": "user", "content": [
                {"type": "file", "file": {"filename": "timetable.pdf",
                    "file_data": format!("data:application/pdf;base64,{PDF}")}},
                {"type": "text", "text": "When does the last train leave?"}
            ]}]}),
        ),
        Case::new(
            "reasoning",
            json!({"model": "any", "reasoning_effort": "high", "max_completion_tokens": 8000, "temperature": 0.2,
                "messages": [{"role": "user", "content": "Is 2027 a prime?"}]}),
        ),
        Case::new(
            "json_schema",
            json!({"model": "any", "messages": [{"role": "user", "content": "Describe a dog."}],
                "response_format": {"type": "json_schema", "json_schema": {"name": "dog", "strict": true, "schema": {
                    "type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
                    "required": ["name", "age"], "additionalProperties": false}}}}),
        ),
        Case::new(
            "sampling",
            json!({"model": "any", "messages": [{"role": "user", "content": "Say a word."}],
                "temperature": 0.7, "top_p": 0.9, "max_tokens": 50, "stop": ["###", "END"], "seed": 7,
                "frequency_penalty": 0.5, "presence_penalty": -0.5, "user": "user-1", "service_tier": "auto"}),
        ),
        // What a client of OpenAI's sets for the provider that it knows to be behind the port.
        Case::new(
            "beyond_openai",
            json!({"model": "any", "top_k": 40, "max_tokens": 3000, "cached_content": "cachedContents/abc",
            "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}],
            "thinking": {"type": "enabled", "budget_tokens": 2000}, "metadata": {"user_id": "user-1"},
            "messages": [
                {"role": "system", "content": [{"type": "text", "text": "A long rule book.",
                    "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
                {"role": "user", "content": "Which rule is the first?", "cache_control": {"type": "ephemeral"}}
            ]}),
        ),
    ]
}
