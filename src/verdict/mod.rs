//! Decides whether a measurement meets its plan, as a pure function of both.
//!
//! A budget on a quantile or a share is a statement about the target. It is decided by [`evidence`]
//! from blocks of time, so that the error rate of each side is known if latencies are not
//! correlated for longer than a block. If only counts are known, an exact [`binomial`] test
//! decides, which assumes independent exchanges. A budget that allows none describes the requests
//! made. Any reason to doubt the data turns a pass into inconclusive; a proven fail outranks them
//! all.

pub mod binomial;
pub mod evidence;

mod address_warnings;
mod baseline;
mod block_test;
mod breaker;
mod bursts;
mod compare;
mod continuation;
mod duration_budget;
mod early_end;
mod exceedance_timeline;
mod explanation;
mod failure_budget;
mod failures;
mod finding;
mod judging_context;
mod latency_timeline;
mod not_judged;
mod once_steps;
mod packed_counts;
mod peer_blame;
mod phrases;
mod policy;
mod ranked_durations;
mod rule;
mod scenario;
mod slot_series;
mod slot_timeline;
mod status_remedy;
mod suggestion;
mod time_blame;
mod void_reasons;
mod wait_blame;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub(crate) use self::compare::upper_t_quantile;

pub use self::baseline::{BaselineRuns, HistoryWords};
pub use self::breaker::CircuitBreaker;
pub use self::compare::{
    ComparisonSettings, add_block_figures, compare, compare_duet, decide_with_comparison,
};
pub use self::continuation::{EarlierEvidence, continuation_obstacle, more_time};
pub use self::early_end::EarlyEndWatch;
pub use self::exceedance_timeline::RunTimelines;
pub use self::judging_context::VerdictContext;
pub use self::policy::PolicyJudge;
pub use self::suggestion::{EarlierRequest, suggest_budgets};

use self::evidence::BlockRule;
use self::rule::DecisionRule;
use crate::record::{Decision, Measurement, PlannedScenario, ScenarioVerdict, Verdict};

/// Decides whether a measurement keeps the budgets of its plan. Only the measured stage is judged.
///
/// A scenario passes when each of its budgets holds with 95 % confidence and each request that has
/// no budget met every expectation; it fails when one of them is proven not to, or when the target
/// was down or never answered. Everything else is inconclusive: too little data, no data, or data
/// that cannot be trusted.
pub fn judge(plan: &[PlannedScenario], measurement: &Measurement) -> Verdict {
    judge_in_context(plan, measurement, &VerdictContext::default())
}

/// Decides as [`judge`] does, and explains the decision with what the context knows.
pub fn judge_in_context(
    plan: &[PlannedScenario],
    measurement: &Measurement,
    context: &VerdictContext,
) -> Verdict {
    let rule = DecisionRule::of(plan).shared_by(context.verdicts);
    let scenarios: Vec<_> =
        plan.iter().map(|planned| scenario::judge(planned, measurement, (rule, context))).collect();
    Verdict {
        decision: Decision::combine(scenarios.iter().map(|scenario| scenario.decision)),
        rule: rule_name(&scenarios).to_owned(),
        confidence: rule.error_rate().confidence(),
        continues: context.earlier.runs().to_vec(),
        scenarios,
    }
}

/// The name of the rule that decided: that of blocks, unless every budget was decided by counts
/// alone.
fn rule_name(scenarios: &[ScenarioVerdict]) -> &'static str {
    let mut budgets = scenarios.iter().flat_map(|scenario| &scenario.budgets);
    if budgets.any(|budget| budget.evidence.is_some()) {
        BlockRule::NAME
    } else {
        DecisionRule::NAME
    }
}
