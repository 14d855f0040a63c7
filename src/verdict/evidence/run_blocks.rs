//! The blocks of a run, at the stall horizon and at the longer length that the data ask for.

use std::collections::BTreeMap;

use super::bet_wealth::{BetSide, BetWealth};
use super::block_length::block_length;
use super::exceedance_slots::ExceedanceSlots;
use crate::units::Ratio;
use crate::verdict::binomial::ExceedanceCount;

/// The blocks of one length.
///
/// Their order does not matter to the evidence, so that blocks with the same counts are kept once:
/// a long run needs little memory, and an interval is found quickly.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockSeries {
    /// Length of a block in slots.
    pub length: usize,
    /// Maximum number of exchanges that the plan makes due in a block.
    pub planned_peak: f64,
    /// Each different block, and how many there are of it.
    pub blocks: Vec<(ExceedanceCount, u64)>,
}

impl BlockSeries {
    /// The blocks of `length` slots.
    pub fn of(slots: &ExceedanceSlots, length: usize) -> Self {
        let mut numbers: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        for block in slots.blocks(length) {
            *numbers.entry((block.over, block.of)).or_default() += 1;
        }
        let blocks =
            numbers.into_iter().map(|((over, of), number)| (ExceedanceCount { over, of }, number));
        Self { length, planned_peak: slots.planned_peak(length), blocks: blocks.collect() }
    }

    /// Number of blocks.
    pub fn number(&self) -> u64 {
        self.blocks.iter().map(|(_, number)| number).sum()
    }

    /// Number of full blocks that the blocks amount to: one in which less than the planned peak was
    /// due counts for its part.
    pub fn full_blocks(&self) -> f64 {
        let part = |of: u64| (of as f64 / self.planned_peak.max(f64::MIN_POSITIVE)).min(1.0);
        self.blocks.iter().map(|(block, number)| *number as f64 * part(block.of)).sum()
    }

    /// All blocks added up.
    pub fn total(&self) -> ExceedanceCount {
        self.blocks.iter().fold(ExceedanceCount { over: 0, of: 0 }, |total, (block, number)| {
            ExceedanceCount {
                over: total.over + block.over * number,
                of: total.of + block.of * number,
            }
        })
    }

    /// Places the bets of `wealth` on each block.
    pub(super) fn bet(&self, wealth: &mut BetWealth) {
        for &(block, number) in &self.blocks {
            wealth.bet(block, number, self.planned_peak);
        }
    }
}

/// All that evidence needs of one run of one budget: what a record keeps, so that a later run can
/// continue from it and an interval can still be found.
#[derive(Debug, Clone, PartialEq)]
pub struct RunBlocks {
    /// Blocks of the stall horizon.
    pub at_horizon: BlockSeries,
    /// Blocks of the longer length that the data ask for; `None` if they ask for none.
    pub longer: Option<BlockSeries>,
}

impl RunBlocks {
    /// The blocks of settled slots.
    pub fn of(slots: &ExceedanceSlots, horizon: usize) -> Self {
        let length = block_length(slots, horizon);
        Self {
            at_horizon: BlockSeries::of(slots, horizon),
            longer: (length != horizon).then(|| BlockSeries::of(slots, length)),
        }
    }

    /// The longer blocks if there are any, those of the horizon otherwise.
    pub fn longest(&self) -> &BlockSeries {
        self.longer.as_ref().unwrap_or(&self.at_horizon)
    }
}

/// The evidence of one budget for one side.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockEvidence {
    /// With blocks of the stall horizon.
    pub at_horizon: BetWealth,
    /// With the longer blocks that the data ask for.
    pub at_longest: BetWealth,
}

impl BlockEvidence {
    /// The evidence of a run, or of several that continue one another: the bets go on from run to
    /// run. Looking at each of them needs no split of the error rate (Ville's inequality), and
    /// together they prove what one run of their total length would.
    pub fn of(runs: &[RunBlocks], side: BetSide, allowed: Ratio) -> Self {
        let mut at_horizon = BetWealth::new(side, allowed);
        for run in runs {
            run.at_horizon.bet(&mut at_horizon);
        }
        if runs.iter().all(|run| run.longer.is_none()) {
            return Self { at_longest: at_horizon.clone(), at_horizon };
        }
        let mut at_longest = BetWealth::new(side, allowed);
        for run in runs {
            run.longest().bet(&mut at_longest);
        }
        Self { at_horizon, at_longest }
    }

    /// Natural logarithm of the evidence: the smaller one of the two lengths.
    pub fn ln(&self) -> f64 {
        self.at_horizon.ln_evidence().min(self.at_longest.ln_evidence())
    }
}

#[cfg(test)]
mod tests {
    use super::super::exceedance_slots::fixture::{blocks_of, one_burst};
    use super::*;

    #[test]
    fn runs_that_continue_one_another_prove_what_one_long_run_proves() {
        let allowed = Ratio::new(0.05).unwrap();
        let run = |blocks: usize| RunBlocks::of(&blocks_of(20, &vec![0; blocks]), 1);
        let both = BlockEvidence::of(&[run(30), run(37)], BetSide::Pass, allowed);
        let one = BlockEvidence::of(&[run(67)], BetSide::Pass, allowed);
        assert!((both.ln() - one.ln()).abs() < 1e-9);
    }

    #[test]
    fn the_evidence_is_that_of_the_length_that_proves_less() {
        let blocks = RunBlocks::of(&one_burst(2400, 0, 180), 20);
        assert_eq!(blocks.longest().length, 85);
        let evidence = BlockEvidence::of(
            std::slice::from_ref(&blocks),
            BetSide::Fail,
            Ratio::new(0.05).unwrap(),
        );
        let (horizon, longest) =
            (evidence.at_horizon.ln_evidence(), evidence.at_longest.ln_evidence());
        assert!(longest < horizon && (evidence.ln() - longest).abs() < 1e-12);
        assert_eq!(blocks.longest().total(), ExceedanceCount { over: 180, of: 2400 });
        assert_eq!((blocks.at_horizon.number(), blocks.longest().number()), (120, 29));
        assert_eq!(blocks.at_horizon.blocks.len(), 2);
    }
}
