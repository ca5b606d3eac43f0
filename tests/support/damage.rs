//! Recorded streams, damaged as networks and relays damage them, and what must come of it: an
//! answer that was cut is never taken for a whole one, and noise between frames costs nothing.

use canonical::{ChatResponse, Content, ErrorKind, StreamEvent};
use wire::{Protocol, Quirks};

use crate::corpus::Record;
use crate::laws::{self, Chance, Decoded};

/// How often each stream is cut.
const CUTS: usize = 40;

/// Damages the streamed `record` in every way. `Err` says in a sentence what came out wrong.
pub fn check(protocol: &'static dyn Protocol, quirks: &Quirks, record: &Record) -> Result<(), String> {
    let body = record.body();
    let whole = laws::decode_stream(protocol, quirks, [body.as_slice()]);
    if whole.outcome.is_err() {
        return Ok(());
    }
    let mut chance = Chance::new(&body);
    for _ in 0..CUTS {
        let cut = chance.below(body.len());
        let piece = laws::decode_stream(protocol, quirks, [&body[..cut]]);
        cut_answer(&piece, &whole).map_err(|failure| format!("cut at byte {cut}: {failure}"))?;
    }
    let Ok(text) = String::from_utf8(body) else { return Ok(()) };
    if text.trim_start().starts_with(['[', '{']) {
        return Ok(());
    }
    for (what, noisy) in noise(&text) {
        let got = laws::decode_stream(protocol, quirks, [noisy.as_bytes()]);
        if got.events != whole.events || got.outcome != whole.outcome {
            return Err(format!("{what}: events or outcome differ"));
        }
    }
    Ok(())
}

/// A piece of an answer is an error or has everything of the answer that the client sees, and
/// what it has is the beginning of the answer.
fn cut_answer(piece: &Decoded, whole: &Decoded) -> Result<(), String> {
    laws::grammar(piece)?;
    let (have, all) = (contents(&piece.response), contents(&whole.response));
    match &piece.outcome {
        Ok(()) if have != all => return Err(format!("whole, they say, with {have:?} of {all:?}")),
        Ok(()) => {}
        Err(error) if matches!(error.kind, ErrorKind::Truncated | ErrorKind::InvalidResponse) => {}
        Err(error) => return Err(format!("unexpected {error:?}")),
    }
    let finished = piece.events.iter().any(|event| matches!(event, StreamEvent::Finish { .. }));
    if finished && have != all {
        return Err(format!("finished with {have:?} of {all:?}"));
    }
    for (choice, text) in texts(&piece.response) {
        let begins = texts(&whole.response).iter().any(|(of, all)| *of == choice && all.starts_with(&text));
        if !begins {
            return Err(format!("{text:?} is not how choice {choice} begins"));
        }
    }
    Ok(())
}

/// What a client sees: text, thoughts and calls of each choice.
fn contents(response: &ChatResponse) -> Vec<(u32, String)> {
    let parts =
        response.choices.iter().flat_map(|choice| choice.parts.iter().map(|part| (choice.index, part)));
    parts
        .filter_map(|(index, part)| {
            Some((
                index,
                match &part.content {
                    Content::Text(text) | Content::Refusal(text) => text.clone(),
                    Content::Reasoning(thought) => thought.text.clone(),
                    Content::ToolCall(call) => format!("{} {}", call.name, call.arguments),
                    _ => return None,
                },
            ))
        })
        .collect()
}

fn texts(response: &ChatResponse) -> Vec<(u32, String)> {
    response.choices.iter().map(|choice| (choice.index, choice.plain_text())).collect()
}

/// The same stream with what means nothing in it.
fn noise(text: &str) -> Vec<(&'static str, String)> {
    let lines = text.replace("\r\n", "\n");
    let between = |noise: &str| lines.replace("\n\n", &format!("\n\n{noise}\n\n"));
    vec![
        ("LF line ends", lines.clone()),
        ("CRLF line ends", lines.replace('\n', "\r\n")),
        ("CR line ends", lines.replace('\n', "\r")),
        ("comments", between(": keep-alive")),
        ("pings", between("event: ping\ndata: {\"type\": \"ping\"}")),
        ("malformed chunks", between("data: {\"broken\": [1, ")),
        ("chunks of no known kind", between("data: {\"type\": \"novelty\", \"value\": 1}")),
    ]
}
