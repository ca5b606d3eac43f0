use super::*;

fn candidate(position: usize) -> Candidate {
    Candidate {
        position,
        weight: 1,
        cost: None,
        ttft_p95: None,
        error_rate: 0.0,
        in_flight: 0,
        quota_left: 1.0,
        lacks: 0,
        context_window: None,
        score: None,
    }
}

fn order(id: StrategyId, targets: &[Candidate], chance: f64) -> Vec<usize> {
    let mut targets = targets.to_vec();
    let mut source = || chance;
    id.rank(&mut targets, &ScoreWeights::default(), &mut Draw::new(&mut source));
    targets.iter().map(|candidate| candidate.position).collect()
}

/// How often each of `targets` leads in 20,000 draws.
fn leads(id: StrategyId, targets: &[Candidate]) -> Vec<f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut counts = vec![0_u32; targets.len()];
    for _ in 0..20_000 {
        let mut ranked = targets.to_vec();
        let mut source = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        id.rank(&mut ranked, &ScoreWeights::default(), &mut Draw::new(&mut source));
        counts[ranked[0].position] += 1;
    }
    counts.into_iter().map(|count| f64::from(count) / 20_000.0).collect()
}

#[test]
fn every_strategy_is_found_by_its_own_name() {
    for id in STRATEGIES {
        assert_eq!(StrategyId::from_name(id.as_str()), Some(*id));
    }
    assert_eq!(StrategyId::from_name("fastest-of-all"), None);
}

#[test]
fn no_strategy_loses_or_doubles_a_target() {
    let targets: Vec<_> = (0..7).map(candidate).collect();
    for id in STRATEGIES {
        for chance in [0.0, 0.3, 0.999] {
            let mut order = order(*id, &targets, chance);
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2, 3, 4, 5, 6], "{id:?}");
            assert!(self::order(*id, &[], chance).is_empty());
        }
    }
}

#[test]
fn priority_is_the_order_of_the_route() {
    let targets = [candidate(2), candidate(0), candidate(1)];
    assert_eq!(order(StrategyId::Priority, &targets, 0.5), [0, 1, 2]);
}

#[test]
fn weights_are_shares_of_the_lead_and_zero_never_leads() {
    let targets: Vec<_> = [3, 1, 0]
        .iter()
        .enumerate()
        .map(|(at, weight)| Candidate { weight: *weight, ..candidate(at) })
        .collect();
    let shares = leads(StrategyId::Weighted, &targets);
    assert!((shares[0] - 0.75).abs() < 0.02, "{shares:?}");
    assert!(shares[2] == 0.0, "{shares:?}");
}

#[test]
fn load_goes_where_more_is_left() {
    let targets: Vec<_> = [0.8, 0.2]
        .iter()
        .enumerate()
        .map(|(at, left)| Candidate { quota_left: *left, ..candidate(at) })
        .collect();
    let shares = leads(StrategyId::RemainingQuota, &targets);
    assert!((shares[0] - 0.8).abs() < 0.02, "{shares:?}");
}

#[test]
fn the_cheapest_leads_and_an_unknown_price_is_last() {
    let with = |at, cost| Candidate { cost, ..candidate(at) };
    let targets = [with(0, None), with(1, Some(PicoUsd(9))), with(2, Some(PicoUsd(3)))];
    assert_eq!(order(StrategyId::LowestCost, &targets, 0.0), [2, 1, 0]);
}

#[test]
fn the_fastest_leads_and_those_alike_share() {
    let with = |at, ms, in_flight| Candidate {
        ttft_p95: Some(Duration::from_millis(ms)),
        in_flight,
        ..candidate(at)
    };
    assert_eq!(order(StrategyId::LowestLatency, &[with(0, 900, 0), with(1, 300, 9)], 0.0), [1, 0]);
    let shares = leads(StrategyId::LowestLatency, &[with(0, 300, 0), with(1, 310, 0), with(2, 900, 0)]);
    assert!(shares[0] > 0.3 && shares[1] > 0.3 && shares[2] == 0.0, "{shares:?}");
    // The less busy of two.
    let shares = leads(StrategyId::LowestLatency, &[with(0, 300, 5), with(1, 310, 1)]);
    assert!(shares[1] > 0.99, "{shares:?}");
}

#[test]
fn one_that_nobody_measured_is_tried_once_at_a_time() {
    let known = Candidate { ttft_p95: Some(Duration::from_millis(300)), ..candidate(0) };
    assert_eq!(order(StrategyId::LowestLatency, &[known, candidate(1)], 0.0), [1, 0]);
    let busy = Candidate { in_flight: 1, ..candidate(1) };
    assert_eq!(order(StrategyId::LowestLatency, &[known, busy], 0.0), [0, 1]);
}

#[test]
fn the_able_one_with_the_larger_window_leads() {
    let with = |at, lacks, window| Candidate { lacks, context_window: Some(window), ..candidate(at) };
    let targets = [with(0, 1, 1_000_000), with(1, 0, 8_000), with(2, 0, 200_000)];
    assert_eq!(order(StrategyId::Capability, &targets, 0.0), [2, 1, 0]);
}

#[test]
fn a_score_weighs_time_money_failures_and_what_is_left() {
    let base =
        Candidate { cost: Some(PicoUsd(100)), ttft_p95: Some(Duration::from_millis(500)), ..candidate(0) };
    let failing = Candidate { error_rate: 0.5, position: 1, ..base };
    let slow = Candidate { ttft_p95: Some(Duration::from_secs(1)), position: 2, ..base };
    let dear = Candidate { cost: Some(PicoUsd(350)), position: 3, ..base };
    assert_eq!(order(StrategyId::Score, &[failing, dear, slow, base], 0.0), [0, 2, 3, 1]);
}
