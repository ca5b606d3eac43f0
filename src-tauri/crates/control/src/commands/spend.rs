//! What was spent, by the window's own days.

use ledger::{SpendBy, SpendGroup, SpendTotal};

use crate::control::Control;
use crate::error::{ControlError, Result};
use crate::types::{GroupBy, SpendArgs, SpendDayView, SpendGroupView, SpendSummaryView, SpendTotalView};

/// Two years of days.
const MOST_DAYS: u32 = 731;

pub(crate) async fn summary(control: &Control, args: SpendArgs) -> Result<SpendSummaryView> {
    if args.days == 0 || args.days > MOST_DAYS {
        return Err(ControlError::invalid(format!("`days` must be from 1 to {MOST_DAYS}.")));
    }
    let by = match args.group_by {
        GroupBy::Provider => SpendBy::Provider,
        GroupBy::Model => SpendBy::Model,
    };
    let now_ms = control.gateway().clock().now_ms();
    let summary =
        control.ledger(move |ledger| ledger.spend(now_ms, args.days, by, args.utc_offset_minutes)).await?;
    Ok(SpendSummaryView {
        today_picousd: summary.today.cost_picousd,
        month_picousd: summary.month.cost_picousd,
        today_unknown: summary.today.unknown,
        month_unknown: summary.month.unknown,
        today_requests: summary.today.requests,
        month_requests: summary.month.requests,
        days: summary
            .days
            .into_iter()
            .map(|day| SpendDayView { date: day.date, groups: day.groups.into_iter().map(group).collect() })
            .collect(),
        totals: summary.totals.into_iter().map(total).collect(),
    })
}

fn group(group: SpendGroup) -> SpendGroupView {
    let SpendTotal { cost_picousd, requests, input_tokens, output_tokens, unknown, .. } = group.total;
    SpendGroupView { key: group.key, cost_picousd, requests, input_tokens, output_tokens, unknown }
}

fn total(group: SpendGroup) -> SpendTotalView {
    let SpendTotal {
        cost_picousd, requests, input_tokens, cache_read_tokens, output_tokens, unknown, ..
    } = group.total;
    SpendTotalView {
        key: group.key,
        cost_picousd,
        requests,
        input_tokens,
        cache_read_tokens,
        output_tokens,
        unknown,
    }
}
