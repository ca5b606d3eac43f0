//! What a chat or a client can ask for, and what a chat asks where nobody chose.

use gateway::Model;

use crate::commands::providers::key_state;
use crate::control::Control;
use crate::error::Result;
use crate::types::{Empty, KeyState, ModelView};

pub(crate) async fn list(control: &Control, _: Empty) -> Result<Vec<ModelView>> {
    Ok(control.gateway().models().await.into_iter().map(model_view).collect())
}

pub(crate) fn model_view(model: Model) -> ModelView {
    ModelView {
        id: model.id,
        provider: model.provider,
        model: model.model,
        name: model.name,
        is_route: model.is_route,
        context_window: model.context_window,
        max_output_tokens: model.max_output_tokens,
        input_usd_per_mtok: model.input_usd_per_mtok,
        output_usd_per_mtok: model.output_usd_per_mtok,
    }
}

/// The model that a new chat asks: the last one that was used, or the first of a provider with a
/// usable key, or, until there is one, the rehearsal. `None` where nothing at all is known.
pub(crate) async fn default_model(control: &Control) -> Result<Option<String>> {
    let providers = control.gateway().providers();
    let rehearsal = providers.iter().find(|provider| provider.is_rehearsal);
    let is_rehearsal = |model: &str| {
        rehearsal.is_some_and(|provider| {
            model.strip_prefix(&provider.id).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    let last =
        control.ledger(|ledger| ledger.chats(None, 1)).await?.into_iter().next().and_then(|chat| chat.model);
    if let Some(model) = last.clone().filter(|model| !is_rehearsal(model)) {
        return Ok(Some(model));
    }
    for provider in providers.iter().filter(|provider| !provider.is_rehearsal) {
        let (state, _) = key_state(control, &provider.id).await;
        let model = control.gateway().known_models(&provider.id).and_then(|models| models.into_iter().next());
        if let (KeyState::Present | KeyState::NotNeeded, Some(model)) = (state, model) {
            return Ok(Some(model.id));
        }
    }
    let rehearsed = || {
        let models = control.gateway().known_models(&rehearsal?.id)?;
        models.into_iter().next().map(|model| model.id)
    };
    Ok(last.or_else(rehearsed))
}
