//! The core in this process: started beside the window, so that the window opens at once and
//! shows whatever went wrong.

use crate::args::Paths;
use crate::notice::{self, Answer};
use crate::window;
use control::{Control, ControlError, ControlErrorKind, Options, WatchItem};
use futures_util::StreamExt as _;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tauri::AppHandle;
use tokio::sync::{oneshot, watch};

/// How long settling may take before the process ends anyway: what is not settled by then is
/// marked `interrupted` at the next start.
const LAST_WORDS: Duration = Duration::from_secs(5);

type Started = Result<Arc<Control>, ControlError>;

/// The way to the core, from before it has started until it has stopped.
pub(crate) struct Core {
    /// Empty while it starts.
    started: watch::Receiver<Option<Started>>,
}

impl Core {
    /// Begins to start the core. Whoever asks for something before waits for the outcome.
    pub(crate) fn start(app: &AppHandle, paths: Paths) -> Self {
        let (tell, started) = watch::channel(None);
        tauri::async_runtime::spawn(begin(app.clone(), paths, tell));
        Self { started }
    }

    /// The running core, or why there is none.
    pub(crate) async fn ready(&self) -> Started {
        let mut started = self.started.clone();
        match started.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(never_started())),
            Err(_) => Err(never_started()),
        }
    }

    /// Runs one control command.
    pub(crate) async fn call(&self, name: &str, args: Value) -> Result<Value, ControlError> {
        self.ready().await?.dispatch(name, args).await
    }

    /// Hands every item of one answer to `send` until its end, or until `send` says that nobody listens.
    pub(crate) async fn watch(
        &self,
        message_id: &str,
        since: u64,
        send: impl Fn(WatchItem) -> bool,
    ) -> Result<(), ControlError> {
        let mut items = self.ready().await?.watch(message_id, since).await?;
        while let Some(item) = items.next().await {
            if !send(item) {
                break;
            }
        }
        Ok(())
    }

    /// Ends what runs and settles the ledger.
    pub(crate) async fn stop(&self) {
        let running = self.started.borrow().clone();
        if let Some(Ok(control)) = running
            && tokio::time::timeout(LAST_WORDS, control.shutdown()).await.is_err()
        {
            tracing::warn!("the core did not settle within {} s", LAST_WORDS.as_secs());
        }
    }
}

async fn begin(app: AppHandle, paths: Paths, tell: watch::Sender<Option<Started>>) {
    let mut outcome = start(&paths).await;
    if let Err(error) = &outcome {
        eprintln!("signalbox: {error}");
        match error.kind {
            // Reached only where no session bus could show the first copy's window.
            ControlErrorKind::AlreadyRunning => return app.exit(1),
            ControlErrorKind::LedgerCorrupt => {
                tell.send_replace(Some(outcome.clone()));
                outcome = mend(&app, &paths, error.clone()).await;
                window::reload(&app);
            }
            _ => {}
        }
    }
    tell.send_replace(Some(outcome));
}

async fn start(paths: &Paths) -> Started {
    let options =
        Options { config_path: paths.config.clone(), data_dir: paths.data_dir.clone(), listen: None };
    Control::start(options).await
}

/// Asks whether the damaged ledger may be moved aside, and starts anew if so.
async fn mend(app: &AppHandle, paths: &Paths, error: ControlError) -> Started {
    let (answer, answered) = oneshot::channel();
    let text = format!(
        "{error}\n\nMoved aside, it stays as it is, and a new one begins: \
         the chats and figures in it are then not shown."
    );
    let ask = notice::Question {
        title: "The ledger is damaged",
        text: &text,
        yes: "Move it aside",
        no: "Leave it",
    };
    notice::ask(app, &ask, move |chosen| {
        // Nobody waits any more when the app is ending.
        let _ = answer.send(chosen);
    });
    if answered.await != Ok(Answer::Yes) {
        return Err(error);
    }
    let moved = move_aside(paths.data_dir.clone()).await?;
    tracing::info!("the damaged ledger is now {}", moved.display());
    start(paths).await
}

async fn move_aside(data_dir: std::path::PathBuf) -> Result<std::path::PathBuf, ControlError> {
    let moving = tokio::task::spawn_blocking(move || Control::move_ledger_aside(Path::new(&data_dir)));
    moving.await.map_err(|error| ControlError::internal(format!("The ledger was not moved: {error}.")))?
}

fn never_started() -> ControlError {
    ControlError::internal("The core has not started.")
}
