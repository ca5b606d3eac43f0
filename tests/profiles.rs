//! What is known of single models, as it reaches a provider: the shipped profiles one by one in
//! `snapshots/profile.{provider}.{model}.snap`, held against every recorded request, and through the
//! port in both lanes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails here fails its test")]

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};
use signalbox_tests::corpus;
use signalbox_tests::daemon::Daemon;
use signalbox_tests::upstream::{Upstream, answer};
use wire::{Profile, ProtocolId, Quirks, RequestHead, TargetContext};

/// Everything that a client of Chat Completions may say, and that some model refuses.
fn everything() -> Value {
    json!({
        "model": "any", "temperature": 1.5, "top_p": 0.9, "top_k": 40, "frequency_penalty": 0.5, "presence_penalty": 0.5,
        "logprobs": true, "top_logprobs": 2, "logit_bias": {"50256": -100}, "seed": 7, "stop": ["END"],
        "max_completion_tokens": 200, "reasoning_effort": "low",
        "response_format": {"type": "json_object"}, "tool_choice": "required",
        "tools": [{"type": "function", "function": {"name": "paint", "parameters": {"type": "object",
            "properties": {"colour": {"enum": ["red", "blue"]}}}}}],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "name": "ann", "content": "A door."},
            {"role": "user", "name": "ann", "content": "Which colour?"},
            {"role": "system", "content": "Be kind."},
        ],
    })
}

/// A model for every profile that we ship.
const MODELS: &[(&str, ProtocolId, &str)] = &[
    ("alibaba", ProtocolId::OpenaiChat, "qwen3-32b"),
    ("anthropic", ProtocolId::AnthropicMessages, "claude-opus-4-8"),
    ("anthropic", ProtocolId::AnthropicMessages, "claude-sonnet-4-5"),
    ("azure", ProtocolId::OpenaiResponses, "gpt-5-mini"),
    ("bedrock", ProtocolId::BedrockConverse, "us.anthropic.claude-opus-4-7-v1:0"),
    ("cerebras", ProtocolId::OpenaiChat, "gpt-oss-120b"),
    ("deepseek", ProtocolId::OpenaiChat, "deepseek-reasoner"),
    ("google", ProtocolId::GeminiGenerate, "gemini-2.5-flash"),
    ("groq", ProtocolId::OpenaiChat, "openai/gpt-oss-120b"),
    ("minimax", ProtocolId::OpenaiChat, "MiniMax-M2"),
    ("mistral", ProtocolId::OpenaiChat, "ministral-3b-latest"),
    ("moonshot", ProtocolId::OpenaiChat, "kimi-k2.5"),
    ("openai", ProtocolId::OpenaiChat, "o1-preview"),
    ("openai", ProtocolId::OpenaiChat, "o3"),
    ("openai", ProtocolId::OpenaiChat, "gpt-5.2"),
    ("perplexity", ProtocolId::OpenaiChat, "sonar"),
    ("xai", ProtocolId::OpenaiChat, "grok-4"),
    ("zai", ProtocolId::OpenaiChat, "glm-4.7"),
];

/// Requests whose answer the official SDKs would misread in the provider's own bytes, and those beside
/// them whose bytes are passed on: provider, model, whether it streams and whether it is to think.
const TRANSLATED: &[(&str, &str, bool, bool, bool)] = &[
    ("copilot", "gpt-4o", true, false, true),
    ("copilot", "gpt-4o", false, false, false),
    ("gpustack", "qwen3", true, false, true),
    ("groq", "groq/compound", true, false, true),
    ("groq", "llama-3.3-70b-versatile", true, false, false),
    ("mistral", "mistral-small-latest", true, false, true),
    ("mistral", "mistral-small-latest", false, true, true),
    ("mistral", "mistral-small-latest", false, false, false),
    ("mistral", "magistral-medium-latest", false, false, true),
    ("openai", "gpt-5.2", true, true, false),
    ("openrouter", "deepseek/deepseek-chat", true, true, false),
    ("perplexity", "sonar", true, false, true),
    ("perplexity", "sonar", false, false, false),
    ("snowflake", "claude-sonnet-4-6", true, false, true),
    ("writer", "palmyra-x4", true, false, true),
];

fn asking(stream: bool, thinks: bool) -> canonical::ChatRequest {
    let reasoning = canonical::request::ReasoningRequest { is_enabled: Some(true), ..Default::default() };
    canonical::ChatRequest { stream, reasoning: thinks.then_some(reasoning), ..Default::default() }
}

#[test]
fn what_the_official_sdks_would_misread_leaves_the_verbatim_lane_and_nothing_else_does() {
    for &(provider, model, stream, thinks, expected) in TRANSLATED {
        let (kind, request) = (catalog::kind(provider).unwrap(), asking(stream, thinks));
        let profile = Profile::of(kind.all_profiles(), ProtocolId::OpenaiChat, model, &request);
        let shaped = profile.shape(ProtocolId::OpenaiChat, &request);
        assert_eq!(shaped.needs_translation("openai-chat"), expected, "{provider}/{model} {stream} {thinks}");
    }
}

/// The body that `provider` gets for `asked`, and what was changed.
fn sent(provider: &str, protocol: ProtocolId, model: &str, asked: &Value) -> (Value, Vec<String>) {
    let kind = catalog::kind(provider).unwrap();
    let dialect = wire::dialect("openai-chat").unwrap();
    let request = dialect.decode_request(&RequestHead::default(), asked.to_string().as_bytes()).unwrap();
    let shaped = Profile::of(kind.all_profiles(), protocol, model, &request).shape(protocol, &request);
    let quirks: Quirks = kind.endpoint(protocol).quirks;
    let target = TargetContext { model, quirks: &quirks, max_output_tokens: Some(8000) };
    let mut http = wire::encode_request(wire::protocol(protocol), &shaped.request, &target).unwrap();
    let notes = shaped.edit(protocol.as_str(), false, &mut http.body);
    (serde_json::from_slice(&http.body).unwrap(), notes)
}

#[test]
fn each_shipped_profile_leaves_what_its_model_takes() {
    for (provider, protocol, model) in MODELS {
        let (body, notes) = sent(provider, *protocol, model, &everything());
        assert!(!notes.is_empty(), "{provider}/{model}: no profile holds");
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let name = format!("profile.{provider}.{}", model.replace(['/', ':'], "-"));
        settings.bind(|| insta::assert_snapshot!(name, format!("{}\n\n{body:#}\n", notes.join("\n"))));
    }
}

#[test]
fn every_shipped_profile_is_shown_by_a_model() {
    for kind in catalog::kinds() {
        for profile in &kind.profiles {
            let holds = |protocol, model: &str, stream, thinks| {
                Profile::of([profile], protocol, model, &asking(stream, thinks)) != Profile::default()
            };
            let is_ours = |provider: &str| provider == kind.id;
            let is_shown = MODELS
                .iter()
                .any(|(provider, protocol, model)| is_ours(provider) && holds(*protocol, model, false, true))
                || TRANSLATED.iter().any(|(provider, model, stream, thinks, _)| {
                    is_ours(provider) && holds(ProtocolId::OpenaiChat, model, *stream, *thinks)
                });
            assert!(is_shown, "{}: no model here shows {profile:?}", kind.id);
        }
    }
}

/// What was answered needs no profile: one that changes it anyway is wrong, or says why here.
const CHANGED: &[(&str, &str, &str)] = &[];

#[test]
fn no_profile_changes_a_recorded_request_that_was_answered() {
    let Some(records) = corpus::everything() else { return };
    let (mut asked, mut would_help, mut wrong) = (0, BTreeMap::<String, u32>::new(), Vec::new());
    for record in records {
        let (Some(kind), Some(protocol)) =
            (catalog::kind(&record.provider), ProtocolId::from_name(&record.api))
        else {
            continue;
        };
        let Some(body) = record.request.as_ref().and_then(|request| request.body.clone()) else { continue };
        let Some(dialect) = wire::dialect(&record.api) else { continue };
        let path = record.request.as_ref().map_or("", |request| request.path.as_str());
        let in_path = path.split("/models/").nth(1).and_then(|rest| rest.split(':').next());
        let Some(model) = body["model"].as_str().or(in_path) else { continue };
        let head = RequestHead { model: Some(model), stream: record.stream, ..RequestHead::default() };
        let Ok(request) = dialect.decode_request(&head, body.to_string().as_bytes()) else { continue };
        let shaped = Profile::of(kind.all_profiles(), protocol, model, &request).shape(protocol, &request);
        let mut bytes = body.to_string().into_bytes();
        let notes = shaped.edit(protocol.as_str(), true, &mut bytes);
        asked += 1;
        for note in notes {
            let key = (record.provider.as_str(), model, note.as_str());
            if record.response.status != 200 {
                *would_help.entry(format!("{} {model}: {note}", record.provider)).or_default() += 1;
            } else if !CHANGED.contains(&key) {
                wrong.push(format!("{key:?} {}", record.id));
            }
        }
    }
    println!("{asked} recorded requests, changed by none of the profiles where they were answered");
    println!("refused ones that a profile changes: {would_help:#?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked > 900, "{asked}");
}

// === through the port ===

const CHAT: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hi."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}"#;

async fn ask(daemon: &Daemon, key: &str, body: String) -> Result<(String, String)> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let response = reqwest::Client::new()
        .post(daemon.url("/v1/chat/completions")?)
        .bearer_auth(key)
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await?;
    let lane = response
        .headers()
        .get("x-signalbox-lane")
        .and_then(|lane| lane.to_str().ok())
        .unwrap_or("")
        .to_owned();
    Ok((lane, response.text().await?))
}

fn settings(kind: &str, url: &str, more: &str) -> String {
    format!(
        "[[provider]]\nid = \"p\"\nkind = \"{kind}\"\nbase_url = \"{url}\"\nkey = \"env:TEST_KEY\"\n{more}"
    )
}

fn start(settings: &str) -> Result<Daemon> {
    Daemon::start_with(settings, &[("TEST_KEY", "secret-of-the-test")])
}

#[tokio::test]
async fn the_same_family_gets_the_clients_bytes_without_what_the_model_refuses() -> Result<()> {
    let upstream = Upstream::start(vec![answer("200 OK", "application/json", "", CHAT)]).await?;
    let daemon = start(&settings("openai", &upstream.url(), ""))?;
    let key = daemon.client_key("profiles")?;
    let body = r#"{ "model": "p/o3", "temperature" : 0.2, "messages": [{"role": "user","content":"Hi"}], "stop":["x"] }"#;
    let (lane, said) = ask(&daemon, &key, body.into()).await?;
    assert_eq!(lane, "verbatim", "{said}");
    let arrived = String::from_utf8(upstream.seen()[0].body.clone())?;
    assert_eq!(arrived, r#"{ "model": "o3", "messages": [{"role": "user","content":"Hi"}] }"#);
    // What has to be said in words takes the other lane.
    let body = r#"{"model":"p/gpt-4o","messages":[{"role":"user","content":"Hi"}],"response_format":{"type":"json_object"}}"#;
    let (lane, said) = ask(&daemon, &key, body.into()).await?;
    assert_eq!(lane, "translated", "{said}");
    let arrived = upstream.seen()[1].json()?;
    assert_eq!(arrived["messages"][0]["content"], "Hi\n\nAnswer with one JSON object.", "{arrived}");
    Ok(())
}

#[tokio::test]
async fn another_family_gets_values_that_it_takes() -> Result<()> {
    let upstream = Upstream::start(vec![answer("200 OK", "application/json", "", MESSAGE)]).await?;
    let daemon = start(&settings("anthropic", &upstream.url(), ""))?;
    let key = daemon.client_key("profiles")?;
    let body = |model: &str| {
        json!({"model": model, "temperature": 1.4, "top_p": 0.5, "messages": [{"role": "user", "content": "Hi"}]})
            .to_string()
    };
    let (lane, said) = ask(&daemon, &key, body("p/claude-sonnet-4-5")).await?;
    assert_eq!(lane, "translated", "{said}");
    ask(&daemon, &key, body("p/claude-opus-4-8")).await?;
    let [older, newer] = [0, 1].map(|at| upstream.seen()[at].json().unwrap());
    assert_eq!((&older["temperature"], &older["top_p"]), (&json!(1.0), &Value::Null), "{older}");
    assert_eq!((&newer["temperature"], &newer["top_p"]), (&Value::Null, &Value::Null), "{newer}");
    Ok(())
}

#[tokio::test]
async fn the_settings_have_the_last_word_on_a_model() -> Result<()> {
    let upstream = Upstream::start(vec![answer("200 OK", "application/json", "", CHAT)]).await?;
    let own = "\n[[provider.profile]]\nmodels = [\"o3*\"]\nkeep = [\"temperature\"]\nmax_output_tokens = 100\n\
               put = { store = false }\n\n[[provider.profile]]\nmodels = [\"house-*\"]\nsystem_role = \"user\"\n\
               prepend_system = \"Detailed thinking off.\"\n";
    let daemon = start(&settings("openai", &upstream.url(), own))?;
    let key = daemon.client_key("profiles")?;
    let o3 = r#"{"model":"p/o3","temperature":0.2,"max_tokens":900,"top_p":0.1,"messages":[{"role":"user","content":"Hi"}]}"#;
    let (lane, said) = ask(&daemon, &key, o3.into()).await?;
    assert_eq!(lane, "verbatim", "{said}");
    let arrived = String::from_utf8(upstream.seen()[0].body.clone())?;
    assert_eq!(
        arrived,
        r#"{"model":"o3","temperature":0.2,"max_completion_tokens":100,"messages":[{"role":"user","content":"Hi"}],"store":false}"#
    );
    let house = r#"{"model":"p/house-7b","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hi"}]}"#;
    ask(&daemon, &key, house.into()).await?;
    let arrived = upstream.seen()[1].json()?;
    let expected = "Detailed thinking off.\n\nBe kind.\n\nHi";
    assert_eq!(arrived["messages"], json!([{"role": "user", "content": expected}]));
    Ok(())
}
