//! Steps that could not be judged: absent, not configured, or without a value that an earlier step
//! should capture.

use super::failures::{advice, describe_evidence};
use crate::record::{
    BudgetVerdict, Decision, FailureEvidence, PlannedRequest, RequestMeasurement, VerdictReason,
};

/// Why a step was not judged, and whether that prevents a pass.
pub(super) struct NotJudgedStep<'a> {
    evidence: &'a FailureEvidence,
    is_accepted: bool,
    /// Whether the step was never judged.
    is_all: bool,
}

impl<'a> NotJudgedStep<'a> {
    /// The most serious cause: one that prevents a pass before one that the step accepts. `None` if
    /// the step was judged every time.
    pub(super) fn of(planned: &PlannedRequest, measured: &'a RequestMeasurement) -> Option<Self> {
        let all = measured.measured.evidence.by_count();
        let mut not_judged = all.into_iter().filter(|evidence| evidence.failure.is_not_judged());
        let accepts = |evidence: &FailureEvidence| planned.accepts.contains(&evidence.failure);
        let first = not_judged.next()?;
        let worst = std::iter::once(first).chain(not_judged).find(|evidence| !accepts(evidence));
        let evidence = worst.unwrap_or(first);
        let is_all = measured.measured.tally.exchanges == 0;
        Some(Self { evidence, is_accepted: accepts(evidence), is_all })
    }

    /// Whether the step accepts the cause.
    pub(super) fn is_accepted(&self) -> bool {
        self.is_accepted
    }

    /// Combines the cause with the decision on the exchanges that were judged.
    pub(super) fn over(&self, decision: Decision) -> Decision {
        match decision {
            Decision::Fail => Decision::Fail,
            _ if !self.is_accepted => Decision::Inconclusive,
            _ if self.is_all => Decision::Pass,
            decision => decision,
        }
    }

    /// Applies the cause to the verdict on a budget.
    pub(super) fn apply(&self, verdict: BudgetVerdict) -> BudgetVerdict {
        let decision = self.over(verdict.decision);
        if decision == verdict.decision && !self.is_all {
            return verdict;
        }
        let reason = if self.is_all {
            self.reason()
        } else {
            let what = format!("{}; but {}", verdict.reason.what, self.reason().what);
            VerdictReason { what, ..self.reason() }
        };
        BudgetVerdict { decision, reason, ..verdict }
    }

    /// `absent: 404 instead of status = 200`; adds that the step accepts it, or what to do about
    /// it.
    pub(super) fn reason(&self) -> VerdictReason {
        let description = describe_evidence(self.evidence);
        if self.is_accepted {
            return VerdictReason {
                what: format!("{description}; the step accepts that"),
                next: String::new(),
            };
        }
        VerdictReason { what: description, next: advice(self.evidence) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Failure;
    use crate::record::ScenarioVerdict;
    use crate::verdict::fixture::{FixtureRequest, run, scenario};
    use crate::verdict::judge;

    fn judged(requests: &[FixtureRequest]) -> ScenarioVerdict {
        let (plan, measurement) = run(vec![scenario("smoke", requests)]);
        judge(&plan, &measurement).scenarios.remove(0)
    }

    fn healthy() -> FixtureRequest {
        FixtureRequest::new("healthy", &["max < 1s", "errors = 0"]).took(&[1_000])
    }

    #[test]
    fn what_is_absent_holds_a_pass_up_and_says_what_to_do() {
        for budgets in [&["errors = 0"][..], &[]] {
            let verdict = judged(&[
                healthy(),
                FixtureRequest::new("view", budgets).not_judged(Failure::Absent),
            ]);
            assert_eq!(verdict.decision, Decision::Inconclusive);
            let reason =
                verdict.reasons.iter().find(|reason| reason.what.starts_with("`view`")).unwrap();
            assert_eq!(reason.what, "`view`: absent, 404 instead of status = 200");
            assert!(reason.next.contains("when_absent"));
        }
    }

    #[test]
    fn an_accepted_absence_is_reported_and_prevents_nothing() {
        for budgets in [&["max < 1s", "errors = 0"][..], &[]] {
            let view = FixtureRequest::new("view", budgets)
                .not_judged(Failure::Absent)
                .accepting(Failure::Absent);
            let verdict = judged(&[healthy(), view]);
            assert_eq!(verdict.decision, Decision::Pass);
            assert_eq!(
                verdict.reasons[0].what,
                "`view`: absent, 404 instead of status = 200; the step accepts that"
            );
            assert!(verdict.budgets.iter().all(|budget| budget.decision == Decision::Pass));
        }
    }

    #[test]
    fn a_run_of_which_every_step_was_left_out_is_no_pass() {
        let step = || {
            FixtureRequest::new("step", &[])
                .not_judged(Failure::NotConfigured)
                .accepting(Failure::NotConfigured)
        };
        let verdict = judged(&[step()]);
        assert_eq!(verdict.decision, Decision::Inconclusive);
        assert_eq!(verdict.reasons[0].what, "every step was skipped, so nothing was measured");
    }

    #[test]
    fn one_that_is_accepted_does_not_hide_one_that_is_not() {
        let step = FixtureRequest::new("step", &[])
            .not_judged(Failure::NotConfigured)
            .not_judged(Failure::Absent)
            .accepting(Failure::NotConfigured);
        let verdict = judged(&[step]);
        assert_eq!(verdict.decision, Decision::Inconclusive);
        assert!(verdict.reasons[0].what.starts_with("`step`: absent"));
    }

    #[test]
    fn a_budget_that_held_where_there_was_something_to_judge_is_not_believed_for_all() {
        let verdict = judged(&[healthy().not_judged(Failure::NotConfigured)]);
        assert!(verdict.budgets.iter().all(|budget| budget.decision == Decision::Inconclusive));
        let what = &verdict.budgets[1].reason.what;
        assert_eq!(what, "none of 1 request failed; but not configured, variable `KEY` is not set");
    }

    #[test]
    fn a_proven_fail_outranks_what_was_left_out() {
        let verdict = judged(&[healthy().refused(1).not_judged(Failure::NotCaptured)]);
        assert_eq!(verdict.decision, Decision::Fail);
    }
}
