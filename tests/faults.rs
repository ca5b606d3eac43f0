//! The same faults for real: providers on loopback that refuse by limits of their own, fail, stall, cut
//! and lie, and 300 agents that ask through `signalboxd` all at once. Nothing is lost, limits hold at
//! the providers' own count, and the book's cost is the providers' bill to the pico-dollar.
//!
//! A short run is always part of the tests; `cargo xtask faults` goes on for minutes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::Client;
use serde_json::{Value, json};
use signalbox_tests::daemon::Daemon;
use signalbox_tests::faulty::{Faults, Faulty, words};
use tokio::time::Instant;

const AGENTS: usize = 300;

/// Requests of each agent, where no time is given.
const ROUNDS: usize = 4;

/// Pico-dollars for a token of the model that all of them pretend to be (`gpt-4o-mini`).
const INPUT_PRICE: i64 = 150_000;
const OUTPUT_PRICE: i64 = 600_000;

/// What the settings let us send to `limited`.
const PER_MINUTE: usize = 120;
const AT_ONCE: usize = 8;

fn provider(faulty: &Faulty) -> String {
    format!(
        "[[provider]]\nid = \"{}\"\nkind = \"openai\"\nbase_url = \"{}\"\nkey = \"env:TEST_KEY\"\n",
        faulty.name,
        faulty.url()
    )
}

fn settings(providers: &[&Faulty]) -> String {
    let tables: String = providers.iter().map(|faulty| provider(faulty)).collect();
    let targets: Vec<String> = providers
        .iter()
        .map(|faulty| format!("{{ provider = \"{}\", model = \"gpt-4o-mini\" }}", faulty.name))
        .collect();
    format!(
        "{tables}\n[[route]]\nname = \"all\"\nstrategy = \"weighted\"\ntargets = [{}]\non_break = \"continue\"\n\
         first_content = \"6s\"\ntotal = \"120s\"\n\n[timeouts]\nfirst_byte = \"6s\"\n\n[[limit]]\nprovider = \"limited\"\n\
         requests_per_minute = {PER_MINUTE}\nconcurrency = {AT_ONCE}\n\n[routing.retry]\n\
         attempts_per_target = 4\nshare = 1.0\n",
        targets.join(", ")
    )
}

/// One answer, whole or streamed: its text, and how it ended.
async fn ask(http: &Client, url: &str, key: &str, is_stream: bool, agent: usize) -> Result<String> {
    let body = json!({
        "model": "all", "stream": is_stream, "max_tokens": 64,
        "messages": [{ "role": "user", "content": format!("Count, agent {agent}.") }],
    });
    let response = http.post(url).bearer_auth(key).json(&body).send().await?;
    let (status, way) = (response.status(), response.headers().get("x-signalbox-decision").cloned());
    let text = response.text().await?;
    ensure!(status == 200, "{status} {way:?}: {text}");
    if !is_stream {
        let answer: Value = serde_json::from_str(&text)?;
        ensure!(answer["choices"][0]["finish_reason"] == "stop", "{text}");
        return Ok(answer["choices"][0]["message"]["content"].as_str().context("no text")?.to_owned());
    }
    let (mut said, mut has_finish, mut ids) = (String::new(), false, Vec::new());
    for data in text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]") {
        let chunk: Value = serde_json::from_str(data)?;
        ensure!(chunk.get("error").is_none(), "{way:?}: {data}");
        ids.push(chunk["id"].as_str().unwrap_or_default().to_owned());
        said.push_str(chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
        has_finish |= chunk["choices"][0]["finish_reason"] == "stop";
    }
    ids.dedup();
    ensure!(has_finish && ids.len() == 1 && text.contains("[DONE]"), "{way:?} {ids:?}: {text}");
    Ok(said)
}

/// Everybody asks, again and again, until the rounds or the time are over. Says how many answers came,
/// and what went wrong.
async fn storm(url: String, key: String, until: Option<Instant>) -> Result<(usize, Vec<String>)> {
    let http = Client::builder().no_proxy().build()?;
    let (url, key) = (Arc::new(url), Arc::new(key));
    let mut agents = tokio::task::JoinSet::new();
    for agent in 0..AGENTS {
        let (http, url, key) = (http.clone(), Arc::clone(&url), Arc::clone(&key));
        agents.spawn(async move {
            let (mut answers, mut lost) = (0, Vec::new());
            let goes_on = |round| until.map_or(round < ROUNDS, |until| Instant::now() < until);
            for round in (0..).take_while(|round| goes_on(*round)) {
                match ask(&http, &url, &key, (agent + round) % 3 != 0, agent).await {
                    Ok(said) if said == words(0) => answers += 1,
                    Ok(said) => lost.push(format!("agent {agent} was told: {said}")),
                    Err(error) => lost.push(format!("agent {agent}: {error:#}")),
                }
            }
            (answers, lost)
        });
    }
    let (mut answers, mut lost) = (0, Vec::new());
    while let Some(agent) = agents.join_next().await {
        let (here, gone) = agent?;
        answers += here;
        lost.extend(gone);
    }
    Ok((answers, lost))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_agents_lose_nothing_to_providers_that_fail_in_every_way() -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let minutes: Option<f64> = std::env::var("SIGNALBOX_FAULTS_MINUTES").ok().and_then(|it| it.parse().ok());
    let until = minutes.map(|minutes| Instant::now() + Duration::from_secs_f64(minutes * 60.0));
    // The one that counts how many we hold open does not stall: it would count those we hung up on.
    let limited =
        Faulty::start("limited", Faults { fails: 0.04, cuts: 0.05, lies: 0.03, ..Faults::default() }).await?;
    let bucket =
        Faulty::start("bucket", Faults { cuts: 0.03, bucket: Some((20, 15.0)), ..Faults::default() }).await?;
    let wide = Faulty::start(
        "wide",
        Faults { fails: 0.03, stalls: 0.004, cuts: 0.05, lies: 0.02, ..Faults::default() },
    )
    .await?;
    let all = [&limited, &bucket, &wide];

    let mut daemon = Daemon::start_with(&settings(&all), &[("TEST_KEY", "none")])?;
    let (url, key) = (daemon.url("/v1/chat/completions")?, daemon.client_key("agents")?);
    let began = Instant::now();
    let (answers, lost) = storm(url, key, until).await?;
    let took = began.elapsed();
    daemon.stop()?;

    for faulty in all {
        eprintln!("{:>8}: {}", faulty.name, faulty.counts());
    }
    eprintln!("{answers} answers in {:.1} s, {} lost", took.as_secs_f64(), lost.len());
    ensure!(
        lost.is_empty(),
        "{} of {} were lost:\n{}",
        lost.len(),
        answers + lost.len(),
        lost[..lost.len().min(5)].join("\n")
    );
    ensure!(until.is_some() || answers == AGENTS * ROUNDS, "{answers} answers");

    // Each kind of fault was there to be survived.
    let count = |of: fn(&signalbox_tests::faulty::Counts) -> usize| {
        all.iter().map(|it| of(&it.counts())).sum::<usize>()
    };
    for (what, times) in [
        ("failed", count(|it| it.failed)),
        ("cut", count(|it| it.cut)),
        ("lied", count(|it| it.lied)),
        ("refused by its bucket", count(|it| it.refused)),
    ] {
        ensure!(times > 0, "nothing {what}");
    }

    // Limits, as the provider counted them.
    let counts = limited.counts();
    ensure!(counts.most_in_a_minute <= PER_MINUTE, "{} in a minute", counts.most_in_a_minute);
    ensure!(counts.most_at_once <= AT_ONCE, "{} at once", counts.most_at_once);
    ensure!(counts.asked > 0, "the limited one was never asked");

    // The book against the bills.
    let mut booked: BTreeMap<String, i64> = BTreeMap::new();
    let rows = daemon.export()?;
    ensure!(rows.len() == answers, "{} rows for {answers} answers", rows.len());
    for row in &rows {
        ensure!(row["status"] == "ok", "{row}");
        ensure!(row["decision"]["steps"].is_array(), "{row}");
        for attempt in row["attempts"].as_array().context("no attempts")? {
            let provider = attempt["provider"].as_str().context("no provider")?;
            *booked.entry(provider.to_owned()).or_default() +=
                attempt["cost_picousd"].as_i64().unwrap_or_default();
        }
    }
    for faulty in all {
        let counts = faulty.counts();
        let bill = counts.input_tokens * INPUT_PRICE + counts.output_tokens * OUTPUT_PRICE;
        ensure!(booked.get(faulty.name) == Some(&bill), "{}: booked {booked:?}, billed {bill}", faulty.name);
    }
    Ok(())
}
