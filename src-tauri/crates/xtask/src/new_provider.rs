//! `cargo xtask new-provider NAME`: the two files that a provider is, ready to be filled in.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args as ClapArgs;

use crate::sh;

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The kind that settings will name: lower-case letters, digits, `-`, `_` and `.`.
    name: String,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let [spec, origin] = write(&sh::root(), &args.name)?;
    println!("{}\n{}\n", spec.display(), origin.display());
    println!(
        "Fill in what stands in capitals. In the first: address, key, protocol, prices, quirks with their"
    );
    println!(
        "reasons. Beside the second: request.json and stream.sse, one recorded exchange without its keys."
    );
    println!(
        "Then: cargo test -p catalog --lib providers && cargo test -p signalbox-tests --test provider_fixtures"
    );
    Ok(())
}

/// Writes both files below `root`. Nothing is written where either is there already.
fn write(root: &Path, name: &str) -> Result<[PathBuf; 2]> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(is_plain) {
        bail!("`{name}` cannot be a provider's id: use lower-case letters, digits, `-`, `_` and `.`");
    }
    let spec = root.join(format!("src-tauri/crates/catalog/providers/{name}.toml"));
    let origin = root.join(format!("tests/fixtures/providers/{name}/origin.toml"));
    if let Some(there) = [&spec, &origin].into_iter().find(|path| path.exists()) {
        bail!("{} is there already", there.display());
    }
    for (path, text) in [(&spec, spec_text(name)), (&origin, ORIGIN.to_owned())] {
        let folder = path.parent().context("a file has a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok([spec, origin])
}

fn spec_text(name: &str) -> String {
    let variable = name.to_uppercase().replace(['-', '.'], "_");
    SPEC.replace("{name}", name).replace("{VARIABLE}", &variable)
}

const SPEC: &str = r#"# What is unusual about this vendor, in a sentence; else nothing.
id = "{name}"
name = "NAME FOR PEOPLE"
# openai-chat, openai-responses, anthropic-messages, gemini-generate, bedrock-converse, cohere-chat or ollama-chat.
protocol = "openai-chat"
# What the vendor's own SDK takes. Where it differs per user: {region} and a [[variables]] of that name.
base_url = "https://API.EXAMPLE.COM/v1"
# { bearer = "ENV" }, { header = "x-api-key", env = "ENV" }, { query = "key", env = "ENV" },
# { sigv4 = { service = "…" }, env = "ENV" }, { service_account = { scope = "…" }, env = "ENV" } or "none".
auth = { bearer = "{VARIABLE}_API_KEY" }
docs = "https://DOCS.EXAMPLE.COM"
# keys_url = "https://WHERE.A.KEY.IS.MADE"
# Its name in catalog/prices.json (price_provider = "…"), or why there is none:
unpriced = "WHY NO PRICE IS KNOWN"

# [quirks]
# A deviation, with the reason and where it is documented (all are in wire/src/quirks.rs):
# max_tokens_field = "max_completion_tokens"
"#;

const ORIGIN: &str = r#"# Where the recorded exchange beside this file comes from: request.json (the body that was sent) and
# stream.sse (the answer's bytes, as they came). Keys, cookies and account ids are taken out.
recorded_on = "YYYY-MM-DD"
# Who recorded it, or the repository, commit, path and licence that it was taken from.
source = "WHO"
"#;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn the_new_file_parses_and_is_never_written_over_another() {
        let root = std::env::temp_dir().join(format!("signalbox-new-provider-{}", std::process::id()));
        let [spec, origin] = write(&root, "acme-2").unwrap();
        let text = fs::read_to_string(&spec).unwrap();
        let parsed = catalog::parse_spec(&text, "acme-2.toml").unwrap();
        assert_eq!((parsed.id.as_str(), parsed.key_env()), ("acme-2", Some("ACME_2_API_KEY")));
        assert!(fs::read_to_string(&origin).unwrap().contains("recorded_on"));

        assert!(write(&root, "acme-2").unwrap_err().to_string().contains("already"));
        fs::remove_file(&spec).unwrap();
        assert!(write(&root, "acme-2").is_err(), "half of it is there");
        assert!(!spec.exists(), "nothing is written beside what is there");
        for bad in ["", "Acme", "a/b", "../a", ".a", "ä"] {
            assert!(write(&root, bad).is_err(), "{bad}");
        }
        fs::remove_dir_all(&root).unwrap();
    }
}
