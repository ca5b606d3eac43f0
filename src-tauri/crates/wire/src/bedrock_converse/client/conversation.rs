//! A conversation → `system` and alternating `messages`.
//!
//! Instructions before the first turn are hoisted into `system`; later ones stay where they are, as
//! text of the user between `<system>` tags. Neighbours of one role become one message; in it, tool
//! results come first, as the models demand right after the calls.

use std::collections::BTreeSet;

use canonical::request::{Media, MediaSource, ToolResult};
use canonical::{Content, Error, Message, Part, Role};
use serde_json::Value;

use super::super::FAMILY;
use super::super::types::{self, CachePoint, ContentBlock, Document, ReasoningContent, Source, ToolUse};
use crate::anthropic_messages;
use crate::json::{arguments_object, beside, image_type, is_item_of_responses, unsayable};

#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub system: Vec<ContentBlock>,
    pub turns: Vec<types::Message>,
    /// Names of documents so far: no two may be equal.
    documents: BTreeSet<String>,
}

pub(super) fn convert(messages: &[Message]) -> Result<Conversation, Error> {
    let mut conversation = Conversation::default();
    for message in messages {
        conversation.take(message)?;
    }
    conversation.settle();
    Ok(conversation)
}

impl Conversation {
    /// Adds a last sentence to the system prompt.
    pub(super) fn instruct(&mut self, text: &str) {
        self.system.push(ContentBlock::Text(text.to_owned()));
    }

    /// Names of the tools that were called so far.
    pub(super) fn called_tools(&self) -> BTreeSet<String> {
        let blocks = self.turns.iter().flat_map(|turn| &turn.content);
        blocks
            .filter_map(|block| match block {
                ContentBlock::ToolUse(call) => Some(call.name.clone()),
                _ => None,
            })
            .collect()
    }

    /// Whether the last answer calls tools and does not begin with its thought.
    pub(super) fn lacks_thought(&self) -> bool {
        let Some(answer) = self.turns.iter().rfind(|turn| turn.role == "assistant") else {
            return false;
        };
        let calls = answer.content.iter().any(|block| matches!(block, ContentBlock::ToolUse(_)));
        calls && !matches!(answer.content.first(), Some(ContentBlock::ReasoningContent(_)))
    }

    fn take(&mut self, message: &Message) -> Result<(), Error> {
        let role = if message.role == Role::Assistant { "assistant" } else { "user" };
        let instructs = matches!(message.role, Role::System | Role::Developer);
        let mut blocks = Vec::with_capacity(message.parts.len());
        for part in &message.parts {
            if let Some(block) = self.block(part, message.role)? {
                blocks.push(match block {
                    ContentBlock::Text(text) if instructs && !self.turns.is_empty() => {
                        ContentBlock::Text(format!("<system>\n{text}\n</system>"))
                    }
                    block => block,
                });
                blocks.extend(cache_point(&part.extensions));
            }
        }
        if !blocks.is_empty() {
            blocks.extend(cache_point(&message.extensions));
        }
        if instructs && self.turns.is_empty() {
            self.system.append(&mut blocks);
        }
        match self.turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some(turn) if turn.role == role => turn.content.append(&mut blocks),
            _ => self.turns.push(types::Message { role, content: blocks }),
        }
        Ok(())
    }

    /// What the API demands of the whole.
    fn settle(&mut self) {
        if self.turns.is_empty() && !self.system.is_empty() {
            // A request of instructions alone: someone has to speak.
            let content = std::mem::take(&mut self.system);
            self.turns.push(types::Message { role: "user", content });
        }
        for turn in self.turns.iter_mut().filter(|turn| turn.role == "user") {
            turn.content.sort_by_key(|block| !matches!(block, ContentBlock::ToolResult(_)));
        }
        // The beginning of an answer to go on with must not end in white space.
        if let Some(types::Message { role: "assistant", content }) = self.turns.last_mut()
            && let Some(ContentBlock::Text(text)) = content.last_mut()
        {
            text.truncate(text.trim_end().len());
        }
    }

    /// The part as a block; `None` where it says nothing here (empty text, which is refused).
    fn block(&mut self, part: &Part, role: Role) -> Result<Option<ContentBlock>, Error> {
        Ok(Some(match &part.content {
            Content::Text(text) | Content::Refusal(text) if text.trim().is_empty() => return Ok(None),
            Content::Text(text) | Content::Refusal(text) => ContentBlock::Text(text.clone()),
            Content::Image(media) => ContentBlock::Image(image(media)?),
            Content::Document(media) => ContentBlock::Document(self.document(media)?),
            Content::Reasoning(_) if is_item_of_responses(part) => return Ok(None),
            Content::Reasoning(thought) => match (&thought.signature, &thought.encrypted) {
                (_, Some(data)) => {
                    ContentBlock::ReasoningContent(ReasoningContent::RedactedContent(data.clone()))
                }
                (Some(signature), None) => ContentBlock::ReasoningContent(ReasoningContent::ReasoningText {
                    text: thought.text.clone(),
                    signature: Some(signature.clone()),
                }),
                // Models that sign take no thought without its signature; the others do not need it.
                (None, None) => return Ok(None),
            },
            Content::ToolCall(call) => ContentBlock::ToolUse(ToolUse {
                tool_use_id: tool_id(&call.id),
                name: call.name.clone(),
                input: arguments_object(&call.arguments),
                kind: call.is_server_side.then_some("server_tool_use"),
            }),
            Content::ToolResult(result) => ContentBlock::ToolResult(self.tool_result(result)?),
            Content::Opaque(opaque) if opaque.family == FAMILY => ContentBlock::Opaque(opaque.value.clone()),
            // Another provider's remark on its own answer. What the user says may not get lost.
            Content::Opaque(_) if role == Role::Assistant => return Ok(None),
            Content::Opaque(opaque) => {
                let kind = opaque.value["type"].as_str().unwrap_or("unknown");
                return Err(unsayable(format!("Bedrock's Converse has no “{kind}” parts."), "messages"));
            }
            Content::Audio(_) => {
                return Err(unsayable(
                    "Bedrock's Converse takes text, images and documents, no audio.",
                    "messages",
                ));
            }
        }))
    }

    fn tool_result(&mut self, result: &ToolResult) -> Result<types::ToolResult, Error> {
        let mut content = Vec::with_capacity(result.content.len());
        for part in &result.content {
            content.extend(self.block(part, Role::Tool)?);
        }
        if content.is_empty() {
            // An empty list is refused.
            content.push(ContentBlock::Text("(no output)".into()));
        }
        let status = result.is_error.then_some("error");
        Ok(types::ToolResult { tool_use_id: tool_id(&result.call_id), content, status })
    }

    fn document(&mut self, media: &Media) -> Result<Document, Error> {
        let (media_type, source) = source(media, "documents")?;
        let extension = media.name.as_deref().and_then(|name| name.rsplit_once('.')).map(|(_, end)| end);
        let Some(format) = document_format(media_type.as_deref(), extension) else {
            let kind = media_type.unwrap_or_else(|| "of an unknown type".into());
            return Err(unsayable(format!("Bedrock's Converse takes no documents {kind}."), "messages"));
        };
        Ok(Document { format: format.to_owned(), name: self.document_name(media.name.as_deref()), source })
    }

    /// Names are demanded, hold letters, digits, single blanks, hyphens and brackets only, and no two
    /// may be equal.
    fn document_name(&mut self, name: Option<&str>) -> String {
        let stem = name.map_or("", |name| name.rsplit_once('.').map_or(name, |(stem, _)| stem));
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-()[]".contains(c);
        let plain: String = stem.chars().map(|c| if allowed(c) { c } else { ' ' }).collect();
        let words: Vec<&str> = plain.split_whitespace().collect();
        let name = if words.is_empty() { "Document".to_owned() } else { words.join(" ") };
        let numbered = (2_u32..).map(|number| format!("{name} {number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !self.documents.contains(name));
        let name = free.unwrap_or(name);
        self.documents.insert(name.clone());
        name
    }
}

fn image(media: &Media) -> Result<types::Media, Error> {
    let (media_type, source) = source(media, "images")?;
    let named = media_type.as_deref().and_then(|kind| kind.strip_prefix("image/"));
    let format = match (&source, named) {
        (_, Some(format)) => format,
        (Source::Bytes(data), None) => image_type(data).trim_start_matches("image/"),
        (Source::S3Location { uri }, None) => uri.rsplit_once('.').map_or("png", |(_, end)| end),
    };
    let format = if format == "jpg" { "jpeg" } else { format };
    Ok(types::Media { format: format.to_owned(), source })
}

/// The media's type, where it is known, and its bytes or place.
fn source(media: &Media, what: &str) -> Result<(Option<String>, Source), Error> {
    Ok(match &media.source {
        MediaSource::Base64(data) => (media.media_type.clone(), Source::Bytes(data.clone())),
        MediaSource::Url(url) if url.starts_with("s3://") => {
            (media.media_type.clone(), Source::S3Location { uri: url.clone() })
        }
        MediaSource::Url(url) => {
            match url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
                Some((media_type, data)) => (Some(media_type.to_owned()), Source::Bytes(data.to_owned())),
                None if url.starts_with("data:") => {
                    return Err(Error::caller("A data URL must be base64.").with_param("messages"));
                }
                None => {
                    return Err(unsayable(
                        format!("Bedrock's Converse takes {what} as their bytes or from S3, not by URL."),
                        "messages",
                    ));
                }
            }
        }
        MediaSource::FileId(_) => {
            return Err(unsayable(
                format!("Bedrock's Converse takes {what} as their bytes or from S3, not by a file's id."),
                "messages",
            ));
        }
    })
}

/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html>
fn document_format(media_type: Option<&str>, extension: Option<&str>) -> Option<&'static str> {
    const FORMATS: [(&str, &str); 9] = [
        ("pdf", "application/pdf"),
        ("csv", "text/csv"),
        ("doc", "application/msword"),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("xls", "application/vnd.ms-excel"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("html", "text/html"),
        ("txt", "text/plain"),
        ("md", "text/markdown"),
    ];
    let by_type = FORMATS.iter().find(|(_, kind)| Some(*kind) == media_type);
    let by_name = || FORMATS.iter().find(|(format, _)| Some(*format) == extension);
    // OpenAI's file parts come without either, and are PDFs.
    let unnamed = || (media_type.is_none() && extension.is_none()).then_some("pdf");
    by_type.or_else(by_name).map(|(format, _)| *format).or_else(unnamed)
}

/// A breakpoint of the cache, asked for in Anthropic's word: here it is a block of its own.
pub(super) fn cache_point(extensions: &canonical::Extensions) -> Option<ContentBlock> {
    let mark = beside(extensions, FAMILY, &["cache_control"])
        .shift_remove("cache_control")
        .or_else(|| extensions.field(anthropic_messages::FAMILY, "cache_control").cloned())?;
    mark.is_object().then(|| {
        // Five minutes are the default, and older models refuse the field.
        let ttl = mark.get("ttl").and_then(Value::as_str).filter(|ttl| *ttl != "5m").map(str::to_owned);
        ContentBlock::CachePoint(CachePoint { kind: "default", ttl })
    })
}

/// Ids may hold letters, digits, `_` and `-`; other providers' ids (`functions.add:0`) hold more.
/// Call and result are changed alike, so they still belong together.
fn tool_id(id: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let id: String = id.chars().map(|letter| if allowed(letter) { letter } else { '_' }).collect();
    if id.is_empty() { "call".into() } else { id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_have_names_that_the_api_takes_and_that_differ() {
        let mut conversation = Conversation::default();
        let mut named = |name| conversation.document_name(name);
        assert_eq!(named(Some("Report_2024 (final).v2.pdf")), "Report 2024 (final) v2");
        assert_eq!(named(Some("Report 2024 (final) v2.pdf")), "Report 2024 (final) v2 2");
        assert_eq!((named(None), named(Some("ü.txt"))), ("Document".into(), "Document 2".into()));
    }

    #[test]
    fn media_goes_out_as_bytes_or_from_s3_and_never_by_url() {
        let media = |source| Media { source, media_type: None, name: None, detail: None };
        let shown = |source| image(&media(source)).map(|media| serde_json::to_value(media).unwrap());
        assert_eq!(
            shown(MediaSource::Url("data:image/jpg;base64,AAAA".into())).unwrap(),
            serde_json::json!({"format": "jpeg", "source": {"bytes": "AAAA"}})
        );
        assert_eq!(
            shown(MediaSource::Base64("R0lGODlh".into())).unwrap(),
            serde_json::json!({"format": "gif", "source": {"bytes": "R0lGODlh"}})
        );
        assert_eq!(
            shown(MediaSource::Url("s3://bucket/a.webp".into())).unwrap(),
            serde_json::json!({"format": "webp", "source": {"s3Location": {"uri": "s3://bucket/a.webp"}}})
        );
        for refused in [MediaSource::Url("https://example.com/a.png".into()), MediaSource::FileId("f".into())]
        {
            assert_eq!(shown(refused).unwrap_err().retry, canonical::Retry::NextTarget);
        }
    }

    #[test]
    fn a_documents_format_is_read_from_its_type_or_its_name() {
        assert_eq!(document_format(Some("text/plain"), None), Some("txt"));
        assert_eq!(document_format(Some("application/octet-stream"), Some("docx")), Some("docx"));
        assert_eq!(document_format(None, None), Some("pdf"));
        assert_eq!(document_format(Some("application/zip"), Some("zip")), None);
    }
}
