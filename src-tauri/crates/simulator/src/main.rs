//! `cargo xtask simulate`: runs scenarios and prints what came of them.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Parser;
use simulator::runs::{self, Policy};
use simulator::{Scenario, page, report};

#[derive(Parser)]
#[command(name = "simulator", about = "Runs the router through bad hours.")]
struct Args {
    /// A scenario's name, or `all`.
    scenario: String,
    /// The same seed gives the same output.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many times the agents, and providers so many times as large.
    #[arg(long, default_value_t = 1)]
    times: u32,
    /// Signalbox only, without the plain policies.
    #[arg(long)]
    alone: bool,
    /// For other programs.
    #[arg(long)]
    json: bool,
    /// Writes tables and pictures into the page in this folder (with `all`).
    #[arg(long, value_name = "DOCS")]
    write_docs: Option<PathBuf>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let mut scenarios = Scenario::all().map_err(|error| anyhow!(error))?;
    if args.scenario != "all" {
        let known: Vec<String> = scenarios.iter().map(|scenario| scenario.name.clone()).collect();
        scenarios.retain(|scenario| scenario.name == args.scenario);
        if scenarios.is_empty() {
            bail!("there is no scenario `{}`; there are {}, and `all`", args.scenario, known.join(", "));
        }
    }
    let scenarios: Vec<Scenario> = scenarios.into_iter().map(|scenario| scenario.times(args.times)).collect();
    let policies = if args.alone { &Policy::ALL[..1] } else { &Policy::ALL[..] };
    let runs = runs::run_all(&scenarios, policies, args.seed);
    if let Some(docs) = &args.write_docs {
        if args.scenario != "all" || args.alone || args.times != 1 {
            bail!("the page shows every scenario under every policy: --write-docs goes with `all` alone");
        }
        write(docs, &runs)?;
    }
    print!("{}", if args.json { report::json(&runs)? + "\n" } else { report::text(&runs) });
    Ok(())
}

fn write(docs: &std::path::Path, runs: &[runs::Run<'_>]) -> Result<()> {
    let file = docs.join("ROUTING.md");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = page::fill(&text, runs).map_err(|error| anyhow!(error))?;
    std::fs::write(&file, text)?;
    std::fs::create_dir_all(docs.join("routing"))?;
    for (name, svg) in page::pictures(runs) {
        std::fs::write(docs.join("routing").join(name), svg)?;
    }
    Ok(())
}
