//! A committed answer passed on, event by event, to a caller who may be slow or leave.

use std::time::Duration;

use canonical::{ChatRequest, Error, StreamEvent};
use tokio::time::timeout_at;

use super::attempt::{OpenStream, Pace, out_of_time, silence};
use super::continuation::{Join, Told};
use super::lane::Lane;
use super::seen::Seen;
use super::source::{Arrived, More, Source};
use super::{EngineEvent, Left, Line, Raw};
use crate::clock::Clock;

/// How a committed answer ended.
#[derive(Debug)]
pub(super) enum Relayed {
    Complete,
    Failed(Error),
    /// Its checks kept the rest back; `seen` says why.
    Withheld(Error),
    Left,
}

/// What the caller has of an answer that may be gone on with, and how this one follows.
#[derive(Debug, Default)]
pub(super) struct Thread {
    pub told: Told,
    /// Where an answer before broke off.
    pub join: Option<Join>,
}

/// A committed answer on its way.
pub(super) struct Relay<'a> {
    pub clock: Clock,
    pub request: &'a ChatRequest,
    pub line: &'a Line,
    pub idle: Duration,
    pub pace: Pace,
    /// `None` where nobody would go on.
    pub thread: Option<&'a mut Thread>,
}

impl Relay<'_> {
    /// Passes everything on until the end. One event is in flight at a time: the provider is read no
    /// faster than the caller reads.
    pub(super) async fn run(mut self, stream: OpenStream, seen: &mut Seen) -> Relayed {
        let OpenStream { mut source, mut pending, mut is_over, mut error, mut watched } = stream;
        let mut withheld = None;
        let lane = source.lane();
        let relayed = loop {
            pending.hide(seen.key.as_ref());
            self.thread(&mut pending, error.is_some());
            if pass_on(self.line, &mut pending, lane).await.is_err() {
                break Relayed::Left;
            }
            if let Some(error) = error {
                break Relayed::Failed(error);
            }
            if let Some(error) = withheld {
                break Relayed::Withheld(error);
            }
            if is_over {
                break Relayed::Complete;
            }
            let step = self.step(&mut source, &mut pending, lane).await;
            let now = self.clock.now();
            for event in &pending.events {
                seen.note(event, now);
            }
            if let Some(watched) = &mut watched {
                watched.sift(&mut pending.events, 0);
            }
            match step {
                None => break Relayed::Left,
                Some(Ok(More::Yes)) => {}
                Some(Ok(More::No)) => (is_over, error) = (true, seen.finish_error()),
                Some(Err(reason)) => error = Some(reason),
            }
            let Some(watched) = &mut watched else { continue };
            if error.is_some() {
                watched.release(&mut pending.events);
            } else if is_over && let Some(kept) = watched.end(self.request, &mut pending.events) {
                withheld = Some(kept.error.clone());
                seen.withheld = Some(Box::new(kept));
            }
        };
        if let Some(watched) = &watched {
            seen.report = watched.report().clone();
        }
        seen.passed_over = source.passed_over();
        source.log();
        relayed
    }

    /// The next piece; `None` where the caller has left.
    async fn step(
        &self,
        source: &mut Source,
        pending: &mut Arrived,
        lane: Lane,
    ) -> Option<Result<More, Error>> {
        // Only events move it: pings and comments make none.
        let mut idle = self.clock.now() + self.idle;
        loop {
            let step = tokio::select! {
                biased;
                () = self.line.left() => return None,
                step = timeout_at(idle.min(self.pace.deadline), source.next(pending)) => step,
            };
            match step {
                Ok(Ok(More::Yes)) if pending.events.is_empty() => {
                    let since = self.clock.now();
                    pass_on(self.line, pending, lane).await.ok()?;
                    // The time in which a slow client took them is not the provider's.
                    idle += self.clock.now() - since;
                }
                Ok(step) => return Some(step),
                Err(_) => {
                    let error = if idle < self.pace.deadline {
                        silence(source.provider(), self.idle)
                    } else {
                        out_of_time(source.provider(), self.pace.total)
                    };
                    return Some(source.finish_early(pending, error));
                }
            }
        }
    }

    /// Makes of what has arrived what the caller sees behind the answers before, and remembers it.
    fn thread(&mut self, pending: &mut Arrived, is_broken: bool) {
        let Some(thread) = &mut self.thread else { return };
        if is_broken {
            // A decoder ends the parts that a break left open; who goes on keeps them so.
            while pending.events.last().is_some_and(|event| matches!(event, StreamEvent::PartEnd { .. })) {
                pending.events.pop();
            }
        }
        if let Some(join) = &mut thread.join {
            for event in std::mem::take(&mut pending.events) {
                join.take(event, &mut pending.events);
            }
            if is_broken {
                join.release(&mut pending.events);
            }
        }
        for event in &pending.events {
            thread.told.note(event);
        }
    }
}

/// Passes on what has arrived: the provider's bytes, or its events for the client's own dialect.
async fn pass_on(line: &Line, arrived: &mut Arrived, lane: Lane) -> Result<(), Left> {
    match lane {
        Lane::Translated => {
            for event in arrived.events.drain(..) {
                line.send(EngineEvent::Answer(event)).await?;
            }
        }
        Lane::Verbatim => {
            arrived.events.clear();
            let last = arrived.raw.len().saturating_sub(1);
            for (position, bytes) in arrived.raw.drain(..).enumerate() {
                let is_last_word = arrived.has_last_word && position == last;
                line.send(EngineEvent::Raw(Raw { bytes, is_last_word })).await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]
mod tests;
