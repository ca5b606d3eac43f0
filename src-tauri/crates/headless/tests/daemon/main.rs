//! The real program: started, asked over HTTP, told to stop.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "A test fails by panicking.")]

mod commands;
mod control;
mod port;
mod support;
