//! JSON with live values in it.

use std::fmt;

use serde_json::Value;

use super::{ArrivalValues, LiveText, UnknownValue};
use crate::expect::JsonRule;

/// A JSON value with live values in its strings.
#[derive(Clone, PartialEq)]
pub enum LiveJson {
    /// A value without live values.
    Fixed(Value),
    /// A string. A live value that is the whole string keeps its JSON type.
    Text(LiveText),
    /// A list.
    Array(Vec<LiveJson>),
    /// An object.
    Object(Vec<(String, LiveJson)>),
}

/// Leaves out fixed values, which may contain the value of a secret variable.
impl fmt::Debug for LiveJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(_) => f.write_str("Fixed"),
            Self::Text(text) => text.fmt(f),
            Self::Array(list) => f.debug_list().entries(list).finish(),
            Self::Object(entries) => {
                f.debug_map().entries(entries.iter().map(|(key, value)| (key, value))).finish()
            }
        }
    }
}

impl LiveJson {
    /// The value with its live values filled in.
    pub fn fill(&self, values: &ArrivalValues) -> Result<Value, UnknownValue> {
        match self {
            Self::Fixed(value) => Ok(value.clone()),
            Self::Text(text) => text.fill_json(values),
            Self::Array(list) => list.iter().map(|value| value.fill(values)).collect(),
            Self::Object(entries) => {
                entries.iter().map(|(key, value)| Ok((key.clone(), value.fill(values)?))).collect()
            }
        }
    }

    /// The JSON text, in pieces that are written one after the other.
    pub(in crate::plan) fn pieces(&self) -> LiveJsonText {
        let mut pieces = LiveJsonText::default();
        pieces.push(self);
        pieces
    }

    /// The value, if it contains no live value.
    pub(in crate::plan) fn fixed(&self) -> Option<Value> {
        match self {
            Self::Fixed(value) => Some(value.clone()),
            Self::Text(_) => None,
            Self::Array(list) => list.iter().map(Self::fixed).collect(),
            Self::Object(entries) => {
                entries.iter().map(|(key, value)| Some((key.clone(), value.fixed()?))).collect()
            }
        }
    }
}

/// The text of a JSON value with live values in its strings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LiveJsonText(Vec<JsonTextPiece>);

/// A piece of JSON text: fixed text, or a string with live values.
#[derive(Clone, PartialEq)]
enum JsonTextPiece {
    Fixed(String),
    Text(LiveText),
}

/// Leaves out fixed text, which may contain the value of a secret variable.
impl fmt::Debug for JsonTextPiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(_) => f.write_str("Fixed"),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl LiveJsonText {
    fn push(&mut self, json: &LiveJson) {
        match json {
            LiveJson::Fixed(value) => self.push_fixed(&value.to_string()),
            LiveJson::Text(text) => self.0.push(JsonTextPiece::Text(text.clone())),
            LiveJson::Array(list) => {
                self.push_fixed("[");
                for (at, value) in list.iter().enumerate() {
                    self.push_fixed(if at == 0 { "" } else { "," });
                    self.push(value);
                }
                self.push_fixed("]");
            }
            LiveJson::Object(entries) => {
                self.push_fixed("{");
                for (at, (key, value)) in entries.iter().enumerate() {
                    self.push_fixed(if at == 0 { "" } else { "," });
                    self.push_fixed(&Value::from(key.as_str()).to_string());
                    self.push_fixed(":");
                    self.push(value);
                }
                self.push_fixed("}");
            }
        }
    }

    fn push_fixed(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(JsonTextPiece::Fixed(last)) => last.push_str(text),
            _ => self.0.push(JsonTextPiece::Fixed(text.to_owned())),
        }
    }

    /// The JSON text with its live values filled in.
    pub fn fill(&self, values: &ArrivalValues) -> Result<String, UnknownValue> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                JsonTextPiece::Fixed(text) => filled.push_str(text),
                JsonTextPiece::Text(text) => text.write_json(values, &mut filled)?,
            }
        }
        Ok(filled)
    }
}

/// A body with live values in it.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveBody {
    /// Plain text.
    Text(LiveText),
    /// JSON.
    Json(LiveJsonText),
}

/// Whether a JSON value must equal another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonEquality {
    /// It must be equal.
    Is,
    /// It must differ.
    IsNot,
}

impl JsonEquality {
    /// The rule about a value. A value without a type, such as that of a variable or a pattern, is
    /// compared as text.
    pub(in crate::plan) fn rule(self, value: Value, has_type: bool) -> JsonRule {
        match (self, value) {
            (Self::Is, Value::String(text)) if !has_type => JsonRule::Reads(text),
            (Self::IsNot, Value::String(text)) if !has_type => JsonRule::ReadsNot(text),
            (Self::Is, value) => JsonRule::Is(value),
            (Self::IsNot, value) => JsonRule::IsNot(value),
        }
    }
}
