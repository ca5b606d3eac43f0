//! The gateway over real sockets: a real port in front, providers that do as they are told behind.

mod answers;
mod failures;
mod port;
mod settings;
mod support;
