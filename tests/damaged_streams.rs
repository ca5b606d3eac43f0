//! Every recorded stream, damaged in sixteen ways, through the real `signalboxd` to a client of
//! Chat Completions: what had arrived is shown, the rest is an error, and noise costs nothing.
//! Afterwards the ledger must say of each request what its client saw.
//!
//! Each kind of damage is drawn for [`PER_KIND`] streams of each protocol;
//! `SIGNALBOX_DAMAGE=all` takes every stream, `SIGNALBOX_DAMAGE_ONLY` those whose title has the words of one of its lines
//! (`openai-chat over cohere-chat: cut, reset`).

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;
use serde_json::Value;
use signalbox_tests::chat_client::{Shown, ask};
use signalbox_tests::daemon::Daemon;
use signalbox_tests::damaged::{Expected, Kind};
use signalbox_tests::damaged_cases::{
    self, Case, LEFT_OUT, Only, PROTOCOLS, Streams, draw, settings, start_upstream,
};
use signalbox_tests::reading::at_client::{self, Answer};

/// Streams of each protocol per form of a kind of damage, so that a run stays about a minute.
const PER_KIND: usize = 25;

const DIALECT: &str = "openai-chat";

/// Requests under way at once.
const AT_ONCE: usize = 48;

#[tokio::test(flavor = "multi_thread")]
async fn damaged_streams_are_shown_as_far_as_they_go_and_noise_costs_nothing() -> Result<()> {
    let Some(streams) = damaged_cases::streams() else { return Ok(()) };
    let takes_all = std::env::var("SIGNALBOX_DAMAGE").as_deref() == Ok("all");
    let mut cases = draw(&streams, if takes_all { usize::MAX } else { PER_KIND }, "");
    let only = Only::asked_for();
    cases.retain(|case| only.has(&case.title(DIALECT)));
    let cases = Arc::new(cases);
    let upstream = start_upstream(Arc::clone(&cases)).await?;
    // Thousands of failed requests are no news.
    let environment = [("SIGNALBOX_DAMAGED_KEY", "sk-damaged"), ("SIGNALBOX_LOG", "error")];
    let mut daemon = Daemon::start_with(&settings(&cases, &upstream.url()), &environment)?;

    let _ = rustls::crypto::ring::default_provider().install_default();
    let (http, base, key) = (reqwest::Client::new(), daemon.url("")?, daemon.client_key("damaged")?);
    let shown: Vec<Result<Shown>> = futures_util::stream::iter(cases.iter().enumerate())
        .map(|(number, case)| {
            let (http, base, key) = (http.clone(), base.clone(), key.clone());
            let model = case.model(number);
            let provider = case.record.provider.clone();
            async move { tokio::spawn(async move { ask(&http, &base, &key, &model, &provider).await }).await? }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    // In good order, so that everything is in the book.
    daemon.stop()?;
    let rows = daemon.export()?.into_iter().map(|row| (text(&row["id"]), row)).collect();
    judge(&streams, &cases, &shown, &rows)
}

// === the judgement ===

/// Passed and all cases of a kind, by protocol.
type Table = BTreeMap<(Kind, &'static str), (usize, usize)>;

fn judge(
    streams: &Streams,
    cases: &[Case],
    shown: &[Result<Shown>],
    rows: &BTreeMap<String, Value>,
) -> Result<()> {
    let (mut table, mut wrong) = (Table::new(), Vec::new());
    for (case, shown) in cases.iter().zip(shown) {
        let count = table.entry((case.kind, case.protocol)).or_default();
        count.1 += 1;
        match judge_case(case, shown, rows) {
            Ok(()) => count.0 += 1,
            Err(error) => {
                wrong.push(format!("{}\n    {}", case.title(DIALECT), shorten(&format!("{error:#}"))));
            }
        }
    }
    print_table(streams, cases, &table);
    let running: Vec<_> = rows.values().filter(|row| row["status"] == "running").collect();
    ensure!(running.is_empty(), "still running: {running:?}");
    ensure!(rows.len() == cases.len(), "{} requests are in the book, not {}", rows.len(), cases.len());
    ensure!(wrong.is_empty(), "{} of {} cases failed:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    Ok(())
}

fn judge_case(case: &Case, shown: &Result<Shown>, rows: &BTreeMap<String, Value>) -> Result<()> {
    let shown = shown.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
    match case.damaged().context("no damage")?.expected {
        Expected::Refusal { status, code, wait } => judge_refusal(shown, status, code, wait)?,
        Expected::Reading(text) => {
            let expected = at_client::read(case.protocol, &case.record.provider, &text);
            if expected.is_whole && !expected.has_failed {
                judge_whole(shown, &expected)?;
            } else {
                judge_broken(shown, &expected)?;
                if !expected.has_failed {
                    judge_cut(case.kind, shown.error.as_ref().unwrap_or(&Value::Null))?;
                }
            }
        }
    }
    judge_row(shown, rows.get(&shown.request_id).context("the request is not in the book")?)
}

fn judge_refusal(shown: &Shown, status: u16, code: Option<&str>, wait: Option<(u64, u64)>) -> Result<()> {
    let error = shown.error.as_ref().context("no error")?;
    ensure!(shown.status == status, "status {} with {error}", shown.status);
    ensure!(error["code"].as_str() == code, "code in {error}");
    let seconds = shown.retry_after.as_ref().map(|seconds| seconds.parse::<u64>()).transpose()?;
    match (wait, seconds) {
        (None, None) => Ok(()),
        (Some((from, to)), Some(seconds)) if (from..=to).contains(&seconds) => Ok(()),
        _ => anyhow::bail!("retry-after is {seconds:?}, expected {wait:?}"),
    }
}

/// Everything is there, and a clean end.
fn judge_whole(shown: &Shown, expected: &Answer) -> Result<()> {
    ensure!(shown.error.is_none(), "status {} and {:?}", shown.status, shown.error);
    ensure!(shown.answer.is_whole, "no [DONE]");
    judge_contents(&shown.answer, expected)?;
    for (index, said) in &expected.choices {
        let got = shown.answer.choices.get(index).and_then(|choice| choice.finish);
        ensure!(got == said.finish, "finish {got:?}, expected {:?}", said.finish);
    }
    ensure!(
        shown.answer.usage == expected.usage,
        "usage {:?}, expected {:?}",
        shown.answer.usage,
        expected.usage
    );
    Ok(())
}

/// Everything that had arrived is there, and an error, and no clean end.
fn judge_broken(shown: &Shown, expected: &Answer) -> Result<()> {
    let error = shown.error.as_ref().context("no error")?;
    ensure!(!shown.answer.is_whole, "[DONE] beside {error}");
    if shown.status != 200 {
        ensure!(shown.status >= 400, "status {}", shown.status);
        let has_content = expected.choices.values().any(|said| !said.is_empty());
        ensure!(!has_content, "refused with {} {error}, expected {:?}", shown.status, expected.choices);
        return Ok(());
    }
    judge_contents(&shown.answer, expected)?;
    for (index, choice) in &shown.answer.choices {
        let has_finish = expected.choices.get(index).is_some_and(|said| said.finish.is_some());
        ensure!(has_finish || choice.finish.is_none(), "choice {index} finished: {:?}", choice.finish);
    }
    Ok(())
}

/// The error says how the answer was cut.
fn judge_cut(kind: Kind, error: &Value) -> Result<()> {
    let has_connection = text(&error["message"]).starts_with("The connection to the provider");
    let broke = matches!(kind, Kind::CutAndReset | Kind::CutAndClosed);
    let is_cut = kind.is_cut() || kind == Kind::NoTerminator;
    ensure!(!is_cut || error["code"] == "truncated", "the error is {error}");
    ensure!(has_connection == broke, "the error speaks of another cause: {error}");
    Ok(())
}

fn judge_contents(got: &Answer, expected: &Answer) -> Result<()> {
    let nothing = at_client::Said::default();
    let indexes = got.choices.keys().chain(expected.choices.keys());
    for index in indexes {
        let got = got.choices.get(index).unwrap_or(&nothing);
        let said = expected.choices.get(index).unwrap_or(&nothing);
        ensure!(got.text == said.text, "text {:?}, expected {:?}", got.text, said.text);
        ensure!(got.refusal == said.refusal, "refusal {:?}, expected {:?}", got.refusal, said.refusal);
        ensure!(
            got.reasoning == said.reasoning,
            "reasoning {:?}, expected {:?}",
            got.reasoning,
            said.reasoning
        );
        ensure!(
            got.calls_by_value() == said.calls_by_value(),
            "calls {:?}, expected {:?}",
            got.calls,
            said.calls
        );
    }
    Ok(())
}

/// The book says what the client saw.
fn judge_row(shown: &Shown, row: &Value) -> Result<()> {
    let (outcome, kind) = (text(&row["status"]), &row["error_kind"]);
    let Some(error) = &shown.error else {
        ensure!(outcome == "ok" && kind.is_null(), "the book says {outcome} and {kind}");
        let word = match row["finish_reason"].as_str() {
            Some("length") => "length",
            Some("content_filter" | "refusal") => "content_filter",
            Some("tool_calls") => "tool_calls",
            _ => "stop",
        };
        let finishes: Vec<_> = shown.answer.choices.values().filter_map(|choice| choice.finish).collect();
        ensure!(
            finishes.contains(&word),
            "the book says {}, the client saw {finishes:?}",
            row["finish_reason"]
        );
        return Ok(());
    };
    let by_code = match error["code"].as_str() {
        Some("rate_limit_exceeded") => Some("rate_limited"),
        Some("content_filter") => Some("content_filtered"),
        Some(code @ ("truncated" | "invalid_response" | "timeout" | "network" | "overloaded")) => Some(code),
        _ => None,
    };
    let wanted = if kind == "truncated" { "truncated" } else { "failed" };
    ensure!(outcome == wanted, "the book says {outcome}, of {kind}");
    ensure!(kind.is_string() && by_code.is_none_or(|code| kind == code), "the book says {kind}, not {error}");
    let has_finish = shown.answer.choices.values().any(|choice| choice.finish.is_some());
    ensure!(
        has_finish || row["finish_reason"].is_null() || row["finish_reason"] == "error",
        "the book says that it finished with {}",
        row["finish_reason"]
    );
    Ok(())
}

fn print_table(streams: &Streams, cases: &[Case], table: &Table) {
    let (passed, total) = table.values().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    println!("{passed} of {total} damaged streams passed; passed of drawn, by kind and protocol:");
    let cell = |text: String| format!("{text:>20}");
    println!("{:22}{}", "", PROTOCOLS.map(|protocol| cell(protocol.into())).concat());
    let counts = PROTOCOLS.map(|protocol| cell(streams.get(protocol).map_or(0, Vec::len).to_string()));
    println!("{:22}{}", "streams on record", counts.concat());
    for kind in Kind::ALL {
        let cells = PROTOCOLS.map(|protocol| match table.get(&(kind, protocol)) {
            Some((passed, total)) => cell(format!("{passed} of {total}")),
            None => cell("-".into()),
        });
        println!("{:22}{}", kind.name(), cells.concat());
    }
    let ended_well = |kind: Kind| {
        let of_kind = cases.iter().filter(|case| case.kind == kind);
        of_kind.filter(|case| case.expects_a_clean_end()).count()
    };
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_cut() || *kind == Kind::NoTerminator) {
        let count = ended_well(kind);
        println!("{}: {count} end well, since the protocol's last word was still there", kind.name());
    }
    println!("split in a character, usage sent twice: only streams that have such a character, or usage");
    for (piece, why) in LEFT_OUT {
        println!("left out: {piece}: {why}");
    }
    let bytes: usize = cases.iter().map(|case| case.record.body().len()).sum();
    println!("{} MB of recorded bytes went through the port", bytes / 1_000_000);
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn shorten(line: &str) -> String {
    line.chars().take(900).collect()
}
