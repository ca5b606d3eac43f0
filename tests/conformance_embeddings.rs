//! Every recorded answer of an embeddings endpoint decodes to what a plain reading of its JSON says,
//! and every recorded request is one that we would send.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails here fails its test")]

use base64::Engine as _;
use canonical::embedding::{EmbeddingInput, EmbeddingTask, Vector};
use canonical::{EmbeddingRequest, EmbeddingResponse, ErrorKind, PicoUsd};
use serde_json::{Map, Value, json};
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::judge::{every, every_operation, same};
use wire::embeddings::server;
use wire::{Embeddings, EmbeddingsDialect as _, ProtocolId, Quirks, RequestHead, TargetContext};

/// The chat protocol whose vendors take this record's form, and what the catalogue says of the vendor.
fn form(record: &Record) -> (ProtocolId, Quirks) {
    let protocol = match record.provider.as_str() {
        "bedrock" => ProtocolId::BedrockConverse,
        "cohere" => ProtocolId::CohereChat,
        "google" | "vertex" => ProtocolId::GeminiGenerate,
        "ollama" => ProtocolId::OllamaChat,
        _ => ProtocolId::OpenaiChat,
    };
    let quirks = catalog::kind(&record.provider).map(|kind| kind.endpoint(protocol).quirks);
    (protocol, quirks.unwrap_or_default())
}

fn embeddings(protocol: ProtocolId) -> &'static dyn Embeddings {
    wire::protocol(protocol).embeddings().expect("the protocol's vendors offer embeddings")
}

/// `amazon.titan-embed-text-v2:0` of `/model/amazon.titan-embed-text-v2%3A0/invoke`, and Google's.
fn model_in_path(record: &Record) -> Option<String> {
    let path = &record.request.as_ref()?.path;
    let rest = path.split_once("/model/").or_else(|| path.rsplit_once("/models/"))?.1;
    let name = rest.split(['/', '?']).next()?.replace("%3A", ":");
    let google = |method: &str| name.strip_suffix(method).map(str::to_owned);
    Some(google(":batchEmbedContents").or_else(|| google(":predict")).unwrap_or(name))
}

#[test]
fn every_recorded_answer_decodes_to_what_it_says() {
    let Some(records) = corpus::records("embeddings") else { return };
    assert_eq!(records.len(), 100, "records went missing");
    let counts = every_operation("embeddings", records, judge);
    assert_eq!(counts.values().map(|count| count.errors).sum::<usize>(), 12, "{counts:?}");
}

fn judge(record: &Record) -> Result<(), String> {
    let (protocol, quirks) = form(record);
    let body = record.body();
    let said: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    if record.response.status >= 400 {
        let error = wire::protocol(protocol).decode_error(record.response.status, &record.headers(), &body);
        same("status", &error.status, &Some(record.response.status))?;
        let message = said.pointer("/error/message").or(said.get("message"));
        same("message", &Some(error.message.as_str()), &message.and_then(Value::as_str))?;
        let expected = match (record.response.status, record.provider.as_str()) {
            (401, _) => ErrorKind::Authentication,
            (404, _) => ErrorKind::NotFound,
            (400, _) => ErrorKind::InvalidRequest,
            // "input (4002 tokens) is too large to process": its own word for a text too long.
            (500, "llamacpp") => return Ok(()),
            _ => ErrorKind::ServerError,
        };
        // 501: started without the flag. Another target may serve it.
        return if record.response.status == 501 { Ok(()) } else { same("kind", &error.kind, &expected) };
    }
    let model = model_in_path(record).unwrap_or_default();
    let target = TargetContext { model: &model, quirks: &quirks, max_output_tokens: None };
    let answer =
        embeddings(protocol).decode(&record.headers(), &body, &target).map_err(|error| error.message)?;
    judge_vectors(&answer, &said, record)?;
    judge_usage(&answer, &said, record)?;
    same("model", &answer.model.as_deref(), &said["model"].as_str())?;
    same("id", &answer.id.as_deref(), &said["id"].as_str())
}

/// A plain reading: every vector with its numbers, wherever the form has them.
fn vectors(said: &Value, is_int8: bool) -> Vec<Vec<f64>> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let items: Vec<Value> = if said["data"].is_array() {
        list(&said["data"]).into_iter().map(|item| item["embedding"].clone()).collect()
    } else if said["predictions"].is_array() {
        list(&said["predictions"]).into_iter().map(|item| item["embeddings"]["values"].clone()).collect()
    } else if said["embedding"].is_array() {
        vec![said["embedding"].clone()]
    } else if said["embeddings"].is_object() {
        list(&said["embeddings"]["float"])
    } else {
        let inner = |item: Value| match &item {
            Value::Object(item) => item.get("values").or(item.get("embedding")).cloned().unwrap(),
            _ => item,
        };
        list(&said["embeddings"]).into_iter().map(inner).collect()
    };
    items.iter().map(|item| numbers(item, is_int8)).collect()
}

fn numbers(item: &Value, is_int8: bool) -> Vec<f64> {
    match item {
        Value::String(coded) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(coded).unwrap();
            if is_int8 {
                return bytes.iter().map(|byte| f64::from(byte.cast_signed())).collect();
            }
            let float = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
            bytes.chunks(4).map(|four| f64::from(float(four))).collect()
        }
        list => list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect(),
    }
}

fn judge_vectors(answer: &EmbeddingResponse, said: &Value, record: &Record) -> Result<(), String> {
    let got: Vec<Vec<f64>> = answer
        .vectors
        .iter()
        .map(|vector| match vector {
            Vector::Decimal(values) => values.clone(),
            Vector::Single(values) => values.iter().copied().map(f64::from).collect(),
            Vector::Int8(values) => values.iter().copied().map(f64::from).collect(),
        })
        .collect();
    let expected = vectors(said, record.provider == "perplexity");
    same("count", &got.len(), &expected.len())?;
    if expected.is_empty() || expected.iter().any(Vec::is_empty) {
        return Err("the plain reading found no vector".into());
    }
    if got == expected { Ok(()) } else { Err("the vectors differ".into()) }
}

fn judge_usage(answer: &EmbeddingResponse, said: &Value, record: &Record) -> Result<(), String> {
    let number = |place: &str| said.pointer(place).and_then(Value::as_f64).map(|count| count as u64);
    let header = record.headers().get("x-amzn-bedrock-input-token-count").map(|count| count.parse().unwrap());
    let predicted = said["predictions"].as_array().map(|items| {
        items.iter().filter_map(|item| item["embeddings"]["statistics"]["token_count"].as_f64()).sum::<f64>()
            as u64
    });
    let billed = number("/meta/billed_units/input_tokens")
        .map(|tokens| tokens + number("/meta/billed_units/image_tokens").unwrap_or(0));
    let expected = number("/usage/prompt_tokens")
        .or(number("/usage/total_tokens"))
        .or(number("/usageMetadata/promptTokenCount"))
        .or(number("/prompt_eval_count"))
        .or(number("/inputTextTokenCount"))
        .or(billed)
        .or(predicted)
        .or(header);
    same("input tokens", &answer.usage.as_ref().map(|usage| usage.input_tokens), &expected)?;
    let usage = answer.usage.clone().unwrap_or_default();
    same("output tokens", &usage.output_tokens, &0)?;
    if let Some(total) = usage.total_tokens {
        same("total", &usage.parts().total_input(), &total)?;
    }
    let cost = said.pointer("/usage/cost").map(|cost| cost.get("total_cost").unwrap_or(cost).to_string());
    let cost = cost.and_then(|cost| PicoUsd::from_decimal_usd(&cost));
    same("cost", &usage.reported_cost, &cost)?;
    let images =
        said.pointer("/usageMetadata/promptTokenDetails").and_then(Value::as_array).map_or(0, |list| {
            let images = list.iter().filter(|detail| detail["modality"] == "IMAGE");
            images.filter_map(|detail| detail["tokenCount"].as_u64()).sum()
        });
    same("image tokens", &usage.input_image_tokens, &images)
}

// === Requests ===

#[test]
fn every_recorded_request_is_one_that_we_would_send() {
    let Some(records) = corpus::records("embeddings") else { return };
    let with_request: Vec<Record> = records
        .into_iter()
        .filter(|record| record.request.as_ref().is_some_and(|it| it.body.is_some()))
        .collect();
    assert_eq!(with_request.len(), 97, "requests went missing");
    every(with_request, judge_request);
}

fn judge_request(record: &Record) -> Result<(), String> {
    let recorded = record.request.as_ref().unwrap();
    let body = recorded.body.clone().unwrap();
    let (protocol, quirks) = form(record);
    let model = model_in_path(record).or_else(|| body["model"].as_str().map(str::to_owned)).unwrap();
    let request = asked(record, &model, &body)?;
    let target = TargetContext { model: &model, quirks: &quirks, max_output_tokens: None };
    let sent = embeddings(protocol).encode(&request, &target).map_err(|error| error.message)?;
    let [sent] = sent.as_slice() else { return Err(format!("{} requests", sent.len())) };
    let path = recorded.path.split('?').next().unwrap().replace(':', "%3A");
    // Version 1 of Cohere's endpoint takes the same fields.
    let path = path.replace("/v1/embed", "/v2/embed");
    let path = if record.provider == "cohere" { path } else { path.replace("/v2/embed", "/v1/embed") };
    if !path.ends_with(&sent.path.replace(':', "%3A")) {
        return Err(format!("path is {}, not {path}", sent.path));
    }
    let sent: Value = serde_json::from_slice(&sent.body).unwrap();
    same("body", &plain(sent), &plain(body))
}

/// The canonical request that the recorded one says: through our own port where a client can speak
/// the form to us, by a plain reading else.
fn asked(record: &Record, model: &str, body: &Value) -> Result<EmbeddingRequest, String> {
    let bytes = body.to_string().into_bytes();
    let head = RequestHead { model: Some(model), ..RequestHead::default() };
    let texts = |value: &Value| {
        let texts = value.as_array().unwrap().iter();
        texts.map(|text| EmbeddingInput::Text(text.as_str().unwrap().to_owned())).collect::<Vec<_>>()
    };
    let read = |task: &Value, words: &[(&str, EmbeddingTask)]| {
        let found = words.iter().find(|(word, _)| task.as_str() == Some(word));
        found
            .map(|(_, task)| task.clone())
            .or_else(|| task.as_str().map(|word| EmbeddingTask::Other(word.into())))
    };
    let mut request = EmbeddingRequest::default();
    match record.provider.as_str() {
        "google" => {
            return server::Gemini { is_batch: true }
                .decode_request(&head, &bytes)
                .map_err(|error| error.message);
        }
        "vertex" => {
            let contents: Vec<Value> =
                body["instances"].as_array().unwrap().iter().map(|it| it["content"].clone()).collect();
            request.inputs = texts(&contents.into());
            request.task =
                read(&body["instances"][0]["task_type"], &[("RETRIEVAL_QUERY", EmbeddingTask::Query)]);
            request.dimensions = body["parameters"]["outputDimensionality"].as_u64();
        }
        "cohere" | "bedrock" if body["texts"].is_array() => {
            request.inputs = texts(&body["texts"]);
            request.task = read(
                &body["input_type"],
                &[
                    ("search_query", EmbeddingTask::Query),
                    ("search_document", EmbeddingTask::Document),
                    ("classification", EmbeddingTask::Classification),
                    ("clustering", EmbeddingTask::Clustering),
                ],
            );
            request.dimensions = body["output_dimension"].as_u64();
            for name in ["truncate", "max_tokens"] {
                if !body[name].is_null() {
                    request.extensions.insert("openai-chat", name, body[name].clone());
                }
            }
        }
        "bedrock" if body["inputText"].is_string() => {
            request.inputs = texts(&json!([body["inputText"]]));
            request.dimensions = body["dimensions"].as_u64();
            if let Some(normalize) = body.get("normalize") {
                request.extensions.insert("openai-chat", "normalize", normalize.clone());
            }
        }
        "bedrock" => {
            let params = &body["singleEmbeddingParams"];
            request.inputs = texts(&json!([params["text"]["value"]]));
            request.dimensions = params["embeddingDimension"].as_u64();
            request.task = read(
                &params["embeddingPurpose"],
                &[("GENERIC_INDEX", EmbeddingTask::Document), ("GENERIC_RETRIEVAL", EmbeddingTask::Query)],
            );
            let truncation = params["text"]["truncationMode"].clone();
            request.extensions.insert("openai-chat", "truncationMode", truncation);
        }
        _ => return server::OpenAi.decode_request(&head, &bytes).map_err(|error| error.message),
    }
    Ok(request)
}

/// Without what says nothing: null, order, a lone text that is no list, a role, the forms' own
/// defaults, Google's second spelling of its fields.
fn plain(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(fields) => {
            let mut sorted: Vec<(String, Value)> = fields
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| {
                    let name = match name.as_str() {
                        "output_dimensionality" => "outputDimensionality".to_owned(),
                        "inline_data" => "inlineData".to_owned(),
                        "mime_type" => "mimeType".to_owned(),
                        _ => name,
                    };
                    let value = if name == "input" && value.is_string() { json!([value]) } else { value };
                    (name, plain(value))
                })
                .collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            let has = |name: &str| sorted.iter().any(|(have, _)| have == name);
            let (has_parts, is_batch, is_bedrock) = (has("parts"), has("requests"), !has("model"));
            let keep = |name: &str| match name {
                "role" => !has_parts,
                // The path names it.
                "model" => !is_batch,
                "embedding_types" => is_bedrock,
                _ => true,
            };
            sorted.into_iter().filter(|(name, _)| keep(name)).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

#[test]
fn only_anthropic_has_no_embeddings() {
    let without: Vec<ProtocolId> =
        ProtocolId::ALL.into_iter().filter(|id| wire::protocol(*id).embeddings().is_none()).collect();
    assert_eq!(without, [ProtocolId::AnthropicMessages]);
}
