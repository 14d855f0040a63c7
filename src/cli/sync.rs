//! `tollgate sync`

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use super::exit::{Exit, Problem};
use super::keeping::{Store, mark_stored, mark_unsynced};
use super::{log, session, source};
use crate::store::{self, Database, DatabaseError, Mark, Sent, Stored};

const EXAMPLES: &str = "\
Examples:
  tollgate sync                                         all runs below reports/runs
  tollgate sync 2026-11-23T18-47-06Z-3bb6c035           one run
  DATABASE_URL=… tollgate sync --runs-dir /var/lib/tollgate/runs

A run is sent in one transaction and is there whole or not at all. Sending one again, after an
interruption or by several at once, changes nothing.

Exit codes: 0 every run that is over is in the database; 2 a wrong flag or URL; 4 some are not, and
sync can be repeated.";

/// Send runs to the database that are not there yet
///
/// Looks through the folder of runs. A run that was cut off is completed as far as it was written, as `tollgate show` does.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The runs' folders, or their names below the folder of runs [default: all of them]
    #[arg(value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The folder that run folders are in
    #[arg(long, value_name = "DIR", default_value = "reports/runs", env = "TOLLGATE_RUNS_DIR")]
    runs_dir: PathBuf,
    /// Send all runs, also those whose folders say that this database has them
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    store: Store,
}

/// A run that is whole in its folder.
struct Whole {
    folder: PathBuf,
    id: Uuid,
    mark: Mark,
}

/// How long sending a run may take: nobody waits for a verdict.
const SENDING: Duration = Duration::from_mins(10);

/// What came of the runs.
#[derive(Debug, Default)]
struct Count {
    sent: usize,
    there: usize,
    going_on: usize,
    unreadable: usize,
}

pub(super) fn sync(args: &Args) -> Result<Exit, Problem> {
    let address = args.store.needed()?;
    let folders = folders(args)?;
    let mut count = Count::default();
    let runs: Vec<Whole> =
        folders.into_iter().filter_map(|folder| whole(folder, &mut count)).collect();
    let mut database = Database::open(&address)?;
    let identity = database.identity()?;
    let there = there(&mut database, identity, &runs, args.all)?;
    for run in runs {
        if there.contains(&run.id) {
            count.there += 1;
            mark(&run, identity);
        } else {
            send(&mut database, identity, &run, &mut count)?;
        }
    }
    database.close();
    tell(&count, &address.shown());
    Ok(if count.unreadable > 0 { Exit::Internal } else { Exit::Pass })
}

/// The folders named, or all below the folder of runs, oldest first.
fn folders(args: &Args) -> Result<Vec<PathBuf>, Problem> {
    if !args.runs.is_empty() {
        return args.runs.iter().map(|run| source::folder(run, &args.runs_dir)).collect();
    }
    if !args.runs_dir.is_dir() {
        return Err(Problem::usage(format!(
            "error: there is no folder of runs {}: name it with `--runs-dir`; `tollgate run` makes it",
            args.runs_dir.display()
        )));
    }
    store::run_folders(&args.runs_dir).map_err(source::wrong)
}

/// A run that can be sent; one that was cut off is completed first, and what cannot be read is told and counted.
fn whole(folder: PathBuf, count: &mut Count) -> Option<Whole> {
    let id = match store::id(&folder) {
        Ok(Some(id)) => Ok(Some(id)),
        Ok(None) => completed(&folder),
        Err(error) => Err(error.into()),
    };
    match id {
        Ok(Some(id)) => Some(Whole { mark: Mark::read(&folder), folder, id }),
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

/// The id of a run that had no record yet; `None` where it is still going on.
fn completed(folder: &Path) -> Result<Option<Uuid>, Problem> {
    match store::read(folder)? {
        Stored::Complete(record) => Ok(Some(record.id)),
        Stored::StillWritten => Ok(None),
        Stored::HalfWritten(draft) => {
            tracing::warn!(
                "The run in {} was cut off: it is sent as far as it was written.",
                folder.display()
            );
            Ok(Some(session::completed(folder, *draft)?.id))
        }
    }
}

/// The runs that the database has: as it says itself, or as the folders say where it may not be asked.
fn there(
    database: &mut Database,
    identity: Uuid,
    runs: &[Whole],
    all: bool,
) -> Result<BTreeSet<Uuid>, DatabaseError> {
    let ids: Vec<Uuid> = runs.iter().map(|run| run.id).collect();
    if let Some(there) = database.which(&ids)? {
        return Ok(there.into_iter().collect());
    }
    let marked = runs.iter().filter(|run| !all && run.mark.stored.contains_key(&identity));
    Ok(marked.map(|run| run.id).collect())
}

fn mark(run: &Whole, identity: Uuid) {
    if run.mark.unsynced.is_some() || !run.mark.stored.contains_key(&identity) {
        mark_stored(&run.folder, identity);
    }
}

/// Sends a run. Where the database fails the rest need not be tried; a folder that is damaged is told and passed over.
fn send(
    database: &mut Database,
    identity: Uuid,
    run: &Whole,
    count: &mut Count,
) -> Result<(), Problem> {
    let sent = match store::read(&run.folder) {
        Ok(Stored::Complete(record)) => database.keep(&record, &run.folder, SENDING),
        Ok(_) => return Ok(()),
        Err(error) => Err(error.into()),
    };
    match sent {
        Ok(Sent { is_new: true, .. }) => count.sent += 1,
        Ok(_) => count.there += 1,
        Err(DatabaseError::Folder(error)) => {
            count.unreadable += 1;
            tracing::warn!("WARNING: {error}");
            return Ok(());
        }
        Err(error) => {
            mark_unsynced(&run.folder, &log::clean(&error.to_string()));
            let so_far = format!("{} sent before; `tollgate sync` sends the rest", count.sent);
            return Err(Problem::internal(format!("{error}\n  {so_far}")));
        }
    }
    mark(run, identity);
    Ok(())
}

fn tell(count: &Count, at: &str) {
    let Count { sent, there, going_on, unreadable } = count;
    let runs = if *sent == 1 { "run" } else { "runs" };
    let mut line = format!("{sent} {runs} sent to {at}, {there} there already");
    if *going_on > 0 {
        let _ = write!(line, ", {going_on} still going on");
    }
    if *unreadable > 0 {
        let _ = write!(line, ", {unreadable} not readable");
    }
    tracing::info!(sent, there, going_on, unreadable, "{line}");
}
