//! Where runs are read from.

use std::path::{Path, PathBuf};

use super::exit::Problem;
use crate::history::Filter;
use crate::record::{RunRecord, RunSummary};
use crate::store::{self, StoreError, Stored};

/// Where runs are read from.
pub(super) enum Source {
    /// Their folders, in the folder of runs.
    Folders(PathBuf),
}

impl Source {
    /// The summaries of those runs that a filter may take. What cannot be read is told and left out.
    pub(super) fn summaries(&self, filter: &Filter) -> Result<Vec<RunSummary>, Problem> {
        let Self::Folders(runs_dir) = self;
        let (mut runs, mut unread) = (Vec::new(), Vec::new());
        for run in store::summaries(runs_dir).map_err(wrong)? {
            match run {
                Ok(run) if filter.takes_run(&run) => runs.push(run),
                Ok(_) => {}
                Err(error) => unread.push(error.to_string()),
            }
        }
        tell_left_out(&unread);
        Ok(runs)
    }

    /// The whole record of a run, by any of its names.
    pub(super) fn fetch(&self, run: &Path) -> Result<RunRecord, Problem> {
        let Self::Folders(runs_dir) = self;
        let folder = folder(run, runs_dir)?;
        match store::read(&folder).map_err(wrong)? {
            Stored::Complete(record) => Ok(*record),
            Stored::StillWritten => Err(still_going_on(&folder)),
            Stored::HalfWritten(_) => Err(wrong(StoreError::Unfinished { path: folder })),
        }
    }

    /// Where that is, in words.
    pub(super) fn place(&self) -> String {
        let Self::Folders(runs_dir) = self;
        format!("below {}", runs_dir.display())
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
fn wrong(error: StoreError) -> Problem {
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
