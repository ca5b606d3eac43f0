//! The settings file while the gateway runs.

use std::time::Duration;

use gateway::config::edit::{ProviderEntry, RouteEntry};
use gateway::{ConfigEdit, ConfigError, Event, KeyState, Secret};
use serde_json::json;
use tokio::sync::broadcast::Receiver;

use crate::support::{End, House, PATIENCE, Reply, Upstream, ask, failure, good_answer, provider, words};

async fn reread(events: &mut Receiver<Event>) -> Option<String> {
    let wait = async {
        loop {
            if let Event::ConfigChanged { error } = events.recv().await.unwrap() {
                return error;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the change was not noticed")
}

#[tokio::test]
async fn a_change_on_disk_counts_and_a_bad_one_leaves_the_last_good_settings() {
    let house = House::with("").await;
    let good = std::fs::read_to_string(&house.config_path).unwrap();
    let mut events = house.gateway.subscribe();

    std::fs::write(&house.config_path, format!("{good}[timeouts]\nidle = \"7s\"\n")).unwrap();
    assert_eq!(reread(&mut events).await, None);
    assert_eq!(house.gateway.config().timeouts.idle, Duration::from_secs(7));

    std::fs::write(&house.config_path, format!("{good}[timeouts]\nidel = \"9s\"\n")).unwrap();
    let error = reread(&mut events).await.unwrap();
    assert!(
        error.contains("line 4") && error.contains("`idel`") && error.contains("Did you mean `idle`?"),
        "{error}"
    );
    assert_eq!(house.gateway.config().timeouts.idle, Duration::from_secs(7));
    let problems = house.gateway.config_error().unwrap();
    assert_eq!((problems.problems()[0].line, problems.problems()[0].nearest.as_deref()), (4, Some("idle")));
    assert_eq!(house.get("/healthz").await.status(), 200);

    // Editors put a new file in the place of the old one.
    let beside = house.config_path.with_extension("new");
    std::fs::write(&beside, &good).unwrap();
    std::fs::rename(&beside, &house.config_path).unwrap();
    assert_eq!(reread(&mut events).await, None);
    assert!(house.gateway.config_error().is_none());
}

#[cfg(unix)]
#[tokio::test]
async fn settings_behind_a_link_are_watched_and_stay_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let (real, good) = (folder.path().join("real/dotfiles.toml"), "# mine\n".to_owned());
    std::fs::create_dir(folder.path().join("real")).unwrap();
    std::fs::write(&real, &good).unwrap();
    let link = folder.path().join("link.toml");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let mut watch = gateway::config::watch::Watch::start(&link, &folder.path().join("providers")).unwrap();
    std::fs::write(&real, format!("{good}# more\n")).unwrap();
    tokio::time::timeout(PATIENCE, watch.changed()).await.unwrap().unwrap();
    gateway::config::edit::write(&link, &good).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::read_to_string(&real).unwrap(), good);
}

#[tokio::test]
async fn an_edit_from_the_window_holds_at_once_and_keeps_the_comments() {
    let upstream = Upstream::with([good_answer("hi")]).await;
    let house = House::with("# Mine, do not lose.\n[timeouts] # all of them\nidle = \"7s\" # short\n").await;
    let entry = ProviderEntry {
        id: "new".into(),
        kind: "openai-compatible".into(),
        base_url: Some(upstream.url.clone()),
        key: Some("none".into()),
        ..ProviderEntry::default()
    };
    house.gateway.edit_config(ConfigEdit::PutProvider(entry)).await.unwrap();
    let route = RouteEntry {
        name: "r".into(),
        strategy: "priority".into(),
        targets: vec![("new".into(), "m".into())],
        tool_check: None,
        output_check: None,
    };
    house.gateway.edit_config(ConfigEdit::PutRoute(route)).await.unwrap();
    assert_eq!(house.post(&ask("r", false)).await.status(), 200);
    let text = house.gateway.config_text().await.unwrap();
    for kept in ["# Mine, do not lose.", "[timeouts] # all of them", "idle = \"7s\" # short"] {
        assert!(text.contains(kept), "{text}");
    }
}

#[tokio::test]
async fn changes_made_at_the_same_time_are_all_kept() {
    let house = House::with("").await;
    let edits = (0..20).map(|number| {
        let entry =
            ProviderEntry { id: format!("p{number}"), kind: "openai".into(), ..ProviderEntry::default() };
        house.gateway.edit_config(ConfigEdit::PutProvider(entry))
    });
    for result in futures_util::future::join_all(edits).await {
        result.unwrap();
    }
    assert_eq!(house.gateway.config().providers.len(), 20);
}

#[tokio::test]
async fn text_that_does_not_parse_is_refused_and_not_written() {
    let house = House::with("").await;
    let before = std::fs::read_to_string(&house.config_path).unwrap();
    let error = house.gateway.set_config_text("[port]\nlisten = 5\n").await.unwrap_err();
    assert!(matches!(error, ConfigError::Invalid { .. }));
    assert_eq!(error.problems()[0].line, 2);
    assert_eq!(std::fs::read_to_string(&house.config_path).unwrap(), before);
    assert!(house.gateway.config_error().is_none());

    let text = format!("{before}# A word.\n[timeouts]\nidle = \"8s\"\n");
    house.gateway.set_config_text(&text).await.unwrap();
    assert_eq!(house.gateway.config().timeouts.idle, Duration::from_secs(8));
    assert_eq!(house.gateway.config_text().await.unwrap(), text);
}

#[tokio::test]
async fn a_key_goes_to_the_keychain_is_used_and_stands_in_no_file() {
    let upstream = Upstream::with([]).await;
    let settings = format!("[[provider]]\nid = \"a\"\nkind = \"openai\"\nbase_url = \"{}\"\n", upstream.url);
    let house = House::with(&settings).await;
    assert_eq!(house.gateway.key_status("a").await.unwrap().state, KeyState::Missing);
    house.gateway.set_key("a", Secret::new("sk-never-on-disk").unwrap()).await.unwrap();
    assert_eq!(house.gateway.key_status("a").await.unwrap().state, KeyState::Present);
    house.post(&ask("a/gpt-4o", false)).await;
    house.gateway.ledger().flush().await.unwrap();
    for entry in std::fs::read_dir(house.gateway.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        // The folder for provider files is empty.
        let bytes = if path.is_dir() { Vec::new() } else { std::fs::read(path).unwrap() };
        assert!(!bytes.windows(16).any(|window| window == b"sk-never-on-disk"));
    }
}

#[tokio::test]
async fn a_key_that_a_provider_repeats_goes_no_further() {
    const KEY: &str = "sk-repeated-by-a-relay";
    let refusal = || failure(401, &format!("Incorrect API key provided: Bearer {KEY}."));
    let broken = format!("data: {}\n\n", json!({ "error": { "message": format!("{KEY} ran out") } }));
    let upstream = Upstream::with([
        refusal(),
        refusal(),
        Reply::Stream { pieces: vec![words("half "), broken], end: End::Close },
        refusal(),
    ])
    .await;
    let settings = format!("[[provider]]\nid = \"a\"\nkind = \"openai\"\nbase_url = \"{}\"\n", upstream.url);
    let house = House::with(&settings).await;
    for is_stream in [false, true, true] {
        // A key that was refused is left alone for a while, until there is another.
        house.gateway.set_key("a", Secret::new(KEY).unwrap()).await.unwrap();
        let told = house.post(&ask("a/m", is_stream)).await.text().await.unwrap();
        assert!(told.contains("•••") && !told.contains(KEY), "{told}");
    }
    let tested = house.gateway.test_provider("a").await.result.unwrap_err().message;
    assert!(tested.contains("•••") && !tested.contains(KEY), "{tested}");
    house.gateway.ledger().flush().await.unwrap();
    for entry in std::fs::read_dir(house.gateway.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        // The folder for provider files is empty.
        let bytes = if path.is_dir() { Vec::new() } else { std::fs::read(path).unwrap() };
        assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()));
    }
}

#[tokio::test]
async fn each_protocol_is_signed_and_addressed_as_its_vendor_wants_it() {
    for (kind, header, value, path) in [
        ("openai", "authorization", "Bearer sk-secret-1", "/v1/chat/completions"),
        ("anthropic", "x-api-key", "sk-secret-1", "/v1/messages"),
        ("google", "x-goog-api-key", "sk-secret-1", "/v1beta/models/m:streamGenerateContent?alt=sse"),
    ] {
        let upstream = Upstream::with([failure(400, "no")]).await;
        let settings =
            format!("[[provider]]\nid = \"a\"\nkind = \"{kind}\"\nbase_url = \"{}\"\n", upstream.url);
        let house = House::with(&settings).await;
        house.gateway.set_key("a", Secret::new("sk-secret-1").unwrap()).await.unwrap();
        assert_eq!(house.post(&ask("a/m", true)).await.status(), 400, "{kind}");
        let (asked, headers) = upstream.heads().remove(0);
        assert_eq!(asked, path, "{kind}");
        assert_eq!(headers[header], value, "{kind}");
        assert_eq!(headers["accept-encoding"], "identity", "{kind}");
        let row = format!("{:?}", house.last_request().await);
        assert!(!row.contains("sk-secret-1"), "{row}");
    }
}

#[tokio::test]
async fn a_provider_is_tested_by_asking_for_its_models() {
    let list = crate::support::Reply::Whole {
        status: 200,
        headers: vec![],
        body: r#"{"object":"list","data":[{"id":"m1","object":"model"},{"id":"m2","object":"model"}]}"#
            .into(),
    };
    let upstream = Upstream::with([list]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    assert_eq!(house.gateway.test_provider("a").await.result, Ok(2));
    let names: Vec<String> =
        house.gateway.known_models("a").unwrap().into_iter().map(|model| model.model).collect();
    assert_eq!(names, ["m1", "m2"]);
    assert!(house.gateway.test_provider("a").await.result.is_err(), "the second time it answers 500");
    assert!(house.gateway.test_provider("nobody").await.result.is_err());
    assert!(house.gateway.test_provider("rehearsal").await.result.unwrap() > 0);
}
