//! OpenAI's `POST /embeddings`, which most vendors copied.
//! <https://platform.openai.com/docs/api-reference/embeddings/create>

use canonical::embedding::{EmbeddingInput, VectorEncoding};
use canonical::{EmbeddingRequest, EmbeddingResponse, Error, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::values::{self, Bytes};
use super::{Embeddings, invalid};
use crate::charges::with_own_key;
use crate::json::{lenient, merge_missing, unsayable};
use crate::openai_chat::types::FAMILY;
use crate::openai_chat::types::dollars;
use crate::{Headers, HttpRequest, Quirks, TargetContext};

#[derive(Debug)]
pub struct OpenAi;

impl Embeddings for OpenAi {
    fn encode(
        &self,
        request: &EmbeddingRequest,
        target: &TargetContext<'_>,
    ) -> Result<Vec<HttpRequest>, Error> {
        let quirks = target.quirks;
        let mut body = Map::new();
        body.insert("model".into(), target.model.into());
        body.insert("input".into(), input(&request.inputs)?);
        if let Some(dimensions) = request.dimensions {
            let field = quirks.embedding_dimensions_field.as_deref().unwrap_or("dimensions");
            body.insert(field.into(), dimensions.into());
        }
        if let Some(encoding) = request.encoding.filter(|_| !quirks.embeddings_are_int8) {
            let word = match encoding {
                VectorEncoding::Float => "float",
                VectorEncoding::Base64 => "base64",
            };
            body.insert("encoding_format".into(), word.into());
        }
        if let Some(user) = &request.user {
            body.insert("user".into(), user.clone().into());
        }
        if let Some(own) = request.extensions.get(FAMILY) {
            merge_missing(&mut body, own);
        }
        for field in &quirks.drop_fields {
            body.shift_remove(field);
        }
        let path = quirks.path_to(quirks.embeddings_path.as_deref().unwrap_or("/embeddings"), target.model);
        Ok(vec![HttpRequest::post(path, Value::Object(body).to_string().into_bytes())])
    }

    fn decode(
        &self,
        _: &Headers,
        body: &[u8],
        target: &TargetContext<'_>,
    ) -> Result<EmbeddingResponse, Error> {
        decode(body, target.quirks)
    }
}

fn input(inputs: &[EmbeddingInput]) -> Result<Value, Error> {
    let one = |input: &EmbeddingInput| match input {
        EmbeddingInput::Tokens(tokens) => Ok(tokens.clone().into()),
        other => other.text().map(Value::from).ok_or_else(|| {
            unsayable("OpenAI's embeddings are made of text alone, not of images or files.", "input")
        }),
    };
    inputs.iter().map(one).collect()
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    model: Option<String>,
    #[serde(borrow)]
    data: Vec<Item<'a>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item<'a> {
    /// Missing where there is one alone.
    #[serde(default)]
    index: Option<u64>,
    #[serde(borrow)]
    embedding: &'a RawValue,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts<'a> {
    #[serde(deserialize_with = "lenient")]
    prompt_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    total_tokens: Option<u64>,
    #[serde(borrow)]
    cost: Option<&'a RawValue>,
    is_byok: Option<Value>,
    cost_details: Option<Value>,
}

fn decode(body: &[u8], quirks: &Quirks) -> Result<EmbeddingResponse, Error> {
    let text = std::str::from_utf8(body).map_err(|_| invalid("it is no text"))?;
    let mut answer: Answer<'_> = serde_json::from_str(text).map_err(|error| invalid(&error.to_string()))?;
    // Stable: items without an index stay where they are.
    answer.data.sort_by_key(|item| item.index);
    let bytes = if quirks.embeddings_are_int8 { Bytes::Int8 } else { Bytes::Single };
    Ok(EmbeddingResponse {
        id: answer.id,
        model: answer.model,
        vectors: answer
            .data
            .iter()
            .map(|item| values::decode(item.embedding, bytes))
            .collect::<Result<_, _>>()?,
        usage: answer.usage.and_then(usage),
        ..EmbeddingResponse::default()
    })
}

/// Voyage says the total alone: all of it was read.
fn usage(raw: &RawValue) -> Option<Usage> {
    let counts: Counts<'_> = serde_json::from_str(raw.get()).ok()?;
    let input_tokens = counts.prompt_tokens.or(counts.total_tokens)?;
    Some(Usage {
        input_tokens,
        total_tokens: counts.total_tokens,
        reported_cost: with_own_key(
            counts.cost.and_then(dollars),
            counts.is_byok.as_ref(),
            counts.cost_details.as_ref(),
        ),
        ..Usage::default()
    })
}

#[cfg(test)]
mod tests {
    use canonical::PicoUsd;
    use canonical::embedding::Vector;
    use serde_json::json;

    use super::*;

    fn target(quirks: &Quirks) -> TargetContext<'_> {
        TargetContext { model: "m", quirks, max_output_tokens: None }
    }

    fn sent(request: &EmbeddingRequest, quirks: &Quirks) -> (String, Value) {
        let sent = OpenAi.encode(request, &target(quirks)).unwrap().remove(0);
        (sent.path, serde_json::from_slice(&sent.body).unwrap())
    }

    #[test]
    fn a_vendors_own_words_are_used_where_it_has_them() {
        let request = EmbeddingRequest {
            inputs: vec![EmbeddingInput::Text("a".into()), EmbeddingInput::Tokens(vec![1, 2])],
            dimensions: Some(64),
            encoding: Some(VectorEncoding::Base64),
            ..EmbeddingRequest::default()
        };
        let plain =
            json!({"model": "m", "input": ["a", [1, 2]], "dimensions": 64, "encoding_format": "base64"});
        assert_eq!(sent(&request, &Quirks::default()), ("/embeddings".to_owned(), plain));
        let quirks = Quirks {
            embeddings_path: Some("/v1/embeddings".into()),
            embedding_dimensions_field: Some("output_dimension".into()),
            embeddings_are_int8: true,
            ..Quirks::default()
        };
        let own = json!({"model": "m", "input": ["a", [1, 2]], "output_dimension": 64});
        assert_eq!(sent(&request, &quirks), ("/v1/embeddings".to_owned(), own));
    }

    #[test]
    fn items_are_put_in_the_order_of_their_index() {
        let body = br#"{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}],
            "usage":{"prompt_tokens":7,"total_tokens":7,"cost":1.4e-07}}"#;
        let answer = decode(body, &Quirks::default()).unwrap();
        assert_eq!(answer.vectors, [Vector::Decimal(vec![1.0]), Vector::Decimal(vec![2.0])]);
        assert_eq!(answer.usage.unwrap().reported_cost, Some(PicoUsd(140_000)));
        for broken in [&b"[]"[..], b"{}", b"{\"data\":[{\"index\":0}]}", b"\xff"] {
            assert!(decode(broken, &Quirks::default()).is_err());
        }
    }
}
