//! Quantiles of one run's latency, failures at +∞, with the intervals of the target's.

use std::time::Duration;

use crate::record::{
    ActualQuantile, BeforeAfter, ChangeVerdict, Dimension, Histogram, StageMeasurement,
};
use crate::units::Quantile;
use crate::verdict::binomial::{ErrorRate, lower_rank, upper_rank};

/// The latencies of one request in one run, in ascending order.
///
/// Ranks come from the histogram of the ok exchanges. Its buckets are 0.1 % wide, and values in one
/// bucket count as equal.
pub(super) struct LatencyEstimate<'a> {
    of: u64,
    successes: Option<&'a Histogram>,
}

impl<'a> LatencyEstimate<'a> {
    /// The latencies of one stage.
    pub(super) fn of(stage: &'a StageMeasurement) -> Self {
        Self { of: stage.tally.exchanges, successes: stage.series.get(Dimension::Latency) }
    }

    /// The observed quantile.
    pub(super) fn quantile(&self, quantile: Quantile) -> ActualQuantile {
        self.at(Histogram::rank_of(quantile, self.of))
    }

    /// The observed maximum.
    pub(super) fn max(&self) -> ActualQuantile {
        self.at(self.of)
    }

    /// The interval of the target's quantile that leaves out `alpha` on each side. An end with too
    /// few exchanges for a bound excludes nothing.
    pub(super) fn interval(
        &self,
        quantile: Quantile,
        alpha: ErrorRate,
    ) -> (ActualQuantile, ActualQuantile) {
        if self.of == 0 {
            return (ActualQuantile::NoData, ActualQuantile::NoData);
        }
        let allowed = quantile.allowed_exceedance();
        let low = lower_rank(self.of, allowed, alpha)
            .map_or(ActualQuantile::At(Duration::ZERO), |rank| self.at(rank));
        let high = upper_rank(self.of, allowed, alpha)
            .map_or(ActualQuantile::Unbounded, |rank| self.at(rank));
        (low, high)
    }

    /// The value of a rank, counted from 1.
    fn at(&self, rank: u64) -> ActualQuantile {
        if self.of == 0 {
            return ActualQuantile::NoData;
        }
        self.successes
            .and_then(|histogram| histogram.at_rank(rank))
            .map_or(ActualQuantile::Unbounded, ActualQuantile::At)
    }
}

/// What two intervals show: a change if they do not overlap.
pub(super) fn change(interval: BeforeAfter<(ActualQuantile, ActualQuantile)>) -> ChangeVerdict {
    let BeforeAfter { before, after } = interval;
    if before.0 == ActualQuantile::NoData || after.0 == ActualQuantile::NoData {
        ChangeVerdict::NoData
    } else if is_below(before.1, after.0) {
        ChangeVerdict::More
    } else if is_below(after.1, before.0) {
        ChangeVerdict::Less
    } else {
        ChangeVerdict::NoneShown
    }
}

fn is_below(one: ActualQuantile, other: ActualQuantile) -> bool {
    match (one, other) {
        (ActualQuantile::At(one), ActualQuantile::At(other)) => one < other,
        (ActualQuantile::At(_), ActualQuantile::Unbounded) => true,
        _ => false,
    }
}
