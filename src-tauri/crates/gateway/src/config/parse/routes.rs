//! `[[route]]`: read one by one, then put into each other.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use routing::policy::{Cause, Commit, HedgeAfter, OnBreak, Route, RouteTarget, ScoreWeights, Sticky, Tier};
use routing::{STRATEGIES, StrategyId, Target};

use super::conditions::{DraftRule, TIERS};
use super::reader::{Reader, Table, Value, span_of};
use super::{is_id, nearest, values};
use crate::config::{ProviderConfig, REHEARSAL_ID, RouteConfig};

const ROUTE_KEYS: &[&str] = &[
    "name",
    "strategy",
    "score",
    "targets",
    "rule",
    "tiers",
    "sticky",
    "hedge",
    "hold",
    "on_break",
    "total",
    "first_content",
    "tool_check",
    "output_check",
];
const TARGET_KEYS: &[&str] = &["provider", "model", "route", "weight", "tier", "only_after", "when"];
const SCORE_KEYS: &[&str] = &["latency", "errors", "cost", "quota"];
const HOLD_KEYS: &[&str] = &["chars", "within"];

const ON_BREAK: [(&str, OnBreak); 3] =
    [("end", OnBreak::End), ("restart", OnBreak::Restart), ("continue", OnBreak::Continue)];

/// Past this a route is a mistake, or routes that hold each other several times.
const MOST_TARGETS: usize = 200;

/// As much text as anybody would hold back; what `hold.within` alone stands for.
const MOST_HELD_CHARS: usize = 100_000;

/// One `[[route]]` before its names are looked up.
struct Draft<'v, 'i> {
    table: &'v Table<'i>,
    span: Range<usize>,
    /// Without targets and rules.
    route: Route,
    entries: Vec<Entry>,
    rules: Vec<DraftRule>,
    config: RouteConfig,
}

enum Entry {
    Target(RouteTarget),
    /// Another route's targets.
    Route {
        name: String,
        span: Range<usize>,
        weight: Option<u32>,
        tier: Option<Tier>,
        only_after: Vec<Cause>,
    },
}

/// A target, and the routes that it came through.
#[derive(Clone)]
pub(super) struct Placed {
    pub target: RouteTarget,
    via: Vec<String>,
}

impl Placed {
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.target.target.to_string() == name || self.via.iter().any(|route| route == name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        std::iter::once(self.target.target.to_string()).chain(self.via.iter().cloned())
    }
}

/// What is known of a route's targets.
enum State {
    New,
    /// Being looked up: who meets it again goes in a circle.
    UnderWay,
    Done(Vec<Placed>),
}

impl Reader<'_> {
    pub(super) fn routes(&mut self, root: &Table<'_>, providers: &[ProviderConfig]) -> Vec<RouteConfig> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut drafts = Vec::new();
        for (table, span) in self.tables(root, "route") {
            let Some(draft) = self.draft(table, span, providers) else { continue };
            let (line, name) = (self.line(&draft.span), draft.route.name.clone());
            if let Some(first) = seen.insert(name.clone(), line) {
                let message =
                    format!("The route name \"{name}\" is used twice; the first is on line {first}.");
                self.report(&draft.span, "route.name", message);
            }
            drafts.push(draft);
        }
        let mut states: Vec<State> = drafts.iter().map(|_| State::New).collect();
        for at in 0..drafts.len() {
            self.place(&drafts, &mut states, at, &mut Vec::new());
        }
        let placed = states.into_iter().map(|state| match state {
            State::Done(placed) => placed,
            State::New | State::UnderWay => Vec::new(),
        });
        drafts.into_iter().zip(placed).map(|(draft, placed)| self.finish(draft, placed)).collect()
    }

    fn draft<'v, 'i>(
        &mut self,
        table: &'v Table<'i>,
        span: Range<usize>,
        providers: &[ProviderConfig],
    ) -> Option<Draft<'v, 'i>> {
        self.refuse_unknown(table, "route", ROUTE_KEYS);
        let name = self.required(table, &span, "name", "route.name");
        let strategy = self.strategy(table);
        let entries = self.entries(table, &span, providers);
        let route = Route {
            strategy,
            score: self.score(table, strategy),
            tiers: self.flag(table, "tiers", "route.tiers").unwrap_or_default(),
            sticky: self.sticky(table),
            hedge: self.hedge(table),
            commit: self.hold(table),
            on_break: self.choice(table, "on_break", "route.on_break", &ON_BREAK).unwrap_or_default(),
            total: self.duration(table, "total", "route.total"),
            first_content: self.duration(table, "first_content", "route.first_content"),
            ..Route::new("", [])
        };
        let rules = self.draft_rules(table);
        let tool_check = self.mode(table, "tool_check", "route.tool_check");
        let output_check = self.mode(table, "output_check", "route.output_check");
        let (name, name_span) = name?;
        if !is_id(&name) {
            self.report(
                &name_span,
                "route.name",
                format!(
                    "\"{name}\" cannot be a route's name: use letters, digits, \"-\", \"_\" and \".\" \
                     (with a slash it would read as provider/model)."
                ),
            );
        }
        let route = Route { name, ..route };
        let config = RouteConfig { route: Arc::new(route.clone()), tool_check, output_check };
        Some(Draft { table, span, route, entries, rules, config })
    }

    fn strategy(&mut self, table: &Table<'_>) -> StrategyId {
        let Some((name, span)) = self.text_at(table, "strategy", "route.strategy") else {
            return StrategyId::default();
        };
        StrategyId::from_name(&name).unwrap_or_else(|| {
            let known: Vec<&str> = STRATEGIES.iter().map(|id| id.as_str()).collect();
            let message = format!("There is no strategy \"{name}\"; this version has: {}.", known.join(", "));
            let nearest = nearest(&name, known);
            self.report_nearest(&span, "route.strategy", message, nearest);
            StrategyId::default()
        })
    }

    fn score(&mut self, table: &Table<'_>, strategy: StrategyId) -> ScoreWeights {
        let mut weights = ScoreWeights::default();
        let example = "{ latency = 1.0, errors = 2.0, cost = 1.0, quota = 0.5 }";
        let Some(inner) = self.inner(table, "score", "route.score", example) else { return weights };
        self.refuse_unknown(inner, "route.score", SCORE_KEYS);
        for (name, field) in [
            ("latency", &mut weights.latency),
            ("errors", &mut weights.errors),
            ("cost", &mut weights.cost),
            ("quota", &mut weights.quota),
        ] {
            if let Some(weight) = self.number(inner, name, &format!("route.score.{name}"), 0.0..=1_000.0) {
                *field = weight;
            }
        }
        let span = span_of(table, "score").unwrap_or_default();
        if weights.latency + weights.errors + weights.cost + weights.quota <= 0.0 {
            let message = "With every weight zero all targets score alike. Give one of them a weight.";
            self.report(&span, "route.score", message.to_owned());
        }
        if strategy.as_str() != "score" {
            let message = "`score` counts only with strategy = \"score\". Write that, or take `score` away.";
            self.report(&span, "route.score", message.to_owned());
        }
        weights
    }

    /// A duration, or false.
    fn sticky(&mut self, table: &Table<'_>) -> Option<Sticky> {
        if table.get("sticky").is_some_and(|value| value.get_ref().as_bool() == Some(false)) {
            return None;
        }
        if table.get("sticky").is_some_and(|value| value.get_ref().as_str().is_none()) {
            let span = span_of(table, "sticky").unwrap_or_default();
            let message = "`sticky` is how long a conversation is remembered, like \"10m\", or false.";
            self.report(&span, "route.sticky", message.to_owned());
            return None;
        }
        self.duration(table, "sticky", "route.sticky").map(|idle| Sticky { idle })
    }

    /// `p95`, a duration, or a share of the time for the first content.
    fn hedge(&mut self, table: &Table<'_>) -> Option<HedgeAfter> {
        let (text, span) = self.text_at(table, "hedge", "route.hedge")?;
        let hedge = match text.strip_suffix('%') {
            _ if text == "p95" => Some(HedgeAfter::P95),
            Some(percent) => percent
                .trim()
                .parse::<u8>()
                .ok()
                .filter(|percent| (1..=99).contains(percent))
                .map(|percent| HedgeAfter::Share(f64::from(percent) / 100.0)),
            None => values::duration(&text).map(HedgeAfter::Fixed),
        };
        if hedge.is_none() {
            let message = format!(
                "\"{text}\" does not say when a second target is asked. Write \"p95\", a duration like \"2s\", or \
                 a share of the time for the first content like \"25%\"."
            );
            self.report(&span, "route.hedge", message);
        }
        hedge
    }

    fn hold(&mut self, table: &Table<'_>) -> Commit {
        let example = "{ chars = 200, within = \"1s\" }";
        let Some(inner) = self.inner(table, "hold", "route.hold", example) else { return Commit::default() };
        self.refuse_unknown(inner, "route.hold", HOLD_KEYS);
        let within: Option<Duration> = self.duration(inner, "within", "route.hold.within");
        let chars = self.whole(inner, "chars", "route.hold.chars", 0..=MOST_HELD_CHARS as u64);
        if inner.is_empty() {
            let span = span_of(table, "hold").unwrap_or_default();
            let message = format!("`hold` says how much is held back: hold = {example}.");
            self.report(&span, "route.hold", message);
        }
        let all_of_it = if within.is_some() { MOST_HELD_CHARS } else { 0 };
        Commit { chars: chars.map_or(all_of_it, |chars| chars as usize), within }
    }

    // === Targets ===

    fn entries(
        &mut self,
        table: &Table<'_>,
        span: &Range<usize>,
        providers: &[ProviderConfig],
    ) -> Vec<Entry> {
        let items = table.get("targets").and_then(|value| value.get_ref().as_array());
        let Some(items) = items.filter(|items| !items.is_empty()) else {
            let at = span_of(table, "targets").unwrap_or_else(|| span.clone());
            let message = "A route needs targets: [{ provider = \"…\", model = \"…\" }, …].".to_owned();
            self.report(&at, "route.targets", message);
            return Vec::new();
        };
        items.iter().filter_map(|item| self.entry(item, providers)).collect()
    }

    fn entry(&mut self, item: &Value<'_>, providers: &[ProviderConfig]) -> Option<Entry> {
        let Some(table) = item.get_ref().as_table() else {
            let message = "A target is { provider = \"…\", model = \"…\" } or { route = \"…\" }.".to_owned();
            self.report(&item.span(), "route.targets", message);
            return None;
        };
        self.refuse_unknown(table, "route.targets", TARGET_KEYS);
        let weight = self.whole(table, "weight", "route.targets.weight", 0..=1_000_000).map(|it| it as u32);
        let tier = self.choice(table, "tier", "route.targets.tier", &TIERS);
        let only_after = self.causes(table);
        let when = self.condition(table, "route.targets.when");
        if table.contains_key("route") {
            return self.nested(table, weight, tier, only_after);
        }
        let provider = self.required(table, &item.span(), "provider", "route.targets.provider");
        let model = self.required(table, &item.span(), "model", "route.targets.model");
        let ((provider, span), (model, _)) = (provider?, model?);
        self.refuse_unknown_provider(&provider, &span, "route.targets.provider", providers);
        let target = RouteTarget::new(Target { provider, model });
        let weight = weight.unwrap_or(target.weight);
        Some(Entry::Target(RouteTarget { weight, tier, only_after, when, ..target }))
    }

    fn nested(
        &mut self,
        table: &Table<'_>,
        weight: Option<u32>,
        tier: Option<Tier>,
        only_after: Vec<Cause>,
    ) -> Option<Entry> {
        for name in ["provider", "model", "when"] {
            if let Some(span) = span_of(table, name) {
                let message = format!(
                    "`{name}` cannot stand beside `route`: the targets of that route have their own."
                );
                self.report(&span, &format!("route.targets.{name}"), message);
            }
        }
        let (name, span) = self.text_at(table, "route", "route.targets.route")?;
        Some(Entry::Route { name, span, weight, tier, only_after })
    }

    fn causes(&mut self, table: &Table<'_>) -> Vec<Cause> {
        let key = "route.targets.only_after";
        let known = Cause::ALL.map(|cause| (cause.as_str(), cause));
        let words = self.names(table, "only_after", key).unwrap_or_default();
        words.iter().filter_map(|(word, span)| self.word(word, span, "only_after", key, &known)).collect()
    }

    pub(super) fn refuse_unknown_provider(
        &mut self,
        provider: &str,
        span: &Range<usize>,
        key: &str,
        providers: &[ProviderConfig],
    ) {
        let known = || providers.iter().map(|provider| provider.id.as_str()).chain([REHEARSAL_ID]);
        if !known().any(|id| id == provider) {
            let nearest = nearest(provider, known());
            let message = format!("There is no provider \"{provider}\" in this file.");
            self.report_nearest(span, key, message, nearest);
        }
    }

    // === Routes inside of routes ===

    /// Looks up the targets of the route at `at`. `path` is how it was reached.
    fn place(&mut self, drafts: &[Draft<'_, '_>], states: &mut [State], at: usize, path: &mut Vec<usize>) {
        if !matches!(states[at], State::New) {
            return;
        }
        states[at] = State::UnderWay;
        path.push(at);
        let mut placed: Vec<Placed> = Vec::new();
        for entry in &drafts[at].entries {
            match entry {
                Entry::Target(target) => placed.push(Placed { target: target.clone(), via: Vec::new() }),
                Entry::Route { name, span, weight, tier, only_after } => {
                    let Some(inner) = self.route_named(drafts, name, span) else { continue };
                    self.place(drafts, states, inner, path);
                    let State::Done(targets) = &states[inner] else {
                        self.report(span, "route.targets.route", circle(drafts, path, inner));
                        continue;
                    };
                    for one in targets {
                        let mut one = one.clone();
                        one.via.push(name.clone());
                        let target = &mut one.target;
                        target.weight = target.weight.saturating_mul(weight.unwrap_or(1));
                        target.tier = tier.or(target.tier);
                        if target.only_after.is_empty() {
                            target.only_after.clone_from(only_after);
                        }
                        // Reached twice, it is one target still.
                        let is_same = |other: &Placed| {
                            (&other.target.target, &other.target.when)
                                == (&one.target.target, &one.target.when)
                        };
                        if !placed.iter().any(is_same) {
                            placed.push(one);
                        }
                    }
                }
            }
        }
        if placed.len() > MOST_TARGETS {
            let draft = &drafts[at];
            let span = span_of(draft.table, "targets").unwrap_or_else(|| draft.span.clone());
            let message =
                format!("A route has {MOST_TARGETS} targets at most; this one has {}.", placed.len());
            self.report(&span, "route.targets", message);
            placed.truncate(MOST_TARGETS);
        }
        path.pop();
        states[at] = State::Done(placed);
    }

    fn route_named(&mut self, drafts: &[Draft<'_, '_>], name: &str, span: &Range<usize>) -> Option<usize> {
        let found = drafts.iter().position(|draft| draft.route.name == name);
        if found.is_none() {
            let nearest = nearest(name, drafts.iter().map(|draft| draft.route.name.as_str()));
            let message = format!("There is no route \"{name}\" in this file.");
            self.report_nearest(span, "route.targets.route", message, nearest);
        }
        found
    }

    fn finish(&mut self, draft: Draft<'_, '_>, placed: Vec<Placed>) -> RouteConfig {
        self.refuse_contradictions(&draft, &placed);
        let rules = self.rules(draft.rules, &placed);
        let targets = placed.into_iter().map(|placed| placed.target).collect();
        let route = Route { targets, rules, ..draft.route };
        RouteConfig { route: Arc::new(route), ..draft.config }
    }

    /// What is right by itself and wrong together.
    fn refuse_contradictions(&mut self, draft: &Draft<'_, '_>, placed: &[Placed]) {
        let (table, route) = (draft.table, &draft.route);
        let at = |name: &str| span_of(table, name).unwrap_or_else(|| draft.span.clone());
        if let (Some(first), Some(total)) = (route.first_content, route.total)
            && first > total
        {
            let message = "first_content is longer than total, so it would never count. Exchange them.";
            self.report(&at("first_content"), "route.first_content", message.to_owned());
        }
        if placed.is_empty() {
            return;
        }
        if placed.len() == 1 && route.hedge.is_some() {
            let message =
                "With one target there is nobody to ask beside it. Add a target, or take `hedge` away.";
            self.report(&at("hedge"), "route.hedge", message.to_owned());
        }
        if placed.iter().all(|placed| placed.target.weight == 0) {
            let message =
                "Every target has the weight 0, so none could be chosen. Give one of them a weight.";
            self.report(&at("targets"), "route.targets.weight", message.to_owned());
        }
        if placed.iter().all(|placed| !placed.target.only_after.is_empty()) {
            let message = "Every target waits for another one to fail (only_after), so none would be asked first. \
                           Take it away from one of them.";
            self.report(&at("targets"), "route.targets.only_after", message.to_owned());
        }
        if route.tiers && placed.iter().all(|placed| placed.target.tier.is_none()) {
            let message = "`tiers` chooses by the tier of the targets, and none has one. Add tier = \"cheap\", \
                           \"standard\" or \"complex\" to them.";
            self.report(&at("tiers"), "route.tiers", message.to_owned());
        }
    }
}

fn circle(drafts: &[Draft<'_, '_>], path: &[usize], inner: usize) -> String {
    let from = path.iter().position(|at| *at == inner).unwrap_or(0);
    let names = path[from..].iter().chain([&inner]).map(|at| drafts[*at].route.name.as_str());
    let names: Vec<&str> = names.collect();
    format!("The routes lead in a circle: {}. Take one of them out.", names.join(" → "))
}
