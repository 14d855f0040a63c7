//! Figures in sentences.

use std::time::Duration;

use crate::record::session::{Estimate, FigureKind};
use crate::units::format_duration;

/// A value of a figure with its unit: `2.31 s`, `41 requests`.
pub(super) fn amount(kind: FigureKind, value: f64) -> String {
    if kind.is_time() { seconds(value) } else { counted(value, "request") }
}

/// A figure within a sentence: `the first answer`, `steady p50`.
pub(super) fn spoken(kind: FigureKind) -> String {
    if kind == FigureKind::FirstAnswer { format!("the {kind}") } else { kind.to_string() }
}

/// A duration of this many seconds, without its sign.
pub(super) fn seconds(value: f64) -> String {
    let value = value.abs();
    let duration = Duration::try_from_secs_f64(value).unwrap_or_default();
    format_duration(duration)
}

/// A number of things, without its sign: `41 requests`, `2.5 requests`, `1 request`.
pub(super) fn counted(value: f64, what: &str) -> String {
    let value = value.abs();
    let text = rounded(value);
    format!("{text} {what}{}", if text == "1" { "" } else { "s" })
}

/// A number of things: `1 attempt`, `3 attempts`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// An estimate with its interval: `2.31 s (2.2 to 2.42 s)`.
pub(super) fn estimate(kind: FigureKind, estimate: &Estimate) -> String {
    let value = amount(kind, estimate.value);
    match estimate.interval {
        Some((low, high)) => format!("{value} ({})", range(kind, low, high)),
        None => value,
    }
}

/// An interval, with a shared unit once: `2.2 to 2.42 s`, `980 ms to 1.02 s`.
pub(super) fn range(kind: FigureKind, low: f64, high: f64) -> String {
    if !kind.is_time() {
        return format!("{} to {}", rounded(low), rounded(high));
    }
    let (low, high) = (signed(low), signed(high));
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number} to {high}"),
        _ => format!("{low} to {high}"),
    }
}

/// The size of a difference without its sign, with its interval: `60 ms (45 to 75 ms)`.
pub(super) fn size(kind: FigureKind, estimate: &Estimate) -> String {
    let size = amount(kind, estimate.value);
    let Some((low, high)) = estimate.interval else { return size };
    let (near, far) = if estimate.value < 0.0 { (-high, -low) } else { (low, high) };
    format!("{size} ({})", range(kind, near, far))
}

fn signed(value: f64) -> String {
    if value < 0.0 { format!("−{}", seconds(value)) } else { seconds(value) }
}

fn rounded(value: f64) -> String {
    let text = if value.abs() < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") };
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// A list in a sentence: `1, 3 and 5`.
pub(super) fn listed<T: ToString>(items: &[T]) -> String {
    let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    match texts.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::estimate::confidence;

    fn of(value: f64, interval: Option<(f64, f64)>) -> Estimate {
        Estimate { value, interval, confidence: confidence(), restarts: 6 }
    }

    #[test]
    fn figures_have_their_units_and_intervals() {
        let first = FigureKind::FirstAnswer;
        let requests = FigureKind::RequestsToSteady;
        assert_eq!(estimate(first, &of(2.31, Some((2.2, 2.42)))), "2.31 s (2.2 to 2.42 s)");
        assert_eq!(estimate(first, &of(0.243, None)), "243 ms");
        assert_eq!(estimate(requests, &of(40.8, Some((38.2, 44.0)))), "41 requests (38 to 44)");
        assert_eq!(estimate(requests, &of(61.0, Some((0.0, 273.0)))), "61 requests (0 to 273)");
        assert_eq!(amount(requests, 1.0), "1 request");
        assert_eq!(amount(requests, 2.5), "2.5 requests");
    }

    #[test]
    fn the_size_of_a_difference_has_its_interval_and_no_sign() {
        let p50 = FigureKind::SteadyP50;
        let less = of(-0.060, Some((-0.075, -0.045)));
        assert_eq!(size(p50, &less), "60 ms (45 to 75 ms)");
        let unclear = of(0.010, Some((-0.005, 0.025)));
        assert_eq!(size(p50, &unclear), "10 ms (−5 to 25 ms)");
    }

    #[test]
    fn lists_end_in_and() {
        assert_eq!(listed(&[1, 3, 5]), "1, 3 and 5");
        assert_eq!(listed(&["a"]), "a");
    }
}
