//! Bedrock's `InvokeModel`, where each maker's models have a form of their own: Amazon's Titan and
//! Nova take one text per request, Cohere's take what they take at Cohere.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html>,
//! <https://docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html>

use canonical::{EmbeddingRequest, EmbeddingResponse, Error, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::values::{self, Bytes};
use super::{Embeddings, cohere, invalid, task};
use crate::bedrock_converse::FAMILY;
use crate::bedrock_converse::client::escaped;
use crate::json::{beside, lenient, merge_missing, unsayable};
use crate::{Headers, HttpRequest, TargetContext};

/// Nova and Cohere count here alone; Titan's own count is the same.
const COUNT_HEADER: &str = "x-amzn-bedrock-input-token-count";

#[derive(Debug)]
pub struct Bedrock;

/// Whose form a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Titan,
    Nova,
    Cohere,
}

/// Read off the id (`us.cohere.embed-v4:0`, an inference profile's ARN).
fn maker(model: &str) -> Option<Maker> {
    let has = |word: &str| model.contains(word);
    if has("titan-embed") {
        Some(Maker::Titan)
    } else if has("nova") && has("embed") {
        Some(Maker::Nova)
    } else if has("cohere.embed") {
        Some(Maker::Cohere)
    } else {
        None
    }
}

impl Embeddings for Bedrock {
    fn encode(
        &self,
        request: &EmbeddingRequest,
        target: &TargetContext<'_>,
    ) -> Result<Vec<HttpRequest>, Error> {
        let Some(maker) = maker(target.model) else {
            return Err(unsayable(
                format!(
                    "Bedrock is asked for embeddings of Titan, Nova and Cohere models; \"{}\" is none.",
                    target.model
                ),
                "model",
            ));
        };
        let bodies = match maker {
            Maker::Cohere => cohere::bodies(request)?,
            Maker::Titan => texts(request)?.iter().map(|text| titan(request, text, target.model)).collect(),
            Maker::Nova => texts(request)?.iter().map(|text| nova(request, text)).collect(),
        };
        let path = format!("/model/{}/invoke", escaped(target.model));
        let post = |body| HttpRequest::post(path.clone(), Value::Object(body).to_string().into_bytes());
        Ok(bodies.into_iter().map(post).collect())
    }

    /// The form tells whose it is: a list of objects is Nova's, one `embedding` is Titan's.
    fn decode(
        &self,
        headers: &Headers,
        body: &[u8],
        target: &TargetContext<'_>,
    ) -> Result<EmbeddingResponse, Error> {
        let counted = headers.get(COUNT_HEADER).and_then(|count| count.trim().parse().ok());
        let mut answer = match maker(target.model) {
            Some(Maker::Cohere) => cohere::decode(body)?,
            _ => amazon(body)?,
        };
        if let Some(input_tokens) = counted {
            answer.usage = Some(Usage { input_tokens, ..Usage::default() });
        }
        Ok(answer)
    }
}

fn texts(request: &EmbeddingRequest) -> Result<Vec<String>, Error> {
    request.texts().ok_or_else(|| {
        unsayable("Bedrock's embeddings are asked for with text here, not with tokens or media.", "input")
    })
}

fn titan(request: &EmbeddingRequest, text: &str, model: &str) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("inputText".into(), text.into());
    // The first version refuses every other field.
    if !model.contains("titan-embed-text-v1") {
        if let Some(dimensions) = request.dimensions {
            body.insert("dimensions".into(), dimensions.into());
        }
        merge_missing(&mut body, &beside(&request.extensions, FAMILY, &["normalize"]));
    }
    body
}

fn nova(request: &EmbeddingRequest, text: &str) -> Map<String, Value> {
    let own = beside(&request.extensions, FAMILY, &["truncationMode"]);
    // Too long a text is refused, not cut unseen.
    let truncation = own.get("truncationMode").cloned().unwrap_or_else(|| "NONE".into());
    let mut params = Map::new();
    params.insert("embeddingPurpose".into(), task::nova(request.task.as_ref()).into());
    params.insert("text".into(), json!({ "value": text, "truncationMode": truncation }));
    if let Some(dimensions) = request.dimensions {
        params.insert("embeddingDimension".into(), dimensions.into());
    }
    Map::from_iter([
        ("taskType".to_owned(), "SINGLE_EMBEDDING".into()),
        ("singleEmbeddingParams".to_owned(), params.into()),
    ])
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    embedding: Option<&'a RawValue>,
    #[serde(borrow, default)]
    embeddings: Vec<Item<'a>>,
    #[serde(rename = "inputTextTokenCount", default, deserialize_with = "lenient")]
    count: Option<u64>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    embedding: &'a RawValue,
}

fn amazon(body: &[u8]) -> Result<EmbeddingResponse, Error> {
    let text = std::str::from_utf8(body).map_err(|_| invalid("it is no text"))?;
    let answer: Answer<'_> = serde_json::from_str(text).map_err(|error| invalid(&error.to_string()))?;
    let raw = answer.embedding.into_iter().chain(answer.embeddings.into_iter().map(|item| item.embedding));
    let vectors = raw.map(|raw| values::decode(raw, Bytes::Single)).collect::<Result<Vec<_>, _>>()?;
    if vectors.is_empty() {
        return Err(invalid("it has no vector"));
    }
    let usage = answer.count.map(|input_tokens| Usage { input_tokens, ..Usage::default() });
    Ok(EmbeddingResponse { vectors, usage, ..EmbeddingResponse::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Quirks;
    use canonical::embedding::EmbeddingInput;
    use canonical::{ErrorKind, Retry};

    #[test]
    fn a_model_that_takes_one_text_is_asked_once_for_each() {
        let quirks = Quirks::default();
        let request = EmbeddingRequest {
            inputs: vec![EmbeddingInput::Text("a".into()), EmbeddingInput::Text("b".into())],
            dimensions: Some(256),
            ..EmbeddingRequest::default()
        };
        let sent = |model| {
            Bedrock.encode(&request, &TargetContext { model, quirks: &quirks, max_output_tokens: None })
        };
        let titan = sent("amazon.titan-embed-text-v2:0").unwrap();
        assert_eq!(titan.len(), 2);
        assert_eq!(titan[0].path, "/model/amazon.titan-embed-text-v2%3A0/invoke");
        assert_eq!(titan[1].body, br#"{"inputText":"b","dimensions":256}"#);
        assert_eq!(sent("amazon.titan-embed-text-v1").unwrap()[0].body, br#"{"inputText":"a"}"#);
        assert_eq!(sent("us.cohere.embed-v4:0").unwrap().len(), 1);
        let error = sent("amazon.nova-lite-v1:0").unwrap_err();
        assert_eq!((error.kind, error.retry), (ErrorKind::InvalidRequest, Retry::NextTarget));
    }
}
