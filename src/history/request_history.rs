//! Everything that a site of latency history shows of one request and of one scenario.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;

use super::{
    ChangeMark, NamedZone, PeriodChange, PeriodFigures, RequestSeries, RunAttainment,
    ScenarioSeries, SeriesKey, SeriesRun, TimeBins, WeekGrid, WeekSum, week_sums,
};
use crate::record::{Budget, Decision, EncodedAdder, Histogram, HistogramError, RunConditions};
use crate::units::Quantile;

/// The period of a history, and what is needed to divide it.
#[derive(Debug, Clone)]
pub struct HistoryScope {
    /// The first moment of the period.
    pub since: OffsetDateTime,
    /// The first moment after the period.
    pub until: OffsetDateTime,
    /// The zone of hours, weekdays and weeks.
    pub zone: NamedZone,
}

/// Finds the change points of a series.
pub type MarkFinder<'a> = &'a dyn Fn(&RequestSeries) -> Vec<ChangeMark>;

/// One scenario over a period.
#[derive(Debug, Clone)]
pub struct ScenarioHistory {
    /// What its runs have in common.
    pub key: SeriesKey,
    /// Its requests that have runs in the period.
    pub requests: Vec<RequestHistory>,
    /// The decisions on the scenario in the period.
    pub attainment: RunAttainment,
    /// The decision of each run of the period, in order.
    pub decisions: Vec<(OffsetDateTime, Decision)>,
}

/// One request over a period, next to the period of equal length before it.
#[derive(Debug, Clone)]
pub struct RequestHistory {
    /// Its name.
    pub request: String,
    /// The runs of the period without the bytes of their histograms, the newest last.
    pub runs: Vec<SeriesRun>,
    /// The period.
    pub period: PeriodFigures,
    /// The period before it.
    pub previous: PeriodFigures,
    /// How p50, p95 and p99 differ from the period before; those that can be compared.
    pub changes: Vec<PeriodChange>,
    /// The period as points on a time axis.
    pub bins: TimeBins,
    /// The period by weeks.
    pub weeks: Vec<WeekSum>,
    /// The period by weekday and hour.
    pub grid: WeekGrid,
    /// When latency changed for good; places refer to `runs`.
    pub change_points: Vec<ChangeMark>,
    /// The budgets on latency, and when they applied.
    pub budget_spans: Vec<BudgetSpan>,
    /// What the runs were measured under, in the order of time.
    pub conditions: Vec<ConditionSpan>,
}

/// A budget on latency and the time in which it applied.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetSpan {
    /// The budget.
    pub budget: Budget,
    /// The first run with it.
    pub from: OffsetDateTime,
    /// The first run without it, or the newest run.
    pub to: OffsetDateTime,
}

/// Consecutive runs with equal conditions.
#[derive(Debug, Clone)]
pub struct ConditionSpan {
    /// The conditions.
    pub conditions: Arc<RunConditions>,
    /// The first run.
    pub from: OffsetDateTime,
    /// The last run.
    pub to: OffsetDateTime,
    /// Number of runs.
    pub runs: u64,
}

impl ScenarioHistory {
    /// The history of a series; also one sentence for each run that is left out because its
    /// histogram is damaged. `None` if no run started in the period.
    pub fn of(
        series: ScenarioSeries,
        scope: &HistoryScope,
        detect: MarkFinder<'_>,
    ) -> (Option<Self>, Vec<String>) {
        let (mut left_out, mut requests) = (Vec::new(), Vec::new());
        for mut request in series.requests {
            leave_out_damaged(&mut request, &mut left_out);
            match RequestHistory::of(request, scope, detect) {
                Ok(history) if history.runs.is_empty() => {}
                Ok(history) => requests.push(history),
                Err(error) => left_out.push(error.to_string()),
            }
        }
        let decisions = decisions(&requests);
        let mut attainment = RunAttainment::default();
        for (_, decision) in &decisions {
            attainment.add(*decision);
        }
        let key = series.key;
        let history =
            (!requests.is_empty()).then_some(Self { key, requests, attainment, decisions });
        (history, left_out)
    }

    /// When the newest run started, and what was decided.
    pub fn newest(&self) -> Option<(OffsetDateTime, Decision)> {
        self.decisions.last().copied()
    }
}

/// The decision of each run, however many of the requests it includes.
fn decisions(requests: &[RequestHistory]) -> Vec<(OffsetDateTime, Decision)> {
    let runs = requests.iter().flat_map(|request| &request.runs);
    let all: BTreeMap<_, _> = runs.map(|run| ((run.started(), run.run.id), run.decision)).collect();
    all.into_iter().map(|((started, _), decision)| (started, decision)).collect()
}

/// Removes the runs whose histograms are damaged, with a sentence for each.
fn leave_out_damaged(request: &mut RequestSeries, left_out: &mut Vec<String>) {
    let mut adder = EncodedAdder::default();
    let name = request.request.clone();
    request.runs.retain(|run| {
        let cold = run.figures.iter().map(|figures| &figures.cold);
        let mut all = std::iter::once(&run.latency).chain(cold);
        let checked = all.try_for_each(|histogram| {
            adder.add_to_each(histogram, std::iter::empty::<&mut Histogram>())
        });
        if let Err(error) = &checked {
            left_out.push(format!("{}: the latency of {name} is {error}", run.run.name));
        }
        checked.is_ok()
    });
}

impl RequestHistory {
    fn of(
        series: RequestSeries,
        scope: &HistoryScope,
        detect: MarkFinder<'_>,
    ) -> Result<Self, HistogramError> {
        let HistoryScope { since, until, zone } = scope;
        let marks = detect(&series);
        let first = series.runs.partition_point(|run| run.started() < *since);
        let (before, runs) = series.runs.split_at(first);
        let compared = [Quantile::P50, Quantile::P95, Quantile::P99];
        let in_period =
            |mark: ChangeMark| Some(ChangeMark { run: mark.run.checked_sub(first)?, ..mark });
        Ok(Self {
            period: PeriodFigures::of(runs)?,
            previous: PeriodFigures::of(before)?,
            changes: compared
                .into_iter()
                .filter_map(|quantile| PeriodChange::between(before, runs, quantile))
                .collect(),
            bins: TimeBins::of(runs, zone, (*since, *until))?,
            weeks: week_sums(runs, zone)?,
            grid: WeekGrid::of(runs, zone)?,
            change_points: marks.into_iter().filter_map(in_period).collect(),
            budget_spans: budget_spans(runs),
            conditions: condition_spans(runs),
            runs: runs.iter().map(without_bytes).collect(),
            request: series.request,
        })
    }

    /// The change of a quantile against the period before.
    pub fn change(&self, quantile: Quantile) -> Option<&PeriodChange> {
        self.changes.iter().find(|change| change.quantile == quantile)
    }
}

/// A run without the bytes of its histograms, which were added already.
fn without_bytes(run: &SeriesRun) -> SeriesRun {
    let mut run = run.clone();
    run.latency.hdr = Vec::new();
    if let Some(figures) = &mut run.figures {
        figures.cold.hdr = Vec::new();
    }
    run
}

/// The budgets on latency, each with the time in which it applied.
fn budget_spans(runs: &[SeriesRun]) -> Vec<BudgetSpan> {
    let mut spans: Vec<(BudgetSpan, bool)> = Vec::new();
    for run in runs {
        let budgets = run.figures.iter().flat_map(|figures| &figures.budgets);
        let budgets: Vec<Budget> = budgets.map(|of_run| of_run.budget).collect();
        for (span, is_open) in spans.iter_mut().filter(|(_, is_open)| *is_open) {
            (span.to, *is_open) = (run.started(), budgets.contains(&span.budget));
        }
        for budget in budgets {
            let is_open = |span: &(BudgetSpan, bool)| span.1 && span.0.budget == budget;
            if budget.ceiling().is_some() && !spans.iter().any(is_open) {
                let (from, to) = (run.started(), run.started());
                spans.push((BudgetSpan { budget, from, to }, true));
            }
        }
    }
    spans.into_iter().map(|(span, _)| span).collect()
}

fn condition_spans(runs: &[SeriesRun]) -> Vec<ConditionSpan> {
    let mut spans: Vec<ConditionSpan> = Vec::new();
    for run in runs {
        let Some(figures) = &run.figures else { continue };
        let conditions = &figures.conditions;
        match spans.last_mut().filter(|span| span.conditions == *conditions) {
            Some(span) => {
                span.to = run.started();
                span.runs += 1;
            }
            None => spans.push(ConditionSpan {
                conditions: Arc::clone(conditions),
                from: run.started(),
                to: run.started(),
                runs: 1,
            }),
        }
    }
    spans
}
