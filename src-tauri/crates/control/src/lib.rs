//! The levers: what any front can ask of the core, or be told by it.
//!
//! Two fronts stand on this surface, the desktop shell and `signalboxd`; neither knows the gateway.
//! A command is one function in [`commands`] and its line in [`table`]; [`bindings`] writes the
//! same types for the window.
//!
//! - [`control`]: [`Control`], the value that a front holds.
//! - [`chat`]: answers in the chat window. The core owns every generation, a window only watches.
//! - [`health`], [`keychain`]: the rules of the lamps; the keychain's state without waiting for it.
//! - [`types`], [`events`], [`error`]: what crosses the surface.

pub mod bindings;
pub mod chat;
pub mod commands;
mod control;
pub mod error;
pub mod events;
mod health;
mod keychain;
mod table;
pub mod types;
mod views;

pub use control::{Control, Options};
pub use error::ControlError;
pub use events::ControlEvent;
pub use types::{ControlErrorKind, WatchItem};
