//! What is shown and written of a run that was kept.

use std::fmt::Write as _;
use std::path::Path;

use super::console::{Console, Output};
use super::exit::Problem;
use super::log::LIFE;
use crate::record::{
    BudgetVerdict, Decision, Dimension, RunRecord, ScenarioMeasurement, ScenarioVerdict,
    StageMeasurement,
};
use crate::report;
use crate::store;
use crate::units::{Quantile, show};

/// How much of a run is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The verdict's table, or the record over many lines.
    Whole,
    /// One line, as for one run of many.
    Line,
}

/// Prints a run's verdict and writes its reports into its folder.
///
/// The intervals are read back from the folder, so that what is drawn is what was kept.
pub(super) fn report_on(
    record: &RunRecord,
    folder: &Path,
    console: Console,
    form: Form,
) -> Result<(), Problem> {
    let mut damaged = None;
    let intervals = store::intervals(folder)?
        .map_while(|interval| interval.map_err(|error| damaged = Some(error)).ok());
    let model = report::Model::new(record, intervals);
    match damaged {
        Some(error) => Err(error.into()),
        None => put_out(record, &model, folder, console, form),
    }
}

fn put_out(
    record: &RunRecord,
    model: &report::Model,
    folder: &Path,
    console: Console,
    form: Form,
) -> Result<(), Problem> {
    match form {
        Form::Whole => {
            console.result(&report::terminal(model, console.width(), console.colours_results()))?;
        }
        Form::Line => {
            console.result(&line(record, folder))?;
            for why in model.in_the_way().take(REASONS) {
                tracing::warn!("  {why}");
            }
        }
    }
    if console.output == Output::Json {
        Console::plain(&json(record, form)?)?;
    }
    let plots = write_reports(model, folder)?;
    if form == Form::Whole {
        console.result(&written(folder, plots))?;
    }
    tracing::info!(target: LIFE, run = %record.id, folder = %folder.display(), plots, "written");
    Ok(())
}

/// How many reasons stand below a run in one line; its report has them all.
const REASONS: usize = 5;

fn json(record: &RunRecord, form: Form) -> Result<String, Problem> {
    let text = match form {
        Form::Whole => serde_json::to_string_pretty(record),
        Form::Line => serde_json::to_string(record),
    };
    text.map_err(Problem::internal)
}

/// Writes plots and pages; returns how many plots there are.
fn write_reports(model: &report::Model, folder: &Path) -> Result<usize, Problem> {
    let plots = report::plots(model).map_err(Problem::internal)?;
    for plot in &plots {
        store::write_atomically(folder, &format!("{}.svg", plot.name), plot.svg.as_bytes())?;
        store::write_atomically(folder, &format!("{}.png", plot.name), &plot.png)?;
    }
    store::write_atomically(folder, "report.html", report::html(model).as_bytes())?;
    store::write_atomically(folder, "report.md", report::markdown(model).as_bytes())?;
    Ok(plots.len())
}

fn written(folder: &Path, plots: usize) -> String {
    let noun = if plots == 1 { "plot" } else { "plots" };
    format!(
        "Wrote {}/\n  report.html  report.md  {plots} {noun} (.svg, .png)  run.json  intervals.jsonl  intervals.hlog",
        folder.display()
    )
}

/// A run in one line: when, the verdict, each scenario's figures, the budgets that do not hold, the folder.
pub(super) fn line(record: &RunRecord, folder: &Path) -> String {
    let format =
        time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    let started = record.provenance.started.format(format).unwrap_or_default();
    let verdict = record.verdict.decision.name().to_uppercase();
    let mut line = format!("{started}  {verdict:12}");
    for scenario in &record.measurement.scenarios {
        let _ = write!(line, "  {}: {}", scenario.name, in_words(record, scenario));
    }
    for open in record.verdict.scenarios.iter().flat_map(open) {
        let _ = write!(line, "  [{open}]");
    }
    let _ = write!(line, "  {}/", folder.display());
    line.replace(char::is_control, " ")
}

/// What of a scenario does not hold: of one request its budgets, of several the requests.
fn open(scenario: &ScenarioVerdict) -> Vec<String> {
    let open = scenario.budgets.iter().filter(|budget| budget.decision != Decision::Pass);
    let has_several =
        scenario.budgets.iter().any(|budget| budget.request != scenario.budgets[0].request);
    let words = |budget: &BudgetVerdict| {
        if has_several {
            format!("{}: {}", budget.request, budget.decision)
        } else {
            format!("{}: {}", budget.budget, budget.decision)
        }
    };
    let mut open: Vec<_> = open.map(words).collect();
    open.dedup();
    open
}

/// A scenario's measured phase: `600 requests, none failed, p50 41 ms, p95 72 ms`.
pub(super) fn in_words(record: &RunRecord, scenario: &ScenarioMeasurement) -> String {
    let planned = record.planned(&scenario.name);
    let is_hop = |request: &str| {
        let shown =
            planned.and_then(|plan| plan.requests.iter().find(|shown| shown.name == request));
        shown.is_some_and(|shown| shown.hop_of.is_some())
    };
    let mut all = StageMeasurement::default();
    for request in scenario.requests.iter().filter(|request| !is_hop(&request.name)) {
        all.tally.add(&request.measured.tally);
        all.series.merge(&request.measured.series);
    }
    let failed = all.tally.failed();
    let requests = all.tally.ok + failed;
    let failed = if failed == 0 { "none".to_owned() } else { failed.to_string() };
    let noun = if requests == 1 { "request" } else { "requests" };
    let mut words = format!("{requests} {noun}, {failed} failed");
    if all.tally.ok == 1 {
        let latency = all.series.get(Dimension::Latency).and_then(crate::record::Histogram::max);
        let _ = write!(
            words,
            "{}",
            latency.map(|latency| format!(", {}", show(latency))).unwrap_or_default()
        );
        return words;
    }
    for quantile in [Quantile::P50, Quantile::P95] {
        if let Some(latency) = all.series.quantile(Dimension::Latency, quantile) {
            let _ = write!(words, ", {quantile} {}", show(latency));
        }
    }
    words
}
