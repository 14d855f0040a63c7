//! Counts of an interval by the time at which exchanges were due, in slots of some milliseconds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one budget, or a class of failures, counts in one slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlotCount {
    /// Exchanges judged; for failures, all finished exchanges.
    pub judged: u32,
    /// Those that exceeded the ceiling; for failures, those that failed.
    pub exceeded: u32,
    /// The exceedances that the prober's lag does not explain; for failures, the dropped arrivals.
    pub exceeded_without_lag: u32,
}

impl SlotCount {
    /// Adds another count; sums saturate.
    pub fn add(&mut self, other: Self) {
        self.judged = self.judged.saturating_add(other.judged);
        self.exceeded = self.exceeded.saturating_add(other.exceeded);
        self.exceeded_without_lag =
            self.exceeded_without_lag.saturating_add(other.exceeded_without_lag);
    }
}

/// The slots of one interval in which something was due, in ascending order.
///
/// A slot is numbered from the start of the measured stage. It holds the counts of failures first,
/// then those of each ceiling in the order of the plan. In files a slot is one list: its number,
/// then three counts each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Vec<Vec<u64>>", into = "Vec<Vec<u64>>")]
#[schemars(with = "Vec<Vec<u64>>")]
pub struct SlotCounts(Vec<(u64, Vec<SlotCount>)>);

impl SlotCounts {
    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of each slot, with its counts.
    pub fn slots(&self) -> impl Iterator<Item = (u64, &[SlotCount])> {
        self.0.iter().map(|(slot, counts)| (*slot, counts.as_slice()))
    }

    /// Adds counts to a slot.
    pub fn add(&mut self, slot: u64, counts: impl IntoIterator<Item = SlotCount>) {
        let at = self.place_of(slot);
        let mine = &mut self.0[at].1;
        for (place, count) in counts.into_iter().enumerate() {
            match mine.get_mut(place) {
                Some(known) => known.add(count),
                None => mine.push(count),
            }
        }
    }

    /// The place of a slot, which is added if there is none. Most additions are to the last slot.
    fn place_of(&mut self, slot: u64) -> usize {
        if let Some((last, _)) = self.0.last()
            && *last == slot
        {
            return self.0.len() - 1;
        }
        self.0.binary_search_by_key(&slot, |(known, _)| *known).unwrap_or_else(|at| {
            self.0.insert(at, (slot, Vec::new()));
            at
        })
    }

    /// Adds what another prober or thread counted in the same interval.
    pub fn merge(&mut self, other: &Self) {
        for (slot, counts) in other.slots() {
            self.add(slot, counts.iter().copied());
        }
    }
}

impl From<SlotCounts> for Vec<Vec<u64>> {
    fn from(counts: SlotCounts) -> Self {
        let list = |(slot, counts): (u64, Vec<SlotCount>)| {
            let numbers = counts.iter().flat_map(|count| {
                [count.judged, count.exceeded, count.exceeded_without_lag].map(u64::from)
            });
            std::iter::once(slot).chain(numbers).collect()
        };
        counts.0.into_iter().map(list).collect()
    }
}

impl From<Vec<Vec<u64>>> for SlotCounts {
    fn from(lists: Vec<Vec<u64>>) -> Self {
        let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let read = |list: Vec<u64>| {
            let (slot, numbers) = list.split_first()?;
            let triples = numbers.chunks_exact(3).map(|triple| SlotCount {
                judged: small(triple[0]),
                exceeded: small(triple[1]),
                exceeded_without_lag: small(triple[2]),
            });
            Some((*slot, triples.collect::<Vec<_>>()))
        };
        let mut slots: Vec<_> = lists.into_iter().filter_map(read).collect();
        // A foreign file may have them in any order. In ascending order each is added at the end.
        slots.sort_by_key(|(slot, _)| *slot);
        let mut counts = Self::default();
        for (slot, triples) in slots {
            counts.add(slot, triples);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(judged: u32, exceeded: u32) -> SlotCount {
        SlotCount { judged, exceeded, exceeded_without_lag: 0 }
    }

    #[test]
    fn counts_of_the_same_slot_are_added_in_any_order() {
        let mut counts = SlotCounts::default();
        counts.add(7, [count(1, 0), count(1, 1)]);
        let mut other = SlotCounts::default();
        other.add(3, [count(2, 1)]);
        other.add(7, [count(1, 1)]);
        counts.merge(&other);
        let slots: Vec<_> = counts.slots().map(|(slot, counts)| (slot, counts.to_vec())).collect();
        assert_eq!(slots, [(3, vec![count(2, 1)]), (7, vec![count(2, 1), count(1, 1)])]);
    }

    #[test]
    fn slots_of_a_file_are_read_in_any_order() {
        let slots = (0..100_000).rev().map(|slot| format!("[{slot},1,0,0]"));
        let text = format!("[{}]", slots.collect::<Vec<_>>().join(","));
        let counts: SlotCounts = serde_json::from_str(&text).unwrap();
        assert!(counts.slots().map(|(slot, _)| slot).eq(0..100_000));
    }

    #[test]
    fn slots_are_written_as_lists_and_read_back() {
        let mut counts = SlotCounts::default();
        counts.add(50, [count(20, 1), count(20, 3)]);
        let text = serde_json::to_string(&counts).unwrap();
        assert_eq!(text, "[[50,20,1,0,20,3,0]]");
        assert_eq!(serde_json::from_str::<SlotCounts>(&text).unwrap(), counts);
        let odd: SlotCounts = serde_json::from_str("[[],[4,1],[9,1,1,1,5]]").unwrap();
        assert_eq!(odd.slots().count(), 2);
    }
}
