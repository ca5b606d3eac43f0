//! What has to come from the operating system: looked for by what it provides, installed by apt
//! where that is how things are installed, and otherwise asked for with the command to type.

use crate::sh;
use anyhow::{Result, bail};
use std::path::Path;

/// One thing that is needed, and its packages' names.
pub(crate) struct Need {
    probe: Probe,
    debian: &'static str,
    fedora: &'static str,
    arch: &'static str,
}

/// How to see that a thing is there, whichever way it came.
enum Probe {
    /// A program on the path.
    Program(&'static str),
    /// A library that pkg-config knows, with its headers.
    Library(&'static str),
    /// A library that is opened while the app runs.
    SharedObject(&'static str),
    /// A module of the system's Python.
    Python(&'static str),
    /// Any font at all.
    Font,
}

const fn need(probe: Probe, debian: &'static str, fedora: &'static str, arch: &'static str) -> Need {
    Need { probe, debian, fedora, arch }
}

/// A C compiler, for SQLite and ring.
pub(crate) const CORE: &[Need] = &[
    need(Probe::Program("cc"), "build-essential", "gcc", "base-devel"),
    need(Probe::Program("pkg-config"), "pkg-config", "pkgconf-pkg-config", "pkgconf"),
];

/// The desktop's page and its tray icon.
pub(crate) const DESKTOP: &[Need] = &[
    need(Probe::Library("webkit2gtk-4.1"), "libwebkit2gtk-4.1-dev", "webkit2gtk4.1-devel", "webkit2gtk-4.1"),
    need(
        Probe::SharedObject("libayatana-appindicator3.so.1"),
        "libayatana-appindicator3-1",
        "libayatana-appindicator-gtk3",
        "libayatana-appindicator",
    ),
];

/// A Python for the SDK tests.
pub(crate) const PYTHON: &[Need] = &[need(Probe::Python("ensurepip"), "python3-venv", "python3", "python")];

/// A screen, a session bus, a keychain, a driver for the window, and something to take pictures with.
pub(crate) const SESSION: &[Need] = &[
    need(Probe::Program("WebKitWebDriver"), "webkit2gtk-driver", "webkit2gtk-driver", "webkit2gtk-4.1"),
    need(Probe::Program("Xvfb"), "xvfb", "xorg-x11-server-Xvfb", "xorg-server-xvfb"),
    need(Probe::Program("xvfb-run"), "xvfb", "xorg-x11-server-Xvfb", "xorg-server-xvfb"),
    need(Probe::Program("xauth"), "xauth", "xauth", "xorg-xauth"),
    need(Probe::Program("dbus-run-session"), "dbus", "dbus-daemon", "dbus"),
    need(Probe::Program("gnome-keyring-daemon"), "gnome-keyring", "gnome-keyring", "gnome-keyring"),
    need(Probe::Program("secret-tool"), "libsecret-tools", "libsecret", "libsecret"),
    need(Probe::Program("import"), "imagemagick", "ImageMagick", "imagemagick"),
    need(Probe::Font, "fonts-dejavu-core", "dejavu-sans-fonts", "ttf-dejavu"),
];

/// A browser for the page's tests, where none is installed.
pub(crate) const CHROMIUM: &[Need] = &[need(Probe::Program("chromium"), "chromium", "chromium", "chromium")];

/// Everything of `needs` is there afterwards, or the error is the command to type.
pub(crate) fn provide(needs: &[&[Need]]) -> Result<()> {
    if !cfg!(target_os = "linux") {
        // macOS and Windows bring their web view and keychain with them.
        return Ok(());
    }
    let missing: Vec<&Need> = needs.iter().copied().flatten().filter(|need| !is_there(&need.probe)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if sh::on_path("apt-get") {
        return install(&names(&missing, |need| need.debian));
    }
    let command = if sh::on_path("dnf") {
        format!("sudo dnf install {}", names(&missing, |need| need.fedora).join(" "))
    } else if sh::on_path("pacman") {
        format!("sudo pacman -S --needed {}", names(&missing, |need| need.arch).join(" "))
    } else {
        format!("(install what Debian calls: {})", names(&missing, |need| need.debian).join(" "))
    };
    bail!("system packages are missing; run this, then try again:\n  {command}")
}

fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    let sudo = if is_root()? { None } else { Some("sudo") };
    if sudo.is_some() && !sh::on_path("sudo") {
        bail!(
            "system packages are missing and there is no sudo; as root, run this, then try again:\n  \
             apt-get update && apt-get install -y --no-install-recommends {list}"
        );
    }
    println!("Installing system packages: {list}");
    apt(sudo, &["update"])?;
    let arguments: Vec<&str> =
        ["install", "-y", "--no-install-recommends"].into_iter().chain(packages.iter().copied()).collect();
    apt(sudo, &arguments)
}

fn apt(sudo: Option<&str>, arguments: &[&str]) -> Result<()> {
    // `env` carries the setting through sudo, which drops the caller's environment.
    let words = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"];
    let line: Vec<&str> = sudo.into_iter().chain(words).chain(arguments.iter().copied()).collect();
    sh::run(&mut sh::command(line[0], &line[1..]))
}

fn is_there(probe: &Probe) -> bool {
    match probe {
        Probe::Program(name) => sh::on_path(name),
        Probe::Library(name) => sh::read(&mut sh::command("pkg-config", ["--exists", name])).is_ok(),
        Probe::SharedObject(name) => library_folders().any(|folder| Path::new(&folder).join(name).exists()),
        Probe::Python(module) => {
            sh::read(&mut sh::command("python3", ["-c", &format!("import {module}")])).is_ok()
        }
        Probe::Font => {
            sh::read(&mut sh::command("fc-list", [":", "file"])).is_ok_and(|list| !list.is_empty())
        }
    }
}

/// Where distributions keep shared objects.
fn library_folders() -> impl Iterator<Item = String> {
    let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    ["/usr/lib64", "/usr/lib", "/usr/local/lib"].into_iter().map(str::to_owned).chain([multiarch])
}

/// Package names, each once.
fn names<'a>(needs: &[&'a Need], name: impl Fn(&'a Need) -> &'static str) -> Vec<&'static str> {
    let mut names: Vec<&str> = needs.iter().map(|need| name(need)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn is_root() -> Result<bool> {
    Ok(sh::read(&mut sh::command("id", ["-u"]))?.trim() == "0")
}
