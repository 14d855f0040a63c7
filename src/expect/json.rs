//! Expectations on one value of a JSON document.

mod difference;
mod number;

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::pattern::TextPattern;
use crate::record::JsonType;
use difference::JsonDifference;

/// The longest unexpected scalar that is shown.
const SHOWN: usize = 60;

/// The longest pointer that is shown if the response contributed to it.
const LONGEST_PLACE: usize = 120;

/// Where error documents have their message: JSON-RPC 2.0, GraphQL, PostgREST, problem details (RFC
/// 9457).
const MESSAGES: [&str; 5] =
    ["/error/message", "/errors/0/message", "/error", "/message", "/detail"];

/// Replaces a value of a sensitive response.
const HIDDEN: &str = "another value (the answer is sensitive, and not shown)";

/// A JSON pointer (RFC 6901), and what is expected there.
#[derive(Clone)]
pub struct JsonExpectation {
    /// The pointer: `/queues/0/name`. An empty pointer is the whole document.
    pub pointer: String,
    /// The rule for the value.
    pub rule: JsonRule,
}

/// What a JSON value must be.
#[derive(Clone)]
pub enum JsonRule {
    /// This value. Numbers are compared by value, so `1` equals `1.0`.
    Is(Value),
    /// A string, number or boolean with this text. The value of a variable has no JSON type.
    Reads(String),
    /// Anything without this text.
    ReadsNot(String),
    /// Any value but this one.
    IsNot(Value),
    /// A value of this type.
    IsOf(JsonType),
    /// A number of at least this value.
    AtLeast(Number),
    /// A number of at most this value.
    AtMost(Number),
    /// A string in which the pattern matches.
    Matches(TextPattern),
}

impl JsonExpectation {
    /// Judges a document. The error says what was found instead. It shows at most a short scalar,
    /// and no value at all if the response is sensitive.
    pub(super) fn judge(&self, document: &Value, is_sensitive: bool) -> Result<(), String> {
        let Self { pointer, rule } = self;
        let found = document
            .pointer(pointer)
            .ok_or_else(|| describe_missing(document, pointer, is_sensitive))?;
        let describe = |found: &Value| describe_value(found, is_sensitive);
        match rule {
            JsonRule::Is(value) => match JsonDifference::between(found, value) {
                None => Ok(()),
                Some(difference) => Err(describe_difference(pointer, &difference, is_sensitive)),
            },
            JsonRule::Reads(text) if reads_as(found, text) => Ok(()),
            JsonRule::ReadsNot(text) if !reads_as(found, text) => Ok(()),
            JsonRule::IsNot(value) if JsonDifference::between(found, value).is_some() => Ok(()),
            JsonRule::IsNot(_) | JsonRule::ReadsNot(_) if is_sensitive => {
                Err("that value".to_owned())
            }
            JsonRule::IsNot(_) | JsonRule::Reads(_) | JsonRule::ReadsNot(_) => Err(describe(found)),
            JsonRule::IsOf(kind) if kind.is_of(found) => Ok(()),
            JsonRule::IsOf(_) => Err(type_of(found).to_owned()),
            JsonRule::AtLeast(least) => compare_number(found, least, Ordering::is_ge, describe),
            JsonRule::AtMost(most) => compare_number(found, most, Ordering::is_le, describe),
            JsonRule::Matches(pattern) => match found.as_str() {
                Some(text) if pattern.is_in(text.as_bytes()) => Ok(()),
                Some(_) => Err(describe(found)),
                None => Err(format!("{}, no text", type_of(found))),
            },
        }
    }
}

impl JsonType {
    fn is_of(self, value: &Value) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::Boolean => value.is_boolean(),
            Self::Number => value.is_number(),
            Self::Integer => value.as_number().is_some_and(number::is_whole),
            Self::String => value.is_string(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

/// Describes a value that differs. For a sensitive response it names only the pointer of the
/// scenario.
fn describe_difference(
    pointer: &str,
    difference: &JsonDifference<'_>,
    is_sensitive: bool,
) -> String {
    let JsonDifference { below, found } = difference;
    let place = || shorten_pointer(format!("{pointer}{below}"));
    match found {
        None => nothing_at(&place()),
        Some(found) if below.is_empty() || is_sensitive => describe_value(found, is_sensitive),
        Some(found) => format!("{} at {}", describe_value(found, is_sensitive), place()),
    }
}

/// Compares a number, or a string that holds a number, with a limit.
fn compare_number(
    found: &Value,
    limit: &Number,
    holds: fn(Ordering) -> bool,
    describe: impl Fn(&Value) -> String,
) -> Result<(), String> {
    match number::number_of(found) {
        Some(number) if holds(number::compare(&number, limit)) => Ok(()),
        Some(_) => Err(describe(found)),
        None if found.is_string() => Err(format!("{}, no number", describe(found))),
        None => Err(format!("{}, no number", type_of(found))),
    }
}

/// Whether the text of a scalar is this one.
fn reads_as(found: &Value, text: &str) -> bool {
    match found {
        Value::String(found) => found == text,
        Value::Number(number) => number::reads_as(number, text),
        Value::Bool(truth) => truth.to_string() == text,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Describes a missing value, and names the place of the message of an error document. The message
/// itself is not kept: no expectation asked for it, and it may echo what was sent.
fn describe_missing(document: &Value, pointer: &str, is_sensitive: bool) -> String {
    let nothing = nothing_at(pointer);
    let is_text = |place: &&str| document.pointer(place).is_some_and(Value::is_string);
    match MESSAGES.into_iter().find(is_text) {
        Some(place) if !is_sensitive => format!("{nothing}, but a message at {place}"),
        _ => nothing,
    }
}

/// Describes a pointer without a value.
pub(super) fn nothing_at(pointer: &str) -> String {
    format!("nothing at {pointer}")
}

/// The pointer, if it is short enough. A long one is not shortened: redaction could not find a part
/// of a secret.
fn shorten_pointer(pointer: String) -> String {
    if pointer.chars().count() <= LONGEST_PLACE { pointer } else { "a deeper place".to_owned() }
}

fn describe_value(found: &Value, is_sensitive: bool) -> String {
    match found {
        _ if is_sensitive => HIDDEN.to_owned(),
        Value::Array(_) | Value::Object(_) => type_of(found).to_owned(),
        scalar => {
            let text = match scalar {
                Value::Number(number) => without_trailing_zeros(number.to_string()),
                other => other.to_string(),
            };
            if text.chars().count() <= SHOWN { text } else { "another, longer value".to_owned() }
        }
    }
}

/// A number without the zeros at the end of its fraction, of which a database may send many. One
/// digit is kept, so that it still shows as a fraction.
fn without_trailing_zeros(number: String) -> String {
    if !number.contains('.') || number.contains(['e', 'E']) {
        return number;
    }
    let trimmed = number.trim_end_matches('0');
    if trimmed.ends_with('.') { format!("{trimmed}0") } else { trimmed.to_owned() }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number::is_whole(number) => "an integer",
        Value::Number(_) => "a number with a fraction",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
