//! Identifiers as Fly makes them, from a seed.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Crockford's alphabet, in which ULIDs are written.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The stream of the generator that no other draw uses.
const STREAM: u64 = 17;

/// Makes identifiers; the same seed makes the same ones, apart from their times.
#[derive(Debug)]
pub(super) struct IdSource(ChaCha8Rng);

impl IdSource {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(STREAM);
        Self(rng)
    }

    /// The id of a machine: 14 hexadecimal digits.
    pub(super) fn machine(&mut self) -> String {
        self.hex(14)
    }

    /// The nonce of a lease: 12 hexadecimal digits.
    pub(super) fn nonce(&mut self) -> String {
        self.hex(12)
    }

    /// A ULID of a wall time in milliseconds: 26 characters.
    pub(super) fn ulid(&mut self, wall: u64) -> String {
        let time = (0..10).rev().map(|place| (wall >> (5 * place)) & 31);
        let rest: Vec<u64> = (0..16).map(|_| u64::from(self.0.random::<u32>()) & 31).collect();
        let letter = |digit: u64| usize::try_from(digit & 31).map_or('0', |at| ALPHABET[at].into());
        time.chain(rest).map(letter).collect()
    }

    fn hex(&mut self, digits: usize) -> String {
        (0..digits).filter_map(|_| char::from_digit(self.0.random::<u32>() & 15, 16)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulids_are_26_characters_and_begin_with_the_time() {
        let mut ids = IdSource::new(1);
        // The example of the specification: 1469918176385 is 01ARYZ6S41.
        let ulid = ids.ulid(1_469_918_176_385);
        assert!(ulid.starts_with("01ARYZ6S41") && ulid.len() == 26, "{ulid}");
        assert_eq!(ids.machine().len(), 14);
    }
}
