//! A request from its start to its settling: attempt after attempt, as the router says, until one
//! answers or nothing is left to try.

use std::sync::Arc;

use canonical::{ChatRequest, Error, ErrorKind, Origin, Usage};
use checking::answer::Checks;
use ledger::Outcome as Booked;
use routing::decision::Why;
use routing::policy::{Cause, OnBreak};
use routing::run::GaveUp;
use routing::{Ask, Route, Target};
use tokio::time::{Instant, sleep_until};
use wire::{Prefill, Profile, signatures};

use super::admit::{self, Admitted};
use super::attempt::{Attempt, Opened, Pace};
use super::checks::{self, Watch, Withheld};
use super::continuation::{self, How, Join, Seam};
use super::drive::{Drive, Leg, Outcome, Turn, hopeless, in_short};
use super::relay::{Relay, Relayed, Thread};
use super::seen::Seen;
use super::settle::{Asked, Book, Ticket};
use super::thoughts::{self, Owner};
use super::{Caller, Committed, EngineEvent, Inbound, Line, estimate, facts};
use crate::core::Core;
use crate::models;
use crate::providers::{Provider, Snapshot};

/// Runs one request. Its caller hears of it through `line`.
pub(super) async fn run(
    core: Arc<Core>,
    request_id: String,
    request: ChatRequest,
    caller: Caller,
    line: Line,
) {
    let running = core.count_running();
    let snapshot = core.snapshot();
    let mut book = Book::new(&core, request_id, caller.clone(), Asked::from(&request));
    // In the book before anything is waited for: a name may need the providers' lists first.
    book.started(admit::route_of(&snapshot, &request.model));
    let admitted = tokio::select! {
        biased;
        () = line.left() => Err(cancelled(&core)),
        admitted = admit::admit(&core, &snapshot, &request.model) => admitted,
    };
    let result = match admitted {
        Ok(admitted) => admitted_run(&core, &snapshot, &request, &caller, &line, &admitted, &mut book).await,
        Err(error) => Err(error),
    };
    let ending = book.settle(result);
    drop(running);
    line.end(ending).await;
}

async fn admitted_run(
    core: &Arc<Core>,
    snapshot: &Arc<Snapshot>,
    request: &ChatRequest,
    caller: &Caller,
    line: &Line,
    admitted: &Admitted,
    book: &mut Book<'_>,
) -> Result<(), Error> {
    let checks = checks::of(core, snapshot, request, admitted.name.as_deref());
    // What may be changed does not pass as bytes.
    let inbound =
        caller.inbound.as_ref().filter(|_| !checks.as_ref().is_some_and(|checks| checks.may_change()));
    let route = &admitted.route;
    let pace = Pace::of(&snapshot.config.timeouts, route, book.started_at());
    let ask = Ask {
        route: Arc::clone(route),
        facts: core.facts.of(core, snapshot, route),
        client: caller.client.clone(),
        model: request.model.clone(),
        tags: caller.hints.tags.clone(),
        traits: facts::traits(request, caller),
        output_tokens: facts::output_tokens(request),
        conversation: facts::conversation(request, caller),
        acts: facts::acts(request),
        first_content: pace.first_content,
        deadline: core.mono_of(pace.deadline),
    };
    let mut drive = Drive::begin(core, ask, |name| admit::led_to(core, snapshot, name))?;
    let race = Race {
        core,
        snapshot,
        request,
        inbound,
        checks,
        owner: Owner { client: caller.client.as_deref().unwrap_or_default(), dialect: caller.dialect },
        line,
        name: admitted.name.as_deref(),
        route,
        pace,
    };
    let result = race.run(&mut drive, book).await;
    book.decided(&drive.decision());
    result
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
    /// The client's name for what it asked, where that is a route.
    name: Option<&'a str>,
    route: &'a Route,
    pace: Pace,
}

/// What became of one attempt.
enum Tried {
    Answered,
    /// Nothing has reached the caller.
    Refused(Error),
    /// The caller has seen a part of the answer.
    BrokeOff(Error),
    /// Likewise, and another model may go on from there.
    Goes(Error),
    /// It failed its checks; perhaps the caller has seen what came before.
    Withheld(Box<Withheld>),
}

/// The question is asked once more, because its answer failed its checks.
struct Again {
    /// With what was wrong, for the target that got it wrong; another one is asked the same.
    request: Option<(Target, ChatRequest)>,
    /// What the caller has seen.
    sent: checking::answer::Sent,
}

/// An answer that the caller has a part of.
struct Broke {
    error: Error,
    from: Target,
}

/// What a request remembers from one attempt to the next.
#[derive(Default)]
struct Story {
    again: Option<Again>,
    broke: Option<Broke>,
    thread: Thread,
    /// What the attempts of a joined answer used.
    used: Option<Usage>,
    /// Of the last attempt that nobody saw.
    error: Option<Error>,
}

/// What one attempt asks.
struct Asking<'a> {
    request: &'a ChatRequest,
    inbound: Option<&'a Inbound>,
    watch: Option<&'a Watch>,
    take_off: bool,
}

/// An attempt under way, with its row.
struct Entry {
    leg: Leg,
    provider: Arc<Provider>,
    ticket: Ticket,
    started: Instant,
    seen: Seen,
}

impl Race<'_> {
    async fn run(&self, drive: &mut Drive<'_>, book: &mut Book<'_>) -> Result<(), Error> {
        let mut story = Story::default();
        let result = self.tries(drive, &mut story, book).await;
        if result.as_ref().is_err_and(|error| error.kind != ErrorKind::Cancelled) {
            // Nobody goes on: the parts that were left open for one end here.
            for event in story.thread.told.ends() {
                if self.line.send(EngineEvent::Answer(event)).await.is_err() {
                    break;
                }
            }
        }
        result
    }

    async fn tries(
        &self,
        drive: &mut Drive<'_>,
        story: &mut Story,
        book: &mut Book<'_>,
    ) -> Result<(), Error> {
        loop {
            let leg = match drive.next(self.line.left()).await? {
                Turn::Ask(leg) => leg,
                Turn::GiveUp(gave_up) => return Err(self.given_up(&gave_up, story)),
            };
            match self.leg(leg.clone(), drive, story, book).await {
                Tried::Answered => return Ok(()),
                Tried::BrokeOff(error) => return Err(error),
                Tried::Refused(error) => story.error = Some(error),
                Tried::Goes(error) => story.broke = Some(Broke { error, from: leg.target }),
                Tried::Withheld(withheld) if story.again.is_some() || withheld.is_final => {
                    return Err(withheld.error);
                }
                Tried::Withheld(withheld) => {
                    let Withheld { error, corrected, sent, is_final: _ } = *withheld;
                    // Another model is the better judge of what this one got wrong; without one,
                    // the same model is told.
                    let request = corrected.filter(|_| !leg.has_alternative);
                    if !leg.has_alternative && request.is_none() {
                        return Err(error);
                    }
                    story.again = Some(Again { request: request.map(|it| (leg.target, it)), sent });
                    story.error = Some(error);
                }
            }
        }
    }

    /// The error that is the answer.
    fn given_up(&self, gave_up: &GaveUp, story: &mut Story) -> Error {
        if let Some(broke) = story.broke.take() {
            return broke.error;
        }
        match story.error.take() {
            Some(mut error) => {
                if error.kind == ErrorKind::RateLimited || error.kind == ErrorKind::Overloaded {
                    error.retry_after = error.retry_after.or(gave_up.retry_after);
                }
                error
            }
            None => hopeless(self.core, gave_up, &self.route.name),
        }
    }

    /// Makes the attempt that the router gave leave for, and a second one beside it where the first
    /// is slow; both are in the book and back at the router when this returns.
    async fn leg(&self, leg: Leg, drive: &mut Drive<'_>, story: &mut Story, book: &mut Book<'_>) -> Tried {
        let joint = match self.joint(&leg, story) {
            Ok(joint) => joint,
            Err(error) => {
                let outcome = Outcome { error: Some(&error), ..Outcome::default() };
                drive.ended(&leg, outcome, &mut Seen::default(), self.core.clock.now(), None);
                return Tried::BrokeOff(error);
            }
        };
        let first = match self.enter(leg, drive, book) {
            Ok(entry) => entry,
            Err(error) => return Tried::Refused(error),
        };
        let corrected = story.again.as_mut().and_then(|again| again.request.take());
        let corrected =
            corrected.filter(|(target, _)| *target == first.leg.target).map(|(_, request)| request);
        let (joint, joined) = joint.map(|joint| (joint.joined, joint.request)).unzip();
        let other = joined.or(corrected);
        let request = other.as_ref().unwrap_or(self.request);
        let watch = self.watch(story.again.as_ref(), first.leg.has_alternative);
        let mut asking = Asking {
            request,
            inbound: self.inbound.filter(|_| other.is_none()),
            // Half of a text has no format that could be checked.
            watch: watch.as_ref().filter(|_| joint.is_none() || request.response_format.is_none()),
            take_off: false,
        };
        let (mut entry, mut begun) = self.first_of_pair(first, &asking, drive, book).await;
        if let Err(error) = &begun
            && signatures::is_refusal(error)
            && thoughts::may_have_proof(self.request)
        {
            // It refused a proof of thought, and is asked once more without any.
            entry = self.enter_again(entry, error, book);
            asking.take_off = true;
            begun = self.begin(&mut entry, &asking).await;
        }
        drive.learn(&entry.leg, &mut entry.seen);
        if begun.is_ok() {
            drive.answering(&entry.leg);
        }
        let opened = match begun {
            Ok(begun) => self.commit(begun, &mut entry, &asking).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok(opened) => self.pass_on(opened, entry, &asking, joint, drive, story, book).await,
            Err(error) => self.refused(entry, error, &asking, drive, book).await,
        }
    }

    // === Before the first content ===

    /// Enters the attempt in the book.
    fn enter(&self, leg: Leg, drive: &mut Drive<'_>, book: &mut Book<'_>) -> Result<Entry, Error> {
        let ticket = book.attempt_started(&leg.target, leg.why.as_str());
        let mut seen = Seen { is_stream: self.request.stream, ..Seen::default() };
        let started = self.core.clock.now();
        let Some(provider) = self.snapshot.provider(&leg.target.provider) else {
            let message = format!("There is no provider \"{}\" any more.", leg.target.provider);
            let error = Error::new(ErrorKind::NotFound, Origin::Gateway, message);
            book.attempt_ended(ticket, None, &seen, Some(&error));
            drive.ended(
                &leg,
                Outcome { error: Some(&error), ..Outcome::default() },
                &mut seen,
                started,
                None,
            );
            return Err(error);
        };
        Ok(Entry { leg, provider: Arc::clone(provider), ticket, started, seen })
    }

    /// The same target once more, with the same leave: it refused a part of the question.
    fn enter_again(&self, entry: Entry, error: &Error, book: &mut Book<'_>) -> Entry {
        let Entry { leg, provider, ticket, seen, started: _ } = entry;
        let error = self.explained(&provider, &leg.target, &seen, error.clone());
        book.attempt_ended(ticket, Some(&provider), &seen, Some(&error));
        let ticket = book.attempt_started(&leg.target, Why::Retry.as_str());
        let seen = Seen { is_stream: self.request.stream, ..Seen::default() };
        Entry { leg, provider, ticket, started: self.core.clock.now(), seen }
    }

    /// How this attempt goes on with an answer that broke off; `None` where none did.
    fn joint(&self, leg: &Leg, story: &Story) -> Result<Option<Joint>, Error> {
        let Some(broke) = &story.broke else { return Ok(None) };
        let (target, told) = (&leg.target, &story.thread.told);
        let how = if self.route.on_break == OnBreak::Restart {
            How::restart(&target.to_string())
        } else {
            How::Continue(self.prefill(target))
        };
        if told.obstacle_for(self.request, &how).is_some() {
            return Err(broke.error.clone());
        }
        let seam = Seam {
            at_chars: told.chars(),
            from: broke.from.to_string(),
            to: target.to_string(),
            cause: broke.error.kind,
            how: how.as_str(),
        };
        let request = continuation::question(self.request, told, &how);
        let join = Join::new(told, &how, story.used.clone());
        Ok(Some(Joint { request, joined: Joined { join, seam } }))
    }

    /// How the model is brought to go on: as its profiles say, unless the catalogue knows better.
    fn prefill(&self, target: &Target) -> Prefill {
        let Some(provider) = self.snapshot.provider(&target.provider) else { return Prefill::Never };
        if models::goes_on(provider, &target.model) == Some(false) {
            return Prefill::Never;
        }
        let (profiles, protocol) = (provider.profiles.iter(), provider.protocol.id());
        Profile::of(profiles, protocol, &target.model, self.request).prefill.unwrap_or_default()
    }

    /// What the next attempt's answer is held to.
    fn watch(&self, again: Option<&Again>, has_next: bool) -> Option<Watch> {
        let can_ask_again = has_next || self.request.choice_count.unwrap_or(1) <= 1;
        let is_last = again.is_some() || !can_ask_again;
        let checks = Arc::clone(self.checks.as_ref()?);
        Some(Watch::new(checks, again.map(|again| again.sent), is_last))
    }

    fn attempt<'e>(&'e self, provider: &'e Provider, leg: &'e Leg, asking: &Asking<'e>) -> Attempt<'e> {
        Attempt {
            core: self.core,
            snapshot: self.snapshot,
            provider,
            model: &leg.target.model,
            request: asking.request,
            inbound: asking.inbound,
            watch: asking.watch,
            owner: self.owner,
            take_off: asking.take_off,
            pace: self.pace,
            may_be_joined: self.may_be_joined(),
        }
    }

    /// Whether another model may go on with an answer of this request.
    fn may_be_joined(&self) -> bool {
        self.route.on_break != OnBreak::End
            && self.request.stream
            && self.request.choice_count.unwrap_or(1) <= 1
    }

    /// Asks, up to the first content.
    async fn begin(&self, entry: &mut Entry, asking: &Asking<'_>) -> Result<Opened, Error> {
        let Entry { leg, provider, seen, .. } = entry;
        let attempt = self.attempt(provider, leg, asking);
        tokio::select! {
            biased;
            () = self.line.left() => Err(cancelled(self.core)),
            begun = attempt.begin(seen) => begun,
        }
    }

    async fn commit(&self, begun: Opened, entry: &mut Entry, asking: &Asking<'_>) -> Result<Opened, Error> {
        let Entry { leg, provider, seen, .. } = entry;
        let attempt = self.attempt(provider, leg, asking);
        tokio::select! {
            biased;
            () = self.line.left() => Err(cancelled(self.core)),
            opened = attempt.commit(begun, seen) => opened,
        }
    }

    /// The attempt whose content comes first: `first`, or a second one that is asked beside it once it
    /// is slow. The other one is hung up on.
    async fn first_of_pair(
        &self,
        mut first: Entry,
        asking: &Asking<'_>,
        drive: &mut Drive<'_>,
        book: &mut Book<'_>,
    ) -> (Entry, Result<Opened, Error>) {
        // A whole answer has no first content that could be late.
        let Some(hedge_at) = first.leg.hedge_at.filter(|_| self.request.stream) else {
            let begun = self.begin(&mut first, asking).await;
            return (first, begun);
        };
        let provider = Arc::clone(&first.provider);
        let leg = first.leg.clone();
        let attempt = self.attempt(&provider, &leg, asking);
        let mut one = Box::pin(attempt.begin(&mut first.seen));
        let lone = tokio::select! {
            biased;
            () = self.line.left() => Some(Err(cancelled(self.core))),
            begun = &mut one => Some(begun),
            () = sleep_until(hedge_at) => None,
        };
        if let Some(begun) = lone {
            drop(one);
            return (first, begun);
        }
        let second = drive.hedge().and_then(|leg| self.enter(leg, drive, book).ok());
        let Some(mut second) = second else {
            let begun = self.unless_left(&mut one).await;
            drop(one);
            return (first, begun);
        };
        let (other, other_leg) = (Arc::clone(&second.provider), second.leg.clone());
        let other = self.attempt(&other, &other_leg, asking);
        let mut two = Box::pin(other.begin(&mut second.seen));
        let (is_second, begun) = tokio::select! {
            biased;
            () = self.line.left() => (false, Err(cancelled(self.core))),
            begun = &mut one => (false, begun),
            begun = &mut two => (true, begun),
        };
        let has_left = begun.as_ref().is_err_and(|error| error.kind == ErrorKind::Cancelled);
        match (begun, is_second) {
            (Ok(begun), false) => {
                drop((one, two));
                self.lost(second, slower(), asking, drive, book).await;
                (first, Ok(begun))
            }
            (Ok(begun), true) => {
                drop((one, two));
                self.lost(first, slower(), asking, drive, book).await;
                (second, Ok(begun))
            }
            (Err(error), _) if has_left => {
                drop((one, two));
                self.lost(second, error.clone(), asking, drive, book).await;
                (first, Err(error))
            }
            // One of them failed: all hope is in the other.
            (Err(error), false) => {
                drop(one);
                self.refused(first, error, asking, drive, book).await;
                let begun = self.unless_left(&mut two).await;
                drop(two);
                (second, begun)
            }
            (Err(error), true) => {
                drop(two);
                self.refused(second, error, asking, drive, book).await;
                let begun = self.unless_left(&mut one).await;
                drop(one);
                (first, begun)
            }
        }
    }

    async fn unless_left(&self, begun: impl Future<Output = Result<Opened, Error>>) -> Result<Opened, Error> {
        tokio::select! {
            biased;
            () = self.line.left() => Err(cancelled(self.core)),
            begun = begun => begun,
        }
    }

    /// The slower one of a pair: hung up on, and charged for what it is known to have taken.
    async fn lost(
        &self,
        mut entry: Entry,
        error: Error,
        asking: &Asking<'_>,
        drive: &mut Drive<'_>,
        book: &mut Book<'_>,
    ) {
        self.count_begun(&mut entry, asking).await;
        let cost = book.attempt_ended(entry.ticket, Some(&entry.provider), &entry.seen, Some(&error));
        let outcome = Outcome { error: Some(&error), has_lost: true, ..Outcome::default() };
        drive.ended(&entry.leg, outcome, &mut entry.seen, entry.started, cost.picousd());
    }

    /// The provider took the question and said so: it bills what it read, however the answer ends.
    /// With an error's status, or nothing at all, it may not.
    async fn count_begun(&self, entry: &mut Entry, asking: &Asking<'_>) {
        if entry.seen.has_begun && entry.seen.usage.is_none() {
            let written = std::mem::take(&mut entry.seen.written);
            entry.seen.usage = estimate::answer(asking.request, &entry.leg.target.model, written).await;
        }
    }

    fn explained(&self, provider: &Provider, target: &Target, seen: &Seen, error: Error) -> Error {
        let mut error = named(seen.without_key(error), &provider.id);
        admit::explain_missing_model(self.core, provider, &target.model, &mut error);
        error
    }

    /// An attempt of which nothing reached the caller.
    async fn refused(
        &self,
        mut entry: Entry,
        error: Error,
        asking: &Asking<'_>,
        drive: &mut Drive<'_>,
        book: &mut Book<'_>,
    ) -> Tried {
        let error = self.explained(&entry.provider, &entry.leg.target, &entry.seen, error);
        self.count_begun(&mut entry, asking).await;
        let Entry { leg, provider, ticket, started, mut seen } = entry;
        let cost = book.attempt_ended(ticket, Some(&provider), &seen, Some(&error));
        let cause = seen.withheld.is_some().then_some(Cause::Check);
        let mut told = error.clone();
        if provider.is_rehearsal && told.kind == ErrorKind::Authentication {
            // Each of its models plays a fault of its own, and has no key that others would share.
            told.kind = ErrorKind::Permission;
        }
        let outcome = Outcome { error: Some(&told), cause, ..Outcome::default() };
        drive.ended(&leg, outcome, &mut seen, started, cost.picousd());
        match seen.withheld {
            Some(withheld) => Tried::Withheld(withheld),
            None => Tried::Refused(error),
        }
    }

    // === From the first content on ===

    /// Passes an answer on until its end.
    #[expect(clippy::too_many_arguments, reason = "everything that an attempt touches at its end")]
    async fn pass_on(
        &self,
        opened: Opened,
        mut entry: Entry,
        asking: &Asking<'_>,
        joint: Option<Joined>,
        drive: &mut Drive<'_>,
        story: &mut Story,
        book: &mut Book<'_>,
    ) -> Tried {
        entry.seen.lane = Some(opened.lane());
        let is_joined = joint.is_some();
        let told = match joint {
            Some(joint) => {
                drive.seam(&entry.leg, joint.seam.at_chars);
                story.thread.join = Some(joint.join);
                self.line.send(EngineEvent::Seam(joint.seam)).await
            }
            None if story.again.as_ref().is_some_and(|again| !again.sent.is_nothing()) => Ok(()),
            // From here on this target is the one that answers: another would begin a second time.
            None => {
                let committed = self.committed(&opened, &entry, drive, book);
                self.line.send(EngineEvent::Committed(committed)).await
            }
        };
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
                let relay = Relay {
                    clock: self.core.clock,
                    request: asking.request,
                    line: self.line,
                    idle: self.snapshot.config.timeouts.idle,
                    pace: self.pace,
                    thread: self.may_be_joined().then_some(&mut story.thread),
                };
                relay.run(*stream, &mut entry.seen).await
            }
        };
        let Entry { leg, provider, ticket, started, mut seen } = entry;
        let error = match relayed {
            Relayed::Complete => None,
            Relayed::Failed(error) | Relayed::Withheld(error) => {
                Some(named(seen.without_key(error), &provider.id))
            }
            Relayed::Left => Some(cancelled(self.core)),
        };
        if seen.usage.is_none() {
            let written = std::mem::take(&mut seen.written);
            seen.usage = estimate::answer(asking.request, &leg.target.model, written).await;
        }
        if let Some(thoughts) = seen.thoughts.take() {
            self.core.vault.keep(self.owner.client, thoughts);
        }
        book.committed(&leg.target, seen.first_content);
        let cost = book.attempt_ended(ticket, Some(&provider), &seen, error.as_ref());
        let goes_on = self.goes_on(error.as_ref(), &seen, story);
        let cause = match (&seen.withheld, goes_on) {
            (Some(_), _) => Some(Cause::Check),
            (None, true) => Some(Cause::Broke),
            (None, false) => None,
        };
        let outcome = Outcome { error: error.as_ref(), cause, has_lost: false, is_committed: true };
        drive.ended(&leg, outcome, &mut seen, started, cost.picousd());
        if is_joined || goes_on {
            let both = story
                .used
                .take()
                .zip(seen.usage.as_ref())
                .map(|(before, now)| continuation::sum(&before, now));
            story.used = both.or_else(|| seen.usage.take());
            book.joined(story.used.as_ref());
        }
        match (error, seen.withheld) {
            (None, _) => Tried::Answered,
            (Some(_), Some(withheld)) => Tried::Withheld(withheld),
            (Some(error), None) if goes_on => Tried::Goes(error),
            (Some(error), None) => Tried::BrokeOff(error),
        }
    }

    /// Whether another model is to go on with an answer that ended so.
    fn goes_on(&self, error: Option<&Error>, seen: &Seen, story: &Story) -> bool {
        let is_theirs = error.is_some_and(|error| {
            matches!(error.origin, Origin::Provider | Origin::Network) && error.kind != ErrorKind::Cancelled
        });
        is_theirs
            && self.may_be_joined()
            && seen.withheld.is_none()
            && story.again.is_none()
            && self.core.clock.now() < self.pace.deadline
            && story.thread.told.obstacle(self.request).is_none()
    }

    fn committed(&self, opened: &Opened, entry: &Entry, drive: &Drive<'_>, book: &Book<'_>) -> Committed {
        Committed {
            route: self.name.map(str::to_owned),
            provider: entry.leg.target.provider.clone(),
            model: entry.leg.target.model.clone(),
            attempts: book.attempts(),
            decision: in_short(&drive.decision(), Some(&entry.leg.target)),
            lane: opened.lane(),
            content_type: opened.content_type().map(str::to_owned),
            provider_request_id: entry.seen.provider_request_id.clone(),
            notes: wire::notes::summary(&entry.seen.notes),
        }
    }
}

/// Why the other one of a pair is hung up on.
fn slower() -> Error {
    let message = "Another target that was asked beside it answered first.";
    Error::new(ErrorKind::Cancelled, Origin::Gateway, message)
}

/// An attempt that goes on with an answer before it.
struct Joint {
    request: ChatRequest,
    joined: Joined,
}

struct Joined {
    join: Join,
    seam: Seam,
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
pub(super) fn outcome_of(error: Option<&Error>) -> Booked {
    match error.map(|error| error.kind) {
        None => Booked::Ok,
        Some(ErrorKind::Cancelled) => Booked::Cancelled,
        Some(ErrorKind::Truncated) => Booked::Truncated,
        Some(_) => Booked::Failed,
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
