use canonical::request::{FunctionTool, ReasoningRequest, ResponseFormat, Tool, ToolChoice};
use canonical::{Message, Role};
use serde_json::json;

use super::*;

fn profile(fields: Value) -> Profile {
    let mut profile: Profile = serde_json::from_value(fields).unwrap();
    if profile.models.is_empty() {
        profile.models.push("*".into());
    }
    profile
}

fn asked(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { model: "m".into(), messages, ..ChatRequest::default() }
}

fn hello() -> ChatRequest {
    asked(vec![Message::text(Role::System, "Be kind."), Message::text(Role::User, "Hello.")])
}

/// The conversation as role and text, and what was changed.
fn shaped(fields: Value, request: &ChatRequest) -> (Vec<(Role, String)>, Vec<String>) {
    let shaped = profile(fields).shape(ProtocolId::OpenaiChat, request);
    let said = shaped.request.messages.iter().map(|message| (message.role, message.plain_text())).collect();
    (said, shaped.edit("openai-chat", false, &mut b"{}".to_vec()))
}

#[test]
fn a_request_that_needs_nothing_is_borrowed_and_its_body_keeps_its_bytes() {
    let request = hello();
    let shaped =
        profile(json!({"drop": ["temperature"], "json_hint": true})).shape(ProtocolId::OpenaiChat, &request);
    assert!(
        matches!(shaped.request, std::borrow::Cow::Borrowed(_)) && !shaped.needs_translation("openai-chat")
    );
    let mut body = b"{ \"model\" : 1 }".to_vec();
    assert_eq!((shaped.edit("openai-chat", true, &mut body), body), (vec![], b"{ \"model\" : 1 }".to_vec()));
}

#[test]
fn matching_profiles_add_up_and_the_last_word_counts() {
    let all = [
        profile(
            json!({"models": ["a*"], "drop": ["temperature", "top_p"], "drop_fields": ["x"], "json_hint": true}),
        ),
        profile(json!({"models": ["b*"], "drop": ["seed"]})),
        profile(json!({"models": ["*"], "keep": ["top_p", "x"], "drop": ["stop"], "json_hint": false})),
        profile(json!({"models": ["*"], "protocols": ["gemini-generate"], "drop": ["user"]})),
        profile(json!({"models": ["*"], "when": "thinking", "drop": ["n"]})),
    ];
    let merged = Profile::of(&all, ProtocolId::OpenaiChat, "a-1", &hello());
    assert_eq!(merged.drop, [Param::Temperature, Param::Stop]);
    assert_eq!((merged.drop_fields.len(), merged.json_hint), (0, Some(false)));
    let reasoning =
        Some(ReasoningRequest { effort: Some(ReasoningEffort::Low), ..ReasoningRequest::default() });
    let thinks = ChatRequest { reasoning, ..hello() };
    assert_eq!(Profile::of(&all, ProtocolId::OpenaiChat, "c", &thinks).drop, [Param::Stop, Param::N]);
}

#[test]
fn what_asks_to_think_is_read_from_every_word_for_it() {
    let says = |effort: Option<ReasoningEffort>, budget_tokens, is_enabled| {
        asks_to_think(&ChatRequest {
            reasoning: Some(ReasoningRequest { effort, budget_tokens, is_enabled }),
            ..hello()
        })
    };
    assert!(says(Some(ReasoningEffort::High), None, None) && says(None, Some(9), None));
    assert!(!says(Some(ReasoningEffort::None), None, None) && !says(None, Some(0), None));
    assert!(!says(Some(ReasoningEffort::High), None, Some(false)) && !says(None, None, None));
    let mut request = hello();
    request.extensions.insert("openai-chat", "thinking", json!({"type": "disabled"}));
    assert!(!asks_to_think(&request));
    request.extensions.insert("openai-chat", "thinking", json!({"type": "enabled"}));
    assert!(asks_to_think(&request));
}

#[test]
fn parameters_are_dropped_and_clamped_in_the_request_and_in_a_body() {
    let request = ChatRequest {
        temperature: Some(1.7),
        top_p: Some(0.5),
        max_output_tokens: Some(9000),
        stop: vec!["x".into()],
        ..hello()
    };
    let fields = json!({"drop": ["stop", "seed"], "temperature": {"max": 1.0}, "top_p": {"min": 0.5},
        "max_output_tokens": 4096, "temperature_or_top_p": true,
        "drop_fields": ["logprobs", "a.b"], "rename": {"max_tokens": "limit"}, "put": {"think": false, "stop": 1}});
    let shaped = profile(fields).shape(ProtocolId::OpenaiChat, &request);
    assert_eq!((shaped.request.temperature, shaped.request.top_p), (Some(1.0), None));
    assert_eq!((shaped.request.max_output_tokens, shaped.request.stop.len()), (Some(4096), 0));
    assert!(!shaped.needs_translation("openai-chat") && shaped.needs_translation("openai-responses"));
    let mut body = br#"{"stop": ["x"], "temperature": 1.7 ,"a":{"b":1,"c":2},"logprobs":true,"max_tokens":9000,"top_p":0.5}"#.to_vec();
    let notes = shaped.edit("openai-chat", true, &mut body);
    assert_eq!(
        String::from_utf8(body).unwrap(),
        r#"{"temperature": 1.0 ,"a":{"c":2},"limit":4096,"stop":1,"think":false}"#
    );
    let expected = [
        "drop:stop",
        "clamp:temperature",
        "clamp:max_output_tokens",
        "drop:top_p",
        "drop:a.b",
        "drop:logprobs",
        "rename:max_tokens",
        "put:stop",
        "put:think",
    ];
    assert_eq!(notes, expected);
}

#[test]
fn gemini_names_its_parameters_one_level_deeper() {
    let request = ChatRequest { temperature: Some(3.0), frequency_penalty: Some(1.0), ..hello() };
    let shaped = profile(json!({"drop": ["frequency_penalty"], "temperature": {"max": 2.0}}))
        .shape(ProtocolId::GeminiGenerate, &request);
    let mut body = br#"{"generationConfig":{"frequencyPenalty":1,"temperature":3},"temperature":3}"#.to_vec();
    shaped.edit("gemini-generate", true, &mut body);
    assert_eq!(
        String::from_utf8(body).unwrap(),
        r#"{"generationConfig":{"temperature":2.0},"temperature":3}"#
    );
}

#[test]
fn instructions_are_sent_under_the_role_that_the_model_knows() {
    let two = asked(vec![
        Message::text(Role::System, "A."),
        Message::text(Role::User, "B."),
        Message::text(Role::Developer, "C."),
    ]);
    let texts =
        |all: &[(Role, &str)]| all.iter().map(|(role, text)| (*role, (*text).to_owned())).collect::<Vec<_>>();
    for (fields, expected, note) in [
        (
            json!({"system_role": "developer"}),
            texts(&[(Role::Developer, "A."), (Role::User, "B."), (Role::Developer, "C.")]),
            "system_role",
        ),
        (
            json!({"system_role": "system"}),
            texts(&[(Role::System, "A."), (Role::User, "B."), (Role::System, "C.")]),
            "system_role",
        ),
        (json!({"system_role": "user"}), texts(&[(Role::User, "A.\n\nC.\n\nB.")]), "system_role"),
        (
            json!({"system_first": true}),
            texts(&[(Role::System, "A.\n\nC."), (Role::User, "B.")]),
            "system_first",
        ),
    ] {
        assert_eq!(shaped(fields, &two), (expected, vec![note.to_owned()]));
    }
    let alone = asked(vec![Message::text(Role::System, "A.")]);
    assert_eq!(shaped(json!({"system_role": "user"}), &alone).0, texts(&[(Role::User, "A.")]));
    assert_eq!(shaped(json!({"system_first": true}), &hello()).1, Vec::<String>::new());
}

#[test]
fn neighbours_of_one_role_become_one_and_names_go() {
    let mut request = asked(vec![
        Message::text(Role::User, "A."),
        Message::text(Role::User, "B."),
        Message::text(Role::Assistant, "C."),
        Message::text(Role::User, "D."),
    ]);
    let (said, notes) = shaped(json!({"merge_consecutive_roles": true}), &request);
    assert_eq!((said[0].1.as_str(), said.len(), notes.len()), ("A.\n\nB.", 3, 1));
    request.messages[0].name = Some("ann".into());
    // What two people say is not what one says.
    assert_eq!(shaped(json!({"merge_consecutive_roles": true}), &request).0.len(), 4);
    assert_eq!(shaped(json!({"omit_names": true}), &request).1, ["omit_names"]);
    assert_eq!(
        shaped(json!({"omit_names": true, "merge_consecutive_roles": true}), &hello()).1,
        Vec::<String>::new()
    );
}

#[test]
fn templates_stand_before_the_instructions_and_behind_the_question() {
    let (said, notes) =
        shaped(json!({"prepend_system": "Detailed thinking off.", "append_user": "/no_think"}), &hello());
    assert_eq!(said[0].1, "Detailed thinking off.\n\nBe kind.");
    assert_eq!(said[1].1, "Hello.\n\n/no_think");
    assert_eq!(notes, ["prepend_system", "append_user"]);
    let bare = asked(vec![Message::text(Role::User, "Hi.")]);
    assert_eq!(shaped(json!({"prepend_system": "X."}), &bare).0[0], (Role::System, "X.".into()));
}

#[test]
fn json_is_said_where_it_is_asked_for_and_nobody_said_it() {
    let mut request = ChatRequest { response_format: Some(ResponseFormat::JsonObject), ..hello() };
    let (said, notes) = shaped(json!({"json_hint": true}), &request);
    assert_eq!(
        (said[1].1.as_str(), notes.as_slice()),
        ("Hello.\n\nAnswer with one JSON object.", &["json_hint".to_owned()][..])
    );
    request.messages[0] = Message::text(Role::System, "Answer in Json.");
    assert_eq!(shaped(json!({"json_hint": true}), &request).1, Vec::<String>::new());
    // There the instructions do not count.
    let shaped = profile(json!({"json_hint": true})).shape(ProtocolId::OpenaiResponses, &request);
    assert!(shaped.needs_translation("openai-responses"));
}

#[test]
fn a_model_that_cannot_be_held_to_a_tool_is_asked_in_words() {
    let mut request = ChatRequest { tool_choice: Some(ToolChoice::Function("look".into())), ..hello() };
    let held = profile(json!({"tool_choice_auto_only": true}));
    let shaped = held.clone().shape(ProtocolId::OpenaiChat, &request);
    assert_eq!(shaped.request.tool_choice, Some(ToolChoice::Auto));
    assert_eq!(shaped.request.messages[1].plain_text(), "Hello.\n\nCall the tool `look`.");
    request.tool_choice = Some(ToolChoice::None);
    assert_eq!(held.shape(ProtocolId::OpenaiChat, &request).request.tool_choice, Some(ToolChoice::None));
}

#[test]
fn lists_of_words_are_not_to_be_translated() {
    let tool = |parameters: Value| {
        Tool::Function(FunctionTool {
            name: "t".into(),
            parameters: Some(parameters),
            ..FunctionTool::default()
        })
    };
    let mut request = hello();
    request.tools = vec![tool(json!({"properties": {"a": {"enum": [1, 2]}}}))];
    assert_eq!(shaped(json!({"english_enums": true}), &request).1, Vec::<String>::new());
    request.tools = vec![tool(json!({"properties": {"a": {"anyOf": [{"enum": ["red"]}]}}}))];
    let (said, notes) = shaped(json!({"english_enums": true}), &request);
    assert!(said[0].1.ends_with("never translate it.") && notes == ["english_enums"]);
}

#[test]
fn a_profile_that_cannot_be_meant_so_says_why() {
    assert_eq!(profile(json!({"models": ["a"]})).fault(), None);
    for fields in [
        json!({"models": ["!a"]}),
        json!({"models": ["a"], "temperature": {"min": 1.0, "max": 0.5}}),
        json!({"models": ["a"], "max_output_tokens": 0}),
    ] {
        assert!(profile(fields.clone()).fault().is_some(), "{fields}");
    }
    assert!(Profile::keys().iter().any(|key| key == "system_role"));
}

#[test]
fn an_answer_that_sdks_misread_is_translated_and_the_request_stays_as_it_is() {
    let streams = profile(json!({"when": "stream", "translate": true}));
    let request = ChatRequest { stream: true, ..hello() };
    let leaves = |profiles: &[Profile], request: &ChatRequest| {
        let one = Profile::of(profiles, ProtocolId::OpenaiChat, "m", request);
        let shaped = one.shape(ProtocolId::OpenaiChat, request);
        assert!(matches!(shaped.request, std::borrow::Cow::Borrowed(_)));
        shaped.needs_translation("openai-chat")
    };
    assert!(leaves(std::slice::from_ref(&streams), &request));
    assert!(!leaves(std::slice::from_ref(&streams), &hello()));
    // The settings come last, and may want the bytes all the same.
    assert!(!leaves(&[streams, profile(json!({"translate": false}))], &request));
}
