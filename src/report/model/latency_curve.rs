//! Latency by percentile: the whole distribution as a step curve, with failures at the top.

use std::time::Duration;

use crate::record::{ActualQuantile, Dimension, StageMeasurement};

use super::DurationQuantiles;

/// The latency distribution of all exchanges of the measured stage, with failures ranked at +∞.
#[derive(Debug, Clone, Default)]
pub(in crate::report) struct LatencyCurve {
    /// Exchanges, failures included.
    pub(in crate::report) total: u64,
    /// Exchanges with a latency.
    pub(in crate::report) ok: u64,
    /// Each value with the share of exchanges below it, in rising order, thinned to the resolution
    /// of a plot.
    pub(in crate::report) steps: Vec<(f64, Duration)>,
    /// The quantiles of the exchanges with a latency.
    pub(in crate::report) quantiles: DurationQuantiles,
    /// Number of values above the histogram's range.
    pub(in crate::report) clipped: u64,
}

impl LatencyCurve {
    /// Steps kept per decade of the tail: finer than the pixels of a plot.
    const STEPS_A_DECADE: f64 = 400.0;

    /// The distribution of a stage.
    pub(super) fn new(stage: &StageMeasurement) -> Self {
        let histogram = stage.series.get(Dimension::Latency);
        let ok = histogram.map_or(0, crate::record::Histogram::count);
        let mut curve = Self {
            total: ok + stage.tally.failed(),
            ok,
            steps: Vec::new(),
            quantiles: DurationQuantiles::of(histogram),
            clipped: histogram.map_or(0, crate::record::Histogram::clipped),
        };
        let mut below = 0;
        for (value, count) in histogram.into_iter().flat_map(crate::record::Histogram::steps) {
            curve.push(below as f64 / curve.total as f64, value);
            below += count;
        }
        curve
    }

    /// The quantile at a share of the exchanges, with failures ranked above every latency, to the
    /// resolution of a plot.
    pub(in crate::report) fn at(&self, share: f64) -> ActualQuantile {
        // A step that starts exactly at the share is beyond it.
        let after = self.steps.partition_point(|(start, _)| *start < share - 1e-12);
        match after.checked_sub(1).and_then(|at| self.steps.get(at)) {
            _ if self.total == 0 => ActualQuantile::NoData,
            Some((_, value)) if share <= self.ok as f64 / self.total as f64 + 1e-12 => {
                ActualQuantile::At(*value)
            }
            _ => ActualQuantile::Unbounded,
        }
    }

    /// Adds a step, or raises the last one if a plot could not separate the two.
    fn push(&mut self, share: f64, value: Duration) {
        match self.steps.last_mut() {
            Some((start, last)) if (tail(share) - tail(*start)) * Self::STEPS_A_DECADE < 1.0 => {
                *last = value;
            }
            _ => self.steps.push((share, value)),
        }
    }
}

/// Position of a share on the percentile axis, in decades of the tail (0 % at 0, 90 % at 1, 99 % at
/// 2).
pub(in crate::report) fn tail(share: f64) -> f64 {
    -(1.0 - share).max(1e-12).log10()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Failure, Histogram};

    #[test]
    fn a_share_among_the_failures_is_unbounded() {
        let mut stage = StageMeasurement::default();
        let mut latency = Histogram::default();
        (1..=90).for_each(|millis| latency.record(Duration::from_millis(millis)));
        stage.series.add(Dimension::Latency, &latency);
        stage.tally.exchanges = 100;
        stage.tally.ok = 90;
        stage.tally.failures.insert(Failure::Reset, 10);
        let curve = LatencyCurve::new(&stage);
        let near = |share| match curve.at(share) {
            ActualQuantile::At(value) => value.as_millis(),
            other => panic!("{other:?}"),
        };
        assert_eq!([near(0.5), near(0.9)], [50, 90]);
        assert_eq!(curve.at(0.95), ActualQuantile::Unbounded);
        assert_eq!(LatencyCurve::default().at(0.5), ActualQuantile::NoData);
    }
}
