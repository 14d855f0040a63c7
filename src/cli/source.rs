//! Where runs are read from: their folders, or the database.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::exit::Problem;
use super::keeping::Store;
use crate::history::Filter;
use crate::postgres::Address;
use crate::record::{RunRecord, RunSummary};
use crate::store::{self, Database, DatabaseError, Fetched, Mark, StoreError, Stored};

/// Where runs are to be read from.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub(super) struct Flags {
    /// The folder that run folders are in
    #[arg(long, value_name = "DIR", default_value = "reports/runs", env = "TOLLGATE_RUNS_DIR")]
    runs_dir: PathBuf,
    /// Where runs are read from [default: lists come from the database where one is named, a single run from its folder
    /// where there is one]
    #[arg(long, value_enum, help_heading = "Store")]
    from: Option<Place>,
    #[command(flatten)]
    store: Store,
}

/// A place that runs are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Place {
    /// Their folders, below the folder of runs
    Folders,
    /// The database
    Database,
}

/// Where runs are read from.
pub(super) struct Source {
    /// The folder of runs; `None` where folders are not to be looked at.
    runs_dir: Option<PathBuf>,
    /// The database; `None` where there is none, or it is not to be looked at.
    database: Option<Address>,
}

/// A run that was found.
pub(super) enum Found {
    /// In its folder.
    Folder(PathBuf),
    /// In the database, which has its intervals too.
    Database(Database, Fetched),
}

impl Flags {
    /// The places that may be looked at.
    pub(super) fn source(&self) -> Result<Source, Problem> {
        let runs_dir = (self.from != Some(Place::Database)).then(|| self.runs_dir.clone());
        let database = match self.from {
            Some(Place::Folders) => None,
            Some(Place::Database) => Some(self.store.needed()?),
            None => self.store.address()?,
        };
        Ok(Source { runs_dir, database })
    }

    /// The folder that run folders are in.
    pub(super) fn runs_dir(&self) -> &Path {
        &self.runs_dir
    }
}

impl Source {
    /// The summaries of the runs that a history of this filter is made of. What cannot be read is told and left out.
    ///
    /// Folders are summed up whatever the filter: a merged run keeps its parts out of a history that it is not in itself.
    pub(super) fn summaries(&self, filter: &Filter) -> Result<Vec<RunSummary>, Problem> {
        match (&self.database, &self.runs_dir) {
            (Some(address), runs_dir) => {
                let runs = Database::open(address)?.summaries(filter)?;
                if let Some(runs_dir) = runs_dir {
                    tell_unsynced(runs_dir);
                }
                Ok(runs)
            }
            (None, Some(runs_dir)) => summaries(runs_dir),
            (None, None) => Ok(Vec::new()),
        }
    }

    /// A run by any of its names: its folder where there is one, else what the database has.
    pub(super) fn find(&self, run: &Path) -> Result<Found, Problem> {
        let folder = self.runs_dir.as_ref().map(|runs_dir| store::find(run, runs_dir));
        match (folder, &self.database) {
            (Some(Ok(folder)), _) => Ok(Found::Folder(folder)),
            (None | Some(Err(StoreError::Unknown { .. })), Some(address)) => {
                let mut database = Database::open(address)?;
                let fetched = fetch(&mut database, run)?;
                Ok(Found::Database(database, fetched))
            }
            (Some(Err(error)), _) => Err(wrong(error)),
            (None, None) => Err(Problem::usage("error: there is nowhere to look for a run")),
        }
    }

    /// The whole record of a run, by any of its names.
    pub(super) fn record(&self, run: &Path) -> Result<RunRecord, Problem> {
        match self.find(run)? {
            Found::Folder(folder) => record(folder),
            Found::Database(_, fetched) => Ok(*fetched.record),
        }
    }

    /// Where that is, in words.
    pub(super) fn place(&self) -> String {
        match (&self.database, &self.runs_dir) {
            (Some(address), _) => format!("in the database {}", address.shown()),
            (None, Some(runs_dir)) => format!("below {}", runs_dir.display()),
            (None, None) => "anywhere".to_owned(),
        }
    }
}

/// Tells of runs that have a folder here and could not be stored: a list from the database lacks them.
fn tell_unsynced(runs_dir: &Path) {
    let folders = store::run_folders(runs_dir).unwrap_or_default();
    let unsynced = folders.iter().filter(|folder| Mark::read(folder).unsynced.is_some()).count();
    if unsynced > 0 {
        let runs =
            if unsynced == 1 { "1 run is".to_owned() } else { format!("{unsynced} runs are") };
        let below = runs_dir.display();
        tracing::warn!(
            "WARNING: {runs} below {below} and not in the database: `tollgate sync` sends what it lacks"
        );
    }
}

fn summaries(runs_dir: &Path) -> Result<Vec<RunSummary>, Problem> {
    let (mut runs, mut unread) = (Vec::new(), Vec::new());
    for run in store::summaries(runs_dir).map_err(wrong)? {
        match run {
            Ok(run) => runs.push(run),
            Err(error) => unread.push(error.to_string()),
        }
    }
    tell_left_out(&unread);
    Ok(runs)
}

fn fetch(database: &mut Database, run: &Path) -> Result<Fetched, Problem> {
    database.fetch(&name_of(run)).map_err(|error| match error {
        DatabaseError::NoRun { .. } | DatabaseError::Ambiguous { .. } => {
            Problem::usage(format!("error: {error}"))
        }
        other => other.into(),
    })
}

/// The name of a run: the path of its folder or of a file there may have been typed of one that is here no longer.
fn name_of(run: &Path) -> Cow<'_, str> {
    let is_record = run.file_name().is_some_and(|file| file == "run.json");
    let folder = run.parent().filter(|_| is_record).unwrap_or(run);
    folder.file_name().unwrap_or(run.as_os_str()).to_string_lossy()
}

fn record(folder: PathBuf) -> Result<RunRecord, Problem> {
    match store::read(&folder).map_err(wrong)? {
        Stored::Complete(record) => Ok(*record),
        Stored::StillWritten => Err(still_going_on(&folder)),
        Stored::HalfWritten(_) => Err(wrong(StoreError::Unfinished { path: folder })),
    }
}

/// The folder of a run that is named in any of the ways that [`store::find`] knows.
pub(super) fn folder(run: &Path, runs_dir: &Path) -> Result<PathBuf, Problem> {
    store::find(run, runs_dir).map_err(wrong)
}

pub(super) fn still_going_on(folder: &Path) -> Problem {
    Problem::usage(format!("error: the run in {} is still going on", folder.display()))
}

/// What was typed names nothing that can be read.
#[expect(clippy::needless_pass_by_value, reason = "it is handed over by `map_err`")]
pub(super) fn wrong(error: StoreError) -> Problem {
    Problem::usage(format!("error: {error}"))
}

/// Tells what is left out of a list, one line each as far as that can be read.
pub(super) fn tell_left_out(reasons: &[String]) {
    const MOST: usize = 5;
    for reason in reasons.iter().take(MOST) {
        tracing::warn!("Left out: {}", reason.replace(char::is_control, " "));
    }
    if reasons.len() > MOST {
        tracing::warn!("Left out: {} more", reasons.len() - MOST);
    }
}
