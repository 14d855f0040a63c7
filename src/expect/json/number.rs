//! Numbers of JSON documents, by their value.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

/// The number that a value is: a number, or a text that is wholly one, as databases send those that no float holds.
pub(super) fn number_of(value: &Value) -> Option<Cow<'_, Number>> {
    match value {
        Value::Number(number) => Some(Cow::Borrowed(number)),
        Value::String(text) => text.parse().ok().map(Cow::Owned),
        _ => None,
    }
}

/// Which of two numbers is larger; exactly where both are integers, and else as floats.
pub(super) fn compare(a: &Number, b: &Number) -> Ordering {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => float(a).total_cmp(&float(b)),
    }
}

/// Whether a number has no fraction, however it is written.
pub(super) fn is_whole(number: &Number) -> bool {
    float(number).fract() == 0.0
}

/// The nearest float. Zero is added, which makes `-0.0` the same as `0`.
fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN) + 0.0
}
