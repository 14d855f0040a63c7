//! Which of the two targets of a duet an arrival goes to.

use super::mix::mixed;
use super::schedule::Shard;
use crate::record::DuetSide;

/// Draws for each arrival of a schedule whether one side of a duet sends it; the other side sends
/// the rest.
///
/// The draw is a function of the seed and of the arrival's index in the whole run, like that of
/// weighted requests: every shard and every lane draws the same side for the same arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArrivalCoin {
    seed: u64,
    side: DuetSide,
}

impl ArrivalCoin {
    /// The draws of weighted requests may have the same seed, and must not depend on the side.
    const OTHER_DRAW: u64 = 0x6475_6574;

    /// The coin of one side.
    pub fn new(seed: u64, side: DuetSide) -> Self {
        Self { seed: seed ^ Self::OTHER_DRAW, side }
    }

    /// Whether this side sends the arrival of an index.
    pub fn takes(self, index: u64) -> bool {
        let is_heads = mixed(self.seed, index) >> 63 == 1;
        is_heads == (self.side == DuetSide::B)
    }
}

/// How many of the first `all` arrivals belong to a shard and, with a coin, to its side.
pub fn share_of_arrivals(coin: Option<ArrivalCoin>, shard: Shard, all: u64) -> u64 {
    let own = shard.share(all);
    coin.map_or(own, |coin| {
        let taken = (0..own).filter(|nth| coin.takes(shard.nth(*nth)));
        taken.count() as u64
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::draw::RequestDraw;

    fn coins(seed: u64) -> [ArrivalCoin; 2] {
        [DuetSide::A, DuetSide::B].map(|side| ArrivalCoin::new(seed, side))
    }

    #[test]
    fn each_arrival_goes_to_exactly_one_side_and_each_side_gets_about_half() {
        for seed in 0..50 {
            let [a, b] = coins(seed);
            assert!((0..1_000).all(|index| a.takes(index) != b.takes(index)));
            let heads = share_of_arrivals(Some(b), Shard::WHOLE, 10_000);
            assert!((4_800..=5_200).contains(&heads), "seed {seed}: {heads}");
        }
    }

    #[test]
    fn shards_and_sides_together_send_every_arrival_once() {
        let shards = [0, 1, 2].map(|index| Shard { index, of: 3 });
        let both = shards
            .iter()
            .flat_map(|shard| coins(7).map(|coin| share_of_arrivals(Some(coin), *shard, 1_001)));
        assert_eq!(both.sum::<u64>(), 1_001);
        assert_eq!(share_of_arrivals(None, shards[2], 1_001), 333);
    }

    #[test]
    fn the_side_does_not_depend_on_the_request_that_is_drawn_with_the_same_seed() {
        let (draw, [_, b]) = (RequestDraw::new(3, [1, 1]), coins(3));
        let same = (0..10_000).filter(|index| b.takes(*index) == (draw.of_measured(*index) == 1));
        assert!((4_800..=5_200).contains(&same.count()));
    }
}
