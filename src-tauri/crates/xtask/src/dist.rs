//! The package for Debian and Ubuntu: the app, its desktop entry, and `signalboxd` with its page.

use crate::{setup, sh, system};
use anyhow::Result;

pub(crate) fn run() -> Result<()> {
    system::provide(&[system::CORE, system::DESKTOP])?;
    setup::ui()?;
    let target = sh::target_dir();
    // Tauri's own build makes every program of the workspace, and the bundler then takes this one along.
    let daemon = target.join("release/signalboxd");
    // The window has the page built in; the daemon looks for it in its own prefix.
    let page = sh::root().join("ui/dist");
    let files = format!(
        r#"{{"bundle":{{"linux":{{"deb":{{"files":{{"/usr/bin/signalboxd":"{}","/usr/share/signalbox/ui":"{}"}}}}}}}}}}"#,
        daemon.display(),
        page.display()
    );
    let tauri = sh::root().join("ui/node_modules/.bin/tauri");
    sh::run(&mut sh::command(tauri, ["build", "--bundles", "deb", "--ci", "--config", &files]))?;
    println!("The package is in {}", target.join("release/bundle/deb").display());
    Ok(())
}
