//! A data folder that cannot be written is said to be so, whatever exactly is read-only.

#![cfg(unix)]
// Helpers of tests outside of `#[test]` functions: the lint's exception for tests does not reach them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use ledger::{FILE_NAME, Ledger, LedgerError};

const PATH: &str = "LEDGER_READ_ONLY_TEST_PATH";

/// Not a test of its own: prints how opening the ledger went.
#[test]
#[ignore = "run by the tests of this file as a user without rights"]
fn child_opens_the_ledger() {
    let path = std::env::var(PATH).expect("only the parent tests start this one");
    let kind = |result: Result<Ledger, LedgerError>| result.map_or_else(|error| error.kind(), |_| "open");
    let opened = kind(Ledger::open(Path::new(&path), 0));
    let attached = kind(Ledger::attach_existing(Path::new(&path), 0));
    println!("\nopened {opened} attached {attached}");
}

/// A process that is just being started holds this one's open files for a moment, and a program that
/// is open for writing cannot be run: so one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Opens the ledger in a process that permissions bind: root's are lowered to nobody's.
fn open_as_user(folder: &Path) -> String {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(std::env::current_exe().unwrap());
    let is_root = fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
    let copy = tempfile::tempdir().unwrap();
    if is_root {
        // Nobody may not reach the build folder, so the program goes where everybody may.
        fs::set_permissions(copy.path(), Permissions::from_mode(0o755)).unwrap();
        let program = copy.path().join("test");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        command = Command::new(program);
        command.uid(65_534).gid(65_534).current_dir("/");
    }
    let output = command
        .args(["--ignored", "--exact", "child_opens_the_ledger", "--nocapture"])
        .env(PATH, folder.join(FILE_NAME))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("opened "));
    line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr))).to_owned()
}

fn allow_all(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_read_only_folder_without_a_ledger() {
    let folder = tempfile::tempdir().unwrap();
    allow_all(folder.path(), 0o555);
    assert_eq!(open_as_user(folder.path()), "opened read_only attached missing");
}

#[test]
fn a_read_only_folder_with_a_ledger() {
    let folder = tempfile::tempdir().unwrap();
    drop(Ledger::open(&folder.path().join(FILE_NAME), 0).unwrap());
    for entry in fs::read_dir(folder.path()).unwrap() {
        allow_all(&entry.unwrap().path(), 0o444);
    }
    allow_all(folder.path(), 0o555);
    assert_eq!(open_as_user(folder.path()), "opened read_only attached read_only");
}

#[test]
fn a_read_only_file_in_a_folder_that_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    drop(Ledger::open(&path, 0).unwrap());
    for entry in fs::read_dir(folder.path()).unwrap() {
        allow_all(&entry.unwrap().path(), 0o666);
    }
    allow_all(&path, 0o444);
    allow_all(folder.path(), 0o777);
    assert_eq!(open_as_user(folder.path()), "opened read_only attached read_only");
}

#[test]
fn the_same_folder_opens_once_it_may_be_written() {
    let folder = tempfile::tempdir().unwrap();
    allow_all(folder.path(), 0o777);
    assert_eq!(open_as_user(folder.path()), "opened open attached open");
}
