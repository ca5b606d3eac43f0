//! `[[limit]]` and `[routing]`: what holds for every route.

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};

use catalog::Kinds;
use jiff::tz::TimeZone;
use routing::Policy;
use routing::policy::{CircuitPolicy, Counted, HedgePolicy, LimitRule, RetryPolicy, Window};

use super::nearest;
use super::reader::{Reader, Table, number_of, span_of};
use crate::config::{Config, ProviderConfig, RouteConfig};

const ROUTING_KEYS: &[&str] = &["timezone", "circuit", "retry", "hedge"];
const CIRCUIT_KEYS: &[&str] = &[
    "consecutive_failures",
    "error_rate",
    "min_requests",
    "open_for",
    "open_max",
    "ramp",
    "dwell",
    "demote_429_share",
];
const RETRY_KEYS: &[&str] =
    &["attempts_per_target", "base", "cap", "share", "floor", "patience", "patience_with_alternative"];
const HEDGE_KEYS: &[&str] = &["share", "floor"];

/// The keys of a `[[limit]]` that count something.
const COUNTED: [(&str, Counted); 4] = [
    ("requests", Counted::Requests),
    ("tokens", Counted::Tokens),
    ("input_tokens", Counted::InputTokens),
    ("output_tokens", Counted::OutputTokens),
];
const WINDOWS: [(&str, Window); 4] =
    [("second", Window::Second), ("minute", Window::Minute), ("hour", Window::Hour), ("day", Window::Day)];

/// A limit past this limits nothing.
const MOST: RangeInclusive<u64> = 1..=1_000_000_000_000_000;
const SHARE: RangeInclusive<f64> = 0.0..=1.0;

impl Reader<'_> {
    pub(super) fn policy(
        &mut self,
        root: &Table<'_>,
        providers: &[ProviderConfig],
        routes: &[RouteConfig],
        kinds: &Kinds,
    ) -> Policy {
        let limits = self.limit_rules(root, providers);
        let budgets = self.budgets(root, providers, routes, kinds);
        let defaults = || (*Config::default().policy).clone();
        let Some(table) = self.table(root, "routing") else {
            return Policy { limits, budgets, ..defaults() };
        };
        self.refuse_unknown(table, "routing", ROUTING_KEYS);
        Policy {
            limits,
            budgets,
            circuit: self.circuit(table),
            retry: self.retry(table),
            hedge: self.hedge_share(table),
            zone: self.zone(table).unwrap_or_else(|| defaults().zone),
        }
    }

    // === Limits ===

    fn limit_rules(&mut self, root: &Table<'_>, providers: &[ProviderConfig]) -> Vec<LimitRule> {
        let keys = limit_keys();
        let known: Vec<&str> =
            ["provider", "model"].into_iter().chain(keys.iter().map(|(key, ..)| key.as_str())).collect();
        let mut seen: HashMap<(String, Option<String>, Counted, Window), usize> = HashMap::new();
        let mut rules = Vec::new();
        for (table, span) in self.tables(root, "limit") {
            self.refuse_unknown(table, "limit", &known);
            let provider = self.required(table, &span, "provider", "limit.provider");
            let model =
                table.contains_key("model").then(|| self.required(table, &span, "model", "limit.model"));
            let Some((provider, provider_span)) = provider else { continue };
            self.refuse_unknown_provider(&provider, &provider_span, "limit.provider", providers);
            let model = model.flatten().map(|(model, _)| model);
            if keys.iter().all(|(key, ..)| !table.contains_key(key.as_str())) {
                let message =
                    "A limit says how much: requests_per_minute = 60, tokens_per_day = …, concurrency = 4.";
                self.report(&span, "limit", message.to_owned());
            }
            for (key, counted, window) in &keys {
                let Some(most) = self.whole(table, key, &format!("limit.{key}"), MOST) else { continue };
                let at = span_of(table, key).unwrap_or_else(|| span.clone());
                let line = self.line(&at);
                let of = (provider.clone(), model.clone(), *counted, *window);
                if let Some(first) = seen.insert(of, line) {
                    let message =
                        format!("This limit was given already, on line {first}. Take one of them away.");
                    self.report(&at, &format!("limit.{key}"), message);
                }
                let (provider, model) = (provider.clone(), model.clone());
                rules.push(LimitRule { provider, model, counted: *counted, window: *window, most });
            }
        }
        rules
    }

    // === What holds for every route ===

    fn zone(&mut self, table: &Table<'_>) -> Option<TimeZone> {
        let (name, span) = self.text_at(table, "timezone", "routing.timezone")?;
        if let Ok(zone) = TimeZone::get(&name) {
            return Some(zone);
        }
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let nearest = nearest(&name, known.iter().map(String::as_str));
        let message = format!(
            "There is no time zone \"{name}\". Write its name, like \"Europe/Berlin\", or leave it out for this \
             machine's."
        );
        self.report_nearest(&span, "routing.timezone", message, nearest);
        None
    }

    fn circuit(&mut self, routing: &Table<'_>) -> CircuitPolicy {
        let mut circuit = CircuitPolicy::default();
        let Some(table) = self.inner(routing, "circuit", "routing.circuit", "{ open_for = \"15s\" }") else {
            return circuit;
        };
        let place = "routing.circuit";
        self.refuse_unknown(table, place, CIRCUIT_KEYS);
        let key = |name: &str| format!("{place}.{name}");
        for (name, field) in [
            ("consecutive_failures", &mut circuit.consecutive_failures),
            ("min_requests", &mut circuit.min_requests),
        ] {
            if let Some(count) = self.whole(table, name, &key(name), 1..=1_000_000) {
                *field = count as u32;
            }
        }
        for (name, field) in
            [("error_rate", &mut circuit.error_rate), ("demote_429_share", &mut circuit.demote_429_share)]
        {
            if let Some(share) = self.number(table, name, &key(name), 0.01..=1.0) {
                *field = share;
            }
        }
        for (name, field) in [
            ("open_for", &mut circuit.open_for),
            ("open_max", &mut circuit.open_max),
            ("dwell", &mut circuit.dwell),
        ] {
            if let Some(duration) = self.duration(table, name, &key(name)) {
                *field = duration;
            }
        }
        if let Some(ramp) = self.ramp(table) {
            circuit.ramp = ramp;
        }
        if circuit.open_for > circuit.open_max {
            let message =
                "open_for is longer than open_max, up to which it doubles. Exchange them, or raise open_max.";
            self.report_either(table, ["open_for", "open_max"], place, message);
        }
        circuit
    }

    fn ramp(&mut self, table: &Table<'_>) -> Option<[f64; 3]> {
        let value = table.get("ramp")?;
        let shares: Option<Vec<f64>> =
            value.get_ref().as_array().and_then(|array| array.iter().map(number_of).collect());
        let ramp = shares.and_then(|shares| <[f64; 3]>::try_from(shares).ok());
        let ramp = ramp.filter(|[one, two, three]| 0.0 < *one && one < two && two < three && *three < 1.0);
        if ramp.is_none() {
            let message =
                "`ramp` is three shares of the traffic that grow, each between 0 and 1: [0.01, 0.05, 0.25].";
            self.report(&value.span(), "routing.circuit.ramp", message.to_owned());
        }
        ramp
    }

    fn retry(&mut self, routing: &Table<'_>) -> RetryPolicy {
        let mut retry = RetryPolicy::default();
        let Some(table) = self.inner(routing, "retry", "routing.retry", "{ share = 0.2 }") else {
            return retry;
        };
        let place = "routing.retry";
        self.refuse_unknown(table, place, RETRY_KEYS);
        let key = |name: &str| format!("{place}.{name}");
        if let Some(count) = self.whole(table, "attempts_per_target", &key("attempts_per_target"), 1..=10) {
            retry.attempts_per_target = count as u32;
        }
        if let Some(count) = self.whole(table, "floor", &key("floor"), 0..=1_000_000) {
            retry.floor = count as u32;
        }
        if let Some(share) = self.number(table, "share", &key("share"), SHARE) {
            retry.share = share;
        }
        for (name, field) in [
            ("base", &mut retry.base),
            ("cap", &mut retry.cap),
            ("patience", &mut retry.patience),
            ("patience_with_alternative", &mut retry.patience_with_alternative),
        ] {
            if let Some(duration) = self.duration(table, name, &key(name)) {
                *field = duration;
            }
        }
        if retry.base > retry.cap {
            let message = "base is longer than cap, up to which it doubles. Exchange them, or raise cap.";
            self.report_either(table, ["base", "cap"], place, message);
        }
        retry
    }

    fn hedge_share(&mut self, routing: &Table<'_>) -> HedgePolicy {
        let mut hedge = HedgePolicy::default();
        let Some(table) = self.inner(routing, "hedge", "routing.hedge", "{ share = 0.05 }") else {
            return hedge;
        };
        self.refuse_unknown(table, "routing.hedge", HEDGE_KEYS);
        if let Some(share) = self.number(table, "share", "routing.hedge.share", SHARE) {
            hedge.share = share;
        }
        if let Some(count) = self.whole(table, "floor", "routing.hedge.floor", 0..=1_000_000) {
            hedge.floor = count as u32;
        }
        hedge
    }

    /// Reports two keys that contradict each other where the first of them stands.
    fn report_either(&mut self, table: &Table<'_>, names: [&str; 2], place: &str, message: &str) {
        let found: Option<(&str, Range<usize>)> =
            names.into_iter().find_map(|name| Some((name, span_of(table, name)?)));
        let (name, span) = found.unwrap_or((names[0], 0..0));
        self.report(&span, &format!("{place}.{name}"), message.to_owned());
    }
}

/// `requests_per_minute` and so on, and `concurrency`.
fn limit_keys() -> Vec<(String, Counted, Window)> {
    let per = COUNTED.iter().flat_map(|(what, counted)| {
        WINDOWS.iter().map(move |(per, window)| (format!("{what}_per_{per}"), *counted, *window))
    });
    per.chain([("concurrency".to_owned(), Counted::Concurrency, Window::Now)]).collect()
}
