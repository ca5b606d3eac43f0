//! Names of models with wildcards.

use canonical::glob::fits;

/// Whether `globs` mean `model`: one of them does, and none of the exceptions (`!…`).
pub(super) fn matches(globs: &[String], model: &str) -> bool {
    let last = model.rsplit('/').next().unwrap_or(model);
    let means = |glob: &str| fits(glob, model) || fits(glob, last);
    let is_excepted = globs.iter().filter_map(|glob| glob.strip_prefix('!')).any(means);
    !is_excepted && globs.iter().any(|glob| !glob.starts_with('!') && means(glob))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_means_the_whole_id_or_what_follows_its_last_slash() {
        let globs = |all: &[&str]| all.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>();
        for (all, model, expected) in [
            (&["o3*"][..], "o3-mini", true),
            (&["o3*"], "openai/O3-mini", true),
            (&["o3*"], "foo3", false),
            (&["openai/*"], "openai/o3", true),
            (&["gpt-5", "gpt-5-mini*"], "gpt-5.1", false),
            (&["gpt-5*", "!gpt-5-chat*"], "gpt-5-chat-latest", false),
            (&["!gpt-5-chat*"], "gpt-5", false),
            (&["*claude-opus-4?7*"], "us.anthropic.claude-opus-4-7-v1:0", true),
            (&["*claude-opus-4?7*"], "anthropic/claude-opus-4.7", true),
            (&["qwen3-*b"], "qwen3-235b-a22b", true),
            (&["qwen3-*b"], "qwen3-32b-x", false),
            (&["*"], "", true),
            (&[""], "a", false),
            (&["a*b*c"], "abxbc", true),
            (&["a*b*c"], "abxb", false),
        ] {
            assert_eq!(matches(&globs(all), model), expected, "{all:?} {model}");
        }
    }
}
