//! One run from its plan to its exit code; shared by `run` and `demo`.

use std::path::{Path, PathBuf};

use clap::builder::FalseyValueParser;
use uuid::Uuid;

use super::console::{Console, Output};
use super::exit::{Exit, Problem};
use super::live::Live;
use super::{guard, provenance, signals};
use crate::engine::{self, Engine};
use crate::plan::Plan;
use crate::record::{FORMAT, RunRecord};
use crate::report;
use crate::store::{self, Draft, RunFolder};
use crate::verdict;

/// The most characters of evidence that are kept, once secrets are blotted out.
const EVIDENCE_SHOWN: usize = 200;

/// How a run is to be carried out, beside its plan.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Settings {
    /// What is printed on stdout
    #[arg(long, value_enum, default_value = "text", env = "TOLLGATE_OUTPUT")]
    output: Output,
    /// Show no progress; the verdict is still printed
    #[arg(long, short, env = "TOLLGATE_QUIET", value_parser = FalseyValueParser::new())]
    quiet: bool,
    /// The folder that run folders are made in
    #[arg(long, value_name = "DIR", default_value = "reports/runs", env = "TOLLGATE_RUNS_DIR")]
    runs_dir: PathBuf,
    /// The commit of what is probed [default: the one checked out here]
    #[arg(long, value_name = "HASH", env = "TOLLGATE_GIT_COMMIT")]
    git_commit: Option<String>,
    /// Allow more than 100 requests a second to a host that is not this machine
    #[arg(long, env = "TOLLGATE_YES_LOAD_THIS_HOST", value_parser = FalseyValueParser::new())]
    yes_load_this_host: bool,
}

impl Settings {
    /// Where text goes.
    pub(super) fn console(&self) -> Console {
        Console { output: self.output, quiet: self.quiet }
    }
}

/// A run that was carried out and kept.
pub(super) struct Kept {
    pub(super) record: RunRecord,
    pub(super) folder: PathBuf,
}

/// Carries out a plan, keeps the run, prints the verdict and writes the reports.
pub(super) fn carry_out(plan: &Plan, settings: &Settings) -> Result<Kept, Problem> {
    guard::check(plan, settings.yes_load_this_host)?;
    let console = settings.console();
    let engine = Engine::prepare(plan)?;
    let draft = draft(plan, settings);
    let folder = RunFolder::create(&settings.runs_dir, &draft)?;
    let (stopper, stop) = engine::stopper();
    signals::drain_on_signal(stopper, console)?;
    let scenarios: Vec<_> =
        plan.scenarios.iter().map(|plan| (plan.shown.name.clone(), plan.load.duration())).collect();
    let mut live = Live::new(folder, console, &scenarios);
    let measured = engine.run(&mut live, stop);
    live.clear();
    let mut measurement = measured?;
    measurement.rewrite_evidence(|text| plan.secrets.blot(text).chars().take(EVIDENCE_SHOWN).collect());
    let verdict = verdict::judge(&draft.plan, &measurement);
    let Draft { format, id, provenance, plan, .. } = draft;
    let record = RunRecord { format, id, provenance, plan, measurement, verdict };
    live.folder.finish(&record)?;
    let folder = live.folder.path().to_owned();
    report_on(&record, &folder, console)?;
    Ok(Kept { record, folder })
}

fn draft(plan: &Plan, settings: &Settings) -> Draft {
    Draft {
        format: FORMAT,
        id: Uuid::now_v7(),
        provenance: provenance::now(
            settings.git_commit.clone().filter(|commit| !commit.is_empty()),
            &plan.secrets,
        ),
        plan: plan.scenarios.iter().map(|scenario| scenario.shown.clone()).collect(),
        measurement: plan.nothing_measured(),
    }
}

/// Prints a run's verdict and writes its reports into its folder.
///
/// The intervals are read back from the folder, so that what is drawn is what was kept.
pub(super) fn report_on(record: &RunRecord, folder: &Path, console: Console) -> Result<(), Problem> {
    let mut damaged = None;
    let intervals =
        store::intervals(folder)?.map_while(|interval| interval.map_err(|error| damaged = Some(error)).ok());
    let model = report::Model::new(record, intervals);
    if let Some(error) = damaged {
        return Err(error.into());
    }
    console.result(&report::terminal(&model, console.width(), console.colours_results()))?;
    if console.output == Output::Json {
        Console::json(&serde_json::to_string_pretty(record).map_err(Problem::internal)?)?;
    }
    let plots = report::plots(&model).map_err(Problem::internal)?;
    for plot in &plots {
        store::write_atomically(folder, &format!("{}.svg", plot.name), plot.svg.as_bytes())?;
        store::write_atomically(folder, &format!("{}.png", plot.name), &plot.png)?;
    }
    store::write_atomically(folder, "report.html", report::html(&model).as_bytes())?;
    store::write_atomically(folder, "report.md", report::markdown(&model).as_bytes())?;
    console.result(&written(folder, plots.len()))
}

fn written(folder: &Path, plots: usize) -> String {
    format!(
        "Wrote {}/\n  report.html  report.md  {plots} plots (.svg, .png)  run.json  intervals.jsonl  intervals.hlog",
        folder.display()
    )
}

impl Kept {
    /// The verdict's exit code.
    pub(super) fn exit(&self) -> Exit {
        self.record.verdict.decision.into()
    }
}
