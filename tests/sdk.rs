//! The port through the official SDKs of OpenAI, Anthropic and Google for Python and Node, with recorded
//! answers of three protocols replayed byte for byte behind it.
//!
//! This test writes a plan (which model to ask for, what a plain reading of the record says), starts
//! the upstream and the daemon, runs all SDKs' tests over it, and then looks at the requests that
//! reached the upstream. It needs what `cargo xtask test` prepares: `SIGNALBOX_SDK=1`,
//! `SIGNALBOX_PYTHON` with the pinned SDKs, and `tests/sdk/node/node_modules`.

#[path = "sdk/arrived.rs"]
mod arrived;
#[path = "sdk/said.rs"]
mod said;
#[path = "sdk/sent.rs"]
mod sent;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::daemon::Daemon;
use signalbox_tests::reading::{openai_chat, openai_responses};
use signalbox_tests::replay::{Replay, Take, model};
use wire::ProtocolId;

use arrived::judge_arrived;
use said::{Answer, expected, read, text_before_error};
use sent::{arguments, payloads, sent};

const PROTOCOLS: [&str; 3] = ["openai-chat", "anthropic-messages", "gemini-generate"];

/// Which SDKs ask, and OpenAI's in both of its forms: a file of tests for Python and one for Node each.
const SDKS: [&str; 4] = ["openai", "responses", "anthropic", "google"];

/// Records that no SDK can be asked about, by a piece of their id, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("anthropic-programmatic-tool-calling.1.chunks", "fifteen answers strung together in one fixture"),
    ("spliced-message-start.chunks", "two answers spliced; the first is cut, which other cases cover"),
];

/// The pixel that the SDKs' vision tests send, by its beginning.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ";

#[tokio::test(flavor = "multi_thread")]
async fn the_official_sdks_see_what_the_records_say() -> Result<()> {
    if std::env::var("SIGNALBOX_SDK").as_deref() != Ok("1") {
        eprintln!("skipped: SIGNALBOX_SDK is not 1; `cargo xtask test --only sdk` sets it up");
        return Ok(());
    }
    let mut plan = Plan::default();
    for protocol in PROTOCOLS {
        let Some(records) = corpus::records(protocol) else { return Ok(()) };
        plan.take(protocol, &records);
    }
    if let Some(records) = corpus::records("openai-responses") {
        plan.responses(&records);
    }
    let replay = Replay::start(plan.takes.clone()).await?;
    println!("{}", plan.summary());

    let mut failed = Vec::new();
    for sdk in SDKS {
        // Both languages at once; every SDK is asked, whatever another found. Each has a daemon of its
        // own: what failed for one is left alone for a while.
        let (of_python, of_node) = (format!("test_{sdk}.py"), format!("{sdk}.test.mjs"));
        let (for_python, for_node) = (plan.daemon(&replay)?, plan.daemon(&replay)?);
        let (python, node) =
            tokio::join!(python(&of_python, &for_python.cases), node(&of_node, &for_node.cases));
        for (language, outcome) in [("Python", python), ("Node", node)] {
            failed.extend(outcome.err().map(|error| format!("{sdk} for {language}: {error:#}")));
        }
        judge_arrived(&plan, &replay.arrived())?;
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

async fn python(tests: &str, cases: &Path) -> Result<()> {
    let python = std::env::var("SIGNALBOX_PYTHON").context("SIGNALBOX_PYTHON names the prepared Python")?;
    let mut command = tokio::process::Command::new(python);
    command.args(["-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", tests]);
    run(command, "python", cases).await
}

async fn node(tests: &str, cases: &Path) -> Result<()> {
    let mut command = tokio::process::Command::new("node");
    command.args(["--test", "--test-reporter=dot", tests]);
    run(command, "node", cases).await
}

async fn run(mut command: tokio::process::Command, sdk: &str, cases: &Path) -> Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sdk/");
    let status =
        command.current_dir(format!("{folder}{sdk}")).env("SIGNALBOX_SDK_CASES", cases).status().await?;
    ensure!(status.success(), "its tests failed ({status})");
    Ok(())
}

/// A daemon, and the file that tells an SDK's tests of it.
struct Prepared {
    cases: PathBuf,
    _daemon: Daemon,
}

/// What the SDKs are to ask, and what is answered.
#[derive(Default)]
struct Plan {
    takes: Vec<Take>,
    cases: Vec<Value>,
    /// The settings' id of a provider → its record's provider and its protocol.
    providers: BTreeMap<String, (String, String)>,
}

impl Plan {
    fn take(&mut self, protocol: &str, records: &[Record]) {
        let usable = |record: &&Record| !LEFT_OUT.iter().any(|(piece, _)| record.id.contains(piece));
        for record in records.iter().filter(usable) {
            let kind = if record.response.status >= 400 {
                self.error(protocol, record);
                continue;
            } else if record.stream {
                "stream"
            } else {
                "whole"
            };
            match expected(protocol, record) {
                Some(expected) => {
                    let model = self.model(protocol, record, Take::of(record));
                    let more = json!({
                        "expected": expected,
                        "sent": sent(protocol, record),
                        "asked": asked(protocol, record),
                    });
                    self.case(kind, protocol, record, &model, &more);
                }
                None => self.in_band_error(protocol, record),
            }
        }
        self.broken(protocol, records);
        self.vision_and_tools(protocol, records);
        if protocol == "anthropic-messages" {
            self.thought(protocol, records);
        }
    }

    fn case(&mut self, kind: &str, protocol: &str, record: &Record, model: &str, more: &Value) {
        let mut case = json!({
            "id": format!("{protocol} {} {}", record.provider, record.id),
            "kind": kind,
            "protocol": protocol,
            "model": model,
            "stream": record.stream,
            "expected": null,
            "sent": null,
            "asked": {},
            "is_verbatim": is_verbatim(protocol, record, model, kind),
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            case[name] = value.clone();
        }
        self.cases.push(case);
    }

    /// The model by which `take` is asked for, at a provider of the record's kind.
    fn model(&mut self, protocol: &str, record: &Record, take: Take) -> String {
        let provider = format!("{}-{protocol}", record.provider);
        self.model_of(&provider, protocol, record, take)
    }

    /// The same at a provider of its own, because the answer speaks against its provider: the others
    /// there are to be answered all the same.
    fn model_alone(&mut self, protocol: &str, record: &Record, take: Take) -> String {
        let provider = format!("{}-{protocol}-alone-{}", record.provider, self.takes.len());
        self.model_of(&provider, protocol, record, take)
    }

    fn model_of(&mut self, provider: &str, protocol: &str, record: &Record, take: Take) -> String {
        self.takes.push(take);
        self.providers
            .entry(provider.to_owned())
            .or_insert_with(|| (record.provider.clone(), protocol.to_owned()));
        format!("{provider}/{}{}", recorded_model(protocol, record), model(self.takes.len() - 1))
    }

    fn error(&mut self, protocol: &str, record: &Record) {
        let body = record.response.body_text.as_deref().unwrap_or("");
        let said =
            serde_json::from_str::<Value>(body).ok().and_then(|body| openai_chat::error_message(&body));
        let message: String = said.unwrap_or_else(|| body.trim().to_owned()).chars().take(200).collect();
        let (status, class) = class_of(record.response.status, &message);
        let model = self.model_alone(protocol, record, Take::of(record));
        let error = json!({"status": status, "class": class, "message": message});
        self.case("error", protocol, record, &model, &json!({ "error": error }));
    }

    /// An error inside an answer with status 200.
    fn in_band_error(&mut self, protocol: &str, record: &Record) {
        let Some(text) = text_before_error(protocol, record) else { return };
        let model = self.model_alone(protocol, record, Take::of(record));
        self.case("broken", protocol, record, &model, &json!({ "text": text }));
    }

    /// Streams that end in good HTTP in the middle of their text.
    fn broken(&mut self, protocol: &str, records: &[Record]) {
        let long = |record: &&Record| {
            record.stream
                && record.response.status < 400
                && record.has_tag("sse")
                && !record.has_tag("tools")
                && !record.has_tag("multi-choice")
                && record.body().len() > 3_000
        };
        let mut seen = BTreeSet::new();
        for record in records.iter().filter(long) {
            let cut = record.body().len() / 2;
            let mut short = record.clone();
            short.response.body_text =
                record.response.body_text.as_ref().and_then(|text| Some(text.get(..cut)?.to_owned()));
            let Some(expected) = short.response.body_text.is_some().then(|| read(protocol, &short)).flatten()
            else {
                continue;
            };
            let text = expected.choices.first().map(|choice| choice.text.clone()).unwrap_or_default();
            let is_open = expected.choices.iter().all(|choice| choice.finish.is_none());
            if !text.is_empty() && is_open && seen.insert(record.provider.clone()) {
                let model = self.model_alone(protocol, record, Take::cut(record, cut));
                self.case("broken", protocol, record, &model, &json!({ "text": text }));
            }
        }
    }

    /// One conversation with an image and one with a tool, per protocol.
    fn vision_and_tools(&mut self, protocol: &str, records: &[Record]) {
        let plain: Vec<(&Record, Answer)> = records
            .iter()
            .filter(|record| !record.stream && record.response.status < 400)
            .filter_map(|record| Some((record, read(protocol, record)?)))
            .filter(|(_, answer)| answer.choices.len() == 1)
            .collect();
        let spoken = plain.iter().find(|(_, answer)| {
            !answer.choices[0].text.is_empty()
                && answer.choices[0].calls.is_empty()
                && answer.finish(0) == Some("stop")
        });
        let calling = plain
            .iter()
            .find(|(_, answer)| answer.choices[0].calls.len() == 1 && answer.finish(0) == Some("tool_calls"));
        let (Some((spoken, text)), Some((calling, _))) = (spoken, calling) else { return };
        let asked = self.model(protocol, spoken, Take::of(spoken));
        self.case("vision", protocol, spoken, &asked, &json!({ "expected": text.to_json() }));
        let first = self.model(protocol, calling, Take::of(calling));
        let second = self.model(protocol, spoken, Take::of(spoken));
        let more = json!({"second_model": second, "second_text": text.choices[0].text});
        self.case("tool_loop", protocol, calling, &first, &more);
    }

    /// A signed thought that goes out to a client of another family and comes back.
    fn thought(&mut self, protocol: &str, records: &[Record]) {
        let signed = |record: &Record| {
            let body: Value = serde_json::from_str(record.response.body_text.as_deref()?).ok()?;
            let first = &body["content"][0];
            let signature = first["signature"].as_str().filter(|signature| !signature.is_empty())?;
            (first["type"] == "thinking" && body["stop_reason"] == "end_turn").then(|| signature.to_owned())
        };
        let mut whole = records.iter().filter(|record| !record.stream && record.response.status < 400);
        let found = whole.find_map(|record| Some((record, signed(record)?)));
        let Some((record, signature)) = found else { return };
        let Some(answer) = read(protocol, record) else { return };
        let [first, second] = [(); 2].map(|()| self.model(protocol, record, Take::of(record)));
        let text = &answer.choices[0].text;
        let more = json!({"second_model": second, "second_text": text, "signature": signature});
        self.case("thought_loop", protocol, record, &first, &more);
    }

    /// Answers of Responses' own providers. They pass as they are, and only a client of Responses is
    /// asked about them.
    fn responses(&mut self, records: &[Record]) {
        let protocol = "openai-responses";
        for record in records.iter().filter(|record| record.response.status < 400) {
            let Some(body) = record.response.body_text.as_deref() else { continue };
            // A fixture of four answers strung together is no one stream.
            let is_one = body.matches("event: response.created").count() <= 1;
            let reading = openai_responses::read(record.stream, body);
            let (true, None, Some(finish)) = (is_one, &reading.error, &reading.finish) else { continue };
            let call = |call: &Value| json!({"name": call[1], "arguments": arguments(call[2].as_str().unwrap_or(""))});
            let choice = json!({
                "text": reading.texts("text"),
                "refusal": reading.texts("refusal"),
                "calls": reading.calls().iter().map(call).collect::<Vec<_>>(),
                "finish_reason": finish,
            });
            let usage = reading.usage.map(|usage| json!({"input": usage.input, "output": usage.output}));
            let kind = if record.stream { "responses_stream" } else { "responses_whole" };
            let model = self.model(protocol, record, Take::of(record));
            let expected = json!({"choices": [choice], "usage": usage});
            self.case(kind, protocol, record, &model, &json!({ "expected": expected }));
        }
    }

    /// A daemon before `replay`, with everything that its clients need to know.
    fn daemon(&self, replay: &Replay) -> Result<Prepared> {
        // Hundreds of recorded errors are no news.
        let environment = [("SIGNALBOX_REPLAY_KEY", "sk-replayed"), ("SIGNALBOX_LOG", "error")];
        let daemon = Daemon::start_with(&self.settings(replay), &environment)?;
        let document = json!({
            "base_url": daemon.url("/v1")?,
            "api_key": daemon.client_key("sdk")?,
            "route": "replayed",
            "cases": self.cases,
        });
        let cases = daemon.folder().join("cases.json");
        std::fs::write(&cases, document.to_string())?;
        Ok(Prepared { cases, _daemon: daemon })
    }

    fn settings(&self, replay: &Replay) -> String {
        let provider = |(id, (provider, protocol)): (&String, &(String, String))| {
            let (kind, url) = (kind(provider, protocol), replay.url());
            format!(
                "[[provider]]\nid = \"{id}\"\nkind = \"{kind}\"\nprotocol = \"{protocol}\"\n\
                 base_url = \"{url}\"\nkey = \"env:SIGNALBOX_REPLAY_KEY\"\n"
            )
        };
        let providers: Vec<String> = self.providers.iter().map(provider).collect();
        let first =
            self.cases.iter().find(|case| case["kind"] == "whole").and_then(|case| case["model"].as_str());
        let (id, model) = first.and_then(|model| model.split_once('/')).unwrap_or_default();
        let route = format!(
            "[[route]]\nname = \"replayed\"\nstrategy = \"priority\"\n\
             targets = [{{ provider = \"{id}\", model = \"{model}\" }}]\n"
        );
        providers.join("\n") + "\n" + &route
    }

    fn summary(&self) -> String {
        let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        for case in &self.cases {
            let key = (case["protocol"].as_str().unwrap_or(""), case["kind"].as_str().unwrap_or(""));
            *counts.entry(key).or_default() += 1;
        }
        format!("cases: {counts:?}")
    }
}

/// The catalogue's kind, with its deviations, where it has one that speaks the protocol; else the
/// protocol's own vendor or the general kind.
fn kind(provider: &str, protocol: &str) -> String {
    let speaks = |name: &str| {
        let id = ProtocolId::from_name(protocol);
        catalog::kind(name).is_some_and(|spec| {
            Some(spec.protocol) == id || spec.also.iter().any(|other| Some(other.protocol) == id)
        })
    };
    if speaks(provider) {
        return provider.to_owned();
    }
    match protocol {
        "openai-chat" => "openai-compatible",
        "openai-responses" => "openai",
        "anthropic-messages" => "anthropic-compatible",
        _ => "google",
    }
    .to_owned()
}

/// The beginning of a model's name: Chat Completions' models are named as they are on record, since
/// what is known of a model may lead its answers through the other lane.
fn recorded_model(protocol: &str, record: &Record) -> String {
    let asked = record.request.as_ref().and_then(|request| request.body.as_ref());
    let of = |body: &Value| body["model"].as_str().filter(|model| !model.is_empty()).map(str::to_owned);
    let answered = || payloads(record.response.body_text.as_deref()?).iter().find_map(of);
    let model = if protocol == "openai-chat" { asked.and_then(of).or_else(answered) } else { None };
    model.map(|model| format!("{model}.")).unwrap_or_default()
}

/// What the SDKs say beside the question: the recorded word on thinking, which decides on the lane.
fn asked(protocol: &str, record: &Record) -> Value {
    let effort =
        record.request.as_ref().and_then(|request| request.body.as_ref()?["reasoning_effort"].as_str());
    let takes_word = !catalog::kind(&kind(&record.provider, protocol))
        .is_some_and(|kind| kind.endpoint(ProtocolId::OpenaiChat).quirks.reasoning_object);
    match effort {
        Some(effort) if protocol == "openai-chat" && takes_word => json!({ "reasoning_effort": effort }),
        _ => json!({}),
    }
}

/// Whether the provider's own bytes reach a client of Chat Completions.
fn is_verbatim(protocol: &str, record: &Record, model: &str, case: &str) -> bool {
    let Some(spec) = catalog::kind(&kind(&record.provider, protocol)) else { return false };
    let thinks = canonical::request::ReasoningRequest { is_enabled: Some(true), ..Default::default() };
    let request = canonical::ChatRequest {
        stream: record.stream || case == "broken",
        reasoning: (asked(protocol, record) != json!({})).then_some(thinks),
        ..Default::default()
    };
    let profile = wire::Profile::of(spec.all_profiles(), ProtocolId::OpenaiChat, model, &request);
    protocol == "openai-chat" && profile.translate != Some(true)
}

/// The status and the exception's class in both SDKs.
fn class_of(status: u16, message: &str) -> (u16, &'static str) {
    match status {
        // Google answers 400 to a bad key.
        400 if message.contains("API key not valid") => (401, "AuthenticationError"),
        400 => (400, "BadRequestError"),
        401 => (401, "AuthenticationError"),
        403 => (403, "PermissionDeniedError"),
        404 => (404, "NotFoundError"),
        422 => (422, "UnprocessableEntityError"),
        429 => (429, "RateLimitError"),
        // The provider's failure is not the gateway's own: 502.
        _ => (502, "InternalServerError"),
    }
}
