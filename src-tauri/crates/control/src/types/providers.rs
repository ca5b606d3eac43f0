//! Providers with their keys, and the models that they offer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::ErrorView;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ProviderKind {
    pub kind: String,
    pub name: String,
    pub protocol: String,
    /// Empty where it differs per user, who must then give it.
    pub base_url: String,
    /// What a base URL looks like, where the user must give it.
    pub base_url_example: Option<String>,
    /// The environment variable that the vendor's own tools read.
    pub key_env: Option<String>,
    pub needs_key: bool,
    /// Where a key is made.
    pub keys_url: Option<String>,
    pub docs: String,
    /// What differs per user, in place of a whole address; `base_url` has them as `{name}`.
    pub variables: Vec<ProviderVariable>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ProviderVariable {
    pub name: String,
    pub label: String,
    /// What holds where nothing is said.
    pub default: Option<String>,
    pub example: Option<String>,
    /// Nothing works without it, unless the address is the user's own.
    pub is_required: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ProviderView {
    pub id: String,
    pub kind: String,
    pub name: String,
    pub protocol: String,
    pub base_url: String,
    pub key_source: KeySource,
    /// The environment variable, where the key comes from one.
    pub key_env: Option<String>,
    pub key_state: KeyState,
    /// For people: what is wrong with the key and what to do.
    pub key_message: Option<String>,
    pub is_rehearsal: bool,
    /// Found on this machine; in no settings.
    pub is_discovered: bool,
    /// Where the settings have an address of their own.
    pub own_base_url: Option<String>,
    /// What the settings say of the kind's variables.
    pub variables: BTreeMap<String, String>,
    /// Models known so far; `None` before the provider was asked.
    pub model_count: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    Keychain,
    Env,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    Present,
    /// The keychain or the environment is there and holds no such key.
    Missing,
    Locked,
    Absent,
    Error,
    NotNeeded,
}

#[derive(Clone, Deserialize, Serialize, TS)]
pub struct SaveProviderArgs {
    pub id: String,
    pub kind: String,
    #[serde(default)]
    #[ts(optional = nullable)]
    pub base_url: Option<String>,
    #[serde(default)]
    #[ts(optional = nullable)]
    pub protocol: Option<String>,
    /// `keychain`, `env:NAME` or `none`.
    pub key: String,
    /// By the names of the kind's variables; empty ones count as left out.
    #[serde(default)]
    #[ts(as = "Option<BTreeMap<String, String>>", optional)]
    pub variables: BTreeMap<String, String>,
    /// Goes to the keychain and nowhere else; left out, the stored one stays.
    #[serde(default)]
    #[ts(optional = nullable)]
    pub secret: Option<String>,
}

impl std::fmt::Debug for SaveProviderArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SaveProviderArgs")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("base_url", &self.base_url)
            .field("protocol", &self.protocol)
            .field("key", &self.key)
            .field("variables", &self.variables)
            .field("secret", &self.secret.as_ref().map(|_| "•••"))
            .finish()
    }
}

#[derive(Clone, Deserialize, Serialize, TS)]
pub struct SetKeyArgs {
    pub id: String,
    pub secret: String,
}

impl std::fmt::Debug for SetKeyArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetKeyArgs").field("id", &self.id).field("secret", &"•••").finish()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct IdArgs {
    pub id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ProviderTest {
    pub ok: bool,
    pub latency_ms: Option<i64>,
    /// How many models it lists.
    pub models: Option<u64>,
    pub error: Option<ErrorView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ModelView {
    /// What a request names: `provider/model`, or a route's name.
    pub id: String,
    pub provider: Option<String>,
    pub model: String,
    pub name: String,
    pub is_route: bool,
    /// Tokens.
    pub context_window: Option<u64>,
    /// Tokens.
    pub max_output_tokens: Option<u64>,
    /// US dollars per million tokens, as a decimal.
    pub input_usd_per_mtok: Option<String>,
    /// US dollars per million tokens, as a decimal.
    pub output_usd_per_mtok: Option<String>,
}
