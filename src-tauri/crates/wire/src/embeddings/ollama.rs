//! Ollama's `POST /api/embed`. <https://github.com/ollama/ollama/blob/main/docs/api.md>

use canonical::{EmbeddingRequest, EmbeddingResponse, Error, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::values::{self, Bytes};
use super::{Embeddings, invalid};
use crate::json::{beside, lenient, merge_missing, unsayable};
use crate::ollama_chat::FAMILY;
use crate::{Headers, HttpRequest, TargetContext};

/// Its fields that a client of OpenAI's may say too.
const KNOWN: [&str; 3] = ["truncate", "options", "keep_alive"];

#[derive(Debug)]
pub struct Ollama;

impl Embeddings for Ollama {
    fn encode(
        &self,
        request: &EmbeddingRequest,
        target: &TargetContext<'_>,
    ) -> Result<Vec<HttpRequest>, Error> {
        let texts = request.texts().ok_or_else(|| {
            unsayable("Ollama's embeddings are made of text alone, not of tokens or media.", "input")
        })?;
        let mut body = Map::new();
        body.insert("model".into(), target.model.into());
        body.insert("input".into(), texts.into());
        if let Some(dimensions) = request.dimensions {
            body.insert("dimensions".into(), dimensions.into());
        }
        merge_missing(&mut body, &beside(&request.extensions, FAMILY, &KNOWN));
        Ok(vec![HttpRequest::post("/embed", Value::Object(body).to_string().into_bytes())])
    }

    fn decode(&self, _: &Headers, body: &[u8], _: &TargetContext<'_>) -> Result<EmbeddingResponse, Error> {
        let text = std::str::from_utf8(body).map_err(|_| invalid("it is no text"))?;
        let answer: Answer<'_> = serde_json::from_str(text).map_err(|error| invalid(&error.to_string()))?;
        let vectors = answer.embeddings.into_iter().map(|raw| values::decode(raw, Bytes::Single));
        Ok(EmbeddingResponse {
            model: answer.model,
            vectors: vectors.collect::<Result<_, _>>()?,
            usage: answer.prompt_eval_count.map(|input_tokens| Usage { input_tokens, ..Usage::default() }),
            ..EmbeddingResponse::default()
        })
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default, deserialize_with = "lenient")]
    model: Option<String>,
    #[serde(borrow)]
    embeddings: Vec<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient")]
    prompt_eval_count: Option<u64>,
}
