//! What the settings mean: every provider with all that an attempt needs, and the snapshot of them
//! that a request begins with and keeps.

use std::sync::Arc;

use catalog::{Auth, ProviderSpec};
use wire::{Protocol, Quirks};

use crate::config::{Config, KeySource, ProviderConfig, REHEARSAL_ID};
use crate::egress::Egress;

/// One provider, resolved: the settings' word where there is one, the catalogue's else.
#[derive(Debug, Clone)]
pub struct Provider {
    pub id: String,
    pub kind: &'static ProviderSpec,
    pub protocol: &'static dyn Protocol,
    /// With the API's version; no slash at the end.
    pub base_url: String,
    pub auth: Auth,
    pub quirks: Quirks,
    pub key: KeySource,
    /// Models that the settings name.
    pub models: Vec<String>,
    /// The built-in one: never in the user's file, costs nothing, marked wherever it shows.
    pub is_rehearsal: bool,
}

impl Provider {
    /// `None` where the catalogue has no such kind, or no address is known; the settings were
    /// refused before they got here.
    fn resolve(config: &ProviderConfig) -> Option<Self> {
        let kind = catalog::kind(&config.kind)?;
        let spoken = config.protocol.unwrap_or(kind.protocol);
        let protocol = wire::protocol(spoken);
        // A vendor may offer several protocols, each at an address of its own.
        let endpoint = kind.endpoint(spoken);
        let base_url = config.base_url.as_ref().or(endpoint.base_url.as_ref()).or(kind.base_url.as_ref())?;
        Some(Self {
            id: config.id.clone(),
            kind,
            protocol,
            base_url: versioned(base_url, protocol, &endpoint.quirks),
            auth: endpoint.auth,
            quirks: endpoint.quirks,
            key: config.key.clone(),
            models: config.models.clone(),
            is_rehearsal: false,
        })
    }

    /// The built-in provider, served at `base_url`.
    fn rehearsal(base_url: &str) -> Option<Self> {
        let kind = catalog::kind(REHEARSAL_ID)?;
        let protocol = wire::protocol(kind.protocol);
        Some(Self {
            id: REHEARSAL_ID.to_owned(),
            kind,
            protocol,
            base_url: versioned(base_url, protocol, &kind.quirks),
            auth: kind.auth.clone(),
            quirks: kind.quirks.clone(),
            key: KeySource::None,
            models: rehearsal::model_ids(),
            is_rehearsal: true,
        })
    }

    /// Whether everything it answers costs nothing.
    pub fn is_free(&self) -> bool {
        self.is_rehearsal || self.kind.is_free
    }
}

fn versioned(base_url: &str, protocol: &dyn Protocol, quirks: &Quirks) -> String {
    let version = quirks.version.as_deref().unwrap_or(protocol.version());
    wire::http::versioned_base(base_url, version)
}

/// The settings and what they mean, as one immutable value. A request keeps the snapshot that it
/// began with, so a change of settings never reaches into it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub config: Arc<Config>,
    /// In the order of the settings; the rehearsal is last.
    pub providers: Vec<Arc<Provider>>,
    pub egress: Egress,
}

impl Snapshot {
    /// `egress` is kept from the snapshot before where the settings let it, with its open connections.
    pub(crate) fn new(config: Config, rehearsal_url: Option<&str>, egress: Egress) -> Self {
        let mut providers: Vec<Arc<Provider>> =
            config.providers.iter().filter_map(Provider::resolve).map(Arc::new).collect();
        providers.extend(rehearsal_url.and_then(Provider::rehearsal).map(Arc::new));
        Self { config: Arc::new(config), providers, egress }
    }

    pub(crate) fn provider(&self, id: &str) -> Option<&Arc<Provider>> {
        self.providers.iter().find(|provider| provider.id == id)
    }
}
