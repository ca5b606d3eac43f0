//! Names of the user's own for targets: as the settings say them, and changed there.

use std::time::Duration;

use gateway::config::edit::{RouteEntry, RouteKey};
use gateway::{Config, ConfigEdit};
use routing::policy::{
    BudgetRule, Condition, HedgeAfter, OnBreak, OverBudget, Period, Route, RouteTarget, Rule, Then, Tier,
};

use crate::control::Control;
use crate::error::{ControlError, Result};
use crate::types::{
    BudgetRuleView, ConditionView, Empty, HedgeView, IdArgs, RouteRuleView, RouteTargetView, RouteView,
    SaveRouteArgs,
};

pub(crate) async fn list(control: &Control, _: Empty) -> Result<Vec<RouteView>> {
    let config = control.gateway().config();
    let routes = config.routes.iter();
    Ok(routes
        .map(|it| RouteView {
            tool_check: it.tool_check.map(|mode| mode.as_str().to_owned()),
            output_check: it.output_check.map(|mode| mode.as_str().to_owned()),
            budgets: budgets(&config, &it.route),
            ..route(&it.route)
        })
        .collect())
}

/// Changes a route, or adds one. The file's comments stay, and so does what is not named here.
pub(crate) async fn save(control: &Control, args: SaveRouteArgs) -> Result<()> {
    let config = control.gateway().config();
    let existing = config.routes.iter().find(|route| route.name() == args.name);
    let mut edits = Vec::new();
    if let Some(targets) = &args.targets {
        let strategy = existing.map_or_else(Default::default, |route| route.route.strategy);
        edits.push(ConfigEdit::PutRoute(RouteEntry {
            name: args.name.clone(),
            strategy: args.strategy.clone().unwrap_or_else(|| strategy.as_str().to_owned()),
            targets: targets.iter().map(|it| (it.provider.clone(), it.model.clone())).collect(),
            tool_check: None,
            output_check: None,
        }));
    } else if existing.is_none() {
        return Err(ControlError::not_found("route", &args.name));
    }
    let keys = keys(&args);
    if !keys.is_empty() {
        edits.push(ConfigEdit::SetRouteKeys { name: args.name, keys });
    }
    control.gateway().edit_config(ConfigEdit::All(edits)).await?;
    Ok(())
}

pub(crate) async fn remove(control: &Control, args: IdArgs) -> Result<()> {
    control.gateway().edit_config(ConfigEdit::RemoveRoute { name: args.id }).await?;
    Ok(())
}

fn keys(args: &SaveRouteArgs) -> Vec<(RouteKey, Option<String>)> {
    let said = [
        (RouteKey::Strategy, &args.strategy),
        (RouteKey::OnBreak, &args.on_break),
        (RouteKey::Sticky, &args.sticky),
        (RouteKey::Hedge, &args.hedge),
        (RouteKey::Total, &args.total),
        (RouteKey::FirstContent, &args.first_content),
        (RouteKey::ToolCheck, &args.tool_check),
        (RouteKey::OutputCheck, &args.output_check),
    ];
    let given = said.into_iter().filter_map(|(key, text)| Some((key, text.clone()?)));
    given.map(|(key, text)| (key, Some(text.trim().to_owned()).filter(|text| !text.is_empty()))).collect()
}

/// Without what stands beside it in the settings.
fn route(route: &Route) -> RouteView {
    RouteView {
        name: route.name.clone(),
        strategy: route.strategy.as_str().to_owned(),
        targets: route.targets.iter().map(target).collect(),
        rules: route.rules.iter().map(rule).collect(),
        tiers: route.tiers,
        sticky_ms: route.sticky.map(|sticky| millis(sticky.idle)),
        hedge: route.hedge.map(hedge),
        hold_chars: route.commit.chars as u64,
        hold_ms: route.commit.within.map(millis),
        on_break: on_break(route.on_break).to_owned(),
        total_ms: route.total.map(millis),
        first_content_ms: route.first_content.map(millis),
        tool_check: None,
        output_check: None,
        budgets: Vec::new(),
    }
}

fn target(it: &RouteTarget) -> RouteTargetView {
    RouteTargetView {
        provider: it.target.provider.clone(),
        model: it.target.model.clone(),
        weight: it.weight,
        tier: it.tier.map(|it| tier(it).to_owned()),
        only_after: it.only_after.iter().map(|cause| cause.as_str().to_owned()).collect(),
        when: it.when.as_ref().map(condition),
    }
}

fn rule(rule: &Rule) -> RouteRuleView {
    let (targets, by_tier) = match &rule.then {
        Then::Targets(positions) => {
            (positions.iter().filter_map(|at| u32::try_from(*at).ok()).collect(), None)
        }
        Then::Tier(it) => (Vec::new(), Some(tier(*it).to_owned())),
    };
    RouteRuleView { when: condition(&rule.when), targets, tier: by_tier }
}

fn condition(it: &Condition) -> ConditionView {
    ConditionView {
        models: it.models.clone(),
        clients: it.clients.clone(),
        tags: it.tags.clone(),
        tasks: it.tasks.iter().map(|class| class.as_str().to_owned()).collect(),
        min_input_tokens: it.min_input_tokens,
        max_input_tokens: it.max_input_tokens,
        tools: it.tools,
        images: it.images,
        schema: it.schema,
        code: it.code,
    }
}

fn hedge(hedge: HedgeAfter) -> HedgeView {
    let (is_p95, after_ms, share) = match hedge {
        HedgeAfter::P95 => (true, None, None),
        HedgeAfter::Fixed(after) => (false, Some(millis(after)), None),
        HedgeAfter::Share(share) => (false, None, Some(share)),
    };
    HedgeView { is_p95, after_ms, share }
}

/// Those whose scope its requests can fall into, as far as the route tells.
fn budgets(config: &Config, route: &Route) -> Vec<BudgetRuleView> {
    let reaches = |rule: &&BudgetRule| {
        rule.scope.route.as_deref().is_none_or(|glob| canonical::glob::fits(glob, &route.name))
    };
    config.policy.budgets.iter().filter(reaches).map(budget).collect()
}

fn budget(rule: &BudgetRule) -> BudgetRuleView {
    let (then, then_route) = match &rule.then {
        OverBudget::Warn => ("warn", None),
        OverBudget::Block => ("block", None),
        OverBudget::Downgrade(route) => ("downgrade", Some(route.clone())),
    };
    BudgetRuleView {
        name: rule.name.clone(),
        amount_picousd: rule.amount.0,
        per: period(rule.per).to_owned(),
        then: then.to_owned(),
        then_route,
    }
}

pub(super) const fn period(per: Period) -> &'static str {
    match per {
        Period::Hour => "hour",
        Period::Day => "day",
        Period::Week => "week",
        Period::Month => "month",
    }
}

const fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Cheap => "cheap",
        Tier::Standard => "standard",
        Tier::Complex => "complex",
    }
}

const fn on_break(on_break: OnBreak) -> &'static str {
    match on_break {
        OnBreak::End => "end",
        OnBreak::Restart => "restart",
        OnBreak::Continue => "continue",
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
