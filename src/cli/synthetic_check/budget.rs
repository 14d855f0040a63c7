//! The budget of a check: typed, or chosen by the URL; pure.

use std::time::Duration;

use url::Url;

use crate::units::{UnitError, parse_duration};

/// The budget of the page with sample data, `mock=1`.
pub(super) const SAMPLE: Duration = Duration::from_millis(300);
/// The budget of any other page, `mock=0` among them.
pub(super) const LIVE: Duration = Duration::from_millis(800);

/// The largest budget.
const MOST: Duration = Duration::from_hours(24);

/// A budget as it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Budget {
    /// So long.
    Of(Duration),
    /// Chosen by `mock=` in the URL.
    Auto,
}

impl Budget {
    /// Reads `300` (milliseconds), `300ms` or `auto`.
    pub(super) fn read(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let remedy = "write milliseconds from 0.001 on, such as `300`, or `300ms`, or `auto`";
        let not_one = || UnitError::new("is no budget", remedy);
        let millis = text.parse::<f64>().ok();
        let read = millis.and_then(|millis| Duration::try_from_secs_f64(millis / 1e3).ok());
        let read = if millis.is_some() { read } else { parse_duration(text).ok() };
        read.filter(|budget| (Duration::from_micros(1)..=MOST).contains(budget))
            .map(Self::Of)
            .ok_or_else(not_one)
    }

    /// The budget of a URL.
    pub(super) fn of(self, url: &Url) -> Duration {
        match self {
            Self::Of(budget) => budget,
            Self::Auto => meant_for(url),
        }
    }
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

    #[test]
    fn a_budget_is_milliseconds_or_a_duration_and_nothing_that_javascript_takes_for_no_number() {
        let millis = |text: &str| match Budget::read(text).unwrap() {
            Budget::Of(budget) => budget.as_secs_f64() * 1e3,
            Budget::Auto => panic!("{text}"),
        };
        for (text, read) in [("300", 300.0), (" 800 ", 800.0), ("250.5", 250.5), ("3e2", 300.0), ("1s", 1e3)]
        {
            assert!((millis(text) - read).abs() < 1e-9, "{text}");
        }
        for text in ["abc", "", "0", "-5", "NaN", "Infinity", "1e99", "300 apples", "0ms", "2days"] {
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
            assert_eq!((Budget::Auto.of(&url), Budget::Of(LIVE).of(&url)), (budget, LIVE), "{query}");
        }
    }
}
