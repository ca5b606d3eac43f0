//! A request → its input tokens.

use canonical::embedding::EmbeddingInput;
use canonical::request::{Media, MediaSource, ResponseFormat};
use canonical::{ChatRequest, Content, Message, Part};

use crate::family::Family;
use crate::text::raw;
use crate::tools::written;

/// Of an image that is to be seen in low detail. <https://platform.openai.com/docs/guides/images-vision>
const LOW_DETAIL: u64 = 85;

/// Bytes of a file as base64 to a token, by a rough rule: a page of a PDF is some 2,000 tokens and
/// 50 KiB. Without the file nothing can be said, and a page is assumed.
const FILE_BYTES_PER_TOKEN: usize = 32;
const FILE_TOKENS: u64 = 2_000;

/// Audio is 32 tokens a second at Google and 10 at OpenAI; as compressed speech some 4 KiB a second.
const AUDIO_BYTES_PER_TOKEN: usize = 200;

/// The input tokens of `request`, asked of `model`.
pub fn input(model: &str, request: &ChatRequest) -> u64 {
    let family = Family::of(model);
    let mut words = Words { family, raw: 0, around: family.per_request };
    for message in &request.messages {
        words.message(message);
    }
    if !request.tools.is_empty() {
        words.around += family.per_tools;
    }
    for tool in &request.tools {
        words.around += family.per_tool;
        words.add(&written(tool, family.tools_as_json));
    }
    if let Some(ResponseFormat::JsonSchema { schema, .. }) = &request.response_format {
        words.add(&schema.to_string());
    }
    words.total()
}

/// The input tokens of one thing to embed, by `model`.
pub fn embedding_input(model: &str, input: &EmbeddingInput) -> u64 {
    let mut words = Words { family: Family::of(model), raw: 0, around: 0 };
    match input {
        EmbeddingInput::Text(text) => words.add(text),
        EmbeddingInput::Tokens(tokens) => return tokens.len() as u64,
        EmbeddingInput::Parts(parts) => words.parts(parts),
    }
    words.total()
}

/// What was counted so far.
struct Words {
    family: &'static Family,
    /// In the encoding's tokens.
    raw: u64,
    /// In the family's.
    around: u64,
}

impl Words {
    fn total(&self) -> u64 {
        self.family.scaled(self.raw) + self.around
    }

    fn add(&mut self, text: &str) {
        self.raw += raw(self.family, text);
    }

    fn message(&mut self, message: &Message) {
        self.around += self.family.per_message;
        if let Some(name) = &message.name {
            self.add(name);
        }
        self.parts(&message.parts);
    }

    fn parts(&mut self, parts: &[Part]) {
        for part in parts {
            self.content(&part.content);
        }
    }

    fn content(&mut self, content: &Content) {
        match content {
            Content::Text(text) | Content::Refusal(text) => self.add(text),
            Content::Reasoning(reasoning) => self.add(&reasoning.text),
            Content::ToolCall(call) => {
                self.add(&call.name);
                self.add(&call.arguments);
                self.around += self.family.per_tool;
            }
            Content::ToolResult(result) => self.parts(&result.content),
            Content::Image(media) if media.detail.as_deref() == Some("low") => self.around += LOW_DETAIL,
            Content::Image(_) => self.around += self.family.per_image,
            Content::Audio(media) => self.around += of_bytes(media, AUDIO_BYTES_PER_TOKEN),
            Content::Document(media) => self.around += of_bytes(media, FILE_BYTES_PER_TOKEN),
            Content::Opaque(opaque) => self.add(&opaque.value.to_string()),
        }
    }
}

fn of_bytes(media: &Media, per_token: usize) -> u64 {
    match &media.source {
        MediaSource::Base64(data) => (data.len() / per_token) as u64,
        MediaSource::Url(_) | MediaSource::FileId(_) => FILE_TOKENS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use canonical::Role;

    #[test]
    fn a_message_is_its_words_and_what_stands_around_them() {
        let request = ChatRequest {
            messages: vec![Message::text(Role::User, "The quick brown fox jumps over the lazy dog.")],
            ..ChatRequest::default()
        };
        // Recorded: 18 at OpenAI's Responses, which puts one more around it.
        assert_eq!(input("gpt-4.1-mini", &request), 17);
    }

    #[test]
    fn tokens_are_counted_as_they_are_and_an_image_by_its_family() {
        assert_eq!(embedding_input("text-embedding-3-small", &EmbeddingInput::Tokens(vec![1, 2, 3])), 3);
        let image = Content::Image(Media {
            source: MediaSource::Url("https://x/y.png".into()),
            media_type: None,
            name: None,
            detail: None,
        });
        let parts = EmbeddingInput::Parts(vec![image.into(), Part::text("The Ruby logo")]);
        assert_eq!(embedding_input("gemini-embedding-2", &parts), 261, "as recorded");
    }
}
