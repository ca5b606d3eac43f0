//! The deviations of the providers in the corpus: those that the catalogue ships.

use wire::{ProtocolId, Quirks};

/// The quirks under which `provider`'s Chat Completions are decoded. Relays that are no kind of
/// ours (Copilot, Portkey, …) have none.
pub fn quirks_for(provider: &str) -> Quirks {
    catalog::kind(provider).map(|kind| kind.endpoint(ProtocolId::OpenaiChat).quirks).unwrap_or_default()
}

/// The catalogue's kind, with its deviations, where it has one that speaks the protocol; else the
/// protocol's own vendor or the general kind.
pub fn kind_for<'a>(provider: &'a str, protocol: &str) -> &'a str {
    let id = ProtocolId::from_name(protocol);
    let speaks = catalog::kind(provider).is_some_and(|spec| {
        Some(spec.protocol) == id || spec.also.iter().any(|other| Some(other.protocol) == id)
    });
    match protocol {
        _ if speaks => provider,
        "openai-chat" => "openai-compatible",
        "anthropic-messages" => "anthropic-compatible",
        "gemini-generate" => "google",
        _ => "openai",
    }
}
