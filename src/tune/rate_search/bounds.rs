//! Between which rates a search looks, how closely, and how many steps that may take.

use std::time::Duration;

use crate::units::{Rate, UnitError};

/// The largest ratio of two neighbouring rates on the way up.
const GROWTH: f64 = 1.5;

/// How many steps more than without undecided rates the narrowing may take.
const EXTRA_STEPS: usize = 2;

/// Between which rates a search looks, and how closely.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SearchBounds {
    lowest: Rate,
    limit: Rate,
    step: Duration,
    resolution: f64,
}

impl SearchBounds {
    /// The most steps that a search may take.
    ///
    /// A step is one of this many verdicts that share an error rate, so it needs up to this many
    /// times the evidence of one. The evidence that ends a run early is 50 times that of one: a run
    /// that ended early then still decides its step.
    pub const MOST_STEPS: usize = 50;

    /// The largest resolution. Neighbouring rates on the way up differ by at most 1.5 times, so
    /// above that there is nothing to narrow.
    const COARSEST: f64 = 2.0;
    /// Finer resolutions would need rates of more than three digits.
    const FINEST: f64 = 1.02;

    /// A search from `lowest` up to `limit`. It ends when a rate over budget is at most
    /// `resolution` times one within it. A step measures for `step`, and three times as long in
    /// total if that does not decide it.
    pub fn new(
        lowest: Rate,
        limit: Rate,
        step: Duration,
        resolution: f64,
    ) -> Result<Self, UnitError> {
        if lowest.as_per_second() > limit.as_per_second() {
            return Err(UnitError::new(
                format!("the lowest rate, {lowest}, is above the limit of {limit}"),
                "raise --max-rate or lower --min-rate",
            ));
        }
        if !(Self::FINEST..=Self::COARSEST).contains(&resolution) {
            return Err(UnitError::new(
                format!("a resolution of {resolution} cannot be searched"),
                "write a ratio from 1.02 to 2, such as `1.1`",
            ));
        }
        let bounds = Self { lowest, limit, step, resolution };
        let steps = bounds.most_steps();
        if steps > Self::MOST_STEPS {
            return Err(UnitError::new(
                format!("from {lowest} to {limit} the search may take {steps} steps"),
                format!("raise --min-rate: a search has up to {} steps", Self::MOST_STEPS),
            ));
        }
        Ok(bounds)
    }

    /// The rate of the first step.
    pub fn lowest(&self) -> Rate {
        self.lowest
    }

    /// The rate that no step exceeds.
    pub fn limit(&self) -> Rate {
        self.limit
    }

    /// How long a step measures at first.
    pub fn step(&self) -> Duration {
        self.step
    }

    /// How long a step measures in addition if its first run is inconclusive.
    pub fn continuation(&self) -> Duration {
        self.step.saturating_mul(2)
    }

    /// The ratio of the interval's ends at which the search is done.
    pub fn resolution(&self) -> f64 {
        self.resolution
    }

    /// The largest number of steps that the search takes: the rates on the way up, those in
    /// between, and the confirmation. A step that is measured longer counts once.
    pub fn most_steps(&self) -> usize {
        self.rungs().len() + self.narrowings() + 1
    }

    /// The rates on the way up, from the lowest to the limit, at equal ratios.
    pub(super) fn rungs(&self) -> Vec<Rate> {
        let (lowest, limit) = (self.lowest.as_per_second(), self.limit.as_per_second());
        let intervals = self.intervals();
        let between = (1..intervals)
            .filter_map(|at| rounded(lowest * (limit / lowest).powf(at as f64 / intervals as f64)));
        let ends = (intervals > 0).then_some(self.limit);
        std::iter::once(self.lowest).chain(between).chain(ends).collect()
    }

    /// The largest number of steps between the rates on the way up.
    pub(super) fn narrowings(&self) -> usize {
        let halvings = (self.growth().ln() / self.resolution.ln()).log2();
        whole(halvings.max(0.0)) + EXTRA_STEPS
    }

    fn intervals(&self) -> usize {
        let span = self.limit.as_per_second() / self.lowest.as_per_second();
        whole(span.ln() / GROWTH.ln())
    }

    /// The ratio of two neighbouring rates on the way up.
    fn growth(&self) -> f64 {
        let span = self.limit.as_per_second() / self.lowest.as_per_second();
        span.powf(1.0 / self.intervals().max(1) as f64)
    }
}

/// The rate halfway between two others, by ratio.
pub(super) fn between(lower: Rate, upper: Rate) -> Option<Rate> {
    rounded((lower.as_per_second() * upper.as_per_second()).sqrt())
}

/// How many times one rate the other is.
pub(super) fn ratio(lower: Rate, upper: Rate) -> f64 {
    upper.as_per_second() / lower.as_per_second()
}

/// A rate of three digits.
fn rounded(per_second: f64) -> Option<Rate> {
    let unit = 10_f64.powf(per_second.log10().floor() - 2.0);
    // Division by a power of ten is exact in more cases than multiplication by its fraction.
    let rounded = if unit < 1.0 {
        (per_second / unit).round() / (1.0 / unit).round()
    } else {
        (per_second / unit).round() * unit
    };
    Rate::per_second(rounded).ok()
}

/// A small number, rounded up; a tolerance keeps a rounding error from adding one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "neither negative nor large"
)]
fn whole(number: f64) -> usize {
    (number - 1e-9).ceil().max(0.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(lowest: &str, limit: &str, resolution: f64) -> Result<SearchBounds, UnitError> {
        let rate = |text: &str| text.parse().unwrap();
        SearchBounds::new(rate(lowest), rate(limit), Duration::from_secs(30), resolution)
    }

    #[test]
    fn the_way_up_has_equal_ratios_of_at_most_one_and_a_half_and_ends_at_the_limit() {
        let rungs = |lowest, limit| {
            let rungs = bounds(lowest, limit, 1.1).unwrap().rungs();
            rungs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(rungs("20/s", "100/s"), "20/s 29.9/s 44.7/s 66.9/s 100/s");
        assert_eq!(rungs("10/s", "15/s"), "10/s 15/s");
        assert_eq!(rungs("10/s", "10/s"), "10/s");
        assert_eq!(rungs("1/s", "2/s"), "1/s 1.41/s 2/s");
    }

    #[test]
    fn the_number_of_steps_is_known_before_the_first_one() {
        let steps =
            |lowest, limit, resolution| bounds(lowest, limit, resolution).unwrap().most_steps();
        assert_eq!(steps("5/s", "200/s", 1.1), 11 + 2 + 2 + 1);
        assert_eq!(steps("5/s", "200/s", 1.02), 11 + 5 + 2 + 1);
        assert_eq!(steps("10/s", "10/s", 1.1), 1 + 2 + 1);
    }

    #[test]
    fn what_cannot_be_searched_is_refused_with_the_remedy() {
        let refusal = |found: Result<SearchBounds, UnitError>| found.unwrap_err().to_string();
        assert!(refusal(bounds("20/s", "10/s", 1.1)).contains("--max-rate"));
        assert!(refusal(bounds("5/s", "10/s", 1.0)).contains("from 1.02 to 2"));
        assert!(refusal(bounds("5/s", "10/s", f64::NAN)).contains("from 1.02 to 2"));
        assert!(refusal(bounds("1/h", "1000000/s", 1.02)).contains("raise --min-rate"));
    }
}
