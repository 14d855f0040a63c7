//! Counts of one budget by the time at which the exchanges were due, in short slots.

use crate::verdict::binomial::ExceedanceCount;

/// The settled exchanges of one budget and those that exceeded it, in consecutive slots of equal
/// length from the start of the measured stage.
///
/// The counts are cumulative, so that a block of any length is one subtraction.
#[derive(Debug, Clone, PartialEq)]
pub struct ExceedanceSlots {
    /// Totals before each slot, and after the last one.
    totals: RunningTotals,
    /// Exchanges that the plan makes due in a slot, on average over its busiest block.
    peak: f64,
}

impl ExceedanceSlots {
    /// The counts of consecutive slots.
    ///
    /// `peak` comes from the plan, never from the counts: the exchanges due in the plan's busiest
    /// block, divided by the number of slots of a block.
    pub fn new(counts: impl IntoIterator<Item = ExceedanceCount>, peak: f64) -> Self {
        let (mut total, mut totals) = (ExceedanceCount::default(), RunningTotals::default());
        totals.push(total);
        for count in counts {
            total = [total, count].into_iter().sum();
            totals.push(total);
        }
        Self { totals, peak }
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.totals.len() - 1
    }

    /// Whether there are no slots.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All slots added up.
    pub fn total(&self) -> ExceedanceCount {
        self.between(0, self.len())
    }

    /// Maximum number of exchanges that the plan makes due in a block of `length` slots.
    pub fn planned_peak(&self, length: usize) -> f64 {
        self.peak * length as f64
    }

    /// The counts of consecutive blocks of `length` slots. Slots that do not fill a last block
    /// form a shorter one.
    pub fn blocks(&self, length: usize) -> impl Iterator<Item = ExceedanceCount> + '_ {
        let length = length.max(1);
        (0..self.len()).step_by(length).map(move |start| self.between(start, start + length))
    }

    /// The counts of `number` consecutive parts of the run, equally long to within a slot.
    pub(super) fn equal_parts(&self, number: usize) -> impl Iterator<Item = ExceedanceCount> + '_ {
        let edge = move |index: usize| index * self.len() / number;
        (0..number).map(move |index| self.between(edge(index), edge(index + 1)))
    }

    fn between(&self, start: usize, end: usize) -> ExceedanceCount {
        let (before, after) = (self.totals.at(start), self.totals.at(end.min(self.len())));
        ExceedanceCount { over: after.over - before.over, of: after.of - before.of }
    }
}

/// Running totals. A run of a day has hundreds of thousands; those of most runs fit into 32 bits,
/// which takes half the memory.
#[derive(Debug, Clone, PartialEq)]
enum RunningTotals {
    /// The exceedances and the exchanges.
    Small(Vec<[u32; 2]>),
    Large(Vec<ExceedanceCount>),
}

impl Default for RunningTotals {
    fn default() -> Self {
        Self::Small(Vec::new())
    }
}

impl RunningTotals {
    fn push(&mut self, total: ExceedanceCount) {
        match self {
            Self::Large(totals) => totals.push(total),
            Self::Small(totals) => {
                if let (Ok(over), Ok(of)) = (u32::try_from(total.over), u32::try_from(total.of)) {
                    totals.push([over, of]);
                } else {
                    let known = totals.iter().map(|&totals| Self::whole(totals));
                    *self = Self::Large(known.chain([total]).collect());
                }
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Small(totals) => totals.len(),
            Self::Large(totals) => totals.len(),
        }
    }

    fn at(&self, at: usize) -> ExceedanceCount {
        match self {
            Self::Small(totals) => Self::whole(totals[at]),
            Self::Large(totals) => totals[at],
        }
    }

    fn whole(small: [u32; 2]) -> ExceedanceCount {
        let [over, of] = small.map(u64::from);
        ExceedanceCount { over, of }
    }
}

/// A number of slots or blocks, rounded up; a tolerance keeps a rounding error from adding one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative, and far below 2^52"
)]
pub(super) fn rounded_up(number: f64) -> usize {
    (number - 1e-9).ceil() as usize
}

/// Slots for tests of the rooms nearby.
#[cfg(test)]
pub(super) mod fixture {
    use super::*;

    /// Blocks of `requests` exchanges in one slot each, of which the given numbers exceed.
    pub(in super::super) fn blocks_of(requests: u64, over: &[u64]) -> ExceedanceSlots {
        let counts = over.iter().map(|&over| ExceedanceCount { over, of: requests });
        ExceedanceSlots::new(counts, requests as f64)
    }

    /// One exchange a slot; those from `start` to before `end` exceed.
    pub(in super::super) fn one_burst(slots: u64, start: u64, end: u64) -> ExceedanceSlots {
        let over = |at| u64::from((start..end).contains(&at));
        ExceedanceSlots::new((0..slots).map(|at| ExceedanceCount { over: over(at), of: 1 }), 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::one_burst;
    use super::*;

    #[test]
    fn blocks_cover_every_slot_once_and_the_last_may_be_short() {
        let slots = one_burst(10, 2, 7);
        let blocks: Vec<_> = slots.blocks(4).map(|block| (block.over, block.of)).collect();
        assert_eq!(blocks, [(2, 4), (3, 4), (0, 2)]);
        let parts: Vec<_> = slots.equal_parts(4).map(|part| (part.over, part.of)).collect();
        assert_eq!(parts, [(0, 2), (3, 3), (2, 2), (0, 3)]);
        assert_eq!(slots.total(), ExceedanceCount { over: 5, of: 10 });
    }

    #[test]
    fn counts_beyond_32_bits_are_exact() {
        let count = |over| ExceedanceCount { over, of: 3 << 30 };
        let slots = ExceedanceSlots::new([1, 2, 3, 1 << 40].map(count), 1.0);
        let blocks: Vec<_> = slots.blocks(1).collect();
        assert_eq!(blocks, [1, 2, 3, 1 << 40].map(count));
        assert_eq!(slots.total(), ExceedanceCount { over: 6 + (1 << 40), of: 12 << 30 });
    }

    #[test]
    fn no_slots_have_no_blocks() {
        let none = ExceedanceSlots::new([], 1.0);
        assert!(none.is_empty() && none.blocks(5).next().is_none());
        assert_eq!(none.total().of, 0);
    }
}
