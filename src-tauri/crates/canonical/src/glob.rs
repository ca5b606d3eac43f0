//! Names with wildcards.

/// Whether `text` is one that `glob` means, small letters and capitals of ASCII alike. `*` stands
/// for anything, `?` for one byte.
///
/// Goes back to the last `*` alone, so that a hostile name costs no more than the product of both
/// lengths.
pub fn fits(glob: &str, text: &str) -> bool {
    let (glob, text) = (glob.as_bytes(), text.as_bytes());
    let (mut at, mut here) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while here < text.len() {
        match glob.get(at) {
            Some(b'*') => {
                star = Some((at, here));
                at += 1;
            }
            Some(byte) if *byte == b'?' || byte.eq_ignore_ascii_case(&text[here]) => {
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
    use super::fits;

    #[test]
    fn wildcards_stand_for_what_they_say() {
        for (glob, text, expected) in [
            ("codex*", "Codex-cli", true),
            ("codex", "codex-cli", false),
            ("*", "", true),
            ("", "a", false),
            ("", "", true),
            ("?", "", false),
            ("a*b*c", "abxbc", true),
            ("a*b*c", "abxb", false),
            ("gpt-?", "gpt-5", true),
        ] {
            assert_eq!(fits(glob, text), expected, "{glob} {text}");
        }
    }
}
