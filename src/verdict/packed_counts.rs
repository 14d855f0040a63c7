//! Counts over time in few bytes: a run of a day has hundreds of thousands of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Range;

/// Keys in ascending order, each with its count.
///
/// Neighbouring buckets of a histogram are mostly equally far apart. So the distance to the
/// previous key is written only when it changes; the lowest bit of the count says whether it
/// follows. Numbers are written in as many groups of seven bits as they need (LEB128).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PackedSteps(Box<[u8]>);

impl PackedSteps {
    /// Packs steps in ascending order. Counts saturate at 2⁶³ − 1.
    fn of(steps: impl Iterator<Item = (u64, u64)>) -> Self {
        let (mut bytes, mut before, mut usual) = (Vec::new(), 0, 0);
        for (key, count) in steps {
            let distance = key - before;
            let is_other = distance != usual;
            write_number(count.min(u64::MAX >> 1) << 1 | u64::from(is_other), &mut bytes);
            if is_other {
                write_number(distance, &mut bytes);
            }
            (before, usual) = (key, distance);
        }
        Self(bytes.into())
    }

    /// The keys in ascending order, with their counts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let (mut bytes, mut key, mut distance) = (self.0.iter(), 0, 0);
        std::iter::from_fn(move || {
            let number = read_number(&mut bytes)?;
            if number & 1 == 1 {
                distance = read_number(&mut bytes)?;
            }
            key += distance;
            Some((key, number >> 1))
        })
    }

    /// Adds other steps, in ascending order too.
    pub(super) fn add(&mut self, others: impl Iterator<Item = (u64, u64)>) {
        let (mut mine, mut others) = (self.iter().peekable(), others.peekable());
        let next = std::iter::from_fn(|| {
            let key =
                [mine.peek(), others.peek()].into_iter().flatten().map(|(key, _)| *key).min()?;
            let own = mine.next_if(|(own, _)| *own == key);
            let other = others.next_if(|(other, _)| *other == key);
            let count = |step: Option<(u64, u64)>| step.map_or(0, |(_, count)| count);
            Some((key, count(own).saturating_add(count(other))))
        });
        let sum = Self::of(next);
        drop(mine);
        *self = sum;
    }
}

/// The counts of the rows of one page, in one column.
type Column = [u64; PackedColumns::PAGE];

/// Rows of counts in columns, by the number of the row.
///
/// Rows are grouped in pages. The page that was written to last stays unpacked until it is closed.
/// A page that was never written to takes no memory: a file may state any row.
#[derive(Debug, Clone, Default)]
pub(super) struct PackedColumns {
    packed: BTreeMap<usize, Box<[u8]>>,
    open: Option<(usize, Vec<Column>)>,
}

impl PackedColumns {
    /// Rows of a page.
    pub(super) const PAGE: usize = 128;

    /// How many columns of a page a column is compared with. A file decides how many there are, and
    /// comparing all of them would take quadratic time.
    const COMPARED: usize = 32;

    /// The counts of a row in its first `columns` columns, to add to.
    pub(super) fn row(
        &mut self,
        row: usize,
        columns: usize,
    ) -> impl Iterator<Item = &mut u64> + '_ {
        let at = row / Self::PAGE;
        if self.open.as_ref().is_some_and(|(open, _)| *open != at) {
            self.close();
        }
        let (_, page) = self.open.get_or_insert_with(|| {
            (at, self.packed.remove(&at).map(|bytes| unpacked(&bytes)).unwrap_or_default())
        });
        page.resize(page.len().max(columns), [0; Self::PAGE]);
        page.iter_mut().take(columns).map(move |column| &mut column[row % Self::PAGE])
    }

    /// Packs the open page. Call it after each group of rows: a run has thousands of such tables,
    /// and an open page takes 1 KiB for each column.
    pub(super) fn close(&mut self) {
        if let Some((place, page)) = self.open.take() {
            self.packed.insert(place, packed(&page));
        }
    }

    /// The rows of all pages in ascending order: their numbers, and their counts in some columns
    /// from `first` on.
    pub(super) fn rows<const COLUMNS: usize>(
        &self,
        first: usize,
    ) -> impl DoubleEndedIterator<Item = (usize, [u64; COLUMNS])> + Clone + '_ {
        let split = self.open.as_ref().map_or(0, |(at, _)| *at);
        let before = unpacked_pages(self.packed.range(..split));
        let open = self.open.iter().map(|(at, page)| (*at, Cow::Borrowed(page.as_slice())));
        let pages = before.chain(open).chain(unpacked_pages(self.packed.range(split..)));
        pages.flat_map(move |(at, page)| {
            (0..Self::PAGE).map(move |row| {
                let count = |column| page.get(column).map_or(0, |counts: &Column| counts[row]);
                (at * Self::PAGE + row, std::array::from_fn(|place| count(first + place)))
            })
        })
    }
}

/// The pages of a range, with their places.
fn unpacked_pages(
    range: Range<'_, usize, Box<[u8]>>,
) -> impl DoubleEndedIterator<Item = (usize, Cow<'_, [Column]>)> + Clone {
    range.map(|(at, bytes)| (*at, Cow::Owned(unpacked(bytes))))
}

/// Columns one after the other: one that equals one of the first columns as the number of that,
/// counted from 1, any other as 0 and its counts. Two equal counts in a row are followed by the
/// number of further equal ones.
fn packed(page: &[Column]) -> Box<[u8]> {
    let mut bytes = Vec::new();
    for (at, column) in page.iter().enumerate() {
        let mut compared = page.iter().take(at.min(PackedColumns::COMPARED));
        let same = compared.position(|earlier| earlier == column);
        write_number(same.map_or(0, |same| same as u64 + 1), &mut bytes);
        if same.is_none() {
            for equal in column.chunk_by(|one, next| one == next) {
                let repeats = equal.len().min(2);
                equal[..repeats].iter().for_each(|count| write_number(*count, &mut bytes));
                if repeats == 2 {
                    write_number(equal.len() as u64 - 2, &mut bytes);
                }
            }
        }
    }
    bytes.into()
}

fn unpacked(bytes: &[u8]) -> Vec<Column> {
    let (mut bytes, mut page) = (bytes.iter(), Vec::<Column>::new());
    while let Some(same) = read_number(&mut bytes) {
        let same = usize::try_from(same).unwrap_or(0).checked_sub(1);
        let column = same.and_then(|same| page.get(same).copied());
        page.push(column.unwrap_or_else(|| unpacked_column(&mut bytes)));
    }
    page
}

fn unpacked_column<'a>(bytes: &mut impl Iterator<Item = &'a u8>) -> Column {
    let (mut column, mut row, mut before) = ([0; PackedColumns::PAGE], 0, None);
    while row < PackedColumns::PAGE {
        let Some(count) = read_number(bytes) else { break };
        let repeats = if before == Some(count) { read_number(bytes).unwrap_or(0) } else { 0 };
        let end = row
            .saturating_add(1 + usize::try_from(repeats).unwrap_or(PackedColumns::PAGE))
            .min(PackedColumns::PAGE);
        column[row..end].fill(count);
        before = (before != Some(count)).then_some(count);
        row = end;
    }
    column
}

fn write_number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn read_number<'a>(bytes: &mut impl Iterator<Item = &'a u8>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.next()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn steps_are_those_that_were_added(
            parts in prop::collection::vec(
                prop::collection::btree_map(any::<u64>(), 0..u64::MAX / 64, 0..20),
                0..8,
            ),
        ) {
            let (mut packed, mut sum) = (PackedSteps::default(), BTreeMap::<u64, u64>::new());
            for part in parts {
                packed.add(part.iter().map(|(key, count)| (*key, *count)));
                for (key, count) in &part {
                    *sum.entry(*key).or_default() += count;
                }
            }
            prop_assert!(packed.iter().eq(sum));
        }

        #[test]
        fn rows_are_those_that_were_added_to_in_any_order(
            added in prop::collection::vec(
                (0_usize..1_000, prop::collection::vec(prop_oneof![0_u64..4, any::<u64>()], 1..4)),
                0..200,
            ),
        ) {
            let mut columns = PackedColumns::default();
            let mut rows = BTreeMap::<usize, [u64; 3]>::new();
            for (row, counts) in &added {
                let mine = rows.entry(*row).or_default();
                for (mine, count) in mine.iter_mut().zip(counts) {
                    *mine = mine.wrapping_add(*count);
                }
                for (mine, count) in columns.row(*row, counts.len()).zip(counts) {
                    *mine = mine.wrapping_add(*count);
                }
            }
            let read = || columns.rows(0).filter(|(_, counts)| *counts != [0; 3]);
            rows.retain(|_, counts| *counts != [0; 3]);
            prop_assert!(read().rev().eq(rows.clone().into_iter().rev()));
            prop_assert!(read().eq(rows));
        }
    }

    #[test]
    fn neighbouring_steps_take_a_byte_each() {
        let mut packed = PackedSteps::default();
        packed.add((0..1_000).map(|at| (2_048 + 4 * at, at % 60)));
        assert_eq!(packed.0.len(), 1_000 + 2 + 1);
    }

    #[test]
    fn steady_counts_take_hardly_a_byte_and_varied_ones_two() {
        let size = |count: fn(u64) -> u64| {
            let mut columns = PackedColumns::default();
            for row in 0..100 * PackedColumns::PAGE {
                let [judged, exceeded] = [count(row as u64), 0];
                let counts = [judged, exceeded, judged, judged, exceeded, judged];
                columns.row(row, 6).zip(counts).for_each(|(mine, count)| *mine = count);
            }
            columns.packed.values().map(|page| page.len()).sum::<usize>() / columns.packed.len()
        };
        assert!(size(|_| 200) <= 16);
        assert!(size(|row| 150 + row * row % 97) <= 2 * PackedColumns::PAGE + 16);
    }
}
