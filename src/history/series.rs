//! Runs as series: one scenario in one environment, request by request, with added histograms.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    DayPart, DaySum, HistoryFilter, HistoryScope, MeasuredRun, SeriesDay, SeriesRun, TrendRun,
};
use crate::record::RunSummary;

/// What makes runs comparable over time: a series never holds runs of several environments, nor
/// imported runs next to measured ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesKey {
    /// The scenario's name.
    pub scenario: String,
    /// The environment in the runs' tags.
    pub environment: Option<String>,
    /// The kind of file that the runs were imported from; `None` if tollgate measured them.
    pub imported: Option<String>,
}

/// All runs of a scenario that can be compared over time.
#[derive(Debug, Clone)]
pub struct ScenarioSeries {
    /// What they have in common.
    pub key: SeriesKey,
    /// Its requests, in the order of the oldest run.
    pub requests: Vec<RequestSeries>,
    /// One sentence for each run that is left out because its histogram is damaged.
    pub left_out: Vec<String>,
}

/// One request over the runs that include it.
#[derive(Debug, Clone)]
pub struct RequestSeries {
    /// Its name.
    pub request: String,
    /// What each run measured, the newest last.
    pub runs: Vec<SeriesRun>,
    /// The histograms of the same runs, added by the parts of days in which they started.
    pub days: Vec<DaySum>,
}

/// Groups the runs that match a filter into series, in the order of their keys, and adds their
/// histograms by day. Each run and each shard counts once; the sentences name what is left out (see
/// [`super::count_once`]).
pub fn group_series(
    runs: impl IntoIterator<Item = RunSummary>,
    filter: &HistoryFilter,
    scope: &HistoryScope,
) -> (Vec<ScenarioSeries>, Vec<String>) {
    let (runs, left_out) = super::matching_runs(runs, filter);
    let mut open: BTreeMap<SeriesKey, (ScenarioSeries, Vec<MeasuredRun>)> = BTreeMap::new();
    for (key, measured) in runs.into_iter().flat_map(|run| by_scenario(run, filter)) {
        let (series, day) = open
            .entry(key)
            .or_insert_with_key(|key| (ScenarioSeries::new(key.clone()), Vec::new()));
        let part = |run: &MeasuredRun| scope.part_of(run.run.started);
        if day.last().is_some_and(|last| part(last) != part(&measured)) {
            series.add_runs(std::mem::take(day), scope);
        }
        day.push(measured);
    }
    let finish = |(mut series, day): (ScenarioSeries, Vec<MeasuredRun>)| {
        series.add_runs(day, scope);
        series
    };
    (open.into_values().map(finish).collect(), left_out)
}

/// What a run measured of each of its scenarios, without the requests that do not match.
fn by_scenario(mut run: RunSummary, filter: &HistoryFilter) -> Vec<(SeriesKey, MeasuredRun)> {
    let requests = std::mem::take(&mut run.requests);
    let run = TrendRun::of(run);
    let mut all: Vec<(SeriesKey, MeasuredRun)> = Vec::new();
    for request in requests.into_iter().filter(|request| filter.matches_request(request)) {
        match all.iter_mut().find(|(key, _)| key.scenario == request.scenario) {
            Some((_, measured)) => measured.requests.push(request),
            None => all.push((
                SeriesKey::of(&run, &request.scenario),
                MeasuredRun { run: run.clone(), requests: vec![request] },
            )),
        }
    }
    all
}

impl SeriesKey {
    fn of(run: &TrendRun, scenario: &str) -> Self {
        Self {
            scenario: scenario.to_owned(),
            environment: run.environment().map(str::to_owned),
            imported: run.imported_from().map(str::to_owned),
        }
    }
}

impl ScenarioSeries {
    /// A series without runs.
    pub fn new(key: SeriesKey) -> Self {
        Self { key, requests: Vec::new(), left_out: Vec::new() }
    }

    /// Adds runs that started in one part of a day.
    fn add_runs(&mut self, runs: Vec<MeasuredRun>, scope: &HistoryScope) {
        if let Some(first) = runs.first() {
            let DayPart { day, .. } = scope.part_of(first.run.started);
            self.add_day(SeriesDay::of(day, runs, &scope.zone));
        }
    }

    /// Adds a day, or a part of one. Days are added in their order.
    pub fn add_day(&mut self, day: SeriesDay) {
        let SeriesDay { runs, requests, left_out, .. } = day;
        self.left_out.extend(left_out);
        let runs: Vec<Arc<TrendRun>> = runs.into_iter().map(Arc::new).collect();
        for request in requests {
            let known = self.requests.iter().position(|series| series.request == request.request);
            let place = known.unwrap_or_else(|| {
                let request = request.request.clone();
                self.requests.push(RequestSeries { request, runs: Vec::new(), days: Vec::new() });
                self.requests.len() - 1
            });
            let series = &mut self.requests[place];
            let of_runs = request.runs.into_iter();
            series.runs.extend(of_runs.filter_map(|run| run.placed_among(&runs)));
            series.days.push(request.sum);
        }
    }
}

impl RequestSeries {
    /// Each day with its runs.
    pub(super) fn days_with_runs<'a>(
        days: &'a [DaySum],
        mut runs: &'a [SeriesRun],
    ) -> impl Iterator<Item = (&'a DaySum, &'a [SeriesRun])> {
        days.iter().map(move |day| {
            let (own, rest) = runs.split_at(day.runs.min(runs.len()));
            runs = rest;
            (day, own)
        })
    }
}
