//! `signalboxd check`: every mistake in a settings file and in the user's provider files, each with
//! its line.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use gateway::KeySource;
use gateway::config::Config;
use gateway::config::edit::parse_text;
use gateway::config::kinds;

use crate::args::CheckArgs;

pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let path = args.config.path()?;
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("The settings file {} could not be read", path.display()))?;
    let own = kinds::read(&path);
    for file in &own.files {
        let what = if file.replaces_shipped { ", in place of the one that Signalbox has" } else { "" };
        println!("{}: the provider kind \"{}\"{what}", file.path.display(), file.id);
    }
    for problem in &own.problems {
        eprintln!("{problem}");
    }
    match parse_text(&path, &text, &own.kinds) {
        Ok(config) => {
            for warning in unset_keys(&config) {
                eprintln!("warning: {warning}");
            }
            println!("{}: ok", path.display());
        }
        Err(error) => {
            eprintln!("{error}");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(if own.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Providers whose key comes from a variable that is not set here. No mistake of the file: the port
/// may run where it is set.
fn unset_keys(config: &Config) -> impl Iterator<Item = String> {
    config.providers.iter().filter_map(|provider| {
        let KeySource::Env(name) = &provider.key else { return None };
        let is_set = std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
        (!is_set).then(|| {
            format!(
                "the environment variable {name} is not set here, and the provider \"{}\" takes its key \
                 from it.",
                provider.id
            )
        })
    })
}
