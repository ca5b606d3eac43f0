use super::*;
use canonical::event::ResponseStart;
use canonical::fold::fold;
use canonical::grammar::Grammar;
use canonical::request::{Content, FunctionTool, ResponseFormat};
use canonical::{Message, Role, Tool};
use proptest::prelude::*;
use serde_json::json;

fn request() -> ChatRequest {
    let parameters = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let tool = FunctionTool { name: "ring".into(), parameters: Some(parameters), ..FunctionTool::default() };
    ChatRequest {
        messages: vec![Message::text(Role::User, "Ring.")],
        tools: vec![Tool::Function(tool)],
        ..ChatRequest::default()
    }
}

fn formatted() -> ChatRequest {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let format = ResponseFormat::JsonSchema { name: None, description: None, schema, strict: None };
    ChatRequest { tools: Vec::new(), response_format: Some(format), ..request() }
}

fn check(request: &ChatRequest, mode: Mode) -> AnswerCheck {
    AnswerCheck::new(Arc::new(Checks::of(request, &Schemas::default(), mode, mode)))
}

fn start() -> StreamEvent {
    StreamEvent::Start(ResponseStart::default())
}

fn part(index: u32, kind: PartKind, deltas: &[PartDelta]) -> Vec<StreamEvent> {
    let mut events = vec![StreamEvent::PartStart { index, choice: 0, kind }];
    events.extend(deltas.iter().cloned().map(|delta| StreamEvent::PartDelta { index, delta }));
    events.push(StreamEvent::PartEnd { index });
    events
}

fn text(index: u32, pieces: &[&str]) -> Vec<StreamEvent> {
    let deltas: Vec<_> = pieces.iter().map(|piece| PartDelta::Text((*piece).to_owned())).collect();
    part(index, PartKind::Text, &deltas)
}

fn call(index: u32, arguments: &[&str]) -> Vec<StreamEvent> {
    let kind = PartKind::ToolCall { id: format!("c{index}"), name: "ring".into(), is_server_side: false };
    let deltas: Vec<_> = arguments.iter().map(|piece| PartDelta::Arguments((*piece).to_owned())).collect();
    part(index, kind, &deltas)
}

fn finish(reason: FinishReason) -> StreamEvent {
    StreamEvent::Finish { choice: 0, reason, raw: None }
}

fn run(check: &mut AnswerCheck, events: &[StreamEvent]) -> (Vec<StreamEvent>, Result<(), Failure>) {
    let mut out = Vec::new();
    for event in events {
        check.event(event.clone(), &mut out);
    }
    let result = check.end(&mut out);
    (out, result)
}

fn arguments(events: &[StreamEvent]) -> Vec<String> {
    let response = fold(events);
    let parts = response.choices.iter().flat_map(|choice| &choice.parts);
    parts
        .filter_map(|part| match &part.content {
            Content::ToolCall(call) => Some(call.arguments.clone()),
            _ => None,
        })
        .collect()
}

fn answer(calls: &[&str]) -> Vec<StreamEvent> {
    let mut events = vec![start()];
    events.extend(text(0, &["I will ", "ring."]));
    for (index, arguments) in (1..).zip(calls) {
        events.extend(call(index, &[arguments]));
    }
    events.push(finish(FinishReason::ToolCalls));
    events
}

#[test]
fn observing_changes_nothing_and_writes_down() {
    let events = answer(&["{\"n\":\"1\"}", "{\"n\":2}"]);
    let mut check = check(&request(), Mode::Observe);
    for event in &events {
        let mut out = Vec::new();
        check.event(event.clone(), &mut out);
        assert_eq!(&out[..], std::slice::from_ref(event), "at once");
    }
    let mut out = Vec::new();
    assert_eq!(check.end(&mut out), Ok(()));
    let report = check.into_report();
    assert_eq!((report.calls, report.findings.len()), (2, 1));
    assert_eq!(
        (report.findings[0].text.as_str(), &report.findings[0].remedy),
        ("{\"n\":\"1\"}", &Remedy::None)
    );
}

#[test]
fn a_call_is_mended_when_it_is_whole_and_text_before_it_flows() {
    let mut check = check(&request(), Mode::Repair);
    let mut out = Vec::new();
    for event in [vec![start()], text(0, &["I will ring."])].concat() {
        check.event(event, &mut out);
    }
    assert_eq!(out.len(), 4, "nothing of it waits");
    let call = call(1, &["{\"n\":", "\"1\"}"]);
    for event in &call[..3] {
        check.event(event.clone(), &mut out);
    }
    assert_eq!(out.len(), 4, "the call waits");
    check.event(call[3].clone(), &mut out);
    assert_eq!(arguments(&out), ["{\"n\":1}"], "and comes when it is whole");
    assert_eq!(check.report().findings[0].remedy, Remedy::Repaired(vec![Note::ToNumber]));
}

#[test]
fn brackets_are_closed_only_where_the_answer_came_to_its_end() {
    for (reason, expected) in [(FinishReason::ToolCalls, "{\"n\":1}"), (FinishReason::Length, "{\"n\":1")] {
        for mode in [Mode::Repair, Mode::Retry] {
            let mut events = answer(&["{\"n\":1"]);
            events.pop();
            events.push(finish(reason));
            let mut check = check(&request(), mode);
            let (mut out, result) = run(&mut check, &events);
            assert_eq!(result, Ok(()), "a call that was cut off is no wrong one");
            check.release(&mut out);
            assert_eq!(arguments(&out), [expected], "{reason:?} {mode:?}");
        }
    }
}

#[test]
fn one_bad_call_withholds_all_of_the_turn() {
    for mode in [Mode::Retry, Mode::Reject] {
        let mut check = check(&request(), mode);
        let (out, result) = run(&mut check, &answer(&["{\"n\":1}", "{\"m\":1}"]));
        assert_eq!(result.unwrap_err().kind(), "schema_mismatch");
        assert_eq!(arguments(&out), [""; 0]);
        assert_eq!(fold(&out).choices[0].plain_text(), "I will ring.");
        assert_eq!(check.report().findings[0].remedy, Remedy::Withheld);
        let mut released = out.clone();
        check.release(&mut released);
        assert_eq!(released, answer(&["{\"n\":1}", "{\"m\":1}"]));
        assert_eq!(check.report().findings[0].remedy, Remedy::None);
    }
}

#[test]
fn the_second_question_shows_what_was_wrong() {
    let request = request();
    let mut check = check(&request, Mode::Retry);
    let _ = run(&mut check, &answer(&["{\"n\":1}", "nonsense"]));
    let corrected = check.corrected(&request).unwrap();
    let [_, said, results] = corrected.messages.as_slice() else { panic!("{:?}", corrected.messages) };
    assert_eq!((said.role, results.role), (Role::Assistant, Role::Tool));
    let Content::ToolCall(call) = &said.parts[2].content else { panic!() };
    assert_eq!(call.arguments, "{}", "protocols cannot send back what is no JSON");
    let words: Vec<String> = results
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::ToolResult(result) => canonical::request::plain_text(&result.content),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(words[0].contains("another call of the same turn"), "{words:?}");
    assert!(words[1].contains("not JSON from byte 1"), "{words:?}");
}

#[test]
fn the_second_answer_goes_on_where_the_first_stopped() {
    let request = request();
    let mut first = check(&request, Mode::Retry);
    let (mut out, result) = run(&mut first, &answer(&["{\"m\":1}"]));
    assert!(result.is_err());
    let checks = Arc::new(Checks::of(&request, &Schemas::default(), Mode::Retry, Mode::Retry));
    let mut second = AnswerCheck::continuing(checks, first.sent());
    let (more, result) = run(&mut second, &answer(&["{\"n\":1}"]));
    assert_eq!(result, Ok(()));
    out.extend(more);
    let mut grammar = Grammar::default();
    out.iter().try_for_each(|event| grammar.accept(event)).unwrap();
    assert!(grammar.is_complete());
    assert_eq!(fold(&out).choices[0].plain_text(), "I will ring.");
    assert_eq!(arguments(&out), ["{\"n\":1}"]);
}

#[test]
fn a_fence_is_taken_off_while_the_text_flows() {
    let mut check = check(&formatted(), Mode::Repair);
    let mut events = vec![start()];
    events.extend(text(0, &["``", "`json\n{\"n\"", ":1}\n`", "``"]));
    events.push(finish(FinishReason::Stop));
    let (out, result) = run(&mut check, &events);
    assert_eq!(result, Ok(()));
    assert_eq!(fold(&out).choices[0].plain_text(), "{\"n\":1}");
    let report = check.into_report();
    assert_eq!((report.outputs, &report.findings[0].remedy), (1, &Remedy::Repaired(vec![Note::CodeFence])));
}

#[test]
fn a_text_that_must_be_right_waits_and_is_mended_whole() {
    let mut check = check(&formatted(), Mode::Retry);
    let mut events = vec![start()];
    events.extend(text(0, &["Here: {\"n\"", ":\"1\"}"]));
    events.push(finish(FinishReason::Stop));
    let (out, result) = run(&mut check, &events);
    assert_eq!(result, Ok(()));
    assert_eq!(fold(&out).choices[0].plain_text(), "{\"n\":1}");
}

#[test]
fn text_that_is_not_the_answer_is_not_checked() {
    for reason in
        [FinishReason::Length, FinishReason::Refusal, FinishReason::ContentFilter, FinishReason::ToolCalls]
    {
        let mut check = check(&formatted(), Mode::Reject);
        let mut events = vec![start()];
        events.extend(text(0, &["I cannot"]));
        events.push(finish(reason));
        let (out, result) = run(&mut check, &events);
        assert_eq!((result, out), (Ok(()), events), "{reason:?}");
        assert_eq!(check.report().outputs, 0);
    }
}

#[test]
fn an_endless_call_flows_unchecked() {
    let mut check = check(&request(), Mode::Reject);
    let mut out = Vec::new();
    let piece = "x".repeat(1 << 20);
    check.event(start(), &mut out);
    let mut events = call(0, &[piece.as_str(); 10]).into_iter();
    for event in events.by_ref() {
        check.event(event, &mut out);
    }
    assert_eq!(check.end(&mut out), Ok(()));
    assert_eq!(arguments(&out)[0].len(), 10 << 20);
    assert_eq!(check.report().calls, 0);
}

#[test]
fn a_whole_answer_is_checked_like_a_streamed_one() {
    for mode in Mode::ALL {
        let checks = Checks::of(&request(), &Schemas::default(), mode, mode);
        let mut response = fold(&answer(&["{\"n\":\"1\"}", "{\"m\":1}"]));
        let (report, result) = check_whole(&checks, &mut response);
        let mut streamed = check(&request(), mode);
        let (mut out, streamed_result) = run(&mut streamed, &answer(&["{\"n\":\"1\"}", "{\"m\":1}"]));
        assert_eq!(result, streamed_result, "{mode:?}");
        assert_eq!(&report, streamed.report(), "{mode:?}");
        streamed.release(&mut out);
        assert_eq!(response, fold(&out), "{mode:?}");
    }
}

proptest! {
    /// In every mode what comes out obeys the grammar, and without a repair it is what went in.
    #[test]
    fn every_mode_keeps_the_laws(
        calls in proptest::collection::vec("\\{\"n\":[0-9]{1,2}\\}|\\{\"n\":\"1\"|x|", 0..4),
        mode in prop::sample::select(Mode::ALL.to_vec()),
    ) {
        let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
        let events = answer(&calls);
        let mut check = check(&request(), mode);
        let (mut out, _) = run(&mut check, &events);
        check.release(&mut out);
        let mut grammar = Grammar::default();
        for event in &out {
            prop_assert_eq!(grammar.accept(event), Ok(()));
        }
        prop_assert!(grammar.is_complete());
        let is_mended = check.report().findings.iter().any(|one| matches!(one.remedy, Remedy::Repaired(_)));
        if !is_mended {
            prop_assert_eq!(out, events);
        }
        prop_assert_eq!(check.report().calls as usize, calls.len());
    }
}

#[test]
fn a_call_that_the_token_limit_cut_off_is_no_wrong_call() {
    for mode in Mode::ALL {
        for arguments in ["{\"n\":", "", "{\"n\":1"] {
            let events = [vec![start()], call(0, &[arguments]), vec![finish(FinishReason::Length)]].concat();
            let mut streamed = check(&request(), mode);
            let (out, result) = run(&mut streamed, &events);
            let mut whole = fold(&events);
            let checks = Checks::of(&request(), &Schemas::default(), mode, mode);
            let (report, whole_result) = check_whole(&checks, &mut whole);
            for (report, result) in [(streamed.report(), result), (&report, whole_result)] {
                let [finding] = report.findings.as_slice() else { panic!("{mode:?} {report:?}") };
                assert_eq!(finding.failure, Failure::CutOff, "{mode:?} {arguments}");
                if mode == Mode::Reject {
                    assert_eq!((result, &finding.remedy), (Err(Failure::CutOff), &Remedy::Withheld));
                    assert!(report.is_cut_off());
                } else {
                    assert_eq!((result, &finding.remedy), (Ok(()), &Remedy::None), "{mode:?} {arguments}");
                }
            }
            assert_eq!(fold(&out) == fold(&events), mode != Mode::Reject, "{mode:?} {arguments}");
        }
    }
}

#[test]
fn a_whole_call_before_the_token_limit_is_judged_as_any_other() {
    let events = [vec![start()], call(0, &["{\"m\":1}"]), vec![finish(FinishReason::Length)]].concat();
    let mut check = check(&request(), Mode::Retry);
    let (_, result) = run(&mut check, &events);
    assert!(matches!(result, Err(Failure::SchemaMismatch { .. })), "{result:?}");
    assert!(!check.report().is_cut_off());
}
