use super::*;
use proptest::prelude::*;

const START: Now = Now::new(Duration::from_secs(1_000), 1_773_239_320_000);

fn at(ms: u64) -> Now {
    START.after(Duration::from_millis(ms))
}

fn rule(counted: Counted, window: Window, most: u64) -> LimitRule {
    LimitRule { provider: "p".into(), model: None, counted, window, most }
}

fn limits(rules: &[(Counted, Window, u64)]) -> Limits {
    let rules: Vec<LimitRule> =
        rules.iter().map(|(counted, window, most)| rule(*counted, *window, *most)).collect();
    let mut limits = Limits::default();
    limits.set(&rules.iter().collect::<Vec<_>>());
    limits
}

fn need(input_tokens: u64, output_tokens: u64) -> Need {
    Need { input_tokens, output_tokens }
}

/// In how many milliseconds after `now` there is room.
fn wait(limits: &mut Limits, need: Need, now: Now) -> Option<u64> {
    match limits.free_at(&need, now) {
        Free::Now => Some(0),
        Free::At { at, .. } => Some(millis(at.saturating_sub(now.mono))),
        Free::Never(_) => None,
    }
}

#[test]
fn a_window_lets_through_what_it_says_and_then_waits_for_the_oldest_to_leave() {
    let mut limits = limits(&[(Counted::Requests, Window::Minute, 2)]);
    let first = limits.reserve(&need(1, 1), at(0)).unwrap();
    let second = limits.reserve(&need(1, 1), at(10_000)).unwrap();
    // Its slot of a second, the window, and a second for the way.
    assert_eq!(
        limits.reserve(&need(1, 1), at(10_000)).unwrap_err(),
        Free::At {
            at: START.mono + Duration::from_secs(65),
            counted: Counted::Requests,
            window: Some(Duration::from_secs(60))
        }
    );
    assert_eq!(wait(&mut limits, need(1, 1), at(64_999)), Some(1));
    assert_eq!(wait(&mut limits, need(1, 1), at(65_000)), Some(0));
    limits.settle(first, None, true, at(65_000));
    limits.settle(second, None, true, at(65_000));
}

#[test]
fn all_dimensions_are_reserved_or_none() {
    let mut limits = limits(&[
        (Counted::Requests, Window::Minute, 10),
        (Counted::InputTokens, Window::Minute, 1_000),
        (Counted::Concurrency, Window::Now, 2),
    ]);
    let one = limits.reserve(&need(900, 0), at(0)).unwrap();
    let before = limits.view(at(0));
    assert!(matches!(
        limits.reserve(&need(200, 0), at(0)),
        Err(Free::At { counted: Counted::InputTokens, .. })
    ));
    assert_eq!(limits.view(at(0)), before);
    limits.settle(one, None, true, at(0));
}

#[test]
fn what_is_larger_than_the_whole_limit_never_goes() {
    for (counted, need) in [
        (Counted::Tokens, need(600, 500)),
        (Counted::InputTokens, need(1_001, 0)),
        (Counted::OutputTokens, need(0, 1_001)),
    ] {
        let mut limits = limits(&[(counted, Window::Minute, 1_000)]);
        assert_eq!(limits.free_at(&need, at(0)), Free::Never(counted));
    }
}

#[test]
fn what_was_not_used_or_never_sent_is_given_back() {
    let rules = [(Counted::Tokens, Window::Minute, 1_000), (Counted::Requests, Window::Minute, 3)];
    for (used, was_sent, left) in [
        (Some(need(300, 50)), true, [650, 2]),
        (None, true, [0, 2]),
        (None, false, [1_000, 3]),
        (Some(need(300, 50)), false, [1_000, 3]),
        // More than was reserved is not hidden.
        (Some(need(300, 900)), true, [0, 2]),
    ] {
        let mut limits = limits(&rules);
        let reservation = limits.reserve(&need(400, 600), at(0)).unwrap();
        limits.settle(reservation, used, was_sent, at(5_000));
        let found: Vec<u64> = limits.view(at(5_000)).iter().map(|view| view.left).collect();
        assert_eq!(found, left, "{used:?} {was_sent}");
    }
}

#[test]
fn output_counts_until_a_window_after_its_last_token() {
    let mut limits = limits(&[(Counted::OutputTokens, Window::Minute, 100)]);
    let long = limits.reserve(&need(1, 100), at(0)).unwrap();
    assert!(limits.reserve(&need(1, 1), at(200_000)).is_err(), "it is being written");
    limits.settle(long, Some(need(1, 80)), true, at(200_000));
    assert_eq!(wait(&mut limits, need(1, 20), at(200_000)), Some(0));
    assert_eq!(wait(&mut limits, need(1, 21), at(200_000)), Some(65_000));
}

#[test]
fn concurrency_is_free_again_when_a_request_ends() {
    let mut limits = limits(&[(Counted::Concurrency, Window::Now, 2)]);
    let first = limits.reserve(&need(1, 1), at(0)).unwrap();
    let second = limits.reserve(&need(1, 1), at(0)).unwrap();
    assert_eq!(wait(&mut limits, need(1, 1), at(0)), Some(20));
    limits.settle(first, None, true, at(1_000));
    let third = limits.reserve(&need(1, 1), at(1_000)).unwrap();
    // A second each, two at a time: the next one ends in half of it, as far as we know.
    assert_eq!(wait(&mut limits, need(1, 1), at(1_000)), Some(500));
    limits.settle(second, None, false, at(1_000));
    limits.settle(third, None, false, at(1_000));
    assert_eq!(limits.in_flight(), 0);
}

#[test]
fn new_rules_keep_what_was_counted() {
    let mut limits = limits(&[(Counted::Requests, Window::Minute, 5)]);
    let reservations: Vec<_> = (0..3).map(|_| limits.reserve(&need(1, 1), at(0)).unwrap()).collect();
    let tighter = rule(Counted::Requests, Window::Minute, 4);
    let loose = rule(Counted::Requests, Window::Minute, 9);
    let parallel = rule(Counted::Concurrency, Window::Now, 1);
    limits.set(&[&loose, &tighter, &parallel]);
    let left: Vec<u64> = limits.view(at(0)).iter().map(|view| view.left).collect();
    assert_eq!(left, [1, 1]);
    for reservation in reservations {
        limits.settle(reservation, None, true, at(0));
    }
    let left: Vec<u64> = limits.view(at(0)).iter().map(|view| view.left).collect();
    assert_eq!(left, [1, 1], "what the new rule never counted is not taken off");
}

#[test]
fn a_clock_that_jumps_back_frees_nothing() {
    let mut limits = limits(&[(Counted::Requests, Window::Second, 1)]);
    let first = limits.reserve(&need(1, 1), at(5_000)).unwrap();
    assert!(limits.reserve(&need(1, 1), at(0)).is_err());
    assert_eq!(wait(&mut limits, need(1, 1), at(6_250)), Some(0));
    limits.settle(first, None, true, at(0));
}

// === Learned ===

fn seen(counted: Counted, limit: u64, remaining: u64, reset_ms: u64) -> LimitSeen {
    LimitSeen {
        counted,
        window: None,
        limit: Some(limit),
        remaining: Some(remaining),
        reset: Some(Duration::from_millis(reset_ms)),
    }
}

#[test]
fn a_learned_limit_refills_evenly() {
    let mut limits = Limits::default();
    // A minute's 60, of which 60 are gone: one comes back each second.
    limits.learn(&seen(Counted::Requests, 60, 0, 60_000), None, at(0));
    assert_eq!(wait(&mut limits, need(1, 1), at(0)), Some(1_000));
    assert_eq!(wait(&mut limits, need(1, 1), at(1_000)), Some(0));
    assert!((limits.left(at(30_000)) - 0.5).abs() < 1e-9);
    assert!((limits.left(at(90_000)) - 1.0).abs() < 1e-9, "and no further than the limit");
}

#[test]
fn a_day_that_ends_at_one_moment_gives_nothing_before() {
    let mut limits = Limits::default();
    let hour = 3_600_000;
    // Seven hours before its end the day's 1,000 are used up: no bucket of a day misses them all.
    limits.learn(&seen(Counted::Requests, 1_000, 0, 7 * hour), None, at(0));
    assert_eq!(wait(&mut limits, need(1, 1), at(6 * hour)), Some(hour));
    assert_eq!(wait(&mut limits, need(1, 1), at(7 * hour)), Some(0));
    // A bucket of a day says so by itself: one of 1,000 comes back in 86.4 s.
    let mut limits = Limits::default();
    limits.learn(&seen(Counted::Requests, 1_000, 999, 86_400), None, at(0));
    limits.learn(&seen(Counted::Requests, 1_000, 0, 86_400_000), None, at(0));
    assert_eq!(wait(&mut limits, need(1, 1), at(0)), Some(86_400));
}

#[test]
fn what_was_sent_after_the_answer_that_told_is_taken_off() {
    let mut limits = Limits::default();
    let first = limits.reserve(&need(100, 100), at(0)).unwrap();
    let second = limits.reserve(&need(300, 100), at(500)).unwrap();
    limits.learn(&seen(Counted::Tokens, 1_000, 800, 12_000), Some(&first), at(1_000));
    assert_eq!(limits.view(at(1_000))[0].left, 400);
    // Told by nobody in particular, everything under way may be missing.
    let mut other = limits.clone();
    other.learn(&seen(Counted::Tokens, 1_000, 800, 12_000), None, at(1_000));
    assert_eq!(other.view(at(1_000))[0].left, 200);
    // The first is in the provider's count: what it did not use is for the provider to give back.
    limits.settle(first, Some(need(100, 1)), true, at(1_000));
    assert_eq!(limits.view(at(1_000))[0].left, 400);
    limits.settle(second, Some(need(300, 20)), true, at(1_000));
    assert_eq!(limits.view(at(1_000))[0].left, 480);
}

#[test]
fn output_that_is_under_way_is_taken_off_until_it_is_known() {
    let mut limits = Limits::default();
    let first = limits.reserve(&need(10, 400), at(0)).unwrap();
    limits.learn(&seen(Counted::OutputTokens, 1_000, 1_000, 0), Some(&first), at(100));
    assert_eq!(limits.view(at(100))[0].left, 600);
    limits.settle(first, Some(need(10, 50)), true, at(100));
    assert_eq!(limits.view(at(100))[0].left, 950);
}

#[test]
fn a_request_larger_than_a_learned_limit_waits_for_the_whole_of_it() {
    let mut limits = Limits::default();
    limits.learn(&seen(Counted::Tokens, 30_000, 15_000, 30_000), None, at(0));
    assert_eq!(wait(&mut limits, need(1_000, 32_000), at(0)), Some(30_000));
    assert_eq!(wait(&mut limits, need(1_000, 32_000), at(30_000)), Some(0));
}

#[test]
fn headers_that_cannot_be_meant_are_ignored_and_counted() {
    let good = seen(Counted::Requests, 60, 0, 60_000);
    let year = Some(Duration::from_secs(365 * 24 * 3600));
    let mut limits = Limits::default();
    for bad in [
        LimitSeen { limit: Some(0), ..good },
        LimitSeen { remaining: Some(61), ..good },
        LimitSeen { reset: year, ..good },
        LimitSeen { window: year, ..good },
        LimitSeen { window: Some(Duration::ZERO), ..good },
        LimitSeen { limit: None, remaining: None, ..good },
        LimitSeen::UNREADABLE,
        LimitSeen { counted: Counted::Concurrency, ..good },
    ] {
        limits.learn(&bad, None, at(0));
        assert_eq!(limits.free_at(&need(1, 1), at(0)), Free::Now, "{bad:?}");
    }
    assert_eq!(limits.ignored(), 8);
    // However many windows a provider invents, what is kept is bounded.
    for seconds in 1..100 {
        let window = Some(Duration::from_secs(seconds));
        limits.learn(&LimitSeen { window, remaining: Some(60), ..good }, None, at(0));
    }
    assert_eq!(limits.view(at(0)).len(), MOST_LEARNED);
    assert_eq!(limits.ignored(), 8 + 99 - MOST_LEARNED as u64);
}

#[test]
fn a_limit_of_which_only_the_rest_is_told_holds_until_its_reset() {
    let mut limits = Limits::default();
    let told = LimitSeen { limit: None, ..seen(Counted::Requests, 1, 1, 30_000) };
    limits.learn(&told, None, at(0));
    let first = limits.reserve(&need(1, 1), at(0)).unwrap();
    assert_eq!(wait(&mut limits, need(1, 1), at(0)), Some(30_000));
    assert_eq!(wait(&mut limits, need(1, 1), at(30_000)), Some(0));
    assert_eq!(limits.view(at(30_000)), []);
    limits.settle(first, None, true, at(30_000));
    // No word about the reset either: a minute.
    let told = LimitSeen { limit: None, remaining: Some(0), reset: None, ..told };
    limits.learn(&told, None, at(40_000));
    assert_eq!(wait(&mut limits, need(1, 1), at(40_000)), Some(60_000));
}

// === Over a restart ===

#[test]
fn a_days_quota_survives_a_restart() {
    let rules = [(Counted::Requests, Window::Day, 10), (Counted::Requests, Window::Minute, 5)];
    let mut before = limits(&rules);
    let reservations: Vec<_> = (0..5).map(|_| before.reserve(&need(1, 1), at(0)).unwrap()).collect();
    for reservation in reservations {
        before.settle(reservation, None, true, at(0));
    }
    before.learn(&seen(Counted::Tokens, 1_000, 0, 7 * 3_600_000), None, at(0));
    let saved = before.saved(at(3_600_000)).unwrap();

    // The new run's clock begins anew; the wall clock went on for another hour.
    let mut after = limits(&rules);
    let now = Now::new(Duration::from_secs(3), at(7_200_000).unix_ms);
    after.restore(&saved, now);
    let left: Vec<u64> = after.view(now).iter().map(|view| view.left).collect();
    assert_eq!(left, [5, 5, 0]);
    assert!(matches!(after.free_at(&need(1, 1), now), Free::At { counted: Counted::Tokens, .. }));
    let later = now.after(Duration::from_secs(5 * 3600));
    assert_eq!(wait(&mut after, need(1, 1), later), Some(0));
    assert_eq!(after.view(later)[0].left, 5);
    let next_day = now.after(Duration::from_secs(23 * 3600 + 1_200));
    assert_eq!(after.view(next_day)[0].left, 10);
}

#[test]
fn a_wall_clock_set_back_over_a_restart_forgives_nothing() {
    let rules = [(Counted::Requests, Window::Hour, 1)];
    let mut before = limits(&rules);
    let first = before.reserve(&need(1, 1), at(0)).unwrap();
    let saved = before.saved(at(0)).unwrap();
    before.settle(first, None, true, at(0));
    let mut after = limits(&rules);
    let now = Now::new(Duration::ZERO, START.unix_ms - 9_000_000);
    after.restore(&saved, now);
    assert!(matches!(after.free_at(&need(1, 1), now), Free::At { .. }));
    assert!(limits(&rules).saved(at(0)).is_none());
}

// === Laws ===

/// Something that left us: when, when its answer was whole, and what it really took.
#[derive(Debug, Clone, Copy)]
struct Sent {
    arrived_ms: u64,
    ended_ms: u64,
    used: Need,
}

/// The most of `counted` in any stretch of `window_ms`, counted when a request arrives (`at_end`
/// false) or when its output is whole.
fn most_in_any_window(sent: &[Sent], counted: Counted, window_ms: u64, at_end: bool) -> u64 {
    let mut events: Vec<(u64, u64)> = Vec::new();
    for sent in sent {
        let input = Need { output_tokens: 0, ..sent.used };
        let output = Need { input_tokens: 0, ..sent.used };
        match counted {
            Counted::Tokens => {
                events.push((sent.arrived_ms, input.of(counted)));
                events.push((if at_end { sent.ended_ms } else { sent.arrived_ms }, output.of(counted)));
            }
            Counted::OutputTokens if at_end => events.push((sent.ended_ms, sent.used.of(counted))),
            _ => events.push((sent.arrived_ms, sent.used.of(counted))),
        }
    }
    let in_window = |from: u64| {
        events.iter().filter(|(at, _)| (from..from + window_ms).contains(at)).map(|(_, amount)| amount).sum()
    };
    events.iter().map(|(from, _)| in_window(*from)).max().unwrap_or(0)
}

#[derive(Debug, Clone)]
struct Try {
    pause_ms: u64,
    need: Need,
    used_percent: u64,
    takes_ms: u64,
    way_percent: u64,
    is_sent: bool,
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let one = (0..4_000_u64, 0..300_u64, 0..300_u64, 0..=100_u64, 0..9_000_u64, 0..100_u64, 0..10_u8)
        .prop_map(|(pause_ms, input, output, used_percent, takes_ms, way_percent, fate)| Try {
            // Bursts, with pauses between them.
            pause_ms: if pause_ms < 3_000 { pause_ms / 100 } else { pause_ms },
            need: need(input, output),
            used_percent,
            takes_ms,
            way_percent,
            is_sent: fate > 0,
        });
    prop::collection::vec(one, 1..120)
}

proptest! {
    /// Whoever counts, by arrival or by the end of the answer, and wherever a window begins: never
    /// more than the rule says, although requests take a while to get there.
    #[test]
    fn in_no_stretch_of_a_windows_length_more_leaves_than_the_rule_says(
        tries in tries(),
        window in prop::sample::select(vec![Window::Second, Window::Minute]),
        requests in 1..40_u64,
        tokens in 600..3_000_u64,
        concurrency in 1..20_u64,
    ) {
        let rules = [
            (Counted::Requests, window, requests),
            (Counted::Tokens, window, tokens),
            (Counted::InputTokens, window, tokens / 2),
            (Counted::OutputTokens, window, tokens / 2),
            (Counted::Concurrency, Window::Now, concurrency),
        ];
        let mut limits = limits(&rules);
        let (window_ms, slot_ms) = if window == Window::Second { (1_000, 50) } else { (60_000, 1_000) };
        let mut now_ms = 0;
        let mut under_way: Vec<(u64, Reservation, Option<Sent>)> = Vec::new();
        let mut sent = Vec::new();
        for one in tries {
            now_ms += one.pause_ms;
            while let Some(next) = (0..under_way.len()).min_by_key(|at| under_way[*at].0).filter(|at| under_way[*at].0 <= now_ms) {
                let (ended_ms, reservation, what) = under_way.swap_remove(next);
                limits.settle(reservation, what.map(|sent| sent.used), what.is_some(), at(ended_ms));
                sent.extend(what);
            }
            let free = limits.free_at(&one.need, at(now_ms));
            match limits.reserve(&one.need, at(now_ms)) {
                Ok(reservation) => {
                    prop_assert_eq!(free, Free::Now);
                    let part = |tokens: u64| tokens * one.used_percent / 100;
                    let arrived_ms = now_ms + slot_ms * one.way_percent / 100;
                    let ended_ms = arrived_ms.max(now_ms + one.takes_ms);
                    let used = need(part(one.need.input_tokens), part(one.need.output_tokens));
                    let what = one.is_sent.then_some(Sent { arrived_ms, ended_ms, used });
                    under_way.push((ended_ms, reservation, what));
                }
                Err(refused) => prop_assert_eq!(free, refused),
            }
            prop_assert!(under_way.len() as u64 <= concurrency);
        }
        sent.extend(under_way.iter().filter_map(|(_, _, what)| *what));
        for (counted, _, most) in &rules[..4] {
            for at_end in [false, true] {
                let found = most_in_any_window(&sent, *counted, window_ms, at_end);
                prop_assert!(found <= *most, "{counted:?}: {found} of {most}, at_end {at_end}");
            }
        }
    }

    /// Who waits as long as told has room then, if nothing else was sent and nothing is under way.
    #[test]
    fn a_wait_is_as_long_as_told_and_no_longer(
        amounts in prop::collection::vec((0..3_000_u64, 1..100_u64), 1..60),
        wanted in 1..=500_u64,
    ) {
        let mut limits = limits(&[(Counted::InputTokens, Window::Minute, 500)]);
        let mut now_ms = 0;
        for (pause_ms, amount) in amounts {
            now_ms += pause_ms;
            if let Ok(reservation) = limits.reserve(&need(amount, 0), at(now_ms)) {
                limits.settle(reservation, None, true, at(now_ms));
            }
        }
        let pause_ms = wait(&mut limits, need(wanted, 0), at(now_ms)).unwrap();
        if pause_ms > 0 {
            prop_assert_ne!(limits.clone().free_at(&need(wanted, 0), at(now_ms + pause_ms - 1)), Free::Now);
        }
        prop_assert_eq!(limits.free_at(&need(wanted, 0), at(now_ms + pause_ms)), Free::Now);
    }

    /// Against a provider with a real bucket, whose answers tell what is left: once one answer came,
    /// nothing is refused any more, whatever the order of the answers.
    #[test]
    fn a_learned_limit_is_kept(
        pauses in prop::collection::vec((0..400_u64, 1..200_u64, 50..3_000_u64), 2..200),
        limit in 200..2_000_u64,
    ) {
        let rate_per_ms = limit as f64 / 60_000.0;
        let (mut bucket, mut filled_ms) = (limit as f64, 0_u64);
        let mut limits = Limits::default();
        let mut answers: Vec<(u64, Reservation, LimitSeen)> = Vec::new();
        let (mut now_ms, mut is_known) = (0_u64, false);
        for (pause_ms, tokens, takes_ms) in pauses {
            now_ms += pause_ms;
            while let Some(next) = (0..answers.len()).min_by_key(|at| answers[*at].0).filter(|at| answers[*at].0 <= now_ms) {
                let (at_ms, reservation, seen) = answers.swap_remove(next);
                limits.learn(&seen, Some(&reservation), at(at_ms));
                limits.settle(reservation, None, true, at(at_ms));
                is_known = true;
            }
            // Before the first answer one request is enough.
            if !is_known && !answers.is_empty() {
                continue;
            }
            let Ok(reservation) = limits.reserve(&need(tokens, 0), at(now_ms)) else { continue };
            bucket = (bucket + (now_ms - filled_ms) as f64 * rate_per_ms).min(limit as f64) - tokens as f64;
            filled_ms = now_ms;
            prop_assert!(bucket >= -0.5, "refused at {now_ms} ms: {bucket}");
            let reset_ms = ((limit as f64 - bucket) / rate_per_ms).ceil() as u64;
            let left = bucket.max(0.0) as u64;
            answers.push((now_ms + takes_ms, reservation, seen(Counted::InputTokens, limit, left, reset_ms)));
        }
    }
}
