//! What a front can ask for: one function per command, in its domain's file. The list is
//! [`crate::table`].

#![allow(
    clippy::unused_async,
    reason = "Commands are awaited alike, whether or not they wait for something."
)]

pub(crate) mod app;
pub(crate) mod chat;
pub(crate) mod chats;
pub(crate) mod clients;
pub(crate) mod health;
pub(crate) mod models;
pub(crate) mod providers;
pub(crate) mod requests;
pub(crate) mod routes;
pub(crate) mod routing;
pub(crate) mod settings;
pub(crate) mod spend;
pub(crate) mod tools;
