//! What the conformance tests of all families do alike: judge every record, name what differs.

use std::collections::BTreeMap;
use std::fmt::Debug;

use wire::{Protocol, Quirks};

use crate::conformance::{self, Found};
use crate::corpus::Record;

/// Records judged of one provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub whole: usize,
    pub streamed: usize,
    pub errors: usize,
}

/// Judges each record and prints how many of each provider were read.
///
/// # Panics
/// Where any record differs; every one of them is named.
pub fn every(
    records: impl IntoIterator<Item = Record>,
    judge: impl Fn(&Record) -> Result<(), String>,
) -> BTreeMap<String, Count> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut failures = Vec::new();
    for record in records {
        let count = counts.entry(record.provider.clone()).or_default();
        match (record.response.status >= 400, record.stream) {
            (true, _) => count.errors += 1,
            (false, true) => count.streamed += 1,
            (false, false) => count.whole += 1,
        }
        if let Err(failure) = judge(&record) {
            failures.push(format!("{}: {failure}", record.id));
        }
    }
    for (provider, Count { whole, streamed, errors }) in &counts {
        println!("{provider}: {whole} whole, {streamed} streamed, {errors} errors");
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
    counts
}

/// As [`every`], for the judging of answers: what is equal is written down for the conformance table.
pub fn every_answer(
    protocol: &'static dyn Protocol,
    records: impl IntoIterator<Item = Record>,
    judge: impl Fn(&Record) -> Result<(), String>,
) -> BTreeMap<String, Count> {
    every(records, |record| {
        judge(record)?;
        conformance::passed(protocol, &Quirks::default(), record);
        Ok(())
    })
}

/// As [`every_answer`], for another `operation` than chat.
pub fn every_operation(
    operation: &str,
    records: impl IntoIterator<Item = Record>,
    judge: impl Fn(&Record) -> Result<(), String>,
) -> BTreeMap<String, Count> {
    every(records, |record| {
        judge(record)?;
        let error = record.response.status >= 400;
        conformance::passed_as(operation, record, Found { error, ..Found::default() });
        Ok(())
    })
}

/// `Err` says in a sentence what differs.
pub fn same<T: PartialEq + Debug>(what: &str, got: &T, expected: &T) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what} is {got:?}, not {expected:?}")) }
}
