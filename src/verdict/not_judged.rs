//! Steps that came to nothing that could be judged: absent, not configured, or without a value that an earlier one yields.

use super::failures::{remedy, sighting};
use crate::record::{
    BudgetVerdict, Decision, Evidence, PlannedRequest, Reason, RequestMeasurement,
};

/// What a step came to instead of being judged, and whether that holds a pass up.
pub(super) struct Lapse<'a> {
    evidence: &'a Evidence,
    is_accepted: bool,
    /// Whether nothing else was measured of the step.
    is_all: bool,
}

impl<'a> Lapse<'a> {
    /// The lapse of a step: one that holds a pass up before one that does not. `None` where it was carried out each time, and
    /// found what it asked for.
    pub(super) fn of(planned: &PlannedRequest, measured: &'a RequestMeasurement) -> Option<Self> {
        let all = measured.measured.evidence.by_count();
        let mut lapses = all.into_iter().filter(|evidence| evidence.failure.is_lapse());
        let accepts = |evidence: &Evidence| planned.accepts.contains(&evidence.failure);
        let first = lapses.next()?;
        let worst = std::iter::once(first).chain(lapses).find(|evidence| !accepts(evidence));
        let evidence = worst.unwrap_or(first);
        let is_all = measured.measured.tally.exchanges == 0;
        Some(Self { evidence, is_accepted: accepts(evidence), is_all })
    }

    /// Whether the step accepts it.
    pub(super) fn is_accepted(&self) -> bool {
        self.is_accepted
    }

    /// What it makes of a decision on what was measured beside it.
    pub(super) fn over(&self, decision: Decision) -> Decision {
        match decision {
            Decision::Fail => Decision::Fail,
            _ if !self.is_accepted => Decision::Inconclusive,
            _ if self.is_all => Decision::Pass,
            decision => decision,
        }
    }

    /// What it makes of a budget.
    pub(super) fn apply(&self, verdict: BudgetVerdict) -> BudgetVerdict {
        let decision = self.over(verdict.decision);
        if decision == verdict.decision && !self.is_all {
            return verdict;
        }
        let reason = if self.is_all {
            self.reason()
        } else {
            let what = format!("{}; but {}", verdict.reason.what, self.reason().what);
            Reason { what, ..self.reason() }
        };
        BudgetVerdict { decision, reason, ..verdict }
    }

    /// `absent: 404 instead of status = 200`; that it may be so where it may, and else what to do about it.
    pub(super) fn reason(&self) -> Reason {
        let seen = sighting(self.evidence);
        if self.is_accepted {
            return Reason { what: format!("{seen}; the step accepts that"), next: String::new() };
        }
        Reason { what: seen, next: remedy(self.evidence.failure).to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Failure;
    use crate::record::ScenarioVerdict;
    use crate::verdict::fixture::{Request, run, scenario};
    use crate::verdict::judge;

    fn judged(requests: &[Request]) -> ScenarioVerdict {
        let (plan, measurement) = run(vec![scenario("smoke", requests)]);
        judge(&plan, &measurement).scenarios.remove(0)
    }

    fn healthy() -> Request {
        Request::new("healthy", &["max < 1s", "errors = 0"]).took(&[1_000])
    }

    #[test]
    fn what_is_absent_holds_a_pass_up_and_says_what_to_do() {
        for budgets in [&["errors = 0"][..], &[]] {
            let verdict =
                judged(&[healthy(), Request::new("view", budgets).lapsed(Failure::Absent)]);
            assert_eq!(verdict.decision, Decision::Inconclusive);
            let reason =
                verdict.reasons.iter().find(|reason| reason.what.starts_with("`view`")).unwrap();
            assert_eq!(reason.what, "`view`: absent, 404 instead of status = 200");
            assert!(reason.next.contains("when_absent"));
        }
    }

    #[test]
    fn what_may_be_absent_is_told_and_holds_nothing_up() {
        for budgets in [&["max < 1s", "errors = 0"][..], &[]] {
            let view =
                Request::new("view", budgets).lapsed(Failure::Absent).accepting(Failure::Absent);
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
            Request::new("step", &[])
                .lapsed(Failure::NotConfigured)
                .accepting(Failure::NotConfigured)
        };
        let verdict = judged(&[step()]);
        assert_eq!(verdict.decision, Decision::Inconclusive);
        assert_eq!(verdict.reasons[0].what, "every step was left out, and nothing was measured");
    }

    #[test]
    fn one_that_is_accepted_does_not_hide_one_that_is_not() {
        let step = Request::new("step", &[])
            .lapsed(Failure::NotConfigured)
            .lapsed(Failure::Absent)
            .accepting(Failure::NotConfigured);
        let verdict = judged(&[step]);
        assert_eq!(verdict.decision, Decision::Inconclusive);
        assert!(verdict.reasons[0].what.starts_with("`step`: absent"));
    }

    #[test]
    fn a_budget_that_held_where_there_was_something_to_judge_is_not_believed_for_all() {
        let verdict = judged(&[healthy().lapsed(Failure::NotConfigured)]);
        assert!(verdict.budgets.iter().all(|budget| budget.decision == Decision::Inconclusive));
        let what = &verdict.budgets[1].reason.what;
        assert_eq!(what, "none of 1 request failed; but not configured, variable `KEY` is not set");
    }

    #[test]
    fn a_proven_fail_outranks_what_was_left_out() {
        let verdict = judged(&[healthy().refused(1).lapsed(Failure::NotCaptured)]);
        assert_eq!(verdict.decision, Decision::Fail);
    }
}
