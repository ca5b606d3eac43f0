//! Builds the app with its UI inside, and opens it.

use crate::{setup, sh, system};
use anyhow::Result;
use std::process::Stdio;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build with optimisations.
    #[arg(long)]
    release: bool,
    /// Passed on to the app, after `--`.
    #[arg(last = true)]
    app: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    system::provide(&[system::CORE, system::DESKTOP])?;
    setup::ui()?;
    let mut command = sh::cargo(["run", "--package", "signalbox", "--features", "desktop"]);
    if args.release {
        command.arg("--release");
    }
    command.arg("--").args(&args.app).stdin(Stdio::inherit());
    sh::run(&mut command)
}
