//! Names of models with wildcards.

/// Whether `globs` mean `model`: one of them does, and none of the exceptions (`!…`).
pub(super) fn matches(globs: &[String], model: &str) -> bool {
    let model = model.to_lowercase();
    let last = model.rsplit('/').next().unwrap_or(&model);
    let means = |glob: &str| {
        let glob = glob.to_lowercase();
        fits(glob.as_bytes(), model.as_bytes()) || fits(glob.as_bytes(), last.as_bytes())
    };
    let is_excepted = globs.iter().filter_map(|glob| glob.strip_prefix('!')).any(means);
    !is_excepted && globs.iter().any(|glob| !glob.starts_with('!') && means(glob))
}

/// `*` stands for anything, `?` for one byte. Goes back to the last `*` alone, so that a hostile
/// name costs no more than the product of both lengths.
fn fits(glob: &[u8], text: &[u8]) -> bool {
    let (mut at, mut here) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while here < text.len() {
        match glob.get(at) {
            Some(b'*') => {
                star = Some((at, here));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[here] => {
                at += 1;
                here += 1;
            }
            _ => {
                let Some((back, from)) = star else { return false };
                star = Some((back, from + 1));
                at = back + 1;
                here = from + 1;
            }
        }
    }
    glob[at..].iter().all(|byte| *byte == b'*')
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
