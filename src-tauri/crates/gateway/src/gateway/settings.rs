//! The settings of a running gateway: read, watched, edited, and adopted whole or not at all.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::{Gateway, blocking};
use crate::Event;
use crate::config::watch::Watch;
use crate::config::{Config, ConfigEdit, ConfigError, edit};
use crate::providers::Snapshot;

impl Gateway {
    /// The settings that hold: those of the file, or the last good ones.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.core.snapshot().config)
    }

    /// Why the file on disk is not what holds; `None` where it is.
    pub fn config_error(&self) -> Option<ConfigError> {
        self.config_error.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn config_path(&self) -> &Path {
        &self.options.config_path
    }

    /// The settings file as it is, good or bad.
    pub async fn config_text(&self) -> Result<String, ConfigError> {
        let path = self.options.config_path.clone();
        blocking(move || edit::read_or_create(&path)).await
    }

    /// Replaces the whole settings file. What does not parse is refused and nothing is written.
    pub async fn set_config_text(&self, text: &str) -> Result<(), ConfigError> {
        let config = edit::parse_text(&self.options.config_path, text)?;
        let mut known = self.config_text.lock().await;
        self.write_settings(&mut known, text.to_owned(), config).await
    }

    /// Makes one change in the settings file; comments stay. It holds when this returns.
    pub async fn edit_config(&self, change: ConfigEdit) -> Result<(), ConfigError> {
        // Held from reading to adopting, so that no change is lost between two of them.
        let mut known = self.config_text.lock().await;
        let path = self.options.config_path.clone();
        let (text, config) = blocking(move || {
            let text = edit::read_or_create(&path)?;
            edit::apply(&path, &text, &change)
        })
        .await?;
        self.write_settings(&mut known, text, config).await
    }

    async fn write_settings(
        &self,
        known: &mut Option<String>,
        text: String,
        config: Config,
    ) -> Result<(), ConfigError> {
        let (path, written) = (self.options.config_path.clone(), text.clone());
        blocking(move || edit::write(&path, &written)).await?;
        *known = Some(text);
        self.adopt(Ok(config)).await;
        Ok(())
    }

    /// Reads the file again where it changed since it was last read or written.
    async fn reread_settings(&self) {
        let mut known = self.config_text.lock().await;
        let path = self.options.config_path.clone();
        let parsed = match tokio::fs::read_to_string(&path).await {
            Ok(text) if known.as_deref() == Some(text.as_str()) => return,
            Ok(text) => {
                let parsed = edit::parse_text(&path, &text);
                *known = Some(text);
                parsed
            }
            // A file that is gone for a moment is being replaced; one that stays away is a mistake,
            // and is not answered by writing an example over the settings that hold.
            Err(error) => {
                *known = None;
                Err(ConfigError::Io { path, deed: "read", detail: error.to_string() })
            }
        };
        self.adopt(parsed).await;
    }

    /// Takes new settings, or keeps the last good ones and says why.
    async fn adopt(&self, parsed: Result<Config, ConfigError>) {
        let before = self.core.snapshot();
        let adopted = parsed.and_then(|config| {
            let egress = before.egress.with_connect_timeout(config.timeouts.connect);
            let egress = egress.map_err(ConfigError::Edit)?;
            Ok(Snapshot::new(config, Some(&self.rehearsal_url), egress))
        });
        let error = match adopted {
            Ok(snapshot) => {
                self.core.replace_snapshot(snapshot);
                None
            }
            Err(error) => Some(error),
        };
        let message = error.as_ref().map(ToString::to_string);
        if let Some(message) = &message {
            tracing::warn!(message, "the settings were refused; the last good ones go on");
        }
        let is_good = error.is_none();
        *self.config_error.write().unwrap_or_else(PoisonError::into_inner) = error;
        if is_good {
            self.listen().await;
        }
        self.core.tell(Event::ConfigChanged { error: message });
    }

    pub(super) fn watch_settings(self: &Arc<Self>) {
        let mut watch = match Watch::start(&self.options.config_path) {
            Ok(watch) => watch,
            Err(error) => {
                tracing::warn!(%error, "the settings file is not watched; changes count after a restart");
                return;
            }
        };
        let (gateway, stop) = (Arc::downgrade(self), self.stop.clone());
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = watch.changed() => if changed.is_none() { return },
                }
                let Some(gateway) = gateway.upgrade() else { return };
                gateway.reread_settings().await;
            }
        });
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }
}

/// The file's text, the settings that hold, and what is wrong with the file.
pub(super) fn first_settings(path: &Path) -> (Option<String>, Config, Option<ConfigError>) {
    match edit::read_or_create(path) {
        Ok(text) => match edit::parse_text(path, &text) {
            Ok(config) => (Some(text), config, None),
            Err(error) => (Some(text), Config::default(), Some(error)),
        },
        Err(error) => (None, Config::default(), Some(error)),
    }
}
