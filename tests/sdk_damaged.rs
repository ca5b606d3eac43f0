//! Damaged streams through the port with the official SDKs in front: for every protocol out, every
//! dialect in and every kind of damage, what had arrived is shown, the rest is an error that the SDK
//! raises (or, in a stream of Responses, hands on as an event), and noise costs nothing.
//!
//! `tests/sdk/python/damaged.py` tells what each SDK saw; the same plain reading that says what the
//! damaged stream holds says what those events hold, and the two are compared here. Anthropic's SDK also
//! puts the events together with its own helper, which must not raise. Like `sdk.rs`
//! it needs what `cargo xtask test` prepares. [`PER_KIND`] streams are drawn for each form of each
//! kind, protocol and dialect; `SIGNALBOX_DAMAGE` asks for another number, or `all`, and
//! `SIGNALBOX_DAMAGE_ONLY` for those whose title has the words of one of its lines (`anthropic-messages over openai-chat:
//! cut, reset`): of these, what was said and what was seen is printed where they fail.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use signalbox_tests::daemon::Daemon;
use signalbox_tests::damaged::{Damaged, Expected, Kind};
use signalbox_tests::damaged_cases::{self, Case, Only, PROTOCOLS, draw, settings, start_upstream};
use signalbox_tests::reading::at_client::{self, Answer, Said};
use signalbox_tests::reading::gemini_generate::leaves;

/// How clients speak to the port, each with its vendor's SDK.
const DIALECTS: [&str; 4] = ["openai-chat", "openai-responses", "anthropic-messages", "gemini-generate"];

/// Streams per form of a kind, protocol and dialect where nobody asks for more.
const PER_KIND: usize = 2;

/// What an SDK cannot read from its own vendor either, undamaged: (dialect and protocol, a piece of the
/// record's id, why). Such a record is asked for in the other dialects.
const UNREADABLE: &[(&str, &str, &str)] = &[
    (
        "gemini-generate",
        "langchaingo/llms/googleai/testdata/TestGoogleAI",
        "numbers in the place of words, recorded from a client that asks for `enum-encoding=int`",
    ),
    ("gemini-generate", "test_gemini_token_counts_streaming", "the same"),
];

/// A case and the dialect in which it is asked for.
struct Asked {
    dialect: &'static str,
    number: usize,
}

/// What `damaged.py` says of one case.
#[derive(Deserialize)]
struct Seen {
    model: String,
    lane: Option<String>,
    events: Vec<Value>,
    error: Option<Raised>,
    /// What the SDK's own helper raised that puts the events together.
    helper: Option<Raised>,
}

#[derive(Debug, Deserialize)]
struct Raised {
    class: String,
    is_own: bool,
    status: Option<Value>,
    retry_after: Option<String>,
    body: Option<Value>,
    message: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_sdks_are_shown_what_had_arrived_and_never_a_false_end() -> Result<()> {
    if std::env::var("SIGNALBOX_SDK").as_deref() != Ok("1") {
        eprintln!("skipped: SIGNALBOX_SDK is not 1; `cargo xtask test --only sdk` sets it up");
        return Ok(());
    }
    let Some(streams) = damaged_cases::streams() else { return Ok(()) };
    let per_kind = match std::env::var("SIGNALBOX_DAMAGE").as_deref() {
        Ok("all") => usize::MAX,
        Ok(number) => number.parse().context("SIGNALBOX_DAMAGE is a number or `all`")?,
        Err(_) => PER_KIND,
    };
    let only = Only::asked_for();
    let (mut cases, mut asked) = (Vec::new(), Vec::new());
    for dialect in DIALECTS {
        let mut drawn = draw(&streams, per_kind, dialect);
        drawn.retain(|case| !is_unreadable(case, dialect));
        drawn.retain(|case| only.has(&case.title(dialect)));
        asked.extend((cases.len()..cases.len() + drawn.len()).map(|number| Asked { dialect, number }));
        cases.extend(drawn);
    }
    let cases = Arc::new(cases);
    let upstream = start_upstream(Arc::clone(&cases)).await?;
    // Thousands of failed requests are no news.
    let environment = [("SIGNALBOX_DAMAGED_KEY", "sk-damaged"), ("SIGNALBOX_LOG", "error")];
    let daemon = Daemon::start_with(&settings(&cases, &upstream.url()), &environment)?;
    let models = DIALECTS.map(|dialect| {
        let of_dialect = asked.iter().filter(|asked| asked.dialect == dialect);
        let models: Vec<String> = of_dialect.map(|asked| cases[asked.number].model(asked.number)).collect();
        (dialect.to_owned(), json!(models))
    });
    let plan = json!({
        "base_url": daemon.url("")?,
        "api_key": daemon.client_key("damaged")?,
        "models": Value::Object(models.into_iter().collect()),
    });
    let file = daemon.folder().join("plan.json");
    std::fs::write(&file, plan.to_string())?;

    let runs = DIALECTS.map(|dialect| python(dialect, &file));
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    for run in futures_util::future::join_all(runs).await {
        seen.extend(run?.into_iter().map(|seen| (seen.model.clone(), seen)));
    }
    judge(&cases, &asked, &seen)
}

/// The verbatim lane hands on the provider's own words.
fn is_unreadable(case: &Case, dialect: &str) -> bool {
    UNREADABLE
        .iter()
        .any(|(of, piece, _)| *of == dialect && case.protocol == dialect && case.record.id.contains(piece))
}

async fn python(dialect: &'static str, plan: &std::path::Path) -> Result<Vec<Seen>> {
    let python = std::env::var("SIGNALBOX_PYTHON").context("SIGNALBOX_PYTHON names the prepared Python")?;
    let output = tokio::process::Command::new(python)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/sdk/python"))
        .args(["-B", "damaged.py"])
        .arg(plan)
        .arg(dialect)
        .stderr(std::process::Stdio::inherit())
        .output()
        .await?;
    ensure!(output.status.success(), "the run with {dialect} ended with {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    text.lines().map(|line| serde_json::from_str(line).context("a line of damaged.py")).collect()
}

// === the judgement ===

/// Passed and all cases by protocol, dialect and kind.
type Table = BTreeMap<(&'static str, &'static str, Kind), (usize, usize)>;

fn judge(cases: &[Case], asked: &[Asked], seen: &BTreeMap<String, Seen>) -> Result<()> {
    let (mut table, mut wrong) = (Table::new(), Vec::new());
    for Asked { dialect, number } in asked {
        let case = &cases[*number];
        let count = table.entry((case.protocol, dialect, case.kind)).or_default();
        count.1 += 1;
        let seen = seen.get(&case.model(*number)).context("a case was not asked for")?;
        match judge_case(case, dialect, seen) {
            Ok(()) => count.0 += 1,
            Err(error) => {
                let error: String = format!("{error:#}").chars().take(700).collect();
                wrong.push(format!("{}\n    {error}", case.title(dialect)));
                if Only::asked_for().is_some() {
                    print_case(case, seen);
                }
            }
        }
    }
    print_table(&table);
    write_table(&table)?;
    ensure!(wrong.is_empty(), "{} of {} cases failed:\n{}", wrong.len(), asked.len(), wrong.join("\n"));
    Ok(())
}

fn judge_case(case: &Case, dialect: &str, seen: &Seen) -> Result<()> {
    if let Some(raised) = &seen.error {
        ensure!(raised.is_own, "the SDK itself broke: {} {}", raised.class, raised.message);
    }
    if let Some(raised) = &seen.helper {
        ensure!(
            has_hole_in_a_call(case, raised),
            "the SDK's helper broke: {} {}",
            raised.class,
            raised.message
        );
    }
    let Damaged { expected, .. } = case.damaged().context("no damage")?;
    let body = match expected {
        Expected::Refusal { status, code, wait } => return judge_refusal(dialect, seen, status, code, wait),
        Expected::Reading(body) => body,
    };
    let expected = at_client::read(case.protocol, &case.record.provider, &body);
    let shown = shown(case, dialect, seen);
    judge_contents(case, dialect, &shown, &expected)?;
    if expected.is_whole && !expected.has_failed {
        judge_whole(case, dialect, seen, &shown, &expected)
    } else {
        judge_broken(dialect, seen, &shown, &expected)
    }
}

/// Where Anthropic itself speaks to its SDK, a lost piece of a call's arguments leaves what is no JSON. The
/// pieces in front of it are out by then, so nobody can mend it; the helper says so in words of its own.
fn has_hole_in_a_call(case: &Case, raised: &Raised) -> bool {
    let is_own = case.protocol == "anthropic-messages" && case.kind == Kind::MalformedChunk && case.form == 1;
    is_own
        && raised.class == "ValueError"
        && raised.message.starts_with("Unable to parse tool parameter JSON")
}

/// What the SDK's events hold. In the verbatim lane they are the provider's own words.
fn shown(case: &Case, dialect: &str, seen: &Seen) -> Answer {
    let mut text = String::new();
    for event in &seen.events {
        let _ = write!(text, "data: {event}\n\n");
    }
    if seen.error.is_none() && dialect == "openai-chat" {
        // Where the SDK stops without raising, the answer is at its end.
        text.push_str("data: [DONE]\n\n");
    }
    let is_verbatim = seen.lane.as_deref() == Some("verbatim");
    let provider = if is_verbatim { case.record.provider.as_str() } else { "openai" };
    at_client::read(dialect, provider, text.as_bytes())
}

fn judge_refusal(
    dialect: &str,
    seen: &Seen,
    status: u16,
    code: Option<&str>,
    wait: Option<(u64, u64)>,
) -> Result<()> {
    let raised = seen.error.as_ref().context("the SDK raised nothing")?;
    ensure!(seen.events.is_empty(), "there were events before {raised:?}");
    ensure!(raised.status == Some(json!(status)), "status in {raised:?}");
    let class = match (dialect, status) {
        ("gemini-generate", 429) => "ClientError",
        ("gemini-generate", _) => "ServerError",
        (_, 429) => "RateLimitError",
        _ => "InternalServerError",
    };
    // Anthropic's SDK has a class of its own for 529 and for some others; none of them is met here.
    ensure!(raised.class == class, "class of {raised:?}");
    if dialect.starts_with("openai") {
        let said = raised.body.as_ref().and_then(|body| body["code"].as_str());
        ensure!(said == code, "code in {raised:?}");
    }
    let seconds = raised.retry_after.as_ref().map(|seconds| seconds.parse::<u64>()).transpose()?;
    match (wait, seconds) {
        (None, None) => Ok(()),
        (Some((from, to)), Some(seconds)) if (from..=to).contains(&seconds) => Ok(()),
        _ => anyhow::bail!("retry-after is {seconds:?}, expected {wait:?}"),
    }
}

/// A clean end, with the reason and the counts.
fn judge_whole(case: &Case, dialect: &str, seen: &Seen, shown: &Answer, expected: &Answer) -> Result<()> {
    ensure!(seen.error.is_none(), "the SDK raised {:?}", seen.error);
    ensure!(shown.is_whole && !shown.has_failed, "no clean end");
    for (index, said) in choices(dialect, expected) {
        let got = shown.choices.get(&index).and_then(|choice| choice.finish);
        // Google has one word for both ends and Responses has none: there, calls speak for themselves.
        // Where the damaged chunk was the only one to name the call, nothing does. (Responses of the
        // provider's own have calls of other kinds, which are none of a function.)
        let calls_are_the_word = dialect == "gemini-generate"
            || (dialect == "openai-responses" && case.protocol != "openai-responses");
        let has_lost_calls = calls_are_the_word && said.calls.is_empty();
        let expected =
            said.finish.map(|word| if has_lost_calls && word == "tool_calls" { "stop" } else { word });
        ensure!(got == expected, "finish {got:?}, expected {expected:?}");
    }
    // Where the provider counts nothing, some dialects have to say something all the same.
    let is_same = shown.usage == expected.usage || (expected.usage.is_none() && dialect != "openai-chat");
    ensure!(is_same, "usage {:?}, expected {:?}", shown.usage, expected.usage);
    Ok(())
}

/// The SDK raises, or its events say that the answer failed; and nothing says that it has ended.
fn judge_broken(dialect: &str, seen: &Seen, shown: &Answer, expected: &Answer) -> Result<()> {
    ensure!(seen.error.is_some() || shown.has_failed, "a clean end, or none at all");
    for (index, said) in choices(dialect, shown) {
        let has_finish = expected.choices.get(&index).is_some_and(|said| said.finish.is_some());
        ensure!(has_finish || shown.has_failed || said.finish.is_none(), "it finished: {:?}", said.finish);
    }
    Ok(())
}

/// The choices that a client of the dialect can see.
fn choices(dialect: &str, answer: &Answer) -> BTreeMap<u64, Said> {
    let has_one = ["anthropic-messages", "openai-responses"].contains(&dialect);
    let seen = answer.choices.iter().filter(|(index, _)| !has_one || **index == 0);
    seen.map(|(index, said)| (*index, said.clone())).collect()
}

fn judge_contents(case: &Case, dialect: &str, got: &Answer, expected: &Answer) -> Result<()> {
    let has_failed = expected.has_failed;
    let (got, expected) = (choices(dialect, got), choices(dialect, expected));
    let nothing = Said::default();
    for index in got.keys().chain(expected.keys()) {
        let (got, said) = (got.get(index).unwrap_or(&nothing), expected.get(index).unwrap_or(&nothing));
        let texts = |said: &Said| match dialect {
            // They have no other word for a refusal.
            "anthropic-messages" | "gemini-generate" => (said.text.clone() + &said.refusal, String::new()),
            _ => (said.text.clone(), said.refusal.clone()),
        };
        ensure!(texts(got) == texts(said), "text {:?}, expected {:?}", texts(got), texts(said));
        ensure!(
            got.reasoning == said.reasoning,
            "reasoning {:?}, expected {:?}",
            got.reasoning,
            said.reasoning
        );
        let (calls, mut wanted) = (calls(got), calls(said));
        // A call is whole in Google's dialect: one that was still growing is not shown, and neither is
        // one of whose arguments a piece was lost, where the gateway can tell and fails the answer.
        let has_whole_calls_only = dialect == "gemini-generate" && case.protocol != dialect;
        if has_whole_calls_only && has_failed {
            wanted.retain(|(_, arguments)| !arguments.contains_key(NO_OBJECT));
        }
        if has_whole_calls_only && said.finish.is_none() && calls.len() + 1 == wanted.len() {
            wanted.pop();
        }
        let is_same = match dialect {
            "anthropic-messages" => is_same_input(&got.calls, &said.calls),
            _ => calls == wanted,
        };
        ensure!(is_same, "calls {calls:?}, expected {wanted:?}");
    }
    Ok(())
}

/// Whether the calls are the same in Anthropic's dialect. Its SDKs read arguments as they grow, and raise
/// at what is no JSON. So what is not (a piece in its middle was lost) comes as a string, behind the
/// properties in front of it; no word is missing.
fn is_same_input(got: &[(String, String)], said: &[(String, String)]) -> bool {
    got.len() == said.len()
        && got.iter().zip(said).all(|(got, said)| {
            got.0 == said.0 && (by_path(&got.1) == by_path(&said.1) || is_with_rest(&got.1, &said.1))
        })
}

/// Whether `got` is an object that holds the text `said`: its properties as far as they are good, and the
/// rest of it as a string under a name of ours.
fn is_with_rest(got: &str, said: &str) -> bool {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(got) else { return false };
    let Some(name) = fields.keys().next_back().cloned() else { return false };
    let Some(Value::String(rest)) = fields.remove(&name) else { return false };
    let Some(good) = said.strip_suffix(&rest) else { return false };
    // Behind the last good property stood its comma.
    let good = good.trim_end().strip_suffix(',').unwrap_or(good);
    let has_all = if fields.is_empty() {
        good.is_empty()
    } else {
        serde_json::from_str(&format!("{good}}}")).is_ok_and(|good: Map<String, Value>| good == fields)
    };
    name == if fields.contains_key("arguments") { "arguments_rest" } else { "arguments" } && has_all
}

/// Where arguments stand that are no object, and no beginning of one, in a dialect that takes objects only.
const NO_OBJECT: &str = "/arguments";

/// Name and arguments of each call by the path of each value.
fn calls(said: &Said) -> Vec<(&str, BTreeMap<String, Value>)> {
    said.calls.iter().map(|(name, text)| (name.as_str(), by_path(text))).collect()
}

/// Arguments that are no object stand under a name of ours; no arguments are an object without any.
fn by_path(text: &str) -> BTreeMap<String, Value> {
    match serde_json::from_str::<Value>(text) {
        Ok(object @ Value::Object(_)) => leaves(&object),
        _ if text.trim().is_empty() => BTreeMap::new(),
        _ => BTreeMap::from([(NO_OBJECT.to_owned(), Value::from(text))]),
    }
}

#[test]
fn arguments_with_a_hole_are_the_same_in_anthropics_dialect_only_where_no_word_is_missing() {
    let call = |text: &str| vec![("f".to_owned(), text.to_owned())];
    let said = "{\"a\": 1, \"b\" 2}";
    let whole = json!({"a": 1, "arguments": " \"b\" 2}"}).to_string();
    assert!(is_same_input(&call(&whole), &call(said)));
    assert!(is_same_input(&call(&json!({"arguments": "{\"a\" 1}"}).to_string()), &call("{\"a\" 1}")));
    for wrong in [
        json!({"a": 1, "arguments": " 2}"}),
        json!({"a": 2, "arguments": " \"b\" 2}"}),
        json!({"arguments": " \"b\" 2}"}),
        json!({"a": 1, "rest": " \"b\" 2}"}),
        json!({"a": 1}),
    ] {
        assert!(!is_same_input(&call(&wrong.to_string()), &call(said)), "{wrong}");
    }
    assert!(!is_same_input(&[], &call(said)));
}

// === the table ===

/// All there is to know of a failure.
fn print_case(case: &Case, seen: &Seen) {
    println!("--- the provider said:\n{}\n--- the SDK handed on:", case.shown());
    for event in &seen.events {
        println!("{event}");
    }
    println!("--- and raised {:?}, the helper {:?}; the lane was {:?}\n", seen.error, seen.helper, seen.lane);
}

fn print_table(table: &Table) {
    let (passed, total) = table.values().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    println!("{passed} of {total} damaged streams passed with an official SDK in front:");
    for dialect in DIALECTS {
        println!("\n{dialect:22}{}", PROTOCOLS.map(|protocol| format!("{protocol:>20}")).concat());
        for kind in Kind::ALL {
            let cell = |protocol| match table.get(&(protocol, dialect, kind)) {
                Some((passed, total)) => format!("{:>20}", format!("{passed}/{total}")),
                None => format!("{:>20}", "-"),
            };
            println!("{:22}{}", kind.name(), PROTOCOLS.map(cell).concat());
        }
    }
    for (dialect, piece, why) in UNREADABLE {
        println!("left out where {dialect} goes to {dialect}: {piece}: {why}");
    }
}

/// For `cargo xtask damaged`: a line per cell into the file that `SIGNALBOX_DAMAGED` names.
fn write_table(table: &Table) -> Result<()> {
    let Some(file) = std::env::var_os("SIGNALBOX_DAMAGED") else { return Ok(()) };
    let mut lines = String::new();
    for ((protocol, dialect, kind), (passed, total)) in table {
        let (kind, place) = (kind.name(), Kind::ALL.iter().position(|other| other == kind));
        let cell = json!({
            "protocol": protocol, "dialect": dialect, "kind": kind, "place": place,
            "passed": passed, "total": total,
        });
        let _ = writeln!(lines, "{cell}");
    }
    Ok(std::fs::write(file, lines)?)
}
