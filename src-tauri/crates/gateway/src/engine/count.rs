//! How many tokens a request is: asked of its first target where that offers it, else counted here.
//!
//! A count costs nothing and says nothing of an answer, so it is in no book. Whatever a provider
//! says but a count (it has no such endpoint, not for this model, the key is wrong), our own count
//! answers: a client asks in order to decide, and an estimate that is called one serves it.

use std::sync::Arc;
use std::time::Duration;

use canonical::{ChatRequest, Error, ErrorKind, Origin, Usage};
use tokio::time::timeout;
use wire::TargetContext;

use super::admit;
use super::estimate;
use super::exchange::exchange;
use super::seen::Seen;
use crate::core::Core;
use crate::models;
use crate::providers::{Provider, Snapshot};

/// Longer is no help to a client that asks before it asks.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a request comes to.
pub(crate) struct Counted {
    pub usage: Usage,
    pub provider: String,
    pub model: String,
}

pub(crate) async fn count(core: &Arc<Core>, request: ChatRequest) -> Result<Counted, Error> {
    let snapshot = core.snapshot();
    let admitted = admit::admit(core, &snapshot, &request.model).await?;
    let target = admitted.route.targets.first().map(|it| &it.target);
    let found = target.and_then(|target| Some((snapshot.provider(&target.provider)?, target.model.clone())));
    let Some((provider, model)) = found else {
        return Err(Error::new(ErrorKind::NotFound, Origin::Gateway, "No provider serves this model."));
    };
    let asked = timeout(PATIENCE, ask(core, &snapshot, provider, &model, &request)).await;
    let usage = match asked {
        Ok(Some(Ok(usage))) => usage,
        other => {
            if let Ok(Some(Err(error))) = other {
                tracing::debug!(provider = provider.id, kind = error.kind.as_str(), "no count of tokens");
            }
            estimate::request(request, model.clone()).await.ok_or_else(|| {
                let message = "Signalbox lost count of the tokens.";
                Error::new(ErrorKind::Internal, Origin::Gateway, message)
            })?
        }
    };
    Ok(Counted { usage, provider: provider.id.clone(), model })
}

/// `None` where the provider offers no counting.
async fn ask(
    core: &Core,
    snapshot: &Snapshot,
    provider: &Provider,
    model: &str,
    request: &ChatRequest,
) -> Option<Result<Usage, Error>> {
    let counting = provider.protocol.counting()?;
    let target = TargetContext {
        model,
        quirks: &provider.quirks,
        max_output_tokens: models::max_output_tokens(&core.lists, provider, model),
    };
    let request = match counting.encode(request, &target) {
        Ok(request) => request,
        Err(error) => return Some(Err(error)),
    };
    let answer = exchange(core, snapshot, provider, request, &mut Seen::default()).await;
    Some(answer.and_then(|(_, body)| counting.decode(&body)))
}
