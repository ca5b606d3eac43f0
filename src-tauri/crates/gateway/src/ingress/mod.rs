//! The way in: a loopback port that tools speak to.
//!
//! - [`server`]: accepts, and stops in good order.
//! - [`routes`]: what is answered where, from the list of dialects.
//! - [`operations`]: what is asked beside conversations, and where: [`embeddings`], [`count`].
//! - [`models`]: what there is to ask for, in each vendor's shape.
//! - [`guard`]: refuses pages from elsewhere that try to use the browser as their way in.
//! - [`auth`]: a client's key → the client.
//! - [`refused`]: requests that never became one, in the book.
//! - [`reply`]: answers, streamed and whole, and errors in the dialect's own shape.

pub(crate) mod auth;
mod count;
mod embeddings;
mod guard;
mod models;
mod operations;
pub(crate) mod refused;
mod reply;
mod routes;
pub(crate) mod server;

pub(crate) use routes::Port;
