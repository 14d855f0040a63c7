//! A random order of rows that any position can be looked up in, without storing the order.

use crate::plan::mix::mixed;

/// How often the two halves of a position are mixed. Four rounds make a Feistel network look like a
/// random permutation (M. Luby, C. Rackoff, 1988); two more make up for very short halves.
const ROUNDS: u64 = 6;

/// The row at a position of a random order of `rows` rows; positions are below `rows`.
///
/// A Feistel network permutes the numbers below the next power of four. A result that is not a row
/// is permuted again until it is one (*cycle walking*: J. Black, P. Rogaway, *Ciphers with
/// Arbitrary Finite Domains*, 2002), at most four times on average.
pub(super) fn row_at(position: u64, rows: u64, seed: u64) -> u64 {
    let half_bits = (u64::BITS - rows.saturating_sub(1).leading_zeros()).div_ceil(2).max(1);
    let mut row = position;
    loop {
        row = shuffled(row, half_bits, seed);
        if row < rows {
            return row;
        }
    }
}

/// How many rows stay next to each other in the passes after the first.
const GROUP: u64 = 64;

/// With fewer groups than this, the rows fit into the processor's cache.
const FEWEST_GROUPS: u64 = 1_024;

/// The place at a position of a further pass over rows that are in random order already.
///
/// Among many rows, groups of neighbours change their order, and the rows within each group. A
/// request then rarely causes cache misses, as rows from random places would.
pub(super) fn next_at(position: u64, rows: u64, seed: u64) -> u64 {
    let groups = rows / GROUP;
    if groups < FEWEST_GROUPS {
        return row_at(position, rows, seed);
    }
    let (group, within) = (position / GROUP, position % GROUP);
    if group == groups {
        return position;
    }
    row_at(group, groups, seed) * GROUP + (within ^ (mixed(seed, group) % GROUP))
}

/// A permutation of the numbers of twice as many bits.
fn shuffled(number: u64, half_bits: u32, seed: u64) -> u64 {
    let mask = (1 << half_bits) - 1;
    let (mut left, mut right) = (number >> half_bits, number & mask);
    for round in 0..ROUNDS {
        let mixed = mixed(seed, (round << 32) | right) & mask;
        (left, right) = (right, left ^ mixed);
    }
    (left << half_bits) | right
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_row_has_one_position(rows in 1_u64..2_000, seed: u64) {
            let mut all: Vec<u64> = (0..rows).map(|at| row_at(at, rows, seed)).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..rows).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_further_pass_over_many_rows_uses_each_once_in_an_order_of_its_own() {
        let rows = FEWEST_GROUPS * GROUP + 5;
        let pass = |seed| (0..rows).map(move |at| next_at(at, rows, seed));
        let mut all: Vec<u64> = pass(1).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..rows));
        let moved: u64 = pass(1).zip(pass(2)).map(|(one, two)| one.abs_diff(two)).sum();
        assert!((moved as f64 / rows as f64 / rows as f64 - 1.0 / 3.0).abs() < 0.03);
    }

    #[test]
    fn every_order_of_a_few_rows_occurs() {
        let mut orders: Vec<Vec<u64>> =
            (0..2_000).map(|seed| (0..4).map(|at| row_at(at, 4, seed)).collect()).collect();
        orders.sort_unstable();
        orders.dedup();
        // A network of two halves of one bit each cannot produce more than the even ones.
        assert!(orders.len() >= 12, "{}", orders.len());
    }

    #[test]
    fn rows_are_far_from_their_place_in_the_file() {
        let rows = 10_000;
        let moved: u64 = (0..rows).map(|at| row_at(at, rows, 1).abs_diff(at)).sum();
        // Two independent uniform positions are a third of the length apart on average.
        let mean = moved as f64 / rows as f64;
        assert!((mean - 3_333.0).abs() < 100.0, "{mean}");
    }
}
