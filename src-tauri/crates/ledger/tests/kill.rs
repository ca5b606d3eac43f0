//! The ledger's promise, tested by killing real processes: what a flush acknowledged is there after
//! a SIGKILL, the file is sound, and exactly what was unfinished is `interrupted`.

// Helpers of tests outside of `#[test]` functions: the lint's exception for tests does not reach them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use canonical::{PicoUsd, Usage};
use ledger::{
    AttemptEnded, AttemptStarted, Cost, Ledger, MessageEnded, MessageProgress, MessageState, NewMessage,
    Outcome, Record, RequestSettled, RequestStarted,
};

const ROUNDS: usize = 20;
const PATH: &str = "LEDGER_KILL_TEST_PATH";
const ROUND: &str = "LEDGER_KILL_TEST_ROUND";

/// Of ten requests, which ones are never settled.
fn stays_open(n: usize) -> bool {
    n.is_multiple_of(10)
}

// === The process that is killed ===

/// Not a test of its own: the parent starts it in a process and kills that.
#[test]
#[ignore = "run by a_kill_loses_nothing_that_was_acknowledged in a child process"]
fn child_writes_until_it_is_killed() {
    let path = PathBuf::from(std::env::var(PATH).expect("only the parent test starts this one"));
    let round = std::env::var(ROUND).unwrap();
    let ledger = Ledger::open(&path, 1_000).unwrap();
    let chat = format!("chat-{round}");
    ledger.create_chat(&chat, "Under load", None, 1_000).unwrap();
    let mut out = std::io::stdout();
    for n in 0..1_000_000 {
        write_one(&ledger, &format!("{round}-{n}"), &chat, n);
        if n % 37 == 36 {
            ledger.flush_blocking().unwrap();
            writeln!(out, "flushed {n}").unwrap();
        }
    }
}

fn write_one(ledger: &Ledger, id: &str, chat: &str, n: usize) {
    ledger.write(Record::RequestStarted(RequestStarted {
        id: id.to_owned(),
        started_at: n as i64,
        dialect: "openai-chat".to_owned(),
        request_model: "acme/large".to_owned(),
        ..RequestStarted::default()
    }));
    ledger.write(Record::AttemptStarted(AttemptStarted {
        id: format!("{id}.0"),
        request_id: id.to_owned(),
        provider: "acme".to_owned(),
        model: "large".to_owned(),
        started_at: n as i64,
        ..AttemptStarted::default()
    }));
    ledger.write(Record::MessageCreated(NewMessage {
        id: format!("message-{id}"),
        chat_id: chat.to_owned(),
        parent_id: None,
        role: "assistant".to_owned(),
        state: MessageState::Streaming,
        text: String::new(),
        attachments: None,
        model: None,
        request_id: Some(id.to_owned()),
        created_at: n as i64,
    }));
    ledger.write(Record::MessageProgress(MessageProgress {
        id: format!("message-{id}"),
        text: format!("part of {id}"),
        ..MessageProgress::default()
    }));
    if stays_open(n) {
        return;
    }
    let usage = Usage { input_tokens: 10, output_tokens: 20, ..Usage::default() };
    ledger.write(Record::AttemptEnded(AttemptEnded {
        usage: Some(usage.clone()),
        ..AttemptEnded::new(format!("{id}.0"), Outcome::Ok, 5)
    }));
    ledger.write(Record::RequestSettled(RequestSettled {
        usage: Some(usage),
        cost: Cost::computed(PicoUsd(n as i64)),
        ..RequestSettled::new(id, Outcome::Ok, n as i64 + 5, 5)
    }));
    ledger.write(Record::MessageEnded(MessageEnded {
        id: format!("message-{id}"),
        state: MessageState::Complete,
        text: format!("all of {id}"),
        reasoning: String::new(),
        tool_calls: None,
        model: None,
        error_kind: None,
        error_message: None,
        ended_at: n as i64 + 5,
    }));
}

// === The test ===

fn start_child(path: &Path, round: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_writes_until_it_is_killed", "--nocapture"])
        .env(PATH, path)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the child when it has acknowledged `after` flushes, wherever it is by then. Returns the
/// last number that it acknowledged before it died.
fn kill_after(mut child: Child, after: usize) -> usize {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    // The test harness prints a line's beginning of its own before the first one.
    let number = |line: &str| line.rsplit_once("flushed ").map(|(_, n)| n.parse::<usize>().unwrap());
    let mut last = lines.by_ref().filter_map(|line| number(&line)).take(after).last();
    child.kill().unwrap();
    child.wait().unwrap();
    last = lines.filter_map(|line| number(&line)).last().or(last);
    last.expect("the child acknowledged something before it was killed")
}

type Outcomes = BTreeMap<String, (Outcome, Vec<Outcome>, Option<i64>)>;

fn outcomes(ledger: &Ledger) -> Outcomes {
    ledger
        .export_requests()
        .map(|request| {
            let request = request.unwrap();
            let attempts = request.attempts.iter().map(|attempt| attempt.outcome).collect();
            (request.id, (request.status, attempts, request.cost_picousd))
        })
        .collect()
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(ledger::FILE_NAME);
    let mut before = Outcomes::new();
    let mut interrupted = 0;
    for round in 0..ROUNDS {
        let acknowledged = kill_after(start_child(&path, round), 1 + round * 7 % 11);

        // What is on disk, seen by one who changes nothing, and then what the next owner makes of it.
        let found = outcomes(&Ledger::attach_existing(&path, 2_000).unwrap());
        let owner = Ledger::open(&path, 2_000).unwrap();
        owner.check().unwrap();
        let after = outcomes(&owner);

        let mut expected = found.clone();
        for (status, attempts, _) in expected.values_mut() {
            for outcome in std::iter::once(status).chain(attempts) {
                if *outcome == Outcome::Running {
                    *outcome = Outcome::Interrupted;
                    interrupted += 1;
                }
            }
        }
        assert_eq!(after, expected, "exactly the unfinished are interrupted");
        for (id, row) in &before {
            assert_eq!(after.get(id), Some(row), "{id} of an earlier round is as it was");
        }
        for n in 0..=acknowledged {
            let (status, attempts, cost) = &after[&format!("{round}-{n}")];
            let (expected, cost_expected) =
                if stays_open(n) { (Outcome::Interrupted, None) } else { (Outcome::Ok, Some(n as i64)) };
            assert_eq!((*status, attempts[0], *cost), (expected, expected, cost_expected), "{round}-{n}");
        }
        assert_messages_are_kept(&owner, round, acknowledged);
        before = after;
    }
    assert!(interrupted >= ROUNDS, "the kills met work in progress ({interrupted})");
}

fn assert_messages_are_kept(ledger: &Ledger, round: usize, acknowledged: usize) {
    let tree = ledger.chat(&format!("chat-{round}")).unwrap().unwrap();
    let messages: BTreeMap<_, _> =
        tree.messages.iter().map(|message| (message.id.as_str(), message)).collect();
    assert!(tree.messages.iter().all(|message| message.state != MessageState::Streaming));
    for n in 0..=acknowledged {
        let message = messages[format!("message-{round}-{n}").as_str()];
        let (state, text) = if stays_open(n) {
            (MessageState::Interrupted, format!("part of {round}-{n}"))
        } else {
            (MessageState::Complete, format!("all of {round}-{n}"))
        };
        assert_eq!((message.state, message.text.as_str()), (state, text.as_str()));
    }
}
