//! How the rehearsal counts: simple, stated, and the same everywhere.
//!
//! A token is four characters, begun ones count; a message costs [`PER_MESSAGE`] more, an image
//! [`PER_IMAGE`]. What a request has in common with an earlier one, message by message from the
//! beginning, is reported as read from the cache.

use std::collections::{HashSet, VecDeque};

use canonical::{ChatRequest, Content, Message, Part, Tool};

/// Of a message, for its role and its bounds.
pub const PER_MESSAGE: u64 = 4;
/// Of an image, whatever its size.
pub const PER_IMAGE: u64 = 85;
const CHARS_PER_TOKEN: usize = 4;

/// Prefixes that are remembered; the oldest go first.
const REMEMBERED: usize = 4096;

pub fn count(text: &str) -> u64 {
    text.chars().count().div_ceil(CHARS_PER_TOKEN) as u64
}

/// The longest beginning of `text` that counts as at most `limit` tokens.
pub fn head(text: &str, limit: u64) -> &str {
    let chars = usize::try_from(limit).unwrap_or(usize::MAX).saturating_mul(CHARS_PER_TOKEN);
    text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end])
}

pub fn of_message(message: &Message) -> u64 {
    PER_MESSAGE + message.parts.iter().map(of_part).sum::<u64>()
}

fn of_part(part: &Part) -> u64 {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => count(text),
        Content::Image(_) | Content::Audio(_) | Content::Document(_) => PER_IMAGE,
        Content::Reasoning(reasoning) => count(&reasoning.text),
        Content::ToolCall(call) => count(&call.name) + count(&call.arguments),
        Content::ToolResult(result) => result.content.iter().map(of_part).sum(),
        Content::Opaque(opaque) => count(&opaque.value.to_string()),
    }
}

/// Of the whole prompt, tools included.
pub fn of_prompt(request: &ChatRequest) -> u64 {
    let tools: u64 = request.tools.iter().map(of_tool).sum();
    tools + request.messages.iter().map(of_message).sum::<u64>()
}

fn of_tool(tool: &Tool) -> u64 {
    match tool {
        Tool::Function(function) => {
            let schema = function.parameters.as_ref().map(ToString::to_string).unwrap_or_default();
            count(&function.name)
                + count(function.description.as_deref().unwrap_or_default())
                + count(&schema)
        }
        Tool::Opaque(opaque) => count(&opaque.value.to_string()),
    }
}

/// Which beginnings of prompts were seen before.
#[derive(Debug, Default)]
pub struct PrefixCache {
    order: VecDeque<u64>,
    seen: HashSet<u64>,
}

impl PrefixCache {
    /// How many of the prompt's tokens it shares with an earlier one; afterwards this prompt is an
    /// earlier one too.
    pub fn read(&mut self, request: &ChatRequest) -> u64 {
        let mut hash = fnv(FNV_OFFSET, request.model.as_bytes());
        let (mut shared, mut is_shared) = (0, true);
        for message in &request.messages {
            // A struct of strings and lists: its debug form says everything that is in it.
            hash = fnv(hash, format!("{message:?}").as_bytes());
            is_shared &= self.seen.contains(&hash);
            if is_shared {
                shared += of_message(message);
            } else {
                self.remember(hash);
            }
        }
        shared
    }

    fn remember(&mut self, hash: u64) {
        if !self.seen.insert(hash) {
            return;
        }
        self.order.push_back(hash);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }
}

pub(crate) const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, for telling texts apart; nothing hangs on its strength.
pub(crate) fn fnv(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use canonical::Role;

    use super::*;

    fn chat(texts: &[&str]) -> ChatRequest {
        let messages = texts.iter().map(|text| Message::text(Role::User, *text)).collect();
        ChatRequest { model: "steady".to_owned(), messages, ..ChatRequest::default() }
    }

    #[test]
    fn four_characters_are_a_token_whatever_their_bytes() {
        assert_eq!((count(""), count("abc"), count("abcd"), count("abcde")), (0, 1, 1, 2));
        assert_eq!(count("日本語日"), 1);
        assert_eq!(head("日本語日本", 1), "日本語日");
    }

    #[test]
    fn a_longer_chat_reads_its_beginning_from_the_cache() {
        let mut cache = PrefixCache::default();
        assert_eq!(cache.read(&chat(&["one"])), 0);
        assert_eq!(cache.read(&chat(&["one", "two"])), of_message(&Message::text(Role::User, "one")));
        assert_eq!(cache.read(&chat(&["one", "two"])), of_prompt(&chat(&["one", "two"])));
        assert_eq!(cache.read(&chat(&["two"])), 0);
    }
}
