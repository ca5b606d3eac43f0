//! Every check, in the order in which a mistake is cheapest to find.

use crate::{conformance, setup, sh, system};
use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only this step; may be given several times.
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Leave this step out; may be given several times.
    #[arg(long, value_name = "STEP")]
    skip: Vec<String>,
}

struct Step {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<()>,
}

/// The list; `--only` and `--skip` take these names.
const STEPS: &[Step] = &[
    Step { name: "fmt", about: "Rust is formatted", run: fmt },
    Step { name: "ui", about: "the UI: types, unit tests, build", run: ui },
    Step { name: "core", about: "the core without WebKit: unit, property, corpus and port tests", run: core },
    Step {
        name: "sdk",
        about: "the port, through the official SDKs of OpenAI, Anthropic and Google",
        run: sdk,
    },
    Step { name: "browser", about: "the UI in Chromium, through signalboxd", run: browser },
    Step { name: "clippy", about: "no warnings, core and desktop", run: clippy },
    Step { name: "window", about: "the real window, with a real keychain", run: window },
];

/// Ends with a table and one line that counts, the last of all output. A step that fails does not
/// keep the next from running. Whether all passed.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let chosen = choose(args)?;
    let mut results = Vec::new();
    for step in &chosen {
        println!("\n=== {}: {} ===", step.name, step.about);
        let started = now();
        let outcome = (step.run)();
        if let Err(error) = &outcome {
            println!("=== {} failed: {error:#}", step.name);
        }
        results.push((step.name, outcome.is_ok(), started.elapsed()));
    }
    Ok(report(&results))
}

fn choose(args: &Args) -> Result<Vec<&'static Step>> {
    let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
    for name in args.only.iter().chain(&args.skip) {
        if !names.contains(&name.as_str()) {
            bail!("no step is called `{name}`; there are {}", names.join(", "));
        }
    }
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let left_out = |name: &str| args.skip.iter().any(|skip| skip == name);
    Ok(STEPS.iter().filter(|step| wanted(step.name) && !left_out(step.name)).collect())
}

fn report(results: &[(&str, bool, Duration)]) -> bool {
    println!("\nstep      result      time");
    for (name, passed, took) in results {
        let word = if *passed { "passed" } else { "FAILED" };
        println!("{name:<9} {word:<8} {:>5} s", took.as_secs());
    }
    let failed = results.iter().filter(|(_, passed, _)| !passed).count();
    println!("\n{} passed, {failed} failed", results.len() - failed);
    failed == 0
}

fn fmt() -> Result<()> {
    setup::rust_tools()?;
    sh::run(&mut sh::cargo(["fmt", "--all", "--check"]))
}

fn ui() -> Result<()> {
    setup::node()?;
    setup::npm("ui")?;
    let ui = sh::root().join("ui");
    sh::run(sh::command("npm", ["run", "typecheck"]).current_dir(&ui))?;
    sh::run(sh::command("npm", ["test"]).current_dir(&ui))?;
    setup::ui()
}

fn core() -> Result<()> {
    // The compiler for SQLite and ring; no WebKit, which this step shows not to be needed.
    system::provide(&[system::CORE])?;
    let daemon = daemon()?;
    let found = conformance::fresh_folder()?;
    sh::run(sh::cargo(["test"]).env("SIGNALBOXD", daemon).env("SIGNALBOX_CONFORMANCE", &found))?;
    // The page in docs says what this run found.
    conformance::check(&found)
}

fn sdk() -> Result<()> {
    setup::node()?;
    setup::npm("tests/sdk/node")?;
    sh::run(&mut through_sdks("sdk")?)?;
    sh::run(&mut through_sdks("sdk_damaged")?)
}

/// The run of a test that asks through the official SDKs for Python, ready to be started.
pub(crate) fn through_sdks(test: &str) -> Result<Command> {
    let python = setup::python(&sh::root().join("tests/sdk/python/requirements.txt"))?;
    let daemon = daemon()?;
    // Without `--package`, so that features unify as in the step before and nothing is built twice.
    let mut command = sh::cargo(["test", "--test", test]);
    command.env("SIGNALBOX_SDK", "1").env("SIGNALBOX_PYTHON", python).env("SIGNALBOXD", daemon);
    Ok(command)
}

fn browser() -> Result<()> {
    setup::ui()?;
    setup::npm("tests/ui")?;
    let chromium = setup::chromium()?;
    let daemon = daemon()?;
    let mut command = sh::command("node", ["--test", "--test-concurrency=1"]);
    command.current_dir(sh::root().join("tests/ui"));
    sh::run(
        command
            .env("CHROMIUM", chromium)
            .env("SIGNALBOXD", daemon)
            .env("SCREENSHOTS", screenshots("browser")?),
    )
}

fn clippy() -> Result<()> {
    setup::rust_tools()?;
    system::provide(&[system::CORE, system::DESKTOP])?;
    // The desktop shell embeds the built UI, so there must be one. `--features desktop`
    // adds the shell to the core's own lints, so one pass sees everything.
    setup::ui()?;
    let arguments =
        ["clippy", "--workspace", "--all-targets", "--features", "desktop", "--", "-D", "warnings"];
    sh::run(&mut sh::cargo(arguments))
}

fn window() -> Result<()> {
    system::provide(&[system::CORE, system::DESKTOP, system::SESSION])?;
    setup::ui()?;
    sh::run(&mut sh::cargo(["test", "--package", "signalbox", "--features", "desktop"]))?;
    sh::run(&mut sh::cargo(["build", "--package", "signalbox", "--features", "desktop"]))?;
    let app = sh::target_dir().join("debug/signalbox");
    let session = sh::root().join("tests/window/session.sh");
    let mut command = sh::command("bash", [session]);
    command.args(["node", "--test", "tests/window/window.test.mjs"]);
    sh::run(command.env("SIGNALBOX_APP", app).env("SIGNALBOX_SCREENSHOTS", screenshots("window")?))
}

/// The daemon that tests talk to. `--tests` makes features unify as in `cargo test`, or every
/// dependency would be built once for the daemon and once more for the tests.
fn daemon() -> Result<PathBuf> {
    sh::run(&mut sh::cargo(["build", "--tests", "--bin", "signalboxd"]))?;
    Ok(sh::target_dir().join("debug/signalboxd"))
}

/// An empty folder for the pictures of one step, to be looked at afterwards.
fn screenshots(of: &str) -> Result<PathBuf> {
    let folder = sh::target_dir().join("screenshots").join(of);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Steps are timed for people; nothing decides on it.
#[expect(clippy::disallowed_methods, reason = "A build tool may look at its watch.")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
