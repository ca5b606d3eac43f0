//! The levers: what any front can ask of the core, or be told by it.

pub mod bindings;
pub mod error;
pub mod events;
mod table;
pub mod types;

pub use error::ControlError;
pub use events::ControlEvent;
