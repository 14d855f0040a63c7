//! How much longer an undecided run would have to go on.

use super::bet_wealth::{BetSide, BetWealth};
use super::block_rule::BlockRule;
use super::exceedance_slots::rounded_up;
use super::run_blocks::{BlockEvidence, RunBlocks};
use super::stall_horizon::fewest_blocks_at;
use crate::units::Ratio;
use crate::verdict::binomial::bisect;

/// A run this many times as long as the one seen is not worth suggesting.
const FARTHEST: f64 = 100.0;

/// What would settle an undecided budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outlook {
    /// This many more slots in which nothing exceeds prove that it holds.
    IfClean {
        /// Number of slots.
        slots: usize,
    },
    /// About this many more slots settle it, at even odds, if the target stays as it is.
    AtThisRate {
        /// What they would prove.
        side: BetSide,
        /// Number of slots.
        slots: usize,
    },
    /// The exceedance is too close to the allowed one.
    TooClose,
}

impl Outlook {
    /// What would settle a budget that these runs do not decide.
    ///
    /// A run without an exceedance needs the clean blocks that it lacks. For any other, blocks like
    /// those seen are assumed to follow, so that each bet goes on winning or losing at its mean
    /// rate. `B·(ln 20 − ln E)/ĝ`, with the mean rate `ĝ` of the best bet, is nearly the same but
    /// too short: the other bets' wealth is part of `E` and grows more slowly.
    pub fn of(runs: &[RunBlocks], allowed: Ratio, rule: BlockRule) -> Self {
        if runs.iter().all(|run| run.at_horizon.total().over == 0) {
            return Self::if_clean(runs, allowed, rule);
        }
        let outlooks = [BetSide::Pass, BetSide::Fail].into_iter().filter_map(|side| {
            let evidence = BlockEvidence::of(runs, side, allowed);
            let longest = runs.last().map_or(rule.horizon, |run| run.longest().length);
            more(&evidence, (rule.horizon, longest), rule.ln_needed(side)).map(|more| (more, side))
        });
        outlooks
            .min_by_key(|&(more, _)| more)
            .map_or(Self::TooClose, |(slots, side)| Self::AtThisRate { side, slots })
    }

    fn if_clean(runs: &[RunBlocks], allowed: Ratio, rule: BlockRule) -> Self {
        let full: f64 = runs.iter().map(|run| run.at_horizon.full_blocks()).sum();
        let all: u64 = runs.iter().map(|run| run.at_horizon.number()).sum();
        // At 1/s only one block of 50 ms in twenty is full.
        let blocks_per_full = if full > 0.0 { (all as f64 / full).max(1.0) } else { 1.0 };
        let lacking = fewest_blocks_at(allowed, rule.error_rate)
            .map(|needed| (needed as f64 - full).max(0.0));
        lacking.map_or(Self::TooClose, |lacking| Self::IfClean {
            slots: rounded_up((lacking * blocks_per_full).ceil() * rule.horizon as f64),
        })
    }
}

/// Slots until the evidence suffices at both lengths; `None` if it does not within [`FARTHEST`]
/// times as long.
fn more(
    evidence: &BlockEvidence,
    (horizon, longest): (usize, usize),
    needed: f64,
) -> Option<usize> {
    let at = |wealth: &BetWealth, length: usize| {
        let times = times_as_long(wealth, needed)?;
        Some(rounded_up((times - 1.0) * wealth.blocks() as f64 * length as f64))
    };
    Some(at(&evidence.at_horizon, horizon)?.max(at(&evidence.at_longest, longest)?))
}

/// How many times as long the series of blocks has to be for the evidence to suffice.
fn times_as_long(wealth: &BetWealth, needed: f64) -> Option<f64> {
    let suffices = |times: f64| wealth.ln_evidence_extended(times) >= needed;
    if suffices(1.0) || !suffices(FARTHEST) {
        return suffices(1.0).then_some(1.0);
    }
    Some(bisect((1.0, FARTHEST), suffices).1)
}

#[cfg(test)]
mod tests {
    use super::super::block_rule::BlockFinding;
    use super::super::exceedance_slots::ExceedanceSlots;
    use super::super::exceedance_slots::fixture::{blocks_of, one_burst};
    use super::*;
    use crate::verdict::binomial::ErrorRate;
    use crate::verdict::binomial::ExceedanceCount;

    fn outlook(slots: &ExceedanceSlots, horizon: usize) -> Outlook {
        let rule = BlockRule { horizon, budgets: 1, error_rate: ErrorRate::STATED };
        Outlook::of(&[RunBlocks::of(slots, horizon)], Ratio::new(0.05).unwrap(), rule)
    }

    #[test]
    fn a_clean_run_needs_the_blocks_it_lacks() {
        assert_eq!(outlook(&blocks_of(20, &[0; 37]), 1), Outlook::IfClean { slots: 30 });
        assert_eq!(outlook(&one_burst(750, 0, 0), 20), Outlook::IfClean { slots: 600 });
    }

    #[test]
    fn a_clean_run_of_few_requests_needs_the_time_in_which_enough_blocks_fill() {
        let counts = (0..200).map(|at| ExceedanceCount { over: 0, of: u64::from(at % 20 == 0) });
        let slots = ExceedanceSlots::new(counts, 1.0);
        assert_eq!(outlook(&slots, 1), Outlook::IfClean { slots: (67 - 10) * 20 });
    }

    #[test]
    fn one_burst_needs_minutes_to_be_distinguished_from_chance() {
        let found = outlook(&one_burst(740, 300, 355), 20);
        let Outlook::AtThisRate { side: BetSide::Fail, slots } = found else {
            panic!("{found:?}");
        };
        assert!((15_000..20_000).contains(&slots), "{slots}");
    }

    #[test]
    fn the_evidence_of_blocks_like_those_seen_suffices_after_the_time_named() {
        let one_of_ten =
            |blocks: usize| blocks_of(20, &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0].repeat(blocks));
        let Outlook::AtThisRate { side: BetSide::Pass, slots } = outlook(&one_of_ten(5), 1) else {
            panic!("no outlook");
        };
        let rule = BlockRule { horizon: 1, budgets: 1, error_rate: ErrorRate::STATED };
        let test = |blocks: usize| {
            let runs = [RunBlocks::of(&one_of_ten(blocks), 1)];
            rule.test(&runs, Ratio::new(0.05).unwrap())
        };
        let tens = (50 + slots).div_ceil(10);
        assert_eq!(test(tens), BlockFinding::Holds);
        assert_eq!(test(tens - 2), BlockFinding::Undecided);
    }

    #[test]
    fn an_exceedance_as_often_as_allowed_is_never_settled() {
        assert_eq!(outlook(&blocks_of(20, &[1; 100]), 1), Outlook::TooClose);
    }
}
