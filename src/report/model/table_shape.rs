//! Which columns a report's table has: quantiles of many exchanges, or one duration per step.

use crate::record::{Dimension, ScenarioMeasurement, Stage};

use super::{ReportModel, RequestView, ScenarioView, label, words};

/// Which columns a table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum TableShape {
    /// Quantiles of many exchanges.
    Load,
    /// The duration of each step that ran once.
    Checks,
}

/// The parts of latency that a table of steps shows.
const PARTS: [Dimension; 5] =
    [Dimension::Lag, Dimension::Wait, Dimension::Setup, Dimension::FirstByte, Dimension::Body];

/// The column headings of that table.
pub(in crate::report) fn part_heads() -> [&'static str; 6] {
    let [lag, wait, setup, first_byte, body] = PARTS.map(label);
    ["took", lag, wait, setup, first_byte, body]
}

/// A column heading with one cell below it.
pub(in crate::report) type NamedFigure = (&'static str, String);

impl TableShape {
    /// The shape of the one table that holds all these scenarios.
    pub(super) fn of(scenarios: &[ScenarioView]) -> Self {
        let are_checks =
            !scenarios.is_empty() && scenarios.iter().all(|scenario| scenario.is_single);
        if are_checks { Self::Checks } else { Self::Load }
    }

    /// Heading of the first column.
    pub(in crate::report) fn place_head(self) -> &'static str {
        match self {
            Self::Load => "scenario · request",
            Self::Checks => "scenario · step",
        }
    }

    /// Headings of the figures.
    pub(in crate::report) fn heads(self) -> &'static [&'static str] {
        match self {
            Self::Load => &["n", "p50", "p95", "p99", "max", "errors"],
            Self::Checks => &["n", "took", "errors"],
        }
    }

    /// The figures of a request, one per heading.
    pub(in crate::report) fn figures(self, request: &RequestView) -> Vec<NamedFigure> {
        let n = words::count(request.n);
        let latency = request.latency;
        let cells = match self {
            Self::Load => {
                let [p50, p95, p99, max] =
                    [latency.p50, latency.p95, latency.p99, latency.max].map(words::time);
                vec![n, p50, p95, p99, max, request.errors()]
            }
            Self::Checks => vec![n, took(request), errors(request)],
        };
        self.heads().iter().copied().zip(cells).collect()
    }

    /// Whether a request's failures count as errors, rather than as tries of a step that did not
    /// fail.
    pub(in crate::report) fn counts_failures_of(self, request: &RequestView) -> bool {
        self == Self::Load || request.hop.is_none()
    }

    /// Placeholders for the budget and the measured value of a request without budgets.
    pub(in crate::report) fn no_budget(self, request: &RequestView) -> [&'static str; 2] {
        let budget = if request.hop.is_some() { "not judged" } else { "none" };
        let not_judged = request.left_out.filter(|_| self == Self::Checks && request.hop.is_none());
        [budget, not_judged.unwrap_or_default()]
    }
}

/// The duration, or the longest of several ok tries or hops.
fn took(request: &RequestView) -> String {
    let longest = words::time(request.latency.max);
    if request.latency.n > 1 { format!("up to {longest}") } else { longest }
}

/// Number of errors; failed tries of a step that did not fail do not count.
fn errors(request: &RequestView) -> String {
    match request.n {
        _ if request.hop.is_some() && request.has_only_tries() => "–".to_owned(),
        0 | 1 => words::count(request.failed),
        _ => request.errors(),
    }
}

/// Whether one arrival was planned and no warm-up ran.
pub(super) fn is_single(scenario: &ScenarioMeasurement) -> bool {
    let is_warm =
        |stage| scenario.requests.iter().any(|request| request.stage(stage).tally.exchanges > 0);
    scenario.planned == Some(1) && ![Stage::Cold, Stage::Warmup].into_iter().any(is_warm)
}

impl ScenarioView {
    /// Where the time of each ok step went, one row per step in the order of [`part_heads`]. Empty
    /// for a load, whose requests have separate tables.
    pub(in crate::report) fn step_timings(&self) -> Vec<(&str, [String; 6])> {
        let row = |step: &'_ RequestView| {
            let latency = step.timing.latency().filter(|latency| latency.warm.n > 0)?;
            let of = |part| {
                step.timing
                    .rows
                    .iter()
                    .find(|row| row.dimension == part)
                    .and_then(|row| row.warm.max)
            };
            let [lag, wait, setup, first_byte, body] = PARTS.map(of).map(words::time);
            Some([words::time(latency.warm.max), lag, wait, setup, first_byte, body])
        };
        let steps = self.own_requests().filter(|_| self.is_single);
        steps.filter_map(|step| Some((step.name.as_str(), row(step)?))).collect()
    }

    /// Whether a request has a `Server-Timing` table. In a list of checks, metrics of hops and
    /// tries appear with their step.
    pub(in crate::report) fn has_server_timing(&self, request: &RequestView) -> bool {
        let repeats_its_step = self.is_single && request.hop.is_some();
        !request.server_timing.rows.is_empty() && !repeats_its_step
    }
}

impl ReportModel {
    /// The shape of its table.
    pub(in crate::report) fn shape(&self) -> TableShape {
        TableShape::of(&self.scenarios)
    }

    /// Whether the table has an interval column heading; the table of a load always has one.
    pub(in crate::report) fn has_intervals(&self) -> bool {
        let mut rows = self.requests().flat_map(|(_, request)| &request.budgets);
        self.shape() == TableShape::Load || rows.any(|row| !row.interval.is_empty())
    }
}
