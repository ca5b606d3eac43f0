//! The same answer, at a client of the same family.

use canonical::FinishReason;
use signalbox_tests::laws::{self, Decoded};
use signalbox_tests::quirks::quirks_for;
use signalbox_tests::reading::openai_chat::{ChoiceReading, UsageReading, read};
use wire::openai_chat::server::OpenAiChat;
use wire::{AnswerContext, Dialect as _};

use super::answers::{Differences, count_extensions, reading_of};
use super::{Tally, protocol, records};

#[test]
fn every_recorded_answer_reaches_a_client_of_the_same_family_unchanged() {
    let Some(records) = records() else { return };
    let mut tally = Tally::new("answers at a client");
    for record in records.iter().filter(|record| record.response.status < 400) {
        let decoded = laws::decode(protocol(), &quirks_for(&record.provider), record);
        if decoded.outcome.is_err() && decoded.events.is_empty() {
            continue;
        }
        let mut differences = Vec::new();
        if record.stream {
            differences.extend(client_differences(&decoded, true));
        }
        if decoded.outcome.is_ok() {
            differences.extend(client_differences(&decoded, false));
        }
        tally.take(record, differences);
    }
    tally.settle();
}

fn client_differences(decoded: &Decoded, is_stream: bool) -> Vec<String> {
    let context = AnswerContext {
        request_id: "req-1".into(),
        requested_model: "asked-for".into(),
        created: 1,
        include_usage: true,
        ..AnswerContext::default()
    };
    let body = if is_stream {
        encoded_stream(decoded, &context)
    } else {
        String::from_utf8(OpenAiChat.encode_response(&decoded.response, &context)).unwrap()
    };
    let got = read("openai", is_stream, &body);
    let mut expected = reading_of(&decoded.response);
    if is_stream {
        count_extensions(decoded, &mut expected);
    }
    let mut wrong = Differences::default();
    for (index, expected) in &expected.choices {
        let got = got.choices.get(index).cloned().unwrap_or_default();
        let canonical =
            &decoded.response.choices.iter().find(|have| u64::from(have.index) == *index).unwrap();
        let finish =
            canonical.finish_reason.filter(|_| decoded.outcome.is_ok() || canonical.finish_reason.is_some());
        let expected = ChoiceReading { finish: finish.map(openai_word), ..expected.clone() };
        wrong.choice(&expected, &got);
    }
    // A stream that broke off says so, and says nothing behind it.
    wrong.same("error", &got.error.is_some(), &decoded.outcome.is_err());
    if is_stream {
        wrong.same("[DONE]", &body.ends_with("data: [DONE]\n\n"), &decoded.outcome.is_ok());
    }
    if decoded.outcome.is_ok() {
        let total = |usage: UsageReading| UsageReading { total: Some(usage.input + usage.output), ..usage };
        wrong.same("usage", &got.usage, &expected.usage.map(total));
    }
    wrong.same(
        "model",
        &got.model.unwrap_or_default(),
        &expected.model.unwrap_or_else(|| "asked-for".into()),
    );
    wrong.0
}

fn encoded_stream(decoded: &Decoded, context: &AnswerContext) -> String {
    let (mut encoder, mut out) = (OpenAiChat.stream_encoder(context), Vec::new());
    for event in &decoded.events {
        encoder.event(event, &mut out);
    }
    match &decoded.outcome {
        Ok(()) => encoder.end(&mut out),
        Err(error) => encoder.error(error, &mut out),
    }
    String::from_utf8(out).unwrap()
}

fn openai_word(reason: FinishReason) -> String {
    match reason {
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter | FinishReason::Refusal => "content_filter",
        _ => "stop",
    }
    .to_owned()
}
