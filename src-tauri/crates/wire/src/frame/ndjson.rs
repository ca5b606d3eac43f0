//! Newline-delimited JSON: one document per line. How Ollama streams.
//!
//! Lines end with LF, CRLF or CR: inside a JSON string all of them are escaped, so none can be
//! content. Empty lines say nothing. A last line without its end is still delivered: the stream's
//! end ends it, and whether it is whole its JSON tells.

use super::{Frame, FrameTooLarge, MAX_FRAME_BYTES, text};

#[derive(Debug, Default)]
pub struct NdjsonFramer {
    /// The unfinished line.
    line: Vec<u8>,
}

impl NdjsonFramer {
    /// Takes the next bytes and hands each complete line to `deliver`; stops at its first error.
    pub fn push<E>(
        &mut self,
        mut bytes: &[u8],
        deliver: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<Result<(), E>, FrameTooLarge> {
        while let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) {
            let outcome = if self.line.is_empty() {
                take_line(&bytes[..end], deliver)
            } else {
                self.hold(&bytes[..end])?;
                let outcome = take_line(&self.line, deliver);
                self.line.clear();
                outcome
            };
            if let Err(error) = outcome {
                return Ok(Err(error));
            }
            bytes = &bytes[end + 1..];
        }
        self.hold(bytes)?;
        Ok(Ok(()))
    }

    /// The stream ended: delivers what its last line end would have.
    pub fn finish<E>(&mut self, deliver: &mut impl FnMut(Frame<'_>) -> Result<(), E>) -> Result<(), E> {
        take_line(&std::mem::take(&mut self.line), deliver)
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), FrameTooLarge> {
        if self.line.len() + bytes.len() > MAX_FRAME_BYTES {
            return Err(FrameTooLarge);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }
}

fn take_line<E>(line: &[u8], deliver: &mut impl FnMut(Frame<'_>) -> Result<(), E>) -> Result<(), E> {
    match text(line).trim() {
        "" => Ok(()),
        data => deliver(Frame { event: None, data }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut framer = NdjsonFramer::default();
        let mut got = Vec::new();
        let mut deliver = |frame: Frame<'_>| {
            got.push(frame.data.to_owned());
            Ok::<(), ()>(())
        };
        for chunk in chunks {
            framer.push(chunk, &mut deliver).unwrap().unwrap();
        }
        framer.finish(&mut deliver).unwrap();
        got
    }

    #[test]
    fn every_line_end_means_the_same_and_empty_lines_mean_nothing() {
        for stream in ["{\"a\":1}\n{\"b\":2}\n", "{\"a\":1}\r\n\r\n{\"b\":2}\r\n", "{\"a\":1}\r{\"b\":2}"] {
            assert_eq!(lines([stream.as_bytes()]), ["{\"a\":1}", "{\"b\":2}"], "{stream:?}");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut framer = NdjsonFramer::default();
        let chunk = vec![b'x'; MAX_FRAME_BYTES / 4];
        let mut deliver = |_: Frame<'_>| Ok::<(), ()>(());
        let outcome: Vec<_> = (0..5).map(|_| framer.push(&chunk, &mut deliver)).collect();
        assert!(outcome[..4].iter().all(Result::is_ok));
        assert_eq!(outcome[4], Err(FrameTooLarge));
    }

    #[test]
    fn an_error_of_the_reader_ends_the_stream() {
        let mut seen = 0;
        let mut deliver = |_: Frame<'_>| {
            seen += 1;
            Err("no more")
        };
        let outcome = NdjsonFramer::default().push(b"{}\n{}\n", &mut deliver);
        assert_eq!((outcome, seen), (Ok(Err("no more")), 1));
    }

    const MIXED: &[u8] =
        "{\"text\":\"päckchen – 漢字 🚂\\n\"}\r\n\n{\"c\": [1, 2]}\r{\"done\":true}".as_bytes();

    proptest! {
        /// Network chunking carries no meaning: any two cuts decode alike.
        #[test]
        fn framing_ignores_chunk_boundaries(one in 0..=MIXED.len(), two in 0..=MIXED.len()) {
            let (one, two) = (one.min(two), one.max(two));
            prop_assert_eq!(lines([&MIXED[..one], &MIXED[one..two], &MIXED[two..]]), lines([MIXED]));
        }
    }
}
