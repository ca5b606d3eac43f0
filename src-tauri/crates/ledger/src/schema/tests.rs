use std::fs;

use super::*;
use crate::testing::{Book, Exchange, NOON};
use crate::{Ledger, Outcome, Record};

fn path_in(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join(FILE_NAME)
}

#[test]
fn a_first_start_makes_the_folder_and_a_private_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join("deep").join(FILE_NAME);
    let ledger = Ledger::open(&path, NOON).unwrap();
    ledger.check().unwrap();
    #[cfg(unix)]
    for suffix in ["", "-wal"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(with_suffix(&path, suffix)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "others may not read the ledger{suffix}");
    }
}

#[test]
fn a_second_owner_is_refused_until_the_first_one_goes() {
    let book = Book::new();
    let second = Ledger::open(&book.path(), NOON);
    assert!(matches!(second, Err(LedgerError::InUse { .. })), "{second:?}");
    let clone = book.ledger.clone();
    let folder = book.folder;
    drop(book.ledger);
    assert!(Ledger::open(&path_in(&folder), NOON).is_err(), "a clone still owns it");
    drop(clone);
    Ledger::open(&path_in(&folder), NOON).unwrap();
}

#[test]
fn what_a_dead_owner_left_running_is_interrupted_and_only_that() {
    let book = Book::new();
    Exchange::new("done", NOON, "acme/large").write_to(&book);
    for record in Exchange::new("cut", NOON, "acme/small").started() {
        book.write(record);
    }
    book.settle();
    let book = book.reopen();
    let cut = book.ledger.request("cut").unwrap().unwrap();
    assert_eq!(cut.request.outcome, Outcome::Interrupted);
    assert_eq!(cut.request.settled_at, Some(NOON));
    assert_eq!(cut.request.cost_picousd, None, "what an unfinished request cost is unknown");
    assert_eq!(cut.request.provider.as_deref(), Some("acme"), "it stands under the target it had asked");
    assert_eq!(cut.attempts[0].outcome, Outcome::Interrupted);
    let done = book.ledger.request("done").unwrap().unwrap();
    assert_eq!((done.request.outcome, done.attempts[0].outcome), (Outcome::Ok, Outcome::Ok));
}

#[test]
fn a_helper_attaches_beside_the_owner_and_interrupts_nothing() {
    let book = Book::new();
    for record in Exchange::new("live", NOON, "acme/large").started() {
        book.write(record);
    }
    book.settle();
    let helper = Ledger::attach_existing(&book.path(), NOON).unwrap();
    let outcome = |ledger: &Ledger| ledger.request("live").unwrap().unwrap().request.outcome;
    assert_eq!(outcome(&helper), Outcome::Running);
    drop(helper);
    assert_eq!(outcome(&book.ledger), Outcome::Running);
    book.write(Record::RequestSettled(Exchange::new("live", NOON, "acme/large").settled()));
    book.settle();
    assert_eq!(outcome(&book.ledger), Outcome::Ok);
}

#[test]
fn a_helper_that_only_reads_makes_no_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let path = path_in(&folder);
    assert!(matches!(Ledger::attach_existing(&path, NOON), Err(LedgerError::Missing { .. })));
    assert!(!path.exists());
}

#[test]
fn a_helper_may_come_before_the_first_owner() {
    let folder = tempfile::tempdir().unwrap();
    let helper = Ledger::attach(&path_in(&folder), NOON).unwrap();
    let owner = Ledger::open(&path_in(&folder), NOON).unwrap();
    owner.check().unwrap();
    drop(helper);
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let book = Book::new();
    let path = book.path();
    let folder = book.folder;
    drop(book.ledger);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", CURRENT + 1).unwrap();
    let refused = Ledger::open(&path, NOON).unwrap_err();
    assert_eq!(refused, LedgerError::TooNew { path: path.clone(), found: CURRENT + 1, known: CURRENT });
    assert_eq!(Ledger::attach(&path, NOON).unwrap_err(), refused);
    let connection = Connection::open(&path).unwrap();
    assert_eq!(version(&connection, &path).unwrap(), CURRENT + 1);
    drop(folder);
}

#[test]
fn a_migration_copies_the_file_first_and_keeps_its_rows() {
    let book = Book::new();
    Exchange::new("old", NOON, "acme/large").write_to(&book);
    let path = book.path();
    let folder = book.folder;
    drop(book.ledger);

    let later = [MIGRATIONS, &["ALTER TABLE requests ADD COLUMN mood TEXT"]].concat();
    let mut connection = connect(&path, Duration::ZERO).unwrap();
    migrate(&mut connection, &path, &later, NOON).unwrap();
    assert_eq!(version(&connection, &path).unwrap(), CURRENT + 1);
    let kept: i64 = connection
        .query_row("SELECT count(*) FROM requests WHERE mood IS NULL", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 1);

    let name = format!("signalbox-before-schema-{}-{NOON}.db", CURRENT + 1);
    let copy = Connection::open(folder.path().join(name)).unwrap();
    assert_eq!(version(&copy, &path).unwrap(), CURRENT);
    let copied: i64 = copy.query_row("SELECT count(*) FROM requests", [], |row| row.get(0)).unwrap();
    assert_eq!(copied, 1);
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = path_in(&folder);
    drop(Ledger::open(&path, NOON).unwrap());
    let broken = [MIGRATIONS, &["CREATE TABLE half (x); NOT SQL"]].concat();
    let mut connection = connect(&path, Duration::ZERO).unwrap();
    migrate(&mut connection, &path, &broken, NOON).unwrap_err();
    assert_eq!(version(&connection, &path).unwrap(), CURRENT);
    let half: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'half'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(half, 0);
}

#[test]
fn a_file_that_is_no_database_is_called_damaged_and_moved_only_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = path_in(&folder);
    let bytes = b"this was a ledger once, until something wrote a letter over it ".repeat(64);
    fs::write(&path, &bytes).unwrap();
    let error = Ledger::open(&path, NOON).unwrap_err();
    assert_eq!(error.kind(), "corrupt");
    assert!(error.to_string().contains(&path.display().to_string()), "the message names the file: {error}");
    assert_eq!(fs::read(&path).unwrap(), bytes, "a damaged file is left as it is");

    let aside = Ledger::move_aside(&path, NOON).unwrap();
    assert_eq!(fs::read(&aside).unwrap(), bytes);
    Ledger::open(&path, NOON).unwrap().check().unwrap();
}

#[test]
fn damage_inside_the_file_is_found_after_an_unclean_close() {
    let book = Book::new();
    for n in 0..200 {
        Exchange::new(&format!("r{n}"), NOON + n, "acme/large").write_to(&book);
    }
    let path = book.path();
    let folder = book.folder;
    drop(book.ledger);
    {
        let connection = Connection::open(&path).unwrap();
        set_clean_close(&connection, false).unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    }
    // Page 1 holds the schema and stays; whatever comes after the tables' roots is overwritten.
    let mut bytes = fs::read(&path).unwrap();
    let (page, pages) = (4096, bytes.len() / 4096);
    for number in pages / 2..pages {
        bytes[number * page..number * page + 64].fill(0xa5);
    }
    fs::write(&path, &bytes).unwrap();
    assert_eq!(Ledger::open(&path, NOON).unwrap_err().kind(), "corrupt");
    drop(folder);
}

#[test]
fn another_programs_database_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = path_in(&folder);
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(Ledger::open(&path, NOON).unwrap_err().kind(), "corrupt");
    assert_eq!(Ledger::attach(&path, NOON).unwrap_err().kind(), "corrupt");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_ledger_in_use_is_not_moved_aside() {
    let book = Book::new();
    assert_eq!(Ledger::move_aside(&book.path(), NOON).unwrap_err().kind(), "in_use");
    assert!(book.path().exists());
}

#[test]
fn a_ledger_held_by_another_program_is_called_locked() {
    let book = Book::new();
    let path = book.path();
    let folder = book.folder;
    drop(book.ledger);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = Ledger::open_with(&path, NOON, Duration::ZERO).unwrap_err();
    assert_eq!(refused, LedgerError::Locked { path: path.clone() });
    other.execute_batch("ROLLBACK").unwrap();
    Ledger::open(&path, NOON).unwrap();
    drop(folder);
}

#[test]
fn the_journal_of_a_ledger_goes_aside_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = path_in(&folder);
    for suffix in ["", "-wal", "-shm"] {
        fs::write(with_suffix(&path, suffix), suffix).unwrap();
    }
    let aside = Ledger::move_aside(&path, NOON).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        assert!(!with_suffix(&path, suffix).exists());
        assert_eq!(fs::read_to_string(with_suffix(&aside, suffix)).unwrap(), suffix);
    }
}

#[test]
fn many_who_come_at_once_to_an_empty_folder_all_get_in() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = path_in(&folder);
        let barrier = std::sync::Barrier::new(5);
        std::thread::scope(|scope| {
            for n in 0..4 {
                let (path, barrier) = (&path, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    for round in 0..3 {
                        let helper = Ledger::attach(path, NOON).unwrap();
                        helper.create_chat(&format!("{n}-{round}"), "New chat", None, NOON).unwrap();
                    }
                });
            }
            barrier.wait();
            Ledger::open(&path, NOON).unwrap().check().unwrap();
        });
        assert_eq!(Ledger::open(&path, NOON).unwrap().chats(None, 100).unwrap().len(), 12);
    }
}
