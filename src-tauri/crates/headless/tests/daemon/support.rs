//! A daemon of its own for each test, and the program's other commands.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything here takes; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_signalboxd");

pub(crate) struct Daemon {
    pub(crate) folder: TempDir,
    /// The line that it printed when it was ready.
    pub(crate) ready: Value,
    child: Child,
}

/// A folder with a settings file.
pub(crate) fn folder(settings: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("settings.toml"), without_discovery(settings)).unwrap();
    folder
}

/// `signalboxd serve` on a free port, in `folder`.
pub(crate) fn serve(folder: &TempDir) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(folder.path().join("settings.toml"))
        .arg("--data-dir")
        .arg(folder.path().join("data"))
        // No session bus: the keychain is absent, at once and everywhere alike.
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .stdin(Stdio::null());
    command
}

impl Daemon {
    pub(crate) fn start() -> Self {
        let folder = folder("");
        let command = serve(&folder);
        Self::start_with(command, folder)
    }

    pub(crate) fn start_with(mut command: Command, folder: TempDir) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready: {line:?}"));
        Self { folder, ready, child }
    }

    pub(crate) fn port(&self, path: &str) -> String {
        format!("http://{}{path}", self.ready["listening"].as_str().unwrap())
    }

    pub(crate) fn surface(&self, path: &str) -> String {
        format!("http://{}{path}", self.ready["control_listening"].as_str().unwrap())
    }

    pub(crate) fn token(&self) -> &str {
        self.ready["token"].as_str().unwrap()
    }

    /// One command of the control surface; panics where it refuses.
    pub(crate) async fn control(&self, name: &str, args: Value) -> Value {
        let request = client().post(self.surface(&format!("/control/{name}")));
        let response = request.bearer_auth(self.token()).json(&args).send().await.unwrap();
        assert_eq!(response.status(), 200, "{name}: {}", response.text().await.unwrap());
        response.json().await.unwrap()
    }

    /// Another command of the program on the same data folder; its stdout.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = run(args, Some(&self.folder));
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn add_client(&self, name: &str) -> String {
        self.run(&["client", "add", name]).trim_end().to_owned()
    }

    pub(crate) fn export(&self) -> Vec<Value> {
        self.run(&["export", "requests"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Asks it to end as the system does, and returns what it still printed and how it ended.
    pub(crate) fn terminate(mut self) -> (TempDir, bool) {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        let status = self.child.wait().unwrap();
        let mut rest = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "one line is all that it prints");
        (self.take_folder(), status.success())
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.take_folder()
    }

    /// `self` has a destructor, so the folder is taken out of it.
    fn take_folder(&mut self) -> TempDir {
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with these arguments, and the data folder inside of `folder`.
pub(crate) fn run(args: &[&str], folder: Option<&TempDir>) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(args);
    if let Some(folder) = folder {
        command.arg("--data-dir").arg(folder.path().join("data"));
    }
    command.output().unwrap()
}

pub(crate) fn client() -> reqwest::Client {
    // Nothing here is encrypted; the client wants one all the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

/// Settings of a test: a server on the machine that the test runs on is no part of it.
fn without_discovery(settings: &str) -> String {
    if settings.contains("[discovery]") {
        return settings.to_owned();
    }
    format!("{settings}\n[discovery]\nenabled = false\n")
}
