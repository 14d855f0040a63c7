//! Figures of a session in words.

use std::time::Duration;

use crate::record::session::{Difference, Estimate, FigureKind};
use crate::units::{self, Ratio};

/// A share in whole percent: `90 %`.
pub(super) fn confidence(ratio: Ratio) -> String {
    crate::report::words::share(ratio)
}

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
    let Some((low, high)) = estimate.interval else { return String::new() };
    // No figure is below zero; an interval of a few restarts may be.
    let [low, high] = [low.max(0.0), high].map(|end| value(kind, end));
    if low == high {
        return high;
    }
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number} – {high}"),
        _ => format!("{low} – {high}"),
    }
}

/// The interval of a difference: `−1.4 s to −1.0 s`; empty if there is none.
pub(super) fn signed_interval(kind: FigureKind, estimate: &Estimate) -> String {
    estimate
        .interval
        .map(|(low, high)| format!("{} to {}", signed(kind, low), signed(kind, high)))
        .unwrap_or_default()
}

/// What a difference says, without its figure: `faster`, `no difference above 95 ms …`.
pub(super) fn difference_words(kind: FigureKind, difference: &Difference) -> String {
    let is_less = difference.estimate.value < 0.0;
    if difference.is_clear {
        return match (kind.is_time(), is_less) {
            (true, true) => "faster",
            (true, false) => "slower",
            (false, true) => "fewer",
            (false, false) => "more",
        }
        .to_owned();
    }
    if difference.estimate.interval.is_none() {
        return "too few restarts to tell".to_owned();
    }
    let detectable = value(kind, difference.detectable);
    if difference.detectable <= 0.0 {
        return "the same in every round".to_owned();
    }
    let more = match difference.rounds_to_halve {
        0 => String::new(),
        1 => "; 1 more round would halve that".to_owned(),
        rounds => format!("; {rounds} more rounds would halve that"),
    };
    format!("no clear difference: one above {detectable} would have been seen{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_difference_that_is_not_clear_names_the_smallest_that_would_have_been_seen() {
        let mut difference = Difference {
            estimate: estimate(0.003, Some((-0.08, 0.086))),
            is_clear: false,
            detectable: 0.095,
            rounds_to_halve: 12,
        };
        assert_eq!(
            difference_words(FigureKind::SteadyP50, &difference),
            "no clear difference: one above 95 ms would have been seen; \
             12 more rounds would halve that"
        );
        difference.is_clear = true;
        assert_eq!(difference_words(FigureKind::SteadyP50, &difference), "slower");
        assert_eq!(difference_words(FigureKind::RequestsToSteady, &difference), "more");
    }
}
