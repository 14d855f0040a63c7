//! The rule that decides a budget from the evidence of its blocks.

use super::bet_wealth::BetSide;
use super::exceedance_slots::ExceedanceSlots;
use super::run_blocks::{BlockEvidence, BlockSeries, RunBlocks};
use crate::units::Ratio;

/// Logarithm of the evidence that a pass needs: 20, for an error rate of 5 %.
pub(super) const LN_TO_PASS: f64 = 2.995_732_273_553_991;
/// Logarithm of the evidence that a fail needs before the planned end: 1,000 (Haybittle and Peto).
const LN_TO_FAIL_EARLY: f64 = 6.907_755_278_982_137;

/// What the evidence says about one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockFinding {
    /// No exchange was judged.
    NoData,
    /// It holds, at the error rate, if nothing hangs together for longer than the horizon.
    Holds,
    /// It does not hold.
    Breached,
    /// The evidence proves neither.
    Undecided,
}

/// Decides budgets from blocks of the stall horizon and from the longer ones that the data ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockRule {
    /// The stall horizon of the plan in slots.
    pub horizon: usize,
    /// Number of budgets of the whole run that are statements about the target. Each of them can
    /// fail the run, so each needs this many times the evidence (Bonferroni). A pass needs all of
    /// them and no correction.
    pub budgets: usize,
}

impl BlockRule {
    /// Its name in the record.
    pub const NAME: &'static str = "blocks of time, betting e-process";
    /// Before this many blocks no run ends early.
    const FEWEST_BLOCKS_TO_STOP: usize = 30;

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

    /// Whether the settled slots of a run of `planned` slots prove a breach so clearly that it can
    /// end before its planned end.
    ///
    /// The evidence has to suffice at twice the block length too. In a short run one stall that is
    /// longer than a block is easily the larger part of all exceedances, and the block length that
    /// the data ask for is the least reliable.
    pub fn stops_early(self, slots: &ExceedanceSlots, planned: usize, allowed: Ratio) -> bool {
        let earliest = (self.horizon * Self::FEWEST_BLOCKS_TO_STOP).max(planned.div_ceil(4));
        slots.len() >= earliest && {
            let mut blocks = RunBlocks::of(slots, self.horizon);
            let needed = LN_TO_FAIL_EARLY + self.ln_budgets();
            let suffices = |blocks: &RunBlocks| {
                let runs = std::slice::from_ref(blocks);
                BlockEvidence::of(runs, BetSide::Fail, allowed).ln() >= needed
            };
            suffices(&blocks) && {
                blocks.longer = Some(BlockSeries::of(slots, 2 * blocks.longest().length));
                suffices(&blocks)
            }
        }
    }

    /// Logarithm of the evidence that a side needs at the planned end: it is `1/α` of the
    /// [interval](super::ShareInterval) too, so that both always agree.
    pub fn ln_needed(self, side: BetSide) -> f64 {
        match side {
            BetSide::Pass => LN_TO_PASS,
            BetSide::Fail => LN_TO_PASS + self.ln_budgets(),
        }
    }

    fn ln_budgets(self) -> f64 {
        (self.budgets.max(1) as f64).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::super::exceedance_slots::fixture::{blocks_of, one_burst};
    use super::*;

    const ALLOWED: f64 = 0.05;

    fn test(slots: &ExceedanceSlots, budgets: usize) -> BlockFinding {
        let blocks = RunBlocks::of(slots, 1);
        BlockRule { horizon: 1, budgets }.test(&[blocks], Ratio::new(ALLOWED).unwrap())
    }

    #[test]
    fn a_pass_needs_its_67th_clean_block() {
        assert_eq!(test(&blocks_of(20, &[0; 66]), 1), BlockFinding::Undecided);
        assert_eq!(test(&blocks_of(20, &[0; 67]), 9), BlockFinding::Holds);
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
        let rule = BlockRule { horizon: 20, budgets: 1 };
        for over in [40, 55, 80] {
            let slots = one_burst(740, 300, 300 + over);
            let found = rule.test(&[RunBlocks::of(&slots, 20)], Ratio::new(ALLOWED).unwrap());
            assert_eq!(found, BlockFinding::Undecided, "{over}");
        }
    }

    #[test]
    fn a_run_ends_early_on_a_clear_breach_only_and_not_before_30_blocks() {
        let rule = BlockRule { horizon: 1, budgets: 1 };
        let allowed = Ratio::new(ALLOWED).unwrap();
        let clear = |blocks| blocks_of(20, &vec![10; blocks]);
        assert!(!rule.stops_early(&clear(29), 100, allowed));
        assert!(rule.stops_early(&clear(30), 100, allowed));
        assert!(!rule.stops_early(&clear(30), 200, allowed));
        assert!(rule.stops_early(&clear(50), 200, allowed));
        assert!(!rule.stops_early(&blocks_of(20, &[0; 100]), 100, allowed));
    }
}
