//! Text → [`Config`]. Reads the whole file before it complains, so one look shows every problem.

mod budgets;
mod conditions;
mod policy;
mod reader;
mod routes;
mod values;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use catalog::{Kinds, Values, Variable};
use checking::Mode;
use serde::Deserialize as _;
use toml::Spanned;
use toml::de::DeTable;
use wire::{Profile, ProtocolId};

use super::{
    CheckModes, Config, ConfigProblem, DEFAULT_LISTEN, KeySource, Limits, ProviderConfig, REHEARSAL_ID,
    Timeouts,
};
use reader::{Reader, Table, line_of, problem};

const ROOT_KEYS: &[&str] =
    &["port", "provider", "route", "limit", "budget", "routing", "checks", "timeouts", "limits", "discovery"];
const PORT_KEYS: &[&str] = &["listen"];
const DISCOVERY_KEYS: &[&str] = &["enabled"];
const CHECK_KEYS: &[&str] = &["tools", "output"];
const TIMEOUT_KEYS: &[&str] = &["connect", "first_byte", "first_content", "idle", "total"];
const LIMIT_KEYS: &[&str] = &["max_body_bytes"];

/// The smallest body limit still lets an ordinary request through; requests are held in memory whole.
const BODY_BYTES: RangeInclusive<u64> = 1024..=1 << 30;

/// The settings that `text` says, or everything that is wrong with it, in the order of its lines.
/// `kinds` are the vendors that it may name.
pub fn parse(text: &str, kinds: &Kinds) -> Result<Config, Vec<ConfigProblem>> {
    let document = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        vec![problem(line, None, format!("This is not TOML: {}.", error.message().trim_end_matches('.')))]
    })?;
    let mut reader = Reader { text, problems: Vec::new() };
    let config = reader.config(document.get_ref(), kinds);
    if reader.problems.is_empty() {
        return Ok(config);
    }
    reader.problems.sort_by_key(|problem| problem.line);
    Err(reader.problems)
}

/// A loopback address to listen on, or why it is none.
pub fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    }
    .parse()
    .map_err(|_| {
        format!("\"{text}\" is no address to listen on. Write an IP address and a port, like \"{DEFAULT_LISTEN}\".")
    })?;
    if !address.ip().is_loopback() {
        return Err(format!(
            "\"{text}\" could be reached from other machines. Signalbox listens on this machine only: \
             use 127.0.0.1 or [::1]."
        ));
    }
    Ok(address)
}

/// The known name most like `name`, if one is alike at all.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (likeness(&name, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}

/// From 0 to 1. Two letters that changed places count as near even in a name of three, for which
/// Jaro and Winkler look at no neighbouring letter.
fn likeness(name: &str, candidate: &str) -> f64 {
    let likeness = strsim::jaro_winkler(name, candidate);
    if strsim::osa_distance(name, candidate) == 1 { likeness.max(0.9) } else { likeness }
}

impl Reader<'_> {
    fn config(&mut self, root: &Table<'_>, kinds: &Kinds) -> Config {
        self.refuse_unknown(root, "", ROOT_KEYS);
        let port = self.table(root, "port").inspect(|table| self.refuse_unknown(table, "port", PORT_KEYS));
        let providers = self.providers(root, kinds);
        let routes = self.routes(root, &providers);
        let policy = self.policy(root, &providers, &routes, kinds);
        Config {
            listen: self.listen(port),
            routes,
            policy: Arc::new(policy),
            providers,
            checks: self.checks(root),
            timeouts: self.timeouts(root),
            limits: self.limits(root),
            looks_for_servers: self.discovery(root),
        }
    }

    fn listen(&mut self, port: Option<&Table<'_>>) -> SocketAddr {
        let default = Config::default().listen;
        let Some((text, span)) = port.and_then(|port| self.text_at(port, "listen", "port.listen")) else {
            return default;
        };
        parse_listen(&text).unwrap_or_else(|message| {
            self.report(&span, "port.listen", message);
            default
        })
    }

    // === Providers ===

    fn providers(&mut self, root: &Table<'_>, kinds: &Kinds) -> Vec<ProviderConfig> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut providers = Vec::new();
        for (table, span) in self.tables(root, "provider") {
            let Some(provider) = self.provider(table, &span, kinds) else { continue };
            let line = self.line(&span);
            if provider.id == REHEARSAL_ID {
                self.report(
                    &span,
                    "provider.id",
                    format!("The id \"{REHEARSAL_ID}\" belongs to the built-in rehearsal provider. Choose another."),
                );
            } else if let Some(first) = seen.insert(provider.id.clone(), line) {
                self.report(
                    &span,
                    "provider.id",
                    format!(
                        "The provider id \"{}\" is used twice; the first is on line {first}.",
                        provider.id
                    ),
                );
            }
            providers.push(provider);
        }
        providers
    }

    fn provider(&mut self, table: &Table<'_>, span: &Range<usize>, kinds: &Kinds) -> Option<ProviderConfig> {
        let named = table.get("kind").and_then(|kind| kinds.get(kind.get_ref().as_str()?));
        let variables = named.map_or(&[][..], |spec| &spec.variables);
        let own = variables.iter().map(|variable| variable.name.as_str());
        let known: Vec<&str> = catalog::SETTINGS_KEYS.into_iter().chain(own).collect();
        self.refuse_unknown(table, "provider", &known);
        let id = self.required(table, span, "id", "provider.id");
        let kind = self.required(table, span, "kind", "provider.kind");
        let base_url = self.base_url(table);
        let protocol = self.protocol(table);
        let key = self.key(table);
        let models = self.models(table);
        let variables = self.variables(table, variables);
        let profiles = self.profiles(table);
        let ((id, id_span), (kind, kind_span)) = (id?, kind?);
        if !is_id(&id) {
            self.report(
                &id_span,
                "provider.id",
                format!("\"{id}\" cannot be an id: use letters, digits, \"-\", \"_\" and \".\"."),
            );
        }
        let known = kinds.iter().filter(|spec| !spec.is_in_process);
        let Some(spec) = known.clone().find(|spec| spec.id == kind) else {
            let nearest = nearest(&kind, known.map(|spec| spec.id.as_str()));
            self.report_nearest(
                &kind_span,
                "provider.kind",
                format!("There is no provider kind \"{kind}\" (\"openai-compatible\" takes any base_url)."),
                nearest,
            );
            return None;
        };
        if spec.needs_base_url() && base_url.is_none() {
            let example = spec.base_url_example.as_deref().unwrap_or("https://…");
            self.report(
                span,
                "provider.base_url",
                format!("The provider \"{id}\" needs a base_url, like \"{example}\"."),
            );
        }
        for variable in spec.missing(protocol.unwrap_or(spec.protocol), base_url.as_deref(), &variables) {
            let (name, example) = (&variable.name, variable.example.as_deref().unwrap_or("…"));
            let message = format!("The provider \"{id}\" needs {name} = \"{example}\" ({}).", variable.label);
            self.report(span, &format!("provider.{name}"), message);
        }
        let key = key.unwrap_or(if spec.needs_key() { KeySource::Keychain } else { KeySource::None });
        Some(ProviderConfig { id, kind, base_url, protocol, key, models, variables, profiles })
    }

    fn variables(&mut self, table: &Table<'_>, variables: &[Variable]) -> Values {
        let mut values = Values::new();
        for Variable { name, label, .. } in variables {
            let key = format!("provider.{name}");
            if !table.contains_key(name.as_str()) {
                continue;
            }
            // Refused or not: present, so that nothing complains of its absence as well.
            let Some((text, span)) = self.text_at(table, name, &key) else {
                values.insert(name.clone(), String::new());
                continue;
            };
            if !catalog::is_value(&text) {
                let message =
                    format!("\"{text}\" cannot be the {label}: use letters, digits, \"-\", \"_\" and \".\".");
                self.report(&span, &key, message);
            }
            values.insert(name.clone(), text);
        }
        values
    }

    fn base_url(&mut self, table: &Table<'_>) -> Option<String> {
        let (text, span) = self.text_at(table, "base_url", "provider.base_url")?;
        match values::base_url(&text) {
            Ok(url) => return Some(url),
            Err(message) => self.report(&span, "provider.base_url", message),
        }
        // Refused already; present, so that nothing complains of its absence as well.
        Some(text)
    }

    fn protocol(&mut self, table: &Table<'_>) -> Option<ProtocolId> {
        let (name, span) = self.text_at(table, "protocol", "provider.protocol")?;
        let protocol = ProtocolId::from_name(&name);
        if protocol.is_none() {
            let nearest = nearest(&name, ProtocolId::ALL.map(ProtocolId::as_str));
            let message = format!("There is no protocol \"{name}\". {}", spoken_list());
            self.report_nearest(&span, "provider.protocol", message, nearest);
        }
        protocol
    }

    fn key(&mut self, table: &Table<'_>) -> Option<KeySource> {
        let (text, span) = self.text_at(table, "key", "provider.key")?;
        let source = values::key_source(&text);
        if text == "env:" {
            let message = "The name of the key's environment variable is missing: write \"env:NAME\".";
            self.report(&span, "provider.key", message.to_owned());
        } else if source.is_none() {
            // Never quoted: it may be the key itself.
            self.report(
                &span,
                "provider.key",
                "A key is given as \"keychain\", \"env:NAME\" or \"none\", never as the key itself. If a real key \
                 stood here, treat it as seen and make a new one."
                    .to_owned(),
            );
        }
        source
    }

    fn models(&mut self, table: &Table<'_>) -> Vec<String> {
        let Some(value) = table.get("models") else { return Vec::new() };
        let names = value.get_ref().as_array().map(|array| {
            array.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        names.flatten().unwrap_or_else(|| {
            let message = "models is a list of model names: [\"name\", …].".to_owned();
            self.report(&value.span(), "provider.models", message);
            Vec::new()
        })
    }

    fn profiles(&mut self, table: &Table<'_>) -> Vec<Profile> {
        let keys = Profile::keys();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut profiles = Vec::new();
        for (table, span) in self.tables(table, "profile") {
            let before = self.problems.len();
            self.refuse_unknown(table, "provider.profile", &keys);
            if self.problems.len() > before {
                continue;
            }
            let read =
                Profile::deserialize(toml::de::Deserializer::from(Spanned::new(span.clone(), table.clone())));
            match read {
                Ok(profile) => match profile.fault() {
                    Some(fault) => self.report(&span, "provider.profile", format!("{fault}.")),
                    None => profiles.push(profile),
                },
                Err(error) => {
                    let at = error.span().unwrap_or(span);
                    let message = format!("{}.", error.message().trim_end_matches('.'));
                    let nearest = catalog::meant_variant(error.message());
                    self.report_nearest(&at, "provider.profile", message, nearest);
                }
            }
        }
        profiles
    }

    /// A mode of the checks.
    fn mode(&mut self, table: &Table<'_>, name: &str, key: &str) -> Option<Mode> {
        let (word, span) = self.text_at(table, name, key)?;
        let mode = Mode::from_name(&word);
        if mode.is_none() {
            let known = Mode::ALL.map(Mode::as_str);
            let message = format!("There is no check \"{word}\"; there are: {}.", known.join(", "));
            self.report_nearest(&span, key, message, nearest(&word, known));
        }
        mode
    }

    // === Checks, timeouts and limits ===

    fn checks(&mut self, root: &Table<'_>) -> CheckModes {
        let Some(table) = self.table(root, "checks") else { return CheckModes::default() };
        self.refuse_unknown(table, "checks", CHECK_KEYS);
        CheckModes {
            tools: self.mode(table, "tools", "checks.tools").unwrap_or_default(),
            output: self.mode(table, "output", "checks.output").unwrap_or_default(),
        }
    }

    fn timeouts(&mut self, root: &Table<'_>) -> Timeouts {
        let mut timeouts = Timeouts::default();
        let Some(table) = self.table(root, "timeouts") else { return timeouts };
        self.refuse_unknown(table, "timeouts", TIMEOUT_KEYS);
        for (name, field) in [
            ("connect", &mut timeouts.connect),
            ("first_byte", &mut timeouts.first_byte),
            ("first_content", &mut timeouts.first_content),
            ("idle", &mut timeouts.idle),
            ("total", &mut timeouts.total),
        ] {
            let key = format!("timeouts.{name}");
            if let Some(duration) = self.duration(table, name, &key) {
                *field = duration;
            }
        }
        timeouts
    }

    fn discovery(&mut self, root: &Table<'_>) -> bool {
        let Some(table) = self.table(root, "discovery") else { return true };
        self.refuse_unknown(table, "discovery", DISCOVERY_KEYS);
        self.flag(table, "enabled", "discovery.enabled").unwrap_or(true)
    }

    fn limits(&mut self, root: &Table<'_>) -> Limits {
        let mut limits = Limits::default();
        let Some(table) = self.table(root, "limits") else { return limits };
        self.refuse_unknown(table, "limits", LIMIT_KEYS);
        if let Some(bytes) = self.whole(table, "max_body_bytes", "limits.max_body_bytes", BODY_BYTES) {
            limits.max_body_bytes = bytes as usize;
        }
        limits
    }
}

fn is_id(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn spoken_list() -> String {
    let names: Vec<&str> = ProtocolId::ALL.into_iter().map(ProtocolId::as_str).collect();
    format!("This version speaks: {}.", names.join(", "))
}

#[cfg(test)]
mod tests;
