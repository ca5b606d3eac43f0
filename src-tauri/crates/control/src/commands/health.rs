//! How each target did lately, with its lamp.

use std::collections::HashSet;

use ledger::TargetHealth;

use crate::control::Control;
use crate::error::{ControlError, Result};
use crate::health::{kept_away, lamp};
use crate::types::{Empty, HealthArgs, HealthRow, LampState, LastErrorView, QuantilesView};

/// Bars in a sparkline.
const BUCKETS: usize = 30;

/// A year; a longer window would read the whole book.
pub(super) const MOST_MINUTES: u32 = 366 * 24 * 60;

/// Targets that were asked within the window, then those of routes that were not: their lamp is
/// `unknown`, and they are there.
pub(crate) async fn list(control: &Control, args: HealthArgs) -> Result<Vec<HealthRow>> {
    if args.minutes == 0 || args.minutes > MOST_MINUTES {
        return Err(ControlError::invalid(format!("`minutes` must be from 1 to {MOST_MINUTES}.")));
    }
    let now_ms = control.gateway().clock().now_ms();
    let window_ms = i64::from(args.minutes) * 60_000;
    let health = control.ledger(move |ledger| ledger.health(now_ms, window_ms, BUCKETS)).await?;
    let mut rows: Vec<HealthRow> = health.into_iter().map(row).collect();
    let mut seen: HashSet<_> = rows.iter().map(|row| (row.provider.clone(), row.model.clone())).collect();
    for route in crate::commands::routes::list(control, Empty {}).await? {
        for target in route.targets {
            if seen.insert((target.provider.clone(), target.model.clone())) {
                rows.push(idle(target.provider, target.model));
            }
        }
    }
    let routing = control.gateway().routing();
    for row in &mut rows {
        row.lamp = kept_away(&routing, &row.provider, &row.model).unwrap_or(row.lamp);
    }
    Ok(rows)
}

fn row(health: TargetHealth) -> HealthRow {
    let quantiles = |quantiles: ledger::Quantiles| QuantilesView {
        p50: quantiles.p50 as f64,
        p95: quantiles.p95 as f64,
        p99: quantiles.p99 as f64,
    };
    HealthRow {
        lamp: lamp(&health),
        provider: health.provider,
        model: health.model,
        requests: health.requests,
        answered: health.answered,
        refused: health.refused,
        errors: health.errors,
        error_rate: health.error_rate,
        truncated: health.truncated,
        checked: health.checked,
        check_failures: health.check_failures,
        check_repairs: health.check_repairs,
        refusals: health.refusals,
        ttft_ms: health.ttft_ms.map(quantiles),
        duration_ms: health.duration_ms.map(quantiles),
        tokens_per_second: health.tokens_per_second,
        last_error: health.last_error.map(|error| LastErrorView {
            kind: error.kind.unwrap_or_else(|| "unknown".to_owned()),
            message: error.message.unwrap_or_default(),
            at: error.at,
        }),
        last_seen_at: Some(health.last_seen_at),
        sparkline: health.sparkline,
        error_sparkline: health.error_sparkline,
    }
}

fn idle(provider: String, model: String) -> HealthRow {
    HealthRow {
        provider,
        model,
        lamp: LampState::Unknown,
        requests: 0,
        answered: 0,
        refused: 0,
        errors: 0,
        error_rate: 0.0,
        truncated: 0,
        checked: 0,
        check_failures: 0,
        check_repairs: 0,
        refusals: 0,
        ttft_ms: None,
        duration_ms: None,
        tokens_per_second: None,
        last_error: None,
        last_seen_at: None,
        sparkline: vec![0; BUCKETS],
        error_sparkline: vec![0; BUCKETS],
    }
}
