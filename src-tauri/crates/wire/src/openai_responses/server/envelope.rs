//! Another maker's proof of thought, in the field where OpenAI keeps its own.
//!
//! Clients of this family send `reasoning` items back as they came, `encrypted_content` included.
//! What Anthropic or Google sign is put there as JSON behind the mark of [`crate::signatures`], all
//! of it base64, so that bytes that hold one are never passed on as they are. When the item comes
//! back, the proof is taken out again, and the part is what it was: nothing of this family hangs on
//! it, so that the client half never sends it to OpenAI, which could not read it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::signatures::{CODED_MARK, MARK};

/// What an envelope holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sealed {
    /// Of a thought; its words are the item's summary.
    Thought { signature: Option<String>, encrypted: Option<String> },
    /// Of the tool call with that id, for items of calls have no field for it.
    Call { id: String, signature: String },
    /// Of the part before it (Google signs text and images as well).
    Before { signature: String },
}

pub(super) fn seal(sealed: &Sealed) -> String {
    let value = match sealed {
        Sealed::Thought { signature, encrypted } => {
            json!({"of": "thought", "signature": signature, "encrypted": encrypted})
        }
        Sealed::Call { id, signature } => json!({"of": "call", "id": id, "signature": signature}),
        Sealed::Before { signature } => json!({"of": "before", "signature": signature}),
    };
    STANDARD.encode([MARK.as_slice(), value.to_string().as_bytes()].concat())
}

/// `None` for what is none of ours. A damaged envelope is an empty thought.
pub(super) fn open(encrypted_content: &str) -> Option<Sealed> {
    if !encrypted_content.starts_with(CODED_MARK) {
        return None;
    }
    let inside = STANDARD.decode(encrypted_content).unwrap_or_default();
    let value: Value =
        serde_json::from_slice(inside.strip_prefix(MARK).unwrap_or_default()).unwrap_or_default();
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    Some(match (value["of"].as_str(), text("id"), text("signature")) {
        (Some("call"), Some(id), Some(signature)) => Sealed::Call { id, signature },
        (Some("before"), _, Some(signature)) => Sealed::Before { signature },
        (_, _, signature) => Sealed::Thought { signature, encrypted: text("encrypted") },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_what_is_found() {
        for sealed in [
            Sealed::Thought { signature: Some("s\"1".into()), encrypted: None },
            Sealed::Thought { signature: None, encrypted: Some("e".into()) },
            Sealed::Thought { signature: None, encrypted: None },
            Sealed::Call { id: "call_1".into(), signature: "s".into() },
            Sealed::Before { signature: "s".into() },
        ] {
            assert!(crate::signatures::has_sealed(seal(&sealed).as_bytes()));
            assert_eq!(open(&seal(&sealed)), Some(sealed));
        }
        assert_eq!(open("gAAAAABo"), None);
        let damaged = Sealed::Thought { signature: None, encrypted: None };
        assert_eq!(open(&STANDARD.encode(b"signalbox:1:{\"of\":\"call\",\"i")), Some(damaged));
    }
}
