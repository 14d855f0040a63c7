//! When exceedances occurred: counts by the second in which the exchanges were due.

use std::collections::HashMap;
use std::time::Duration;

use super::binomial::ExceedanceCount;
use super::latency_timeline::LatencyTimeline;
use super::packed_counts::PackedColumns;
use super::slot_timeline::SlotTimeline;
use crate::record::{Interval, Stage};

/// The exceedances of every budget of a run over time, collected from its settled intervals.
///
/// Only the measured stage is collected. Memory is bounded for runs of any length: see
/// `ExceedanceTimeline` and `StallHorizon`.
#[derive(Debug, Clone, Default)]
pub struct RunTimelines {
    requests: HashMap<(String, String), RequestTimelines>,
}

impl RunTimelines {
    /// Adds a settled interval.
    pub fn add(&mut self, interval: &Interval) {
        if interval.stage != Stage::Measured {
            return;
        }
        let key = (interval.scenario.clone(), interval.request.clone());
        self.requests.entry(key).or_default().add(interval);
    }

    /// The timelines of one request; `None` if none of its intervals was added.
    pub(super) fn of(&self, scenario: &str, request: &str) -> Option<&RequestTimelines> {
        self.requests.get(&(scenario.to_owned(), request.to_owned()))
    }
}

/// The exceedances of one request over time.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestTimelines {
    /// One for each ceiling, in the order of the request's measurement.
    pub(super) ceilings: Vec<ExceedanceTimeline>,
    /// Failures of any kind among all exchanges.
    pub(super) failures: ExceedanceTimeline,
    /// The same in short slots; empty if the run was not counted in slots.
    pub(super) slots: SlotTimeline,
    /// All latencies, for comparisons.
    pub(super) latencies: LatencyTimeline,
}

impl RequestTimelines {
    fn add(&mut self, interval: &Interval) {
        let Interval { start, tally, .. } = interval;
        let start = *start;
        self.latencies.add(interval);
        let all = ExceedanceCount { over: tally.failed(), of: tally.exchanges };
        self.failures.add(start, all);
        self.slots.add(&tally.slots);
        let ceilings = self.ceilings.len().max(tally.ceilings.len());
        self.ceilings.resize_with(ceilings, ExceedanceTimeline::default);
        for (timeline, count) in self.ceilings.iter_mut().zip(&tally.ceilings) {
            timeline.add(start, ExceedanceCount { over: count.exceeded, of: count.judged });
        }
    }
}

/// The exceedances of one ceiling by the time at which the exchanges were due.
///
/// Time is divided into slots of one second. A run with more than [`Self::MAX_SLOTS`] seconds gets
/// slots of two, four, eight… seconds. Slots in which nothing was due are not kept.
#[derive(Debug, Clone)]
pub(super) struct ExceedanceTimeline {
    /// Length of a slot in seconds, a power of two.
    seconds: u64,
    /// A row for each slot: its exceedances and its exchanges.
    counts: PackedColumns,
    /// Number of slots in which something was due.
    length: usize,
    total: ExceedanceCount,
}

impl Default for ExceedanceTimeline {
    fn default() -> Self {
        Self::in_slots_of(1)
    }
}

impl ExceedanceTimeline {
    /// Maximum number of slots: 4.5 hours of seconds.
    const MAX_SLOTS: usize = 16_384;
    /// Slots are widened until the mean slot has at least this many exchanges. A pattern cannot be
    /// seen in slots that hold one exchange each.
    const MIN_EXCHANGES: u64 = 4;
    /// Slots are not widened below this number.
    const MIN_SLOTS: usize = 16;

    fn in_slots_of(seconds: u64) -> Self {
        let (counts, total) = (PackedColumns::default(), ExceedanceCount::default());
        Self { seconds, counts, length: 0, total }
    }

    /// Adds the exchanges that were due in the second that starts at `start`.
    pub(super) fn add(&mut self, start: Duration, count: ExceedanceCount) {
        if count.of == 0 {
            return;
        }
        self.add_to(start.as_secs() / self.seconds, count);
        self.counts.close();
        while self.length > Self::MAX_SLOTS {
            *self = self.widened();
        }
    }

    /// The timeline with slots wide enough to show a pattern.
    pub(super) fn readable(&self) -> Self {
        let mut timeline = self.clone();
        while timeline.total.of < Self::MIN_EXCHANGES * timeline.length as u64
            && timeline.length >= 2 * Self::MIN_SLOTS
        {
            timeline = timeline.widened();
        }
        timeline
    }

    /// Length of a slot.
    pub(super) fn width(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// The index of each slot in which something was due, with its counts. The slot with index `i`
    /// starts `i` times the [width](Self::width) after the start of the run.
    pub(super) fn slots(&self) -> impl DoubleEndedIterator<Item = (u64, ExceedanceCount)> + '_ {
        let slots = self.counts.rows(0);
        let slots = slots.map(|(at, [over, of])| (at as u64, ExceedanceCount { over, of }));
        slots.filter(|(_, count)| count.of > 0)
    }

    /// All slots added up.
    pub(super) fn total(&self) -> ExceedanceCount {
        self.total
    }

    fn widened(&self) -> Self {
        let mut wide = Self::in_slots_of(self.seconds * 2);
        self.slots().for_each(|(index, count)| wide.add_to(index / 2, count));
        wide.counts.close();
        wide
    }

    fn add_to(&mut self, index: u64, count: ExceedanceCount) {
        let Ok(index) = usize::try_from(index) else { return };
        let mut row = self.counts.row(index, 2);
        let [Some(over), Some(of)] = [row.next(), row.next()] else { return };
        self.length += usize::from(*of == 0);
        (*over, *of) = (*over + count.over, *of + count.of);
        self.total = [self.total, count].into_iter().sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_any_length_needs_bounded_memory_and_loses_no_count() {
        let mut timeline = ExceedanceTimeline::default();
        for second in 0..100_000 {
            timeline.add(Duration::from_secs(second), ExceedanceCount { over: second % 2, of: 3 });
        }
        assert!(timeline.length <= ExceedanceTimeline::MAX_SLOTS);
        assert_eq!(timeline.total(), ExceedanceCount { over: 50_000, of: 300_000 });
        assert_eq!(timeline.width(), Duration::from_secs(8));
    }

    #[test]
    fn rare_requests_are_read_in_wider_slots() {
        let mut timeline = ExceedanceTimeline::default();
        for second in 0..200 {
            timeline.add(Duration::from_secs(second), ExceedanceCount { over: 0, of: 1 });
        }
        assert_eq!(timeline.readable().width(), Duration::from_secs(4));
        assert_eq!(timeline.readable().total(), timeline.total());
    }
}
