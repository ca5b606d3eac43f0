//! Recorded answers: decoded without loss.

use std::collections::BTreeMap;

use canonical::request::Opaque;
use canonical::{ChatResponse, Choice, Content, ErrorKind, FinishReason, StreamEvent, Usage};
use signalbox_tests::corpus::Record;
use signalbox_tests::laws::{self, Decoded};
use signalbox_tests::quirks::quirks_for;
use signalbox_tests::reading::openai_chat::{CallReading, ChoiceReading, Reading, UsageReading, read};

use super::{FAMILY, Tally, protocol, records};

#[test]
fn every_recorded_answer_is_read_without_loss() {
    let Some(records) = records() else { return };
    let mut tally = Tally::new("answers");
    for record in records.iter().filter(|record| record.response.status < 400) {
        let quirks = quirks_for(&record.provider);
        let differences = match laws::check(protocol(), &quirks, record) {
            Ok(decoded) => {
                let mut differences = answer_differences(record, &decoded);
                differences.extend(laws::damage(protocol(), &quirks, record, &decoded).err());
                differences
            }
            Err(law) => vec![law],
        };
        tally.take(record, differences);
    }
    tally.settle();
}

fn answer_differences(record: &Record, decoded: &Decoded) -> Vec<String> {
    let body = record.response.body_text.as_deref().unwrap_or("");
    let expected = read(&record.provider, record.stream, body);
    let mut wrong = Differences::default();
    wrong.outcome(record, &expected, decoded);
    if expected.choices.is_empty() && expected.error.is_some() {
        return wrong.0;
    }
    let mut got = reading_of(&decoded.response);
    count_extensions(decoded, &mut got);
    for (index, choice) in &expected.choices {
        let Some(got) = got.choices.get(index) else {
            wrong.0.push(format!("choice {index} is missing"));
            continue;
        };
        let mut got = got.clone();
        if expected.error.is_some() {
            // An error takes back the finish reason that came before it.
            got.finish.clone_from(&choice.finish);
        }
        wrong.choice(choice, &got);
        if expected.error.is_none() {
            let canonical = decoded.response.choices.iter().find(|have| u64::from(have.index) == *index);
            wrong.same(
                "finish reason",
                &canonical.and_then(|have| have.finish_reason),
                &Some(finish_of(choice)),
            );
        }
    }
    wrong.same("number of choices", &got.choices.len(), &expected.choices.len());
    wrong.same("usage", &got.usage, &expected.usage);
    wrong.same("model", &got.model, &expected.model);
    wrong.same("id", &got.id, &expected.id);
    if got.usage.is_some() && expected.tier.is_some() {
        wrong.same("service tier", &got.tier, &expected.tier);
    }
    wrong.same("malformed frames", &decoded.counters.malformed, &0);
    wrong.0
}

#[derive(Default)]
pub(super) struct Differences(pub(super) Vec<String>);

impl Differences {
    pub(super) fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, got: &T, expected: &T) {
        if got != expected {
            self.0.push(format!("{what}: {got:?}, expected {expected:?}"));
        }
    }

    pub(super) fn outcome(&mut self, record: &Record, expected: &Reading, decoded: &Decoded) {
        let is_finished = expected.choices.values().all(|choice| choice.finish.is_some());
        match (&decoded.outcome, &expected.error) {
            (Ok(()), None) => {
                let ends_in_calls = expected.choices.values().all(|choice| !choice.calls.is_empty());
                let may_lack_reason = !record.stream || record.provider == "snowflake" || ends_in_calls;
                if !is_finished && !may_lack_reason {
                    self.0.push("an unfinished answer was taken for whole".into());
                }
            }
            (Err(error), Some(message)) => {
                self.same("message", &error.message, message);
                if error.kind == ErrorKind::Internal || error.kind == ErrorKind::Truncated {
                    self.0.push(format!("kind {:?}", error.kind));
                }
            }
            (Ok(()), Some(message)) => self.0.push(format!("the error was passed over: {message}")),
            (Err(error), None) if is_finished => self.0.push(format!("refused: {error:?}")),
            (Err(error), None) => self.same("kind", &error.kind, &ErrorKind::Truncated),
        }
    }

    pub(super) fn choice(&mut self, expected: &ChoiceReading, got: &ChoiceReading) {
        self.same("text", &got.text, &expected.text);
        self.same("reasoning", &got.reasoning, &expected.reasoning);
        self.same("signatures", &got.seals, &expected.seals);
        self.same("refusal", &got.refusal, &expected.refusal);
        self.same("raw finish reason", &got.finish, &expected.finish);
        self.same("log probabilities", &got.logprobs, &expected.logprobs);
        self.same("annotations", &got.annotations, &expected.annotations);
        self.same("number of tool calls", &got.calls.len(), &expected.calls.len());
        let ids: std::collections::BTreeSet<_> = got.calls.iter().map(|call| &call.id).collect();
        self.same("number of tool call ids", &ids.len(), &got.calls.len());
        for (got, expected) in got.calls.iter().zip(&expected.calls) {
            self.same("tool", &got.name, &expected.name);
            self.same("arguments", &got.arguments, &expected.arguments);
            self.same("thought signature", &got.signature, &expected.signature);
            match expected.id.as_str() {
                "" => self.same("minted id is empty", &got.id.is_empty(), &false),
                id => self.same("tool call id", &got.id.as_str(), &id),
            }
        }
    }
}

/// What a raw word means, said once more and by hand.
fn finish_of(choice: &ChoiceReading) -> FinishReason {
    match choice.finish.as_deref() {
        Some("length" | "max_tokens") => FinishReason::Length,
        Some("content_filter") => FinishReason::ContentFilter,
        Some("stop" | "eos") | None if choice.calls.is_empty() => FinishReason::Stop,
        Some("tool_calls" | "function_call" | "stop" | "eos") | None => FinishReason::ToolCalls,
        Some(_) => FinishReason::Other,
    }
}

/// The canonical answer as a reading.
pub(super) fn reading_of(response: &ChatResponse) -> Reading {
    Reading {
        choices: response
            .choices
            .iter()
            .map(|choice| (u64::from(choice.index), choice_reading(choice)))
            .collect(),
        usage: response.usage.as_ref().map(usage_reading),
        error: None,
        model: response.start.model.clone(),
        id: response.start.id.clone(),
        tier: response.usage.as_ref().and_then(|usage| usage.service_tier.clone()),
        fingerprint: response.start.system_fingerprint.clone(),
    }
}

fn choice_reading(choice: &Choice) -> ChoiceReading {
    let mut reading = ChoiceReading { finish: choice.finish_reason_raw.clone(), ..ChoiceReading::default() };
    for part in &choice.parts {
        match &part.content {
            Content::Text(text) => reading.text.push_str(text),
            Content::Refusal(text) => reading.refusal.push_str(text),
            Content::Reasoning(reasoning) => {
                reading.reasoning.push_str(&reasoning.text);
                reading
                    .seals
                    .extend([reasoning.signature.clone(), reasoning.encrypted.clone()].into_iter().flatten());
            }
            Content::ToolCall(call) => reading.calls.push(CallReading {
                id: call.id.clone(),
                index: None,
                name: call.name.clone(),
                arguments: call.arguments.clone(),
                signature: call.signature.clone(),
            }),
            Content::Opaque(Opaque { value, .. }) => panic!("no record holds a part like {value}"),
            _ => {}
        }
    }
    let length = |name: &str, place: &str| {
        let field = choice.extensions.field(FAMILY, name);
        field.and_then(|value| value.pointer(place)?.as_array()).map_or(0, Vec::len)
    };
    reading.logprobs = length("logprobs", "/content");
    reading.annotations = length("message.annotations", "");
    reading
}

/// A folded stream keeps the last chunk's lists; all of them are in its events.
pub(super) fn count_extensions(decoded: &Decoded, reading: &mut Reading) {
    let mut counts: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    for event in &decoded.events {
        let StreamEvent::Extension { choice: Some(choice), fields, .. } = event else { continue };
        let length = |name: &str, place: &str| {
            fields.get(name).and_then(|value| value.pointer(place)?.as_array()).map_or(0, Vec::len)
        };
        let (logprobs, annotations) = counts.entry(u64::from(*choice)).or_default();
        *logprobs += length("logprobs", "/content");
        *annotations += length("message.annotations", "");
    }
    for (index, choice) in &mut reading.choices {
        (choice.logprobs, choice.annotations) = counts.get(index).copied().unwrap_or_default();
    }
}

fn usage_reading(usage: &Usage) -> UsageReading {
    UsageReading {
        input: usage.input_tokens,
        output: usage.output_tokens,
        cache_read: usage.cache_read_tokens,
        cache_write: usage.cache_write_tokens,
        reasoning: usage.reasoning_tokens,
        input_audio: usage.input_audio_tokens,
        output_audio: usage.output_audio_tokens,
        input_image: usage.input_image_tokens,
        output_image: usage.output_image_tokens,
        searches: usage.web_searches,
        total: usage.total_tokens,
        cost: usage.reported_cost,
    }
}
