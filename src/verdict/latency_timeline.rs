//! Latencies of one request by the time at which the exchanges were due.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::packed_counts::PackedSteps;
use crate::record::{Dimension, Histogram, Interval};

/// The latencies of one request over time, in units of a second.
///
/// A run that lasts longer than [`Self::MOST_UNITS`] seconds gets units of two, four, eight…
/// seconds, so memory is bounded.
#[derive(Debug, Clone)]
pub(super) struct LatencyTimeline {
    /// Length of a unit in seconds, a power of two.
    seconds: u64,
    units: BTreeMap<u64, LatencyCounts>,
}

/// The exchanges of some stretch of time. Failures rank above every latency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LatencyCounts {
    /// Finished exchanges, those that failed included.
    pub(super) exchanges: u64,
    /// Exchanges that failed.
    pub(super) failed: u64,
    /// Latencies of the others in microseconds, with their counts.
    pub(super) ok: PackedSteps,
}

impl Default for LatencyTimeline {
    fn default() -> Self {
        Self { seconds: 1, units: BTreeMap::new() }
    }
}

impl LatencyTimeline {
    /// The most units that are kept.
    pub(super) const MOST_UNITS: u64 = 256;

    /// Adds a settled interval of the measured stage.
    pub(super) fn add(&mut self, interval: &Interval) {
        let latency = interval.series.get(Dimension::Latency);
        let steps = latency.into_iter().flat_map(Histogram::steps);
        let mut ok = PackedSteps::default();
        ok.add(
            steps.map(|(value, count)| {
                (u64::try_from(value.as_micros()).unwrap_or(u64::MAX), count)
            }),
        );
        let (exchanges, failed) = (interval.tally.exchanges, interval.tally.failed());
        let counts = LatencyCounts { exchanges, failed, ok };
        self.add_counts(interval.start.as_secs(), &counts);
    }

    /// Adds the exchanges that were due in a second, counted from the start of the run.
    pub(super) fn add_counts(&mut self, second: u64, counts: &LatencyCounts) {
        if counts.exchanges > 0 {
            self.units.entry(second / self.seconds).or_default().add(counts);
        }
        while self.range().is_some_and(|range| range.end() - range.start() >= Self::MOST_UNITS) {
            self.widen();
        }
    }

    /// Length of a unit in seconds.
    pub(super) fn seconds(&self) -> u64 {
        self.seconds
    }

    /// The first and the last unit in which something was due; `None` if nothing was.
    pub(super) fn range(&self) -> Option<RangeInclusive<u64>> {
        let (first, _) = self.units.first_key_value()?;
        let (last, _) = self.units.last_key_value()?;
        Some(*first..=*last)
    }

    /// The exchanges of a unit; `None` if nothing was due in it.
    pub(super) fn unit(&self, unit: u64) -> Option<&LatencyCounts> {
        self.units.get(&unit)
    }

    /// The same latencies in units of `seconds`, a power of two that is not below the present one.
    pub(super) fn in_units_of(&self, seconds: u64) -> Self {
        let mut timeline = self.clone();
        while timeline.seconds < seconds {
            timeline.widen();
        }
        timeline
    }

    fn widen(&mut self) {
        self.seconds *= 2;
        for (unit, counts) in std::mem::take(&mut self.units) {
            self.units.entry(unit / 2).or_default().add(&counts);
        }
    }
}

impl LatencyCounts {
    /// Adds other exchanges.
    pub(super) fn add(&mut self, other: &Self) {
        self.exchanges += other.exchanges;
        self.failed += other.failed;
        self.ok.add(other.ok.iter());
    }

    /// How many exchanges took longer than this or failed. No limit means that only failures do.
    pub(super) fn above(&self, micros: Option<u64>) -> u64 {
        let slower = micros.map_or(0, |limit| {
            let slower = self.ok.iter().filter(|(micros, _)| *micros > limit);
            slower.map(|(_, count)| count).sum()
        });
        slower + self.failed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::{DimensionHistograms, ServerTimings, Stage, Tally};

    fn second(start: u64, millis: u64) -> Interval {
        let mut latency = Histogram::default();
        latency.record(Duration::from_millis(millis));
        let mut series = DimensionHistograms::default();
        series.add(Dimension::Latency, &latency);
        Interval {
            scenario: String::new(),
            request: String::new(),
            stage: Stage::Measured,
            start: Duration::from_secs(start),
            tally: Tally { exchanges: 2, ok: 1, ..Tally::default() },
            series,
            server_timings: ServerTimings::default(),
            samples: Vec::new(),
        }
    }

    #[test]
    fn a_run_of_any_length_needs_bounded_memory_and_loses_no_exchange() {
        let mut timeline = LatencyTimeline::default();
        (0..10_000).for_each(|start| timeline.add(&second(start, 1 + start % 7)));
        assert_eq!((timeline.seconds(), timeline.range()), (64, Some(0..=156)));
        let units: Vec<_> = (0..=156).filter_map(|unit| timeline.unit(unit)).collect();
        assert_eq!(units.iter().map(|unit| unit.exchanges).sum::<u64>(), 20_000);
        assert_eq!(
            units
                .iter()
                .map(|unit| unit.ok.iter().map(|(_, count)| count).sum::<u64>())
                .sum::<u64>(),
            10_000
        );
    }

    #[test]
    fn failures_exceed_every_limit() {
        let mut timeline = LatencyTimeline::default();
        timeline.add(&second(0, 5));
        let counts = timeline.unit(0).unwrap();
        assert_eq!([None, Some(1_000), Some(9_000)].map(|limit| counts.above(limit)), [1, 2, 1]);
    }
}
