//! The rule that decides a budget from the evidence of its blocks.

use super::bet_wealth::BetSide;
use super::run_blocks::{BlockEvidence, RunBlocks};
use crate::units::Ratio;
use crate::verdict::binomial::ErrorRate;

/// What the evidence says about one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockFinding {
    /// No exchange was judged.
    NoData,
    /// It holds, at the error rate, if latencies are not correlated for longer than the horizon.
    Holds,
    /// It does not hold.
    Breached,
    /// The evidence proves neither.
    Undecided,
}

/// Decides budgets from blocks of the stall horizon and from the longer ones that the data ask for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockRule {
    /// The stall horizon of the plan in slots.
    pub horizon: usize,
    /// Number of budgets of the whole run that are statements about the target. Each of them can
    /// fail the run, so each needs this many times the evidence (Bonferroni). A pass needs all of
    /// them and no correction.
    pub budgets: usize,
    /// How often each side of the decision may be wrong.
    pub error_rate: ErrorRate,
}

impl BlockRule {
    /// Its name in the record.
    pub const NAME: &'static str = "blocks of time, betting e-process";

    /// Tests a budget that allows the target to exceed in a share `allowed` of its exchanges, at
    /// the planned end of the last of `runs`: of one run, or of several that continue one another.
    pub fn test(self, runs: &[RunBlocks], allowed: Ratio) -> BlockFinding {
        let is_proven = |side| BlockEvidence::of(runs, side, allowed).ln() >= self.ln_needed(side);
        if runs.iter().all(|run| run.at_horizon.total().of == 0) {
            BlockFinding::NoData
        } else if is_proven(BetSide::Pass) {
            BlockFinding::Holds
        } else if is_proven(BetSide::Fail) {
            BlockFinding::Breached
        } else {
            BlockFinding::Undecided
        }
    }

    /// Logarithm of the evidence that a side needs: ln 20 for a pass at the stated error rate. It
    /// is that of the [interval](super::ShareInterval) too, so that both always agree.
    pub fn ln_needed(self, side: BetSide) -> f64 {
        let error_rate = match side {
            BetSide::Pass => self.error_rate,
            BetSide::Fail => self.error_rate.shared_by(self.budgets),
        };
        error_rate.ln_evidence()
    }
}

#[cfg(test)]
mod tests {
    use super::super::exceedance_slots::ExceedanceSlots;
    use super::super::exceedance_slots::fixture::{blocks_of, one_burst};
    use super::*;

    const ALLOWED: f64 = 0.05;

    fn test(slots: &ExceedanceSlots, budgets: usize) -> BlockFinding {
        let blocks = RunBlocks::of(slots, 1);
        BlockRule { horizon: 1, budgets, error_rate: ErrorRate::STATED }
            .test(&[blocks], Ratio::new(ALLOWED).unwrap())
    }

    #[test]
    fn a_pass_needs_its_67th_clean_block() {
        assert_eq!(test(&blocks_of(20, &[0; 66]), 1), BlockFinding::Undecided);
        assert_eq!(test(&blocks_of(20, &[0; 67]), 9), BlockFinding::Holds);
    }

    #[test]
    fn a_verdict_that_shares_the_error_rate_needs_more_evidence_for_either_side() {
        let shared = |slots: &ExceedanceSlots, verdicts| {
            let rule = BlockRule {
                horizon: 1,
                budgets: 1,
                error_rate: ErrorRate::STATED.shared_by(verdicts),
            };
            rule.test(&[RunBlocks::of(slots, 1)], Ratio::new(ALLOWED).unwrap())
        };
        let (clean, slow) = (blocks_of(20, &[0; 67]), blocks_of(100, &[10; 10]));
        assert_eq!(
            (shared(&clean, 1), shared(&slow, 1)),
            (BlockFinding::Holds, BlockFinding::Breached)
        );
        assert_eq!(shared(&clean, 10), BlockFinding::Undecided);
        assert_eq!(shared(&slow, 10), BlockFinding::Undecided);
        // 20 · 10 needs about ln 10 / ln (1 / 0.95) = 45 more clean blocks.
        assert_eq!(shared(&blocks_of(20, &[0; 114]), 10), BlockFinding::Holds);
    }

    #[test]
    fn no_data_is_never_a_pass() {
        assert_eq!(test(&blocks_of(0, &[0; 600]), 1), BlockFinding::NoData);
        assert_eq!(test(&blocks_of(20, &[]), 1), BlockFinding::NoData);
    }

    #[test]
    fn each_further_budget_makes_a_fail_harder() {
        let slots = blocks_of(100, &[10; 10]);
        let evidence = BlockEvidence::of(
            &[RunBlocks::of(&slots, 1)],
            BetSide::Fail,
            Ratio::new(ALLOWED).unwrap(),
        );
        assert!((20.0..100.0).contains(&evidence.ln().exp()), "{}", evidence.ln().exp());
        assert_eq!(test(&slots, 1), BlockFinding::Breached);
        assert_eq!(test(&slots, 5), BlockFinding::Undecided);
    }

    #[test]
    fn one_burst_proves_nothing() {
        let rule = BlockRule { horizon: 20, budgets: 1, error_rate: ErrorRate::STATED };
        for over in [40, 55, 80] {
            let slots = one_burst(740, 300, 300 + over);
            let found = rule.test(&[RunBlocks::of(&slots, 20)], Ratio::new(ALLOWED).unwrap());
            assert_eq!(found, BlockFinding::Undecided, "{over}");
        }
    }
}
