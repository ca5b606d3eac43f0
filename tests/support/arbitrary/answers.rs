//! Answers, whole and as mixed events.

use canonical::event::ResponseStart;
use canonical::fold::unfold;
use canonical::{ChatResponse, Choice, Content, FinishReason, PartDelta, StreamEvent, Usage};
use proptest::collection::vec;
use proptest::prelude::*;

use super::parts::answer_parts;
use super::{Says, maybe, word};

/// A reason to finish, with the family's own word for it.
pub type Finish = (FinishReason, &'static str);

/// How answers of a family end: without calls in one of `plain`, with calls in `calls`.
#[derive(Debug, Clone, Copy)]
pub struct Finishes {
    pub plain: &'static [Finish],
    pub calls: Finish,
}

/// Counts that are consistent: subsets within their totals, reads and writes apart.
pub fn usage() -> BoxedStrategy<Usage> {
    let count = || 0_u64..5_000;
    (count(), count(), count(), count(), count())
        .prop_map(|(plain, read, write, said, thought)| Usage {
            input_tokens: plain + read + write,
            cache_read_tokens: read,
            cache_write_tokens: write,
            output_tokens: said + thought,
            reasoning_tokens: thought,
            ..Usage::default()
        })
        .boxed()
}

fn choice(says: Says, finishes: Finishes) -> BoxedStrategy<Choice> {
    (answer_parts(says, says.refusals), proptest::sample::select(finishes.plain))
        .prop_map(move |(mut parts, plain)| {
            let mut count = 0;
            for part in &mut parts {
                if let Content::ToolCall(call) = &mut part.content {
                    call.id = format!("call_{count}");
                    count += 1;
                }
            }
            let (reason, raw) = if count > 0 { finishes.calls } else { plain };
            Choice {
                parts,
                finish_reason: Some(reason),
                finish_reason_raw: Some(raw.to_owned()),
                ..Choice::default()
            }
        })
        .boxed()
}

/// A whole answer that the family can say.
pub fn response(
    says: Says,
    finishes: Finishes,
    usage: BoxedStrategy<Option<Usage>>,
) -> BoxedStrategy<ChatResponse> {
    let start = (
        word(),
        word(),
        if says.created { (1_i64..2_000_000_000).prop_map(Some).boxed() } else { Just(None).boxed() },
        maybe(says.system_fingerprint, word()),
    );
    let most = if says.choice_count { 3 } else { 2 };
    (start, vec(choice(says, finishes), 1..most), usage)
        .prop_map(|((id, model, created, system_fingerprint), mut choices, usage)| {
            for (index, choice) in (0..).zip(&mut choices) {
                choice.index = index;
            }
            let start = ResponseStart { id: Some(id), model: Some(model), created, system_fingerprint };
            ChatResponse { start, choices, usage, ..ChatResponse::default() }
        })
        .boxed()
}

/// The events of `response` with its parts all open at once, their deltas cut into pieces of
/// `piece` characters and mixed: as much out of order as the grammar allows.
pub fn mixed_events(response: &ChatResponse, piece: usize) -> Vec<StreamEvent> {
    let (mut before, mut starts, mut deltas, mut ends, mut after) = (vec![], vec![], vec![], vec![], vec![]);
    for event in unfold(response) {
        match event {
            StreamEvent::PartStart { .. } => starts.push(event),
            StreamEvent::PartDelta { index, delta } => {
                deltas
                    .extend((0_usize..).zip(pieces(delta, piece)).map(|(turn, delta)| (turn, index, delta)));
            }
            StreamEvent::PartEnd { .. } => ends.push(event),
            StreamEvent::Finish { .. } | StreamEvent::Usage(_) => after.push(event),
            StreamEvent::Start(_) | StreamEvent::Extension { .. } => before.push(event),
        }
    }
    // A signature stands for the whole of its part.
    deltas.sort_by_key(|(turn, index, delta)| match delta {
        PartDelta::Text(_) | PartDelta::Arguments(_) => (0, *turn, *index),
        PartDelta::Signature(_) | PartDelta::Encrypted(_) => (1, *turn, *index),
    });
    let deltas = deltas.into_iter().map(|(_, index, delta)| StreamEvent::PartDelta { index, delta });
    before.into_iter().chain(starts).chain(deltas).chain(ends).chain(after).collect()
}

fn pieces(delta: PartDelta, length: usize) -> Vec<PartDelta> {
    let cut = |text: &str| -> Vec<String> {
        let letters: Vec<char> = text.chars().collect();
        letters.chunks(length.max(1)).map(|piece| piece.iter().collect()).collect()
    };
    match delta {
        PartDelta::Text(text) => cut(&text).into_iter().map(PartDelta::Text).collect(),
        PartDelta::Arguments(text) => cut(&text).into_iter().map(PartDelta::Arguments).collect(),
        whole @ (PartDelta::Signature(_) | PartDelta::Encrypted(_)) => vec![whole],
    }
}
