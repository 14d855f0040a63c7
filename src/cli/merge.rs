//! `tollgate merge`

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::console::{Console, OutputFormat};
use super::exit::{CommandError, ExitStatus};
use super::gate::{self, HistoryPlace};
use super::log::PROGRAMS_ONLY;
use super::outputs::{self, FinishedRun, ReportSelection};
use super::results::{self, ResultForm};
use super::run_time::new_run_id;
use super::{provenance, session, source, tags};
use crate::engine::clock;
use crate::plan::SecretSet;
use crate::record::{
    Measurement, RunEnding, RunProvenance, RunRecord, ShardRecord, ShardSharing, merge_obstacle,
};
use crate::store::{self, FolderContent, MergedIntervals, RunDraft, RunFolder};
use crate::verdict::VerdictContext;

const EXAMPLES: &str = "\
Examples:
  $ START=$(date -u -d '+2 minutes' +%FT%TZ)   # once, for all machines
  machine-1$ tollgate run shop.toml --shard 1/3 --start-at $START
  machine-2$ tollgate run shop.toml --shard 2/3 --start-at $START
  machine-3$ tollgate run shop.toml --shard 3/3 --start-at $START
  tollgate merge runs/a runs/b runs/c                   the run folders, copied to one machine

Counts and histograms are added: the merged run is what one machine would have measured. If a
shard is missing or given twice, the verdict is inconclusive, unless a breach is proven anyway.";

/// Merge the shards of a run that several machines shared, and judge the whole run
///
/// All shards must have the same plan, number of shards and start (`tollgate run --shard
/// --start-at`). The merged run gets a folder and reports of its own; the shards' folders stay
/// unchanged.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// The runs, one per shard: their folders, their names in the runs folder, or their ids
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The folder to create the merged run's folder in
    #[arg(long, value_name = "DIR", default_value = "reports/runs")]
    runs_dir: PathBuf,
    /// What to print on stdout
    #[arg(long, value_enum, default_value = "text")]
    output: OutputFormat,
    /// The reports to write into the run's folder
    #[arg(long, value_enum, default_value = "all")]
    report: ReportSelection,
    /// The commit of the software under test [default: the commit that all runs name]
    #[arg(long, value_name = "HASH")]
    git_commit: Option<String>,
    #[command(flatten)]
    tags: tags::Flags,
    #[command(flatten)]
    outputs: outputs::Flags,
}

/// What one machine measured.
struct ShardRun {
    folder: PathBuf,
    record: RunRecord,
    part: ShardRecord,
}

pub(super) fn merge(args: &Args) -> Result<ExitStatus, CommandError> {
    let destinations = args.outputs.destinations()?;
    let runs = args.runs.iter().map(|run| read(source::folder(run, &args.runs_dir)?));
    let runs = runs.collect::<Result<Vec<_>, _>>()?;
    check_same_run(&runs)?;
    let counted = first_of_each_shard(&runs);
    let draft = draft(args, &runs)?;
    let mut measurement = Measurement { ending: RunEnding::Complete, ..draft.measurement.clone() };
    for run in &counted {
        measurement.merge(&run.record.measurement);
    }
    let mut context = VerdictContext::default();
    let mut folder = RunFolder::create(&args.runs_dir, &draft)?;
    let folders =
        counted.iter().map(|run| (run.folder.as_path(), run.record.measurement.measured_from));
    for interval in MergedIntervals::of(&measurement, folders)? {
        let interval = interval?;
        folder.add(&interval)?;
        context.timelines.add(&interval);
    }
    let record = session::judge(draft, measurement, &context);
    folder.finish(&record)?;
    tracing::info!(target: PROGRAMS_ONLY, run = %record.id, parts = runs.len(), folder = %folder.path().display(), "merged");
    session::log_verdict(&record, folder.path());
    let history = HistoryPlace { runs_dir: &args.runs_dir, database: destinations.database() };
    let run = FinishedRun::new(record, folder.path(), args.report);
    let run = gate::apply_policies(run, &history)?;
    results::report_run(&run, Console { output: args.output }, ResultForm::Full)?;
    Ok(destinations.send(&run).exit)
}

/// Reads a complete run of one shard.
fn read(folder: PathBuf) -> Result<ShardRun, CommandError> {
    let refused = |why: &str| CommandError::usage(format!("error: {} {why}", folder.display()));
    let record = match store::read_folder(&folder)
        .map_err(|error| CommandError::usage(format!("error: {error}")))?
    {
        FolderContent::Complete(record) => *record,
        FolderContent::StillWritten => {
            return Err(refused("is still running; merge the runs when all have ended"));
        }
        FolderContent::HalfWritten(_) => {
            let remedy = format!("complete it with `tollgate show {}`", folder.display());
            return Err(refused(&format!("was interrupted; {remedy}, then merge again")));
        }
    };
    let parts = record.measurement.sharing.as_ref().map_or(&[][..], |sharing| &sharing.parts);
    match parts {
        [part] => Ok(ShardRun { part: part.clone(), folder, record }),
        [] => Err(refused("is not a shard; merge runs made with `--shard` and `--start-at`")),
        _ => Err(refused("is a merged run; name the runs it was merged from")),
    }
}

/// Refuses runs that are not shards of one run, and names the first two that differ.
fn check_same_run(runs: &[ShardRun]) -> Result<(), CommandError> {
    let Some((first, others)) = runs.split_first() else { return Ok(()) };
    let differing = |other: &ShardRun| {
        let what = merge_obstacle(&first.record, &other.record)?;
        let (one, other) = (first.folder.display(), other.folder.display());
        Some(CommandError::usage(format!(
            "error: {one} and {other} are not shards of one run: {what}"
        )))
    };
    others.iter().find_map(differing).map_or(Ok(()), Err)
}

/// The runs to add up. If a shard is given more than once, only its first run counts.
fn first_of_each_shard(runs: &[ShardRun]) -> Vec<&ShardRun> {
    let mut seen = BTreeSet::new();
    runs.iter().filter(|run| seen.insert(run.part.shard)).collect()
}

/// What is known of the merged run before anything is added up.
fn draft(args: &Args, runs: &[ShardRun]) -> Result<RunDraft, CommandError> {
    let first = runs.first().map(|run| &run.record);
    let sharing = first.and_then(|record| record.measurement.sharing.as_ref());
    let (first, sharing) =
        first.zip(sharing).ok_or_else(|| CommandError::usage("error: no run is named"))?;
    let parts = runs.iter().map(|run| run.part.clone()).collect();
    Ok(RunDraft {
        format: first.format,
        id: new_run_id(clock::wall_clock()),
        provenance: provenance(args, runs),
        plan: first.plan.clone(),
        measurement: Measurement {
            ending: RunEnding::Recovered,
            sharing: Some(ShardSharing { parts, ..sharing.clone() }),
            ..first.measurement.without_counts()
        },
    })
}

/// This machine and this command, with the start of the earliest shard.
fn provenance(args: &Args, runs: &[ShardRun]) -> RunProvenance {
    let given = args.git_commit.clone().filter(|commit| !commit.is_empty());
    let of_runs: BTreeSet<_> = runs.iter().map(|run| &run.record.provenance.git_commit).collect();
    let agreed =
        if of_runs.len() == 1 { of_runs.into_iter().next().cloned().flatten() } else { None };
    let here = provenance::here(given.or(agreed), &SecretSet::default());
    let started = runs.iter().map(|run| run.record.provenance.started).min();
    let mut tags = agreed_tags(runs);
    tags.extend(args.tags.tags());
    RunProvenance { started: started.unwrap_or(here.started), tags, ..here }
}

/// The tags that all runs share.
fn agreed_tags(runs: &[ShardRun]) -> BTreeMap<String, String> {
    let Some((first, others)) = runs.split_first() else { return BTreeMap::new() };
    let agreed = |(key, value): &(&String, &String)| {
        others.iter().all(|run| run.record.provenance.tags.get(*key) == Some(*value))
    };
    let tags = first.record.provenance.tags.iter().filter(agreed);
    tags.map(|(key, value)| (key.clone(), value.clone())).collect()
}
