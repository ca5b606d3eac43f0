//! The rehearsal room: the real router between simulated agents and simulated providers, in
//! simulated time. A bad hour takes a second here and is the same one each time.
//!
//! - [`scenario`]: a file that says who asks, whom, and what goes wrong when.
//! - `agent`, `provider`, `meter`: who asks, who answers, and how an answerer counts.
//! - [`pilot`]: what decides: Signalbox' router, or one of three plain policies to compare it with.
//! - [`world`]: what waits: the engine's part, over a queue of events.
//! - [`record`]: what came of it; `report`, `picture`, `page`: how it is shown.
//!
//! Providers know nothing of routers and are the same for every policy: there is no way to do well
//! here but to route well. The same scenario, seed and policy give the same bytes of output.

mod agent;
pub mod chance;
mod meter;
pub mod page;
mod picture;
pub mod pilot;
mod provider;
mod queue;
pub mod record;
pub mod report;
pub mod runs;
pub mod scenario;
mod slab;
pub mod span;
pub mod world;

pub use chance::Chance;
pub use provider::Told;
pub use record::{Figures, Record};
pub use scenario::Scenario;
pub use world::World;
