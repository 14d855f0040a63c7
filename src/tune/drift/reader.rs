//! Reads single values of a `fly.toml`, each with its line.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::scenario::Diagnostic;
use crate::scenario::reading::{Diagnostics, wrong_type};

/// A value of the file, and where it is stated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatedValue<T> {
    pub(super) value: T,
    /// The line, from 1.
    pub(super) line: usize,
    /// The key and the value as they are written: `memory = "2gb"`.
    pub(super) written: String,
}

impl<T> StatedValue<T> {
    /// A value that follows from this one: `size = "shared-cpu-1x" (memory)`.
    pub(super) fn implied<U>(&self, value: U, what: &str) -> StatedValue<U> {
        let written = format!("{} ({what})", self.written);
        StatedValue { value, line: self.line, written }
    }

    /// The same place with another value.
    pub(super) fn with<U>(&self, value: U) -> StatedValue<U> {
        StatedValue { value, line: self.line, written: self.written.clone() }
    }
}

/// Reads values and collects mistakes. Keys that are not asked for are left alone: most of a
/// `fly.toml` has nothing to do with drift.
pub(super) struct TomlReader<'t> {
    pub(super) text: &'t str,
    pub(super) diagnostics: Diagnostics,
}

/// What a value must be, in the words of an error, and what to write.
pub(super) type Expectation = (&'static str, &'static str);

impl<'t> TomlReader<'t> {
    /// The line of an offset, from 1.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }

    /// The value under a key, converted; `None` if it is not there, or after reporting a mistake.
    pub(super) fn read<T>(
        &mut self,
        table: &DeTable<'t>,
        key: &str,
        expected: Expectation,
        convert: impl Fn(&DeValue<'t>) -> Option<T>,
    ) -> Option<StatedValue<T>> {
        let (name, value) = entry(table, key)?;
        let Some(read) = convert(value.get_ref()) else {
            self.diagnostics.add(wrong_type_or_value(value, expected));
            return None;
        };
        let literal = self.text.get(value.span()).unwrap_or_default();
        let written = format!("{} = {literal}", name.get_ref()).replace(char::is_control, " ");
        Some(StatedValue { value: read, line: self.line_of(name.span().start), written })
    }

    /// A text.
    pub(super) fn text_of(
        &mut self,
        table: &DeTable<'t>,
        key: &str,
    ) -> Option<StatedValue<String>> {
        let expected = ("a text", "write it in quotes");
        self.read(table, key, expected, |value| value.as_str().map(str::to_owned))
    }

    /// A count, also one that is written as text.
    pub(super) fn count_of(&mut self, table: &DeTable<'t>, key: &str) -> Option<StatedValue<u32>> {
        self.read(table, key, ("a count", "write an integer such as `1`"), |value| {
            u32::try_from(integer_of(value)?).ok()
        })
    }

    /// A list of texts, or one text.
    pub(super) fn texts_of(&mut self, table: &DeTable<'t>, key: &str) -> Vec<String> {
        let expected = ("a list of process groups", "write it like `[\"app\"]`");
        let read = self.read(table, key, expected, |value| match value {
            DeValue::String(one) => Some(vec![one.to_string()]),
            DeValue::Array(list) => {
                list.iter().map(|one| one.get_ref().as_str().map(str::to_owned)).collect()
            }
            _ => None,
        });
        read.map(|list| list.value).unwrap_or_default()
    }

    /// The tables under a key, which is written `[key]` or `[[key]]`, each with its line.
    pub(super) fn tables_of<'d>(
        &mut self,
        table: &'d DeTable<'t>,
        key: &str,
    ) -> Vec<(usize, &'d DeTable<'t>)> {
        let Some((name, value)) = entry(table, key) else { return Vec::new() };
        let line = self.line_of(name.span().start);
        let list: Vec<&Spanned<DeValue<'t>>> = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![value],
        };
        let mut tables = Vec::new();
        for one in list {
            match one.get_ref() {
                DeValue::Table(inner) => {
                    // The span of a `[[header]]` starts at its brackets.
                    let own = self.line_of(one.span().start);
                    tables.push((own.max(line), inner));
                }
                _ => self.diagnostics.add(wrong_type(one, "a table", format!("write `[[{key}]]`"))),
            }
        }
        tables
    }
}

/// A key of a table, and its value.
pub(super) fn entry<'d, 't>(
    table: &'d DeTable<'t>,
    key: &str,
) -> Option<(&'d Spanned<std::borrow::Cow<'t, str>>, &'d Spanned<DeValue<'t>>)> {
    table.iter().find(|(name, _)| name.get_ref() == key)
}

/// An integer, also one that is written as text.
pub(super) fn integer_of(value: &DeValue<'_>) -> Option<i64> {
    match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        DeValue::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn wrong_type_or_value(value: &Spanned<DeValue<'_>>, expected: Expectation) -> Diagnostic {
    let (what, remedy) = expected;
    match value.get_ref() {
        DeValue::String(text) => {
            Diagnostic::new(value.span(), format!("`{text}` is not {what}"), remedy)
        }
        DeValue::Integer(number) => {
            Diagnostic::new(value.span(), format!("`{number}` is not {what}"), remedy)
        }
        _ => wrong_type(value, what, remedy),
    }
}
