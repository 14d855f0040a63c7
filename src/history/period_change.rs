//! How much a quantile differs between two periods.

use crate::record::{EncodedAdder, Histogram, QuantileChange};
use crate::units::Quantile;
use std::time::Duration;

use super::SeriesRun;

/// The difference of one quantile between two periods.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeriodChange {
    /// The quantile.
    pub quantile: Quantile,
    /// Its value over the earlier period.
    pub before: Duration,
    /// Its value over the later period.
    pub after: Duration,
    /// The 90 % interval for the ratio after / before; `None` if a period has fewer than
    /// [`Self::FEWEST_RUNS`] runs.
    pub interval: Option<(f64, f64)>,
}

impl PeriodChange {
    /// The number of groups of consecutive runs that a period is divided into.
    const GROUPS: usize = 10;
    /// The fewest runs of a period for an interval.
    pub const FEWEST_RUNS: usize = Self::GROUPS;
    /// Student's t at 95 % for nine degrees of freedom, one less than the groups.
    const T: f64 = 1.833;

    /// The change of a quantile; `None` if a period has fewer exchanges than a difference of this
    /// quantile needs ([`QuantileChange::exchanges_for`]), or a damaged histogram.
    ///
    /// Values come from added histograms. The interval is that of the delete-a-group jackknife on
    /// the logarithm of the quantile (Kott, *The delete-a-group jackknife*, Journal of Official
    /// Statistics 17(4), 2001). The groups are consecutive runs, so that runs that hang together
    /// mostly stay within one group.
    pub fn between(before: &[SeriesRun], after: &[SeriesRun], quantile: Quantile) -> Option<Self> {
        let [one, other] = [PeriodGroups::of(before)?, PeriodGroups::of(after)?];
        let needed = QuantileChange::exchanges_for(quantile);
        if one.sum.count() < needed || other.sum.count() < needed {
            return None;
        }
        let (before, after) = (one.sum.quantile(quantile)?, other.sum.quantile(quantile)?);
        let ratio = after.as_secs_f64() / before.as_secs_f64();
        let interval = one.variance(quantile).zip(other.variance(quantile)).map(|(a, b)| {
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
    groups: Vec<Histogram>,
}

impl PeriodGroups {
    fn of(runs: &[SeriesRun]) -> Option<Self> {
        let count = PeriodChange::GROUPS;
        let mut groups = vec![Histogram::default(); count];
        let (mut sum, mut adder) = (Histogram::default(), EncodedAdder::default());
        for (at, run) in runs.iter().enumerate() {
            let group = &mut groups[at * count / runs.len()];
            adder.add_to_each(&run.latency, [&mut sum, group]).ok()?;
        }
        if runs.len() < PeriodChange::FEWEST_RUNS {
            groups.clear();
        }
        Some(Self { sum, groups })
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
