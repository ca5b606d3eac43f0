//! The conversations as a client of Anthropic's Messages asks them.

use serde_json::{Value, json};

use super::{Case, PDF, PNG};

fn weather_tool() -> Value {
    json!({"name": "get_weather", "description": "The weather in a city, now.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
            "additionalProperties": false}})
}

fn call(id: &str, name: &str, input: &Value) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": input})
}

fn asked(messages: &Value) -> Value {
    json!({"model": "any", "max_tokens": 3000, "messages": messages})
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = conversations();
    cases.extend(tools());
    cases.extend(beyond_words());
    cases
}

fn conversations() -> Vec<Case> {
    vec![
        Case::new("text", asked(&json!([{"role": "user", "content": "Say hello."}]))),
        Case::new(
            "system",
            json!({"model": "any", "max_tokens": 3000,
                "system": [{"type": "text", "text": "You are a station master."},
                    {"type": "text", "text": "Answer in one sentence.", "cache_control": {"type": "ephemeral"}}],
                "messages": [
                    {"role": "user", "content": "Is the line clear?"},
                    {"role": "assistant", "content": "It is."},
                    {"role": "system", "content": "The line is blocked since noon."},
                    {"role": "user", "content": "And now?"}
            ]}),
        ),
        Case::new(
            "multi_turn",
            json!({"model": "any", "max_tokens": 3000, "stream": true, "messages": [
                {"role": "user", "content": "Name a prime."},
                {"role": "assistant", "content": [{"type": "text", "text": "Seven."}]},
                {"role": "user", "content": [{"type": "text", "text": "Another."}, {"type": "text", "text": "Larger."}]},
                {"role": "user", "content": "Below twenty."}
            ]}),
        ),
        Case::new(
            "image",
            asked(&json!([{"role": "user", "content": [
                {"type": "text", "text": "Compare these."},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/signal.png"}},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
            ]}])),
        ),
        Case::new(
            "pdf",
            asked(&json!([{"role": "user", "content": [
                {"type": "document", "title": "timetable.pdf",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
                {"type": "text", "text": "When does the last train leave?"}
            ]}])),
        ),
        Case::new(
            "reasoning",
            json!({"model": "any", "max_tokens": 8000, "thinking": {"type": "enabled", "budget_tokens": 4000},
                "messages": [{"role": "user", "content": "Is 2027 a prime?"}]}),
        ),
        Case::new(
            "json_schema",
            json!({"model": "any", "max_tokens": 3000, "messages": [{"role": "user", "content": "Describe a dog."}],
                "output_config": {"format": {"type": "json_schema", "schema": {
                    "type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
                    "required": ["name", "age"], "additionalProperties": false}}}}),
        ),
        Case::new(
            "sampling",
            json!({"model": "any", "max_tokens": 50, "messages": [{"role": "user", "content": "Say a word."}],
                "temperature": 0.7, "top_p": 0.9, "top_k": 40, "stop_sequences": ["###", "END"],
                "metadata": {"user_id": "user-1"}, "service_tier": "standard_only"}),
        ),
    ]
}

fn tools() -> Vec<Case> {
    vec![
        Case::new(
            "tools",
            json!({"model": "any", "max_tokens": 3000,
                "messages": [{"role": "user", "content": "Weather in Oslo?"}],
                "tools": [weather_tool(),
                    {"type": "custom", "name": "get_time", "strict": true, "cache_control": {"type": "ephemeral"},
                        "input_schema": {"type": "object", "properties": {}, "required": [],
                            "additionalProperties": false}},
                    {"name": "ring_bell", "input_schema": {"type": "object"}}],
                "tool_choice": {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": true}}),
        ),
        Case::new(
            "parallel_tools",
            json!({"model": "any", "max_tokens": 3000, "messages": [
                {"role": "user", "content": "Weather in Oslo and Rome?"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "Two cities.", "signature": "c2ln"},
                    {"type": "text", "text": "Looking."},
                    call("toolu_1", "get_weather", &json!({"city": "Oslo"})),
                    call("toolu_2", "get_weather", &json!({"city": "Rome"}))]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "4 °C, rain"},
                    {"type": "tool_result", "tool_use_id": "toolu_2",
                        "content": [{"type": "text", "text": "{\"celsius\": 19, \"sky\": \"clear\"}"}]}]}
            ], "tools": [weather_tool()], "tool_choice": {"type": "auto"}}),
        ),
        Case::new(
            "tool_results",
            json!({"model": "any", "max_tokens": 3000, "messages": [
                {"role": "user", "content": "What is the time?"},
                {"role": "assistant", "content": [call("toolu_1", "get_time", &json!({}))]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": "The clock has stopped."},
                    {"type": "text", "text": "In words, please."}]}
            ], "tools": [{"name": "get_time", "input_schema": {"type": "object"}}]}),
        ),
    ]
}

/// What few other families have words for.
fn beyond_words() -> Vec<Case> {
    vec![
        Case::new(
            "sources",
            asked(&json!([{"role": "user", "content": [
                {"type": "search_result", "source": "https://example.com/rules", "title": "The rule book",
                    "content": [{"type": "text", "text": "Rule one: stop at red."}],
                    "citations": {"enabled": true}},
                {"type": "document", "title": "Notes", "citations": {"enabled": true}, "source": {"type": "content",
                    "content": [{"type": "text", "text": "Red is stop."}, {"type": "text", "text": "Green is go."}]}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Amber is wait."}},
                {"type": "text", "text": "What does red mean?"}
            ]}])),
        ),
        Case::new(
            "model_change",
            asked(&json!([
                {"role": "user", "content": "Is the line clear?"},
                {"role": "assistant", "content": [
                    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search",
                        "input": {"query": "line status"}},
                    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
                        {"type": "web_search_result", "url": "https://example.com/status", "title": "Status",
                            "encrypted_content": "EqgfCioIARgBIiQ3", "page_age": "1 day"}]},
                    {"type": "text", "text": "It is blocked."}]},
                {"role": "user", "content": "Since when?"}
            ])),
        ),
        Case::new(
            "effort_alone",
            json!({"model": "any", "max_tokens": 3000, "output_config": {"effort": "low"},
                "messages": [{"role": "user", "content": "Say hello."}]}),
        ),
        Case::new(
            "provider_tools",
            json!({"model": "any", "max_tokens": 3000,
                "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}],
                "messages": [{"role": "user", "content": "What is new at the station?"}]}),
        ),
    ]
}
