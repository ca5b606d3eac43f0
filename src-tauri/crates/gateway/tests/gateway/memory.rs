//! What holds over a restart: pauses, quotas, budgets.

use serde_json::{Value, json};

use crate::support::{House, Reply, Upstream, ask, good_answer, provider};

async fn asked(house: &House, model: &str) -> (u16, Value) {
    let response = house.post(&ask(model, false)).await;
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_pause_that_a_provider_asked_for_holds_over_a_restart() {
    let limited = Reply::Whole {
        status: 429,
        headers: vec![("retry-after", "600".into())],
        body: json!({ "error": { "message": "slow down" } }).to_string(),
    };
    let upstream = Upstream::with([limited, good_answer("hello")]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    assert_eq!(asked(&house, "a/m").await.0, 429);
    let house = house.restarted().await;
    let (status, body) = asked(&house, "a/m").await;
    assert_eq!(status, 429, "{body}");
    assert_eq!(upstream.requests().len(), 1, "it was left alone");
}

#[tokio::test]
async fn a_days_quota_holds_over_a_restart() {
    let upstream = Upstream::with([good_answer("one"), good_answer("two"), good_answer("three")]).await;
    let limit = "[[limit]]\nprovider = \"a\"\nmodel = \"m\"\nrequests_per_day = 2\n";
    let house = House::with(&format!("{}{limit}", provider("a", &upstream.url))).await;
    assert_eq!(asked(&house, "a/m").await.0, 200);
    let house = house.restarted().await;
    assert_eq!(asked(&house, "a/m").await.0, 200);
    let house = house.restarted().await;
    let (status, body) = asked(&house, "a/m").await;
    assert_eq!(status, 429, "{body}");
    assert_eq!(upstream.requests().len(), 2);
}

/// A whole answer of gpt-4o that cost a dollar: 400,000 tokens read at $2.50 per million.
fn dear_answer() -> Reply {
    let body = json!({
        "id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "hi" }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 400_000, "completion_tokens": 0, "total_tokens": 400_000 },
    });
    Reply::Whole {
        status: 200,
        headers: vec![("content-type", "application/json".into())],
        body: body.to_string(),
    }
}

#[tokio::test]
async fn a_budget_that_is_used_up_stays_so_over_a_restart_and_a_new_one_counts_what_was_before() {
    let upstream = Upstream::with([dear_answer(), dear_answer(), dear_answer()]).await;
    let provider = format!(
        "[[provider]]\nid = \"a\"\nkind = \"openai\"\nbase_url = \"{}/v1\"\nkey = \"none\"\n",
        upstream.url
    );
    let budget = |name: &str, amount: &str, client: &str| {
        format!("[[budget]]\nname = \"{name}\"\namount = {amount}\nper = \"month\"\nclient = \"{client}\"\n")
    };
    let settings = format!("{provider}{}", budget("mine", "1", "test"));
    let house = House::with(&settings).await;
    let (status, body) = asked(&house, "a/gpt-4o").await;
    assert_eq!(status, 200, "{body}");
    let house = house.restarted().await;
    let (status, body) = asked(&house, "a/gpt-4o").await;
    assert_ne!(status, 200, "{body}");
    assert!(body["error"]["message"].as_str().unwrap().contains("mine"), "{body}");
    assert_eq!(upstream.requests().len(), 1, "nothing was asked");

    // Under new settings another budget begins where the book is, and one for somebody else does not.
    let listen = "[port]\nlisten = \"127.0.0.1:0\"\n";
    let settings = |budget: String| format!("{listen}{provider}{budget}");
    house.gateway.set_config_text(&settings(budget("other", "2.5", "nobody"))).await.unwrap();
    assert_eq!(asked(&house, "a/gpt-4o").await.0, 200);
    house.gateway.set_config_text(&settings(budget("another", "2", "te*"))).await.unwrap();
    let (status, body) = asked(&house, "a/gpt-4o").await;
    assert_ne!(status, 200, "{body}");
    assert!(body["error"]["message"].as_str().unwrap().contains("another"), "{body}");
    assert_eq!(upstream.requests().len(), 2);
}
