//! We call them.
//!
//! - [`request`]: a canonical request → `POST /chat/completions`.
//! - [`stream`]: chunks, and a whole answer as one chunk, → events; [`choice`] keeps a choice's
//!   open parts, [`finish`] and [`usage`] hold what words and counts mean.

mod arguments;
mod choice;
mod finish;
mod media;
mod request;
mod stream;
mod usage;

use canonical::{ChatRequest, Error, ErrorKind, Origin};
use serde_json::Value;

pub(in crate::openai_chat) use choice::{thinking_text, thought_signature};
pub(crate) use media::{audio, data_url, media_of_url};

use crate::{
    Embeddings, HttpRequest, ListedModel, Protocol, ProtocolId, Quirks, StreamDecoder, TargetContext,
};

#[derive(Debug)]
pub struct OpenAiChat;

impl Protocol for OpenAiChat {
    fn id(&self) -> ProtocolId {
        ProtocolId::OpenaiChat
    }

    fn version(&self) -> &'static str {
        "v1"
    }

    fn vendor(&self) -> &'static str {
        "OpenAI's Chat Completions"
    }

    fn encode(&self, request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error> {
        let (body, notes) = request::encode(request, target)?;
        Ok(HttpRequest { body: body.to_string().into_bytes(), notes, ..address(request.stream, target) })
    }

    fn address(&self, stream: bool, target: &TargetContext<'_>) -> Option<HttpRequest> {
        Some(address(stream, target))
    }

    fn stream_decoder(&self, quirks: &Quirks) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::new(stream::Habits::of(quirks)))
    }

    fn models_request(&self) -> HttpRequest {
        HttpRequest::get("/models")
    }

    /// OpenAI's `{data: [...]}`, and the bare array of Together. Names of limits are everyone's own.
    fn decode_models(&self, body: &[u8]) -> Result<Vec<ListedModel>, Error> {
        let value: Value = serde_json::from_slice(body).map_err(|_| not_a_list())?;
        let list = ["data", "models"].iter().find_map(|name| value.get(*name)).unwrap_or(&value);
        let models = list.as_array().ok_or_else(not_a_list)?;
        Ok(models.iter().filter_map(listed_model).collect())
    }

    fn embeddings(&self) -> Option<&'static dyn Embeddings> {
        Some(&crate::embeddings::openai::OpenAi)
    }
}

fn address(stream: bool, target: &TargetContext<'_>) -> HttpRequest {
    HttpRequest::post(target.quirks.answer_path_to("/chat/completions", target.model, stream), Vec::new())
}

fn listed_model(model: &Value) -> Option<ListedModel> {
    let text = |names: &[&str]| {
        let said = names.iter().find_map(|name| model.get(*name)?.as_str());
        said.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let number = |places: &[&str]| {
        places.iter().find_map(|place| model.pointer(place)?.as_u64()).filter(|limit| *limit > 0)
    };
    let id = text(&["id", "name", "model_id"])?;
    Some(ListedModel {
        display_name: text(&["display_name", "name"])
            .or_else(|| Some(model.pointer("/model_spec/name")?.as_str()?.to_owned()))
            .filter(|name| *name != id),
        context_window: number(&[
            "/context_length",
            "/context_window",
            "/max_context_length",
            "/max_model_len",
            "/max_input_tokens",
            "/model_spec/availableContextTokens",
            "/capabilities/limits/max_context_window_tokens",
            "/meta/n_ctx",
            "/meta/n_ctx_train",
        ]),
        max_output_tokens: number(&[
            "/top_provider/max_completion_tokens",
            "/max_completion_tokens",
            "/max_output_tokens",
            "/max_tokens",
            "/model_spec/maxCompletionTokens",
            "/capabilities/limits/max_output_tokens",
        ]),
        id,
    })
}

fn not_a_list() -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Origin::Provider,
        "The provider answered with something that is no list of models. Check the base URL.",
    )
}
