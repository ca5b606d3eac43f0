//! Tool calls and structured answers that were wrong.

use ledger::{ToolFailureCount, ToolFailureFilter};

use super::health::MOST_MINUTES;
use crate::control::Control;
use crate::error::{ControlError, Result};
use crate::types::{HealthArgs, ToolFailureCountView, ToolFailureView, ToolFailuresArgs};
use crate::views;

/// Rows of one answer at most; each may carry some KiB.
const MOST_ROWS: u32 = 500;

/// The newest first.
pub(crate) async fn failures(control: &Control, args: ToolFailuresArgs) -> Result<Vec<ToolFailureView>> {
    if args.limit == 0 || args.limit > MOST_ROWS {
        return Err(ControlError::invalid(format!("`limit` must be from 1 to {MOST_ROWS}.")));
    }
    let since_ms = since(control, args.minutes)?;
    let ToolFailuresArgs { provider, model, limit, .. } = args;
    let filter = ToolFailureFilter { provider, model, since_ms, limit };
    let rows = control.ledger(move |ledger| ledger.tool_failures(&filter)).await?;
    Ok(rows.into_iter().map(views::tool_failure).collect())
}

/// By provider, model and kind.
pub(crate) async fn counts(control: &Control, args: HealthArgs) -> Result<Vec<ToolFailureCountView>> {
    let since_ms = since(control, args.minutes)?;
    let counts = control.ledger(move |ledger| ledger.tool_failure_counts(since_ms)).await?;
    Ok(counts.into_iter().map(count_view).collect())
}

pub(super) fn since(control: &Control, minutes: u32) -> Result<i64> {
    if minutes == 0 || minutes > MOST_MINUTES {
        return Err(ControlError::invalid(format!("`minutes` must be from 1 to {MOST_MINUTES}.")));
    }
    Ok(control.gateway().clock().now_ms() - i64::from(minutes) * 60_000)
}

fn count_view(count: ToolFailureCount) -> ToolFailureCountView {
    ToolFailureCountView {
        provider: count.provider,
        model: count.model,
        kind: count.kind,
        failures: count.failures,
        repaired: count.repaired,
    }
}
