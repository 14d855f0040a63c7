//! Exact binomial tests, intervals and ranks for a number of exceedances.
//!
//! All of them assume that exchanges are independent and equally likely to exceed. While a target
//! slows down, exchanges exceed together, and the true error rate is higher than the stated one.

mod tails;

use self::tails::BinomialDistribution;
use crate::units::Ratio;

/// The error rate of one side of a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ErrorRate(f64);

impl ErrorRate {
    /// The error rate every verdict states: 5 %.
    pub const STATED: Self = Self(0.05);

    /// The error rate at which an explanation names a suspect: 0.1 %.
    pub(super) const SUSPICION: Self = Self(0.001);

    /// The error rate of each of several tests, so that all together err no more often than this
    /// (Bonferroni).
    #[must_use]
    pub fn shared_by(self, tests: usize) -> Self {
        Self(self.0 / tests.max(1) as f64)
    }

    /// Natural logarithm of the evidence that errs no more often than this: `1/α`, for evidence
    /// whose mean is at most 1 if the claim is wrong (Markov's and Ville's inequality).
    pub fn ln_evidence(self) -> f64 {
        -self.0.ln()
    }

    /// The error rate as a number between 0 and 1.
    pub fn as_f64(self) -> f64 {
        self.0
    }

    /// One minus the error rate.
    pub fn confidence(self) -> Ratio {
        ratio(1.0 - self.0)
    }

    /// Whether a tail probability is at most the error rate, with a tolerance for rounding.
    fn is_convinced_by(self, tail: f64) -> bool {
        tail <= self.0 * (1.0 + 1e-9)
    }
}

/// The number of exchanges that exceeded a limit, and the number judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExceedanceCount {
    /// Exchanges over the limit.
    pub over: u64,
    /// Exchanges judged.
    pub of: u64,
}

impl std::iter::Sum for ExceedanceCount {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, count| Self {
            over: sum.over + count.over,
            of: sum.of + count.of,
        })
    }
}

impl ExceedanceCount {
    /// The greatest number judged that a test takes as it is. Beyond it, the time of a test grows
    /// with the square root of the number, and an interval is narrower than any figure shows.
    const MOST: u64 = 1 << 32;

    /// The same share of at most [`Self::MOST`] exchanges, which prove less. `divide` rounds the
    /// number of exceedances towards what has to be disproved.
    fn shrunk(self, divide: impl Fn(u128, u128) -> u128) -> Self {
        if self.of <= Self::MOST {
            return self;
        }
        let over = divide(u128::from(self.over) * u128::from(Self::MOST), u128::from(self.of));
        Self { over: u64::try_from(over).unwrap_or(Self::MOST).min(Self::MOST), of: Self::MOST }
    }

    /// Whether the target's exceedance is proven to be below `allowed`: if it were `allowed` or
    /// more, a count this low would have probability at most `alpha`.
    pub fn proves_below(self, allowed: Ratio, alpha: ErrorRate) -> bool {
        let Self { over, .. } = self.shrunk(u128::div_ceil);
        self.of > 0 && alpha.is_convinced_by(self.distribution(allowed.as_f64()).at_most(over))
    }

    /// Whether the target's exceedance is proven to be above `allowed`: if it were `allowed` or
    /// less, a count this high would have probability at most `alpha`.
    pub fn proves_above(self, allowed: Ratio, alpha: ErrorRate) -> bool {
        let Self { over, .. } = self.shrunk(|product, of| product / of);
        self.of > 0 && alpha.is_convinced_by(self.distribution(allowed.as_f64()).at_least(over))
    }

    /// The interval of the target's exceedance that leaves out `alpha` on each side; 0 to 1 if
    /// nothing was judged. It is below `allowed` exactly if [`Self::proves_below`] holds.
    ///
    /// C. J. Clopper and E. S. Pearson, *The use of confidence or fiducial limits illustrated in
    /// the case of the binomial* (1934); the shares are found by bisection.
    pub fn interval(self, alpha: ErrorRate) -> (Ratio, Ratio) {
        let observed = if self.of == 0 { 0.5 } else { self.over as f64 / self.of as f64 };
        let (fewer, more) = (self.shrunk(|product, of| product / of), self.shrunk(u128::div_ceil));
        let low = if fewer.over == 0 {
            0.0
        } else {
            first_share(0.0, observed, |share| {
                self.distribution(share).at_least(fewer.over) > alpha.0
            })
        };
        let high = if more.over >= more.of {
            1.0
        } else {
            first_share(observed, 1.0, |share| {
                self.distribution(share).at_most(more.over) <= alpha.0
            })
        };
        (ratio(low), ratio(high))
    }

    /// About how many more exchanges, exceeding as often as those seen, would prove the exceedance
    /// to be below `allowed`; `None` if neither ten million nor a hundred times as many would.
    pub fn more_to_prove_below(self, allowed: Ratio, alpha: ErrorRate) -> Option<u64> {
        self.more(|longer| longer.proves_below(allowed, alpha), u128::div_ceil)
    }

    /// About how many more exchanges, exceeding as often as those seen, would prove the exceedance
    /// to be above `allowed`; `None` if neither ten million nor a hundred times as many would.
    pub fn more_to_prove_above(self, allowed: Ratio, alpha: ErrorRate) -> Option<u64> {
        self.more(|longer| longer.proves_above(allowed, alpha), |product, of| product / of)
    }

    fn more(
        self,
        proves: impl Fn(Self) -> bool,
        divide: impl Fn(u128, u128) -> u128,
    ) -> Option<u64> {
        if self.of == 0 {
            return None;
        }
        let longer = |of: u64| {
            let over = divide(u128::from(self.over) * u128::from(of), u128::from(self.of));
            Self { over: u64::try_from(over).unwrap_or(of).min(of), of }
        };
        let most = self.of.saturating_mul(100).max(10_000_000);
        first_above(self.of, most, |of| proves(longer(of))).map(|of| of - self.of)
    }

    fn distribution(self, share: f64) -> BinomialDistribution {
        BinomialDistribution { trials: self.of.min(Self::MOST), share }
    }
}

/// The rank, counted from 1 in ascending order, of the value that bounds a quantile from above: the
/// target's quantile is proven to be below a ceiling exactly if this value is.
///
/// `allowed` is the share allowed above the quantile. `None` if `of` values are too few for a
/// bound. H. A. David and H. N. Nagaraja, *Order Statistics* (3rd ed. 2003), §7.1.
pub fn upper_rank(of: u64, allowed: Ratio, alpha: ErrorRate) -> Option<u64> {
    let too_many =
        first_count(0, of, |over| !ExceedanceCount { over, of }.proves_below(allowed, alpha));
    (too_many > 0).then(|| of - too_many + 1)
}

/// The rank, counted from 1 in ascending order, of the value that bounds a quantile from below: the
/// target's quantile is proven to be at or above a ceiling exactly if this value is.
///
/// `allowed` is the share allowed above the quantile. `None` if `of` values are too few for a
/// bound.
pub fn lower_rank(of: u64, allowed: Ratio, alpha: ErrorRate) -> Option<u64> {
    let enough =
        first_count(1, of + 1, |over| ExceedanceCount { over, of }.proves_above(allowed, alpha));
    (enough <= of).then(|| of - enough + 1)
}

/// The first count from `low` on that meets a monotonic condition; `high` if none before it does.
fn first_count(mut low: u64, mut high: u64, holds: impl Fn(u64) -> bool) -> u64 {
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// The first count above `start` that meets a condition, searched in growing steps up to `most` or
/// just past it.
pub(super) fn first_above(start: u64, most: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    let mut below = start;
    let mut step = 1;
    loop {
        let next = start.saturating_add(step);
        if holds(next) {
            return Some(first_count(below + 1, next, holds));
        }
        if next >= most {
            return None;
        }
        (below, step) = (next, step * 2);
    }
}

/// The first share from `low` on that meets a monotonic condition.
fn first_share(low: f64, high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    bisect((low, high), holds).1
}

/// Narrows a range down to where a condition that holds from there on begins: the last number that
/// was found not to meet it, and the first that does.
pub(super) fn bisect((mut low, mut high): (f64, f64), holds: impl Fn(f64) -> bool) -> (f64, f64) {
    for _ in 0..64 {
        let middle = low.midpoint(high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    (low, high)
}

/// A share, limited to what a share can be.
pub(super) fn ratio(share: f64) -> Ratio {
    Ratio::new(share.clamp(0.0, 1.0)).unwrap_or(Ratio::ONE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn share(value: f64) -> Ratio {
        Ratio::new(value).unwrap()
    }

    #[test]
    fn the_fewest_requests_for_a_pass_are_those_the_documentation_names() {
        for (allowed, fewest) in [(0.1, 29), (0.05, 59), (0.01, 299), (0.001, 2995), (0.005, 598)] {
            let clean = |of| {
                ExceedanceCount { over: 0, of }.proves_below(share(allowed), ErrorRate::STATED)
            };
            assert!(clean(fewest) && !clean(fewest - 1), "{allowed}");
        }
    }

    /// The expected shares were found by bisection over exact fractions.
    #[test]
    fn the_interval_is_that_of_clopper_and_pearson() {
        for (over, of, low, high) in [
            (0, 59, 0.0, 0.049_507_609_888_227),
            (2, 59, 0.006_056_389_597_943, 0.102_889_162_709_954),
            (10, 200, 0.027_374_253_525_114, 0.083_335_151_066_372),
            (61, 190, 0.265_104_794_835_866, 0.381_237_417_478_827),
            (59, 59, 0.950_492_390_111_773, 1.0),
            (0, 0, 0.0, 1.0),
        ] {
            let (found_low, found_high) = ExceedanceCount { over, of }.interval(ErrorRate::STATED);
            assert!((found_low.as_f64() - low).abs() < 1e-12, "{over} of {of}: {found_low:?}");
            assert!((found_high.as_f64() - high).abs() < 1e-12, "{over} of {of}: {found_high:?}");
        }
    }

    #[test]
    fn the_interval_of_a_billion_exchanges_is_narrow_and_found() {
        let (low, high) =
            ExceedanceCount { over: 50_000_000, of: 1_000_000_000 }.interval(ErrorRate::STATED);
        let deviation = (0.05 * 0.95 / 1e9_f64).sqrt() * 1.644_853_626_951_472_7;
        assert!((low.as_f64() - (0.05 - deviation)).abs() < 1e-8);
        assert!((high.as_f64() - (0.05 + deviation)).abs() < 1e-8);
    }

    /// The expected ranks follow from sums of exact fractions.
    #[test]
    fn the_ranks_that_bound_a_quantile_are_the_exact_ones() {
        for (of, allowed, upper, lower) in [
            (1, 0.05, None, Some(1)),
            (10, 0.5, Some(9), Some(2)),
            (58, 0.05, None, Some(52)),
            (59, 0.05, Some(59), Some(53)),
            (100, 0.01, None, Some(97)),
            (190, 0.05, Some(186), Some(175)),
            (200, 0.05, Some(196), Some(185)),
            (2000, 0.01, Some(1988), Some(1972)),
            (0, 0.05, None, None),
            (1, 0.5, None, None),
        ] {
            assert_eq!(
                upper_rank(of, share(allowed), ErrorRate::STATED),
                upper,
                "{allowed} of {of}"
            );
            assert_eq!(
                lower_rank(of, share(allowed), ErrorRate::STATED),
                lower,
                "{allowed} of {of}"
            );
        }
    }

    #[test]
    fn the_number_that_settles_it_does_settle_it() {
        let (allowed, alpha) = (share(0.05), ErrorRate::STATED);
        assert_eq!(
            ExceedanceCount { over: 0, of: 58 }.more_to_prove_below(allowed, alpha),
            Some(1)
        );
        assert_eq!(
            ExceedanceCount { over: 2, of: 2 }.more_to_prove_above(allowed, alpha.shared_by(100)),
            Some(1)
        );
        let few = ExceedanceCount { over: 6, of: 200 };
        assert!(!few.proves_below(allowed, alpha));
        let more = few.more_to_prove_below(allowed, alpha).unwrap();
        assert!((50..400).contains(&more), "{more}");
        let of = 200 + more;
        assert!(ExceedanceCount { over: (6 * of).div_ceil(200), of }.proves_below(allowed, alpha));
        assert_eq!(few.more_to_prove_above(allowed, alpha), None);
    }

    #[test]
    fn no_number_settles_an_exceedance_that_is_the_allowed_one() {
        let even = ExceedanceCount { over: 10, of: 200 };
        assert_eq!(even.more_to_prove_below(share(0.05), ErrorRate::STATED), None);
        assert_eq!(even.more_to_prove_above(share(0.05), ErrorRate::STATED), None);
        assert_eq!(
            ExceedanceCount { over: 0, of: 0 }.more_to_prove_below(share(0.05), ErrorRate::STATED),
            None
        );
    }

    proptest! {
        #[test]
        fn the_interval_lies_on_the_side_that_the_test_proves(
            of in 1_u64..2000, part in 0_u64..=100, allowed in 0.001..0.6_f64,
        ) {
            let observed = ExceedanceCount { over: of * part * part / 10_000, of };
            let (low, high) = observed.interval(ErrorRate::STATED);
            prop_assert_eq!(observed.proves_below(share(allowed), ErrorRate::STATED), high.as_f64() <= allowed);
            prop_assert_eq!(observed.proves_above(share(allowed), ErrorRate::STATED), low.as_f64() >= allowed);
        }
    }
}
