//! What differs from user to user in a vendor's address: a region, a project, a resource's name.
//!
//! A file names its variables once; `{name}` stands for one in addresses, query parameters and the
//! signature's region, and settings give it as a key of their own beside `kind`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The values of a provider's variables, by name.
pub type Values = BTreeMap<String, String>;

/// One thing that the user says instead of a whole address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// The key in the settings and the word between braces.
    pub name: String,
    /// For people.
    pub label: String,
    /// What holds where the settings are silent.
    pub default: Option<String>,
    /// Shown where nothing is filled in.
    pub example: Option<String>,
    /// The field of the key's own JSON that says it where the settings are silent (`project_id`).
    pub from_key: Option<String>,
    /// What `{name.host}` stands for: the host by the variable's value, and under `usual` the one
    /// for all other values.
    #[serde(default)]
    pub host: BTreeMap<String, String>,
}

/// The key of [`Variable::host`] for every value that is not named.
const USUAL: &str = "usual";

impl Variable {
    /// Whether the settings have to say it.
    pub fn is_required(&self) -> bool {
        self.default.is_none() && self.from_key.is_none()
    }

    fn host_of(&self, value: &str) -> Option<&str> {
        self.host.get(value).or_else(|| self.host.get(USUAL)).map(String::as_str)
    }
}

/// Whether `text` can stand for a variable: it becomes part of a host's name or of a path, so it has
/// no character that would end either.
pub fn is_value(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    !text.is_empty() && text.chars().all(is_plain)
}

/// Every `{word}` in `text`.
pub fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

/// `text` with every placeholder filled in that has a value: the given one, or the default.
pub(super) fn fill(text: &str, variables: &[Variable], given: &Values) -> String {
    let mut filled = text.to_owned();
    for variable in variables {
        let Some(value) = given.get(&variable.name).or(variable.default.as_ref()) else { continue };
        if let Some(host) = variable.host_of(value) {
            filled = filled.replace(&format!("{{{}.host}}", variable.name), host);
        }
        filled = filled.replace(&format!("{{{}}}", variable.name), value);
    }
    filled
}

/// The first placeholder of `text` that no variable stands behind.
pub(super) fn undeclared<'t>(text: &'t str, variables: &[Variable]) -> Option<&'t str> {
    placeholders(text).find(|word| {
        let (name, wants_host) = word.strip_suffix(".host").map_or((*word, false), |name| (name, true));
        !variables
            .iter()
            .any(|variable| variable.name == name && (!wants_host || variable.host.contains_key(USUAL)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, default: Option<&str>) -> Variable {
        Variable {
            name: name.into(),
            label: name.into(),
            default: default.map(str::to_owned),
            example: None,
            from_key: None,
            host: BTreeMap::new(),
        }
    }

    #[test]
    fn a_given_value_goes_before_the_default_and_what_has_neither_stays() {
        let mut location = variable("location", Some("global"));
        location.host = [("usual", "{location}-api.example"), ("global", "api.example")]
            .map(|(value, host)| (value.to_owned(), host.to_owned()))
            .into();
        let variables = [location, variable("project", None)];
        let text = "https://{location.host}/{project}/{location}";
        assert_eq!(fill(text, &variables, &Values::new()), "https://api.example/{project}/global");
        let given = Values::from([("location".into(), "eu1".into()), ("project".into(), "p".into())]);
        assert_eq!(fill(text, &variables, &given), "https://eu1-api.example/p/eu1");
        assert_eq!(undeclared(text, &variables), None);
        assert_eq!(undeclared("{region}", &variables), Some("region"));
        assert_eq!(undeclared("{project.host}", &variables), Some("project.host"));
    }

    #[test]
    fn a_value_cannot_end_a_host_or_a_path() {
        for good in ["eu-west-1", "my_project", "example.com:old", "2024-10-21"] {
            assert!(is_value(good), "{good}");
        }
        for bad in ["", "a/b", "a?b", "a#b", "a@b", "a b", "{x}", "ä"] {
            assert!(!is_value(bad), "{bad}");
        }
    }
}
