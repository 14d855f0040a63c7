//! A small calibration: how often the rule errs for targets that freeze, in simulated runs.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{BlockFinding, BlockRule, ExceedanceSlots, RunBlocks};
use crate::units::Ratio;
use crate::verdict::binomial::{ErrorRate, ExceedanceCount};

const SERIES: usize = 300;
/// 20 requests a second for two minutes, one slot each; the stall horizon is one second.
const REQUESTS: usize = 2400;
const RULE: BlockRule = BlockRule { horizon: 20, budgets: 1, error_rate: ErrorRate::STATED };

/// A target that exceeds in a share `rate` of its requests, in freezes of `length` requests that
/// begin at random.
fn freezes(length: usize, rate: f64, random: &mut ChaCha8Rng) -> ExceedanceSlots {
    let begins = rate / (length as f64 * (1.0 - rate));
    let mut left = if random.random::<f64>() < rate { random.random_range(1..=length) } else { 0 };
    let over = (0..REQUESTS).map(|_| {
        if left == 0 && random.random::<f64>() < begins {
            left = length;
        }
        let exceeds = left > 0;
        left = left.saturating_sub(1);
        ExceedanceCount { over: u64::from(exceeds), of: 1 }
    });
    ExceedanceSlots::new(over.collect::<Vec<_>>(), 1.0)
}

/// The shares of passes and fails, in percent.
fn rates(length: usize, times_allowed: f64) -> (f64, f64) {
    let allowed = Ratio::new(0.05).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let findings: Vec<_> = (0..SERIES)
        .map(|_| {
            let slots = freezes(length, 0.05 * times_allowed, &mut random);
            RULE.test(&[RunBlocks::of(&slots, RULE.horizon)], allowed)
        })
        .collect();
    let share = |wanted| {
        findings.iter().filter(|found| **found == wanted).count() as f64 * 100.0 / SERIES as f64
    };
    (share(BlockFinding::Holds), share(BlockFinding::Breached))
}

#[test]
fn a_target_at_the_allowed_share_is_misjudged_less_often_than_stated() {
    for length in [1, 20] {
        let (pass, fail) = rates(length, 1.0);
        assert!(pass <= 5.0 && fail <= 5.0, "freezes of {length}: {pass} % / {fail} %");
    }
}

#[test]
fn clear_cases_are_decided() {
    let (pass, fail) = rates(1, 0.2);
    assert!(pass >= 90.0 && fail == 0.0, "{pass} % / {fail} %");
    let (pass, fail) = rates(1, 2.0);
    assert!(pass == 0.0 && fail >= 95.0, "{pass} % / {fail} %");
}
