use super::*;

fn ask(model: &str, prompt: &str) -> ChatRequest {
    let messages = vec![Message::text(Role::User, prompt)];
    ChatRequest { model: model.to_owned(), messages, ..ChatRequest::default() }
}

fn answered(request: &ChatRequest) -> Answer {
    match script(request, 0) {
        Script::Answer(answer) => answer,
        Script::Refuse(refusal) => panic!("refused: {refusal:?}"),
    }
}

fn refused(request: &ChatRequest) -> Refusal {
    match script(request, 0) {
        Script::Refuse(refusal) => refusal,
        Script::Answer(answer) => panic!("answered: {answer:?}"),
    }
}

fn text(answer: &Answer) -> String {
    let pieces = answer.steps.iter().filter_map(|step| match step {
        Step::Text(text) => Some(text.as_str()),
        _ => None,
    });
    pieces.collect()
}

fn calls(answer: &Answer) -> Vec<(String, String)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for step in &answer.steps {
        match step {
            Step::ToolCall { name, .. } => calls.push((name.clone(), String::new())),
            Step::Arguments { index, text } => calls[*index as usize].1.push_str(text),
            _ => {}
        }
    }
    calls
}

fn weather() -> Tool {
    Tool::Function(FunctionTool {
        name: "get_weather".to_owned(),
        parameters: Some(json!({"type": "object", "properties": {"city": {"type": "string"}}})),
        ..FunctionTool::default()
    })
}

#[test]
fn the_same_request_gives_the_same_plan() {
    for model in MODELS {
        let request = ask(model.id, "Explain the history of tea");
        assert_eq!(script(&request, 3), script(&request, 3));
    }
}

#[test]
fn the_pieces_are_the_text() {
    let sample = "A word, 日本語で説明してくださいね and\n\n  spaces.";
    assert_eq!(pieces(sample).collect::<String>(), sample);
    assert!(pieces(sample).all(|piece| piece.chars().count() <= PIECE_CHARS));
}

#[test]
fn the_fast_model_never_pauses_and_the_steady_one_does() {
    let pauses = |model| {
        let answer = answered(&ask(model, "Explain tea"));
        answer.steps.iter().filter(|step| matches!(step, Step::Pause(_))).count()
    };
    assert_eq!(pauses("fast"), 0);
    assert!(pauses("steady") > 20);
}

#[test]
fn usage_counts_what_was_written_by_the_stated_rule() {
    let request = ask("fast", "Explain tea");
    let Script::Answer(answer) = script(&request, 5) else { panic!("refused") };
    assert_eq!(answer.usage.completion_tokens, tokens::count(&text(&answer)));
    assert_eq!(answer.usage.prompt_tokens, tokens::PER_MESSAGE + 3);
    assert_eq!(answer.usage.cached_tokens, 5);
}

#[test]
fn the_thinker_thinks_first_and_counts_its_thoughts() {
    let answer = answered(&ask("thinker", "Explain tea"));
    let first_text = answer.steps.iter().position(|step| matches!(step, Step::Text(_))).unwrap();
    let last_thought = answer.steps.iter().rposition(|step| matches!(step, Step::Reasoning(_))).unwrap();
    assert!(last_thought < first_text);
    assert!(answer.usage.reasoning_tokens > 0);
    assert!(answer.usage.completion_tokens > answer.usage.reasoning_tokens);
}

#[test]
fn a_tool_is_called_when_the_prompt_speaks_of_it() {
    let mut request = ask("fast", "What is the weather in Oslo?");
    request.tools = vec![weather()];
    let answer = answered(&request);
    assert_eq!(answer.finish, FinishReason::ToolCalls);
    assert_eq!(calls(&answer), [("get_weather".to_owned(), r#"{"city":"Oslo"}"#.to_owned())]);

    request.tool_choice = Some(ToolChoice::None);
    assert!(calls(&answered(&request)).is_empty());
}

#[test]
fn two_cities_are_two_calls_unless_the_client_wants_one() {
    let mut request = ask("fast", "What is the weather in Oslo and Bergen?");
    request.tools = vec![weather()];
    let cities: Vec<_> = calls(&answered(&request)).into_iter().map(|(_, arguments)| arguments).collect();
    assert_eq!(cities, [r#"{"city":"Oslo"}"#, r#"{"city":"Bergen"}"#]);
    request.parallel_tool_calls = Some(false);
    assert_eq!(calls(&answered(&request)).len(), 1);
}

#[test]
fn a_prompt_that_speaks_of_no_tool_is_answered_in_words() {
    let mut request = ask("fast", "Explain tea");
    request.tools = vec![weather()];
    assert!(calls(&answered(&request)).is_empty());
    request.model = "tools".to_owned();
    assert_eq!(calls(&answered(&request)).len(), 1);
}

#[test]
fn the_limit_of_tokens_and_stop_sequences_end_the_answer() {
    let mut request = ask("fast", "Explain tea");
    request.max_output_tokens = Some(7);
    let answer = answered(&request);
    assert_eq!((answer.finish, answer.usage.completion_tokens), (FinishReason::Length, 7));

    request.max_output_tokens = None;
    request.stop = vec!["rehearsal".to_owned()];
    let answer = answered(&request);
    assert_eq!(answer.finish, FinishReason::Stop);
    assert!(!text(&answer).contains("rehearsal"));
}

#[test]
fn a_schema_is_answered_with_json_of_its_shape() {
    let mut request = ask("fast", "Plan a trip to Oslo");
    let schema =
        json!({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}});
    request.response_format =
        Some(ResponseFormat::JsonSchema { name: None, description: None, schema, strict: None });
    let value: Value = serde_json::from_str(&text(&answered(&request))).unwrap();
    assert_eq!((&value["city"], value["days"].is_i64()), (&json!("Oslo"), true));
}

#[test]
fn an_unknown_model_is_refused_with_the_known_ones() {
    let refusal = refused(&ask("gpt-5", "Hello"));
    assert_eq!(refusal.status, 404);
    assert!(format!("{refusal:?}").contains("steady"));
}

#[test]
fn each_drill_does_what_it_says() {
    for drill in Drill::ALL {
        let by_prompt = ask("fast", &format!("Explain tea\n/drill {}", drill.word()));
        let by_model = ask(&format!("{DRILL_PREFIX}{}", drill.word()), "Explain tea");
        for request in [by_prompt, by_model] {
            check_drill(*drill, &request);
        }
    }
}

fn check_drill(drill: Drill, request: &ChatRequest) {
    let has = |wanted: &Step| {
        let steps = answered(request).steps;
        let at = steps.iter().position(|step| step == wanted);
        // In the middle: something was said before and something comes after.
        at.is_some_and(|at| {
            steps[..at].iter().any(|step| matches!(step, Step::Text(_))) && at + 1 < steps.len()
        })
    };
    let status = || refused(request).status;
    match drill {
        Drill::SlowStart => assert_eq!(answered(request).steps[0], Step::Pause(Duration::from_secs(8))),
        Drill::Stall => assert!(has(&Step::Hang)),
        Drill::Malformed => assert!(has(&Step::Malformed)),
        Drill::Cut => assert!(has(&Step::Cut)),
        Drill::ErrorInBand => assert!(has(&Step::ErrorInBand)),
        Drill::RateLimited => assert_eq!((status(), refused(request).retry_after), (429, Some(2))),
        Drill::Overloaded => assert_eq!(status(), 503),
        Drill::WrongKey => assert_eq!(status(), 401),
        Drill::ServerErrorInHtml => {
            assert_eq!(status(), 500);
            assert!(
                matches!(refused(request).body, RefusalBody::Html(page) if page.starts_with("<!DOCTYPE"))
            );
        }
        Drill::Empty => {
            let answer = answered(request);
            assert_eq!((text(&answer).as_str(), answer.usage.completion_tokens), ("", 0));
        }
        Drill::Safety => assert_eq!(answered(request).finish, FinishReason::ContentFilter),
        Drill::Length => assert_eq!(answered(request).finish, FinishReason::Length),
        Drill::Long => assert!(text(&answered(request)).split_whitespace().count() > 3500),
        Drill::Tool => assert_eq!(calls(&answered(request)).len(), 1),
        Drill::ParallelTools => assert_eq!(calls(&answered(request)).len(), 2),
    }
}

#[test]
fn a_drill_without_a_name_lists_them_all() {
    let listed = text(&answered(&ask("fast", "/drill")));
    assert!(Drill::ALL.iter().all(|drill| listed.contains(drill.word())));
}
