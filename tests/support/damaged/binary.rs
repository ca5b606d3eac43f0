//! Damage to AWS' binary event stream, each message with checksums that fit: what a relay breaks
//! when it takes messages apart and puts them together again. (Where a checksum does not fit, nobody
//! knows where the next message begins, and the stream ends with an error.)

use super::Kind;
use crate::laws::Chance;
use crate::reading::bedrock_converse::{Event, events};

/// Total length, length of the headers and the checksum of both.
const PRELUDE_BYTES: usize = 12;

pub(super) struct Changed {
    pub served: Vec<u8>,
    /// What of it makes sense.
    pub left: Vec<u8>,
}

/// `None` where a binary stream has no place for it.
pub(super) fn change(body: &[u8], kind: Kind, form: u8, chance: &mut Chance) -> Option<Changed> {
    let mut all = messages(body);
    let plain = body.to_vec();
    match kind {
        Kind::NoTerminator => {
            let dropped = if form == 0 { "messageStop" } else { "metadata" };
            let before = all.len();
            all.retain(|message| name(message) != dropped);
            (all.len() < before).then(|| Changed { served: all.concat(), left: all.concat() })
        }
        Kind::MalformedChunk if form == 0 => {
            let broken = message("contentBlockDelta", br#"{"contentBlockIndex":0,"delta":{"te"#);
            all.insert(chance.below(all.len()), broken);
            Some(Changed { served: all.concat(), left: plain })
        }
        Kind::MalformedChunk => {
            let at = chance.below(all.len());
            let mut left = all.clone();
            left.remove(at);
            all[at] = message(&name(&all[at]), br#"{"contentBlockIndex":"#);
            Some(Changed { served: all.concat(), left: left.concat() })
        }
        Kind::CommentsAndPings => {
            let noisy: Vec<Vec<u8>> = all
                .into_iter()
                .flat_map(|piece| match chance.below(3) {
                    0 => vec![message("ping", b"{}"), piece],
                    1 => vec![message("keepAlive", br#"{"p":"abcdefghijk"}"#), piece],
                    _ => vec![piece],
                })
                .collect();
            Some(Changed { served: noisy.concat(), left: plain })
        }
        Kind::UsageTwice => {
            let at = all.iter().rposition(|message| name(message) == "metadata")?;
            all.insert(at + 1, all[at].clone());
            Some(Changed { served: all.concat(), left: plain })
        }
        // There are no lines, and the other kinds are the same for every stream.
        _ => None,
    }
}

/// The whole messages of a stream, or of a piece of one.
pub fn messages(mut body: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some(total) = body.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes) as usize)
        && let Some((message, rest)) = body.split_at_checked(total.max(PRELUDE_BYTES))
    {
        found.push(message.to_vec());
        body = rest;
    }
    found
}

fn name(message: &[u8]) -> String {
    events(message).pop().map(|Event { name, .. }| name).unwrap_or_default()
}

/// One message with checksums that fit.
pub fn message(name: &str, payload: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    for (header, value) in
        [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")]
    {
        headers.push(length(header.len()));
        headers.extend_from_slice(header.as_bytes());
        headers.extend_from_slice(&[7, 0, length(value.len())]);
        headers.extend_from_slice(value.as_bytes());
    }
    let total = PRELUDE_BYTES + headers.len() + payload.len() + 4;
    let mut bytes = Vec::new();
    for number in [total, headers.len()] {
        bytes.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
    }
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend_from_slice(&headers);
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

fn length(bytes: usize) -> u8 {
    u8::try_from(bytes).unwrap_or(u8::MAX)
}
