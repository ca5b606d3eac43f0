//! The conversations as a client of Google's generateContent asks them, in the spellings of its SDKs.

use serde_json::{Value, json};

use super::{Case, PDF, PNG};

fn weather_tool() -> Value {
    json!({"functionDeclarations": [{"name": "get_weather", "description": "The weather in a city, now.",
        "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}}]})
}

fn said(role: &str, text: &str) -> Value {
    json!({"role": role, "parts": [{"text": text}]})
}

fn streamed(name: &'static str, body: Value) -> Case {
    Case { has_stream_path: true, ..Case::new(name, body) }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("text", json!({"contents": [said("user", "Say hello.")]})),
        Case::new(
            "system",
            json!({"systemInstruction": {"role": "user", "parts": [
                    {"text": "You are a station master."}, {"text": "Answer in one sentence."}]},
                "contents": [said("user", "Is the line clear?")]}),
        ),
        streamed(
            "multi_turn",
            json!({"contents": [said("user", "Name a prime."), said("model", "Seven."),
                {"parts": [{"text": "Another."}, {"text": "Larger."}]}, said("user", "Below twenty.")]}),
        ),
        Case::new(
            "tools",
            json!({"contents": [said("user", "Weather in Oslo?")],
                "tools": [weather_tool(), {"function_declarations": [
                    {"name": "get_time", "parameters_json_schema": {"type": "object", "properties": {}}},
                    {"name": "ring_bell"}]}],
                "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}}}),
        ),
        Case::new(
            "parallel_tools",
            json!({"contents": [
                said("user", "Weather in Oslo and Rome?"),
                {"role": "model", "parts": [
                    {"text": "Looking."},
                    {"functionCall": {"name": "get_weather", "args": {"city": "Oslo"}}, "thoughtSignature": "c2lnbmVk"},
                    {"functionCall": {"name": "get_weather", "args": {"city": "Rome"}}}]},
                // The SDK for Python sends the empty end of a stream back.
                {"role": "model", "parts": [{"text": ""}]},
                {"role": "user", "parts": [
                    {"functionResponse": {"name": "get_weather", "response": {"result": "4 °C, rain"}}},
                    {"functionResponse": {"name": "get_weather", "response": {"celsius": 19, "sky": "clear"}}}]}
            ], "tools": [weather_tool()]}),
        ),
        Case::new(
            "tool_results",
            json!({"contents": [
                said("user", "What is the time?"),
                {"role": "model", "parts": [{"functionCall": {"id": "t1", "name": "get_time", "args": {}}}]},
                {"role": "user", "parts": [
                    {"functionResponse": {"id": "t1", "name": "get_time", "response": {"error": "The clock stands."}}},
                    {"text": "Guess, please."}]}
            ]}),
        ),
        Case::new(
            "image",
            json!({"contents": [{"role": "user", "parts": [
                {"text": "Compare these."},
                {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/signal.png"}},
                {"inlineData": {"mimeType": "image/png", "data": PNG}}]}]}),
        ),
        Case::new(
            "pdf",
            json!({"contents": [{"role": "user", "parts": [
                {"inline_data": {"mime_type": "application/pdf", "data": PDF}},
                {"text": "What does it say?"}]}]}),
        ),
        Case::new(
            "reasoning",
            json!({"contents": [
                    said("user", "Is 91 prime?"),
                    {"role": "model", "parts": [{"text": "7 times 13.", "thought": true}, {"text": "No."}]},
                    said("user", "And 97?")],
                "generationConfig": {"maxOutputTokens": 4000, "thinkingConfig": {"includeThoughts": true, "thinkingBudget": 2048}}}),
        ),
        Case::new(
            "model_change",
            json!({"contents": [
                {"role": "user", "parts": [{"text": "What is seven times six?"}]},
                {"role": "model", "parts": [
                    {"executableCode": {"language": "PYTHON", "code": "print(7 * 6)"}},
                    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "42\n"}},
                    {"text": "It is 42."}]},
                {"role": "user", "parts": [{"text": "And times seven?"}]}
            ]}),
        ),
        Case::new(
            "json_schema",
            json!({"contents": [said("user", "A city, please.")],
                "generationConfig": {"responseMimeType": "application/json", "responseSchema": {
                    "type": "OBJECT", "required": ["name"], "propertyOrdering": ["name", "people"],
                    "properties": {"name": {"type": "STRING"}, "people": {"type": "INTEGER", "nullable": true}}}}}),
        ),
        Case::new(
            "sampling",
            json!({"contents": [said("user", "Roll a die.")], "generationConfig": {
                "temperature": 0.5, "topP": 0.9, "topK": 40, "maxOutputTokens": 100, "seed": 7,
                "stopSequences": ["END"], "presencePenalty": 0.1, "frequencyPenalty": 0.2}}),
        ),
    ]
}
