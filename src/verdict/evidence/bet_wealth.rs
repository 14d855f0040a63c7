//! The betting e-process: the wealth of bets on the exceeding share of blocks.

use crate::units::Ratio;
use crate::verdict::binomial::ExceedanceCount;

/// What the bets try to prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BetSide {
    /// That the target exceeds less often than allowed.
    Pass,
    /// That the target exceeds more often than allowed.
    Fail,
}

impl BetSide {
    /// The grid of bets: the share bet on, as a multiple of the allowed one, and its weight.
    ///
    /// Half of the weight for a pass is on a target that never exceeds, because a clean run decides
    /// soonest and is the most frequent one.
    fn grid(self) -> &'static [(f64, f64)] {
        const PASS: [(f64, f64); 7] = [
            (0.0, 0.5),
            (0.125, 1.0 / 12.0),
            (0.25, 1.0 / 12.0),
            (0.375, 1.0 / 12.0),
            (0.5, 1.0 / 12.0),
            (0.625, 1.0 / 12.0),
            (0.75, 1.0 / 12.0),
        ];
        const FAIL: [(f64, f64); 8] = [
            (1.25, 0.125),
            (1.5, 0.125),
            (2.0, 0.125),
            (3.0, 0.125),
            (4.0, 0.125),
            (6.0, 0.125),
            (10.0, 0.125),
            (15.0, 0.125),
        ];
        match self {
            Self::Pass => &PASS,
            Self::Fail => &FAIL,
        }
    }
}

/// Bets that exceedances are as frequent as a share `q` says, against the allowed share.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bet {
    weight: f64,
    /// Factor of a block in which every exchange exceeds: `q / p₀`.
    if_over: f64,
    /// Factor of a block in which none exceeds: `(1 − q) / (1 − p₀)`.
    if_within: f64,
    /// Logarithm of the product of the factors of all blocks.
    ln_wealth: f64,
}

/// The wealth of all bets of one side, and how many blocks they were placed on.
///
/// The evidence is `E = Σ_q w_q Π_j [X_j·q/p₀ + (1 − X_j)(1 − q)/(1 − p₀)]`, where `X_j` is the
/// exceeding share of block `j`. While the target's exceedance is the allowed share `p₀` (or worse
/// for the side), each factor has a mean of at most 1 given the blocks before it. `E` then reaches
/// `1/α` with probability at most `α`, at any time (Ville's inequality). The bet is that of
/// I. Waudby-Smith and A. Ramdas, *Estimating means of bounded random variables by betting*, JRSS B
/// (2024), mixed over a fixed grid.
#[derive(Debug, Clone, PartialEq)]
pub struct BetWealth {
    bets: Vec<Bet>,
    blocks: u64,
}

impl BetWealth {
    /// Shares above this one are not bet on: such a bet would lose everything to one clean block.
    const HIGHEST_SHARE: f64 = 0.95;

    /// The bets before the first block, against the share `allowed`, between 0 and 1.
    pub fn new(side: BetSide, allowed: Ratio) -> Self {
        let allowed = allowed.as_f64();
        let bets = side.grid().iter().map(|&(multiple, weight)| {
            let share = (multiple * allowed).min(allowed.max(Self::HIGHEST_SHARE));
            let if_over = if multiple == 0.0 { 0.0 } else { share / allowed };
            let if_within = (1.0 - share) / (1.0 - allowed);
            Bet { weight, if_over, if_within, ln_wealth: 0.0 }
        });
        Self { bets: bets.collect(), blocks: 0 }
    }

    /// Bets on a `number` of blocks with the same counts. `planned_peak` is the maximum number of
    /// exchanges that the plan makes due in a block: a block with fewer counts for less, because
    /// the budget is about requests, and quiet blocks must not outweigh those of busy ones.
    pub fn bet(&mut self, block: ExceedanceCount, number: u64, planned_peak: f64) {
        self.blocks += number;
        if block.of == 0 || planned_peak <= 0.0 {
            return;
        }
        let share = block.over as f64 / block.of as f64;
        let stake = (block.of as f64 / planned_peak).min(1.0);
        for bet in &mut self.bets {
            let factor = share * bet.if_over + (1.0 - share) * bet.if_within;
            bet.ln_wealth += number as f64 * (stake * (factor - 1.0)).ln_1p();
        }
    }

    /// Natural logarithm of the evidence `E`.
    pub fn ln_evidence(&self) -> f64 {
        let highest = self.bets.iter().map(|bet| bet.ln_wealth).fold(f64::NEG_INFINITY, f64::max);
        if highest == f64::NEG_INFINITY {
            return highest;
        }
        let relative = self.bets.iter().map(|bet| bet.weight * (bet.ln_wealth - highest).exp());
        highest + relative.sum::<f64>().ln()
    }

    /// Natural logarithm of the evidence of a series `times` as long in which blocks are like those
    /// seen.
    pub(super) fn ln_evidence_extended(&self, times: f64) -> f64 {
        let mut longer = self.clone();
        for bet in &mut longer.bets {
            bet.ln_wealth *= times;
        }
        longer.ln_evidence()
    }

    /// Number of blocks bet on.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(side: BetSide, blocks: impl IntoIterator<Item = (u64, u64)>) -> f64 {
        let mut wealth = BetWealth::new(side, Ratio::new(0.05).unwrap());
        blocks
            .into_iter()
            .for_each(|(over, of)| wealth.bet(ExceedanceCount { over, of }, 1, 100.0));
        wealth.ln_evidence().exp()
    }

    fn close(found: f64, right: f64) {
        assert!((found / right - 1.0).abs() < 1e-8, "{found} is not {right}");
    }

    /// The expected values are products calculated in Python.
    #[test]
    fn the_evidence_for_a_pass_is_the_exact_product() {
        close(evidence(BetSide::Pass, vec![(0, 100); 66]), 19.132_412_4);
        close(evidence(BetSide::Pass, vec![(0, 100); 67]), 20.070_707);
        close(evidence(BetSide::Pass, vec![(1, 100); 84]), 20.584_099_2);
        let one_full = [vec![(0, 100); 119], vec![(100, 100)]].concat();
        close(evidence(BetSide::Pass, one_full), 7.514_839_53);
    }

    #[test]
    fn the_evidence_for_a_fail_is_the_exact_product() {
        close(evidence(BetSide::Fail, vec![(10, 100); 20]), 8_109.500_36);
        close(evidence(BetSide::Fail, vec![(100, 100); 2]), 49.226_562_5);
    }

    #[test]
    fn a_block_counts_for_its_part_of_the_planned_peak() {
        close(evidence(BetSide::Fail, [(0, 0), (50, 50)]), (1.0 + 0.5 * 4.343_75) * 1.0);
        close(evidence(BetSide::Pass, [(0, 0); 500]), 1.0);
    }

    #[test]
    fn long_runs_neither_overflow_nor_lose_everything() {
        let clean = |blocks| {
            let mut wealth = BetWealth::new(BetSide::Pass, Ratio::new(0.05).unwrap());
            wealth.bet(ExceedanceCount { over: 0, of: 100 }, blocks, 100.0);
            wealth.ln_evidence()
        };
        close(clean(1_000_000), 1e6 * (1.0_f64 / 0.95).ln() + 0.5_f64.ln());
        assert!(evidence(BetSide::Pass, vec![(100, 100); 5_000]).abs() < f64::MIN_POSITIVE);
    }

    #[test]
    fn no_bet_is_possible_above_the_highest_share() {
        for allowed in [0.5, 0.95, 0.99] {
            let mut wealth = BetWealth::new(BetSide::Fail, Ratio::new(allowed).unwrap());
            wealth.bet(ExceedanceCount { over: 0, of: 100 }, 1, 100.0);
            assert!(wealth.ln_evidence() > -5.0 && wealth.ln_evidence() < 1e-12, "{allowed}");
        }
    }
}
