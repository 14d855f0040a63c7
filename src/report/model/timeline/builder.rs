//! Collects intervals into the bins of a timeline.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::record::{Dimension, Failure, Interval, Measurement, RunEnding, Stage};

use super::{SparseHistogram, Timeline, TimelinePoint};

/// Bin widths in seconds that read well on an axis.
const WIDTHS: [u64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600];

/// The narrowest bin that keeps a run within the maximum number of bins.
fn width(seconds: u64) -> u64 {
    let fits = |width: &u64| seconds.div_ceil(*width) <= Timeline::MOST_BINS;
    WIDTHS.into_iter().find(fits).unwrap_or_else(|| seconds.div_ceil(Timeline::MOST_BINS))
}

/// Adds intervals to bins one at a time.
///
/// Intervals that share a bin have their histograms added, so each point is a quantile of exchanges
/// and never an average of quantiles.
#[derive(Debug)]
pub(in crate::report::model) struct TimelineBuilder {
    /// The width of a bin in seconds.
    width: u64,
    /// Origin of the measured stage's bins; the warm-up's bins count from the start.
    measured_from: Duration,
    /// Whether the run ended before its plan did, so that the last bin may be cut short.
    ended_early: bool,
    warmup: TimelineBins,
    measured: TimelineBins,
}

type TimelineBins = BTreeMap<u64, TimelineBin>;

#[derive(Debug, Default, Clone)]
struct TimelineBin {
    n: u64,
    failed: u64,
    dropped: u64,
    /// End of the last second with exchanges.
    end: Duration,
    latency: SparseHistogram,
    lag: SparseHistogram,
    wait: SparseHistogram,
}

impl TimelineBin {
    fn add(&mut self, second: &Interval) {
        self.n += second.tally.exchanges;
        self.failed += second.tally.failed();
        self.dropped += second.tally.failed_by(Failure::Dropped);
        self.end = self.end.max(second.start + Duration::from_secs(1));
        let parts = [
            (Dimension::Latency, &mut self.latency),
            (Dimension::Lag, &mut self.lag),
            (Dimension::Wait, &mut self.wait),
        ];
        for (dimension, part) in parts {
            second.series.get(dimension).into_iter().for_each(|histogram| part.add(histogram));
        }
    }

    fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.failed += other.failed;
        self.dropped += other.dropped;
        self.end = self.end.max(other.end);
        self.latency.merge(&other.latency);
        self.lag.merge(&other.lag);
        self.wait.merge(&other.wait);
    }
}

impl TimelineBuilder {
    /// For a run.
    pub(in crate::report::model) fn new(run: &Measurement) -> Self {
        Self {
            width: width(run.elapsed.as_secs() + 1),
            measured_from: run.measured_from,
            ended_early: !matches!(run.ending, RunEnding::Complete | RunEnding::Imported(_)),
            warmup: TimelineBins::new(),
            measured: TimelineBins::new(),
        }
    }

    /// Adds one interval.
    pub(in crate::report::model) fn add(&mut self, second: &Interval) {
        let (bins, from) = match second.stage {
            Stage::Cold | Stage::Warmup => (&mut self.warmup, Duration::ZERO),
            Stage::Measured => (&mut self.measured, self.measured_from),
        };
        bins.entry(second.start.saturating_sub(from).as_secs() / self.width)
            .or_default()
            .add(second);
    }

    /// Adds everything that another builder of the same run holds.
    pub(in crate::report::model) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in
            [(&mut self.warmup, &other.warmup), (&mut self.measured, &other.measured)]
        {
            for (index, bin) in theirs {
                mine.entry(*index).or_default().merge(bin);
            }
        }
    }

    /// The timeline of all intervals added.
    pub(in crate::report::model) fn timeline(&self) -> Timeline {
        let end = |bins: &TimelineBins, from: Duration| {
            bins.keys().next_back().map(|last| from + Duration::from_secs((last + 1) * self.width))
        };
        let Some(end) =
            end(&self.measured, self.measured_from).max(end(&self.warmup, Duration::ZERO))
        else {
            return Timeline::default();
        };
        let [warmup, measured] = self.points(1);
        Timeline {
            bin: Duration::from_secs(self.width),
            measured_from: self.measured_from,
            ended_early: self.ended_early,
            end,
            warmup,
            measured,
            rows: self.points(self.bins_to_a_row()).concat(),
        }
    }

    /// Number of bins per row that keeps a table short.
    fn bins_to_a_row(&self) -> u64 {
        let bins: u64 = [&self.warmup, &self.measured]
            .into_iter()
            .filter_map(|bins| bins.keys().next_back().map(|last| last + 1))
            .sum();
        bins.div_ceil(Timeline::MOST_ROWS - 2).max(1)
    }

    /// The points of the warm-up and of the measured stage, `bins_each` bins per point.
    fn points(&self, bins_each: u64) -> [Vec<TimelinePoint>; 2] {
        [(&self.warmup, Duration::ZERO, true), (&self.measured, self.measured_from, false)].map(
            |(bins, from, in_warmup)| {
                let mut wide = TimelineBins::new();
                for (index, bin) in bins {
                    wide.entry(index / bins_each).or_default().merge(bin);
                }
                let width = self.width * bins_each;
                // The measured stage may start within a second; the warm-up ends there.
                let end = if in_warmup { self.measured_from } else { Duration::MAX };
                wide.iter().map(|(index, bin)| point(*index, width, from, end, bin)).collect()
            },
        )
    }
}

/// The point of the bin of `width` seconds at `index`, counted from `origin`, of a stage that ends
/// at `end`.
fn point(
    index: u64,
    width: u64,
    origin: Duration,
    end: Duration,
    bin: &TimelineBin,
) -> TimelinePoint {
    let from = origin + Duration::from_secs(index * width);
    let whole = from + Duration::from_secs(width);
    TimelinePoint {
        from,
        to: bin
            .end
            .clamp(from + Duration::from_secs(1), whole)
            .min(end.max(from + Duration::from_millis(1))),
        in_warmup: end < Duration::MAX,
        n: bin.n,
        failed: bin.failed,
        dropped: bin.dropped,
        latency: bin.latency.quantiles(),
        lag: bin.lag.quantiles(),
        wait: bin.wait.quantiles(),
        spread: bin.latency.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{DimensionHistograms, Histogram, ServerTimings, Tally};

    fn second(start: u64, millis: u64) -> Interval {
        let mut latency = Histogram::default();
        latency.record(Duration::from_millis(millis));
        let mut series = DimensionHistograms::default();
        series.add(Dimension::Latency, &latency);
        Interval {
            scenario: "s".to_owned(),
            request: "r".to_owned(),
            stage: Stage::Measured,
            start: Duration::from_secs(start),
            tally: Tally { exchanges: 1, ok: 1, ..Tally::default() },
            series,
            server_timings: ServerTimings::default(),
            samples: Vec::new(),
        }
    }

    fn run(elapsed: Duration, ending: RunEnding) -> Measurement {
        Measurement { elapsed, ..Measurement::with_scenarios(Vec::new(), ending) }
    }

    fn gathered(seconds: &[Interval], elapsed: Duration) -> TimelineBuilder {
        let mut gatherer = TimelineBuilder::new(&run(elapsed, RunEnding::Complete));
        for second in seconds {
            gatherer.add(second);
        }
        gatherer
    }

    #[test]
    fn a_long_run_is_shown_in_few_bins_that_add_their_histograms() {
        let seconds: Vec<Interval> =
            (0..10_000).map(|start| second(start, 1 + start % 60)).collect();
        let line = gathered(&seconds, Duration::from_secs(10_000)).timeline();
        assert!(line.measured.len() as u64 <= Timeline::MOST_BINS);
        assert_eq!(line.bin, Duration::from_mins(1));
        assert_eq!(line.measured.iter().map(|point| point.n).sum::<u64>(), 10_000);
        // Each full bin holds 1 to 60 ms once: the median of all is 30 ms, regardless of the median
        // of a second is.
        let median = line.measured[3].latency.p50.unwrap();
        assert!((29..=31).contains(&median.as_millis()), "{median:?}");
    }

    #[test]
    fn a_table_of_a_long_run_has_few_rows_that_hold_every_exchange() {
        let seconds: Vec<Interval> = (0..86_400).step_by(7).map(|start| second(start, 5)).collect();
        let line = gathered(&seconds, Duration::from_hours(24)).timeline();
        assert!(line.rows.len() as u64 <= Timeline::MOST_ROWS, "{}", line.rows.len());
        assert_eq!(line.rows.iter().map(|row| row.n).sum::<u64>(), seconds.len() as u64);
    }

    #[test]
    fn a_short_run_keeps_its_seconds() {
        let line = gathered(&[second(0, 5), second(2, 7)], Duration::from_secs(3)).timeline();
        assert_eq!(line.bin, Duration::from_secs(1));
        assert_eq!(line.measured[1].at(), Duration::from_millis(2_500));
        assert_eq!(line.end, Duration::from_secs(3));
    }

    #[test]
    fn the_last_bin_is_as_wide_as_what_was_measured_of_it() {
        let seconds: Vec<Interval> = (0..301).map(|start| second(start, 5)).collect();
        let line = gathered(&seconds, Duration::from_secs(301)).timeline();
        assert_eq!(line.bin, Duration::from_secs(2));
        let last = line.measured.last().unwrap();
        assert!((last.per_second(last.n) - 1.0).abs() < 1e-9, "{last:?}");
    }

    #[test]
    fn a_short_warm_up_ends_where_the_measured_phase_begins() {
        let mut gatherer = TimelineBuilder::new(&Measurement {
            measured_from: Duration::from_millis(100),
            ..run(Duration::from_secs(3), RunEnding::Complete)
        });
        gatherer.add(&Interval { stage: Stage::Cold, ..second(0, 5) });
        gatherer.add(&Interval { start: Duration::from_millis(100), ..second(0, 5) });
        let line = gatherer.timeline();
        let warmup = &line.warmup[0];
        assert_eq!(
            (warmup.to, line.measured[0].from),
            (Duration::from_millis(100), Duration::from_millis(100))
        );
        assert!(warmup.in_warmup && !line.measured[0].in_warmup);
        assert!((warmup.per_second(12) - 12.0).abs() < 1e-9);
    }

    #[test]
    fn requests_of_one_scenario_are_added_bin_by_bin() {
        let mut all = gathered(&[second(0, 5), second(1, 5)], Duration::from_secs(3));
        all.merge(&gathered(&[second(1, 500), second(2, 7)], Duration::from_secs(3)));
        let line = all.timeline();
        assert_eq!(line.measured.iter().map(|point| point.n).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!(line.measured[1].latency.max.unwrap().as_millis(), 500);
    }

    #[test]
    fn the_last_bin_of_a_run_that_ended_early_is_not_whole() {
        let elapsed = Duration::from_millis(2_300);
        let whole = |ending: RunEnding, seconds: u64| {
            let mut gatherer = TimelineBuilder::new(&run(elapsed, ending));
            (0..seconds).for_each(|start| gatherer.add(&second(start, 5)));
            gatherer.timeline().whole_bins().len()
        };
        assert_eq!(whole(RunEnding::Complete, 3), 3);
        assert_eq!(whole(RunEnding::Interrupted, 3), 2);
        assert_eq!(whole(RunEnding::Interrupted, 1), 1, "there is nothing else to show");
    }
}
