//! What happened over time.

mod builder;

use std::time::Duration;

use super::{DurationQuantiles, SparseHistogram};
pub(super) use builder::TimelineBuilder;

/// The exchanges of a request, or of all requests of a scenario, over the run.
#[derive(Debug, Clone, Default)]
pub(in crate::report) struct Timeline {
    /// How much time a point stands for.
    pub(in crate::report) bin: Duration,
    /// When the measured phase began.
    pub(in crate::report) measured_from: Duration,
    /// Where the last bin ends.
    pub(in crate::report) end: Duration,
    /// Bins of the warm-up, cold exchanges included.
    pub(in crate::report) warmup: Vec<TimelinePoint>,
    /// Bins of the measured phase.
    pub(in crate::report) measured: Vec<TimelinePoint>,
    /// The same in fewer, wider bins for a table, the warm-up first.
    pub(in crate::report) rows: Vec<TimelinePoint>,
}

/// The exchanges that were due in one bin.
#[derive(Debug, Clone)]
pub(in crate::report) struct TimelinePoint {
    /// Where the bin starts.
    pub(in crate::report) from: Duration,
    /// Where it ends, or where its last second with exchanges does.
    pub(in crate::report) to: Duration,
    /// Whether it belongs to the warm-up, which is not judged.
    pub(in crate::report) in_warmup: bool,
    /// Exchanges.
    pub(in crate::report) n: u64,
    /// Of these, the ones that failed or were dropped.
    pub(in crate::report) failed: u64,
    /// Of the failed ones, those that were dropped: no connection became free for them.
    pub(in crate::report) dropped: u64,
    /// The latency of the ok ones.
    pub(in crate::report) latency: DurationQuantiles,
    /// The prober's lateness.
    pub(in crate::report) lag: DurationQuantiles,
    /// The wait for a free connection.
    pub(in crate::report) wait: DurationQuantiles,
    /// The latencies of the ok ones, counted.
    pub(in crate::report) spread: SparseHistogram,
}

impl Timeline {
    /// The most bins a plot shows.
    pub(in crate::report) const MOST_BINS: u64 = 300;
    /// The most rows a table shows.
    pub(in crate::report) const MOST_ROWS: u64 = 50;

    /// Whether anything was measured that is judged.
    pub(in crate::report) fn reached_measured_stage(&self) -> bool {
        !self.measured.is_empty()
    }

    /// Every bin, the warm-up's first.
    pub(in crate::report) fn points(&self) -> impl Iterator<Item = &TimelinePoint> + Clone {
        self.warmup.iter().chain(&self.measured)
    }

    /// Whether most bins of the measured phase (of the warm-up where there is no other) hold at least `least` ok
    /// exchanges, so that a quantile of them is told apart from the longest.
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

    /// A count of this bin by the second; a warm-up shorter than a second counts as one.
    pub(in crate::report) fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.to.saturating_sub(self.from).as_secs_f64().max(1.0)
    }
}
