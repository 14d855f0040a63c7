//! Exceedances of one request by due time, in the short slots that blocks are made of.

use std::collections::BTreeMap;

use crate::record::{SlotCount, SlotCounts};

/// The counts of one request over the measured stage: one series for failures, then one for each
/// ceiling.
///
/// Only the pages of slots in which something was due are kept: a file may state any slot.
#[derive(Debug, Clone, Default)]
pub(super) struct SlotTimeline {
    series: Vec<BTreeMap<usize, SlotPage>>,
}

/// The counts of neighbouring slots.
type SlotPage = [SlotCount; PAGE];

const PAGE: usize = 32;

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
                self.series.resize_with(counts.len(), BTreeMap::new);
            }
            for (series, count) in self.series.iter_mut().zip(counts) {
                series.entry(at / PAGE).or_default()[at % PAGE].add(*count);
            }
        }
    }

    /// The failures in each slot up to the last one in which something was due, among all
    /// exchanges; dropped arrivals are counted without lag.
    pub(super) fn failures(&self) -> Option<Vec<SlotCount>> {
        self.series.first().map(all_slots)
    }

    /// The exceedances of a ceiling in each slot.
    pub(super) fn ceiling(&self, place: usize) -> Option<Vec<SlotCount>> {
        self.series.get(place + 1).map(all_slots)
    }
}

/// Every slot up to the last one in which something was counted.
fn all_slots(series: &BTreeMap<usize, SlotPage>) -> Vec<SlotCount> {
    let Some((last, page)) = series.last_key_value() else { return Vec::new() };
    let used = page.iter().rposition(|count| *count != SlotCount::default()).map_or(0, |at| at + 1);
    let mut slots = vec![SlotCount::default(); last * PAGE + used];
    for (at, page) in series {
        let start = at * PAGE;
        let length = PAGE.min(slots.len() - start);
        slots[start..start + length].copy_from_slice(&page[..length]);
    }
    slots
}
