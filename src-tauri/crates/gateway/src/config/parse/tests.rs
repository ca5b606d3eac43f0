use super::*;
use crate::config::EXAMPLE;
use routing::Target;

mod routing_tests;

const GOOD: &str = r#"
[port]
listen = "127.0.0.1:9000"

[[provider]]
id = "a"
kind = "openai"
key = "env:A_KEY"

[[provider]]
id = "b"
kind = "openai-compatible"
base_url = "http://127.0.0.1:11434/v1/"
protocol = "anthropic-messages"
models = ["m1", "m2"]

[[route]]
name = "fast"
strategy = "priority"
targets = [{ provider = "a", model = "x" }, { provider = "rehearsal", model = "y" }]
output_check = "reject"

[timeouts]
idle = "7s"

[limits]
max_body_bytes = 2048

[checks]
tools = "repair"
"#;

fn parse(text: &str) -> Result<Config, Vec<ConfigProblem>> {
    super::parse(text, &Kinds::shipped())
}

fn problems(text: &str) -> Vec<ConfigProblem> {
    parse(text).expect_err("the settings are wrong")
}

#[test]
fn the_example_is_the_defaults_and_every_key_in_it_is_known() {
    let config = parse(EXAMPLE).unwrap();
    assert_eq!(config, parse("").unwrap());
    assert_eq!(config.listen.to_string(), DEFAULT_LISTEN);
    // What is commented out is right as well.
    let uncommented: Vec<String> = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(code)
                if code.starts_with('[')
                    || code.contains(" = ")
                    || code.starts_with("  {")
                    || code == "]" =>
            {
                code.to_owned()
            }
            _ => line.to_owned(),
        })
        .collect();
    let config = parse(&uncommented.join("\n")).unwrap();
    assert_eq!(config.providers.len(), 3);
    assert_eq!(config.providers[2].variables["region"], "eu-west-1");
    assert_eq!(config.routes[0].route.targets.len(), 2);
    let deep = &config.routes[1].route;
    assert_eq!((deep.targets.len(), deep.rules.len()), (5, 2));
    assert_eq!((config.policy.limits.len(), config.policy.budgets.len()), (6, 1));
    // What the example says of all routes is what holds without it.
    let zone = config.policy.zone.clone();
    let plain = routing::Policy { zone, ..routing::Policy::default() };
    let said = routing::Policy { limits: Vec::new(), budgets: Vec::new(), ..(*config.policy).clone() };
    assert_eq!(said, plain);
}

#[test]
fn everything_that_can_be_said_is_understood() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.listen.port(), 9000);
    assert_eq!(config.providers[0].key, KeySource::Env("A_KEY".into()));
    let second = &config.providers[1];
    assert_eq!(second.protocol, Some(ProtocolId::AnthropicMessages));
    assert_eq!(second.base_url.as_deref(), Some("http://127.0.0.1:11434/v1"));
    assert_eq!(second.models, ["m1", "m2"]);
    assert_eq!(
        config.routes[0].route.targets[1].target,
        Target { provider: "rehearsal".into(), model: "y".into() }
    );
    let on_route = CheckModes { tools: Mode::Repair, output: Mode::Reject };
    assert_eq!(config.checks_of(Some("fast")), on_route);
    assert_eq!(config.checks_of(None), CheckModes { output: Mode::Observe, ..on_route });
    assert_eq!(config.timeouts.idle.as_secs(), 7);
    assert_eq!(config.timeouts.total, Timeouts::default().total);
    assert_eq!(config.limits.max_body_bytes, 2048);
}

#[test]
fn a_mistake_names_its_line_its_key_and_what_was_perhaps_meant() {
    for (from, to, line, key, nearest) in [
        ("base_url", "base_uri", 13, "provider.base_uri", Some("base_url")),
        ("listen =", "listn =", 3, "port.listn", Some("listen")),
        ("[timeouts]", "[timeout]", 23, "timeout", Some("timeouts")),
        ("idle =", "idel =", 24, "timeouts.idel", Some("idle")),
        ("key =", "kye =", 8, "provider.kye", Some("key")),
        ("strategy =", "stategy =", 19, "route.stategy", Some("strategy")),
        ("kind = \"openai\"\n", "kind = \"opnai\"\n", 7, "provider.kind", Some("openai")),
        (
            "\"anthropic-messages\"",
            "\"anthropic-message\"",
            14,
            "provider.protocol",
            Some("anthropic-messages"),
        ),
        ("\"priority\"", "\"prority\"", 19, "route.strategy", Some("priority")),
        (
            "provider = \"rehearsal\"",
            "provider = \"rehersal\"",
            20,
            "route.targets.provider",
            Some("rehearsal"),
        ),
        ("\"127.0.0.1:9000\"", "\"0.0.0.0:9000\"", 3, "port.listen", None),
        ("\"127.0.0.1:9000\"", "\"9000\"", 3, "port.listen", None),
        ("\"127.0.0.1:9000\"", "9000", 3, "port.listen", None),
        ("\"7s\"", "\"7 parsecs\"", 24, "timeouts.idle", None),
        ("output_check", "output_chek", 21, "route.output_chek", Some("output_check")),
        ("\"reject\"", "\"rejct\"", 21, "route.output_check", Some("reject")),
        ("\"repair\"", "\"mend\"", 30, "checks.tools", None),
        ("tools =", "tool =", 30, "checks.tool", Some("tools")),
        ("2048", "12", 27, "limits.max_body_bytes", None),
        ("id = \"b\"", "id = \"a\"", 10, "provider.id", None),
        ("id = \"b\"", "id = \"rehearsal\"", 10, "provider.id", None),
        ("id = \"b\"", "id = \"b/c\"", 11, "provider.id", None),
        ("name = \"fast\"", "name = \"a/x\"", 18, "route.name", None),
        ("name = \"fast\"", "", 17, "route.name", None),
        ("base_url = \"http://127.0.0.1:11434/v1/\"", "", 10, "provider.base_url", None),
        ("http://127.0.0.1:11434", "http://example.com", 13, "provider.base_url", None),
        ("[port]", "[[port]]", 2, "port", None),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replacen(from, to, 1);
        let found = problems(&text);
        let first = found
            .iter()
            .find(|problem| problem.key.as_deref() == Some(key))
            .unwrap_or_else(|| panic!("{to}: {found:?}"));
        assert_eq!((first.line, first.nearest.as_deref()), (line, nearest), "{to}: {first}");
    }
}

#[test]
fn a_key_in_the_file_is_refused_without_being_repeated() {
    let found = problems(&GOOD.replace("env:A_KEY", "sk-proj-123456"));
    assert_eq!(found[0].line, 8);
    assert!(!found[0].to_string().contains("sk-proj"), "{}", found[0]);
}

#[test]
fn a_variable_without_a_name_is_told_as_such() {
    let found = problems(&GOOD.replace("env:A_KEY", "env:"));
    assert_eq!((found.len(), found[0].line), (1, 8), "{found:?}");
    assert!(found[0].to_string().contains("environment variable is missing"), "{}", found[0]);
}

#[test]
fn all_problems_are_told_at_once_and_in_order() {
    let text =
        GOOD.replace("\"7s\"", "\"x\"").replace("listen", "lissen").replace("\"priority\"", "\"best\"");
    let lines: Vec<usize> = problems(&text).iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [3, 19, 24]);
}

#[test]
fn text_that_is_no_toml_names_its_line() {
    let found = problems("[port]\nlisten = \n");
    assert_eq!((found.len(), found[0].line), (1, 2), "{}", found[0]);
}

#[test]
fn a_key_left_out_is_the_keychain_only_where_the_vendor_asks_for_one() {
    let config =
        parse("[[provider]]\nid = \"a\"\nkind = \"openai\"\n[[provider]]\nid = \"b\"\nkind = \"ollama\"\n")
            .unwrap();
    assert_eq!(config.providers[0].key, KeySource::Keychain);
    assert_eq!(config.providers[1].key, KeySource::None);
}

#[test]
fn what_a_kind_asks_every_user_for_is_a_key_of_its_table() {
    let azure = "[[provider]]\nid = \"a\"\nkind = \"azure\"\n";
    let config = parse(&format!("{azure}resource = \"mine\"\n")).unwrap();
    assert_eq!(config.providers[0].variables["resource"], "mine");
    assert!(parse(&format!("{azure}base_url = \"https://azure.example.com/v1\"\n")).is_ok());
    for (text, line, key, nearest) in [
        (azure.to_owned(), 1, "provider.resource", None),
        (format!("{azure}resorce = \"mine\"\n"), 4, "provider.resorce", Some("resource")),
        (format!("{azure}resource = \"a/b\"\n"), 4, "provider.resource", None),
        (format!("{azure}resource = 1\n"), 4, "provider.resource", None),
        (
            "[[provider]]\nid = \"g\"\nkind = \"groq\"\nregion = \"x\"\n".to_owned(),
            4,
            "provider.region",
            None,
        ),
    ] {
        let found = problems(&text);
        let first = found.iter().find(|problem| problem.key.as_deref() == Some(key));
        let first = first.unwrap_or_else(|| panic!("{text}: {found:?}"));
        assert_eq!((first.line, first.nearest.as_deref()), (line, nearest), "{first}");
    }
    assert_eq!(
        problems(azure)[0].to_string(),
        "line 1: The provider \"a\" needs resource = \"my-resource\" (Resource name)."
    );
}

#[test]
fn looking_for_servers_can_be_switched_off() {
    assert!(parse("").unwrap().looks_for_servers);
    assert!(!parse("[discovery]\nenabled = false\n").unwrap().looks_for_servers);
    assert_eq!(problems("[discovery]\nenabled = \"no\"\n")[0].line, 2);
    assert_eq!(problems("[discovery]\nenable = true\n")[0].nearest.as_deref(), Some("enabled"));
}

#[test]
fn a_providers_own_profiles_are_read_and_a_mistake_in_one_is_named_with_its_line() {
    let head = "[[provider]]\nid = \"a\"\nkind = \"openai\"\n[[provider.profile]]\nmodels = [\"m*\"]\n";
    let read = |rest: &str| parse(&format!("{head}{rest}\n"));
    let profiles =
        &read("temperature = { max = 1 }\ndrop = [\"top_p\"]\nput = { a = [1] }").unwrap().providers[0]
            .profiles;
    assert_eq!((profiles.len(), profiles[0].temperature.unwrap().max), (1, Some(1.0)));
    for (rest, nearest) in [
        ("drops = [\"top_p\"]", Some("drop")),
        ("drop = [\"topp\"]", Some("top_p")),
        ("system_role = \"developper\"", Some("developer")),
        ("temperature = 1", None),
    ] {
        let problems = read(rest).unwrap_err();
        assert_eq!((problems.len(), problems[0].line), (1, 6), "{problems:?}");
        assert_eq!(problems[0].nearest.as_deref(), nearest, "{problems:?}");
    }
}
