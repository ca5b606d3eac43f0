//! A model's name → the targets it stands for.
//!
//! In this order: a route's name; `provider/model`, whatever the provider makes of the model; a
//! bare model name that exactly one provider is known to serve.

use std::sync::Arc;

use canonical::{Error, ErrorKind, Origin, Retry};
use routing::{Facts, Route, Target};

use crate::core::Core;
use crate::models::{self, Model};
use crate::providers::{Provider, Snapshot};

/// Near names that an error proposes.
const NEAR_NAMES: usize = 3;

/// How alike a name must be to be proposed.
const LIKENESS: f64 = 0.8;

/// What a model's name stands for.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    /// Of the route in the settings, where it is one.
    pub name: Option<String>,
    /// With at least one target; the usual one where the name is a model's.
    pub route: Arc<Route>,
}

impl Admitted {
    fn model(name: &str, targets: Vec<Target>) -> Self {
        Self { name: None, route: Arc::new(Route::new(name, targets)) }
    }
}

/// Resolves `name`; asks providers for their lists only where nothing else explains it.
pub(crate) async fn admit(core: &Arc<Core>, snapshot: &Arc<Snapshot>, name: &str) -> Result<Admitted, Error> {
    if name.trim().is_empty() {
        return Err(Error::caller("The request names no model.").with_param("model"));
    }
    if let Some(admitted) = by_name(snapshot, name) {
        return Ok(admitted);
    }
    let mut servers = who_serves(core, snapshot, name);
    if servers.is_empty() {
        models::refresh_due(core, snapshot).await;
        servers = who_serves(core, snapshot, name);
    }
    match servers.len() {
        0 => Err(unknown(core, snapshot, name)),
        1 => Ok(Admitted::model(name, servers)),
        _ => Err(ambiguous(name, &servers)),
    }
}

/// The route that `name` is, where it is one.
pub(crate) fn route_of(snapshot: &Snapshot, name: &str) -> Option<String> {
    snapshot.config.routes.iter().find(|route| route.name() == name).map(|route| route.name().to_owned())
}

/// A route, or a provider and a model.
fn by_name(snapshot: &Snapshot, name: &str) -> Option<Admitted> {
    if let Some(found) = snapshot.config.routes.iter().find(|route| route.name() == name) {
        return Some(Admitted { name: Some(name.to_owned()), route: Arc::clone(&found.route) });
    }
    let (provider, model) = name.split_once('/').filter(|(_, model)| !model.is_empty())?;
    let provider = snapshot.provider(provider)?;
    let target = Target { provider: provider.id.clone(), model: model.to_owned() };
    Some(Admitted::model(name, vec![target]))
}

/// The route that a used-up budget leads its requests on to.
pub(super) fn led_to(core: &Core, snapshot: &Snapshot, name: &str) -> Option<(Arc<Route>, Arc<[Facts]>)> {
    let admitted = by_name(snapshot, name)?;
    let facts = core.facts.of(core, snapshot, &admitted.route);
    Some((admitted.route, facts))
}

fn who_serves(core: &Core, snapshot: &Snapshot, model: &str) -> Vec<Target> {
    let all = snapshot.providers.iter().filter(|provider| models::serves(&core.lists, provider, model));
    let (found, named): (Vec<_>, Vec<_>) = all.partition(|provider| provider.is_discovered);
    // A server that happens to run here makes no name ambiguous that was not.
    let servers = if named.is_empty() { found } else { named };
    servers
        .into_iter()
        .map(|provider| Target { provider: provider.id.clone(), model: model.to_owned() })
        .collect()
}

fn ambiguous(name: &str, servers: &[Target]) -> Error {
    let names: Vec<String> = servers.iter().map(|target| format!("\"{target}\"")).collect();
    Error::caller(format!(
        "Several providers serve \"{name}\". Say which one: {}; or make a route of that name.",
        names.join(", ")
    ))
    .with_code("ambiguous_model")
    .with_param("model")
}

fn unknown(core: &Core, snapshot: &Snapshot, name: &str) -> Error {
    // `openai` and `openai/` name a provider and none of its models.
    let said = name.strip_suffix('/').unwrap_or(name);
    let message = if let Some(provider) = snapshot.provider(said) {
        let known = models::known(&core.lists, provider);
        let examples: Vec<String> =
            known.iter().take(NEAR_NAMES).map(|model| format!("\"{}\"", model.id)).collect();
        let hint = match examples.len() {
            0 => format!("Write \"{said}/\" and the model's name."),
            _ => format!("For example {}.", examples.join(", ")),
        };
        format!("\"{said}\" is a provider; the request names none of its models. {hint}")
    } else {
        let hint = did_you_mean(models::all(core, snapshot), name)
            .unwrap_or_else(|| "GET /v1/models lists what there is.".to_owned());
        format!("There is no model, route or provider for \"{name}\". {hint}")
    };
    let mut error = Error::new(ErrorKind::NotFound, Origin::Caller, message)
        .with_code("model_not_found")
        .with_param("model");
    error.retry = Retry::Never;
    error
}

/// Adds to a provider's own "no such model" the names of its models that come near.
pub(super) fn explain_missing_model(core: &Core, provider: &Provider, model: &str, error: &mut Error) {
    if error.kind != ErrorKind::NotFound || error.origin != Origin::Provider {
        return;
    }
    let known = models::known(&core.lists, provider);
    if known.iter().all(|known| known.model != model)
        && let Some(hint) = did_you_mean(known, model)
    {
        error.message = format!("{} {hint}", error.message.trim_end());
    }
}

/// The names that come near, in a question; `None` where none does.
fn did_you_mean(models: Vec<Model>, name: &str) -> Option<String> {
    let mut near: Vec<(f64, String)> = models
        .into_iter()
        .map(|model| {
            let likeness =
                strsim::jaro_winkler(name, &model.id).max(strsim::jaro_winkler(name, &model.model));
            (likeness, model.id)
        })
        .filter(|(likeness, _)| *likeness > LIKENESS)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let near: Vec<String> = near.into_iter().take(NEAR_NAMES).map(|(_, id)| format!("\"{id}\"")).collect();
    (!near.is_empty()).then(|| format!("Did you mean {}?", near.join(", ")))
}
