//! Runs as series: one scenario in one environment, request by request, with their histograms.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;

use super::{HistoryFilter, TrendRun};
use crate::record::{Decision, EncodedHistogram, RequestFigures, RequestSummary, RunSummary};

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
}

/// One request over the runs that include it.
#[derive(Debug, Clone)]
pub struct RequestSeries {
    /// Its name.
    pub request: String,
    /// What each run measured, the newest last.
    pub runs: Vec<SeriesRun>,
}

/// What one run measured of one request.
#[derive(Debug, Clone)]
pub struct SeriesRun {
    /// The run.
    pub run: Arc<TrendRun>,
    /// The decision on the request's scenario.
    pub decision: Decision,
    /// Finished exchanges.
    pub exchanges: u64,
    /// The exchanges that met every expectation.
    pub ok: u64,
    /// The latency of the ok exchanges.
    pub latency: EncodedHistogram,
    /// The other figures; `None` if the runs were read without them.
    pub figures: Option<Box<RequestFigures>>,
}

/// Groups the runs that match a filter into series, in the order of their keys. Each run and each
/// shard counts once; the sentences name what is left out (see [`super::count_once`]).
pub fn group_series(
    runs: impl IntoIterator<Item = RunSummary>,
    filter: &HistoryFilter,
) -> (Vec<ScenarioSeries>, Vec<String>) {
    let (runs, left_out) = super::matching_runs(runs, filter);
    let mut all: BTreeMap<SeriesKey, ScenarioSeries> = BTreeMap::new();
    for mut run in runs {
        let requests = std::mem::take(&mut run.requests);
        let run = Arc::new(TrendRun::of(run));
        for request in requests.into_iter().filter(|request| filter.matches_request(request)) {
            let key = SeriesKey::of(&run, &request.scenario);
            all.entry(key.clone())
                .or_insert_with(|| ScenarioSeries { key, requests: Vec::new() })
                .add(&run, request);
        }
    }
    (all.into_values().collect(), left_out)
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
    fn add(&mut self, run: &Arc<TrendRun>, summary: RequestSummary) {
        let RequestSummary { request, decision, exchanges, ok, latency, figures, .. } = summary;
        let known = self.requests.iter().position(|series| series.request == request);
        let place = known.unwrap_or_else(|| {
            self.requests.push(RequestSeries { request, runs: Vec::new() });
            self.requests.len() - 1
        });
        let run = Arc::clone(run);
        self.requests[place].runs.push(SeriesRun {
            run,
            decision,
            exchanges,
            ok,
            latency,
            figures,
        });
    }
}

impl SeriesRun {
    /// When the run started.
    pub fn started(&self) -> OffsetDateTime {
        self.run.started
    }

    /// Exchanges that failed or were dropped.
    pub fn failed(&self) -> u64 {
        self.exchanges.saturating_sub(self.ok)
    }
}
