//! Adds the intervals of the shards of one run.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{JoinHandle, available_parallelism};
use std::time::Duration;

use super::folder::FolderIntervals;
use super::{StoreError, read_intervals};
use crate::files;
use crate::hlog::IntervalLines;
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
    /// The sources that have not ended, by the latest start that was read of each.
    unread: BTreeSet<(Duration, usize)>,
    /// For each scenario, how many of these have reached which start. No further interval starts
    /// before the first.
    reached: Vec<BTreeMap<Duration, usize>>,
    pending: BTreeMap<IntervalKey, Interval>,
}

/// A scenario, a start, a request and a stage. The interval that sorts first comes first.
type IntervalKey = (usize, Duration, usize, Stage);

/// The names of a scenario and of its requests.
struct ScenarioNames {
    scenario: String,
    requests: Vec<String>,
}

/// One run's intervals.
struct MergeSource {
    intervals: Intervals,
    measured_from: Duration,
    /// The latest start read of each scenario. Unread intervals do not start earlier.
    reached: Vec<Duration>,
}

/// Where intervals come from.
enum Intervals {
    Folder(Box<FolderIntervals>),
    /// Several runs, merged on a thread of their own.
    Thread(Receiver<Result<Interval, StoreError>>, Option<JoinHandle<()>>),
}

impl Intervals {
    /// The next interval. If it lacks its histograms, these lines of the folder hold them.
    fn next(&mut self) -> Option<Result<(Interval, Option<IntervalLines>), StoreError>> {
        let whole = match self {
            Self::Folder(folder) => {
                let next = folder.next_counts()?;
                return Some(next.map(|(interval, lines)| (interval, Some(lines))));
            }
            Self::Thread(merged, thread) => merged.recv().ok().or_else(|| {
                let ended = thread.take().map(JoinHandle::join)?;
                ended.err().map(|panic| std::panic::resume_unwind(panic))
            }),
        };
        Some(whole?.map(|interval| (interval, None)))
    }

    fn add_histograms(&mut self, lines: &IntervalLines, sum: &mut Interval) {
        if let Self::Folder(folder) = self {
            folder.add_histograms(lines, sum);
        }
    }
}

impl MergedIntervals {
    /// How many intervals a thread is ahead of the one that adds what all of them merged.
    const AHEAD: usize = 16;
    /// The fewest runs that a thread is started for.
    const WORTH_A_THREAD: usize = 8;

    /// Merges the intervals of these runs, each with the start of its measured stage, on the time
    /// axis of the merged run `whole`. Many runs are shared among a thread per processor.
    pub fn of<'a>(
        whole: &Measurement,
        folders: impl IntoIterator<Item = (&'a Path, Duration)>,
    ) -> Result<Self, StoreError> {
        let folders: Vec<_> = folders.into_iter().collect();
        // Two files of each run, and some for everything else. If the system does not allow that,
        // the file that cannot be opened is named.
        let _as_far_as_allowed = files::allow_descriptors(2 * folders.len() as u64 + 64);
        let processors = available_parallelism().map_or(1, usize::from);
        let threads = processors.min(folders.len() / Self::WORTH_A_THREAD).max(1);
        let mut parts = Vec::new();
        for share in folders.chunks(folders.len().div_ceil(threads).max(1)) {
            let mut part = Self::empty(whole);
            part.add_folders(share)?;
            parts.push(part);
        }
        Self::of_parts(whole, parts)
    }

    /// Merges parts, each on a thread of its own.
    fn of_parts(whole: &Measurement, mut parts: Vec<Self>) -> Result<Self, StoreError> {
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        let mut merging = Self::empty(whole);
        for part in parts {
            merging.add(whole.measured_from, part.on_a_thread()?);
        }
        Ok(merging)
    }

    fn empty(whole: &Measurement) -> Self {
        let names = whole.scenarios.iter().map(|scenario| ScenarioNames {
            scenario: scenario.name.clone(),
            requests: scenario.requests.iter().map(|request| request.name.clone()).collect(),
        });
        Self {
            names: names.collect(),
            measured_from: whole.measured_from,
            sources: Vec::new(),
            unread: BTreeSet::new(),
            reached: vec![BTreeMap::new(); whole.scenarios.len()],
            pending: BTreeMap::new(),
        }
    }

    fn add_folders(&mut self, folders: &[(&Path, Duration)]) -> Result<(), StoreError> {
        for (folder, measured_from) in folders {
            self.add(*measured_from, Intervals::Folder(Box::new(read_intervals(folder)?)));
        }
        Ok(())
    }

    fn add(&mut self, measured_from: Duration, intervals: Intervals) {
        let reached = vec![Duration::ZERO; self.names.len()];
        self.unread.insert((Duration::ZERO, self.sources.len()));
        for reached in &mut self.reached {
            *reached.entry(Duration::ZERO).or_default() += 1;
        }
        self.sources.push(MergeSource { intervals, measured_from, reached });
    }

    /// Merges on another thread, which ends early if the result is dropped.
    fn on_a_thread(self) -> Result<Intervals, StoreError> {
        let (sender, merged) = sync_channel(Self::AHEAD);
        let work = move || {
            for interval in self {
                if sender.send(interval).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("merge".to_owned()).spawn(work);
        Ok(Intervals::Thread(merged, Some(thread.map_err(StoreError::Thread)?)))
    }

    /// Reads one interval of the run that is furthest behind.
    fn read_on(&mut self) -> Result<(), StoreError> {
        let Some((reached, at)) = self.unread.pop_first() else { return Ok(()) };
        let Some(next) = self.sources[at].intervals.next() else {
            for scenario in 0..self.names.len() {
                self.leave(scenario, self.sources[at].reached[scenario]);
            }
            return Ok(());
        };
        let (interval, lines) = next?;
        let start = self.hold(at, interval, lines);
        self.unread.insert((reached.max(start), at));
        Ok(())
    }

    /// Adds an interval to those of the same second, and returns its start in the merged run. As
    /// elsewhere, an interval of an unknown request is left out.
    fn hold(
        &mut self,
        at: usize,
        mut interval: Interval,
        lines: Option<IntervalLines>,
    ) -> Duration {
        let source = &mut self.sources[at];
        interval.start += self.measured_from.saturating_sub(source.measured_from);
        let Some((scenario, request)) = positions(&self.names, &interval) else {
            // Its histograms are read all the same: those of later intervals follow them.
            if let Some(lines) = lines {
                source.intervals.add_histograms(&lines, &mut interval);
            }
            return Duration::ZERO;
        };
        let start = interval.start;
        let held = match self.pending.entry((scenario, start, request, interval.stage)) {
            btree_map::Entry::Vacant(place) => place.insert(interval),
            btree_map::Entry::Occupied(held) => {
                let held = held.into_mut();
                held.merge(&interval);
                held
            }
        };
        if let Some(lines) = lines {
            source.intervals.add_histograms(&lines, held);
        }
        let before = source.reached[scenario];
        if start > before {
            source.reached[scenario] = start;
            *self.reached[scenario].entry(start).or_default() += 1;
            self.leave(scenario, before);
        }
        start
    }

    /// Notes that a source has passed a start of a scenario.
    fn leave(&mut self, scenario: usize, start: Duration) {
        if let btree_map::Entry::Occupied(mut sources) = self.reached[scenario].entry(start) {
            *sources.get_mut() -= 1;
            if *sources.get() == 0 {
                sources.remove();
            }
        }
    }

    /// The first interval to which no run can add any more.
    fn settled(&mut self) -> Option<Interval> {
        let first = self.reached.iter().enumerate().find_map(|(scenario, reached)| {
            let mut held = self.pending.range((scenario, Duration::ZERO, 0, Stage::Cold)..);
            let first = *held.next()?.0;
            let settled = reached.keys().next().copied().unwrap_or(Duration::MAX);
            (first.0 == scenario && first.1 < settled).then_some(first)
        });
        first.and_then(|key| self.pending.remove(&key))
    }
}

/// The positions of an interval's scenario and request; `None` if they are not planned.
fn positions(names: &[ScenarioNames], interval: &Interval) -> Option<(usize, usize)> {
    let scenario = names.iter().position(|names| names.scenario == interval.scenario)?;
    let request = names[scenario].requests.iter().position(|name| *name == interval.request)?;
    Some((scenario, request))
}

impl Iterator for MergedIntervals {
    type Item = Result<Interval, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(interval) = self.settled() {
                return Some(Ok(interval));
            }
            if self.unread.is_empty() {
                return None;
            }
            if let Err(error) = self.read_on() {
                self.unread.clear();
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

    fn memory(intervals: impl IntoIterator<Item = Result<Interval, StoreError>>) -> Intervals {
        let intervals: Vec<_> = intervals.into_iter().collect();
        let (sender, merged) = sync_channel(intervals.len());
        for interval in intervals {
            sender.send(interval).unwrap();
        }
        Intervals::Thread(merged, None)
    }

    /// The start and the intervals of each of some runs.
    type Runs = Vec<(u64, Vec<Interval>)>;

    /// The scenarios `a` and `b`, merged from these runs.
    fn whole(runs: &Runs) -> Measurement {
        let request = || vec![RequestMeasurement::new("page".to_owned(), Vec::new())];
        let scenarios = ["a", "b"].map(|name| ScenarioMeasurement::new(name.to_owned(), request()));
        let mut whole = Measurement::with_scenarios(scenarios.into(), RunEnding::Complete);
        whole.measured_from = seconds(runs.iter().map(|(from, _)| *from).max().unwrap());
        whole
    }

    fn part(whole: &Measurement, runs: Runs) -> MergedIntervals {
        let mut merging = MergedIntervals::empty(whole);
        for (from, intervals) in runs {
            merging.add(seconds(from), memory(intervals.into_iter().map(Ok)));
        }
        merging
    }

    /// Runs, each with the second in which its measured stage began.
    fn merging(runs: Runs) -> MergedIntervals {
        part(&whole(&runs), runs)
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
        merging.add(Duration::ZERO, memory([Err(damaged)]));
        assert!(merging.next().unwrap().is_err());
        assert!(merging.next().is_none());
    }

    #[test]
    fn parts_on_threads_give_the_same_intervals_as_one() {
        let run = |from: u64| {
            let seconds = (0..50).flat_map(|second| {
                ["a", "b"].map(|name| interval(name, Stage::Measured, from + second, from + 1))
            });
            (from, seconds.collect::<Vec<_>>())
        };
        let runs: Runs = (0..6).map(run).collect();
        let whole = whole(&runs);
        let parts = runs.chunks(2).map(|runs| part(&whole, runs.to_vec())).collect();
        let ordered = |merging: MergedIntervals| {
            let mut all = merging.collect::<Result<Vec<_>, _>>().unwrap();
            all.sort_by(|one, other| {
                (&one.scenario, one.start).cmp(&(&other.scenario, other.start))
            });
            all
        };
        let on_threads = MergedIntervals::of_parts(&whole, parts).unwrap();
        assert_eq!(ordered(on_threads), ordered(part(&whole, runs)));
    }

    #[test]
    fn a_damaged_run_of_a_part_ends_the_merging_with_its_error() {
        let runs = vec![(0, vec![interval("a", Stage::Measured, 0, 1)])];
        let whole = whole(&runs);
        let (good, mut bad) = (part(&whole, runs.clone()), part(&whole, runs));
        let damaged = StoreError::Damaged { path: "intervals.jsonl".into(), why: "cut".to_owned() };
        bad.add(Duration::ZERO, memory([Err(damaged)]));
        let mut merging = MergedIntervals::of_parts(&whole, vec![good, bad]).unwrap();
        assert!(merging.any(|interval| interval.is_err()));
        assert!(merging.next().is_none());
    }
}
