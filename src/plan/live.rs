//! What is known only while running: values that steps capture and that later steps send.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::Url;

use crate::expect::{Captures, Check, JsonExpectation, JsonRule};

/// What is left as it is where a value becomes a part of a URL (RFC 3986, section 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The values of one arrival, by name.
#[derive(Debug, Clone, Default)]
pub struct Values {
    all: BTreeMap<String, Value>,
    /// The names of those that may be shown.
    public: BTreeSet<String>,
    /// The names of those that have no type: what was found in a header or by a pattern, and defaults.
    untyped: BTreeSet<String>,
}

/// A value that no earlier step yielded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown(pub String);

/// Why a step cannot be put together from the values of its arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// A value is not known.
    Unknown(Unknown),
    /// A value cannot stand where it belongs; says where that is.
    Unsendable(&'static str),
}

impl From<Unknown> for Unfit {
    fn from(unknown: Unknown) -> Self {
        Self::Unknown(unknown)
    }
}

impl Values {
    /// The value that is made anew for each arrival: a random UUID.
    pub const UUID: &'static str = "uuid";

    /// The values that an arrival begins with.
    pub fn of_arrival() -> Self {
        let uuid = uuid::Uuid::new_v4().to_string();
        Self {
            all: BTreeMap::from([(Self::UUID.to_owned(), Value::String(uuid))]),
            public: BTreeSet::from([Self::UUID.to_owned()]),
            untyped: BTreeSet::new(),
        }
    }

    /// Takes in what a step captured.
    pub fn extend(
        &mut self,
        taken: impl IntoIterator<Item = (String, Value)>,
        captures: &Captures,
    ) {
        self.all.extend(taken);
        self.public.extend(captures.public().map(str::to_owned));
        self.untyped.extend(captures.untyped().map(str::to_owned));
    }

    /// The texts that must not be shown: what was captured and is not public, of lists and objects every text in them.
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

    fn get(&self, name: &str) -> Result<&Value, Unknown> {
        self.all.get(name).ok_or_else(|| Unknown(name.to_owned()))
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

/// A value as it stands in a text: a text as it is, anything else as JSON.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq)]
enum LiveTextPiece {
    Fixed(String),
    Value(String),
}

/// A text in which live values stand.
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

    /// The same text after another.
    pub(super) fn after(mut self, text: &str) -> Self {
        self.0.insert(0, LiveTextPiece::Fixed(text.to_owned()));
        self
    }

    pub(super) fn is_live(&self) -> bool {
        self.0.iter().any(|bit| matches!(bit, LiveTextPiece::Value(_)))
    }

    /// The fixed text that it begins with.
    pub(super) fn beginning(&self) -> &str {
        match self.0.first() {
            Some(LiveTextPiece::Fixed(text)) => text,
            Some(LiveTextPiece::Value(_)) | None => "",
        }
    }

    /// The name of the value that is all of the text, where one is.
    fn one_value(&self) -> Option<&str> {
        match self.0.as_slice() {
            [LiveTextPiece::Value(name)] => Some(name),
            _ => None,
        }
    }

    /// The text with its values.
    pub fn fill(&self, values: &Values) -> Result<String, Unknown> {
        self.fill_as(values, |text| text)
    }

    fn fill_as(
        &self,
        values: &Values,
        escape: impl Fn(String) -> String,
    ) -> Result<String, Unknown> {
        let mut filled = String::new();
        for bit in &self.0 {
            match bit {
                LiveTextPiece::Fixed(text) => filled.push_str(text),
                LiveTextPiece::Value(name) => filled.push_str(&escape(text_of(values.get(name)?))),
            }
        }
        Ok(filled)
    }

    /// The value itself where the text is one alone, so that a number stays one; else the text.
    fn fill_json(&self, values: &Values) -> Result<Value, Unknown> {
        match self.0.as_slice() {
            [LiveTextPiece::Value(name)] => values.get(name).cloned(),
            _ => self.fill(values).map(Value::String),
        }
    }
}

/// A JSON value in whose texts live values stand.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveJson {
    /// None stand in it.
    Fixed(Value),
    /// A text; a value alone in it keeps its JSON type.
    Text(LiveText),
    /// A list.
    Array(Vec<LiveJson>),
    /// An object.
    Object(Vec<(String, LiveJson)>),
}

impl LiveJson {
    /// The value.
    pub fn fill(&self, values: &Values) -> Result<Value, Unknown> {
        match self {
            Self::Fixed(value) => Ok(value.clone()),
            Self::Text(text) => text.fill_json(values),
            Self::Array(list) => list.iter().map(|value| value.fill(values)).collect(),
            Self::Object(entries) => {
                entries.iter().map(|(key, value)| Ok((key.clone(), value.fill(values)?))).collect()
            }
        }
    }

    /// The value, where no live one stands in it.
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

/// A body in which live values stand.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveBody {
    /// As it is.
    Text(LiveText),
    /// As JSON.
    Json(LiveJson),
}

/// Whether JSON must be a value or must not be it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonEquality {
    /// It must.
    Is,
    /// It must not.
    IsNot,
}

impl JsonEquality {
    /// The rule about a value. One without a type, such as what stands in a variable or was found by a pattern, is compared by how it
    /// reads.
    pub(super) fn rule(self, value: Value, has_type: bool) -> JsonRule {
        match (self, value) {
            (Self::Is, Value::String(text)) if !has_type => JsonRule::Reads(text),
            (Self::IsNot, Value::String(text)) if !has_type => JsonRule::ReadsNot(text),
            (Self::Is, value) => JsonRule::Is(value),
            (Self::IsNot, value) => JsonRule::IsNot(value),
        }
    }
}

/// An expectation in which live values stand.
#[derive(Debug, Clone)]
pub enum LiveCheck {
    /// The body contains the text.
    Contains(LiveText),
    /// The body does not contain the text.
    Lacks(LiveText),
    /// What stands at a JSON pointer is the value, or is not.
    Json(String, LiveJson, JsonEquality),
}

impl LiveCheck {
    fn fill(&self, values: &Values) -> Result<Check, Unfit> {
        Ok(match self {
            Self::Contains(text) => Check::contains(&searched(text, values)?),
            Self::Lacks(text) => Check::lacks(&searched(text, values)?),
            Self::Json(pointer, value, equality) => {
                let is_untyped = |name: &str| values.untyped.contains(name);
                let has_type = !matches!(value, LiveJson::Text(text) if text.one_value().is_some_and(is_untyped));
                let rule = equality.rule(value.fill(values)?, has_type);
                Check::Json(JsonExpectation { pointer: pointer.clone(), rule })
            }
        })
    }
}

/// A text to be looked for; every body contains the empty one.
fn searched(text: &LiveText, values: &Values) -> Result<String, Unfit> {
    let text = text.fill(values)?;
    if text.is_empty() {
        Err(Unfit::Unsendable("an expectation, where it is empty"))
    } else {
        Ok(text)
    }
}

/// What of a step is put together anew for each arrival.
#[derive(Debug, Clone, Default)]
pub struct Live {
    pub(super) url: Option<LiveText>,
    pub(super) headers: Vec<(HeaderName, LiveText)>,
    pub(super) body: Option<LiveBody>,
    /// Expectations by their place in the order of judging.
    pub(super) checks: Vec<(usize, LiveCheck)>,
}

impl Live {
    /// Whether the message has to be put together anew.
    pub fn is_sent(&self) -> bool {
        self.url.is_some() || !self.headers.is_empty() || self.body.is_some()
    }

    /// Whether the expectations have to be put together anew.
    pub fn is_expected(&self) -> bool {
        !self.checks.is_empty()
    }

    /// The URL, where values stand in it; they are percent-encoded.
    pub fn url(&self, values: &Values) -> Result<Option<Url>, Unfit> {
        let Some(text) = &self.url else { return Ok(None) };
        let filled =
            text.fill_as(values, |text| utf8_percent_encode(&text, UNRESERVED).to_string())?;
        let path = filled.split(['?', '#']).next().unwrap_or_default();
        // Such a segment would lead out of the path that is written.
        if path.split('/').any(|segment| [".", ".."].contains(&segment)) {
            return Err(Unfit::Unsendable("the URL"));
        }
        Url::parse(&filled).map(Some).map_err(|_| Unfit::Unsendable("the URL"))
    }

    /// Replaces the headers in which values stand; one that comes to nothing is left out.
    pub fn fill_headers(&self, headers: &mut HeaderMap, values: &Values) -> Result<(), Unfit> {
        for (name, text) in &self.headers {
            let text = text.fill(values)?;
            if text.is_empty() {
                headers.remove(name);
                continue;
            }
            let mut value = HeaderValue::from_bytes(text.as_bytes())
                .map_err(|_| Unfit::Unsendable("a header"))?;
            value.set_sensitive(true);
            headers.insert(name.clone(), value);
        }
        Ok(())
    }

    /// The body, where values stand in it.
    pub fn body(&self, values: &Values) -> Result<Option<Bytes>, Unknown> {
        Ok(match &self.body {
            None => None,
            Some(LiveBody::Text(text)) => Some(text.fill(values)?.into()),
            Some(LiveBody::Json(json)) => Some(json.fill(values)?.to_string().into()),
        })
    }

    /// The expectations in which values stand, by their place in the order of judging.
    pub fn checks(&self, values: &Values) -> Result<Vec<(usize, Check)>, Unfit> {
        self.checks.iter().map(|(at, check)| Ok((*at, check.fill(values)?))).collect()
    }
}

#[cfg(test)]
mod tests;
