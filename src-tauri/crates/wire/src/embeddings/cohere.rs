//! Cohere's `POST /v2/embed`. <https://docs.cohere.com/reference/embed>

use canonical::{EmbeddingRequest, EmbeddingResponse, Error, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::values::{self, Bytes};
use super::{Embeddings, invalid, task};
use crate::cohere_chat::FAMILY;
use crate::json::{beside, lenient, merge_missing, unsayable};
use crate::{Headers, HttpRequest, TargetContext};

/// More are refused.
const MAX_TEXTS: usize = 96;

/// Its fields that a client of OpenAI's may say too.
const KNOWN: [&str; 3] = ["input_type", "truncate", "max_tokens"];

#[derive(Debug)]
pub struct Cohere;

impl Embeddings for Cohere {
    fn encode(
        &self,
        request: &EmbeddingRequest,
        target: &TargetContext<'_>,
    ) -> Result<Vec<HttpRequest>, Error> {
        let bodies = bodies(request)?.into_iter().map(|mut body| {
            body.insert("model".into(), target.model.into());
            body.insert("embedding_types".into(), vec!["float"].into());
            HttpRequest::post("/v2/embed", Value::Object(body).to_string().into_bytes())
        });
        Ok(bodies.collect())
    }

    fn decode(&self, _: &Headers, body: &[u8], _: &TargetContext<'_>) -> Result<EmbeddingResponse, Error> {
        decode(body)
    }
}

/// What Cohere's models take, at Cohere and at Bedrock.
pub(super) fn bodies(request: &EmbeddingRequest) -> Result<Vec<Map<String, Value>>, Error> {
    let texts = request.texts().ok_or_else(|| {
        unsayable("Cohere's embeddings are asked for with text here, not with tokens or media.", "input")
    })?;
    let own = beside(&request.extensions, FAMILY, &KNOWN);
    let body = |texts: &[String]| {
        let mut body = Map::new();
        body.insert("input_type".into(), task::cohere(request.task.as_ref()).into());
        body.insert("texts".into(), texts.into());
        if let Some(dimensions) = request.dimensions {
            body.insert("output_dimension".into(), dimensions.into());
        }
        merge_missing(&mut body, &own);
        body
    };
    Ok(texts.chunks(MAX_TEXTS).map(body).collect())
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(borrow)]
    embeddings: &'a RawValue,
    #[serde(default, deserialize_with = "lenient")]
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    billed_units: Option<Units>,
}

#[derive(Deserialize)]
struct Units {
    #[serde(default, deserialize_with = "lenient")]
    input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    image_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct ByType<'a> {
    #[serde(borrow)]
    float: Vec<&'a RawValue>,
}

/// By type (version 2), or a list alone (version 1 and older models at Bedrock).
pub(super) fn decode(body: &[u8]) -> Result<EmbeddingResponse, Error> {
    let wrong = |error: serde_json::Error| invalid(&error.to_string());
    let text = std::str::from_utf8(body).map_err(|_| invalid("it is no text"))?;
    let answer: Answer<'_> = serde_json::from_str(text).map_err(wrong)?;
    let raw = answer.embeddings.get();
    let vectors: Vec<&RawValue> = if raw.trim_start().starts_with('[') {
        serde_json::from_str(raw).map_err(wrong)?
    } else {
        serde_json::from_str::<ByType<'_>>(raw).map_err(wrong)?.float
    };
    Ok(EmbeddingResponse {
        id: answer.id,
        vectors: vectors
            .into_iter()
            .map(|raw| values::decode(raw, Bytes::Single))
            .collect::<Result<_, _>>()?,
        usage: answer.meta.and_then(|meta| meta.billed_units).and_then(|units| usage(&units)),
        ..EmbeddingResponse::default()
    })
}

fn usage(units: &Units) -> Option<Usage> {
    let image = units.image_tokens.unwrap_or(0);
    let input_tokens = units.input_tokens.or(units.image_tokens.map(|_| 0))?.saturating_add(image);
    Some(Usage { input_tokens, input_image_tokens: image, ..Usage::default() })
}

#[cfg(test)]
mod tests {
    use canonical::embedding::EmbeddingInput;

    use super::*;
    use crate::Quirks;

    #[test]
    fn more_texts_than_one_request_takes_go_in_several() {
        let quirks = Quirks::default();
        let target = TargetContext { model: "embed-v4.0", quirks: &quirks, max_output_tokens: None };
        let request = EmbeddingRequest {
            inputs: (0..200).map(|n| EmbeddingInput::Text(n.to_string())).collect(),
            ..EmbeddingRequest::default()
        };
        let sent = Cohere.encode(&request, &target).unwrap();
        let texts: Vec<Value> = sent
            .iter()
            .flat_map(|sent| {
                let body: Value = serde_json::from_slice(&sent.body).unwrap();
                assert_eq!(body["input_type"], "search_document");
                body["texts"].as_array().unwrap().clone()
            })
            .collect();
        assert_eq!((sent.len(), texts.len(), texts[199].as_str()), (3, 200, Some("199")));
    }
}
