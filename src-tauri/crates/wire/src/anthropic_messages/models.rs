//! What a Claude model's id says of the request fields it takes. Read off the id's version, so
//! that the next model needs no new line; ids of other makers (hosts that speak this wire) count
//! as the oldest form, which all of them copied.

/// Major and minor version: (4, 6) of `claude-sonnet-4-6`, (3, 7) of `claude-3-7-sonnet-20250219`,
/// (5, 0) of `claude-opus-5`. A relay's prefix (`anthropic/claude-haiku-4.5`) does not matter.
fn version(model: &str) -> Option<(u32, u32)> {
    let rest = &model[model.find("claude-")? + "claude-".len()..];
    let mut numbers = rest
        .split(['-', '.', '@', ':', '/'])
        .skip_while(|piece| piece.parse::<u32>().is_err())
        // A date (20250514) is no version.
        .map_while(|piece| piece.parse::<u32>().ok().filter(|number| *number < 1000));
    let major = numbers.next()?;
    Some((major, numbers.next().unwrap_or(0)))
}

/// Thinks as much as it finds right, steered by `output_config.effort`; from 4.7 on a token budget
/// is refused. <https://docs.claude.com/en/docs/build-with-claude/adaptive-thinking>
pub(super) fn thinks_adaptively(model: &str) -> bool {
    version(model).is_some_and(|version| version >= (4, 6))
}

/// Whether a thinking budget is refused.
pub(super) fn refuses_budget(model: &str) -> bool {
    version(model).is_some_and(|version| version >= (4, 7))
}

/// Takes `output_config.format` and `strict` tools; older models refuse both.
/// <https://docs.claude.com/en/docs/build-with-claude/structured-outputs>
pub(crate) fn has_structured_outputs(model: &str) -> bool {
    version(model).is_some_and(|version| version >= (4, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_every_form_of_id() {
        for (model, expected) in [
            ("claude-3-haiku-20240307", Some((3, 0))),
            ("claude-3-7-sonnet-latest", Some((3, 7))),
            ("claude-sonnet-4-20250514", Some((4, 0))),
            ("claude-sonnet-4-0", Some((4, 0))),
            ("claude-opus-4-1-20250805", Some((4, 1))),
            ("claude-haiku-4-5@20251001", Some((4, 5))),
            ("anthropic/claude-haiku-4.5", Some((4, 5))),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Some((4, 5))),
            ("claude-opus-5", Some((5, 0))),
            ("claude-fable-5-20260701", Some((5, 0))),
            ("claude-instant", None),
            ("glm-4.6", None),
            ("kimi-k2-thinking", None),
        ] {
            assert_eq!(version(model), expected, "{model}");
        }
    }
}
