//! What holds in every scenario, shown on thousands of them made by chance. A failure names its
//! seed; the same seed is the same scenario.
#![expect(clippy::unwrap_used, reason = "A law that cannot be shown is broken.")]

mod support;

use routing::policy::{CircuitPolicy, Counted, OnBreak, Window};
use simulator::pilot::signalbox::{self, Signalbox};
use simulator::runs::{Policy, run};
use simulator::scenario::{Agents, BudgetSpec, Fault, FaultKind, MeterKind, Scenario};
use simulator::span::{MINUTE, MS, SECOND};
use simulator::{Chance, World};
use support::{Watched, fault, limit, provider, random, scenario};

/// Scenarios for each law.
const SEEDS: u64 = 1_000;

#[test]
fn every_request_ends_once_and_nothing_is_left_over() {
    for seed in 0..SEEDS {
        let scenario = random(seed);
        let record = run(&scenario, Policy::Signalbox, seed);
        let ends = record.answered + record.failed + record.broken;
        assert_eq!(record.requests, ends, "seed {seed}: answered, failed and broken are not all there is");
        assert!(record.requests > 0, "seed {seed}: nothing was asked");
        assert_eq!(record.left_over, 0, "seed {seed}: something never ended");
    }
}

#[test]
fn no_client_sees_two_beginnings() {
    let mut breaks = 0;
    for seed in 0..SEEDS {
        let mut scenario = random(seed);
        scenario.route.on_break = [OnBreak::Continue, OnBreak::End][(seed % 2) as usize];
        scenario.route.hedge = Some("700ms".into());
        let names = scenario.providers.iter().map(|it| it.name.clone()).collect();
        scenario.faults.push(Fault { share: 0.1, ..fault(FaultKind::Breaks, names, 0, scenario.length) });
        let record = run(&scenario, Policy::Signalbox, seed);
        assert_eq!(record.second_commits, 0, "seed {seed}");
        assert_eq!(record.restarts, 0, "seed {seed}");
        breaks += record.breaks;
    }
    assert!(breaks > SEEDS, "too little broke off to show anything: {breaks}");
}

#[test]
fn no_limit_that_was_set_is_ever_exceeded_by_our_own_sending() {
    let mut attempts = 0;
    for seed in 0..SEEDS {
        let mut chance = Chance::new(seed);
        let mut scenario = random(seed);
        for provider in &mut scenario.providers {
            provider.limits = some_limits(&mut chance);
        }
        scenario.route.hedge = Some("700ms".into());
        let record = run(&scenario, Policy::Signalbox, seed);
        assert_eq!(record.violations, 0, "seed {seed}: {:?}", scenario.providers);
        attempts += record.attempts;
    }
    assert!(attempts > 50 * SEEDS, "too little was sent to show anything: {attempts}");
}

/// Before the first answer nothing is known, and some answers come out of order.
#[test]
fn a_limit_that_only_headers_tell_is_hardly_ever_exceeded() {
    let (mut attempts, mut ours, mut plain) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut chance = Chance::new(seed);
        let mut scenario = random(seed);
        for provider in &mut scenario.providers {
            provider.limits = vec![limit(Counted::Requests, Window::Minute, chance.between(20, 60))];
        }
        let record = run(&scenario, Policy::Signalbox, seed);
        attempts += record.attempts;
        ours += record.violations;
        plain += run(&scenario, Policy::Fallback, seed).violations;
    }
    assert!(ours * 1_000 <= attempts, "{ours} of {attempts}");
    assert!(plain * 20 > attempts, "the limits were too wide to show anything: {plain} of {attempts}");
}

/// Tight enough to matter in most scenarios, in every dimension and of every kind.
fn some_limits(chance: &mut Chance) -> Vec<simulator::scenario::LimitSpec> {
    let mut limits = Vec::new();
    for (counted, per, low, high) in [
        (Counted::Requests, Window::Second, 1, 4),
        (Counted::Requests, Window::Minute, 10, 80),
        (Counted::Tokens, Window::Minute, 40_000, 200_000),
        (Counted::InputTokens, Window::Minute, 20_000, 100_000),
        (Counted::OutputTokens, Window::Minute, 10_000, 60_000),
        (Counted::Requests, Window::Day, 30, 300),
        (Counted::Concurrency, Window::Now, 1, 8),
    ] {
        if chance.happens(0.35) && limits.len() < simulator::scenario::MOST_LIMITS {
            let kind =
                [MeterKind::Bucket, MeterKind::Fixed, MeterKind::Sliding][chance.between(0, 2) as usize];
            limits.push(simulator::scenario::LimitSpec {
                kind,
                set: true,
                tells: chance.happens(0.5),
                ..limit(counted, per, chance.between(low, high))
            });
        }
    }
    limits
}

#[test]
fn a_budget_is_never_overshot() {
    let mut used_up = 0;
    for seed in 0..SEEDS {
        let mut scenario = random(seed);
        scenario.route.hedge = Some("700ms".into());
        let pico_usd = 1_000_000_000_000 * (1 + (seed % 5) as i64) / 4;
        scenario.budgets.push(BudgetSpec { name: "daily".into(), pico_usd });
        let record = run(&scenario, Policy::Signalbox, seed);
        // Estimates are the most a request may cost, so that their error never is an overshoot.
        assert!(record.billed <= pico_usd, "seed {seed}: {} of {pico_usd}", record.billed);
        used_up += u64::from(record.billed * 10 > pico_usd * 8);
    }
    assert!(used_up > SEEDS / 4, "too few came near their budget to show anything: {used_up}");
}

#[test]
fn an_open_circuit_gets_no_traffic_but_its_probe() {
    let (mut open, mut probes) = (0, 0);
    for seed in 0..SEEDS {
        let scenario = random(seed);
        let mut world = World::new(&scenario, Watched::new(Signalbox::new(&scenario)), seed);
        world.run();
        assert_eq!(world.pilot.trespasses, Vec::<String>::new(), "seed {seed}");
        open += u64::from(world.pilot.seen_open > 0);
        probes += world.pilot.probes;
    }
    assert!(open > SEEDS / 4 && probes > SEEDS / 4, "too few circuits opened: {open}, {probes} probes");
}

#[test]
fn with_one_healthy_target_of_enough_capacity_every_request_is_answered() {
    for seed in 0..SEEDS {
        let mut chance = Chance::new(seed);
        let mut scenario = random(seed);
        let healthy = chance.between(0, scenario.providers.len() as u64 - 1) as usize;
        let name = scenario.providers[healthy].name.clone();
        scenario.providers[healthy] = provider(&name);
        for fault in &mut scenario.faults {
            fault.providers.retain(|it| *it != name);
        }
        let record = run(&scenario, Policy::Signalbox, seed);
        assert_eq!((record.failed, record.broken), (0, 0), "seed {seed}: {scenario:#?}");
    }
}

#[test]
fn a_flapping_provider_does_not_make_traffic_flap() {
    for seed in 0..100 {
        let mut chance = Chance::new(seed);
        let mut scenario = scenario(4 * MINUTE, 40, vec![provider("a"), provider("b"), provider("c")]);
        let every = chance.between(4 * SECOND, 60 * SECOND);
        scenario.faults.push(Fault {
            every: Some(every),
            on_for: Some(every * chance.between(20, 80) / 100),
            ..fault(FaultKind::Outage, vec!["a".into()], 30 * SECOND, 4 * MINUTE)
        });
        let record = run(&scenario, Policy::Signalbox, seed);
        let figures = record.figures();
        assert!(figures.switches_per_minute <= MOST_SWITCHES, "seed {seed}: {}", figures.switches_per_minute);
        assert_eq!(record.failed, 0, "seed {seed}");
    }
}

/// Away from the flapping provider and back to it: an opening of 15 s, three stages of the ramp of
/// 10 s each, and the same again.
const MOST_SWITCHES: f64 = 2.0;

#[test]
fn after_everything_was_down_requests_are_answered_within_one_probe_interval() {
    let circuit = CircuitPolicy::default();
    for seed in 0..100 {
        let mut chance = Chance::new(seed);
        let mut scenario = scenario(4 * MINUTE, 30, vec![provider("a"), provider("b"), provider("c")]);
        let up = 30 * SECOND + chance.between(5 * SECOND, 90 * SECOND);
        let names = scenario.providers.iter().map(|it| it.name.clone()).collect();
        scenario.faults.push(fault(FaultKind::Outage, names, 30 * SECOND, up));
        let record = run(&scenario, Policy::Signalbox, seed);
        let first = record.first_answers.iter().find(|at| **at >= up).unwrap();
        // The interval itself, and the time that the probe's whole answer takes.
        let most = simulator::span::micros(circuit.open_for) + 15 * SECOND;
        assert!(first - up <= most, "seed {seed}: {} ms", (first - up) / MS);
        let lost_later: u32 =
            record.grains.iter().skip((up / (5 * SECOND)) as usize + 6).map(|it| it.lost).sum();
        assert_eq!(lost_later, 0, "seed {seed}");
    }
}

/// With a tenth of the agents, and providers a tenth as large, so that it takes seconds here too.
#[test]
fn in_no_scenario_does_a_plain_policy_lose_fewer_requests() {
    for mut scenario in Scenario::all().unwrap() {
        scenario.agents.count /= 10;
        scenario.crowd.iter_mut().for_each(|crowd| crowd.count /= 10);
        for provider in &mut scenario.providers {
            provider.capacity /= 10;
            provider.limits.iter_mut().for_each(|limit| limit.most /= 10);
        }
        let lost = |policy| {
            let record = run(&scenario, policy, 1);
            record.failed + record.broken
        };
        let ours = lost(Policy::Signalbox);
        for plain in [Policy::Fallback, Policy::RoundRobin, Policy::LeastLatency] {
            let theirs = lost(plain);
            assert!(ours <= theirs, "{}: {ours}, and {} {theirs}", scenario.name, plain.as_str());
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [1, 2, 3] {
        let scenario = random(seed);
        let runs = [0, 1].map(|_| format!("{:?}", run(&scenario, Policy::Signalbox, seed)));
        assert_eq!(runs[0], runs[1], "seed {seed}");
    }
}

#[test]
fn every_scenario_of_the_folder_can_be_routed_as_it_says() {
    for scenario in Scenario::all().unwrap() {
        let strategy = routing::StrategyId::from_name(&scenario.route.strategy);
        assert!(strategy.is_some(), "{}: no strategy `{}`", scenario.name, scenario.route.strategy);
        let Agents { count, .. } = scenario.agents;
        assert!(count > 0, "{}", scenario.name);
        assert_eq!(signalbox::policy(&scenario).circuit, CircuitPolicy::default(), "{}", scenario.name);
    }
}

/// The page is made by `cargo xtask simulate all --write-docs`; whether its figures are of today it
/// would take all scenarios to say.
#[test]
fn the_page_has_every_scenario_and_its_pictures_are_there() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs");
    let page = std::fs::read_to_string(docs.join("ROUTING.md")).unwrap();
    for scenario in Scenario::all().unwrap() {
        assert!(page.contains(&format!("| {} (", scenario.name)), "{} is not compared", scenario.name);
        assert!(page.contains(&scenario.title), "{} is not explained", scenario.name);
    }
    let named: Vec<&str> = page.split("](routing/").skip(1).filter_map(|it| it.split(')').next()).collect();
    assert!(named.len() >= 8, "{named:?}");
    for picture in named {
        assert!(docs.join("routing").join(picture).exists(), "{picture} is not there");
    }
}
