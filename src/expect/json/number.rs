//! Numbers of JSON documents, compared by value. A number keeps its digits, however many it has.

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

/// Compares two numbers: exactly if both are integers or beyond a float, otherwise as floats.
pub(super) fn compare(a: &Number, b: &Number) -> Ordering {
    if is_integer(a) && is_integer(b) {
        return Decimal::of(a).cmp(&Decimal::of(b));
    }
    match (float(a), float(b)) {
        (a_float, b_float) if a_float.is_infinite() && a_float.total_cmp(&b_float).is_eq() => {
            Decimal::of(a).cmp(&Decimal::of(b))
        }
        (a, b) => a.total_cmp(&b),
    }
}

/// Whether a number has no fraction, in any notation.
pub(super) fn is_whole(number: &Number) -> bool {
    let float = float(number);
    is_integer(number) || float.is_infinite() || float.fract() == 0.0
}

/// Whether a text is how the document writes the number, or its shortest form: `1.50` reads as
/// `1.50` and as `1.5`.
pub(super) fn reads_as(number: &Number, text: &str) -> bool {
    let shortest = || Number::from_f64(float(number)).is_some_and(|short| short.as_str() == text);
    number.as_str() == text || (!is_integer(number) && shortest())
}

/// Whether a number is written without fraction and exponent.
fn is_integer(number: &Number) -> bool {
    !number.as_str().contains(['.', 'e', 'E'])
}

/// The nearest float, infinite beyond the largest. Adding zero makes `-0.0` equal to `0`.
fn float(number: &Number) -> f64 {
    number.as_str().parse().unwrap_or(f64::NAN) + 0.0
}

/// A number as sign, magnitude and digits: its value is 0.DIGITS × 10^exponent.
#[derive(PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    exponent: i64,
    digits: String,
}

impl Decimal {
    fn of(number: &Number) -> Self {
        let text = number.as_str();
        let (is_negative, text) =
            text.strip_prefix('-').map_or((false, text), |positive| (true, positive));
        let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let leading = digits.len() - digits.trim_start_matches('0').len();
        let significant = digits.trim_matches('0').to_owned();
        if significant.is_empty() {
            return Self { is_negative: false, exponent: i64::MIN, digits: String::new() };
        }
        // An exponent beyond 64 bits is as good as endless.
        let endless = if power.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
        let power = power.trim_start_matches('+').parse::<i64>().unwrap_or(endless);
        let before_point = i64::try_from(whole.len()).unwrap_or(i64::MAX / 4);
        let exponent = power
            .saturating_add(before_point)
            .saturating_sub(i64::try_from(leading).unwrap_or(i64::MAX / 4));
        Self { is_negative, exponent, digits: significant }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let magnitudes = || (self.exponent, &self.digits).cmp(&(other.exponent, &other.digits));
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => magnitudes(),
            (true, true) => magnitudes().reverse(),
        }
    }
}
