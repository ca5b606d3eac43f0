//! Damaged streams to be asked for: a seeded draw from every recorded stream of every protocol, and
//! the provider on loopback that answers a request with the case that its model names.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Result;

use crate::corpus::{self, Record};
use crate::damaged::{Damaged, Expected, Kind, damage};
use crate::laws::Chance;
use crate::quirks::kind_for;
use crate::reading::at_client;
use crate::upstream::{Step, Upstream};

/// All that Signalbox speaks to providers.
pub const PROTOCOLS: [&str; 7] = [
    "openai-chat",
    "anthropic-messages",
    "gemini-generate",
    "openai-responses",
    "bedrock-converse",
    "cohere-chat",
    "ollama-chat",
];

/// Streams that are left out, by a piece of their id, and why.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("anthropic-programmatic-tool-calling.1.chunks", "fifteen answers strung together in one fixture"),
    ("azure-reasoning-encrypted-content.1.chunks", "four answers strung together in one fixture"),
    ("spliced-message-start.chunks", "two answers spliced: the first is cut, as the record stands"),
];

/// Every usable recorded stream, by protocol.
pub type Streams = BTreeMap<&'static str, Vec<Arc<Record>>>;

/// `None` where the corpus is absent.
pub fn streams() -> Option<Streams> {
    let mut streams = Streams::new();
    for protocol in PROTOCOLS {
        let records = match protocol {
            // Ollama's own chat lies in a file with other APIs.
            "ollama-chat" => corpus::of_wire(protocol)?,
            _ => corpus::records(protocol)?,
        };
        streams.insert(protocol, records.into_iter().filter(is_usable).map(Arc::new).collect());
    }
    Some(streams)
}

#[derive(Debug)]
pub struct Case {
    pub protocol: &'static str,
    /// The id of its provider in the settings.
    pub provider: String,
    pub record: Arc<Record>,
    pub kind: Kind,
    pub form: u8,
}

impl Case {
    pub fn damaged(&self) -> Option<Damaged> {
        damage(&self.record, self.protocol, self.kind, self.form, now())
    }

    /// By which a request names the case.
    pub fn model(&self, number: usize) -> String {
        format!("{}/case-{number}.", self.provider)
    }

    /// Whether the gateway may leave the whole provider alone for a while after it: it was asked to wait,
    /// or the answer itself says that something is wrong with the key or the account. Such a case has a
    /// provider of its own, so that the others are answered.
    fn speaks_against_its_provider(&self) -> bool {
        use Kind as K;
        matches!(self.kind, K::WaitInSeconds | K::WaitInMilliseconds | K::WaitAsDate | K::WaitInBody)
            || at_client::read(self.protocol, &self.record.provider, &self.record.body()).has_failed
    }

    /// What is left is whole all the same ([`at_client`] says when).
    pub fn expects_a_clean_end(&self) -> bool {
        let Some(Damaged { expected: Expected::Reading(text), .. }) = self.damaged() else { return false };
        let answer = at_client::read(self.protocol, &self.record.provider, &text);
        answer.is_whole && !answer.has_failed
    }

    pub fn name(&self) -> String {
        format!("{} ({}), {}, {}", self.kind.name(), self.form, self.record.provider, self.record.id)
    }

    /// By which a report names the case where a client of `dialect` asks for it.
    pub fn title(&self, dialect: &str) -> String {
        format!("{dialect} over {}: {}", self.protocol, self.name())
    }

    /// What the provider says, its bytes as text, for a reader who looks for the cause of a failure.
    pub fn shown(&self) -> String {
        let steps = self.damaged().map(|damaged| damaged.steps).unwrap_or_default();
        let words = steps.iter().map(|step| match step {
            Step::Send(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => format!("{other:?}"),
        });
        words.collect::<Vec<_>>().join("\n")
    }
}

fn is_usable(record: &Record) -> bool {
    record.stream
        && record.response.status < 400
        && !record.body().is_empty()
        // Cohere's first version, which nobody speaks any more.
        && !record.has_tag("wire:cohere-v1-chat")
        && !LEFT_OUT.iter().any(|(piece, _)| record.id.contains(piece))
}

/// A seeded choice of `per_kind` streams of each protocol for each form of each kind of damage; `seed`
/// makes another choice.
pub fn draw(streams: &Streams, per_kind: usize, seed: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in Kind::ALL {
        for (protocol, records) in streams {
            let mut chance = Chance::new(format!("{seed}{kind:?} {protocol}").as_bytes());
            let mut order = records.clone();
            for at in (1..order.len()).rev() {
                order.swap(at, chance.below(at + 1));
            }
            for form in 0..kind.forms(protocol) {
                let mut left = per_kind;
                for record in &order {
                    if left == 0 {
                        break;
                    }
                    let provider = format!("{}-{protocol}", record.provider);
                    let mut case = Case { protocol, provider, record: Arc::clone(record), kind, form };
                    if case.damaged().is_some() {
                        left -= 1;
                        if case.speaks_against_its_provider() {
                            case.provider = format!("{}-alone-{seed}-{}", case.provider, cases.len());
                        }
                        cases.push(case);
                    }
                }
            }
        }
    }
    cases
}

/// What titles are wanted, where not all are: each line of `SIGNALBOX_DAMAGE_ONLY` is a piece of some.
#[derive(Debug, Clone)]
pub struct Only(Option<String>);

impl Only {
    pub fn asked_for() -> Self {
        Self(std::env::var("SIGNALBOX_DAMAGE_ONLY").ok().filter(|only| !only.is_empty()))
    }

    /// Whether somebody looks at single cases.
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    pub fn has(&self, title: &str) -> bool {
        self.0.as_ref().is_none_or(|only| only.lines().any(|piece| title.contains(piece)))
    }
}

/// Answers `case-N.` in a request's path or body with that case.
pub async fn start_upstream(cases: Arc<Vec<Case>>) -> Result<Upstream> {
    let number_in =
        |text: &str| -> Option<usize> { text.split_once("case-")?.1.split_once('.')?.0.parse().ok() };
    Upstream::start_with(move |_, seen| {
        let number = number_in(&seen.line).or_else(|| number_in(&String::from_utf8_lossy(&seen.body)));
        let damaged = number.and_then(|number| cases.get(number)?.damaged());
        // A list of models, for instance, is no case.
        let not_found = || {
            vec![Step::Send(
                b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
            )]
        };
        damaged.map_or_else(not_found, |damaged| damaged.steps)
    })
    .await
}

/// Every provider of the cases, all of them at `url`.
pub fn settings(cases: &[Case], url: &str) -> String {
    let providers: BTreeMap<&str, &Case> = cases.iter().map(|case| (case.provider.as_str(), case)).collect();
    let provider = |(id, case): (&str, &Case)| {
        let (kind, protocol) = (kind_for(&case.record.provider, case.protocol), case.protocol);
        format!(
            "[[provider]]\nid = \"{id}\"\nkind = \"{kind}\"\nprotocol = \"{protocol}\"\n\
             base_url = \"{url}\"\nkey = \"env:SIGNALBOX_DAMAGED_KEY\"\n"
        )
    };
    providers.into_iter().map(provider).collect()
}

/// For a `retry-after` that is a date.
#[expect(clippy::disallowed_methods, reason = "a test's provider has no clock but the system's")]
fn now() -> SystemTime {
    SystemTime::now()
}
