//! Adds the intervals of the shards of one run.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::{StoreError, read_intervals};
use crate::record::{Interval, Measurement, Stage};

/// The intervals of several runs, added second by second of the measured stage. They come one at a
/// time, those of a scenario in order.
///
/// Seconds are counted from the start of the measured stage, which is the same for all runs.
/// Warm-up seconds that do not begin at the same time stay separate. An interval stays in memory
/// only until all runs have passed it, usually a second or two: a long run has more than fits in
/// memory.
pub struct MergedIntervals {
    names: Vec<ScenarioNames>,
    measured_from: Duration,
    sources: Vec<MergeSource>,
    pending: BTreeMap<IntervalKey, Interval>,
    /// The time before which no source has further intervals, for each scenario.
    settled: Vec<Duration>,
}

/// A scenario, a start, a request and a stage. The interval that sorts first comes first.
type IntervalKey = (usize, Duration, usize, Stage);

type IntervalStream = Box<dyn Iterator<Item = Result<Interval, StoreError>>>;

/// The names of a scenario and of its requests.
struct ScenarioNames {
    scenario: String,
    requests: Vec<String>,
}

/// One run's intervals.
struct MergeSource {
    intervals: IntervalStream,
    measured_from: Duration,
    /// The latest start read of each scenario. Unread intervals do not start earlier.
    reached: Vec<Duration>,
}

impl MergeSource {
    fn latest_start(&self) -> Duration {
        self.reached.iter().copied().max().unwrap_or_default()
    }
}

impl MergedIntervals {
    /// Merges the intervals of these runs, each with the start of its measured stage, on the time
    /// axis of the merged run `whole`.
    pub fn of<'a>(
        whole: &Measurement,
        folders: impl IntoIterator<Item = (&'a Path, Duration)>,
    ) -> Result<Self, StoreError> {
        let mut merging = Self::empty(whole);
        for (folder, measured_from) in folders {
            merging.add(measured_from, Box::new(read_intervals(folder)?));
        }
        Ok(merging)
    }

    fn empty(whole: &Measurement) -> Self {
        let names = whole.scenarios.iter().map(|scenario| ScenarioNames {
            scenario: scenario.name.clone(),
            requests: scenario.requests.iter().map(|request| request.name.clone()).collect(),
        });
        let settled = vec![Duration::ZERO; whole.scenarios.len()];
        let measured_from = whole.measured_from;
        Self {
            names: names.collect(),
            measured_from,
            sources: Vec::new(),
            pending: BTreeMap::new(),
            settled,
        }
    }

    fn add(&mut self, measured_from: Duration, intervals: IntervalStream) {
        let reached = vec![Duration::ZERO; self.names.len()];
        self.sources.push(MergeSource { intervals, measured_from, reached });
    }

    /// Reads one interval of the run that is furthest behind.
    fn read_on(&mut self) -> Result<(), StoreError> {
        let furthest_behind =
            self.sources.iter().enumerate().min_by_key(|(_, source)| source.latest_start());
        let Some((at, _)) = furthest_behind else { return Ok(()) };
        match self.sources[at].intervals.next() {
            None => drop(self.sources.swap_remove(at)),
            Some(interval) => self.hold(at, interval?),
        }
        for (scenario, settled) in self.settled.iter_mut().enumerate() {
            let reached = self.sources.iter().map(|source| source.reached[scenario]);
            *settled = reached.min().unwrap_or(Duration::MAX);
        }
        Ok(())
    }

    /// Adds an interval to those of the same second. As elsewhere, an interval of an unknown
    /// request is left out.
    fn hold(&mut self, source: usize, mut interval: Interval) {
        let Some((scenario, request)) = self.positions(&interval) else { return };
        let source = &mut self.sources[source];
        let later = self.measured_from.saturating_sub(source.measured_from);
        interval.start += later;
        source.reached[scenario] = source.reached[scenario].max(interval.start);
        let key = (scenario, interval.start, request, interval.stage);
        match self.pending.get_mut(&key) {
            Some(held) => held.merge(&interval),
            None => drop(self.pending.insert(key, interval)),
        }
    }

    fn positions(&self, interval: &Interval) -> Option<(usize, usize)> {
        let scenario = self.names.iter().position(|names| names.scenario == interval.scenario)?;
        let request =
            self.names[scenario].requests.iter().position(|name| *name == interval.request)?;
        Some((scenario, request))
    }

    /// The first interval to which no run can add any more.
    fn settled(&mut self) -> Option<Interval> {
        let first = self.settled.iter().enumerate().find_map(|(scenario, settled)| {
            let mut held = self.pending.range((scenario, Duration::ZERO, 0, Stage::Cold)..);
            let first = *held.next()?.0;
            (first.0 == scenario && first.1 < *settled).then_some(first)
        });
        first.and_then(|key| self.pending.remove(&key))
    }
}

impl Iterator for MergedIntervals {
    type Item = Result<Interval, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(interval) = self.settled() {
                return Some(Ok(interval));
            }
            if self.sources.is_empty() {
                return None;
            }
            if let Err(error) = self.read_on() {
                self.sources.clear();
                self.pending.clear();
                return Some(Err(error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{
        Dimension, DimensionHistograms, Histogram, RequestMeasurement, RunEnding,
        ScenarioMeasurement, ServerTimings, Tally,
    };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// An interval with `exchanges` exchanges. Each took `exchanges` milliseconds, so that runs
    /// differ.
    fn interval(scenario: &str, stage: Stage, start: u64, exchanges: u64) -> Interval {
        let mut latency = Histogram::default();
        (0..exchanges).for_each(|_| latency.record(Duration::from_millis(exchanges)));
        let mut series = DimensionHistograms::default();
        series.add(Dimension::Latency, &latency);
        Interval {
            scenario: scenario.to_owned(),
            request: "page".to_owned(),
            stage,
            start: seconds(start),
            tally: Tally { exchanges, ok: exchanges, ..Tally::default() },
            series,
            server_timings: ServerTimings::default(),
            samples: Vec::new(),
        }
    }

    /// Runs of the scenarios `a` and `b`, each with the second in which its measured stage began.
    fn merging(runs: Vec<(u64, Vec<Interval>)>) -> MergedIntervals {
        let request = || vec![RequestMeasurement::new("page".to_owned(), Vec::new())];
        let scenarios = ["a", "b"].map(|name| ScenarioMeasurement::new(name.to_owned(), request()));
        let mut whole = Measurement::with_scenarios(scenarios.into(), RunEnding::Complete);
        whole.measured_from = seconds(runs.iter().map(|(from, _)| *from).max().unwrap());
        let mut merging = MergedIntervals::empty(&whole);
        for (from, intervals) in runs {
            merging.add(seconds(from), Box::new(intervals.into_iter().map(Ok)));
        }
        merging
    }

    #[test]
    fn seconds_are_added_from_the_start_of_the_measured_stage_and_warm_ups_stay_separate() {
        use Stage::{Cold, Measured};
        let early = vec![
            interval("a", Cold, 0, 1),
            interval("a", Measured, 5, 2),
            interval("a", Measured, 7, 3),
        ];
        let late = vec![
            interval("a", Cold, 0, 4),
            interval("a", Measured, 2, 5),
            interval("a", Measured, 3, 6),
        ];
        let merged = merging(vec![(2, late), (5, early)]);
        let merged: Vec<_> = merged.map(Result::unwrap).collect();
        let counts = merged
            .iter()
            .map(|interval| (interval.stage, interval.start.as_secs(), interval.tally.ok));
        assert_eq!(
            counts.collect::<Vec<_>>(),
            [(Cold, 0, 1), (Cold, 3, 4), (Measured, 5, 7), (Measured, 6, 6), (Measured, 7, 3)]
        );
        let latency = merged[2].series.get(Dimension::Latency).unwrap();
        let steps: Vec<_> =
            latency.steps().map(|(value, count)| (value.as_millis(), count)).collect();
        assert_eq!(steps, [(2, 2), (5, 5)]);
    }

    #[test]
    fn only_intervals_to_which_another_run_may_add_are_held() {
        let run = || {
            (0..1_000).flat_map(|second| {
                ["a", "b"].map(|name| interval(name, Stage::Measured, second, 1))
            })
        };
        let mut merging =
            merging(vec![(0, run().collect()), (0, run().collect()), (0, run().collect())]);
        let mut last = [None; 2];
        while let Some(interval) = merging.next() {
            let interval = interval.unwrap();
            assert_eq!(interval.tally.ok, 3);
            let of = usize::from(interval.scenario == "b");
            assert!(last[of].replace(interval.start) < Some(interval.start));
            assert!(merging.pending.len() <= 8, "{} held", merging.pending.len());
        }
        assert_eq!(last, [Some(seconds(999)); 2]);
    }

    #[test]
    fn a_damaged_run_ends_the_merging_with_its_error() {
        let mut merging = merging(vec![(0, vec![interval("a", Stage::Measured, 0, 1)])]);
        let why = "cut".to_owned();
        let damaged = StoreError::Damaged { path: "intervals.jsonl".into(), why };
        merging.add(Duration::ZERO, Box::new(std::iter::once(Err(damaged))));
        assert!(merging.next().unwrap().is_err());
        assert!(merging.next().is_none());
    }
}
