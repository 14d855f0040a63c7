//! A history as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::history::{History, RequestTrend, TrendRow};
use crate::record::{Decision, EncodedHistogram};

/// Version of the format, raised when a field changes its meaning.
const FORMAT: u32 = 1;

/// Renders the history as pretty-printed JSON. Each request has the figures of all runs, their
/// summed histogram, and its newest `most` runs, newest last. `docs/history.md` describes each
/// field.
///
/// Fails only if serialization fails, which would be a bug.
pub fn history_json(history: &History, most: usize) -> Result<String, serde_json::Error> {
    let requests = history.trends.iter().map(|trend| RequestHistory::of(trend, most)).collect();
    serde_json::to_string_pretty(&HistoryDocument {
        format: FORMAT,
        runs: history.run_count(),
        requests,
    })
}

#[derive(Serialize)]
struct HistoryDocument<'a> {
    format: u32,
    runs: usize,
    requests: Vec<RequestHistory<'a>>,
}

#[derive(Serialize)]
struct RequestHistory<'a> {
    scenario: &'a str,
    request: &'a str,
    runs: usize,
    exchanges: u64,
    failed: u64,
    ok_latency: &'a EncodedHistogram,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    caveats: Vec<String>,
    newest: Vec<ListedRun<'a>>,
}

#[derive(Serialize)]
struct ListedRun<'a> {
    run: &'a str,
    id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    started: OffsetDateTime,
    host: &'a str,
    git_commit: Option<&'a str>,
    tags: &'a BTreeMap<String, String>,
    verdict: Decision,
    exchanges: u64,
    failed: u64,
    ok_latency: LatencyFigures,
}

/// Figures of the ok exchanges in microseconds; `null` if none succeeded.
#[derive(Serialize)]
struct LatencyFigures {
    count: u64,
    min_us: Option<u64>,
    p50_us: Option<u64>,
    p95_us: Option<u64>,
    p99_us: Option<u64>,
    max_us: Option<u64>,
    clipped: u64,
}

impl<'a> RequestHistory<'a> {
    fn of(trend: &'a RequestTrend, most: usize) -> Self {
        let newest = &trend.rows[trend.rows.len().saturating_sub(most)..];
        Self {
            scenario: &trend.scenario,
            request: &trend.request,
            runs: trend.rows.len(),
            exchanges: trend.exchanges,
            failed: trend.failed(),
            ok_latency: &trend.latency,
            caveats: trend.caveats(),
            newest: newest.iter().map(ListedRun::of).collect(),
        }
    }
}

impl<'a> ListedRun<'a> {
    fn of(row: &'a TrendRow) -> Self {
        let run = &row.run;
        Self {
            run: &run.name,
            id: run.id,
            started: run.started,
            host: &run.host,
            git_commit: run.git_commit.as_deref(),
            tags: &run.tags,
            verdict: row.decision,
            exchanges: row.exchanges,
            failed: row.failed(),
            ok_latency: LatencyFigures::of(&row.latency),
        }
    }
}

impl LatencyFigures {
    fn of(packed: &EncodedHistogram) -> Self {
        let &EncodedHistogram { count, min_us, p50_us, p95_us, p99_us, max_us, clipped, .. } =
            packed;
        Self { count, min_us, p50_us, p95_us, p99_us, max_us, clipped }
    }
}
