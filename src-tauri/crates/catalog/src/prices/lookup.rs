//! "Finding the row": a provider names its models in more forms than its price list does.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Row;

/// How a model's row was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// By its own id, but for case or a leading `models/`.
    Exact,
    /// Without its date or build, or without the region it was asked in.
    WithoutDate,
    /// With `-latest` added or taken away.
    Latest,
}

impl Match {
    pub const fn is_estimate(self) -> bool {
        !matches!(self, Self::Exact)
    }
}

/// A row and how it was found.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    pub row: &'a Row,
    pub step: Match,
}

/// One provider's ids.
#[derive(Debug, Default)]
pub(super) struct ProviderIndex {
    exact: HashMap<String, usize>,
    lower: HashMap<String, usize>,
}

impl ProviderIndex {
    pub(super) fn add(&mut self, index: usize, model: &str) {
        self.exact.entry(model.to_owned()).or_insert(index);
        self.lower.entry(model.to_lowercase()).or_insert(index);
    }

    /// The first hit of the four steps, each with the id as it is and then without regard to case.
    pub(super) fn find(&self, id: &str) -> Option<(usize, Match)> {
        let bare = bare(id);
        self.get(id)
            .or_else(|| self.get(bare))
            .map(|index| (index, Match::Exact))
            .or_else(|| Some((self.get_regional(bare)?, Match::WithoutDate)))
            .or_else(|| Some((self.get(without_date(bare)?)?, Match::WithoutDate)))
            .or_else(|| Some((self.get(&other_latest(bare))?, Match::Latest)))
    }

    /// Without the region's prefix, the number behind a colon, or both.
    fn get_regional(&self, id: &str) -> Option<usize> {
        let at_home = without_region(id);
        let plain = without_number(at_home.unwrap_or(id));
        [at_home, without_number(id), plain].into_iter().flatten().find_map(|id| self.get(id))
    }

    fn get(&self, id: &str) -> Option<usize> {
        self.exact.get(id).or_else(|| self.lower.get(&id.to_lowercase())).copied()
    }
}

/// The id that an API's resource names: `models/…`, an inference profile's ARN.
fn bare(id: &str) -> &str {
    let resource = id.strip_prefix("arn:").and_then(|arn| arn.rsplit('/').next());
    resource.or_else(|| id.strip_prefix("models/")).unwrap_or(id)
}

/// The id without the region of an inference profile:
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html>.
fn without_region(id: &str) -> Option<&str> {
    const REGIONS: [&str; 9] = ["us", "eu", "apac", "global", "jp", "au", "ca", "in", "us-gov"];
    let (region, rest) = id.split_once('.')?;
    (REGIONS.contains(&region) && rest.contains('.')).then_some(rest)
}

/// The id without the number behind its colon: `…-v1:0`.
fn without_number(id: &str) -> Option<&str> {
    let (rest, number) = id.rsplit_once(':')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(rest)
}

fn other_latest(id: &str) -> String {
    id.strip_suffix("-latest").map_or_else(|| format!("{id}-latest"), str::to_owned)
}

/// The id without a trailing date or build, or `None` where it has none: `-2025-08-07`,
/// `-20250807`, `@20250807`, `-001`, `-09-2025`.
fn without_date(id: &str) -> Option<&str> {
    /// `9` stands for any digit.
    const FORMS: [&str; 5] = ["-9999-99-99", "-99999999", "@99999999", "-99-9999", "-099"];
    FORMS.iter().find_map(|form| {
        let at = id.len().checked_sub(form.len())?;
        let (rest, tail) = (id.get(..at)?, id.get(at..)?);
        let fits = tail.bytes().zip(form.bytes()).all(|(have, want)| match want {
            b'9' => have.is_ascii_digit(),
            _ => have == want,
        });
        (fits && !rest.is_empty()).then_some(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::PriceTable;

    #[test]
    fn dates_and_builds_are_taken_off_and_nothing_else() {
        for (id, rest) in [
            ("gpt-5-2025-08-07", Some("gpt-5")),
            ("claude-haiku-4-5-20251001", Some("claude-haiku-4-5")),
            ("claude-haiku-4-5@20251001", Some("claude-haiku-4-5")),
            ("gemini-2.0-flash-001", Some("gemini-2.0-flash")),
            ("command-r-08-2024", Some("command-r")),
            ("gpt-4-0613", None),
            ("llama-3.1-405", None),
            ("gpt-5", None),
            ("-20250807", None),
            ("é001", None),
        ] {
            assert_eq!(without_date(id), rest, "{id}");
        }
    }

    #[test]
    fn every_row_is_found_by_its_own_id_exactly() {
        let table = PriceTable::embedded();
        for row in table.rows() {
            let found = table.find(&row.provider, &row.model).unwrap();
            assert_eq!((found.row.model.as_str(), found.step), (row.model.as_str(), Match::Exact));
        }
    }

    #[test]
    fn the_steps_are_tried_in_order_and_the_last_two_are_estimates() {
        let table = PriceTable::parse(
            r#"{"as_of":"2026-11-20","models":[
            {"provider":"p","model":"Big-Model","kind":"chat"},
            {"provider":"p","model":"small-latest","kind":"chat"},
            {"provider":"p","model":"small-2025-08-07","kind":"chat"},
            {"provider":"p","model":"models/odd","kind":"chat"},
            {"provider":"p","model":"UP","kind":"chat"},
            {"provider":"p","model":"up","kind":"chat"},
            {"provider":"p","model":"acme.one-v1:0","kind":"chat"},
            {"provider":"p","model":"eu.acme.one-v1:0","kind":"chat"},
            {"provider":"p","model":"acme.two","kind":"chat"}]}"#,
        )
        .unwrap();
        for (id, expected) in [
            ("Big-Model", Some(("Big-Model", Match::Exact))),
            ("big-model", Some(("Big-Model", Match::Exact))),
            ("models/Big-Model", Some(("Big-Model", Match::Exact))),
            ("models/odd", Some(("models/odd", Match::Exact))),
            ("big-model-2025-08-07", Some(("Big-Model", Match::WithoutDate))),
            ("models/big-model-001", Some(("Big-Model", Match::WithoutDate))),
            ("Big-Model-latest", Some(("Big-Model", Match::Latest))),
            ("small", Some(("small-latest", Match::Latest))),
            ("small-2025-08-07", Some(("small-2025-08-07", Match::Exact))),
            ("up", Some(("up", Match::Exact))),
            ("UP", Some(("UP", Match::Exact))),
            ("bigger-model", None),
            ("eu.acme.one-v1:0", Some(("eu.acme.one-v1:0", Match::Exact))),
            ("us.acme.one-v1:0", Some(("acme.one-v1:0", Match::WithoutDate))),
            (
                "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.acme.one-v1:0",
                Some(("eu.acme.one-v1:0", Match::Exact)),
            ),
            ("arn:aws:bedrock:eu-west-1:1:application-inference-profile/x1", None),
            ("global.acme.two:0", Some(("acme.two", Match::WithoutDate))),
            ("acme.two:0", Some(("acme.two", Match::WithoutDate))),
            ("us.up", None),
        ] {
            let found = table.find("p", id).map(|found| (found.row.model.as_str(), found.step));
            assert_eq!(found, expected, "{id}");
        }
        assert!(table.find("q", "up").is_none());
    }
}
