//! JSON that is nearly right, read as what it plainly means. Where two readings are possible,
//! there is none: a wrong argument is worse than a refused one.

use serde_json::{Map, Value};

use crate::verdict::Note;

/// Longer texts are not mended.
const LONGEST: usize = 1 << 20;

/// As deep as `serde_json` reads.
const DEEPEST: usize = 120;

/// How often JSON may be written as text inside of JSON.
const LAYERS: usize = 3;

/// What the whole may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    Object,
    /// An object or a list.
    Container,
}

/// A value, and what it took to read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mended {
    pub value: Value,
    pub notes: Vec<Note>,
}

/// The value that `text` plainly stands for. `is_cut`: the text broke off, so that nothing at its
/// end is completed.
pub fn mend(text: &str, root: Root, is_cut: bool) -> Option<Mended> {
    if text.len() > LONGEST {
        return None;
    }
    let mut notes = Vec::new();
    let mut value = whole(text, root, is_cut, &mut notes)?;
    for _ in 0..LAYERS {
        let Value::String(inner) = &value else { break };
        notes.push(Note::EncodedTwice);
        value = whole(inner, root, is_cut, &mut notes)?;
    }
    let fits = value.is_object() || (root == Root::Container && value.is_array());
    fits.then_some(Mended { value, notes })
}

/// One value, possibly with prose or a fence around it.
fn whole(text: &str, root: Root, is_cut: bool, notes: &mut Vec<Note>) -> Option<Value> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let begins: &[char] = if root == Root::Object { &['{'] } else { &['{', '['] };
    let start = if text.starts_with('"') { 0 } else { text.find(begins)? };
    let before = text[..start].trim();
    let is_fence = |prose: &str| {
        prose.strip_prefix("```").is_some_and(|tag| tag.trim().chars().all(char::is_alphanumeric))
    };
    if is_fence(before) {
        notes.push(Note::CodeFence);
    } else if !before.is_empty() {
        notes.push(Note::TextAround);
    }
    let mut reader = Reader { text, at: start, is_cut, notes };
    let mut value = reader.value(0)?;
    loop {
        reader.space();
        let rest = &text[reader.at..];
        if rest.is_empty() {
            return Some(value);
        }
        if rest.chars().all(|c| matches!(c, '}' | ']') || c.is_whitespace()) {
            reader.notes.push(Note::Brackets);
            return Some(value);
        }
        if !rest.contains(begins) {
            let is_fence = rest.trim() == "```";
            reader.notes.push(if is_fence { Note::CodeFence } else { Note::TextAround });
            return Some(value);
        }
        // Streams that were put together wrongly hold an object twice, or an empty one first.
        if !rest.starts_with(begins) {
            return None;
        }
        let next = reader.value(0)?;
        let is_empty = value.as_object().is_some_and(Map::is_empty);
        if !is_empty && next != value {
            return None;
        }
        reader.notes.push(Note::RepeatedValue);
        value = next;
    }
}

struct Reader<'t, 'n> {
    text: &'t str,
    at: usize,
    is_cut: bool,
    notes: &'n mut Vec<Note>,
}

/// Between two members of a list or an object.
enum Between {
    More,
    Closed,
}

impl Reader<'_, '_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        self.space();
        match self.peek()? {
            '{' => self.object(depth),
            '[' => self.list(depth),
            '"' => self.quoted().map(Value::String),
            '\'' => self.single_quoted().map(Value::String),
            c if c == '-' || c.is_ascii_digit() => self.number(),
            c if c.is_ascii_alphabetic() => self.literal(),
            _ => None,
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.at += 1;
        let mut fields = Map::new();
        self.space();
        if self.peek() == Some('}') {
            self.at += 1;
            return Some(Value::Object(fields));
        }
        if self.peek().is_none() {
            self.close_at_end()?;
            return Some(Value::Object(fields));
        }
        loop {
            self.space();
            let name = match self.peek()? {
                '"' => self.quoted()?,
                '\'' => self.single_quoted()?,
                _ => self.bare_key()?,
            };
            self.space();
            if self.peek()? != ':' {
                return None;
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            // Said twice and differently: nobody knows which one is meant.
            if fields.get(&name).is_some_and(|said| *said != value) {
                return None;
            }
            fields.insert(name, value);
            if matches!(self.between('}')?, Between::Closed) {
                return Some(Value::Object(fields));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(']') {
            self.at += 1;
            return Some(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if matches!(self.between(']')?, Between::Closed) {
                return Some(Value::Array(items));
            }
        }
    }

    /// After a whole member: a comma, the closing bracket, or the text's end in its place.
    fn between(&mut self, close: char) -> Option<Between> {
        self.space();
        match self.peek() {
            None => {
                self.close_at_end()?;
                Some(Between::Closed)
            }
            Some(',') => {
                self.at += 1;
                self.space();
                if self.peek() == Some(close) {
                    self.at += 1;
                    self.notes.push(Note::TrailingComma);
                    return Some(Between::Closed);
                }
                Some(Between::More)
            }
            Some(c) if c == close => {
                self.at += 1;
                Some(Between::Closed)
            }
            Some(_) => None,
        }
    }

    fn close_at_end(&mut self) -> Option<()> {
        if self.is_cut {
            return None;
        }
        self.notes.push(Note::Brackets);
        Some(())
    }

    fn number(&mut self) -> Option<Value> {
        let rest = &self.text[self.at..];
        let length =
            rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let token = &rest[..length];
        let value: Value = serde_json::from_str(token).ok()?;
        // A whole number that no longer is one would come out with other digits.
        let is_whole = token.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if is_whole && !value.is_i64() && !value.is_u64() {
            return None;
        }
        self.at += length;
        Some(value)
    }

    fn literal(&mut self) -> Option<Value> {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (value, is_json) = match &rest[..length] {
            "true" => (Value::Bool(true), true),
            "false" => (Value::Bool(false), true),
            "null" => (Value::Null, true),
            "True" => (Value::Bool(true), false),
            "False" => (Value::Bool(false), false),
            "None" => (Value::Null, false),
            _ => return None,
        };
        if !is_json {
            self.notes.push(Note::Literal);
        }
        self.at += length;
        Some(value)
    }

    fn bare_key(&mut self) -> Option<String> {
        let rest = &self.text[self.at..];
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
        let length = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        if length == 0 || rest.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.at += length;
        self.notes.push(Note::BareKey);
        Some(rest[..length].to_owned())
    }

    fn quoted(&mut self) -> Option<String> {
        let rest = &self.text[self.at + 1..];
        let mut escaped = false;
        let end = rest.char_indices().find_map(|(at, c)| {
            let is_end = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            is_end.then_some(at)
        })?;
        let said = self.unescape(&rest[..end])?;
        self.at += end + 2;
        Some(said)
    }

    /// A text in single quotes ends at the first one behind which a text can end.
    fn single_quoted(&mut self) -> Option<String> {
        let rest = &self.text[self.at + 1..];
        let mut escaped = false;
        let end = rest.char_indices().find_map(|(at, c)| {
            let is_quote = c == '\'' && !escaped;
            escaped = c == '\\' && !escaped;
            let next = rest[at + c.len_utf8()..].trim_start().chars().next();
            (is_quote && next.is_none_or(|next| matches!(next, ',' | ':' | ']' | '}'))).then_some(at)
        })?;
        let inner = &rest[..end];
        // The same signs inside could as well be the text's end.
        if has_bare(inner, '\'') && inner.contains([',', ':']) {
            return None;
        }
        self.notes.push(Note::Quotes);
        let said = self.unescape(&doubled(inner))?;
        self.at += end + 2;
        Some(said)
    }

    /// The text between two quotation marks.
    fn unescape(&mut self, inner: &str) -> Option<String> {
        let token = format!("\"{inner}\"");
        if let Ok(said) = serde_json::from_str(&token) {
            return Some(said);
        }
        let mut escaped = String::with_capacity(token.len());
        for c in token.chars() {
            match c {
                '\n' => escaped.push_str("\\n"),
                '\r' => escaped.push_str("\\r"),
                '\t' => escaped.push_str("\\t"),
                c if (c as u32) < 0x20 => return None,
                c => escaped.push(c),
            }
        }
        let said = serde_json::from_str(&escaped).ok()?;
        self.notes.push(Note::ControlCharacter);
        Some(said)
    }
}

fn has_bare(text: &str, quote: char) -> bool {
    let mut escaped = false;
    text.chars().any(|c| {
        let bare = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        bare
    })
}

/// A text from between single quotes as it stands between double ones.
fn doubled(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len() + 2);
    let mut escaped = false;
    for c in inner.chars() {
        match (escaped, c) {
            (true, '\'') => {
                out.pop();
                out.push('\'');
            }
            (false, '"') => out.push_str("\\\""),
            _ => out.push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    out
}

#[cfg(test)]
mod tests;
