//! How fast recorded streams become events, beside a plain reading of the same bytes into
//! `serde_json::Value`, in the same run: `cargo bench -p wire --bench decoders`.
//!
//! The table of times is for a quiet machine: rounds alternate between the two ways, so that drift
//! falls on both, and each way's fastest round counts, because whatever else runs only adds.
//! `-- --instructions` says the same on any machine, in instructions of user code, by way of valgrind.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "A benchmark looks at its watch and tells people."
)]

mod streams;

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use divan::Bencher;
use divan::counter::BytesCount;
use streams::Streams;
use wire::{ProtocolId, Quirks};

/// Rounds of each way: many short ones, so that some fall between the turns of other programs.
const ROUNDS: usize = 100;

/// Rounds that count for nothing: caches and the allocator are cold.
const WARM_UP: usize = 5;

/// How long a round of one way is, at least; short streams are read several times.
const ROUND: Duration = Duration::from_millis(2);

/// How often a counted program reads the streams: the rest of it is what two such programs share.
const READINGS: [u32; 2] = [1, 4];

/// A way of reading, by its name.
type Way = (&'static str, fn(&Streams));

/// Ours first.
const WAYS: [Way; 2] = [("ours", ours), ("plain", plain)];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--read", way, set, protocol, times, ..] => read(way, set, protocol, times),
        _ if words.contains(&"--instructions") => table("instructions/byte", instructions),
        _ => {
            divan::main();
            // `cargo test --benches` only asks whether it runs.
            if words.contains(&"--bench") {
                table("MB/s", speed);
            }
        }
    }
}

/// A line for every set of streams: what `measure` says of both ways, and how they compare where
/// `plain` is to be reached.
fn table(unit: &str, measure: fn(&str, &Streams) -> [f64; 2]) {
    for set in ["fixtures", "corpus"] {
        println!("\n{set:<20} {:>9} {:>12} {:>12} {:>7}   ({unit})", "bytes", "ours", "plain", "ratio");
        for streams in ProtocolId::ALL.into_iter().filter_map(|protocol| Streams::of(set, protocol)) {
            let [ours, plain] = measure(set, &streams);
            let ratio = if unit == "MB/s" { ours / plain } else { plain / ours };
            let (name, bytes) = (streams.protocol.as_str(), streams.bytes());
            println!("{name:<20} {bytes:>9} {ours:>12.2} {plain:>12.2} {ratio:>7.2}");
        }
    }
}

#[divan::bench(args = ProtocolId::ALL)]
fn events(bencher: Bencher<'_, '_>, protocol: ProtocolId) {
    let streams = Streams::of_fixtures(protocol);
    bencher.counter(BytesCount::new(streams.bytes())).bench_local(|| ours(&streams));
}

#[divan::bench(args = ProtocolId::ALL)]
fn values(bencher: Bencher<'_, '_>, protocol: ProtocolId) {
    let streams = Streams::of_fixtures(protocol);
    bencher.counter(BytesCount::new(streams.bytes())).bench_local(|| plain(&streams));
}

fn ours(streams: &Streams) {
    streams.decode(&Quirks::default(), |event| drop(black_box(event)));
}

fn plain(streams: &Streams) {
    streams.read_plainly(|value| drop(black_box(value)));
}

/// Megabytes per second of each way's fastest round.
fn speed(_: &str, streams: &Streams) -> [f64; 2] {
    let mut fastest = [Duration::MAX; 2];
    for round in 0..WARM_UP + ROUNDS {
        let times = WAYS.map(|(_, way)| one(|| way(streams)));
        if round >= WARM_UP {
            fastest = [fastest[0].min(times[0]), fastest[1].min(times[1])];
        }
    }
    fastest.map(|time| streams.bytes() as f64 / time.as_secs_f64() / 1e6)
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

/// Instructions per byte of each way: this program is run under valgrind, for fewer readings and for
/// more, and what it does beside reading falls out of the difference.
fn instructions(set: &str, streams: &Streams) -> [f64; 2] {
    WAYS.map(|(way, _)| {
        let [few, many] = READINGS.map(|times| counted(way, set, streams.protocol, times));
        (many - few) as f64 / f64::from(READINGS[1] - READINGS[0]) / streams.bytes() as f64
    })
}

/// All instructions of one program that reads the streams `times` times.
fn counted(way: &str, set: &str, protocol: ProtocolId, times: u32) -> u64 {
    let ourselves = std::env::current_exe().expect("a path of our own");
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(ourselves)
        .args(["--read", way, set, protocol.as_str(), &times.to_string()])
        .output()
        .expect("valgrind, which counts instructions");
    let said = String::from_utf8_lossy(&run.stderr);
    let count = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.unwrap_or_else(|| unreachable!("valgrind counted nothing: {said}"))
}

/// Reads a set of streams `times` times in one way, and measures nothing.
fn read(way: &str, set: &str, protocol: &str, times: &str) {
    let protocol = ProtocolId::ALL.into_iter().find(|known| known.as_str() == protocol).expect("a protocol");
    let streams = Streams::of(set, protocol).expect("streams");
    let (_, way) = WAYS.into_iter().find(|(name, _)| *name == way).expect("a way of reading");
    for _ in 0..times.parse().expect("a number") {
        way(&streams);
    }
}
