//! The interval of the target's exceedance that agrees with the decision.

use super::bet_wealth::BetSide;
use super::block_rule::BlockRule;
use super::run_blocks::{BlockEvidence, RunBlocks};
use crate::units::Ratio;
use crate::verdict::binomial::{bisect, ratio};

/// The shares of exceeding exchanges that the evidence does not exclude.
///
/// `high` is the smallest allowed share that the rule would pass, `low` the largest that it would
/// fail. So `high ≤ p₀` exactly if the evidence for a pass suffices, and `low ≥ p₀` exactly if that
/// for a fail does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShareInterval {
    /// Lower bound; 0 if nothing is excluded.
    pub low: Ratio,
    /// Upper bound; 1 if nothing is excluded.
    pub high: Ratio,
}

impl ShareInterval {
    /// Inverts the evidence for both sides at the error rates of `rule`.
    ///
    /// The evidence for a pass never falls as the allowed share rises. That for a fail never rises,
    /// except where the highest share limits its bets. The search therefore starts at `allowed`, so
    /// that the bound is on the side of it that the decision says in every case.
    pub fn of(runs: &[RunBlocks], allowed: Ratio, rule: BlockRule) -> Self {
        let is_proven = |side: BetSide, share: f64| {
            BlockEvidence::of(runs, side, ratio(share)).ln() >= rule.ln_needed(side)
        };
        let proven_below = |share: f64| is_proven(BetSide::Pass, share);
        let half = half(allowed.as_f64(), proven_below(allowed.as_f64()));
        let (_, high) = bisect(half, proven_below);
        let not_above = |share: f64| !is_proven(BetSide::Fail, share);
        let half = self::half(allowed.as_f64(), not_above(allowed.as_f64()));
        let (low, _) = bisect(half, not_above);
        Self { low: ratio(low), high: ratio(high) }
    }

    /// The exceeding shares between which the *observed* distribution has to be read to bound the
    /// quantile that allows `allowed` above it: the upper bound of the quantile is the value that
    /// the first share exceeds, the lower bound the value that the second one exceeds. `None` if
    /// no value bounds the quantile on that side.
    ///
    /// Blocks are only counted at the budget's own ceiling. The interval there says by how much
    /// more the share varies than with independent requests (`k` of a score interval, E. B. Wilson,
    /// *Probable inference, the law of succession, and statistical inference*, 1927), and that is
    /// assumed at the quantile. The result agrees with the decision: the upper bound is below the
    /// ceiling exactly if `high ≤ allowed`.
    pub fn quantile_shares(
        self,
        observed: Ratio,
        allowed: Ratio,
    ) -> (Option<Ratio>, Option<Ratio>) {
        let (observed, allowed) = (observed.as_f64(), allowed.as_f64());
        let deviation = |bound: Ratio| {
            let bound = bound.as_f64();
            let spread = bound * (1.0 - bound);
            let k = if spread > 0.0 { (bound - observed).powi(2) / spread } else { f64::INFINITY };
            (k * allowed * (1.0 - allowed)).sqrt()
        };
        let upper = allowed - deviation(self.high);
        let lower = allowed + deviation(self.low);
        ((upper >= 0.0).then(|| ratio(upper)), (lower < 1.0).then(|| ratio(lower)))
    }
}

impl From<ShareInterval> for (Ratio, Ratio) {
    fn from(interval: ShareInterval) -> Self {
        (interval.low, interval.high)
    }
}

/// The half of the shares in which a bound is: up to `at` if a condition that holds from the bound
/// on holds there, from it on otherwise.
fn half(at: f64, holds: bool) -> (f64, f64) {
    if holds { (0.0, at) } else { (at, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::super::exceedance_slots::ExceedanceSlots;
    use super::super::exceedance_slots::fixture::{blocks_of, one_burst};
    use super::*;
    use crate::verdict::binomial::ErrorRate;

    fn share(value: f64) -> Ratio {
        Ratio::new(value).unwrap()
    }

    const RULE: BlockRule = BlockRule { horizon: 1, budgets: 3, error_rate: ErrorRate::STATED };

    fn interval(slots: &ExceedanceSlots, allowed: Ratio) -> ShareInterval {
        ShareInterval::of(&[RunBlocks::of(slots, 1)], allowed, RULE)
    }

    #[test]
    fn the_upper_bound_of_clean_blocks_is_where_the_evidence_is_20() {
        let found = interval(&blocks_of(20, &[0; 67]), share(0.05));
        assert!(found.low == Ratio::ZERO && (0.0498..0.05).contains(&found.high.as_f64()));
        let found = interval(&blocks_of(20, &[0; 66]), share(0.05));
        assert!((0.05..0.0508).contains(&found.high.as_f64()), "{found:?}");
    }

    #[test]
    fn the_interval_never_contradicts_the_decision() {
        let mut patterns: Vec<ExceedanceSlots> = Vec::new();
        for over in 0..=20 {
            patterns.extend([3, 30, 90, 200].map(|blocks| blocks_of(20, &vec![over; blocks])));
            patterns.push(one_burst(400, 0, over * 20));
        }
        for (slots, allowed) in
            patterns.iter().flat_map(|slots| [0.01, 0.05, 0.1, 0.5, 0.9].map(|p| (slots, share(p))))
        {
            let found = interval(slots, allowed);
            let proven = |side| {
                let evidence = BlockEvidence::of(&[RunBlocks::of(slots, 1)], side, allowed);
                evidence.ln() >= RULE.ln_needed(side)
            };
            assert_eq!(found.high <= allowed, proven(BetSide::Pass), "{found:?} {allowed:?}");
            assert_eq!(found.low >= allowed, proven(BetSide::Fail), "{found:?} {allowed:?}");
            assert!(found.low <= found.high, "{found:?}");
            let count = slots.total();
            let observed = share(count.over as f64 / count.of as f64);
            assert!(found.low <= observed && observed <= found.high, "{found:?} {observed:?}");
            let (upper, lower) = found.quantile_shares(observed, allowed);
            if (found.high.as_f64() - allowed.as_f64()).abs() > 1e-9 {
                assert_eq!(
                    upper.is_some_and(|upper| upper.as_f64() >= observed.as_f64() - 1e-12),
                    found.high <= allowed,
                    "{found:?} {observed:?} {allowed:?}"
                );
            }
            if (found.low.as_f64() - allowed.as_f64()).abs() > 1e-9 && count.over > 0 {
                assert_eq!(
                    lower.is_some_and(|lower| lower.as_f64() <= observed.as_f64() + 1e-12),
                    found.low >= allowed,
                    "{found:?} {observed:?} {allowed:?}"
                );
            }
        }
    }

    #[test]
    fn nothing_and_everything_are_bounded_on_one_side_only() {
        let all = interval(&blocks_of(20, &[20; 30]), share(0.05));
        assert!(all.high == Ratio::ONE && all.low.as_f64() > 0.5, "{all:?}");
        let none = interval(&blocks_of(20, &[]), share(0.05));
        assert!(none.high == Ratio::ONE && none.low == Ratio::ZERO, "{none:?}");
    }
}
