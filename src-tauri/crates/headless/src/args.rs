//! What can be said on the command line, and where things are kept when nothing is said.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args as ClapArgs, Parser, Subcommand};

/// Every LLM provider behind one local port, without a window.
#[derive(Debug, Parser)]
#[command(name = "signalboxd", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the port and the control surface until told to stop.
    Serve(ServeArgs),
    /// Read a settings file and name everything that is wrong with it; ends with 1 where something is.
    /// A key's variable that is not set here is a warning.
    Check(CheckArgs),
    /// Keys that the port accepts.
    #[command(subcommand)]
    Client(ClientCommand),
    /// The book as JSON Lines.
    #[command(subcommand)]
    Export(ExportCommand),
    /// Read the whole ledger and say whether it is sound; move a damaged one aside on your word.
    Repair(RepairArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    #[command(flatten)]
    pub(crate) data: DataDir,
    /// Listen here, whatever the settings say.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the control surface and the page listen; loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) control_listen: SocketAddr,
    /// The page's built files; found beside the program where left out.
    #[arg(long, value_name = "DIR")]
    pub(crate) ui: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Make a key and print it, alone. It is shown this once.
    Add {
        name: String,
        #[command(flatten)]
        data: DataDir,
    },
    /// Name, the key's last characters and its dates, a line each.
    List {
        #[command(flatten)]
        data: DataDir,
    },
    /// From now on the client's key opens nothing.
    Remove {
        name: String,
        #[command(flatten)]
        data: DataDir,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExportCommand {
    /// Every request with its attempts, oldest first.
    Requests {
        #[command(flatten)]
        data: DataDir,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RepairArgs {
    #[command(flatten)]
    pub(crate) data: DataDir,
    /// Move the ledger to a name beside it; the next start begins a new one.
    #[arg(long)]
    pub(crate) move_aside: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ConfigFile {
    /// The settings file.
    #[arg(long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DataDir {
    /// Where the ledger is kept.
    #[arg(long = "data-dir", value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl ConfigFile {
    /// The file named, or the platform's usual one.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        let usual = || usual().map(|folders| folders.config_dir().join("signalbox.toml"));
        self.file
            .clone()
            .or_else(usual)
            .context("There is no home folder here: name the settings with --config.")
    }
}

impl DataDir {
    /// The folder named, or the platform's usual one.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        let usual = || usual().map(|folders| folders.data_dir().to_path_buf());
        self.folder.clone().or_else(usual).context("There is no home folder here: name one with --data-dir.")
    }

    /// The ledger in it.
    pub(crate) fn ledger(&self) -> Result<PathBuf> {
        Ok(self.path()?.join(ledger::FILE_NAME))
    }
}

/// The same folders as the desktop program's.
fn usual() -> Option<directories::ProjectDirs> {
    directories::ProjectDirs::from("dev", "signalbox", "signalbox")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
