//! Proofs of thought that travel with a conversation, and whose they are.
//!
//! Claude signs its thinking, Gemini its calls, OpenAI hands its reasoning out encrypted. Each takes
//! back only what it made itself, and a client brings everything back that it was given, whichever
//! model answers next. So what one maker made is **sealed** before it goes to a client in another
//! family's words: the value in an envelope that names its maker. When it comes back, the envelope
//! is opened for the maker it names and taken off the conversation for anybody else. Nothing has to
//! be remembered for that.
//!
//! An envelope is base64 itself, because Google's SDKs read signatures as bytes. What comes back
//! without one went to the client untouched (verbatim), and belongs to that family.

use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine};
use canonical::event::PartDelta;
use canonical::request::Content;
use canonical::{ChatRequest, ChatResponse, Error, ErrorKind, Part, StreamEvent};
use memchr::memmem;

use crate::{ProtocolId, Quirks};

/// What every envelope begins with; twelve bytes, so that its base64 is the same in each envelope.
pub(crate) const MARK: &[u8; 12] = b"signalbox:1:";
/// The same in base64, of either alphabet.
pub(crate) const CODED_MARK: &str = "c2lnbmFsYm94OjE6";

/// A client may write base64 in either alphabet, with and without padding.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Who takes back what it made: a target, as far as signatures go.
#[derive(Debug, Clone, Copy)]
pub struct Taker<'a> {
    pub protocol: ProtocolId,
    /// See [`maker`].
    pub maker: &'a str,
}

/// Whose a provider's signatures are: those that its file names (Claude's are good at Anthropic,
/// Bedrock and Vertex alike), else its own alone, since encrypted reasoning is tied to the account.
pub fn maker<'a>(quirks: &'a Quirks, provider: &'a str) -> &'a str {
    quirks.signature_maker.as_deref().unwrap_or(provider)
}

/// `value` in an envelope that names its maker.
pub fn seal(maker: &str, value: &str) -> String {
    let mut envelope = MARK.to_vec();
    envelope.extend_from_slice(maker.as_bytes());
    envelope.push(0);
    envelope.extend_from_slice(value.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(envelope)
}

/// The maker and the value in an envelope; `None` where `sealed` is none.
pub fn open(sealed: &str) -> Option<(String, String)> {
    if !sealed.starts_with(CODED_MARK) {
        return None;
    }
    let alphabet = if sealed.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    let envelope = GeneralPurpose::new(alphabet, LENIENT).decode(sealed.trim()).ok()?;
    let inside = String::from_utf8(envelope.strip_prefix(MARK)?.to_vec()).ok()?;
    let (maker, value) = inside.split_once('\0')?;
    Some((maker.to_owned(), value.to_owned()))
}

/// Whether a request's bytes hold an envelope: then they cannot go to a provider as they are.
pub fn has_sealed(body: &[u8]) -> bool {
    memmem::find(body, CODED_MARK.as_bytes()).is_some()
}

/// Seals what `event` brings of `maker`'s.
pub fn seal_event(event: &mut StreamEvent, maker: &str) {
    if let StreamEvent::PartDelta {
        delta: PartDelta::Signature(value) | PartDelta::Encrypted(value), ..
    } = event
    {
        *value = seal(maker, value);
    }
}

/// Seals everything in a whole answer of `maker`'s.
pub fn seal_response(response: &mut ChatResponse, maker: &str) {
    for part in response.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
        each(part, &mut |value| Some(seal(maker, &value)));
    }
}

/// Makes the conversation fit for `taker`: what it made itself is opened, what another made is taken
/// off. `family` is that of the client's dialect, whose unsealed signatures are its own. Returns how
/// many were taken off.
pub fn open_for(request: &mut ChatRequest, family: &str, taker: Taker<'_>) -> usize {
    let is_family = family == taker.protocol.as_str() || made_plain(family) == Some(taker.maker);
    let mut taken_off = 0;
    let mut keep = |value: String| {
        let kept = match open(&value) {
            Some((maker, value)) => (maker == taker.maker).then_some(value),
            None => is_family.then_some(value),
        };
        taken_off += usize::from(kept.is_none());
        kept
    };
    edit(request, &mut keep);
    taken_off
}

/// Takes every signature off, for a provider that refused one. Returns how many there were.
pub fn take_off(request: &mut ChatRequest) -> usize {
    let mut taken_off = 0;
    edit(request, &mut |_| {
        taken_off += 1;
        None
    });
    taken_off
}

/// Whether a provider refused a proof that came with the conversation: it does not know it, or it
/// was changed. Sending the rest without it is then worth one more try. The words are those of
/// Anthropic (`Invalid `signature` in `thinking` block`), OpenAI (`invalid_encrypted_content`) and
/// Google (`Thought signature is not valid`).
pub fn is_refusal(error: &Error) -> bool {
    if error.code.as_deref() == Some("invalid_encrypted_content") {
        return true;
    }
    let message = error.message.to_lowercase();
    let names_it =
        message.contains("signature") && (message.contains("thinking") || message.contains("thought"));
    error.kind == ErrorKind::InvalidRequest && (names_it || message.contains("encrypted content"))
}

/// Whose signatures a family's clients hold where nobody else is named.
fn made_plain(family: &str) -> Option<&'static str> {
    match family {
        "anthropic-messages" => Some("anthropic"),
        "gemini-generate" => Some("google"),
        _ => None,
    }
}

fn edit(request: &mut ChatRequest, change: &mut dyn FnMut(String) -> Option<String>) {
    for message in &mut request.messages {
        message.parts.retain_mut(|part| {
            let had_any = each(part, change);
            // Thinking that was nothing but its encrypted form says nothing without it.
            !(had_any && is_empty_thought(part))
        });
    }
    request
        .messages
        .retain(|message| !message.parts.is_empty() || message.role != canonical::Role::Assistant);
}

fn is_empty_thought(part: &Part) -> bool {
    matches!(&part.content, Content::Reasoning(thought)
        if thought.text.is_empty() && thought.signature.is_none() && thought.encrypted.is_none())
}

/// Changes every proof that `part` carries; whether it carried any.
fn each(part: &mut Part, change: &mut dyn FnMut(String) -> Option<String>) -> bool {
    let mut had_any = false;
    let mut replace = |slot: &mut Option<String>| {
        if let Some(value) = slot.take() {
            had_any = true;
            *slot = change(value);
        }
    };
    match &mut part.content {
        Content::Reasoning(thought) => {
            replace(&mut thought.signature);
            replace(&mut thought.encrypted);
        }
        Content::ToolCall(call) => replace(&mut call.signature),
        _ => {
            let mut slot = part.signature().map(str::to_owned);
            replace(&mut slot);
            if had_any {
                part.clear_signature();
                if let Some(value) = slot {
                    part.set_signature(value);
                }
            }
        }
    }
    had_any
}

#[cfg(test)]
mod tests {
    use canonical::request::{Reasoning, ToolCall};
    use canonical::{Message, Role};
    use proptest::prelude::*;

    use super::*;

    fn conversation() -> ChatRequest {
        let thought = Reasoning { text: "Hm.".into(), signature: Some("sig".into()), encrypted: None };
        let hidden = Reasoning { encrypted: Some("opaque".into()), ..Reasoning::default() };
        let call = ToolCall {
            id: "1".into(),
            name: "look".into(),
            signature: Some("call".into()),
            ..ToolCall::default()
        };
        let mut text = Part::text("So it is.");
        text.set_signature("text");
        let parts = vec![
            Content::Reasoning(thought).into(),
            Content::Reasoning(hidden).into(),
            Content::ToolCall(call).into(),
            text,
        ];
        ChatRequest { messages: vec![Message::new(Role::Assistant, parts)], ..ChatRequest::default() }
    }

    fn sealed_by(maker: &str) -> ChatRequest {
        let mut request = conversation();
        edit(&mut request, &mut |value| Some(seal(maker, &value)));
        request
    }

    const CLAUDE: Taker<'_> = Taker { protocol: ProtocolId::AnthropicMessages, maker: "anthropic" };

    #[test]
    fn a_maker_gets_back_exactly_what_it_made() {
        let mut request = sealed_by("anthropic");
        assert_eq!(open_for(&mut request, "openai-responses", CLAUDE), 0);
        assert_eq!(request, conversation());
    }

    #[test]
    fn nobody_gets_what_another_made_and_the_words_stay() {
        let mut request = sealed_by("google");
        assert_eq!(open_for(&mut request, "anthropic-messages", CLAUDE), 4);
        let parts = &request.messages[0].parts;
        assert_eq!(parts.len(), 3, "a thought that was only encrypted is gone: {parts:?}");
        assert!(parts.iter().all(|part| part.signature().is_none()));
        assert_eq!(request.messages[0].plain_text(), "So it is.");
    }

    #[test]
    fn what_comes_back_as_it_went_out_belongs_to_its_family() {
        let bedrock = Taker { protocol: ProtocolId::BedrockConverse, maker: "anthropic" };
        let elsewhere = Taker { protocol: ProtocolId::BedrockConverse, maker: "bedrock" };
        for (taker, taken_off) in [(CLAUDE, 0), (bedrock, 0), (elsewhere, 4)] {
            assert_eq!(open_for(&mut conversation(), "anthropic-messages", taker), taken_off, "{taker:?}");
        }
        assert_eq!(open_for(&mut conversation(), "openai-chat", CLAUDE), 4);
    }

    #[test]
    fn an_assistant_that_only_thought_unseen_leaves_no_empty_message() {
        let hidden = Reasoning { encrypted: Some("opaque".into()), ..Reasoning::default() };
        let messages = vec![
            Message::text(Role::User, "Go."),
            Message::new(Role::Assistant, vec![Content::Reasoning(hidden).into()]),
        ];
        let mut request = ChatRequest { messages, ..ChatRequest::default() };
        assert_eq!(take_off(&mut request), 1);
        assert_eq!(request.messages.len(), 1);
    }

    #[test]
    fn a_refused_proof_is_told_from_other_mistakes() {
        for (code, message, is_it) in [
            (None, "messages.1.content.0: Invalid `signature` in `thinking` block", true),
            (None, "Thought signature is not valid.", true),
            (Some("invalid_encrypted_content"), "The encrypted content could not be verified.", true),
            (None, "The request signature does not match.", false),
            (None, "max_tokens must be greater than thinking.budget_tokens", false),
        ] {
            let mut error = Error::caller(message);
            error.code = code.map(str::to_owned);
            assert_eq!(is_refusal(&error), is_it, "{message}");
        }
    }

    #[test]
    fn an_envelope_is_found_in_a_requests_bytes() {
        let body = format!(r#"{{"signature":"{}"}}"#, seal("google", "x"));
        assert!(has_sealed(body.as_bytes()) && !has_sealed(br#"{"signature":"c2ln"}"#));
    }

    proptest! {
        #[test]
        fn any_value_comes_back_from_its_envelope_in_either_alphabet(maker in "[a-z0-9:.-]{0,20}", value in any::<String>()) {
            let sealed = seal(&maker, &value);
            prop_assert!(sealed.starts_with(CODED_MARK));
            let url_safe = sealed.replace('+', "-").replace('/', "_");
            for form in [sealed.clone(), url_safe.clone(), url_safe.trim_end_matches('=').to_owned()] {
                prop_assert_eq!(open(&form), Some((maker.clone(), value.clone())));
            }
        }

        #[test]
        fn anything_may_come_back(value in any::<String>(), tail in "[A-Za-z0-9+/=_-]{0,40}") {
            let _ = open(&value);
            let _ = open(&format!("{CODED_MARK}{tail}"));
        }
    }
}
