//! How long a plan must be: the default stall horizon and the blocks that a decision needs.

use std::time::Duration;

use super::bet_wealth::{BetSide, BetWealth};
use super::exceedance_slots::rounded_up;
use crate::units::Ratio;
use crate::verdict::binomial::{ErrorRate, ExceedanceCount, first_above};

/// The number of blocks, times the allowed share, at which a target that exceeds half as often as
/// allowed still passes in most runs, if its exceedances are single requests and not stalls.
const RECOMMENDED: f64 = 9.0;

/// The stall horizon of a plan that names none: a run of `duration` then has as many blocks as
/// are recommended for the smallest share that a budget allows.
pub fn default_horizon(duration: Duration, smallest_allowed: Ratio) -> Duration {
    const SHORTEST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(1);
    duration.mul_f64(smallest_allowed.as_f64() / RECOMMENDED).clamp(SHORTEST, LONGEST)
}

/// The fewest blocks that can prove a budget, if no request exceeds it. `None` if nothing may
/// exceed, so little that no run is long enough, or everything.
pub fn fewest_blocks(allowed: Ratio) -> Option<u64> {
    fewest_blocks_at(allowed, ErrorRate::STATED)
}

/// [`fewest_blocks`] at another error rate.
pub fn fewest_blocks_at(allowed: Ratio, error_rate: ErrorRate) -> Option<u64> {
    if allowed == Ratio::ZERO || allowed == Ratio::ONE {
        return None;
    }
    let suffices = |blocks: u64| {
        let mut wealth = BetWealth::new(BetSide::Pass, allowed);
        wealth.bet(ExceedanceCount { over: 0, of: 1 }, blocks, 1.0);
        wealth.ln_evidence() >= error_rate.ln_evidence()
    };
    first_above(0, MOST_BLOCKS, suffices)
}

/// The greatest number of blocks that is searched: a run of an age.
const MOST_BLOCKS: u64 = 1 << 50;

/// The blocks that a plan should have: `9 / p₀`, rounded up. `None` if nothing may exceed.
pub fn recommended_blocks(allowed: Ratio) -> Option<u64> {
    (allowed != Ratio::ZERO).then(|| rounded_up(RECOMMENDED / allowed.as_f64()) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(value: f64) -> Ratio {
        Ratio::new(value).unwrap()
    }

    #[test]
    fn the_fewest_blocks_are_those_the_documentation_names() {
        for (allowed, fewest) in
            [(0.5, 5), (0.1, 33), (0.05, 67), (0.01, 342), (0.005, 686), (0.001, 3435)]
        {
            assert_eq!(fewest_blocks(share(allowed)), Some(fewest), "{allowed}");
        }
        assert_eq!(fewest_blocks(Ratio::ZERO), None);
        assert_eq!(fewest_blocks(Ratio::ONE), None);
        assert_eq!(fewest_blocks(share(1e-18)), None);
        assert!(fewest_blocks(share(1e-12)).is_some_and(|blocks| blocks > 1 << 40));
        assert_eq!(recommended_blocks(share(0.05)), Some(180));
        assert_eq!(recommended_blocks(share(0.01)), Some(900));
    }

    #[test]
    fn a_smaller_error_rate_needs_more_blocks() {
        let fewest =
            |verdicts| fewest_blocks_at(share(0.05), ErrorRate::STATED.shared_by(verdicts));
        assert_eq!([1, 10, 50].map(fewest), [Some(67), Some(114), Some(147)]);
    }

    #[test]
    fn the_default_horizon_leaves_the_recommended_blocks() {
        let horizon =
            |seconds, allowed| default_horizon(Duration::from_secs(seconds), share(allowed));
        assert_eq!(horizon(30, 0.05).as_millis(), 166);
        assert_eq!(horizon(180, 0.05), Duration::from_secs(1));
        assert_eq!(horizon(3600, 0.05), Duration::from_secs(1));
        assert_eq!(horizon(30, 0.01), Duration::from_millis(50));
    }
}
