//! The rule that ends a run before its planned end.

use super::bet_wealth::BetSide;
use super::block_rule::BlockRule;
use super::exceedance_slots::ExceedanceSlots;
use super::run_blocks::{BlockEvidence, BlockSeries, RunBlocks};
use crate::units::Ratio;

/// Decides whether the settled part of a run proves a side so clearly that the run can end.
///
/// The evidence is the same as at the planned end, but much more of it is needed. So looking at a
/// run all the time hardly changes how often its verdict is wrong, and the planned end keeps its
/// error rate. J. L. Haybittle, *Repeated assessment of results in clinical trials of cancer
/// treatment* (1971); R. Peto et al., *Design and analysis of randomized clinical trials* (1976).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EarlyRule {
    /// The rule that decides at the planned end.
    pub rule: BlockRule,
    /// Planned length of the run in slots.
    pub planned: usize,
}

impl EarlyRule {
    /// No run ends before this many blocks.
    pub const FEWEST_BLOCKS: usize = 30;
    /// The evidence that ends a run of one budget. A fail of a run with several budgets needs this
    /// many times the number of tested budgets.
    pub const EVIDENCE: f64 = 1_000.0;

    /// The number of settled slots from which on a run may end: 30 blocks, and a quarter of the
    /// planned length.
    pub fn earliest(self) -> usize {
        (self.rule.horizon.saturating_mul(Self::FEWEST_BLOCKS)).max(self.planned.div_ceil(4))
    }

    /// Whether the `settled` slots prove a side, before the planned end, so clearly that the run
    /// can end.
    ///
    /// For a fail the evidence has to suffice at twice the block length that the data ask for too.
    /// In a short run one stall that is longer than a block is easily the larger part of all
    /// exceedances, and that block length is then the least reliable.
    pub fn is_clear(self, side: BetSide, settled: &ExceedanceSlots, allowed: Ratio) -> bool {
        if !(self.earliest()..self.planned).contains(&settled.len()) {
            return false;
        }
        let mut blocks = RunBlocks::of(settled, self.rule.horizon);
        let needed = self.ln_needed(side);
        let suffices = |blocks: &RunBlocks| {
            BlockEvidence::of(std::slice::from_ref(blocks), side, allowed).ln() >= needed
        };
        if side == BetSide::Pass || !suffices(&blocks) {
            return suffices(&blocks);
        }
        blocks.longer = Some(BlockSeries::of(settled, 2 * blocks.longest().length));
        suffices(&blocks)
    }

    /// Natural logarithm of the evidence that a side needs. A pass needs every budget, so it needs
    /// no correction for their number.
    pub fn ln_needed(self, side: BetSide) -> f64 {
        let budgets = match side {
            BetSide::Pass => 1,
            BetSide::Fail => self.rule.budgets.max(1),
        };
        (Self::EVIDENCE * budgets as f64).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::super::exceedance_slots::fixture::{blocks_of, one_burst};
    use super::*;
    use crate::verdict::binomial::ErrorRate;

    fn is_clear(
        side: BetSide,
        slots: &ExceedanceSlots,
        (horizon, planned): (usize, usize),
    ) -> bool {
        let rule = BlockRule { horizon, budgets: 1, error_rate: ErrorRate::STATED };
        EarlyRule { rule, planned }.is_clear(side, slots, Ratio::new(0.05).unwrap())
    }

    fn is_clear_fail(over: &[u64], planned: usize) -> bool {
        is_clear(BetSide::Fail, &blocks_of(20, over), (1, planned))
    }

    #[test]
    fn a_steady_breach_is_clear_from_30_blocks_and_a_quarter_of_the_run() {
        let breached = |blocks: usize| vec![10; blocks];
        assert!(!is_clear_fail(&breached(29), 100) && is_clear_fail(&breached(30), 100));
        assert!(!is_clear_fail(&breached(49), 200) && is_clear_fail(&breached(50), 200));
    }

    #[test]
    fn the_planned_end_is_not_early() {
        assert!(is_clear_fail(&[10; 39], 40) && !is_clear_fail(&[10; 40], 40));
    }

    #[test]
    fn a_breach_that_would_fail_the_planned_end_does_not_end_the_run() {
        let just: Vec<u64> = [0, 4].repeat(20);
        let slots = blocks_of(20, &just);
        let evidence = BlockEvidence::of(
            &[RunBlocks::of(&slots, 1)],
            BetSide::Fail,
            Ratio::new(0.05).unwrap(),
        );
        assert!((20_f64.ln()..1_000_f64.ln()).contains(&evidence.ln()), "{}", evidence.ln());
        assert!(!is_clear_fail(&just, 100));
    }

    #[test]
    fn each_further_budget_needs_more_evidence_for_a_fail_and_none_for_a_pass() {
        let rule = |budgets| EarlyRule {
            rule: BlockRule { horizon: 1, budgets, error_rate: ErrorRate::STATED },
            planned: 100,
        };
        for (budgets, fail) in [(0, 1_000.0), (1, 1_000.0), (4, 4_000.0)] {
            let (pass, needed) =
                (rule(budgets).ln_needed(BetSide::Pass), rule(budgets).ln_needed(BetSide::Fail));
            assert!((pass.exp() - 1_000.0).abs() < 1e-6 && (needed.exp() - fail).abs() < 1e-6);
        }
    }

    /// Stalls of 3 blocks: each is one event, and two of them are too few to end a run.
    #[test]
    fn two_stalls_longer_than_a_block_do_not_end_the_run() {
        let stalls = (0..1_200_u64).map(|at| u64::from((300..360).contains(&(at % 600))));
        let counts = stalls.map(|over| crate::verdict::binomial::ExceedanceCount { over, of: 1 });
        let slots = ExceedanceSlots::new(counts, 1.0);
        assert!(!is_clear(BetSide::Fail, &slots, (20, 2_400)));
        assert!(!is_clear(BetSide::Fail, &one_burst(1_200, 300, 420), (20, 2_400)));
    }

    #[test]
    fn a_clean_run_is_a_clear_pass_after_147_blocks() {
        let clean =
            |blocks: usize| is_clear(BetSide::Pass, &blocks_of(20, &vec![0; blocks]), (1, 180));
        assert!(!clean(146) && clean(147));
    }
}
