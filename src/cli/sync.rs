//! `tollgate sync`

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::exit::{CommandError, ExitStatus};
use super::outputs::database::{mark_stored, mark_unsynced};
use super::session_upload::{self, SessionCounts};
use super::store_flags::StoreFlags;
use super::{log, session, source};
use crate::store::{
    self, Database, DatabaseError, FolderContent, StoreMark, StoredRun, UploadLimits,
};

const EXAMPLES: &str = "\
Examples:
  tollgate sync                                         all runs and tuning sessions
  tollgate sync 2026-11-23T18-47-06Z-3bb6c035           one run
  DATABASE_URL=… tollgate sync --runs-dir /var/lib/tollgate/runs

Each run is uploaded in one transaction: it is stored completely or not at all. Uploading a run
again, after an interruption or from several machines, changes nothing. Of a tuning session each
state is stored once: one that was resumed is uploaded again and replaces the earlier state.

Exit codes: 0 every run that has ended is in the database; 2 a flag or URL is wrong; 4 some runs
are not in the database, and you can sync again.";

/// Upload runs and tuning sessions that are not in the database yet
///
/// Searches the runs folder and the sessions folder. An interrupted run is first completed from the
/// intervals that were written, as `tollgate show` does.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The runs: their folders, or their names in the runs folder [default: all runs and all
    /// tuning sessions]
    #[arg(value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The folder that contains the run folders
    #[arg(long, value_name = "DIR", default_value = "reports/runs", env = "TOLLGATE_RUNS_DIR")]
    runs_dir: PathBuf,
    /// The folder that contains the folders of tuning sessions
    #[arg(
        long,
        value_name = "DIR",
        default_value = super::tune::DEFAULT_SESSIONS_DIR,
        env = "TOLLGATE_SESSIONS_DIR"
    )]
    sessions_dir: PathBuf,
    /// Upload all runs, even those whose folders are marked as stored in this database
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    store: StoreFlags,
}

/// A run whose folder is complete.
struct CompleteRun {
    folder: PathBuf,
    id: Uuid,
    mark: StoreMark,
}

/// How many runs were uploaded, skipped or not readable.
#[derive(Debug, Default)]
struct SyncCounts {
    sent: usize,
    there: usize,
    going_on: usize,
    unreadable: usize,
}

pub(super) fn sync(args: &Args) -> Result<ExitStatus, CommandError> {
    let address = args.store.required_address()?;
    let folders = folders(args)?;
    let mut count = SyncCounts::default();
    let runs: Vec<CompleteRun> =
        folders.into_iter().filter_map(|folder| complete(folder, &mut count)).collect();
    let mut database = Database::open(&address)?;
    let identity = database.identity()?;
    let present = present(&mut database, identity, &runs, args.all)?;
    for run in runs {
        if present.contains(&run.id) {
            count.there += 1;
            mark(&run, identity);
        } else {
            upload(&mut database, identity, &run, &mut count)?;
        }
    }
    let sessions = if args.runs.is_empty() {
        session_upload::upload_sessions(&mut database, &args.sessions_dir)?
    } else {
        SessionCounts::default()
    };
    database.close();
    log_counts(&count, sessions, &address.display_name());
    Ok(if count.unreadable + sessions.unreadable > 0 {
        ExitStatus::Internal
    } else {
        ExitStatus::Pass
    })
}

/// The named folders, or all in the runs folder, oldest first.
fn folders(args: &Args) -> Result<Vec<PathBuf>, CommandError> {
    if !args.runs.is_empty() {
        return args.runs.iter().map(|run| source::folder(run, &args.runs_dir)).collect();
    }
    if !args.runs_dir.is_dir() && args.sessions_dir.is_dir() {
        return Ok(Vec::new());
    }
    if !args.runs_dir.is_dir() {
        return Err(CommandError::usage(format!(
            "error: the runs folder {} does not exist: name it with `--runs-dir`; `tollgate run` creates it",
            args.runs_dir.display()
        )));
    }
    store::run_folders(&args.runs_dir).map_err(source::usage_error)
}

/// A run that can be uploaded. Completes an interrupted run first; counts a run that cannot be read
/// and warns of it.
fn complete(folder: PathBuf, count: &mut SyncCounts) -> Option<CompleteRun> {
    let id = match store::read_id(&folder) {
        Ok(Some(id)) => Ok(Some(id)),
        Ok(None) => recovered_id(&folder),
        Err(error) => Err(error.into()),
    };
    match id {
        Ok(Some(id)) => Some(CompleteRun { mark: StoreMark::read(&folder), folder, id }),
        Ok(None) => {
            count.going_on += 1;
            None
        }
        Err(problem) => {
            count.unreadable += 1;
            tracing::warn!("WARNING: {problem}");
            None
        }
    }
}

/// The id of a run that had no record yet; `None` if it is still running.
fn recovered_id(folder: &Path) -> Result<Option<Uuid>, CommandError> {
    match store::read_folder(folder)? {
        FolderContent::Complete(record) => Ok(Some(record.id)),
        FolderContent::StillWritten => Ok(None),
        FolderContent::HalfWritten(draft) => {
            tracing::warn!(
                "The run in {} was interrupted: it is uploaded up to the last interval that was written.",
                folder.display()
            );
            Ok(Some(session::recover(folder, *draft)?.id))
        }
    }
}

/// The runs that are in the database. If this user may not read it, the marks of the folders tell.
fn present(
    database: &mut Database,
    identity: Uuid,
    runs: &[CompleteRun],
    all: bool,
) -> Result<BTreeSet<Uuid>, DatabaseError> {
    let ids: Vec<Uuid> = runs.iter().map(|run| run.id).collect();
    if let Some(present) = database.stored_runs(&ids)? {
        return Ok(present.into_iter().collect());
    }
    let marked = runs.iter().filter(|run| !all && run.mark.stored.contains_key(&identity));
    Ok(marked.map(|run| run.id).collect())
}

fn mark(run: &CompleteRun, identity: Uuid) {
    if run.mark.unsynced.is_some() || !run.mark.stored.contains_key(&identity) {
        mark_stored(&run.folder, identity);
    }
}

/// Uploads a run. A damaged folder is skipped with a warning; a failed database ends the command.
fn upload(
    database: &mut Database,
    identity: Uuid,
    run: &CompleteRun,
    count: &mut SyncCounts,
) -> Result<(), CommandError> {
    let sent = match store::read_folder(&run.folder) {
        Ok(FolderContent::Complete(record)) => {
            database.store_run(&record, &run.folder, UploadLimits::GENEROUS)
        }
        Ok(_) => return Ok(()),
        Err(error) => Err(error.into()),
    };
    match sent {
        Ok(StoredRun { is_new: true, .. }) => count.sent += 1,
        Ok(_) => count.there += 1,
        Err(DatabaseError::Folder(error)) => {
            count.unreadable += 1;
            tracing::warn!("WARNING: {error}");
            return Ok(());
        }
        Err(error) => {
            mark_unsynced(&run.folder, &log::redact(&error.to_string()));
            let so_far =
                format!("{} uploaded before; `tollgate sync` uploads the rest", count.sent);
            return Err(CommandError::internal(format!("{error}\n  {so_far}")));
        }
    }
    mark(run, identity);
    Ok(())
}

fn log_counts(count: &SyncCounts, sessions: SessionCounts, at: &str) {
    let SyncCounts { sent, there, going_on, unreadable } = count;
    let runs = if *sent == 1 { "run" } else { "runs" };
    let mut line = format!("{sent} {runs} uploaded to {at}, {there} already there");
    if *going_on > 0 {
        let _ = write!(line, ", {going_on} still running");
    }
    if *unreadable > 0 {
        let _ = write!(line, ", {unreadable} not readable");
    }
    line.push_str(&sessions.words());
    tracing::info!(sent, there, going_on, unreadable, "{line}");
}
