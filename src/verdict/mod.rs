//! From what was planned and measured to a decision, purely.
//!
//! A budget on a quantile or a share is a statement about the target and is decided by an exact one-sided
//! binomial test, so that the error rate of each side is known ([`binomial`]). A budget that allows none
//! describes the requests made. Whatever speaks against believing the data turns a pass into inconclusive, and a
//! proven fail outranks all of it.

pub mod binomial;

mod breaker;
mod compare;
mod counted;
mod crowding;
mod failures;
mod finding;
mod lapsed;
mod ranked;
mod rule;
mod scenario;
mod timed;
mod void;
mod words;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use self::breaker::Breaker;
pub use self::compare::compare;

use self::binomial::Alpha;
use self::rule::Rule;
use crate::record::{Decision, Measurement, PlannedScenario, Verdict};

/// Decides whether what was measured holds what was planned. Only the measured phase is judged.
///
/// A scenario passes when each of its budgets holds with 95 % confidence and each request that has no budget met
/// every expectation; it fails when one of them is proven not to, or when the target was down or never answered.
/// Everything else is inconclusive: too little data, no data, or data that must not be believed.
pub fn judge(plan: &[PlannedScenario], measurement: &Measurement) -> Verdict {
    let rule = Rule::of(plan);
    let scenarios: Vec<_> =
        plan.iter().map(|planned| scenario::judge(planned, measurement, rule)).collect();
    Verdict {
        decision: Decision::over(scenarios.iter().map(|scenario| scenario.decision)),
        rule: Rule::NAME.to_owned(),
        confidence: Alpha::STATED.confidence(),
        scenarios,
    }
}
