//! Reads the summaries of all runs below a folder without reading the whole records.

use std::fs;
use std::io::ErrorKind;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use super::StoreError;
use super::folder::{MAX_RECORD, PARTIAL, RUN};
use super::record_size::check_size;
use super::summary_reader::SummaryReader;
use crate::files;
use crate::library_text::describe_json;
use crate::record::{ConditionPool, FORMAT, RunSummary};
use crate::units::ByteSize;

/// Files up to this size are not checked: they take at most about 70 MiB, and a list reads
/// thousands.
const UNCHECKED: ByteSize = ByteSize(64 << 10);

/// How much a summary contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SummaryDetail {
    /// What lists show: no [`RequestFigures`](crate::record::RequestFigures).
    Listed,
    /// Also the figures that a site of latency history shows. They take as much memory again.
    WithFigures,
}

/// The summaries of the finished runs in `runs_dir`, the newest last, and one [`StoreError`] for
/// each other folder.
///
/// With figures, each summary equals [`RunSummary::of`] the whole record, but only its part of
/// `run.json` is decoded. All processors share the work. If `runs_dir` does not exist there are no
/// runs; if it cannot be read, that is an error.
pub fn read_summaries(
    runs_dir: &Path,
    detail: SummaryDetail,
) -> Result<impl Iterator<Item = Result<RunSummary, StoreError>> + use<>, StoreError> {
    let folders = folders(runs_dir)?;
    let share =
        folders.len().div_ceil(thread::available_parallelism().map_or(1, NonZero::get)).max(1);
    let mut read = thread::scope(|scope| {
        let readers: Vec<_> = folders
            .chunks(share)
            .map(|folders| scope.spawn(move || read_all(folders, detail)))
            .collect();
        // A panic in a reader is a defect and ends the program, like any defect.
        let shares = readers
            .into_iter()
            .map(|reader| reader.join().unwrap_or_else(|defect| std::panic::resume_unwind(defect)));
        shares.flatten().collect::<Vec<_>>()
    });
    read.sort_by_key(|run| run.as_ref().ok().map(|run| (run.started, run.id)));
    Ok(read.into_iter())
}

/// The folders in a folder, by name. Names that begin with a dot are skipped: such a folder, for
/// example that of an imported run, is not complete yet.
pub(super) fn folders(runs_dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(runs_dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(StoreError::read(runs_dir))?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::read(runs_dir))?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // The entry's type does not follow links.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir()) || entry.path().is_dir();
        folders.extend(is_folder.then(|| entry.path()));
    }
    folders.sort_unstable();
    Ok(folders)
}

/// The folders in `runs_dir` that hold a run, finished or not, in the order in which their runs
/// started.
///
/// If `runs_dir` does not exist there are none; if it cannot be read, that is an error.
pub fn run_folders(runs_dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let holds_a_run =
        |folder: &PathBuf| [RUN, PARTIAL].iter().any(|file| folder.join(file).is_file());
    Ok(folders(runs_dir)?.into_iter().filter(holds_a_run).collect())
}

fn read_all(folders: &[PathBuf], detail: SummaryDetail) -> Vec<Result<RunSummary, StoreError>> {
    let (mut bytes, mut pool) = (Vec::new(), ConditionPool::default());
    let read = |folder: &PathBuf| {
        let mut run = summary(folder, &mut bytes, &mut pool)?;
        if detail == SummaryDetail::Listed {
            run.requests.iter_mut().for_each(|request| request.figures = None);
        }
        Ok(run)
    };
    folders.iter().map(read).collect()
}

/// The summary of one run; `bytes` is a buffer that is reused, and `pool` has the conditions of the
/// runs read before.
fn summary(
    folder: &Path,
    bytes: &mut Vec<u8>,
    pool: &mut ConditionPool,
) -> Result<RunSummary, StoreError> {
    let path = folder.join(RUN);
    match files::read_into(&path, MAX_RECORD, bytes) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(unfinished(folder)),
        read => read.map_err(StoreError::read(&path))?,
    }
    let damaged = |error: serde_json::Error| StoreError::damaged(&path, &describe_json(&error));
    if bytes.len() as u64 > UNCHECKED.0 {
        check_size(bytes).map_err(damaged)?;
    }
    match serde_json::from_slice::<SummaryReader<'_>>(bytes) {
        Ok(reader) if reader.format <= FORMAT => match reader.surplus() {
            Some(surplus) => Err(StoreError::damaged(&path, &format!("it has {surplus}"))),
            None => Ok(reader.summary(pool)),
        },
        Ok(SummaryReader { format: found, .. }) => Err(StoreError::Newer { path, found }),
        // A later format may lack what this one has.
        Err(error) => match super::folder::format(bytes).map_err(damaged)? {
            found if found > FORMAT => Err(StoreError::Newer { path, found }),
            _ => Err(damaged(error)),
        },
    }
}

fn unfinished(folder: &Path) -> StoreError {
    let path = folder.to_owned();
    if folder.join(PARTIAL).exists() {
        StoreError::Unfinished { path }
    } else {
        super::folder::no_run(folder)
    }
}

#[cfg(test)]
mod tests;
