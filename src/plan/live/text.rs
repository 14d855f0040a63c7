//! Text with live values in it.

use std::fmt::{self, Write as _};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{ArrivalValues, UnknownValue, text_of};
use crate::plan::data::{CellKind, DataCell};

/// The characters of a value that a URL contains unescaped (RFC 3986, section 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The length that most filled texts do not exceed, so that they are allocated once.
const TYPICAL_LENGTH: usize = 64;

/// A piece of a text.
#[derive(Clone, PartialEq)]
pub(super) enum LiveTextPiece {
    /// Fixed text.
    Fixed(String),
    /// The name of a value.
    Value(String),
    /// A column of the data file.
    Column(usize),
    /// A column whose values are already escaped for the place where they stand.
    EscapedColumn(usize),
}

/// Leaves out fixed text, which may contain the value of a secret variable.
impl fmt::Debug for LiveTextPiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(_) => f.write_str("Fixed"),
            Self::Value(name) => f.debug_tuple("Value").field(name).finish(),
            Self::Column(column) => f.debug_tuple("Column").field(column).finish(),
            Self::EscapedColumn(column) => f.debug_tuple("EscapedColumn").field(column).finish(),
        }
    }
}

/// A text with live values in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LiveText(pub(super) Vec<LiveTextPiece>);

impl LiveText {
    pub(in crate::plan) fn push(&mut self, fixed: &str) {
        match self.0.last_mut() {
            _ if fixed.is_empty() => {}
            Some(LiveTextPiece::Fixed(text)) => text.push_str(fixed),
            _ => self.0.push(LiveTextPiece::Fixed(fixed.to_owned())),
        }
    }

    pub(in crate::plan) fn push_value(&mut self, name: &str) {
        self.0.push(LiveTextPiece::Value(name.to_owned()));
    }

    pub(in crate::plan) fn push_column(&mut self, column: usize) {
        self.0.push(LiveTextPiece::Column(column));
    }

    /// The same text with `text` before it.
    pub(in crate::plan) fn after(mut self, text: &str) -> Self {
        self.0.insert(0, LiveTextPiece::Fixed(text.to_owned()));
        self
    }

    pub(in crate::plan) fn is_live(&self) -> bool {
        self.0.iter().any(|piece| !matches!(piece, LiveTextPiece::Fixed(_)))
    }

    /// The fixed text at its start; empty if a value comes first.
    pub(in crate::plan) fn beginning(&self) -> &str {
        match self.0.first() {
            Some(LiveTextPiece::Fixed(text)) => text,
            _ => "",
        }
    }

    /// The column at its start, if a value of the data file comes first.
    pub(in crate::plan) fn first_column(&self) -> Option<usize> {
        match self.0.first() {
            Some(LiveTextPiece::Column(column)) => Some(*column),
            _ => None,
        }
    }

    /// The names of its values, without columns.
    pub(in crate::plan) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            LiveTextPiece::Value(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The columns that it uses.
    pub(in crate::plan) fn columns(&self) -> impl Iterator<Item = usize> {
        self.0.iter().filter_map(|piece| match piece {
            LiveTextPiece::Column(column) | LiveTextPiece::EscapedColumn(column) => Some(*column),
            LiveTextPiece::Fixed(_) | LiveTextPiece::Value(_) => None,
        })
    }

    /// Whether it is one value without a JSON type and nothing else.
    pub(super) fn is_one_untyped(&self, values: &ArrivalValues) -> bool {
        match self.0.as_slice() {
            [LiveTextPiece::Value(name)] => values.is_untyped(name),
            [LiveTextPiece::Column(column)] => {
                values.cell(*column).is_ok_and(|cell| cell.kind == CellKind::Untyped)
            }
            _ => false,
        }
    }

    /// The text with its values filled in.
    pub fn fill(&self, values: &ArrivalValues) -> Result<String, UnknownValue> {
        let mut filled = String::with_capacity(TYPICAL_LENGTH);
        self.append_to(&mut filled, values)?;
        Ok(filled)
    }

    /// Appends the text with its values filled in.
    pub(super) fn append_to(
        &self,
        filled: &mut String,
        values: &ArrivalValues,
    ) -> Result<(), UnknownValue> {
        self.write(values, filled, |text, filled| filled.push_str(text))
    }

    /// The text with its values filled in; `None` for SQL's `NULL`, if it is nothing but a `null`
    /// of the data file.
    pub fn fill_nullable(&self, values: &ArrivalValues) -> Result<Option<String>, UnknownValue> {
        if let [LiveTextPiece::Column(column)] = self.0.as_slice()
            && values.cell(*column)?.kind == CellKind::Null
        {
            return Ok(None);
        }
        self.fill(values).map(Some)
    }

    /// Appends the text, with its values percent-encoded for a URL. Returns whether a value is
    /// empty or consists of dots, so that it may change the meaning of its path segment.
    pub(super) fn write_url(
        &self,
        values: &ArrivalValues,
        filled: &mut String,
    ) -> Result<bool, UnknownValue> {
        let mut has_dots = false;
        self.write(values, filled, |text, filled| {
            has_dots |= text.bytes().all(|byte| byte == b'.');
            filled.extend(utf8_percent_encode(text, UNRESERVED));
        })?;
        Ok(has_dots)
    }

    /// Appends the text as JSON: the value itself if the text is nothing else, so that a number
    /// stays a number; otherwise a string.
    pub(super) fn write_json(
        &self,
        values: &ArrivalValues,
        json: &mut String,
    ) -> Result<(), UnknownValue> {
        match self.0.as_slice() {
            [LiveTextPiece::Value(name)] => {
                // Writing to a string cannot fail.
                let _ = write!(json, "{}", values.get(name)?);
            }
            [LiveTextPiece::Column(column)] => match values.cell(*column)? {
                DataCell { kind: CellKind::Literal, text } => json.push_str(text),
                DataCell { kind: CellKind::Null, .. } => json.push_str("null"),
                DataCell { text, .. } => {
                    json.push('"');
                    write_escaped(text, json);
                    json.push('"');
                }
            },
            pieces => {
                json.push('"');
                for piece in pieces {
                    write_piece(piece, values, json, write_escaped)?;
                }
                json.push('"');
            }
        }
        Ok(())
    }

    /// The value itself if the text is nothing else, so that a number stays a number; the filled
    /// text otherwise.
    pub(super) fn fill_json(&self, values: &ArrivalValues) -> Result<Value, UnknownValue> {
        match self.0.as_slice() {
            [LiveTextPiece::Value(name)] => values.get(name).cloned(),
            [LiveTextPiece::Column(column)] => Ok(match values.cell(*column)? {
                DataCell { kind: CellKind::Null, .. } => Value::Null,
                DataCell { kind: CellKind::Literal, text } => {
                    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
                }
                DataCell { text, .. } => Value::from(text),
            }),
            _ => self.fill(values).map(Value::String),
        }
    }

    fn write(
        &self,
        values: &ArrivalValues,
        filled: &mut String,
        mut escape: impl FnMut(&str, &mut String),
    ) -> Result<(), UnknownValue> {
        for piece in &self.0 {
            match piece {
                LiveTextPiece::Fixed(text) => filled.push_str(text),
                LiveTextPiece::EscapedColumn(column) => {
                    filled.push_str(values.cell(*column)?.text);
                }
                LiveTextPiece::Value(_) | LiveTextPiece::Column(_) => {
                    write_piece(piece, values, filled, &mut escape)?;
                }
            }
        }
        Ok(())
    }
}

/// Appends a piece; everything that is not yet escaped is.
fn write_piece(
    piece: &LiveTextPiece,
    values: &ArrivalValues,
    filled: &mut String,
    mut escape: impl FnMut(&str, &mut String),
) -> Result<(), UnknownValue> {
    match piece {
        LiveTextPiece::Fixed(text) => escape(text, filled),
        LiveTextPiece::Value(name) => escape(&text_of(values.get(name)?), filled),
        LiveTextPiece::Column(column) | LiveTextPiece::EscapedColumn(column) => {
            escape(values.cell(*column)?.text, filled);
        }
    }
    Ok(())
}

/// Appends the text of a JSON string, without the quotes.
fn write_escaped(text: &str, json: &mut String) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        return json.push_str(text);
    }
    let quoted = Value::from(text).to_string();
    json.push_str(&quoted[1..quoted.len() - 1]);
}
