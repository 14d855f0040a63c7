//! Exceedances of one request by due time, in the short slots that blocks are made of.

use crate::record::{SlotCount, SlotCounts};

/// The counts of one request over the measured stage: one series for failures, then one for each
/// ceiling, each with a count for every slot up to the last one in which something was due.
#[derive(Debug, Clone, Default)]
pub(super) struct SlotTimeline {
    series: Vec<Vec<SlotCount>>,
}

impl SlotTimeline {
    /// Slots after this one are left out: no plan has as many, so the file is damaged.
    const MOST_SLOTS: usize = 1 << 21;

    /// Adds the slots of a settled interval.
    pub(super) fn add(&mut self, slots: &SlotCounts) {
        for (slot, counts) in slots.slots() {
            let Some(at) = usize::try_from(slot).ok().filter(|at| *at < Self::MOST_SLOTS) else {
                continue;
            };
            if self.series.len() < counts.len() {
                self.series.resize_with(counts.len(), Vec::new);
            }
            for (series, count) in self.series.iter_mut().zip(counts) {
                if series.len() <= at {
                    series.resize(at + 1, SlotCount::default());
                }
                series[at].add(*count);
            }
        }
    }

    /// The failures in each slot, among all exchanges; dropped arrivals are counted without lag.
    pub(super) fn failures(&self) -> Option<&[SlotCount]> {
        self.series.first().map(Vec::as_slice)
    }

    /// The exceedances of a ceiling in each slot.
    pub(super) fn ceiling(&self, place: usize) -> Option<&[SlotCount]> {
        self.series.get(place + 1).map(Vec::as_slice)
    }
}
