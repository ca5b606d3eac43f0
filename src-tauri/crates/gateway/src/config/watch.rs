//! Tells when the settings file changed on disk.

use std::ffi::OsStr;
use std::path::Path;
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
    /// Watches `path` through its folder, because editors replace a file rather than write into it.
    pub fn start(path: &Path) -> Result<Self, notify::Error> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().map(OsStr::to_owned);
        let (sender, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An error may stand for lost events: look at the file to be sure.
            let concerns_us = event.map_or(true, |event| {
                !event.kind.is_access()
                    && (event.need_rescan()
                        || event.paths.iter().any(|path| path.file_name() == name.as_deref()))
            });
            if concerns_us {
                // Full means that a change is already announced.
                let _ = sender.try_send(());
            }
        })?;
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
        Ok(Self { _watcher: watcher, changes })
    }

    /// Resolves when the file may have changed and has come to rest. `None`: no more will come.
    pub async fn changed(&mut self) -> Option<()> {
        self.changes.recv().await?;
        while let Ok(Some(())) = tokio::time::timeout(REST, self.changes.recv()).await {}
        Some(())
    }
}
