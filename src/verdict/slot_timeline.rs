//! Exceedances of one request by due time, in the short slots that blocks are made of.

use super::packed_counts::PackedColumns;
use crate::record::{SlotCount, SlotCounts};

/// The counts of one request over the measured stage: one series for failures, then one for each
/// ceiling.
#[derive(Debug, Clone, Default)]
pub(super) struct SlotTimeline {
    /// A row for each slot, with the three counts of each series.
    counts: PackedColumns,
    /// Number of series.
    series: usize,
    /// The last slot in which something was due.
    last: usize,
}

/// The counts of a slot in one series.
const COUNTS: usize = 3;

impl SlotTimeline {
    /// Maximum number of slots. No plan has more, so a file with a later slot is damaged, and that
    /// slot is left out.
    const MOST_SLOTS: usize = 1 << 21;

    /// Maximum number of series. No request has as many ceilings, so a file with a later series is
    /// damaged, and that series is left out.
    const MOST_SERIES: usize = 4_096;

    /// If a series has no counts in the last stretch of this many slots, it ends where that stretch
    /// begins. Blocks depend on the number of slots, so this rule must stay.
    const STRETCH: usize = 32;

    /// Adds the slots of a settled interval.
    pub(super) fn add(&mut self, slots: &SlotCounts) {
        for (slot, counts) in slots.slots() {
            let Some(at) = usize::try_from(slot).ok().filter(|at| *at < Self::MOST_SLOTS) else {
                continue;
            };
            let counts = &counts[..counts.len().min(Self::MOST_SERIES)];
            (self.series, self.last) = (self.series.max(counts.len()), self.last.max(at));
            let added = counts
                .iter()
                .flat_map(|count| [count.judged, count.exceeded, count.exceeded_without_lag]);
            for (mine, added) in self.counts.row(at, COUNTS * counts.len()).zip(added) {
                *mine = u64::from(small(*mine).saturating_add(added));
            }
        }
        self.counts.close();
    }

    /// The failures among all exchanges; dropped arrivals are counted without lag.
    pub(super) const FAILURES: usize = 0;

    /// The exceedances of the ceiling at a place.
    pub(super) fn of_ceiling(place: usize) -> usize {
        place + 1
    }

    /// Each slot of a series; see [`Self::STRETCH`] for where it ends. `None` if there is no such
    /// series.
    pub(super) fn series(
        &self,
        series: usize,
    ) -> Option<impl Iterator<Item = SlotCount> + Clone + '_> {
        if series >= self.series {
            return None;
        }
        let rows = self.counts.rows::<COUNTS>(COUNTS * series);
        let stretch = self.last / Self::STRETCH * Self::STRETCH;
        let mut latest = rows.clone().rev().take_while(|(slot, _)| *slot >= stretch);
        let used = latest.find(|(_, counts)| *counts != [0; COUNTS]);
        let length = used.map_or(stretch, |(slot, _)| slot + 1);
        let mut next = 0;
        let slots = rows.flat_map(move |(slot, counts)| {
            let nothing_due = slot - std::mem::replace(&mut next, slot + 1);
            std::iter::repeat_n([0; COUNTS], nothing_due).chain([counts])
        });
        Some(slots.take(length).map(|counts| {
            let [judged, exceeded, exceeded_without_lag] = counts.map(small);
            SlotCount { judged, exceeded, exceeded_without_lag }
        }))
    }
}

fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// The slots of a series if each is kept as it is, in stretches of 32.
    fn kept_whole(intervals: &[SlotCounts], series: usize) -> Vec<SlotCount> {
        let mut stretches: BTreeMap<u64, [SlotCount; 32]> = BTreeMap::new();
        for (slot, counts) in intervals.iter().flat_map(SlotCounts::slots) {
            let at = usize::try_from(slot % 32).unwrap();
            stretches.entry(slot / 32).or_default()[at].add(counts[series]);
        }
        let (last, stretch) = stretches.last_key_value().unwrap();
        let used = stretch.iter().rposition(|count| *count != SlotCount::default());
        let length = last * 32 + used.map_or(0, |used| used as u64 + 1);
        let nothing = [SlotCount::default(); 32];
        let stretch = |at: &u64| stretches.get(at).unwrap_or(&nothing).iter().copied();
        let all = (0..=*last).collect::<Vec<_>>();
        let length = usize::try_from(length).unwrap();
        all.iter().flat_map(stretch).take(length).collect()
    }

    proptest! {
        #[test]
        fn the_slots_of_a_verdict_are_those_that_were_counted(
            added in prop::collection::vec(
                prop::collection::vec((0_u64..2_000, 1_u32..300, 0_u32..4, any::<bool>()), 1..20),
                1..12,
            ),
        ) {
            let interval = |slots: &Vec<(u64, u32, u32, bool)>| {
                let mut counts = SlotCounts::default();
                for &(slot, judged, exceeded, enters_phase) in slots {
                    let count = |judged| SlotCount { judged, exceeded, exceeded_without_lag: 0 };
                    let of_phase = if enters_phase { count(judged) } else { SlotCount::default() };
                    counts.add(slot, [count(judged), count(u32::MAX), of_phase]);
                }
                counts
            };
            let intervals: Vec<_> = added.iter().map(interval).collect();
            let mut timeline = SlotTimeline::default();
            for interval in &intervals {
                timeline.add(interval);
            }
            for series in 0..3 {
                prop_assert!(timeline.series(series).unwrap().eq(kept_whole(&intervals, series)));
            }
            prop_assert!(timeline.series(3).is_none());
        }
    }

    #[test]
    fn slots_and_series_beyond_any_plan_take_no_memory() {
        let mut timeline = SlotTimeline::default();
        for slot in [SlotTimeline::MOST_SLOTS as u64 - 1, u64::MAX] {
            let mut far = SlotCounts::default();
            far.add(slot, [SlotCount { judged: 1, ..SlotCount::default() }]);
            timeline.add(&far);
        }
        let mut wide = SlotCounts::default();
        // Columns of a page that differ in its last row.
        let counted = |judged| SlotCount { judged, ..SlotCount::default() };
        wide.add(PackedColumns::PAGE as u64 - 1, (1..=1 << 16).map(counted));
        timeline.add(&wide);
        assert_eq!(timeline.counts.rows::<1>(0).count(), 2 * PackedColumns::PAGE);
        let last = timeline.series(SlotTimeline::MOST_SERIES - 1).unwrap();
        assert!(last.map(|slot| slot.judged).any(|judged| judged == 4_096));
        assert!(timeline.series(SlotTimeline::MOST_SERIES).is_none());
        assert_eq!(timeline.series(0).unwrap().count(), SlotTimeline::MOST_SLOTS);
    }
}
