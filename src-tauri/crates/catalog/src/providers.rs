//! The kinds of provider: every file in `providers/`, and nothing else, is the list of those we
//! ship. A user's own files join them, and stand before ours where they have the same id.

use std::sync::{Arc, LazyLock};

use include_dir::{Dir, include_dir};

use crate::spec::{self, ProviderSpec, SpecError};

static PROVIDERS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/providers");

/// Files that do not parse are left out here and fail the tests, which read the same list.
static KINDS: LazyLock<Kinds> =
    LazyLock::new(|| Kinds::of(shipped().filter_map(|(_, spec)| spec.ok()).map(Arc::new).collect()));

/// Every shipped file's name and what is in it.
fn shipped() -> impl Iterator<Item = (&'static str, Result<ProviderSpec, SpecError>)> {
    PROVIDERS.files().map(|file| {
        let name = file.path().file_name().and_then(|name| name.to_str()).unwrap_or("?");
        (name, spec::parse_spec(file.contents_utf8().unwrap_or(""), name))
    })
}

/// A list of kinds, each id once, sorted. Never changed: a new one takes its place whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Kinds {
    specs: Arc<[Arc<ProviderSpec>]>,
}

impl Kinds {
    fn of(mut specs: Vec<Arc<ProviderSpec>>) -> Self {
        specs.sort_by(|a, b| a.id.cmp(&b.id));
        Self { specs: specs.into() }
    }

    /// Those that we ship.
    pub fn shipped() -> Self {
        KINDS.clone()
    }

    /// Those that we ship, with `own` beside them, or in their place where the id is the same.
    pub fn with(own: impl IntoIterator<Item = ProviderSpec>) -> Self {
        let own: Vec<_> = own.into_iter().map(Arc::new).collect();
        let stays = |spec: &&Arc<ProviderSpec>| own.iter().all(|own| own.id != spec.id);
        let kept: Vec<_> = KINDS.specs.iter().filter(stays).cloned().collect();
        Self::of(kept.into_iter().chain(own).collect())
    }

    /// Sorted by their id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ProviderSpec>> + Clone {
        self.specs.iter()
    }

    /// The kind of exactly that name.
    pub fn get(&self, name: &str) -> Option<&Arc<ProviderSpec>> {
        self.specs.iter().find(|spec| spec.id == name)
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Self::shipped()
    }
}

/// All kinds that we ship, sorted by their id.
pub fn kinds() -> &'static [Arc<ProviderSpec>] {
    &KINDS.specs
}

/// The shipped kind of exactly that name.
pub fn kind(name: &str) -> Option<&'static ProviderSpec> {
    kinds().iter().find(|spec| spec.id == name).map(AsRef::as_ref)
}

/// The kind whose name is most like this one, for a message about a name that is none.
pub fn nearest_kind(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    spec::nearest(&lower, kinds().iter().map(|spec| spec.id.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::PriceTable;

    #[test]
    fn every_shipped_file_parses_and_is_named_after_its_id() {
        let mut count = 0;
        for (name, spec) in shipped() {
            let spec = spec.unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(name, format!("{}.toml", spec.id));
            count += 1;
        }
        assert_eq!(count, kinds().len());
        assert!(count >= 30, "{count} kinds");
    }

    #[test]
    fn ids_are_unique_and_sorted() {
        assert!(kinds().windows(2).all(|pair| pair[0].id < pair[1].id));
    }

    #[test]
    fn every_kind_is_reached_over_https_unless_it_is_local() {
        for spec in kinds() {
            match &spec.base_url {
                Some(url) if spec.is_local => {
                    assert!(url.starts_with("http://localhost:"), "{}: {url}", spec.id);
                }
                Some(url) => assert!(url.starts_with("https://"), "{}: {url}", spec.id),
                None => assert!(spec.is_in_process || spec.base_url_example.is_some(), "{}", spec.id),
            }
        }
    }

    #[test]
    fn every_kind_has_a_price_list_or_says_why_not() {
        for spec in kinds() {
            let told = [spec.price_provider.is_some(), spec.is_free, spec.unpriced.is_some()];
            assert_eq!(told.iter().filter(|told| **told).count(), 1, "{}", spec.id);
            if let Some(provider) = &spec.price_provider {
                assert!(PriceTable::embedded().has_provider(provider), "{}: {provider}", spec.id);
            }
        }
    }

    #[test]
    fn a_local_kind_costs_nothing_and_needs_no_key() {
        for spec in kinds().iter().filter(|spec| spec.is_local) {
            assert!(spec.is_free, "{}", spec.id);
            assert!(!spec.needs_key(), "{}", spec.id);
        }
    }

    #[test]
    fn a_key_that_is_needed_has_an_environment_name() {
        for spec in kinds().iter().filter(|spec| spec.needs_key()) {
            let env = spec.key_env().unwrap_or_else(|| panic!("{}", spec.id));
            assert!(env.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'), "{env}");
        }
    }

    #[test]
    fn a_misspelt_kind_finds_its_neighbour() {
        assert_eq!(nearest_kind("antropic"), Some("anthropic"));
        assert_eq!(nearest_kind("OpenAI"), Some("openai"));
        assert_eq!(nearest_kind("qqqqqqqq"), None);
        assert!(kind("OpenAI").is_none());
    }

    /// The corpus holds recorded traffic per provider.
    #[test]
    fn every_recorded_provider_of_our_protocols_is_a_kind() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/corpus");
        let Ok(folder) = std::fs::read_dir(corpus) else {
            eprintln!("skipped: no corpus at {corpus}");
            return;
        };
        for entry in folder {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let mut fields = name.split('.');
            let (Some(provider), Some(api)) = (fields.next(), fields.next()) else { continue };
            let spoken = wire::ProtocolId::from_name(api).is_some();
            assert!(!spoken || kind(provider).is_some(), "{name} has no kind");
        }
    }
}
