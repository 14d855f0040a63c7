//! Latency by percentile: the whole distribution as a stair, failures at its top.

use std::time::Duration;

use crate::record::{Actual, Dimension, StageMeasurement};

use super::DurationQuantiles;

/// The distribution of latency over all exchanges of the measured phase, failures ranked at +∞.
#[derive(Debug, Clone, Default)]
pub(in crate::report) struct LatencyCurve {
    /// Exchanges, failures included.
    pub(in crate::report) total: u64,
    /// Exchanges with a latency.
    pub(in crate::report) ok: u64,
    /// Each value and the share of exchanges below it, in rising order and thinned to what a plot can show.
    pub(in crate::report) steps: Vec<(f64, Duration)>,
    /// The quantiles of the exchanges with a latency.
    pub(in crate::report) quantiles: DurationQuantiles,
    /// Values above what a histogram tells apart.
    pub(in crate::report) clipped: u64,
}

impl LatencyCurve {
    /// Steps kept for each tenfold of the tail: finer than the pixels of a plot.
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

    /// The value of a share of the exchanges, failures ranked above all; within what a plot can show.
    pub(in crate::report) fn at(&self, share: f64) -> Actual {
        // The step that begins right at the share is the first beyond it.
        let after = self.steps.partition_point(|(start, _)| *start < share - 1e-12);
        match after.checked_sub(1).and_then(|at| self.steps.get(at)) {
            _ if self.total == 0 => Actual::NoData,
            Some((_, value)) if share <= self.ok as f64 / self.total as f64 + 1e-12 => {
                Actual::At(*value)
            }
            _ => Actual::Unbounded,
        }
    }

    /// Adds a step; one that cannot be told from the last in a plot raises the last instead.
    fn push(&mut self, share: f64, value: Duration) {
        match self.steps.last_mut() {
            Some((start, last)) if (tail(share) - tail(*start)) * Self::STEPS_A_DECADE < 1.0 => {
                *last = value
            }
            _ => self.steps.push((share, value)),
        }
    }
}

/// The place of a share on the axis of percentiles: the tenfolds of the tail beyond it (0 % at 0, 90 % at 1, 99 % at 2).
pub(in crate::report) fn tail(share: f64) -> f64 {
    -(1.0 - share).max(1e-12).log10()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Failure, Histogram};

    #[test]
    fn a_share_among_the_failures_has_no_bound() {
        let mut stage = StageMeasurement::default();
        let mut latency = Histogram::default();
        (1..=90).for_each(|millis| latency.record(Duration::from_millis(millis)));
        stage.series.add(Dimension::Latency, &latency);
        stage.tally.exchanges = 100;
        stage.tally.ok = 90;
        stage.tally.failures.insert(Failure::Reset, 10);
        let curve = LatencyCurve::new(&stage);
        let near = |share| match curve.at(share) {
            Actual::At(value) => value.as_millis(),
            other => panic!("{other:?}"),
        };
        assert_eq!([near(0.5), near(0.9)], [50, 90]);
        assert_eq!(curve.at(0.95), Actual::Unbounded);
        assert_eq!(LatencyCurve::default().at(0.5), Actual::NoData);
    }
}
