//! The gateway as one value: started, asked, reconfigured, shut down.

mod discovery;
mod memory;
mod routing;
mod settings;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use canonical::{ChatRequest, Error, ErrorKind, Origin};
use ledger::{Ledger, LedgerError};
use tokio::net::TcpListener;
use tokio::sync::{Mutex as AsyncMutex, broadcast};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clients::{self, ClientError, NewClient};
use crate::config::ConfigError;
use crate::config::kinds::UserKinds;
use crate::core::Core;
use crate::egress::Egress;
use crate::engine::{self, Caller, Running};
use crate::ingress::Port;
use crate::ingress::auth::Keyring;
use crate::ingress::refused::Refusals;
use crate::ingress::server::Server;
use crate::models::{self, Model, ProviderTest};
use crate::port::{self, PortState};
use crate::providers::{Provider, Snapshot};
use crate::secrets::keychain::Keychain;
use crate::secrets::{KeyStatus, KeychainStatus, Secret, SecretError, Secrets};
use crate::{Clock, Event};

/// How long requests that were ended may take to get into the book.
const SETTLING: Duration = Duration::from_secs(3);

/// Where things are.
#[derive(Debug, Clone)]
pub struct Options {
    pub config_path: PathBuf,
    pub data_dir: PathBuf,
    /// Listen here, whatever the settings say (`--listen`).
    pub listen_override: Option<SocketAddr>,
}

/// What the gateway is made of, so that a test can bring its own.
#[derive(Debug, Clone)]
pub struct Parts {
    pub ledger: Ledger,
    pub secrets: Secrets,
    pub clock: Clock,
}

impl Parts {
    /// The ledger in the data folder and the system's keychain. Blocks.
    pub fn open(options: &Options) -> Result<Self, LedgerError> {
        let clock = Clock;
        let ledger = Ledger::open(&options.data_dir.join(ledger::FILE_NAME), clock.now_ms())?;
        Ok(Self { ledger, secrets: Secrets::new(Arc::new(Keychain)), clock })
    }
}

/// Why there is no gateway at all. Broken settings and a taken port are no such reasons.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("The built-in rehearsal provider could not start: {0}.")]
    Rehearsal(std::io::Error),
    #[error("TLS could not be set up: {0}.")]
    Tls(String),
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    core: Arc<Core>,
    options: Options,
    keyring: Arc<Keyring>,
    refusals: Arc<Refusals>,
    rehearsal_url: String,
    /// Why the settings file is not what holds.
    config_error: RwLock<Option<ConfigError>>,
    user_kinds: RwLock<UserKinds>,
    /// The kinds of server that answer on this machine.
    found: Mutex<Vec<String>>,
    /// The text that was read or written last; what differs from it on disk is news.
    config_text: AsyncMutex<Option<String>>,
    port: RwLock<PortState>,
    server: AsyncMutex<Option<Server>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    stop: CancellationToken,
}

impl Gateway {
    /// Starts everything: settings (the example is written where there are none), the rehearsal
    /// provider, the port, the watch on the settings files, the look for servers on this machine. Where the settings are broken the
    /// defaults hold, and where the port is taken nothing listens: the state says so.
    pub async fn start(options: Options, parts: Parts) -> Result<Arc<Self>, StartError> {
        let first = settings::first_settings(&options.config_path);
        let stop = CancellationToken::new();
        let (rehearsal_url, rehearsal) =
            start_rehearsal(stop.clone()).await.map_err(StartError::Rehearsal)?;
        let egress = Egress::new(first.config.timeouts.connect).map_err(StartError::Tls)?;
        let kinds = first.user_kinds.kinds.clone();
        let snapshot = Snapshot::new(Arc::new(first.config), kinds, &[], Some(&rehearsal_url), egress);
        let core = Arc::new(Core::new(parts.clock, parts.ledger, parts.secrets, snapshot));
        let gateway = Arc::new(Self {
            core,
            options,
            keyring: Arc::default(),
            refusals: Arc::default(),
            rehearsal_url,
            config_error: RwLock::new(first.error),
            user_kinds: RwLock::new(first.user_kinds),
            found: Mutex::default(),
            config_text: AsyncMutex::new(first.text),
            port: RwLock::default(),
            server: AsyncMutex::new(None),
            tasks: Mutex::new(vec![rehearsal]),
            stop,
        });
        gateway.recall().await;
        gateway.listen().await;
        gateway.watch_settings();
        gateway.keep_memory();
        gateway.keep_looking_for_servers();
        Ok(gateway)
    }

    /// Starts a request and returns at once; the answer comes through [`Running::events`]. Needs a
    /// tokio runtime.
    pub fn chat(&self, request: ChatRequest, caller: Caller) -> Running {
        engine::chat(&self.core, request, caller)
    }

    /// What happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.core.subscribe()
    }

    pub fn running_requests(&self) -> usize {
        self.core.running()
    }

    pub fn ledger(&self) -> &Ledger {
        &self.core.ledger
    }

    pub fn clock(&self) -> Clock {
        self.core.clock
    }

    pub fn data_dir(&self) -> &Path {
        &self.options.data_dir
    }

    /// Stops listening, gives requests under way a moment, ends what still runs, and writes out the
    /// ledger. Afterwards nothing is heard or answered.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        let server = self.server.lock().await.take();
        // Chats in the window and streams on the port end as stopped by the user.
        self.core.closing.cancel();
        self.core.requests.close();
        let settled = tokio::time::timeout(SETTLING, self.core.requests.wait());
        match server {
            Some(server) => drop(tokio::join!(server.stop(), settled)),
            None => drop(settled.await),
        }
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            task.abort();
        }
        self.write_memory().await;
        if let Err(error) = self.core.ledger.flush().await {
            tracing::error!(kind = error.kind(), "the ledger could not be written out");
        }
    }

    // === The port ===

    pub fn port(&self) -> PortState {
        self.port.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Listens where the settings say, unless it already does. The old address goes on until the
    /// new one is open, and its requests until they end.
    async fn listen(&self) {
        let requested = self.options.listen_override.unwrap_or(self.core.snapshot().config.listen);
        let mut server = self.server.lock().await;
        let is_there = |server: &Server| {
            server.address == requested
                || (self.port().error.is_none() && self.port().requested == requested.to_string())
        };
        if let Some(server) = server.as_ref().filter(|server| is_there(server)) {
            self.set_port(PortState::listening(requested, server.address));
            return;
        }
        let opened = match port::bind(requested).await {
            Ok(listener) => {
                let port = Port {
                    core: Arc::clone(&self.core),
                    keyring: Arc::clone(&self.keyring),
                    refusals: Arc::clone(&self.refusals),
                };
                Server::start(listener, port)
            }
            Err(error) => Err(error),
        };
        let state = match opened {
            Ok(opened) => {
                let state = PortState::listening(requested, opened.address);
                if let Some(old) = server.replace(opened) {
                    old.retire();
                }
                state
            }
            Err(error) => {
                tracing::warn!(%requested, %error, "the port is not open");
                let failed = PortState::failed(requested, &error);
                PortState { listening: server.as_ref().map(|server| server.address), ..failed }
            }
        };
        self.set_port(state);
    }

    fn set_port(&self, state: PortState) {
        let before = {
            let mut port = self.port.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *port, state.clone())
        };
        if before != state {
            self.core.tell(Event::PortChanged(state));
        }
    }

    // === Providers and their keys ===

    /// In the order of the settings; the built-in rehearsal is last.
    pub fn providers(&self) -> Vec<Arc<Provider>> {
        self.core.snapshot().providers.clone()
    }

    pub fn provider(&self, id: &str) -> Option<Arc<Provider>> {
        self.core.snapshot().provider(id).cloned()
    }

    /// Whether the provider's key could be used. `None`: there is no such provider.
    pub async fn key_status(&self, provider: &str) -> Option<KeyStatus> {
        let provider = self.provider(provider)?;
        Some(self.core.secrets.key_status(&provider.id, &provider.key).await)
    }

    /// Stores a provider's key in the keychain. The provider need not be in the settings yet.
    pub async fn set_key(&self, provider: &str, secret: Secret) -> Result<(), SecretError> {
        self.core.secrets.set(provider, secret).await?;
        self.core.key_changed(provider);
        self.core.tell(Event::KeyChanged { provider: provider.to_owned() });
        Ok(())
    }

    /// Removes a provider's key from the keychain.
    pub async fn delete_key(&self, provider: &str) -> Result<(), SecretError> {
        self.core.secrets.delete(provider).await?;
        self.core.key_changed(provider);
        self.core.tell(Event::KeyChanged { provider: provider.to_owned() });
        Ok(())
    }

    pub async fn keychain_status(&self) -> KeychainStatus {
        self.core.secrets.keychain_status().await
    }

    // === Models ===

    /// Everything that can be asked for: routes, then `provider/model`. Lists that are due are
    /// asked for, and waited for a little.
    pub async fn models(&self) -> Vec<Model> {
        let snapshot = self.core.snapshot();
        models::refresh_due(&self.core, &snapshot).await;
        models::all(&self.core, &snapshot)
    }

    /// What is known of a provider's models, without asking it. `None`: no such provider.
    pub fn known_models(&self, provider: &str) -> Option<Vec<Model>> {
        let provider = self.provider(provider)?;
        Some(models::known(&self.core.lists, &provider))
    }

    /// Asks the provider for its list now.
    pub async fn list_models(&self, provider: &str) -> Result<Vec<Model>, Error> {
        let snapshot = self.core.snapshot();
        let provider = snapshot.provider(provider).ok_or_else(|| no_provider(provider))?;
        models::fetch(&self.core, &snapshot, provider).await?;
        Ok(models::known(&self.core.lists, provider))
    }

    /// Whether the provider can be reached and takes the key: asks for its list of models.
    pub async fn test_provider(&self, provider: &str) -> ProviderTest {
        let started = self.core.clock.now();
        let snapshot = self.core.snapshot();
        let result = match snapshot.provider(provider) {
            Some(provider) => models::fetch(&self.core, &snapshot, provider).await,
            None => Err(no_provider(provider)),
        };
        let latency = self.core.clock.now().duration_since(started);
        ProviderTest { latency_ms: i64::try_from(latency.as_millis()).unwrap_or(i64::MAX), result }
    }

    // === Clients of the port ===

    /// Makes a client with a key of its own, which counts at once and is never shown again.
    pub async fn create_client(&self, name: &str) -> Result<NewClient, ClientError> {
        let (ledger, clock, name) = (self.core.ledger.clone(), self.core.clock, name.to_owned());
        blocking(move || clients::create(&ledger, clock, &name)).await
    }

    /// From now on the client's key opens nothing.
    pub async fn revoke_client(&self, id: &str) -> Result<(), LedgerError> {
        let (ledger, now, id) = (self.core.ledger.clone(), self.core.clock.now_ms(), id.to_owned());
        blocking(move || ledger.revoke_client(&id, now)).await?;
        self.keyring.forget();
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.cancel();
        self.core.closing.cancel();
        for task in self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

fn no_provider(id: &str) -> Error {
    Error::new(ErrorKind::NotFound, Origin::Caller, format!("There is no provider \"{id}\" in the settings."))
}

/// The rehearsal provider on a port of its own, over real HTTP like any other.
async fn start_rehearsal(stop: CancellationToken) -> std::io::Result<(String, JoinHandle<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let task = tokio::spawn(async move {
        if let Err(error) = rehearsal::serve(listener, stop.cancelled_owned()).await {
            tracing::error!(%error, "the rehearsal provider stopped");
        }
    });
    Ok((url, task))
}

/// Runs what blocks where blocking is allowed.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down; nobody waits for the answer.
            Err(_) => std::future::pending().await,
        },
    }
}
