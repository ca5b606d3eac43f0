//! `cargo xtask conformance`: every exchange of the recorded corpus, read by us and by an independent
//! reading, accounted for in `docs/CONFORMANCE.md`: equal, refused with the reason, or outside of
//! what Signalbox speaks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::sh;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only say whether docs/CONFORMANCE.md is what the tests find now.
    #[arg(long)]
    check: bool,
}

/// What no protocol of ours speaks, by the corpus' tag of the exact wire, and why.
const OUTSIDE: &[(&str, &str)] = &[
    ("anthropic-complete", "Anthropic's text completions, replaced by Messages"),
    ("bedrock-invoke", "Bedrock's invoke takes each model's own format; chat goes through Converse"),
    ("cohere-generate", "Cohere's text generation, replaced by chat"),
    ("gemini-interactions", "Google's Interactions, a stateful API beside generateContent"),
    ("hf-inference", "Hugging Face's old inference endpoint; chat goes through its router"),
    ("ollama-generate", "Ollama's text generation; chat goes through /api/chat"),
    ("openai-completions", "text completions, the API before Chat Completions"),
    ("responses-compact", "Responses' compaction of a conversation, which is no answer"),
    ("watsonx-generate", "IBM watsonx' text generation"),
];

/// What is asked of a provider beside chat; it has no text, calls or finish.
const OPERATIONS: [&str; 3] = ["embeddings", "models", "token counts"];

/// A line of what a test wrote (`tests/support/conformance.rs`).
#[derive(Deserialize)]
struct Line {
    id: String,
    provider: String,
    protocol: String,
    streamed: bool,
    text: bool,
    calls: bool,
    usage: bool,
    finish: bool,
    error: bool,
    refused: Option<String>,
}

/// As much of a recorded exchange as is needed to miss it.
#[derive(Deserialize)]
struct Record {
    id: String,
    provider: String,
    api: String,
    tags: Vec<String>,
}

/// Counts of one row.
#[derive(Default)]
struct Row {
    records: BTreeSet<String>,
    text: usize,
    calls: usize,
    usage: usize,
    finish: usize,
    error: usize,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let Some(records) = corpus()? else {
        println!("skipped: the recorded corpus is not beside the project (../shared/corpus)");
        return Ok(());
    };
    let folder = fresh_folder()?;
    let mut command = sh::cargo(["test", "--package", "signalbox-tests"]);
    for name in conformance_tests()? {
        command.args(["--test", &name]);
    }
    sh::run(command.env("SIGNALBOX_CONFORMANCE", &folder))?;
    settle(&records, &folder, args.check)
}

/// Makes the table of what tests wrote into `folder`, and writes it or compares it.
fn settle(records: &[Record], folder: &Path, check: bool) -> Result<()> {
    let page = page(records, &lines(folder)?)?;
    print!("{page}");
    let path = sh::root().join("docs/CONFORMANCE.md");
    if !check {
        return fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()));
    }
    if fs::read_to_string(&path).unwrap_or_default() != page {
        bail!(
            "docs/CONFORMANCE.md is not what the tests find now: run `cargo xtask conformance` and commit it"
        );
    }
    Ok(())
}

/// For `cargo xtask test`: an empty folder for the tests to write into, where the corpus is there.
pub(crate) fn fresh_folder() -> Result<PathBuf> {
    let folder = sh::target_dir().join("conformance");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Whether the page in docs is what tests wrote into `folder`; fine where there is no corpus.
pub(crate) fn check(folder: &Path) -> Result<()> {
    match corpus()? {
        Some(records) => settle(&records, folder, true),
        None => Ok(()),
    }
}

fn corpus() -> Result<Option<Vec<Record>>> {
    let folder = sh::root().join("../shared/corpus");
    if !folder.is_dir() {
        return Ok(None);
    }
    let mut records = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        for line in fs::read_to_string(&path)?.lines() {
            records.push(serde_json::from_str(line).with_context(|| format!("{}", path.display()))?);
        }
    }
    Ok(Some(records))
}

/// The tests of that name, so that a new one counts by being there.
fn conformance_tests() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(sh::root().join("tests"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(".rs").filter(|name| name.starts_with("conformance_")) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn lines(folder: &Path) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder)? {
        let text = fs::read_to_string(entry?.path())?;
        lines.extend(text.lines().map(serde_json::from_str).collect::<Result<Vec<Line>, _>>()?);
    }
    Ok(lines)
}

/// The whole page; an error names each exchange that nothing accounts for.
fn page(records: &[Record], lines: &[Line]) -> Result<String> {
    let mut rows: BTreeMap<(&str, &str, bool), Row> = BTreeMap::new();
    let mut refused: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    let mut read: BTreeSet<&str> = BTreeSet::new();
    for line in lines {
        // A record of several answers was judged answer by answer.
        let id = line.id.split(" answer ").next().unwrap_or(&line.id);
        read.insert(id);
        if let Some(reason) = &line.refused {
            refused.entry((&line.protocol, reason)).or_default().insert(id);
            continue;
        }
        let row = rows.entry((&line.protocol, &line.provider, line.streamed)).or_default();
        if row.records.insert(id.to_owned()) {
            row.text += usize::from(line.text);
            row.calls += usize::from(line.calls);
            row.usage += usize::from(line.usage);
            row.finish += usize::from(line.finish);
            row.error += usize::from(line.error);
        }
    }
    let mut outside: BTreeMap<(&str, &str), BTreeMap<&str, usize>> = BTreeMap::new();
    let mut missing = Vec::new();
    for record in records.iter().filter(|record| !read.contains(record.id.as_str())) {
        let wire = |known: &&(&str, &str)| record.tags.iter().any(|tag| tag == &format!("wire:{}", known.0));
        match OUTSIDE.iter().find(wire) {
            Some((wire, why)) => {
                *outside.entry((wire, why)).or_default().entry(&record.provider).or_default() += 1;
            }
            None => missing.push(format!("{} ({}, {})", record.id, record.provider, record.api)),
        }
    }
    if !missing.is_empty() {
        bail!("{} exchanges are not accounted for:\n{}", missing.len(), missing.join("\n"));
    }
    Ok(write(records.len(), &rows, &refused, &outside))
}

fn write(
    total: usize,
    rows: &BTreeMap<(&str, &str, bool), Row>,
    refused: &BTreeMap<(&str, &str), BTreeSet<&str>>,
    outside: &BTreeMap<(&str, &str), BTreeMap<&str, usize>>,
) -> String {
    let equal: usize = rows.values().map(|row| row.records.len()).sum();
    let refused_count: usize = refused.values().map(BTreeSet::len).sum();
    let outside_count: usize = outside.values().flat_map(BTreeMap::values).sum();
    let mut page = format!(
        "# Conformance\n\nMade by `cargo xtask conformance` from a run of the tests `tests/conformance_*.rs`; do not edit.\n\n\
         Each exchange of the recorded corpus is decoded by our code and, apart from it, by a plain reading of the same \
         JSON (`tests/support/reading`). A number says in how many exchanges that thing was there **and equal**; a \
         difference fails the test, so none stands here. Streams were also cut at every place or at many, and held to \
         the laws in `tests/support/laws.rs`.\n\n\
         **{total} exchanges: {equal} equal, {refused_count} refused as they must be, {outside_count} of endpoints that \
         Signalbox does not speak.**\n"
    );
    page += "\n## Equal\n\n| protocol | provider | streamed | exchanges | text | tool calls | usage | finish | error |\n\
             | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    let is_chat = |protocol: &str| !OPERATIONS.contains(&protocol);
    for ((protocol, provider, streamed), row) in rows.iter().filter(|((protocol, ..), _)| is_chat(protocol)) {
        let Row { records, text, calls, usage, finish, error } = row;
        let streamed = if *streamed { "yes" } else { "no" };
        // Writing into a string cannot fail.
        let _ = writeln!(
            page,
            "| {protocol} | {provider} | {streamed} | {} | {text} | {calls} | {usage} | {finish} | {error} |",
            records.len()
        );
    }
    page += "\nOther than chat: every vector, every model, every count.\n\n\
             | operation | provider | exchanges | error |\n| --- | --- | ---: | ---: |\n";
    for ((operation, provider, _), row) in rows.iter().filter(|((operation, ..), _)| !is_chat(operation)) {
        let _ = writeln!(page, "| {operation} | {provider} | {} | {} |", row.records.len(), row.error);
    }
    if !refused.is_empty() {
        page += "\n## Refused as they must be\n\n| protocol | exchanges | why |\n| --- | ---: | --- |\n";
        for ((protocol, why), ids) in refused {
            let _ = writeln!(page, "| {protocol} | {} | {why} |", ids.len());
        }
    }
    page += "\n## Endpoints that Signalbox does not speak\n\n| endpoint | providers | exchanges | why |\n| --- | --- | ---: | --- |\n";
    for ((wire, why), providers) in outside {
        let names: Vec<&str> = providers.keys().copied().collect();
        let count: usize = providers.values().sum();
        let _ = writeln!(page, "| {wire} | {} | {count} | {why} |", names.join(", "));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, tag: &str) -> Record {
        Record { id: id.into(), provider: "p".into(), api: "other".into(), tags: vec![tag.into()] }
    }

    fn line(id: &str, refused: Option<&str>) -> Line {
        Line {
            id: id.into(),
            provider: "p".into(),
            protocol: "openai-chat".into(),
            streamed: true,
            text: true,
            calls: false,
            usage: true,
            finish: true,
            error: false,
            refused: refused.map(str::to_owned),
        }
    }

    #[test]
    fn every_exchange_is_accounted_for_or_named() {
        let records =
            [record("a", ""), record("b", "wire:watsonx-generate"), record("c", ""), record("d", "")];
        let read = [line("a answer 0", None), line("a answer 1", None), line("c", Some("too old"))];
        let error = page(&records, &read).unwrap_err().to_string();
        assert!(error.starts_with("1 exchanges are not accounted for:\nd ("), "{error}");
        let page = page(&records[..3], &read).unwrap();
        assert!(page.contains("**3 exchanges: 1 equal, 1 refused as they must be, 1 of"), "{page}");
        assert!(page.contains("| openai-chat | p | yes | 1 | 1 | 0 | 1 | 1 | 0 |"), "{page}");
        assert!(page.contains("| openai-chat | 1 | too old |"), "{page}");
    }
}
