//! Values that are known only during the run: steps capture them, or rows of a data file hold them,
//! and steps send them.

mod json;
mod target;
mod text;
mod text_buffer;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::data::{DataCell, DataRow};
use crate::expect::{CaptureSet, JsonExpectation, ResponseCheck};

pub use json::{JsonEquality, LiveBody, LiveJson, LiveJsonText};
pub use target::LiveTarget;
pub use text::LiveText;
pub use text_buffer::TextBuffer;

/// The values of one arrival, by name.
#[derive(Clone, Default)]
pub struct ArrivalValues {
    /// What the arrival's own steps captured.
    own: CapturedValues,
    /// What the setup captured. All arrivals of a lane share it.
    setup: Option<Rc<CapturedValues>>,
    /// The built-in value, made when a step first uses it; `None` outside an arrival.
    uuid: Option<OnceCell<Value>>,
    /// The row of the data file that the arrival uses.
    row: Option<DataRow>,
}

/// Captured values, by name.
#[derive(Clone, Default)]
pub struct CapturedValues {
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
        Self { uuid: Some(OnceCell::new()), ..Self::default() }
    }

    /// The values at the start of an arrival that shares those of the setup.
    #[must_use]
    pub fn after_setup(setup: &Rc<CapturedValues>) -> Self {
        Self { setup: Some(Rc::clone(setup)), ..Self::for_arrival() }
    }

    /// The values of the setup alone, which are the same for every arrival.
    #[must_use]
    pub fn of_setup(setup: &Rc<CapturedValues>) -> Self {
        Self { setup: Some(Rc::clone(setup)), ..Self::default() }
    }

    /// What a setup that has these values shares with all arrivals.
    #[must_use]
    pub fn to_shared(&self) -> CapturedValues {
        self.own.clone()
    }

    /// The same values with those of a row.
    #[must_use]
    pub fn with_row(self, row: Option<DataRow>) -> Self {
        Self { row, ..self }
    }

    /// Adds the values that a step captured.
    pub fn extend(
        &mut self,
        taken: impl IntoIterator<Item = (String, Value)>,
        captures: &CaptureSet,
    ) {
        self.own.all.extend(taken);
        self.own.public.extend(captures.public().map(str::to_owned));
        self.own.untyped.extend(captures.untyped().map(str::to_owned));
    }

    /// The texts that must not be shown: every captured value that is not public, for a list or an
    /// object every text in it, and every value of the row in a column that is not public. Those of
    /// the setup are not among them. Short and common values are, but a
    /// [`SecretSet`](crate::plan::SecretSet) does not search for those.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = Vec::new();
        let CapturedValues { all, public, .. } = &self.own;
        for (_, value) in all.iter().filter(|(name, _)| !public.contains(*name)) {
            match value {
                Value::Array(_) | Value::Object(_) => texts_in(value, &mut secrets),
                scalar => secrets.push(text_of(scalar).into_owned()),
            }
        }
        secrets.extend(self.row.iter().flat_map(DataRow::secrets).map(str::to_owned));
        secrets
    }

    fn get(&self, name: &str) -> Result<&Value, UnknownValue> {
        if let Some(uuid) = self.uuid.as_ref().filter(|_| name == Self::UUID) {
            return Ok(uuid.get_or_init(|| Value::String(uuid::Uuid::new_v4().to_string())));
        }
        let of_setup = || self.setup.as_ref()?.all.get(name);
        self.own.all.get(name).or_else(of_setup).ok_or_else(|| UnknownValue(name.to_owned()))
    }

    fn is_untyped(&self, name: &str) -> bool {
        let of_setup = || self.setup.as_ref().is_some_and(|setup| setup.untyped.contains(name));
        self.own.untyped.contains(name) || of_setup()
    }

    fn cell(&self, column: usize) -> Result<DataCell<'_>, UnknownValue> {
        let row = self.row.as_ref().ok_or_else(|| UnknownValue("data".to_owned()))?;
        Ok(row.cell(column))
    }
}

/// Leaves out the values, which may be secret.
impl fmt::Debug for ArrivalValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.own.fmt(f)
    }
}

/// Leaves out the values, which may be secret.
impl fmt::Debug for CapturedValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.all.keys()).finish()
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
fn text_of(value: &Value) -> Cow<'_, str> {
    value.as_str().map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed)
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
    /// Whether it searches for values of the data file, which must not be empty.
    fn uses_columns(&self) -> bool {
        match self {
            Self::Contains(text) | Self::Lacks(text) => text.columns().next().is_some(),
            Self::Json(..) => false,
        }
    }

    fn fill(&self, values: &ArrivalValues) -> Result<ResponseCheck, LiveValueError> {
        Ok(match self {
            Self::Contains(text) => ResponseCheck::contains(&searched(text, values)?),
            Self::Lacks(text) => ResponseCheck::lacks(&searched(text, values)?),
            Self::Json(pointer, value, equality) => {
                let has_type =
                    !matches!(value, LiveJson::Text(text) if text.is_one_untyped(values));
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
    pub(super) target: Option<LiveTarget>,
    pub(super) headers: Vec<(HeaderName, LiveText)>,
    pub(super) body: Option<LiveBody>,
    /// Expectations by their index in the order of judging.
    pub(super) checks: Vec<(usize, LiveCheck)>,
}

impl LiveParts {
    /// Whether the request must be built for each arrival.
    pub fn changes_request(&self) -> bool {
        self.target.is_some() || !self.headers.is_empty() || self.body.is_some()
    }

    /// The same parts for a request that is built already.
    #[must_use]
    pub fn without_request(self) -> Self {
        Self { checks: self.checks, ..Self::default() }
    }

    /// The same parts for expectations that are built already.
    #[must_use]
    pub fn without_checks(self) -> Self {
        Self { checks: Vec::new(), ..self }
    }

    /// Whether the expectations must be built for each arrival.
    pub fn changes_expectations(&self) -> bool {
        !self.checks.is_empty()
    }

    /// Path and query, if they contain live values. The values are percent-encoded.
    pub fn target(
        &self,
        values: &ArrivalValues,
        texts: &mut TextBuffer,
    ) -> Result<Option<PathAndQuery>, LiveValueError> {
        self.target.as_ref().map(|target| target.fill(values, texts)).transpose()
    }

    /// The headers that contain live values. One whose value is empty is not sent: `None`.
    pub fn headers(
        &self,
        values: &ArrivalValues,
        texts: &mut TextBuffer,
    ) -> Result<Vec<(HeaderName, Option<HeaderValue>)>, LiveValueError> {
        let fill = |(name, text): &(HeaderName, LiveText)| {
            let text = texts.cut(|filled| text.append_to(filled, values))?;
            if text.is_empty() {
                return Ok((name.clone(), None));
            }
            let mut value = HeaderValue::from_maybe_shared(text)
                .map_err(|_| LiveValueError::Unsendable("a header"))?;
            value.set_sensitive(true);
            Ok((name.clone(), Some(value)))
        };
        self.headers.iter().map(fill).collect()
    }

    /// Whether path, headers or searched texts use values of the data file, which they may refuse.
    pub(super) fn uses_columns(&self) -> bool {
        let headers = self.headers.iter().any(|(_, text)| text.columns().next().is_some());
        let target = self.target.as_ref().is_some_and(LiveTarget::uses_columns);
        target || headers || self.checks.iter().any(|(_, check)| check.uses_columns())
    }

    /// Whether everything that may refuse a value accepts those of a row.
    pub(super) fn rehearse(
        &self,
        row: DataRow,
        texts: &mut TextBuffer,
    ) -> Result<(), LiveValueError> {
        let values = ArrivalValues::for_arrival().with_row(Some(row));
        let known = |result: Result<(), LiveValueError>| match result {
            // Captured values are not known yet.
            Err(LiveValueError::Unknown(_)) => Ok(()),
            result => result,
        };
        known(self.target(&values, texts).map(drop))?;
        known(self.headers(&values, texts).map(drop))?;
        self.checks.iter().try_for_each(|(_, check)| known(check.fill(&values).map(drop)))
    }

    /// The body, if it contains live values.
    pub fn body(&self, values: &ArrivalValues) -> Result<Option<Bytes>, UnknownValue> {
        Ok(match &self.body {
            None => None,
            Some(LiveBody::Text(text)) => Some(text.fill(values)?.into()),
            Some(LiveBody::Json(json)) => Some(json.fill(values)?.into()),
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
