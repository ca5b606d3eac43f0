//! How fast recorded streams become events, beside a plain reading of the same bytes into
//! `serde_json::Value`, in the same run: `cargo bench -p wire --bench decoders`.
//!
//! The table of ratios is the judgement: rounds alternate between the two ways, so that drift of
//! the machine falls on both, and each way's fastest round counts, because whatever else runs only adds.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "A benchmark looks at its watch and tells people."
)]

mod streams;

use std::hint::black_box;
use std::time::{Duration, Instant};

use divan::Bencher;
use divan::counter::BytesCount;
use streams::Streams;
use wire::{ProtocolId, Quirks};

/// Rounds of each way.
const ROUNDS: usize = 40;

/// How long a round of one way is, at least; short streams are read several times.
const ROUND: Duration = Duration::from_millis(10);

fn main() {
    divan::main();
    // `cargo test --benches` only asks whether it runs.
    if std::env::args().any(|argument| argument == "--bench") {
        println!(
            "\n{:<20} {:>9} {:>12} {:>12} {:>7}",
            "fixtures", "bytes", "ours MB/s", "plain MB/s", "ratio"
        );
        for protocol in ProtocolId::ALL {
            compare(&Streams::of_fixtures(protocol));
        }
        println!("\n{:<20} {:>9} {:>12} {:>12} {:>7}", "corpus", "bytes", "ours MB/s", "plain MB/s", "ratio");
        ProtocolId::ALL.into_iter().filter_map(Streams::of_corpus).for_each(|streams| compare(&streams));
    }
}

#[divan::bench(args = ProtocolId::ALL)]
fn events(bencher: Bencher<'_, '_>, protocol: ProtocolId) {
    let (streams, quirks) = (Streams::of_fixtures(protocol), Quirks::default());
    bencher.counter(BytesCount::new(streams.bytes())).bench_local(|| ours(&streams, &quirks));
}

#[divan::bench(args = ProtocolId::ALL)]
fn values(bencher: Bencher<'_, '_>, protocol: ProtocolId) {
    let streams = Streams::of_fixtures(protocol);
    bencher.counter(BytesCount::new(streams.bytes())).bench_local(|| plain(&streams));
}

fn ours(streams: &Streams, quirks: &Quirks) {
    streams.decode(quirks, |event| drop(black_box(event)));
}

fn plain(streams: &Streams) {
    streams.read_plainly(|value| drop(black_box(value)));
}

fn compare(streams: &Streams) {
    let quirks = Quirks::default();
    let mut fastest = [Duration::MAX; 2];
    for _ in 0..ROUNDS {
        fastest[0] = fastest[0].min(one(|| ours(streams, &quirks)));
        fastest[1] = fastest[1].min(one(|| plain(streams)));
    }
    let speed = |time: Duration| streams.bytes() as f64 / time.as_secs_f64() / 1e6;
    println!(
        "{:<20} {:>9} {:>12.0} {:>12.0} {:>7.2}",
        streams.protocol.as_str(),
        streams.bytes(),
        speed(fastest[0]),
        speed(fastest[1]),
        fastest[1].as_secs_f64() / fastest[0].as_secs_f64()
    );
}

/// How long one reading takes, over a round of them.
fn one(mut read: impl FnMut()) -> Duration {
    let start = Instant::now();
    let mut readings = 0;
    while start.elapsed() < ROUND {
        read();
        readings += 1;
    }
    start.elapsed() / readings
}
