//! Clients ask us: OpenAI's `POST /v1/embeddings`, Google's `:embedContent` and `:batchEmbedContents`.

use canonical::embedding::{EmbeddingInput, EmbeddingTask, Vector, VectorEncoding};
use canonical::request::{Media, MediaSource};
use canonical::{Content, EmbeddingRequest, EmbeddingResponse, Error, Part, Usage};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::values::{self, Written};
use super::{EmbeddingsDialect, gemini, task};
use crate::fields::{Fields, invalid, missing, wrong};
use crate::{AnswerContext, RequestHead, gemini_generate, openai_chat};

/// More inputs in one request are refused, as at OpenAI.
/// <https://platform.openai.com/docs/api-reference/embeddings/create>
const MAX_INPUTS: usize = 2048;

#[derive(Debug)]
pub struct OpenAi;

/// One of Google's two calls.
#[derive(Debug)]
pub struct Gemini {
    pub is_batch: bool,
}

fn body_of(body: &[u8]) -> Result<Fields, Error> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Error::caller(format!("The request's body is no JSON: {error}.")))?;
    Fields::new(value, "")
}

fn checked(inputs: Vec<EmbeddingInput>, name: &str) -> Result<Vec<EmbeddingInput>, Error> {
    match inputs.len() {
        0 => Err(invalid(name, format!("'{name}' holds nothing to embed."))),
        1..=MAX_INPUTS => Ok(inputs),
        count => {
            Err(invalid(name, format!("'{name}' holds {count} inputs; {MAX_INPUTS} are the most at once.")))
        }
    }
}

// === OpenAI's ===

impl EmbeddingsDialect for OpenAi {
    fn family(&self) -> &'static str {
        openai_chat::types::FAMILY
    }

    fn decode_request(&self, _: &RequestHead<'_>, body: &[u8]) -> Result<EmbeddingRequest, Error> {
        let mut fields = body_of(body)?;
        let input = fields.take("input").ok_or_else(|| missing("input"))?;
        let mut request = EmbeddingRequest {
            model: fields.required_text("model")?,
            inputs: checked(inputs(input)?, "input")?,
            encoding: encoding(&mut fields)?,
            user: fields.text("user")?,
            ..EmbeddingRequest::default()
        };
        // Mistral's and Voyage's word for the same.
        let width = fields.count("dimensions")?;
        request.dimensions = width.or(fields.count("output_dimension")?);
        // OpenAI has no task; clients of those who copied it say it so, and it goes back as it came.
        let task = ["input_type", "task_type"].iter().find_map(|name| fields.peek(name)?.as_str());
        request.task = task.map(task::from_name);
        request.extensions.extend(self.family(), fields.rest());
        Ok(request)
    }

    fn encode_response(
        &self,
        response: &EmbeddingResponse,
        request: &EmbeddingRequest,
        context: &AnswerContext,
    ) -> Vec<u8> {
        let data: Vec<Item<'_>> = response.vectors.iter().zip(0..).map(item(request.encoding)).collect();
        let usage = response.usage.as_ref().map_or(0, |usage| usage.input_tokens);
        let answer = List {
            object: "list",
            data,
            model: response.model.as_deref().unwrap_or(&context.requested_model),
            usage: json!({ "prompt_tokens": usage, "total_tokens": usage }),
        };
        serde_json::to_vec(&answer).unwrap_or_default()
    }
}

/// A text, tokens, or a list of either.
fn inputs(value: Value) -> Result<Vec<EmbeddingInput>, Error> {
    match value {
        Value::String(text) => Ok(vec![EmbeddingInput::Text(text)]),
        Value::Array(items) if items.first().is_some_and(Value::is_number) => Ok(vec![tokens(&items)?]),
        Value::Array(items) => items.into_iter().enumerate().map(one_input).collect(),
        other => Err(wrong("input", "a string or a list", &other)),
    }
}

fn one_input((index, value): (usize, Value)) -> Result<EmbeddingInput, Error> {
    match value {
        Value::String(text) => Ok(EmbeddingInput::Text(text)),
        Value::Array(items) => tokens(&items),
        other => Err(wrong(&format!("input[{index}]"), "a string or a list of tokens", &other)),
    }
}

fn tokens(items: &[Value]) -> Result<EmbeddingInput, Error> {
    let tokens: Option<Vec<u64>> = items.iter().map(Value::as_u64).collect();
    tokens.map(EmbeddingInput::Tokens).ok_or_else(|| invalid("input", "Tokens are whole numbers from 0."))
}

fn encoding(fields: &mut Fields) -> Result<Option<VectorEncoding>, Error> {
    match fields.text("encoding_format")?.as_deref() {
        None => Ok(None),
        Some("float") => Ok(Some(VectorEncoding::Float)),
        Some("base64") => Ok(Some(VectorEncoding::Base64)),
        Some(other) => Err(invalid(
            "encoding_format",
            format!("Vectors are written as \"float\" or \"base64\", not as \"{other}\"."),
        )),
    }
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Item<'a>>,
    model: &'a str,
    usage: Value,
}

#[derive(Serialize)]
struct Item<'a> {
    object: &'static str,
    index: usize,
    embedding: Written<'a>,
}

fn item<'a>(encoding: Option<VectorEncoding>) -> impl Fn((&'a Vector, usize)) -> Item<'a> {
    move |(vector, index)| Item { object: "embedding", index, embedding: values::encode(vector, encoding) }
}

// === Google's ===

impl EmbeddingsDialect for Gemini {
    fn family(&self) -> &'static str {
        gemini_generate::FAMILY
    }

    fn decode_request(&self, head: &RequestHead<'_>, body: &[u8]) -> Result<EmbeddingRequest, Error> {
        let mut fields = body_of(body)?;
        let model = head.model.map(bare).unwrap_or_default().to_owned();
        let items = if self.is_batch {
            let items = fields.list("requests")?.into_iter().enumerate();
            items
                .map(|(index, item)| Asked::read(Fields::new(item, format!("requests[{index}]"))?))
                .collect::<Result<Vec<_>, _>>()?
        } else {
            vec![Asked::read(fields)?]
        };
        let Some(first) = items.first() else { return Err(missing("requests")) };
        let (task, dimensions) = (first.task.clone(), first.dimensions);
        if items.iter().any(|item| item.task != task || item.dimensions != dimensions) {
            return Err(invalid(
                "requests",
                "Signalbox embeds a batch with one task and one width: taskType and outputDimensionality \
                 must be the same in all of its requests.",
            ));
        }
        let mut request = EmbeddingRequest { model, dimensions, task, ..EmbeddingRequest::default() };
        let titles: Vec<Value> = items.iter().map(|item| item.title.clone().into()).collect();
        if titles.iter().any(Value::is_string) {
            request.extensions.insert(self.family(), gemini::TITLES, titles.into());
        }
        request.inputs = checked(items.into_iter().map(|item| item.input).collect(), "requests")?;
        Ok(request)
    }

    fn encode_response(
        &self,
        response: &EmbeddingResponse,
        _: &EmbeddingRequest,
        _: &AnswerContext,
    ) -> Vec<u8> {
        let values: Vec<Values<'_>> =
            response.vectors.iter().map(|vector| Values { values: values::encode(vector, None) }).collect();
        let usage = response.usage.as_ref().map(usage_metadata);
        let answer = match (self.is_batch, values) {
            (true, embeddings) => serde_json::to_vec(&Batch { embeddings, usage }),
            (false, values) => serde_json::to_vec(&Single { embedding: values.into_iter().next(), usage }),
        };
        answer.unwrap_or_default()
    }
}

fn bare(model: &str) -> &str {
    model.strip_prefix("models/").unwrap_or(model)
}

/// One content with what is asked of it.
struct Asked {
    input: EmbeddingInput,
    task: Option<EmbeddingTask>,
    title: Option<String>,
    dimensions: Option<u64>,
}

impl Asked {
    /// Google's API takes its fields in camel case and in snake case.
    fn read(mut fields: Fields) -> Result<Self, Error> {
        let content = fields.object("content")?.ok_or_else(|| missing(&fields.path("content")))?;
        let task = fields.text("taskType")?.or(fields.text("task_type")?);
        let dimensions = fields.count("outputDimensionality")?;
        Ok(Self {
            input: input(content)?,
            task: task.filter(|task| task != "TASK_TYPE_UNSPECIFIED").as_deref().map(task::from_name),
            title: fields.text("title")?,
            dimensions: dimensions.or(fields.count("output_dimensionality")?),
        })
    }
}

fn input(mut content: Fields) -> Result<EmbeddingInput, Error> {
    let place = content.path("parts");
    let mut parts = content.list("parts")?.into_iter().map(|part| self::part(part, &place));
    match (parts.next(), parts.next()) {
        (None, _) => Err(missing(&place)),
        (Some(only), None) => {
            let only = only?;
            Ok(match only.content {
                Content::Text(text) => EmbeddingInput::Text(text),
                _ => EmbeddingInput::Parts(vec![only]),
            })
        }
        (Some(first), Some(second)) => {
            [first, second].into_iter().chain(parts).collect::<Result<_, _>>().map(EmbeddingInput::Parts)
        }
    }
}

fn part(value: Value, place: &str) -> Result<Part, Error> {
    let mut fields = Fields::new(value, place)?;
    if let Some(text) = fields.text("text")? {
        return Ok(Part::text(text));
    }
    let inline = fields.object("inlineData")?.or(fields.object("inline_data")?);
    let file = fields.object("fileData")?.or(fields.object("file_data")?);
    let (mut media, is_inline) = match (inline, file) {
        (Some(inline), _) => (inline, true),
        (None, Some(file)) => (file, false),
        (None, None) => return Err(invalid(place, "A part is text, inlineData or fileData.")),
    };
    let media_type = media.text("mimeType")?.or(media.text("mime_type")?);
    let source = if is_inline {
        MediaSource::Base64(media.required_text("data")?)
    } else {
        let uri = media.text("fileUri")?.or(media.text("file_uri")?);
        MediaSource::FileId(uri.ok_or_else(|| missing(&media.path("fileUri")))?)
    };
    let kind = media_type.as_deref().unwrap_or("image/").split('/').next().unwrap_or("").to_owned();
    let media = Media { source, media_type, name: None, detail: None };
    Ok(match kind.as_str() {
        "image" => Content::Image(media),
        "audio" => Content::Audio(media),
        _ => Content::Document(media),
    }
    .into())
}

#[derive(Serialize)]
struct Values<'a> {
    values: Written<'a>,
}

#[derive(Serialize)]
struct Batch<'a> {
    embeddings: Vec<Values<'a>>,
    #[serde(rename = "usageMetadata", skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

#[derive(Serialize)]
struct Single<'a> {
    embedding: Option<Values<'a>>,
    #[serde(rename = "usageMetadata", skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

fn usage_metadata(usage: &Usage) -> Value {
    Map::from_iter([("promptTokenCount".to_owned(), usage.input_tokens.into())]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openais_inputs_are_a_text_tokens_or_a_list_of_either() {
        let read = |input: Value| {
            let body = json!({"model": "m", "input": input}).to_string();
            OpenAi.decode_request(&RequestHead::default(), body.as_bytes()).map(|request| request.inputs)
        };
        let text = |text: &str| EmbeddingInput::Text(text.into());
        assert_eq!(read(json!("a")).unwrap(), [text("a")]);
        assert_eq!(read(json!(["a", "b"])).unwrap(), [text("a"), text("b")]);
        assert_eq!(read(json!([1, 2])).unwrap(), [EmbeddingInput::Tokens(vec![1, 2])]);
        assert_eq!(read(json!([[1], [2]])).unwrap().len(), 2);
        for (wrong, param) in [(json!([]), "input"), (json!(3), "input"), (json!([{}]), "input[0]")] {
            assert_eq!(read(wrong).unwrap_err().param.as_deref(), Some(param));
        }
    }

    #[test]
    fn a_batch_is_read_with_its_task_and_titles() {
        let body = br#"{"requests":[
            {"model":"models/x","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_DOCUMENT","title":"A"},
            {"model":"models/x","content":{"parts":[{"text":"b"},{"inline_data":{"mime_type":"image/png","data":"AA=="}}]},
             "task_type":"RETRIEVAL_DOCUMENT"}]}"#;
        let head = RequestHead { model: Some("models/x"), ..RequestHead::default() };
        let request = Gemini { is_batch: true }.decode_request(&head, body).unwrap();
        assert_eq!((request.model.as_str(), &request.task), ("x", &Some(EmbeddingTask::Document)));
        assert_eq!(request.inputs[0], EmbeddingInput::Text("a".into()));
        assert!(matches!(&request.inputs[1], EmbeddingInput::Parts(parts) if parts.len() == 2));
        assert_eq!(request.extensions.field("gemini-generate", "titles"), Some(&json!(["A", null])));
        let answer = EmbeddingResponse {
            vectors: vec![Vector::Single(vec![0.5]), Vector::Decimal(vec![1.5])],
            usage: Some(Usage { input_tokens: 3, ..Usage::default() }),
            ..EmbeddingResponse::default()
        };
        let context = AnswerContext::default();
        let single = Gemini { is_batch: false }.encode_response(&answer, &request, &context);
        assert_eq!(
            String::from_utf8(single).unwrap(),
            r#"{"embedding":{"values":[0.5]},"usageMetadata":{"promptTokenCount":3}}"#
        );
    }

    #[test]
    fn what_openais_sdk_asks_for_it_gets() {
        let body =
            br#"{"model":"m","input":"a","encoding_format":"base64","dimensions":2,"input_type":"query"}"#;
        let request = OpenAi.decode_request(&RequestHead::default(), body).unwrap();
        assert_eq!((request.dimensions, &request.task), (Some(2), &Some(EmbeddingTask::Query)));
        assert_eq!(request.extensions.field("openai-chat", "input_type"), Some(&json!("query")));
        let answer = EmbeddingResponse {
            vectors: vec![Vector::Decimal(vec![0.5, 1.0])],
            ..EmbeddingResponse::default()
        };
        let context = AnswerContext { requested_model: "p/m".into(), ..AnswerContext::default() };
        let written: Value =
            serde_json::from_slice(&OpenAi.encode_response(&answer, &request, &context)).unwrap();
        assert_eq!(written["data"][0]["embedding"], "AAAAPwAAgD8=");
        assert_eq!((written["model"].as_str(), written["object"].as_str()), (Some("p/m"), Some("list")));
    }
}
