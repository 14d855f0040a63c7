//! Figures of a session in words.

use std::time::Duration;

use crate::record::session::{Difference, Estimate, FigureKind};
use crate::report::words;
use crate::units;

/// Seconds as a duration. A record may hold any number: one that is not a duration becomes zero.
pub(in crate::report) fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default()
}

/// A figure in words: `2.31 s`, `41`.
pub(in crate::report) fn value(kind: FigureKind, value: f64) -> String {
    match (value.is_finite(), kind.is_time()) {
        (false, _) => "–".to_owned(),
        (true, true) if value < 0.0 => format!("−{}", units::format_duration(duration(-value))),
        (true, true) => units::format_duration(duration(value)),
        (true, false) => number(value),
    }
}

/// A figure with its sign: `+56 ms`, `−1.2 s`.
pub(in crate::report) fn signed(kind: FigureKind, difference: f64) -> String {
    let text = value(kind, difference);
    if difference > 0.0 { format!("+{text}") } else { text }
}

/// A count that may be a mean, with a true minus sign.
fn number(value: f64) -> String {
    let decimals = usize::from(value.abs() < 9.95);
    let text = format!("{:.decimals$}", value.abs());
    let text = text.strip_suffix(".0").unwrap_or(&text);
    let sign = if value < 0.0 && text != "0" { "−" } else { "" };
    format!("{sign}{text}")
}

/// The interval of a figure, a shared unit once: `2.2 – 2.4 s`; empty if there is none.
pub(super) fn interval(kind: FigureKind, estimate: &Estimate) -> String {
    estimate.interval.map(|(low, high)| range(kind, low, high)).unwrap_or_default()
}

/// A range of a figure, a shared unit once: `2.2 – 2.4 s`.
pub(super) fn range(kind: FigureKind, low: f64, high: f64) -> String {
    // An old record may have an interval that reaches below zero for a figure that cannot.
    let low = if kind.is_signed() { low } else { low.max(0.0) };
    let has_sign = low < 0.0;
    let [low, high] = [low, high].map(|end| value(kind, end));
    if low == high {
        return high;
    }
    if has_sign {
        // A dash next to a minus sign is hard to read.
        return format!("{low} to {high}");
    }
    words::between(&low, &high)
}

/// The interval of a difference: `−1.4 s to −1.0 s`; empty if there is none.
pub(super) fn signed_interval(kind: FigureKind, estimate: &Estimate) -> String {
    estimate
        .interval
        .map(|(low, high)| format!("{} to {}", signed(kind, low), signed(kind, high)))
        .unwrap_or_default()
}

/// What a difference says, in two or three words: `faster`, `not clear`.
pub(super) fn outcome(kind: FigureKind, difference: &Difference) -> &'static str {
    let is_less = difference.estimate.value < 0.0;
    match (difference.is_clear, kind.is_time(), is_less) {
        (true, true, true) => "faster",
        (true, true, false) => "slower",
        (true, false, true) => "fewer",
        (true, false, false) => "more",
        (false, ..) if difference.estimate.interval.is_none() => "too few restarts",
        (false, ..) if difference.detectable <= 0.0 => "the same",
        (false, ..) => "not clear",
    }
}

/// The smallest difference that would have been seen: `95 ms`; a dash if that is not known.
pub(super) fn seen_above(kind: FigureKind, difference: &Difference) -> String {
    if difference.detectable > 0.0 { value(kind, difference.detectable) } else { "–".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Ratio;

    fn estimate(value: f64, interval: Option<(f64, f64)>) -> Estimate {
        Estimate { value, interval, confidence: Ratio::of(9, 10), restarts: 5 }
    }

    #[test]
    fn figures_have_their_unit_their_sign_and_a_shared_unit_once() {
        use FigureKind::{FirstAnswer, RequestsToSteady};
        assert_eq!(value(FirstAnswer, 2.312), "2.31 s");
        assert_eq!(value(RequestsToSteady, 41.4), "41");
        assert_eq!(value(RequestsToSteady, 0.6), "0.6");
        assert_eq!(signed(FirstAnswer, -0.06), "−60 ms");
        assert_eq!(signed(FirstAnswer, 0.056), "+56 ms");
        assert_eq!(signed(RequestsToSteady, -3.0), "−3");
        assert_eq!(interval(FirstAnswer, &estimate(2.3, Some((2.2, 2.4)))), "2.2 – 2.4 s");
        assert_eq!(interval(FirstAnswer, &estimate(0.3, Some((-0.2, 1.4)))), "0 ms – 1.4 s");
        assert_eq!(interval(RequestsToSteady, &estimate(40.0, Some((38.2, 44.0)))), "38 – 44");
        assert_eq!(
            signed_interval(FirstAnswer, &estimate(0.0, Some((-0.08, 0.05)))),
            "−80 ms to +50 ms"
        );
    }

    #[test]
    fn numbers_that_are_no_durations_do_not_panic() {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
            for kind in FigureKind::ALL {
                let _words = (value(kind, odd), signed(kind, odd));
                let estimate = estimate(odd, Some((odd, odd)));
                let _words = (interval(kind, &estimate), signed_interval(kind, &estimate));
            }
        }
    }

    #[test]
    fn a_difference_has_an_outcome_and_the_smallest_that_would_have_been_seen() {
        let mut difference = Difference {
            estimate: estimate(0.003, Some((-0.08, 0.086))),
            is_clear: false,
            detectable: 0.095,
            rounds_to_halve: 12,
        };
        let p50 = FigureKind::SteadyP50;
        assert_eq!(outcome(p50, &difference), "not clear");
        assert_eq!(seen_above(p50, &difference), "95 ms");
        difference.is_clear = true;
        assert_eq!(outcome(p50, &difference), "slower");
        assert_eq!(outcome(FigureKind::RequestsToSteady, &difference), "more");
        difference = Difference { is_clear: false, detectable: 0.0, ..difference };
        assert_eq!(
            (outcome(p50, &difference), seen_above(p50, &difference).as_str()),
            ("the same", "–")
        );
    }

    #[test]
    fn an_interval_below_zero_keeps_its_signs() {
        let cost = |low, high| interval(FigureKind::ColdCost, &estimate(low, Some((low, high))));
        assert_eq!(cost(-0.004, -0.001), "−4 ms to −1 ms");
        assert_eq!(cost(-0.004, 0.001), "−4 ms to 1 ms");
    }
}
