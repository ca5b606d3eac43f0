use proptest::prelude::*;

use super::*;

const fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A circuit, its policy and its clock.
#[derive(Default)]
struct Rig {
    circuit: Circuit,
    policy: CircuitPolicy,
    now: Duration,
}

impl Rig {
    fn at(&mut self, seconds: u64) -> &mut Self {
        self.now = s(seconds);
        self
    }

    fn verdict(&self) -> Verdict {
        self.circuit.verdict(&self.policy, self.now)
    }

    fn state(&self) -> State {
        self.circuit.state(self.now)
    }

    fn admit(&mut self) -> Option<Admitted> {
        self.circuit.admit(&self.policy, self.now, false)
    }

    fn admit_early(&mut self) -> Option<Admitted> {
        self.circuit.admit(&self.policy, self.now, true)
    }

    fn succeed(&mut self, admitted: Admitted) {
        self.circuit.succeeded(&self.policy, admitted, self.now);
    }

    fn fail(&mut self, admitted: Admitted) -> bool {
        self.circuit.failed(&self.policy, admitted, 0.0, 0, self.now)
    }

    fn release(&mut self, admitted: Admitted) {
        self.circuit.released(admitted, self.now);
    }

    /// Fails until it opens.
    fn trip(&mut self) -> &mut Self {
        while !matches!(self.state(), State::Open { .. }) {
            let admitted = self.admit().expect("not open yet");
            self.fail(admitted);
        }
        self
    }

    /// Opens at `seconds` and lets a probe go well as soon as it may.
    fn recovering(seconds: u64) -> Self {
        let mut rig = Self::default();
        rig.at(seconds).trip().at(seconds + 15);
        let probe = rig.admit().unwrap();
        assert!(probe.is_probe);
        rig.succeed(probe);
        rig
    }
}

fn closed(until: Duration, why: Blocked) -> Verdict {
    Verdict::Closed { until, why }
}

#[test]
fn five_failures_in_a_row_open_it_and_four_do_not() {
    let mut rig = Rig::default();
    for round in 0..3 {
        for _ in 0..4 {
            let admitted = rig.admit().unwrap();
            assert!(!rig.fail(admitted), "{round}");
        }
        let admitted = rig.admit().unwrap();
        rig.succeed(admitted);
    }
    for left in [4, 3, 2, 1, 0] {
        let admitted = rig.admit().unwrap();
        assert_eq!(rig.fail(admitted), left == 0);
    }
    assert_eq!(rig.verdict(), closed(s(15), Blocked::CircuitOpen));
    assert_eq!(rig.state(), State::Open { until: s(15), times: 1 });
}

#[test]
fn a_bad_minute_opens_it_where_there_was_enough_traffic() {
    for (rate, requests, opens) in [(0.5, 10, true), (0.49, 500, false), (1.0, 9, false), (0.9, 10, true)] {
        let mut rig = Rig::default();
        let admitted = rig.admit().unwrap();
        let opened = rig.circuit.failed(&rig.policy, admitted, rate, requests, rig.now);
        assert_eq!(opened, opens, "{rate} of {requests}");
    }
}

#[test]
fn the_minute_that_opened_it_does_not_open_it_again() {
    let mut rig = Rig::recovering(100);
    for (at, opens) in [(146, false), (159, false), (160, true)] {
        let admitted = rig.at(at).admit().unwrap();
        assert_eq!(rig.circuit.failed(&rig.policy, admitted, 0.9, 100, rig.now), opens, "at {at}");
    }
}

#[test]
fn an_open_circuit_lets_one_probe_through_after_its_time() {
    let mut rig = Rig::default();
    rig.at(100).trip();
    assert_eq!(rig.at(114).admit(), None);
    assert_eq!(rig.at(115).verdict(), Verdict::Probe);
    assert_eq!(rig.state(), State::HalfOpen { probe_in_flight: false });
    assert!(rig.admit().unwrap().is_probe);
    assert_eq!(rig.admit(), None);
    assert_eq!(rig.verdict(), closed(s(115) + LOOK_AGAIN, Blocked::ProbeUnderWay));
    assert_eq!(rig.state(), State::HalfOpen { probe_in_flight: true });
}

#[test]
fn a_probe_that_went_well_leads_through_one_five_and_twenty_five_percent_to_all() {
    let mut rig = Rig::recovering(100);
    for (at, verdict) in [
        (115, Verdict::Share(0.01)),
        (124, Verdict::Share(0.01)),
        (125, Verdict::Share(0.05)),
        (135, Verdict::Share(0.25)),
        (144, Verdict::Share(0.25)),
        (145, Verdict::Free),
    ] {
        assert_eq!(rig.at(at).verdict(), verdict, "at {at}");
        assert!(!rig.admit().unwrap().is_probe, "the router draws, not the circuit");
    }
    assert_eq!(Rig::recovering(100).at(126).state(), State::Ramp { stage: 1, since: s(125) });
}

#[test]
fn a_long_answer_that_has_begun_has_proved_enough() {
    let mut rig = Rig::default();
    rig.trip().at(15);
    let probe = rig.admit().unwrap();
    rig.circuit.answering(&rig.policy, probe, rig.now);
    assert_eq!(rig.verdict(), Verdict::Share(0.01));
    rig.at(40).succeed(probe);
    assert_eq!(rig.verdict(), Verdict::Share(0.25), "its end does not begin the ramp again");
    let mut rig = Rig::default();
    rig.trip().at(15);
    let probe = rig.admit().unwrap();
    rig.circuit.answering(&rig.policy, probe, rig.now);
    assert!(rig.at(17).fail(probe), "but what broke off failed");
}

#[test]
fn each_opening_lasts_twice_as_long_up_to_the_most() {
    let mut rig = Rig::default();
    rig.trip();
    for (times, open_for) in [(2, 30), (3, 60), (4, 120), (5, 120), (6, 120)] {
        let State::Open { until, .. } = rig.state() else { panic!("open") };
        rig.now = until;
        let probe = rig.admit().unwrap();
        assert!(rig.fail(probe));
        assert_eq!(rig.state(), State::Open { until: until + s(open_for), times });
    }
}

#[test]
fn a_failed_stage_of_the_ramp_opens_it_for_twice_as_long() {
    for at in [116, 126, 144] {
        let mut rig = Rig::recovering(100);
        let admitted = rig.at(at).admit().unwrap();
        assert!(rig.fail(admitted));
        assert_eq!(rig.state(), State::Open { until: s(at + 30), times: 2 });
    }
}

#[test]
fn one_failure_among_many_answers_does_not_end_the_ramp() {
    let mut rig = Rig::recovering(100);
    for _ in 0..10 {
        let admitted = rig.admit().unwrap();
        rig.succeed(admitted);
    }
    let admitted = rig.admit().unwrap();
    assert!(!rig.fail(admitted));
    let admitted = rig.at(126).admit().unwrap();
    assert!(rig.fail(admitted), "each stage is judged by itself");
}

#[test]
fn five_quiet_minutes_make_the_next_opening_a_first_one() {
    // The ramp ends at 145.
    for (at, open_for) in [(444, 30), (445, 15)] {
        let mut rig = Rig::recovering(100);
        rig.at(at).trip();
        assert!(matches!(rig.state(), State::Open { until, .. } if until == s(at + open_for)), "at {at}");
    }
}

#[test]
fn results_of_attempts_from_before_the_opening_count_for_nothing() {
    let mut rig = Rig::default();
    let stalled: Vec<_> = (0..9).map(|_| rig.admit().unwrap()).collect();
    rig.trip();
    let open = rig.state();
    rig.at(5).succeed(stalled[0]);
    assert!(!rig.fail(stalled[1]));
    assert_eq!(rig.state(), open, "neither closes nor extends it");
    let probe = rig.at(15).admit().unwrap();
    rig.succeed(stalled[2]);
    assert!(!rig.fail(stalled[3]));
    rig.release(stalled[4]);
    assert_eq!(rig.admit(), None, "nor ends the probe");
    rig.succeed(probe);
    assert!(!rig.fail(stalled[5]), "nor fails the ramp");
    rig.at(60);
    for stalled in &stalled[6..] {
        assert!(!rig.fail(*stalled));
    }
    assert_eq!(rig.verdict(), Verdict::Free);
}

#[test]
fn a_released_probe_makes_room_for_the_next() {
    let mut rig = Rig::default();
    rig.trip().at(15);
    let probe = rig.admit().unwrap();
    rig.release(probe);
    assert_eq!(rig.verdict(), Verdict::Probe);
    let next = rig.admit().unwrap();
    rig.release(probe);
    assert_eq!(rig.admit(), None, "the first comes back but once");
    rig.succeed(next);
    assert_eq!(rig.verdict(), Verdict::Share(0.01));
}

#[test]
fn a_lost_probe_does_not_close_it_forever() {
    let mut rig = Rig::default();
    rig.trip().at(15);
    let lost = rig.admit().unwrap();
    assert_eq!(rig.at(15 + 899).admit(), None);
    let next = rig.at(15 + 900).admit().unwrap();
    rig.succeed(lost);
    assert_eq!(rig.admit(), None, "its late result is not the new one's");
    rig.succeed(next);
    assert_eq!(rig.verdict(), Verdict::Share(0.01));
}

#[test]
fn where_all_are_closed_an_early_probe_goes_once_a_second_and_doubles_nothing() {
    let mut rig = Rig::default();
    rig.at(100).trip();
    rig.now = s(100) + ms(999);
    assert_eq!(rig.admit_early(), None);
    for second in 101..115 {
        let probe = rig.at(second).admit_early().unwrap();
        assert!(probe.is_probe);
        assert_eq!(rig.admit_early(), None, "one at a time");
        assert!(!rig.fail(probe));
        assert_eq!(rig.admit_early(), None, "once a second");
        assert_eq!(rig.state(), State::Open { until: s(115), times: 1 });
    }
    let probe = rig.at(115).admit_early().unwrap();
    assert!(rig.fail(probe), "in its time it is a probe like any");
}

#[test]
fn an_early_probe_that_fails_after_its_time_has_come_doubles_the_time() {
    let mut rig = Rig::default();
    rig.at(100).trip();
    let probe = rig.at(110).admit_early().unwrap();
    assert!(rig.at(120).fail(probe));
    assert_eq!(rig.state(), State::Open { until: s(150), times: 2 });
}

#[test]
fn cooling_and_parking_admit_nothing_and_only_extend() {
    for (set, why) in
        [(Circuit::cool as fn(&mut Circuit, Duration), Blocked::Cooling), (Circuit::park, Blocked::Parked)]
    {
        let mut rig = Rig::default();
        set(&mut rig.circuit, s(60));
        set(&mut rig.circuit, s(20));
        assert_eq!(rig.at(59).verdict(), closed(s(60), why));
        // A key that was mended elsewhere is found out where nothing else is left.
        let (plain, early) = (rig.admit(), rig.admit_early());
        assert_eq!((plain, early.is_some()), (None, why == Blocked::Parked));
        assert_eq!(rig.admit_early(), None, "once a second");
        assert_eq!(rig.at(60).verdict(), Verdict::Free);
    }
}

#[test]
fn only_an_attempt_with_the_refused_key_shows_that_it_is_taken_again() {
    let mut rig = Rig::default();
    let before = rig.admit().unwrap();
    rig.circuit.park(s(60));
    rig.at(5).succeed(before);
    assert_eq!(rig.verdict(), closed(s(60), Blocked::Parked), "it left before the key was refused");
    let slow = rig.admit_early().unwrap();
    let quick = rig.at(6).admit_early().unwrap();
    rig.circuit.park(s(70));
    rig.at(7).release(quick);
    rig.succeed(slow);
    assert_eq!(rig.verdict(), closed(s(70), Blocked::Parked), "it was refused once more since");
    let tries = rig.at(8).admit_early().unwrap();
    rig.succeed(tries);
    assert_eq!(rig.verdict(), Verdict::Free);
}

#[test]
fn the_last_of_all_deadlines_counts_and_the_key_is_named_first() {
    let mut rig = Rig::default();
    rig.at(100).trip();
    rig.circuit.cool(s(105));
    assert_eq!(rig.verdict(), closed(s(115), Blocked::Cooling));
    rig.circuit.park(s(200));
    assert_eq!(rig.verdict(), closed(s(200), Blocked::Parked));
    rig.circuit.cool(s(300));
    assert_eq!(rig.verdict(), closed(s(300), Blocked::Parked));
    rig.circuit.unpark();
    assert_eq!(rig.verdict(), closed(s(300), Blocked::Cooling));
}

#[test]
fn a_probe_answered_with_429_waits_as_it_was_told_and_probes_again() {
    let mut rig = Rig::default();
    rig.trip().at(15);
    let probe = rig.admit().unwrap();
    rig.circuit.cool(s(45));
    rig.release(probe);
    assert_eq!(rig.verdict(), closed(s(45), Blocked::Cooling));
    assert_eq!(rig.at(45).verdict(), Verdict::Probe);
}

#[test]
fn a_clock_that_stands_still_keeps_an_open_circuit_open() {
    let mut rig = Rig::default();
    rig.trip();
    for _ in 0..1000 {
        assert_eq!((rig.admit(), rig.admit_early()), (None, None));
    }
}

#[test]
fn settings_of_zero_neither_panic_nor_keep_it_closed() {
    let zero = CircuitPolicy {
        consecutive_failures: 0,
        min_requests: 0,
        open_for: Duration::ZERO,
        open_max: Duration::ZERO,
        dwell: Duration::ZERO,
        ..CircuitPolicy::default()
    };
    let mut rig = Rig { policy: zero, ..Rig::default() };
    let admitted = rig.admit().unwrap();
    assert!(rig.fail(admitted));
    let probe = rig.admit().unwrap();
    rig.succeed(probe);
    assert_eq!(rig.verdict(), Verdict::Free);
}

#[test]
fn what_matters_survives_a_restart_on_another_clock() {
    let mut rig = Rig::default();
    rig.at(100).trip();
    assert_eq!(Circuit::default().saved(Now::new(s(7), 0)), None);
    rig.circuit.cool(s(4_000));
    let saved = rig.circuit.saved(Now::new(s(105), 1_000_000)).unwrap();
    // Open for 10 more seconds, cooling for 3,895; what the wall clock says has passed is gone.
    for (what, wall_ms, open_until, cooling_until) in [
        ("at once", 1_000_000, Some(13), Some(3_898)),
        ("after 4 s", 1_004_000, Some(9), Some(3_894)),
        ("a clock set back", 1_000, Some(13), Some(3_898)),
        ("after an hour", 1_000_000 + 3_600_000, None, Some(298)),
        ("after a day", 1_000_000 + 86_400_000, None, None),
    ] {
        let now = Now::new(s(3), wall_ms);
        let circuit = Circuit::restored(&saved, now);
        let open = match circuit.state(now.mono) {
            State::Open { until, .. } => Some(until.as_secs()),
            _ => None,
        };
        let cooling = match circuit.verdict(&rig.policy, now.mono) {
            Verdict::Closed { until, why: Blocked::Cooling } => Some(until.as_secs()),
            _ => None,
        };
        assert_eq!((open, cooling), (open_until, cooling_until), "{what}");
    }
}

#[test]
fn a_ramp_begins_with_a_probe_after_a_restart_and_a_forever_stays_forever() {
    let mut rig = Rig::recovering(100);
    rig.circuit.park(Duration::MAX);
    let saved = rig.circuit.saved(Now::new(s(120), 5_000)).unwrap();
    let mut restored = Circuit::restored(&saved, Now::new(s(1), 6_000));
    assert!(matches!(
        restored.verdict(&rig.policy, s(9_999_999)),
        Verdict::Closed { why: Blocked::Parked, .. }
    ));
    restored.unpark();
    assert_eq!(restored.verdict(&rig.policy, s(1)), Verdict::Probe);
    let json = serde_json::to_string(&saved).unwrap();
    assert_eq!(serde_json::from_str::<SavedCircuit>(&json).unwrap(), saved);
}

/// What may happen to a circuit. Numbers choose among what is in flight.
#[derive(Debug, Clone)]
enum Happens {
    Wait(u64),
    Admit { early: bool },
    Succeed(usize),
    Answering(usize),
    Fail { which: usize, rate: f64, requests: u32 },
    Release(usize),
    Cool(u64),
    Park(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (0..20_000_u64).prop_map(Happens::Wait),
        8 => any::<bool>().prop_map(|early| Happens::Admit { early }),
        2 => any::<usize>().prop_map(Happens::Succeed),
        1 => any::<usize>().prop_map(Happens::Answering),
        6 => (any::<usize>(), 0.0..1.0_f64, 0..40_u32)
            .prop_map(|(which, rate, requests)| Happens::Fail { which, rate, requests }),
        1 => any::<usize>().prop_map(Happens::Release),
        1 => (0..60_000_u64).prop_map(Happens::Cool),
        1 => (0..60_000_u64).prop_map(Happens::Park),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Everything the circuit promises, at every step of whatever happens.
    #[test]
    fn an_open_circuit_admits_nothing_but_single_probes_and_deadlines_only_extend(
        events in prop::collection::vec(happens(), 1..150),
    ) {
        let mut rig = Rig::default();
        let mut in_flight: Vec<Admitted> = Vec::new();
        let (mut cooling, mut parked) = (Duration::ZERO, Duration::ZERO);
        let mut last_probe: Option<Duration> = None;
        for event in events {
            let before = rig.verdict();
            let state = rig.state();
            let mut was_cleared = false;
            let mut take = |which: usize| {
                (!in_flight.is_empty()).then(|| { let which = which % in_flight.len(); in_flight.swap_remove(which) })
            };
            match event {
                Happens::Wait(wait) => rig.now += ms(wait),
                Happens::Cool(for_ms) => {
                    cooling = cooling.max(rig.now + ms(for_ms));
                    rig.circuit.cool(rig.now + ms(for_ms));
                }
                Happens::Park(for_ms) => {
                    parked = parked.max(rig.now + ms(for_ms));
                    rig.circuit.park(rig.now + ms(for_ms));
                }
                Happens::Admit { early } => {
                    let admitted = rig.circuit.admit(&rig.policy, rig.now, early);
                    let told = cooling.max(if early { Duration::ZERO } else { parked });
                    if rig.now < told {
                        prop_assert!(admitted.is_none(), "told to wait");
                    }
                    match state {
                        State::Closed | State::Ramp { .. } => {
                            prop_assert!(admitted.is_none_or(|admitted| !admitted.is_probe));
                            if rig.now >= cooling.max(parked) || !early {
                                prop_assert_eq!(admitted.is_some(), rig.now >= cooling.max(parked));
                            }
                        }
                        State::Open { until, .. } => {
                            prop_assert!(rig.now < until);
                            if admitted.is_some() {
                                prop_assert!(early);
                                prop_assert!(last_probe.is_none_or(|last| rig.now.saturating_sub(last) >= EARLY_PROBES_EVERY));
                            }
                        }
                        State::HalfOpen { probe_in_flight } => {
                            prop_assert!(!(probe_in_flight && admitted.is_some()), "a second probe");
                        }
                    }
                    // One that tries a parked key ends an open circuit's pause as well.
                    was_cleared = early && admitted.is_some();
                    if let Some(admitted) = admitted {
                        if admitted.is_probe {
                            last_probe = Some(rig.now);
                        }
                        in_flight.push(admitted);
                    }
                }
                Happens::Succeed(which) => if let Some(admitted) = take(which) {
                    rig.succeed(admitted);
                    // One that went out with the refused key shows that it is taken.
                    was_cleared = admitted.tries_key.is_some();
                    if was_cleared {
                        parked = rig.circuit.parked_until;
                    }
                },
                Happens::Answering(which) => if let Some(admitted) = in_flight.get(which % in_flight.len().max(1)) {
                    rig.circuit.answering(&rig.policy, *admitted, rig.now);
                },
                Happens::Fail { which, rate, requests } => if let Some(admitted) = take(which) {
                    let opened = rig.circuit.failed(&rig.policy, admitted, rate, requests, rig.now);
                    let is_open = matches!(rig.state(), State::Open { .. });
                    prop_assert!(!opened || is_open);
                },
                Happens::Release(which) => if let Some(admitted) = take(which) { rig.release(admitted) },
            }
            // An open circuit's end moves only later, and only a success leads out of it.
            if let (State::Open { until: was, .. }, State::Open { until: is, .. }) = (state, rig.state()) {
                prop_assert!(is >= was);
            }
            if let (State::Open { until, .. }, State::Closed | State::Ramp { .. }) = (state, rig.state()) {
                prop_assert!(false, "left {until:?} without a probe");
            }
            // A deadline that was told stands until it is over.
            if let Verdict::Closed { until, why: Blocked::Cooling | Blocked::Parked } = before
                && !was_cleared
            {
                match rig.verdict() {
                    Verdict::Closed { until: is, .. } => prop_assert!(is >= until || rig.now >= until),
                    _ => prop_assert!(rig.now >= until),
                }
            }
        }
        // Whatever happened: with all attempts back, it is never stuck.
        for admitted in in_flight {
            rig.release(admitted);
        }
        rig.now += s(120);
        let admitted = rig.admit();
        prop_assert!(admitted.is_some());
        rig.succeed(admitted.unwrap());
        rig.now += s(30);
        prop_assert_eq!(rig.verdict(), Verdict::Free);
    }

    /// However a provider flaps, openings keep the doubled times apart, and after the fourth that
    /// is two minutes.
    #[test]
    fn a_flapping_provider_opens_it_no_more_often_than_the_doubled_times_allow(
        flaps in prop::collection::vec((1..200_u64, 1..200_u64), 10..40),
        every_ms in 50..3_000_u64,
    ) {
        let mut rig = Rig::default();
        let mut openings = Vec::new();
        let mut closed_since: Option<Duration> = Some(Duration::ZERO);
        for (bad, good) in flaps {
            for (is_bad, length) in [(true, bad), (false, good)] {
                let end = rig.now + s(length);
                while rig.now < end {
                    if let Some(admitted) = rig.admit() {
                        if !is_bad {
                            rig.succeed(admitted);
                        } else if rig.fail(admitted) {
                            // It was seen closed up to one step after it was.
                            let quiet = closed_since.is_some_and(|since| since + FORGET <= rig.now + ms(every_ms));
                            openings.push((rig.now, quiet));
                        }
                    }
                    closed_since = match rig.state() {
                        State::Closed => closed_since.or(Some(rig.now)),
                        _ => None,
                    };
                    rig.now += ms(every_ms);
                }
            }
        }
        let mut open_for = s(15);
        for pair in openings.windows(2) {
            prop_assert!(pair[1].0 >= pair[0].0 + open_for, "{pair:?} within {open_for:?}");
            open_for = if pair[1].1 { s(15) } else { (open_for * 2).min(s(120)) };
        }
    }
}

#[test]
fn a_row_of_failures_that_chance_brings_to_a_busy_target_is_no_news() {
    for (in_a_row, error_rate, requests, expected) in [
        (5, 1.0, 5, true),
        (5, 0.1, 50, true),
        // One in fifty usually: five in a row are no chance.
        (5, 0.02, 20_000, true),
        // One in ten usually, and twenty thousand a minute.
        (5, 0.1, 20_000, false),
        (7, 0.1, 20_000, false),
        (8, 0.1, 20_000, true),
        (5, f64::NAN, 20_000, false),
    ] {
        assert_eq!(is_surprising(in_a_row, error_rate, requests), expected, "{in_a_row} {error_rate}");
    }
}
