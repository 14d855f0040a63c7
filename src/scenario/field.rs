//! A key of a section, with its location and its value.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::Spanned;
use toml::de::DeValue;

use super::diagnostic::{Diagnostics, Span};
use super::toml_value::{in_order, table_of, wrong_type};

/// Where a key and its value are in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLocation {
    /// The key; for a list element, the element.
    pub key: Span,
    /// The value.
    pub value: Span,
}

/// The value of a key, or why there is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum ScenarioField<T> {
    /// The key is not written.
    #[default]
    Absent,
    /// It is written, but its value is invalid, which was reported.
    Invalid,
    /// It is written and valid.
    Present(KeyLocation, T),
}

/// Marks a value whose error was already reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AlreadyReported;

impl<T> ScenarioField<T> {
    /// Whether the key is written at all.
    pub fn is_written(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// Whether the key is written but invalid.
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

    /// The value; `None` if the key is not written, an error if its value is invalid.
    pub(super) fn optional(&self) -> Result<Option<&T>, AlreadyReported> {
        match self {
            Self::Absent => Ok(None),
            Self::Invalid => Err(AlreadyReported),
            Self::Present(_, value) => Ok(Some(value)),
        }
    }

    /// The location and the value.
    pub fn located(&self) -> Option<(&KeyLocation, &T)> {
        match self {
            Self::Present(location, value) => Some((location, value)),
            Self::Absent | Self::Invalid => None,
        }
    }

    /// Where the key is written.
    pub fn location(&self) -> Option<&KeyLocation> {
        self.located().map(|(location, _)| location)
    }

    /// The span of the value. If the key is not written: empty, at the start of the file.
    pub(crate) fn value_span(&self) -> Span {
        self.location().map_or(0..0, |location| location.value.clone())
    }

    /// The span of the key. If it is not written: empty, at the start of the file.
    pub(crate) fn key_span(&self) -> Span {
        self.location().map_or(0..0, |location| location.key.clone())
    }

    /// Reads the value under a key.
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

/// A type that is read from a TOML value.
pub(crate) trait ReadValue: Sized {
    /// Reads the value; `None` after reporting an error.
    fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self>;

    /// The JSON Schema of such a value, for editors.
    fn schema(generator: &mut SchemaGenerator) -> Schema;
}

/// A field has the schema of its value.
impl<T: ReadValue> JsonSchema for ScenarioField<T> {
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

/// Keys that the file chooses, such as header names, with their values, in the order of the file.
pub type TableEntries<T> = Vec<(String, ScenarioField<T>)>;

impl<T: ReadValue> ReadValue for Vec<ScenarioField<T>> {
    fn read(value: &Spanned<DeValue<'_>>, diagnostics: &mut Diagnostics) -> Option<Self> {
        let Some(list) = value.get_ref().as_array() else {
            let remedy = match value.get_ref() {
                DeValue::Table(_) => "write its header in double brackets: `[[…]]`",
                _ => "put it in square brackets: `[…]`",
            };
            diagnostics.add(wrong_type(value, "a list", remedy));
            return None;
        };
        Some(
            list.iter()
                .map(|element| ScenarioField::read(element.span(), element, diagnostics))
                .collect(),
        )
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": generator.subschema_for::<ScenarioField<T>>() })
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
                        ScenarioField::read(key.span(), value, diagnostics),
                    )
                })
                .collect(),
        )
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<ScenarioField<T>>() })
    }
}
