//! The rules of the lamps, in one place.
//!
//! A lamp speaks of what was asked of a target within the window that is shown. There are no
//! circuits yet, so no lamp is ever `open`, `half_open` or `parked`.

use ledger::TargetHealth;

use crate::types::LampState;

/// Of attempts that came to an end; one in ten is more than chance.
const DEGRADED_ERROR_RATE: f64 = 0.1;

/// Milliseconds to the first token at the 95th percentile: past this people think it is broken.
const DEGRADED_TTFT_MS: u64 = 20_000;

/// The window over which the status line's lamp looks, in milliseconds.
pub(crate) const STATUS_WINDOW_MS: i64 = 15 * 60_000;

/// A target's lamp: `unknown` where nothing was asked or nothing came to an end, `degraded` where
/// a tenth of what ended failed or the first token is slow, `ok` else.
pub(crate) fn lamp(health: &TargetHealth) -> LampState {
    let has_ended = health.errors > 0 || health.duration_ms.is_some();
    if !has_ended {
        return LampState::Unknown;
    }
    let is_slow = health.ttft_ms.is_some_and(|ttft| ttft.p95 >= DEGRADED_TTFT_MS);
    if health.error_rate >= DEGRADED_ERROR_RATE || is_slow { LampState::Degraded } else { LampState::Ok }
}

/// The lamp that asks for attention first; `unknown` where there are none.
pub(crate) fn worst(lamps: impl IntoIterator<Item = LampState>) -> LampState {
    lamps.into_iter().max_by_key(|lamp| severity(*lamp)).unwrap_or(LampState::Unknown)
}

const fn severity(lamp: LampState) -> u8 {
    match lamp {
        LampState::Unknown => 0,
        LampState::Ok => 1,
        LampState::Parked => 2,
        LampState::Degraded => 3,
        LampState::HalfOpen => 4,
        LampState::Open => 5,
    }
}

#[cfg(test)]
mod tests {
    use ledger::Quantiles;

    use super::*;

    fn health(errors: u64, error_rate: f64, ttft: Option<u64>) -> TargetHealth {
        let quantiles = ttft.map(|ms| Quantiles { p50: ms, p95: ms, p99: ms });
        TargetHealth {
            provider: "p".to_owned(),
            model: "m".to_owned(),
            requests: 10,
            answered: 10 - errors,
            refused: 0,
            errors,
            truncated: 0,
            checked: 0,
            check_failures: 0,
            check_repairs: 0,
            refusals: 0,
            error_rate,
            ttft_ms: quantiles,
            duration_ms: quantiles,
            tokens_per_second: None,
            last_error: None,
            last_seen_at: 0,
            sparkline: Vec::new(),
            error_sparkline: Vec::new(),
        }
    }

    #[test]
    fn a_lamp_is_degraded_from_one_failure_in_ten_or_a_slow_first_token() {
        assert_eq!(lamp(&health(0, 0.0, None)), LampState::Unknown);
        assert_eq!(lamp(&health(0, 0.0, Some(300))), LampState::Ok);
        assert_eq!(lamp(&health(1, 0.09, Some(300))), LampState::Ok);
        assert_eq!(lamp(&health(1, 0.1, Some(300))), LampState::Degraded);
        assert_eq!(lamp(&health(0, 0.0, Some(20_000))), LampState::Degraded);
        assert_eq!(lamp(&health(3, 1.0, None)), LampState::Degraded);
    }

    #[test]
    fn the_worst_lamp_is_the_one_that_asks_for_attention() {
        assert_eq!(worst([]), LampState::Unknown);
        assert_eq!(worst([LampState::Unknown, LampState::Ok]), LampState::Ok);
        assert_eq!(worst([LampState::Degraded, LampState::Ok]), LampState::Degraded);
    }
}
