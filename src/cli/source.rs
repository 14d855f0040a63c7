//! Reads runs from their folders or from the database.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::exit::CommandError;
use super::store_flags::StoreFlags;
use crate::history::{HistoryFilter, HistoryScope, ScenarioSeries, group_series};
use crate::postgres::DatabaseAddress;
use crate::record::{RunRecord, RunSummary};
use crate::store::{
    self, Database, DatabaseError, FetchedRun, FolderContent, StoreError, StoreMark, SummaryDetail,
};
use crate::verdict::{self, RunTimelines};

/// The folder that run folders are in, unless a flag or a variable names another.
pub(super) const DEFAULT_RUNS_DIR: &str = "reports/runs";

/// Where to read runs from.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub(super) struct Flags {
    /// The folder that contains the run folders
    #[arg(long, value_name = "DIR", default_value = DEFAULT_RUNS_DIR, env = "TOLLGATE_RUNS_DIR")]
    runs_dir: PathBuf,
    /// Where to read runs from [default: lists from the database if one is named, a single run from
    /// its folder if it has one]
    #[arg(long, value_enum, help_heading = "Store")]
    from: Option<RunLocation>,
    #[command(flatten)]
    store: StoreFlags,
}

/// A place that holds runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RunLocation {
    /// The run folders
    Folders,
    /// The database
    Database,
}

/// The places to read runs from.
pub(super) struct RunSource {
    /// The runs folder; `None` to read the database alone.
    runs_dir: Option<PathBuf>,
    /// The database; `None` if there is none, or to read folders alone.
    database: Option<DatabaseAddress>,
}

/// A run and where it was found.
pub(super) enum LocatedRun {
    /// In a folder.
    Folder(PathBuf),
    /// In the database, which also has its intervals.
    Database(Database, FetchedRun),
}

impl Flags {
    /// The places that the flags name.
    pub(super) fn source(&self) -> Result<RunSource, CommandError> {
        let runs_dir = (self.from != Some(RunLocation::Database)).then(|| self.runs_dir.clone());
        let database = match self.from {
            Some(RunLocation::Folders) => None,
            Some(RunLocation::Database) => Some(self.store.required_address()?),
            None => self.store.address()?,
        };
        Ok(RunSource { runs_dir, database })
    }

    /// The folder that contains the run folders.
    pub(super) fn runs_dir(&self) -> &Path {
        &self.runs_dir
    }
}

impl RunSource {
    /// A source of these places.
    pub(super) fn new(runs_dir: Option<PathBuf>, database: Option<DatabaseAddress>) -> Self {
        Self { runs_dir, database }
    }

    /// Summaries of the runs for a history with this filter. Warns of runs that cannot be read.
    ///
    /// Folders are not filtered here: a merged run hides its shards even if the filter excludes the
    /// merged run itself.
    pub(super) fn summaries(
        &self,
        filter: &HistoryFilter,
    ) -> Result<Vec<RunSummary>, CommandError> {
        match (&self.database, &self.runs_dir) {
            (Some(address), runs_dir) => {
                let runs = Database::open(address)?.summaries(filter)?;
                if let Some(runs_dir) = runs_dir {
                    warn_unsynced(runs_dir);
                }
                Ok(runs)
            }
            (None, Some(runs_dir)) => folder_summaries(runs_dir, SummaryDetail::Listed),
            (None, None) => Ok(Vec::new()),
        }
    }

    /// Passes each series of the runs that a filter matches to the caller; returns what is left
    /// out, one sentence each. Warns of runs that cannot be read.
    pub(super) fn each_series(
        &self,
        filter: &HistoryFilter,
        scope: &HistoryScope,
        each: impl FnMut(ScenarioSeries),
    ) -> Result<Vec<String>, CommandError> {
        match (&self.database, &self.runs_dir) {
            (Some(address), runs_dir) => {
                Database::open(address)?.each_series(filter, scope, each)?;
                if let Some(runs_dir) = runs_dir {
                    warn_unsynced(runs_dir);
                }
                Ok(Vec::new())
            }
            (None, Some(runs_dir)) => {
                let runs = folder_summaries(runs_dir, SummaryDetail::WithFigures)?;
                let (series, left_out) = group_series(runs, filter, scope);
                series.into_iter().for_each(each);
                Ok(left_out)
            }
            (None, None) => Ok(Vec::new()),
        }
    }

    /// Finds a run by any of its names: in its folder if it has one, else in the database.
    pub(super) fn find(&self, run: &Path) -> Result<LocatedRun, CommandError> {
        if let Some(folder) = self.folder_of(run)? {
            return Ok(LocatedRun::Folder(folder));
        }
        let mut database = self.open_database()?;
        let fetched = fetch(&mut database, run)?;
        Ok(LocatedRun::Database(database, fetched))
    }

    /// The folder of a run, by any of its names; `None` if only the database can have it.
    pub(super) fn folder_of(&self, run: &Path) -> Result<Option<PathBuf>, CommandError> {
        let Some(runs_dir) = &self.runs_dir else { return Ok(None) };
        match store::find_run(run, runs_dir) {
            Ok(folder) => Ok(Some(folder)),
            Err(StoreError::Unknown { .. }) if self.database.is_some() => Ok(None),
            Err(error) => Err(usage_error(error)),
        }
    }

    /// Connects to the database; an error if there is none.
    pub(super) fn open_database(&self) -> Result<Database, CommandError> {
        let address = self.database.as_ref().ok_or_else(no_place)?;
        Ok(Database::open(address)?)
    }

    /// Whether folders are read, alone or in addition to a database.
    pub(super) fn reads_folders(&self) -> bool {
        self.runs_dir.is_some()
    }

    /// Whether a database is read, alone or in addition to folders.
    pub(super) fn reads_database(&self) -> bool {
        self.database.is_some()
    }

    /// The whole record of a run, by any of its names, for a comparison: a record of an earlier
    /// version gets its figures by blocks of time from its intervals, if it still has them.
    pub(super) fn timed_record(&self, run: &Path) -> Result<RunRecord, CommandError> {
        let mut timelines = RunTimelines::default();
        let mut record = match self.find(run)? {
            LocatedRun::Folder(folder) => {
                let record = record(folder.clone())?;
                if lacks_blocks(&record) {
                    // Without intervals the record is still worth showing. Only some of them
                    // would pass for the whole run.
                    timelines = read_timelines(&folder).unwrap_or_default();
                }
                record
            }
            LocatedRun::Database(mut database, fetched) => {
                if lacks_blocks(&fetched.record) {
                    let add = |interval| {
                        timelines.add(&interval);
                        Ok::<_, DatabaseError>(())
                    };
                    database.intervals(&fetched.record, add)?;
                }
                *fetched.record
            }
        };
        if lacks_blocks(&record) {
            let RunRecord { plan, measurement, .. } = &mut record;
            verdict::add_block_figures(plan, measurement, &timelines);
        }
        Ok(record)
    }

    /// The place in words, such as `in reports/runs`.
    pub(super) fn describe(&self) -> String {
        match (&self.database, &self.runs_dir) {
            (Some(address), _) => format!("in the database {}", address.display_name()),
            (None, Some(runs_dir)) => format!("in {}", runs_dir.display()),
            (None, None) => "anywhere".to_owned(),
        }
    }
}

/// The error of a source without any place.
pub(super) fn no_place() -> CommandError {
    CommandError::usage("error: there is no place to search for runs")
}

/// Warns of runs that have a folder here but could not be stored: a list from the database lacks
/// them.
fn warn_unsynced(runs_dir: &Path) {
    let folders = store::run_folders(runs_dir).unwrap_or_default();
    let unsynced =
        folders.iter().filter(|folder| StoreMark::read(folder).unsynced.is_some()).count();
    if unsynced > 0 {
        let runs =
            if unsynced == 1 { "1 run is".to_owned() } else { format!("{unsynced} runs are") };
        let runs_dir = runs_dir.display();
        tracing::warn!(
            "WARNING: {runs} in {runs_dir} but not in the database: `tollgate sync` uploads them"
        );
    }
}

fn folder_summaries(
    runs_dir: &Path,
    detail: SummaryDetail,
) -> Result<Vec<RunSummary>, CommandError> {
    let (mut runs, mut unread) = (Vec::new(), Vec::new());
    for run in store::read_summaries(runs_dir, detail).map_err(usage_error)? {
        match run {
            Ok(run) => runs.push(run),
            Err(error) => unread.push(error.to_string()),
        }
    }
    warn_left_out(&unread);
    Ok(runs)
}

fn fetch(database: &mut Database, run: &Path) -> Result<FetchedRun, CommandError> {
    database.fetch_run(&name_of(run)).map_err(not_found)
}

/// A name that stands for nothing in the database, or for several, is the user's mistake.
pub(super) fn not_found(error: DatabaseError) -> CommandError {
    match error {
        DatabaseError::NoRun { .. }
        | DatabaseError::NoSession { .. }
        | DatabaseError::Ambiguous { .. } => CommandError::usage(format!("error: {error}")),
        other => other.into(),
    }
}

/// The name of a run from the typed path. Its folder need not exist here.
fn name_of(run: &Path) -> Cow<'_, str> {
    let is_record = run.file_name().is_some_and(|file| file == "run.json");
    let folder = run.parent().filter(|_| is_record).unwrap_or(run);
    folder.file_name().unwrap_or(run.as_os_str()).to_string_lossy()
}

/// The record of a finished run in its folder.
pub(super) fn record(folder: PathBuf) -> Result<RunRecord, CommandError> {
    match store::read_folder(&folder).map_err(usage_error)? {
        FolderContent::Complete(record) => Ok(*record),
        FolderContent::StillWritten => Err(still_running(&folder)),
        FolderContent::HalfWritten(_) => Err(usage_error(StoreError::Unfinished { path: folder })),
    }
}

/// When the exchanges of a run in its folder exceeded; an error if an interval cannot be read.
pub(super) fn read_timelines(folder: &Path) -> Result<RunTimelines, StoreError> {
    let mut timelines = RunTimelines::default();
    for interval in store::read_intervals(folder)? {
        timelines.add(&interval?);
    }
    Ok(timelines)
}

/// Whether no request of a run has figures by blocks of time.
fn lacks_blocks(record: &RunRecord) -> bool {
    let mut requests = record.measurement.scenarios.iter().flat_map(|scenario| &scenario.requests);
    requests.all(|request| request.blocks.is_none())
}

/// The folder of a run, by any name that [`store::find_run`] accepts.
pub(super) fn folder(run: &Path, runs_dir: &Path) -> Result<PathBuf, CommandError> {
    store::find_run(run, runs_dir).map_err(usage_error)
}

pub(super) fn still_running(folder: &Path) -> CommandError {
    CommandError::usage(format!("error: the run in {} is still running", folder.display()))
}

/// The usage error for an argument that names no readable run.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes it by value")]
pub(super) fn usage_error(error: StoreError) -> CommandError {
    CommandError::usage(format!("error: {error}"))
}

/// Warns of each item left out of a list, up to a limit.
pub(super) fn warn_left_out(reasons: &[String]) {
    const MAX_LINES: usize = 5;
    for reason in reasons.iter().take(MAX_LINES) {
        tracing::warn!("Left out: {}", reason.replace(char::is_control, " "));
    }
    if reasons.len() > MAX_LINES {
        tracing::warn!("Left out: {} more", reasons.len() - MAX_LINES);
    }
}
