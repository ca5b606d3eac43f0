//! What a route does beyond asking one target after the other: holds back, asks a second beside a
//! slow first, goes on where one broke off, keeps limits and budgets.

use ledger::Outcome;
use serde_json::{Value, json};

use crate::support::{
    End, House, Reply, Upstream, ask, chunk, good_answer, good_stream, provider, read_stream, words,
};

/// A gateway with the providers `a` and `b`, and the route `r` over both that says `more`.
async fn pair(a: &Upstream, b: &Upstream, more: &str) -> House {
    let targets = "targets = [{ provider = \"a\", model = \"m\" }, { provider = \"b\", model = \"m\" }]";
    let route = format!("[[route]]\nname = \"r\"\n{targets}\n{more}\n");
    House::with(&format!("{}{}{route}", provider("a", &a.url), provider("b", &b.url))).await
}

/// An answer that stops without its end.
fn breaks_after(pieces: &[String]) -> Reply {
    Reply::Stream { pieces: pieces.to_vec(), end: End::Close }
}

fn header(response: &reqwest::Response, name: &str) -> String {
    let value = response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    value.unwrap_or_default()
}

fn steps(decision: &Value) -> Vec<&str> {
    decision["steps"].as_array().unwrap().iter().map(|step| step["what"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_failure_within_what_is_held_back_is_never_seen() {
    let a = Upstream::with([breaks_after(&[words("half of ")])]).await;
    let b = Upstream::with([good_stream("The whole answer.")]).await;
    let house = pair(&a, &b, "hold = { chars = 40 }").await;
    let response = house.post(&ask("r", true)).await;
    assert_eq!(header(&response, "x-signalbox-decision"), "a/m=failed, b/m=chosen");
    assert_eq!(header(&response, "x-signalbox-route"), "r");
    assert_eq!(header(&response, "x-signalbox-lane"), "verbatim");
    let (text, error) = read_stream(&response.text().await.unwrap());
    assert_eq!((text.as_str(), error), ("The whole answer.", None));
    let row = house.last_request().await;
    let outcomes: Vec<_> = row.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!((outcomes.first(), outcomes.last()), (Some(&Outcome::Truncated), Some(&Outcome::Ok)));
}

#[tokio::test]
async fn an_answer_that_is_held_back_is_whole_when_it_comes() {
    let a = Upstream::with([good_stream("Short.")]).await;
    let b = Upstream::with([]).await;
    let house = pair(&a, &b, "hold = { chars = 4000 }").await;
    let (text, error) = read_stream(&house.post(&ask("r", true)).await.text().await.unwrap());
    assert_eq!((text.as_str(), error), ("Short.", None));
}

#[tokio::test]
async fn a_slow_first_target_gets_a_second_beside_it_and_is_hung_up_on() {
    let mut a = Upstream::with([Reply::Silence]).await;
    let b = Upstream::with([good_stream("Here.")]).await;
    let house = pair(&a, &b, "hedge = \"200ms\"").await;
    let response = house.post(&ask("r", true)).await;
    let (text, _) = read_stream(&response.text().await.unwrap());
    assert_eq!(text, "Here.");
    a.was_hung_up_on().await;
    let row = house.last_request().await;
    assert_eq!((row.status, row.provider.as_deref()), (Outcome::Ok, Some("b")));
    let attempts: Vec<_> =
        row.attempts.iter().map(|it| (it.provider.as_str(), it.outcome, it.reason.as_deref())).collect();
    let expected = [("a", Outcome::Cancelled, Some("first")), ("b", Outcome::Ok, Some("hedge"))];
    assert_eq!(attempts, expected);
    assert_eq!(steps(&row.decision.unwrap()), ["asked", "asked", "lost", "answered"]);
}

#[tokio::test]
async fn another_model_goes_on_where_one_broke_off_in_one_message() {
    let a = Upstream::with([breaks_after(&[words("The quick brown")])]).await;
    let b = Upstream::with([good_stream("quick brown fox.")]).await;
    let house = pair(&a, &b, "on_break = \"continue\"").await;
    let body = house.post(&ask("r", true)).await.text().await.unwrap();
    let (text, error) = read_stream(&body);
    assert_eq!((text.as_str(), error), ("The quick brown fox.", None), "{body}");
    assert_eq!(body.matches("[DONE]").count(), 1, "{body}");
    assert_eq!(body.matches("\"finish_reason\":\"stop\"").count(), 1, "{body}");
    let asked = b.requests()[0]["messages"].clone();
    assert_eq!(asked[1], json!({ "role": "assistant", "content": "The quick brown" }));
    assert!(asked[2]["content"].as_str().unwrap().contains("“The quick brown”"), "{asked}");
    let row = house.last_request().await;
    assert_eq!(row.status, Outcome::Ok);
    assert_eq!(row.attempts[1].reason.as_deref(), Some("continue"));
    // What both took: the first reported nothing and is counted.
    let usage = row.usage.unwrap();
    assert!(usage.is_estimated && usage.output_tokens > 3, "{usage:?}");
    let decision = row.decision.unwrap();
    let seam = decision["steps"].as_array().unwrap().iter().find(|step| step["what"] == "seam").unwrap();
    assert_eq!((&seam["at_chars"], &seam["provider"]), (&json!(15), &json!("b")));
}

#[tokio::test]
async fn the_first_token_of_an_answer_that_goes_on_is_the_first_one_that_was_seen() {
    let a = Upstream::with([Reply::Stream { pieces: vec![words("The quick")], end: End::Hang }]).await;
    let b = Upstream::with([good_stream("quick brown fox.")]).await;
    let house = pair(&a, &b, "on_break = \"continue\"\n[timeouts]\nidle = \"1s\"").await;
    let (text, error) = read_stream(&house.post(&ask("r", true)).await.text().await.unwrap());
    assert_eq!((text.as_str(), error), ("The quick brown fox.", None));
    let row = house.last_request().await;
    let decision = row.decision.unwrap();
    let is_second = |step: &&Value| step["what"] == "asked" && step["provider"] == "b";
    let second = decision["steps"].as_array().unwrap().iter().find(is_second).unwrap()["at_ms"].as_i64();
    // A whole second of silence lies between the two.
    assert!(row.time_to_first_token_ms.is_some_and(|first| Some(first) < second), "{decision}");
}

#[tokio::test]
async fn an_answer_that_begins_again_says_where() {
    let a = Upstream::with([breaks_after(&[words("The quick")])]).await;
    let b = Upstream::with([good_stream("The quick brown fox.")]).await;
    let house = pair(&a, &b, "on_break = \"restart\"").await;
    let (text, error) = read_stream(&house.post(&ask("r", true)).await.text().await.unwrap());
    assert_eq!(error, None);
    assert!(text.starts_with("The quick\n\n[") && text.ends_with("b/m.]\n\nThe quick brown fox."), "{text}");
}

#[tokio::test]
async fn nobody_goes_on_behind_a_call_and_the_break_is_told() {
    let call = json!({ "tool_calls": [{ "index": 0, "id": "c", "type": "function",
        "function": { "name": "rm", "arguments": "{\"path\":" } }] });
    let a = Upstream::with([breaks_after(&[words("I remove it."), chunk(&call, None)])]).await;
    let b = Upstream::with([good_stream("Never asked.")]).await;
    let house = pair(&a, &b, "on_break = \"continue\"").await;
    let (text, error) = read_stream(&house.post(&ask("r", true)).await.text().await.unwrap());
    assert_eq!(text, "I remove it.");
    assert!(error.is_some());
    assert!(b.requests().is_empty());
    assert_eq!(house.last_request().await.status, Outcome::Truncated);
}

#[tokio::test]
async fn when_nobody_is_left_to_go_on_the_first_break_is_the_error() {
    let a = Upstream::with([breaks_after(&[words("The quick")]), Reply::Silence]).await;
    let b = Upstream::with([]).await;
    let house = pair(&a, &b, "on_break = \"continue\"\ntotal = \"5s\"").await;
    let (text, error) = read_stream(&house.post(&ask("r", true)).await.text().await.unwrap());
    assert_eq!(text, "The quick");
    assert_eq!(error.unwrap()["code"], "truncated");
}

#[tokio::test]
async fn a_limit_that_is_used_up_moves_requests_on_and_at_last_refuses_them() {
    let a = Upstream::with([good_answer("one"), good_answer("never")]).await;
    let b = Upstream::with([good_answer("two"), good_answer("never")]).await;
    let limit = |id| format!("[[limit]]\nprovider = \"{id}\"\nrequests_per_minute = 1\n");
    let house = pair(&a, &b, &format!("{}{}", limit("a"), limit("b"))).await;
    for said in ["one", "two"] {
        let answer: Value = house.post(&ask("r", false)).await.json().await.unwrap();
        assert_eq!(answer["choices"][0]["message"]["content"], said, "{answer}");
    }
    let refused = house.post(&ask("r", false)).await;
    assert_eq!(refused.status(), 429);
    let wait: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=65).contains(&wait), "{wait}");
    assert_eq!(header(&refused, "x-signalbox-decision"), "a/m=limited, b/m=limited");
    assert_eq!((a.requests().len(), b.requests().len()), (1, 1));
    let row = house.last_request().await;
    assert_eq!((row.cost_picousd, row.attempts.len()), (Some(0), 0));
}

#[tokio::test]
async fn a_budget_that_is_used_up_says_so_in_each_dialect_and_when_it_is_back() {
    let usage = json!({ "prompt_tokens": 1_000_000, "completion_tokens": 1, "total_tokens": 1_000_001 });
    let body = json!({
        "id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "Dear." }, "finish_reason": "stop" }],
        "usage": usage,
    });
    let headers = vec![("content-type", "application/json".to_owned())];
    let upstream = Upstream::with([Reply::Whole { status: 200, headers, body: body.to_string() }]).await;
    let provider = format!(
        "[[provider]]\nid = \"a\"\nkind = \"openai\"\nbase_url = \"{}\"\nkey = \"none\"\n",
        upstream.url
    );
    let budget = "[[budget]]\nname = \"daily\"\namount = \"1.00\"\nper = \"day\"\nthen = \"block\"\n";
    let house = House::with(&format!("{provider}{budget}")).await;
    let first = house.post(&ask("a/gpt-4o", false)).await;
    assert_eq!(first.status(), 200);
    assert_eq!(header(&first, "x-signalbox-cost"), "2.50001");

    let openai = house.post(&ask("a/gpt-4o", false)).await;
    assert_eq!(openai.status(), 429);
    let wait: u64 = header(&openai, "retry-after").parse().unwrap();
    assert!(wait <= 25 * 3600, "{wait}");
    let body: Value = openai.json().await.unwrap();
    assert_eq!(body["error"]["type"], "insufficient_quota", "{body}");
    assert!(body["error"]["message"].as_str().unwrap().contains("\"daily\""), "{body}");

    let anthropic =
        json!({ "model": "a/gpt-4o", "max_tokens": 5, "messages": [{ "role": "user", "content": "Hi" }] });
    let asked = crate::support::http().post(house.url("/v1/messages")).header("x-api-key", &house.key);
    let anthropic = asked.json(&anthropic).send().await.unwrap();
    assert_eq!(anthropic.status(), 429);
    let body: Value = anthropic.json().await.unwrap();
    assert_eq!(body["error"]["type"], "rate_limit_error", "{body}");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_target_that_is_down_is_left_alone_and_its_last_word_is_told() {
    let a = Upstream::with([]).await;
    let settings =
        format!("{}[routing.retry]\nattempts_per_target = 1\npatience = \"1s\"\n", provider("a", &a.url));
    let house = House::with(&settings).await;
    for _ in 0..5 {
        assert_eq!(house.post(&ask("a/m", false)).await.status(), 502);
    }
    let asked = a.requests().len();
    let refused = house.post(&ask("a/m", false)).await;
    assert_eq!(refused.status(), 503);
    assert!(!header(&refused, "retry-after").is_empty());
    let body: Value = refused.json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains("nothing left to say"), "{body}");
    assert_eq!(a.requests().len(), asked);
}

#[tokio::test]
async fn a_key_that_was_refused_is_told_to_whoever_asks_for_another_of_its_models() {
    let body =
        json!({ "error": { "message": "Incorrect API key provided.", "type": "invalid_request_error" } });
    let headers = vec![("content-type", "application/json".to_owned())];
    let a = Upstream::with([Reply::Whole { status: 401, headers, body: body.to_string() }]).await;
    let settings = "[[provider]]\nid = \"a\"\nkind = \"openai\"\nkey = \"env:PATH\"\n";
    let house = House::with(&format!("{settings}base_url = \"{}\"\n", a.url)).await;
    let first = house.post(&ask("a/one", false)).await;
    let second = house.post(&ask("a/two", false)).await;
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (401, 401));
    let body: Value = second.json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains("Incorrect API key"), "{body}");
    assert_eq!(a.requests().len(), 1);
}
