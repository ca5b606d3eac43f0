//! Every kind of the catalogue in each of its protocols, as a user has it: in the settings, with a key,
//! behind the real port. A scripted provider of that protocol answers with text, with a tool call and
//! with a long text, each whole and streamed. Held are what the client reads, where the provider was
//! asked and who paid, and the row in the ledger.
//!
//! The catalogue's folder is the list: a new file is tried here without a word in this one.

#![allow(clippy::unwrap_used, reason = "a helper that fails here fails its test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};
use catalog::{AuthScheme, Endpoint, ProviderSpec, Values, is_value};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use signalbox_tests::daemon::Daemon;
use signalbox_tests::scripted::Said;
use signalbox_tests::upstream::{Seen, Step, Upstream};
use wire::ProtocolId;

/// Kinds that are not asked here, and why.
const LEFT_OUT: &[(&str, &str)] =
    &[("rehearsal", "it is answered inside this process; tests/sdk and tests/end_to_end ask it")];

/// Where some kinds must be asked by their vendors' own documents, whatever the rule below says.
const DOCUMENTED: &[(&str, ProtocolId, &str, &str)] = &[
    ("anthropic", ProtocolId::AnthropicMessages, "/v1/messages", "/v1/messages"),
    ("anthropic", ProtocolId::OpenaiChat, "/v1/chat/completions", "/v1/chat/completions"),
    (
        "azure-deployments",
        ProtocolId::OpenaiChat,
        "/openai/deployments/matrix-model/chat/completions?api-version=2024-10-21",
        "/openai/deployments/matrix-model/chat/completions?api-version=2024-10-21",
    ),
    (
        "bedrock",
        ProtocolId::BedrockConverse,
        "/model/matrix-model/converse",
        "/model/matrix-model/converse-stream",
    ),
    ("cohere", ProtocolId::CohereChat, "/v2/chat", "/v2/chat"),
    (
        "google",
        ProtocolId::GeminiGenerate,
        "/v1beta/models/matrix-model:generateContent",
        "/v1beta/models/matrix-model:streamGenerateContent?alt=sse",
    ),
    ("groq", ProtocolId::OpenaiChat, "/openai/v1/chat/completions", "/openai/v1/chat/completions"),
    ("ollama", ProtocolId::OllamaChat, "/api/chat", "/api/chat"),
    ("openai", ProtocolId::OpenaiChat, "/v1/chat/completions", "/v1/chat/completions"),
    ("openai", ProtocolId::OpenaiResponses, "/v1/responses", "/v1/responses"),
    ("openrouter", ProtocolId::OpenaiChat, "/api/v1/chat/completions", "/api/v1/chat/completions"),
    ("perplexity", ProtocolId::OpenaiChat, "/chat/completions", "/chat/completions"),
    (
        "vertex",
        ProtocolId::AnthropicMessages,
        "/v1/projects/matrix/locations/europe-west4/publishers/anthropic/models/matrix-model:rawPredict",
        "/v1/projects/matrix/locations/europe-west4/publishers/anthropic/models/matrix-model:streamRawPredict",
    ),
    ("writer", ProtocolId::OpenaiChat, "/v1/chat", "/v1/chat"),
    ("zai", ProtocolId::OpenaiChat, "/api/paas/v4/chat/completions", "/api/paas/v4/chat/completions"),
];

const MODEL: &str = "matrix-model";

/// Requests under way at once.
const AT_ONCE: usize = 24;

const INPUT_TOKENS: u64 = 1_234;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Text,
    Tool,
    Long,
}

impl Deed {
    const ALL: [Self; 3] = [Self::Text, Self::Tool, Self::Long];

    /// What the client says, and what the provider knows the deed by.
    const fn question(self) -> &'static str {
        match self {
            Self::Text => "deed-text: how are you?",
            Self::Tool => "deed-tool: what is the weather?",
            Self::Long => "deed-long: tell me everything.",
        }
    }

    fn said(self) -> Said {
        match self {
            Self::Text => Said {
                text: ["Grüß ", "dich, \"Welt\"", " 👋\n"].map(str::to_owned).to_vec(),
                call: None,
                input_tokens: INPUT_TOKENS,
                output_tokens: 7,
            },
            Self::Tool => Said {
                text: Vec::new(),
                call: Some(("get_weather", json!({"city": "Zürich", "days": 3}).to_string())),
                input_tokens: INPUT_TOKENS,
                output_tokens: 21,
            },
            Self::Long => Said {
                text: (0..200).map(|line| format!("{line:03} {}\n", "Straßenbahn ".repeat(19))).collect(),
                call: None,
                input_tokens: INPUT_TOKENS,
                output_tokens: 16_001,
            },
        }
    }
}

/// One kind in one of its protocols, and the provider that answers for it.
struct Case {
    kind: &'static ProviderSpec,
    protocol: ProtocolId,
    id: String,
    key: String,
    values: Values,
    endpoint: Endpoint,
    upstream: Upstream,
}

impl Case {
    async fn new(number: usize, kind: &'static ProviderSpec, protocol: ProtocolId) -> Result<Self> {
        let value = |variable: &catalog::Variable| {
            let known = variable.example.iter().find(|text| is_value(text)).or(variable.default.as_ref());
            (variable.name.clone(), known.cloned().unwrap_or_else(|| "matrix".to_owned()))
        };
        let values: Values = kind.variables.iter().map(value).collect();
        // Where a user has to say the address, it is as the example has it.
        let own = kind.base_url.is_none().then_some(kind.base_url_example.as_deref()).flatten();
        let endpoint = kind.endpoint_for(protocol, own, &values);
        let key = match &endpoint.auth.scheme {
            AuthScheme::None => String::new(),
            AuthScheme::SigV4(_) => format!("AKIDMATRIX{number}:secret-half-{number}"),
            // A token that is ready; what is asked for with a service account's file, over https
            // alone, is held by gateway::egress' own tests.
            AuthScheme::ServiceAccount(_) => format!("ya29.matrix-{number}-secret"),
            AuthScheme::Bearer | AuthScheme::Header(_) | AuthScheme::Query(_) => {
                format!("sk-matrix-{number}-secret")
            }
        };
        let upstream = Upstream::start_with(move |_, seen| answer(protocol, seen)).await?;
        let id = format!("{}-{}", kind.id, protocol.as_str());
        Ok(Self { kind, protocol, id, key, values, endpoint, upstream })
    }

    /// The path of the kind's own address.
    fn base_path(&self) -> &str {
        let base = self.endpoint.base_url.as_deref().unwrap_or_default();
        let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
        rest.find('/').map_or("", |at| rest[at..].trim_end_matches('/'))
    }

    fn variable(&self) -> String {
        format!("MATRIX_{}", self.id.replace('-', "_").to_uppercase())
    }

    fn settings(&self) -> String {
        let url = format!("{}{}", self.upstream.url(), self.base_path());
        let mut text = format!(
            "[[provider]]\nid = \"{}\"\nkind = \"{}\"\nprotocol = \"{}\"\nbase_url = \"{url}\"\n",
            self.id,
            self.kind.id,
            self.protocol.as_str()
        );
        for (name, value) in &self.values {
            writeln!(text, "{name} = \"{value}\"").unwrap();
        }
        if !self.key.is_empty() {
            writeln!(text, "key = \"env:{}\"", self.variable()).unwrap();
        }
        text
    }

    /// Path and query at which the vendor is asked, by the words of its file.
    fn expected_path(&self, stream: bool) -> String {
        let quirks = &self.endpoint.quirks;
        let usual_version = match self.protocol {
            ProtocolId::OpenaiChat | ProtocolId::OpenaiResponses | ProtocolId::AnthropicMessages => "v1",
            ProtocolId::GeminiGenerate => "v1beta",
            ProtocolId::OllamaChat => "api",
            ProtocolId::BedrockConverse | ProtocolId::CohereChat => "",
        };
        let version = quirks.version.as_deref().unwrap_or(usual_version);
        let names_one = |segment: &str| {
            segment == version
                || segment
                    .strip_prefix('v')
                    .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let base = self.base_path();
        let version = match version {
            "" => String::new(),
            _ if base.split('/').any(names_one) => String::new(),
            version => format!("/{version}"),
        };
        let (usual, mut query) = match (self.protocol, stream) {
            (ProtocolId::OpenaiChat, _) => ("/chat/completions".to_owned(), vec![]),
            (ProtocolId::OpenaiResponses, _) => ("/responses".to_owned(), vec![]),
            (ProtocolId::AnthropicMessages, _) => ("/messages".to_owned(), vec![]),
            (ProtocolId::GeminiGenerate, false) => (format!("/models/{MODEL}:generateContent"), vec![]),
            (ProtocolId::GeminiGenerate, true) => {
                (format!("/models/{MODEL}:streamGenerateContent"), vec!["alt=sse".to_owned()])
            }
            (ProtocolId::BedrockConverse, false) => (format!("/model/{MODEL}/converse"), vec![]),
            (ProtocolId::BedrockConverse, true) => (format!("/model/{MODEL}/converse-stream"), vec![]),
            (ProtocolId::CohereChat, _) => ("/v2/chat".to_owned(), vec![]),
            (ProtocolId::OllamaChat, _) => ("/chat".to_owned(), vec![]),
        };
        let own = quirks.stream_path.as_ref().filter(|_| stream).or(quirks.answer_path.as_ref());
        let prefix = quirks.path_prefix.as_deref().unwrap_or_default();
        let path = own.cloned().unwrap_or_else(|| format!("{prefix}{usual}")).replace("{model}", MODEL);
        query.extend(quirks.query.iter().map(|(name, value)| format!("{name}={value}")));
        if let AuthScheme::Query(name) = &self.endpoint.auth.scheme {
            query.push(format!("{name}={}", self.key));
        }
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        format!("{base}{version}{path}{query}")
    }

    /// `text` without the key, for messages.
    fn masked(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.key.split(':').filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "•••");
        }
        text
    }

    // === what the provider saw ===

    fn judge_request(&self, deed: Deed, stream: bool) -> Result<()> {
        let seen = self.upstream.seen();
        let mut mine =
            seen.iter().filter(|seen| asks(seen, deed.question()) && asks_for_stream(seen) == stream);
        let seen = mine.next().context("the provider was not asked")?;
        ensure!(mine.next().is_none(), "the provider was asked twice");
        let path = seen.line.split(' ').nth(1).unwrap_or_default();
        let expected = self.expected_path(stream);
        ensure!(path == expected, "asked at {}, not at {}", self.masked(path), self.masked(&expected));
        ensure!(seen.line.starts_with("POST "), "{}", self.masked(&seen.line));
        if deed == Deed::Tool {
            ensure!(asks(seen, "get_weather") && asks(seen, "days"), "the tool did not arrive");
        }
        self.judge_payer(seen)
    }

    fn judge_payer(&self, seen: &Seen) -> Result<()> {
        let header = |name: &str| self.masked(seen.header(name).unwrap_or("nothing"));
        let shown = match &self.endpoint.auth.scheme {
            AuthScheme::None => header("authorization") == "nothing",
            AuthScheme::Query(_) => true,
            AuthScheme::Header(name) => header(&name.to_ascii_lowercase()) == "•••",
            AuthScheme::Bearer | AuthScheme::ServiceAccount(_) => header("authorization") == "Bearer •••",
            AuthScheme::SigV4(scheme) => {
                let region = self.values.get("region").map_or("", String::as_str);
                let signed = header("authorization");
                let scope = format!("/{region}/{}/aws4_request", scheme.service);
                signed.starts_with("AWS4-HMAC-SHA256 Credential=•••/") && signed.contains(&scope)
            }
        };
        let names: Vec<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
        ensure!(shown, "the key is not where {:?} says; there is {names:?}", self.endpoint.auth.scheme);
        // Nowhere else, and never AWS' secret half.
        let secret = self.key.rsplit(':').next().unwrap_or_default();
        let is_kept = matches!(self.endpoint.auth.scheme, AuthScheme::SigV4(_) | AuthScheme::Query(_));
        let holders = seen.headers.iter().filter(|(_, value)| !secret.is_empty() && value.contains(secret));
        let expected = usize::from(!is_kept && !secret.is_empty());
        ensure!(holders.count() == expected, "the key is in other headers as well");
        ensure!(secret.is_empty() || !asks(seen, secret), "the key is in the body");
        ensure!(
            !seen.headers.iter().any(|(_, value)| value.contains("sb-")),
            "the client's own key went out"
        );
        Ok(())
    }

    // === what the ledger has ===

    fn judge_row(&self, deed: Deed, stream: bool, row: &Value) -> Result<()> {
        let said = deed.said();
        let expected = json!({
            "provider": self.id, "request_model": format!("{}/{MODEL}", self.id), "stream": stream, "http_status": 200,
            "error_kind": null, "finish_reason": if deed == Deed::Tool { "tool_calls" } else { "stop" },
        });
        for (name, value) in expected.as_object().into_iter().flatten() {
            let have = match (name.as_str(), row[name].as_str()) {
                // The word may be the provider's protocol's.
                ("finish_reason", Some("tool_use" | "tool_call")) => json!("tool_calls"),
                _ => row[name].clone(),
            };
            ensure!(have == *value, "the ledger's {name} is {have}, not {value}");
        }
        let usage = (&row["usage"]["input_tokens"], &row["usage"]["output_tokens"]);
        ensure!(
            usage == (&said.input_tokens.into(), &said.output_tokens.into()),
            "the ledger's usage is {usage:?}"
        );
        let attempts = row["attempts"].as_array().context("no attempts")?;
        ensure!(attempts.len() == 1 && attempts[0]["model"] == MODEL, "the attempts are {attempts:?}");
        if self.kind.is_free {
            ensure!(row["cost_picousd"] == 0, "what is free costs {}", row["cost_picousd"]);
        }
        Ok(())
    }
}

// === the provider ===

fn asks(seen: &Seen, text: &str) -> bool {
    seen.body.windows(text.len()).any(|window| window == text.as_bytes())
}

fn asks_for_stream(seen: &Seen) -> bool {
    let path = seen.line.to_ascii_lowercase();
    path.contains("stream") || seen.json().is_ok_and(|body| body["stream"] == true)
}

fn answer(protocol: ProtocolId, seen: &Seen) -> Vec<Step> {
    let Some(deed) = Deed::ALL.into_iter().find(|deed| asks(seen, deed.question())) else {
        let refusal = "{\"error\":{\"message\":\"nobody asks for this here\"}}";
        return signalbox_tests::upstream::answer("404 Not Found", "application/json", "", refusal);
    };
    let (kind, body) = deed.said().answer(protocol, asks_for_stream(seen), MODEL);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let head = Step::Send(head.into_bytes());
    // In pieces that end anywhere, in the middle of a character too.
    let pieces = body.chunks(4_093).map(|piece| Step::Send(piece.to_vec()));
    std::iter::once(head).chain(pieces).collect()
}

// === the client ===

#[derive(Debug, Default, PartialEq)]
struct Read {
    text: String,
    /// Name and arguments.
    calls: BTreeMap<u64, (String, String)>,
    finish: Option<String>,
    usage: Option<(u64, u64)>,
    is_done: bool,
}

impl Read {
    fn take(&mut self, document: &Value, said: &str) {
        for choice in document["choices"].as_array().into_iter().flatten() {
            self.text.push_str(choice[said]["content"].as_str().unwrap_or_default());
            for (at, call) in choice[said]["tool_calls"].as_array().into_iter().flatten().enumerate() {
                let one = self.calls.entry(call["index"].as_u64().unwrap_or(at as u64)).or_default();
                one.0.push_str(call["function"]["name"].as_str().unwrap_or_default());
                one.1.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
            }
            self.finish = choice["finish_reason"].as_str().map(str::to_owned).or(self.finish.take());
        }
        let count = |name: &str| document["usage"][name].as_u64();
        self.usage = count("prompt_tokens").zip(count("completion_tokens")).or(self.usage);
    }

    fn of(stream: bool, body: &str) -> Result<Self> {
        let mut read = Self::default();
        if !stream {
            read.take(&serde_json::from_str(body)?, "message");
            read.is_done = true;
            return Ok(read);
        }
        for data in body.lines().filter_map(|line| line.strip_prefix("data: ")) {
            ensure!(!read.is_done, "something follows [DONE]");
            read.is_done = data == "[DONE]";
            if !read.is_done {
                read.take(&serde_json::from_str(data)?, "delta");
            }
        }
        Ok(read)
    }

    fn judge(&self, deed: Deed) -> Result<()> {
        let said = deed.said();
        ensure!(self.is_done, "the stream has no end");
        ensure!(self.text == said.whole_text(), "the text is another one: {} bytes", self.text.len());
        let finish = if said.call.is_some() { "tool_calls" } else { "stop" };
        ensure!(self.finish.as_deref() == Some(finish), "it ended with {:?}", self.finish);
        ensure!(self.usage == Some((said.input_tokens, said.output_tokens)), "its usage is {:?}", self.usage);
        match (&said.call, self.calls.values().next()) {
            (None, None) => {}
            (Some((name, arguments)), Some((called, with))) if self.calls.len() == 1 => {
                let json = |text: &str| serde_json::from_str::<Value>(text);
                ensure!(name == called && json(arguments)? == json(with)?, "it calls {called}({with})");
            }
            _ => bail!("its calls are {:?}", self.calls),
        }
        Ok(())
    }
}

/// The gateway's id of the request.
async fn ask(case: &Case, deed: Deed, stream: bool, url: &str, key: &str) -> Result<String> {
    let mut body = json!({
        "model": format!("{}/{MODEL}", case.id),
        "messages": [{"role": "user", "content": deed.question()}],
    });
    if stream {
        body["stream"] = true.into();
        body["stream_options"] = json!({"include_usage": true});
    }
    if deed == Deed::Tool {
        let properties = json!({"city": {"type": "string"}, "days": {"type": "integer"}});
        let parameters = json!({"type": "object", "properties": properties, "required": ["city"]});
        body["tools"] =
            json!([{"type": "function", "function": {"name": "get_weather", "parameters": parameters}}]);
    }
    let response = reqwest::Client::new().post(url).bearer_auth(key).json(&body).send().await?;
    let status = response.status();
    let id = response.headers().get("x-signalbox-request-id").context("no id")?.to_str()?.to_owned();
    let said = response.text().await?;
    let start: String = said.chars().take(300).collect();
    ensure!(status == 200, "status {status}: {}", case.masked(&start));
    Read::of(stream, &said)?.judge(deed)?;
    case.judge_request(deed, stream)?;
    Ok(id)
}

async fn cases() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for kind in catalog::kinds() {
        if let Some((_, why)) = LEFT_OUT.iter().find(|(id, _)| *id == kind.id) {
            println!("{}: not asked here: {why}", kind.id);
            continue;
        }
        let protocols = std::iter::once(kind.protocol).chain(kind.also.iter().map(|other| other.protocol));
        for protocol in protocols {
            cases.push(Case::new(cases.len(), kind, protocol).await?);
        }
    }
    Ok(cases)
}

/// The rows of the ledger by id, once all of `count` are settled.
async fn rows(daemon: &Daemon, count: usize) -> Result<BTreeMap<String, Value>> {
    for _ in 0..200 {
        let rows = daemon.export()?;
        let is_settled = |row: &&Value| !row["cost_status"].is_null() && !row["duration_ms"].is_null();
        if rows.iter().filter(is_settled).count() >= count {
            let id = |row: &Value| row["id"].as_str().unwrap_or_default().to_owned();
            return Ok(rows.into_iter().map(|row| (id(&row), row)).collect());
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    bail!("not all of {count} requests were settled in the ledger")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_provider_brings_text_tools_and_long_answers_whole_and_streamed() -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cases = cases().await?;
    let settings: String = cases.iter().map(Case::settings).collect();
    let variables: Vec<(String, &str)> =
        cases.iter().map(|case| (case.variable(), case.key.as_str())).collect();
    let mut environment: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    environment.push(("SIGNALBOX_LOG", "error"));
    let daemon = Daemon::start_with(&settings, &environment)?;
    let (url, key) = (daemon.url("/v1/chat/completions")?, daemon.client_key("matrix")?);

    let forms = || Deed::ALL.into_iter().flat_map(|deed| [(deed, false), (deed, true)]);
    let all = cases.iter().flat_map(|case| forms().map(move |(deed, stream)| (case, deed, stream)));
    let asked: Vec<_> = futures_util::stream::iter(all)
        .map(|(case, deed, stream)| {
            let asked = ask(case, deed, stream, &url, &key);
            async move { (case, deed, stream, asked.await) }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;

    let rows = rows(&daemon, asked.len()).await?;
    let text = serde_json::to_string(&rows)?;
    ensure!(!text.contains("secret"), "a key is in the ledger");
    let mut wrong = Vec::new();
    for (case, deed, stream, outcome) in &asked {
        let judged = match outcome {
            Ok(id) => rows
                .get(id)
                .context("no row in the ledger")
                .and_then(|row| case.judge_row(*deed, *stream, row))
                .map_err(|error| format!("{error:#}")),
            Err(error) => Err(format!("{error:#}")),
        };
        if let Err(error) = judged {
            let form = if *stream { "streamed" } else { "whole" };
            wrong.push(format!("{} {deed:?} {form}: {}", case.id, case.masked(&error)));
        }
    }
    println!("{} requests to {} providers and protocols", asked.len(), cases.len());
    assert!(wrong.is_empty(), "{} of {} failed:\n{}", wrong.len(), asked.len(), wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn the_rule_of_paths_agrees_with_the_vendors_documents() -> Result<()> {
    let cases = cases().await?;
    for (kind, protocol, whole, streamed) in DOCUMENTED {
        let id = format!("{kind}-{}", protocol.as_str());
        let case =
            cases.iter().find(|case| case.id == id).with_context(|| format!("the catalogue has no {id}"))?;
        assert_eq!([case.expected_path(false), case.expected_path(true)], [*whole, *streamed], "{id}");
    }
    Ok(())
}

#[test]
fn what_is_left_out_is_in_the_catalogue() {
    for (kind, why) in LEFT_OUT {
        assert!(catalog::kind(kind).is_some_and(|spec| spec.is_in_process), "{kind}: {why}");
    }
}
