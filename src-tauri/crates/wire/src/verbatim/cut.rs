//! Where the pieces of a raw stream end: behind the blank line of a server-sent event, behind an
//! element of a JSON array. Finds ends only and keeps no bytes; any split of the stream gives the
//! same ends.

/// One stream's cutter.
#[derive(Debug)]
pub(super) enum Cutter {
    Events(Events),
    Array(Array),
}

/// What a piece that just ended was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// An event with its blank line, or an array's opening bracket or element.
    Piece(usize),
    /// The array's closing bracket.
    Close(usize),
}

impl Cutter {
    /// The end of the piece that is being read, as an offset into `bytes`; `None` where it lies
    /// beyond them. Ask again with what is behind it.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Option<Cut> {
        match self {
            Self::Events(events) => events.next(bytes).map(Cut::Piece),
            Self::Array(array) => array.next(bytes),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Events {
    /// The line under way has bytes.
    is_in_line: bool,
    /// The last byte was CR: an LF that follows belongs to the same line end.
    after_cr: bool,
}

impl Events {
    fn next(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            at = usize::from(bytes[0] == b'\n');
        }
        while let Some(length) = memchr::memchr2(b'\n', b'\r', &bytes[at..]) {
            let is_blank = length == 0 && !self.is_in_line;
            self.is_in_line = false;
            at += length + 1;
            if bytes[at - 1] == b'\r' {
                match bytes.get(at) {
                    Some(b'\n') => at += 1,
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
            if is_blank {
                return Some(at);
            }
        }
        self.is_in_line |= at < bytes.len();
        None
    }
}

#[derive(Debug, Default)]
pub(super) struct Array {
    /// Open brackets, the array's own included.
    depth: u32,
    in_string: bool,
    after_backslash: bool,
}

impl Array {
    fn next(&mut self, bytes: &[u8]) -> Option<Cut> {
        for (at, byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.after_backslash => self.after_backslash = false,
                    b'\\' => self.after_backslash = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'[' | b'{' => {
                    self.depth += 1;
                    if self.depth == 1 {
                        return Some(Cut::Piece(at + 1));
                    }
                }
                b']' | b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    match self.depth {
                        0 => return Some(Cut::Close(at + 1)),
                        1 => return Some(Cut::Piece(at + 1)),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(mut cutter: Cutter, chunks: &[&[u8]]) -> Vec<String> {
        let (mut pieces, mut held) = (Vec::new(), Vec::new());
        for chunk in chunks {
            let mut rest = *chunk;
            while let Some(Cut::Piece(end) | Cut::Close(end)) = cutter.next(rest) {
                held.extend_from_slice(&rest[..end]);
                pieces.push(String::from_utf8(std::mem::take(&mut held)).unwrap());
                rest = &rest[end..];
            }
            held.extend_from_slice(rest);
        }
        pieces.push(String::from_utf8(held).unwrap());
        pieces
    }

    const EVENTS: &[u8] = b"data: a\n\nevent: b\r\ndata: b\r\n\r\n: c\rdata: c\r\rdata: d\n\r\ndata: e";
    const ARRAY: &[u8] = b" [{\"a\": [1, {\"b\": \"],}\\\"[\"}]}\r\n,\r\n{\"c\":2}\n]\n";

    #[test]
    fn a_piece_is_an_event_with_its_blank_line_or_an_element_with_what_leads_to_it() {
        assert_eq!(
            pieces(Cutter::Events(Events::default()), &[EVENTS]),
            ["data: a\n\n", "event: b\r\ndata: b\r\n\r\n", ": c\rdata: c\r\r", "data: d\n\r\n", "data: e"]
        );
        assert_eq!(
            pieces(Cutter::Array(Array::default()), &[ARRAY]),
            [" [", "{\"a\": [1, {\"b\": \"],}\\\"[\"}]}", "\r\n,\r\n{\"c\":2}", "\n]", "\n"]
        );
    }

    proptest! {
        /// A piece that ends with CR may leave its LF to the next one, which is the same to a reader.
        #[test]
        fn cuts_ignore_chunk_boundaries(one in 0..=EVENTS.len(), two in 0..=ARRAY.len()) {
            let same = |got: Vec<String>, want: Vec<String>| {
                got.iter().map(|piece| piece.trim().to_owned()).collect::<Vec<_>>()
                    == want.iter().map(|piece| piece.trim().to_owned()).collect::<Vec<_>>()
            };
            let events = |chunks: &[&[u8]]| pieces(Cutter::Events(Events::default()), chunks);
            prop_assert!(same(events(&[&EVENTS[..one], &EVENTS[one..]]), events(&[EVENTS])));
            let array = |chunks: &[&[u8]]| pieces(Cutter::Array(Array::default()), chunks);
            prop_assert_eq!(array(&[&ARRAY[..two], &ARRAY[two..]]), array(&[ARRAY]));
        }
    }
}
