//! How latency has moved over many runs, purely.
//!
//! Quantiles over a range of runs come from their added histograms, never from averages of theirs.

mod filter;
mod sparkline;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use time::OffsetDateTime;
use uuid::Uuid;

pub use self::filter::{ENVIRONMENT_TAG, HistoryFilter};
pub use self::sparkline::{GAP, sparkline};
use crate::record::{
    Decision, EncodedAdder, EncodedHistogram, Histogram, HistogramError, RequestSummary, RunSummary,
};

/// Many runs, by what was requested in them.
#[derive(Debug, Default)]
pub struct History {
    /// The requests, in the order in which the oldest run has them.
    pub trends: Vec<RequestTrend>,
    /// What is left out, one sentence each: histograms that are damaged.
    pub left_out: Vec<String>,
}

/// One request over all the runs that had it.
#[derive(Debug)]
pub struct RequestTrend {
    /// The scenario it belongs to.
    pub scenario: String,
    /// Its name.
    pub request: String,
    /// What each run measured, the newest last.
    pub rows: Vec<TrendRow>,
    /// Exchanges that came to an end, in all of them.
    pub exchanges: u64,
    /// Of these, the ones that met every expectation.
    pub ok: u64,
    /// The latency of the ok exchanges of all runs: their histograms added.
    pub latency: EncodedHistogram,
}

/// What one run measured of one request.
#[derive(Debug)]
pub struct TrendRow {
    /// The run.
    pub run: Arc<TrendRun>,
    /// The decision on the request's scenario.
    pub decision: Decision,
    /// Exchanges that came to an end.
    pub exchanges: u64,
    /// Of these, the ones that met every expectation.
    pub ok: u64,
    /// The latency of the ok exchanges in figures; without bytes, which are in the sum.
    pub latency: EncodedHistogram,
}

/// One run.
#[derive(Debug)]
pub struct TrendRun {
    /// How it is called.
    pub name: String,
    /// Its id.
    pub id: Uuid,
    /// When it started (UTC).
    pub started: OffsetDateTime,
    /// The machine's name.
    pub host: String,
    /// The git commit that was probed, where it is known.
    pub git_commit: Option<String>,
    /// What it was tagged with.
    pub tags: BTreeMap<String, String>,
}

impl History {
    /// The history of those runs that a filter takes.
    ///
    /// A run that is there twice counts once, and one that a merged run is made of only as part of
    /// that, also where the filter leaves the merged run out: it started when the first of its
    /// parts did, and has the tags that all of them have.
    pub fn from_runs(runs: impl IntoIterator<Item = RunSummary>, filter: &HistoryFilter) -> Self {
        let mut runs: Vec<RunSummary> = runs.into_iter().collect();
        runs.sort_by_key(|run| (run.started, run.id));
        let mut counted: HashSet<Uuid> =
            runs.iter().flat_map(|run| run.parts.iter().copied()).collect();
        runs.retain(|run| counted.insert(run.id) && filter.matches_run(run));
        let mut left_out = Vec::new();
        let trends = group_by_request(runs, filter)
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

/// The summaries of one request, one a run.
type RequestRuns = Vec<(Arc<TrendRun>, RequestSummary)>;

/// The requests that a filter takes, in the order in which they are met.
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

/// The latencies of one request in all runs, added, and whether each could be.
type AddedLatencies = (Histogram, Vec<Result<(), HistogramError>>);

/// So many histograms are added by one thread before another is worth its start.
const A_SHARE: usize = 512;

/// Adds the latencies of all runs, on all processors where there are many; the order does not
/// change the sum.
fn add_latencies(found: &[(Arc<TrendRun>, RequestSummary)]) -> AddedLatencies {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let share = found.len().div_ceil(processors).max(A_SHARE);
    thread::scope(|scope| {
        let adding: Vec<_> =
            found.chunks(share).map(|share| scope.spawn(|| add_share(share))).collect();
        let mut all = (Histogram::default(), Vec::with_capacity(found.len()));
        for share in adding {
            // A thread that panics has found a defect, and ends the program as any defect does.
            let (sum, added) =
                share.join().unwrap_or_else(|defect| std::panic::resume_unwind(defect));
            all.0.add(&sum);
            all.1.extend(added);
        }
        all
    })
}

fn add_share(found: &[(Arc<TrendRun>, RequestSummary)]) -> AddedLatencies {
    let (mut adder, mut sum) = (EncodedAdder::default(), Histogram::default());
    let each = found.iter().map(|(_, summary)| adder.add(&summary.latency, &mut sum)).collect();
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

    /// The environments that the runs are tagged with.
    pub fn environments(&self) -> BTreeSet<&str> {
        self.rows.iter().filter_map(|row| row.run.environment()).collect()
    }
}

impl TrendRow {
    fn of(run: Arc<TrendRun>, summary: RequestSummary) -> Self {
        let RequestSummary { decision, exchanges, ok, latency, .. } = summary;
        Self {
            run,
            decision,
            exchanges,
            ok,
            latency: EncodedHistogram { hdr: Vec::new(), ..latency },
        }
    }

    /// Exchanges that failed or were dropped.
    pub fn failed(&self) -> u64 {
        self.exchanges.saturating_sub(self.ok)
    }
}

impl TrendRun {
    fn of(run: RunSummary) -> Self {
        let name = run.name();
        let RunSummary { id, started, host, git_commit, tags, .. } = run;
        Self { name, id, started, host, git_commit, tags }
    }

    /// The environment that was probed, where the run is tagged with one.
    pub fn environment(&self) -> Option<&str> {
        self.tags.get(ENVIRONMENT_TAG).map(String::as_str)
    }
}

#[cfg(test)]
mod tests;
