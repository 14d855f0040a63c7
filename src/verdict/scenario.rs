//! Judges one scenario: its budgets, the expectations of requests without a budget, and the
//! validity of the data.

use std::borrow::Cow;

use super::baseline;
use super::duration_budget::DurationBudget;
use super::explanation::ExplainedVerdict;
use super::failure_budget::{self, FailureClass};
use super::failures::LeadingFailure;
use super::judging_context::{JudgingContext, VerdictContext};
use super::not_judged::NotJudgedStep;
use super::once_steps::SetupFailure;
use super::phrases::requests;
use super::rule::DecisionRule;
use super::{address_warnings, explanation, failures, once_steps, void_reasons};
use crate::record::{
    Budget, BudgetVerdict, Decision, Measurement, PlannedRequest, PlannedScenario, ProvenBreach,
    RequestMeasurement, RunEnding, ScenarioMeasurement, ScenarioVerdict, StageMeasurement,
    VerdictReason,
};

/// Judges a scenario by its measurement; a scenario without a measurement is inconclusive.
pub(super) fn judge(
    planned: &PlannedScenario,
    run: &Measurement,
    (rule, context): (DecisionRule, &VerdictContext),
) -> ScenarioVerdict {
    let measured = run.scenarios.iter().find(|scenario| scenario.name == planned.name);
    let all = planned.requests.iter().map(|one| MeasuredRequest::of(planned, one, measured));
    let (pairs, beside): (Vec<_>, Vec<_>) = all.partition(|pair| pair.planned.hop_of.is_none());
    let setup = SetupFailure::of(planned, measured, run);
    let unmeasured = setup.iter().map(|setup| setup.reason.clone());
    let grounds: Vec<_> = unmeasured.chain(void_reasons::grounds(measured, run)).collect();
    let circumstances = |request: &str| JudgingContext {
        prober: &run.prober,
        capacity: planned.capacity.as_ref(),
        timelines: context.timelines.of(&planned.name, request),
        rule,
        stalls: planned.stalls.as_ref(),
        share: planned.share_of(request),
        earlier: &context.earlier,
        scenario: &planned.name,
        comparison: context.comparisons.get(&planned.name).map(String::as_str),
    };
    let mut budgets: Vec<_> = pairs
        .iter()
        .flat_map(|pair| pair.budgets(circumstances(&pair.planned.name)))
        .map(|verdict| void_reasons::apply(verdict, &grounds, run))
        .collect();
    explanation::note_only_failing_request(&mut budgets);
    let silent = silence(&pairs, &beside, measured);
    let is_down = silent.is_some()
        || void_reasons::target_is_down(measured, run)
        || setup.as_ref().is_some_and(|setup| setup.is_of_target);
    let early = EarlyEndReason::of(&planned.name, run);
    let nothing_measured = nothing_measured(&pairs);
    let by_itself = pairs
        .iter()
        .filter_map(MeasuredRequest::by_expectations)
        .chain(is_down.then_some(Decision::Fail))
        .chain(early.as_ref().and_then(|early| early.decision))
        .chain(nothing_measured.as_ref().map(|_| Decision::Inconclusive))
        .chain(grounds.first().map(|_| Decision::Inconclusive));
    let by_itself: Vec<_> = by_itself.collect();
    let (decision, without_limits) = combine(&budgets, &by_itself, &pairs);
    let early = early.and_then(|early| early.unless_said_by(&mut budgets));
    let has_failure_advice = silent.is_some() && void_reasons::target_is_down(measured, run);
    let of_requests = match setup {
        Some(setup) if !setup.is_partial => Vec::new(),
        _ => request_reasons(&pairs, &budgets, silent),
    };
    ScenarioVerdict {
        scenario: planned.name.clone(),
        decision,
        budgets,
        reasons: without_vague_advice(grounds, has_failure_advice)
            .into_iter()
            .chain(nothing_measured)
            .chain(of_requests)
            .chain(early)
            .collect(),
        without_limits,
        warnings: address_warnings::warnings(measured)
            .into_iter()
            .chain(once_steps::teardown_warnings(planned, measured, run))
            .collect(),
    }
}

/// The decision by the budgets and by everything else, and that without the budgets that wait for
/// a limit; `None` if none does.
fn combine(
    budgets: &[BudgetVerdict],
    by_itself: &[Decision],
    pairs: &[MeasuredRequest<'_>],
) -> (Decision, Option<Decision>) {
    let of_budgets = |is_counted: fn(&BudgetVerdict) -> bool| {
        let counted = budgets.iter().filter(move |budget| is_counted(budget));
        counted.map(|budget| budget.decision).chain(by_itself.iter().copied())
    };
    let without_limits = budgets.iter().any(|one| one.budget.lacks_limit()).then(|| {
        let open = pairs.iter().filter_map(MeasuredRequest::without_limits);
        Decision::combine(of_budgets(|budget| !budget.budget.lacks_limit()).chain(open))
    });
    (Decision::combine(of_budgets(|_| true)), without_limits)
}

/// What failed in addition to the budgets, request by request.
fn request_reasons(
    pairs: &[MeasuredRequest<'_>],
    budgets: &[BudgetVerdict],
    silent: Option<VerdictReason>,
) -> Vec<VerdictReason> {
    let not_judged = || pairs.iter().filter_map(MeasuredRequest::not_judged_reason);
    match silent {
        Some(silent) => std::iter::once(silent).chain(not_judged()).collect(),
        None => pairs.iter().filter_map(|pair| pair.reason(budgets)).collect(),
    }
}

/// The reason for a target that never answered.
fn silence(
    pairs: &[MeasuredRequest<'_>],
    beside: &[MeasuredRequest<'_>],
    measured: Option<&ScenarioMeasurement>,
) -> Option<VerdictReason> {
    // A hop or an earlier try may have been answered even if the exchange got no answer in the end.
    let was_answered = beside.iter().any(|pair| pair.measured.measured.tally.answered() > 0);
    // So may an exchange that ended at a limit of tollgate itself.
    let is_limited = measured.is_some_and(|measured| measured.ended_at_limits() > 0);
    failures::never_answered(&all_measured(pairs)).filter(|_| !was_answered && !is_limited)
}

/// The grounds, without what to do about a target that is down if its failures say it better.
fn without_vague_advice(
    mut grounds: Vec<VerdictReason>,
    has_failure_advice: bool,
) -> Vec<VerdictReason> {
    let is_vague = |reason: &&mut VerdictReason| reason.next == void_reasons::TARGET_DOWN_ADVICE;
    for reason in grounds.iter_mut().filter(is_vague).filter(|_| has_failure_advice) {
        reason.next.clear();
    }
    grounds
}

/// What an end before the planned one means for a scenario.
struct EarlyEndReason<'a> {
    /// `ended early after 31 s of 120 s`.
    when: String,
    /// The breach that ended the run, if it is one of the scenario.
    breach: Option<&'a ProvenBreach>,
    reason: VerdictReason,
    /// For the scenario whose breach ended the run, a fail: it was proven then, whatever the
    /// exchanges that were still in progress add. In a merged run, no pass.
    decision: Option<Decision>,
}

impl<'a> EarlyEndReason<'a> {
    fn of(scenario: &str, run: &'a Measurement) -> Option<Self> {
        let RunEnding::ProvenEarly(early) = &run.ending else { return None };
        let elsewhere = early.breach.as_ref().filter(|breach| breach.scenario != scenario);
        let what = match elsewhere {
            Some(breach) => format!("{}, in scenario `{}`", early.words(), breach.scenario),
            None => early.words(),
        };
        let breach = early.breach.as_ref().filter(|_| elsewhere.is_none());
        // One of several probers proved it for its own arrivals. Whether it holds for all of them
        // is for their evidence to say, but the end that it caused must not make a pass.
        let is_merged = run.sharing.as_ref().is_some_and(|sharing| sharing.parts.len() > 1);
        let decision = if is_merged { Decision::Inconclusive } else { Decision::Fail };
        Some(Self {
            when: early.when(),
            breach,
            reason: VerdictReason { what, next: String::new() },
            decision: breach.map(|_| decision),
        })
    }

    /// The reason, unless a budget that fails can give it: the one whose breach ended the run, or
    /// any if another scenario did. The end is no further fault of the target.
    fn unless_said_by(self, budgets: &mut [BudgetVerdict]) -> Option<VerdictReason> {
        let is_proven = |failed: &BudgetVerdict| {
            self.breach.is_none_or(|breach| {
                breach.request == failed.request && breach.budget == failed.budget.to_string()
            })
        };
        let mut failed = budgets.iter_mut().filter(|budget| budget.decision == Decision::Fail);
        let Some(failed) = failed.find(|budget| is_proven(budget)) else {
            return Some(self.reason);
        };
        failed.reason.what += "; ";
        failed.reason.what += self.breach.map_or(&self.reason.what, |_| &self.when);
        None
    }
}

/// The reason for a run in which every step was skipped. The target was never tested, and no data
/// is never a pass.
fn nothing_measured(pairs: &[MeasuredRequest<'_>]) -> Option<VerdictReason> {
    let is_left_out = |pair: &MeasuredRequest<'_>| {
        pair.measured.measured.tally.exchanges == 0
            && pair.not_judged().is_some_and(|not_judged| not_judged.is_accepted())
    };
    (!pairs.is_empty() && pairs.iter().all(is_left_out)).then(|| VerdictReason {
        what: "every step was skipped, so nothing was measured".to_owned(),
        next: "set the variables that the steps need: at least one step must run".to_owned(),
    })
}

/// The measured stages of all requests, added up.
fn all_measured(pairs: &[MeasuredRequest<'_>]) -> StageMeasurement {
    let mut all = StageMeasurement::default();
    for pair in pairs {
        all.tally.add(&pair.measured.measured.tally);
        all.evidence.merge(&pair.measured.measured.evidence);
    }
    all
}

/// A request as planned and as measured.
struct MeasuredRequest<'a> {
    planned: &'a PlannedRequest,
    measured: Cow<'a, RequestMeasurement>,
    /// Whether it is compared with the other side of a duet, which judges it without a budget.
    is_compared: bool,
}

impl<'a> MeasuredRequest<'a> {
    /// Pairs a planned request with its measurement, or with an empty one if it was not measured.
    fn of(
        scenario: &PlannedScenario,
        planned: &'a PlannedRequest,
        measured: Option<&'a ScenarioMeasurement>,
    ) -> Self {
        let found = measured.and_then(|scenario| {
            scenario.requests.iter().find(|request| request.name == planned.name)
        });
        let nothing = || RequestMeasurement::new(planned.name.clone(), Vec::new());
        let measured = found.map_or_else(|| Cow::Owned(nothing()), Cow::Borrowed);
        Self { planned, measured, is_compared: scenario.duet.is_some() }
    }

    fn budgets(&self, circumstances: JudgingContext<'_>) -> impl Iterator<Item = BudgetVerdict> {
        let not_judged = self.not_judged();
        let judge = |budget: &Budget| match self.planned.baseline_of(budget) {
            Some(limit) => baseline::judge(limit, &self.measured, circumstances),
            None => judge_budget(*budget, &self.measured, circumstances),
        };
        let judged = self.planned.budgets.iter().map(judge).collect();
        explanation::explain_once(judged).into_iter().map(move |verdict| match &not_judged {
            Some(not_judged) => not_judged.apply(verdict),
            None => verdict,
        })
    }

    fn not_judged(&self) -> Option<NotJudgedStep<'_>> {
        NotJudgedStep::of(self.planned, &self.measured)
    }

    /// The decision on a request without a budget: one failure fails it, as with `errors = 0`,
    /// unless it is compared: then only a request without data is not judged. `None` for a request
    /// with budgets, which define how many exchanges may fail.
    fn by_expectations(&self) -> Option<Decision> {
        self.planned.budgets.is_empty().then(|| self.of_expectations())
    }

    /// The same of a request whose budgets all wait for a limit.
    fn without_limits(&self) -> Option<Decision> {
        let budgets = &self.planned.budgets;
        let is_unlimited = !budgets.is_empty() && budgets.iter().all(Budget::lacks_limit);
        is_unlimited.then(|| self.of_expectations())
    }

    fn of_expectations(&self) -> Decision {
        let tally = &self.measured.measured.tally;
        let decision = match (tally.exchanges, tally.failed()) {
            (0, _) => Decision::Inconclusive,
            (_, 0) => Decision::Pass,
            _ if self.is_compared => Decision::Pass,
            _ => Decision::Fail,
        };
        self.not_judged().map_or(decision, |not_judged| not_judged.over(decision))
    }

    /// The reason to report for the request in addition to its budgets: its failures, unless one
    /// of the budgets names them, or why it needs no budget.
    fn reason(&self, budgets: &[BudgetVerdict]) -> Option<VerdictReason> {
        let name = &self.planned.name;
        let decided_here = self.by_expectations();
        if self.are_failures_named(budgets) {
            return self.not_judged_reason();
        }
        if let Some(failures) = failures::reason(&self.measured.measured) {
            let rule = if decided_here.is_some() && self.is_compared {
                " has no budget and is compared with the other side"
            } else if decided_here.is_some() {
                " has no budget, so a single failure fails it"
            } else {
                ""
            };
            return Some(VerdictReason {
                what: format!("`{name}`{rule}: {}", failures.what),
                ..failures
            });
        }
        if let Some(reason) = self.not_judged_reason() {
            return Some(reason);
        }
        decided_here.map(|decision| match decision {
            Decision::Inconclusive => {
                let no_data_reason = failure_budget::no_data_reason();
                VerdictReason {
                    what: format!("`{name}`: {}", no_data_reason.what),
                    ..no_data_reason
                }
            }
            _ if self.is_compared => VerdictReason {
                what: format!(
                    "`{name}` has no budget: {} are compared with those of the other side",
                    self.made()
                ),
                next: String::new(),
            },
            _ if self.planned.expectations.is_empty() => VerdictReason {
                what: format!("`{name}` has no budget and no expectations for {}", self.made()),
                next: String::new(),
            },
            _ => VerdictReason {
                what: format!("`{name}` has no budget: every expectation held in {}", self.made()),
                next: String::new(),
            },
        })
    }

    /// Whether a budget of the request that is not met names its most frequent failure.
    fn are_failures_named(&self, budgets: &[BudgetVerdict]) -> bool {
        let leading = LeadingFailure::of(&self.measured.measured).map(|leading| leading.words());
        leading.is_some_and(|words| {
            let mine = budgets.iter().filter(|budget| budget.request == self.planned.name);
            mine.filter(|budget| budget.decision != Decision::Pass)
                .any(|budget| budget.reason.what.contains(&words))
        })
    }

    /// Why the request could not be judged; `None` if it was judged.
    fn not_judged_reason(&self) -> Option<VerdictReason> {
        let reason = self.not_judged()?.reason();
        Some(VerdictReason { what: format!("`{}`: {}", self.planned.name, reason.what), ..reason })
    }

    fn made(&self) -> String {
        requests(self.measured.measured.tally.exchanges)
    }
}

fn judge_budget(
    budget: Budget,
    request: &RequestMeasurement,
    circumstances: JudgingContext<'_>,
) -> ExplainedVerdict {
    let of_duration = |quantile, ceiling| {
        DurationBudget::new(budget, quantile, ceiling, request, circumstances).judge()
    };
    let of_failures =
        |class, limit| failure_budget::judge(budget, class, limit, request, circumstances);
    match budget {
        Budget::Quantile { quantile, dimension, ceiling } => {
            of_duration(Some(quantile), (dimension, ceiling))
        }
        Budget::Relative { .. } => baseline::judge_unread(budget, request),
        Budget::Max { dimension, ceiling } => of_duration(None, (dimension, ceiling)),
        Budget::Errors(limit) => of_failures(FailureClass::Errors, limit),
        Budget::Dropped(limit) => of_failures(FailureClass::Dropped, limit),
    }
}
