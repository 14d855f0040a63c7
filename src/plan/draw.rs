//! Which of several weighted requests an arrival sends.

use super::mix::mixed;

/// Draws one of several requests for each arrival, in proportion to their weights.
///
/// The draw is a function of the seed and of the arrival's index in the whole run. Every shard and
/// every lane therefore draws the same request for the same arrival, and an index is found without
/// drawing the earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestDraw {
    seed: u64,
    /// The sum of the weights up to and including each request.
    up_to: Vec<u64>,
}

impl RequestDraw {
    /// A draw among requests of these weights, at least one of which is above 0.
    pub fn new(seed: u64, weights: impl IntoIterator<Item = u32>) -> Self {
        let mut sum = 0;
        let up_to = weights.into_iter().map(|weight| {
            sum += u64::from(weight);
            sum
        });
        Self { seed, up_to: up_to.collect() }
    }

    /// The position of the request that a measured arrival sends.
    pub fn of_measured(&self, index: u64) -> usize {
        // The high half of the product is uniform below the total, within total / 2^64.
        let point = (u128::from(mixed(self.seed, index)) * u128::from(self.total())) >> 64;
        self.up_to.partition_point(|&up_to| u128::from(up_to) <= point)
    }

    /// The position of the request that a warm-up arrival sends: each in turn, so that none of them
    /// is cold when measuring starts.
    pub fn of_warmup(&self, index: u64) -> usize {
        usize::try_from(index % self.up_to.len().max(1) as u64).unwrap_or(0)
    }

    fn total(&self) -> u64 {
        self.up_to.last().copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How often each request is drawn in `arrivals` arrivals.
    fn counts(draw: &RequestDraw, arrivals: u64) -> Vec<u64> {
        let mut counts = vec![0; draw.up_to.len()];
        (0..arrivals).for_each(|index| counts[draw.of_measured(index)] += 1);
        counts
    }

    /// The share of the arrivals that send the request at a position.
    fn share(draw: &RequestDraw, position: usize) -> f64 {
        let before = position.checked_sub(1).map_or(0, |before| draw.up_to[before]);
        (draw.up_to[position] - before) as f64 / draw.total() as f64
    }

    /// Pearson's statistic of observed counts against the weights.
    fn chi_square(draw: &RequestDraw, arrivals: u64) -> f64 {
        let terms = counts(draw, arrivals).into_iter().enumerate().map(|(at, count)| {
            let expected = share(draw, at) * arrivals as f64;
            (count as f64 - expected).powi(2) / expected
        });
        terms.sum()
    }

    #[test]
    fn draws_follow_the_weights() {
        // 18.47 is the 99.9 % quantile of chi-square with 4 degrees of freedom.
        for seed in 0..50 {
            let draw = RequestDraw::new(seed, [1, 3, 6, 10, 80]);
            let statistic = chi_square(&draw, 20_000);
            assert!(statistic < 18.47 * 1.4, "seed {seed}: {statistic}");
        }
        let draw = RequestDraw::new(7, [3, 1]);
        assert!(chi_square(&draw, 100_000) < 10.83, "{:?}", counts(&draw, 100_000));
    }

    #[test]
    fn another_seed_draws_other_requests() {
        let drawn = |seed| {
            let draw = RequestDraw::new(seed, [1, 1]);
            (0..64).map(|index| draw.of_measured(index)).collect::<Vec<_>>()
        };
        assert_ne!(drawn(1), drawn(2));
        assert_eq!(drawn(1), drawn(1));
    }

    #[test]
    fn the_warm_up_sends_every_request_in_turn() {
        let draw = RequestDraw::new(7, [1, 1_000, 1]);
        assert_eq!(
            (0..6).map(|index| draw.of_warmup(index)).collect::<Vec<_>>(),
            [0, 1, 2, 0, 1, 2]
        );
    }

    proptest! {
        #[test]
        fn only_requests_with_a_weight_are_drawn(
            weights in proptest::collection::vec(0_u32..5, 1..8),
            seed: u64,
            index: u64,
        ) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let drawn = RequestDraw::new(seed, weights.iter().copied()).of_measured(index);
            prop_assert!(weights[drawn] > 0);
        }

        #[test]
        fn all_shards_together_send_what_one_prober_sends(seed: u64, of in 1_u64..9) {
            let draw = RequestDraw::new(seed, [2, 3, 5]);
            let mut shared = vec![0_u64; 3];
            for shard in 0..of {
                (shard..1_000).step_by(usize::try_from(of).unwrap())
                    .for_each(|index| shared[draw.of_measured(index)] += 1);
            }
            prop_assert_eq!(shared, counts(&draw, 1_000));
        }
    }
}
