//! `cargo xtask simulate`: the router through hours that no one would want to have, in seconds.
//!
//! The simulator is a program of its own, built with optimisation. What it prints is the same for
//! the same seed; how long it took is said here, beside it.

use std::process::Stdio;

use anyhow::{Result, bail};

use crate::{sh, system, test};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A scenario's name (the files in src-tauri/crates/simulator/scenarios), or all.
    #[arg(default_value = "all")]
    scenario: String,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many times the agents, and providers so many times as large.
    #[arg(long, default_value_t = 1)]
    times: u32,
    /// Signalbox only, without the plain policies it is compared with.
    #[arg(long)]
    alone: bool,
    /// For other programs.
    #[arg(long)]
    json: bool,
    /// Write tables and pictures into docs/ROUTING.md and docs/routing.
    #[arg(long)]
    write_docs: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    system::provide(&[system::CORE])?;
    // Nothing but the simulator's own output may stand on the standard output: `--json` is read by
    // programs.
    let mut build = sh::cargo(["build", "--release", "--quiet", "--package", "simulator"]);
    if !build.stdout(Stdio::null()).status()?.success() {
        bail!("the simulator does not build");
    }
    let mut command = sh::command(sh::target_dir().join("release/simulator"), [args.scenario.as_str()]);
    command.arg("--seed").arg(args.seed.to_string()).arg("--times").arg(args.times.to_string());
    for (flag, is_set) in [("--alone", args.alone), ("--json", args.json)] {
        if is_set {
            command.arg(flag);
        }
    }
    if args.write_docs {
        command.arg("--write-docs").arg(sh::root().join("docs"));
    }
    let start = test::now();
    if !command.status()?.success() {
        bail!("the simulation failed");
    }
    eprintln!("took {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}
