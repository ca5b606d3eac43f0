//! What the tests of this crate share: a ledger in a folder of its own, and short ways to fill it.

use std::path::PathBuf;

use canonical::{PicoUsd, Usage};
use tempfile::TempDir;

use crate::{
    AttemptEnded, AttemptStarted, Cost, FILE_NAME, Ledger, Outcome, Record, RequestSettled, RequestStarted,
};

/// 2026-11-20 12:00:00 UTC, a Friday.
pub(crate) const NOON: i64 = 1_795_176_000_000;

pub(crate) struct Book {
    pub(crate) ledger: Ledger,
    pub(crate) folder: TempDir,
}

impl Book {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join(FILE_NAME), NOON).unwrap();
        Self { ledger, folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(FILE_NAME)
    }

    /// Closes the ledger and opens it again, as a restart does.
    pub(crate) fn reopen(self) -> Self {
        let Self { ledger, folder } = self;
        drop(ledger);
        let ledger = Ledger::open(&folder.path().join(FILE_NAME), NOON).unwrap();
        Self { ledger, folder }
    }

    pub(crate) fn write(&self, record: Record) {
        self.ledger.write(record);
    }

    /// Everything written is readable afterwards, and none of it was refused.
    pub(crate) fn settle(&self) {
        self.ledger.flush_blocking().unwrap();
        let status = self.ledger.status();
        assert_eq!((status.dropped, status.failed), (0, 0), "every record is kept");
    }
}

/// A request with one attempt at `provider/model` that started at `at` and is over.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) id: String,
    pub(crate) at: i64,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) outcome: Outcome,
    pub(crate) cost: Cost,
    pub(crate) duration_ms: i64,
    pub(crate) time_to_first_token_ms: Option<i64>,
    pub(crate) usage: Option<Usage>,
}

impl Exchange {
    pub(crate) fn new(id: &str, at: i64, target: &str) -> Self {
        let (provider, model) = target.split_once('/').unwrap();
        Self {
            id: id.to_owned(),
            at,
            provider: provider.to_owned(),
            model: model.to_owned(),
            outcome: Outcome::Ok,
            cost: Cost::FREE,
            duration_ms: 1_000,
            time_to_first_token_ms: Some(200),
            usage: None,
        }
    }

    pub(crate) fn cost(mut self, picousd: i64) -> Self {
        self.cost = Cost::computed(PicoUsd(picousd));
        self
    }

    pub(crate) fn ended(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    pub(crate) fn started(&self) -> [Record; 2] {
        [
            Record::RequestStarted(request(&self.id, self.at)),
            Record::AttemptStarted(attempt(&self.id, 0, &self.provider, &self.model, self.at)),
        ]
    }

    pub(crate) fn attempt_ended(&self) -> AttemptEnded {
        AttemptEnded {
            time_to_first_token_ms: self.time_to_first_token_ms,
            usage: self.usage.clone(),
            cost: self.cost,
            ..AttemptEnded::new(attempt_id(&self.id, 0), self.outcome, self.duration_ms)
        }
    }

    pub(crate) fn settled(&self) -> RequestSettled {
        RequestSettled {
            usage: self.usage.clone(),
            cost: self.cost,
            time_to_first_token_ms: self.time_to_first_token_ms,
            ..RequestSettled::new(self.id.clone(), self.outcome, self.at + self.duration_ms, self.duration_ms)
        }
    }

    pub(crate) fn write_to(&self, book: &Book) {
        for record in self.started() {
            book.write(record);
        }
        book.write(Record::AttemptEnded(self.attempt_ended()));
        book.write(Record::RequestSettled(self.settled()));
    }
}

pub(crate) fn request(id: &str, at: i64) -> RequestStarted {
    RequestStarted {
        id: id.to_owned(),
        started_at: at,
        client: Some("notebook".to_owned()),
        dialect: "openai-chat".to_owned(),
        operation: Some("chat".to_owned()),
        request_model: "fast".to_owned(),
        stream: true,
        ..RequestStarted::default()
    }
}

pub(crate) fn attempt(
    request_id: &str,
    ordinal: u32,
    provider: &str,
    model: &str,
    at: i64,
) -> AttemptStarted {
    AttemptStarted {
        id: attempt_id(request_id, ordinal),
        request_id: request_id.to_owned(),
        ordinal,
        provider: provider.to_owned(),
        model: model.to_owned(),
        started_at: at,
        reason: None,
    }
}

pub(crate) fn attempt_id(request_id: &str, ordinal: u32) -> String {
    format!("{request_id}.{ordinal}")
}

pub(crate) fn usage(input: u64, output: u64) -> Usage {
    Usage { input_tokens: input, output_tokens: output, ..Usage::default() }
}
