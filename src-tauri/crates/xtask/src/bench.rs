//! Measures what the port adds to a request, against the same provider asked directly, and how fast
//! the decoders read, beside a plain reading of the same bytes.

use crate::{sh, system};
use anyhow::Result;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on to the port's benchmark, after `--`.
    #[arg(last = true)]
    bench: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    system::provide(&[system::CORE])?;
    sh::run(&mut sh::cargo(["build", "--release", "--bin", "signalboxd"]))?;
    let daemon = sh::target_dir().join("release/signalboxd");
    let mut command = sh::cargo(["bench", "--bench", "port", "--"]);
    sh::run(command.args(&args.bench).env("SIGNALBOXD", daemon))?;
    sh::run(&mut sh::cargo(["bench", "--package", "wire", "--bench", "decoders"]))
}
