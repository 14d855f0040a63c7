//! Reading a table of known keys, so that every mistake in it is found at once.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Diagnostics, Span};
use super::file::SECTIONS;
use crate::units::near::nearest;

/// Where a key and its value stand in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLocation {
    /// The key; for an element of a list, the element.
    pub key: Span,
    /// The value.
    pub value: Span,
}

/// What stands under a key.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Field<T> {
    /// The key is not written.
    #[default]
    Absent,
    /// It is written, but not as it must be; that was complained about.
    Invalid,
    /// It is written.
    Present(KeyLocation, T),
}

/// A value that was complained about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AlreadyReported;

impl<T> Field<T> {
    /// Whether the key is written at all.
    pub fn is_written(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// Whether the key is written, but not as it must be.
    pub fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid)
    }

    /// The value.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Present(_, value) => Some(value),
            Self::Absent | Self::Invalid => None,
        }
    }

    /// The value, nothing where the key is not written, an error where it was complained about.
    pub(super) fn optional(&self) -> Result<Option<&T>, AlreadyReported> {
        match self {
            Self::Absent => Ok(None),
            Self::Invalid => Err(AlreadyReported),
            Self::Present(_, value) => Ok(Some(value)),
        }
    }

    /// The place and the value.
    pub fn located(&self) -> Option<(&KeyLocation, &T)> {
        match self {
            Self::Present(location, value) => Some((location, value)),
            Self::Absent | Self::Invalid => None,
        }
    }

    /// Where it is written.
    pub fn location(&self) -> Option<&KeyLocation> {
        self.located().map(|(location, _)| location)
    }

    pub(super) fn read(
        key: Span,
        value: &Spanned<DeValue<'_>>,
        diagnostics: &mut Diagnostics,
    ) -> Self
    where
        T: ReadValue,
    {
        T::read(value, diagnostics).map_or(Self::Invalid, |read| {
            Self::Present(KeyLocation { key, value: value.span() }, read)
        })
    }
}

/// What can be read from a value of a file.
pub(super) trait ReadValue: Sized {
    /// The value, or complaints about it.
    fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self>;

    /// What an editor needs to know of such a value.
    fn schema(generator: &mut SchemaGenerator) -> Schema;
}

/// What stands under a key is described as its value is.
impl<T: ReadValue> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        std::any::type_name::<T>().into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::schema(generator)
    }
}

/// Keys of the file's own choosing, such as names of headers, with their values, in the order of the file.
pub type TableEntries<T> = Vec<(String, Field<T>)>;

/// A wrong type: what was found, what is wanted, and how to write it.
pub(super) fn wrong_type(
    value: &Spanned<DeValue<'_>>,
    wanted: &str,
    remedy: impl Into<String>,
) -> Diagnostic {
    let found = match value.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Diagnostic::new(value.span(), format!("expected {wanted}, found {found}"), remedy)
}

impl<T: ReadValue> ReadValue for Vec<Field<T>> {
    fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self> {
        let Some(list) = value.get_ref().as_array() else {
            let remedy = match value.get_ref() {
                DeValue::Table(_) => "write its header in double brackets: `[[…]]`",
                _ => "put it in square brackets: `[…]`",
            };
            diagnostics.add(wrong_type(value, "a list", remedy));
            return None;
        };
        Some(list.iter().map(|element| Field::read(element.span(), element, diagnostics)).collect())
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": generator.subschema_for::<Field<T>>() })
    }
}

impl<T: ReadValue> ReadValue for TableEntries<T> {
    fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self> {
        let table = table_of(value, "write `{ name = \"value\" }`", diagnostics)?;
        Some(
            in_order(table)
                .map(|(key, value)| {
                    (
                        key.get_ref().clone().into_owned(),
                        Field::read(key.span(), value, diagnostics),
                    )
                })
                .collect(),
        )
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<Field<T>>() })
    }
}

/// A table with known keys.
pub(super) struct SectionReader<'a, 'i> {
    table: &'a DeTable<'i>,
    /// Keys that unknown ones were most likely meant to be.
    meant: Vec<&'a str>,
}

impl<'a, 'i> SectionReader<'a, 'i> {
    /// The table of section `name`, after complaining about every key that is not one of `keys`.
    pub(super) fn open(
        name: &str,
        keys: &[&'a str],
        value: &'a Spanned<DeValue<'i>>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let remedy = match keys {
            [first, ..] if !name.starts_with('[') => format!("write it like `{{ {first} = … }}`"),
            _ => format!("write it as the section {name}"),
        };
        let table = table_of(value, &remedy, diagnostics)?;
        let mut meant = Vec::new();
        for (key, _) in in_order(table).filter(|(key, _)| !keys.contains(&key.get_ref().as_ref())) {
            let near = meant_by(name, key.get_ref(), keys);
            diagnostics.add(unknown(key, name, keys, &near));
            meant.extend(near);
        }
        Some(Self { table, meant })
    }

    /// What stands under a key. A misspelt key counts as written, so that it is not also called missing.
    pub(super) fn field<T: ReadValue>(
        &self,
        name: &str,
        diagnostics: &mut Diagnostics,
    ) -> Field<T> {
        match self.table.iter().find(|(key, _)| key.get_ref() == name) {
            Some((key, value)) => Field::read(key.span(), value, diagnostics),
            None if self.meant.contains(&name) => Field::Invalid,
            None => Field::Absent,
        }
    }
}

fn table_of<'a, 'i>(
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

/// Words that belong to other sections, or to none, and the keys that are meant by them.
const MEANT: [(&str, &str, &[&str]); 6] = [
    ("[target]", "url", &["base_url"]),
    ("[target]", "host", &["base_url"]),
    ("[request.expect]", "body", &["body_contains", "body_matches", "json"]),
    ("[request.expect]", "body_json", &["json"]),
    ("[request.expect]", "url", &["final_url"]),
    ("[request.expect]", "code", &["status"]),
];

/// The keys that an unknown one was most likely meant to be.
fn meant_by<'k>(section: &str, written: &str, keys: &[&'k str]) -> Vec<&'k str> {
    let known = MEANT.iter().find(|(of, word, _)| *of == section && *word == written);
    match known {
        Some((.., meant)) => keys.iter().copied().filter(|key| meant.contains(key)).collect(),
        None => nearest(written, keys).into_iter().collect(),
    }
}

fn unknown(key: &Spanned<Cow<'_, str>>, section: &str, keys: &[&str], near: &[&str]) -> Diagnostic {
    let written = key.get_ref().as_ref();
    let elsewhere =
        SECTIONS.iter().find(|(_, keys)| keys.contains(&written)).map(|(section, _)| section);
    let remedy = match (near, elsewhere) {
        ([others @ .., last], _) => {
            let others: Vec<_> = others.iter().map(|near| format!("`{near}`")).collect();
            let or = if others.is_empty() { "" } else { " or " };
            format!("did you mean {}{or}`{last}`?", others.join(", "))
        }
        ([], Some(section)) => format!("it belongs to {section}"),
        ([], None) => format!("the keys here are `{}`", keys.join("`, `")),
    };
    Diagnostic::new(key.span(), format!("unknown key `{written}` in {section}"), remedy)
}
