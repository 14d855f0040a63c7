//! Pseudo-random numbers by index: every index has its own, without drawing those before it.

/// A number that depends on every bit of seed and index, uniform over all 64-bit numbers.
///
/// This is the output function of `SplitMix64` (G. L. Steele, D. Lea, C. H. Flood, *Fast Splittable
/// Pseudorandom Number Generators*, OOPSLA 2014), applied to the seed and again to the index.
pub(super) fn mixed(seed: u64, index: u64) -> u64 {
    finalized(index.wrapping_add(finalized(seed)))
}

fn finalized(number: u64) -> u64 {
    const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
    let number = number.wrapping_add(1).wrapping_mul(GOLDEN_GAMMA);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_seed_are_those_of_splitmix64() {
        // The first outputs for the seed 0, from the reference implementation (S. Vigna, 2015).
        let first = [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f];
        assert_eq!([0, 1, 2].map(finalized), first);
    }

    #[test]
    fn seeds_and_indexes_give_different_numbers() {
        let mut seen: Vec<u64> =
            (0..50).flat_map(|seed| (0..50).map(move |at| mixed(seed, at))).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 2_500);
    }
}
