//! Providers' keys: kept in the system's keychain or read from the environment, nowhere else.
//!
//! - [`SecretStore`]: a keychain, behind one blocking trait. [`keychain`] is the system's,
//!   [`InMemory`] serves tests.
//! - [`Secrets`]: asks the store on a thread of its own with a deadline (a broken daemon can hang
//!   for more than a minute), and remembers what it was told.

pub mod keychain;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::config::KeySource;

/// How long the keychain may take over a look: it asks nobody.
const LOOK_DEADLINE: Duration = Duration::from_secs(10);

/// How long it may take over a change: a locked one asks the user for a password first.
const CHANGE_DEADLINE: Duration = Duration::from_secs(90);

/// What stands where a key would.
const HIDDEN: &str = "•••";

/// Providers' real keys are longer than this, in bytes.
const SECRET_LENGTH: usize = 8;

/// A key. Its memory is wiped when it goes, and it never prints itself.
#[derive(Clone)]
pub struct Secret {
    value: Zeroizing<String>,
    /// What was made of it and is secret too, newest last. Shared by all copies.
    derived: Arc<Mutex<Vec<Zeroizing<String>>>>,
}

/// Tokens of a key that may still be on their way somewhere.
const DERIVED_KEPT: usize = 4;

impl Secret {
    /// A key as the user gave it, without blanks around it. A key file's JSON is taken whole, and
    /// kept in one line.
    ///
    /// # Errors
    /// `Invalid` where it is empty, has more than one line or cannot stand in a header.
    pub fn new(value: &str) -> Result<Self, SecretError> {
        let value = value.trim();
        if value.starts_with('{') {
            let file: serde_json::Value = serde_json::from_str(value)
                .map_err(|_| SecretError::Invalid("The key looks like a file's JSON and is none."))?;
            return Ok(Self::of(file.to_string()));
        }
        if value.is_empty() {
            return Err(SecretError::Invalid("The key is empty."));
        }
        if value.contains(['\n', '\r']) {
            return Err(SecretError::Invalid("The key has more than one line; paste the key alone."));
        }
        if !value.chars().all(|c| c.is_ascii_graphic()) {
            return Err(SecretError::Invalid(
                "The key has a character that no key has (a blank, or one outside of ASCII); paste the key alone.",
            ));
        }
        Ok(Self::of(value.to_owned()))
    }

    fn of(value: String) -> Self {
        Self { value: Zeroizing::new(value), derived: Arc::default() }
    }

    /// From now on `token`, which was made of this key, is hidden wherever the key is.
    pub(crate) fn hide_also(&self, token: &Self) {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if derived.len() == DERIVED_KEPT {
            derived.remove(0);
        }
        derived.push(token.value.clone());
    }

    /// The key itself; for the one place that signs requests and the one that stores it.
    pub(crate) fn expose(&self) -> &str {
        &self.value
    }

    /// Whether `text` repeats the key, or what was made of it; never for a placeholder, see
    /// [`Self::hide_in`].
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        let derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        let mut secrets = derived.iter().chain([&self.value]).filter(|secret| secret.len() >= SECRET_LENGTH);
        secrets.any(|secret| text.windows(secret.len()).any(|part| part == secret.as_bytes()))
    }

    /// Takes the key out of what a provider says of a failure: some repeat the key that they refuse.
    /// A placeholder for a server that asks for none ("none", "x") is no secret, and stays.
    pub(crate) fn hide_in(&self, error: &mut canonical::Error) {
        let derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        let secrets = derived.iter().chain([&self.value]).filter(|secret| secret.len() >= SECRET_LENGTH);
        for secret in secrets {
            let texts =
                [Some(&mut error.message), error.code.as_mut(), error.param.as_mut(), error.body.as_mut()];
            for text in texts.into_iter().flatten() {
                if text.contains(secret.as_str()) {
                    *text = text.replace(secret.as_str(), HIDDEN);
                }
                hide_at_end(secret, text);
            }
        }
    }
}

/// A long text may have been cut in the middle of the key.
fn hide_at_end(key: &str, text: &mut String) {
    let beginnings = (SECRET_LENGTH..key.len()).rev().filter_map(|length| key.get(..length));
    let bare = text.trim_end_matches('…').len();
    for beginning in beginnings {
        if text[..bare].ends_with(beginning) {
            text.replace_range(bare - beginning.len()..bare, HIDDEN);
            return;
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// Why there is no key, or why it could not be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error(
        "The keychain is locked, or has no default collection yet. Unlock it in your desktop's password manager, then try again; or use an environment variable (key = \"env:NAME\")."
    )]
    Locked,
    #[error(
        "There is no keychain here: {0}. Start a Secret Service (GNOME Keyring, KWallet, KeePassXC), or name an environment variable (key = \"env:NAME\"). Signalbox never keeps keys in a file."
    )]
    Absent(String),
    #[error(
        "The keychain did not answer in time. Unlock or restart it, or use an environment variable (key = \"env:NAME\")."
    )]
    TimedOut,
    #[error("The keychain failed: {0}.")]
    Failed(String),
    #[error("{0}")]
    Invalid(&'static str),
}

/// A place that keeps keys by the provider's id. Calls block, possibly for long.
pub trait SecretStore: Send + Sync + 'static {
    /// `Ok` where keys can be read and stored right now. Asks the user for nothing.
    fn status(&self) -> Result<(), SecretError>;

    /// `None` where the store is open and holds nothing for `user`.
    fn get(&self, user: &str) -> Result<Option<Secret>, SecretError>;

    fn set(&self, user: &str, secret: &Secret) -> Result<(), SecretError>;

    /// Afterwards nothing is kept for `user`, whether or not something was.
    fn delete(&self, user: &str) -> Result<(), SecretError>;
}

/// A store that forgets everything at the end, for tests.
#[derive(Debug, Default)]
pub struct InMemory(Mutex<HashMap<String, Secret>>);

impl SecretStore for InMemory {
    fn status(&self) -> Result<(), SecretError> {
        Ok(())
    }

    fn get(&self, user: &str) -> Result<Option<Secret>, SecretError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(user).cloned())
    }

    fn set(&self, user: &str, secret: &Secret) -> Result<(), SecretError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(user.to_owned(), secret.clone());
        Ok(())
    }

    fn delete(&self, user: &str) -> Result<(), SecretError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(user);
        Ok(())
    }
}

/// How a provider stands with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    Present,
    /// There is a place for it, and nothing in it.
    Missing,
    Locked,
    Absent,
    Error,
    NotNeeded,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyStatus {
    pub state: KeyState,
    /// For people, where the key cannot be used.
    pub message: Option<String>,
}

/// How the keychain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeychainState {
    Available,
    Locked,
    Absent,
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeychainStatus {
    pub state: KeychainState,
    pub message: Option<String>,
}

impl SecretError {
    fn key_state(&self) -> KeyState {
        match self {
            Self::Locked => KeyState::Locked,
            Self::Absent(_) => KeyState::Absent,
            Self::TimedOut | Self::Failed(_) | Self::Invalid(_) => KeyState::Error,
        }
    }

    fn keychain_state(&self) -> KeychainState {
        match self {
            Self::Locked => KeychainState::Locked,
            Self::Absent(_) => KeychainState::Absent,
            Self::TimedOut | Self::Failed(_) | Self::Invalid(_) => KeychainState::Error,
        }
    }
}

/// Why a provider has no usable key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error(
        "The provider \"{provider}\" has no key in the keychain. Add one in Settings, or set key = \"env:NAME\"."
    )]
    MissingFromKeychain { provider: String },
    #[error(
        "The environment variable {name} is not set, and the provider \"{provider}\" takes its key from it."
    )]
    MissingFromEnvironment { provider: String, name: String },
    #[error(
        "The key of the provider \"{provider}\" in the environment variable {name} cannot be used: {why}"
    )]
    Unusable { provider: String, name: String, why: &'static str },
    #[error("The key of the provider \"{provider}\" could not be read. {source}")]
    Store { provider: String, source: SecretError },
}

/// The keys of all providers.
#[derive(Clone)]
pub struct Secrets {
    store: Arc<dyn SecretStore>,
    known: Arc<Mutex<HashMap<String, Secret>>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(•••)")
    }
}

impl Secrets {
    pub fn new(store: Arc<dyn SecretStore>) -> Self {
        Self { store, known: Arc::default() }
    }

    /// The key of `provider`, or `None` where it takes none.
    pub async fn key(&self, provider: &str, source: &KeySource) -> Result<Option<Secret>, KeyError> {
        match source {
            KeySource::None => Ok(None),
            KeySource::Env(name) => read_environment(provider, name).await.map(Some),
            KeySource::Keychain => self.read_keychain(provider).await.map(Some),
        }
    }

    /// Whether the key could be used, without using it.
    pub async fn key_status(&self, provider: &str, source: &KeySource) -> KeyStatus {
        match self.key(provider, source).await {
            Ok(None) => KeyStatus { state: KeyState::NotNeeded, message: None },
            Ok(Some(_)) => KeyStatus { state: KeyState::Present, message: None },
            Err(error) => {
                let state = match &error {
                    KeyError::MissingFromKeychain { .. } | KeyError::MissingFromEnvironment { .. } => {
                        KeyState::Missing
                    }
                    KeyError::Unusable { .. } => KeyState::Error,
                    KeyError::Store { source, .. } => source.key_state(),
                };
                KeyStatus { state, message: Some(error.to_string()) }
            }
        }
    }

    pub async fn keychain_status(&self) -> KeychainStatus {
        match self.ask(LOOK_DEADLINE, SecretStore::status).await {
            Ok(()) => KeychainStatus { state: KeychainState::Available, message: None },
            Err(error) => KeychainStatus { state: error.keychain_state(), message: Some(error.to_string()) },
        }
    }

    /// Stores a provider's key in the keychain.
    pub async fn set(&self, provider: &str, secret: Secret) -> Result<(), SecretError> {
        let (user, stored) = (provider.to_owned(), secret.clone());
        self.ask(CHANGE_DEADLINE, move |store| store.set(&user, &stored)).await?;
        self.known().insert(provider.to_owned(), secret);
        Ok(())
    }

    /// Removes a provider's key from the keychain.
    pub async fn delete(&self, provider: &str) -> Result<(), SecretError> {
        self.known().remove(provider);
        let user = provider.to_owned();
        self.ask(CHANGE_DEADLINE, move |store| store.delete(&user)).await
    }

    /// Forgets what was read of `provider`, so that the next use reads it again: its key was
    /// refused, and may have been replaced outside of Signalbox.
    pub(crate) fn forget(&self, provider: &str) {
        self.known().remove(provider);
    }

    async fn read_keychain(&self, provider: &str) -> Result<Secret, KeyError> {
        let known = self.known().get(provider).cloned();
        if let Some(secret) = known {
            return Ok(secret);
        }
        let user = provider.to_owned();
        match self.ask(LOOK_DEADLINE, move |store| store.get(&user)).await {
            Ok(Some(secret)) => {
                self.known().insert(provider.to_owned(), secret.clone());
                Ok(secret)
            }
            Ok(None) => Err(KeyError::MissingFromKeychain { provider: provider.to_owned() }),
            Err(source) => Err(KeyError::Store { provider: provider.to_owned(), source }),
        }
    }

    /// Runs `question` on a thread of its own and waits for it, at most `deadline`. A thread
    /// that hangs is left behind; it holds nothing that others need.
    async fn ask<T: Send + 'static>(
        &self,
        deadline: Duration,
        question: impl FnOnce(&dyn SecretStore) -> Result<T, SecretError> + Send + 'static,
    ) -> Result<T, SecretError> {
        let (answer, answered) = oneshot::channel();
        let store = Arc::clone(&self.store);
        std::thread::Builder::new()
            .name("keychain".to_owned())
            .spawn(move || drop(answer.send(question(store.as_ref()))))
            .map_err(|error| SecretError::Failed(error.to_string()))?;
        match tokio::time::timeout(deadline, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(SecretError::Failed("its thread ended without an answer".to_owned())),
            Err(_) => Err(SecretError::TimedOut),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Secret>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key in an environment variable, or in the file that it names: Google's tools put a path there.
async fn read_environment(provider: &str, name: &str) -> Result<Secret, KeyError> {
    let missing =
        || KeyError::MissingFromEnvironment { provider: provider.to_owned(), name: name.to_owned() };
    let value = Zeroizing::new(std::env::var(name).map_err(|_| missing())?);
    if value.trim().is_empty() {
        return Err(missing());
    }
    let unusable = |why| KeyError::Unusable { provider: provider.to_owned(), name: name.to_owned(), why };
    let value = match value.trim() {
        // No key ends so.
        path if Path::new(path).extension().is_some_and(|extension| extension == "json") => {
            let text = tokio::fs::read_to_string(path).await;
            Zeroizing::new(text.map_err(|_| unusable("it names a file that cannot be read."))?)
        }
        _ => value,
    };
    Secret::new(&value).map_err(|error| {
        let SecretError::Invalid(why) = error else { return missing() };
        unusable(why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets::new(Arc::new(InMemory::default()))
    }

    #[test]
    fn a_secret_never_prints_itself_and_has_one_line() {
        let secret = Secret::new("  sk-test-123\n").unwrap();
        assert_eq!(format!("{secret:?}"), "•••");
        assert_eq!(secret.expose(), "sk-test-123");
        let file = Secret::new("{\n  \"type\": \"x y\"\n}\n").unwrap();
        assert_eq!(file.expose(), r#"{"type":"x y"}"#);
        for bad in ["", " \n", "a\nb", "a b", "schlüssel", "{a: 1}"] {
            assert!(matches!(Secret::new(bad), Err(SecretError::Invalid(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_provider_that_repeats_the_key_tells_nobody() {
        let secret = Secret::new("sk-test-123456").unwrap();
        let mut error = canonical::Error::caller("Wrong key: sk-test-123456.");
        error.body = Some("{\"key\":\"sk-test-123456\"} and cut: sk-test-12".to_owned());
        secret.hide_in(&mut error);
        assert_eq!(error.message, "Wrong key: •••.");
        assert_eq!(error.body.as_deref(), Some("{\"key\":\"•••\"} and cut: •••"));
        let mut cut = canonical::Error::caller("Wrong key: sk-test-1…");
        secret.hide_in(&mut cut);
        assert_eq!(cut.message, "Wrong key: •••…");
    }

    #[tokio::test]
    async fn a_key_that_was_never_stored_differs_from_one_that_is_not_needed() {
        let secrets = secrets();
        assert_eq!(secrets.key_status("a", &KeySource::None).await.state, KeyState::NotNeeded);
        let missing = secrets.key_status("a", &KeySource::Keychain).await;
        assert_eq!(missing.state, KeyState::Missing);
        assert!(missing.message.unwrap().contains("no key in the keychain"));
        secrets.set("a", Secret::new("sk-1").unwrap()).await.unwrap();
        assert_eq!(secrets.key_status("a", &KeySource::Keychain).await.state, KeyState::Present);
        secrets.delete("a").await.unwrap();
        assert_eq!(secrets.key_status("a", &KeySource::Keychain).await.state, KeyState::Missing);
    }

    #[test]
    fn what_was_made_of_a_key_is_hidden_with_it() {
        let key = Secret::new("{\"refresh_token\": \"r\"}").unwrap();
        let copy = key.clone();
        for token in ["ya29.first-token", "ya29.second-token"] {
            key.hide_also(&Secret::new(token).unwrap());
        }
        let said = "The token ya29.second-token after ya29.first-token is refused.";
        let mut error = canonical::Error::caller(said);
        copy.hide_in(&mut error);
        assert_eq!(error.message, "The token ••• after ••• is refused.");
    }

    #[tokio::test]
    async fn an_unset_environment_variable_is_named() {
        let source = KeySource::Env("SIGNALBOX_TEST_NO_SUCH_VARIABLE".to_owned());
        let error = secrets().key("groq", &source).await.unwrap_err();
        assert!(error.to_string().contains("SIGNALBOX_TEST_NO_SUCH_VARIABLE"), "{error}");
    }

    /// A store that never answers, as a broken daemon does.
    struct Hanging;

    impl SecretStore for Hanging {
        fn status(&self) -> Result<(), SecretError> {
            std::thread::park();
            Ok(())
        }
        fn get(&self, _: &str) -> Result<Option<Secret>, SecretError> {
            std::thread::park();
            Ok(None)
        }
        fn set(&self, _: &str, _: &Secret) -> Result<(), SecretError> {
            Ok(())
        }
        fn delete(&self, _: &str) -> Result<(), SecretError> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_keychain_that_hangs_is_given_up_at_the_deadline() {
        let secrets = Secrets::new(Arc::new(Hanging));
        assert_eq!(secrets.keychain_status().await.state, KeychainState::Error);
        let error = secrets.key("a", &KeySource::Keychain).await.unwrap_err();
        assert!(matches!(error, KeyError::Store { source: SecretError::TimedOut, .. }), "{error}");
    }
}
