//! A committed answer passed on, event by event, to a caller who may be slow or leave.

use canonical::{ChatRequest, Error};
use tokio::time::{Instant, timeout_at};

use super::attempt::{OpenStream, out_of_time, silence};
use super::lane::Lane;
use super::seen::Seen;
use super::source::{Arrived, More};
use super::{EngineEvent, Left, Line, Raw};
use crate::clock::Clock;
use crate::config::Timeouts;

/// How a committed answer ended.
#[derive(Debug)]
pub(super) enum Relayed {
    Complete,
    Failed(Error),
    /// Its checks kept the rest back; `seen` says why.
    Withheld(Error),
    Left,
}

/// Passes everything on until the end. One event is in flight at a time: the provider is read no
/// faster than the caller reads.
pub(super) async fn relay(
    clock: Clock,
    stream: OpenStream,
    seen: &mut Seen,
    request: &ChatRequest,
    line: &Line,
    timeouts: &Timeouts,
    deadline: Instant,
) -> Relayed {
    let OpenStream { mut source, mut pending, mut is_over, mut error, mut watched } = stream;
    let mut withheld = None;
    let lane = source.lane();
    let relayed = loop {
        pending.hide(seen.key.as_ref());
        if pass_on(line, &mut pending, lane).await.is_err() {
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
        // Only events move it: pings and comments make none.
        let mut idle = clock.now() + timeouts.idle;
        let step = loop {
            let step = tokio::select! {
                biased;
                () = line.left() => break None,
                step = timeout_at(idle.min(deadline), source.next(&mut pending)) => step,
            };
            match step {
                Ok(Ok(More::Yes)) if pending.events.is_empty() => {
                    let since = clock.now();
                    if pass_on(line, &mut pending, lane).await.is_err() {
                        break None;
                    }
                    // The time in which a slow client took them is not the provider's.
                    idle += clock.now() - since;
                }
                Ok(step) => break Some(step),
                Err(_) => {
                    let error = if idle < deadline {
                        silence(source.provider(), timeouts.idle)
                    } else {
                        out_of_time(source.provider(), timeouts.total)
                    };
                    break Some(source.finish_early(&mut pending, error));
                }
            }
        };
        let now = clock.now();
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
        } else if is_over && let Some(kept) = watched.end(request, &mut pending.events) {
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
