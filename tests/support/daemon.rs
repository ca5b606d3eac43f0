//! `signalboxd` as its users start it: the real binary, a folder of its own, real sockets.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

/// The binary: `$SIGNALBOXD`, or the one beside the running test, built first where it is stale.
pub fn binary() -> Result<PathBuf> {
    static BINARY: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    BINARY
        .get_or_init(|| find_or_build().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(anyhow::Error::msg)
}

fn find_or_build() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("SIGNALBOXD") {
        return Ok(path.into());
    }
    let test = std::env::current_exe()?;
    let folder = test.ancestors().nth(2).context("the test runs outside of a target folder")?;
    // Through the workspace's own selection, so that nothing is compiled twice.
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--bin", "signalboxd"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()?;
    ensure!(status.success(), "signalboxd does not build");
    Ok(folder.join("signalboxd"))
}

/// A folder with settings and data, and at most one daemon that serves them.
#[derive(Debug)]
pub struct Daemon {
    folder: TempDir,
    child: Option<Child>,
    /// The ready line of the running daemon.
    pub ready: Value,
}

impl Daemon {
    /// Starts on a free port with `settings` (a whole TOML text).
    pub fn start(settings: &str) -> Result<Self> {
        Self::start_with(settings, &[])
    }

    /// As [`Daemon::start`], with environment variables (for `env:NAME` keys).
    pub fn start_with(settings: &str, environment: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("signalbox.toml"), without_discovery(settings))?;
        let mut daemon = Self { folder, child: None, ready: Value::Null };
        daemon.serve(environment)?;
        Ok(daemon)
    }

    /// Starts the daemon in its folder again, after [`Daemon::kill`] or [`Daemon::stop`].
    pub fn serve(&mut self, environment: &[(&str, &str)]) -> Result<()> {
        let mut child = self
            .command()?
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(self.config())
            .arg("--data-dir")
            .arg(self.data_dir())
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("no standard output")?;
        self.child = Some(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        self.ready =
            serde_json::from_str(&line).with_context(|| format!("the ready line is no JSON: {line:?}"))?;
        Ok(())
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("signalbox.toml")
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn address(&self) -> Result<SocketAddr> {
        let listening = self.ready["listening"].as_str().context("the ready line has no `listening`")?;
        Ok(listening.parse()?)
    }

    /// `http://127.0.0.1:PORT` with `path` behind it.
    pub fn url(&self, path: &str) -> Result<String> {
        Ok(format!("http://{}{path}", self.address()?))
    }

    /// A new client key, made by a second process while the daemon runs.
    pub fn client_key(&self, name: &str) -> Result<String> {
        let output =
            self.command()?.args(["client", "add", name, "--data-dir"]).arg(self.data_dir()).output()?;
        Ok(succeeded(output)?.trim().to_owned())
    }

    /// What `export requests` prints, line by line, from a second process.
    pub fn export(&self) -> Result<Vec<Value>> {
        let output =
            self.command()?.args(["export", "requests", "--data-dir"]).arg(self.data_dir()).output()?;
        succeeded(output)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// The exported row of that request, once it is settled (a group commit may be under way).
    pub async fn settled(&self, id: &str) -> Result<Value> {
        for _ in 0..200 {
            if let Some(row) = self.export()?.into_iter().find(|row| row["id"] == id)
                && row["cost_status"] != Value::Null
                && row["duration_ms"] != Value::Null
            {
                return Ok(row);
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        bail!("request {id} was not settled in the ledger")
    }

    /// The most memory that the running daemon ever held, in KiB (`VmHWM`); `None` where `/proc` does
    /// not say.
    pub fn peak_memory_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.as_ref()?.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// SIGTERM, and waits for the end in good order.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            let status = Command::new("kill").arg(child.id().to_string()).status()?;
            ensure!(status.success(), "could not signal the daemon");
            let status = child.wait()?;
            ensure!(status.success(), "the daemon ended with {status}");
        }
        Ok(())
    }

    /// The binary without this process' own provider keys.
    pub fn command(&self) -> Result<Command> {
        let mut command = Command::new(binary()?);
        command.env("NO_COLOR", "1");
        Ok(command)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // At the end of a test there is nobody left to tell.
        let _ = self.kill();
    }
}

fn succeeded(output: Output) -> Result<String> {
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    Ok(text)
}

/// Settings of a test: a server on the machine that the test runs on is no part of it.
fn without_discovery(settings: &str) -> String {
    if settings.contains("[discovery]") {
        return settings.to_owned();
    }
    format!("{settings}\n[discovery]\nenabled = false\n")
}
