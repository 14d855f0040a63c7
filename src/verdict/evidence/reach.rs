//! The longest stall against which a pass holds.

use super::bet_wealth::{BetSide, BetWealth};
use super::exceedance_slots::{ExceedanceSlots, rounded_up};
use super::run_blocks::BlockSeries;
use crate::units::Ratio;
use crate::verdict::binomial::ErrorRate;

/// Steps by which the block length doubles.
const STEPS_A_DOUBLING: i32 = 4;

/// The longest block length in slots, at least `horizon`, up to which the evidence for a pass
/// suffices at every length. If it does not suffice at the horizon, the longest shorter length at
/// which it does: what the run would have proven for a plan with a shorter horizon. `None` if there
/// is none.
///
/// The lengths go in steps of 2^¼ from the horizon, up to the whole run and down to a slot. A pass
/// does not depend on lengths below its horizon: it states nothing about them.
pub fn reach(slots: &ExceedanceSlots, horizon: usize, allowed: Ratio) -> Option<usize> {
    let suffices =
        |length: &usize| evidence_at(slots, *length, allowed) >= ErrorRate::STATED.ln_evidence();
    let upwards = (0..).map(|step| length(horizon, step));
    let longest = upwards.take_while(|&length| length <= slots.len()).take_while(suffices).last();
    let downwards = (1..).map(|step| length(horizon, -step)).take_while(|&length| length > 0);
    longest.or_else(|| downwards.filter(|&length| length < horizon).find(suffices))
}

/// The length `step` steps above the horizon.
fn length(horizon: usize, step: i32) -> usize {
    let ratio = 2_f64.powf(f64::from(step) / f64::from(STEPS_A_DOUBLING));
    rounded_up(horizon.max(1) as f64 * ratio - 0.5)
}

fn evidence_at(slots: &ExceedanceSlots, length: usize, allowed: Ratio) -> f64 {
    let mut wealth = BetWealth::new(BetSide::Pass, allowed);
    BlockSeries::of(slots, length).bet(&mut wealth);
    wealth.ln_evidence()
}

#[cfg(test)]
mod tests {
    use super::super::exceedance_slots::fixture::one_burst;
    use super::*;

    fn reach_of(slots: &ExceedanceSlots) -> Option<usize> {
        reach(slots, 20, Ratio::new(0.05).unwrap())
    }

    #[test]
    fn it_ends_at_the_first_length_that_does_not_suffice() {
        let slots = one_burst(6000, 3000, 3060);
        let found = reach_of(&slots).unwrap();
        let evidence = evidence_at(&slots, found, Ratio::new(0.05).unwrap());
        assert!(evidence >= ErrorRate::STATED.ln_evidence());
        assert!((20..89).contains(&found), "{found}");
    }

    #[test]
    fn a_clean_run_holds_against_stalls_of_a_67th_of_it() {
        assert_eq!(reach_of(&one_burst(3600, 0, 0)), Some(48));
        assert_eq!(reach_of(&one_burst(1340, 0, 0)), Some(20));
        assert_eq!(reach_of(&one_burst(700, 0, 0)), Some(10));
        assert_eq!(reach_of(&one_burst(66, 0, 0)), None);
    }
}
