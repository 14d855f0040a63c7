//! A run over time.

mod builder;

use std::time::Duration;

use super::{DurationQuantiles, SparseHistogram};
pub(super) use builder::TimelineBuilder;

/// The exchanges of a request, or of all requests of a scenario, over the run.
#[derive(Debug, Clone, Default)]
pub(in crate::report) struct Timeline {
    /// Width of a bin.
    pub(in crate::report) bin: Duration,
    /// Start of the measured stage.
    pub(in crate::report) measured_from: Duration,
    /// Whether the run ended before its plan did.
    pub(in crate::report) ended_early: bool,
    /// End of the last bin.
    pub(in crate::report) end: Duration,
    /// Bins of the warm-up, cold exchanges included.
    pub(in crate::report) warmup: Vec<TimelinePoint>,
    /// Bins of the measured stage.
    pub(in crate::report) measured: Vec<TimelinePoint>,
    /// The same exchanges in fewer, wider bins for a table, the warm-up first.
    pub(in crate::report) rows: Vec<TimelinePoint>,
}

/// The exchanges that were due in one bin.
#[derive(Debug, Clone)]
pub(in crate::report) struct TimelinePoint {
    /// Start of the bin.
    pub(in crate::report) from: Duration,
    /// End of the bin, or of its last second with exchanges if that is earlier.
    pub(in crate::report) to: Duration,
    /// Whether it belongs to the warm-up, which is not judged.
    pub(in crate::report) in_warmup: bool,
    /// Exchanges.
    pub(in crate::report) n: u64,
    /// How many of them failed or were dropped.
    pub(in crate::report) failed: u64,
    /// How many of the failed ones were dropped because no connection became free.
    pub(in crate::report) dropped: u64,
    /// Latency of the ok ones.
    pub(in crate::report) latency: DurationQuantiles,
    /// The prober's lateness.
    pub(in crate::report) lag: DurationQuantiles,
    /// Wait for a free connection.
    pub(in crate::report) wait: DurationQuantiles,
    /// Histogram of the latencies of the ok ones.
    pub(in crate::report) spread: SparseHistogram,
}

impl Timeline {
    /// Maximum number of bins in a plot.
    pub(in crate::report) const MOST_BINS: u64 = 300;
    /// Maximum number of rows in a table.
    pub(in crate::report) const MOST_ROWS: u64 = 50;

    /// Whether the measured stage has any exchanges.
    pub(in crate::report) fn reached_measured_stage(&self) -> bool {
        !self.measured.is_empty()
    }

    /// The bins of the measured stage whose rates are known. A run that ends early ends within its
    /// last bin: a rate from it would be too low. A single bin stays.
    pub(in crate::report) fn whole_bins(&self) -> &[TimelinePoint] {
        match self.measured.as_slice() {
            [whole @ .., _] if self.ended_early && !whole.is_empty() => whole,
            all => all,
        }
    }

    /// Every bin, the warm-up's first.
    pub(in crate::report) fn points(&self) -> impl Iterator<Item = &TimelinePoint> + Clone {
        self.warmup.iter().chain(&self.measured)
    }

    /// Whether most bins of the measured stage (or of the warm-up, if there is nothing else) hold
    /// at least `least` ok exchanges, so that a quantile differs from the maximum.
    pub(in crate::report) fn holds(&self, least: u64) -> bool {
        let points = if self.measured.is_empty() { &self.warmup } else { &self.measured };
        let full = points.iter().filter(|point| point.latency.n >= least).count();
        full * 2 > points.len()
    }
}

impl TimelinePoint {
    /// The middle of the bin.
    pub(in crate::report) fn at(&self) -> Duration {
        self.from + self.to.saturating_sub(self.from) / 2
    }

    /// A count of this bin per second; a shorter bin counts as one second.
    pub(in crate::report) fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.to.saturating_sub(self.from).as_secs_f64().max(1.0)
    }
}
