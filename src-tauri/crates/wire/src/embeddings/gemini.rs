//! Google's `:batchEmbedContents`, and at Vertex `:predict`.
//! <https://ai.google.dev/api/embeddings>,
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api>

use canonical::embedding::EmbeddingInput;
use canonical::request::{Media, MediaSource};
use canonical::{Content, EmbeddingRequest, EmbeddingResponse, Error, Part, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::values::{self, Bytes};
use super::{Embeddings, invalid, no_name, task};
use crate::counting::gemini::Modalities;
use crate::gemini_generate::{FAMILY, models};
use crate::json::{beside, image_type, lenient, unsayable};
use crate::{Headers, HttpRequest, TargetContext};

/// More contents are refused in one batch.
const MAX_BATCH: usize = 100;

/// More instances are refused in one prediction; `gemini-embedding-001` takes one alone.
const MAX_INSTANCES: usize = 250;

/// Where the server half keeps the contents' titles, in their order.
pub(super) const TITLES: &str = "titles";

#[derive(Debug)]
pub struct Gemini;

impl Embeddings for Gemini {
    fn encode(
        &self,
        request: &EmbeddingRequest,
        target: &TargetContext<'_>,
    ) -> Result<Vec<HttpRequest>, Error> {
        let path = models::path(target.model).ok_or_else(|| no_name(target.model))?;
        let titles = request.extensions.field(FAMILY, TITLES).and_then(Value::as_array);
        let title = |index: usize| titles?.get(index).filter(|title| title.is_string()).cloned();
        let at_once = match target.quirks.vertex_forms {
            false => MAX_BATCH,
            true if target.model.contains("gemini-embedding") => 1,
            true => MAX_INSTANCES,
        };
        let mut items = Vec::with_capacity(request.inputs.len());
        for (index, input) in request.inputs.iter().enumerate() {
            items.push(if target.quirks.vertex_forms {
                instance(request, input, title(index))?
            } else {
                content(request, input, title(index), &path)?
            });
        }
        let post = |items: &[Value]| {
            let (method, body) = if target.quirks.vertex_forms {
                ("predict", prediction(request, items))
            } else {
                ("batchEmbedContents", json!({ "requests": items }))
            };
            HttpRequest::post(format!("{path}:{method}"), body.to_string().into_bytes())
        };
        Ok(items.chunks(at_once).map(post).collect())
    }

    fn decode(&self, _: &Headers, body: &[u8], _: &TargetContext<'_>) -> Result<EmbeddingResponse, Error> {
        decode(body)
    }
}

/// One of a batch, which names its model again.
fn content(
    request: &EmbeddingRequest,
    input: &EmbeddingInput,
    title: Option<Value>,
    path: &str,
) -> Result<Value, Error> {
    let mut item = Map::new();
    item.insert("model".into(), path.trim_start_matches('/').into());
    item.insert("content".into(), json!({ "parts": parts(input)? }));
    if let Some(task) = &request.task {
        item.insert("taskType".into(), task::gemini(task).into());
    }
    if let Some(title) = title {
        item.insert("title".into(), title);
    }
    if let Some(dimensions) = request.dimensions {
        item.insert("outputDimensionality".into(), dimensions.into());
    }
    Ok(item.into())
}

fn instance(
    request: &EmbeddingRequest,
    input: &EmbeddingInput,
    title: Option<Value>,
) -> Result<Value, Error> {
    let text = input.text().ok_or_else(|| {
        unsayable("Vertex makes embeddings of text alone here, not of tokens or media.", "input")
    })?;
    let mut item = Map::from_iter([("content".to_owned(), text.into())]);
    if let Some(task) = &request.task {
        item.insert("task_type".into(), task::gemini(task).into());
    }
    if let Some(title) = title {
        item.insert("title".into(), title);
    }
    Ok(item.into())
}

fn prediction(request: &EmbeddingRequest, instances: &[Value]) -> Value {
    let mut body = Map::from_iter([("instances".to_owned(), instances.into())]);
    let mut parameters = beside(&request.extensions, FAMILY, &["autoTruncate"]);
    parameters.shift_remove(TITLES);
    if let Some(dimensions) = request.dimensions {
        parameters.insert("outputDimensionality".into(), dimensions.into());
    }
    if !parameters.is_empty() {
        body.insert("parameters".into(), parameters.into());
    }
    body.into()
}

fn parts(input: &EmbeddingInput) -> Result<Vec<Value>, Error> {
    match input {
        EmbeddingInput::Text(text) => Ok(vec![json!({ "text": text })]),
        EmbeddingInput::Parts(parts) => parts.iter().map(part).collect(),
        EmbeddingInput::Tokens(_) => {
            Err(unsayable("Google's embeddings are made of text, not of tokens.", "input"))
        }
    }
}

fn part(part: &Part) -> Result<Value, Error> {
    match &part.content {
        Content::Text(text) => Ok(json!({ "text": text })),
        Content::Image(media) | Content::Audio(media) | Content::Document(media) => Ok(self::media(media)),
        _ => Err(unsayable("Google's embeddings are made of text and media alone.", "input")),
    }
}

fn media(media: &Media) -> Value {
    let kind = |data: &str| media.media_type.clone().unwrap_or_else(|| image_type(data).to_owned());
    match &media.source {
        MediaSource::Base64(data) => json!({ "inlineData": { "mimeType": kind(data), "data": data } }),
        MediaSource::Url(uri) | MediaSource::FileId(uri) => match &media.media_type {
            Some(kind) => json!({ "fileData": { "mimeType": kind, "fileUri": uri } }),
            None => json!({ "fileData": { "fileUri": uri } }),
        },
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    /// Of `:embedContent`.
    #[serde(borrow, default)]
    embedding: Option<Values<'a>>,
    #[serde(borrow, default)]
    embeddings: Vec<Values<'a>>,
    #[serde(borrow, default)]
    predictions: Vec<Prediction<'a>>,
    #[serde(rename = "usageMetadata", default, deserialize_with = "lenient")]
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Values<'a> {
    #[serde(borrow)]
    values: &'a RawValue,
    #[serde(default, deserialize_with = "lenient")]
    statistics: Option<Statistics>,
}

#[derive(Deserialize)]
struct Statistics {
    /// Vertex writes some counts as `4.0`.
    token_count: f64,
}

#[derive(Deserialize)]
struct Prediction<'a> {
    #[serde(borrow)]
    embeddings: Values<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    prompt_token_count: u64,
    #[serde(default)]
    prompt_token_details: Modalities,
}

fn decode(body: &[u8]) -> Result<EmbeddingResponse, Error> {
    let text = std::str::from_utf8(body).map_err(|_| invalid("it is no text"))?;
    let answer: Answer<'_> = serde_json::from_str(text).map_err(|error| invalid(&error.to_string()))?;
    let predicted = answer.predictions.into_iter().map(|prediction| prediction.embeddings);
    let all: Vec<Values<'_>> =
        answer.embedding.into_iter().chain(answer.embeddings).chain(predicted).collect();
    if all.is_empty() {
        return Err(invalid("it has no vector"));
    }
    let counted: Option<Vec<u64>> =
        all.iter().map(|it| it.statistics.as_ref().map(|it| it.token_count as u64)).collect();
    let usage = match answer.usage {
        Some(counts) => Some(counts.prompt_token_details.within(counts.prompt_token_count)),
        None => counted.map(|counts| Usage {
            input_tokens: counts.into_iter().fold(0, u64::saturating_add),
            ..Usage::default()
        }),
    };
    Ok(EmbeddingResponse {
        vectors: all.iter().map(|it| values::decode(it.values, Bytes::Single)).collect::<Result<_, _>>()?,
        usage,
        ..EmbeddingResponse::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Quirks;
    use canonical::embedding::EmbeddingTask;

    #[test]
    fn vertex_is_asked_in_its_own_form_and_one_text_at_a_time_where_it_takes_one() {
        let quirks = Quirks { vertex_forms: true, ..Quirks::default() };
        let request = EmbeddingRequest {
            inputs: vec![EmbeddingInput::Text("a".into()), EmbeddingInput::Text("b".into())],
            dimensions: Some(256),
            task: Some(EmbeddingTask::Query),
            ..EmbeddingRequest::default()
        };
        let sent = |model| {
            Gemini
                .encode(&request, &TargetContext { model, quirks: &quirks, max_output_tokens: None })
                .unwrap()
                .into_iter()
                .map(|sent| (sent.path, serde_json::from_slice::<Value>(&sent.body).unwrap()))
                .collect::<Vec<_>>()
        };
        let [(path, body)] = &sent("text-embedding-004")[..] else { panic!("one request") };
        assert_eq!(path, "/models/text-embedding-004:predict");
        assert_eq!(
            *body,
            json!({
                "instances": [
                    {"content": "a", "task_type": "RETRIEVAL_QUERY"},
                    {"content": "b", "task_type": "RETRIEVAL_QUERY"},
                ],
                "parameters": {"outputDimensionality": 256},
            })
        );
        assert_eq!(sent("gemini-embedding-001").len(), 2);
    }
}
