//! Profiles that several providers share: every file in `profiles/`, by its name. A provider's file,
//! ours or a user's, takes them in with `uses_profiles = ["claude"]`.

use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use serde::Deserialize;
use wire::Profile;

use crate::spec::{self, SpecError};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/profiles");

/// Files that do not parse are left out here and fail the tests, which read the same list.
static SHARED: LazyLock<Vec<(&'static str, Vec<Profile>)>> =
    LazyLock::new(|| read().filter_map(|(name, profiles)| Some((name, profiles.ok()?))).collect());

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    profile: Vec<Profile>,
}

fn read() -> impl Iterator<Item = (&'static str, Result<Vec<Profile>, SpecError>)> {
    FILES.files().map(|file| {
        let name = file.path().file_stem().and_then(|name| name.to_str()).unwrap_or("?");
        (
            name,
            spec::parse_profiles::<File>(file.contents_utf8().unwrap_or(""), name).map(|file| file.profile),
        )
    })
}

/// The shared profiles of that name.
pub fn shared(name: &str) -> Option<&'static [Profile]> {
    SHARED.iter().find(|(have, _)| *have == name).map(|(_, profiles)| profiles.as_slice())
}

/// What `uses_profiles` may name.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHARED.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shared_file_parses_and_is_used() {
        for (name, profiles) in read() {
            let profiles = profiles.unwrap_or_else(|error| panic!("{error}"));
            assert!(
                !profiles.is_empty() && profiles.iter().all(|profile| profile.fault().is_none()),
                "{name}"
            );
            assert!(
                crate::kinds().iter().any(|kind| kind.uses_profiles.iter().any(|used| used == name)),
                "nobody uses {name}"
            );
        }
        assert!(names().count() >= 3);
    }
}
