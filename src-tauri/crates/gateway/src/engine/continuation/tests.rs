use canonical::event::ResponseStart;
use canonical::grammar::Grammar;
use canonical::{FinishReason, Role};
use serde_json::json;

use super::*;

fn start(id: &str) -> StreamEvent {
    StreamEvent::Start(ResponseStart { id: Some(id.into()), ..ResponseStart::default() })
}

fn open(index: u32, kind: PartKind) -> StreamEvent {
    StreamEvent::PartStart { index, choice: 0, kind }
}

fn text(index: u32, text: &str) -> StreamEvent {
    StreamEvent::PartDelta { index, delta: PartDelta::Text(text.into()) }
}

fn end(index: u32) -> StreamEvent {
    StreamEvent::PartEnd { index }
}

fn finish() -> StreamEvent {
    StreamEvent::Finish { choice: 0, reason: FinishReason::Stop, raw: None }
}

fn call(name: &str) -> PartKind {
    PartKind::ToolCall { id: "call_1".into(), name: name.into(), is_server_side: false }
}

fn usage(input: u64, output: u64) -> Usage {
    Usage { input_tokens: input, output_tokens: output, ..Usage::default() }
}

fn told(events: &[StreamEvent]) -> Told {
    let mut told = Told::default();
    for event in events {
        told.note(event);
    }
    told
}

/// What the caller gets of both: `first` as it came, `second` joined on.
fn joined(first: &[StreamEvent], how: &How, second: Vec<StreamEvent>) -> Vec<StreamEvent> {
    let mut join = Join::new(&told(first), how, Some(usage(10, 2)));
    let mut all = first.to_vec();
    for event in second {
        join.take(event, &mut all);
    }
    let mut grammar = Grammar::default();
    for event in &all {
        grammar.accept(event).unwrap();
    }
    assert!(grammar.is_complete());
    all
}

fn texts(events: &[StreamEvent]) -> String {
    let text = |event: &StreamEvent| match event {
        StreamEvent::PartDelta { delta: PartDelta::Text(text), .. } => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

const GO_ON: How = How::Continue(Prefill::Never);

fn answer(said: &str) -> Vec<StreamEvent> {
    vec![
        start("second"),
        open(0, PartKind::Text),
        text(0, said),
        end(0),
        StreamEvent::Usage(Box::new(usage(12, 3))),
        finish(),
    ]
}

#[test]
fn two_models_make_one_message_with_the_first_ones_id_and_the_usage_of_both() {
    let first = [start("first"), open(0, PartKind::Text), text(0, "The quick brown")];
    let all = joined(&first, &GO_ON, answer("quick brown fox."));
    assert_eq!(texts(&all), "The quick brown fox.");
    let starts: Vec<_> = all.iter().filter(|event| matches!(event, StreamEvent::Start(_))).collect();
    assert_eq!(starts, [&start("first")]);
    assert!(all.contains(&StreamEvent::Usage(Box::new(usage(22, 5)))));
    // One part, not two.
    assert_eq!(all.iter().filter(|event| matches!(event, StreamEvent::PartStart { .. })).count(), 1);
}

#[test]
fn an_answer_that_begins_again_says_so() {
    let first = [start("first"), open(0, PartKind::Text), text(0, "The quick")];
    let all = joined(&first, &How::restart("b/m"), answer("The quick brown fox."));
    assert_eq!(
        texts(&all),
        "The quick\n\n[The answer broke off here and begins again with b/m.]\n\nThe quick brown fox."
    );
}

#[test]
fn what_was_only_thought_is_followed_by_the_whole_answer() {
    let first = [start("first"), open(0, PartKind::Reasoning), text(0, "Hm")];
    for how in [GO_ON, How::restart("b/m")] {
        let all = joined(&first, &how, answer("Yes."));
        assert_eq!(texts(&all), "HmYes.");
    }
    assert_eq!(question(&ChatRequest::default(), &told(&first), &GO_ON), ChatRequest::default());
}

#[test]
fn a_thought_in_the_middle_of_a_text_is_not_shown_and_a_call_behind_it_is() {
    let first = [start("first"), open(0, PartKind::Text), text(0, "Let me see.")];
    let second = vec![
        start("second"),
        open(0, PartKind::Reasoning),
        text(0, "They want the weather"),
        end(0),
        open(1, PartKind::Text),
        text(1, " I look it up."),
        end(1),
        open(2, call("weather")),
        StreamEvent::PartDelta { index: 2, delta: PartDelta::Arguments("{}".into()) },
        end(2),
        finish(),
    ];
    let all = joined(&first, &GO_ON, second);
    assert_eq!(texts(&all), "Let me see. I look it up.");
    assert!(all.contains(&open(1, call("weather"))), "{all:?}");
}

#[test]
fn a_model_that_has_nothing_to_add_ends_the_text_that_is_open() {
    let first = [start("first"), open(0, PartKind::Text), text(0, "All said.")];
    let all = joined(&first, &GO_ON, vec![start("second"), finish()]);
    assert_eq!(texts(&all), "All said.");
    // What was held back to be compared is not lost either.
    let all = joined(&first, &GO_ON, answer("All sa"));
    assert_eq!(texts(&all), "All said.All sa");
}

#[test]
fn nobody_goes_on_where_the_caller_may_act_on_what_it_has() {
    let said = [start("first"), open(0, PartKind::Text), text(0, "Let me")];
    let with = |more: &[StreamEvent]| {
        let all: Vec<_> = said.iter().chain(more).cloned().collect();
        told(&all)
    };
    let plain = ChatRequest::default();
    assert_eq!(with(&[]).obstacle(&plain), None);
    for more in [
        vec![end(0), open(1, call("rm"))],
        vec![open(1, call("rm")), end(1)],
        vec![open(1, PartKind::Refusal)],
        vec![end(0), finish()],
    ] {
        assert!(with(&more).obstacle(&plain).is_some(), "{more:?}");
    }
    let several = ChatRequest { choice_count: Some(2), ..ChatRequest::default() };
    assert!(with(&[]).obstacle(&several).is_some());
}

#[test]
fn a_format_is_only_gone_on_with_from_the_text_itself() {
    let formatted =
        ChatRequest { response_format: Some(ResponseFormat::JsonObject), ..ChatRequest::default() };
    let half = told(&[start("first"), open(0, PartKind::Text), text(0, "{\"a\":")]);
    assert!(half.obstacle_for(&formatted, &GO_ON).is_some());
    assert!(half.obstacle_for(&formatted, &How::restart("b/m")).is_some());
    assert_eq!(half.obstacle_for(&formatted, &How::Continue(Prefill::Last)), None);
    assert_eq!(half.obstacle_for(&ChatRequest::default(), &GO_ON), None);
    // Nothing of it was told: the next answer is the first.
    let thought = told(&[start("first"), open(0, PartKind::Reasoning), text(0, "Hm")]);
    assert_eq!(thought.obstacle_for(&formatted, &GO_ON), None);
}

#[test]
fn a_model_is_asked_in_the_way_that_it_takes() {
    let request = ChatRequest {
        messages: vec![Message::text(Role::User, "Count.")],
        max_output_tokens: Some(100),
        ..ChatRequest::default()
    };
    let half = told(&[start("first"), open(0, PartKind::Text), text(0, "One, two, three,\n")]);
    let last = question(&request, &half, &How::Continue(Prefill::Last));
    assert_eq!(last.messages[1], Message::text(Role::Assistant, "One, two, three,"));
    assert_eq!((last.messages.len(), last.max_output_tokens), (2, Some(96)));

    let prefix = question(&request, &half, &How::Continue(Prefill::Prefix));
    assert_eq!(prefix.messages[1].extensions.field("openai-chat", "prefix"), Some(&json!(true)));

    let asked = question(&request, &half, &GO_ON);
    assert_eq!(asked.messages[1].plain_text(), "One, two, three,");
    assert_eq!(asked.messages[2].role, Role::User);
    assert!(asked.messages[2].plain_text().contains("“One, two, three,”"));

    assert_eq!(question(&request, &half, &How::restart("b/m")), request);
}

#[test]
fn the_callers_own_beginning_and_what_was_told_are_one_message() {
    let request = ChatRequest {
        messages: vec![Message::text(Role::User, "Count."), Message::text(Role::Assistant, "One,")],
        ..ChatRequest::default()
    };
    let half = told(&[start("first"), open(0, PartKind::Text), text(0, " two,")]);
    let asked = question(&request, &half, &How::Continue(Prefill::Last));
    assert_eq!(asked.messages[1..], [Message::text(Role::Assistant, "One, two,")]);
}

#[test]
fn a_second_break_is_gone_on_from_as_well() {
    let first = [start("first"), open(0, PartKind::Text), text(0, "One,")];
    let mut told = told(&first);
    let mut join = Join::new(&told, &GO_ON, None);
    let mut seen = Vec::new();
    for event in [start("second"), open(0, PartKind::Text), text(0, " two,")] {
        join.take(event, &mut seen);
    }
    for event in &seen {
        told.note(event);
    }
    assert_eq!(told.text(), "One, two,");
    let mut join = Join::new(&told, &GO_ON, None);
    for event in answer(" two, three.") {
        join.take(event, &mut seen);
    }
    assert_eq!(texts(&seen), " two, three.");
    assert!(seen.contains(&end(0)));
}
