//! Brings the machine to where a task can start; does nothing, quickly, when it is there.

use crate::{sh, system};
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The lowest Node that the UI's tools accept.
const NODE: (u32, u32) = (20, 19);

/// Names under which a Chromium may already be installed.
const CHROMIUMS: &[&str] = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A Chromium for the browser tests: one that is there, else the distribution's.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(found) = find_chromium() {
        return Ok(found);
    }
    system::provide(&[system::CHROMIUM])?;
    find_chromium().context("no Chromium found; install one and put it on the PATH")
}

/// Rust's formatter and linter, which a minimal installation leaves out.
pub(crate) fn rust_tools() -> Result<()> {
    let there = |tool: &str| sh::read(&mut sh::cargo([tool, "--version"])).is_ok();
    let missing: Vec<&str> = [("fmt", "rustfmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(tool, _)| !there(tool))
        .map(|(_, component)| component)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !sh::on_path("rustup") {
        bail!("Rust's tools are missing: install {} as your Rust was installed", missing.join(" and "));
    }
    sh::run(&mut sh::command("rustup", ["component", "add"].into_iter().chain(missing)))
}

/// An error with the command to type unless Node is new enough.
pub(crate) fn node() -> Result<()> {
    let wanted = format!("Node {}.{} or newer", NODE.0, NODE.1);
    if !sh::on_path("node") || !sh::on_path("npm") {
        bail!("{wanted} with npm is needed; see https://nodejs.org/en/download");
    }
    let version = sh::read(&mut sh::command("node", ["--version"]))?;
    let mut numbers = version.trim().trim_start_matches('v').split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= NODE => Ok(()),
        _ => bail!("{wanted} is needed, and this is {}; see https://nodejs.org/en/download", version.trim()),
    }
}

/// `npm ci` in `folder`, unless what is installed is as new as the lock file.
pub(crate) fn npm(folder: &str) -> Result<()> {
    let folder = sh::root().join(folder);
    let installed = modified(&folder.join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= modified(&folder.join("package-lock.json")) {
        return Ok(());
    }
    sh::run(sh::command("npm", ["ci", "--no-audit", "--no-fund"]).current_dir(folder))
}

/// Builds `ui/dist`, unless nothing it is made from is newer.
pub(crate) fn ui() -> Result<()> {
    node()?;
    npm("ui")?;
    let ui = sh::root().join("ui");
    let built = modified(&ui.join("dist/index.html"));
    let source = ["src", "public", "index.html", "package-lock.json", "vite.config.ts", "tsconfig.json"]
        .iter()
        .filter_map(|name| newest(&ui.join(name)))
        .max();
    if built.is_some() && built >= source {
        return Ok(());
    }
    sh::run(sh::command("npm", ["run", "build"]).current_dir(ui))
}

/// A Python with the pinned SDKs, in an environment of its own under the target folder.
pub(crate) fn python(requirements: &Path) -> Result<PathBuf> {
    system::provide(&[system::PYTHON])?;
    let venv = sh::target_dir().join("sdk-venv");
    let python = venv.join("bin/python");
    let stamp = venv.join("requirements.installed");
    let wanted =
        std::fs::read(requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    if python.exists() && std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    sh::run(sh::command("python3", ["-m", "venv"]).arg(&venv))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    sh::run(sh::command(&python, pip).arg(requirements))?;
    std::fs::write(&stamp, wanted)?;
    Ok(python)
}

fn find_chromium() -> Option<PathBuf> {
    let chosen = std::env::var_os("CHROMIUM").map(PathBuf::from);
    chosen.or_else(|| CHROMIUMS.iter().find_map(|name| sh::find(name)))
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// The latest change under `path`, a file or a folder.
fn newest(path: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| newest(&entry.path())).chain(modified(path)).max()
}
