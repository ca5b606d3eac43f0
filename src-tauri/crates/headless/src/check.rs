//! `signalboxd check`: every mistake in a settings file, each with its line.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use gateway::config::edit::parse_text;

use crate::args::CheckArgs;

pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let path = args.config.path()?;
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("The settings file {} could not be read", path.display()))?;
    match parse_text(&path, &text) {
        Ok(_) => {
            println!("{}: ok", path.display());
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("{error}");
            Ok(ExitCode::FAILURE)
        }
    }
}
