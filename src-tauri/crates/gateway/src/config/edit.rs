//! Changes to the settings file that keep its comments, and the one way to write it.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use catalog::{Kinds, Values};
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, value};

use super::{Config, ConfigError, EXAMPLE, RouteConfig, parse};

/// One change to the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigEdit {
    /// Adds the provider, or replaces the one of this id. Keys not named here stay as they are.
    PutProvider(ProviderEntry),
    RemoveProvider {
        id: String,
    },
    SetListen {
        address: String,
    },
    /// Adds the route, or replaces the one of this name.
    PutRoute(RouteEntry),
    RemoveRoute {
        name: String,
    },
    /// Keys of a route that hold a text; `None` takes one away.
    SetRouteKeys {
        name: String,
        keys: Vec<(RouteKey, Option<String>)>,
    },
    /// All of these, one after the other, or none.
    All(Vec<ConfigEdit>),
}

/// What of a route is one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKey {
    Strategy,
    OnBreak,
    Sticky,
    Hedge,
    Total,
    FirstContent,
    ToolCheck,
    OutputCheck,
}

impl RouteKey {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Strategy => "strategy",
            Self::OnBreak => "on_break",
            Self::Sticky => "sticky",
            Self::Hedge => "hedge",
            Self::Total => "total",
            Self::FirstContent => "first_content",
            Self::ToolCheck => "tool_check",
            Self::OutputCheck => "output_check",
        }
    }
}

/// A provider as the file will say it; `None` leaves the key out (and takes an old one away).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderEntry {
    pub id: String,
    pub kind: String,
    pub base_url: Option<String>,
    pub protocol: Option<String>,
    /// `keychain`, `env:NAME` or `none`.
    pub key: Option<String>,
    /// What the kind asks every user for. Those of the kind that are not here are taken away.
    pub variables: Values,
}

/// A route as the file will say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteEntry {
    pub name: String,
    pub strategy: String,
    /// Provider and model.
    pub targets: Vec<(String, String)>,
    /// `None` leaves what the file says.
    pub tool_check: Option<String>,
    /// Likewise.
    pub output_check: Option<String>,
}

/// `text` with the change made, comments and order kept. The result parses as settings.
///
/// # Errors
/// `Invalid` where the text was wrong before or is after; `Edit` where the change names what is
/// not there, or takes away what is still used.
pub fn apply(
    path: &Path,
    text: &str,
    edit: &ConfigEdit,
    kinds: &Kinds,
) -> Result<(String, Config), ConfigError> {
    let before = parse_text(path, text, kinds)?;
    // What parses as settings is TOML.
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| ConfigError::Edit(error.message().to_owned()))?;
    match edit {
        ConfigEdit::PutProvider(entry) => put_provider(&mut document, entry, kinds)?,
        ConfigEdit::RemoveProvider { id } => {
            refuse_while_used(&before, id)?;
            remove(&mut document, "provider", "id", id)?;
        }
        ConfigEdit::SetListen { address } => set_listen(&mut document, address),
        ConfigEdit::PutRoute(entry) => put_route(&mut document, entry, &before)?,
        ConfigEdit::RemoveRoute { name } => remove(&mut document, "route", "name", name)?,
        ConfigEdit::SetRouteKeys { name, keys } => {
            let table = find_or_add(&mut document, "route", "name", name)?;
            for (key, text) in keys {
                set_key(table, key.as_str(), text.as_deref());
                if *key == RouteKey::Strategy && text.as_deref() != Some("score") {
                    // Its weights would mean nothing.
                    table.remove("score");
                }
            }
        }
        ConfigEdit::All(edits) => {
            let mut made = (text.to_owned(), before);
            for edit in edits {
                made = apply(path, &made.0, edit, kinds)?;
            }
            return Ok(made);
        }
    }
    let text = document.to_string();
    let config = parse_text(path, &text, kinds)?;
    Ok((text, config))
}

/// Reads the settings file. Where there is none, the example is written and read.
pub fn read_or_create(path: &Path) -> Result<String, ConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            write(path, EXAMPLE)?;
            Ok(EXAMPLE.to_owned())
        }
        Err(error) => Err(io(path, "read", &error)),
    }
}

/// Replaces the file's content in one step: whoever reads it sees the old text or the new one, and
/// after a power cut one of both is there.
pub fn write(path: &Path, text: &str) -> Result<(), ConfigError> {
    // A link stays a link: people keep their settings in a repository of their own.
    let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{name}.new"));
    let written = std::fs::create_dir_all(folder).and_then(|()| {
        let mut file = File::create(&beside)?;
        if let Ok(existing) = std::fs::metadata(path) {
            file.set_permissions(existing.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        // The rename itself has to survive a power cut; where a folder cannot be opened (Windows),
        // the system does so by itself.
        File::open(folder).and_then(|folder| folder.sync_all()).or(Ok(()))
    });
    written.map_err(|error: std::io::Error| {
        // Nothing of value is in it.
        let _ = std::fs::remove_file(&beside);
        io(path, "written", &error)
    })
}

/// The settings in `text`, which may name `kinds`.
pub fn parse_text(path: &Path, text: &str, kinds: &Kinds) -> Result<Config, ConfigError> {
    parse::parse(text, kinds).map_err(|problems| ConfigError::Invalid { path: path.to_owned(), problems })
}

fn io(path: &Path, deed: &'static str, error: &std::io::Error) -> ConfigError {
    ConfigError::Io { path: path.to_owned(), deed, detail: error.to_string() }
}

fn refuse_while_used(config: &Config, provider: &str) -> Result<(), ConfigError> {
    let users: Vec<&str> = config
        .routes
        .iter()
        .filter(|route| route.route.targets.iter().any(|it| it.target.provider == provider))
        .map(RouteConfig::name)
        .collect();
    if users.is_empty() {
        return Ok(());
    }
    Err(ConfigError::Edit(format!(
        "The provider \"{provider}\" is a target of: {}. Take it out of there first.",
        users.join(", ")
    )))
}

fn put_provider(document: &mut DocumentMut, entry: &ProviderEntry, kinds: &Kinds) -> Result<(), ConfigError> {
    let table = find_or_add(document, "provider", "id", &entry.id)?;
    let kinds_before = table.get("kind").and_then(|kind| kinds.get(kind.as_str()?));
    // Of the kind before and of the new one: what is not said again goes.
    for variable in kinds_before.into_iter().chain(kinds.get(&entry.kind)).flat_map(|spec| &spec.variables) {
        if !entry.variables.contains_key(&variable.name) {
            table.remove(&variable.name);
        }
    }
    for (name, new) in &entry.variables {
        // A name that the settings have already would overwrite something else.
        if catalog::SETTINGS_KEYS.contains(&name.as_str()) {
            return Err(ConfigError::Edit(format!(
                "`{name}` is no variable of the kind \"{}\".",
                entry.kind
            )));
        }
        table[name.as_str()] = value_keeping_comment(table.get(name), new);
    }
    table["kind"] = value_keeping_comment(table.get("kind"), &entry.kind);
    for (name, new) in [("base_url", &entry.base_url), ("protocol", &entry.protocol), ("key", &entry.key)] {
        match new {
            Some(new) => table[name] = value_keeping_comment(table.get(name), new),
            None => {
                table.remove(name);
            }
        }
    }
    Ok(())
}

fn put_route(document: &mut DocumentMut, entry: &RouteEntry, before: &Config) -> Result<(), ConfigError> {
    let table = find_or_add(document, "route", "name", &entry.name)?;
    table["strategy"] = value_keeping_comment(table.get("strategy"), &entry.strategy);
    if entry.strategy != "score" {
        // Its weights would mean nothing.
        table.remove("score");
    }
    if !has_targets(before, entry) {
        let targets = targets_keeping_details(table.get("targets"), &entry.targets);
        table["targets"] = value(targets);
    }
    for (name, mode) in [("tool_check", &entry.tool_check), ("output_check", &entry.output_check)] {
        if let Some(mode) = mode {
            table[name] = value_keeping_comment(table.get(name), mode);
        }
    }
    Ok(())
}

/// Whether the route leads where `entry` says already, be it through other routes.
fn has_targets(before: &Config, entry: &RouteEntry) -> bool {
    let Some(route) = before.routes.iter().find(|route| route.name() == entry.name) else { return false };
    let targets =
        route.route.targets.iter().map(|it| (it.target.provider.as_str(), it.target.model.as_str()));
    targets.eq(entry.targets.iter().map(|(provider, model)| (provider.as_str(), model.as_str())))
}

/// The targets, each with what the file says of it beside its name (a weight, a tier, a condition).
fn targets_keeping_details(old: Option<&Item>, targets: &[(String, String)]) -> Array {
    let old = old.and_then(Item::as_array).map(|array| array.iter().filter_map(|it| it.as_inline_table()));
    let mut old: Vec<&InlineTable> = old.into_iter().flatten().collect();
    let mut new = Array::new();
    for (provider, model) in targets {
        let is_same = |table: &&InlineTable| {
            let says = |name: &str, value: &str| table.get(name).and_then(|it| it.as_str()) == Some(value);
            says("provider", provider) && says("model", model)
        };
        let target = match old.iter().position(is_same) {
            Some(at) => old.remove(at).clone(),
            None => InlineTable::from_iter([("provider", provider.as_str()), ("model", model.as_str())]),
        };
        new.push(target);
    }
    new
}

fn set_key(table: &mut Table, key: &str, text: Option<&str>) {
    match text {
        Some(text) => table[key] = value_keeping_comment(table.get(key), text),
        None => {
            table.remove(key);
        }
    }
}

fn set_listen(document: &mut DocumentMut, address: &str) {
    let port = document.entry("port").or_insert_with(|| Item::Table(Table::new()));
    let old = port.get("listen").cloned();
    port["listen"] = value_keeping_comment(old.as_ref(), address);
}

/// `new` as a value, with the blanks and the comment that stand around the old one.
fn value_keeping_comment(old: Option<&Item>, new: &str) -> Item {
    let mut item = value(new);
    if let (Some(old), Some(new)) = (old.and_then(Item::as_value), item.as_value_mut()) {
        *new.decor_mut() = old.decor().clone();
    }
    item
}

/// The table of `[[list]]` whose `key` is `name`; a new one at the end where there is none.
fn find_or_add<'d>(
    document: &'d mut DocumentMut,
    list: &str,
    key: &str,
    name: &str,
) -> Result<&'d mut Table, ConfigError> {
    let item = document.entry(list).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let tables = as_tables(item, list)?;
    let position = position(tables, key, name).unwrap_or_else(|| {
        let mut table = Table::new();
        table[key] = value(name);
        tables.push(table);
        tables.len() - 1
    });
    tables.get_mut(position).ok_or_else(|| not_tables(list))
}

/// `provider = [{…}]` says the same as `[[provider]]`; the latter can hold comments, so a list that
/// is edited becomes one.
fn as_tables<'d>(item: &'d mut Item, list: &str) -> Result<&'d mut ArrayOfTables, ConfigError> {
    if !item.is_array_of_tables() {
        let tables = std::mem::take(item).into_array_of_tables().map_err(|_| not_tables(list))?;
        *item = Item::ArrayOfTables(tables);
    }
    item.as_array_of_tables_mut().ok_or_else(|| not_tables(list))
}

fn not_tables(list: &str) -> ConfigError {
    ConfigError::Edit(format!("`{list}` in the settings is no list of tables."))
}

fn position(tables: &ArrayOfTables, key: &str, name: &str) -> Option<usize> {
    tables.iter().position(|table| table.get(key).and_then(Item::as_str) == Some(name))
}

fn remove(document: &mut DocumentMut, list: &str, key: &str, name: &str) -> Result<(), ConfigError> {
    let missing = || ConfigError::Edit(format!("There is no {list} \"{name}\" in the settings."));
    let item = document.get_mut(list).ok_or_else(missing)?;
    let tables = as_tables(item, list)?;
    let position = position(tables, key, name).ok_or_else(missing)?;
    tables.remove(position);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Mine.\n[port]\nlisten = \"127.0.0.1:9000\" # not the usual one\n\n# The good one.\n[[provider]]\nid = \"a\" # short\nkind = \"openai\" # vendor\nmodels = [\"x\"]\n\n# Spare.\n[[provider]]\nid = \"b\"\nkind = \"groq\"\n\n[[route]]\nname = \"r\"\ntargets = [{ provider = \"a\", model = \"x\" }]\n";

    fn path() -> &'static Path {
        Path::new("settings.toml")
    }

    fn edited(text: &str, edit: &ConfigEdit) -> String {
        edited_with(text, edit).unwrap().0
    }

    fn edited_with(text: &str, edit: &ConfigEdit) -> Result<(String, Config), ConfigError> {
        apply(path(), text, edit, &Kinds::shipped())
    }

    fn provider(id: &str, kind: &str) -> ProviderEntry {
        ProviderEntry { id: id.into(), kind: kind.into(), ..ProviderEntry::default() }
    }

    #[test]
    fn an_edit_keeps_every_comment() {
        let text = edited(TEXT, &ConfigEdit::SetListen { address: "127.0.0.1:9001".into() });
        assert_eq!(text, TEXT.replace("9000", "9001"));

        let entry = ProviderEntry { key: Some("env:X".into()), ..provider("a", "anthropic") };
        let text = edited(TEXT, &ConfigEdit::PutProvider(entry));
        let expected = TEXT
            .replace("\"openai\" # vendor", "\"anthropic\" # vendor")
            .replace("models = [\"x\"]\n", "models = [\"x\"]\nkey = \"env:X\"\n");
        assert_eq!(text, expected);
    }

    #[test]
    fn a_new_provider_is_added_behind_the_others_and_an_old_one_goes_alone() {
        let text = edited(TEXT, &ConfigEdit::PutProvider(provider("c", "openai")));
        let config = parse_text(path(), &text, &Kinds::shipped()).unwrap();
        let ids: Vec<&str> = config.providers.iter().map(|provider| provider.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);

        let text = edited(&text, &ConfigEdit::RemoveProvider { id: "b".into() });
        assert!(
            text.contains("# The good one.") && text.contains("id = \"c\"") && !text.contains("groq"),
            "{text}"
        );
    }

    #[test]
    fn an_edit_works_on_the_example_and_on_an_empty_file() {
        for text in ["", EXAMPLE] {
            let text = edited(text, &ConfigEdit::PutProvider(provider("c", "openai")));
            let text = edited(&text, &ConfigEdit::SetListen { address: "127.0.0.1:1".into() });
            let route = RouteEntry {
                name: "fast".into(),
                strategy: "priority".into(),
                targets: vec![("c".into(), "m".into())],
                tool_check: Some("retry".into()),
                output_check: None,
            };
            let put = |text: &str, entry: RouteEntry| {
                apply(path(), text, &ConfigEdit::PutRoute(entry), &Kinds::shipped()).unwrap()
            };
            let (text, config) = put(&text, route.clone());
            assert_eq!((config.listen.port(), config.routes.len()), (1, 1));
            assert_eq!(config.checks_of(Some("fast")).tools, checking::Mode::Retry);
            let (text, config) = put(&text, RouteEntry { tool_check: None, ..route });
            assert_eq!(config.checks_of(Some("fast")).tools, checking::Mode::Retry, "what is not said stays");
            let (_, config) = edited_with(&text, &ConfigEdit::RemoveRoute { name: "fast".into() }).unwrap();
            assert_eq!((config.providers.len(), config.routes.len()), (1, 0));
        }
    }

    #[test]
    fn an_edit_that_would_break_the_settings_is_refused() {
        for edit in [
            ConfigEdit::PutProvider(provider("c", "no-such-vendor")),
            ConfigEdit::SetListen { address: "0.0.0.0:80".into() },
            ConfigEdit::RemoveProvider { id: "a".into() },
            ConfigEdit::RemoveProvider { id: "zzz".into() },
            ConfigEdit::RemoveRoute { name: "zzz".into() },
        ] {
            assert!(apply(path(), TEXT, &edit, &Kinds::shipped()).is_err(), "{edit:?}");
        }
    }

    #[test]
    fn a_route_that_is_edited_keeps_what_the_window_does_not_show() {
        let deep = "\n[[route]]\nname = \"deep\" # mine\ntargets = [\n  { provider = \"b\", model = \"y\", \
                    weight = 3 }, # heavy\n  { route = \"r\", tier = \"cheap\" },\n]\nsticky = \"5m\"\n";
        let text = format!("{TEXT}{deep}");
        let entry = |targets: &[(&str, &str)]| {
            ConfigEdit::PutRoute(RouteEntry {
                name: "deep".into(),
                strategy: "priority".into(),
                targets: targets.iter().map(|(p, m)| ((*p).to_owned(), (*m).to_owned())).collect(),
                tool_check: None,
                output_check: None,
            })
        };
        // The same targets: the list stays as it is written, with the route inside of it.
        let same = edited(&text, &entry(&[("b", "y"), ("a", "x")]));
        assert!(same.contains(&deep[1..deep.len() - 1]), "{same}");
        // Others: each keeps what is said of it.
        let other = edited(&text, &entry(&[("a", "z"), ("b", "y")]));
        let config = parse_text(path(), &other, &Kinds::shipped()).unwrap();
        let route = &config.routes[1].route;
        assert_eq!(route.targets[1].weight, 3, "{other}");
        assert_eq!((route.targets.len(), route.sticky.is_some()), (2, true), "{other}");
        // What still names a route or a provider keeps it here, with the line that does.
        let error = edited_with(&text, &ConfigEdit::RemoveRoute { name: "r".into() }).unwrap_err();
        assert!(error.to_string().contains("There is no route \"r\""), "{error}");
    }

    #[test]
    fn several_changes_are_made_together_or_not_at_all() {
        let keys = |check: Option<&str>| ConfigEdit::SetRouteKeys {
            name: "r".into(),
            keys: vec![
                (RouteKey::Strategy, Some("priority".into())),
                (RouteKey::ToolCheck, check.map(str::to_owned)),
            ],
        };
        let listen = ConfigEdit::SetListen { address: "127.0.0.1:9999".into() };
        let text = edited(TEXT, &ConfigEdit::All(vec![listen.clone(), keys(Some("retry"))]));
        assert!(text.contains("tool_check = \"retry\"") && text.contains("127.0.0.1:9999"), "{text}");
        let back = edited(&text, &keys(None));
        assert!(!back.contains("tool_check"), "{back}");
        let error = edited_with(&text, &ConfigEdit::All(vec![listen, keys(Some("mend"))])).unwrap_err();
        assert!(error.to_string().contains("There is no check \"mend\""), "{error}");
    }

    #[test]
    fn a_list_written_in_one_line_can_be_edited_as_well() {
        let text = "provider = [{ id = \"a\", kind = \"openai\" }]\n";
        let text = edited(text, &ConfigEdit::PutProvider(provider("b", "groq")));
        assert_eq!(parse_text(path(), &text, &Kinds::shipped()).unwrap().providers.len(), 2, "{text}");
    }

    #[test]
    fn the_first_start_writes_the_example_and_a_write_replaces_the_file_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/settings.toml");
        assert_eq!(read_or_create(&path).unwrap(), EXAMPLE);
        write(&path, "# new\n").unwrap();
        assert_eq!(read_or_create(&path).unwrap(), "# new\n");
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "no file is left beside it"
        );
    }

    #[test]
    fn variables_are_written_and_go_with_their_kind() {
        let region = Values::from([("region".to_owned(), "eu-west-1".to_owned())]);
        let entry = ProviderEntry { variables: region.clone(), ..provider("c", "bedrock") };
        let text = edited(TEXT, &ConfigEdit::PutProvider(entry));
        assert!(text.contains("region = \"eu-west-1\""), "{text}");
        let commented = text.replace("eu-west-1\"", "eu-west-1\" # near");
        let moved = Values::from([("region".to_owned(), "eu-west-3".to_owned())]);
        let entry = ProviderEntry { variables: moved, ..provider("c", "bedrock") };
        let text = edited(&commented, &ConfigEdit::PutProvider(entry));
        assert!(text.contains("region = \"eu-west-3\" # near"), "{text}");
        let text = edited(&text, &ConfigEdit::PutProvider(provider("c", "openai")));
        assert!(!text.contains("region"), "{text}");

        let sneaky = Values::from([("id".to_owned(), "a".to_owned())]);
        let entry = ProviderEntry { variables: sneaky, ..provider("c", "bedrock") };
        assert!(edited_with(TEXT, &ConfigEdit::PutProvider(entry)).is_err());
        let entry = ProviderEntry { variables: region, ..provider("c", "groq") };
        assert!(edited_with(TEXT, &ConfigEdit::PutProvider(entry)).is_err());
    }
}
