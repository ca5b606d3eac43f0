use std::sync::mpsc;

use proptest::prelude::*;

use super::*;
use crate::testing::{Book, Exchange, NOON, request};
use crate::{Ledger, MessageProgress, Outcome, RequestSettled};

fn count(book: &Book, table: &str) -> i64 {
    book.ledger
        .read(|connection| {
            Ok(connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap())
        })
        .unwrap()
}

/// Blocks the writer's thread until the sender is dropped, so that a test decides what queues up.
fn hold_the_writer(book: &Book) -> (mpsc::Sender<()>, std::thread::JoinHandle<()>) {
    let (release, held) = mpsc::channel::<()>();
    let (entered, has_entered) = mpsc::channel();
    let ledger = book.ledger.clone();
    let thread = std::thread::spawn(move || {
        ledger
            .transact(move |_| {
                entered.send(()).unwrap();
                let _ = held.recv();
                Ok(())
            })
            .unwrap();
    });
    has_entered.recv().unwrap();
    (release, thread)
}

#[test]
fn what_was_written_before_a_flush_is_on_disk_after_it() {
    let book = Book::new();
    for n in 0..2_000 {
        Exchange::new(&format!("r{n}"), NOON, "acme/large").write_to(&book);
    }
    book.settle();
    assert_eq!((count(&book, "requests"), count(&book, "attempts")), (2_000, 2_000));
    assert_eq!(book.ledger.status().written, 8_000);
    assert_eq!(book.ledger.status().queued, 0);
}

#[test]
fn records_are_committed_without_anybody_asking() {
    let book = Book::new();
    book.write(Record::RequestStarted(request("r", NOON)));
    // Waits on the state's change, not on the clock.
    while book.ledger.status().written == 0 {
        std::thread::yield_now();
    }
    assert_eq!(count(&book, "requests"), 1);
}

#[test]
fn a_flush_can_be_awaited() {
    let book = Book::new();
    book.write(Record::RequestStarted(request("r", NOON)));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(book.ledger.flush()).unwrap();
    assert_eq!(count(&book, "requests"), 1);
}

#[test]
fn closing_writes_out_what_is_queued() {
    let book = Book::new();
    for n in 0..1_500 {
        book.write(Record::RequestStarted(request(&format!("r{n}"), NOON)));
    }
    let book = book.reopen();
    assert_eq!(count(&book, "requests"), 1_500);
}

#[test]
fn a_refused_record_is_counted_and_takes_nothing_down_with_it() {
    let book = Book::new();
    book.write(Record::RequestStarted(request("a", NOON)));
    book.write(Record::RequestStarted(request("a", NOON)));
    book.write(Record::RequestSettled(RequestSettled::new("nobody", Outcome::Ok, NOON, 1)));
    book.write(Record::RequestStarted(request("b", NOON)));
    book.ledger.flush_blocking().unwrap();
    let status = book.ledger.status();
    assert_eq!((status.written, status.failed, status.dropped), (2, 2, 0));
    assert_eq!(status.state, LedgerState::Ok);
    assert_eq!(status.word(), "losing");
    assert_eq!(count(&book, "requests"), 2);
}

#[test]
fn settling_twice_keeps_the_first() {
    let book = Book::new();
    book.write(Record::RequestStarted(request("a", NOON)));
    book.write(Record::RequestSettled(RequestSettled::new("a", Outcome::Ok, NOON + 1, 1)));
    book.write(Record::RequestSettled(RequestSettled::new("a", Outcome::Failed, NOON + 2, 2)));
    book.ledger.flush_blocking().unwrap();
    assert_eq!(book.ledger.request("a").unwrap().unwrap().request.outcome, Outcome::Ok);
    assert_eq!(book.ledger.status().failed, 1);
}

#[test]
fn a_full_disk_shows_and_what_was_queued_is_written_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(crate::FILE_NAME);
    let mut connection = schema::connect(&path, Duration::ZERO).unwrap();
    schema::migrate(&mut connection, &path, schema::MIGRATIONS, NOON).unwrap();
    // The limit belongs to the connection, and past it SQLite fails exactly as on a full disk. So
    // the test is the writer's thread, and takes its turns one by one.
    let limit = |connection: &Connection, pages: u32| {
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    };
    limit(&connection, 1);
    let queue = Arc::new(Queue::default());
    let writer = Writer { path: path.clone(), queue: Arc::clone(&queue), thread: None };
    let mut worker = Worker { path: path.clone(), connection, queue, is_owner: true };
    let mut group = Group::default();

    let long = "x".repeat(2_000);
    for n in 0..400 {
        let start = crate::RequestStarted { request_model: long.clone(), ..request(&format!("r{n}"), NOON) };
        writer.push(Record::RequestStarted(start));
    }
    let flushed = writer.flush().unwrap();
    worker.collect(&mut group);
    let full = LedgerError::Full { path };
    assert_eq!(worker.commit(&mut group), Err(full.clone()));
    worker.refuse(&mut group, &full);
    assert_eq!(flushed.blocking_recv().unwrap(), Err(full.clone()), "nobody is left waiting");
    let status = writer.status();
    assert_eq!((status.word(), status.queued, status.dropped), ("retrying", 400, 0));
    assert!(status.message().unwrap().contains("full"));
    assert_eq!(status.state, LedgerState::Retrying(full));

    limit(&worker.connection, 1_000_000);
    let flushed = writer.flush().unwrap();
    worker.collect(&mut group);
    worker.commit(&mut group).unwrap();
    worker.answer(&mut group);
    assert_eq!(flushed.blocking_recv().unwrap(), Ok(()));
    let status = writer.status();
    assert_eq!((status.word(), status.queued, status.written, status.message()), ("ok", 0, 400, None));
    let count: i64 =
        worker.connection.query_row("SELECT count(*) FROM requests", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 400);
}

#[test]
fn another_programs_lock_delays_but_loses_nothing() {
    let book = Book::new();
    let other = Connection::open(book.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    book.write(Record::RequestStarted(request("a", NOON)));
    assert_eq!(book.ledger.flush_blocking(), Err(LedgerError::Locked { path: book.path() }));
    assert_eq!(book.ledger.status().word(), "retrying");
    assert_eq!(book.ledger.status().queued, 1);
    other.execute_batch("ROLLBACK").unwrap();
    book.settle();
    assert_eq!(count(&book, "requests"), 1);
    assert_eq!(book.ledger.status().word(), "ok");
}

#[test]
fn a_full_queue_drops_the_newest_counts_them_and_never_waits() {
    let book = Book::new();
    let (release, thread) = hold_the_writer(&book);
    for n in 0..QUEUE_ROWS + 10 {
        book.write(Record::RequestStarted(request(&format!("r{n}"), NOON)));
    }
    let status = book.ledger.status();
    assert_eq!((status.queued, status.dropped), (QUEUE_ROWS, 10));
    assert!(status.message().unwrap().contains("10 records"));
    drop(release);
    thread.join().unwrap();
    book.ledger.flush_blocking().unwrap();
    assert_eq!(count(&book, "requests"), QUEUE_ROWS as i64);
}

#[test]
fn partial_texts_give_way_before_the_queue_is_full() {
    let book = Book::new();
    let (release, thread) = hold_the_writer(&book);
    let text = "x".repeat(1 << 20);
    for _ in 0..100 {
        let progress =
            MessageProgress { id: "m".to_owned(), text: text.clone(), ..MessageProgress::default() };
        book.write(Record::MessageProgress(progress));
    }
    assert!(book.ledger.inner.writer.queue.lock().bytes <= QUEUE_BYTES / 2);
    book.write(Record::RequestStarted(request("r", NOON)));
    assert_eq!(book.ledger.status().dropped, 0, "what a later record repeats is not lost");
    drop(release);
    thread.join().unwrap();
    book.settle();
    assert_eq!(count(&book, "requests"), 1);
}

#[test]
fn senders_on_many_threads_keep_each_ones_order() {
    let book = Book::new();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let book = &book;
            scope.spawn(move || {
                for n in 0..200 {
                    Exchange::new(&format!("{thread}-{n}"), NOON, "acme/large").write_to(book);
                }
            });
        }
    });
    book.settle();
    let running: i64 = book
        .ledger
        .read(|connection| {
            Ok(connection
                .query_row("SELECT count(*) FROM requests WHERE outcome <> 'ok'", [], |row| row.get(0))
                .unwrap())
        })
        .unwrap();
    assert_eq!((count(&book, "requests"), running), (1_600, 0));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Start(u8),
    Settle(u8),
    Flush,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..24_u8).prop_map(Step::Start),
        4 => (0..24_u8).prop_map(Step::Settle),
        1 => Just(Step::Flush),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the order of starts, ends, flushes and restarts, a request is running until its
    /// first end, interrupted if a restart came between, and then nothing changes it.
    #[test]
    fn the_book_agrees_with_a_plain_map(steps in proptest::collection::vec(step(), 1..60)) {
        let mut book = Book::new();
        let mut expected = std::collections::BTreeMap::new();
        for step in steps {
            match step {
                Step::Start(n) => {
                    expected.entry(n).or_insert(Outcome::Running);
                    book.write(Record::RequestStarted(request(&n.to_string(), NOON)));
                }
                Step::Settle(n) => {
                    if let Some(outcome @ Outcome::Running) = expected.get_mut(&n) {
                        *outcome = Outcome::Ok;
                    }
                    book.write(Record::RequestSettled(RequestSettled::new(n.to_string(), Outcome::Ok, NOON, 1)));
                }
                Step::Flush => book.ledger.flush_blocking().unwrap(),
                Step::Restart => {
                    book = book.reopen();
                    for outcome in expected.values_mut().filter(|outcome| **outcome == Outcome::Running) {
                        *outcome = Outcome::Interrupted;
                    }
                }
            }
        }
        book.ledger.flush_blocking().unwrap();
        let found: std::collections::BTreeMap<u8, Outcome> = book
            .ledger
            .export_requests()
            .map(|request| request.map(|request| (request.id.parse().unwrap(), request.status)))
            .collect::<Result<_>>()
            .unwrap();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_closed_ledger_says_so() {
    let book = Book::new();
    let writer = &book.ledger.inner.writer;
    writer.queue.lock().is_closed = true;
    writer.queue.changed.notify_one();
    assert_eq!(book.ledger.flush_blocking(), Err(LedgerError::Closed));
    assert_eq!(book.ledger.set_draft("c", "x"), Err(LedgerError::Closed));
}

#[test]
fn a_handle_is_send_and_sync() {
    fn check<T: Send + Sync + Clone>() {}
    check::<Ledger>();
}
