//! The deviations of the providers in the corpus: those that the catalogue ships.

use wire::{ProtocolId, Quirks};

/// The quirks under which `provider`'s Chat Completions are decoded. Relays that are no kind of
/// ours (Copilot, Portkey, …) have none.
pub fn quirks_for(provider: &str) -> Quirks {
    catalog::kind(provider).map(|kind| kind.endpoint(ProtocolId::OpenaiChat).quirks).unwrap_or_default()
}
