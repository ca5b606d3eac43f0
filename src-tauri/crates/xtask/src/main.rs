//! `cargo xtask`: everything a person or a machine does with this repository.
//!
//! Each command first installs what is missing, and is quick when nothing is.

mod bench;
mod conformance;
mod damaged;
mod dist;
mod faults;
mod new_provider;
mod run;
mod setup;
mod sh;
mod simulate;
mod system;
mod test;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Run, test, measure and package Signalbox.")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build and open the app.
    Run(run::Args),
    /// Run every check: format, lints, unit, property, corpus, SDK, browser and window tests.
    Test(test::Args),
    /// Measure what the port adds to a request.
    Bench(bench::Args),
    /// Judge every recorded exchange and write docs/CONFORMANCE.md.
    Conformance(conformance::Args),
    /// Send damaged streams through the official SDKs and write docs/DAMAGED_STREAMS.md.
    Damaged(damaged::Args),
    /// Run the router through simulated outages, and compare it with plain policies.
    Simulate(simulate::Args),
    /// Let 300 agents ask through providers that fail in every way, for minutes.
    Faults(faults::Args),
    /// Write the two files of a new provider, to be filled in.
    NewProvider(new_provider::Args),
    /// Build the package for Debian and Ubuntu.
    Dist,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Run(args) => run::run(&args).map(|()| true),
        Task::Test(args) => test::run(&args),
        Task::Bench(args) => bench::run(&args).map(|()| true),
        Task::Conformance(args) => conformance::run(&args).map(|()| true),
        Task::Damaged(args) => damaged::run(&args).map(|()| true),
        Task::Simulate(args) => simulate::run(&args).map(|()| true),
        Task::Faults(args) => faults::run(&args).map(|()| true),
        Task::NewProvider(args) => new_provider::run(&args).map(|()| true),
        Task::Dist => dist::run().map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
