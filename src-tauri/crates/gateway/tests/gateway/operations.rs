//! What is asked beside conversations: embeddings, counts of tokens, lists of models.

use ledger::{CostStatus, Outcome};
use serde_json::{Value, json};

use crate::support::{End, House, Reply, Upstream, ask, failure, http, provider, route, words};

/// Two vectors, and usage where it is given.
fn vectors(usage: Option<Value>) -> Reply {
    let mut body = json!({
        "object": "list", "model": "m-2026",
        "data": [
            { "object": "embedding", "index": 0, "embedding": [0.5, -0.25] },
            { "object": "embedding", "index": 1, "embedding": [1, 0] },
        ],
    });
    if let Some(usage) = usage {
        body["usage"] = usage;
    }
    Reply::Whole { status: 200, headers: vec![], body: body.to_string() }
}

async fn post(house: &House, path: &str, body: &Value) -> reqwest::Response {
    let request = http().post(house.url(path)).bearer_auth(&house.key);
    request.body(body.to_string()).send().await.unwrap()
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

#[tokio::test]
async fn embeddings_are_passed_through_and_stand_in_the_book() {
    let upstream = Upstream::with([vectors(Some(json!({ "prompt_tokens": 5, "total_tokens": 5 })))]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    let asked =
        json!({ "model": "a/m", "input": ["one", "two"], "encoding_format": "base64", "dimensions": 2 });
    let response = post(&house, "/v1/embeddings", &asked).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-signalbox-provider"), Some("a"));
    assert_eq!(header(&response, "x-signalbox-estimated"), None);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["data"][0]["embedding"], "AAAAPwAAgL4=", "0.5 and -0.25 as the client asked for them");
    assert_eq!(body["usage"]["prompt_tokens"], 5);
    assert_eq!(upstream.heads()[0].0, "/v1/embeddings");
    let mut sent = asked.clone();
    sent["model"] = "m".into();
    assert_eq!(upstream.requests()[0], sent);
    let row = house.last_request().await;
    assert_eq!((row.status, row.http_status, row.request_model.as_str()), (Outcome::Ok, Some(200), "a/m"));
    assert_eq!(row.response_model.as_deref(), Some("m-2026"));
    assert_eq!(row.usage.map(|usage| (usage.input_tokens, usage.is_estimated)), Some((5, false)));
}

#[tokio::test]
async fn a_target_that_refuses_embeddings_gives_way_to_the_next() {
    let first = Upstream::with([failure(404, "no such model")]).await;
    let second = Upstream::with([vectors(None)]).await;
    let settings = [provider("a", &first.url), provider("b", &second.url), route("r", &["a", "b"])].concat();
    let house = House::with(&settings).await;
    let response = post(&house, "/v1/embeddings", &json!({ "model": "r", "input": ["one", "two"] })).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-signalbox-attempts"), Some("2"));
    assert_eq!(header(&response, "x-signalbox-estimated"), Some("true"), "nobody counted but we");
    let row = house.last_request().await;
    let attempts: Vec<_> = row.attempts.iter().map(|it| (it.provider.as_str(), it.outcome)).collect();
    assert_eq!(attempts, [("a", Outcome::Failed), ("b", Outcome::Ok)]);
    assert_eq!(row.usage.map(|usage| (usage.input_tokens, usage.is_estimated)), Some((2, true)));
}

#[tokio::test]
async fn fewer_vectors_than_inputs_are_no_answer() {
    let upstream = Upstream::with([vectors(None)]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    let response = post(&house, "/v1/embeddings", &json!({ "model": "a/m", "input": ["1", "2", "3"] })).await;
    assert_eq!(response.status(), 502);
    let body: Value = response.json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains("2 vectors for 3 inputs"), "{body}");
    assert_eq!(house.last_request().await.error_kind.as_deref(), Some("invalid_response"));
}

#[tokio::test]
async fn a_provider_without_embeddings_says_so_and_is_not_asked() {
    let upstream = Upstream::with([]).await;
    let settings = provider("a", &upstream.url).replace("openai-compatible", "anthropic-compatible");
    let house = House::with(&settings).await;
    let response = post(&house, "/v1/embeddings", &json!({ "model": "a/m", "input": "x" })).await;
    assert_eq!(response.status(), 400);
    let body: Value = response.json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains("anthropic-messages"), "{body}");
    assert!(upstream.requests().is_empty());
    assert_eq!(house.last_request().await.cost_status, CostStatus::Computed, "nothing was spent");
}

#[tokio::test]
async fn googles_clients_embed_and_count_through_any_provider() {
    let upstream = Upstream::with([vectors(Some(json!({ "prompt_tokens": 5, "total_tokens": 5 })))]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    let content = |text: &str| json!({ "model": "models/a/m", "content": { "parts": [{ "text": text }] } });
    let asked = json!({ "requests": [content("one"), content("two")] });
    let response = post(&house, "/v1beta/models/a/m:batchEmbedContents", &asked).await;
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["embeddings"][0]["values"], json!([0.5, -0.25]));
    assert_eq!(upstream.requests()[0], json!({ "model": "m", "input": ["one", "two"] }));
    let asked = json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hello, world!" }] }] });
    let response = post(&house, "/v1beta/models/a/m:countTokens", &asked).await;
    assert_eq!(header(&response, "x-signalbox-estimated"), Some("true"));
    let body: Value = response.json().await.unwrap();
    assert!((4..20).contains(&body["totalTokens"].as_u64().unwrap()), "{body}");
    assert_eq!(upstream.requests().len(), 1, "there is nobody to ask for a count");
}

#[tokio::test]
async fn a_count_is_asked_of_the_provider_that_offers_it_and_made_here_where_it_fails() {
    let counted = Reply::Whole { status: 200, headers: vec![], body: "{\"input_tokens\":11}".into() };
    let upstream = Upstream::with([counted, failure(400, "not for this model")]).await;
    let settings = provider("a", &upstream.url).replace("openai-compatible", "anthropic-compatible");
    let house = House::with(&settings).await;
    let asked = json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hello, world!" }] }] });
    let response = post(&house, "/v1beta/models/a/m:countTokens", &asked).await;
    assert_eq!(header(&response, "x-signalbox-estimated"), None);
    assert_eq!(response.json::<Value>().await.unwrap()["totalTokens"], 11);
    assert_eq!(upstream.heads()[0].0, "/v1/messages/count_tokens");
    let response = post(&house, "/v1beta/models/a/m:countTokens", &asked).await;
    assert_eq!(header(&response, "x-signalbox-estimated"), Some("true"));
    assert!(response.json::<Value>().await.unwrap()["totalTokens"].as_u64().unwrap() > 3);
}

#[tokio::test]
async fn an_answer_that_broke_off_before_its_usage_is_counted_here() {
    let pieces = vec![words("The quick brown fox jumps over the lazy dog.")];
    let upstream = Upstream::with([Reply::Stream { pieces, end: End::Close }, failure(400, "no")]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    house.post(&ask("a/gpt-4o", true)).await.text().await.unwrap();
    let row = house.last_request().await;
    let usage = row.usage.expect("an estimate");
    assert_eq!((row.status, usage.output_tokens, usage.is_estimated), (Outcome::Truncated, 10, true));
    assert!((5..12).contains(&usage.input_tokens), "{usage:?}");
    house.post(&ask("a/gpt-4o", true)).await.text().await.unwrap();
    assert_eq!(house.last_request().await.usage, None, "what was refused used nothing");
}

#[tokio::test]
async fn the_models_are_listed_in_the_shape_of_the_client_that_asks() {
    let upstream = Upstream::with([]).await;
    let house = House::with(&(provider("a", &upstream.url) + "models = [\"m\"]\n")).await;
    let openai: Value = house.get("/v1/models").await.json().await.unwrap();
    assert_eq!((&openai["object"], &openai["data"][0]["id"]), (&json!("list"), &json!("a/m")));
    let gemini: Value = house.get("/v1beta/models").await.json().await.unwrap();
    assert_eq!(gemini["models"][0]["name"], "models/a/m");
    let one: Value = house.get("/v1beta/models/a/m").await.json().await.unwrap();
    assert_eq!(one["name"], "models/a/m");
    let asked = http().get(house.url("/v1/models")).header("x-api-key", &house.key);
    let anthropic: Value =
        asked.header("anthropic-version", "2023-06-01").send().await.unwrap().json().await.unwrap();
    assert_eq!((&anthropic["data"][0]["type"], &anthropic["has_more"]), (&json!("model"), &json!(false)));
    let missing = house.get("/v1beta/models/a/none").await;
    assert_eq!(missing.status(), 404);
    let missing: Value = missing.json().await.unwrap();
    assert_eq!(missing["error"]["status"], "NOT_FOUND", "in Google's own shape: {missing}");
}
