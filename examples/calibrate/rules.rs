//! The rules that are compared.

use tollgate::units::Ratio;
use tollgate::verdict::binomial::{ErrorRate, ExceedanceCount};
use tollgate::verdict::evidence::{
    BetSide, BetWealth, BlockFinding, BlockRule, EarlyRule, ExceedanceSlots, RunBlocks,
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

/// After how many slots a side ends a run of one budget early, if the rule is asked after each
/// block; `None` if it does not.
///
/// The whole rule is only asked where the evidence at the horizon suffices.
pub(crate) fn stops_early(
    slots: &[ExceedanceCount],
    side: BetSide,
    rule: EarlyRule,
    allowed: Ratio,
) -> Option<usize> {
    let horizon = rule.rule.horizon;
    let all = ExceedanceSlots::new(slots.iter().copied(), 1.0);
    let mut wealth = BetWealth::new(side, allowed);
    let peak = all.planned_peak(horizon);
    all.blocks(horizon).enumerate().find_map(|(at, block)| {
        wealth.bet(block, 1, peak);
        let settled = ((at + 1) * horizon).min(slots.len());
        let may_end = wealth.ln_evidence() >= rule.ln_needed(side) && settled >= rule.earliest();
        let seen = || ExceedanceSlots::new(slots[..settled].iter().copied(), 1.0);
        (may_end && rule.is_clear(side, &seen(), allowed)).then_some(settled)
    })
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
