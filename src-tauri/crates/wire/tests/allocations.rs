//! How often memory is asked for while recorded streams become events, beside a plain reading of
//! the same bytes into `serde_json::Value`. Counts and no times: the same on every machine.
//!
//! `cargo test -p wire --test allocations -- --nocapture` prints the table.
#![allow(clippy::expect_used, reason = "Without its fixtures the test means nothing.")]

#[path = "../benches/streams/mod.rs"]
mod streams;

use std::alloc::System;
use std::hint::black_box;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use streams::Streams;
use wire::{ProtocolId, Quirks};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many allocations `read` asks for, growth of a buffer included.
fn allocations(read: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    read();
    let change = region.change();
    change.allocations + change.reallocations
}

#[test]
fn no_protocol_asks_for_memory_as_often_as_a_plain_reading() {
    let quirks = Quirks::default();
    for protocol in ProtocolId::ALL {
        let streams = Streams::of_fixtures(protocol);
        let (mut events, mut values) = (0_usize, 0_usize);
        let ours = allocations(|| {
            streams.decode(&quirks, |event| {
                events += 1;
                drop(black_box(event));
            });
        });
        let plain = allocations(|| {
            streams.read_plainly(|value| {
                values += 1;
                drop(black_box(value));
            });
        });
        let per_event = |count: usize| count as f64 / events as f64;
        println!(
            "{protocol:<20} {events:>5} events, {values:>5} payloads: {:>6.1} allocations an event, {:>6.1} plainly",
            per_event(ours),
            per_event(plain)
        );
        assert!(events > 0 && values > 0, "{protocol}: nothing was read");
        assert!(ours < plain, "{protocol}: {ours} allocations where a plain reading needs {plain}");
    }
}
