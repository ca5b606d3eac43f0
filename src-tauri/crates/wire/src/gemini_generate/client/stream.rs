//! Their answers → events. A whole answer and a stream's chunk have the same form, so both take
//! the same way.
//!
//! There is no terminal event: a finish reason in some chunk, then the end of the bytes. The finish
//! is held back until that end, because older models repeat the reason in every chunk, and the
//! counts may follow it. An end without any finish reason is a truncated answer.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use canonical::event::ResponseStart;
use canonical::fold::fold;
use canonical::request::{Media, MediaSource, Opaque};
use canonical::{
    ChatResponse, Error, ErrorKind, FinishReason, Origin, PartDelta, PartKind, StreamEvent, Usage,
};
use serde_json::{Map, Value};

use super::super::FAMILY;
use super::partial::Arguments;
use super::types::{
    AnswerPart, Candidate, FunctionCallPiece, GenerateContentResponse, PromptFeedback, UsageMetadata,
};
use super::{invalid, usage};
use crate::frame::MAX_INDEX;
use crate::{Frame, FrameOutcome, StreamDecoder, charges, emit, errors};

/// A whole answer. `streamGenerateContent` without `alt=sse` answers with an array of chunks.
pub(super) fn decode_whole(body: &[u8]) -> Result<ChatResponse, Error> {
    let parsed = if body.trim_ascii_start().starts_with(b"[") {
        serde_json::from_slice::<Vec<GenerateContentResponse<'_>>>(body)
    } else {
        serde_json::from_slice(body).map(|chunk| vec![chunk])
    };
    let chunks = parsed.map_err(|error| invalid(&error.to_string()))?;
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    for chunk in chunks {
        if !chunk.error.is_null() {
            return Err(failure(&chunk.error));
        }
        decoder.chunk(chunk, &mut events)?;
    }
    if decoder.candidates.is_empty() {
        return Err(invalid("it holds no answer (`candidates`)"));
    }
    // A whole answer without a finish reason is unfinished, and its reader sees that.
    let _ = decoder.end(&mut events);
    Ok(fold(&events))
}

#[derive(Debug, Default)]
pub(super) struct Decoder {
    has_started: bool,
    /// The answer's id, part of the ids of calls that come without one.
    response_id: String,
    /// Index of the next part.
    next_part: u32,
    /// Calls so far, over all candidates.
    calls: u32,
    candidates: BTreeMap<u32, Box<State>>,
    /// All reports so far, merged.
    usage: Option<UsageMetadata>,
    reported: Option<Usage>,
    /// Distinct searches that Google ran.
    searches: BTreeSet<String>,
    /// The answer rests on Google Maps.
    has_used_maps: bool,
    has_ended: bool,
}

/// What is known of one candidate.
#[derive(Debug, Default)]
struct State {
    open: Option<Open>,
    has_calls: bool,
    /// The raw reason, held back until the end.
    finish: Option<String>,
    /// Fields that only this family knows, merged over the chunks.
    fields: Map<String, Value>,
}

#[derive(Debug)]
enum Open {
    Text(u32),
    Thought(u32),
    Call { part: u32, arguments: Arguments },
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<StreamEvent>) -> Result<FrameOutcome, Error> {
        if frame.data.trim() == "[DONE]" {
            return Ok(FrameOutcome::Known);
        }
        let Ok(chunk) = serde_json::from_str::<GenerateContentResponse<'_>>(frame.data) else {
            return Ok(FrameOutcome::Malformed);
        };
        if chunk.error.is_null() {
            return self.chunk(chunk, out);
        }
        self.end_parts(out);
        Err(failure(&chunk.error))
    }

    fn end(&mut self, out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        self.end_parts(out);
        let unfinished = self.candidates.values().any(|state| state.finish.is_none());
        if !std::mem::replace(&mut self.has_ended, true) {
            for (choice, state) in &mut self.candidates {
                if let Some(raw) = state.finish.clone() {
                    let reason = finish_reason(&raw, state.has_calls);
                    out.push(StreamEvent::Finish { choice: *choice, reason, raw: Some(raw) });
                }
            }
        }
        if self.candidates.is_empty() || unfinished {
            return Err(Error::new(
                ErrorKind::Truncated,
                Origin::Provider,
                "The provider's answer broke off: it ended without a finish reason.",
            ));
        }
        Ok(())
    }

    fn whole(&self, body: &[u8]) -> Result<ChatResponse, Error> {
        decode_whole(body)
    }
}

impl Decoder {
    fn chunk(
        &mut self,
        mut chunk: GenerateContentResponse<'_>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<FrameOutcome, Error> {
        if chunk.candidates.is_none() && chunk.usage_metadata.is_none() && chunk.prompt_feedback.is_none() {
            return Ok(FrameOutcome::Unknown);
        }
        let mut indexes = chunk.candidates.iter().flatten().filter_map(|candidate| candidate.index);
        if indexes.any(|index| u64::from(index) > MAX_INDEX) {
            return Ok(FrameOutcome::Malformed);
        }
        self.start(&mut chunk, out);
        for (position, candidate) in (0..).zip(chunk.candidates.unwrap_or_default()) {
            self.candidate(candidate.index.unwrap_or(position), candidate, out);
        }
        self.take_usage(chunk.usage_metadata, out);
        let mut rest = chunk.rest;
        if let Some(feedback) = chunk.prompt_feedback.as_ref().filter(|feedback| !feedback.rest.is_empty()) {
            rest.insert("promptFeedback".into(), Value::Object(feedback.rest.clone()));
        }
        emit::extension(out, FAMILY, None, rest);
        match chunk.prompt_feedback.as_deref().and_then(blocked) {
            Some(error) => {
                self.end_parts(out);
                Err(error)
            }
            None => Ok(FrameOutcome::Known),
        }
    }

    fn start(&mut self, chunk: &mut GenerateContentResponse<'_>, out: &mut Vec<StreamEvent>) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        let id = chunk.response_id.take().map(Cow::into_owned);
        self.response_id = id.clone().unwrap_or_default();
        let model = chunk.model_version.as_deref();
        out.push(StreamEvent::Start(ResponseStart {
            id,
            model: model.map(|model| model.strip_prefix("models/").unwrap_or(model).to_owned()),
            ..ResponseStart::default()
        }));
    }

    fn candidate(&mut self, choice: u32, candidate: Candidate<'_>, out: &mut Vec<StreamEvent>) {
        self.candidates.entry(choice).or_default();
        for part in candidate.content.and_then(|content| content.parts).unwrap_or_default() {
            self.part(choice, part, out);
        }
        self.note_searches(&candidate.rest);
        let Some(state) = self.candidates.get_mut(&choice) else { return };
        if let Some(raw) = candidate.finish_reason.as_ref().and_then(raw_reason) {
            state.finish = Some(raw);
        }
        if candidate.rest.is_empty() {
            return;
        }
        if merge_fields(&mut state.fields, candidate.rest) {
            emit::extension(out, FAMILY, Some(choice), state.fields.clone());
        }
    }

    fn note_searches(&mut self, fields: &Map<String, Value>) {
        let Some(grounding) = fields.get("groundingMetadata") else { return };
        // <https://ai.google.dev/gemini-api/docs/maps-grounding>
        let chunks = grounding.get("groundingChunks").and_then(Value::as_array).into_iter().flatten();
        self.has_used_maps |= chunks.into_iter().any(|chunk| chunk.get("maps").is_some_and(Value::is_object));
        let queries = grounding.get("webSearchQueries");
        let queries = queries.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        self.searches.extend(queries.filter(|query| !query.trim().is_empty()).map(str::to_owned));
    }

    fn take_usage(&mut self, report: Option<UsageMetadata>, out: &mut Vec<StreamEvent>) {
        if let Some(report) = report {
            if !report.rest.is_empty() {
                let beside = Value::Object(report.rest.clone());
                emit::extension(out, FAMILY, None, Map::from_iter([("usageMetadata".to_owned(), beside)]));
            }
            usage::merge(self.usage.get_or_insert_with(UsageMetadata::default), report);
        }
        let searches = self.searches.len() as u64;
        let converted = self.usage.as_ref().and_then(|usage| usage::convert(usage, searches));
        let maps = u64::from(self.has_used_maps);
        let converted = converted
            .map(|usage| Usage { tool_calls: charges::tool_calls([("google_maps", maps)]), ..usage });
        if let Some(converted) = converted
            && self.reported.as_ref() != Some(&converted)
        {
            out.push(StreamEvent::Usage(Box::new(converted.clone())));
            self.reported = Some(converted);
        }
    }

    fn part(&mut self, choice: u32, mut part: AnswerPart<'_>, out: &mut Vec<StreamEvent>) {
        let is_thought = part.thought == Some(true);
        let signature = part.thought_signature.take().filter(|text| !text.is_empty());
        if let Some(piece) = part.function_call {
            self.function_call(choice, *piece, signature, out);
        } else if let Some(text) = part.text {
            self.text(choice, text, is_thought, signature, out);
        } else {
            let fields = part.rest.into_iter().map(|(name, value)| (name.into_owned(), value)).collect();
            self.rare_part(choice, fields, part.thought, signature, out);
        }
    }

    /// A part that is neither text nor a call: its other fields, and what was said of it.
    fn rare_part(
        &mut self,
        choice: u32,
        mut fields: Map<String, Value>,
        thought: Option<bool>,
        signature: Option<String>,
        out: &mut Vec<StreamEvent>,
    ) {
        if let Some(kind) = media_kind(&fields).filter(|_| thought != Some(true)) {
            self.whole(choice, kind, signature, out);
        } else if fields.is_empty() {
            // A signature alone belongs to what is being written, or stands on an empty text.
            if let Some(signature) = signature {
                self.text(choice, String::new(), false, Some(signature), out);
            }
        } else {
            fields.extend(thought.map(|thought| ("thought".to_owned(), thought.into())));
            fields.extend(signature.map(|signature| ("thoughtSignature".to_owned(), signature.into())));
            let opaque = Opaque { family: FAMILY.into(), value: Value::Object(fields) };
            self.whole(choice, PartKind::Opaque { opaque }, None, out);
        }
    }

    fn text(
        &mut self,
        choice: u32,
        text: String,
        is_thought: bool,
        signature: Option<String>,
        out: &mut Vec<StreamEvent>,
    ) {
        if text.is_empty() && signature.is_none() {
            return;
        }
        let open = self.candidates.get(&choice).and_then(|state| state.open.as_ref());
        let index = match (open, is_thought) {
            (Some(Open::Text(index)), false) | (Some(Open::Thought(index)), true) => *index,
            _ => {
                self.end_part(choice, out);
                let kind = if is_thought { PartKind::Reasoning } else { PartKind::Text };
                let index = self.open_part(choice, kind, out);
                let open = if is_thought { Open::Thought(index) } else { Open::Text(index) };
                self.candidates.entry(choice).or_default().open = Some(open);
                index
            }
        };
        if !text.is_empty() {
            out.push(StreamEvent::PartDelta { index, delta: PartDelta::Text(text) });
        }
        if let Some(signature) = signature {
            // It covers the part up to here; what follows is another part.
            out.push(StreamEvent::PartDelta { index, delta: PartDelta::Signature(signature) });
            self.end_part(choice, out);
        }
    }

    fn function_call(
        &mut self,
        choice: u32,
        piece: FunctionCallPiece,
        signature: Option<String>,
        out: &mut Vec<StreamEvent>,
    ) {
        if let Some(name) = piece.name {
            self.end_part(choice, out);
            let id = piece.id.filter(|id| !id.is_empty()).unwrap_or_else(|| self.mint_id());
            self.calls += 1;
            let part = self.open_part(choice, PartKind::ToolCall { id, name, is_server_side: false }, out);
            if let Some(signature) = signature {
                out.push(StreamEvent::PartDelta { index: part, delta: PartDelta::Signature(signature) });
            }
            let state = self.candidates.entry(choice).or_default();
            state.has_calls = true;
            state.open = Some(Open::Call { part, arguments: Arguments::default() });
        }
        let state = self.candidates.entry(choice).or_default();
        let Some(Open::Call { part, arguments }) = &mut state.open else { return };
        if let Some(whole) = piece.args.filter(|args| !args.is_null()) {
            out.push(StreamEvent::PartDelta { index: *part, delta: PartDelta::Arguments(whole.to_string()) });
            out.push(StreamEvent::PartEnd { index: *part });
            state.open = None;
            return;
        }
        for partial in piece.partial_args.iter().flatten() {
            arguments.add(partial);
        }
        if piece.will_continue != Some(true) {
            self.end_part(choice, out);
        }
    }

    /// An id for a call that came without one: the same for the same bytes, and another for the
    /// next answer, since clients look calls up over the whole conversation.
    fn mint_id(&self) -> String {
        if self.response_id.is_empty() {
            format!("call_{}", self.calls)
        } else {
            format!("call_{}_{}", self.response_id, self.calls)
        }
    }

    /// A part that is whole at once.
    fn whole(&mut self, choice: u32, kind: PartKind, signature: Option<String>, out: &mut Vec<StreamEvent>) {
        self.end_part(choice, out);
        let index = self.open_part(choice, kind, out);
        if let Some(signature) = signature {
            out.push(StreamEvent::PartDelta { index, delta: PartDelta::Signature(signature) });
        }
        out.push(StreamEvent::PartEnd { index });
    }

    fn open_part(&mut self, choice: u32, kind: PartKind, out: &mut Vec<StreamEvent>) -> u32 {
        let index = self.next_part;
        self.next_part += 1;
        out.push(StreamEvent::PartStart { index, choice, kind });
        index
    }

    fn end_part(&mut self, choice: u32, out: &mut Vec<StreamEvent>) {
        let Some(open) = self.candidates.get_mut(&choice).and_then(|state| state.open.take()) else { return };
        let index = match open {
            Open::Text(index) | Open::Thought(index) => index,
            Open::Call { part, arguments } => {
                let arguments = PartDelta::Arguments(arguments.into_json());
                out.push(StreamEvent::PartDelta { index: part, delta: arguments });
                part
            }
        };
        out.push(StreamEvent::PartEnd { index });
    }

    fn end_parts(&mut self, out: &mut Vec<StreamEvent>) {
        let choices: Vec<u32> = self.candidates.keys().copied().collect();
        for choice in choices {
            self.end_part(choice, out);
        }
    }
}

/// The error in a chunk.
fn failure(error: &Value) -> Error {
    let said = Value::Object(Map::from_iter([("error".to_owned(), error.clone())]));
    errors::classify_value(200, &said).unwrap_or_else(|| invalid("an error without words"))
}

/// An image or a sound that the model made.
fn media_kind(part: &Map<String, Value>) -> Option<PartKind> {
    let field = |object: &Value, name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let (object, source) = if let Some(blob) = part.get("inlineData") {
        (blob, MediaSource::Base64(field(blob, "data")?))
    } else {
        let file = part.get("fileData")?;
        (file, MediaSource::Url(field(file, "fileUri")?))
    };
    let media_type = field(object, "mimeType")?;
    let media = Media { source, media_type: Some(media_type.clone()), name: None, detail: None };
    match media_type.split('/').next() {
        Some("image") => Some(PartKind::Image { media }),
        Some("audio") => Some(PartKind::Audio { media }),
        _ => None,
    }
}

/// Adds a chunk's fields to those of earlier chunks, and says whether that changed anything. Log
/// probabilities come chunk by chunk and are appended; of the rest the later word holds, field by
/// field inside an object.
fn merge_fields(fields: &mut Map<String, Value>, later: Map<String, Value>) -> bool {
    let mut has_changed = false;
    for (name, value) in later {
        match (fields.get_mut(&name), value) {
            (_, Value::Null) => {}
            (Some(have), value) if *have == value && name != "logprobsResult" => {}
            (Some(Value::Object(have)), Value::Object(more)) if name == "logprobsResult" => {
                has_changed |= append_lists(have, more);
            }
            (Some(Value::Object(have)), Value::Object(more)) => {
                for (name, value) in more {
                    has_changed |= have.get(&name) != Some(&value);
                    have.insert(name, value);
                }
            }
            (_, value) => {
                has_changed = true;
                fields.insert(name, value);
            }
        }
    }
    has_changed
}

/// Adds the lists of `more` to those of the same name; says whether there was anything in them.
fn append_lists(have: &mut Map<String, Value>, more: Map<String, Value>) -> bool {
    let mut has_changed = false;
    for (name, value) in more {
        match (have.get_mut(&name), value) {
            (Some(Value::Array(have)), Value::Array(more)) => {
                has_changed |= !more.is_empty();
                have.extend(more);
            }
            (have_now, value) => {
                has_changed |= have_now.map(|value| &*value) != Some(&value);
                have.insert(name, value);
            }
        }
    }
    has_changed
}

/// The prompt was refused and nothing was written.
fn blocked(feedback: &PromptFeedback) -> Option<Error> {
    const WORDS: [&str; 6] =
        ["BLOCK_REASON_UNSPECIFIED", "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"];
    let reason = match feedback.block_reason.as_ref()? {
        Value::String(word) => word.clone(),
        Value::Number(number) => {
            let word = number.as_u64().and_then(|number| WORDS.get(usize::try_from(number).ok()?));
            word.map_or_else(|| number.to_string(), |word| (*word).to_owned())
        }
        _ => return None,
    };
    let message = match &feedback.block_reason_message {
        Some(message) => format!("Google blocked the prompt ({reason}): {message}"),
        None => format!("Google blocked the prompt ({reason})."),
    };
    Some(Error::new(ErrorKind::ContentFiltered, Origin::Caller, message).with_code(reason))
}

/// The reason as sent, number or word; `None` where the model goes on.
fn raw_reason(value: &Value) -> Option<String> {
    match value {
        Value::String(word) if !word.is_empty() && word != "FINISH_REASON_UNSPECIFIED" => Some(word.clone()),
        Value::Number(number) if number.as_u64() != Some(0) => Some(number.to_string()),
        _ => None,
    }
}

/// <https://ai.google.dev/api/generate-content#FinishReason>, with the numbers of its proto. Vertex
/// numbers differ past 5; 6 to 8 are filters in both.
///
/// A call that Google itself found broken, undeclared or one too many is an error of the answer,
/// not a call for the client to run.
pub(super) fn finish_reason(raw: &str, has_calls: bool) -> FinishReason {
    match raw {
        "STOP" | "1" if has_calls => FinishReason::ToolCalls,
        "STOP" | "1" => FinishReason::Stop,
        "MAX_TOKENS" | "2" => FinishReason::Length,
        "SAFETY"
        | "3"
        | "RECITATION"
        | "4"
        | "6"
        | "BLOCKLIST"
        | "7"
        | "PROHIBITED_CONTENT"
        | "8"
        | "SPII"
        | "9"
        | "IMAGE_SAFETY"
        | "11"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR" => FinishReason::ContentFilter,
        "MALFORMED_FUNCTION_CALL"
        | "10"
        | "UNEXPECTED_TOOL_CALL"
        | "12"
        | "TOO_MANY_TOOL_CALLS"
        | "13"
        | "MISSING_THOUGHT_SIGNATURE"
        | "MALFORMED_RESPONSE"
        | "NO_IMAGE" => FinishReason::Error,
        _ => FinishReason::Other,
    }
}
