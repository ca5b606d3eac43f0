//! The gateway over real sockets: a real port in front, providers that do as they are told behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so"
)]

mod answers;
mod checks;
mod drills;
mod failures;
mod keychain;
mod kinds;
mod memory;
mod operations;
mod port;
mod routing;
mod settings;
mod support;
