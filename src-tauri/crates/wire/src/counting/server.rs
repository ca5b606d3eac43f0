//! Clients ask us to count: Anthropic's `POST /v1/messages/count_tokens`, Google's `:countTokens`,
//! OpenAI's `POST /v1/responses/input_tokens`. Each takes its family's chat request, in part.

use canonical::{ChatRequest, Error, ErrorKind, Origin, Usage};
use serde_json::{Map, Value, json};

use super::CountingDialect;
use crate::{Dialect, RequestHead, anthropic_messages, dialect, gemini_generate, openai_responses};

#[derive(Debug)]
pub struct Anthropic;

#[derive(Debug)]
pub struct Gemini;

#[derive(Debug)]
pub struct Responses;

static DIALECTS: &[&dyn CountingDialect] = &[&Anthropic, &Gemini, &Responses];

/// How clients of that family ask for a count; `None` where they cannot, or do not speak to us.
pub fn counting_dialect(family: &str) -> Option<&'static dyn CountingDialect> {
    dialect(family)?;
    DIALECTS.iter().copied().find(|dialect| dialect.family() == family)
}

fn spoken(family: &str) -> Result<&'static dyn Dialect, Error> {
    dialect(family).ok_or_else(|| {
        Error::new(ErrorKind::Internal, Origin::Gateway, format!("No client speaks {family} to Signalbox."))
    })
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Error> {
    serde_json::from_slice(body)
        .map_err(|error| Error::caller(format!("The request's body is no JSON object: {error}.")))
}

impl CountingDialect for Anthropic {
    fn family(&self) -> &'static str {
        anthropic_messages::FAMILY
    }

    /// Messages demand a limit of the answer, which a count has not.
    fn decode_request(&self, head: &RequestHead<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
        let mut body = object(body)?;
        let is_ours = !body.contains_key("max_tokens");
        body.entry("max_tokens").or_insert(1.into());
        let body = Value::Object(body).to_string();
        let mut request = spoken(self.family())?.decode_request(head, body.as_bytes())?;
        if is_ours {
            request.max_output_tokens = None;
        }
        Ok(request)
    }

    fn encode_response(&self, usage: &Usage) -> Vec<u8> {
        json!({ "input_tokens": usage.input_tokens }).to_string().into_bytes()
    }
}

impl CountingDialect for Gemini {
    fn family(&self) -> &'static str {
        gemini_generate::FAMILY
    }

    /// The contents alone, or a whole request in an envelope.
    fn decode_request(&self, head: &RequestHead<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
        let mut body = object(body)?;
        let inner = ["generateContentRequest", "generate_content_request"];
        if let Some(inner) = inner.iter().find_map(|name| body.shift_remove(*name)) {
            body = match inner {
                Value::Object(inner) => inner,
                other => return Err(crate::fields::wrong("generateContentRequest", "an object", &other)),
            };
        }
        body.shift_remove("model");
        spoken(self.family())?.decode_request(head, Value::Object(body).to_string().as_bytes())
    }

    fn encode_response(&self, usage: &Usage) -> Vec<u8> {
        let media = [
            ("IMAGE", usage.input_image_tokens),
            ("AUDIO", usage.input_audio_tokens),
            ("VIDEO", usage.input_video_tokens),
        ];
        let text = media.iter().fold(usage.input_tokens, |left, (_, count)| left.saturating_sub(*count));
        let parts = media.into_iter().chain([("TEXT", text)]).filter(|(_, count)| *count > 0);
        let details: Vec<Value> =
            parts.map(|(modality, count)| json!({ "modality": modality, "tokenCount": count })).collect();
        let mut answer = Map::from_iter([("totalTokens".to_owned(), usage.input_tokens.into())]);
        if usage.cache_read_tokens > 0 {
            answer.insert("cachedContentTokenCount".into(), usage.cache_read_tokens.into());
        }
        answer.insert("promptTokensDetails".into(), details.into());
        Value::Object(answer).to_string().into_bytes()
    }
}

impl CountingDialect for Responses {
    fn family(&self) -> &'static str {
        openai_responses::FAMILY
    }

    fn decode_request(&self, head: &RequestHead<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
        spoken(self.family())?.decode_request(head, body)
    }

    fn encode_response(&self, usage: &Usage) -> Vec<u8> {
        let answer = json!({ "object": "response.input_tokens", "input_tokens": usage.input_tokens });
        answer.to_string().into_bytes()
    }
}
