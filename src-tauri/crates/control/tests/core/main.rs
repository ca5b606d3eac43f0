//! The control surface over a real gateway and a real book, with the rehearsal as the provider.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "A test fails by panicking.")]

mod chat;
mod commands;
mod support;
