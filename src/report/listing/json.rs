//! A history as JSON.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::history::{History, LatencyFigures, RequestTrend, TrendRow};
use crate::record::{Decision, RequestSuggestion};

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

/// Renders suggested budgets as pretty-printed JSON. `docs/history.md` describes each field.
///
/// Fails only if serialization fails, which would be a bug.
pub fn suggestions_json(requests: &[RequestSuggestion]) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&SuggestionDocument { format: FORMAT, requests })
}

#[derive(Serialize)]
struct SuggestionDocument<'a> {
    format: u32,
    requests: &'a [RequestSuggestion],
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
    ok_latency: AddedLatency<'a>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    imported: Option<ImportedRun<'a>>,
}

/// The figures and the summed histogram of all runs.
#[derive(Serialize)]
struct AddedLatency<'a> {
    #[serde(flatten)]
    figures: LatencyFigures,
    /// HdrHistogram V2, deflated, base64.
    #[serde(serialize_with = "to_base64")]
    hdr: &'a [u8],
}

/// What is known of an imported run's file.
#[derive(Serialize)]
struct ImportedRun<'a> {
    from: &'a str,
    budgets: &'a [String],
    caveats: &'a [String],
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
            ok_latency: AddedLatency { figures: trend.figures(), hdr: &trend.latency.hdr },
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
            ok_latency: row.latency,
            imported: ImportedRun::of(row),
        }
    }
}

impl<'a> ImportedRun<'a> {
    fn of(row: &'a TrendRow) -> Option<Self> {
        let from = row.run.imported_from()?;
        let (budgets, caveats): (&[_], &[_]) = match &row.imported {
            Some(facts) => (&facts.budgets, &facts.caveats),
            None => (&[], &[]),
        };
        Some(Self { from, budgets, caveats })
    }
}

fn to_base64<S: Serializer>(bytes: &&[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64.encode(bytes))
}
