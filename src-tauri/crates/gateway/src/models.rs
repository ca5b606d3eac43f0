//! What providers serve: the lists they give, remembered, joined with what the catalogue knows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use canonical::{Error, ErrorKind, MicroUsdPerMTok, Origin};
use catalog::{Match, ModelInfo};
use futures_util::future::join_all;
use routing::Facts;
use serde::Serialize;
use tokio::time::Instant;
use wire::{HttpRequest, ListedModel, errors};

use crate::config::KeySource;
use crate::core::Core;
use crate::egress::client;
use crate::providers::{Provider, Snapshot};
use crate::secrets::Secret;

/// How long a provider may take over its list of models.
const LIST_DEADLINE: Duration = Duration::from_secs(15);

/// How long a caller waits for lists that nobody asked for by name.
const BACKGROUND_DEADLINE: Duration = Duration::from_secs(4);

/// How long a list is taken as it is before it is asked for again.
const LIST_AGE: Duration = Duration::from_secs(600);

/// How long a provider that gave no list is left alone.
const FAILURE_AGE: Duration = Duration::from_secs(60);

/// Pages of a list that are followed: a vendor has hundreds of models and gives a thousand a page.
const MAX_PAGES: usize = 20;

/// One model that can be asked for, or a route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Model {
    /// What a client writes: `provider/model`, or a route's name.
    pub id: String,
    /// `None` for a route.
    pub provider: Option<String>,
    /// The model as its provider calls it; for a route its name.
    pub model: String,
    /// For people.
    pub name: String,
    pub is_route: bool,
    pub context_window: Option<u64>,
    pub max_output_tokens: Option<u64>,
    /// Dollars per million tokens, as decimals; `None` is unknown.
    pub input_usd_per_mtok: Option<String>,
    pub output_usd_per_mtok: Option<String>,
}

/// What a test of a provider found.
#[derive(Debug, Clone)]
pub struct ProviderTest {
    pub latency_ms: i64,
    /// How many models it listed, or why it could not.
    pub result: Result<usize, Error>,
}

/// The lists that providers gave.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    by_provider: Mutex<HashMap<String, List>>,
    /// Held while lists are asked for: who comes second waits, and finds them.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct List {
    /// Where it came from: a list of another address is none.
    base_url: String,
    at: Instant,
    /// `None` where the provider gave none.
    models: Option<Arc<Vec<ListedModel>>>,
}

impl Lists {
    fn of(&self, provider: &Provider) -> Option<List> {
        self.lock().get(&provider.id).filter(|list| list.base_url == provider.base_url).cloned()
    }

    fn models_of(&self, provider: &Provider) -> Option<Arc<Vec<ListedModel>>> {
        self.of(provider)?.models
    }

    fn is_due(&self, provider: &Provider, now: Instant) -> bool {
        self.of(provider).is_none_or(|list| {
            let age = if list.models.is_some() { LIST_AGE } else { FAILURE_AGE };
            now.duration_since(list.at) >= age
        })
    }

    /// Keeps what a provider gave. A failure does not take an earlier list away.
    fn keep(&self, provider: &Provider, now: Instant, models: Option<Vec<ListedModel>>) {
        let models = models.map(Arc::new).or_else(|| self.models_of(provider));
        let list = List { base_url: provider.base_url.clone(), at: now, models };
        self.lock().insert(provider.id.clone(), list);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, List>> {
        self.by_provider.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The provider's key or address changed: what it gave or refused before says nothing now.
    pub(crate) fn forget(&self, provider: &str) {
        self.lock().remove(provider);
    }
}

/// Whether `provider` is known to serve `model`: it lists it, the settings name it, or, where it
/// gave no list yet, the catalogue has it.
pub(crate) fn serves(lists: &Lists, provider: &Provider, model: &str) -> bool {
    if provider.models.iter().chain(spec_ids(provider)).any(|known| known == model) {
        return true;
    }
    match lists.models_of(provider) {
        // Lists leave out what does not chat; the catalogue knows what embeds.
        Some(listed) => {
            listed.iter().any(|known| known.id == model)
                || info(provider, model)
                    .is_some_and(|info| info.found == Match::Exact && info.kind == "embedding")
        }
        None => info(provider, model).is_some_and(|info| info.found == Match::Exact),
    }
}

fn spec_ids(provider: &Provider) -> impl Iterator<Item = &String> {
    provider.kind.models.iter().map(|model| &model.id)
}

fn info(provider: &Provider, model: &str) -> Option<ModelInfo> {
    catalog::models::model(provider.kind.price_provider.as_deref()?, model)
}

/// The most tokens that the model writes, where anybody knows.
pub(crate) fn max_output_tokens(lists: &Lists, provider: &Provider, model: &str) -> Option<u64> {
    let listed = lists.models_of(provider);
    let listed = listed.iter().flat_map(|list| list.iter()).find(|listed| listed.id == model);
    listed
        .and_then(|listed| listed.max_output_tokens)
        .or_else(|| info(provider, model).and_then(|info| info.max_output_tokens))
}

/// How much the model can read and write together, where its list or the catalogue knows it.
pub(crate) fn context_window(lists: &Lists, provider: &Provider, model: &str) -> Option<u64> {
    let listed = lists.models_of(provider);
    let listed = listed.iter().flat_map(|list| list.iter()).find(|listed| listed.id == model);
    listed
        .and_then(|listed| listed.context_window)
        .or_else(|| info(provider, model).and_then(|info| info.context_window))
}

/// What the router is told of the model.
pub(crate) fn facts(lists: &Lists, provider: &Provider, model: &str) -> Facts {
    let info = info(provider, model);
    let can = |what: &str| info.as_ref().and_then(|info| info.capabilities.get(what).copied());
    let rate = |of: fn(&ModelInfo) -> &Option<String>| {
        let rate = info.as_ref().and_then(|info| of(info).as_deref());
        rate.and_then(MicroUsdPerMTok::from_decimal_usd)
    };
    Facts {
        context_window: context_window(lists, provider, model),
        max_output: max_output_tokens(lists, provider, model),
        tools: can("tools"),
        images: can("vision"),
        schema: can("json_schema"),
        input_price: rate(|info| &info.input_usd_per_mtok),
        output_price: rate(|info| &info.output_usd_per_mtok),
        is_free: provider.is_free(),
    }
}

/// Whether the model goes on with a message of its own, where the catalogue knows it.
pub(crate) fn goes_on(provider: &Provider, model: &str) -> Option<bool> {
    info(provider, model)?.capabilities.get("assistant_prefill").copied()
}

/// What is known of a provider's models without asking it.
pub(crate) fn known(lists: &Lists, provider: &Provider) -> Vec<Model> {
    let mut models: Vec<Model> = Vec::new();
    let mut add = |model: Model| {
        if models.iter().all(|known| known.model != model.model) {
            models.push(model);
        }
    };
    for id in &provider.models {
        add(view(provider, &ListedModel { id: id.clone(), ..ListedModel::default() }));
    }
    for spec in &provider.kind.models {
        add(view(
            provider,
            &ListedModel {
                id: spec.id.clone(),
                display_name: spec.name.clone(),
                context_window: spec.context_window,
                max_output_tokens: spec.max_output_tokens,
            },
        ));
    }
    if let Some(listed) = lists.models_of(provider) {
        listed.iter().for_each(|listed| add(view(provider, listed)));
        return models;
    }
    let rows = provider.kind.price_provider.as_deref().map(catalog::models::chat_models);
    for row in rows.unwrap_or_default() {
        add(view(provider, &ListedModel { id: row.id, ..ListedModel::default() }));
    }
    models
}

fn view(provider: &Provider, listed: &ListedModel) -> Model {
    let info = info(provider, &listed.id);
    let info = info.as_ref();
    let free = || provider.is_free().then(|| "0".to_owned());
    Model {
        id: format!("{}/{}", provider.id, listed.id),
        provider: Some(provider.id.clone()),
        model: listed.id.clone(),
        name: listed.display_name.clone().unwrap_or_else(|| listed.id.clone()),
        is_route: false,
        context_window: listed.context_window.or_else(|| info?.context_window),
        max_output_tokens: listed.max_output_tokens.or_else(|| info?.max_output_tokens),
        input_usd_per_mtok: info.and_then(|info| info.input_usd_per_mtok.clone()).or_else(free),
        output_usd_per_mtok: info.and_then(|info| info.output_usd_per_mtok.clone()).or_else(free),
    }
}

/// Everything that can be asked for: routes first, then each provider's models.
pub(crate) fn all(core: &Core, snapshot: &Snapshot) -> Vec<Model> {
    let routes = snapshot.config.routes.iter().map(|route| Model {
        id: route.name().to_owned(),
        model: route.name().to_owned(),
        name: route.name().to_owned(),
        is_route: true,
        ..Model::default()
    });
    routes.chain(snapshot.providers.iter().flat_map(|provider| known(&core.lists, provider))).collect()
}

/// Asks those providers for their lists that have not been asked lately, and waits a little. Who
/// has no usable key is not asked: that is no news and helps nobody.
pub(crate) async fn refresh_due(core: &Arc<Core>, snapshot: &Arc<Snapshot>) {
    let _asking = core.lists.asking.lock().await;
    let now = core.clock.now();
    let due = snapshot.providers.iter().filter(|provider| core.lists.is_due(provider, now)).cloned();
    let asked = due.map(|provider| {
        let (core, snapshot) = (Arc::clone(core), Arc::clone(snapshot));
        // A task of its own, so that a slow list still arrives for the next one who asks.
        tokio::spawn(async move {
            let wants_key = provider.key != KeySource::None;
            if wants_key && core.secrets.key(&provider.id, &provider.key).await.is_err() {
                return;
            }
            if let Err(error) = fetch(&core, &snapshot, &provider).await {
                tracing::debug!(provider = provider.id, kind = error.kind.as_str(), "no list of models");
            }
        })
    });
    let _ = tokio::time::timeout(BACKGROUND_DEADLINE, join_all(asked)).await;
}

/// Asks a provider for its list now, and remembers it.
pub(crate) async fn fetch(core: &Core, snapshot: &Snapshot, provider: &Provider) -> Result<usize, Error> {
    let asked =
        tokio::time::timeout(LIST_DEADLINE, ask(core, snapshot, provider)).await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Timeout,
                Origin::Network,
                format!(
                    "The provider \"{}\" gave no list of models within {} s.",
                    provider.id,
                    LIST_DEADLINE.as_secs()
                ),
            ))
        });
    let count = asked.as_ref().map(Vec::len).map_err(Clone::clone);
    core.lists.keep(provider, core.clock.now(), asked.ok());
    core.facts.forget();
    count
}

/// The provider as its models are listed: some have a host or a path of their own for that.
fn listing(provider: &Provider) -> Provider {
    let label = provider.quirks.models_host.as_deref();
    let base_url = provider.quirks.models_base.clone();
    let base_url = base_url.or_else(|| label.and_then(|label| with_first_label(&provider.base_url, label)));
    let mut base_url = base_url.unwrap_or_else(|| provider.base_url.clone());
    if provider.quirks.models_path.is_some() {
        base_url.truncate(root_length(&base_url));
    }
    Provider { base_url, ..provider.clone() }
}

/// Scheme, host and port of a URL.
fn root_length(url: &str) -> usize {
    let host = url.find("://").map_or(0, |at| at + 3);
    url[host..].find('/').map_or(url.len(), |at| host + at)
}

/// `base_url` with the first label of its host replaced. `None` where the host has one label only or
/// is an address: a server of the user's own is asked where it is.
fn with_first_label(base_url: &str, label: &str) -> Option<String> {
    let (scheme, rest) = base_url.split_once("://")?;
    let (_, rest) = rest.split_once('.')?;
    let is_named = rest.split('/').next()?.contains(char::is_alphabetic);
    is_named.then(|| format!("{scheme}://{label}.{rest}"))
}

async fn ask(core: &Core, snapshot: &Snapshot, provider: &Provider) -> Result<Vec<ListedModel>, Error> {
    let key = core.secrets.key(&provider.id, &provider.key).await.map_err(|error| key_error(&error))?;
    ask_with(core, snapshot, provider, key.as_ref()).await.map_err(|mut error| {
        if let Some(key) = &key {
            key.hide_in(&mut error);
        }
        error
    })
}

async fn ask_with(
    core: &Core,
    snapshot: &Snapshot,
    provider: &Provider,
    key: Option<&Secret>,
) -> Result<Vec<ListedModel>, Error> {
    let listing = listing(provider);
    let mut models = Vec::new();
    let mut request = provider.protocol.models_request();
    for _ in 0..MAX_PAGES {
        if let Some(path) = &provider.quirks.models_path {
            request.path.clone_from(path);
        }
        if provider.quirks.models_base.is_some() {
            // Another vendor's list: Google refuses parameters that are none of its own (`limit`).
            request.query.retain(|(name, _)| name.starts_with("page"));
        }
        let body = match page(core, snapshot, provider, &listing, request, key).await {
            Ok(body) => body,
            // A key may be allowed to read the first list alone (Bedrock's models and its profiles).
            Err(error) if !models.is_empty() && error.kind == ErrorKind::Permission => {
                tracing::info!(provider = provider.id, "a further list of models was refused");
                return Ok(models);
            }
            Err(error) => return Err(error),
        };
        models.extend(provider.protocol.decode_models(&body)?);
        match provider.protocol.more_models_request(&body) {
            Some(next) => request = next,
            None => return Ok(models),
        }
    }
    tracing::info!(provider = provider.id, pages = MAX_PAGES, "the list of models was not read to its end");
    Ok(models)
}

/// The body of one page.
async fn page(
    core: &Core,
    snapshot: &Snapshot,
    provider: &Provider,
    listing: &Provider,
    request: HttpRequest,
    key: Option<&Secret>,
) -> Result<Vec<u8>, Error> {
    let sent = snapshot.egress.send(listing, request, key, false).await;
    let response = sent.map_err(|failure| failure.error)?;
    let (status, headers) = (response.status().as_u16(), client::headers_of(&response));
    let body = client::read_body(response, client::MAX_BODY_BYTES).await.map_err(|error| match error {
        Some(error) => client::network_error(provider, &error),
        None => Error::new(ErrorKind::InvalidResponse, Origin::Provider, "The list of models is too long."),
    })?;
    if !(200..300).contains(&status) {
        if status == 401 {
            core.secrets.forget(&provider.id);
        }
        return Err(provider.protocol.decode_error(status, &headers, &body));
    }
    match errors::in_band(provider.protocol, status, &headers, &body) {
        Some(error) => Err(error),
        None => Ok(body),
    }
}

/// A key that is not there, as a request's error: another target may well have one.
pub(crate) fn key_error(error: &crate::secrets::KeyError) -> Error {
    Error::new(ErrorKind::Authentication, Origin::Gateway, error.to_string())
        .with_code("provider_key_missing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_its_own_begins_at_the_hosts_root() {
        for url in ["https://x.example:8443/v1/openai", "https://x.example:8443", "https://x.example:8443/"] {
            assert_eq!(&url[..root_length(url)], "https://x.example:8443");
        }
    }

    #[test]
    fn a_list_is_asked_for_at_its_own_host_where_that_has_a_name() {
        for (base, expected) in [
            (
                "https://bedrock-runtime.us-east-1.amazonaws.com",
                Some("https://bedrock.us-east-1.amazonaws.com"),
            ),
            ("https://x.example.com:8443/v1", Some("https://bedrock.example.com:8443/v1")),
            ("http://127.0.0.1:8080/a.b", None),
            ("http://localhost:8080", None),
        ] {
            assert_eq!(with_first_label(base, "bedrock").as_deref(), expected, "{base}");
        }
    }
}
