//! Every rate-limit header in the recorded traffic is understood, or is named here as no limit.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use signalbox_tests::corpus;
use wire::{Headers, limits};

/// Headers of the same look that tell no limit of ours.
const NO_LIMIT: &[(&str, &str)] = &[
    ("x-ratelimit", "together: whether limits hold at all"),
    ("x-ratelimit-abusepenalty-active", "azure: a penalty, not a limit"),
    ("x-ratelimit-key", "azure: the deployment that is counted"),
    ("x-ratelimit-tokens-query-cost", "mistral: what this request took"),
    ("ratelimitbysize-query-cost", "mistral: what this request took, in a unit of its own"),
    ("ratelimitbysize-limit", "mistral: a limit by size, in a unit that it documents nowhere"),
    ("ratelimitbysize-remaining", "mistral: as above"),
    ("ratelimitbysize-reset", "mistral: as above"),
    ("x-ratelimitbysize-limit-minute", "mistral: as above"),
    ("x-ratelimitbysize-limit-month", "mistral: as above"),
    ("x-ratelimitbysize-remaining-minute", "mistral: as above"),
    ("x-ratelimitbysize-remaining-month", "mistral: as above"),
    ("x-ratelimit-requests", "anthropic's OpenAI endpoint: its limit's name without the word"),
    ("x-ratelimit-tokens", "anthropic's OpenAI endpoint: as above"),
    ("x-endpoint-monthly-call-limit", "cohere: without what remains of it"),
];

#[test]
fn every_recorded_rate_limit_is_read() {
    let Some(records) = corpus::every() else { return };
    // Later than every recording: a reset that is a point in time has passed.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000);
    let mut read: BTreeMap<String, usize> = BTreeMap::new();
    let mut unread: BTreeSet<String> = BTreeSet::new();
    for record in &records {
        for (name, value) in record.headers().iter() {
            let name = name.to_ascii_lowercase();
            if !(name.contains("ratelimit") || name.contains("-call-")) {
                continue;
            }
            // A reset or a window alone is no limit: it stands beside one.
            let told = [
                (name.clone(), value.to_owned()),
                (name.replace("reset", "limit").replace("renewalperiod", "limit"), "1".to_owned()),
            ];
            let limits = limits::read(&told.into_iter().collect::<Headers>(), now);
            let (is_reset, is_window) = (name.contains("reset"), name.contains("renewalperiod"));
            if limits.first().is_some_and(|limit| {
                (!is_reset || limit.reset.is_some()) && (!is_window || limit.window.is_some())
            }) {
                *read.entry(record.provider.clone()).or_default() += 1;
            } else if !NO_LIMIT.iter().any(|(known, _)| *known == name) {
                unread.insert(format!("{}: {name}: {value}", record.provider));
            }
        }
    }
    println!("headers read, by provider: {read:?}");
    assert!(unread.is_empty(), "not understood: {unread:#?}");
    assert!(read.len() >= 9, "providers went missing: {read:?}");
}
