//! What requests are told apart by: `when = { … }` and `[[route.rule]]`.

use std::ops::Range;

use routing::classify::Class;
use routing::policy::{Condition, Rule, Then, Tier};

use super::nearest;
use super::reader::{Names, Reader, Table, span_of};
use super::routes::Placed;

const RULE_KEYS: &[&str] = &["when", "use", "tier"];
const CONDITION_KEYS: &[&str] = &[
    "models",
    "clients",
    "tags",
    "tasks",
    "min_input_tokens",
    "max_input_tokens",
    "tools",
    "images",
    "schema",
    "code",
];

pub(super) const TIERS: [(&str, Tier); 3] =
    [("cheap", Tier::Cheap), ("standard", Tier::Standard), ("complex", Tier::Complex)];

/// No model reads more.
const TOKENS: std::ops::RangeInclusive<u64> = 1..=1_000_000_000;

/// A rule whose names are not looked up yet.
pub(super) struct DraftRule {
    pub span: Range<usize>,
    when: Condition,
    then: DraftThen,
}

enum DraftThen {
    Names(Names),
    Tier(Tier, Range<usize>),
    /// Refused already.
    Nothing,
}

impl Reader<'_> {
    /// `when`, where it says something. `key` is its place (`route.rule.when`).
    pub(super) fn condition(&mut self, table: &Table<'_>, key: &str) -> Option<Condition> {
        let inner = self.inner(table, "when", key, "{ tools = true, max_input_tokens = 2000 }")?;
        self.refuse_unknown(inner, key, CONDITION_KEYS);
        let at = |name: &str| format!("{key}.{name}");
        let plain = |names: Option<Names>| names.into_iter().flatten().map(|(name, _)| name).collect();
        let condition = Condition {
            models: plain(self.names(inner, "models", &at("models"))),
            clients: plain(self.names(inner, "clients", &at("clients"))),
            tags: plain(self.names(inner, "tags", &at("tags"))),
            tasks: self.tasks(inner, &at("tasks")),
            min_input_tokens: self.whole(inner, "min_input_tokens", &at("min_input_tokens"), TOKENS),
            max_input_tokens: self.whole(inner, "max_input_tokens", &at("max_input_tokens"), TOKENS),
            tools: self.flag(inner, "tools", &at("tools")),
            images: self.flag(inner, "images", &at("images")),
            schema: self.flag(inner, "schema", &at("schema")),
            code: self.flag(inner, "code", &at("code")),
        };
        if let (Some(least), Some(most)) = (condition.min_input_tokens, condition.max_input_tokens)
            && least > most
        {
            let span = span_of(inner, "min_input_tokens").unwrap_or_default();
            let message = format!(
                "No request has at least {least} and at most {most} tokens. Exchange the two numbers, or take \
                 one away."
            );
            self.report(&span, &at("min_input_tokens"), message);
        }
        Some(condition)
    }

    fn tasks(&mut self, table: &Table<'_>, key: &str) -> Vec<Class> {
        let known = Class::ALL.map(|class| (class.as_str(), class));
        let words = self.names(table, "tasks", key).unwrap_or_default();
        words.iter().filter_map(|(word, span)| self.word(word, span, "tasks", key, &known)).collect()
    }

    pub(super) fn draft_rules(&mut self, route: &Table<'_>) -> Vec<DraftRule> {
        let mut rules = Vec::new();
        for (table, span) in self.tables(route, "rule") {
            self.refuse_unknown(table, "route.rule", RULE_KEYS);
            let when = self.condition(table, "route.rule.when").unwrap_or_default();
            let names = self.names(table, "use", "route.rule.use");
            let tier = self.choice(table, "tier", "route.rule.tier", &TIERS);
            let then = match (names, tier) {
                (Some(names), None) => DraftThen::Names(names),
                (None, Some(tier)) => {
                    DraftThen::Tier(tier, span_of(table, "tier").unwrap_or_else(|| span.clone()))
                }
                (None, None) if table.contains_key("use") || table.contains_key("tier") => DraftThen::Nothing,
                _ => {
                    let message =
                        "A rule says where its requests go: either use = [\"provider/model\", …] or \
                                   tier = \"cheap\"."
                            .to_owned();
                    self.report(&span, "route.rule", message);
                    DraftThen::Nothing
                }
            };
            rules.push(DraftRule { span, when, then });
        }
        self.refuse_unreachable(&rules);
        rules
    }

    /// The first rule that matches counts, so one behind a rule for everything, or for the very same,
    /// never does.
    fn refuse_unreachable(&mut self, rules: &[DraftRule]) {
        for (at, rule) in rules.iter().enumerate() {
            let hides =
                |earlier: &&DraftRule| earlier.when == Condition::default() || earlier.when == rule.when;
            if let Some(earlier) = rules[..at].iter().find(hides) {
                let line = self.line(&earlier.span);
                let why = if earlier.when == Condition::default() {
                    "holds for every request"
                } else {
                    "asks for the same"
                };
                let message = format!(
                    "This rule is never reached: the one on line {line} {why}, and the first that matches \
                     counts. Move it before that one."
                );
                self.report(&rule.span, "route.rule", message);
            }
        }
    }

    /// The rules with positions in the place of names.
    pub(super) fn rules(&mut self, drafts: Vec<DraftRule>, targets: &[Placed]) -> Vec<Rule> {
        let mut rules = Vec::new();
        for draft in drafts {
            let then = match draft.then {
                DraftThen::Names(names) => Then::Targets(self.positions(&names, targets)),
                DraftThen::Tier(tier, span) => {
                    if !targets.iter().any(|placed| placed.target.tier == Some(tier)) {
                        let message =
                            "No target of this route has that tier. Add it to one: { provider = …, \
                                       model = …, tier = … }."
                                .to_owned();
                        self.report(&span, "route.rule.tier", message);
                    }
                    Then::Tier(tier)
                }
                DraftThen::Nothing => continue,
            };
            rules.push(Rule { when: draft.when, then });
        }
        rules
    }

    fn positions(&mut self, names: &Names, targets: &[Placed]) -> Vec<usize> {
        let mut positions = Vec::new();
        for (name, span) in names {
            let found = targets.iter().enumerate().filter(|(_, placed)| placed.is_named(name));
            let found: Vec<usize> = found.map(|(at, _)| at).collect();
            if found.is_empty() {
                let known: Vec<String> = targets.iter().flat_map(Placed::names).collect();
                let nearest = nearest(name, known.iter().map(String::as_str));
                let message = format!(
                    "\"{name}\" is no target of this route. Write it as in `targets`: \"provider/model\"."
                );
                self.report_nearest(span, "route.rule.use", message, nearest);
            }
            positions.extend(found.into_iter().filter(|at| !positions.contains(at)).collect::<Vec<_>>());
        }
        positions
    }
}
