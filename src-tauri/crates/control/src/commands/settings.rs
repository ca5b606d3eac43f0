//! The settings file, as text and in its parts.

use gateway::{ConfigEdit, ConfigError, ConfigProblem};

use crate::control::Control;
use crate::error::{ControlError, Result};
use crate::types::{ControlErrorKind, Empty, SetListenArgs, SetTextArgs, SettingsError, SettingsView};

pub(crate) async fn get(control: &Control, _: Empty) -> Result<SettingsView> {
    let gateway = control.gateway();
    Ok(SettingsView {
        path: gateway.config_path().display().to_string(),
        text: gateway.config_text().await?,
        listen: gateway.config().listen.to_string(),
    })
}

/// A text with mistakes is no error of the command's: its first mistake is the result.
pub(crate) async fn set_text(control: &Control, args: SetTextArgs) -> Result<Option<SettingsError>> {
    match control.gateway().set_config_text(&args.text).await {
        Ok(()) => Ok(None),
        Err(ConfigError::Invalid { problems, .. }) => Ok(problems.first().map(settings_error)),
        Err(error) => Err(error.into()),
    }
}

fn settings_error(problem: &ConfigProblem) -> SettingsError {
    SettingsError {
        message: problem.message.clone(),
        line: u32::try_from(problem.line).ok().filter(|line| *line > 0),
        key: problem.key.clone(),
        nearest: problem.nearest.clone(),
    }
}

pub(crate) async fn set_listen(control: &Control, args: SetListenArgs) -> Result<()> {
    let address = args.listen.trim().to_owned();
    control.gateway().edit_config(ConfigEdit::SetListen { address }).await?;
    match control.port().error {
        Some(message) => Err(ControlError::new(ControlErrorKind::Port, message)),
        None => Ok(()),
    }
}
