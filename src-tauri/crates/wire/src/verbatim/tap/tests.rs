use canonical::ErrorKind;

use super::*;
use crate::{ProtocolId, Quirks};

/// What the client gets of `pieces`, and how the stream ended.
fn tapped(protocol: ProtocolId, options: TapOptions, pieces: &[&str]) -> (String, Result<(), Error>, Tap) {
    let driver = StreamDriver::new(crate::protocol(protocol), &Quirks::default());
    let mut tap = Tap::new(driver, options);
    let (mut out, mut passed) = (Vec::new(), Vec::new());
    let mut outcome = Ok(());
    for piece in pieces {
        let mut raw = Vec::new();
        outcome = tap.push(piece.as_bytes(), &mut out, &mut raw);
        copy(&raw, piece, &mut passed);
        if outcome.is_err() {
            break;
        }
    }
    let mut raw = Vec::new();
    let outcome = outcome.and(tap.finish(&mut out, &mut raw));
    copy(&raw, "", &mut passed);
    (String::from_utf8(passed).unwrap(), outcome, tap)
}

fn copy(raw: &[Piece], piece: &str, passed: &mut Vec<u8>) {
    for one in raw {
        match one {
            Piece::Held(bytes) => passed.extend_from_slice(bytes),
            Piece::Here(range) => passed.extend_from_slice(&piece.as_bytes()[range.clone()]),
        }
    }
}

const EVENTS: TapOptions = TapOptions {
    form: StreamForm::Events,
    hides_usage: false,
    data_lines_only: false,
    hides_done: false,
    mends_message: false,
};
const ARRAY: TapOptions = TapOptions { form: StreamForm::Array, ..EVENTS };

const HELLO: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n";
const STOP: &str =
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str =
    "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

#[test]
fn an_arrays_first_element_may_be_malformed_and_the_rest_is_still_an_array() {
    let good = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]},\"finishReason\":\"STOP\"}]}";
    for first in ["{bad}", "{\"candidates\":[bad]}"] {
        let body = format!("[{first}\n,\r\n{good}\n]");
        let (passed, outcome, tap) = tapped(ProtocolId::GeminiGenerate, ARRAY, &[&body]);
        outcome.unwrap();
        let elements: Vec<Value> =
            serde_json::from_str(&passed).unwrap_or_else(|error| panic!("{error}: {passed}"));
        assert_eq!(elements, [serde_json::from_str::<Value>(good).unwrap()], "{passed}");
        assert_eq!((tap.left_out(), tap.counters().malformed), (1, 1));
    }
}

#[test]
fn a_last_word_without_a_finish_reason_is_kept_from_the_client() {
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\
        \"role\":\"assistant\",\"model\":\"c\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":1,\
        \"output_tokens\":1}}}\n\n";
    let stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let (passed, outcome, tap) = tapped(ProtocolId::AnthropicMessages, EVENTS, &[start, stop]);
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::Truncated);
    assert_eq!((passed.as_str(), tap.left_out()), (start, 1));
    let (passed, outcome, _) = tapped(ProtocolId::OpenaiChat, EVENTS, &[HELLO, DONE]);
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::Truncated);
    assert_eq!(passed, HELLO);
}

#[test]
fn usage_that_the_client_did_not_ask_for_is_counted_and_not_shown() {
    for (hides_usage, expected) in
        [(true, [HELLO, STOP, DONE].concat()), (false, [HELLO, STOP, USAGE, DONE].concat())]
    {
        let options = TapOptions { hides_usage, ..EVENTS };
        let (passed, outcome, tap) = tapped(ProtocolId::OpenaiChat, options, &[HELLO, STOP, USAGE, DONE]);
        outcome.unwrap();
        assert_eq!((passed, tap.left_out()), (expected, u64::from(hides_usage)));
    }
    // Beside words it stays, whoever asked for it.
    let both = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}],\
        \"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n";
    let options = TapOptions { hides_usage: true, ..EVENTS };
    assert!(tapped(ProtocolId::OpenaiChat, options, &[both, STOP, DONE]).0.contains("\"usage\""));
}

#[test]
fn the_providers_own_error_is_the_last_thing_that_is_passed_on() {
    let error = "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n";
    let (passed, outcome, tap) = tapped(ProtocolId::OpenaiChat, EVENTS, &[HELLO, error, HELLO, DONE]);
    assert!(outcome.is_err() && tap.said_error());
    assert_eq!(passed, [HELLO, error].concat());
}

#[test]
fn any_split_of_the_bytes_passes_the_same_bytes_on() {
    let malformed = "data: {\"id\":\"c\",\"cho\n\n";
    let body = [": ping\r\n\r\n", HELLO, malformed, STOP, USAGE, DONE].concat();
    let options = TapOptions { hides_usage: true, ..EVENTS };
    let expected = [": ping\r\n\r\n", HELLO, STOP, DONE].concat();
    for cut in 0..=body.len() {
        let (first, second) = body.split_at(cut);
        let (passed, outcome, tap) = tapped(ProtocolId::OpenaiChat, options, &[first, second]);
        outcome.unwrap();
        assert_eq!((passed.as_str(), tap.left_out()), (expected.as_str(), 2), "cut at {cut}");
    }
    let bytes: Vec<String> = body.chars().map(String::from).collect();
    let bytes: Vec<&str> = bytes.iter().map(String::as_str).collect();
    assert_eq!(tapped(ProtocolId::OpenaiChat, options, &bytes).0, expected);
}

fn passed_on(options: TapOptions, stream: &str) -> String {
    let driver = StreamDriver::new(crate::protocol(ProtocolId::GeminiGenerate), &Quirks::default());
    let (mut tap, mut events, mut text) = (Tap::new(driver, options), Vec::new(), Vec::new());
    // In two pushes, so that some pieces are held.
    let (one, two) = stream.as_bytes().split_at(stream.len() / 2);
    let mut raw = Vec::new();
    let mut take = |raw: &mut Vec<Piece>, bytes: &[u8]| {
        for piece in raw.drain(..) {
            match piece {
                Piece::Held(held) => text.extend_from_slice(&held),
                Piece::Here(span) => text.extend_from_slice(&bytes[span]),
            }
        }
    };
    for bytes in [one, two] {
        tap.push(bytes, &mut events, &mut raw).unwrap();
        take(&mut raw, bytes);
    }
    tap.finish(&mut events, &mut raw).unwrap();
    take(&mut raw, &[]);
    String::from_utf8(text).unwrap()
}

const NOISY: &str = concat!(
    ": keep-alive\n\n",
    "event: message\r\ndata:{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\r\n\r\n",
    "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n",
    ": the last word\n",
);

#[test]
fn where_the_clients_sdk_knows_data_alone_nothing_else_is_passed_on() {
    let options = TapOptions { data_lines_only: true, ..TapOptions::default() };
    assert_eq!(
        passed_on(options, NOISY),
        concat!(
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n\n",
            "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n",
        )
    );
    assert_eq!(passed_on(TapOptions::default(), NOISY), NOISY);
}

#[test]
fn a_text_whose_start_was_malformed_is_passed_on_with_a_start() {
    let event = |kind: &str, rest: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n");
    let start = event("message_start", ",\"message\":{\"id\":\"m\",\"model\":\"c\",\"content\":[]}");
    let malformed = "event: content_block_start\ndata: {\"type\":\"content_blo\n\n";
    let delta =
        event("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}");
    let rest = [
        event("content_block_stop", ",\"index\":0"),
        event("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}"),
        event("message_stop", ""),
    ];
    let options = TapOptions { mends_message: true, ..EVENTS };
    let rest = rest.concat();
    let pieces = [start.as_str(), malformed, &delta, &rest];
    let (passed, outcome, tap) = tapped(ProtocolId::AnthropicMessages, options, &pieces);
    outcome.unwrap();
    assert_eq!(tap.left_out(), 1);
    let begun =
        event("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}");
    assert_eq!(passed.replace(&begun, ""), [start, delta, rest].concat());
    assert!(passed.contains(&begun), "{passed}");
}

/// Where the end of the stream ends an item, it brings a part; but the piece of an event in front of it
/// brought none, and an SDK reads JSON from an event without data.
#[test]
fn a_cut_event_is_kept_from_the_client_whatever_the_end_brings() {
    let begin =
        "data: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"status\":\"in_progress\"}}\n\n";
    let item = "data: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":\
        {\"id\":\"a\",\"type\":\"apply_patch_call\",\"status\":\"in_progress\"}}\n\n";
    for cut in ["event: response.apply_patch_call_operation_di", "data", "data: {\"type\":\"response.out"] {
        let (passed, outcome, _) = tapped(ProtocolId::OpenaiResponses, EVENTS, &[begin, item, cut]);
        assert_eq!(outcome.unwrap_err().kind, ErrorKind::Truncated);
        assert_eq!(passed, [begin, item].concat());
    }
}
