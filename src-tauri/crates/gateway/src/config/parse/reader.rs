//! Reading a TOML table key by key, with a note of everything that is wrong and where.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{nearest, values};
use crate::config::ConfigProblem;

pub(super) type Table<'i> = DeTable<'i>;
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// The file's text, and what was found wrong with it so far.
pub(super) struct Reader<'t> {
    pub text: &'t str,
    pub problems: Vec<ConfigProblem>,
}

impl Reader<'_> {
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        line_of(self.text, span.start)
    }

    pub(super) fn report(&mut self, span: &Range<usize>, key: &str, message: String) {
        self.report_nearest(span, key, message, None);
    }

    pub(super) fn report_nearest(
        &mut self,
        span: &Range<usize>,
        key: &str,
        message: String,
        nearest: Option<String>,
    ) {
        let line = self.line(span);
        self.problems.push(ConfigProblem { nearest, ..problem(line, Some(key), message) });
    }

    pub(super) fn refuse_unknown(&mut self, table: &Table<'_>, place: &str, known: &[&str]) {
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let full = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
            let place =
                if place.is_empty() { "at the top of the file".to_owned() } else { format!("in {place}") };
            let message = format!("Unknown key `{name}` {place}.");
            self.report_nearest(&key.span(), &full, message, nearest(name, known.iter().copied()));
        }
    }

    pub(super) fn table<'v, 'i>(&mut self, root: &'v Table<'i>, name: &str) -> Option<&'v Table<'i>> {
        let value = root.get(name)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.report(
                &value.span(),
                name,
                format!("`{name}` is a table: write [{name}] on a line of its own."),
            );
        }
        table
    }

    pub(super) fn tables<'v, 'i>(
        &mut self,
        root: &'v Table<'i>,
        name: &str,
    ) -> Vec<(&'v Table<'i>, Range<usize>)> {
        let Some(value) = root.get(name) else { return Vec::new() };
        let items = value.get_ref().as_array().map(|array| {
            array
                .iter()
                .map(|item| Some((item.get_ref().as_table()?, item.span())))
                .collect::<Option<Vec<_>>>()
        });
        items.flatten().unwrap_or_else(|| {
            let message = format!("`{name}` is a list of tables: write [[{name}]] with two brackets.");
            self.report(&value.span(), name, message);
            Vec::new()
        })
    }

    pub(super) fn text_at(
        &mut self,
        table: &Table<'_>,
        name: &str,
        key: &str,
    ) -> Option<(String, Range<usize>)> {
        let value = table.get(name)?;
        let Some(text) = value.get_ref().as_str() else {
            self.report(&value.span(), key, format!("`{name}` is text: write it in quotation marks."));
            return None;
        };
        Some((text.to_owned(), value.span()))
    }

    pub(super) fn required(
        &mut self,
        table: &Table<'_>,
        span: &Range<usize>,
        name: &str,
        key: &str,
    ) -> Option<(String, Range<usize>)> {
        if !table.contains_key(name) {
            self.report(span, key, format!("`{key}` is missing."));
            return None;
        }
        let (text, span) = self.text_at(table, name, key)?;
        if text.trim().is_empty() {
            self.report(&span, key, format!("`{key}` is empty."));
            return None;
        }
        Some((text, span))
    }
}

// === Values of one kind ===

/// What must be text in a list of text, and where it stands.
pub(super) type Names = Vec<(String, Range<usize>)>;

impl Reader<'_> {
    pub(super) fn flag(&mut self, table: &Table<'_>, name: &str, key: &str) -> Option<bool> {
        let value = table.get(name)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.report(&value.span(), key, format!("`{name}` is true or false."));
        }
        flag
    }

    /// A whole number within `range`.
    pub(super) fn whole(
        &mut self,
        table: &Table<'_>,
        name: &str,
        key: &str,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let value = table.get(name)?;
        let number = value.get_ref().as_integer();
        let number = number.and_then(|it| u64::from_str_radix(it.as_str(), it.radix()).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            let message = format!("`{name}` is a whole number from {least} to {most}.");
            self.report(&value.span(), key, message);
        }
        number
    }

    /// A number within `range`, with or without a point.
    pub(super) fn number(
        &mut self,
        table: &Table<'_>,
        name: &str,
        key: &str,
        range: RangeInclusive<f64>,
    ) -> Option<f64> {
        let value = table.get(name)?;
        let number = number_of(value).filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.report(&value.span(), key, format!("`{name}` is a number from {least} to {most}."));
        }
        number
    }

    pub(super) fn names(&mut self, table: &Table<'_>, name: &str, key: &str) -> Option<Names> {
        let value = table.get(name)?;
        let names = value.get_ref().as_array().map(|array| {
            let text = |item: &Value<'_>| Some((item.get_ref().as_str()?.to_owned(), item.span()));
            array.iter().map(text).collect::<Option<Names>>()
        });
        match names.flatten() {
            Some(names) if !names.is_empty() => Some(names),
            Some(_) => {
                self.report(&value.span(), key, format!("`{name}` is empty. Leave it out, or name one."));
                None
            }
            None => {
                let message = format!("`{name}` is a list of text: {name} = [\"…\", …].");
                self.report(&value.span(), key, message);
                None
            }
        }
    }

    /// One word of `known`.
    pub(super) fn choice<T: Clone>(
        &mut self,
        table: &Table<'_>,
        name: &str,
        key: &str,
        known: &[(&str, T)],
    ) -> Option<T> {
        let (word, span) = self.text_at(table, name, key)?;
        self.word(&word, &span, name, key, known)
    }

    pub(super) fn word<T: Clone>(
        &mut self,
        word: &str,
        span: &Range<usize>,
        name: &str,
        key: &str,
        known: &[(&str, T)],
    ) -> Option<T> {
        if let Some((_, value)) = known.iter().find(|(known, _)| *known == word) {
            return Some(value.clone());
        }
        let words = known.iter().map(|(known, _)| *known);
        let spoken: Vec<String> = words.clone().map(|word| format!("\"{word}\"")).collect();
        let message = format!("`{name}` cannot be \"{word}\"; there are: {}.", spoken.join(", "));
        self.report_nearest(span, key, message, nearest(word, words));
        None
    }

    pub(super) fn duration(&mut self, table: &Table<'_>, name: &str, key: &str) -> Option<Duration> {
        let (text, span) = self.text_at(table, name, key)?;
        let duration = values::duration(&text);
        if duration.is_none() {
            let message = format!("\"{text}\" is no duration. Write \"500ms\", \"10s\", \"5m\" or \"1h\".");
            self.report(&span, key, message);
        }
        duration
    }

    /// A table inside of one: `name = { … }`.
    pub(super) fn inner<'v, 'i>(
        &mut self,
        table: &'v Table<'i>,
        name: &str,
        key: &str,
        example: &str,
    ) -> Option<&'v Table<'i>> {
        let value = table.get(name)?;
        let inner = value.get_ref().as_table();
        if inner.is_none() {
            self.report(&value.span(), key, format!("`{name}` is a table: {name} = {example}."));
        }
        inner
    }
}

/// A number, with or without a point.
pub(super) fn number_of(value: &Value<'_>) -> Option<f64> {
    let whole = value.get_ref().as_integer().map(|it| i64::from_str_radix(it.as_str(), it.radix()));
    match whole {
        Some(whole) => whole.ok().map(|whole| whole as f64),
        None => value.get_ref().as_float()?.as_str().parse().ok(),
    }
}

pub(super) fn span_of(table: &Table<'_>, name: &str) -> Option<Range<usize>> {
    table.get(name).map(Spanned::span)
}

pub(super) fn problem(line: usize, key: Option<&str>, message: String) -> ConfigProblem {
    ConfigProblem { line, key: key.map(str::to_owned), message, nearest: None }
}

pub(super) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}
