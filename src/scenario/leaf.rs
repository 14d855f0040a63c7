//! Values that stand alone under a key, and how each is read.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeInteger, DeValue};

use super::complaint::{Complaint, Complaints};
use super::field::{Read, in_order, wrong_type};
use super::template::Template;
use crate::record::Budget;
use crate::units::{self, ByteSize, Rate, UnitError};

/// Text in which no variable may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(String);

impl Words {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A rate that may be zero: `0/s`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RampRate(pub Option<Rate>);

/// What `connections` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// That many, used again and again.
    Kept(u32),
    /// Each arrival opens its own.
    Fresh,
}

/// The statuses of which one is expected; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statuses(pub Vec<StatusCode>);

/// A JSON value in whose texts variables may stand.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonTemplate(Value);

impl JsonTemplate {
    /// The value, with its texts filled by [`Template::fill`].
    pub fn fill(&self, mut fill: impl FnMut(&Template) -> String) -> Value {
        filled(&self.0, &mut fill)
    }

    /// Its texts.
    pub fn templates(&self) -> Vec<Template> {
        let mut all = Vec::new();
        self.fill(|template| {
            all.push(template.clone());
            String::new()
        });
        all
    }
}

fn filled(value: &Value, fill: &mut impl FnMut(&Template) -> String) -> Value {
    match value {
        Value::String(text) => {
            Value::String(Template::parse(text).map(|text| fill(&text)).unwrap_or_default())
        }
        Value::Array(list) => list.iter().map(|value| filled(value, fill)).collect(),
        Value::Object(table) => {
            Value::Object(table.iter().map(|(key, value)| (key.clone(), filled(value, fill))).collect())
        }
        scalar => scalar.clone(),
    }
}

/// A value that is written as text.
trait Text: Sized {
    /// How one is written.
    const EXAMPLE: &str;
    /// Whether variables may stand in it.
    const HOLDS_VARIABLES: bool = false;

    fn from_text(text: &str) -> Result<Self, UnitError>;
}

/// Reads a value that is written as text.
fn text<T: Text>(value: &Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Option<T> {
    let Some(text) = value.get_ref().as_str() else {
        complaints.add(wrong_type(value, "a text in quotes", format!("write it like {}", T::EXAMPLE)));
        return None;
    };
    let read = if !T::HOLDS_VARIABLES && text.contains("${") {
        Err(UnitError::new(
            "no variable can stand here",
            "variables fill what is sent or compared: URL, path, headers, body, expectations",
        ))
    } else {
        T::from_text(text)
    };
    read.map_err(|error| complaints.add(Complaint::of_unit(value.span(), error))).ok()
}

macro_rules! texts {
    ($($kind:ty),*) => {$(
        impl Read for $kind {
            fn read(value: &Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Option<Self> {
                text(value, complaints)
            }
        }
    )*};
}

texts!(Words, Template, Rate, RampRate, Duration, ByteSize, Budget, Method);

impl Text for Words {
    const EXAMPLE: &str = "`\"words\"`";

    fn from_text(text: &str) -> Result<Self, UnitError> {
        Ok(Self(text.to_owned()))
    }
}

impl Text for Template {
    const EXAMPLE: &str = "`\"words and ${VARIABLE}\"`";
    const HOLDS_VARIABLES: bool = true;

    fn from_text(text: &str) -> Result<Self, UnitError> {
        Self::parse(text)
    }
}

impl Text for Rate {
    const EXAMPLE: &str = "`\"20/s\"`";

    fn from_text(text: &str) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl Text for RampRate {
    const EXAMPLE: &str = "`\"20/s\"`";

    fn from_text(text: &str) -> Result<Self, UnitError> {
        let is_zero = |number: &str| number.trim().parse() == Ok(0.0);
        match text.split_once('/') {
            // The unit is judged by the rate of one of it.
            Some((number, unit)) if is_zero(number) => {
                format!("1/{unit}").parse::<Rate>().map(|_| Self(None))
            }
            _ => text.parse().map(|rate| Self(Some(rate))),
        }
    }
}

impl Text for Duration {
    const EXAMPLE: &str = "`\"10s\"` or `\"300ms\"`";

    fn from_text(text: &str) -> Result<Self, UnitError> {
        units::parse_duration(text)
    }
}

impl Text for ByteSize {
    const EXAMPLE: &str = "`\"64 KiB\"`";

    fn from_text(text: &str) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl Text for Budget {
    const EXAMPLE: &str = "`\"p95 < 300ms\"`";

    fn from_text(text: &str) -> Result<Self, UnitError> {
        text.parse().map_err(|UnitError { problem, remedy }| {
            let place = if problem.contains("budget") { "" } else { " in budget" };
            UnitError::new(format!("{problem}{place}"), remedy)
        })
    }
}

impl Text for Method {
    const EXAMPLE: &str = "`\"GET\"`";

    fn from_text(text: &str) -> Result<Self, UnitError> {
        let unknown = |remedy: String| UnitError::new(format!("unknown method `{text}`"), remedy);
        let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let upper = text.to_uppercase();
        if !known.contains(&upper.as_str()) {
            return Err(unknown(format!("write one of `{}`", known.join("`, `"))));
        }
        if upper != text {
            return Err(unknown(format!("write `{upper}`")));
        }
        Self::from_bytes(text.as_bytes()).map_err(|_| unknown("write `GET`".to_owned()))
    }
}

macro_rules! counts {
    ($($kind:ty),*) => {$(
        impl Read for $kind {
            fn read(value: &Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Option<Self> {
                let count = whole(value, complaints)?;
                let fits = <$kind>::try_from(count).ok();
                if fits.is_none() {
                    let problem = format!("{count} is too many");
                    complaints.add(Complaint::new(value.span(), problem, format!("write at most {}", <$kind>::MAX)));
                }
                fits
            }
        }
    )*};
}

counts!(u32, u64);

/// An integer of zero or more.
fn whole(value: &Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Option<u64> {
    let number = value.get_ref().as_integer().and_then(signed);
    let count = number.and_then(|number| u64::try_from(number).ok());
    if count.is_none() {
        let remedy = "write an integer such as `16`";
        complaints.add(match value.get_ref() {
            DeValue::Integer(number) => {
                Complaint::new(value.span(), format!("{number} is out of range"), remedy)
            }
            _ => wrong_type(value, "an integer", remedy),
        });
    }
    count
}

fn signed(number: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}

impl Read for bool {
    fn read(value: &Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Option<Self> {
        let truth = value.get_ref().as_bool();
        if truth.is_none() {
            complaints.add(wrong_type(value, "true or false", "write `true`"));
        }
        truth
    }
}

impl Read for Connections {
    fn read(value: &Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) if text == "fresh" => Some(Self::Fresh),
            DeValue::Integer(_) => u32::read(value, complaints).map(Self::Kept),
            _ => {
                let remedy = "write a number such as `16`, or `\"fresh\"` for one connection an arrival";
                complaints.add(Complaint::new(value.span(), "this is no number of connections", remedy));
                None
            }
        }
    }
}

impl Read for Statuses {
    fn read(value: &Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Option<Self> {
        let list = match value.get_ref() {
            DeValue::Array(list) => list.iter().map(|element| status(element, complaints)).collect(),
            _ => status(value, complaints).map(|status| vec![status]),
        };
        if list.as_ref().is_some_and(Vec::is_empty) {
            complaints.add(Complaint::new(
                value.span(),
                "no status is expected",
                "write `200` or `[200, 204]`",
            ));
        }
        list.map(Self)
    }
}

fn status(value: &Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Option<StatusCode> {
    let remedy = "write a status from 200 to 599, such as `200`";
    let Some(number) = value.get_ref().as_integer() else {
        complaints.add(wrong_type(value, "a status", remedy));
        return None;
    };
    let code = signed(number)
        .filter(|code| (200..600).contains(code))
        .and_then(|code| StatusCode::from_u16(u16::try_from(code).ok()?).ok());
    if code.is_none() {
        complaints.add(Complaint::new(value.span(), format!("{number} is no status"), remedy));
    }
    code
}

impl Read for JsonTemplate {
    fn read(value: &Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Option<Self> {
        json(value, complaints).map(Self)
    }
}

fn json(value: &Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Option<Value> {
    match value.get_ref() {
        DeValue::String(text) => match Template::parse(text) {
            Ok(_) => Some(Value::String(text.to_string())),
            Err(error) => {
                complaints.add(Complaint::of_unit(value.span(), error));
                None
            }
        },
        DeValue::Boolean(truth) => Some(Value::Bool(*truth)),
        DeValue::Integer(_) | DeValue::Float(_) => number(value, complaints),
        DeValue::Datetime(date) => Some(Value::String(date.to_string())),
        DeValue::Array(list) => {
            list.iter().map(|element| json(element, complaints)).collect::<Option<_>>().map(Value::Array)
        }
        DeValue::Table(table) => in_order(table)
            .map(|(key, value)| Some((key.get_ref().to_string(), json(value, complaints)?)))
            .collect::<Option<_>>()
            .map(Value::Object),
    }
}

fn number(value: &Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Option<Value> {
    let number = match value.get_ref() {
        DeValue::Integer(integer) => signed(integer).and_then(serde_json::Number::from_i128),
        DeValue::Float(float) => float.as_str().parse().ok().and_then(serde_json::Number::from_f64),
        _ => None,
    };
    if number.is_none() {
        complaints.add(Complaint::new(value.span(), "JSON has no such number", "write a finite number"));
    }
    number.map(Value::Number)
}
