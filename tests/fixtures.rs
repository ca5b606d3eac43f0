//! The project's own recorded answers, a few of each family: they hold the laws, and a snapshot
//! shows their events one per line, so that a review reads as a story.
//!
//! The whole corpus lies beside the project and may be absent; these are always here.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use canonical::StreamEvent;
use signalbox_tests::corpus::Record;
use signalbox_tests::{laws, quirks};
use wire::ProtocolId;

fn fixtures(family: ProtocolId) -> Result<Vec<Record>> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/wire"));
    let text = std::fs::read_to_string(folder.join(format!("{family}.jsonl")))?;
    text.lines().map(|line| serde_json::from_str(line).context("a line is no record")).collect()
}

/// One event on one line; what says nothing (no tokens, no value) is left out.
fn line(event: &StreamEvent) -> Result<String> {
    let mut value = serde_json::to_value(event)?;
    if let Some(fields) = value.as_object_mut() {
        let is_usage = matches!(event, StreamEvent::Usage(_));
        fields.retain(|_, field| !field.is_null() && (!is_usage || *field != 0));
    }
    Ok(value.to_string())
}

#[test]
fn every_familys_fixtures_hold_the_laws_and_tell_their_story() -> Result<()> {
    for family in ProtocolId::ALL {
        let mut story = String::new();
        for record in fixtures(family)? {
            let quirks = quirks::quirks_for(&record.provider);
            let decoded = laws::check(wire::protocol(family), &quirks, &record)
                .map_err(|law| anyhow::anyhow!("{}: {law}", record.id))?;
            writeln!(story, "== {} ({}, stream: {})", record.id, record.provider, record.stream)?;
            for event in &decoded.events {
                writeln!(story, "{}", line(event)?)?;
            }
            match &decoded.outcome {
                Ok(()) => writeln!(story, "complete\n")?,
                Err(error) => writeln!(story, "{:?}, {:?}: {error}\n", error.kind, error.status)?,
            }
        }
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("fixtures.{family}"), story);
        });
    }
    Ok(())
}
