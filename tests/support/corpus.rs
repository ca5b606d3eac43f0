//! The recorded provider traffic beside the project (`../shared/corpus`). Tests that use it skip,
//! and say so, where it is absent: neither the project nor its build needs it.

use std::path::PathBuf;

use base64::Engine as _;
use serde::Deserialize;
use serde_json::Value;
use wire::Headers;

/// One recorded exchange; the corpus' README describes the fields.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    pub id: String,
    pub provider: String,
    pub api: String,
    pub stream: bool,
    #[serde(default)]
    pub tags: Vec<String>,
    /// `None` where the source keeps no request.
    pub request: Option<RecordedRequest>,
    pub response: RecordedResponse,
}

#[derive(Debug, Clone, Deserialize)]
pub struct RecordedRequest {
    pub method: String,
    pub path: String,
    #[serde(default)]
    pub headers: Value,
    pub body: Option<Value>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct RecordedResponse {
    pub status: u16,
    #[serde(default)]
    pub headers: serde_json::Map<String, Value>,
    pub body_text: Option<String>,
    pub body_base64: Option<String>,
}

impl Record {
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|have| have == tag)
    }

    /// The response body as it was sent.
    pub fn body(&self) -> Vec<u8> {
        match (&self.response.body_text, &self.response.body_base64) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(coded)) => {
                base64::engine::general_purpose::STANDARD.decode(coded).unwrap_or_default()
            }
            (None, None) => Vec::new(),
        }
    }

    pub fn headers(&self) -> Headers {
        self.response
            .headers
            .iter()
            .map(|(name, value)| {
                (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            })
            .collect()
    }
}

/// The corpus' folder, or `None` where it is not beside the project.
pub fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus"));
    folder.is_dir().then_some(folder)
}

/// Every record of `api` (a protocol's corpus name), from all providers, or `None` (said on
/// standard error) where the corpus is absent.
pub fn records(api: &str) -> Option<Vec<Record>> {
    ending_with(&format!(".{api}.jsonl"))
}

/// Every record of exactly `wire`, whatever file it lies in: several protocols share the files of
/// `other`. `None` as for [`records`].
pub fn of_wire(wire: &str) -> Option<Vec<Record>> {
    let tag = format!("wire:{wire}");
    let mut records = ending_with(".jsonl")?;
    records.retain(|record| record.has_tag(&tag));
    Some(records)
}

/// Every record there is. `None` as for [`records`].
pub fn every() -> Option<Vec<Record>> {
    ending_with(".jsonl")
}

/// Every record there is. `None` as for [`records`].
pub fn everything() -> Option<Vec<Record>> {
    ending_with(".jsonl")
}

/// As [`records`], each with the text of its request's body, as it stands in the corpus.
pub fn records_with_bodies(api: &str) -> Option<Vec<(Record, Option<String>)>> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        request: Option<Request<'a>>,
    }
    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(borrow)]
        body: Option<&'a serde_json::value::RawValue>,
    }
    let with_body = |line: &str| {
        let request = serde_json::from_str::<Line<'_>>(line).ok().and_then(|line| line.request);
        let body = request.and_then(|request| Some(request.body?.get().to_owned()));
        (parse(line), body.filter(|body| body.starts_with('{')))
    };
    Some(lines_of(&format!(".{api}.jsonl"))?.iter().map(|line| with_body(line)).collect())
}

/// The records of every file whose name ends with `suffix`.
fn ending_with(suffix: &str) -> Option<Vec<Record>> {
    Some(lines_of(suffix)?.iter().map(|line| parse(line)).collect())
}

fn lines_of(suffix: &str) -> Option<Vec<String>> {
    let Some(folder) = folder() else {
        eprintln!("skipped: the recorded corpus is not beside the project (../shared/corpus)");
        return None;
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(suffix)))
        .collect();
    files.sort();
    let texts = files.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    Some(texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect())
}

/// # Panics
/// Where a line is no record: then the corpus is broken and no test of it means anything.
#[expect(clippy::panic, reason = "test support: a broken corpus must stop the test")]
fn parse(line: &str) -> Record {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("corpus line is no record: {error}"))
}
