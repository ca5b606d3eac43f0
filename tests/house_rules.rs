//! Holds what `docs/ARCHITECTURE.md` promises to be absent: arrows, sockets, clocks, names.
//!
//! The rules read manifests and sources as text; each failure says which file broke which rule.
#![expect(clippy::unwrap_used, clippy::panic, reason = "A rule that cannot be read has failed.")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Which crates of the house each may name. One that is not listed here fails the first test.
const ARROWS: &[(&str, &[&str])] = &[
    ("canonical", &[]),
    ("wire", &["canonical"]),
    ("catalog", &["canonical", "wire"]),
    ("tokens", &["canonical"]),
    ("routing", &["canonical"]),
    ("simulator", &["canonical", "routing"]),
    ("checking", &["canonical"]),
    ("ledger", &["canonical"]),
    ("rehearsal", &["canonical"]),
    ("gateway", &["canonical", "wire", "catalog", "tokens", "routing", "checking", "ledger", "rehearsal"]),
    ("control", &["canonical", "wire", "catalog", "routing", "ledger", "gateway"]),
    ("headless", &["control", "gateway", "ledger"]),
    ("xtask", &[]),
];

/// Crates that decide: bytes, events and `now` go in, values come out.
const PURE: &[&str] = &["canonical", "wire", "catalog", "tokens", "routing", "checking"];

/// What a crate that decides has no business with.
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "hyper",
    "axum",
    "async fn",
    "std::net",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env::",
    "Instant::now",
    "SystemTime::now",
    "getrandom",
    "rand::",
];

/// The only crates with a server or a client of the network.
const NETWORKED: &[&str] = &["gateway", "rehearsal", "headless"];

const NETWORK_CRATES: &[&str] = &["reqwest", "axum", "hyper", "hyper-util", "tungstenite", "tonic", "ureq"];

/// The only file that asks what time it is, and what measures time for people: tools and benchmarks.
const CLOCKS: &[&str] = &["gateway/src/clock.rs", "xtask/src/", "/benches/"];

#[test]
fn crates_depend_only_along_the_arrows() {
    let house: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let mut seen = BTreeSet::new();
    for name in crate_names() {
        let allowed = ARROWS.iter().find(|(crate_name, _)| *crate_name == name);
        let (known, allowed) =
            allowed.unwrap_or_else(|| panic!("{name}: draw its arrows here and in docs/ARCHITECTURE.md"));
        for dependency in dependencies(&crate_dir(&name)) {
            let inside = house.contains(dependency.as_str());
            assert!(
                !inside || allowed.contains(&dependency.as_str()),
                "{name} must not depend on {dependency}"
            );
        }
        seen.insert(*known);
    }
    assert_eq!(seen, house, "a crate that has arrows is gone");
}

#[test]
fn the_desktop_shell_knows_the_core_through_control_only() {
    let house: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let inside: Vec<String> =
        dependencies(&root()).into_iter().filter(|name| house.contains(name.as_str())).collect();
    assert_eq!(inside, ["control"]);
}

#[test]
fn only_the_desktop_shell_names_tauri() {
    for name in crate_names() {
        for dependency in dependencies(&crate_dir(&name)) {
            assert!(!dependency.starts_with("tauri"), "{name} depends on {dependency}");
        }
        for (file, code) in sources(&crate_dir(&name).join("src")) {
            assert!(!code.contains("tauri::"), "{} names tauri", show(&file));
        }
    }
    assert!(!dependencies(&root().join("tests")).iter().any(|name| name.starts_with("tauri")));
}

#[test]
fn crates_that_decide_have_no_runtime_socket_clock_or_chance() {
    for name in PURE {
        for (file, code) in sources(&crate_dir(name).join("src")) {
            for word in IMPURE {
                assert!(!names(&code, word), "{} names `{word}`", show(&file));
            }
        }
    }
}

#[test]
fn only_the_gateway_and_two_thin_servers_touch_the_network() {
    let mut folders: Vec<(String, PathBuf, PathBuf)> = crate_names()
        .into_iter()
        .filter(|name| !NETWORKED.contains(&name.as_str()))
        .map(|name| (name.clone(), crate_dir(&name), crate_dir(&name).join("src")))
        .collect();
    folders.push(("the desktop shell".to_owned(), root(), root().join("src-tauri/src")));
    for (name, manifest, source) in folders {
        for dependency in dependencies(&manifest) {
            assert!(!NETWORK_CRATES.contains(&dependency.as_str()), "{name} depends on {dependency}");
        }
        for (file, code) in sources(&source) {
            for word in ["TcpListener", "TcpStream", "UdpSocket", "UnixStream"] {
                assert!(!names(&code, word), "{} opens a socket with {word}", show(&file));
            }
        }
    }
}

#[test]
fn only_the_ledger_touches_the_database() {
    for name in crate_names().into_iter().filter(|name| name != "ledger") {
        assert!(!dependencies(&crate_dir(&name)).contains("rusqlite"), "{name} depends on rusqlite");
    }
    assert!(!dependencies(&root()).contains("rusqlite"));
}

#[test]
fn only_one_file_asks_what_time_it_is() {
    let mut all = sources(&root().join("src-tauri/crates"));
    all.extend(sources(&root().join("src-tauri/src")));
    for (file, code) in all {
        let shown = show(&file);
        if CLOCKS.iter().any(|clock| shown.contains(clock)) {
            continue;
        }
        for word in ["Instant::now(", "SystemTime::now(", "Timestamp::now(", "Zoned::now("] {
            assert!(!code.contains(word), "{shown} reads the clock with {word}); take `now` as an argument");
        }
    }
}

#[test]
fn no_code_compares_a_vendors_name() {
    let vendors: Vec<String> = files(&crate_dir("catalog").join("providers"))
        .iter()
        .filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
        .filter(|name| name != "rehearsal")
        .collect();
    assert!(vendors.len() > 2, "the catalogue's folder was not found");
    for (file, code) in sources(&root().join("src-tauri/crates")) {
        for vendor in &vendors {
            for comparison in
                [format!("== \"{vendor}\""), format!("\"{vendor}\" =>"), format!("\"{vendor}\" ==")]
            {
                assert!(!code.contains(&comparison), "{}: `{comparison}` belongs in a quirk", show(&file));
            }
        }
    }
}

#[test]
fn the_page_reaches_the_core_through_its_api_folder_only() {
    let source = root().join("ui/src");
    let scripts: Vec<PathBuf> = files(&source)
        .into_iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "ts" || extension == "tsx"))
        .collect();
    assert!(scripts.len() > 10, "the page's sources were not found");
    for file in scripts.iter().filter(|file| !file.starts_with(source.join("api"))) {
        let text = read(file);
        for word in ["@tauri-apps", "__TAURI"] {
            // A test may stand in for the host; it may not import its library.
            let stand_in = word == "__TAURI" && is_test(file);
            assert!(stand_in || !text.contains(word), "{} names {word}", show(file));
        }
    }
}

/// Whose registry a person installs from is theirs to choose, so no file names one.
/// (Cargo.lock's own line for crates.io is how Cargo spells the default.)
#[test]
fn no_committed_file_names_a_package_registry() {
    let pieces = [
        ["registry.", "npmjs"],
        ["registry.", "yarnpkg"],
        ["npm.", "pkg.github"],
        ["index.", "crates.io"],
        ["static.", "crates.io"],
        ["pypi.", "org/simple"],
        ["files.", "pythonhosted"],
        ["--index", "-url"],
        ["replace", "-with"],
        ["deb.", "debian.org"],
    ];
    for file in committed() {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for [a, b] in pieces {
            assert!(!text.contains(&format!("{a}{b}")), "{} names {a}{b}", show(&file));
        }
        for line in text.lines().filter(|line| line.contains("registry+")) {
            let default = line.contains(concat!("registry+", "https://github.com/rust-lang/crates.io-index"));
            assert!(default || file.extension().is_some_and(|end| end == "rs"), "{}: {line}", show(&file));
        }
    }
}

#[test]
fn every_crate_follows_the_workspaces_lints() {
    let mut manifests: Vec<PathBuf> =
        crate_names().iter().map(|name| crate_dir(name).join("Cargo.toml")).collect();
    manifests.extend([root().join("Cargo.toml"), root().join("tests/Cargo.toml")]);
    for manifest in manifests {
        let table = parse(&manifest);
        let follows =
            table.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
        assert_eq!(follows, Some(true), "{}", show(&manifest));
    }
}

// === Reading the house ===

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn crate_dir(name: &str) -> PathBuf {
    root().join("src-tauri/crates").join(name)
}

/// The folders under `src-tauri/crates`: the folder is the list.
fn crate_names() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("src-tauri/crates")).unwrap();
    let mut found: Vec<String> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("Cargo.toml").exists())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    found.sort();
    found
}

/// What a package names for its own code, for every platform; what only its tests use is free.
fn dependencies(package: &Path) -> BTreeSet<String> {
    let manifest = parse(&package.join("Cargo.toml"));
    let mut tables: Vec<&toml::Value> = manifest.get("dependencies").into_iter().collect();
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flatten();
    tables.extend(targets.filter_map(|(_, target)| target.get("dependencies")));
    tables.into_iter().filter_map(toml::Value::as_table).flat_map(|table| table.keys().cloned()).collect()
}

fn parse(manifest: &Path) -> toml::Value {
    toml::Value::Table(read(manifest).parse().unwrap())
}

/// Rust files under `folder` as code: without comments and without their tests.
fn sources(folder: &Path) -> BTreeMap<PathBuf, String> {
    let rust = files(folder).into_iter().filter(|file| file.extension().is_some_and(|end| end == "rs"));
    let found: BTreeMap<PathBuf, String> =
        rust.filter(|file| !is_test(file)).map(|file| (file.clone(), code(&read(&file)))).collect();
    assert!(!found.is_empty(), "no sources under {}", show(folder));
    found
}

/// Tests stand at the end of a file, behind one `#[cfg(test)]` on a line of its own before `mod`.
fn code(text: &str) -> String {
    let end =
        ["\n#[cfg(test)]\nmod ", "\n#[cfg(test)]\n#[expect"].iter().filter_map(|mark| text.find(mark)).min();
    let text = &text[..end.unwrap_or(text.len())];
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// Whether `code` names `word`, and not merely something that contains it.
fn names(code: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_some_and(part_of_name);
        let after = code[at + word.len()..].chars().next().is_some_and(part_of_name);
        !before && (word.ends_with(':') || !after)
    })
}

fn is_test(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let named = name == "tests.rs" || name.ends_with("_tests.rs") || name.contains(".test.");
    named
        || file
            .components()
            .any(|part| ["tests", "test", "target"].iter().any(|folder| part.as_os_str() == *folder))
}

/// Every file under `folder`, but nothing that was built or installed.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            let ours = !["target", "node_modules", "dist", ".git", ".venv", "gen"].contains(&name.as_str());
            found.extend(if ours { files(&path) } else { Vec::new() });
        } else {
            found.push(path);
        }
    }
    found
}

/// What git tracks; everything that lies here, where this is no clone.
fn committed() -> Vec<PathBuf> {
    let listed = std::process::Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    match listed {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => {
            String::from_utf8_lossy(&output.stdout)
                .split('\0')
                .filter(|name| !name.is_empty())
                .map(|name| root().join(name))
                .collect()
        }
        _ => files(&root()),
    }
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", show(file)))
}

fn show(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
