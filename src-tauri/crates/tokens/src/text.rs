//! Text → tokens.

use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton};

use crate::family::{Encoding, Family};

/// The most that is given to the encoder at once: its time grows faster than a long word does, and
/// its regular expressions give up on long ones. A cut costs a token at most.
const MAX_PIECE: usize = 4 << 10;

/// Of a longer text the beginning speaks for the rest.
const MAX_COUNTED: usize = 256 << 10;

/// Reads the ranks of the usual encoding, so that no later count waits for them.
pub fn load() {
    o200k_base_singleton();
}

/// The tokens of `text` for `model`.
pub fn text(model: &str, text: &str) -> u64 {
    let family = Family::of(model);
    family.scaled(raw(family, text))
}

/// In the encoding's own tokens, before the family's factor.
pub(crate) fn raw(family: &Family, text: &str) -> u64 {
    let counted = &text[..boundary(text, MAX_COUNTED)];
    let encoder = encoder(family.encoding);
    let (mut tokens, mut rest) = (0, counted);
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(cut(rest));
        tokens += encoder.encode_ordinary(piece).len() as u64;
        rest = behind;
    }
    if counted.len() == text.len() {
        return tokens;
    }
    (u128::from(tokens) * text.len() as u128 / counted.len() as u128) as u64
}

fn encoder(encoding: Encoding) -> &'static CoreBPE {
    match encoding {
        Encoding::O200k => o200k_base_singleton(),
        Encoding::Cl100k => cl100k_base_singleton(),
    }
}

/// Where the next piece ends: before its last space, where a token may begin.
fn cut(text: &str) -> usize {
    let end = boundary(text, MAX_PIECE);
    if end == text.len() {
        return end;
    }
    match text[..end].rfind(' ') {
        None | Some(0) => end,
        Some(space) => space,
    }
}

/// The last end of a character at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    if at >= text.len() {
        return text.len();
    }
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_counted_in_its_models_encoding() {
        let sentence = "The quick brown fox jumps over the lazy dog.";
        assert_eq!(text("gpt-4o", sentence), 10);
        assert_eq!(text("gpt-4", sentence), 10);
        assert_eq!(text("gpt-4o", ""), 0);
        // A language that the later encoding writes shorter.
        let hindi = "नमस्ते, आप कैसे हैं?";
        assert!(text("gpt-4o", hindi) < text("gpt-4", hindi));
    }

    #[test]
    fn a_cut_costs_next_to_nothing() {
        let words = "word and another word, ".repeat(2_000);
        let whole = o200k_base_singleton().encode_ordinary(&words).len() as u64;
        let pieces = text("gpt-4o", &words);
        assert!(pieces.abs_diff(whole) <= 12, "{pieces} of {whole}");
    }

    #[test]
    fn a_hostile_text_takes_no_longer_than_its_beginning() {
        for hostile in ["a".repeat(3 << 20), " ".repeat(3 << 20), "é".repeat(1 << 20), "\n\t".repeat(1 << 20)]
        {
            let tokens = text("gpt-4o", &hostile);
            assert!(tokens > 1_000 && tokens <= hostile.len() as u64, "{tokens}");
        }
    }
}
