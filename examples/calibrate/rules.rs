//! The rules that are compared.

use tollgate::units::Ratio;
use tollgate::verdict::binomial::{ErrorRate, ExceedanceCount};
use tollgate::verdict::evidence::{
    BetSide, BetWealth, BlockEvidence, BlockFinding, BlockRule, BlockSeries, ExceedanceSlots,
    RunBlocks,
};

/// What a rule decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decided {
    Pass,
    Fail,
    Neither,
}

/// The exact binomial test on the number of requests: the rule of tollgate 0.1.
pub(crate) fn old(count: ExceedanceCount, allowed: Ratio) -> Decided {
    if count.proves_below(allowed, ErrorRate::STATED) {
        Decided::Pass
    } else if count.proves_above(allowed, ErrorRate::STATED) {
        Decided::Fail
    } else {
        Decided::Neither
    }
}

/// The block rule at the planned end.
pub(crate) fn blocks(slots: &ExceedanceSlots, rule: BlockRule, allowed: Ratio) -> Decided {
    match rule.test(&[RunBlocks::of(slots, rule.horizon)], allowed) {
        BlockFinding::Holds => Decided::Pass,
        BlockFinding::Breached => Decided::Fail,
        BlockFinding::NoData | BlockFinding::Undecided => Decided::Neither,
    }
}

/// Logarithm of the evidence that ends a run of one budget early: 1,000 (Haybittle and Peto).
const LN_TO_FAIL_EARLY: f64 = 6.907_755_278_982_137;
/// Before this many blocks no run ends early.
const FEWEST_BLOCKS: usize = 30;

/// Whether a run of one budget ends early if the block rule is asked after each block. The whole
/// rule is only asked where the evidence at the horizon suffices.
pub(crate) fn stops_early(slots: &[ExceedanceCount], rule: BlockRule, allowed: Ratio) -> bool {
    let all = ExceedanceSlots::new(slots.iter().copied(), 1.0);
    let mut wealth = BetWealth::new(BetSide::Fail, allowed);
    let peak = all.planned_peak(rule.horizon);
    all.blocks(rule.horizon).enumerate().any(|(at, block)| {
        wealth.bet(block, 1, peak);
        let settled = ((at + 1) * rule.horizon).min(slots.len());
        let earliest = (rule.horizon * FEWEST_BLOCKS).max(slots.len().div_ceil(4));
        wealth.ln_evidence() > 6.9 && (earliest..slots.len()).contains(&settled) && {
            let seen = ExceedanceSlots::new(slots[..settled].iter().copied(), 1.0);
            is_clear_breach(&seen, rule, allowed)
        }
    })
}

/// Whether settled slots prove a breach so clearly that the run can end.
///
/// The evidence has to suffice at twice the block length too. In a short run one stall that is
/// longer than a block is easily the larger part of all exceedances, and the block length that the
/// data ask for is the least reliable.
fn is_clear_breach(slots: &ExceedanceSlots, rule: BlockRule, allowed: Ratio) -> bool {
    let mut blocks = RunBlocks::of(slots, rule.horizon);
    let suffices = |blocks: &RunBlocks| {
        let runs = std::slice::from_ref(blocks);
        BlockEvidence::of(runs, BetSide::Fail, allowed).ln() >= LN_TO_FAIL_EARLY
    };
    suffices(&blocks) && {
        blocks.longer = Some(BlockSeries::of(slots, 2 * blocks.longest().length));
        suffices(&blocks)
    }
}

/// k6 without `abortOnFail`: the quantile of all requests at the end, compared as it is.
pub(crate) fn point_estimate(count: ExceedanceCount, allowed: Ratio) -> Decided {
    if count.over as f64 <= count.of as f64 * allowed.as_f64() {
        Decided::Pass
    } else {
        Decided::Fail
    }
}

/// k6 with `abortOnFail`: the same every two seconds (`thresholdsRate`).
pub(crate) fn peeking(slots: &ExceedanceSlots, two_seconds: usize, allowed: Ratio) -> Decided {
    let mut total = ExceedanceCount::default();
    for stretch in slots.blocks(two_seconds) {
        total = [total, stretch].into_iter().sum();
        if point_estimate(total, allowed) == Decided::Fail {
            return Decided::Fail;
        }
    }
    Decided::Pass
}
