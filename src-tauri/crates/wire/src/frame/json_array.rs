//! One JSON array whose elements arrive over time: how Gemini streams without `alt=sse`.

use super::{Frame, FrameTooLarge, MAX_FRAME_BYTES, text};

/// Splits the top-level array into its elements, by brackets and strings only.
#[derive(Debug, Default)]
pub struct JsonArrayFramer {
    element: Vec<u8>,
    /// Open brackets, the array's own included.
    depth: u32,
    in_string: bool,
    after_backslash: bool,
    is_closed: bool,
}

impl JsonArrayFramer {
    /// Takes the next bytes and hands each complete element to `deliver`; stops at its first error.
    pub fn push<E>(
        &mut self,
        mut bytes: &[u8],
        deliver: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<Result<(), E>, FrameTooLarge> {
        loop {
            if self.in_string && !self.after_backslash {
                // As far as the next byte that means something, a string is taken as it is.
                let plain = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
                let (now, later) = bytes.split_at(plain);
                self.element.extend_from_slice(now);
                bytes = later;
            }
            if self.element.len() > MAX_FRAME_BYTES {
                return Err(FrameTooLarge);
            }
            let Some((byte, later)) = bytes.split_first() else { return Ok(Ok(())) };
            bytes = later;
            if self.take(*byte) {
                let outcome = deliver(Frame { event: None, data: text(&self.element).trim() });
                self.element.clear();
                if let Err(error) = outcome {
                    return Ok(Err(error));
                }
            }
        }
    }

    /// Whether the array's closing bracket has come.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Takes one byte; true where it completes an element. An object or a list is complete with its
    /// own bracket: what follows it may be a long time in coming, or never come.
    fn take(&mut self, byte: u8) -> bool {
        if self.in_string {
            self.element.push(byte);
            match byte {
                _ if self.after_backslash => self.after_backslash = false,
                b'\\' => self.after_backslash = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'[' | b'{' => {
                self.depth += 1;
                if self.depth > 1 {
                    self.element.push(byte);
                }
                false
            }
            b']' | b'}' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.is_closed = true;
                    return self.is_pending();
                }
                self.element.push(byte);
                self.depth == 1
            }
            b',' if self.depth == 1 => self.is_pending(),
            _ => {
                self.in_string = byte == b'"';
                if self.depth > 0 {
                    self.element.push(byte);
                }
                false
            }
        }
    }

    fn is_pending(&self) -> bool {
        self.element.iter().any(|byte| !byte.is_ascii_whitespace())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn elements(chunks: &[&[u8]]) -> (Vec<String>, bool) {
        let mut framer = JsonArrayFramer::default();
        let mut got = Vec::new();
        for chunk in chunks {
            let mut deliver = |frame: Frame<'_>| {
                got.push(frame.data.to_owned());
                Ok::<(), ()>(())
            };
            framer.push(chunk, &mut deliver).unwrap().unwrap();
        }
        (got, framer.is_closed())
    }

    const ARRAY: &[u8] = "[{\"a\": [1, {\"b\": \"],}\\\"[\"}]}\r\n,\r\n{\"c\":\"ü\"}\n]\n".as_bytes();

    #[test]
    fn elements_are_split_at_the_top_level_only() {
        let expected = vec!["{\"a\": [1, {\"b\": \"],}\\\"[\"}]}".to_owned(), "{\"c\":\"ü\"}".to_owned()];
        assert_eq!(elements(&[ARRAY]), (expected, true));
        assert_eq!(elements(&[b"[]"]), (vec![], true));
        assert_eq!(elements(&[b"[{\"a\":1}, {\"b\""]), (vec!["{\"a\":1}".to_owned()], false));
    }

    #[test]
    fn an_element_is_handed_on_with_its_own_last_byte() {
        assert_eq!(elements(&[b"[{\"a\":1}"]), (vec!["{\"a\":1}".to_owned()], false));
        assert_eq!(elements(&[b"[7, [8]"]), (vec!["7".to_owned(), "[8]".to_owned()], false));
        assert_eq!(elements(&[b"[7"]), (vec![], false));
    }

    proptest! {
        #[test]
        fn framing_ignores_chunk_boundaries(cut in 0..=ARRAY.len()) {
            prop_assert_eq!(elements(&[&ARRAY[..cut], &ARRAY[cut..]]), elements(&[ARRAY]));
        }
    }
}
