//! The shape of a report's table: what is told of many exchanges, or of one each.

use crate::record::{Dimension, ScenarioMeasurement, Stage};

use super::{Model, RequestView, ScenarioView, label, words};

/// What a table has a column for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum TableShape {
    /// Quantiles of many exchanges.
    Load,
    /// What each of several steps took that were carried out once.
    Checks,
}

/// The parts of what a step took that a table of steps has a column for.
const PARTS: [Dimension; 5] =
    [Dimension::Lag, Dimension::Wait, Dimension::Setup, Dimension::FirstByte, Dimension::Body];

/// The heads of that table.
pub(in crate::report) fn part_heads() -> [&'static str; 6] {
    let [lag, wait, setup, first_byte, body] = PARTS.map(label);
    ["took", lag, wait, setup, first_byte, body]
}

/// A column's head, and what stands under it.
pub(in crate::report) type NamedFigure = (&'static str, String);

impl TableShape {
    /// The shape for these scenarios: one table has them all.
    pub(super) fn of(scenarios: &[ScenarioView]) -> Self {
        let are_checks =
            !scenarios.is_empty() && scenarios.iter().all(|scenario| scenario.is_single);
        if are_checks { Self::Checks } else { Self::Load }
    }

    /// What the first column is of.
    pub(in crate::report) fn place_head(self) -> &'static str {
        match self {
            Self::Load => "scenario · request",
            Self::Checks => "scenario · step",
        }
    }

    /// The heads of the columns of figures.
    pub(in crate::report) fn heads(self) -> &'static [&'static str] {
        match self {
            Self::Load => &["n", "p50", "p95", "p99", "max", "errors"],
            Self::Checks => &["n", "took", "errors"],
        }
    }

    /// The figures of a request, one for each head.
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

    /// Whether the failures of a request are errors by this shape, and not the tries of a step that did not fail.
    pub(in crate::report) fn counts_failures_of(self, request: &RequestView) -> bool {
        self == Self::Load || request.hop.is_none()
    }

    /// What stands in place of a budget, and of what was measured of it, where a request has none.
    pub(in crate::report) fn no_budget(self, request: &RequestView) -> [&'static str; 2] {
        let budget = if request.hop.is_some() { "not judged" } else { "none" };
        let not_judged = request.left_out.filter(|_| self == Self::Checks && request.hop.is_none());
        [budget, not_judged.unwrap_or_default()]
    }
}

/// One duration; of several tries or hops that were ok, the longest.
fn took(request: &RequestView) -> String {
    let longest = words::time(request.latency.max);
    if request.latency.n > 1 { format!("up to {longest}") } else { longest }
}

/// How many failed; tries of a step that did not fail are no errors.
fn errors(request: &RequestView) -> String {
    match request.n {
        _ if request.hop.is_some() && request.has_only_tries() => "–".to_owned(),
        0 | 1 => words::count(request.failed),
        _ => request.errors(),
    }
}

/// Whether one arrival was planned, and nothing of it was carried out more than once.
pub(super) fn is_single(scenario: &ScenarioMeasurement) -> bool {
    let is_warm =
        |stage| scenario.requests.iter().any(|request| request.stage(stage).tally.exchanges > 0);
    scenario.planned == Some(1) && ![Stage::Cold, Stage::Warmup].into_iter().any(is_warm)
}

impl ScenarioView {
    /// Where the time of each step went that was ok, one row a step, as [`part_heads`] has them; none where the scenario was
    /// not carried out once, for then each request has a table of its own.
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

    /// Whether what the target told of a request has a table. Of steps carried out once, what hops and tries were told
    /// stands with their step.
    pub(in crate::report) fn has_server_timing(&self, request: &RequestView) -> bool {
        let repeats_its_step = self.is_single && request.hop.is_some();
        !request.server_timing.rows.is_empty() && !repeats_its_step
    }
}

impl Model {
    /// The shape of its table.
    pub(in crate::report) fn shape(&self) -> TableShape {
        TableShape::of(&self.scenarios)
    }

    /// Whether its table has intervals to show; the one of a load always tells which ones they would be.
    pub(in crate::report) fn has_intervals(&self) -> bool {
        let mut rows = self.requests().flat_map(|(_, request)| &request.budgets);
        self.shape() == TableShape::Load || rows.any(|row| !row.interval.is_empty())
    }
}
