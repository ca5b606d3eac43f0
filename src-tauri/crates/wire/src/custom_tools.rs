//! Tools with free-form input (`custom`), which OpenAI's two protocols both have, each in a form of its
//! own: <https://platform.openai.com/docs/guides/function-calling#custom-tools>.
//!
//! A call is a [`ToolCall`] with the item's type beside it, as Responses' are read, or an opaque part,
//! as those of Chat Completions are. What both say goes from one to the other; everybody else sees a
//! call whose arguments are the input.

use std::borrow::Cow;

use canonical::request::{Opaque, ToolCall};
use canonical::{ChatRequest, Content, Extensions, Part, Tool, ToolChoice};
use serde_json::{Map, Value, json};

use crate::openai_chat::types::FAMILY as CHAT;
use crate::openai_responses::{FAMILY as RESPONSES, PART_PREFIX};
use crate::{ProtocolId, Quirks};

/// The type of a free-form call among the items of Responses.
const ITEM: &str = "custom_tool_call";

/// The request as `id` says it.
pub(crate) fn said_to<'r>(id: ProtocolId, request: &'r ChatRequest, quirks: &Quirks) -> Cow<'r, ChatRequest> {
    match id {
        ProtocolId::OpenaiChat if quirks.openai_extras => for_chat(request),
        ProtocolId::OpenaiChat => for_functions(request),
        ProtocolId::OpenaiResponses => for_responses(request),
        ProtocolId::AnthropicMessages
        | ProtocolId::GeminiGenerate
        | ProtocolId::BedrockConverse
        | ProtocolId::CohereChat
        | ProtocolId::OllamaChat => for_others(request),
    }
}

/// The request as Chat Completions say it, at a provider that has such tools.
fn for_chat(request: &ChatRequest) -> Cow<'_, ChatRequest> {
    settled(request, |value| chat_form(value, RESPONSES), chat_call)
}

/// The request as Chat Completions say it, at a provider that has functions alone: earlier calls are
/// calls of functions, whose arguments are an object.
fn for_functions(request: &ChatRequest) -> Cow<'_, ChatRequest> {
    let call = |part: &Part| match &part.content {
        Content::ToolCall(call) if is_item(part) => {
            let arguments = json!({"input": call.arguments}).to_string();
            Some(Content::ToolCall(ToolCall { arguments, ..call.clone() }).into())
        }
        _ => None,
    };
    settled(request, |_| None, call)
}

/// The request as Responses say it.
fn for_responses(request: &ChatRequest) -> Cow<'_, ChatRequest> {
    settled(request, responses_form, item)
}

/// The request for anybody else: the call is one of a tool, so that its result has one to answer.
fn for_others(request: &ChatRequest) -> Cow<'_, ChatRequest> {
    settled(request, |_| None, item)
}

/// `request` with its tools, its choice and its calls in another form; borrowed where none has one.
fn settled(
    request: &ChatRequest,
    form: impl Fn(&Opaque) -> Option<Opaque>,
    call: impl Fn(&Part) -> Option<Part>,
) -> Cow<'_, ChatRequest> {
    let mut settled = Cow::Borrowed(request);
    for (at, tool) in request.tools.iter().enumerate() {
        if let Tool::Opaque(opaque) = tool
            && let Some(opaque) = form(opaque)
        {
            settled.to_mut().tools[at] = Tool::Opaque(opaque);
        }
    }
    if let Some(ToolChoice::Opaque(choice)) = &request.tool_choice
        && let Some(choice) = form(choice)
    {
        settled.to_mut().tool_choice = Some(ToolChoice::Opaque(choice));
    }
    for (at, message) in request.messages.iter().enumerate() {
        for (place, part) in message.parts.iter().enumerate() {
            if let Some(part) = call(part) {
                settled.to_mut().messages[at].parts[place] = part;
            }
        }
    }
    settled
}

fn is_custom(opaque: &Opaque, family: &str) -> bool {
    opaque.family == family && opaque.value["type"] == "custom"
}

/// A tool or a choice of Responses in the form of Chat Completions.
fn chat_form(opaque: &Opaque, family: &str) -> Option<Opaque> {
    if !is_custom(opaque, family) {
        return None;
    }
    let mut custom = opaque.value.as_object()?.clone();
    custom.shift_remove("type");
    if let Some(format) = custom.get_mut("format").filter(|format| format["type"] == "grammar") {
        let mut grammar = format.as_object()?.clone();
        grammar.shift_remove("type");
        *format = json!({"type": "grammar", "grammar": grammar});
    }
    Some(Opaque { family: CHAT.to_owned(), value: json!({"type": "custom", "custom": custom}) })
}

/// A tool or a choice of Chat Completions in the form of Responses.
fn responses_form(opaque: &Opaque) -> Option<Opaque> {
    if !is_custom(opaque, CHAT) {
        return None;
    }
    let mut fields = Map::from_iter([("type".to_owned(), "custom".into())]);
    fields.extend(opaque.value["custom"].as_object()?.clone());
    if let Some(format) = fields.get_mut("format").filter(|format| format["grammar"].is_object()) {
        let mut flat = Map::from_iter([("type".to_owned(), "grammar".into())]);
        flat.extend(format["grammar"].as_object()?.clone());
        *format = flat.into();
    }
    Some(Opaque { family: RESPONSES.to_owned(), value: fields.into() })
}

fn is_item(part: &Part) -> bool {
    part.extensions.field(RESPONSES, "type").is_some_and(|kind| kind == ITEM)
}

/// A call of Responses in the form of Chat Completions.
fn chat_call(part: &Part) -> Option<Part> {
    let Content::ToolCall(call) = &part.content else { return None };
    is_item(part).then(|| {
        let value = chat_call_of(&call.id, &call.name, &call.arguments);
        Content::Opaque(Opaque { family: CHAT.to_owned(), value }).into()
    })
}

/// A free-form call as Chat Completions write it.
pub(crate) fn chat_call_of(id: &str, name: &str, input: &str) -> Value {
    json!({"id": id, "type": "custom", "custom": {"name": name, "input": input}})
}

/// A call of Chat Completions as an item of Responses.
fn item(part: &Part) -> Option<Part> {
    let Content::Opaque(opaque) = &part.content else { return None };
    let mut part = Part::from(Content::ToolCall(call_of(opaque)?));
    part.extensions.insert(RESPONSES, "type", ITEM.into());
    Some(part)
}

/// The free-form call that an opaque part of Chat Completions is.
pub(crate) fn call_of(opaque: &Opaque) -> Option<ToolCall> {
    let text = |place: &str| opaque.value.pointer(place)?.as_str().map(str::to_owned);
    if !is_custom(opaque, CHAT) {
        return None;
    }
    Some(ToolCall {
        id: text("/id").unwrap_or_default(),
        name: text("/custom/name")?,
        arguments: text("/custom/input").unwrap_or_default(),
        ..ToolCall::default()
    })
}

/// What an answer's item of Responses says of itself where it is such a call.
pub(crate) fn item_fields() -> Map<String, Value> {
    Map::from_iter([("type".to_owned(), ITEM.into())])
}

/// The parts of an answer that Responses' own fields say are free-form calls.
pub(crate) fn parts_in(fields: &Map<String, Value>) -> impl Iterator<Item = u32> {
    let customs = fields.iter().filter(|(_, of_part)| of_part["type"] == ITEM);
    customs.filter_map(|(name, _)| name.strip_prefix(PART_PREFIX)?.parse().ok())
}

/// Whether part `index` of a whole answer is such a call.
pub(crate) fn is_custom_part(extensions: &Extensions, index: usize) -> bool {
    extensions.get(RESPONSES).is_some_and(|fields| parts_in(fields).any(|part| part as usize == index))
}

#[cfg(test)]
mod tests {
    use canonical::request::ToolResult;
    use canonical::{Message, Role};

    use super::*;
    use crate::driver::StreamDriver;
    use crate::notes::Note;
    use crate::{AnswerContext, HttpRequest, RequestHead, TargetContext, dialect, encode_request, protocol};

    const GRAMMAR: &str = "start: \"SELECT\"";

    fn chat_request() -> Value {
        json!({"model": "m", "messages": [
            {"role": "user", "content": "How many?"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "1"}],
            "tools": [{"type": "custom", "custom": {"name": "sql", "description": "Asks.",
                "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": GRAMMAR}}}}],
            "tool_choice": {"type": "custom", "custom": {"name": "sql"}}})
    }

    fn responses_request() -> Value {
        json!({"model": "m", "input": [
            {"role": "user", "content": "How many?"},
            {"type": "custom_tool_call", "call_id": "call_1", "name": "sql", "input": "SELECT 1"},
            {"type": "custom_tool_call_output", "call_id": "call_1", "output": "1"}],
            "tools": [{"type": "custom", "name": "sql", "description": "Asks.",
                "format": {"type": "grammar", "syntax": "lark", "definition": GRAMMAR}}],
            "tool_choice": {"type": "custom", "name": "sql"}})
    }

    fn sent(
        family: &str,
        body: &Value,
        id: ProtocolId,
        extras: bool,
    ) -> Result<HttpRequest, canonical::Error> {
        let request =
            dialect(family).unwrap().decode_request(&RequestHead::default(), body.to_string().as_bytes());
        let quirks = Quirks { openai_extras: extras, ..Quirks::default() };
        let target = TargetContext { model: "m", quirks: &quirks, max_output_tokens: None };
        encode_request(protocol(id), &request.unwrap(), &target)
    }

    fn body(sent: &HttpRequest) -> Value {
        serde_json::from_slice(&sent.body).unwrap()
    }

    #[test]
    fn each_of_openais_protocols_gets_them_in_its_own_form() {
        let there = sent(CHAT, &chat_request(), ProtocolId::OpenaiResponses, false).unwrap();
        let (said, expected) = (body(&there), responses_request());
        assert!(there.notes.is_empty(), "{:?}", there.notes);
        for field in ["input", "tools", "tool_choice"] {
            assert_eq!(said[field], expected[field], "{field}");
        }
        let back = sent(RESPONSES, &responses_request(), ProtocolId::OpenaiChat, true).unwrap();
        let (said, expected) = (body(&back), chat_request());
        assert!(back.notes.is_empty(), "{:?}", back.notes);
        for field in ["messages", "tools", "tool_choice"] {
            assert_eq!(said[field], expected[field], "{field}");
        }
    }

    #[test]
    fn who_has_functions_alone_is_told_of_none_and_reads_the_earlier_calls() {
        let mut asked = responses_request();
        asked["tool_choice"] = "auto".into();
        let sent = sent(RESPONSES, &asked, ProtocolId::OpenaiChat, false).unwrap();
        assert!(sent.notes.contains(&Note::dropped("tools/sql")), "{:?}", sent.notes);
        let call = &body(&sent)["messages"][1]["tool_calls"][0];
        assert_eq!(
            (&call["type"], &call["function"]["arguments"]),
            (&json!("function"), &json!(r#"{"input":"SELECT 1"}"#))
        );
    }

    #[test]
    fn elsewhere_a_result_still_has_its_call() {
        for id in [ProtocolId::AnthropicMessages, ProtocolId::GeminiGenerate, ProtocolId::CohereChat] {
            let mut asked = chat_request();
            asked["tool_choice"] = "auto".into();
            let sent = sent(CHAT, &asked, id, false).unwrap();
            let said = body(&sent).to_string();
            assert!(said.contains("SELECT 1") && sent.notes == [Note::dropped("tools/sql")], "{id}: {said}");
        }
        // And one without is the client's own mistake, said as ever.
        let result = ToolResult { call_id: "x".into(), name: None, content: vec![], is_error: false };
        let message = Message::new(Role::Tool, vec![Content::ToolResult(result).into()]);
        let request = ChatRequest { messages: vec![message], ..ChatRequest::default() };
        assert!(matches!(for_others(&request), Cow::Borrowed(_)));
    }

    /// The whole answer and the stream of `from`, as a client of `to` reads them.
    fn answered(from: ProtocolId, whole: &Value, events: &str, to: &str) -> (Value, String) {
        let (quirks, context) =
            (Quirks::default(), AnswerContext { include_usage: true, ..AnswerContext::default() });
        let response = protocol(from).decode_response(whole.to_string().as_bytes(), &quirks).unwrap();
        let whole =
            serde_json::from_slice(&dialect(to).unwrap().encode_response(&response, &context)).unwrap();
        let (mut encoder, mut out, mut said) =
            (dialect(to).unwrap().stream_encoder(&context), Vec::new(), Vec::new());
        let mut driver = StreamDriver::new(protocol(from), &quirks);
        driver.push(events.as_bytes(), &mut said).unwrap();
        driver.finish(&mut said).unwrap();
        for event in &said {
            encoder.event(event, &mut out);
        }
        encoder.end(&mut out);
        (whole, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_call_in_an_answer_of_chat_is_an_item_of_responses() {
        let call = json!({"id": "call_9", "type": "custom", "custom": {"name": "sql", "input": "SELECT 2"}});
        let whole = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
            {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null, "tool_calls": [call]}}]});
        let chunk = |delta: Value, finish: Value| {
            let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
            format!(
                "data: {}\n\n",
                json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})
            )
        };
        let mut begun = call.clone();
        begun["index"] = 0.into();
        let events = chunk(json!({"tool_calls": [begun]}), Value::Null)
            + &chunk(json!({}), "tool_calls".into())
            + "data: [DONE]\n\n";
        let (whole, stream) = answered(ProtocolId::OpenaiChat, &whole, &events, RESPONSES);
        let item = &whole["output"][0];
        assert_eq!(
            (&item["type"], &item["call_id"]),
            (&json!("custom_tool_call"), &json!("call_9")),
            "{whole}"
        );
        assert_eq!((&item["name"], &item["input"]), (&json!("sql"), &json!("SELECT 2")), "{whole}");
        for event in
            ["response.custom_tool_call_input.delta", "response.custom_tool_call_input.done", "SELECT 2"]
        {
            assert!(stream.contains(event), "{event}: {stream}");
        }
    }

    #[test]
    fn a_call_in_an_answer_of_responses_is_one_of_chat() {
        let item = json!({"type": "custom_tool_call", "id": "ctc_1", "status": "completed", "call_id": "call_9",
            "name": "sql", "input": "SELECT 2"});
        let whole = json!({"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m",
            "output": [item]});
        let mut begun = item.clone();
        begun["input"] = "".into();
        begun["status"] = "in_progress".into();
        let events = [
            json!({"type": "response.created", "response": {"id": "resp_1", "model": "m", "created_at": 1, "status": "in_progress", "output": []}}),
            json!({"type": "response.output_item.added", "output_index": 0, "item": begun}),
            json!({"type": "response.custom_tool_call_input.delta", "output_index": 0, "item_id": "ctc_1", "delta": "SELECT "}),
            json!({"type": "response.custom_tool_call_input.delta", "output_index": 0, "item_id": "ctc_1", "delta": "2"}),
            json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
            json!({"type": "response.completed", "response": whole}),
        ];
        let events: Vec<String> = events
            .iter()
            .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
            .collect();
        let (whole, stream) = answered(ProtocolId::OpenaiResponses, &whole, &events.concat(), CHAT);
        let message = &whole["choices"][0];
        assert_eq!(
            message["message"]["tool_calls"],
            json!([chat_call_of("call_9", "sql", "SELECT 2")]),
            "{whole}"
        );
        assert_eq!(message["finish_reason"], "tool_calls");
        let chunks = stream
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
        let calls: Vec<Value> = chunks
            .flat_map(|chunk| chunk["choices"].as_array().cloned().unwrap_or_default())
            .flat_map(|choice| choice["delta"]["tool_calls"].as_array().cloned().unwrap_or_default())
            .collect();
        assert_eq!((&calls[0]["type"], &calls[0]["id"]), (&json!("custom"), &json!("call_9")), "{stream}");
        let input: String = calls.iter().filter_map(|call| call["custom"]["input"].as_str()).collect();
        assert_eq!(input, "SELECT 2", "{stream}");
        assert!(calls.iter().all(|call| call["function"].is_null()), "{stream}");
    }
}
