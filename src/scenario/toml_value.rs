//! Values and tables of a TOML document, with their spans.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Diagnostics};

/// A diagnostic about a wrong type: what was found, what is expected, and how to write it.
pub(crate) fn wrong_type(
    value: &Spanned<DeValue<'_>>,
    wanted: &str,
    remedy: impl Into<String>,
) -> Diagnostic {
    let found = match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Diagnostic::new(value.span(), format!("expected {wanted}, found {found}"), remedy)
}

pub(super) fn table_of<'a, 'i>(
    value: &'a Spanned<DeValue<'i>>,
    remedy: &str,
    diagnostics: &mut Diagnostics,
) -> Option<&'a DeTable<'i>> {
    let table = value.get_ref().as_table();
    if table.is_none() {
        diagnostics.add(wrong_type(value, "a table", remedy));
    }
    table
}

pub(super) type KeyValue<'a, 'i> = (&'a Spanned<Cow<'i, str>>, &'a Spanned<DeValue<'i>>);

pub(super) fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> impl Iterator<Item = KeyValue<'a, 'i>> {
    let mut entries: Vec<KeyValue<'a, 'i>> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries.into_iter()
}
