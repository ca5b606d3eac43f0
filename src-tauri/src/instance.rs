//! One copy per data folder: a second start shows the first one's window and ends.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use tauri::plugin::TauriPlugin;
use tauri::{AppHandle, Wry};

/// Asks over the session bus on Linux. Without a bus every start goes on to the ledger, whose lock then tells.
pub(crate) fn plugin(data_dir: &Path) -> TauriPlugin<Wry> {
    tauri_plugin_single_instance::Builder::new()
        .callback(|app, _, _| crate::window::show(app))
        .dbus_id(name_for(data_dir))
        .build()
}

/// The bus name of the copy that owns `data_dir`: two folders are two instances, on purpose.
fn name_for(data_dir: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_path_buf()).hash(&mut hasher);
    format!("dev.signalbox.app.d{:016x}", hasher.finish())
}

/// Ends in good order on SIGTERM and SIGINT: log-outs and Ctrl-C settle the ledger too.
pub(crate) fn quit_on_signal(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        if let Err(error) = signalled().await {
            tracing::warn!(%error, "signals are not watched; end the app from its window");
            return;
        }
        app.exit(0);
    });
}

#[cfg(unix)]
async fn signalled() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        result = tokio::signal::ctrl_c() => result,
    }
}

#[cfg(not(unix))]
async fn signalled() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use super::name_for;
    use std::path::Path;

    #[test]
    fn each_data_folder_is_an_instance_of_its_own() {
        assert_eq!(name_for(Path::new("/a")), name_for(Path::new("/a")));
        assert_ne!(name_for(Path::new("/a")), name_for(Path::new("/b")));
    }
}
