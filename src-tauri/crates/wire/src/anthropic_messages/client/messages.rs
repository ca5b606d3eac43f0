//! A conversation → `system` and alternating `messages`.
//!
//! Instructions before the first turn are hoisted into `system`. Later ones stay where they are,
//! because moving them would change what they refer to (and break the provider's cache of
//! everything before them): as text of the user between `<system>` tags, the API's form for words
//! that are not the user's own. Neighbours of one role become one message; in it, tool results come
//! first, as the API demands right after the calls.

use std::collections::BTreeSet;

use base64::Engine as _;
use canonical::request::{Media, MediaSource, ToolResult};
use canonical::{Content, Error, Message, Part, Role};

use serde_json::Value;

use super::super::FAMILY;
use super::super::types::{Block, BlockContent, InputBlock, InputMessage, OWN_BLOCK, ResultContent, Source};
use super::request::{content, instructs};
use crate::json::{arguments_object, beside, image_type, is_item_of_responses, unsayable};

/// Fields of this API's blocks that clients of OpenAI's set on their parts.
const PART_FIELDS: [&str; 2] = ["cache_control", "citations"];

#[derive(Debug, Default)]
pub(super) struct Conversation {
    system: Vec<InputBlock>,
    turns: Vec<Turn>,
    /// Some part names a file that was uploaded to the provider.
    pub has_files: bool,
}

#[derive(Debug)]
struct Turn {
    role: &'static str,
    blocks: Vec<InputBlock>,
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
    pub(super) fn system_content(&self) -> Option<BlockContent> {
        (!self.system.is_empty()).then(|| content(self.system.clone()))
    }

    pub(super) fn into_messages(self) -> Vec<InputMessage> {
        let message = |turn: Turn| InputMessage { role: turn.role, content: content(turn.blocks) };
        self.turns.into_iter().map(message).collect()
    }

    /// Nobody says anything: empty texts are left out, as the API refuses them.
    pub(super) const fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Adds a last sentence to the system prompt.
    pub(super) fn instruct(&mut self, text: &str) {
        self.system.push(plain(text.to_owned()));
    }

    /// Names of the tools that were called so far.
    pub(super) fn called_tools(&self) -> BTreeSet<String> {
        let blocks = self.turns.iter().flat_map(|turn| &turn.blocks);
        blocks
            .filter_map(|block| match &block.block {
                Block::ToolUse { name, .. } => Some(name.clone()),
                _ => None,
            })
            .collect()
    }

    /// Whether the last answer calls tools and does not begin with its signed thought.
    pub(super) fn lacks_thought(&self) -> bool {
        let Some(answer) = self.turns.iter().rfind(|turn| turn.role == "assistant") else {
            return false;
        };
        let calls = answer.blocks.iter().any(|block| matches!(block.block, Block::ToolUse { .. }));
        let thinks = matches!(
            answer.blocks.first().map(|block| &block.block),
            Some(Block::Thinking { .. } | Block::RedactedThinking { .. })
        );
        calls && !thinks
    }

    fn take(&mut self, message: &Message) -> Result<(), Error> {
        let role = if message.role == Role::Assistant { "assistant" } else { "user" };
        let mut blocks = Vec::with_capacity(message.parts.len());
        for part in &message.parts {
            let block = if instructs(message.role) && !self.turns.is_empty() {
                self.instruction(part, message.role)?
            } else {
                self.block(part, message.role)?
            };
            if let Some(block) = block {
                blocks.push(with_extensions(block, part));
            }
        }
        // A message's own breakpoint is its last block's.
        let mark = beside(&message.extensions, FAMILY, &["cache_control"]).shift_remove("cache_control");
        if let (Some(mark), Some(last)) = (mark, blocks.last_mut()) {
            last.extensions.entry("cache_control").or_insert(mark);
        }
        if instructs(message.role) && self.turns.is_empty() {
            self.system.append(&mut blocks);
        }
        match self.turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some(turn) if turn.role == role => turn.blocks.append(&mut blocks),
            _ => self.turns.push(Turn { role, blocks }),
        }
        Ok(())
    }

    /// What the API demands of the whole.
    fn settle(&mut self) {
        if self.turns.is_empty() && !self.system.is_empty() {
            // A request of instructions alone: someone has to speak.
            let blocks = std::mem::take(&mut self.system);
            self.turns.push(Turn { role: "user", blocks });
        }
        for turn in self.turns.iter_mut().filter(|turn| turn.role == "user") {
            turn.blocks.sort_by_key(|block| !matches!(block.block, Block::ToolResult { .. }));
        }
        // The beginning of an answer to go on with must not end in white space.
        if let Some(Turn { role: "assistant", blocks }) = self.turns.last_mut()
            && let Some(Block::Text { text }) = blocks.last_mut().map(|block| &mut block.block)
        {
            text.truncate(text.trim_end().len());
            if text.is_empty() {
                blocks.pop();
            }
        }
        self.turns.retain(|turn| !turn.blocks.is_empty());
    }

    fn instruction(&mut self, part: &Part, role: Role) -> Result<Option<Block>, Error> {
        Ok(self.block(part, role)?.map(|block| match block {
            Block::Text { text } => Block::Text { text: format!("<system>\n{text}\n</system>") },
            other => other,
        }))
    }

    /// The part as a block; `None` where it says nothing here (empty text, thoughts without a
    /// signature, which are refused).
    fn block(&mut self, part: &Part, role: Role) -> Result<Option<Block>, Error> {
        if let Some(Value::Object(block)) = part.extensions.field(FAMILY, OWN_BLOCK) {
            return Ok(Some(Block::Opaque(block.clone())));
        }
        Ok(Some(match &part.content {
            Content::Text(text) | Content::Refusal(text) if text.trim().is_empty() => return Ok(None),
            Content::Text(text) | Content::Refusal(text) => Block::Text { text: text.clone() },
            Content::Image(media) => Block::Image { source: self.source(media, image_type)? },
            Content::Document(media) => self.document(media)?,
            Content::Reasoning(_) if is_item_of_responses(part) => return Ok(None),
            Content::Reasoning(thought) => match (&thought.signature, &thought.encrypted) {
                (_, Some(data)) => Block::RedactedThinking { data: data.clone() },
                (Some(signature), None) => {
                    Block::Thinking { thinking: thought.text.clone(), signature: signature.clone() }
                }
                (None, None) => return Ok(None),
            },
            Content::ToolCall(call) => {
                let (id, name) = (tool_id(&call.id), call.name.clone());
                let input = arguments_object(&call.arguments);
                if call.is_server_side {
                    Block::ServerToolUse { id, name, input }
                } else {
                    Block::ToolUse { id, name, input }
                }
            }
            Content::ToolResult(result) => self.tool_result(result)?,
            Content::Opaque(opaque) if opaque.family == FAMILY => match opaque.value.as_object() {
                Some(block) => Block::Opaque(block.clone()),
                None => return Ok(None),
            },
            Content::Opaque(opaque) if is_own_block(&opaque.value) => {
                Block::Opaque(opaque.value.as_object().cloned().unwrap_or_default())
            }
            // Another provider's remark on its own answer. What the user says may not get lost.
            Content::Opaque(_) if role == Role::Assistant => return Ok(None),
            Content::Opaque(opaque) => {
                let kind = opaque.value["type"].as_str().unwrap_or("unknown").to_owned();
                return Err(unsayable(format!("Anthropic's Messages have no “{kind}” parts."), "messages"));
            }
            Content::Audio(_) => {
                return Err(unsayable(
                    "Anthropic's Messages take text, images and documents, no audio.",
                    "messages",
                ));
            }
        }))
    }

    fn tool_result(&mut self, result: &ToolResult) -> Result<Block, Error> {
        let mut blocks = Vec::with_capacity(result.content.len());
        for part in &result.content {
            if let Some(block) = self.block(part, Role::Tool)? {
                blocks.push(with_extensions(block, part));
            }
        }
        let content = match content(blocks) {
            BlockContent::Text(text) => Some(ResultContent::Text(text)),
            BlockContent::Blocks(blocks) => (!blocks.is_empty()).then_some(ResultContent::Blocks(blocks)),
        };
        Ok(Block::ToolResult { tool_use_id: tool_id(&result.call_id), content, is_error: result.is_error })
    }

    fn document(&mut self, media: &Media) -> Result<Block, Error> {
        let text = media.media_type.as_deref().is_some_and(|kind| kind.starts_with("text/"));
        let source = match &media.source {
            MediaSource::Base64(data) if text => {
                let decoded = base64::engine::general_purpose::STANDARD.decode(data).ok();
                let data = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
                    Error::caller("A text document is not valid base64 of UTF-8.").with_param("messages")
                })?;
                Source::Text { media_type: "text/plain", data }
            }
            _ => self.source(media, |_| "application/pdf")?,
        };
        Ok(Block::Document { source, title: media.name.clone() })
    }

    fn source(&mut self, media: &Media, guess: fn(&str) -> &'static str) -> Result<Source, Error> {
        Ok(match &media.source {
            MediaSource::Url(url) => {
                match url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
                    Some((media_type, data)) => {
                        Source::Base64 { media_type: media_type.to_owned(), data: data.to_owned() }
                    }
                    None if url.starts_with("data:") => {
                        return Err(Error::caller("A data URL must be base64.").with_param("messages"));
                    }
                    None => Source::Url { url: url.clone() },
                }
            }
            MediaSource::Base64(data) => Source::Base64 {
                media_type: media.media_type.clone().unwrap_or_else(|| guess(data).to_owned()),
                data: data.clone(),
            },
            MediaSource::FileId(file_id) => {
                self.has_files = true;
                Source::File { file_id: file_id.clone() }
            }
        })
    }
}

/// A block in this API's own form, as a client of OpenAI's may send it: its `source` (or, for a
/// search result, its `content`) tells it from OpenAI's part of that name.
pub(super) fn is_own_block(block: &Value) -> bool {
    match block["type"].as_str() {
        Some("image" | "document") => block["source"].is_object(),
        Some("search_result") => block["content"].is_array(),
        Some("container_upload") => block["file_id"].is_string(),
        _ => false,
    }
}

fn plain(text: String) -> InputBlock {
    InputBlock { block: Block::Text { text }, extensions: serde_json::Map::new() }
}

fn with_extensions(block: Block, part: &Part) -> InputBlock {
    if part.extensions.field(FAMILY, OWN_BLOCK).is_some() {
        return InputBlock { block, extensions: serde_json::Map::new() };
    }
    InputBlock { block, extensions: beside(&part.extensions, FAMILY, &PART_FIELDS) }
}

/// Ids may hold letters, digits, `_` and `-`; other providers' ids (`functions.add:0`) hold more.
/// Call and result are changed alike, so they still belong together.
fn tool_id(id: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let id: String = id.chars().map(|letter| if allowed(letter) { letter } else { '_' }).collect();
    if id.is_empty() { "call".into() } else { id }
}
