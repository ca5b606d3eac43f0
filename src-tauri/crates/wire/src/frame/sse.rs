//! Server-sent events, as the WHATWG HTML standard §9.2.6 parses them: LF, CRLF and CR line ends,
//! comments, several `data:` lines in one event, one leading byte-order mark.
//!
//! One difference, on purpose: an event that the end of the stream cuts off before its blank line
//! is still delivered by [`SseFramer::finish`]; some providers leave the last blank line out.

use super::{Frame, FrameTooLarge, MAX_FRAME_BYTES, text};

/// The names that the standard knows.
const FIELDS: [&[u8]; 4] = [b"data", b"event", b"id", b"retry"];

#[derive(Debug, Default)]
pub struct SseFramer {
    /// The unfinished line.
    line: Vec<u8>,
    /// The last byte was CR: an LF that follows belongs to the same line end.
    after_cr: bool,
    is_past_first_line: bool,
    data: String,
    has_data: bool,
    event: String,
    has_event: bool,
    comments: u64,
    /// Lines that are no field of the standard's.
    strays: u64,
}

impl SseFramer {
    /// Takes the next bytes and hands each complete event to `deliver`; stops at its first error.
    pub fn push<E>(
        &mut self,
        mut bytes: &[u8],
        deliver: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<Result<(), E>, FrameTooLarge> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            if bytes[0] == b'\n' {
                bytes = &bytes[1..];
            }
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) {
            if let Some((data, past)) = self.whole_event(bytes, end) {
                bytes = &bytes[past..];
                self.is_past_first_line = true;
                let event = std::mem::take(&mut self.has_event).then_some(&*self.event);
                match deliver(Frame { event, data: &text(data) }) {
                    Ok(()) => continue,
                    Err(error) => return Ok(Err(error)),
                }
            }
            let outcome = if self.line.is_empty() {
                self.take_line(&bytes[..end], deliver)
            } else {
                self.hold(&bytes[..end])?;
                let line = std::mem::take(&mut self.line);
                let outcome = self.take_line(&line, deliver);
                self.line = line;
                self.line.clear();
                outcome
            };
            let is_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if is_cr {
                match bytes.first() {
                    Some(b'\n') => bytes = &bytes[1..],
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
            if let Err(error) = outcome {
                return Ok(Err(error));
            }
            if self.data.len() > MAX_FRAME_BYTES {
                return Err(FrameTooLarge);
            }
        }
        self.hold(bytes)?;
        Ok(Ok(()))
    }

    /// The stream ended: delivers what its last blank line would have.
    pub fn finish<E>(&mut self, deliver: &mut impl FnMut(Frame<'_>) -> Result<(), E>) -> Result<(), E> {
        let line = std::mem::take(&mut self.line);
        // A field's name that was cut is no plain text.
        let is_cut_name = FIELDS.iter().any(|name| name.len() > line.len() && name.starts_with(&line));
        if !line.is_empty() && !is_cut_name {
            self.take_line(&line, deliver)?;
        }
        self.dispatch(deliver)
    }

    /// Comment lines seen so far; providers send them to keep a connection alive.
    pub fn comments(&self) -> u64 {
        self.comments
    }

    /// Lines that the standard does not know; where nothing else came, the body is plain text.
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// Where the line that ends at `end` is all the data of its event and the blank line behind it is
    /// here too, as nearly always: the data where they lie, and where the next line begins.
    fn whole_event<'b>(&self, bytes: &'b [u8], end: usize) -> Option<(&'b [u8], usize)> {
        if self.has_data || !self.line.is_empty() || end > MAX_FRAME_BYTES {
            return None;
        }
        let data = bytes[..end].strip_prefix(b"data:")?;
        let blank = [&b"\n\n"[..], b"\r\n\r\n"].into_iter().find(|ends| bytes[end..].starts_with(ends))?;
        Some((data.strip_prefix(b" ").unwrap_or(data), end + blank.len()))
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), FrameTooLarge> {
        if self.line.len() + bytes.len() > MAX_FRAME_BYTES {
            return Err(FrameTooLarge);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn take_line<E>(
        &mut self,
        mut line: &[u8],
        deliver: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if !std::mem::replace(&mut self.is_past_first_line, true) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch(deliver);
        }
        let (name, value) = match memchr::memchr(b':', line) {
            Some(0) => {
                self.comments += 1;
                return Ok(());
            }
            Some(colon) => {
                (&line[..colon], line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..]))
            }
            None => (line, &b""[..]),
        };
        match name {
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(&text(value));
            }
            b"event" => {
                self.has_event = true;
                self.event.clear();
                self.event.push_str(&text(value));
            }
            // They speak to a client that reconnects, which nobody does to an LLM.
            b"id" | b"retry" => {}
            _ => self.strays += 1,
        }
        Ok(())
    }

    fn dispatch<E>(&mut self, deliver: &mut impl FnMut(Frame<'_>) -> Result<(), E>) -> Result<(), E> {
        let event = std::mem::take(&mut self.has_event).then_some(&*self.event);
        if !std::mem::take(&mut self.has_data) {
            return Ok(());
        }
        let outcome = deliver(Frame { event, data: &self.data });
        self.data.clear();
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Got = Vec<(Option<String>, String)>;

    fn frames<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Got {
        let mut framer = SseFramer::default();
        let mut got = Got::new();
        let mut deliver = |frame: Frame<'_>| {
            got.push((frame.event.map(str::to_owned), frame.data.to_owned()));
            Ok::<(), ()>(())
        };
        for chunk in chunks {
            framer.push(chunk, &mut deliver).unwrap().unwrap();
        }
        framer.finish(&mut deliver).unwrap();
        got
    }

    fn data(text: &str) -> (Option<String>, String) {
        (None, text.to_owned())
    }

    #[test]
    fn every_line_end_means_the_same() {
        for stream in ["data: a\n\ndata: b\n\n", "data: a\r\n\r\ndata: b\r\n\r\n", "data: a\r\rdata: b\r\r"] {
            assert_eq!(frames([stream.as_bytes()]), [data("a"), data("b")], "{stream:?}");
        }
    }

    #[test]
    fn fields_comments_and_several_data_lines_are_read_as_the_standard_says() {
        let stream = b"\xEF\xBB\xBF: hello\nevent: ping\ndata\n\ndata:a\ndata:  b\nid: 7\nretry: 3\nfoo: bar\n\nevent: lone\n\ndata: last";
        assert_eq!(
            frames([&stream[..]]),
            [(Some("ping".into()), String::new()), data("a\n b"), data("last")]
        );
    }

    #[test]
    fn a_cut_field_name_is_no_plain_text() {
        for (stream, strays) in [("dat", 0), ("event: a\nd", 0), ("Not Found", 1), ("date", 1)] {
            let mut framer = SseFramer::default();
            let mut deliver = |_: Frame<'_>| Ok::<(), ()>(());
            framer.push(stream.as_bytes(), &mut deliver).unwrap().unwrap();
            framer.finish(&mut deliver).unwrap();
            assert_eq!(framer.strays(), strays, "{stream:?}");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut framer = SseFramer::default();
        let chunk = vec![b'x'; MAX_FRAME_BYTES / 4];
        let mut deliver = |_: Frame<'_>| Ok::<(), ()>(());
        let outcome: Vec<_> = (0..5).map(|_| framer.push(&chunk, &mut deliver)).collect();
        assert!(outcome[..4].iter().all(Result::is_ok));
        assert_eq!(outcome[4], Err(FrameTooLarge));
    }

    const MIXED: &[u8] =
        "event: a\r\ndata: {\"text\":\"päckchen – 漢字 🚂\"}\r\n\r\n: note\ndata: x\rdata: y\r\rdata: z"
            .as_bytes();

    proptest! {
        /// Network chunking carries no meaning: any two cuts decode alike.
        #[test]
        fn framing_ignores_chunk_boundaries(one in 0..=MIXED.len(), two in 0..=MIXED.len()) {
            let (one, two) = (one.min(two), one.max(two));
            prop_assert_eq!(frames([&MIXED[..one], &MIXED[one..two], &MIXED[two..]]), frames([MIXED]));
        }
    }
}
