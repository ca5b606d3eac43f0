//! The settings of a running gateway and the user's provider files: read, watched, edited, and
//! adopted whole or not at all.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::{Gateway, blocking, memory};
use crate::Event;
use crate::config::kinds::{self, UserKinds};
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

    /// The vendors that the settings may name.
    pub fn kinds(&self) -> catalog::Kinds {
        self.core.snapshot().kinds.clone()
    }

    /// What became of the user's own provider files.
    pub fn user_kinds(&self) -> UserKinds {
        self.user_kinds.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The settings file as it is, good or bad.
    pub async fn config_text(&self) -> Result<String, ConfigError> {
        let path = self.options.config_path.clone();
        blocking(move || edit::read_or_create(&path)).await
    }

    /// Replaces the whole settings file. What does not parse is refused and nothing is written.
    pub async fn set_config_text(&self, text: &str) -> Result<(), ConfigError> {
        let config = edit::parse_text(&self.options.config_path, text, &self.kinds())?;
        let mut known = self.config_text.lock().await;
        self.write_settings(&mut known, text.to_owned(), config).await
    }

    /// Makes one change in the settings file; comments stay. It holds when this returns.
    pub async fn edit_config(&self, change: ConfigEdit) -> Result<(), ConfigError> {
        // Held from reading to adopting, so that no change is lost between two of them.
        let mut known = self.config_text.lock().await;
        let (path, kinds) = (self.options.config_path.clone(), self.kinds());
        let (text, config) = blocking(move || {
            let text = edit::read_or_create(&path)?;
            edit::apply(&path, &text, &change, &kinds)
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
        self.adopt(Ok(config), self.kinds()).await;
        Ok(())
    }

    /// Reads the files again where one of them changed since it was last read or written.
    async fn reread_settings(&self) {
        let mut known = self.config_text.lock().await;
        let path = self.options.config_path.clone();
        let own = blocking({
            let path = path.clone();
            move || kinds::read(&path)
        });
        let own = own.await;
        let has_new_kinds = self.user_kinds() != own;
        let parsed = match tokio::fs::read_to_string(&path).await {
            Ok(text) if known.as_deref() == Some(text.as_str()) && !has_new_kinds => return,
            Ok(text) => {
                let parsed = edit::parse_text(&path, &text, &own.kinds);
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
        let kinds = own.kinds.clone();
        *self.user_kinds.write().unwrap_or_else(PoisonError::into_inner) = own;
        self.adopt(parsed, kinds).await;
    }

    /// Takes new settings, or keeps the last good ones and says why.
    async fn adopt(&self, parsed: Result<Config, ConfigError>, kinds: catalog::Kinds) {
        let before = self.core.snapshot();
        let adopted = parsed.and_then(|config| {
            let egress = before.egress.with_connect_timeout(config.timeouts.connect);
            let egress = egress.map_err(ConfigError::Edit)?;
            let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(Snapshot::new(Arc::new(config), kinds, &found, Some(&self.rehearsal_url), egress))
        });
        let (is_good, error) = match adopted {
            Ok(snapshot) => {
                self.core.replace_snapshot(snapshot);
                (true, None)
            }
            Err(error) => (false, Some(error)),
        };
        let error = with_kinds(error, &self.user_kinds());
        let message = error.as_ref().map(ToString::to_string);
        if let Some(message) = &message {
            tracing::warn!(message, "settings or provider files were refused; the last good settings go on");
        }
        *self.config_error.write().unwrap_or_else(PoisonError::into_inner) = error;
        if is_good {
            let (old, new) = (&before.config.policy, Arc::clone(&self.core.snapshot().config.policy));
            memory::seed(&self.core, &new, |rule| memory::counts_anew(old, &new, rule)).await;
            self.listen().await;
        }
        self.core.tell(Event::ConfigChanged { error: message });
    }

    pub(super) fn watch_settings(self: &Arc<Self>) {
        let own = kinds::folder(&self.options.config_path);
        // There from the start, so that a first file in it is seen and the place is easy to find.
        if let Err(error) = std::fs::create_dir_all(&own) {
            tracing::warn!(%error, "there is no folder for provider files");
        }
        let mut watch = match Watch::start(&self.options.config_path, &own) {
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

/// `error` with what is wrong with the user's provider files.
fn with_kinds(error: Option<ConfigError>, own: &UserKinds) -> Option<ConfigError> {
    if own.problems.is_empty() {
        return error;
    }
    Some(ConfigError::Kinds { problems: own.problems.clone(), settings: error.map(Box::new) })
}

/// What the files said at the start.
pub(super) struct FirstSettings {
    pub text: Option<String>,
    /// The settings that hold.
    pub config: Config,
    pub user_kinds: UserKinds,
    /// What is wrong with the files.
    pub error: Option<ConfigError>,
}

pub(super) fn first_settings(path: &Path) -> FirstSettings {
    let user_kinds = kinds::read(path);
    let (text, config, error) = match edit::read_or_create(path) {
        Ok(text) => match edit::parse_text(path, &text, &user_kinds.kinds) {
            Ok(config) => (Some(text), config, None),
            Err(error) => (Some(text), Config::default(), Some(error)),
        },
        Err(error) => (None, Config::default(), Some(error)),
    };
    FirstSettings { text, config, error: with_kinds(error, &user_kinds), user_kinds }
}
