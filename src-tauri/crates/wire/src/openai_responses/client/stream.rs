//! Events of a stream → canonical events; a whole answer takes the same way as a stream's last
//! event, with everything in it.
//!
//! `response.completed`, `.incomplete`, `.failed` or `.cancelled` is the end, and the only place of
//! usage. It repeats the whole output (but at ChatGPT, whose list is empty), so what a lost event
//! did not bring is taken from there. OpenRouter's `[DONE]` after it says nothing more; without an
//! end before it the answer is cut.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use canonical::event::ResponseStart;
use canonical::{ChatResponse, Error, ErrorKind, Origin, StreamEvent};
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::FAMILY;
use super::super::types::{Event, Item, ItemKind, Response};
use super::items::{Meaning, OpenItem, Sink, broken_call, kind_of};
use super::response;
use super::usage::RanTools;
use crate::frame::MAX_INDEX;
use crate::json::{PassedOn, RawFields};
use crate::{Frame, FrameOutcome, StreamDecoder, emit};

#[derive(Debug, Default)]
pub(super) struct Decoder {
    has_started: bool,
    /// As `response.created` said it; another one means another answer.
    created_id: Option<String>,
    next_part: u32,
    /// Items that are being written, by their place in the output.
    open: BTreeMap<u64, Box<OpenItem>>,
    /// Types of the finished ones.
    finished: BTreeMap<u64, String>,
    /// The client is to run something of it.
    pub(super) has_client_calls: bool,
    /// The provider's own tools that ran.
    pub(super) ran: RanTools,
    /// Fields of the whole answer that were passed on already.
    passed_on: PassedOn,
    /// The end or an error was passed on; nothing more is taken.
    is_over: bool,
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<StreamEvent>) -> Result<FrameOutcome, Error> {
        if self.is_over || frame.data.trim() == "[DONE]" {
            return Ok(FrameOutcome::Known);
        }
        let Ok(event) = serde_json::from_str::<Event<'_>>(frame.data) else {
            return Ok(FrameOutcome::Malformed);
        };
        if event.output_index.is_some_and(|index| index > MAX_INDEX) || self.next_place() > MAX_INDEX {
            return Ok(FrameOutcome::Malformed);
        }
        let is_error = event.kind == "error" || frame.event == Some("error") || !event.error.is_null();
        let outcome = if is_error {
            let value = serde_json::from_str(frame.data).unwrap_or(Value::Null);
            Err(response::failure(&value))
        } else {
            self.event(event, out)
        };
        outcome.inspect_err(|_| self.give_up(out))
    }

    fn end(&mut self, out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        if self.is_over {
            return Ok(());
        }
        self.give_up(out);
        Err(truncated("The provider's answer broke off: its stream ended without saying how."))
    }

    fn whole(&self, body: &[u8]) -> Result<ChatResponse, Error> {
        response::decode_whole(body)
    }
}

impl Decoder {
    fn event(&mut self, event: Event<'_>, out: &mut Vec<StreamEvent>) -> Result<FrameOutcome, Error> {
        match &*event.kind {
            "response.created" | "response.queued" | "response.in_progress" => {
                let Some(response) = event.response else { return Ok(FrameOutcome::Malformed) };
                if event.kind == "response.created" {
                    self.refuse_another(&response)?;
                }
                self.begin(*response, out);
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                let Some(mut response) = event.response else { return Ok(FrameOutcome::Malformed) };
                let said = || event.kind.trim_start_matches("response.").to_owned();
                response.status = Some(response.status.unwrap_or_else(said));
                if let Some(cost) = event.copilot_usage {
                    response.rest.push(("copilot_usage".into(), cost));
                }
                self.conclude(*response, out)?;
            }
            "response.output_item.added" => {
                let Some(item) = event.item else { return Ok(FrameOutcome::Malformed) };
                self.start(ResponseStart::default(), out);
                let place = event.output_index.unwrap_or_else(|| self.next_place());
                let earlier = self.open.remove(&place);
                let mut sink = self.sink(out);
                if let Some(earlier) = earlier {
                    earlier.abandon(&mut sink);
                }
                let item = OpenItem::new(item, &mut sink);
                self.open.insert(place, Box::new(item));
            }
            "response.output_item.done" => {
                let Some(item) = event.item else { return Ok(FrameOutcome::Malformed) };
                let place = event.output_index.or_else(|| self.last_open());
                self.finish_item(place.unwrap_or_else(|| self.next_place()), item, out)?;
            }
            "response.output_text.annotation.added" => {
                let place = event.output_index.or_else(|| self.last_open());
                let item = place.and_then(|place| self.open.get_mut(&place));
                if let (Some(item), Some(annotation)) = (item, event.annotation) {
                    item.annotation(event.content_index.unwrap_or(0), annotation);
                }
            }
            kind if kind.ends_with("delta") => return Ok(self.delta(event, out)),
            kind if is_progress(kind) => {}
            _ => return Ok(FrameOutcome::Unknown),
        }
        Ok(FrameOutcome::Known)
    }

    /// A relay that lost its upstream and asked again begins another answer behind a piece of the
    /// first, which what was passed on cannot take back: the first one counts as cut.
    fn refuse_another(&mut self, response: &Response<'_>) -> Result<(), Error> {
        match (&self.created_id, &response.id) {
            (Some(first), Some(other)) if first != other && self.next_part > 0 => {
                Err(truncated("The provider's answer broke off and another began in its place."))
            }
            _ => {
                self.created_id.clone_from(&response.id);
                Ok(())
            }
        }
    }

    /// What the provider says of the answer before it writes it.
    pub(super) fn begin(&mut self, mut response: Response<'_>, out: &mut Vec<StreamEvent>) {
        let start = ResponseStart {
            id: response.id.take().filter(|id| !id.is_empty()),
            model: response.model.take().filter(|name| !name.is_empty()),
            created: response.created_at.filter(|at| *at >= 1.0).map(|at| at as i64),
            system_fingerprint: None,
        };
        self.start(start, out);
        self.fields(response.rest, out);
    }

    fn start(&mut self, start: ResponseStart, out: &mut Vec<StreamEvent>) {
        if !std::mem::replace(&mut self.has_started, true) {
            out.push(StreamEvent::Start(start));
        }
    }

    /// Fields of the whole answer, most of them the request's: passed on when new or changed.
    fn fields(&mut self, mut fields: RawFields<'_>, out: &mut Vec<StreamEvent>) {
        // `output_text` is put there by OpenAI's own client libraries.
        fields.retain(|(name, _)| name != "output_text");
        emit::extension(out, FAMILY, None, self.passed_on.news(fields));
    }

    fn sink<'a>(&'a mut self, out: &'a mut Vec<StreamEvent>) -> Sink<'a> {
        Sink { out, next_part: &mut self.next_part }
    }

    fn next_place(&self) -> u64 {
        let last = |place: Option<&u64>| place.map_or(0, |place| place + 1);
        last(self.open.keys().next_back()).max(last(self.finished.keys().next_back()))
    }

    fn last_open(&self) -> Option<u64> {
        self.open.keys().next_back().copied()
    }

    fn delta(&mut self, event: Event<'_>, out: &mut Vec<StreamEvent>) -> FrameOutcome {
        let Some(place) = event.output_index.or_else(|| self.last_open()) else {
            return FrameOutcome::Malformed;
        };
        if event.delta.is_none() || self.finished.contains_key(&place) {
            return FrameOutcome::Malformed;
        }
        self.start(ResponseStart::default(), out);
        let item = match self.open.entry(place) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(place) => match OpenItem::of_delta(&event.kind) {
                Some(item) => place.insert(Box::new(item)),
                None => return FrameOutcome::Unknown,
            },
        };
        let has_fitted = item.delta(event, &mut Sink { out, next_part: &mut self.next_part });
        if has_fitted { FrameOutcome::Known } else { FrameOutcome::Unknown }
    }

    fn finish_item(&mut self, place: u64, item: Item, out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        if self.finished.contains_key(&place) {
            return Ok(());
        }
        self.start(ResponseStart::default(), out);
        self.finished.insert(place, kind_of(&item).to_owned());
        let open = self.open.remove(&place);
        let mut sink = self.sink(out);
        let open = match open {
            Some(open) => *open,
            None => OpenItem::new(item.clone(), &mut sink),
        };
        let Meaning { is_client_call, is_search, tool } = open.finish(item, &mut sink)?;
        self.has_client_calls |= is_client_call;
        self.ran.web_searches += u64::from(is_search);
        if let Some(tool) = tool {
            *self.ran.others.entry(tool).or_default() += 1;
        }
        Ok(())
    }

    /// The end: what the output repeats is taken where events did not bring it, then counts and
    /// the reason.
    pub(super) fn conclude(
        &mut self,
        mut last: Response<'_>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Error> {
        let mut output = last.output.take().unwrap_or_default();
        output.retain(|item| item.get().starts_with('{'));
        let closing = response::Closing::of(&mut last);
        self.begin(last, out);
        // Where the places of a relay's events are not those of its output, nothing is taken.
        let is_same_list = self.finished.iter().all(|(place, kind)| {
            let item = usize::try_from(*place).ok().and_then(|at| output.get(at));
            item.is_some_and(|item| is_of_kind(item, kind))
        });
        if is_same_list {
            for (place, item) in (0..).zip(output) {
                if !self.finished.contains_key(&place)
                    && let Ok(item) = serde_json::from_str(item.get())
                {
                    self.finish_item(place, item, out)?;
                }
            }
        }
        let calls: Vec<bool> = self.open.values().filter_map(|item| item.call_is_whole()).collect();
        self.has_client_calls |= !calls.is_empty();
        self.end_open(out);
        self.is_over = true;
        if calls.contains(&false) { Err(broken_call()) } else { closing.report(self, out) }
    }

    /// Ends what is open, so that what had arrived is whole, and takes nothing more.
    fn give_up(&mut self, out: &mut Vec<StreamEvent>) {
        self.is_over = true;
        self.end_open(out);
    }

    fn end_open(&mut self, out: &mut Vec<StreamEvent>) {
        let open = std::mem::take(&mut self.open);
        let mut sink = self.sink(out);
        for item in open.into_values() {
            item.abandon(&mut sink);
        }
    }
}

/// Events that say how far an item is; the item itself says all of it in the end.
fn is_progress(kind: &str) -> bool {
    const STEPS: &[&str] = &[
        "response.content_part.",
        "response.output_text.",
        "response.refusal.",
        "response.reasoning_part.",
        "response.reasoning_text.",
        "response.reasoning_summary_part.",
        "response.reasoning_summary_text.",
        "response.function_call_arguments.",
        "response.custom_tool_call_input.",
        "response.web_search_call.",
        "response.x_search_call.",
        "response.file_search_call.",
        "response.code_interpreter_call.",
        "response.code_interpreter_call_code.",
        "response.image_generation_call.",
        "response.apply_patch_call_operation_diff.",
        "response.mcp_call.",
        "response.mcp_call_arguments.",
        "response.mcp_list_tools.",
    ];
    STEPS.iter().any(|step| kind.starts_with(step))
}

fn is_of_kind(item: &RawValue, kind: &str) -> bool {
    let said: Result<ItemKind<'_>, _> = serde_json::from_str(item.get());
    said.is_ok_and(|said| said.kind.as_deref().unwrap_or("") == kind)
}

fn truncated(message: &str) -> Error {
    Error::new(ErrorKind::Truncated, Origin::Provider, message)
}
