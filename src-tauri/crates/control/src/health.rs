//! The rules of the lamps, in one place.
//!
//! A lamp speaks of what was asked of a target within the window that is shown, and before that of
//! what the router does with it now: what is kept away from requests shows so at once.

use ledger::TargetHealth;
use routing::decision::Against;
use routing::router::{PlaceView, RouterView};

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

/// What the router does with a target now, where it does anything but ask it: a target that is open,
/// coming back or set aside, by itself or with its provider's key.
pub(crate) fn kept_away(view: &RouterView, provider: &str, model: &str) -> Option<LampState> {
    let own = view.targets.iter().find(|it| it.provider == provider && it.model == model);
    let key = view.providers.iter().find(|it| it.provider == provider);
    [own, key].into_iter().flatten().find_map(place_lamp)
}

fn place_lamp(place: &PlaceView) -> Option<LampState> {
    match place.against {
        _ if place.is_drained => return Some(LampState::Parked),
        Some(Against::Parked | Against::Cooling) => return Some(LampState::Parked),
        Some(Against::CircuitOpen) => return Some(LampState::Open),
        Some(Against::Limited) => return Some(LampState::Degraded),
        _ => {}
    }
    (place.circuit != "closed").then_some(LampState::HalfOpen)
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
    fn what_the_router_keeps_requests_from_shows_at_once() {
        let place = |circuit, against| PlaceView {
            provider: "p".to_owned(),
            model: "m".to_owned(),
            circuit,
            share: None,
            against,
            opens_in_ms: None,
            in_flight: 0,
            is_drained: false,
            health: routing::health::HealthView::default(),
            limits: Vec::new(),
        };
        let view =
            |targets, providers| RouterView { targets, providers, budgets: Vec::new(), ignored_headers: 0 };
        for (circuit, against, expected) in [
            ("closed", None, None),
            ("open", Some(Against::CircuitOpen), Some(LampState::Open)),
            ("open", None, Some(LampState::HalfOpen)),
            ("half_open", Some(Against::Probing), Some(LampState::HalfOpen)),
            ("ramp", None, Some(LampState::HalfOpen)),
            ("closed", Some(Against::Cooling), Some(LampState::Parked)),
            ("closed", Some(Against::Limited), Some(LampState::Degraded)),
        ] {
            assert_eq!(
                kept_away(&view(vec![place(circuit, against)], vec![]), "p", "m"),
                expected,
                "{circuit}"
            );
        }
        let key = PlaceView { model: String::new(), ..place("closed", Some(Against::Parked)) };
        let both = view(vec![place("closed", None)], vec![key]);
        assert_eq!(kept_away(&both, "p", "m"), Some(LampState::Parked), "a refused key stops all its models");
        assert_eq!(kept_away(&both, "q", "m"), None);
        let drained = PlaceView { is_drained: true, ..place("closed", None) };
        assert_eq!(kept_away(&view(vec![drained], vec![]), "p", "m"), Some(LampState::Parked));
    }

    #[test]
    fn the_worst_lamp_is_the_one_that_asks_for_attention() {
        assert_eq!(worst([]), LampState::Unknown);
        assert_eq!(worst([LampState::Unknown, LampState::Ok]), LampState::Ok);
        assert_eq!(worst([LampState::Degraded, LampState::Ok]), LampState::Degraded);
    }
}
