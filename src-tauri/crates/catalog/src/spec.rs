//! One provider as its file says it: endpoint, key, price list and deviations.
//!
//! The files we ship and those a user writes are read by the same code, so a user's file can say
//! everything that ours can. An unknown key is refused by name: a misspelt one would otherwise be
//! a setting that silently does nothing.

mod auth;
mod variables;

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::de::DeTable;
use wire::{Profile, ProtocolId, Quirks};

use crate::profiles;

pub use auth::{Auth, AuthScheme, ServiceAccount, SigV4};
pub use variables::{Values, Variable, is_value, placeholders};

/// A vendor: where it is, how it is signed to, what it is called in the price table, how it deviates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSpec {
    /// The kind that settings name; equal to the file's name, lower case.
    pub id: String,
    /// For people.
    pub name: String,
    pub protocol: ProtocolId,
    /// What the vendor's own SDK takes. `None` where it differs per user, who must then give it.
    /// `{name}` stands for one of `variables`.
    pub base_url: Option<String>,
    /// What a base URL looks like where the user must give it; shown, never called.
    pub base_url_example: Option<String>,
    pub auth: Auth,
    /// The vendor's page about its API.
    pub docs: String,
    /// Where a key is made.
    pub keys_url: Option<String>,
    /// The vendor's name in the price table.
    pub price_provider: Option<String>,
    /// Why there is no `price_provider`, for people: what a cost is then known from.
    pub unpriced: Option<String>,
    /// Everything it answers costs nothing, by its own setting (a server on the user's machine).
    #[serde(default)]
    pub is_free: bool,
    /// Runs on the user's own machine or network; plain http is usual there.
    #[serde(default)]
    pub is_local: bool,
    /// Answered inside this process; nothing is sent anywhere.
    #[serde(default)]
    pub is_in_process: bool,
    /// Models known without asking: for vendors that have no list.
    #[serde(default)]
    pub models: Vec<SpecModel>,
    /// What differs per user, in place of a whole address.
    #[serde(default)]
    pub variables: Vec<Variable>,
    /// How a server of this kind is known on the user's own machine, at the port of its base URL.
    pub probe: Option<Probe>,
    #[serde(default)]
    pub quirks: Quirks,
    /// Other protocols that the same key speaks, each at an address of its own.
    #[serde(default)]
    pub also: Vec<OtherProtocol>,
    /// Shared profiles that hold here, by their file's name.
    #[serde(default)]
    pub uses_profiles: Vec<String>,
    /// What holds for single models, in each of its protocols.
    #[serde(default, rename = "profile")]
    pub profiles: Vec<Profile>,
}

/// A second protocol of a vendor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherProtocol {
    pub protocol: ProtocolId,
    pub base_url: Option<String>,
    pub auth: Option<Auth>,
    #[serde(default)]
    pub quirks: Quirks,
}

/// A question that only a server of one kind answers so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// At the base URL's host, from the root (`/api/tags`).
    pub path: String,
    /// What the answer has, as a JSON pointer (`/models`).
    pub expects: String,
    /// What stands there; left out, anything does.
    pub equals: Option<String>,
}

impl Probe {
    /// Whether `answer` is one of this kind's.
    pub fn is_met_by(&self, answer: &[u8]) -> bool {
        let Ok(answer) = serde_json::from_slice::<serde_json::Value>(answer) else { return false };
        let found = answer.pointer(&self.expects);
        match &self.equals {
            Some(text) => found.and_then(serde_json::Value::as_str) == Some(text),
            None => found.is_some(),
        }
    }
}

/// Where and how a vendor is spoken to in one protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    pub protocol: ProtocolId,
    pub base_url: Option<String>,
    pub auth: Auth,
    pub quirks: Quirks,
}

impl ProviderSpec {
    /// The vendor's endpoint in `protocol`: its own, one of its others, or, where it names none
    /// (a setting's `protocol` may be anything), the protocol's usual way to sign, no base URL and
    /// no quirks.
    pub fn endpoint(&self, protocol: ProtocolId) -> Endpoint {
        if protocol == self.protocol {
            return Endpoint {
                protocol,
                base_url: self.base_url.clone(),
                auth: self.auth.clone(),
                quirks: self.quirks.clone(),
            };
        }
        let other = self.also.iter().find(|other| other.protocol == protocol);
        Endpoint {
            protocol,
            base_url: other.and_then(|other| other.base_url.clone()),
            auth: other
                .and_then(|other| other.auth.clone())
                .unwrap_or_else(|| self.auth.in_protocol(protocol)),
            quirks: other.map(|other| other.quirks.clone()).unwrap_or_default(),
        }
    }

    /// The endpoint with every variable filled in that has a value; what comes from the key stays.
    ///
    /// `own_base_url` replaces the vendor's address whole. The signature's region is then what that
    /// address names, unless the settings say one: a default belongs to the vendor's own address.
    pub fn endpoint_for(&self, protocol: ProtocolId, own_base_url: Option<&str>, given: &Values) -> Endpoint {
        let mut endpoint = self.endpoint(protocol);
        let fill = |text: &str| variables::fill(text, &self.variables, given);
        if let Some(own) = own_base_url {
            endpoint.base_url = Some(own.to_owned());
            endpoint.quirks.models_base = None;
        } else {
            let base = endpoint.base_url.take().or_else(|| self.base_url.clone());
            endpoint.base_url = base.as_deref().map(fill);
            endpoint.quirks.models_base = endpoint.quirks.models_base.as_deref().map(fill);
        }
        for value in endpoint.quirks.query.values_mut() {
            *value = fill(value);
        }
        if let AuthScheme::SigV4(scheme) = &mut endpoint.auth.scheme {
            let is_said = |region: &str| placeholders(region).all(|name| given.contains_key(name));
            let region = scheme.region.take().filter(|region| own_base_url.is_none() || is_said(region));
            scheme.region = region.as_deref().map(fill);
        }
        endpoint
    }

    /// The variables that the settings have to give: those that the endpoint in `protocol` names.
    pub fn missing<'s>(
        &'s self,
        protocol: ProtocolId,
        own_base_url: Option<&str>,
        given: &Values,
    ) -> Vec<&'s Variable> {
        let endpoint = self.endpoint_for(protocol, own_base_url, given);
        let own = own_base_url.is_some();
        let texts = endpoint.base_url.iter().filter(|_| !own).chain(endpoint.quirks.query.values());
        let open: Vec<&str> = texts.flat_map(|text| placeholders(text)).collect();
        let is_open = |variable: &&Variable| {
            open.iter().any(|word| word.strip_suffix(".host").unwrap_or(word) == variable.name)
        };
        self.variables.iter().filter(|variable| variable.is_required()).filter(is_open).collect()
    }

    /// What holds for single models: the shared profiles first, then the file's own.
    pub fn all_profiles(&self) -> impl Iterator<Item = &Profile> {
        let shared = self.uses_profiles.iter().filter_map(|name| profiles::shared(name)).flatten();
        shared.chain(&self.profiles)
    }

    /// The environment variable that usually holds the key.
    pub fn key_env(&self) -> Option<&str> {
        self.auth.env.as_deref()
    }

    /// Whether a request without a key is bound to fail.
    pub fn needs_key(&self) -> bool {
        self.auth.scheme != AuthScheme::None && !self.auth.is_optional
    }

    /// Whether the user has to say where the provider is.
    pub fn needs_base_url(&self) -> bool {
        self.base_url.is_none() && !self.is_in_process
    }
}

/// A model that a spec names itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpecModel {
    pub id: String,
    pub name: Option<String>,
    pub context_window: Option<u64>,
    pub max_output_tokens: Option<u64>,
}

/// Why a provider's file was refused; says where and what was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    /// The file, as the caller named it.
    pub origin: String,
    /// Counted from 1.
    pub line: Option<usize>,
    /// The key at fault, with its table (`quirks.omit_stream_options`).
    pub key: Option<String>,
    /// The known key that is most like it.
    pub nearest: Option<String>,
    pub message: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean `{nearest}`?")?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecError {}

/// Reads one provider's file. `origin` names it in errors.
pub fn parse_spec(text: &str, origin: &str) -> Result<ProviderSpec, SpecError> {
    let error = |span: Option<std::ops::Range<usize>>, message: String| SpecError {
        origin: origin.to_owned(),
        line: span.map(|span| line_of(text, span.start)),
        key: None,
        nearest: None,
        message,
    };
    let document = DeTable::parse(text).map_err(|e| error(e.span(), e.message().to_owned()))?;
    let spec: ProviderSpec = read(text, origin, unknown_key(document.get_ref()))?;
    check(&spec).map_err(|(key, message)| SpecError {
        line: line_of_key(text, document.get_ref(), key),
        key: Some(key.to_owned()),
        ..error(None, message)
    })?;
    Ok(spec)
}

/// Reads a file that holds profiles alone.
pub(crate) fn parse_profiles<T: DeserializeOwned>(text: &str, origin: &str) -> Result<T, SpecError> {
    let document = DeTable::parse(text);
    let unknown = document.ok().and_then(|document| unknown_in_profiles(document.get_ref()));
    read(text, origin, unknown)
}

fn read<T: DeserializeOwned>(text: &str, origin: &str, unknown: Option<UnknownKey>) -> Result<T, SpecError> {
    let error = |at: Option<usize>, message: String| SpecError {
        origin: origin.to_owned(),
        line: at.map(|at| line_of(text, at)),
        key: None,
        nearest: None,
        message,
    };
    if let Some(UnknownKey { name, at, nearest }) = unknown {
        let message = format!("unknown key `{name}`");
        return Err(SpecError { nearest, key: Some(name), ..error(Some(at), message) });
    }
    toml::from_str(text).map_err(|e| SpecError {
        nearest: meant_variant(e.message()),
        ..error(e.span().map(|span| span.start), e.message().to_owned())
    })
}

/// Of the words that a message of serde's says would have done, the one most like the refused one.
pub fn meant_variant(message: &str) -> Option<String> {
    let mut words = message.strip_prefix("unknown variant `")?.split('`').step_by(2);
    let refused = words.next()?;
    nearest(refused, words).map(str::to_owned)
}

/// What must hold of any spec, ours or a user's.
fn check(spec: &ProviderSpec) -> Result<(), (&'static str, String)> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if spec.id.is_empty() || !spec.id.chars().all(is_plain) {
        // A slash would make `provider/model` ambiguous.
        return Err(("id", format!("id `{}` must be lower-case letters, digits, `-`, `_` or `.`", spec.id)));
    }
    if let Some(url) = &spec.base_url
        && !(url.starts_with("https://") || (spec.is_local && url.starts_with("http://")))
    {
        return Err((
            "base_url",
            format!("base_url `{url}` must start with https:// (http:// where is_local is true)"),
        ));
    }
    for other in &spec.also {
        if other.protocol == spec.protocol {
            return Err(("also", format!("also names {} again", other.protocol)));
        }
        if let Some(url) = other.base_url.as_deref().filter(|url| !url.starts_with("https://"))
            && !spec.is_local
        {
            return Err(("also", format!("base_url `{url}` must start with https://")));
        }
    }
    check_variables(spec)?;
    if let Some(fault) = spec.profiles.iter().find_map(Profile::fault) {
        return Err(("profile", fault));
    }
    if let Some(name) = spec.uses_profiles.iter().find(|name| profiles::shared(name).is_none()) {
        let names: Vec<&str> = profiles::names().collect();
        return Err(("uses_profiles", format!("there are no profiles `{name}`, only {}", names.join(", "))));
    }
    if spec
        .probe
        .as_ref()
        .is_some_and(|probe| !probe.path.starts_with('/') || !probe.expects.starts_with('/'))
    {
        return Err(("probe", "probe's path and expects begin with a slash".to_owned()));
    }
    if spec.probe.is_some() && !spec.is_local {
        return Err(("probe", "only a provider with is_local = true can be looked for".to_owned()));
    }
    if spec.is_free && spec.price_provider.is_some() {
        return Err(("is_free", "a provider is free or has a price_provider, not both".to_owned()));
    }
    Ok(())
}

/// Every placeholder has its variable, and no variable hides a key that settings have already.
fn check_variables(spec: &ProviderSpec) -> Result<(), (&'static str, String)> {
    for variable in &spec.variables {
        let name = &variable.name;
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || !name.chars().all(is_word) {
            let message = format!("a variable's name is lower-case letters, digits and `_`, not `{name}`");
            return Err(("variables", message));
        }
        if SETTINGS_KEYS.contains(&name.as_str()) {
            return Err(("variables", format!("`{name}` means something else in the settings")));
        }
        if spec.variables.iter().filter(|other| other.name == *name).count() > 1 {
            return Err(("variables", format!("the variable `{name}` is named twice")));
        }
    }
    let endpoints =
        spec.also.iter().map(|other| (other.base_url.as_ref(), &other.quirks, other.auth.as_ref()));
    let own = (spec.base_url.as_ref(), &spec.quirks, Some(&spec.auth));
    for (base_url, quirks, auth) in endpoints.chain([own]) {
        let region = auth.and_then(|auth| match &auth.scheme {
            AuthScheme::SigV4(scheme) => scheme.region.as_ref(),
            _ => None,
        });
        let texts =
            base_url.into_iter().chain(&quirks.models_base).chain(quirks.query.values()).chain(region);
        for text in texts {
            if let Some(word) = variables::undeclared(text, &spec.variables) {
                return Err(("variables", format!("`{{{word}}}` in `{text}` is none of the variables")));
            }
        }
    }
    Ok(())
}

/// What a `[[provider]]` of the settings says beside its variables.
pub const SETTINGS_KEYS: [&str; 7] = ["id", "kind", "base_url", "key", "protocol", "models", "profile"];

/// The keys that a spec's file may have, at its top.
const KEYS: [&str; 20] = [
    "id",
    "name",
    "protocol",
    "base_url",
    "base_url_example",
    "auth",
    "docs",
    "keys_url",
    "price_provider",
    "unpriced",
    "is_free",
    "is_local",
    "is_in_process",
    "models",
    "variables",
    "probe",
    "quirks",
    "also",
    "uses_profiles",
    "profile",
];
const OTHER_KEYS: [&str; 4] = ["protocol", "base_url", "auth", "quirks"];
const MODEL_KEYS: [&str; 4] = ["id", "name", "context_window", "max_output_tokens"];
const VARIABLE_KEYS: [&str; 6] = ["name", "label", "default", "example", "from_key", "host"];
const PROBE_KEYS: [&str; 3] = ["path", "expects", "equals"];
const RANGE_KEYS: [&str; 2] = ["min", "max"];
const AUTH_KEYS: [&str; 7] = ["bearer", "header", "query", "sigv4", "service_account", "env", "optional"];

/// A key that a table of a spec cannot have.
struct UnknownKey {
    /// With its table (`quirks.no_done_markr`).
    name: String,
    at: usize,
    /// The known key of that table that is most like it.
    nearest: Option<String>,
}

/// The first key that no spec has.
fn unknown_key(table: &DeTable<'_>) -> Option<UnknownKey> {
    first_unknown(table, "", &KEYS)
        .or_else(|| unknown_in_endpoint(table, ""))
        .or_else(|| tables_in(table, "models").find_map(|model| first_unknown(model, "models.", &MODEL_KEYS)))
        .or_else(|| {
            tables_in(table, "variables")
                .find_map(|variable| first_unknown(variable, "variables.", &VARIABLE_KEYS))
        })
        .or_else(|| first_unknown(table.get("probe")?.get_ref().as_table()?, "probe.", &PROBE_KEYS))
        .or_else(|| {
            tables_in(table, "also").find_map(|other| {
                first_unknown(other, "also.", &OTHER_KEYS).or_else(|| unknown_in_endpoint(other, "also."))
            })
        })
        .or_else(|| unknown_in_profiles(table))
}

fn unknown_in_profiles(table: &DeTable<'_>) -> Option<UnknownKey> {
    tables_in(table, "profile").find_map(|profile| {
        first_unknown(profile, "profile.", &Profile::keys()).or_else(|| {
            ["temperature", "top_p"].into_iter().find_map(|key| {
                let range = profile.get(key)?.get_ref().as_table()?;
                first_unknown(range, &format!("profile.{key}."), &RANGE_KEYS)
            })
        })
    })
}

fn unknown_in_endpoint(table: &DeTable<'_>, prefix: &str) -> Option<UnknownKey> {
    let [auth, quirks] =
        ["auth", "quirks"].map(|key| table.get(key).and_then(|value| value.get_ref().as_table()));
    auth.and_then(|auth| first_unknown(auth, &format!("{prefix}auth."), &AUTH_KEYS))
        .or_else(|| first_unknown(quirks?, &format!("{prefix}quirks."), &quirk_keys()))
}

/// The quirks that the protocols know, read off their type.
fn quirk_keys() -> Vec<String> {
    // JSON, because TOML leaves out what is not set.
    let all = serde_json::to_value(Quirks::default());
    all.ok().and_then(|all| all.as_object().map(|all| all.keys().cloned().collect())).unwrap_or_default()
}

fn tables_in<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> impl Iterator<Item = &'t DeTable<'i>> {
    let array = table.get(key).and_then(|value| value.get_ref().as_array());
    array.into_iter().flat_map(|array| array.iter()).filter_map(|value| value.get_ref().as_table())
}

fn first_unknown(table: &DeTable<'_>, prefix: &str, known: &[impl AsRef<str>]) -> Option<UnknownKey> {
    let unknown =
        table.keys().filter(|key| known.iter().all(|known| known.as_ref() != key.get_ref().as_ref()));
    let first = unknown.min_by_key(|key| key.span().start)?;
    let name = first.get_ref().as_ref();
    Some(UnknownKey {
        name: format!("{prefix}{name}"),
        at: first.span().start,
        nearest: nearest(name, known.iter().map(AsRef::as_ref)).map(str::to_owned),
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}

fn line_of_key(text: &str, table: &DeTable<'_>, key: &str) -> Option<usize> {
    let found = table.keys().find(|have| have.get_ref().as_ref() == key)?;
    Some(line_of(text, found.span().start))
}

/// The candidate most like `name`, or `None` where nothing is like it at all.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests;
