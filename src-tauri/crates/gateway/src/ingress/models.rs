//! What there is to ask for, in the shape that the client's SDK reads: three vendors have their
//! list at the same path, and a request says by its headers whose it means.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use canonical::{Error, ErrorKind, Origin};
use serde_json::{Map, Value, json};
use wire::Dialect;

use super::reply;
use super::routes::{GEMINI, OPENAI, Port, authenticate};
use crate::models::{self, Model};

const ANTHROPIC: &str = "anthropic-messages";

/// When a model was made is not known here; Anthropic's own word for that.
/// <https://docs.claude.com/en/api/models-list>
const UNKNOWN_DATE: &str = "1970-01-01T00:00:00Z";

/// What Google's methods are called that every model here is asked through.
const METHODS: [&str; 3] = ["generateContent", "streamGenerateContent", "countTokens"];

/// Whose list a request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    OpenAi,
    Anthropic,
    Gemini,
}

impl Shape {
    /// By Google's own path; else by the header that Anthropic demands in every request, or by where
    /// Google's clients put their key.
    fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        if uri.path().starts_with("/v1beta/") {
            Self::Gemini
        } else if headers.contains_key("anthropic-version") {
            Self::Anthropic
        } else if headers.contains_key("x-goog-api-key") || parameter(uri, "key").is_some() {
            Self::Gemini
        } else {
            Self::OpenAi
        }
    }

    /// The dialect whose errors the client reads; OpenAI's where its own is not spoken.
    fn dialect(self) -> Option<&'static dyn Dialect> {
        let family = match self {
            Self::OpenAi => OPENAI,
            Self::Anthropic => ANTHROPIC,
            Self::Gemini => GEMINI,
        };
        wire::dialect(family).or_else(|| wire::dialect(OPENAI))
    }

    fn refusal(self, error: &Error) -> Response {
        match self.dialect() {
            Some(dialect) => reply::refusal(dialect, error, None),
            None => reply::json(StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
        }
    }
}

/// One value of the query; a list's parameters need no decoding.
fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(have, _)| *have == name).map(|(_, value)| value).find(|value| !value.is_empty())
}

pub(super) async fn list(State(port): State<Port>, uri: Uri, headers: HeaderMap) -> Response {
    let shape = Shape::of(&uri, &headers);
    if let Err(error) = authenticate(&port, &headers, &uri).await {
        return shape.refusal(&error);
    }
    let models = all(&port).await;
    let list = match shape {
        Shape::OpenAi => openai_list(&port, &models),
        Shape::Anthropic => anthropic_list(&models, &uri),
        Shape::Gemini => gemini_list(&models, &uri),
    };
    reply::json(StatusCode::OK, list.to_string().into_bytes())
}

pub(super) async fn one(
    State(port): State<Port>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let shape = Shape::of(&uri, &headers);
    if let Err(error) = authenticate(&port, &headers, &uri).await {
        return shape.refusal(&error);
    }
    let Some(model) = all(&port).await.into_iter().find(|model| model.id == id) else {
        let message = format!("There is no model \"{id}\". GET /v1/models lists what there is.");
        let error = Error::new(ErrorKind::NotFound, Origin::Caller, message);
        return shape.refusal(&error.with_code("model_not_found").with_param("model"));
    };
    let object = match shape {
        Shape::OpenAi => openai_model(&port, &model),
        Shape::Anthropic => anthropic_model(&model),
        Shape::Gemini => gemini_model(&model),
    };
    reply::json(StatusCode::OK, object.to_string().into_bytes())
}

async fn all(port: &Port) -> Vec<Model> {
    let snapshot = port.core.snapshot();
    models::refresh_due(&port.core, &snapshot).await;
    models::all(&port.core, &snapshot)
}

/// A number in the query; `usize::MAX` where there is none.
fn size(uri: &Uri, name: &str) -> usize {
    parameter(uri, name).and_then(|value| value.parse().ok()).filter(|size| *size > 0).unwrap_or(usize::MAX)
}

// === OpenAI's ===

fn openai_list(port: &Port, models: &[Model]) -> Value {
    let data: Vec<Value> = models.iter().map(|model| openai_model(port, model)).collect();
    json!({ "object": "list", "data": data })
}

/// With what we know beside.
fn openai_model(port: &Port, model: &Model) -> Value {
    let mut object = json!({
        "id": model.id,
        "object": "model",
        "created": port.core.started_at_ms / 1000,
        "owned_by": model.provider.as_deref().unwrap_or("signalbox"),
    });
    if let Some(window) = model.context_window {
        object["context_window"] = window.into();
    }
    if let Some(most) = model.max_output_tokens {
        object["max_output_tokens"] = most.into();
    }
    object
}

// === Anthropic's ===

/// The page that `after_id`, `before_id` and `limit` mean; all where nothing is said.
fn anthropic_list(models: &[Model], uri: &Uri) -> Value {
    let position = |name: &str| {
        let id = parameter(uri, name)?.replace("%2F", "/");
        models.iter().position(|model| model.id == id)
    };
    let limit = size(uri, "limit");
    let (page, has_more) = match (position("after_id"), position("before_id")) {
        (None, Some(end)) => {
            let start = end.saturating_sub(limit);
            (&models[start..end], start > 0)
        }
        (after, _) => {
            let behind = &models[after.map_or(0, |after| after + 1)..];
            (&behind[..limit.min(behind.len())], behind.len() > limit)
        }
    };
    json!({
        "data": page.iter().map(anthropic_model).collect::<Vec<_>>(),
        "has_more": has_more,
        "first_id": page.first().map(|model| &model.id),
        "last_id": page.last().map(|model| &model.id),
    })
}

fn anthropic_model(model: &Model) -> Value {
    let mut object = json!({
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": UNKNOWN_DATE,
    });
    if let Some(window) = model.context_window {
        object["max_input_tokens"] = window.into();
    }
    if let Some(most) = model.max_output_tokens {
        object["max_tokens"] = most.into();
    }
    object
}

// === Google's ===

/// A page's token is where it begins.
fn gemini_list(models: &[Model], uri: &Uri) -> Value {
    let start =
        parameter(uri, "pageToken").and_then(|token| token.parse().ok()).unwrap_or(0).min(models.len());
    let end = start.saturating_add(size(uri, "pageSize")).min(models.len());
    let page: Vec<Value> = models[start..end].iter().map(gemini_model).collect();
    let mut list = json!({ "models": page });
    if end < models.len() {
        list["nextPageToken"] = end.to_string().into();
    }
    list
}

fn gemini_model(model: &Model) -> Value {
    let mut object = Map::from_iter([
        ("name".to_owned(), format!("models/{}", model.id).into()),
        ("baseModelId".to_owned(), model.model.clone().into()),
        ("version".to_owned(), "".into()),
        ("displayName".to_owned(), model.name.clone().into()),
    ]);
    if let Some(window) = model.context_window {
        object.insert("inputTokenLimit".into(), window.into());
    }
    if let Some(most) = model.max_output_tokens {
        object.insert("outputTokenLimit".into(), most.into());
    }
    object.insert("supportedGenerationMethods".into(), METHODS.as_slice().into());
    object.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models() -> Vec<Model> {
        let model = |id: &str| Model {
            id: id.into(),
            name: id.to_uppercase(),
            context_window: Some(1000),
            ..Model::default()
        };
        ["p/a", "p/b", "p/c"].map(model).into()
    }

    #[test]
    fn a_request_says_whose_list_it_means() {
        for (uri, header, expected) in [
            ("/v1/models", None, Shape::OpenAi),
            ("/v1/models?limit=5", Some("anthropic-version"), Shape::Anthropic),
            ("/v1/models", Some("x-goog-api-key"), Shape::Gemini),
            ("/v1/models?key=sb-1", None, Shape::Gemini),
            ("/v1beta/models/p/a", None, Shape::Gemini),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(name) = header {
                headers.insert(name, "x".parse().unwrap());
            }
            assert_eq!(Shape::of(&uri.parse().unwrap(), &headers), expected, "{uri}");
        }
    }

    #[test]
    fn pages_go_forth_and_back_as_anthropics_do() {
        let ids = |query: &str| {
            let list = anthropic_list(&models(), &format!("/v1/models?{query}").parse().unwrap());
            let data: Vec<String> =
                list["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().into()).collect();
            (data.join(" "), list["has_more"].as_bool().unwrap())
        };
        assert_eq!(ids(""), ("p/a p/b p/c".into(), false));
        assert_eq!(ids("limit=2"), ("p/a p/b".into(), true));
        assert_eq!(ids("limit=2&after_id=p%2Fb"), ("p/c".into(), false));
        assert_eq!(ids("limit=1&before_id=p/c"), ("p/b".into(), true));
        assert_eq!(ids("after_id=p/c"), (String::new(), false));
    }

    #[test]
    fn googles_pages_are_followed_by_their_tokens() {
        let first = gemini_list(&models(), &"/v1beta/models?pageSize=2".parse().unwrap());
        assert_eq!(first["models"][0]["name"], "models/p/a");
        assert_eq!(first["models"][0]["inputTokenLimit"], 1000);
        assert_eq!(first["nextPageToken"], "2");
        let second = gemini_list(&models(), &"/v1beta/models?pageSize=2&pageToken=2".parse().unwrap());
        assert_eq!(second["models"].as_array().unwrap().len(), 1);
        assert_eq!(second.get("nextPageToken"), None);
        let past = gemini_list(&models(), &"/v1beta/models?pageToken=99".parse().unwrap());
        assert_eq!(past["models"], json!([]));
    }
}
