//! Tells when the settings file or a provider file changed on disk.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// Editors save in several steps; the file is read once they have come to rest for this long.
const REST: Duration = Duration::from_millis(150);

/// A watch on one file; ends when dropped.
#[derive(Debug)]
pub struct Watch {
    _watcher: RecommendedWatcher,
    changes: mpsc::Receiver<()>,
}

impl Watch {
    /// Watches `path` through its folder, because editors replace a file rather than write into it;
    /// where it is a link, through the folder of what it leads to as well. Beside it every TOML file
    /// in `own`, where there is such a folder.
    pub fn start(path: &Path, own: &Path) -> Result<Self, notify::Error> {
        let mut watched = vec![path.to_owned()];
        watched.extend(std::fs::canonicalize(path).ok());
        let names: Vec<OsString> =
            watched.iter().filter_map(|path| Some(path.file_name()?.to_owned())).collect();
        let own = std::fs::canonicalize(own).ok();
        let in_own = own.clone();
        let (sender, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let is_kind = |path: &PathBuf| {
                in_own.is_some()
                    && path.parent() == in_own.as_deref()
                    && path.extension().is_some_and(|extension| extension == "toml")
            };
            let is_ours = |path: &PathBuf| {
                names.iter().any(|name| path.file_name() == Some(name.as_os_str())) || is_kind(path)
            };
            // An error may stand for lost events: look at the file to be sure.
            let concerns_us = event.map_or(true, |event| {
                !event.kind.is_access() && (event.need_rescan() || event.paths.iter().any(is_ours))
            });
            if concerns_us {
                // Full means that a change is already announced.
                let _ = sender.try_send(());
            }
        })?;
        let mut folders: Vec<PathBuf> = watched.iter().map(|path| folder_of(path)).collect();
        folders.extend(own);
        folders.dedup();
        for folder in folders {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        }
        Ok(Self { _watcher: watcher, changes })
    }

    /// Resolves when the file may have changed and has come to rest. `None`: no more will come.
    pub async fn changed(&mut self) -> Option<()> {
        self.changes.recv().await?;
        while let Ok(Some(())) = tokio::time::timeout(REST, self.changes.recv()).await {}
        Some(())
    }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
