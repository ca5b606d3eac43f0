//! Embeddings: the same course as a conversation's (admitted, tried along the plan, in the book), with
//! an answer that comes whole.

use std::sync::Arc;

use canonical::{EmbeddingRequest, EmbeddingResponse, Error, ErrorKind, Origin, Retry};
use futures_util::{StreamExt, stream};
use routing::{Ask, Route, Target};
use tokio::sync::oneshot;
use tokio::time::timeout_at;
use tokio_util::sync::{CancellationToken, DropGuard};
use wire::TargetContext;

use super::attempt::{Pace, out_of_time};
use super::drive::{Drive, Leg, Outcome, Turn, hopeless};
use super::exchange::exchange;
use super::race::{cancelled, named};
use super::seen::Seen;
use super::settle::{Asked, Book};
use super::{Caller, Ending, admit, estimate, facts};
use crate::core::Core;
use crate::providers::{Provider, Snapshot};

/// Requests to one provider at a time, where it takes few texts in each.
const AT_ONCE: usize = 8;

/// A request for embeddings under way. Dropping it is leaving.
pub(crate) struct Embedding {
    pub request_id: String,
    pub answer: oneshot::Receiver<Embedded>,
    _leaving: DropGuard,
}

pub(crate) struct Embedded {
    /// `None` where it did not end well: the ending says why.
    pub response: Option<EmbeddingResponse>,
    pub ending: Ending,
}

/// Starts a request and returns at once. Needs a tokio runtime.
pub(crate) fn embed(core: &Arc<Core>, request: Arc<EmbeddingRequest>, caller: Caller) -> Embedding {
    let request_id = caller.request_id.clone().unwrap_or_else(|| core.clock.new_id());
    let leaving = core.closing.child_token();
    let (sender, answer) = oneshot::channel();
    let (core, id, left) = (Arc::clone(core), request_id.clone(), leaving.clone());
    let tracker = core.requests.clone();
    tracker.spawn(async move {
        let embedded = run(&core, id, request, caller, left).await;
        // Nobody there to hear it is fine: it stands in the book.
        let _ = sender.send(embedded);
    });
    Embedding { request_id, answer, _leaving: leaving.drop_guard() }
}

async fn run(
    core: &Arc<Core>,
    request_id: String,
    request: Arc<EmbeddingRequest>,
    caller: Caller,
    leaving: CancellationToken,
) -> Embedded {
    let _running = core.count_running();
    let snapshot = core.snapshot();
    let client = caller.client.clone();
    let mut book = Book::new(core, request_id, caller, Asked::from(&*request));
    book.started(admit::route_of(&snapshot, &request.model));
    let job = Job { core, snapshot: &snapshot, request: &request, client, leaving: &leaving };
    match job.run(&mut book).await {
        Ok(response) => Embedded { response: Some(response), ending: book.settle(Ok(())) },
        Err(error) => Embedded { response: None, ending: book.settle(Err(error)) },
    }
}

struct Job<'a> {
    core: &'a Arc<Core>,
    snapshot: &'a Arc<Snapshot>,
    request: &'a Arc<EmbeddingRequest>,
    client: Option<String>,
    leaving: &'a CancellationToken,
}

impl Job<'_> {
    async fn run(&self, book: &mut Book<'_>) -> Result<EmbeddingResponse, Error> {
        let admitted = tokio::select! {
            biased;
            () = self.leaving.cancelled() => return Err(cancelled(self.core)),
            admitted = admit::admit(self.core, self.snapshot, &self.request.model) => admitted?,
        };
        let route = &admitted.route;
        let pace = Pace::of(&self.snapshot.config.timeouts, route, book.started_at());
        let ask = Ask {
            route: Arc::clone(route),
            facts: self.core.facts.of(self.core, self.snapshot, route),
            client: self.client.clone(),
            model: self.request.model.clone(),
            tags: Vec::new(),
            traits: facts::embedding_traits(self.request),
            output_tokens: 0,
            conversation: None,
            acts: false,
            first_content: pace.first_content,
            deadline: self.core.mono_of(pace.deadline),
        };
        let mut drive = Drive::begin(self.core, ask, |name| admit::led_to(self.core, self.snapshot, name))?;
        let result = self.tries(&mut drive, route, pace, book).await;
        book.decided(&drive.decision());
        result
    }

    async fn tries(
        &self,
        drive: &mut Drive<'_>,
        route: &Route,
        pace: Pace,
        book: &mut Book<'_>,
    ) -> Result<EmbeddingResponse, Error> {
        let mut last = None;
        loop {
            match drive.next(self.leaving.cancelled()).await? {
                Turn::GiveUp(gave_up) => {
                    return Err(last.unwrap_or_else(|| hopeless(self.core, &gave_up, &route.name)));
                }
                Turn::Ask(leg) => match self.attempt(&leg, pace, drive, book).await {
                    Ok(response) => return Ok(response),
                    Err(error) => last = Some(error),
                },
            }
        }
    }

    /// Asks one target; its row is in the book when this returns.
    async fn attempt(
        &self,
        leg: &Leg,
        pace: Pace,
        drive: &mut Drive<'_>,
        book: &mut Book<'_>,
    ) -> Result<EmbeddingResponse, Error> {
        let target = &leg.target;
        let ticket = book.attempt_started(target, leg.why.as_str());
        let started = self.core.clock.now();
        let mut seen = Seen::default();
        let provider = self.snapshot.provider(&target.provider);
        let result = if let Some(provider) = provider {
            self.asked(provider, target, pace, &mut seen).await
        } else {
            let message = format!("There is no provider \"{}\" any more.", target.provider);
            Err(Error::new(ErrorKind::NotFound, Origin::Gateway, message))
        };
        if result.is_ok() {
            seen.first_content.get_or_insert(self.core.clock.now());
            if seen.usage.is_none() {
                seen.usage = estimate::embeddings(self.request, &target.model).await;
            }
            book.committed(target, None);
        }
        let error = result.as_ref().err();
        let cost = book.attempt_ended(ticket, provider, &seen, error);
        drive.ended(leg, Outcome { error, ..Outcome::default() }, &mut seen, started, cost.picousd());
        result.map(|response| EmbeddingResponse { usage: seen.usage.clone(), ..response })
    }

    async fn asked(
        &self,
        provider: &Provider,
        target: &Target,
        pace: Pace,
        seen: &mut Seen,
    ) -> Result<EmbeddingResponse, Error> {
        let asked = tokio::select! {
            biased;
            () = self.leaving.cancelled() => Err(cancelled(self.core)),
            asked = timeout_at(pace.deadline, self.ask(provider, &target.model, seen)) => {
                asked.unwrap_or_else(|_| Err(out_of_time(&provider.id, pace.total)))
            }
        };
        asked.map_err(|error| {
            let mut error = named(seen.without_key(error), &provider.id);
            admit::explain_missing_model(self.core, provider, &target.model, &mut error);
            error
        })
    }

    /// What the provider says to all of its requests, joined.
    async fn ask(
        &self,
        provider: &Provider,
        model: &str,
        seen: &mut Seen,
    ) -> Result<EmbeddingResponse, Error> {
        let Some(form) = provider.protocol.embeddings() else { return Err(offers_none(provider)) };
        let target = TargetContext { model, quirks: &provider.quirks, max_output_tokens: None };
        let requests = form.encode(self.request, &target)?;
        let ask = |request| async move {
            let mut seen = Seen::default();
            let answer = exchange(self.core, self.snapshot, provider, request, &mut seen).await;
            (answer, seen)
        };
        let mut answers = stream::iter(requests).map(ask).buffered(AT_ONCE);
        let mut whole: Option<EmbeddingResponse> = None;
        while let Some((answer, here)) = answers.next().await {
            // What the answers before it used stands, also where this one is refused.
            *seen = Seen { usage: seen.usage.take(), ..here };
            let (headers, body) = answer?;
            let next = form.decode(&headers, &body, &target)?;
            match &mut whole {
                None => whole = Some(next),
                Some(whole) => whole.append(next),
            }
            seen.usage = whole.as_ref().and_then(|whole| whole.usage.clone());
        }
        let whole = whole.unwrap_or_default();
        seen.start.model.clone_from(&whole.model);
        let (got, asked) = (whole.vectors.len(), self.request.inputs.len());
        if got == asked {
            return Ok(whole);
        }
        let message = format!("The provider gave {got} vectors for {asked} inputs.");
        Err(Error::new(ErrorKind::InvalidResponse, Origin::Provider, message))
    }
}

fn offers_none(provider: &Provider) -> Error {
    let message = format!(
        "The provider \"{}\" makes no embeddings in {}, which Signalbox speaks to it.",
        provider.id,
        provider.protocol.id()
    );
    let mut error = Error::caller(message).with_param("model").with_code("embeddings_unsupported");
    error.retry = Retry::NextTarget;
    error
}
