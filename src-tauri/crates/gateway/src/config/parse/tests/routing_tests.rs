//! Routes, limits and budgets.

use std::time::Duration;

use canonical::PicoUsd;
use jiff::tz::TimeZone;
use routing::classify::Class;
use routing::policy::{
    BudgetRule, Cause, Commit, Condition, Counted, HedgeAfter, LimitRule, OnBreak, OverBudget, Period, Rule,
    Scope, ScoreWeights, Sticky, Then, Tier, Window,
};

use super::*;

const PROVIDERS: &str =
    "[[provider]]\nid = \"a\"\nkind = \"openai\"\n[[provider]]\nid = \"b\"\nkind = \"groq\"\n";

/// `text` behind two providers, `a` and `b`; its first line is the seventh.
fn with_providers(text: &str) -> String {
    format!("{PROVIDERS}{text}")
}

const ROUTE: &str = r#"[[route]]
name = "deep"
strategy = "priority"
targets = [
  { provider = "a", model = "gpt-5", weight = 3, tier = "complex" },
  { provider = "b", model = "m", only_after = ["content_filtered"], when = { min_input_tokens = 400_000 } },
  { route = "cheap", weight = 2, only_after = ["quota"] },
]
tiers = true
sticky = "10m"
hedge = "25%"
hold = { chars = 200, within = "1s" }
on_break = "continue"
total = "60s"
first_content = "8s"
[[route.rule]]
when = { tasks = ["simple"], clients = ["codex*"], tools = false, max_input_tokens = 2000 }
use = ["cheap", "a/gpt-5"]
[[route.rule]]
tier = "complex"
[[route]]
name = "cheap"
targets = [{ provider = "a", model = "gpt-5-mini", tier = "cheap", weight = 4 }, { provider = "b", model = "n" }]
sticky = false
hedge = "2s"
"#;

const POLICY: &str = r#"[[limit]]
provider = "a"
model = "gpt-5"
requests_per_minute = 60
output_tokens_per_day = 1_000_000
concurrency = 4
[[limit]]
provider = "a"
tokens_per_second = 5
[[budget]]
name = "daily"
amount = "8.000000000001"
per = "day"
client = "codex"
then = { route = "cheap" }
warn_at = 50
[[budget]]
name = "monthly"
amount = 20.5
per = "month"
provider = "a*"
then = "warn"
[[budget]]
name = "all"
amount = 3
per = "week"
[routing]
timezone = "Australia/Lord_Howe"
[routing.circuit]
open_for = "1s"
ramp = [0.1, 0.2, 0.3]
error_rate = 1
[routing.retry]
attempts_per_target = 3
share = 0.5
[routing.hedge]
floor = 0
"#;

fn good() -> String {
    with_providers(&format!("{ROUTE}{POLICY}"))
}

#[test]
fn a_route_is_read_with_everything_that_it_can_say() {
    let config = parse(&good()).unwrap();
    let deep = &config.routes[0].route;
    let targets: Vec<(String, u32, Option<Tier>, &[Cause])> = deep
        .targets
        .iter()
        .map(|it| (it.target.to_string(), it.weight, it.tier, it.only_after.as_slice()))
        .collect();
    assert_eq!(
        targets,
        [
            ("a/gpt-5".to_owned(), 3, Some(Tier::Complex), &[][..]),
            ("b/m".to_owned(), 1, None, &[Cause::ContentFiltered]),
            ("a/gpt-5-mini".to_owned(), 8, Some(Tier::Cheap), &[Cause::Quota]),
            ("b/n".to_owned(), 2, None, &[Cause::Quota]),
        ]
    );
    let large = Condition { min_input_tokens: Some(400_000), ..Condition::default() };
    assert_eq!(deep.targets[1].when, Some(large));
    let simple = Condition {
        tasks: vec![Class::Simple],
        clients: vec!["codex*".into()],
        tools: Some(false),
        max_input_tokens: Some(2_000),
        ..Condition::default()
    };
    assert_eq!(
        deep.rules,
        [
            Rule { when: simple, then: Then::Targets(vec![2, 3, 0]) },
            Rule { when: Condition::default(), then: Then::Tier(Tier::Complex) },
        ]
    );
    let minutes = |count: u64| Duration::from_secs(60 * count);
    assert_eq!((deep.tiers, deep.sticky), (true, Some(Sticky { idle: minutes(10) })));
    assert_eq!(deep.hedge, Some(HedgeAfter::Share(0.25)));
    assert_eq!(deep.commit, Commit { chars: 200, within: Some(Duration::from_secs(1)) });
    assert_eq!((deep.on_break, deep.total), (OnBreak::Continue, Some(minutes(1))));
    assert_eq!(deep.first_content, Some(Duration::from_secs(8)));
    let cheap = &config.routes[1].route;
    assert_eq!((cheap.sticky, cheap.hedge), (None, Some(HedgeAfter::Fixed(Duration::from_secs(2)))));
}

#[test]
fn limits_budgets_and_what_holds_for_all_routes_are_read() {
    let policy = parse(&good()).unwrap().policy;
    let limit = |model: Option<&str>, counted, window, most| LimitRule {
        provider: "a".into(),
        model: model.map(str::to_owned),
        counted,
        window,
        most,
    };
    assert_eq!(
        policy.limits,
        [
            limit(Some("gpt-5"), Counted::Requests, Window::Minute, 60),
            limit(Some("gpt-5"), Counted::OutputTokens, Window::Day, 1_000_000),
            limit(Some("gpt-5"), Counted::Concurrency, Window::Now, 4),
            limit(None, Counted::Tokens, Window::Second, 5),
        ]
    );
    let codex = Scope { client: Some("codex".into()), ..Scope::default() };
    let a = Scope { provider: Some("a*".into()), ..Scope::default() };
    let budget = |name: &str, scope, amount, per, then, warn_at_percent| BudgetRule {
        name: name.into(),
        scope,
        amount: PicoUsd(amount),
        per,
        then,
        warn_at_percent,
    };
    assert_eq!(
        policy.budgets,
        [
            budget("daily", codex, 8_000_000_000_001, Period::Day, OverBudget::Downgrade("cheap".into()), 50),
            budget("monthly", a, 20_500_000_000_000, Period::Month, OverBudget::Warn, 80),
            budget("all", Scope::default(), 3_000_000_000_000, Period::Week, OverBudget::Block, 80),
        ]
    );
    assert_eq!(policy.zone, TimeZone::get("Australia/Lord_Howe").unwrap());
    assert_eq!((policy.circuit.open_for, policy.circuit.ramp), (Duration::from_secs(1), [0.1, 0.2, 0.3]));
    assert!((policy.circuit.error_rate - 1.0).abs() < f64::EPSILON);
    assert_eq!((policy.retry.attempts_per_target, policy.hedge.floor), (3, 0));
    assert_eq!(policy.retry.patience, Duration::from_secs(20));
}

#[test]
fn a_mistake_in_a_route_names_its_line_its_key_and_what_was_perhaps_meant() {
    let mut faults = Vec::new();
    for (from, to, line, key, nearest) in [
        ("tiers =", "tier =", 15, "route.tier", Some("tiers")),
        ("weight = 3", "weigth = 3", 11, "route.targets.weigth", Some("weight")),
        ("weight = 3", "weight = -3", 11, "route.targets.weight", None),
        ("tier = \"complex\" }", "tier = \"complx\" }", 11, "route.targets.tier", Some("complex")),
        ("content_filtered", "content_filter", 12, "route.targets.only_after", Some("content_filtered")),
        ("min_input_tokens", "min_tokens", 12, "route.targets.when.min_tokens", Some("min_input_tokens")),
        ("route = \"cheap\", weight", "route = \"cheep\", weight", 13, "route.targets.route", Some("cheap")),
        ("route = \"cheap\", weight", "route = \"deep\", weight", 13, "route.targets.route", None),
        ("weight = 2, only", "model = \"x\", only", 13, "route.targets.model", None),
        ("sticky = \"10m\"", "sticky = 10", 16, "route.sticky", None),
        ("sticky = \"10m\"", "sticky = \"10 parsecs\"", 16, "route.sticky", None),
        ("\"25%\"", "\"p99\"", 17, "route.hedge", None),
        ("\"25%\"", "\"100%\"", 17, "route.hedge", None),
        ("chars = 200", "char = 200", 18, "route.hold.char", Some("chars")),
        ("{ chars = 200, within = \"1s\" }", "{}", 18, "route.hold", None),
        ("\"continue\"", "\"contine\"", 19, "route.on_break", Some("continue")),
        ("\"60s\"", "\"6s\"", 21, "route.first_content", None),
        ("tasks = [\"simple\"]", "tasks = [\"simpel\"]", 23, "route.rule.when.tasks", Some("simple")),
        ("tasks = [\"simple\"]", "tasks = []", 23, "route.rule.when.tasks", None),
        ("tasks = [\"simple\"]", "tasks = \"simple\"", 23, "route.rule.when.tasks", None),
        ("tools = false", "tools = \"no\"", 23, "route.rule.when.tools", None),
        ("tools = false", "min_input_tokens = 2001", 23, "route.rule.when.min_input_tokens", None),
        ("\"a/gpt-5\"]", "\"a/gpt5\"]", 24, "route.rule.use", Some("a/gpt-5")),
        ("use = [", "uses = [", 24, "route.rule.uses", Some("use")),
        ("use = [\"cheap\", \"a/gpt-5\"]", "", 22, "route.rule", None),
        ("tier = \"complex\"\n[[", "tier = \"standard\"\n[[", 26, "route.rule.tier", None),
        ("when = { tasks", "# ", 25, "route.rule", None),
        ("strategy = \"priority\"", "score = { cost = 1 }", 9, "route.score", None),
    ] {
        faults.extend(check(from, to, line, key, nearest));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_mistake_in_limits_budgets_and_the_rest_names_its_line_too() {
    let mut faults = Vec::new();
    for (from, to, line, key, nearest) in [
        (
            "requests_per_minute",
            "request_per_minute",
            35,
            "limit.request_per_minute",
            Some("requests_per_minute"),
        ),
        ("= 60\n", "= 0\n", 35, "limit.requests_per_minute", None),
        ("= 60\n", "= 1.5\n", 35, "limit.requests_per_minute", None),
        ("provider = \"a\"\nmodel", "provider = \"nobody\"\nmodel", 33, "limit.provider", None),
        ("tokens_per_second = 5", "", 38, "limit", None),
        ("tokens_per_second = 5", "model = \"gpt-5\"\nconcurrency = 2", 41, "limit.concurrency", None),
        ("name = \"monthly\"", "name = \"daily\"", 48, "budget.name", None),
        ("name = \"monthly\"", "nam = \"monthly\"", 49, "budget.nam", Some("name")),
        ("\"8.000000000001\"", "\"8,00\"", 43, "budget.amount", None),
        ("\"8.000000000001\"", "0", 43, "budget.amount", None),
        ("\"8.000000000001\"", "-8", 43, "budget.amount", None),
        ("per = \"day\"", "per = \"dya\"", 44, "budget.per", Some("day")),
        ("per = \"day\"", "", 41, "budget.per", None),
        (
            "then = { route = \"cheap\" }",
            "then = { route = \"chaep\" }",
            46,
            "budget.then.route",
            Some("cheap"),
        ),
        ("then = { route = \"cheap\" }", "then = \"blok\"", 46, "budget.then", Some("block")),
        ("then = { route = \"cheap\" }", "then = 1", 46, "budget.then", None),
        ("client = \"codex\"", "route = \"cheap\"", 46, "budget.then.route", None),
        ("client = \"codex\"", "route = \"chaep\"", 45, "budget.route", Some("cheap")),
        ("warn_at = 50", "warn_at = 101", 47, "budget.warn_at", None),
        ("provider = \"a*\"", "provider = \"x*\"", 52, "budget.provider", None),
        ("Australia/Lord_Howe", "Australia/Lord_How", 59, "routing.timezone", Some("Australia/Lord_Howe")),
        ("open_for = \"1s\"", "open_for = \"1h\"", 61, "routing.circuit.open_for", None),
        ("[0.1, 0.2, 0.3]", "[0.1, 0.2]", 62, "routing.circuit.ramp", None),
        ("[0.1, 0.2, 0.3]", "[0.3, 0.2, 0.1]", 62, "routing.circuit.ramp", None),
        ("error_rate = 1", "error_rate = 1.5", 63, "routing.circuit.error_rate", None),
        ("share = 0.5", "base = \"9s\"", 66, "routing.retry.base", None),
        ("attempts_per_target", "attempts", 65, "routing.retry.attempts", Some("attempts_per_target")),
        ("floor = 0", "flor = 0", 68, "routing.hedge.flor", Some("floor")),
    ] {
        faults.extend(check(from, to, line, key, nearest));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is told of the good settings with `to` in the place of `from`, where it is something else than
/// expected.
fn check(from: &str, to: &str, line: usize, key: &str, nearest: Option<&str>) -> Option<String> {
    let good = good();
    assert!(good.contains(from), "{from}");
    let Err(found) = parse(&good.replacen(from, to, 1)) else { return Some(format!("{to}: accepted")) };
    let is_it = |it: &&ConfigProblem| {
        (it.line, it.key.as_deref(), it.nearest.as_deref()) == (line, Some(key), nearest)
    };
    found.iter().find(is_it).is_none().then(|| format!("{to}: {found:#?}"))
}

#[test]
fn a_score_has_weights_and_some_of_them() {
    let text = |score: &str| {
        with_providers(&format!(
            "[[route]]\nname = \"x\"\nstrategy = \"score\"\ntargets = [{{ provider = \"a\", model = \"m\" }}]\n\
             score = {score}\n"
        ))
    };
    let weights = parse(&text("{ cost = 3, errors = 0 }")).unwrap().routes[0].route.score;
    let expected = ScoreWeights { cost: 3.0, errors: 0.0, ..ScoreWeights::default() };
    assert_eq!(weights, expected);
    for (score, key) in [
        ("{ cost = -1 }", "route.score.cost"),
        ("{ price = 1 }", "route.score.price"),
        ("{ latency = 0, errors = 0, cost = 0, quota = 0.0 }", "route.score"),
        ("3", "route.score"),
    ] {
        let found = problems(&text(score));
        assert_eq!((found.len(), found[0].line, found[0].key.as_deref()), (1, 11, Some(key)), "{found:#?}");
    }
}

#[test]
fn routes_that_lead_in_a_circle_say_which_way() {
    let route = |name: &str, inner: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\ntargets = [{{ provider = \"a\", model = \"m\" }}, {{ route = \"{inner}\" }}]\n"
        )
    };
    let text = with_providers(&format!("{}{}{}", route("x", "y"), route("y", "z"), route("z", "x")));
    let found = problems(&text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].line, 15);
    assert_eq!(
        found[0].to_string(),
        "line 15: The routes lead in a circle: x → y → z → x. Take one of them out."
    );
}

#[test]
fn a_target_that_is_reached_twice_is_one_and_routes_in_routes_have_an_end() {
    let text = with_providers(
        "[[route]]\nname = \"x\"\ntargets = [{ route = \"y\" }, { route = \"z\" }, { route = \"y\" }]\n\
         [[route]]\nname = \"y\"\ntargets = [{ provider = \"a\", model = \"m\" }]\n\
         [[route]]\nname = \"z\"\ntargets = [{ route = \"y\" }, { provider = \"b\", model = \"m\" }]\n",
    );
    let targets: Vec<String> =
        parse(&text).unwrap().routes[0].route.targets.iter().map(|it| it.target.to_string()).collect();
    assert_eq!(targets, ["a/m", "b/m"]);
    let many: Vec<String> = (0..201).map(|n| format!("{{ provider = \"a\", model = \"m{n}\" }}")).collect();
    let text = with_providers(&format!("[[route]]\nname = \"x\"\ntargets = [{}]\n", many.join(", ")));
    assert_eq!(problems(&text)[0].message, "A route has 200 targets at most; this one has 201.");
}

#[test]
fn what_contradicts_itself_is_refused_with_the_fix() {
    for (targets, rest, line, fix) in [
        ("{ provider = \"a\", model = \"m\" }", "hedge = \"p95\"", 10, "Add a target"),
        ("{ provider = \"a\", model = \"m\", weight = 0 }", "", 9, "Give one of them a weight"),
        ("{ provider = \"a\", model = \"m\", only_after = [\"slow\"] }", "", 9, "Take it away from one"),
        ("{ provider = \"a\", model = \"m\" }", "tiers = true", 10, "Add tier ="),
    ] {
        let text = with_providers(&format!("[[route]]\nname = \"x\"\ntargets = [{targets}]\n{rest}\n"));
        let found = problems(&text);
        assert_eq!((found.len(), found[0].line), (1, line), "{found:#?}");
        assert!(found[0].message.contains(fix), "{}", found[0]);
    }
    let text = with_providers(
        "[[route]]\nname = \"x\"\ntargets = [{ provider = \"a\", model = \"m\", tier = \"cheap\" }]\n\
         [[route.rule]]\nwhen = { tools = true }\ntier = \"cheap\"\n\
         [[route.rule]]\nwhen = { tools = true }\nuse = [\"a/m\"]\n",
    );
    let found = problems(&text);
    assert_eq!((found.len(), found[0].line), (1, 13), "{found:#?}");
    assert!(found[0].message.contains("the one on line 10 asks for the same"), "{}", found[0]);
}

#[test]
fn a_budget_below_the_price_of_a_request_is_refused_where_the_price_is_known() {
    let route = |model: &str| {
        format!("[[route]]\nname = \"x\"\ntargets = [{{ provider = \"a\", model = \"{model}\" }}]\n")
    };
    let budget = |amount: &str, scope: &str| {
        format!("[[budget]]\nname = \"b\"\namount = \"{amount}\"\nper = \"day\"\n{scope}\n")
    };
    let check = |model: &str, amount: &str, scope: &str| {
        parse(&with_providers(&format!("{}{}", route(model), budget(amount, scope))))
    };
    // A thousand tokens of gpt-4o cost a quarter of a cent, and a token of its answer a thousandth.
    let found = check("gpt-4o", "0.0025", "").unwrap_err();
    assert_eq!((found.len(), found[0].line, found[0].key.as_deref()), (1, 12, Some("budget.amount")));
    assert!(
        found[0].message.contains("a/gpt-4o is the cheapest") && found[0].message.contains("$0.00251 "),
        "{}",
        found[0]
    );
    assert!(check("gpt-4o", "0.00251", "").is_ok());
    assert!(check("gpt-4o", "0.0025", "model = \"other\"").is_ok(), "it is for no target of a route");
    assert!(check("made-up-model", "0.000001", "").is_ok(), "its price is not known");
}
