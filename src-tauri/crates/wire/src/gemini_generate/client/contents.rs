//! A conversation → `systemInstruction` and `contents`.
//!
//! Instructions before the first turn become the system instruction; later ones stay where they
//! are, as text of the user between `<system>` tags. Neighbours of one role become one content, in
//! which the answers of functions come first: the API wants them right after their calls.

use std::collections::HashMap;

use base64::Engine as _;
use canonical::request::{Media, MediaSource, ToolResult};
use canonical::{Content as Said, Error, Message, Part as Piece, Role};
use serde_json::Map;

use super::super::types::{Blob, Content, Data, FileData, FunctionCall, FunctionResponse, Part};
use super::super::{FAMILY, RESULT_PREFIX, UNSIGNED, function_result, models};
use crate::json::{arguments_object, image_type, unsayable};

#[derive(Debug, Default)]
pub(super) struct Contents {
    pub system: Vec<Part>,
    pub turns: Vec<Content>,
    /// Names of the functions called so far, by call id: an answer must name its function.
    names: HashMap<String, String>,
    is_third_generation: bool,
}

const USER: Option<&str> = Some("user");
const MODEL: Option<&str> = Some("model");

pub(super) fn convert(messages: &[Message], model: &str) -> Result<Contents, Error> {
    let mut contents =
        Contents { is_third_generation: models::is_third_generation(model), ..Contents::default() };
    for message in messages {
        contents.take(message)?;
    }
    contents.settle();
    Ok(contents)
}

impl Contents {
    fn take(&mut self, message: &Message) -> Result<(), Error> {
        let instructs = matches!(message.role, Role::System | Role::Developer);
        let is_late = instructs && !self.turns.is_empty();
        let mut parts = Vec::with_capacity(message.parts.len());
        for piece in &message.parts {
            self.piece(piece, message.role, &mut parts)?;
        }
        if is_late {
            for part in &mut parts {
                if let Data::Text(text) = &mut part.data {
                    *text = format!("<system>\n{text}\n</system>");
                }
            }
        }
        if instructs && !is_late {
            self.system.append(&mut parts);
        }
        let role = if message.role == Role::Assistant { MODEL } else { USER };
        match self.turns.last_mut() {
            _ if parts.is_empty() => {}
            Some(turn) if turn.role == role => turn.parts.append(&mut parts),
            _ => self.turns.push(Content { role, parts }),
        }
        Ok(())
    }

    /// What the API demands of the whole.
    fn settle(&mut self) {
        if self.turns.is_empty() && !self.system.is_empty() {
            // A request of instructions alone: someone has to speak.
            self.turns.push(Content { role: USER, parts: std::mem::take(&mut self.system) });
        }
        for turn in &mut self.turns {
            if turn.role == USER {
                turn.parts.sort_by_key(|part| !matches!(part.data, Data::FunctionResponse(_)));
            } else if self.is_third_generation
                && let Some(call) =
                    turn.parts.iter_mut().find(|part| matches!(part.data, Data::FunctionCall(_)))
                && call.thought_signature.is_none()
            {
                // Only the first call of a step carries the signature, so only it can miss one.
                call.thought_signature = Some(UNSIGNED.into());
            }
        }
    }

    /// Appends what `piece` is here: one part, or none where it says nothing.
    fn piece(&mut self, piece: &Piece, role: Role, parts: &mut Vec<Part>) -> Result<(), Error> {
        let signature = piece.signature().map(str::to_owned);
        let data = match &piece.content {
            // An empty text may exist for its signature alone.
            Said::Text(text) | Said::Refusal(text) if text.is_empty() && signature.is_none() => {
                return Ok(());
            }
            Said::Text(text) | Said::Refusal(text) => Data::Text(text.clone()),
            Said::Image(media) => blob(media, Kind::Image)?,
            Said::Audio(media) => blob(media, Kind::Audio)?,
            Said::Document(media) => blob(media, Kind::Document)?,
            Said::ToolCall(call) if call.is_server_side => return Ok(()),
            Said::ToolCall(call) => {
                self.names.insert(call.id.clone(), call.name.clone());
                Data::FunctionCall(FunctionCall {
                    id: call.id.clone(),
                    name: call.name.clone(),
                    args: arguments_object(&call.arguments),
                })
            }
            Said::ToolResult(result) => return self.function_response(result, piece, parts),
            Said::Opaque(opaque) if opaque.family == FAMILY => match opaque.value.as_object() {
                Some(part) => Data::Opaque(part.clone()),
                None => return Ok(()),
            },
            // Google signs the parts that follow a thought, never the thought, and does not want
            // thoughts back; a signature here is another provider's.
            Said::Reasoning(_) => return Ok(()),
            // Another provider's remark on its own answer. What the user says may not get lost.
            Said::Opaque(opaque) => {
                if role == Role::Assistant {
                    return Ok(());
                }
                let kind = opaque.value["type"].as_str().unwrap_or("unknown").to_owned();
                return Err(unsayable(
                    format!("Google's generateContent has no “{kind}” parts."),
                    "messages",
                ));
            }
        };
        parts.push(part(data, signature, piece));
        Ok(())
    }

    fn function_response(
        &mut self,
        result: &ToolResult,
        piece: &Piece,
        parts: &mut Vec<Part>,
    ) -> Result<(), Error> {
        let name = self.names.get(&result.call_id).or(result.name.as_ref()).cloned().ok_or_else(|| {
            Error::caller(format!(
                "A tool result answers the call “{}”, which is not in the conversation.",
                result.call_id
            ))
            .with_param("messages")
        })?;
        let mut media = Vec::new();
        for inner in &result.content {
            if !matches!(inner.content, Said::Text(_) | Said::Refusal(_)) {
                self.piece(inner, Role::Tool, &mut media)?;
            }
        }
        // Only the third generation reads media inside an answer; the others take it beside.
        let (inside, beside) =
            if self.is_third_generation { (media, Vec::new()) } else { (Vec::new(), media) };
        let mut own = piece.extensions.get(FAMILY).cloned().unwrap_or_default();
        let mut within = Map::new();
        own.retain(|name, value| {
            let field = name.strip_prefix(RESULT_PREFIX).map(str::to_owned);
            let is_beside = field.is_none();
            within.extend(field.map(|field| (field, value.clone())));
            is_beside
        });
        let said = || function_result(&canonical::request::plain_text(&result.content), result.is_error);
        let data = Data::FunctionResponse(FunctionResponse {
            id: result.call_id.clone(),
            name,
            response: within.shift_remove("response").unwrap_or_else(said),
            parts: inside,
            extensions: within,
        });
        parts.push(Part { data, thought_signature: None, extensions: own });
        parts.extend(beside);
        Ok(())
    }
}

fn part(data: Data, thought_signature: Option<String>, piece: &Piece) -> Part {
    Part { data, thought_signature, extensions: piece.extensions.get(FAMILY).cloned().unwrap_or_default() }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Image,
    Audio,
    Document,
}

fn blob(media: &Media, kind: Kind) -> Result<Data, Error> {
    let mime_type = |data: &str| {
        media.media_type.clone().unwrap_or_else(|| match kind {
            Kind::Image => image_type(data).to_owned(),
            Kind::Audio => "audio/wav".to_owned(),
            Kind::Document => "application/pdf".to_owned(),
        })
    };
    Ok(match &media.source {
        MediaSource::Base64(data) => {
            if base64::engine::general_purpose::STANDARD.decode(data).is_err() {
                return Err(Error::caller("A part's data is not valid base64.").with_param("messages"));
            }
            Data::InlineData(Blob { mime_type: mime_type(data), data: data.clone() })
        }
        MediaSource::Url(url) if url.starts_with("data:") => {
            let (mime_type, data) = url["data:".len()..]
                .split_once(";base64,")
                .ok_or_else(|| Error::caller("A data URL must be base64.").with_param("messages"))?;
            Data::InlineData(Blob { mime_type: mime_type.to_owned(), data: data.to_owned() })
        }
        // Google fetches the address itself; Vertex demands to know the type.
        MediaSource::Url(uri) | MediaSource::FileId(uri) => Data::FileData(FileData {
            mime_type: media.media_type.clone().or_else(|| type_of_address(uri, kind)),
            file_uri: uri.clone(),
        }),
    })
}

/// The type that an address' ending tells; images without one count as JPEG.
fn type_of_address(address: &str, kind: Kind) -> Option<String> {
    let path = address.split(['?', '#']).next().unwrap_or(address);
    let ending = path.rsplit('/').next()?.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let known = match ending.as_deref() {
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        Some("heic") => "image/heic",
        Some("pdf") => "application/pdf",
        Some("mp3") => "audio/mp3",
        Some("wav") => "audio/wav",
        Some("mp4") => "video/mp4",
        Some("txt") => "text/plain",
        _ if matches!(kind, Kind::Image) && !address.contains("/files/") => "image/jpeg",
        _ => return None,
    };
    Some(known.to_owned())
}
