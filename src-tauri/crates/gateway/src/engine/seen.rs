//! What was seen of one attempt, good or bad: kept outside of the attempt itself, so that it is
//! there when the attempt is dropped half-way.

use canonical::event::ResponseStart;
use canonical::{ChatResponse, Error, ErrorKind, FinishReason, Origin, StreamEvent, Usage};
use ledger::PassedOver;
use routing::limit::LimitSeen;
use tokens::Written;
use tokio::time::Instant;
use wire::Note;

use super::checks::Withheld;
use super::lane::Lane;
use crate::secrets::Secret;
use crate::vault::Gathered;

#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The provider's, as soon as its headers are here.
    pub http_status: Option<u16>,
    pub provider_request_id: Option<String>,
    pub start: ResponseStart,
    pub usage: Option<Usage>,
    /// Of the first choice that finished.
    pub finish: Option<(FinishReason, Option<String>)>,
    pub first_content: Option<Instant>,
    /// The answer's words, to be counted where the provider reports nothing.
    pub written: Written,
    /// How the answer goes to the client, where one began.
    pub lane: Option<Lane>,
    /// What of the request the target is not told as the client said it.
    pub notes: Vec<Note>,
    /// The request may have reached the provider whole.
    pub was_sent: bool,
    /// The answer had begun: what was asked has been read.
    pub has_begun: bool,
    /// Pieces of its stream that nothing was made of.
    pub passed_over: PassedOver,
    /// What its checks said.
    pub report: checking::Report,
    /// Why the answer did not reach the client, where its checks said so.
    pub withheld: Option<Box<Withheld>>,
    /// What is to be held of the answer, where the client speaks another family's words.
    pub thoughts: Option<Gathered>,
    /// What the answer's headers say of limits, until the router has it.
    pub limits: Vec<LimitSeen>,
    /// The answer was asked for as it is written: its first content has a time of its own.
    pub is_stream: bool,
    /// What the request was signed with.
    pub key: Option<Secret>,
}

impl Seen {
    pub(super) fn note(&mut self, event: &StreamEvent, now: Instant) {
        self.written.note(event);
        self.has_begun = true;
        match event {
            StreamEvent::Start(start) => self.start = start.clone(),
            StreamEvent::Usage(usage) => self.usage = Some(Usage::clone(usage)),
            StreamEvent::Finish { reason, raw, .. } => {
                self.finish.get_or_insert_with(|| (*reason, raw.clone()));
            }
            StreamEvent::PartStart { .. }
            | StreamEvent::PartDelta { .. }
            | StreamEvent::PartEnd { .. }
            | StreamEvent::Extension { .. } => {}
        }
        if let Some(thoughts) = &mut self.thoughts {
            thoughts.note(event);
        }
        if event.is_content() {
            self.first_content.get_or_insert(now);
        }
    }

    /// The error without the key that the provider may have repeated in it.
    pub(super) fn without_key(&self, mut error: Error) -> Error {
        if let Some(key) = &self.key {
            key.hide_in(&mut error);
        }
        error
    }

    pub(super) fn note_whole(&mut self, response: &ChatResponse) {
        self.written.note_whole(response);
        self.has_begun = true;
        self.start = response.start.clone();
        self.usage.clone_from(&response.usage);
        if let Some(thoughts) = &mut self.thoughts {
            thoughts.note_whole(response);
        }
        self.finish = response
            .choices
            .iter()
            .find_map(|choice| Some((choice.finish_reason?, choice.finish_reason_raw.clone())));
    }

    /// The error that a finish word stands for, where the provider ended its answer with one of its
    /// own (Gemini's `UNEXPECTED_TOOL_CALL`): no clean end, whatever the HTTP status says.
    pub(super) fn finish_error(&self) -> Option<Error> {
        let (FinishReason::Error, raw) = self.finish.as_ref()? else { return None };
        let word = raw.as_deref().unwrap_or("error");
        let message = format!("The provider ended its answer with an error of its own ({word}).");
        Some(Error::new(ErrorKind::ServerError, Origin::Provider, message).with_code(word))
    }

    /// Whether the provider may charge for the attempt although it reported no usage: it had begun
    /// to answer, or we hung up on it while it worked.
    pub(super) fn may_cost(&self) -> bool {
        self.was_sent && self.http_status.is_none_or(|status| (200..300).contains(&status))
    }
}
