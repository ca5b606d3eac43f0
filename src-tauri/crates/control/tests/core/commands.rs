//! Every other command, against a real gateway.

use crate::support::Core;
use control::ControlErrorKind;
use control::bindings::COMMANDS;
use serde_json::{Value, json};

#[tokio::test]
async fn every_listed_command_is_dispatched_and_no_other_one_is() {
    let core = Core::start().await;
    for name in COMMANDS {
        // A text is no command's arguments, so each refuses by its own parser.
        let error = core.ask(name, json!("nonsense")).await.unwrap_err();
        assert_eq!(error.kind, ControlErrorKind::InvalidArgs, "{name}");
    }
    let error = core.ask("app.explode", json!({})).await.unwrap_err();
    assert_eq!(error.kind, ControlErrorKind::UnknownCommand);
}

#[tokio::test]
async fn wrong_arguments_are_refused_without_repeating_a_secret() {
    let core = Core::start().await;
    let error =
        core.ask("providers.set_key", json!({"id": ["x"], "secret": "sk-very-secret"})).await.unwrap_err();
    assert!(!error.message.contains("sk-very-secret"));
    let error = core.ask("providers.set_key", json!("sk-very-secret")).await.unwrap_err();
    assert!(!error.message.contains("sk-very-secret"), "{}", error.message);
}

#[tokio::test]
async fn a_fresh_start_has_the_rehearsal_and_says_how_everything_stands() {
    let core = Core::start().await;
    let status = core.call("app.status", Value::Null).await;
    assert_eq!((&status["keychain"]["state"], &status["config_error"]), (&json!("available"), &Value::Null));
    assert_eq!((&status["worst_lamp"], &status["ledger"]["state"]), (&json!("unknown"), &json!("ok")));
    assert!(status["port"]["listening"].as_str().unwrap().starts_with("127.0.0.1:"));
    let providers = core.call("providers.list", json!({})).await;
    assert_eq!(providers.as_array().unwrap().len(), 1);
    assert_eq!(
        (&providers[0]["is_rehearsal"], &providers[0]["key_state"]),
        (&json!(true), &json!("not_needed"))
    );
    let models = core.call("models.list", json!({})).await;
    assert!(models.as_array().unwrap().iter().any(|model| model["id"] == "rehearsal/steady"), "{models}");
    let chat = core.call("chats.create", json!({})).await;
    assert_eq!(chat["model"], "rehearsal/steady");
    let kinds = core.call("providers.kinds", json!({})).await;
    assert!(kinds.as_array().unwrap().len() > 5);
    assert!(kinds.as_array().unwrap().iter().all(|kind| kind["kind"] != "rehearsal"));
}

#[tokio::test]
async fn a_provider_is_added_with_its_key_tested_and_removed() {
    let core = Core::start().await;
    let save = json!({"id": "mine", "kind": "openai", "key": "keychain", "secret": "sk-abc-0123456789",
                      "base_url": "http://127.0.0.1:9/v1"});
    core.call("providers.save", save).await;
    let providers = core.call("providers.list", json!({})).await;
    assert_eq!((&providers[0]["id"], &providers[0]["key_state"]), (&json!("mine"), &json!("present")));
    assert!(!providers.to_string().contains("sk-abc"));
    let settings = core.call("settings.get", json!({})).await;
    assert!(settings["text"].as_str().unwrap().contains("id = \"mine\""));
    assert!(!settings.to_string().contains("sk-abc"));

    // Nothing listens there.
    let test = core.call("providers.test", json!({"id": "mine"})).await;
    assert_eq!((&test["ok"], &test["error"]["kind"]), (&json!(false), &json!("network")));

    core.call("providers.remove", json!({"id": "mine"})).await;
    assert_eq!(core.call("providers.list", json!({})).await.as_array().unwrap().len(), 1);
    let gone = core.ask("providers.set_key", json!({"id": "mine", "secret": "sk-x"})).await.unwrap_err();
    assert_eq!(gone.kind, ControlErrorKind::NotFound);
}

#[tokio::test]
async fn a_key_leaves_the_keychain_when_the_window_takes_it_from_elsewhere() {
    let core = Core::start().await;
    let save = |key: &str| json!({"id": "mine", "kind": "openai", "key": key});
    core.call("providers.save", save("keychain")).await;
    core.call("providers.set_key", json!({"id": "mine", "secret": "sk-abc-0123456789"})).await;
    core.call("providers.save", save("keychain")).await;
    let state = || async { core.call("providers.list", json!({})).await[0]["key_state"].clone() };
    assert_eq!(state().await, "present");
    core.call("providers.save", save("env:SIGNALBOX_TEST_NO_SUCH_VARIABLE")).await;
    core.call("providers.save", save("keychain")).await;
    assert_eq!(state().await, "missing");
}

#[tokio::test]
async fn looking_for_servers_is_refused_where_the_settings_turn_it_off() {
    let core = Core::start_with("[discovery]\nenabled = false\n").await;
    let refused = core.ask("providers.look", json!({})).await.unwrap_err();
    assert_eq!(refused.kind, ControlErrorKind::Invalid);
    assert!(refused.message.contains("discovery.enabled"), "{}", refused.message);
}

#[tokio::test]
async fn a_provider_that_a_route_needs_stays_with_its_key() {
    let settings = "[[provider]]\nid = \"mine\"\nkind = \"openai\"\n\n[[route]]\nname = \"r\"\n\
                    targets = [{ provider = \"mine\", model = \"m\" }]\n";
    let core = Core::start_with(settings).await;
    core.call("providers.set_key", json!({"id": "mine", "secret": "sk-x"})).await;
    let refused = core.ask("providers.remove", json!({"id": "mine"})).await.unwrap_err();
    assert_eq!(refused.kind, ControlErrorKind::Settings);
    assert_eq!(core.call("providers.list", json!({})).await[0]["key_state"], "present");
    let routes = core.call("routes.list", json!({})).await;
    assert_eq!(
        (&routes[0]["targets"][0]["provider"], &routes[0]["targets"][0]["model"]),
        (&json!("mine"), &json!("m"))
    );
}

#[tokio::test]
async fn the_rehearsal_passes_its_own_test() {
    let core = Core::start().await;
    let test = core.call("providers.test", json!({"id": "rehearsal"})).await;
    assert_eq!(test["ok"], true, "{test}");
    let models = core.call("providers.models", json!({"id": "rehearsal"})).await;
    assert_eq!(test["models"], models.as_array().unwrap().len());
}

#[tokio::test]
async fn a_settings_text_with_a_mistake_names_its_line_and_changes_nothing() {
    let core = Core::start_with("# mine\n").await;
    let mistake =
        core.call("settings.set_text", json!({"text": "[port]\nlissten = \"127.0.0.1:1\"\n"})).await;
    assert_eq!((&mistake["line"], &mistake["nearest"]), (&json!(2), &json!("listen")));
    assert_eq!(core.call("settings.get", json!({})).await["text"], "# mine\n");
    let taken = core.call("settings.set_text", json!({"text": "# other\n"})).await;
    assert_eq!(taken, Value::Null);
    assert_eq!(core.call("settings.get", json!({})).await["text"], "# other\n");
}

#[tokio::test]
async fn a_client_key_is_shown_once_and_stops_counting_when_removed() {
    let core = Core::start().await;
    let client = core.call("clients.add", json!({"name": "editor"})).await;
    let key = client["key"].as_str().unwrap();
    let listed = core.call("clients.list", json!({})).await;
    assert!(key.ends_with(listed[0]["key_hint"].as_str().unwrap()) && !listed.to_string().contains(key));
    let twice = core.ask("clients.add", json!({"name": "editor"})).await.unwrap_err();
    assert_eq!(twice.kind, ControlErrorKind::Conflict);
    core.call("clients.remove", json!({"id": client["id"]})).await;
    assert_eq!(core.call("clients.list", json!({})).await, json!([]));
}

#[tokio::test]
async fn health_and_spend_speak_of_what_was_asked() {
    let core = Core::start().await;
    core.answer("Explain tea", "rehearsal/fast").await;
    let health = core.call("health.list", json!({"minutes": 60})).await;
    assert_eq!((&health[0]["model"], &health[0]["lamp"]), (&json!("fast"), &json!("ok")));
    assert_eq!(
        health[0]["sparkline"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>(),
        1
    );
    let spend =
        core.call("spend.summary", json!({"days": 7, "group_by": "model", "utc_offset_minutes": 60})).await;
    assert_eq!(spend["days"].as_array().unwrap().len(), 7);
    assert_eq!(
        (&spend["totals"][0]["key"], &spend["totals"][0]["requests"]),
        (&json!("rehearsal/fast"), &json!(1))
    );
    assert_eq!((&spend["today_picousd"], &spend["today_unknown"]), (&json!(0), &json!(0)));
    assert_eq!((&spend["today_requests"], &spend["month_requests"]), (&json!(1), &json!(1)));
    assert_eq!((&health[0]["requests"], &health[0]["answered"]), (&json!(1), &json!(1)));
    let refused = core.ask("health.list", json!({"minutes": 0})).await.unwrap_err();
    assert_eq!(refused.kind, ControlErrorKind::Invalid);
}

#[tokio::test]
async fn a_taken_address_is_said_with_a_free_one_and_the_old_one_goes_on() {
    let core = Core::start_with("[port]\nlisten = \"127.0.0.1:0\"\n").await;
    let before = core.call("app.status", json!({})).await["port"]["listening"].clone();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let refused = core.ask("settings.set_listen", json!({"listen": taken})).await.unwrap_err();
    assert_eq!(refused.kind, ControlErrorKind::Port);
    let port = core.call("app.status", json!({})).await["port"].clone();
    assert_eq!((&port["listening"], &port["requested"]), (&before, &json!(taken)));
    let free = port["suggestion"].as_str().unwrap();
    assert!(free != taken && refused.message.contains(free), "{}", refused.message);
    let outside = core.ask("settings.set_listen", json!({"listen": "0.0.0.0:80"})).await.unwrap_err();
    assert_eq!(outside.kind, ControlErrorKind::Settings);
}

#[tokio::test]
async fn a_new_chat_asks_the_first_provider_that_can_answer_and_then_what_was_asked_last() {
    let settings = "[[provider]]\nid = \"locked\"\nkind = \"openai\"\nmodels = [\"a\"]\n\n\
                    [[provider]]\nid = \"workstation\"\nkind = \"openai-compatible\"\n\
                    base_url = \"http://127.0.0.1:9/v1\"\nkey = \"none\"\nmodels = [\"llama\"]\n";
    let core = Core::start_with(settings).await;
    assert_eq!(core.call("chats.create", json!({})).await["model"], "workstation/llama");
    core.call("providers.set_key", json!({"id": "locked", "secret": "sk-x"})).await;
    let chat = core.call("chats.create", json!({"model": "locked/a"})).await;
    assert_eq!(chat["model"], "locked/a");
    assert_eq!(core.call("chats.create", json!({})).await["model"], "locked/a");
}

#[tokio::test]
async fn requests_come_in_pages_that_can_be_searched() {
    let core = Core::start().await;
    core.answer("Explain tea", "rehearsal/fast").await;
    core.answer("Explain coffee", "rehearsal/fast").await;
    let page = core.call("requests.list", json!({"limit": 1})).await;
    assert_eq!((page["rows"].as_array().unwrap().len(), &page["has_more"]), (1, &json!(true)));
    let newest = &page["rows"][0];
    assert_eq!((&newest["status"], &newest["operation"]), (&json!("ok"), &json!("chat")));
    let before = json!({"started_at": newest["started_at"], "id": newest["id"]});
    let rest = core.call("requests.list", json!({"limit": 9, "before": before})).await;
    assert_eq!((rest["rows"].as_array().unwrap().len(), &rest["has_more"]), (1, &json!(false)));
    assert_ne!(rest["rows"][0]["id"], newest["id"]);

    let nothing = json!({"terms": [{"field": "provider", "value": "rehearsal", "is_not": true}]});
    assert_eq!(core.call("requests.list", json!({"limit": 9, "filter": nothing})).await["rows"], json!([]));
    assert_eq!(core.call("requests.totals", nothing).await["requests"], 0);
    let totals = core.call("requests.totals", json!({})).await;
    assert_eq!(totals, json!({"requests": 2, "cost_picousd": 0, "unknown": 0}));
    let refused = core.ask("requests.list", json!({"limit": 0})).await.unwrap_err();
    assert_eq!(refused.kind, ControlErrorKind::Invalid);

    let whole = core.call("requests.get", json!({"id": newest["id"]})).await;
    assert_eq!((&whole["operation"], &whole["tool_failures"]), (&json!("chat"), &json!([])));
    assert!(whole["chat_id"].is_string() && whole["attempts"][0]["usage"]["input"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_request_that_went_on_elsewhere_is_on_the_timeline_with_its_cause() {
    let settings = "[discovery]\nenabled = false\n\n[[provider]]\nid = \"dead\"\n\
                    kind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:9/v1\"\nkey = \"none\"\n\n\
                    [[route]]\nname = \"deep\"\ntargets = [{ provider = \"dead\", model = \"m\" }, \
                    { provider = \"rehearsal\", model = \"fast\" }]\n";
    let core = Core::start_with(settings).await;
    let answer = core.answer("Explain tea", "deep").await;
    let switches = core.call("requests.switches", json!({"minutes": 60, "limit": 10})).await;
    let switches = switches.as_array().unwrap();
    assert_eq!(switches.len(), 1, "{switches:?}");
    let seen = &switches[0];
    assert_eq!((&seen["from_provider"], &seen["to_provider"]), (&json!("dead"), &json!("rehearsal")));
    assert_eq!((&seen["error_kind"], &seen["is_saved"]), (&json!("network"), &json!(true)));
    assert_eq!(seen["request_id"].as_str(), answer.request_id.as_deref());
    let tried = json!({"terms": [{"field": "tried", "value": "dead"}]});
    let page = core.call("requests.list", json!({"limit": 9, "filter": tried})).await;
    assert_eq!((&page["rows"][0]["switches"], &page["rows"][0]["route"]), (&json!(1), &json!("deep")));
}

#[tokio::test]
async fn a_route_is_changed_in_the_settings_and_its_comments_stay() {
    let settings = "[discovery]\nenabled = false\n\n# The good one.\n[[route]]\nname = \"deep\" # mine\n\
                    targets = [{ provider = \"rehearsal\", model = \"fast\" }, { provider = \"rehearsal\", model = \"steady\" }]\n";
    let core = Core::start_with(settings).await;
    let before = core.call("routes.list", json!({})).await;
    assert_eq!((&before[0]["strategy"], &before[0]["on_break"]), (&json!("priority"), &json!("end")));
    let target = |model: &str| json!({"provider": "rehearsal", "model": model});
    let save = json!({"name": "deep", "strategy": "priority", "tool_check": "retry",
                      "targets": [target("steady"), target("fast")]});
    core.call("routes.save", save).await;
    let after = core.call("routes.list", json!({})).await;
    assert_eq!(
        (&after[0]["targets"][0]["model"], &after[0]["tool_check"]),
        (&json!("steady"), &json!("retry"))
    );
    let text = core.call("settings.get", json!({})).await["text"].as_str().unwrap().to_owned();
    assert!(text.contains("# The good one.") && text.contains("# mine"), "{text}");

    // Left out, a key stays; an empty text takes it away.
    core.call("routes.save", json!({"name": "deep", "tool_check": ""})).await;
    assert_eq!(core.call("routes.list", json!({})).await[0]["tool_check"], Value::Null);

    let wrong = json!({"name": "deep", "strategy": "roulette", "targets": [target("fast")]});
    let refused = core.ask("routes.save", wrong).await.unwrap_err();
    assert_eq!(refused.kind, ControlErrorKind::Settings);
    assert_eq!(
        core.call("routes.list", json!({})).await[0]["targets"].as_array().unwrap().len(),
        2,
        "all or nothing"
    );
    let gone = core.ask("routes.save", json!({"name": "nobody", "strategy": "priority"})).await.unwrap_err();
    assert_eq!(gone.kind, ControlErrorKind::NotFound);

    core.call("routes.save", json!({"name": "new", "targets": [target("fast")]})).await;
    core.call("routes.remove", json!({"id": "deep"})).await;
    let left = core.call("routes.list", json!({})).await;
    assert_eq!((left.as_array().unwrap().len(), &left[0]["name"]), (1, &json!("new")));
}

#[tokio::test]
async fn a_target_is_probed_parked_and_taken_out_by_hand() {
    let core = Core::start().await;
    let fast = json!({"provider": "rehearsal", "model": "fast"});
    let with = |more: Value| {
        let mut args = fast.clone();
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        args
    };
    let probe = core.call("routing.probe", fast.clone()).await;
    assert_eq!((&probe["ok"], &probe["error"]), (&json!(true), &Value::Null), "{probe}");
    let request = core.call("requests.get", json!({"id": probe["request_id"]})).await;
    assert_eq!((&request["client"], &request["model"]), (&json!("probe"), &json!("fast")), "{request}");
    assert_eq!(request["decision"]["steps"][0]["what"], "asked", "why it went there stands with it");

    core.call("routing.park", with(json!({"minutes": 5}))).await;
    let parked = core.call("routing.view", json!({})).await;
    let place = &parked["targets"][0];
    assert_eq!((&place["model"], &place["against"]), (&json!("fast"), &json!("parked")), "{parked}");
    assert!(place["opens_in_ms"].as_u64().unwrap() > 4 * 60_000);
    assert_eq!(core.call("health.list", json!({"minutes": 5})).await[0]["lamp"], "parked");
    assert_eq!(core.call("app.status", json!({})).await["worst_lamp"], "parked");
    core.call("routing.park", fast.clone()).await;
    assert_eq!(core.call("routing.view", json!({})).await["targets"][0]["against"], Value::Null);

    core.call("routing.drain", with(json!({"is_drained": true}))).await;
    assert_eq!(core.call("health.list", json!({"minutes": 5})).await[0]["lamp"], "parked");
    let refused = core.ask("routing.probe", fast.clone()).await.unwrap_err();
    assert_eq!(refused.kind, ControlErrorKind::Invalid, "what is taken out is put back first");
    core.call("routing.drain", with(json!({"is_drained": false}))).await;
    assert_eq!(core.call("routing.probe", fast).await["ok"], true);

    let long =
        core.ask("routing.park", json!({"provider": "rehearsal", "model": "fast", "minutes": 0})).await;
    assert_eq!(long.unwrap_err().kind, ControlErrorKind::Invalid);
    let nobody = core.ask("routing.probe", json!({"provider": "nobody", "model": "m"})).await;
    assert_eq!(nobody.unwrap_err().kind, ControlErrorKind::NotFound);
}
