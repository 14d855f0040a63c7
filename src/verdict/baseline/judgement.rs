//! Judges a budget whose limit comes from earlier runs.

use super::estimate::RunDurations;
use crate::record::{
    ActualQuantile, BaselineLimit, Budget, BudgetVerdict, Decision, LearnedLimit,
    RequestMeasurement, VerdictReason,
};
use crate::units::format_duration;
use crate::verdict::duration_budget::DurationBudget;
use crate::verdict::explanation::{BudgetExplanation, ExplainedVerdict};
use crate::verdict::judging_context::JudgingContext;

/// Judges a request by a limit that earlier runs gave, or says why they gave none.
pub(in crate::verdict) fn judge(
    limit: &BaselineLimit,
    request: &RequestMeasurement,
    circumstances: JudgingContext<'_>,
) -> ExplainedVerdict {
    let (Budget::Relative { quantile, dimension, .. }, Some(learned)) =
        (limit.written, &limit.learned)
    else {
        return without_limit(limit, request);
    };
    // The ends of the limit take the other half of the error rate.
    let half = JudgingContext { rule: circumstances.rule.shared_by(2), ..circumstances };
    let against = |ceiling| {
        let budget = Budget::Quantile { quantile, dimension, ceiling };
        DurationBudget::new(budget, Some(quantile), (dimension, ceiling), request, half).judge()
    };
    let (low, high) = (against(learned.low), against(learned.high));
    let evidence = (low.verdict.evidence.clone(), high.verdict.evidence.clone());
    let mut judged = match (low.verdict.decision, high.verdict.decision) {
        (Decision::Pass, _) => low,
        (_, Decision::Fail) => high,
        _ => undecided(low, high, learned),
    };
    judged.verdict.budget = learned.budget;
    (judged.verdict.evidence, judged.verdict.fail_evidence) = evidence;
    let reason = &mut judged.verdict.reason;
    reason.what = format!("{}; {}", reason.what, limit_words(limit, learned));
    judged
}

/// The verdict on a budget that neither end of its limit decides.
fn undecided(
    low: ExplainedVerdict,
    high: ExplainedVerdict,
    learned: &LearnedLimit,
) -> ExplainedVerdict {
    let between = match (low.verdict.decision, high.verdict.decision) {
        (Decision::Fail, _) => {
            format!("not proven to be {} or longer", format_duration(learned.high))
        }
        (_, Decision::Pass) => format!("not proven to be below {}", format_duration(learned.low)),
        _ => return low,
    };
    let mut open = if high.verdict.decision == Decision::Pass { high } else { low };
    open.verdict.decision = Decision::Inconclusive;
    let what = format!("{}; {between}", open.verdict.reason.what);
    let next = "a longer run narrows what is measured, and more runs in `[baseline]` narrow the \
                limit; or write a wider margin";
    open.verdict.reason = VerdictReason { what, next: next.to_owned() };
    open
}

/// `the limit is 231 ms (225 ms to 238 ms): baseline 210 ms of 10 runs + 10%`.
fn limit_words(limit: &BaselineLimit, learned: &LearnedLimit) -> String {
    let ceiling = learned.budget.ceiling().map_or(learned.baseline, |(_, ceiling)| ceiling);
    let [ceiling, low, high] = [ceiling, learned.low, learned.high].map(format_duration);
    let origin = limit.origin().unwrap_or_default();
    format!("the limit is {ceiling} ({low} to {high}): {origin}")
}

/// The verdict on a budget without a limit, which no run can pass or fail.
fn without_limit(limit: &BaselineLimit, request: &RequestMeasurement) -> ExplainedVerdict {
    let obstacle = limit.obstacle.clone();
    let verdict = BudgetVerdict {
        request: request.name.clone(),
        budget: limit.written,
        decision: Decision::Inconclusive,
        judged: request.measured.tally.exchanges,
        exceeded: 0,
        allowed: limit.written.allowed(),
        exceedance: None,
        actual: Some(observed(limit.written, request)),
        interval: None,
        of_successes: None,
        evidence: None,
        fail_evidence: None,
        reason: obstacle.unwrap_or_else(no_history),
    };
    ExplainedVerdict { verdict, explanation: BudgetExplanation::default() }
}

/// Judges a budget of a plan whose baseline was never looked for.
pub(in crate::verdict) fn judge_unread(
    budget: Budget,
    request: &RequestMeasurement,
) -> ExplainedVerdict {
    let nothing = BaselineLimit {
        written: budget,
        runs: Vec::new(),
        exchanges: 0,
        learned: None,
        obstacle: None,
    };
    without_limit(&nothing, request)
}

fn no_history() -> VerdictReason {
    VerdictReason {
        what: "no limit: this command reads no earlier runs".to_owned(),
        next: "use `tollgate run`, or write a fixed budget such as `p95 < 300ms`".to_owned(),
    }
}

/// The quantile that was measured, with failures at +∞.
fn observed(budget: Budget, request: &RequestMeasurement) -> ActualQuantile {
    let Budget::Relative { quantile, dimension, .. } = budget else {
        return ActualQuantile::NoData;
    };
    let Some(durations) = RunDurations::of(request, dimension) else {
        return ActualQuantile::NoData;
    };
    durations.quantile(quantile).map_or(ActualQuantile::Unbounded, ActualQuantile::At)
}
