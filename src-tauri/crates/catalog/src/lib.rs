//! What we know of vendors, as data: who they are, how they deviate, what they charge.
//!
//! - [`spec`]: one provider, as a TOML file says it; a user's own file is read by the same code.
//! - [`providers`]: the kinds we ship. The folder `providers/` is the list.
//! - [`profiles`]: what several of them know of the same models.
//! - [`prices`]: the price table, and which of its rows holds for a model.
//! - [`models`]: what the table says of a model beside its price.
//! - [`pricing`]: what a request cost, exactly, in integers.
//!
//! No network, no clock, no key: a time that matters is an argument.

pub mod models;
pub mod prices;
pub mod pricing;
pub mod profiles;
pub mod providers;
pub mod spec;

pub use models::ModelInfo;
pub use prices::{Found, Match, PriceTable, RowId};
pub use pricing::{CostLine, CostStatus, PriceQuery, Priced, SearchSize, SearchTool, price};
pub use providers::{Kinds, kind, kinds, nearest_kind};
pub use spec::{
    Auth, AuthScheme, Endpoint, OtherProtocol, Probe, ProviderSpec, SETTINGS_KEYS, ServiceAccount, SigV4,
    SpecError, SpecModel, Values, Variable, is_value, meant_variant, parse_spec, placeholders,
};
