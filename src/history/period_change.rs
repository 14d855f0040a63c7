//! How much a quantile differs between two periods.

use std::time::Duration;

use super::DaySum;
use crate::record::{EncodedHistogram, Histogram, HistogramError, QuantileChange};
use crate::units::Quantile;

/// The difference of one quantile between two periods.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeriodChange {
    /// The quantile.
    pub quantile: Quantile,
    /// Its value over the earlier period.
    pub before: Duration,
    /// Its value over the later period.
    pub after: Duration,
    /// The 90 % interval for the ratio after / before; `None` if the runs of a period do not
    /// fill ten groups of hours.
    pub interval: Option<(f64, f64)>,
}

impl PeriodChange {
    /// The number of groups of consecutive days or hours that a period is divided into.
    const GROUPS: usize = 10;
    /// The fewest days with runs that are divided by whole days. Fewer are divided by hours.
    const FEWEST_DAYS: usize = 3 * Self::GROUPS;
    /// Student's t at 95 % for nine degrees of freedom, one less than the groups.
    const T: f64 = 1.833;

    /// The changes of some quantiles between two periods, without those of which a period has fewer
    /// exchanges than a difference needs ([`QuantileChange::exchanges_for`]).
    ///
    /// Values come from added histograms. The interval is that of the delete-a-group jackknife on
    /// the logarithm of the quantile (Kott, *The delete-a-group jackknife*, Journal of Official
    /// Statistics 17(4), 2001). The groups are consecutive hours or days with about equal numbers
    /// of runs, so that correlated runs mostly stay within one group.
    pub fn between(
        before: &[DaySum],
        after: &[DaySum],
        quantiles: &[Quantile],
    ) -> Result<Vec<Self>, HistogramError> {
        let (before, after) = (PeriodGroups::of(before)?, PeriodGroups::of(after)?);
        let change = |quantile: &Quantile| Self::of_groups(&before, &after, *quantile);
        Ok(quantiles.iter().filter_map(change).collect())
    }

    fn of_groups(before: &PeriodGroups, after: &PeriodGroups, quantile: Quantile) -> Option<Self> {
        let needed = QuantileChange::exchanges_for(quantile);
        if before.sum.count() < needed || after.sum.count() < needed {
            return None;
        }
        let variances = before.variance(quantile).zip(after.variance(quantile));
        let (before, after) = (before.sum.quantile(quantile)?, after.sum.quantile(quantile)?);
        let ratio = after.as_secs_f64() / before.as_secs_f64();
        let interval = variances.map(|(a, b)| {
            let reach = Self::T * (a + b).sqrt();
            (ratio * (-reach).exp(), ratio * reach.exp())
        });
        ratio.is_finite().then_some(Self { quantile, before, after, interval })
    }

    /// The ratio after / before.
    pub fn ratio(&self) -> f64 {
        self.after.as_secs_f64() / self.before.as_secs_f64()
    }

    /// Whether the interval excludes that nothing changed; `None` without an interval.
    pub fn is_clear(&self) -> Option<bool> {
        self.interval.map(|(low, high)| low > 1.0 || high < 1.0)
    }
}

/// The added histograms of a period: as a whole, and of each group of runs.
struct PeriodGroups {
    sum: Histogram,
    /// Empty if there are fewer hours with runs than groups.
    groups: Vec<Histogram>,
}

impl PeriodGroups {
    fn of(days: &[DaySum]) -> Result<Self, HistogramError> {
        let count = PeriodChange::GROUPS;
        let parts: Vec<(usize, &EncodedHistogram)> = if days.len() < PeriodChange::FEWEST_DAYS {
            let hours = days.iter().flat_map(|day| &day.hours);
            hours.map(|hour| (usize::try_from(hour.runs).unwrap_or(0), &hour.latency)).collect()
        } else {
            days.iter().map(|day| (day.runs, &day.latency)).collect()
        };
        let runs: usize = parts.iter().map(|(runs, _)| runs).sum();
        let mut groups = vec![(false, Histogram::default()); count];
        let (mut sum, mut earlier) = (Histogram::default(), 0);
        for (own, latency) in parts {
            let (is_filled, group) = &mut groups[(earlier * count / runs.max(1)).min(count - 1)];
            latency.add_to_each([&mut sum, group])?;
            *is_filled = true;
            earlier += own;
        }
        let is_divided = groups.iter().all(|(is_filled, _)| *is_filled);
        let groups = groups.into_iter().filter(|_| is_divided).map(|(_, group)| group).collect();
        Ok(Self { sum, groups })
    }

    /// The variance of the quantile's logarithm; `None` if there are too few runs.
    fn variance(&self, quantile: Quantile) -> Option<f64> {
        let count = self.groups.len() as f64;
        let without = |left_out: usize| {
            let mut rest = Histogram::default();
            let others = self.groups.iter().enumerate().filter(|(at, _)| *at != left_out);
            others.for_each(|(_, group)| rest.add(group));
            rest.quantile(quantile).map(|value| value.as_secs_f64().max(1e-6).ln())
        };
        let values: Vec<f64> = (0..self.groups.len()).map(without).collect::<Option<_>>()?;
        if values.is_empty() {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(squares * (count - 1.0) / count)
    }
}
