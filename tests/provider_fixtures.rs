//! A folder in `fixtures/providers` is one recorded exchange of one provider, with its origin. Its
//! stream has to decode as the provider's file says, by the laws that hold for all streams.
//! `cargo xtask new-provider NAME` makes the folder.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails here fails its test")]

use std::fs;
use std::path::{Path, PathBuf};

use signalbox_tests::corpus::{Record, RecordedRequest, RecordedResponse};
use signalbox_tests::laws;

fn folders() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/providers");
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name))
        .unwrap_or_else(|error| panic!("{}: {name}: {error}", folder.display()))
}

#[test]
fn every_provider_with_a_folder_is_a_kind_and_its_recorded_stream_decodes() {
    let folders = folders();
    assert!(!folders.is_empty());
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let kind = catalog::kind(&name).unwrap_or_else(|| panic!("{name} is no kind"));
        let origin: toml::Table = toml::from_str(&text(&folder, "origin.toml")).unwrap();
        for (key, unfilled) in [("recorded_on", "YYYY-MM-DD"), ("source", "WHO")] {
            let said = origin[key].as_str().unwrap();
            assert!(!said.is_empty() && said != unfilled, "{name}: fill in {key}");
        }
        let record = Record {
            id: name.clone(),
            provider: name.clone(),
            api: kind.protocol.to_string(),
            stream: true,
            tags: Vec::new(),
            request: Some(RecordedRequest {
                method: "POST".into(),
                path: String::new(),
                headers: serde_json::Value::Null,
                body: Some(serde_json::from_str(&text(&folder, "request.json")).unwrap()),
            }),
            response: RecordedResponse {
                status: 200,
                headers: serde_json::Map::new(),
                body_text: Some(text(&folder, "stream.sse")),
                body_base64: None,
            },
        };
        let decoded = laws::check(wire::protocol(kind.protocol), &kind.quirks, &record)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(decoded.outcome.is_ok(), "{name}: {:?}", decoded.outcome);
    }
}
