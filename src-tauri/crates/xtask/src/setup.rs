//! Brings the machine to where a task can start; does nothing, quickly, when it is there.

use crate::sh;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The desktop app's libraries (Tauri's own list, less what we do not use) and a C compiler for SQLite and ring.
pub(crate) const BUILD: &[&str] =
    &["build-essential", "pkg-config", "libwebkit2gtk-4.1-dev", "libayatana-appindicator3-dev"];

/// What the tests drive besides: a screen, a session bus, a keychain, browsers, Python.
pub(crate) const TEST: &[&str] = &[
    "webkit2gtk-driver",
    "xvfb",
    "xauth",
    "dbus",
    "dbus-x11",
    "gnome-keyring",
    "libsecret-tools",
    "imagemagick",
    "fonts-dejavu-core",
    "python3-venv",
];

/// The lowest Node that the UI's tools accept.
const NODE: (u32, u32) = (20, 19);

/// Names under which a Chromium may already be installed.
const CHROMIUMS: &[&str] = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Installs the missing ones of `packages` by apt, or stops and says what to type.
pub(crate) fn system(packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|name| !is_installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !sh::on_path("apt-get") {
        bail!(
            "these system packages are needed, under their Debian names: {list}\n\
             On this system install their counterparts, for example:\n  \
             Fedora: sudo dnf install webkit2gtk4.1-devel libappindicator-gtk3-devel gcc pkgconf-pkg-config\n  \
             Arch:   sudo pacman -S --needed webkit2gtk-4.1 libappindicator-gtk3 base-devel"
        );
    }
    let install = format!("apt-get install -y --no-install-recommends {list}");
    let sudo = if is_root()? { None } else { Some("sudo") };
    if sudo.is_some() && !sh::on_path("sudo") {
        bail!(
            "system packages are missing and there is no sudo; as root, run:\n  apt-get update && {install}"
        );
    }
    println!("Installing system packages: {list}");
    apt(sudo, &["update"])?;
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(missing);
    apt(sudo, &arguments)
}

/// A Chromium for the browser tests: one that is there, else the distribution's.
pub(crate) fn chromium() -> Result<String> {
    if let Some(found) = find_chromium() {
        return Ok(found);
    }
    system(&["chromium"])?;
    find_chromium().context("no Chromium found; install one and put it on the PATH")
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

fn apt(sudo: Option<&str>, arguments: &[&str]) -> Result<()> {
    // `env` carries the setting through sudo, which drops the caller's environment.
    let words = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"];
    let mut line: Vec<&str> = sudo.into_iter().chain(words).collect();
    line.extend(arguments);
    sh::run(&mut sh::command(line[0], &line[1..]))
}

fn is_installed(package: &str) -> bool {
    sh::read(&mut sh::command("dpkg-query", ["-W", "-f", "${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

fn is_root() -> Result<bool> {
    Ok(sh::read(&mut sh::command("id", ["-u"]))?.trim() == "0")
}

fn find_chromium() -> Option<String> {
    if let Ok(chosen) = std::env::var("SIGNALBOX_CHROMIUM") {
        return Some(chosen);
    }
    CHROMIUMS.iter().find(|name| sh::on_path(name)).map(ToString::to_string)
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// The latest change under `path`, a file or a folder.
fn newest(path: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| newest(&entry.path())).chain(modified(path)).max()
}
