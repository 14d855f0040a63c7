//! How latency changes over many runs, computed without reading files or databases.
//!
//! Quantiles over a range of runs come from the sum of the histograms, never from averaged
//! quantiles.

mod alert;
mod calendar;
mod caveats;
mod change_mark;
pub mod change_points;
mod figures;
mod filter;
mod merges;
mod period;
mod period_change;
mod quantile_figures;
mod request_history;
mod scope;
mod series;
mod series_day;
mod series_run;
mod sparkline;
mod time_bins;
mod zone;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

pub use self::alert::{AlertEvent, AlertKey, AlertRun, AlertState, DueAlert};
pub use self::calendar::{GridCell, WeekGrid, WeekSum, week_sums};
pub use self::change_mark::{ChangeMark, change_marks};
pub use self::figures::LatencyFigures;
pub use self::filter::{DEPLOY_TAG, HistoryFilter};
pub use self::merges::CoveredRuns;
pub use self::period::{BudgetPeriod, PeriodFigures, RunAttainment};
pub use self::period_change::PeriodChange;
pub use self::quantile_figures::QuantileFigures;
pub use self::request_history::{
    BudgetSpan, ConditionSpan, MarkFinder, RequestHistory, ScenarioHistory,
};
pub use self::scope::{DayPart, HistoryScope};
pub use self::series::{RequestSeries, ScenarioSeries, SeriesKey, group_series};
pub use self::series_day::{DayRun, DaySum, HourSum, RequestDay, SeriesDay};
pub use self::series_run::{MeasuredRun, SeriesRun};
pub use self::sparkline::sparkline;
pub use self::time_bins::{RunGap, TimeBin, TimeBins};
pub use self::zone::NamedZone;
pub use crate::record::ENVIRONMENT_TAG;
use crate::record::{
    Decision, EncodedHistogram, Histogram, HistogramError, IMPORTED_TAG, ImportedFacts,
    RequestSummary, RunSummary,
};

/// Many runs, grouped by request.
#[derive(Debug, Default)]
pub struct History {
    /// The requests, in the order of the oldest run.
    pub trends: Vec<RequestTrend>,
    /// What is left out, one sentence each: damaged histograms, and merged runs whose shards are
    /// counted in another one.
    pub left_out: Vec<String>,
}

/// One request over all the runs that include it.
#[derive(Debug)]
pub struct RequestTrend {
    /// The scenario it belongs to.
    pub scenario: String,
    /// Its name.
    pub request: String,
    /// What each run measured, the newest last.
    pub rows: Vec<TrendRow>,
    /// Finished exchanges in all runs.
    pub exchanges: u64,
    /// The exchanges that met every expectation.
    pub ok: u64,
    /// The latency of the ok exchanges of all runs: the sum of their histograms. It may have
    /// quantiles of too few values; see [`figures`](Self::figures).
    pub latency: EncodedHistogram,
}

/// What one run measured of one request.
#[derive(Debug)]
pub struct TrendRow {
    /// The run.
    pub run: Arc<TrendRun>,
    /// The decision on the request's scenario.
    pub decision: Decision,
    /// Finished exchanges.
    pub exchanges: u64,
    /// The exchanges that met every expectation.
    pub ok: u64,
    /// The figures of the ok exchanges' latency.
    pub latency: LatencyFigures,
    /// What is known of its file; `None` if the run was not imported.
    pub imported: Option<ImportedFacts>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrendRun {
    /// Its name; see [`run_name`](crate::record::run_name).
    pub name: String,
    /// Its id.
    pub id: Uuid,
    /// When it started (UTC).
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// The machine's name.
    pub host: String,
    /// The git commit that was probed, if known.
    pub git_commit: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl History {
    /// The history of the runs that match a filter.
    ///
    /// A run that occurs twice counts once, and so does each shard (see [`CoveredRuns`]). A part of
    /// a merged run counts only in the merged run, even if the filter leaves that one out. A merged
    /// run starts with the first of its parts and has only the tags that all parts share, so a part
    /// may match a filter that it does not.
    pub fn from_runs(runs: impl IntoIterator<Item = RunSummary>, filter: &HistoryFilter) -> Self {
        let (requests, mut left_out) = matching_requests(runs, filter);
        let trends = requests
            .into_iter()
            .map(|found| RequestTrend::of(found, &mut left_out))
            .filter(|trend| !trend.rows.is_empty())
            .collect();
        Self { trends, left_out }
    }

    /// How many runs are in it.
    pub fn run_count(&self) -> usize {
        let rows = self.trends.iter().flat_map(|trend| &trend.rows);
        rows.map(|row| row.run.id).collect::<HashSet<_>>().len()
    }
}

/// The runs in the order of their starts, each once, and one sentence for each merged run that is
/// left out in part. Each shard counts once (see [`CoveredRuns`]).
pub fn count_once(runs: impl IntoIterator<Item = RunSummary>) -> (Vec<RunSummary>, Vec<String>) {
    let mut runs: Vec<RunSummary> = runs.into_iter().collect();
    runs.sort_by_key(|run| (run.started, run.id));
    let covered = CoveredRuns::of(runs.iter().map(|run| (run.id, run.parts.clone())));
    let left_out = name_overlapping(&covered, &runs);
    let mut counted = covered.ids;
    runs.retain(|run| counted.insert(run.id));
    (runs, left_out)
}

/// The runs that match a filter, each counted once, and what is left out; see [`count_once`].
fn matching_runs(
    runs: impl IntoIterator<Item = RunSummary>,
    filter: &HistoryFilter,
) -> (Vec<RunSummary>, Vec<String>) {
    let (mut runs, left_out) = count_once(runs);
    runs.retain(|run| filter.matches_run(run));
    (runs, left_out)
}

/// One sentence for each merged run that is covered in part.
fn name_overlapping(covered: &CoveredRuns, runs: &[RunSummary]) -> Vec<String> {
    let name = |id: &Uuid| {
        runs.iter().find(|run| run.id == *id).map_or_else(|| id.to_string(), RunSummary::name)
    };
    let sentence = |(run, holder): &(Uuid, Uuid)| {
        format!(
            "{}: it shares shards with the merged run {}, which counts; its other shards count as \
             runs of their own if they are there",
            name(run),
            name(holder)
        )
    };
    covered.overlapping.iter().map(sentence).collect()
}

/// The summaries of one request, one per run, the newest last.
pub type RequestRuns = Vec<(Arc<TrendRun>, RequestSummary)>;

/// The runs that match a filter by request, in the order of the oldest run, and what is left out.
/// Runs count as in [`History::from_runs`], but keep their own histograms.
pub fn matching_requests(
    runs: impl IntoIterator<Item = RunSummary>,
    filter: &HistoryFilter,
) -> (Vec<RequestRuns>, Vec<String>) {
    let (runs, left_out) = matching_runs(runs, filter);
    (group_by_request(runs, filter), left_out)
}

/// The requests that match a filter, in the order of their first run.
fn group_by_request(runs: Vec<RunSummary>, filter: &HistoryFilter) -> Vec<RequestRuns> {
    let mut places: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    let mut all: Vec<RequestRuns> = Vec::new();
    for mut run in runs {
        let requests = std::mem::take(&mut run.requests);
        let run = Arc::new(TrendRun::of(run));
        for request in requests.into_iter().filter(|request| filter.matches_request(request)) {
            let known = places
                .get(&request.scenario)
                .and_then(|names| names.get(&request.request))
                .copied();
            let place = known.unwrap_or_else(|| {
                let names = places.entry(request.scenario.clone()).or_default();
                names.insert(request.request.clone(), all.len());
                all.push(Vec::new());
                all.len() - 1
            });
            all[place].push((Arc::clone(&run), request));
        }
    }
    all
}

/// The sum of one request's latencies, and for each run whether its histogram could be added.
type AddedLatencies = (Histogram, Vec<Result<(), HistogramError>>);

/// Minimum number of histograms per thread: adding fewer takes less time than starting a thread.
const MIN_CHUNK: usize = 512;

/// Adds the latencies of all runs, on all processors if there are many runs. The order of additions
/// does not change the sum.
fn add_latencies(found: &[(Arc<TrendRun>, RequestSummary)]) -> AddedLatencies {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let chunk = found.len().div_ceil(processors).max(MIN_CHUNK);
    thread::scope(|scope| {
        let adding: Vec<_> =
            found.chunks(chunk).map(|chunk| scope.spawn(|| add_chunk(chunk))).collect();
        let mut all = (Histogram::default(), Vec::with_capacity(found.len()));
        for chunk in adding {
            // A panic in a thread is a defect, so it ends the program like any other panic.
            let (sum, added) =
                chunk.join().unwrap_or_else(|defect| std::panic::resume_unwind(defect));
            all.0.add(&sum);
            all.1.extend(added);
        }
        all
    })
}

fn add_chunk(found: &[(Arc<TrendRun>, RequestSummary)]) -> AddedLatencies {
    let mut sum = Histogram::default();
    let each = found.iter().map(|(_, summary)| summary.latency.add_to(&mut sum)).collect();
    (sum, each)
}

impl RequestTrend {
    fn of(found: RequestRuns, left_out: &mut Vec<String>) -> Self {
        let first = found.first().map(|(_, first)| (first.scenario.clone(), first.request.clone()));
        let (scenario, request) = first.unwrap_or_default();
        let (sum, added) = add_latencies(&found);
        let mut rows = Vec::with_capacity(found.len());
        for ((run, summary), added) in found.into_iter().zip(added) {
            match added {
                Ok(()) => rows.push(TrendRow::of(run, summary)),
                Err(error) => {
                    left_out.push(format!(
                        "{}: the latency of {scenario} · {request} is {error}",
                        run.name
                    ));
                }
            }
        }
        let (exchanges, ok) = rows.iter().fold((0_u64, 0_u64), |(exchanges, ok), row| {
            (exchanges.saturating_add(row.exchanges), ok.saturating_add(row.ok))
        });
        Self { scenario, request, rows, exchanges, ok, latency: EncodedHistogram::of(&sum) }
    }

    /// Exchanges that failed or were dropped.
    pub fn failed(&self) -> u64 {
        self.exchanges.saturating_sub(self.ok)
    }

    /// The figures that its latencies can carry.
    pub fn figures(&self) -> LatencyFigures {
        LatencyFigures::of(&self.latency)
    }

    /// The environments in the runs' tags.
    pub fn environments(&self) -> BTreeSet<&str> {
        self.rows.iter().filter_map(|row| row.run.environment()).collect()
    }
}

impl TrendRow {
    fn of(run: Arc<TrendRun>, summary: RequestSummary) -> Self {
        let RequestSummary { decision, exchanges, ok, latency, imported, .. } = summary;
        Self { run, decision, exchanges, ok, latency: LatencyFigures::of(&latency), imported }
    }

    /// Exchanges that failed or were dropped.
    pub fn failed(&self) -> u64 {
        self.exchanges.saturating_sub(self.ok)
    }
}

impl TrendRun {
    /// The run of a summary.
    pub fn of(run: RunSummary) -> Self {
        let name = run.name();
        let RunSummary { id, started, host, git_commit, tags, .. } = run;
        Self { name, id, started, host, git_commit, tags }
    }

    /// The environment that was probed, if the run has that tag.
    pub fn environment(&self) -> Option<&str> {
        self.tags.get(ENVIRONMENT_TAG).map(String::as_str)
    }

    /// What kind of file the run was imported from; `None` if it was not imported.
    pub fn imported_from(&self) -> Option<&str> {
        self.tags.get(IMPORTED_TAG).map(String::as_str)
    }

    /// The deploy under test, if it was named.
    pub fn deploy(&self) -> Option<&str> {
        self.tags.get(DEPLOY_TAG).map(String::as_str)
    }
}

#[cfg(test)]
mod change_mark_tests;
#[cfg(test)]
mod period_tests;
#[cfg(test)]
mod series_day_tests;
#[cfg(test)]
mod tests;
