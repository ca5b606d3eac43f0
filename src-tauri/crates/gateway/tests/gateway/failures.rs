//! Requests that cannot end well: each says what happened, in the client's own shape, and stands
//! in the book.

use ledger::Outcome;
use serde_json::{Value, json};

use crate::support::{End, House, Reply, Upstream, ask, provider, read_stream, words};

/// Asks `model` and returns the status, the error object and the error kind in the book.
async fn refused(house: &House, model: &str, is_stream: bool) -> (u16, Value, String) {
    let response = house.post(&ask(model, is_stream)).await;
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    let row = house.last_request().await;
    assert_eq!(row.http_status, Some(status), "the book says what the client was told");
    assert_ne!(row.status, Outcome::Ok);
    (status, body["error"].clone(), row.error_kind.unwrap_or_default())
}

fn message(error: &Value) -> &str {
    error["message"].as_str().unwrap()
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_named_with_its_address() {
    // A port that was free a moment ago: nobody listens there.
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let house = House::with(&provider("a", &format!("http://{address}"))).await;
    for is_stream in [true, false] {
        let (status, error, kind) = refused(&house, "a/m", is_stream).await;
        assert!(status >= 500, "{status}");
        assert_eq!(kind, "network");
        assert!(message(&error).contains(&address.to_string()), "{error}");
    }
}

#[tokio::test]
async fn an_html_page_instead_of_an_answer_points_to_the_base_url() {
    let page = || Reply::Whole {
        status: 200,
        headers: vec![("content-type", "text/html".into())],
        body: "<!doctype html><html><title>Sign in</title></html>".into(),
    };
    let upstream = Upstream::with([page(), page()]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    for is_stream in [true, false] {
        let (status, error, kind) = refused(&house, "a/m", is_stream).await;
        assert_eq!(kind, "invalid_response");
        assert!(status >= 500 && message(&error).contains("Sign in"), "{status} {error}");
    }
}

#[tokio::test]
async fn a_stream_that_ends_before_its_end_is_truncated_not_complete() {
    let upstream = Upstream::with([Reply::Stream { pieces: vec![words("half ")], end: End::Close }]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    let body = house.post(&ask("a/m", true)).await.text().await.unwrap();
    let (text, error) = read_stream(&body);
    assert_eq!(text, "half ");
    assert!(error.is_some() && !body.contains("[DONE]"), "{body}");
    assert_eq!(house.last_request().await.status, Outcome::Truncated);
}

#[tokio::test]
async fn an_empty_answer_is_no_answer() {
    let empty = || Reply::Whole { status: 200, headers: vec![], body: String::new() };
    let upstream = Upstream::with([empty(), empty(), empty(), empty()]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    for is_stream in [true, false] {
        assert_eq!(refused(&house, "a/m", is_stream).await.2, "truncated");
    }
}

#[tokio::test]
async fn one_deadline_holds_for_the_whole_request() {
    let mut upstream = Upstream::with([Reply::Silence]).await;
    let house =
        House::with(&format!("{}[timeouts]\ntotal = \"200ms\"\n", provider("a", &upstream.url))).await;
    let (status, error, kind) = refused(&house, "a/m", false).await;
    assert_eq!((status, kind.as_str()), (504, "timeout"));
    assert!(message(&error).contains("timeouts.total"), "{error}");
    upstream.was_hung_up_on().await;
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_provider_that_does_not_even_begin_to_answer_is_told_apart() {
    for is_stream in [true, false] {
        let mut upstream = Upstream::with([Reply::Silence]).await;
        let timeouts = "[timeouts]\nfirst_byte = \"200ms\"\n";
        let house = House::with(&format!("{}{timeouts}", provider("a", &upstream.url))).await;
        let (status, error, kind) = refused(&house, "a/m", is_stream).await;
        assert_eq!((status, kind.as_str()), (504, "timeout"));
        assert!(
            message(&error).contains("did not begin to answer within 0.2 s (timeouts.first_byte)"),
            "{error}"
        );
        upstream.was_hung_up_on().await;
    }
}

#[tokio::test]
async fn pings_do_not_pass_for_content() {
    let upstream = Upstream::with([Reply::Stream { pieces: vec![], end: End::Pings }]).await;
    let house =
        House::with(&format!("{}[timeouts]\nfirst_content = \"200ms\"\n", provider("a", &upstream.url)))
            .await;
    let (status, error, kind) = refused(&house, "a/m", true).await;
    assert_eq!((status, kind.as_str()), (504, "timeout"));
    assert!(message(&error).contains("nothing of its answer"), "{error}");
}

#[tokio::test]
async fn pings_do_not_keep_a_silent_answer_alive() {
    let upstream = Upstream::with([Reply::Stream { pieces: vec![words("half ")], end: End::Pings }]).await;
    let house = House::with(&format!("{}[timeouts]\nidle = \"200ms\"\n", provider("a", &upstream.url))).await;
    let body = house.post(&ask("a/m", true)).await.text().await.unwrap();
    let (text, error) = read_stream(&body);
    assert_eq!(text, "half ");
    assert!(message(&error.unwrap()).contains("fell silent"));
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() {
    let elsewhere = Upstream::with([]).await;
    let upstream = Upstream::with([Reply::Whole {
        status: 307,
        headers: vec![("location", format!("{}/v1/chat/completions", elsewhere.url))],
        body: String::new(),
    }])
    .await;
    let house = House::with(&provider("a", &upstream.url)).await;
    let (_, error, kind) = refused(&house, "a/m", false).await;
    assert_eq!(kind, "invalid_response");
    assert!(message(&error).contains("base_url"), "{error}");
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_provider_without_its_key_says_where_to_put_one() {
    let settings = "[[provider]]\nid = \"a\"\nkind = \"openai\"\n\
                    [[provider]]\nid = \"b\"\nkind = \"openai\"\nkey = \"env:SIGNALBOX_TEST_UNSET\"\n";
    let house = House::with(settings).await;
    let (status, error, kind) = refused(&house, "a/gpt-4o", true).await;
    // The client's own key is good: nothing may say that it is not, nor ask it to come again.
    assert_eq!((status, &error["code"]), (503, &"provider_key_missing".into()));
    assert_eq!(kind, "authentication");
    let headers = house.post(&ask("a/gpt-4o", false)).await.headers().clone();
    assert_eq!(headers["x-should-retry"], "false");
    assert!(!headers.contains_key("www-authenticate"));
    assert!(message(&error).contains("\"a\" has no key in the keychain"), "{error}");
    let (_, error, _) = refused(&house, "b/gpt-4o", true).await;
    assert!(message(&error).contains("SIGNALBOX_TEST_UNSET"), "{error}");
    assert_eq!(house.last_request().await.cost_picousd, Some(0));
}

#[tokio::test]
async fn an_unknown_model_is_refused_with_the_names_that_come_near() {
    let settings = "[[provider]]\nid = \"a\"\nkind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:9/v1\"\n\
                    models = [\"llama-3.3-70b\", \"shared\"]\n\
                    [[provider]]\nid = \"b\"\nkind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:9/v1\"\n\
                    models = [\"shared\"]\n\
                    [[route]]\nname = \"quick\"\ntargets = [{ provider = \"a\", model = \"shared\" }]\n";
    let house = House::with(settings).await;
    for asked in ["a", "a/"] {
        let (status, error, _) = refused(&house, asked, true).await;
        assert_eq!((status, &error["code"]), (404, &"model_not_found".into()));
        let said = message(&error);
        assert!(said.contains("\"a\" is a provider") && said.contains("a/llama-3.3-70b"), "{said}");
        assert!(!said.contains("b/shared"), "{said}");
    }
    for (asked, near) in
        [("llama-3.3-80b", "a/llama-3.3-70b"), ("quik", "quick"), ("aa/llama-3.3-70b", "a/llama-3.3-70b")]
    {
        let (status, error, kind) = refused(&house, asked, true).await;
        assert_eq!((status, kind.as_str()), (404, "not_found"));
        assert_eq!(error["code"], "model_not_found");
        assert!(message(&error).contains(near), "{asked}: {error}");
    }
    let (status, error, _) = refused(&house, "shared", true).await;
    assert_eq!(status, 400);
    assert!(message(&error).contains("\"a/shared\"") && message(&error).contains("\"b/shared\""), "{error}");
}

#[tokio::test]
async fn a_model_that_its_provider_does_not_have_is_refused_with_near_names_as_well() {
    let missing = crate::support::failure(404, "The model `llama-3.3-80b` does not exist.");
    let upstream = Upstream::with([missing]).await;
    let house = House::with(&format!("{}models = [\"llama-3.3-70b\"]\n", provider("a", &upstream.url))).await;
    let (status, error, kind) = refused(&house, "a/llama-3.3-80b", true).await;
    assert_eq!((status, kind.as_str()), (404, "not_found"));
    assert!(message(&error).contains("Did you mean \"a/llama-3.3-70b\"?"), "{error}");
}

#[tokio::test]
async fn a_bare_name_is_found_in_the_list_that_its_one_provider_gives() {
    let list = Reply::Whole {
        status: 200,
        headers: vec![],
        body: r#"{"object":"list","data":[{"id":"only-here","object":"model"}]}"#.into(),
    };
    let upstream = Upstream::with([list, crate::support::good_answer("found")]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    let response = house.post(&ask("only-here", false)).await;
    assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
    assert_eq!(upstream.requests()[1]["model"], "only-here");
}

/// Google's word for a call of a tool that nobody declared: HTTP 200 and no answer.
#[tokio::test]
async fn an_answer_that_its_provider_ends_with_an_error_is_no_clean_stop() {
    let ended = json!({
        "candidates": [{
            "content": { "role": "model", "parts": [{ "text": "Let me" }] },
            "finishReason": "UNEXPECTED_TOOL_CALL",
        }],
        "usageMetadata": { "promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5 },
    });
    let whole = || Reply::Whole { status: 200, headers: vec![], body: ended.to_string() };
    let stream = Reply::Stream { pieces: vec![format!("data: {ended}\r\n\r\n")], end: End::Close };
    let upstream = Upstream::with([whole(), whole(), stream]).await;
    let house = House::with(&format!(
        "[[provider]]\nid = \"a\"\nkind = \"google\"\nbase_url = \"{}\"\nkey = \"none\"\n",
        upstream.url
    ))
    .await;

    let (status, error, kind) = refused(&house, "a/m", false).await;
    assert_eq!((status, kind.as_str()), (502, "server_error"));
    assert!(message(&error).contains("UNEXPECTED_TOOL_CALL"), "{error}");

    let body = house.post(&ask("a/m", true)).await.text().await.unwrap();
    let (text, error) = read_stream(&body);
    assert_eq!(text, "Let me");
    assert!(error.is_some() && !body.contains("[DONE]") && !body.contains("\"stop\""), "{body}");
    assert_eq!(house.last_request().await.status, Outcome::Failed);
}

#[tokio::test]
async fn a_request_that_a_model_cannot_read_is_not_sent_to_it_but_to_one_that_can() {
    let answer = r#"{"id":"c","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,
        "message":{"role":"assistant","content":"Read."},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
    let headers = vec![("content-type", "application/json".to_owned())];
    let upstream = Upstream::with([Reply::Whole { status: 200, headers, body: answer.to_owned() }]).await;
    let settings = format!(
        "[[provider]]\nid = \"a\"\nkind = \"openai\"\nbase_url = \"{}/v1\"\nkey = \"none\"\n\
         [[route]]\nname = \"deep\"\ntargets = [{{ provider = \"a\", model = \"gpt-4\" }}, {{ provider = \"a\", model = \"gpt-4o\" }}]\n",
        upstream.url
    );
    let house = House::with(&settings).await;
    let long = |model: &str| {
        let mut body = ask(model, false);
        body["messages"][0]["content"] = json!("signal ".repeat(14_000));
        body
    };
    let response = house.post(&long("deep")).await;
    assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(upstream.requests()[0]["model"], "gpt-4o");

    let response = house.post(&long("a/gpt-4")).await;
    assert_eq!(response.status(), 400);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "context_length_exceeded");
    assert!(message(&body["error"]).contains("8192"), "{body}");
    assert_eq!(upstream.requests().len(), 1, "nothing was sent");
}
