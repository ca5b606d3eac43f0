//! The understudy: a provider of our own, in this process, that needs no key.
//!
//! It lets a person see everything work before they have a key, and it is the tests' partner over
//! real HTTP. It speaks `openai-chat`, believably and honestly: its answers are made from the
//! prompt's own words, say that they are a rehearsal, and fail on request in each way that real
//! providers do ([`drill`]).
//!
//! - [`script`]: a request becomes a plan of timed steps. Pure: the same request, the same plan.
//! - [`answers`], [`sample`]: the words of an answer, and values that fit a JSON Schema.
//! - [`tokens`]: how tokens are counted, and what counts as cached.
//! - [`openai`]: the JSON of requests, chunks and whole answers, written apart from `wire`, so that
//!   the two check each other.
//! - [`server`]: the thin part that waits and writes.

pub mod answers;
pub mod drill;
pub mod openai;
pub mod sample;
pub mod script;
pub mod server;
pub mod tokens;

pub use drill::Drill;
pub use script::{MODELS, Model, Script, Step};
pub use server::serve;

/// The provider's id in model names: `rehearsal/steady`.
pub const PROVIDER_ID: &str = "rehearsal";

/// The model that is chosen where nobody chose one.
pub const DEFAULT_MODEL: &str = "steady";

/// Every model's id, drills included, in the order in which a picker shows them.
pub fn model_ids() -> Vec<String> {
    let drills = Drill::ALL.iter().map(|drill| format!("{}{}", script::DRILL_PREFIX, drill.word()));
    MODELS.iter().map(|model| model.id.to_owned()).chain(drills).collect()
}
