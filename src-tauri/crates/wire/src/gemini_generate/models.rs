//! What a Gemini model's id says of the request fields it takes.

use std::borrow::Cow;

/// How a model is told how much to think.
/// <https://ai.google.dev/gemini-api/docs/thinking>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    /// Before 2.5, and Gemma: `thinkingConfig` is refused.
    None,
    /// 2.5, and aliases that name no version: a budget in tokens, which later models still take.
    Budget,
    /// From 3 on: a level.
    Level,
}

pub(super) fn thinking(model: &str) -> Thinking {
    match version(model) {
        Some(version) if version >= (3, 0) => Thinking::Level,
        Some(version) if version >= (2, 5) => Thinking::Budget,
        None if name(model).starts_with("gemini-") => Thinking::Budget,
        _ => Thinking::None,
    }
}

/// From 3 on, calls are refused without their thought signatures, and a function's answer may hold media.
pub(super) fn is_third_generation(model: &str) -> bool {
    thinking(model) == Thinking::Level
}

pub(super) fn is_pro(model: &str) -> bool {
    name(model).contains("-pro")
}

/// Gemini 3 Pro knows the levels `low` and `high` only; 3.1 and later know `medium`.
pub(super) fn lacks_medium(model: &str) -> bool {
    version(model) == Some((3, 0)) && is_pro(model)
}

/// (2, 5) of `gemini-2.5-flash-lite`, (3, 0) of `publishers/google/models/gemini-3-pro-preview`.
fn version(model: &str) -> Option<(u32, u32)> {
    let version = name(model).strip_prefix("gemini-")?.split('-').next()?;
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The id behind its resource path.
fn name(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

/// The path of `model`'s resource: `/models/gemini-2.5-pro`, `/tunedModels/my-model`,
/// `/publishers/google/models/…`. `None` where the id would lead out of the API.
pub(crate) fn path(model: &str) -> Option<String> {
    let model = if model.contains('/') { Cow::from(model) } else { format!("models/{model}").into() };
    let mut path = String::with_capacity(model.len() + 8);
    for segment in model.split('/') {
        if matches!(segment, "" | "." | "..") {
            return None;
        }
        path.push('/');
        for byte in segment.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
                path.push(char::from(byte));
            } else {
                path.push('%');
                for digit in [byte >> 4, byte & 15] {
                    path.extend(char::from_digit(digit.into(), 16).map(|digit| digit.to_ascii_uppercase()));
                }
            }
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_to_think_is_read_from_the_id() {
        for (model, expected) in [
            ("gemini-1.5-flash", Thinking::None),
            ("gemini-2.0-flash-001", Thinking::None),
            ("gemma-3-27b-it", Thinking::None),
            ("models/gemini-2.5-pro", Thinking::Budget),
            ("gemini-flash-latest", Thinking::Budget),
            ("gemini-3-flash-preview", Thinking::Level),
            ("publishers/google/models/gemini-3.1-pro-preview", Thinking::Level),
        ] {
            assert_eq!(thinking(model), expected, "{model}");
        }
        assert!(lacks_medium("gemini-3-pro-preview") && !lacks_medium("gemini-3.1-pro-preview"));
    }

    #[test]
    fn a_path_stays_inside_the_api() {
        assert_eq!(path("gemini-2.5-pro").as_deref(), Some("/models/gemini-2.5-pro"));
        assert_eq!(path("models/gemini-2.5-pro").as_deref(), Some("/models/gemini-2.5-pro"));
        assert_eq!(path("tunedModels/mine").as_deref(), Some("/tunedModels/mine"));
        assert_eq!(path("gemini?key=1#x:y").as_deref(), Some("/models/gemini%3Fkey%3D1%23x%3Ay"));
        assert_eq!(path("models/../files"), None);
        assert_eq!(path("/etc"), None);
    }
}
