//! The results of a run: what a command prints, and the reports it writes.

use std::fmt::Write as _;
use std::path::Path;

use super::console::{Console, OutputFormat};
use super::exit::CommandError;
use super::log::PROGRAMS_ONLY;
use super::outputs::{self, FinishedRun};
use crate::record::{
    BudgetVerdict, Decision, Dimension, Interval, RunRecord, ScenarioMeasurement, ScenarioVerdict,
    StageMeasurement,
};
use crate::report::{self, ReportModel};
use crate::units::{Quantile, format_duration};

/// How much of a run is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResultForm {
    /// The verdict's table, or the record as indented JSON.
    Full,
    /// One line, for one run of many.
    Line,
}

/// Prints a run's verdict, then stores the run as `store` does, then writes its reports into its
/// folder and lists the folder's files.
///
/// An error does not stop the steps after it. The first one is returned at the end.
pub(super) fn report_run<T>(
    run: &FinishedRun,
    console: Console,
    form: ResultForm,
    store: impl FnOnce() -> T,
) -> (T, Result<(), CommandError>) {
    let printed = print_verdict(run, console, form);
    let stored = store();
    let written = write_files(run, console, form);
    // A record that was not written is why other files are missing.
    (stored, run.check_written().and(printed).and(written))
}

/// Writes a run's reports into its folder, and lists the folder's files.
fn write_files(run: &FinishedRun, console: Console, form: ResultForm) -> Result<(), CommandError> {
    let files = outputs::write_reports(run)?;
    let plots = files.iter().filter(|name| has_extension(name, "svg")).count();
    if form == ResultForm::Full
        && let Some(list) = file_list(run, files, plots)
    {
        console.print_result(&list)?;
    }
    tracing::info!(target: PROGRAMS_ONLY, run = %run.record.id, folder = %run.folder.display(), plots, "written");
    Ok(())
}

/// Prints a run's verdict, or its record as JSON. If its intervals cannot be read, prints what the
/// record says alone; the error is returned afterwards.
pub(super) fn print_verdict(
    run: &FinishedRun,
    console: Console,
    form: ResultForm,
) -> Result<(), CommandError> {
    let without_intervals;
    let (model, damaged) = match run.model() {
        Ok(model) => (model, None),
        Err(error) => {
            without_intervals = ReportModel::new(&run.record, NO_INTERVALS);
            (&without_intervals, Some(error))
        }
    };
    match form {
        ResultForm::Full => {
            console.print_result(&report::terminal(
                model,
                console.width(),
                console.has_colour(),
            ))?;
        }
        ResultForm::Line => {
            console.print_result(&run_line(&run.record, &run.folder))?;
            for reason in model.finding_lines().take(MAX_REASONS) {
                tracing::warn!("  {reason}");
            }
        }
    }
    if console.output == OutputFormat::Json {
        Console::print_json(&json(&run.record, form)?)?;
    }
    damaged.map_or(Ok(()), |error| Err(error.into()))
}

const NO_INTERVALS: [Interval; 0] = [];

/// How many reasons are printed below a run in one line. Its report has all of them.
const MAX_REASONS: usize = 5;

fn json(record: &RunRecord, form: ResultForm) -> Result<String, CommandError> {
    let text = match form {
        ResultForm::Full => serde_json::to_string_pretty(record),
        ResultForm::Line => serde_json::to_string(record),
    };
    text.map_err(CommandError::internal)
}

/// Lists the files of a run's folder; `None` if there are none. Plots are counted, all other files
/// are named.
fn file_list(run: &FinishedRun, reports: Vec<String>, plots: usize) -> Option<String> {
    let is_plot = |name: &String| has_extension(name, "svg") || has_extension(name, "png");
    let mut files = reports;
    files.retain(|name| !is_plot(name));
    files.extend(counted(plots));
    let written = DATA_FILES.into_iter().filter(|name| run.folder.join(name).exists());
    files.extend(written.map(str::to_owned));
    let list = || format!("Wrote {}/\n  {}", run.folder.display(), files.join("  "));
    (!files.is_empty()).then(list)
}

/// The files that every run has in its folder.
const DATA_FILES: [&str; 3] = ["run.json", "intervals.jsonl", "intervals.hlog"];

/// The number of plots in words; `None` if none was drawn.
pub(super) fn counted(plots: usize) -> Option<String> {
    match plots {
        0 => None,
        1 => Some("1 plot (.svg, .png)".to_owned()),
        plots => Some(format!("{plots} plots (.svg, .png)")),
    }
}

/// Whether a file's name has an extension.
pub(super) fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

/// A run in one line: start, verdict, each scenario's figures, budgets that do not hold, what the
/// gate made of it, what changed since the baseline, folder.
pub(super) fn run_line(record: &RunRecord, folder: &Path) -> String {
    let format =
        time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    let started = record.provenance.started.format(format).unwrap_or_default();
    let verdict = record.verdict.decision.word();
    let mut line = format!("{started}  {verdict:12}");
    for scenario in &record.measurement.scenarios {
        let _ = write!(line, "  {}: {}", scenario.name, scenario_figures(record, scenario));
    }
    for unmet in record.verdict.scenarios.iter().flat_map(unmet_budgets) {
        let _ = write!(line, "  [{unmet}]");
    }
    if let Some(gate) = &record.gate {
        let _ = write!(line, "  [gate {}: {}]", gate.verb(), gate.reason);
    }
    if let Some(comparison) = &record.comparison {
        let _ = write!(line, "  [comparison: {}]", report::comparison_line(comparison));
    }
    let _ = write!(line, "  {}/", folder.display());
    line.replace(char::is_control, " ")
}

/// The budgets that do not hold. A scenario with several requests names the request instead of the
/// budget.
fn unmet_budgets(scenario: &ScenarioVerdict) -> Vec<String> {
    let unmet = scenario.budgets.iter().filter(|budget| budget.decision != Decision::Pass);
    let has_several =
        scenario.budgets.iter().any(|budget| budget.request != scenario.budgets[0].request);
    let describe = |budget: &BudgetVerdict| {
        if has_several {
            format!("{}: {}", budget.request, budget.decision)
        } else {
            format!("{}: {}", budget.budget, budget.decision)
        }
    };
    let mut unmet: Vec<_> = unmet.map(describe).collect();
    unmet.dedup();
    unmet
}

/// A scenario's measured stage in words: `600 requests, none failed, p50 41 ms, p95 72 ms`.
pub(super) fn scenario_figures(record: &RunRecord, scenario: &ScenarioMeasurement) -> String {
    let planned = record.planned(&scenario.name);
    let is_hop = |request: &str| {
        let planned =
            planned.and_then(|plan| plan.requests.iter().find(|planned| planned.name == request));
        planned.is_some_and(|planned| planned.hop_of.is_some())
    };
    let mut all = StageMeasurement::default();
    for request in scenario.requests.iter().filter(|request| !is_hop(&request.name)) {
        all.tally.add(&request.measured.tally);
        all.series.merge(&request.measured.series);
    }
    let failed = all.tally.failed();
    let requests = all.tally.ok + failed;
    if requests == 0 && scenario.unreleased > 0 {
        return "no request was measured".to_owned();
    }
    let failed = if failed == 0 { "none".to_owned() } else { failed.to_string() };
    let noun = if requests == 1 { "request" } else { "requests" };
    let mut words = format!("{requests} {noun}, {failed} failed");
    if all.tally.ok == 1 {
        let latency = all.series.get(Dimension::Latency).and_then(crate::record::Histogram::max);
        let _ = write!(
            words,
            "{}",
            latency.map(|latency| format!(", {}", format_duration(latency))).unwrap_or_default()
        );
        return words;
    }
    for quantile in [Quantile::P50, Quantile::P95] {
        if let Some(latency) = all.series.quantile(Dimension::Latency, quantile) {
            let _ = write!(words, ", {quantile} {}", format_duration(latency));
        }
    }
    words
}
