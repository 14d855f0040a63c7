//! Budgets and the decisions on them.

use std::time::Duration;

use crate::record::{
    ActualQuantile, BaselineLimit, Budget, BudgetVerdict, CountLimit, Decision, Dimension,
    PlannedRequest, RequestMeasurement, ScenarioVerdict, VerdictReason,
};
use crate::units::{Quantile, Ratio};

use super::{finding, words};

/// One budget and the decision on it.
#[derive(Debug, Clone)]
pub(in crate::report) struct BudgetRow {
    /// The budget, and where its limit comes from if that is earlier runs.
    pub(in crate::report) budget: String,
    /// The budget as the scenario writes it.
    pub(in crate::report) written: String,
    /// The measured value: `243 ms`, `0.12 %`, `3 of 800`.
    pub(in crate::report) actual: String,
    /// Confidence interval of the target's true value; empty if no confidence is stated.
    pub(in crate::report) interval: String,
    /// The decision.
    pub(in crate::report) decision: Decision,
    /// The reason, and the next step.
    pub(in crate::report) reason: VerdictReason,
    /// How a latency plot marks the budget; `None` if it judges something else.
    pub(in crate::report) mark: Option<BudgetMark>,
}

/// A latency budget as a plot shows it.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct BudgetMark {
    /// The lowest latency that exceeds the budget.
    pub(in crate::report) ceiling: Duration,
    /// The quantile that must stay below it; `None` for a maximum.
    pub(in crate::report) quantile: Option<Quantile>,
    /// The measured quantile.
    pub(in crate::report) actual: ActualQuantile,
    /// Confidence interval of the target's quantile.
    pub(in crate::report) interval: Option<(ActualQuantile, ActualQuantile)>,
}

/// The budgets of a request: first the judged ones, then planned ones without a verdict.
pub(super) fn rows(
    measured: &RequestMeasurement,
    planned: Option<&PlannedRequest>,
    verdict: Option<&ScenarioVerdict>,
) -> Vec<BudgetRow> {
    let left_out = left_out(measured);
    let seen = |row: BudgetRow| match left_out {
        Some(words) => BudgetRow { actual: words.to_owned(), interval: String::new(), ..row },
        None => row,
    };
    let judged: Vec<&BudgetVerdict> = verdict
        .map(|verdict| {
            verdict.budgets.iter().filter(|budget| budget.request == measured.name).collect()
        })
        .unwrap_or_default();
    let missing = planned
        .map(|plan| plan.budgets.as_slice())
        .unwrap_or_default()
        .iter()
        .filter(|budget| !judged.iter().any(|verdict| verdict.budget == **budget));
    let judged = judged.iter().map(|verdict| {
        let limit = planned.and_then(|plan| plan.baseline_of(&verdict.budget));
        limit.map_or_else(
            || BudgetRow::new(verdict),
            |limit| BudgetRow::new(verdict).with_origin(limit),
        )
    });
    judged.chain(missing.map(BudgetRow::unjudged)).map(seen).collect()
}

/// Why a step had nothing to judge, such as `absent`; `None` if it had.
pub(super) fn left_out(measured: &RequestMeasurement) -> Option<&'static str> {
    let all = measured.measured.evidence.by_count();
    let lapse = all.into_iter().find(|evidence| evidence.failure.is_not_judged())?;
    (measured.measured.tally.exchanges == 0).then(|| lapse.failure.description())
}

impl BudgetRow {
    fn new(verdict: &BudgetVerdict) -> Self {
        Self {
            budget: verdict.budget.to_string(),
            written: verdict.budget.to_string(),
            actual: actual(verdict),
            interval: interval(verdict),
            decision: verdict.decision,
            reason: finding::display_reason(&verdict.reason),
            mark: BudgetMark::new(verdict),
        }
    }

    /// The row of a budget whose limit comes from earlier runs.
    fn with_origin(self, limit: &BaselineLimit) -> Self {
        let origin = limit.origin().map(|origin| format!(" ({origin})")).unwrap_or_default();
        let budget = self.budget + &origin;
        Self { budget, written: limit.written.to_string(), ..self }
    }

    fn unjudged(budget: &Budget) -> Self {
        Self {
            budget: budget.to_string(),
            written: budget.to_string(),
            actual: words::actual(ActualQuantile::NoData),
            interval: String::new(),
            decision: Decision::Inconclusive,
            reason: VerdictReason { what: "not judged".to_owned(), next: String::new() },
            mark: None,
        }
    }

    /// The measured value followed by its interval: `243 ms (238 – 251 ms)`.
    pub(in crate::report) fn actual_with_interval(&self) -> String {
        if self.interval.is_empty() {
            self.actual.clone()
        } else {
            format!("{} ({})", self.actual, self.interval)
        }
    }
}

impl BudgetMark {
    fn new(verdict: &BudgetVerdict) -> Option<Self> {
        let (dimension, ceiling) = verdict.budget.ceiling()?;
        let quantile = match verdict.budget {
            Budget::Quantile { quantile, .. } => Some(quantile),
            _ => None,
        };
        (dimension == Dimension::Latency).then(|| Self {
            ceiling,
            quantile,
            actual: verdict.actual.unwrap_or(ActualQuantile::NoData),
            interval: verdict.interval,
        })
    }
}

fn actual(verdict: &BudgetVerdict) -> String {
    match (verdict.actual, verdict.of_successes) {
        (Some(ActualQuantile::Unbounded), Some(successes)) => {
            format!("∞, of the ok {}", words::time(Some(successes)))
        }
        (Some(value), _) => words::actual(value),
        (None, _) if verdict.judged == 0 => words::actual(ActualQuantile::NoData),
        (None, _) => counted(verdict),
    }
}

fn counted(verdict: &BudgetVerdict) -> String {
    match verdict.budget {
        Budget::Errors(CountLimit::Below(_)) | Budget::Dropped(CountLimit::Below(_)) => {
            words::share(Ratio::of(verdict.exceeded, verdict.judged))
        }
        _ => format!("{} of {}", words::count(verdict.exceeded), words::count(verdict.judged)),
    }
}

/// The interval of the quantile for a budget on time, of the share for one on a count.
fn interval(verdict: &BudgetVerdict) -> String {
    match (verdict.actual, verdict.interval, verdict.exceedance) {
        (Some(ActualQuantile::NoData), ..) | (_, Some((ActualQuantile::Unbounded, _)), _) => {
            String::new()
        }
        (Some(_), Some((low, high)), _) => words::range(low, high),
        (None, _, Some((low, high))) if verdict.judged > 0 => words::shares(low, high),
        _ => String::new(),
    }
}
