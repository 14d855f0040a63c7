//! The first difference between two JSON values.

use std::cmp::Ordering;

use serde_json::Value;

use super::number;

/// The first location where a value differs from the expected one.
#[derive(Debug, PartialEq)]
pub(super) struct JsonDifference<'a> {
    /// Its pointer (RFC 6901), relative to the compared values.
    pub(super) below: String,
    /// The value there; `None` if there is none.
    pub(super) found: Option<&'a Value>,
}

impl<'a> JsonDifference<'a> {
    /// The first difference; `None` if the values are equal. Numbers are compared by value.
    /// Expected keys are compared first, then additional ones.
    pub(super) fn between(found: &'a Value, expected: &Value) -> Option<Self> {
        match (found, expected) {
            (Value::Number(a), Value::Number(b)) if number::compare(a, b) == Ordering::Equal => {
                None
            }
            (Value::Array(found), Value::Array(expected)) => (0..found.len().max(expected.len()))
                .find_map(|at| Self::below(&at.to_string(), found.get(at), expected.get(at))),
            (Value::Object(found), Value::Object(expected)) => {
                let further = found.keys().filter(|key| !expected.contains_key(*key));
                let mut keys = expected.keys().chain(further);
                keys.find_map(|key| Self::below(key, found.get(key), expected.get(key)))
            }
            _ => (found != expected).then_some(Self { below: String::new(), found: Some(found) }),
        }
    }

    /// The first difference below a key or an index.
    fn below(key: &str, found: Option<&'a Value>, expected: Option<&Value>) -> Option<Self> {
        let difference = match (found, expected) {
            (Some(found), Some(expected)) => Self::between(found, expected)?,
            _ => Self { below: String::new(), found },
        };
        let key = key.replace('~', "~0").replace('/', "~1");
        Some(Self { below: format!("/{key}{}", difference.below), ..difference })
    }
}
