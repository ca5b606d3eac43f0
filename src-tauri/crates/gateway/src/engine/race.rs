//! A request from its start to its settling: attempt after attempt, along the plan, until one
//! answers or nothing is left to try.

use std::sync::Arc;

use canonical::{ChatRequest, Error, ErrorKind, Origin};
use checking::answer::Checks;
use ledger::Outcome;
use routing::Target;
use tokio::time::Instant;
use wire::signatures;

use super::admit::{self, Admitted};
use super::attempt::{Attempt, Opened};
use super::checks::{self, Watch, Withheld};
use super::course::Course;
use super::estimate;
use super::relay::{Relayed, relay};
use super::seen::Seen;
use super::settle::{Asked, Book, Why};
use super::thoughts::{self, Owner};
use super::{Caller, Committed, EngineEvent, Inbound, Line};
use crate::core::Core;
use crate::providers::Snapshot;

/// Runs one request. Its caller hears of it through `line`.
pub(super) async fn run(
    core: Arc<Core>,
    request_id: String,
    request: ChatRequest,
    mut caller: Caller,
    line: Line,
) {
    let inbound = caller.inbound.take();
    let client = caller.client.clone().unwrap_or_default();
    let owner = Owner { client: &client, dialect: caller.dialect };
    let running = core.count_running();
    let snapshot = core.snapshot();
    let mut book = Book::new(&core, request_id, caller, Asked::from(&request));
    // In the book before anything is waited for: a name may need the providers' lists first.
    book.started(admit::route_of(&snapshot, &request.model));
    let admitted = tokio::select! {
        biased;
        () = line.left() => Err(cancelled(&core)),
        admitted = admit::admit(&core, &snapshot, &request.model) => admitted,
    };
    let result = match admitted {
        Ok(admitted) => {
            let checks = checks::of(&core, &snapshot, &request, admitted.route.as_deref());
            // What may be changed does not pass as bytes.
            let inbound =
                inbound.as_ref().filter(|_| !checks.as_ref().is_some_and(|checks| checks.may_change()));
            let race = Race {
                core: &core,
                snapshot: &snapshot,
                request: &request,
                inbound,
                checks,
                owner,
                line: &line,
            };
            race.run(admitted, &mut book).await
        }
        Err(error) => Err(error),
    };
    let ending = book.settle(result);
    drop(running);
    line.end(ending).await;
}

struct Race<'a> {
    core: &'a Arc<Core>,
    snapshot: &'a Arc<Snapshot>,
    request: &'a ChatRequest,
    inbound: Option<&'a Inbound>,
    /// What its answers are held to.
    checks: Option<Arc<Checks>>,
    owner: Owner<'a>,
    line: &'a Line,
}

/// What became of one attempt.
enum Tried {
    Answered,
    /// Nothing has reached the caller.
    Refused(Error),
    /// The caller has seen a part of the answer.
    BrokeOff(Error),
    /// It failed its checks; perhaps the caller has seen what came before.
    Withheld(Box<Withheld>),
}

/// The question is asked once more, because its answer failed its checks.
struct Again {
    /// With what was wrong; `None` where another target is asked the same.
    request: Option<ChatRequest>,
    /// What the caller has seen.
    sent: checking::answer::Sent,
}

/// One attempt to be made.
struct Question<'a> {
    target: &'a Target,
    why: Why,
    deadline: Instant,
    watch: Option<&'a Watch>,
    again: Option<&'a Again>,
    /// The target refused a proof of thought: this time it gets none.
    take_off: bool,
}

impl Race<'_> {
    async fn run(&self, admitted: Admitted, book: &mut Book<'_>) -> Result<(), Error> {
        let deadline = book.started_at() + self.snapshot.config.timeouts.total;
        let mut course = Course::new(&admitted, deadline);
        let mut again: Option<Again> = None;
        // It refused a proof of thought, and is asked once more without any.
        let mut without_proof: Option<Target> = None;
        loop {
            let Some(target) = course.target() else {
                return Err(Error::new(ErrorKind::Internal, Origin::Gateway, "The route has no target."));
            };
            let has_next = course.has_next();
            let watch = self.watch(again.as_ref(), has_next);
            let take_off = without_proof.as_ref() == Some(target);
            let question = Question {
                target,
                why: course.why,
                deadline,
                watch: watch.as_ref(),
                again: again.as_ref(),
                take_off,
            };
            let error = match self.attempt(&question, admitted.route.as_deref(), book).await {
                Tried::Answered => return Ok(()),
                Tried::BrokeOff(error) => return Err(error),
                Tried::Refused(error) => error,
                Tried::Withheld(withheld) if again.is_some() || withheld.is_final => {
                    return Err(withheld.error);
                }
                Tried::Withheld(withheld) => {
                    let Withheld { error, corrected, sent, is_final: _ } = *withheld;
                    // Another model is the better judge of what this one got wrong; without one,
                    // the same model is told.
                    let request = if has_next { None } else { corrected };
                    if !has_next && request.is_none() {
                        return Err(error);
                    }
                    again = Some(Again { request, sent });
                    course.once_more();
                    continue;
                }
            };
            if !take_off && signatures::is_refusal(&error) && thoughts::may_have_proof(self.request) {
                without_proof = Some(target.clone());
                course.why = Why::Retry;
                continue;
            }
            if let Some(again) = &mut again {
                let before = course.position();
                course.after(self.core, error, self.line.left()).await?;
                // What is wrong in one model's answer is nothing to the next one.
                again.request = again.request.take().filter(|_| course.position() == before);
            } else {
                course.after(self.core, error, self.line.left()).await?;
            }
        }
    }

    /// What the next attempt's answer is held to.
    fn watch(&self, again: Option<&Again>, has_next: bool) -> Option<Watch> {
        let can_ask_again = has_next || self.request.choice_count.unwrap_or(1) <= 1;
        let is_last = again.is_some() || !can_ask_again;
        let checks = Arc::clone(self.checks.as_ref()?);
        Some(Watch::new(checks, again.map(|again| again.sent), is_last))
    }

    /// Asks one target; its row is in the book when this returns.
    async fn attempt(&self, question: &Question<'_>, route: Option<&str>, book: &mut Book<'_>) -> Tried {
        let Question { target, why, deadline, watch, again, take_off } = *question;
        let request = again.and_then(|again| again.request.as_ref()).unwrap_or(self.request);
        let ticket = book.attempt_started(target, why);
        let mut seen = Seen::default();
        let Some(provider) = self.snapshot.provider(&target.provider) else {
            let error = Error::new(
                ErrorKind::NotFound,
                Origin::Gateway,
                format!("There is no provider \"{}\" any more.", target.provider),
            );
            book.attempt_ended(ticket, None, &seen, Some(&error));
            return Tried::Refused(error);
        };
        let attempt = Attempt {
            core: self.core,
            snapshot: self.snapshot,
            provider,
            model: &target.model,
            request,
            inbound: self.inbound,
            watch,
            owner: self.owner,
            take_off,
            deadline,
        };
        let opened = tokio::select! {
            biased;
            () = self.line.left() => Err(cancelled(self.core)),
            opened = attempt.open(&mut seen) => opened,
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let mut error = named(seen.without_key(error), &provider.id);
                admit::explain_missing_model(self.core, provider, &target.model, &mut error);
                if seen.has_begun && seen.usage.is_none() {
                    // The provider took the question and said so: it bills what it read, however
                    // the answer ends. With an error's status, or nothing at all, it may not.
                    let written = std::mem::take(&mut seen.written);
                    seen.usage = estimate::answer(request, &target.model, written).await;
                }
                book.attempt_ended(ticket, Some(provider), &seen, Some(&error));
                return match seen.withheld {
                    Some(withheld) => Tried::Withheld(withheld),
                    None => Tried::Refused(error),
                };
            }
        };
        seen.lane = Some(opened.lane());
        // From here on this target is the one that answers: another would begin a second time.
        let committed = Committed {
            route: route.map(str::to_owned),
            provider: target.provider.clone(),
            model: target.model.clone(),
            attempts: book.attempts(),
            lane: opened.lane(),
            content_type: opened.content_type().map(str::to_owned),
            provider_request_id: seen.provider_request_id.clone(),
            notes: wire::notes::summary(&seen.notes),
        };
        let is_told = again.is_some_and(|again| !again.sent.is_nothing());
        let told = if is_told { Ok(()) } else { self.line.send(EngineEvent::Committed(committed)).await };
        let relayed = match (told, opened) {
            (Err(_), _) => Relayed::Left,
            (Ok(()), Opened::Whole(answer)) => {
                let event = match answer.raw {
                    Some(bytes) => EngineEvent::RawWhole(bytes),
                    None => EngineEvent::Whole(Box::new(answer.response)),
                };
                match self.line.send(event).await {
                    Ok(()) => Relayed::Complete,
                    Err(_) => Relayed::Left,
                }
            }
            (Ok(()), Opened::Stream(stream)) => {
                let timeouts = &self.snapshot.config.timeouts;
                relay(self.core.clock, *stream, &mut seen, request, self.line, timeouts, deadline).await
            }
        };
        let error = match relayed {
            Relayed::Complete => None,
            Relayed::Failed(error) | Relayed::Withheld(error) => {
                Some(named(seen.without_key(error), &provider.id))
            }
            Relayed::Left => Some(cancelled(self.core)),
        };
        if seen.usage.is_none() {
            let written = std::mem::take(&mut seen.written);
            seen.usage = estimate::answer(self.request, &target.model, written).await;
        }
        if let Some(thoughts) = seen.thoughts.take() {
            self.core.vault.keep(self.owner.client, thoughts);
        }
        book.committed(target);
        book.attempt_ended(ticket, Some(provider), &seen, error.as_ref());
        match (error, seen.withheld) {
            (None, _) => Tried::Answered,
            (Some(_), Some(withheld)) => Tried::Withheld(withheld),
            (Some(error), None) => Tried::BrokeOff(error),
        }
    }
}

/// Says which provider where the wire, which knows no names, could only say "the provider": on a
/// route nobody could tell otherwise.
pub(super) fn named(mut error: Error, provider: &str) -> Error {
    if let Some(rest) = error.message.strip_prefix("The provider")
        && !rest.starts_with(" \"")
    {
        error.message = format!("The provider \"{provider}\"{rest}");
    }
    error
}

/// Why nobody waits for the answer any more: the client left, or we are closing.
pub(super) fn cancelled(core: &Core) -> Error {
    if core.closing.is_cancelled() {
        let message = "Signalbox was closed before the answer was complete.";
        return Error::new(ErrorKind::Cancelled, Origin::Gateway, message);
    }
    Error::new(ErrorKind::Cancelled, Origin::Caller, "The client left before the answer was complete.")
}

/// A number from 0 up to 1; the middle where the system has no randomness to give.
pub(super) fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / (f64::from(u32::MAX) + 1.0))
}

/// How an error ends a request or an attempt.
pub(super) fn outcome_of(error: Option<&Error>) -> Outcome {
    match error.map(|error| error.kind) {
        None => Outcome::Ok,
        Some(ErrorKind::Cancelled) => Outcome::Cancelled,
        Some(ErrorKind::Truncated) => Outcome::Truncated,
        Some(_) => Outcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_provider_once_and_leaves_its_own_words_alone() {
        for (said, expected) in [
            ("The provider answered 502.", "The provider \"groq\" answered 502."),
            ("The provider's answer was empty.", "The provider \"groq\"'s answer was empty."),
            ("The provider \"groq\" fell silent.", "The provider \"groq\" fell silent."),
            ("Rate limit reached", "Rate limit reached"),
        ] {
            let error = Error::new(ErrorKind::ServerError, Origin::Provider, said);
            assert_eq!(named(error, "groq").message, expected);
        }
    }
}
