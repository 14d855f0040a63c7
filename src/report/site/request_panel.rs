//! One request on the page of its scenario.

use std::collections::BTreeSet;

use super::budget_row::{BudgetHistoryRow, attainment};
use super::finding::{self, change_range, change_words};
use super::{RunHistoryRow, SiteLabels};
use crate::history::{QuantileFigures, RequestHistory, SeriesRun};
use crate::record::Decision;
use crate::report::words;

/// How many runs a table lists.
const LISTED: usize = 12;

/// What a page shows of one request.
#[derive(Debug)]
pub(in crate::report) struct RequestPanel {
    /// The figures.
    pub(in crate::report) history: RequestHistory,
    /// Its name, safe to display.
    pub(in crate::report) name: String,
    /// The scenario and the request.
    pub(in crate::report) place: String,
    /// What its latency did, in a sentence.
    pub(in crate::report) finding: String,
    /// Its budgets, those of the newest run first.
    pub(in crate::report) budgets: Vec<BudgetHistoryRow>,
    /// Period, n, failed and quantiles: this period, and the one before it.
    pub(in crate::report) periods: Vec<Vec<String>>,
    /// Quantile, before, after, and the change with its interval.
    pub(in crate::report) changes: Vec<[String; 4]>,
    /// The change points, the newest first: when, what, and whether it is confirmed.
    pub(in crate::report) change_points: Vec<String>,
    /// The stretches without runs, the longest first.
    pub(in crate::report) gaps: Vec<String>,
    /// The slowest runs, the slowest first.
    pub(in crate::report) slowest: Vec<RunHistoryRow>,
    /// The newest runs, the newest first.
    pub(in crate::report) newest: Vec<RunHistoryRow>,
    /// The newest runs that failed or were inconclusive, the newest first.
    pub(in crate::report) undecided: Vec<RunHistoryRow>,
    /// What the figures cannot say, one sentence each.
    pub(in crate::report) notes: Vec<String>,
}

impl RequestPanel {
    /// The panel of a request; `scenario` is the title of its page.
    pub(super) fn new(history: RequestHistory, scenario: &str, labels: SiteLabels<'_>) -> Self {
        let name = words::name(&history.request);
        let budgets = history.period.budgets.iter();
        let of_change = |change: &crate::history::PeriodChange| {
            let [before, after] = [change.before, change.after].map(|time| words::time(Some(time)));
            [change.quantile.to_string(), before, after, change_range(change)]
        };
        Self {
            place: format!("{scenario} · {name}"),
            finding: finding::headline(&history, labels),
            budgets: budgets.map(|of| BudgetHistoryRow::new(of, &history.period)).collect(),
            periods: periods(&history, labels),
            changes: history.changes.iter().map(of_change).collect(),
            change_points: history
                .change_points
                .iter()
                .rev()
                .map(|mark| words::capitalised(&change_words(&history, mark, labels)))
                .collect(),
            gaps: gaps(&history, labels),
            slowest: slowest(&history, labels),
            newest: rows(history.runs.iter().rev(), labels),
            undecided: rows(
                history.runs.iter().rev().filter(|run| run.decision != Decision::Pass),
                labels,
            ),
            notes: notes(&history),
            name,
            history,
        }
    }

    /// The budgets that its newest run has.
    pub(in crate::report) fn current_budgets(&self) -> impl Iterator<Item = &BudgetHistoryRow> {
        self.budgets.iter().filter(|budget| budget.is_current)
    }

    /// Whether most of its runs have a single exchange.
    pub(super) fn has_single_exchanges(&self) -> bool {
        let runs = &self.history.runs;
        runs.iter().filter(|run| run.latency.count == 1).count() * 2 > runs.len()
    }

    /// The names of the runs in its tables.
    pub(super) fn listed_runs(&self) -> impl Iterator<Item = String> + '_ {
        let all = self.slowest.iter().chain(&self.newest).chain(&self.undecided);
        all.map(|row| row.name.clone())
    }

    /// Links the runs whose pages exist.
    pub(super) fn link_runs(&mut self, existing: &BTreeSet<String>) {
        let all = self.slowest.iter_mut().chain(&mut self.newest).chain(&mut self.undecided);
        all.for_each(|row| row.is_linked = existing.contains(&row.name));
    }

    /// The finding as a sentence of its own. Names of quantiles stay lower-case.
    pub(in crate::report) fn finding_sentence(&self) -> String {
        let is_quantile = self.finding.starts_with(['p'])
            && self.finding[1..].starts_with(|c: char| c.is_ascii_digit());
        let start =
            if is_quantile { self.finding.clone() } else { words::capitalised(&self.finding) };
        start + "."
    }

    /// The verdicts of the period in words.
    pub(in crate::report) fn attainment(&self) -> String {
        attainment(&self.history.period.attainment)
    }
}

/// The headings of [`RequestPanel::periods`].
pub(in crate::report) const PERIOD_HEADS: [&str; 8] =
    ["period", "runs", "n", "failed", "p50", "p95", "p99", "longest"];

fn periods(history: &RequestHistory, labels: SiteLabels<'_>) -> Vec<Vec<String>> {
    let row = |name: String, period: &crate::history::PeriodFigures| {
        let QuantileFigures { p50, p95, p99, max, .. } = period.figures();
        let counts = [period.attainment.runs(), period.exchanges, period.failed()];
        let counts = counts.map(words::count).into_iter();
        std::iter::once(name).chain(counts).chain([p50, p95, p99, max].map(words::time)).collect()
    };
    let length = labels.length();
    vec![
        row(format!("these {length}"), &history.period),
        row(format!("the {length} before"), &history.previous),
    ]
}

fn gaps(history: &RequestHistory, labels: SiteLabels<'_>) -> Vec<String> {
    let mut gaps = history.bins.gaps.clone();
    gaps.sort_by_key(|gap| std::cmp::Reverse(gap.to - gap.from));
    let words = |gap: &crate::history::RunGap| {
        let hours = (gap.to - gap.from).whole_hours();
        let length = match hours {
            hours if hours >= 48 => format!("{} days", hours / 24),
            hours if hours >= 2 => format!("{hours} h"),
            _ => format!("{} min", (gap.to - gap.from).whole_minutes()),
        };
        format!("{length}: {} to {}", labels.minute(gap.from), labels.minute(gap.to))
    };
    gaps.iter().map(words).collect()
}

/// The slowest runs, by the figure that most runs have: runs ranked by different figures cannot be
/// compared.
fn slowest(history: &RequestHistory, labels: SiteLabels<'_>) -> Vec<RunHistoryRow> {
    let of = |run: &SeriesRun| QuantileFigures::of_encoded(&run.latency);
    let carry_p95 = history.runs.iter().filter(|run| of(run).p95.is_some()).count();
    let value = |run: &SeriesRun| {
        let figures = of(run);
        if carry_p95 * 2 > history.runs.len() { figures.p95 } else { figures.p50.or(figures.max) }
    };
    let mut runs: Vec<&SeriesRun> =
        history.runs.iter().filter(|run| value(run).is_some()).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(value(run)));
    rows(runs.into_iter(), labels)
}

fn rows<'a>(
    runs: impl Iterator<Item = &'a SeriesRun>,
    labels: SiteLabels<'_>,
) -> Vec<RunHistoryRow> {
    runs.take(LISTED).map(|run| RunHistoryRow::new(run, labels)).collect()
}

/// What the runs are too small for.
fn notes(history: &RequestHistory) -> Vec<String> {
    let singles = history.runs.iter().filter(|run| run.latency.count == 1).count() as u64;
    let all = history.runs.len() as u64;
    let mut notes = Vec::new();
    if singles > 0 {
        notes.push(format!(
            "{} of {} have a single exchange: a single exchange has no quantiles, and its value is drawn as a ring",
            words::count(singles),
            words::plural(all, "run"),
        ));
    }
    let too_few = history.runs.iter().filter(|run| (2..20).contains(&run.latency.count)).count();
    if too_few > 0 {
        notes.push(format!(
            "{} of {} have fewer than 20 ok exchanges, too few for a p95",
            words::count(too_few as u64),
            words::plural(all, "run"),
        ));
    }
    notes
}
