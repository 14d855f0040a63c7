//! Counts of values in the buckets of an `HdrHistogram` of three significant digits.
//!
//! The `hdrhistogram` crate counts in the same buckets; tests compare the two. This one is faster
//! where a run spends its time: it keeps and reads only the pages of buckets that have values,
//! which are few in the many histograms that count a few exchanges of one second.

use std::time::Duration;

/// The longest duration that is recorded exactly.
pub(super) const CEILING: Duration = Duration::from_hours(1);

/// Values and how often each was counted, within a precision of three significant digits.
///
/// Values below 2,048 have a bucket each. Each further power of two has 1,024 buckets. Buckets:
/// <https://github.com/HdrHistogram/HdrHistogram/blob/master/src/main/java/org/HdrHistogram/AbstractHistogram.java>.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Buckets {
    /// Counts by index in pages, up to the page with the greatest value. A page without values is
    /// not kept: a record may have thousands of histograms that count a few values each.
    pages: Vec<Option<Box<BucketPage>>>,
    /// The sum of all counts.
    total: u64,
}

/// The counts of neighbouring buckets.
type BucketPage = [u64; PAGE];

/// Buckets of one power of two.
const GROUP: usize = 1024;

/// Buckets of one page.
const PAGE: usize = 64;

/// How often the width of the bucket of a value was doubled.
fn doublings(value: u64) -> u32 {
    53 - (value | 2047).leading_zeros()
}

/// The bucket of a value.
fn index_of(value: u64) -> usize {
    let doublings = doublings(value);
    // At most 54 groups of 1,024.
    usize::try_from(u64::from(doublings) * GROUP as u64 + (value >> doublings))
        .unwrap_or(usize::MAX)
}

/// The lowest value of a bucket; `None` if it is above the format's maximum of 2⁶³ − 1.
pub(super) fn lowest(index: u64) -> Option<u64> {
    let doublings = (index / GROUP as u64).saturating_sub(1);
    (doublings <= 52).then(|| (index - doublings * GROUP as u64) << doublings)
}

/// The highest value that shares a bucket with `value`.
pub(super) fn highest_equivalent(value: u64) -> u64 {
    value | ((1 << doublings(value)) - 1)
}

impl Buckets {
    /// Counts a value `times` times.
    pub(super) fn record(&mut self, value: u64, times: u64) {
        if times == 0 {
            return;
        }
        let index = index_of(value);
        let count = &mut self.page(index / PAGE)[index % PAGE];
        *count = count.saturating_add(times);
        self.total = self.total.saturating_add(times);
    }

    /// The page at a place, created if it does not exist.
    fn page(&mut self, at: usize) -> &mut BucketPage {
        if at >= self.pages.len() {
            self.pages.resize_with(at + 1, || None);
        }
        self.pages[at].get_or_insert_with(|| Box::new([0; PAGE]))
    }

    /// How many bytes the pages of these buckets take, each given as any value in it and its count,
    /// in rising order.
    pub(super) fn memory_of(buckets: &[(u64, u64)]) -> u64 {
        let place = |(value, _): &(u64, u64)| index_of(*value) / PAGE;
        let pages = buckets.chunk_by(|one, next| place(one) == place(next)).count();
        let places = buckets.last().map_or(0, |last| place(last) + 1);
        (pages * size_of::<BucketPage>() + places * size_of::<usize>()) as u64
    }

    /// Adds every value of others.
    pub(super) fn add(&mut self, others: &Self) {
        for (at, theirs) in others.filled() {
            for (mine, theirs) in self.page(at).iter_mut().zip(theirs) {
                *mine = mine.saturating_add(*theirs);
            }
        }
        self.total = self.total.saturating_add(others.total);
    }

    /// The pages that have values, and their places.
    fn filled(&self) -> impl DoubleEndedIterator<Item = (usize, &BucketPage)> + '_ {
        let pages = self.pages.iter().enumerate();
        pages.filter_map(|(at, page)| Some((at, &**page.as_ref()?)))
    }

    /// These without others; `None` if the others are not among them.
    pub(super) fn without(&self, others: &Self) -> Option<Self> {
        const EMPTY: &BucketPage = &[0; PAGE];
        let page = |of: &Self, at| of.pages.get(at).and_then(Option::as_deref).copied();
        let mut rest = Self::default();
        for at in 0..self.pages.len().max(others.pages.len()) {
            let [mine, theirs] = [self, others].map(|of| page(of, at).unwrap_or(*EMPTY));
            for (place, (mine, theirs)) in mine.into_iter().zip(theirs).enumerate() {
                rest.record(lowest((at * PAGE + place) as u64)?, mine.checked_sub(theirs)?);
            }
        }
        Some(rest)
    }

    /// How many values were counted.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The buckets that are not empty, in rising order, each as its lowest value and its count.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> + '_ {
        self.indices().map(|(index, count)| (lowest(index as u64).unwrap_or(u64::MAX), count))
    }

    /// The highest value of the last bucket that is not empty.
    pub(super) fn max(&self) -> Option<u64> {
        self.iter().next_back().map(|(lowest, _)| highest_equivalent(lowest))
    }

    /// The indices of the buckets that are not empty, and their counts.
    pub(super) fn indices(&self) -> impl DoubleEndedIterator<Item = (usize, u64)> + '_ {
        let buckets = self.filled().flat_map(|(at, page)| {
            page.iter().enumerate().map(move |(place, count)| (at * PAGE + place, *count))
        });
        buckets.filter(|(_, count)| *count > 0)
    }

    /// The lowest value of the bucket that holds the value at a rank, counted from 1.
    pub(super) fn at_rank(&self, rank: u64) -> Option<u64> {
        let mut cumulative = 0_u64;
        let found = self.iter().find(|(_, count)| {
            cumulative = cumulative.saturating_add(*count);
            cumulative >= rank
        });
        found.map(|(value, _)| value)
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{Serializer as _, V2Serializer};
    use proptest::prelude::*;

    use super::super::v2_format;
    use super::*;

    fn of(values: &[(u64, u64)]) -> Buckets {
        let mut buckets = Buckets::default();
        for (value, times) in values {
            buckets.record(*value, *times);
        }
        buckets
    }

    fn values() -> impl Strategy<Value = Vec<(u64, u64)>> {
        let value = prop_oneof![0_u64..3_000, 1_000_u64..900_000, 0_u64..i64::MAX as u64];
        prop::collection::vec((value, prop_oneof![1_u64..5, 1_u64..1 << 50]), 0..60)
    }

    proptest! {
        #[test]
        fn values_are_counted_and_written_as_hdrhistogram_does(values in values()) {
            let buckets = of(&values);
            let mut reference = Histogram::<u64>::new(3).unwrap();
            reference.auto(true);
            let greatest = values.iter().map(|(value, _)| *value).max().unwrap_or(0);
            reference.add(Histogram::<u64>::new_with_bounds(1, greatest.max(2), 3).unwrap()).unwrap();
            for (value, times) in &values {
                reference.record_n(*value, *times).unwrap();
                let lowest = lowest(index_of(*value) as u64).unwrap();
                prop_assert_eq!(lowest, reference.lowest_equivalent(*value));
                prop_assert_eq!(highest_equivalent(*value), reference.highest_equivalent(*value));
            }
            prop_assert_eq!(buckets.total(), reference.len());
            let counted: Vec<_> = reference.iter_recorded().map(|step| (reference.lowest_equivalent(step.value_iterated_to()), step.count_at_value())).collect();
            prop_assert_eq!(buckets.iter().collect::<Vec<_>>(), counted);
            let (mut written, mut expected) = (Vec::new(), Vec::new());
            v2_format::write(&buckets, &mut written);
            V2Serializer::new().serialize(&reference, &mut expected).unwrap();
            // The range depends on the order in which the reference grew.
            expected[24..32].copy_from_slice(&written[24..32]);
            prop_assert_eq!(written, expected);
        }

        #[test]
        fn a_sum_holds_all_values_and_without_one_part_it_is_the_other(one in values(), other in values()) {
            let mut sum = of(&one);
            sum.add(&of(&other));
            prop_assert_eq!(&sum, &of(&[one.clone(), other.clone()].concat()));
            prop_assert_eq!(sum.without(&of(&one)), Some(of(&other)));
        }
    }

    #[test]
    fn values_that_are_not_among_others_cannot_be_taken_from_them() {
        assert_eq!(of(&[(5, 2)]).without(&of(&[(5, 3)])), None);
        assert_eq!(of(&[(5, 2)]).without(&of(&[(9_000, 1)])), None);
    }

    #[test]
    fn counts_beyond_a_u64_stay_at_the_greatest() {
        let mut most = of(&[(7, u64::MAX), (7, 1)]);
        most.add(&of(&[(7, 1)]));
        assert_eq!((most.total(), most.iter().collect()), (u64::MAX, vec![(7, u64::MAX)]));
    }
}
