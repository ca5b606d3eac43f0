//! `cargo xtask faults`: 300 agents against providers that refuse, fail, stall, cut and lie, for
//! minutes, through the real daemon.

use anyhow::Result;

use crate::sh;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long the agents go on asking.
    #[arg(long, default_value = "5", value_name = "MINUTES")]
    minutes: f64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = sh::cargo(["test", "-p", "signalbox-tests", "--test", "faults", "--", "--nocapture"]);
    // What fails is counted; each line of it would be read by nobody.
    let command =
        command.env("SIGNALBOX_FAULTS_MINUTES", args.minutes.to_string()).env("SIGNALBOX_LOG", "warn");
    sh::run(command)
}
