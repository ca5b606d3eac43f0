//! Reading a TOML table key by key, with a note of everything that is wrong and where.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest;
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

pub(super) fn span_of(table: &Table<'_>, name: &str) -> Option<Range<usize>> {
    table.get(name).map(Spanned::span)
}

pub(super) fn problem(line: usize, key: Option<&str>, message: String) -> ConfigProblem {
    ConfigProblem { line, key: key.map(str::to_owned), message, nearest: None }
}

pub(super) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}
