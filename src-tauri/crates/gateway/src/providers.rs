//! What the settings mean: every provider with all that an attempt needs, and the snapshot of them
//! that a request begins with and keeps.

use std::sync::Arc;

use catalog::{Auth, Kinds, ProviderSpec, Values};
use wire::{Profile, Protocol, Quirks};

use crate::config::{Config, KeySource, ProviderConfig, REHEARSAL_ID};
use crate::egress::Egress;

/// One provider, resolved: the settings' word where there is one, the catalogue's else.
#[derive(Debug, Clone)]
pub struct Provider {
    pub id: String,
    pub kind: Arc<ProviderSpec>,
    pub protocol: &'static dyn Protocol,
    /// With the API's version; no slash at the end. A variable that comes from the key is still a
    /// placeholder in it (`{project}`).
    pub base_url: String,
    /// Where the settings have an address of their own, as they write it.
    pub own_base_url: Option<String>,
    /// What the settings say of the kind's variables.
    pub variables: Values,
    pub auth: Auth,
    pub quirks: Quirks,
    /// What holds for single models: the kind's, then the settings'.
    pub profiles: Arc<[Profile]>,
    pub key: KeySource,
    /// Models that the settings name.
    pub models: Vec<String>,
    /// The built-in one: never in the user's file, costs nothing, marked wherever it shows.
    pub is_rehearsal: bool,
    /// Found on this machine; in no settings.
    pub is_discovered: bool,
}

impl Provider {
    /// `None` where there is no such kind, or no address is known; the settings were refused before
    /// they got here.
    pub(crate) fn resolve(config: &ProviderConfig, kinds: &Kinds) -> Option<Self> {
        let kind = Arc::clone(kinds.get(&config.kind)?);
        let spoken = config.protocol.unwrap_or(kind.protocol);
        let protocol = wire::protocol(spoken);
        // A vendor may offer several protocols, each at an address of its own.
        let endpoint = kind.endpoint_for(spoken, config.base_url.as_deref(), &config.variables);
        Some(Self {
            id: config.id.clone(),
            profiles: kind.all_profiles().chain(&config.profiles).cloned().collect(),
            kind,
            protocol,
            base_url: versioned(&endpoint.base_url?, protocol, &endpoint.quirks),
            own_base_url: config.base_url.clone(),
            variables: config.variables.clone(),
            auth: endpoint.auth,
            quirks: endpoint.quirks,
            key: config.key.clone(),
            models: config.models.clone(),
            is_rehearsal: false,
            is_discovered: false,
        })
    }

    /// A server of that kind that was found at its usual address.
    fn discovered(kind: &str, kinds: &Kinds) -> Option<Self> {
        let config = ProviderConfig {
            id: kind.to_owned(),
            kind: kind.to_owned(),
            base_url: None,
            protocol: None,
            key: KeySource::None,
            models: Vec::new(),
            variables: Values::new(),
            profiles: Vec::new(),
        };
        Some(Self { is_discovered: true, ..Self::resolve(&config, kinds)? })
    }

    /// The built-in provider, served at `base_url`.
    fn rehearsal(base_url: &str, kinds: &Kinds) -> Option<Self> {
        let kind = Arc::clone(kinds.get(REHEARSAL_ID)?);
        let protocol = wire::protocol(kind.protocol);
        Some(Self {
            id: REHEARSAL_ID.to_owned(),
            protocol,
            base_url: versioned(base_url, protocol, &kind.quirks),
            own_base_url: None,
            variables: Values::new(),
            auth: kind.auth.clone(),
            quirks: kind.quirks.clone(),
            profiles: kind.all_profiles().cloned().collect(),
            key: KeySource::None,
            models: rehearsal::model_ids(),
            is_rehearsal: true,
            is_discovered: false,
            kind,
        })
    }

    /// Where the vendor computes, as the settings or the kind's default say.
    pub fn location(&self) -> Option<&str> {
        let variable = self.kind.variables.iter().find(|variable| variable.name == "location")?;
        self.variables.get(&variable.name).or(variable.default.as_ref()).map(String::as_str)
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
    /// The vendors that the settings may name.
    pub kinds: Kinds,
    /// In the order of the settings; then those that were found, and the rehearsal last.
    pub providers: Vec<Arc<Provider>>,
    pub egress: Egress,
}

impl Snapshot {
    /// `egress` is kept from the snapshot before where the settings let it, with its open connections.
    /// `found` are the kinds that answer on this machine.
    pub(crate) fn new(
        config: Arc<Config>,
        kinds: Kinds,
        found: &[String],
        rehearsal_url: Option<&str>,
        egress: Egress,
    ) -> Self {
        let resolved = config.providers.iter().filter_map(|config| Provider::resolve(config, &kinds));
        let mut providers: Vec<Arc<Provider>> = resolved.map(Arc::new).collect();
        if config.looks_for_servers {
            let found = found.iter().filter_map(|kind| Provider::discovered(kind, &kinds));
            // Settings that name it, or its address, have the last word.
            let news: Vec<_> = found
                .filter(|new| providers.iter().all(|had| had.id != new.id && had.base_url != new.base_url))
                .map(Arc::new)
                .collect();
            providers.extend(news);
        }
        providers.extend(rehearsal_url.and_then(|url| Provider::rehearsal(url, &kinds)).map(Arc::new));
        Self { config, kinds, providers, egress }
    }

    pub(crate) fn provider(&self, id: &str) -> Option<&Arc<Provider>> {
        self.providers.iter().find(|provider| provider.id == id)
    }
}
