//! The verbatim lane, by hash: every recorded exchange of a family that a client can speak to us,
//! through the real `signalboxd` to a provider of the same family. What the provider receives is
//! what the client sent but for named places, and what the client receives is what the provider sent.
//!
//! Where what is expected differs from the record, this file says so by rules of its own: the places
//! are found by pointers into a borrowed parse, and not by the lane's scanner.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::daemon::Daemon;
use signalbox_tests::laws::{Chance, chunks};
use signalbox_tests::quirks::kind_for;
use signalbox_tests::reading::at_client;
use signalbox_tests::upstream::{Seen, Step, Upstream};
use wire::{ProtocolId, Quirks};

const FAMILIES: [&str; 4] = ["openai-chat", "openai-responses", "anthropic-messages", "gemini-generate"];

/// Requests under way at once.
const AT_ONCE: usize = 32;

/// Where the record's own request cannot go through, by a piece of its id, and why.
const REFUSED: &[(&str, &str)] = &[
    (
        "test_writer_async_streaming_chat_tool_calls_legacy.yaml",
        "its tool message has no `tool_call_id`, which the API demands: refused by the field's name",
    ),
    ("test_generate_content_invalid_role.yaml", "its role is none: refused, as the provider did"),
];

/// Where the answer on record is none, by a piece of its id, and why.
const BROKEN: &[(&str, &str)] =
    &[("spliced-message-start.chunks", "two answers spliced: the first is cut, as the record stands")];

/// Where what is known of the model changes the conversation, by a piece of the record's id, and why.
const REWRITTEN: &[(&str, &str)] = &[(
    "forced_tool_choice_under_thinking_is_rejected_upstream",
    "a forced tool, which the provider refused on record, is asked for in words: translated",
)];

/// Whose own bytes the official SDKs misread, and of which answers: these are translated. Models are
/// not named here as they are on record, so profiles of single models do not count.
const MISREAD: &[(&str, Misread, &str)] = &[
    ("copilot", Misread::Streams, "its chunks have no `object`"),
    ("gpustack", Misread::Streams, "no chunk names a role"),
    ("mistral", Misread::Streams, "calls without an index, no role"),
    ("mistral", Misread::Thoughts, "content is a list"),
    ("perplexity", Misread::Streams, "its last chunk is a `chat.completion.done`"),
    ("snowflake", Misread::Streams, "no finish reason"),
    ("writer", Misread::Streams, "calls without an id, a message beside the delta"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Misread {
    Streams,
    /// Asked to think.
    Thoughts,
}

struct Case {
    family: &'static str,
    record: Record,
    /// The request as recorded, or the smallest one where the source keeps none.
    body: String,
    is_own_request: bool,
    quirks: Quirks,
}

/// What the client got.
struct Got {
    status: u16,
    lane: Option<String>,
    content_type: Option<String>,
    body: Vec<u8>,
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_the_same_family_pass_unchanged_in_both_directions() -> Result<()> {
    let mut cases = Vec::new();
    for family in FAMILIES {
        let Some(records) = corpus::records_with_bodies(family) else { return Ok(()) };
        if wire::dialect(family).is_none() {
            println!("{family}: no client can speak it to us yet");
            continue;
        }
        cases.extend(records.into_iter().filter_map(|(record, body)| case(family, record, body)));
    }
    let cases = Arc::new(cases);
    let upstream = start_upstream(Arc::clone(&cases)).await?;
    let environment = [("SIGNALBOX_VERBATIM_KEY", "sk-verbatim"), ("SIGNALBOX_LOG", "error")];
    let daemon = Daemon::start_with(&settings(&cases, &upstream.url()), &environment)?;

    let _ = rustls::crypto::ring::default_provider().install_default();
    let (http, base, key) = (reqwest::Client::new(), daemon.url("")?, daemon.client_key("verbatim")?);
    let got: Vec<Result<Got>> = futures_util::stream::iter(0..cases.len())
        .map(|number| {
            let (http, base, key, cases) = (http.clone(), base.clone(), key.clone(), Arc::clone(&cases));
            async move {
                let asked = tokio::spawn(async move { cases[number].ask(&http, &base, &key, number).await });
                asked.await?
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut arrived: BTreeMap<usize, Seen> = BTreeMap::new();
    for seen in upstream.seen() {
        arrived.extend(number_in(&seen).map(|number| (number, seen)));
    }
    let mut tally = Tally::default();
    for (number, (case, got)) in cases.iter().zip(got).enumerate() {
        if let Err(error) = tally.judge(case, number, arrived.get(&number), got) {
            let line: String = format!("{error:#}").chars().take(700).collect();
            tally
                .wrong
                .push(format!("{} {} {}\n    {line}", case.family, case.record.provider, case.record.id));
        }
    }
    println!("{tally}");
    ensure!(tally.wrong.is_empty(), "{} cases failed:\n{}", tally.wrong.len(), tally.wrong.join("\n"));
    Ok(())
}

fn case(family: &'static str, record: Record, body: Option<String>) -> Option<Case> {
    let is_good = record.response.status == 200 && record.response.body_text.is_some();
    if body.is_none() && !is_good {
        return None;
    }
    let id = ProtocolId::from_name(family)?;
    let kind = catalog::kind(kind_for(&record.provider, family))?;
    let is_own_request = body.is_some();
    let body = body.unwrap_or_else(|| smallest(family, record.stream));
    Some(Case { family, record, body, is_own_request, quirks: kind.endpoint(id).quirks })
}

fn smallest(family: &str, stream: bool) -> String {
    let messages = r#""messages": [{"role": "user", "content": "Hi"}]"#;
    match family {
        "openai-chat" => format!(r#"{{"model": "m", "stream": {stream}, {messages}}}"#),
        "anthropic-messages" => {
            format!(r#"{{"model": "m", "max_tokens": 9, "stream": {stream}, {messages}}}"#)
        }
        "openai-responses" => format!(r#"{{"model": "m", "stream": {stream}, "input": "Hi"}}"#),
        _ => r#"{"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}"#.to_owned(),
    }
}

// === asking ===

impl Case {
    fn provider(&self) -> String {
        format!("{}-{}", self.record.provider, self.family)
    }

    /// The path behind the port. Gemini's names the model and says whether and how to stream.
    fn path(&self, model: &str) -> String {
        let recorded = self.record.request.as_ref().map_or("", |request| &request.path);
        let asks_for_array = self.is_own_request && !recorded.contains("alt=sse");
        let is_array =
            self.record.response.body_text.as_deref().is_some_and(|text| text.trim_start().starts_with('['));
        match (self.family, self.record.stream) {
            ("openai-chat", _) => "/v1/chat/completions".into(),
            ("openai-responses", _) => "/v1/responses".into(),
            ("anthropic-messages", _) => "/v1/messages".into(),
            (_, false) => format!("/v1beta/models/{model}:generateContent"),
            (_, true) if asks_for_array || (!self.is_own_request && is_array) => {
                format!("/v1beta/models/{model}:streamGenerateContent")
            }
            (_, true) => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
        }
    }

    /// The record's body with the name of this case for a model.
    fn with_model(&self, model: &str) -> Result<String> {
        let fields = Fields::of(&self.body)?;
        let mut text = self.body.clone();
        for (_, value) in fields.all("model").into_iter().rev() {
            text.replace_range(value, &format!("\"{model}\""));
        }
        Ok(text)
    }

    async fn ask(&self, http: &reqwest::Client, base: &str, key: &str, number: usize) -> Result<Got> {
        let model = format!("{}/case-{number}.", self.provider());
        let mut request = http
            .post(format!("{base}{}", self.path(&model)))
            .bearer_auth(key)
            .header("content-type", "application/json")
            .body(self.with_model(&model)?);
        if self.family == "anthropic-messages" {
            request =
                request.header("anthropic-version", "2023-06-01").header("anthropic-beta", "a-beta,another");
        }
        let response = request.send().await?;
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        Ok(Got {
            status: response.status().as_u16(),
            lane: header("x-signalbox-lane"),
            content_type: header("content-type"),
            body: response.bytes().await?.to_vec(),
        })
    }

    /// What the provider must receive, and the names of the places that differ from the record's.
    fn expected_request(&self, number: usize) -> Result<(String, Vec<&'static str>)> {
        let mut text = self.with_model(&format!("case-{number}."))?;
        let mut edits = Vec::new();
        if Fields::of(&self.body)?.has("model") {
            edits.push("model");
        }
        if self.family != "openai-chat" {
            return Ok((text, edits));
        }
        if let Some(wanted) = &self.quirks.max_tokens_field {
            let fields = Fields::of(&text)?;
            let (has_old, has_new) = (fields.all("max_tokens"), fields.has("max_completion_tokens"));
            if let ([(key, _)], false, true) = (&has_old[..], has_new, wanted == "max_completion_tokens") {
                text.replace_range(key.clone(), "\"max_completion_tokens\"");
                edits.push("max_tokens_field");
            }
        }
        if self.adds_usage()? {
            let end = text.trim_end().strip_suffix('}').context("no object")?.trim_end().len();
            text.insert_str(end, ",\"stream_options\":{\"include_usage\":true}");
            edits.push("include_usage");
        }
        Ok((text, edits))
    }

    /// Usage is asked for where the client did not. No record has `stream_options` without it.
    fn adds_usage(&self) -> Result<bool> {
        let has_options = Fields::of(&self.body)?.has("stream_options");
        let streams = serde_json::from_str::<Value>(&self.body)?["stream"] == true;
        Ok(self.family == "openai-chat" && streams && !has_options && !self.quirks.omit_stream_options)
    }

    /// What the client must receive.
    fn expected_answer(&self) -> Result<(Vec<u8>, Option<&'static str>)> {
        let body = self.record.body();
        if self.record.stream && self.family == "anthropic-messages" {
            let text = String::from_utf8(body)?;
            let kept = text.strip_suffix("event: data\ndata: [DONE]\n\n").unwrap_or(&text);
            let edit = (kept.len() < text.len())
                .then_some("a relay's [DONE], at which Anthropic's SDKs raise, is left out");
            return Ok((kept.as_bytes().to_vec(), edit));
        }
        if !self.record.stream || !self.adds_usage()? {
            return Ok((body, None));
        }
        let text = String::from_utf8(body)?;
        let kept: String = text.split_inclusive("\n\n").filter(|event| !is_usage_alone(event)).collect();
        let edit = (kept.len() < text.len()).then_some("usage that the client did not ask for is left out");
        Ok((kept.into_bytes(), edit))
    }

    /// Why a recorded answer does not come back as it is, where it does not.
    fn is_no_clean_answer(&self) -> Option<&'static str> {
        let text = self.record.response.body_text.as_deref().unwrap_or_default();
        if let Some(why) = named(BROKEN, self) {
            return Some(why);
        }
        if !self.record.stream {
            return None;
        }
        if text.trim_start().starts_with('{') {
            return Some("one document instead of a stream: its events are encoded");
        }
        let reading = at_client::read(self.family, &self.record.provider, text.as_bytes());
        if reading.has_failed {
            return Some("the answer fails: the provider's own word is passed on, and no end");
        }
        (!reading.is_whole).then_some("the record is cut: an error takes the place of the end")
    }
}

fn is_usage_alone(event: &str) -> bool {
    let Some(data) = event.lines().find_map(|line| line.strip_prefix("data:")) else { return false };
    let Ok(chunk) = serde_json::from_str::<Value>(data.trim()) else { return false };
    chunk["usage"].is_object() && chunk["choices"].as_array().is_none_or(Vec::is_empty)
}

// === the provider ===

fn number_in(seen: &Seen) -> Option<usize> {
    let find = |text: &str| -> Option<usize> { text.split_once("case-")?.1.split_once('.')?.0.parse().ok() };
    find(&seen.line).or_else(|| find(&String::from_utf8_lossy(&seen.body)))
}

/// Answers each case with its record. A recorded refusal is answered with one that nobody tries
/// again: here its request counts.
async fn start_upstream(cases: Arc<Vec<Case>>) -> Result<Upstream> {
    Upstream::start_with(move |_, seen| {
        let case = number_in(seen).and_then(|number| cases.get(number));
        match case.map(|case| &case.record) {
            Some(record) if record.response.status == 200 => vec![Step::Send(answer(record))],
            Some(_) => refusal("400 Bad Request"),
            // A list of models, for instance, is no case.
            None => refusal("404 Not Found"),
        }
    })
    .await
}

fn refusal(status: &str) -> Vec<Step> {
    signalbox_tests::upstream::answer(status, "application/json", "", "{\"error\":{\"message\":\"no\"}}")
}

/// The recorded bytes, in seeded pieces.
fn answer(record: &Record) -> Vec<u8> {
    let body = record.body();
    let kind = recorded_type(record).unwrap_or_else(|| "application/json".into());
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    )
    .into_bytes();
    let mut chance = Chance::new(&body);
    let mut cuts: Vec<usize> = (0..=body.len() / 512).map(|_| chance.below(body.len())).collect();
    cuts.sort_unstable();
    for piece in chunks(&body, &cuts).into_iter().filter(|piece| !piece.is_empty()) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

fn recorded_type(record: &Record) -> Option<String> {
    record.headers().get("content-type").map(str::to_owned)
}

fn settings(cases: &[Case], url: &str) -> String {
    let providers: BTreeMap<String, &Case> = cases.iter().map(|case| (case.provider(), case)).collect();
    let provider = |(id, case): (String, &Case)| {
        let (kind, protocol) = (kind_for(&case.record.provider, case.family), case.family);
        format!(
            "[[provider]]\nid = \"{id}\"\nkind = \"{kind}\"\nprotocol = \"{protocol}\"\n\
             base_url = \"{url}\"\nkey = \"env:SIGNALBOX_VERBATIM_KEY\"\n"
        )
    };
    providers.into_iter().map(provider).collect()
}

// === the judgement ===

#[derive(Default)]
struct Tally {
    /// By family: requests whose hash is the expected one, answers of either form.
    requests: BTreeMap<&'static str, usize>,
    streams: BTreeMap<&'static str, usize>,
    wholes: BTreeMap<&'static str, usize>,
    edits: BTreeMap<&'static str, usize>,
    excepted: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl Tally {
    fn judge(&mut self, case: &Case, number: usize, arrived: Option<&Seen>, got: Result<Got>) -> Result<()> {
        let got = got?;
        if let Some(why) = refused(case) {
            ensure!(got.status == 400, "status {} where it is refused: {why}", got.status);
            self.except(case, why);
            return Ok(());
        }
        if let Some(why) = named(REWRITTEN, case) {
            let sent: Value = serde_json::from_slice(&arrived.context("nothing arrived")?.body)?;
            ensure!(sent["tool_choice"] == "auto", "{why}: {sent}");
            self.except(case, why);
            return Ok(());
        }
        let has_own_form = case.quirks.omit_model || case.quirks.version_in_body.is_some();
        let own_form = has_own_form.then_some("the provider's own form of Messages: translated");
        if let Some(why) = own_form {
            ensure!(got.lane.as_deref() == Some("translated"), "the lane is {:?}: {why}", got.lane);
            self.except(case, why);
            return Ok(());
        }
        if let Some(why) = misread(case)? {
            let is_good = case.record.response.status == 200;
            ensure!(
                !is_good || got.lane.as_deref() == Some("translated"),
                "the lane is {:?}: {why}",
                got.lane
            );
            ensure!(arrived.is_some(), "nothing arrived");
            self.except(
                case,
                &format!("{} writes what SDKs misread: {why}: translated", case.record.provider),
            );
            return Ok(());
        }
        let text = String::from_utf8_lossy(&got.body);
        let arrived = arrived.with_context(|| format!("nothing arrived, {}: {text}", got.status))?;
        let (expected, edits) = case.expected_request(number)?;
        same("the request", &arrived.body, expected.as_bytes())?;
        if case.family == "anthropic-messages" {
            ensure!(
                arrived.header("anthropic-beta") == Some("a-beta,another"),
                "the client's opt-ins are gone"
            );
        }
        *self.requests.entry(case.family).or_default() += 1;
        for edit in edits {
            *self.edits.entry(edit).or_default() += 1;
        }
        if case.record.response.status != 200 {
            return Ok(());
        }
        self.judge_answer(case, &got)
    }

    fn judge_answer(&mut self, case: &Case, got: &Got) -> Result<()> {
        let (expected, edit) = case.expected_answer()?;
        if let Some(why) = case.is_no_clean_answer() {
            // What had arrived came through unchanged all the same, where it was a stream.
            let is_prefix = expected.starts_with(&got.body[..common(&expected, &got.body)]);
            ensure!(
                is_prefix && (got.body != expected || why.contains("own word")),
                "{why}, and nothing shows it"
            );
            self.except(case, why);
            return Ok(());
        }
        if !case.record.stream && got.status != 200 {
            let error: Value = serde_json::from_slice(&got.body)?;
            self.except(
                case,
                &format!("the whole answer is an error of its own: {}", error["error"]["message"]),
            );
            return Ok(());
        }
        ensure!(got.status == 200, "status {}: {}", got.status, String::from_utf8_lossy(&got.body));
        ensure!(got.lane.as_deref() == Some("verbatim"), "the lane is {:?}", got.lane);
        same("the answer", &got.body, &expected)?;
        self.edits.extend(edit.map(|edit| (edit, self.edits.get(edit).unwrap_or(&0) + 1)));
        if case.record.stream {
            *self.streams.entry(case.family).or_default() += 1;
        } else {
            let kind = recorded_type(&case.record);
            ensure!(kind.is_none() || kind == got.content_type, "{:?} came as {:?}", kind, got.content_type);
            *self.wholes.entry(case.family).or_default() += 1;
        }
        Ok(())
    }

    fn except(&mut self, case: &Case, why: &str) {
        *self.excepted.entry(format!("{}: {why}", case.family)).or_default() += 1;
    }
}

fn refused(case: &Case) -> Option<&'static str> {
    if case.record.provider == "vertex" && case.family == "anthropic-messages" && case.is_own_request {
        return Some(
            "Vertex' own form of Messages names the model in the path, where the API demands it in the body",
        );
    }
    named(REFUSED, case)
}

fn misread(case: &Case) -> Result<Option<&'static str>> {
    if case.family != "openai-chat" {
        return Ok(None);
    }
    let body: Value = serde_json::from_str(&case.body)?;
    let is_so = |misread: Misread| match misread {
        Misread::Streams => body["stream"] == true,
        Misread::Thoughts => body["reasoning_effort"].is_string(),
    };
    let mut found = MISREAD.iter().filter(|(provider, misread, _)| {
        *provider == kind_for(&case.record.provider, case.family) && is_so(*misread)
    });
    Ok(found.next().map(|(_, _, why)| *why))
}

fn named(list: &[(&str, &'static str)], case: &Case) -> Option<&'static str> {
    list.iter().find(|(piece, _)| case.record.id.contains(piece)).map(|(_, why)| *why)
}

fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// By SHA-256; where they differ, the place says where.
fn same(what: &str, got: &[u8], expected: &[u8]) -> Result<()> {
    if Sha256::digest(got) == Sha256::digest(expected) {
        return Ok(());
    }
    let at = common(got, expected);
    let around = |text: &[u8]| {
        let from = at.saturating_sub(60);
        String::from_utf8_lossy(&text[from..text.len().min(at + 120)]).into_owned()
    };
    anyhow::bail!(
        "{what} differs at byte {at} of {} (expected {}):\n    got      {:?}\n    expected {:?}",
        got.len(),
        expected.len(),
        around(got),
        around(expected)
    )
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:20}{:>10}{:>10}{:>10}", "same bytes", "requests", "streams", "wholes")?;
        for family in self.requests.keys() {
            let count = |of: &BTreeMap<&str, usize>| of.get(family).copied().unwrap_or(0);
            let (requests, streams, wholes) =
                (count(&self.requests), count(&self.streams), count(&self.wholes));
            writeln!(f, "{family:20}{requests:>10}{streams:>10}{wholes:>10}")?;
        }
        for (edit, count) in &self.edits {
            writeln!(f, "{count:>6} × edited: {edit}")?;
        }
        for (why, count) in &self.excepted {
            writeln!(f, "{count:>6} × {why}")?;
        }
        Ok(())
    }
}

// === places in a text, by pointers ===

/// The top-level fields of a JSON object: name, place of the key, place of the value.
struct Fields(Vec<(String, Range<usize>, Range<usize>)>);

impl Fields {
    fn of(text: &str) -> Result<Self> {
        let Borrowed(fields) = serde_json::from_str(text)?;
        let place = |raw: &RawValue| {
            let start = raw.get().as_ptr() as usize - text.as_ptr() as usize;
            start..start + raw.get().len()
        };
        let placed = fields.into_iter().map(|(name, value)| {
            let value = place(value);
            let key = text[..value.start].rfind(&format!("\"{name}\"")).unwrap_or(0);
            (name.clone(), key..key + name.len() + 2, value)
        });
        Ok(Self(placed.collect()))
    }

    fn all(&self, name: &str) -> Vec<(Range<usize>, Range<usize>)> {
        let named = self.0.iter().filter(|(have, _, _)| have == name);
        named.map(|(_, key, value)| (key.clone(), value.clone())).collect()
    }

    fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }
}

struct Borrowed<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Borrowed<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Places;
        impl<'de> Visitor<'de> for Places {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Places).map(Borrowed)
    }
}
