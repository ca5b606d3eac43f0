//! `[[budget]]`: sums that may be spent.

use std::collections::HashMap;
use std::ops::Range;

use canonical::glob::fits;
use canonical::{PicoUsd, Usage};
use catalog::{Kinds, PriceQuery};
use routing::Target;
use routing::policy::{BudgetRule, OverBudget, Period, Scope};
use toml::de::{DeFloat, DeInteger};

use super::nearest;
use super::reader::{Reader, Table, span_of};
use crate::config::{ProviderConfig, REHEARSAL_ID, RouteConfig};

const BUDGET_KEYS: &[&str] =
    &["name", "amount", "per", "client", "model", "provider", "route", "then", "warn_at"];

const PERIODS: [(&str, Period); 4] =
    [("hour", Period::Hour), ("day", Period::Day), ("week", Period::Week), ("month", Period::Month)];

/// From here on a budget warns, unless told otherwise.
const WARN_AT_PERCENT: u8 = 80;

/// The smallest request that a budget has to hold: a question of 1,000 tokens and one token of an
/// answer. An amount below that at every target would stop everything.
const SMALL_REQUEST: (u64, u64) = (1_000, 1);

impl Reader<'_> {
    pub(super) fn budgets(
        &mut self,
        root: &Table<'_>,
        providers: &[ProviderConfig],
        routes: &[RouteConfig],
        kinds: &Kinds,
    ) -> Vec<BudgetRule> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut budgets = Vec::new();
        for (table, span) in self.tables(root, "budget") {
            let Some(budget) = self.budget(table, &span, providers, routes) else { continue };
            let line = self.line(&span);
            if let Some(first) = seen.insert(budget.name.clone(), line) {
                let message = format!(
                    "The budget name \"{}\" is used twice; the first is on line {first}.",
                    budget.name
                );
                self.report(&span, "budget.name", message);
            }
            if let Some((cheapest, target)) = cheapest(&budget.scope, providers, routes, kinds)
                && budget.amount < cheapest
            {
                let span = span_of(table, "amount").unwrap_or_else(|| span.clone());
                let message = format!(
                    "This is less than one request costs: {target} is the cheapest target that it is for, and takes \
                     ${} for 1,000 tokens. Raise the amount.",
                    dollars(cheapest)
                );
                self.report(&span, "budget.amount", message);
            }
            budgets.push(budget);
        }
        budgets
    }

    fn budget(
        &mut self,
        table: &Table<'_>,
        span: &Range<usize>,
        providers: &[ProviderConfig],
        routes: &[RouteConfig],
    ) -> Option<BudgetRule> {
        self.refuse_unknown(table, "budget", BUDGET_KEYS);
        let name = self.required(table, span, "name", "budget.name");
        let amount = self.amount(table, span);
        let per = if table.contains_key("per") {
            self.choice(table, "per", "budget.per", &PERIODS)
        } else {
            let message = "`budget.per` is missing: \"hour\", \"day\", \"week\" or \"month\".".to_owned();
            self.report(span, "budget.per", message);
            None
        };
        let scope = self.scope(table, providers, routes);
        let then = self.then(table, &scope, routes);
        let warn_at = self.whole(table, "warn_at", "budget.warn_at", 1..=100);
        Some(BudgetRule {
            name: name?.0,
            scope,
            amount: amount?,
            per: per?,
            then: then?,
            warn_at_percent: warn_at.map_or(WARN_AT_PERCENT, |percent| percent as u8),
        })
    }

    /// Dollars, exactly as they are written: as text or as a number.
    fn amount(&mut self, table: &Table<'_>, span: &Range<usize>) -> Option<PicoUsd> {
        let Some(value) = table.get("amount") else {
            let message = "`budget.amount` is missing: dollars, like \"8.00\".".to_owned();
            self.report(span, "budget.amount", message);
            return None;
        };
        let written = value.get_ref();
        let number = || written.as_integer().filter(|it| it.radix() == 10).map(DeInteger::as_str);
        let text = written.as_str().or_else(number).or_else(|| written.as_float().map(DeFloat::as_str));
        let amount = text.and_then(|text| PicoUsd::from_decimal_usd(text.trim_start_matches('+')));
        let amount = amount.filter(|amount| *amount > PicoUsd::ZERO);
        if amount.is_none() {
            let message = "`amount` is dollars above 0, like \"8.00\".".to_owned();
            self.report(&value.span(), "budget.amount", message);
        }
        amount
    }

    fn scope(&mut self, table: &Table<'_>, providers: &[ProviderConfig], routes: &[RouteConfig]) -> Scope {
        let providers: Vec<&str> =
            providers.iter().map(|provider| provider.id.as_str()).chain([REHEARSAL_ID]).collect();
        let routes: Vec<&str> = routes.iter().map(RouteConfig::name).collect();
        Scope {
            client: self.glob(table, "client", None),
            model: self.glob(table, "model", None),
            provider: self.glob(table, "provider", Some(&providers)),
            route: self.glob(table, "route", Some(&routes)),
        }
    }

    /// A name with wildcards; where all names are `known`, one of them has to be meant.
    fn glob(&mut self, table: &Table<'_>, name: &str, known: Option<&[&str]>) -> Option<String> {
        let key = format!("budget.{name}");
        let span = table.contains_key(name).then_some(0..0)?;
        let (glob, span) = self.required(table, &span, name, &key)?;
        if let Some(known) = known
            && !known.iter().any(|known| fits(&glob, known))
        {
            let message = format!("There is no {name} \"{glob}\" in this file, so nothing would count.");
            self.report_nearest(&span, &key, message, nearest(&glob, known.iter().copied()));
        }
        Some(glob)
    }

    fn then(&mut self, table: &Table<'_>, scope: &Scope, routes: &[RouteConfig]) -> Option<OverBudget> {
        let Some(value) = table.get("then") else { return Some(OverBudget::Block) };
        if value.get_ref().as_str().is_some() {
            let known = [("block", OverBudget::Block), ("warn", OverBudget::Warn)];
            return self.choice(table, "then", "budget.then", &known);
        }
        let Some(inner) = value.get_ref().as_table() else {
            let message = "`then` is \"block\", \"warn\" or { route = \"…\" }.".to_owned();
            self.report(&value.span(), "budget.then", message);
            return None;
        };
        self.refuse_unknown(inner, "budget.then", &["route"]);
        let (name, span) = self.required(inner, &value.span(), "route", "budget.then.route")?;
        if !routes.iter().any(|route| route.name() == name) {
            let nearest = nearest(&name, routes.iter().map(RouteConfig::name));
            let message = format!("There is no route \"{name}\" in this file.");
            self.report_nearest(&span, "budget.then.route", message, nearest);
        } else if scope.route.as_deref() == Some(name.as_str()) {
            let message = format!(
                "The budget is for the route \"{name}\" alone, so leading there saves nothing. Name another route, or \
                 write \"block\"."
            );
            self.report(&span, "budget.then.route", message);
        }
        Some(OverBudget::Downgrade(name))
    }
}

/// What the smallest request costs at the cheapest of the targets that routes name and the scope
/// means. `None` where one of them has no known price, or none: then the amount may be enough.
fn cheapest<'r>(
    scope: &Scope,
    providers: &[ProviderConfig],
    routes: &'r [RouteConfig],
    kinds: &Kinds,
) -> Option<(PicoUsd, &'r Target)> {
    let means = |glob: &Option<String>, name: &str| glob.as_ref().is_none_or(|glob| fits(glob, name));
    let meant = routes.iter().filter(|route| means(&scope.route, route.name()));
    let targets = meant.flat_map(|route| &route.route.targets).map(|it| &it.target);
    let targets = targets
        .filter(|target| means(&scope.provider, &target.provider) && means(&scope.model, &target.model));
    let mut cheapest: Option<(PicoUsd, &Target)> = None;
    for target in targets {
        let price = price(target, providers, kinds)?;
        if cheapest.is_none_or(|(least, _)| price < least) {
            cheapest = Some((price, target));
        }
    }
    cheapest
}

/// `None` where it is not known, or nothing.
fn price(target: &Target, providers: &[ProviderConfig], kinds: &Kinds) -> Option<PicoUsd> {
    let provider = providers.iter().find(|provider| provider.id == target.provider)?;
    let kind = kinds.get(&provider.kind)?;
    let (input_tokens, output_tokens) = SMALL_REQUEST;
    let usage = Usage { input_tokens, output_tokens, ..Usage::default() };
    let query = PriceQuery {
        is_free: kind.is_free,
        ..PriceQuery::new(kind.price_provider.as_deref(), &target.model, &usage, 0)
    };
    catalog::price(&query).cost.filter(|cost| *cost > PicoUsd::ZERO)
}

/// An amount as people write it.
fn dollars(amount: PicoUsd) -> String {
    let text = format!("{}.{:012}", amount.0 / PicoUsd::PER_USD, amount.0 % PicoUsd::PER_USD);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
