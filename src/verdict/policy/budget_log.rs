//! The evidence of one run against each of its budgets.

use crate::record::{BudgetVerdict, Decision, ScenarioVerdict};
use crate::verdict::binomial::ErrorRate;
use crate::verdict::continuation::all_blocks;
use crate::verdict::evidence::{BetSide, BlockEvidence};

/// For each budget that blocks of time decide: its request, the budget as it is written, and the
/// natural logarithm of the evidence that it does not hold.
pub(super) type BudgetLog = Vec<(String, String, f64)>;

/// The evidence of a run against each budget that blocks decided.
///
/// What the prober may have caused adds no evidence against the target: neither a scenario whose
/// data must not be trusted, nor a breach that lag explains. It may still take evidence away, so
/// that leaving it out never helps an alarm.
///
/// `budgets` is the number of tested budgets of the run: an undecided budget with evidence for a
/// fail was breached by lag.
pub(super) fn ln_evidence(verdict: &ScenarioVerdict, budgets: usize) -> BudgetLog {
    let proven = ErrorRate::STATED.shared_by(budgets).ln_evidence();
    let is_void = verdict.decision == Decision::Inconclusive && !verdict.reasons.is_empty();
    let of = |judged: &BudgetVerdict| {
        // A limit from earlier runs differs from run to run, so its evidence does not add up.
        let evidence = judged.evidence.as_ref().filter(|_| judged.fail_evidence.is_none())?;
        // Runs that this one continues are not counted on their own. The length of blocks does not
        // change what they prove.
        let blocks = all_blocks(evidence, evidence.at_horizon.length);
        let ln = BlockEvidence::of(&blocks, BetSide::Fail, judged.allowed?).ln();
        let is_by_lag = judged.decision == Decision::Inconclusive && ln >= proven;
        let ln = if is_void || is_by_lag { ln.min(0.0) } else { ln };
        (!ln.is_nan()).then(|| (judged.request.clone(), judged.budget.to_string(), ln))
    };
    verdict.budgets.iter().filter_map(of).collect()
}
