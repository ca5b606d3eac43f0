//! Every request in the recorded corpus went to some path with some method. For the same provider and
//! model ours must go there too, or a reason is named here.

#![allow(clippy::unwrap_used, reason = "a helper that fails here fails its test")]

use std::collections::BTreeMap;

use canonical::{ChatRequest, Message, Role};
use catalog::{ProviderSpec, Values};
use signalbox_tests::corpus::{self, Record, RecordedRequest};
use wire::{HttpRequest, Method, ProtocolId, TargetContext};

/// Requests that we send elsewhere or not at all: where they were recorded, and why.
const REASONS: &[(&str, &str, &str)] = &[
    ("*", "$alt=json", "Google's older client asks for enums as numbers, and some at v1; we ask for names"),
    ("google", "streamGenerateContent", "streamed as one JSON array; we ask for events (alt=sse)"),
    ("google", "GET /v1beta/models", "we ask for the longest page that there is"),
    ("anthropic", "GET /v1/models", "we ask for the longest page that there is"),
    ("anthropic", "/v1/messages?beta=true", "what the SDK's beta client adds; the header alone decides"),
    (
        "bedrock-mantle",
        "/openai/v1/responses",
        "some models have this address alone: a base_url of one's own",
    ),
    ("cohere", "/v1/chat", "the API that v2 replaced"),
    ("deepseek", "/beta/", "previews have this address alone: a base_url of one's own"),
    ("deepseek", "POST /chat/completions", "the vendor takes both, with /v1 and without"),
    ("deepseek", "GET /models", "the vendor takes both, with /v1 and without"),
    ("huggingface", "/hyperbolic/", "asked past the router, which chooses by the model's name"),
    ("huggingface", "/nebius/", "asked past the router, which chooses by the model's name"),
    ("huggingface", "/novita/", "asked past the router, which chooses by the model's name"),
    ("huggingface", "/together/", "asked past the router, which chooses by the model's name"),
    ("mirascope-gateway", "/router/v2/", "a relay with an address per protocol, which the user gives"),
    ("pydantic-gateway", "POST /", "a relay with an address per protocol, which the user gives"),
    ("ollama", "GET /api/tags", "the same server's list in its own form; asked for where that is spoken"),
    ("openrouter", "POST /v1/chat/completions", "recorded through a proxy that took /api away"),
    ("zai", "/api/coding/paas/v4/", "the coding plan has an address of its own: a base_url of one's own"),
];

/// Who answers for a recorded provider: the kind of its name, and its other forms (azure-inference).
fn kinds_of(provider: &str) -> impl Iterator<Item = &'static ProviderSpec> {
    let form = format!("{provider}-");
    let kinds = catalog::kinds().iter().map(AsRef::as_ref);
    kinds.filter(move |kind| kind.id == provider || kind.id.starts_with(&form))
}

/// Everything from the path on, with one spelling of what may be escaped or not.
fn spelled(path: &str) -> String {
    path.replace("%3A", ":").replace("%3a", ":").replace("%24", "$").replace("%40", "@").replace("%2F", "/")
}

/// The variables as the recorded path has them; the host is not recorded.
fn variables(kind: &ProviderSpec, path: &str) -> Values {
    let behind = |word: &str| path.split_once(&format!("/{word}/"))?.1.split(['/', '?']).next();
    let query = |name: &str| path.split_once(&format!("{name}="))?.1.split('&').next();
    let of = |name: &str| match name {
        "project" => behind("projects"),
        "location" => behind("locations"),
        "api_version" => query("api-version"),
        "resource" => Some("resource"),
        _ => None,
    };
    let found =
        kind.variables.iter().filter_map(|variable| Some((variable.name.clone(), of(&variable.name)?)));
    found.map(|(name, value)| (name, value.to_owned())).collect()
}

/// The model that a request asks, wherever its protocol names it.
fn model_of(request: &RecordedRequest) -> Option<String> {
    let in_body = request.body.as_ref().and_then(|body| body.get("model")?.as_str());
    let path = spelled(&request.path);
    let in_path = ["/models/", "/model/", "/deployments/"].iter().find_map(|before| {
        let rest = path.split_once(before)?.1;
        let end = ["/converse", "/chat/", "/embeddings"].iter().find_map(|after| rest.find(after));
        let rest = &rest[..end.unwrap_or(rest.len())];
        let rest = rest.split('?').next()?;
        // A deed stands behind the last colon where it is one of Google's.
        Some(match rest.rsplit_once(':') {
            Some((model, deed)) if deed.chars().all(char::is_alphabetic) => model.to_owned(),
            _ => rest.to_owned(),
        })
    });
    in_path.or_else(|| in_body.map(str::to_owned))
}

fn asked(protocol: ProtocolId, record: &Record, target: &TargetContext<'_>) -> Option<HttpRequest> {
    let request = ChatRequest {
        model: target.model.to_owned(),
        messages: vec![Message::text(Role::User, "Hello")],
        stream: record.stream,
        ..ChatRequest::default()
    };
    wire::protocol(protocol).encode_request(&request, target).ok()
}

/// Method and path (with query) that a provider of `kind` would be asked with.
fn ours(
    kind: &ProviderSpec,
    protocol: ProtocolId,
    record: &Record,
    recorded: &RecordedRequest,
) -> Option<(Method, String)> {
    let given = variables(kind, &recorded.path);
    // Relays without an address of their own are wherever the user says; their example is used.
    let own = kind.base_url.is_none().then_some(kind.base_url_example.as_deref()).flatten();
    let endpoint = kind.endpoint_for(protocol, own, &given);
    let model = model_of(recorded).unwrap_or_default();
    let target = TargetContext { model: &model, quirks: &endpoint.quirks, max_output_tokens: Some(64) };
    let request = match record.api.as_str() {
        "models" => wire::protocol(protocol).models_request(),
        _ => asked(protocol, record, &target)?,
    };
    let version = endpoint.quirks.version.as_deref().unwrap_or(wire::protocol(protocol).version());
    let base = wire::http::versioned_base(&endpoint.base_url?, version);
    let path = base
        .split_once("://")?
        .1
        .find('/')
        .map_or("", |at| &base.split_once("://").map_or("", |(_, rest)| rest)[at..]);
    // A list that is elsewhere counts from the host's root.
    let (path, at) = match endpoint.quirks.models_path.clone().filter(|_| record.api == "models") {
        Some(at) => ("", at),
        None => (path, request.path.clone()),
    };
    let query: Vec<String> = request
        .query
        .iter()
        .map(|(name, value)| (name, value))
        .chain(&endpoint.quirks.query)
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    Some((request.method, format!("{path}{at}{query}")))
}

fn word(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
    }
}

/// The path that ours should be, or why it is another one; `Err` says what we would call.
fn judge(record: &Record, recorded: &RecordedRequest) -> Result<Option<&'static str>, String> {
    let wanted = format!("{} {}", recorded.method, spelled(&recorded.path));
    let mut called = Vec::new();
    for kind in kinds_of(&record.provider) {
        let protocols: Vec<ProtocolId> = match ProtocolId::from_name(&record.api) {
            Some(protocol) => vec![protocol],
            None => vec![kind.protocol],
        };
        for protocol in protocols {
            let Some((method, path)) = ours(kind, protocol, record, recorded) else { continue };
            let call = format!("{} {}", word(method), spelled(&path));
            if call == wanted {
                return Ok(None);
            }
            called.push(call);
        }
    }
    let reason = REASONS.iter().find(|(provider, part, _)| {
        (*provider == record.provider || *provider == "*") && wanted.contains(part)
    });
    match reason {
        Some((_, _, why)) => Ok(Some(why)),
        None => Err(format!("{}: {wanted}, not {called:?}", record.provider)),
    }
}

#[test]
fn every_recorded_request_goes_where_ours_would_go() {
    let mut apis: Vec<&str> = ProtocolId::ALL.iter().map(|id| id.as_str()).collect();
    apis.push("models");
    let (mut same, mut excused, mut wrong) =
        (0, BTreeMap::<&str, u32>::new(), BTreeMap::<String, u32>::new());
    for api in apis {
        let Some(records) = corpus::records(api) else { return };
        for record in records {
            let Some(recorded) = &record.request else { continue };
            if kinds_of(&record.provider).next().is_none() {
                continue;
            }
            match judge(&record, recorded) {
                Ok(None) => same += 1,
                Ok(Some(why)) => *excused.entry(why).or_default() += 1,
                Err(what) => *wrong.entry(what).or_default() += 1,
            }
        }
    }
    println!("{same} requests go where they were recorded");
    for (why, count) in &excused {
        println!("{count} do not: {why}");
    }
    let wrong: Vec<String> = wrong.iter().map(|(what, count)| format!("{count} x {what}")).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(same > 1000, "{same}");
}
