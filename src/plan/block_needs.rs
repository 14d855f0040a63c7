//! How many blocks of time a plan has, and how many its budgets need.

use std::time::Duration;

use super::scenario_plan::ScenarioPlan;
use crate::record::Budget;
use crate::verdict::binomial::ErrorRate;
use crate::verdict::evidence::{fewest_blocks_at, recommended_blocks};

/// What one budget needs to pass, and what the plan gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockNeeds {
    /// Length of a block: the stall horizon.
    pub length: Duration,
    /// The fewest blocks that can prove the budget, if none of their requests exceeds it.
    pub fewest: u64,
    /// The number of blocks that a plan should have: a target that exceeds half as often as allowed
    /// then passes in most runs, if its exceedances are single requests and not stalls.
    pub recommended: u64,
    /// The measured stage of the plan.
    pub duration: Duration,
    /// How many full blocks the plan has; `None` if the speed of the target decides.
    pub planned: Option<u64>,
    /// The request that is sent least often, if requests have weights.
    pub rarest: Option<String>,
}

impl BlockNeeds {
    /// What a budget of the plan needs; `None` if it is not decided by blocks.
    pub fn of(plan: &ScenarioPlan, budget: &Budget) -> Option<Self> {
        let stalls = plan.shown.stalls?;
        let allowed = budget.allowed()?;
        let (rarest, share) = rarest(plan, budget);
        Some(Self {
            length: stalls.length,
            fewest: fewest_blocks_at(allowed, error_rate(plan, budget))?,
            recommended: recommended_blocks(allowed)?,
            duration: plan.load.duration(),
            planned: planned(plan, share),
            rarest,
        })
    }

    /// Whether no run of the plan can pass.
    pub fn is_hopeless(&self) -> bool {
        self.planned.is_some_and(|planned| planned < self.fewest)
    }

    /// How long the plan would have to be to fill a number of blocks.
    pub fn time(&self, blocks: u64) -> Duration {
        match self.planned {
            Some(planned @ 1..) => self.duration.mul_f64(blocks as f64 / planned as f64),
            _ => self.length.saturating_mul(u32::try_from(blocks).unwrap_or(u32::MAX)),
        }
    }
}

/// The error rate of a budget's test; a limit from earlier runs takes half of it.
fn error_rate(plan: &ScenarioPlan, budget: &Budget) -> ErrorRate {
    let mut requests = plan.shown.requests.iter();
    let is_learned =
        budget.lacks_limit() || requests.any(|request| request.baseline_of(budget).is_some());
    ErrorRate::STATED.shared_by(if is_learned { 2 } else { 1 })
}

/// The request with the smallest share of the arrivals among those that a budget judges.
fn rarest(plan: &ScenarioPlan, budget: &Budget) -> (Option<String>, f64) {
    let of_side = plan.shown.side_share();
    let Some(draw) = &plan.shown.draw else { return (None, of_side) };
    let judged = plan.shown.requests.iter().filter(|request| request.budgets.contains(budget));
    let shares = judged.filter_map(|request| Some((&request.name, draw.share_of(&request.name)?)));
    let least = shares.min_by(|(_, one), (_, other)| one.total_cmp(other));
    least.map_or((None, of_side), |(name, share)| (Some(name.clone()), of_side * share))
}

/// The full blocks of a request that `share` of the arrivals send: those of the measured stage, but
/// no more than its requests fill.
fn planned(plan: &ScenarioPlan, share: f64) -> Option<u64> {
    let stalls = plan.shown.stalls?;
    let seconds = stalls.length.as_secs_f64();
    let of_time = plan.load.duration().as_secs_f64() / seconds;
    let full = match (plan.load.arrivals(), stalls.peak_rate) {
        (Some(arrivals), Some(peak)) => {
            let fill = (peak.as_per_second() * share * seconds).max(1.0);
            of_time.min(arrivals as f64 * share / fill)
        }
        // In a closed model the speed of the target decides how the arrivals fill the time.
        (Some(arrivals), None) if (arrivals as f64) < of_time => return None,
        _ => of_time,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
    Some((full + 1e-6).floor() as u64)
}
