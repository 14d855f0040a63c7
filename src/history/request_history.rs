//! Everything that a site of latency history shows of one request and of one scenario.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::{
    ChangeMark, DaySum, HistoryScope, PeriodChange, PeriodFigures, RequestSeries, RunAttainment,
    ScenarioSeries, SeriesKey, SeriesRun, TimeBin, TimeBins, WeekGrid, WeekSum, week_sums,
};
use crate::record::{Budget, Decision, HistogramError, RunConditions};
use crate::units::Quantile;

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
    /// The runs of the period, the newest last.
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
    /// The budget as it is written.
    pub budget: Budget,
    /// The first run with it.
    pub from: OffsetDateTime,
    /// The first run without it, or the newest run.
    pub to: OffsetDateTime,
    /// Its ceilings, each with the first run that had it, oldest first. There is one, unless
    /// earlier runs give the limit.
    pub ceilings: Vec<(OffsetDateTime, Duration)>,
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
    /// The history of a series; also one sentence for each run or request that is left out because
    /// a histogram is damaged. `None` if no run started in the period.
    pub fn of(
        series: ScenarioSeries,
        scope: &HistoryScope,
        detect: MarkFinder<'_>,
    ) -> (Option<Self>, Vec<String>) {
        let (mut left_out, mut requests) = (series.left_out, Vec::new());
        for request in series.requests {
            let name = request.request.clone();
            match RequestHistory::of(request, scope, detect) {
                Ok(history) if history.runs.is_empty() => {}
                Ok(history) => requests.push(history),
                Err(error) => left_out.push(format!(
                    "{} · {name} is left out: the sum of a day is {error}",
                    series.key.scenario
                )),
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

impl RequestHistory {
    fn of(
        series: RequestSeries,
        scope: &HistoryScope,
        detect: MarkFinder<'_>,
    ) -> Result<Self, HistogramError> {
        let HistoryScope { since, zone, .. } = scope;
        let marks = detect(&series);
        let RequestSeries { request, runs: mut before, days } = series;
        let first = before.partition_point(|run| run.started() < *since);
        let mut runs = before.split_off(first);
        runs.shrink_to_fit();
        let (days_before, days) = days.split_at(days_of(&days, first));
        // Before its first run a series lacks nothing.
        let known_since = runs.first().filter(|_| first == 0).map_or(*since, SeriesRun::started);
        let compared = [Quantile::P50, Quantile::P95, Quantile::P99];
        let in_period =
            |mark: ChangeMark| Some(ChangeMark { run: mark.run.checked_sub(first)?, ..mark });
        Ok(Self {
            period: PeriodFigures::of(&runs, days)?,
            previous: PeriodFigures::of(&before, days_before)?,
            changes: PeriodChange::between(days_before, days, &compared)?,
            bins: TimeBins::of(&runs, days, zone, scope.until - *since)?
                .with_gaps(&runs, (known_since, scope.over_until)),
            weeks: week_sums(&runs, days)?,
            grid: WeekGrid::of(days)?,
            change_points: marks.into_iter().filter_map(in_period).collect(),
            budget_spans: budget_spans(&runs),
            conditions: condition_spans(&runs),
            runs,
            request,
        })
    }

    /// The change of a quantile against the period before.
    pub fn change(&self, quantile: Quantile) -> Option<&PeriodChange> {
        self.changes.iter().find(|change| change.quantile == quantile)
    }
}

/// How many days the first runs fill. No day has runs of both periods.
fn days_of(days: &[DaySum], runs: usize) -> usize {
    let ends = days.iter().scan(0, |end, day| {
        *end += day.runs;
        Some(*end)
    });
    ends.take_while(|end| *end <= runs).count()
}

impl BudgetSpan {
    fn new(budget: Budget, first_run: OffsetDateTime) -> Self {
        Self { budget, from: first_run, to: first_run, ceilings: Vec::new() }
    }

    fn add(&mut self, run: OffsetDateTime, ceiling: Duration) {
        self.to = run;
        if self.newest_ceiling() != Some(ceiling) {
            self.ceilings.push((run, ceiling));
        }
    }

    /// The ceiling of its newest run.
    pub fn newest_ceiling(&self) -> Option<Duration> {
        self.ceilings.last().map(|(_, ceiling)| *ceiling)
    }

    /// The ceiling at the end of a point; `None` before and after the budget. The first point
    /// without it still has one, so that the line reaches the change.
    pub fn ceiling_of(&self, bin: &TimeBin) -> Option<Duration> {
        let is_within = bin.last >= self.from && bin.first <= self.to;
        self.ceiling_at(bin.last.min(self.to)).filter(|_| is_within)
    }

    /// The ceiling that applied at a moment; `None` before its first run.
    pub fn ceiling_at(&self, moment: OffsetDateTime) -> Option<Duration> {
        let after = self.ceilings.partition_point(|(from, _)| *from <= moment);
        Some(self.ceilings.get(after.checked_sub(1)?)?.1)
    }
}

/// The budgets with a ceiling, each with the time in which it applied.
fn budget_spans(runs: &[SeriesRun]) -> Vec<BudgetSpan> {
    let (mut spans, mut open): (Vec<BudgetSpan>, Vec<usize>) = (Vec::new(), Vec::new());
    for run in runs {
        let at = run.started();
        for place in &open {
            spans[*place].to = at;
        }
        let mut still_open: Vec<usize> = Vec::new();
        for budget in run.figures.iter().flat_map(|figures| &figures.budgets) {
            let Some((_, ceiling)) = budget.budget.ceiling() else { continue };
            let mut known = open.iter().chain(&still_open).copied();
            let known = known.find(|place| spans[*place].budget == budget.written);
            let place = known.unwrap_or_else(|| {
                spans.push(BudgetSpan::new(budget.written, at));
                spans.len() - 1
            });
            spans[place].add(at, ceiling);
            still_open.push(place);
        }
        open = still_open;
    }
    spans
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
