//! The value that a front holds: started, asked by name, listened to, shut down.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use futures_util::stream::BoxStream;
use gateway::{Gateway, Parts};
use ledger::Ledger;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::chat::Generations;
use crate::commands;
use crate::error::{ControlError, Result};
use crate::events::{
    AttemptFailedEvent, ChatsChangedEvent, ConfigChangedEvent, ControlEvent, PortChangedEvent, RequestEvent,
};
use crate::keychain::Keychain;
use crate::table::with_commands;
use crate::types::{ControlErrorKind, PortStatus, WatchItem};

/// Events that a slow front may be behind before it loses the oldest.
const EVENTS: usize = 256;

/// Where things are kept, and where the port listens.
#[derive(Debug, Clone)]
pub struct Options {
    /// The settings file; made with explanations where there is none.
    pub config_path: PathBuf,
    pub data_dir: PathBuf,
    /// Replaces the settings' address.
    pub listen: Option<SocketAddr>,
}

/// The running core, as fronts see it.
#[derive(Debug)]
pub struct Control {
    gateway: Arc<Gateway>,
    generations: Arc<Generations>,
    keychain: Keychain,
    events: broadcast::Sender<ControlEvent>,
}

impl Control {
    /// Starts the gateway and stands before it. A broken settings file or a taken port is no
    /// error: `app.status` says so, and both can be mended from here.
    ///
    /// # Errors
    /// `AlreadyRunning`, `LedgerCorrupt`, `Ledger`, `Invalid`.
    pub async fn start(options: Options) -> Result<Arc<Self>> {
        let options = gateway::Options {
            config_path: options.config_path,
            data_dir: options.data_dir,
            listen_override: options.listen,
        };
        let opening = options.clone();
        let parts = blocking(move || Parts::open(&opening)).await??;
        Self::start_with(options, parts).await
    }

    /// As [`Control::start`], with parts of the caller's own: tests bring a keychain in memory.
    pub async fn start_with(options: gateway::Options, parts: Parts) -> Result<Arc<Self>> {
        let gateway = Gateway::start(options, parts)
            .await
            .map_err(|error| ControlError::internal(error.to_string()))?;
        let (events, _) = broadcast::channel(EVENTS);
        tokio::spawn(forward(Arc::downgrade(&gateway), gateway.subscribe(), events.clone()));
        Ok(Arc::new(Self {
            generations: Arc::new(Generations::new(Arc::clone(&gateway), events.clone())),
            keychain: Keychain::default(),
            gateway,
            events,
        }))
    }

    /// Runs one command. `args` may be `null` where a command takes none.
    ///
    /// # Errors
    /// The command's own, `UnknownCommand`, or `InvalidArgs`.
    pub async fn dispatch(&self, name: &str, args: Value) -> Result<Value> {
        dispatch(self, name, if args.is_null() { json!({}) } else { args }).await
    }

    /// Everything that happens from now on. A front that lags loses the oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<ControlEvent> {
        self.events.subscribe()
    }

    /// Follows an answer while it is written. The first item is a snapshot unless `since` is where
    /// the answer stands; the last is its end. One that was finished before has only its end.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn watch(&self, message_id: &str, since: u64) -> Result<BoxStream<'static, WatchItem>> {
        self.generations.watch(message_id, since).await
    }

    /// How the port stands.
    pub fn port(&self) -> PortStatus {
        let port = self.gateway.port();
        PortStatus {
            listening: port.listening.map(|address| address.to_string()),
            error: port.error,
            requested: port.requested,
            suggestion: port.suggestion,
        }
    }

    /// Why the settings file as it stands is not in force.
    pub fn config_error(&self) -> Option<String> {
        self.gateway.config_error().map(|error| error.to_string())
    }

    /// Ends what runs, saves what had arrived of it, and closes the port and the book.
    pub async fn shutdown(&self) {
        self.generations.shutdown().await;
        self.gateway.shutdown().await;
    }

    /// Moves a damaged ledger to a name beside it, which is returned. Only by the user's word.
    ///
    /// # Errors
    /// `AlreadyRunning`, `Ledger`.
    pub fn move_ledger_aside(data_dir: &Path) -> Result<PathBuf> {
        let path = data_dir.join(ledger::FILE_NAME);
        Ok(Ledger::move_aside(&path, gateway::Clock.now_ms())?)
    }

    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    pub(crate) fn generations(&self) -> &Arc<Generations> {
        &self.generations
    }

    pub(crate) fn keychain(&self) -> &Keychain {
        &self.keychain
    }

    /// Reads or writes the book where blocking is allowed.
    pub(crate) async fn ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ledger) -> ledger::Result<T> + Send + 'static,
    ) -> Result<T> {
        with_ledger(&self.gateway, work).await
    }

    /// A chat was made, changed or removed.
    pub(crate) fn chats_changed(&self, chat_id: &str) {
        // Nobody listening is no error.
        let _ =
            self.events.send(ControlEvent::ChatsChanged(ChatsChangedEvent { chat_id: chat_id.to_owned() }));
    }
}

pub(crate) async fn with_ledger<T: Send + 'static>(
    gateway: &Gateway,
    work: impl FnOnce(&Ledger) -> ledger::Result<T> + Send + 'static,
) -> Result<T> {
    let ledger = gateway.ledger().clone();
    Ok(blocking(move || work(&ledger)).await??)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ControlError::internal(format!("A task of the core ended early: {error}.")))
}

macro_rules! dispatch_table {
    ($($name:literal => $module:ident::$handler:ident($args:ty) -> $result:ty;)+) => {
        async fn dispatch(control: &Control, name: &str, args: Value) -> Result<Value> {
            #[allow(clippy::wildcard_imports, reason = "the table names nearly all of them")]
            use crate::types::*;
            match name {
                $($name => {
                    let args: $args = parse($name, args)?;
                    // Boxed, or the table's future would be as large as all commands together.
                    let result: $result = Box::pin(commands::$module::$handler(control, args)).await?;
                    render(&result)
                })+
                _ => Err(ControlError::new(
                    ControlErrorKind::UnknownCommand,
                    format!("There is no command \"{name}\"."),
                )),
            }
        }
    };
}
with_commands!(dispatch_table);

fn parse<T: DeserializeOwned>(name: &str, args: Value) -> Result<T> {
    serde_json::from_value(args).map_err(|error| {
        // A value could be a secret, and serde quotes wrong ones: only the shape is spoken of.
        let what = if error.is_data() { first_words(&error.to_string()) } else { "not readable".to_owned() };
        ControlError::new(
            ControlErrorKind::InvalidArgs,
            format!("The arguments of \"{name}\" are not right: {what}."),
        )
    })
}

/// Of serde's message what names fields and types, without the values that it quotes.
fn first_words(message: &str) -> String {
    match message.strip_prefix("missing field ") {
        Some(field) => format!("the field {field} is missing"),
        None => "a field has the wrong type".to_owned(),
    }
}

fn render<T: serde::Serialize>(result: &T) -> Result<Value> {
    serde_json::to_value(result)
        .map_err(|error| ControlError::internal(format!("A result could not be written as JSON: {error}.")))
}

/// Passes the gateway's events on in the fronts' words, until the gateway is gone.
async fn forward(
    gateway: Weak<Gateway>,
    mut source: broadcast::Receiver<gateway::Event>,
    events: broadcast::Sender<ControlEvent>,
) {
    loop {
        let event = match source.recv().await {
            Ok(event) => translate(&gateway, event),
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                tracing::debug!(missed, "events were lost on the way to the fronts");
                continue;
            }
            Err(broadcast::error::RecvError::Closed) => return,
        };
        // Nobody listening is no error.
        let _ = events.send(event);
    }
}

fn translate(gateway: &Weak<Gateway>, event: gateway::Event) -> ControlEvent {
    match event {
        gateway::Event::RequestStarted { request_id, .. } => {
            ControlEvent::RequestStarted(RequestEvent { id: request_id })
        }
        gateway::Event::AttemptFailed { request_id, provider, model, error_kind, .. } => {
            let error_kind = error_kind.as_str().to_owned();
            ControlEvent::AttemptFailed(AttemptFailedEvent { request_id, provider, model, error_kind })
        }
        gateway::Event::RequestSettled { request_id, .. } => {
            ControlEvent::RequestSettled(RequestEvent { id: request_id })
        }
        gateway::Event::ConfigChanged { error } => ControlEvent::ConfigChanged(ConfigChangedEvent { error }),
        gateway::Event::PortChanged(port) => ControlEvent::PortChanged(PortChangedEvent {
            listening: port.listening.map(|address| address.to_string()),
        }),
        // A key is part of how a provider stands, and providers are read again with the settings.
        gateway::Event::KeyChanged { .. } => {
            let error = gateway.upgrade().and_then(|gateway| gateway.config_error());
            ControlEvent::ConfigChanged(ConfigChangedEvent { error: error.map(|error| error.to_string()) })
        }
    }
}
