//! A run in a table.

use super::SiteLabels;
use crate::history::{DEPLOY_TAG, QuantileFigures, SeriesRun};
use crate::record::Decision;
use crate::report::words;

/// The headings of a table of runs.
pub(in crate::report) const RUN_HEADS: [&str; 9] =
    ["started", "verdict", "n", "failed", "p50", "p95", "p99", "longest", "deploy"];

/// One run of one request.
#[derive(Debug, Clone)]
pub(in crate::report) struct RunHistoryRow {
    /// The run's name.
    pub(in crate::report) name: String,
    /// Whether the run has a page.
    pub(in crate::report) is_linked: bool,
    /// Its start, in local time.
    pub(in crate::report) started: String,
    /// The decision on the scenario.
    pub(in crate::report) decision: Decision,
    /// Counts, quantiles, and deploy: the cells after the verdict.
    pub(in crate::report) cells: Vec<String>,
}

impl RunHistoryRow {
    /// The row of a run.
    pub(super) fn new(run: &SeriesRun, labels: SiteLabels<'_>) -> Self {
        let figures = QuantileFigures::of_encoded(&run.latency);
        let counts = [run.exchanges, run.failed()].map(words::count);
        let times = [figures.p50, figures.p95, figures.p99, figures.max].map(words::time);
        let deploy = labels.public_tag(run, DEPLOY_TAG).unwrap_or_default();
        Self {
            name: run.run.name.clone(),
            is_linked: false,
            started: labels.minute(run.started()),
            decision: run.decision,
            cells: counts.into_iter().chain(times).chain([deploy]).collect(),
        }
    }
}
