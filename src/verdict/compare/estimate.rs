//! Quantiles of one run's latency, failures at +∞.

use crate::record::{ActualQuantile, Dimension, Histogram, StageMeasurement};
use crate::units::Quantile;

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
