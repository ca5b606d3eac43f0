//! The settings: one TOML file, one struct.
//!
//! - [`parse`]: text → [`Config`], or every problem with its line, key and nearest known name.
//! - [`edit`]: changes that keep the file's comments, and the one way to write it.
//! - [`kinds`]: the user's own provider files beside it, which settings may name as kinds.
//! - [`watch`]: tells when somebody else changed any of them.
//!
//! A [`Config`] is never changed: a new one takes its place whole, and requests under way keep
//! the one they began with.

pub mod edit;
pub mod kinds;
pub mod parse;
pub mod watch;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use catalog::{SpecError, Values};
use checking::Mode;
use routing::{Policy, Route};
use serde::{Deserialize, Serialize};
use wire::{Profile, ProtocolId};

pub use edit::ConfigEdit;

/// Written where there is no settings file yet; documents every key. A test parses it.
pub const EXAMPLE: &str = include_str!("config/example.toml");

/// The id of the built-in rehearsal provider; no provider of the user's may take it.
pub const REHEARSAL_ID: &str = "rehearsal";

/// Where the port listens unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8790";

/// Everything that the settings file says, checked: names are unique, routes lead to providers
/// that exist, kinds and protocols are known.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Always a loopback address.
    pub listen: SocketAddr,
    pub providers: Vec<ProviderConfig>,
    pub routes: Vec<RouteConfig>,
    /// What holds for every route: limits, budgets, circuits, repeats, the user's time zone.
    pub policy: Arc<Policy>,
    pub checks: CheckModes,
    pub timeouts: Timeouts,
    pub limits: Limits,
    /// Servers on this machine are looked for on their usual ports.
    pub looks_for_servers: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8790)),
            providers: Vec::new(),
            routes: Vec::new(),
            policy: Arc::new(Policy { zone: jiff::tz::TimeZone::system(), ..Policy::default() }),
            checks: CheckModes::default(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            looks_for_servers: true,
        }
    }
}

/// One `[[provider]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderConfig {
    pub id: String,
    /// The catalogue's name of the vendor.
    pub kind: String,
    /// Replaces the kind's own.
    pub base_url: Option<String>,
    /// Replaces the kind's own.
    pub protocol: Option<ProtocolId>,
    pub key: KeySource,
    /// Models that this provider serves beside those it lists itself.
    pub models: Vec<String>,
    /// What the kind asks every user for: a region, a project (`region = "eu-west-1"`).
    pub variables: Values,
    /// What holds for single models, behind what the kind knows of them (`[[provider.profile]]`).
    pub profiles: Vec<Profile>,
}

/// Where a provider's key comes from. Never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", content = "name", rename_all = "snake_case")]
pub enum KeySource {
    /// The provider takes none.
    None,
    Keychain,
    /// The environment variable of this name.
    Env(String),
}

/// One `[[route]]`: a name of the user's own for one or more targets.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteConfig {
    pub route: Arc<Route>,
    /// Replaces `checks.tools` for this route.
    pub tool_check: Option<Mode>,
    /// Replaces `checks.output` for this route.
    pub output_check: Option<Mode>,
}

impl RouteConfig {
    pub fn name(&self) -> &str {
        &self.route.name
    }
}

/// What is done about tool calls and structured output that are wrong. By default nothing but
/// writing it down: every other mode may change bytes, and so leaves the verbatim lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckModes {
    pub tools: Mode,
    pub output: Mode,
}

impl Config {
    /// The modes that hold for requests to `route`; `None` is a model asked for by its own name.
    pub fn checks_of(&self, route: Option<&str>) -> CheckModes {
        let route = route.and_then(|name| self.routes.iter().find(|route| route.name() == name));
        CheckModes {
            tools: route.and_then(|route| route.tool_check).unwrap_or(self.checks.tools),
            output: route.and_then(|route| route.output_check).unwrap_or(self.checks.output),
        }
    }
}

/// How long is waited for what. Kept apart, because each failure means something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// From sending an attempt to the head of its answer, streamed or not: a provider that is asked
    /// for a whole answer may send no byte before it is written.
    pub first_byte: Duration,
    /// From sending an attempt to the first piece of its streamed answer. Comments and pings do
    /// not count as one.
    pub first_content: Duration,
    /// Between two pieces of a streamed answer.
    pub idle: Duration,
    /// For the whole request, all attempts together.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            // As long as the vendors' own SDKs wait for an answer that comes whole.
            first_byte: Duration::from_secs(600),
            // Models that think first take minutes, not seconds, to their first word.
            first_content: Duration::from_secs(180),
            idle: Duration::from_secs(120),
            total: Duration::from_secs(1800),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest request that the port takes.
    pub max_body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // A dozen photographs in base64, or the longest context that any model takes.
        Self { max_body_bytes: 64 << 20 }
    }
}

/// One thing wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigProblem {
    /// From 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// The key or table at fault (`provider.base_url`).
    pub key: Option<String>,
    pub message: String,
    /// The known name that was perhaps meant.
    pub nearest: Option<String>,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        f.write_str(&self.message)?;
        match &self.nearest {
            Some(nearest) => write!(f, " Did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

/// Why the settings could not be used or changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConfigError {
    /// At least one problem.
    #[error("{}", render(path, problems))]
    Invalid { path: PathBuf, problems: Vec<ConfigProblem> },
    #[error("The settings file {} could not be {deed}: {detail}.", path.display())]
    Io { path: PathBuf, deed: &'static str, detail: String },
    /// An edit that names something which is not there.
    #[error("{0}")]
    Edit(String),
    /// Provider files of the user's that were refused; the settings hold, unless `settings` says
    /// what is wrong with them too.
    #[error("{}", render_kinds(problems, settings.as_deref()))]
    Kinds { problems: Vec<SpecError>, settings: Option<Box<ConfigError>> },
}

impl ConfigError {
    /// Whether the settings themselves hold, and only files beside them do not.
    pub fn leaves_settings(&self) -> bool {
        matches!(self, Self::Kinds { settings: None, .. })
    }

    /// The problems with their lines, where the text is at fault.
    pub fn problems(&self) -> &[ConfigProblem] {
        match self {
            Self::Invalid { problems, .. } => problems,
            Self::Io { .. } | Self::Edit(_) => &[],
            Self::Kinds { settings, .. } => settings.as_ref().map_or(&[], |settings| settings.problems()),
        }
    }
}

fn render(path: &std::path::Path, problems: &[ConfigProblem]) -> String {
    let lines: Vec<String> =
        problems.iter().map(|problem| format!("{}: {problem}", path.display())).collect();
    lines.join("\n")
}

fn render_kinds(problems: &[SpecError], settings: Option<&ConfigError>) -> String {
    let settings = settings.map(ToString::to_string);
    let lines: Vec<String> = problems.iter().map(ToString::to_string).chain(settings).collect();
    lines.join("\n")
}
