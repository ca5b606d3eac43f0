//! The program's other commands, and starts that are refused.

use std::process::{Command, Output};

use crate::support::{Daemon, PROGRAM, folder, run, serve};

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn check(settings: &str) -> Output {
    let folder = folder(settings);
    Command::new(PROGRAM)
        .args(["check", "--config"])
        .arg(folder.path().join("settings.toml"))
        .output()
        .unwrap()
}

#[test]
fn check_names_every_mistake_with_its_line_key_and_nearest_known_one() {
    let output = check("[port]\nlissten = \"127.0.0.1:1\"\n\n[[provider]]\nid = \"a\"\nkind = \"opnai\"\n");
    assert!(!output.status.success());
    let said = stderr(&output);
    for part in ["line 2", "lissten", "`listen`", "line 6", "opnai", "`openai`"] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    assert!(check("[port]\nlisten = \"127.0.0.1:0\"\n").status.success());
}

#[test]
fn check_warns_of_a_key_that_is_not_set_here_and_passes() {
    let settings = "[[provider]]\nid = \"a\"\nkind = \"openai\"\nkey = \"env:SIGNALBOX_TEST_NO_SUCH_KEY\"\n";
    let output = check(settings);
    assert!(output.status.success());
    let said = stderr(&output);
    assert!(said.contains("warning: ") && said.contains("SIGNALBOX_TEST_NO_SUCH_KEY"), "{said}");
    assert!(!stderr(&check(&settings.replace("SIGNALBOX_TEST_NO_SUCH_KEY", "PATH"))).contains("warning"));
}

#[test]
fn a_daemon_refuses_settings_that_have_a_mistake() {
    let folder = folder("[port]\nlissten = \"127.0.0.1:1\"\n");
    let output = serve(&folder).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(stderr(&output).contains("line 2"), "{}", stderr(&output));
}

#[test]
fn a_second_daemon_on_the_same_folder_says_so() {
    let daemon = Daemon::start();
    let output = serve(&daemon.folder).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(stderr(&output).contains("already running with the data folder"), "{}", stderr(&output));
}

#[test]
fn a_taken_port_is_said_with_who_has_it() {
    let daemon = Daemon::start();
    let taken = daemon.ready["listening"].as_str().unwrap();
    let folder = folder("");
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", taken, "--config"]).arg(folder.path().join("settings.toml"));
    let output = command.arg("--data-dir").arg(folder.path().join("data")).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    let said = stderr(&output);
    assert!(said.contains(taken) && said.contains("signalboxd"), "{said}");
}

#[test]
fn an_address_that_others_could_reach_is_refused() {
    let folder = folder("");
    for option in ["--listen", "--control-listen"] {
        let output = serve_with(&folder, option, "0.0.0.0:0");
        assert!(!output.status.success() && stderr(&output).contains("loopback"), "{}", stderr(&output));
    }
}

fn serve_with(folder: &tempfile::TempDir, option: &str, value: &str) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", option, value, "--config"]).arg(folder.path().join("settings.toml"));
    command.arg("--data-dir").arg(folder.path().join("data")).output().unwrap()
}

#[test]
fn a_damaged_ledger_is_said_plainly_and_moved_only_by_the_users_word() {
    let folder = folder("");
    let ledger = folder.path().join("data").join("signalbox.db");
    std::fs::create_dir_all(ledger.parent().unwrap()).unwrap();
    let junk = vec![0x5a; 8192];
    std::fs::write(&ledger, &junk).unwrap();
    let output = serve(&folder).output().unwrap();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("--move-aside"), "{}", stderr(&output));
    assert_eq!(std::fs::read(&ledger).unwrap(), junk, "nothing was changed");
    assert!(!run(&["repair"], Some(&folder)).status.success());
    assert_eq!(std::fs::read(&ledger).unwrap(), junk);

    let moved = run(&["repair", "--move-aside"], Some(&folder));
    assert!(moved.status.success(), "{}", stderr(&moved));
    let aside = String::from_utf8(moved.stdout).unwrap();
    assert_eq!(std::fs::read(aside.trim_end()).unwrap(), junk);
    let command = serve(&folder);
    Daemon::start_with(command, folder);
}

#[test]
fn the_version_is_the_packages() {
    let output = Command::new(PROGRAM).arg("--version").output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        format!("signalboxd {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn an_export_without_a_ledger_says_that_there_is_none() {
    let folder = folder("");
    let output = run(&["export", "requests"], Some(&folder));
    assert!(!output.status.success() && stderr(&output).contains("no ledger"), "{}", stderr(&output));
}
