//! Judges one scenario: its budgets, the expectations of what has no budget, and whether to believe the data.

use std::borrow::Cow;

use super::counted::{self, Counted};
use super::lapsed::Lapse;
use super::rule::Rule;
use super::timed::Timed;
use super::words::requests;
use super::{failures, void};
use crate::record::{
    Budget, BudgetVerdict, Capacity, Decision, Measurement, PlannedRequest, PlannedScenario,
    Prober, Reason, RequestMeasurement, ScenarioMeasurement, ScenarioVerdict, StageMeasurement,
};

/// Judges a scenario by what was measured of it; one that was not measured is inconclusive.
pub(super) fn judge(planned: &PlannedScenario, run: &Measurement, rule: Rule) -> ScenarioVerdict {
    let measured = run.scenarios.iter().find(|scenario| scenario.name == planned.name);
    let all = planned.requests.iter().map(|request| Pair::of(request, measured));
    let (pairs, beside): (Vec<_>, Vec<_>) = all.partition(|pair| pair.planned.hop_of.is_none());
    let grounds = void::grounds(measured, run);
    let circumstances = Circumstances { prober: &run.prober, capacity: planned.capacity.as_ref() };
    let budgets: Vec<_> = pairs
        .iter()
        .flat_map(|pair| pair.budgets(rule, circumstances))
        .map(|verdict| void::apply(verdict, &grounds))
        .collect();
    // What was answered may be a hop, or a try, of an exchange that got no answer in the end.
    let was_answered = beside.iter().any(|pair| pair.measured.measured.tally.answered() > 0);
    let silent = failures::never_answered(&all_measured(&pairs)).filter(|_| !was_answered);
    let is_down = silent.is_some() || void::target_is_down(measured, run);

    let nothing_made = nothing_made(&pairs);
    let decisions = budgets
        .iter()
        .map(|budget| budget.decision)
        .chain(pairs.iter().filter_map(Pair::by_expectations))
        .chain(is_down.then_some(Decision::Fail))
        .chain(nothing_made.as_ref().map(|_| Decision::Inconclusive))
        .chain(grounds.first().map(|_| Decision::Inconclusive));
    let decision = Decision::over(decisions);
    let of_requests: Vec<_> = match silent {
        Some(silent) => {
            std::iter::once(silent).chain(pairs.iter().filter_map(Pair::reason_of_lapse)).collect()
        }
        None => pairs.iter().filter_map(Pair::reason).collect(),
    };
    ScenarioVerdict {
        scenario: planned.name.clone(),
        decision,
        budgets,
        reasons: grounds.into_iter().chain(nothing_made).chain(of_requests).collect(),
    }
}

/// That every step was left out, whatever each of them accepts: nothing was seen of the target, and no data is no pass.
fn nothing_made(pairs: &[Pair<'_>]) -> Option<Reason> {
    let is_left_out = |pair: &Pair<'_>| {
        pair.measured.measured.tally.exchanges == 0
            && pair.lapse().is_some_and(|lapse| lapse.is_accepted())
    };
    (!pairs.is_empty() && pairs.iter().all(is_left_out)).then(|| Reason {
        what: "every step was left out, and nothing was measured".to_owned(),
        next: "set what the steps need: at least one has to be carried out".to_owned(),
    })
}

/// The measured phase of all requests together.
fn all_measured(pairs: &[Pair<'_>]) -> StageMeasurement {
    let mut all = StageMeasurement::default();
    for pair in pairs {
        all.tally.add(&pair.measured.measured.tally);
        all.evidence.merge(&pair.measured.measured.evidence);
    }
    all
}

/// A request as planned and as measured.
struct Pair<'a> {
    planned: &'a PlannedRequest,
    measured: Cow<'a, RequestMeasurement>,
}

impl<'a> Pair<'a> {
    /// A planned request and its measurement; an empty one where there is none.
    fn of(planned: &'a PlannedRequest, scenario: Option<&'a ScenarioMeasurement>) -> Self {
        let found = scenario.and_then(|scenario| {
            scenario.requests.iter().find(|request| request.name == planned.name)
        });
        let nothing = || RequestMeasurement::new(planned.name.clone(), Vec::new());
        Self { planned, measured: found.map_or_else(|| Cow::Owned(nothing()), Cow::Borrowed) }
    }

    fn budgets(
        &self,
        rule: Rule,
        circumstances: Circumstances<'_>,
    ) -> impl Iterator<Item = BudgetVerdict> {
        let lapse = self.lapse();
        let judge =
            move |budget: &Budget| judge_budget(*budget, &self.measured, circumstances, rule);
        self.planned.budgets.iter().map(judge).map(move |verdict| match &lapse {
            Some(lapse) => lapse.apply(verdict),
            None => verdict,
        })
    }

    fn lapse(&self) -> Option<Lapse<'_>> {
        Lapse::of(self.planned, &self.measured)
    }

    /// The decision on a request without a budget, which is held to its expectations as by `errors = 0`; `None`
    /// for one with budgets, which say themselves how many exchanges may fail.
    fn by_expectations(&self) -> Option<Decision> {
        let tally = &self.measured.measured.tally;
        let decision = match (tally.exchanges, tally.failed()) {
            (0, _) => Decision::Inconclusive,
            (_, 0) => Decision::Pass,
            _ => Decision::Fail,
        };
        let lapsed = self.lapse().map_or(decision, |lapse| lapse.over(decision));
        self.planned.budgets.is_empty().then_some(lapsed)
    }

    /// What is to be said of the request beside its budgets: its failures, or why it needs no budget.
    fn reason(&self) -> Option<Reason> {
        let name = &self.planned.name;
        let decided_here = self.by_expectations();
        if let Some(failures) = failures::reason(&self.measured.measured) {
            let rule = if decided_here.is_some() {
                " has no budget, so that one failure fails it"
            } else {
                ""
            };
            return Some(Reason { what: format!("`{name}`{rule}: {}", failures.what), ..failures });
        }
        if let Some(reason) = self.reason_of_lapse() {
            return Some(reason);
        }
        decided_here.map(|decision| match decision {
            Decision::Inconclusive => {
                let no_data = counted::no_data();
                Reason { what: format!("`{name}`: {}", no_data.what), ..no_data }
            }
            _ if self.planned.expectations.is_empty() => Reason {
                what: format!("`{name}` has no budget and expects nothing of {}", self.made()),
                next: String::new(),
            },
            _ => Reason {
                what: format!("`{name}` has no budget: every expectation held in {}", self.made()),
                next: String::new(),
            },
        })
    }

    /// Why the request came to nothing that could be judged, where it did.
    fn reason_of_lapse(&self) -> Option<Reason> {
        let reason = self.lapse()?.reason();
        Some(Reason { what: format!("`{}`: {}", self.planned.name, reason.what), ..reason })
    }

    fn made(&self) -> String {
        requests(self.measured.measured.tally.exchanges)
    }
}

/// What a budget was measured in.
#[derive(Clone, Copy)]
pub(super) struct Circumstances<'a> {
    /// How the prober itself fared.
    pub(super) prober: &'a Prober,
    /// How many exchanges might be under way.
    pub(super) capacity: Option<&'a Capacity>,
}

fn judge_budget(
    budget: Budget,
    request: &RequestMeasurement,
    circumstances: Circumstances<'_>,
    rule: Rule,
) -> BudgetVerdict {
    match budget {
        Budget::Quantile { quantile, dimension, ceiling } => {
            Timed::new(budget, Some(quantile), (dimension, ceiling), request, circumstances)
                .judge(rule)
        }
        Budget::Max { dimension, ceiling } => {
            Timed::new(budget, None, (dimension, ceiling), request, circumstances).judge(rule)
        }
        Budget::Errors(limit) => counted::judge(budget, Counted::Errors, limit, request, rule),
        Budget::Dropped(limit) => counted::judge(budget, Counted::Dropped, limit, request, rule),
    }
}
