//! What can be said on the command line, and where things are kept when nothing is said.

use anyhow::{Context as _, Result};
use std::path::PathBuf;

/// Every LLM provider behind one chat window and one local port.
#[derive(clap::Parser, Debug)]
#[command(name = "signalbox", version)]
pub(crate) struct Args {
    /// Where the ledger and the window's own files are kept.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The settings file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Draw without the graphics card's fast path, if the window stays blank.
    #[arg(long)]
    pub(crate) safe_graphics: bool,
}

/// Where this start keeps its things.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    pub(crate) config: PathBuf,
    pub(crate) data_dir: PathBuf,
}

impl Args {
    /// The folders named, or the platform's usual ones.
    pub(crate) fn paths(&self) -> Result<Paths> {
        let usual = directories::ProjectDirs::from("dev", "signalbox", "signalbox");
        let usual = usual.as_ref();
        let missing = "there is no home directory; name both --data-dir and --config";
        let data_dir = self.data_dir.clone().or_else(|| usual.map(|dirs| dirs.data_dir().to_path_buf()));
        let config =
            self.config.clone().or_else(|| usual.map(|dirs| dirs.config_dir().join("signalbox.toml")));
        Ok(Paths { config: config.context(missing)?, data_dir: data_dir.context(missing)? })
    }
}
