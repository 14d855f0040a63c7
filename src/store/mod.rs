//! Stores runs in run folders, each complete without a database, and additionally in Supabase's
//! Postgres.
//!
//! `reports/runs/<started>-<id>/` holds
//! - `run.json`: the [`RunRecord`](crate::record::RunRecord), written last and atomically; a folder
//!   without it is half-written,
//! - `run.partial.json`: what was known when the run started; it exists until `run.json` does,
//! - `intervals.jsonl`: one settled interval per line, with its counts,
//! - `intervals.hlog`: the histograms of the intervals, including `Server-Timing`, as an
//!   `HdrHistogram` log of version 1.3,
//! - `continued-by`: the name of the run that continues this one, if there is one,
//! - `store.json`: which databases have the run, and why the last attempt to store it failed,
//! - reports and plots.
//!
//! `reports/runs/.alerts.json` holds the state of alerts, if there is no database.
//!
//! `reports/sessions/<started>-<id>/` holds
//! - `session.json`: the [`SessionRecord`](crate::record::session::SessionRecord), replaced
//!   atomically after every attempt,
//! - `session.lock`: locked while a process writes the session,
//! - reports and plots.

mod alerts;
mod background_write;
mod claim;
mod database;
mod file;
mod finding;
mod folder;
mod listing;
mod lock;
mod log;
mod mark;
mod merging;
mod record_size;
mod rendezvous;
mod session_error;
mod session_folder;
mod summary_reader;

use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::library_text::{DEFECT_REMEDY, Defect, describe_io};

pub use alerts::AlertStore;
pub use background_write::BackgroundWrite;
pub use claim::{claim_continuation, release_continuation};
pub use database::{
    Database, DatabaseError, FetchedRun, PruneCount, SchemaStatus, SessionSummary, StoredRun,
    StoredSession, UnprotectedTable, UploadLimits, UserRight,
};
pub use file::{can_write, open_own, remove_leftovers, write_file, write_new_file, write_own_file};
pub use finding::find_run;
pub use folder::{
    FolderContent, FolderIntervals, RunDraft, RunFolder, SharedPlan, complete_folder,
    create_missing_intervals, read_folder, read_id, read_intervals, read_shared_plan,
    restore_folder, run_is_complete, run_is_cut_off, write_atomically,
};
pub use listing::{SummaryDetail, read_summaries, run_folders};
pub use lock::{LockOutcome, lock_within};
pub use log::{append_entry, can_append};
pub use mark::{StoreMark, StoredSince, UnsyncedMark};
pub use merging::MergedIntervals;
pub use rendezvous::{
    JoinRefusal, JoinedShard, MergedRun, RendezvousNews, RendezvousState, RendezvousTerms,
    ShardCandidate, ShardMember,
};
pub use session_error::SessionError;
pub use session_folder::{
    ListedSession, SessionFolder, find_session, is_session_open, list_sessions, read_session,
};

/// Why a run could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder could not be written.
    #[error("cannot write {}: {}{}", path.display(), describe_io(source), write_remedy(source))]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file or folder could not be read.
    #[error("cannot read {}: {}", path.display(), describe_io(source))]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The folder holds no run.
    #[error("{} is not a run folder: it contains neither run.json nor run.partial.json", path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// The folder was made for a run of which nothing was kept.
    #[error(
        "the run in {} was begun, and nothing of it was kept: it was killed before it sent \
         anything, or the machine lost power; remove the folder",
        path.display()
    )]
    Begun {
        /// The folder.
        path: PathBuf,
    },
    /// The run is not finished: it is in progress or was cut off.
    #[error(
        "the run in {} is not finished; where it was cut off, `tollgate show` completes it",
        path.display()
    )]
    Unfinished {
        /// The folder.
        path: PathBuf,
    },
    /// No folder has a run's name.
    #[error(
        "there is no run `{}`, neither here nor below {}; `tollgate history` lists the runs",
        run.display(),
        runs_dir.display()
    )]
    Unknown {
        /// The name that was given.
        run: PathBuf,
        /// The folder that was searched.
        runs_dir: PathBuf,
    },
    /// Several folders match a run's name.
    #[error("several runs go by `{}`: {}; name one in full", run.display(), join_names(found))]
    Ambiguous {
        /// The name that was given.
        run: PathBuf,
        /// The folders.
        found: Vec<PathBuf>,
    },
    /// A file is damaged.
    #[error("{}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file was not written because of a defect of tollgate.
    #[error("cannot write {} because of a defect of tollgate ({defect}); {DEFECT_REMEDY}", path.display())]
    Defect {
        /// The file.
        path: PathBuf,
        /// Where tollgate panicked.
        defect: Defect,
    },
    /// The system started no thread to read on.
    #[error("cannot start a thread to read runs: {}", describe_io(_0))]
    Thread(#[source] std::io::Error),
    /// The run was written by a later version of tollgate, in a later format.
    #[error(
        "{} has format {found}, and this tollgate reads up to format {}; use a newer tollgate",
        path.display(),
        crate::record::FORMAT
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

impl StoreError {
    fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Write { path, source }
    }

    fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Read { path, source }
    }

    fn damaged(path: &Path, why: &dyn std::fmt::Display) -> Self {
        Self::Damaged { path: path.to_owned(), why: why.to_string() }
    }
}

/// What to do about a limit of this machine or process, to follow the words of the error.
fn write_remedy(error: &std::io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => "; raise the limit of file descriptors with `ulimit -n`",
        Some(Errno::FBIG) => "; raise the limit of a file's size with `ulimit -f`",
        Some(Errno::NOSPC | Errno::DQUOT) => "; free some space",
        _ => "",
    }
}

/// The names of folders, as many as fit into a message.
fn join_names(folders: &[PathBuf]) -> String {
    const MOST: usize = 5;
    let name = |folder: &PathBuf| {
        folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let mut names: Vec<String> = folders.iter().take(MOST).map(name).collect();
    let more = folders.len() - names.len();
    names.extend((more > 0).then(|| format!("{more} more")));
    names.join(", ")
}
