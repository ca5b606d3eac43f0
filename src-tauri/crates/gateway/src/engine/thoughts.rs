//! Proofs of thought on their way through the translation lane: what a client brings back is opened
//! for the target that made it, what a target hands out is sealed for the client
//! ([`wire::signatures`]), and what the client's dialect cannot carry is held ([`crate::vault`]).

use std::borrow::Cow;

use canonical::{ChatRequest, ChatResponse, Content, Part, StreamEvent};
use wire::signatures::{self, Taker};

use crate::core::Core;
use crate::providers::Provider;

/// The chat window's dialect: it keeps words only, so nothing is sealed for it.
const WINDOW: &str = "chat";

/// Who asks, as far as its conversations' proofs go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    /// The client's name; empty for the window.
    pub client: &'a str,
    pub dialect: &'static str,
}

/// Seals what one target says to one client. `None` where both speak the same family's words, and
/// its own proofs need no envelope.
#[derive(Debug, Clone)]
pub(super) struct Sealer {
    maker: String,
}

impl Sealer {
    pub(super) fn new(owner: Owner<'_>, provider: &Provider) -> Option<Self> {
        let is_needed = owner.dialect != WINDOW && owner.dialect != provider.protocol.id().as_str();
        is_needed.then(|| Self { maker: signatures::maker(&provider.quirks, &provider.id).to_owned() })
    }

    pub(super) fn events(&self, events: &mut [StreamEvent]) {
        for event in events {
            signatures::seal_event(event, &self.maker);
        }
    }

    pub(super) fn response(&self, response: &mut ChatResponse) {
        signatures::seal_response(response, &self.maker);
    }
}

/// The request as `provider` may read it: with what is held for its calls, with its own proofs, and
/// without those of others. With `take_off` without any: it refused one.
pub(super) fn fit<'a>(
    core: &Core,
    request: &'a ChatRequest,
    owner: Owner<'_>,
    provider: &Provider,
    take_off: bool,
) -> Cow<'a, ChatRequest> {
    if owner.dialect == WINDOW || !may_have_proof(request) {
        return Cow::Borrowed(request);
    }
    let mut request = request.clone();
    if take_off {
        let taken_off = signatures::take_off(&mut request);
        tracing::info!(provider = provider.id, taken_off, "signatures that were refused were taken off");
        return Cow::Owned(request);
    }
    let given_back = core.vault.give_back(owner.client, &mut request);
    let maker = signatures::maker(&provider.quirks, &provider.id);
    let taker = Taker { protocol: provider.protocol.id(), maker };
    let taken_off = signatures::open_for(&mut request, owner.dialect, taker);
    if given_back + taken_off > 0 {
        tracing::info!(provider = provider.id, given_back, taken_off, "thoughts were fitted to their maker");
    }
    Cow::Owned(request)
}

/// Only calls can have something held for them, and only these parts carry a proof themselves.
pub(super) fn may_have_proof(request: &ChatRequest) -> bool {
    let has = |part: &Part| {
        matches!(part.content, Content::Reasoning(_) | Content::ToolCall(_)) || part.signature().is_some()
    };
    request.messages.iter().any(|message| message.parts.iter().any(has))
}
