//! `cargo xtask damaged`: damaged copies of the recorded streams through the port with the official
//! SDKs in front, and the score in `docs/DAMAGED_STREAMS.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::{sh, test};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Streams per kind of damage, protocol and dialect, drawn by a fixed seed; `all` takes every
    /// recorded stream in each.
    #[arg(long, default_value = "12", value_name = "NUMBER")]
    per_kind: String,
    /// Of all cases those whose title has these words, as a failed run prints them; what was said and what
    /// was seen is printed of those that fail, and the page is not written. May be given several times.
    #[arg(long, value_name = "WORDS")]
    only: Vec<String>,
}

/// A line of what `tests/sdk_damaged.rs` wrote.
#[derive(Deserialize)]
struct Cell {
    protocol: String,
    dialect: String,
    kind: String,
    /// Where the kind stands in the list of kinds.
    place: usize,
    passed: usize,
    total: usize,
}

/// Passed and all.
type Count = (usize, usize);

pub(crate) fn run(args: &Args) -> Result<()> {
    let file = sh::target_dir().join("damaged.jsonl");
    if file.exists() {
        fs::remove_file(&file)?;
    }
    let mut command = test::through_sdks("sdk_damaged")?;
    command.env("SIGNALBOX_DAMAGED", &file).env("SIGNALBOX_DAMAGE", &args.per_kind);
    if !args.only.is_empty() {
        command.env("SIGNALBOX_DAMAGE", "all").env("SIGNALBOX_DAMAGE_ONLY", args.only.join("\n"));
        return sh::run(command.args(["--", "--nocapture"]));
    }
    let outcome = sh::run(&mut command);
    if !file.exists() {
        outcome?;
        println!("skipped: the recorded corpus is not beside the project (../shared/corpus)");
        return Ok(());
    }
    let text = fs::read_to_string(&file)?;
    let cells: Vec<Cell> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let page = page(&cells, &args.per_kind);
    print!("{page}");
    let path = sh::root().join("docs/DAMAGED_STREAMS.md");
    fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    // The page says what failed as well; the command fails all the same.
    outcome
}

fn page(cells: &[Cell], per_kind: &str) -> String {
    let all = sum(cells.iter());
    let drawn = if per_kind == "all" {
        "For each form of each kind of damage, every recorded stream of each protocol that has a place for it is \
         asked for in every dialect; where the damage falls is drawn by a fixed seed."
            .to_owned()
    } else {
        format!(
            "For each form of each kind of damage, {per_kind} streams of each protocol are drawn by a fixed seed, \
             for each dialect others."
        )
    };
    let mut page = format!(
        "# Damaged streams\n\n\
         Made by `cargo xtask damaged --per-kind {per_kind}` from a run of `tests/sdk_damaged.rs`; do not edit.\n\n\
         Recorded streams, damaged in the sixteen ways in which providers, relays and networks damage them \
         (`tests/support/damaged.rs`), go through the real `signalboxd` to the official SDKs of OpenAI, Anthropic \
         and Google for Python. {drawn} A case passes where the SDK hands on everything that had arrived, and \
         then raises (in a stream of Responses: hands on the failure as an event), never a clean end; where the \
         damage took nothing away, everything must be equal to the undamaged answer, with its end and its counts; \
         a refusal must raise the right class with the right status, and with `retry-after` where there is a wait.\n\n\
         **{} of {} cases passed: {}.**\n\n\
         | gateway | damaged streams |\n| --- | ---: |\n| Signalbox | {} |\n| LiteLLM 1.106 | 78.5% |\n\
         | Portkey 1.15 | 49.0% |\n\n\
         The other two were measured on 2026-11-20 with the OpenAI SDK in front, on the same kinds of damage to the same \
         kind of records; the draw was another one.\n",
        all.0,
        all.1,
        percent(all),
        percent(all),
    );
    let dialects = names(cells, |cell| &cell.dialect);
    let protocols = names(cells, |cell| &cell.protocol);
    let head = format!("| --- |{}\n", " ---: |".repeat(protocols.len()));
    let _ = write!(page, "\n## By dialect and protocol\n\n| dialect | {} |\n{head}", protocols.join(" | "));
    for dialect in &dialects {
        let row = protocols.iter().map(|protocol| {
            shown(sum(cells.iter().filter(|cell| cell.dialect == *dialect && cell.protocol == *protocol)))
        });
        let _ = writeln!(page, "| {dialect} | {} |", row.collect::<Vec<_>>().join(" | "));
    }
    let kinds: BTreeMap<usize, &str> = cells.iter().map(|cell| (cell.place, cell.kind.as_str())).collect();
    for dialect in &dialects {
        let _ = write!(page, "\n## {dialect}\n\n| damage | {} |\n{head}", protocols.join(" | "));
        for kind in kinds.values() {
            let row = protocols.iter().map(|protocol| {
                let is_here = |cell: &&Cell| {
                    cell.dialect == *dialect && cell.protocol == *protocol && cell.kind == *kind
                };
                shown(sum(cells.iter().filter(is_here)))
            });
            let _ = writeln!(page, "| {kind} | {} |", row.collect::<Vec<_>>().join(" | "));
        }
    }
    page.push_str(EXCEPTIONS);
    page
}

/// What the test leaves out, as its own constants name it, and what the table's dashes mean.
const EXCEPTIONS: &str = "
## Left out, and why

- A dash: the stream has no place for that damage. A binary stream (Bedrock) has no lines; there, a malformed chunk is a message with broken JSON and good checksums, because behind a bad checksum nobody knows where the next message begins, and the stream ends with an error.
- `anthropic-programmatic-tool-calling.1.chunks`, `azure-reasoning-encrypted-content.1.chunks`, `spliced-message-start.chunks`: fixtures of several answers strung together, which are no one stream.
- `langchaingo/llms/googleai/testdata/TestGoogleAI…` and `test_gemini_token_counts_streaming` where Google's dialect goes to Google: recorded with numbers in the place of words (`enum-encoding=int`), which Google's own SDK cannot read from Google either. In the other dialects they are in the table.
- Google's dialect has whole calls only: a call that was still growing where the stream was cut is not shown, and neither is one that lost a piece of its arguments where the gateway can tell (Responses say them twice); the answer then fails.
- Anthropic's SDKs read a call's arguments as they grow, and raise at what is no JSON: arguments that lost a piece in their middle come as a string, `arguments`, behind the properties in front of it. No word is missing. Where Anthropic itself answers, the pieces are out before one is lost, and the helper that puts a stream together (`messages.stream`) says that the arguments are no JSON; anything else it must put together in every case.
- Google's dialect and Responses have no word for an end in calls: where the damaged chunk was the only one to name a call, the answer ends like any other.
- Converse streams are cut, split and broken as they stand; comments are messages of a type that nobody knows.
";

fn names<'a>(cells: &'a [Cell], name: impl Fn(&'a Cell) -> &'a String) -> Vec<&'a str> {
    let mut names: Vec<&str> = cells.iter().map(|cell| name(cell).as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn sum<'a>(cells: impl Iterator<Item = &'a Cell>) -> Count {
    cells.fold((0, 0), |sum, cell| (sum.0 + cell.passed, sum.1 + cell.total))
}

fn shown((passed, total): Count) -> String {
    if total == 0 { "–".into() } else { format!("{passed}/{total}") }
}

/// Rounded down, so that only everything is 100%.
fn percent((passed, total): Count) -> String {
    let tenths = passed * 1000 / total.max(1);
    if tenths == 1000 { "100%".into() } else { format!("{}.{}%", tenths / 10, tenths % 10) }
}
