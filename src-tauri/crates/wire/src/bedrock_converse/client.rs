//! We call them.

mod conversation;
mod request;
mod stream;
mod usage;

use canonical::request::Opaque;
use canonical::{ChatRequest, Error, ErrorKind, Origin};
use serde_json::Value;

pub(crate) use request::escaped;

use super::types;
use crate::{
    Counting, Embeddings, Headers, HttpRequest, ListedModel, Protocol, ProtocolId, Quirks, StreamDecoder,
    StreamFraming, TargetContext, errors,
};

#[derive(Debug)]
pub struct BedrockConverse;

impl Protocol for BedrockConverse {
    fn id(&self) -> ProtocolId {
        ProtocolId::BedrockConverse
    }

    fn version(&self) -> &'static str {
        ""
    }

    fn vendor(&self) -> &'static str {
        "Bedrock's Converse"
    }

    fn is_own_tool(&self, tool: &Opaque) -> bool {
        request::is_own_tool(tool)
    }

    fn names_server_calls(&self) -> bool {
        true
    }

    fn encode(&self, request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error> {
        request::encode(request, target)
    }

    fn stream_decoder(&self, _: &Quirks) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    fn framing(&self) -> StreamFraming {
        StreamFraming::Binary
    }

    /// The body holds a message alone; what failed stands in a header, as
    /// `ValidationException:http://internal.amazon.com/…`.
    fn decode_error(&self, status: u16, headers: &Headers, body: &[u8]) -> Error {
        let code = headers.get("x-amzn-errortype").and_then(|kind| kind.split(':').next());
        let (Some(code), Ok(Value::Object(mut said))) = (code, serde_json::from_slice(body)) else {
            return errors::classify(status, headers, body);
        };
        // Some of AWS' services write it large.
        if let Some(message) = said.remove("Message") {
            said.entry("message").or_insert(message);
        }
        said.insert("__type".into(), code.into());
        errors::classify(status, headers, Value::Object(said).to_string().as_bytes())
    }

    fn models_request(&self) -> HttpRequest {
        HttpRequest::get("/foundation-models")
    }

    /// The models first, then the inference profiles under which most of them have to be asked: some
    /// “with on-demand throughput isn't supported” (recorded).
    fn decode_models(&self, body: &[u8]) -> Result<Vec<ListedModel>, Error> {
        if let Ok(list) = serde_json::from_slice::<types::InferenceProfileList>(body) {
            return Ok(profiles(list.inference_profile_summaries));
        }
        let list: types::ModelList =
            serde_json::from_slice(body).map_err(|error| invalid(&format!("its list of models: {error}")))?;
        let writes = |model: &types::ModelSummary| {
            model.output_modalities.as_ref().is_none_or(|kinds| kinds.iter().any(|kind| kind == "TEXT"))
        };
        Ok(list
            .model_summaries
            .into_iter()
            .filter(writes)
            .map(|model| ListedModel {
                id: model.model_id,
                display_name: model.model_name,
                ..ListedModel::default()
            })
            .collect())
    }

    fn more_models_request(&self, body: &[u8]) -> Option<HttpRequest> {
        let mut next = HttpRequest::get("/inference-profiles");
        next.query.push(("maxResults".into(), "1000".into()));
        if let Ok(list) = serde_json::from_slice::<types::InferenceProfileList>(body) {
            next.query.push(("nextToken".into(), list.next_token.filter(|token| !token.is_empty())?));
        }
        Some(next)
    }

    fn embeddings(&self) -> Option<&'static dyn Embeddings> {
        Some(&crate::embeddings::bedrock::Bedrock)
    }

    fn counting(&self) -> Option<&'static dyn Counting> {
        Some(&crate::counting::bedrock::Bedrock)
    }
}

/// A region's profile is asked by its id, an account's own by its ARN.
fn profiles(list: Vec<types::InferenceProfile>) -> Vec<ListedModel> {
    list.into_iter()
        .filter(|profile| profile.status.as_deref().is_none_or(|status| status == "ACTIVE"))
        .map(|profile| {
            let own =
                profile.inference_profile_arn.filter(|_| profile.kind.as_deref() == Some("APPLICATION"));
            ListedModel {
                id: own.unwrap_or(profile.inference_profile_id),
                display_name: profile.inference_profile_name,
                ..ListedModel::default()
            }
        })
        .collect()
}

/// `what` came in a form that is not this protocol's.
fn invalid(what: &str) -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Origin::Provider,
        format!("The provider's answer is not Bedrock's Converse: {what}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(status: u16, kind: &str, message: &str) -> Error {
        let headers: Headers = [("x-amzn-ErrorType", kind)].into_iter().collect();
        BedrockConverse.decode_error(status, &headers, format!("{{\"message\":\"{message}\"}}").as_bytes())
    }

    #[test]
    fn an_errors_kind_is_read_from_its_header() {
        for (status, kind, message, expected) in [
            (
                403,
                "UnrecognizedClientException:http://internal.amazon.com/x/",
                "Bad token.",
                ErrorKind::Authentication,
            ),
            (403, "ExpiredTokenException", "The security token is expired", ErrorKind::Authentication),
            (403, "InvalidSignatureException", "The signature does not match.", ErrorKind::Authentication),
            (403, "AccessDeniedException:x", "You don't have access to the model.", ErrorKind::Permission),
            (400, "ServiceQuotaExceededException", "Too many today.", ErrorKind::RateLimited),
            (
                429,
                "ThrottlingException",
                "Too many tokens, please wait before trying again.",
                ErrorKind::RateLimited,
            ),
            (429, "ModelNotReadyException", "The model is not ready.", ErrorKind::Overloaded),
            (424, "ModelErrorException", "The model failed.", ErrorKind::ServerError),
            (408, "ModelTimeoutException", "The model took too long.", ErrorKind::Timeout),
            (400, "ValidationException", "Input is too long for requested model.", ErrorKind::ContextTooLong),
            (500, "InternalServerException", "Broken.", ErrorKind::ServerError),
        ] {
            let error = classified(status, kind, message);
            assert_eq!((error.kind, error.message.as_str()), (expected, message), "{kind}");
            assert_eq!(error.code.as_deref(), kind.split(':').next());
            assert_eq!(error.status, Some(status));
        }
        let plain = BedrockConverse.decode_error(502, &Headers::default(), b"Bad gateway");
        assert_eq!((plain.kind, plain.message.as_str()), (ErrorKind::ServerError, "Bad gateway"));
    }

    #[test]
    fn the_list_of_models_keeps_those_that_write() {
        let body = br#"{"modelSummaries":[
            {"modelId":"amazon.nova-lite-v1:0","modelName":"Nova Lite","outputModalities":["TEXT"]},
            {"modelId":"amazon.titan-embed-text-v2:0","modelName":"Titan","outputModalities":["EMBEDDING"]},
            {"modelId":"x.y"}]}"#;
        let ids: Vec<String> =
            BedrockConverse.decode_models(body).unwrap().into_iter().map(|model| model.id).collect();
        assert_eq!(ids, ["amazon.nova-lite-v1:0", "x.y"]);
        assert_eq!(BedrockConverse.decode_models(b"[]").unwrap_err().kind, ErrorKind::InvalidResponse);
    }

    #[test]
    fn inference_profiles_are_listed_behind_the_models_and_page_by_page() {
        let first = BedrockConverse.more_models_request(br#"{"modelSummaries":[]}"#).unwrap();
        assert_eq!((first.path.as_str(), first.query.len()), ("/inference-profiles", 1));
        let body = br#"{"nextToken":"t","inferenceProfileSummaries":[
            {"inferenceProfileId":"us.amazon.nova-pro-v1:0","inferenceProfileName":"US Nova Pro","status":"ACTIVE","type":"SYSTEM_DEFINED","inferenceProfileArn":"arn:aws:bedrock:x"},
            {"inferenceProfileId":"abc","status":"ACTIVE","type":"APPLICATION","inferenceProfileArn":"arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"},
            {"inferenceProfileId":"old","status":"LEGACY"}]}"#;
        let listed = BedrockConverse.decode_models(body).unwrap();
        let ids: Vec<&str> = listed.iter().map(|model| model.id.as_str()).collect();
        assert_eq!(
            ids,
            ["us.amazon.nova-pro-v1:0", "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"]
        );
        let next = BedrockConverse.more_models_request(body).unwrap();
        assert_eq!(next.query[1], ("nextToken".to_owned(), "t".to_owned()));
        assert_eq!(BedrockConverse.more_models_request(br#"{"inferenceProfileSummaries":[]}"#), None);
    }
}
