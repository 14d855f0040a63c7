//! `tollgate merge`

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use uuid::Uuid;

use super::console::{Console, Output};
use super::exit::{Exit, Problem};
use super::log::LIFE;
use super::reporting::{self, Form};
use super::session::Kept;
use super::{keeping, provenance, session, source, tags};
use crate::plan::Secrets;
use crate::record::{Ending, Measurement, Part, Provenance, RunRecord, Sharing, difference};
use crate::store::{self, Draft, Merging, RunFolder, Stored};

const EXAMPLES: &str = "\
Examples:
  machine-1$ tollgate run shop.toml --shard 1/3 --start-at 2026-11-24T15:00:00Z
  machine-2$ tollgate run shop.toml --shard 2/3 --start-at 2026-11-24T15:00:00Z
  machine-3$ tollgate run shop.toml --shard 3/3 --start-at 2026-11-24T15:00:00Z
  tollgate merge runs/a runs/b runs/c                   their run folders, copied to one machine

Counts and histograms are added, so that the merged run is what one machine would have measured.
Where a shard is missing, or there twice, the verdict is inconclusive unless a breach is proven
all the same.";

/// Merge the runs of several machines that shared one, and decide over the whole
///
/// The runs must be of one plan, one number of shards and one start (`tollgate run --shard --start-at`). The merged run
/// gets a folder and reports of its own; theirs stay as they are.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// The runs: their folders, their names below the folder of runs, or their ids; one a shard
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The folder that the merged run's folder is made in
    #[arg(long, value_name = "DIR", default_value = "reports/runs")]
    runs_dir: PathBuf,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
    /// The commit of what was probed [default: the one that all the runs name]
    #[arg(long, value_name = "HASH")]
    git_commit: Option<String>,
    #[command(flatten)]
    tags: tags::Flags,
    #[command(flatten)]
    keeping: keeping::Flags,
}

/// What one machine measured.
struct Run {
    folder: PathBuf,
    record: RunRecord,
    part: Part,
}

pub(super) fn merge(args: &Args) -> Result<Exit, Problem> {
    let keeper = args.keeping.keeper()?;
    let runs = args.runs.iter().map(|run| read(source::folder(run, &args.runs_dir)?));
    let runs = runs.collect::<Result<Vec<_>, _>>()?;
    are_of_one(&runs)?;
    let counted = first_of_each_shard(&runs);
    let draft = draft(args, &runs)?;
    let mut measurement = Measurement { ending: Ending::Complete, ..draft.measurement.clone() };
    for run in &counted {
        measurement.merge(&run.record.measurement);
    }
    let mut folder = RunFolder::create(&args.runs_dir, &draft)?;
    let folders =
        counted.iter().map(|run| (run.folder.as_path(), run.record.measurement.measured_from));
    for interval in Merging::of(&measurement, folders)? {
        folder.add(&interval?)?;
    }
    let record = session::judged(draft, measurement);
    folder.finish(&record)?;
    tracing::info!(target: LIFE, run = %record.id, parts = runs.len(), folder = %folder.path().display(), "merged");
    session::tell_verdict(&record, folder.path());
    let kept = Kept { record, folder: folder.path().to_owned() };
    reporting::report_on(&kept.record, &kept.folder, Console { output: args.output }, Form::Whole)?;
    Ok(keeper.keep(&kept).exit)
}

/// A run that is whole and the part of one machine.
fn read(folder: PathBuf) -> Result<Run, Problem> {
    let refused = |why: &str| Problem::usage(format!("error: {} {why}", folder.display()));
    let record =
        match store::read(&folder).map_err(|error| Problem::usage(format!("error: {error}")))? {
            Stored::Complete(record) => *record,
            Stored::StillWritten => {
                return Err(refused("is still going on; merge the runs when all are over"));
            }
            Stored::HalfWritten(_) => {
                let completed = format!(
                    "`tollgate show {}` completes it as far as it was written",
                    folder.display()
                );
                return Err(refused(&format!("was cut off; {completed}, then merge again")));
            }
        };
    let parts = record.measurement.sharing.as_ref().map_or(&[][..], |sharing| &sharing.parts);
    match parts {
        [part] => Ok(Run { part: part.clone(), folder, record }),
        [] => Err(refused(
            "is a run of its own; merge runs that were made with `--shard` and `--start-at`",
        )),
        _ => Err(refused("is merged already; name the runs that it was merged from")),
    }
}

/// Refuses runs that are not parts of one, naming the first two that differ.
fn are_of_one(runs: &[Run]) -> Result<(), Problem> {
    let Some((first, others)) = runs.split_first() else { return Ok(()) };
    let differing = |other: &Run| {
        let what = difference(&first.record, &other.record)?;
        let (one, other) = (first.folder.display(), other.folder.display());
        Some(Problem::usage(format!("error: {one} and {other} are not parts of one run: {what}")))
    };
    others.iter().find_map(differing).map_or(Ok(()), Err)
}

/// Of a shard that is there more than once, the first run alone is counted.
fn first_of_each_shard(runs: &[Run]) -> Vec<&Run> {
    let mut seen = BTreeSet::new();
    runs.iter().filter(|run| seen.insert(run.part.shard)).collect()
}

/// What is known before anything is added up.
fn draft(args: &Args, runs: &[Run]) -> Result<Draft, Problem> {
    let first = runs.first().map(|run| &run.record);
    let sharing = first.and_then(|record| record.measurement.sharing.as_ref());
    let (first, sharing) =
        first.zip(sharing).ok_or_else(|| Problem::usage("error: no run is named"))?;
    let parts = runs.iter().map(|run| run.part.clone()).collect();
    Ok(Draft {
        format: first.format,
        id: Uuid::now_v7(),
        provenance: provenance(args, runs),
        plan: first.plan.clone(),
        measurement: Measurement {
            ending: Ending::Recovered,
            sharing: Some(Sharing { parts, ..sharing.clone() }),
            ..first.measurement.emptied()
        },
    })
}

/// Here and by this command, but of the time when the first of the runs started.
fn provenance(args: &Args, runs: &[Run]) -> Provenance {
    let given = args.git_commit.clone().filter(|commit| !commit.is_empty());
    let of_runs: BTreeSet<_> = runs.iter().map(|run| &run.record.provenance.git_commit).collect();
    let agreed =
        if of_runs.len() == 1 { of_runs.into_iter().next().cloned().flatten() } else { None };
    let here = provenance::here(given.or(agreed), &Secrets::default());
    let started = runs.iter().map(|run| run.record.provenance.started).min();
    let mut tags = agreed_tags(runs);
    tags.extend(args.tags.tags());
    Provenance { started: started.unwrap_or(here.started), tags, ..here }
}

/// The tags that all the runs have alike.
fn agreed_tags(runs: &[Run]) -> BTreeMap<String, String> {
    let Some((first, others)) = runs.split_first() else { return BTreeMap::new() };
    let agreed = |(key, value): &(&String, &String)| {
        others.iter().all(|run| run.record.provenance.tags.get(*key) == Some(*value))
    };
    let tags = first.record.provenance.tags.iter().filter(agreed);
    tags.map(|(key, value)| (key.clone(), value.clone())).collect()
}
