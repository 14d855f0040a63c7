//! Judges a budget on a number of failures: `errors < 0.5%`, `dropped = 0`.

use super::binomial::{ErrorRate, ExceedanceCount};
use super::block_test::BlockTest;
use super::bursts::ExceedancePattern;
use super::exceedance_timeline::RequestTimelines;
use super::explanation::{BudgetExplanation, ExplainedVerdict, PatternWords};
use super::failures::{self, LeadingFailure};
use super::finding::BudgetFinding;
use super::judging_context::JudgingContext;
use super::peer_blame;
use super::phrases::{self, part, undecided_phrase};
use super::rule::DecisionRule;
use super::slot_series::SlotSeries;
use crate::record::{
    Budget, BudgetVerdict, CountLimit, Failure, PeerCounts, RequestMeasurement, VerdictReason,
};
use crate::units::Ratio;

/// Which failures are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureClass {
    /// All of them, drops included.
    Errors,
    /// Arrivals for which no connection became free in time.
    Dropped,
}

/// Judges how many of a request's exchanges failed.
pub(super) fn judge(
    budget: Budget,
    class: FailureClass,
    limit: CountLimit,
    request: &RequestMeasurement,
    context: JudgingContext<'_>,
) -> ExplainedVerdict {
    let (observed, rule) = (class.among(request), context.rule);
    let allowed = match limit {
        CountLimit::None => None,
        CountLimit::Below(share) => Some(share),
    };
    let series = match class {
        FailureClass::Errors => SlotSeries::Errors,
        FailureClass::Dropped => SlotSeries::Dropped,
    };
    let blocks = BlockTest::of(context, (&request.name, budget), series, observed);
    let finding = match (&blocks, allowed) {
        (Some(blocks), _) => blocks.finding(),
        (None, Some(allowed)) => rule.test(observed, allowed),
        (None, None) => DecisionRule::describe(observed),
    };
    let interval = || match &blocks {
        Some(blocks) => blocks.interval().into(),
        None => observed.interval(ErrorRate::STATED),
    };
    let exceedance = allowed.map(|_| interval());
    let what = class.sentence(observed, allowed, exceedance);
    let verdict = BudgetVerdict {
        request: request.name.clone(),
        budget,
        decision: finding.decision(),
        judged: observed.of,
        exceeded: observed.over,
        allowed,
        exceedance,
        actual: None,
        interval: None,
        of_successes: None,
        evidence: blocks.as_ref().map(BlockTest::evidence),
        fail_evidence: None,
        reason: reason(what, finding, blocks.as_ref(), &budget.to_string(), || {
            let settled = |allowed| rule.what_settles_it(observed, observed, allowed);
            (undecided_phrase(observed).to_owned(), allowed.map(settled).unwrap_or_default())
        }),
    };
    let explanation = class.explain(finding, request, context.timelines);
    ExplainedVerdict { verdict, explanation }
}

/// The reason for a finding that lag does not explain: the fact, then what decided it or would
/// settle it. `by_counts` says the latter for a budget that is decided by counts alone.
pub(super) fn reason(
    what: String,
    finding: BudgetFinding,
    blocks: Option<&BlockTest>,
    subject: &str,
    by_counts: impl FnOnce() -> (String, String),
) -> VerdictReason {
    match finding {
        BudgetFinding::NoData => no_data_reason(),
        BudgetFinding::Holds | BudgetFinding::Breached => {
            let decided = blocks.and_then(|blocks| blocks.decided_words(finding));
            let decided = decided.map(|words| format!("; {words}")).unwrap_or_default();
            VerdictReason { what: what + &decided, next: String::new() }
        }
        BudgetFinding::Undecided | BudgetFinding::Late { .. } => {
            let (why, next) = blocks.map_or_else(by_counts, |blocks| {
                (blocks.undecided_words(subject), blocks.what_settles_it())
            });
            VerdictReason { what: format!("{what}: {why}"), next }
        }
    }
}

impl FailureClass {
    fn among(self, request: &RequestMeasurement) -> ExceedanceCount {
        let tally = &request.measured.tally;
        let over = match self {
            Self::Errors => tally.failed(),
            Self::Dropped => tally.failed_by(Failure::Dropped),
        };
        ExceedanceCount { over, of: tally.exchanges }
    }

    fn sentence(
        self,
        observed: ExceedanceCount,
        allowed: Option<Ratio>,
        exceedance: Option<(Ratio, Ratio)>,
    ) -> String {
        let verb = match self {
            Self::Errors => "failed",
            Self::Dropped => "were dropped",
        };
        let share = format!("{} {verb}", part(observed.over, observed.of));
        match (allowed, exceedance) {
            (Some(allowed), Some(interval)) => {
                let interval = phrases::shares(interval).map(|text| format!(" ({text})"));
                let interval = interval.unwrap_or_default();
                format!("{share}{interval}, less than {allowed} may")
            }
            _ => share,
        }
    }

    /// Explains failures that the budget does not allow: what failed most, and when.
    fn explain(
        self,
        finding: BudgetFinding,
        request: &RequestMeasurement,
        timelines: Option<&RequestTimelines>,
    ) -> BudgetExplanation {
        let mut explanation = BudgetExplanation::default();
        let is_open = matches!(finding, BudgetFinding::Breached | BudgetFinding::Undecided);
        if !is_open || self.among(request).over == 0 {
            return explanation;
        }
        match (self, LeadingFailure::of(&request.measured)) {
            (Self::Errors, Some(leading)) => explanation.add(leading.words(), leading.remedy()),
            _ => explanation.add_remedy(failures::remedy(Failure::Dropped)),
        }
        if self == Self::Errors {
            let count =
                |peer: &PeerCounts| ExceedanceCount { over: peer.failed, of: peer.exchanges };
            let total = self.among(request);
            explanation.add_peers(peer_blame::explain(&request.peers, total, count, "failures"));
        }
        let of_failures = timelines.filter(|_| self == Self::Errors);
        let pattern = of_failures.and_then(|known| ExceedancePattern::of(&known.failures));
        if let Some(pattern) = pattern {
            explanation.add_pattern(PatternWords::of(pattern, "failures", None));
        }
        explanation
    }
}

/// The reason for a budget without data.
pub(super) fn no_data_reason() -> VerdictReason {
    VerdictReason {
        what: "no exchange was judged".to_owned(),
        next: "check that the run reached its measured stage and that the plan sends this request"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::record::Decision;
    use crate::verdict::fixture::{FixtureRequest, one_budget};

    const FAST: u64 = 100_000;

    #[test]
    fn a_share_of_errors_needs_598_clean_requests() {
        let clean = |count| {
            one_budget(FixtureRequest::new("app", &["errors < 0.5%"]).took(&vec![FAST; count]))
        };
        let short = clean(597);
        assert_eq!(short.decision, Decision::Inconclusive);
        assert_eq!(
            short.reason.next,
            "1 more request with none over the limit would prove that the budget holds"
        );
        let enough = clean(598);
        assert_eq!(enough.decision, Decision::Pass);
        assert_eq!(
            enough.reason.what,
            "none of 598 requests failed (at most 0.5%), less than 0.5% may"
        );
    }

    #[test]
    fn a_share_of_errors_that_is_proven_too_high_fails_and_names_the_failure() {
        let verdict = one_budget(
            FixtureRequest::new("app", &["errors < 0.5%"]).took(&vec![FAST; 590]).redirected(10),
        );
        assert_eq!(verdict.decision, Decision::Fail);
        assert_eq!(
            verdict.reason.what,
            "10 of 600 requests failed (0.907% to 2.81%), less than 0.5% may; 10 of 10 failures: \
             redirected, 302 to /auth/login instead of status = 200"
        );
    }

    #[test]
    fn none_allowed_is_decided_by_any_number_of_requests_without_confidence() {
        let one = one_budget(FixtureRequest::new("app", &["errors = 0"]).took(&[FAST]));
        assert_eq!((one.decision, one.allowed, one.exceedance), (Decision::Pass, None, None));
        let bad =
            one_budget(FixtureRequest::new("app", &["errors = 0"]).took(&[FAST; 500]).refused(1));
        assert_eq!((bad.decision, bad.exceeded), (Decision::Fail, 1));
        let none = one_budget(FixtureRequest::new("app", &["errors = 0"]));
        assert_eq!(
            (none.decision, none.reason.what.as_str()),
            (Decision::Inconclusive, "no exchange was judged")
        );
    }

    #[test]
    fn only_drops_count_against_a_budget_on_drops() {
        let refused =
            one_budget(FixtureRequest::new("app", &["dropped = 0"]).took(&[FAST; 5]).refused(3));
        assert_eq!((refused.decision, refused.judged, refused.exceeded), (Decision::Pass, 8, 0));
        let dropped =
            one_budget(FixtureRequest::new("app", &["dropped < 1%"]).took(&[FAST; 40]).dropped(10));
        assert_eq!((dropped.decision, dropped.exceeded), (Decision::Fail, 10));
        assert!(dropped.reason.next.contains("held every allowed connection"));
    }
}
