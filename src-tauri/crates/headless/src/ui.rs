//! Where the page's built files are.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Beside the program, or above it as in a checkout and in a package.
const NEARBY: &[&str] = &["ui", "ui/dist", "share/signalbox/ui", "lib/signalbox/ui"];

/// Folders above the program's that are looked in: `target/debug/signalboxd` is two below.
const LEVELS: usize = 4;

/// The folder named, which must hold a page; else the nearest one that does; else `None`.
pub(crate) fn find(named: Option<&Path>) -> Result<Option<PathBuf>> {
    if let Some(folder) = named {
        if !has_page(folder) {
            bail!(
                "There is no index.html in {}. Build the page (npm run build in ui/), or leave --ui out.",
                folder.display()
            );
        }
        return Ok(Some(folder.to_owned()));
    }
    let program = std::env::current_exe().and_then(std::fs::canonicalize);
    Ok(program.ok().and_then(|program| near(&program)))
}

fn near(program: &Path) -> Option<PathBuf> {
    let folders = program.ancestors().skip(1).take(LEVELS);
    folders.flat_map(|folder| NEARBY.iter().map(|place| folder.join(place))).find(|place| is_built(place))
}

fn has_page(folder: &Path) -> bool {
    folder.join("index.html").is_file()
}

/// The page's sources have an index.html too, with a script that no browser runs.
fn is_built(folder: &Path) -> bool {
    has_page(folder) && folder.join("assets").is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_page_is_found_in_a_checkout_and_its_sources_are_not_taken_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("target/debug/signalboxd");
        let sources = folder.path().join("ui");
        let built = sources.join("dist");
        std::fs::create_dir_all(built.join("assets")).unwrap();
        std::fs::write(sources.join("index.html"), "").unwrap();
        assert_eq!(near(&program), None);
        std::fs::write(built.join("index.html"), "").unwrap();
        assert_eq!(near(&program), Some(built));
    }

    #[test]
    fn a_folder_without_a_page_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(find(Some(folder.path())).is_err());
    }
}
