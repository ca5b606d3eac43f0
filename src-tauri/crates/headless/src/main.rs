//! `signalboxd`: the core without a window. Serves the port, and beside it, behind a token, the
//! control surface and the page over loopback HTTP.
//!
//! - [`args`]: the command line; [`serve`]: the daemon; [`surface`], [`guard`], [`ui`]: its control
//!   surface, who may use it, and the page's files.
//! - [`check`], [`clients`], [`export`], [`repair`]: the other commands; they work beside a running
//!   daemon.
//!
//! What a program reads goes to stdout, everything for people to stderr.

mod args;
mod check;
mod clients;
mod export;
mod guard;
mod repair;
mod serve;
mod surface;
mod ui;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("signalboxd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::run(args),
        Command::Check(args) => check::run(&args),
        Command::Client(command) => clients::run(command),
        Command::Export(command) => export::run(command),
        Command::Repair(args) => repair::run(&args),
    }
}
