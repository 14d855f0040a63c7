//! `tollgate merge`

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::console::{Console, OutputFormat};
use super::exit::{CommandError, ExitStatus};
use super::gate::{self, HistoryPlace};
use super::log::PROGRAMS_ONLY;
use super::outputs::{self, FinishedRun, OutputDestinations, ReportSelection};
use super::rendezvous::{self, CollectOptions, Collected, CollectedShards};
use super::results::{self, ResultForm};
use super::run_time::new_run_id;
use super::signals::RunSignals;
use super::{provenance, session, source, tags};
use crate::engine::clock;
use crate::plan::SecretSet;
use crate::record::{
    LostShard, Measurement, RunEnding, RunProvenance, RunRecord, ShardRecord, ShardSharing,
    merge_obstacle,
};
use crate::store::{self, Database, FolderContent, MergedIntervals, RunDraft, RunFolder};
use crate::units::{format_duration, parse_duration};
use crate::verdict::VerdictContext;

const EXAMPLES: &str = "\
Examples:
  $ START=$(date -u -d '+2 minutes' +%FT%TZ)   # once, for all machines
  machine-1$ tollgate run shop.toml --shard 1/3 --start-at $START
  machine-2$ tollgate run shop.toml --shard 2/3 --start-at $START
  machine-3$ tollgate run shop.toml --shard 3/3 --start-at $START
  tollgate merge runs/a runs/b runs/c                   the run folders, copied to one machine
  tollgate merge --rendezvous deploy-42                 the runs of machines that met in the database

Counts and histograms are added: the merged run is what one machine would have measured. If a
shard is missing or given twice, the verdict is inconclusive, unless a breach is proven anyway.";

/// Merge the shards of a run that several machines shared, and judge the whole run
///
/// All shards must have the same plan, number of shards and start (`tollgate run --shard
/// --start-at`, or `--rendezvous`). The merged run gets a folder and reports of its own; the
/// shards' folders stay unchanged.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// The runs, one per shard: their folders, their names in the runs folder, or their ids
    #[arg(
        required_unless_present = "rendezvous",
        conflicts_with = "rendezvous",
        value_name = "RUN"
    )]
    runs: Vec<PathBuf>,
    /// Merge the shards that met in the database under this name: wait until all are stored or
    /// lost, fetch them, and store the merged run
    #[arg(long, value_name = "NAME", value_parser = rendezvous::parse_name)]
    rendezvous: Option<String>,
    /// How long to wait for the first machine to come to the rendezvous [default: 5m]
    #[arg(long, value_name = "DURATION", requires = "rendezvous", conflicts_with = "runs", value_parser = parse_duration)]
    rendezvous_wait: Option<Duration>,
    /// Ask the machines at the rendezvous to end now, as Ctrl-C would, and merge what they measured
    #[arg(long, requires = "rendezvous", conflicts_with = "runs")]
    stop: bool,
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

/// How a merged run is made and shown.
pub(super) struct MergeOptions<'a> {
    pub(super) runs_dir: &'a Path,
    pub(super) console: Console,
    pub(super) report: ReportSelection,
    pub(super) git_commit: Option<String>,
    /// Tags for the merged run in addition to those that the shards share.
    pub(super) tags: BTreeMap<String, String>,
    pub(super) destinations: &'a OutputDestinations,
}

pub(super) fn merge(args: &Args) -> Result<ExitStatus, CommandError> {
    let destinations = args.outputs.destinations()?;
    let options = MergeOptions {
        runs_dir: &args.runs_dir,
        console: Console { output: args.output },
        report: args.report,
        git_commit: args.git_commit.clone(),
        tags: args.tags.tags(),
        destinations: &destinations,
    };
    let Some(name) = &args.rendezvous else {
        let folders = args.runs.iter().map(|run| source::folder(run, &args.runs_dir));
        return Ok(options.merge(folders.collect::<Result<_, _>>()?, Vec::new())?.1);
    };
    let collect = CollectOptions { wait: args.rendezvous_wait, stop: args.stop };
    options.merge_rendezvous(name, collect, &RunSignals::listen()?)
}

impl MergeOptions<'_> {
    /// Waits for the shards of a rendezvous, and merges them unless another process does.
    pub(super) fn merge_rendezvous(
        &self,
        name: &str,
        options: CollectOptions,
        signals: &RunSignals,
    ) -> Result<ExitStatus, CommandError> {
        let address = rendezvous::required_address(self.destinations)?;
        match rendezvous::collect(&address, name, options, self.runs_dir, signals)? {
            Collected::Nothing(exit) => Ok(exit),
            Collected::Merged(folder) => {
                tracing::info!("The runs of the rendezvous `{name}` are merged already:");
                let FolderContent::Complete(record) = store::read_folder(&folder)? else {
                    return Err(source::still_running(&folder));
                };
                let run = FinishedRun::new(*record, &folder, self.report);
                self.report(&run)
            }
            Collected::Shards(CollectedShards { folders, lost, token }) => {
                self.destinations.forget_failures();
                let (record, exit) = self.merge(folders, lost)?;
                let is_noted = Database::open(&address)
                    .and_then(|mut database| database.note_merged(name, (token, record.id)));
                if !is_noted.unwrap_or(false) {
                    tracing::warn!(
                        "WARNING: the rendezvous `{name}` did not learn of this merge, so another one may make a second run of it"
                    );
                }
                Ok(exit)
            }
        }
    }

    /// Merges the runs in these folders, and shows, stores and sends the merged run.
    fn merge(
        &self,
        folders: Vec<PathBuf>,
        lost: Vec<LostShard>,
    ) -> Result<(RunRecord, ExitStatus), CommandError> {
        let sum = ShardSum::of(folders)?;
        let draft = self.draft(&sum, lost);
        let measurement =
            Measurement { sharing: draft.measurement.sharing.clone(), ..sum.measurement };
        let mut context = VerdictContext::default();
        let mut folder = RunFolder::create(self.runs_dir, &draft)?;
        let counted = sum.shards.iter().filter(|shard| shard.counts);
        let folders = counted.map(|shard| (shard.folder.as_path(), shard.measured_from));
        for interval in MergedIntervals::of(&measurement, folders)? {
            let interval = interval?;
            folder.add(&interval)?;
            context.timelines.add(&interval);
        }
        let record = session::judge(draft, measurement, &context);
        folder.finish(&record)?;
        tracing::info!(target: PROGRAMS_ONLY, run = %record.id, parts = sum.shards.len(), folder = %folder.path().display(), "merged");
        session::log_verdict(&record, folder.path());
        let history =
            HistoryPlace { runs_dir: self.runs_dir, database: self.destinations.database() };
        let run = FinishedRun::new(record, folder.path(), self.report);
        let run = gate::apply_policies(run, &history);
        let exit = self.report(&run)?;
        Ok((run.record, exit))
    }

    /// Shows a merged run, sends it to its destinations and writes its reports.
    fn report(&self, run: &FinishedRun) -> Result<ExitStatus, CommandError> {
        let send = || self.destinations.send(run);
        let (delivery, reported) = results::report_run(run, self.console, ResultForm::Full, send);
        reported.map(|()| delivery.exit)
    }

    /// What is known of the merged run before the intervals are added up.
    fn draft(&self, sum: &ShardSum, lost: Vec<LostShard>) -> RunDraft {
        let parts: Vec<_> = sum.shards.iter().map(|shard| shard.part.clone()).collect();
        let mut plan = sum.first.plan.clone();
        for caveat in parts.iter().filter_map(clock_caveat) {
            for scenario in &mut plan {
                scenario.caveats.push(caveat.clone());
            }
        }
        RunDraft {
            format: sum.first.format,
            id: new_run_id(clock::wall_clock()),
            provenance: self.provenance(&sum.shards),
            plan,
            measurement: Measurement {
                ending: RunEnding::Recovered,
                sharing: Some(ShardSharing { parts, lost, ..sum.sharing.clone() }),
                ..sum.first.measurement.without_counts()
            },
        }
    }

    /// This machine and this command, with the start of the earliest shard.
    fn provenance(&self, shards: &[ShardRun]) -> RunProvenance {
        let given = self.git_commit.clone().filter(|commit| !commit.is_empty());
        let commits: BTreeSet<_> = shards.iter().map(|run| &run.provenance.git_commit).collect();
        let agreed =
            if commits.len() == 1 { commits.into_iter().next().cloned().flatten() } else { None };
        let here = provenance::here(given.or(agreed), &SecretSet::default());
        let started = shards.iter().map(|run| run.provenance.started).min();
        let mut tags = agreed_tags(shards);
        tags.extend(self.tags.clone());
        RunProvenance { started: started.unwrap_or(here.started), tags, ..here }
    }
}

/// What one machine measured, without its figures.
struct ShardRun {
    folder: PathBuf,
    part: ShardRecord,
    provenance: RunProvenance,
    measured_from: Duration,
    /// Whether it is the first run of its shard; only that counts.
    counts: bool,
}

/// The runs of all shards, added up. Only one of their records is in memory at a time.
struct ShardSum {
    /// The record of the first run.
    first: RunRecord,
    sharing: ShardSharing,
    measurement: Measurement,
    shards: Vec<ShardRun>,
}

impl ShardSum {
    /// Adds the runs up; an error if they are not shards of one run.
    fn of(folders: Vec<PathBuf>) -> Result<Self, CommandError> {
        let mut folders = folders.into_iter();
        let nothing = || CommandError::usage("error: no run is named");
        let start = folders.next().ok_or_else(nothing)?;
        let (first, part) = read(&start)?;
        let sharing = first.measurement.sharing.clone().ok_or_else(nothing)?;
        let counts = first.measurement.without_counts();
        let measurement = Measurement { ending: RunEnding::Complete, ..counts };
        let mut sum = Self { first: first.clone(), sharing, measurement, shards: Vec::new() };
        sum.add(start, &first, part);
        for folder in folders {
            let (record, part) = read(&folder)?;
            if let Some(what) = merge_obstacle(&sum.first, &record) {
                let (one, other) = (sum.shards[0].folder.display(), folder.display());
                return Err(CommandError::usage(format!(
                    "error: {one} and {other} are not shards of one run: {what}"
                )));
            }
            sum.add(folder, &record, part);
        }
        Ok(sum)
    }

    fn add(&mut self, folder: PathBuf, record: &RunRecord, part: ShardRecord) {
        let counts = self.shards.iter().all(|known| known.part.shard != part.shard);
        if counts {
            self.measurement.merge(&record.measurement);
        }
        self.shards.push(ShardRun {
            folder,
            part,
            provenance: record.provenance.clone(),
            measured_from: record.measurement.measured_from,
            counts,
        });
    }
}

/// Reads a complete run of one shard.
fn read(folder: &Path) -> Result<(RunRecord, ShardRecord), CommandError> {
    let refused = |why: &str| CommandError::usage(format!("error: {} {why}", folder.display()));
    let record = match store::read_folder(folder)
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
        [part] => {
            let part = part.clone();
            Ok((record, part))
        }
        [] => Err(refused("is not a shard; merge runs made with `--shard` and `--start-at`")),
        _ => Err(refused("is a merged run; name the runs it was merged from")),
    }
}

/// What to know of a shard whose start was not certain.
fn clock_caveat(part: &ShardRecord) -> Option<String> {
    let clock = part.clock.filter(|clock| clock.is_vague())?;
    let error = format_duration(Duration::from_micros(clock.error_us));
    Some(format!(
        "the start of shard {} ({}) is known to ± {error} only, so its arrivals may be apart from the others'",
        part.shard, part.host
    ))
}

/// The tags that all runs share.
fn agreed_tags(runs: &[ShardRun]) -> BTreeMap<String, String> {
    let Some((first, others)) = runs.split_first() else { return BTreeMap::new() };
    let agreed = |(key, value): &(&String, &String)| {
        others.iter().all(|run| run.provenance.tags.get(*key) == Some(*value))
    };
    let tags = first.provenance.tags.iter().filter(agreed);
    tags.map(|(key, value)| (key.clone(), value.clone())).collect()
}
