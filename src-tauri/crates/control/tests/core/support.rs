//! A core of its own for each test: a real gateway, a real book, the rehearsal over real HTTP, and
//! a keychain in memory.

use std::sync::Arc;
use std::time::Duration;

use control::types::{MessageView, WatchKind};
use control::{Control, ControlError, ControlEvent, WatchItem};
use futures_util::StreamExt;
use gateway::secrets::InMemory;
use gateway::{Clock, Options, Parts, Secrets};
use ledger::Ledger;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longer than anything here takes; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Core {
    pub(crate) control: Arc<Control>,
    pub(crate) folder: TempDir,
}

impl Core {
    pub(crate) async fn start() -> Self {
        // A server on the machine that the test runs on is no part of it.
        Self::start_with("[discovery]\nenabled = false\n").await
    }

    /// With these settings beside a port that is free.
    pub(crate) async fn start_with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("settings.toml"), settings).unwrap();
        let control = Self::open(&folder).await;
        Self { control, folder }
    }

    /// Another start on the same folder, as after a restart.
    pub(crate) async fn restart(self) -> Self {
        self.control.shutdown().await;
        let Self { control, folder } = self;
        // The last handle to the book closes it and lets go of its lock.
        let gone = Arc::downgrade(&control);
        drop(control);
        assert!(gone.upgrade().is_none(), "something holds on to the core");
        let control = Self::open(&folder).await;
        Self { control, folder }
    }

    async fn open(folder: &TempDir) -> Arc<Control> {
        let settings = std::fs::read_to_string(folder.path().join("settings.toml")).unwrap();
        let options = Options {
            config_path: folder.path().join("settings.toml"),
            data_dir: folder.path().join("data"),
            // Settings that name a port mean it.
            listen_override: (!settings.contains("[port]")).then(|| "127.0.0.1:0".parse().unwrap()),
        };
        let path = options.data_dir.join(ledger::FILE_NAME);
        let parts = Parts {
            ledger: Ledger::open(&path, Clock.now_ms()).unwrap(),
            secrets: Secrets::new(Arc::new(InMemory::default())),
            clock: Clock,
        };
        Control::start_with(options, parts).await.unwrap()
    }

    pub(crate) async fn ask(&self, name: &str, args: Value) -> Result<Value, ControlError> {
        tokio::time::timeout(PATIENCE, self.control.dispatch(name, args)).await.unwrap()
    }

    pub(crate) async fn call(&self, name: &str, args: Value) -> Value {
        self.ask(name, args).await.unwrap_or_else(|error| panic!("{name}: {error:?}"))
    }

    pub(crate) async fn new_chat(&self) -> String {
        text(&self.call("chats.create", json!({})).await["id"])
    }

    /// Sends and returns `chat.send`'s result.
    pub(crate) async fn send(&self, chat: &str, parent: Option<&str>, words: &str, model: &str) -> Value {
        let args = json!({"chat_id": chat, "parent_id": parent, "text": words, "model": model});
        self.call("chat.send", args).await
    }

    /// Everything that a watcher sees from `since` to the end.
    pub(crate) async fn watch(&self, message: &str, since: u64) -> Vec<WatchItem> {
        let stream = self.control.watch(message, since).await.unwrap();
        tokio::time::timeout(PATIENCE, stream.collect()).await.unwrap()
    }

    /// The message as it stands when its answer has ended.
    pub(crate) async fn ended(&self, message: &str) -> MessageView {
        let items = self.watch(message, 0).await;
        let last = items.last().expect("an end");
        assert_eq!(last.kind, WatchKind::End);
        last.message.clone().expect("the end carries the message")
    }

    /// Asks and waits for the answer.
    pub(crate) async fn answer(&self, words: &str, model: &str) -> MessageView {
        let chat = self.new_chat().await;
        let sent = self.send(&chat, None, words, model).await;
        self.ended(&text(&sent["message_id"])).await
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Waits for an event that `matches`.
pub(crate) async fn event(
    events: &mut tokio::sync::broadcast::Receiver<ControlEvent>,
    matches: impl Fn(&ControlEvent) -> bool,
) -> ControlEvent {
    let found = async {
        loop {
            let event = events.recv().await.unwrap();
            if matches(&event) {
                return event;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap()
}

/// What a window shows that applies the items in their order, and the numbers it saw.
pub(crate) fn shown(items: &[WatchItem]) -> (String, Vec<u64>) {
    let mut text = String::new();
    for item in items {
        match item.kind {
            WatchKind::Snapshot => text = item.text.clone().unwrap_or_default(),
            WatchKind::Delta => text.push_str(item.text.as_deref().unwrap_or_default()),
            WatchKind::End => {}
        }
    }
    (text, items.iter().map(|item| item.seq).collect())
}
