//! Latency over time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::record::{Dimension, Histogram, Interval, Stage};

use super::Quantiles;

/// The latency of a request over the run.
#[derive(Debug, Clone, Default)]
pub(in crate::report) struct Timeline {
    /// How much time a point stands for.
    pub(in crate::report) bin: Duration,
    /// When the measured phase began.
    pub(in crate::report) measured_from: Duration,
    /// Where the last bin ends.
    pub(in crate::report) end: Duration,
    /// Bins of the warm-up, cold exchanges included.
    pub(in crate::report) warmup: Vec<Point>,
    /// Bins of the measured phase.
    pub(in crate::report) measured: Vec<Point>,
}

/// The exchanges that were due in one bin.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct Point {
    /// The middle of the bin.
    pub(in crate::report) at: Duration,
    /// Exchanges.
    pub(in crate::report) n: u64,
    /// Of these, the ones that failed.
    pub(in crate::report) failed: u64,
    /// The latency of the others.
    pub(in crate::report) latency: Quantiles,
}

/// Widths of a bin in seconds that read well under an axis.
const WIDTHS: [u64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600];

impl Timeline {
    /// The most bins a plot shows.
    pub(in crate::report) const MOST_BINS: u64 = 300;

    /// Whether there is anything to plot.
    pub(in crate::report) fn is_empty(&self) -> bool {
        self.warmup.is_empty() && self.measured.is_empty()
    }
}

/// The narrowest bin that keeps a run within the most that a plot shows.
fn width(seconds: u64) -> u64 {
    let fits = |width: &u64| seconds.div_ceil(*width) <= Timeline::MOST_BINS;
    WIDTHS.into_iter().find(fits).unwrap_or_else(|| seconds.div_ceil(Timeline::MOST_BINS))
}

/// Gathers a request's seconds into bins, as they come.
///
/// Seconds that share a bin have their histograms added, so that each point is a quantile of exchanges and never an
/// average of quantiles.
#[derive(Debug)]
pub(super) struct Gatherer {
    /// The width of a bin in seconds.
    width: u64,
    /// Bins of the measured phase are counted from here, those of the warm-up from the start.
    measured_from: Duration,
    warmup: BTreeMap<u64, Bin>,
    measured: BTreeMap<u64, Bin>,
}

#[derive(Debug, Default)]
struct Bin {
    n: u64,
    failed: u64,
    latency: Histogram,
}

impl Gatherer {
    /// For a run that lasted `elapsed` and measured from `measured_from`.
    pub(super) fn new(elapsed: Duration, measured_from: Duration) -> Self {
        let width = width(elapsed.as_secs() + 1);
        Self { width, measured_from, warmup: BTreeMap::new(), measured: BTreeMap::new() }
    }

    /// Adds a second.
    pub(super) fn add(&mut self, second: &Interval) {
        let (bins, from) = match second.stage {
            Stage::Cold | Stage::Warmup => (&mut self.warmup, Duration::ZERO),
            Stage::Measured => (&mut self.measured, self.measured_from),
        };
        let bin = bins.entry(second.start.saturating_sub(from).as_secs() / self.width).or_default();
        bin.n += second.tally.exchanges;
        bin.failed += second.tally.failed();
        if let Some(latency) = second.series.get(Dimension::Latency) {
            bin.latency.add(latency);
        }
    }

    /// The timeline of all seconds added.
    pub(super) fn timeline(&self) -> Timeline {
        let end = |bins: &BTreeMap<u64, Bin>, from: Duration| {
            bins.keys().next_back().map(|last| from + Duration::from_secs((last + 1) * self.width))
        };
        let Some(end) = end(&self.measured, self.measured_from).max(end(&self.warmup, Duration::ZERO)) else {
            return Timeline::default();
        };
        Timeline {
            bin: Duration::from_secs(self.width),
            measured_from: self.measured_from,
            end,
            warmup: self.points(&self.warmup, Duration::ZERO),
            measured: self.points(&self.measured, self.measured_from),
        }
    }

    fn points(&self, bins: &BTreeMap<u64, Bin>, from: Duration) -> Vec<Point> {
        let point = |(index, bin): (&u64, &Bin)| Point {
            at: from + Duration::from_millis((index * 2 + 1) * self.width * 500),
            n: bin.n,
            failed: bin.failed,
            latency: Quantiles::of((bin.latency.count() > 0).then_some(&bin.latency)),
        };
        bins.iter().map(point).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Series, Tally};

    fn second(start: u64, millis: u64) -> Interval {
        let mut latency = Histogram::default();
        latency.record(Duration::from_millis(millis));
        let mut series = Series::default();
        series.add(Dimension::Latency, &latency);
        Interval {
            scenario: "s".to_owned(),
            request: "r".to_owned(),
            stage: Stage::Measured,
            start: Duration::from_secs(start),
            tally: Tally { exchanges: 1, ok: 1, ..Tally::default() },
            series,
        }
    }

    fn gathered(seconds: &[Interval], elapsed: Duration) -> Timeline {
        let mut gatherer = Gatherer::new(elapsed, Duration::ZERO);
        for second in seconds {
            gatherer.add(second);
        }
        gatherer.timeline()
    }

    #[test]
    fn a_long_run_is_shown_in_few_bins_that_add_their_histograms() {
        let seconds: Vec<Interval> = (0..10_000).map(|start| second(start, 1 + start % 60)).collect();
        let line = gathered(&seconds, Duration::from_secs(10_000));
        assert!(line.measured.len() as u64 <= Timeline::MOST_BINS);
        assert_eq!(line.bin, Duration::from_mins(1));
        assert_eq!(line.measured.iter().map(|point| point.n).sum::<u64>(), 10_000);
        // Each full bin holds 1 to 60 ms once: the median of all is 30 ms, whatever the median of a second is.
        let median = line.measured[3].latency.p50.unwrap();
        assert!((29..=31).contains(&median.as_millis()), "{median:?}");
    }

    #[test]
    fn a_short_run_keeps_its_seconds() {
        let seconds = [second(0, 5), second(2, 7)];
        let line = gathered(&seconds, Duration::from_secs(3));
        assert_eq!(line.bin, Duration::from_secs(1));
        assert_eq!(line.measured[1].at, Duration::from_millis(2_500));
        assert_eq!(line.end, Duration::from_secs(3));
    }
}
