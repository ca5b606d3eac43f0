//! The control surface over a real gateway and a real book, with the rehearsal as the provider.

mod chat;
mod commands;
mod support;
