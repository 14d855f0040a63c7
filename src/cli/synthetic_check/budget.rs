//! The budget of a check: typed, or chosen by the URL; pure.

use std::time::Duration;

use url::Url;

use crate::units::{UnitError, parse_duration};

/// The budget of the page with sample data, `mock=1`.
pub(super) const SAMPLE: Duration = Duration::from_millis(300);
/// The budget of any other page, `mock=0` among them.
pub(super) const LIVE: Duration = Duration::from_millis(800);

/// What every answer holds: `Infinity`, and what is so large that JavaScript would no longer tell whole milliseconds apart.
pub(super) const ENDLESS: Duration = Duration::MAX;
const MOST_MILLIS: f64 = 9_007_199_254_740_992.0;

/// A budget as it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Budget {
    /// So long.
    Of(Duration),
    /// Chosen by `mock=` in the URL.
    Auto,
}

impl Budget {
    /// Reads `300` (milliseconds, as JavaScript's `Number()` reads them), `300ms` or `auto`.
    pub(super) fn read(text: &str) -> Result<Self, UnitError> {
        // JavaScript takes a byte order mark for a blank.
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let remedy = "write milliseconds from 0.001 on, such as `300`, or `300ms`, or `auto`";
        let read = number(text).map_or_else(|| parse_duration(text).ok(), of_millis);
        read.filter(|budget| *budget >= Duration::from_micros(1))
            .map(Self::Of)
            .ok_or_else(|| UnitError::new("is no budget", remedy))
    }

    /// The budget of a URL.
    pub(super) fn of(self, url: &Url) -> Duration {
        match self {
            Self::Of(budget) => budget,
            Self::Auto => meant_for(url),
        }
    }
}

/// A number as JavaScript's `Number()` reads it (<https://tc39.es/ecma262/#sec-stringtonumber>); `None` for what is none.
fn number(text: &str) -> Option<f64> {
    let prefixed =
        |prefix: [&str; 2]| text.strip_prefix(prefix[0]).or_else(|| text.strip_prefix(prefix[1]));
    for (prefix, radix) in [(["0x", "0X"], 16), (["0o", "0O"], 8), (["0b", "0B"], 2)] {
        if let Some(digits) = prefixed(prefix) {
            let whole = |number: f64, digit: char| {
                Some(number * f64::from(radix) + f64::from(digit.to_digit(radix)?))
            };
            return digits.chars().try_fold(0.0, whole).filter(|_| !digits.is_empty());
        }
    }
    if text.trim_start_matches(['+', '-']) == "Infinity" {
        return text.parse().ok();
    }
    // Rust reads `inf` and `nan` besides.
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    text.parse().ok().filter(|_| is_decimal)
}

/// So many milliseconds; `None` below zero.
fn of_millis(millis: f64) -> Option<Duration> {
    if millis > MOST_MILLIS {
        return Some(ENDLESS);
    }
    let rest = Duration::try_from_secs_f64(millis.fract() / 1e3).ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the bounds above"
    )]
    let whole = Duration::from_millis(millis.trunc() as u64);
    (millis >= 0.0).then_some(whole + rest)
}

/// Whether the URL asks for the page with sample data: its first `mock` is `1`.
pub(super) fn is_mock(url: &Url) -> bool {
    url.query_pairs().find(|(name, _)| name == "mock").is_some_and(|(_, value)| value == "1")
}

/// The budget that the page of a URL is meant to hold.
pub(super) fn meant_for(url: &Url) -> Duration {
    if is_mock(url) { SAMPLE } else { LIVE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Duration {
        match Budget::read(text).unwrap() {
            Budget::Of(budget) => budget,
            Budget::Auto => panic!("{text}"),
        }
    }

    #[test]
    fn a_budget_is_a_duration_or_milliseconds_as_javascript_reads_a_number() {
        for (text, micros) in [
            ("300", 300_000),
            (" 800 ", 800_000),
            ("\u{feff}05", 5_000),
            ("250.5", 250_500),
            ("3e2", 300_000),
            (".5", 500),
            ("+5.", 5_000),
            ("0x1F4", 500_000),
            ("0Xa", 10_000),
            ("0o17", 15_000),
            ("0b11", 3_000),
            ("100000000", 100_000_000_000),
            ("9007199254740991", 9_007_199_254_740_991_000),
            ("1s", 1_000_000),
            ("2days", 172_800_000_000),
        ] {
            assert_eq!(read(text), Duration::from_micros(micros), "{text}");
        }
        for text in ["Infinity", "+Infinity", "1e99", "1e999"] {
            assert_eq!(read(text), ENDLESS, "{text}");
        }
        let none = [
            "abc",
            "",
            "0",
            "-5",
            "-Infinity",
            "NaN",
            "nan",
            "inf",
            "infinity",
            "0ms",
            "-0x10",
            "0x",
        ];
        for text in
            none.into_iter().chain(["0x+5", "0b2", "1_000", "5n", "5e", ".", "300 apples", "1e-9"])
        {
            assert!(Budget::read(text).is_err(), "{text}");
        }
        assert_eq!(Budget::read("auto").unwrap(), Budget::Auto);
    }

    #[test]
    fn auto_chooses_by_the_first_mock_of_the_url() {
        for (query, budget) in [
            ("?mock=1", SAMPLE),
            ("?a=b&mock=1", SAMPLE),
            ("?mock=0&mock=1", LIVE),
            ("?mock=10", LIVE),
            ("", LIVE),
        ] {
            let url = Url::parse(&format!("https://shop.example/app{query}")).unwrap();
            assert_eq!(
                (Budget::Auto.of(&url), Budget::Of(LIVE).of(&url)),
                (budget, LIVE),
                "{query}"
            );
        }
    }
}
