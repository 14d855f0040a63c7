//! Values that are known only during the run: steps capture them and later steps send them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::Url;

use crate::expect::{CaptureSet, JsonExpectation, JsonRule, ResponseCheck};

/// The characters of a value that a URL contains unescaped (RFC 3986, section 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The values of one arrival, by name.
#[derive(Debug, Clone, Default)]
pub struct ArrivalValues {
    all: BTreeMap<String, Value>,
    /// The names of the values that may be shown.
    public: BTreeSet<String>,
    /// The names of the values without a JSON type: those from headers and patterns, and defaults.
    untyped: BTreeSet<String>,
}

/// The name of a value that no earlier step captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownValue(pub String);

/// Why a step cannot be built from the values of its arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveValueError {
    /// No earlier step captured the value.
    Unknown(UnknownValue),
    /// The value cannot be used in this part of the step.
    Unsendable(&'static str),
}

impl From<UnknownValue> for LiveValueError {
    fn from(unknown: UnknownValue) -> Self {
        Self::Unknown(unknown)
    }
}

impl ArrivalValues {
    /// The name of the built-in value, a random UUID for each arrival.
    pub const UUID: &'static str = "uuid";

    /// The values at the start of an arrival.
    pub fn for_arrival() -> Self {
        let uuid = uuid::Uuid::new_v4().to_string();
        Self {
            all: BTreeMap::from([(Self::UUID.to_owned(), Value::String(uuid))]),
            public: BTreeSet::from([Self::UUID.to_owned()]),
            untyped: BTreeSet::new(),
        }
    }

    /// Adds the values that a step captured.
    pub fn extend(
        &mut self,
        taken: impl IntoIterator<Item = (String, Value)>,
        captures: &CaptureSet,
    ) {
        self.all.extend(taken);
        self.public.extend(captures.public().map(str::to_owned));
        self.untyped.extend(captures.untyped().map(str::to_owned));
    }

    /// The texts that must not be shown: every captured value that is not public, and for a list or
    /// an object every text in it. Numbers and short texts are among them, but a
    /// [`SecretSet`](crate::plan::SecretSet) of them does not search for those.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = Vec::new();
        for (_, value) in self.all.iter().filter(|(name, _)| !self.public.contains(*name)) {
            match value {
                Value::Array(_) | Value::Object(_) => texts_in(value, &mut secrets),
                scalar => secrets.push(text_of(scalar)),
            }
        }
        secrets
    }

    fn get(&self, name: &str) -> Result<&Value, UnknownValue> {
        self.all.get(name).ok_or_else(|| UnknownValue(name.to_owned()))
    }
}

fn texts_in(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|value| texts_in(value, texts)),
        Value::Object(entries) => entries.values().for_each(|value| texts_in(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A value inside a text: a string as it is, anything else as JSON.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A piece of a text: fixed text, or the name of a value.
#[derive(Debug, Clone, PartialEq)]
enum LiveTextPiece {
    Fixed(String),
    Value(String),
}

/// A text with live values in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LiveText(Vec<LiveTextPiece>);

impl LiveText {
    pub(super) fn push(&mut self, fixed: &str) {
        match self.0.last_mut() {
            Some(LiveTextPiece::Fixed(text)) => text.push_str(fixed),
            _ => self.0.push(LiveTextPiece::Fixed(fixed.to_owned())),
        }
    }

    pub(super) fn push_value(&mut self, name: &str) {
        self.0.push(LiveTextPiece::Value(name.to_owned()));
    }

    /// The same text with `text` before it.
    pub(super) fn after(mut self, text: &str) -> Self {
        self.0.insert(0, LiveTextPiece::Fixed(text.to_owned()));
        self
    }

    pub(super) fn is_live(&self) -> bool {
        self.0.iter().any(|bit| matches!(bit, LiveTextPiece::Value(_)))
    }

    /// The fixed text at its start; empty if a value comes first.
    pub(super) fn beginning(&self) -> &str {
        match self.0.first() {
            Some(LiveTextPiece::Fixed(text)) => text,
            Some(LiveTextPiece::Value(_)) | None => "",
        }
    }

    /// The name of the value if the text is nothing else.
    fn one_value(&self) -> Option<&str> {
        match self.0.as_slice() {
            [LiveTextPiece::Value(name)] => Some(name),
            _ => None,
        }
    }

    /// The text with its values filled in.
    pub fn fill(&self, values: &ArrivalValues) -> Result<String, UnknownValue> {
        self.fill_as(values, |text| text)
    }

    fn fill_as(
        &self,
        values: &ArrivalValues,
        escape: impl Fn(String) -> String,
    ) -> Result<String, UnknownValue> {
        let mut filled = String::new();
        for bit in &self.0 {
            match bit {
                LiveTextPiece::Fixed(text) => filled.push_str(text),
                LiveTextPiece::Value(name) => filled.push_str(&escape(text_of(values.get(name)?))),
            }
        }
        Ok(filled)
    }

    /// The value itself if the text is nothing else, so that a number stays a number; the filled
    /// text otherwise.
    fn fill_json(&self, values: &ArrivalValues) -> Result<Value, UnknownValue> {
        match self.0.as_slice() {
            [LiveTextPiece::Value(name)] => values.get(name).cloned(),
            _ => self.fill(values).map(Value::String),
        }
    }
}

/// A JSON value with live values in its strings.
#[derive(Debug, Clone, PartialEq)]
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

    /// The value, if it contains no live value.
    pub(super) fn fixed(&self) -> Option<Value> {
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

/// A body with live values in it.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveBody {
    /// Plain text.
    Text(LiveText),
    /// JSON.
    Json(LiveJson),
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
    pub(super) fn rule(self, value: Value, has_type: bool) -> JsonRule {
        match (self, value) {
            (Self::Is, Value::String(text)) if !has_type => JsonRule::Reads(text),
            (Self::IsNot, Value::String(text)) if !has_type => JsonRule::ReadsNot(text),
            (Self::Is, value) => JsonRule::Is(value),
            (Self::IsNot, value) => JsonRule::IsNot(value),
        }
    }
}

/// An expectation with live values in it.
#[derive(Debug, Clone)]
pub enum LiveCheck {
    /// The body contains the text.
    Contains(LiveText),
    /// The body does not contain the text.
    Lacks(LiveText),
    /// The value at a JSON pointer equals this one, or differs from it.
    Json(String, LiveJson, JsonEquality),
}

impl LiveCheck {
    fn fill(&self, values: &ArrivalValues) -> Result<ResponseCheck, LiveValueError> {
        Ok(match self {
            Self::Contains(text) => ResponseCheck::contains(&searched(text, values)?),
            Self::Lacks(text) => ResponseCheck::lacks(&searched(text, values)?),
            Self::Json(pointer, value, equality) => {
                let is_untyped = |name: &str| values.untyped.contains(name);
                let has_type = !matches!(value, LiveJson::Text(text) if text.one_value().is_some_and(is_untyped));
                let rule = equality.rule(value.fill(values)?, has_type);
                ResponseCheck::Json(JsonExpectation { pointer: pointer.clone(), rule })
            }
        })
    }
}

/// A text to search for. An empty one is an error, because every body contains it.
fn searched(text: &LiveText, values: &ArrivalValues) -> Result<String, LiveValueError> {
    let text = text.fill(values)?;
    if text.is_empty() {
        Err(LiveValueError::Unsendable("an expectation, where it is empty"))
    } else {
        Ok(text)
    }
}

/// The parts of a step that are built for each arrival.
#[derive(Debug, Clone, Default)]
pub struct LiveParts {
    pub(super) url: Option<LiveText>,
    pub(super) headers: Vec<(HeaderName, LiveText)>,
    pub(super) body: Option<LiveBody>,
    /// Expectations by their index in the order of judging.
    pub(super) checks: Vec<(usize, LiveCheck)>,
}

impl LiveParts {
    /// Whether the request must be built for each arrival.
    pub fn changes_request(&self) -> bool {
        self.url.is_some() || !self.headers.is_empty() || self.body.is_some()
    }

    /// Whether the expectations must be built for each arrival.
    pub fn changes_expectations(&self) -> bool {
        !self.checks.is_empty()
    }

    /// The URL, if it contains live values. The values are percent-encoded.
    pub fn url(&self, values: &ArrivalValues) -> Result<Option<Url>, LiveValueError> {
        let Some(text) = &self.url else { return Ok(None) };
        let filled =
            text.fill_as(values, |text| utf8_percent_encode(&text, UNRESERVED).to_string())?;
        let path = filled.split(['?', '#']).next().unwrap_or_default();
        // A `.` or `..` segment would leave the path that the scenario writes.
        if path.split('/').any(|segment| [".", ".."].contains(&segment)) {
            return Err(LiveValueError::Unsendable("the URL"));
        }
        Url::parse(&filled).map(Some).map_err(|_| LiveValueError::Unsendable("the URL"))
    }

    /// Replaces the headers that contain live values. A header whose value is empty is removed.
    pub fn fill_headers(
        &self,
        headers: &mut HeaderMap,
        values: &ArrivalValues,
    ) -> Result<(), LiveValueError> {
        for (name, text) in &self.headers {
            let text = text.fill(values)?;
            if text.is_empty() {
                headers.remove(name);
                continue;
            }
            let mut value = HeaderValue::from_bytes(text.as_bytes())
                .map_err(|_| LiveValueError::Unsendable("a header"))?;
            value.set_sensitive(true);
            headers.insert(name.clone(), value);
        }
        Ok(())
    }

    /// The body, if it contains live values.
    pub fn body(&self, values: &ArrivalValues) -> Result<Option<Bytes>, UnknownValue> {
        Ok(match &self.body {
            None => None,
            Some(LiveBody::Text(text)) => Some(text.fill(values)?.into()),
            Some(LiveBody::Json(json)) => Some(json.fill(values)?.to_string().into()),
        })
    }

    /// The expectations that contain live values, by their index in the order of judging.
    pub fn checks(
        &self,
        values: &ArrivalValues,
    ) -> Result<Vec<(usize, ResponseCheck)>, LiveValueError> {
        self.checks.iter().map(|(at, check)| Ok((*at, check.fill(values)?))).collect()
    }
}

#[cfg(test)]
mod tests;
