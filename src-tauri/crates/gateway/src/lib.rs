//! The waiting: the only crate that opens sockets and reads the clock. It reads, asks the deciders
//! (`wire`, `catalog`, `routing`), writes to the book (`ledger`), and waits in between.
//!
//! - [`config`]: the settings file; [`providers`]: what it means, resolved; [`secrets`]: keys.
//! - [`port`] and [`ingress`]: the loopback port and what it answers.
//! - [`engine`]: the life of a request; the port and the chat window call the same one.
//! - [`egress`]: the connections to providers; [`models`]: what they serve.
//! - [`clients`]: keys that the port accepts; [`event`]: what the gateway tells its listeners.
//!
//! [`Gateway::start`] puts them together. It starts even where the settings are broken or the port
//! is taken: the state says so, and the window can mend both.

pub mod clients;
pub mod clock;
pub mod config;
mod core;
mod egress;
pub mod engine;
pub mod event;
mod gateway;
mod ingress;
pub mod models;
pub mod port;
pub mod providers;
pub mod secrets;
mod vault;

pub use clients::NewClient;
pub use clock::Clock;
pub use config::{Config, ConfigEdit, ConfigError, ConfigProblem, KeySource};
pub use engine::{Caller, Committed, Ending, EngineEvent, Hints, Inbound, Lane, Raw, Receipt, Running, Seam};
pub use event::Event;
pub use gateway::{Gateway, Options, Parts, StartError};
pub use models::{Model, ProviderTest};
pub use port::{PortState, PortTaken};
pub use providers::Provider;
pub use secrets::{KeyState, KeyStatus, KeychainState, KeychainStatus, Secret, SecretError, Secrets};
