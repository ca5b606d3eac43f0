use super::*;

const GROQ: &str = r#"
id = "groq"
name = "Groq"
protocol = "openai-chat"
base_url = "https://api.groq.com/openai/v1"
auth = { bearer = "GROQ_API_KEY" }
docs = "https://console.groq.com/docs/openai"
price_provider = "groq"

[quirks]
max_tokens_field = "max_completion_tokens"
"#;

#[test]
fn a_file_says_everything_a_provider_is() {
    let spec = parse_spec(GROQ, "groq.toml").unwrap();
    assert_eq!(spec.auth.scheme, AuthScheme::Bearer);
    assert_eq!(spec.key_env(), Some("GROQ_API_KEY"));
    assert!(spec.needs_key());
    assert!(!spec.needs_base_url());
    assert_eq!(spec.quirks.max_tokens_field.as_deref(), Some("max_completion_tokens"));
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_known_one() {
    let error = parse_spec(&GROQ.replace("base_url", "base_uri"), "groq.toml").unwrap_err();
    assert_eq!(error.to_string(), "groq.toml, line 5: unknown key `base_uri`; did you mean `base_url`?");
    let error = parse_spec(&GROQ.replace("max_tokens_field", "max_token_field"), "groq.toml").unwrap_err();
    assert_eq!(
        error.to_string(),
        "groq.toml, line 11: unknown key `quirks.max_token_field`; did you mean `max_tokens_field`?"
    );
    let error = parse_spec(&GROQ.replace("{ bearer", "{ beaver"), "groq.toml").unwrap_err();
    assert_eq!((error.key.as_deref(), error.nearest.as_deref()), (Some("auth.beaver"), Some("bearer")));
    let error = parse_spec(&format!("{GROQ}\n[[models]]\nid = \"x\"\nctx = 1\n"), "groq.toml").unwrap_err();
    assert_eq!((error.key.as_deref(), error.line), (Some("models.ctx"), Some(15)));
}

#[test]
fn a_broken_or_impossible_file_is_refused_at_its_line() {
    for (from, to, line) in [
        ("\"openai-chat\"", "\"openai-chats\"", 4),
        ("id = \"groq\"", "id = \"Groq/x\"", 2),
        ("https://api", "http://api", 5),
        ("{ bearer = \"GROQ_API_KEY\" }", "\"bearer\"", 6),
        ("{ bearer = \"GROQ_API_KEY\" }", "{ bearer = \"A\", header = \"b\" }", 6),
        ("{ bearer = \"GROQ_API_KEY\" }", "{ sigv4 = { servise = \"b\" } }", 6),
        ("name = \"Groq\"", "name = Groq", 3),
    ] {
        let error = parse_spec(&GROQ.replace(from, to), "groq.toml").unwrap_err();
        assert_eq!(error.line, Some(line), "{error}");
    }
}

#[test]
fn the_lists_of_known_keys_are_those_of_the_types() {
    let mut spec = parse_spec(GROQ, "groq.toml").unwrap();
    spec.models.push(SpecModel { id: "m".into(), name: None, context_window: None, max_output_tokens: None });
    spec.also.push(OtherProtocol {
        protocol: ProtocolId::AnthropicMessages,
        base_url: None,
        auth: None,
        quirks: Quirks::default(),
    });
    spec.variables.push(Variable {
        name: "region".into(),
        label: "Region".into(),
        default: None,
        example: None,
        from_key: None,
        host: std::collections::BTreeMap::new(),
    });
    spec.probe = Some(Probe { path: "/".into(), expects: "/".into(), equals: None });
    let json = serde_json::to_value(&spec).unwrap();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&json), KEYS);
    assert_eq!(keys(&json["models"][0]), MODEL_KEYS);
    assert_eq!(keys(&json["variables"][0]), VARIABLE_KEYS);
    assert_eq!(keys(&json["probe"]), PROBE_KEYS);
    assert!(quirk_keys().len() >= 9);
    assert_eq!(keys(&json["also"][0]), OTHER_KEYS);
    assert_eq!(keys(&serde_json::to_value(wire::profile::Range::default()).unwrap()), RANGE_KEYS);
}

#[test]
fn another_protocol_has_its_own_address_and_way_to_sign() {
    let text = format!(
        "{GROQ}\n[[also]]\nprotocol = \"anthropic-messages\"\nbase_url = \"https://api.groq.com/anthropic\"\n"
    );
    let spec = parse_spec(&text, "groq.toml").unwrap();
    let own = spec.endpoint(ProtocolId::OpenaiChat);
    assert_eq!((own.base_url.as_deref(), own.auth.scheme), (spec.base_url.as_deref(), AuthScheme::Bearer));
    assert!(own.quirks.max_tokens_field.is_some());
    let other = spec.endpoint(ProtocolId::AnthropicMessages);
    assert_eq!(other.base_url.as_deref(), Some("https://api.groq.com/anthropic"));
    assert_eq!(other.auth.scheme, AuthScheme::Header("x-api-key".to_owned()));
    assert_eq!(other.auth.env.as_deref(), Some("GROQ_API_KEY"));
    assert_eq!(other.quirks, Quirks::default());
    let unnamed = spec.endpoint(ProtocolId::GeminiGenerate);
    assert_eq!(
        (unnamed.base_url, unnamed.auth.scheme),
        (None, AuthScheme::Header("x-goog-api-key".to_owned()))
    );
    let error =
        parse_spec(&text.replace("api.groq.com/anthropic\"", "a\"\nbase = 1"), "groq.toml").unwrap_err();
    assert_eq!(error.key.as_deref(), Some("also.base"));
}

#[test]
fn auth_is_written_as_it_is_read() {
    for text in [
        r#"auth = "none""#,
        r#"auth = { bearer = "A" }"#,
        r#"auth = { header = "x-api-key", env = "A" }"#,
        r#"auth = { query = "key", env = "A", optional = true }"#,
        r#"auth = { sigv4 = { service = "bedrock" }, env = "A" }"#,
        r#"auth = { sigv4 = { service = "bedrock", region = "eu-west-1" } }"#,
        r#"auth = { service_account = { scope = "https://a" }, env = "A" }"#,
    ] {
        #[derive(Serialize, Deserialize)]
        struct Holder {
            auth: Auth,
        }
        let once: Holder = toml::from_str(text).unwrap();
        let twice: Holder = toml::from_str(&toml::to_string(&once).unwrap()).unwrap();
        assert_eq!(once.auth, twice.auth, "{text}");
    }
}

const CLOUD: &str = r#"
id = "cloud"
name = "Cloud"
protocol = "bedrock-converse"
base_url = "https://api.{region}.example.com/{tenant}"
auth = { sigv4 = { service = "x", region = "{region}" }, env = "A" }
docs = "https://example.com"
unpriced = "a test"

[[variables]]
name = "region"
label = "Region"
default = "us-east-1"

[[variables]]
name = "tenant"
label = "Tenant"

[quirks.query]
api-version = "{region}"
"#;

#[test]
fn variables_fill_the_address_the_query_and_the_region_of_the_signature() {
    let spec = parse_spec(CLOUD, "cloud.toml").unwrap();
    let region = |endpoint: &Endpoint| match &endpoint.auth.scheme {
        AuthScheme::SigV4(scheme) => scheme.region.clone(),
        _ => None,
    };
    let missing = |own: Option<&str>, given: &Values| -> Vec<String> {
        spec.missing(spec.protocol, own, given).iter().map(|variable| variable.name.clone()).collect()
    };
    let mut given = Values::new();
    assert_eq!(missing(None, &given), ["tenant"]);
    given.insert("tenant".into(), "t".into());
    assert!(missing(None, &given).is_empty());
    let endpoint = spec.endpoint_for(spec.protocol, None, &given);
    assert_eq!(endpoint.base_url.as_deref(), Some("https://api.us-east-1.example.com/t"));
    assert_eq!(endpoint.quirks.query["api-version"], "us-east-1");
    assert_eq!(region(&endpoint).as_deref(), Some("us-east-1"));

    // An address of the user's own names its region itself, unless the settings say one.
    let own = Some("https://proxy.eu-west-1.example.com");
    let endpoint = spec.endpoint_for(spec.protocol, own, &Values::new());
    assert_eq!((endpoint.base_url.as_deref(), region(&endpoint)), (own, None));
    assert!(missing(own, &Values::new()).is_empty());
    given.insert("region".into(), "eu-west-3".into());
    let endpoint = spec.endpoint_for(spec.protocol, own, &given);
    assert_eq!(region(&endpoint).as_deref(), Some("eu-west-3"));
}

#[test]
fn a_variable_that_could_not_work_is_refused() {
    for (from, to) in [
        ("{tenant}", "{tennant}"),
        ("name = \"tenant\"", "name = \"region\""),
        ("name = \"tenant\"", "name = \"models\""),
        ("name = \"tenant\"", "name = \"Tenant\""),
        ("label = \"Tenant\"", "lable = \"Tenant\""),
    ] {
        let error = parse_spec(&CLOUD.replacen(from, to, 1), "cloud.toml").unwrap_err();
        assert!(error.key.as_deref().is_some_and(|key| key.starts_with("variables")), "{to}: {error}");
        assert!(error.line.is_some(), "{to}: {error}");
    }
}

#[test]
fn a_probe_is_met_by_what_it_expects_and_by_nothing_else() {
    let any = Probe { path: "/api/tags".into(), expects: "/models".into(), equals: None };
    assert!(any.is_met_by(br#"{"models":[]}"#));
    assert!(!any.is_met_by(br#"{"data":[]}"#));
    assert!(!any.is_met_by(b"<html>"));
    let owned = Probe { expects: "/data/0/owned_by".into(), equals: Some("vllm".into()), ..any };
    assert!(owned.is_met_by(br#"{"data":[{"owned_by":"vllm"}]}"#));
    assert!(!owned.is_met_by(br#"{"data":[{"owned_by":"llamacpp"}]}"#));
    assert!(!owned.is_met_by(br#"{"data":[]}"#));
    assert!(parse_spec(&format!("{CLOUD}\n[probe]\npath = \"/x\"\nexpects = \"/y\"\n"), "c").is_err());
}

#[test]
fn profiles_are_read_with_those_that_are_shared_before_them() {
    let text = GROQ.replace("[quirks]", "uses_profiles = [\"claude\"]\n[quirks]")
        + "[[profile]]\nmodels = [\"a*\"]\ndrop = [\"seed\"]\n";
    let spec = parse_spec(&text, "groq.toml").unwrap();
    let all: Vec<_> = spec.all_profiles().collect();
    assert_eq!(all.last().unwrap().drop, [wire::profile::Param::Seed]);
    assert!(all.len() > 2 && all[0].models == ["*claude-*"]);
    let error = parse_spec(&text.replace("\"claude\"", "\"clod\""), "groq.toml").unwrap_err();
    assert_eq!((error.key.as_deref(), error.line), (Some("uses_profiles"), Some(10)), "{error}");
}

#[test]
fn a_mistake_in_a_profile_is_refused_with_what_was_meant() {
    let refused =
        |lines: &str| parse_spec(&format!("{GROQ}\n[[profile]]\n{lines}\n"), "groq.toml").unwrap_err();
    for (lines, key, nearest) in [
        ("models = [\"*\"]\nsistem_role = \"user\"", Some("profile.sistem_role"), Some("system_role")),
        ("models = [\"*\"]\ntemperature = { maxi = 1 }", Some("profile.temperature.maxi"), Some("max")),
        ("models = [\"*\"]\ndrop = [\"temprature\"]", None, Some("temperature")),
        ("models = [\"*\"]\nwhen = \"thinks\"", None, Some("thinking")),
    ] {
        let error = refused(lines);
        assert_eq!((error.key.as_deref(), error.nearest.as_deref()), (key, nearest), "{error}");
        assert_eq!(error.line, Some(15), "{error}");
    }
    let error = refused("drop = [\"seed\"]");
    assert_eq!(error.key.as_deref(), Some("profile"), "{error}");
}
