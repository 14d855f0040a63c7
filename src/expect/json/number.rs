//! Numbers of JSON documents, compared by value.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

/// The number of a value: a JSON number, or a string that is a number. Databases send numbers that
/// no float can hold as strings.
pub(super) fn number_of(value: &Value) -> Option<Cow<'_, Number>> {
    match value {
        Value::Number(number) => Some(Cow::Borrowed(number)),
        Value::String(text) => text.parse().ok().map(Cow::Owned),
        _ => None,
    }
}

/// Compares two numbers: exactly if both are integers, otherwise as floats.
pub(super) fn compare(a: &Number, b: &Number) -> Ordering {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => float(a).total_cmp(&float(b)),
    }
}

/// Whether a number has no fraction, in any notation.
pub(super) fn is_whole(number: &Number) -> bool {
    float(number).fract() == 0.0
}

/// The nearest float. Adding zero makes `-0.0` equal to `0`.
fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN) + 0.0
}
