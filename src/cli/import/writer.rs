//! Writes imported runs, each once.

use std::path::{Path, PathBuf};

use super::super::exit::CommandError;
use super::super::log::PROGRAMS_ONLY;
use super::lock::{self, FolderLock, LOCK_TIMEOUT};
use crate::record::{Interval, Measurement, RunEnding, RunRecord};
use crate::store::{self, FolderContent, RunDraft, RunFolder, StoreError};

/// The prefix of temporary folders. Lists of runs skip such names.
const TEMPORARY_PREFIX: &str = ".import-";

/// The files of a run's folder, in the order to move them: `run.json` completes a run.
const FILES: [&str; 3] = ["intervals.jsonl", "intervals.hlog", "run.json"];

/// The file that marks a run as half-written.
const PARTIAL: &str = "run.partial.json";

/// Writes runs into a runs folder, which it holds locked.
pub(super) struct ImportWriter {
    root: PathBuf,
    lock: FolderLock,
}

/// A run's folder, and whether this import wrote it.
pub(super) struct ImportedRun {
    pub(super) folder: PathBuf,
    pub(super) is_new: bool,
}

impl ImportWriter {
    /// Creates the runs folder if there is none, locks it, and removes temporary folders of
    /// interrupted imports.
    pub(super) fn open(root: &Path) -> Result<Self, CommandError> {
        std::fs::create_dir_all(root).map_err(write_error(root))?;
        let lock = lock::lock(root, LOCK_TIMEOUT)?;
        if lock.is_exclusive {
            remove_temporary(root)?;
        }
        Ok(Self { root: root.to_owned(), lock })
    }

    /// Writes a run unless it is already complete. Rewrites a run that is incomplete.
    ///
    /// The run is written to a temporary folder, which is renamed when it is complete. So readers
    /// find all of it or nothing, even after an interrupted import.
    pub(super) fn write(
        &self,
        record: &RunRecord,
        intervals: impl Iterator<Item = Interval>,
    ) -> Result<ImportedRun, CommandError> {
        let draft = draft(record);
        let folder = RunFolder::path_of(&self.root, &draft);
        if is_complete(&folder, record)? {
            return Ok(ImportedRun { folder, is_new: false });
        }
        let temporary = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempdir_in(&self.root);
        let temporary = temporary.map_err(write_error(&self.root))?;
        let mut written = RunFolder::create(temporary.path(), &draft)?;
        for interval in intervals {
            written.add(&interval)?;
        }
        written.finish(record)?;
        publish(written.path(), &folder).map_err(write_error(&folder))?;
        self.lock.folder.sync_all().map_err(write_error(&self.root))?;
        tracing::info!(target: PROGRAMS_ONLY, run = %record.id, folder = %folder.display(), "imported");
        Ok(ImportedRun { folder, is_new: true })
    }
}

fn write_error(path: &Path) -> impl FnOnce(std::io::Error) -> CommandError {
    let path = path.to_owned();
    |source| StoreError::Write { path, source }.into()
}

/// Removes the temporary folders of interrupted imports.
fn remove_temporary(root: &Path) -> Result<(), CommandError> {
    let entries = std::fs::read_dir(root).map_err(write_error(root))?;
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let name = path
            .file_name()
            .map(|name| name.as_encoded_bytes().starts_with(TEMPORARY_PREFIX.as_bytes()));
        if name == Some(true) {
            std::fs::remove_dir_all(&path).map_err(write_error(&path))?;
        }
    }
    Ok(())
}

/// Renames a complete folder to its final name. If an incomplete folder has this name, moves the
/// files into it.
fn publish(complete: &Path, named: &Path) -> std::io::Result<()> {
    match std::fs::rename(complete, named) {
        Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {}
        renamed => return renamed,
    }
    for file in FILES {
        std::fs::rename(complete.join(file), named.join(file))?;
    }
    match std::fs::remove_file(named.join(PARTIAL)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => std::fs::File::open(named)?.sync_all(),
    }
}

/// Whether a run is already complete. A run recovered from an interrupted import is not.
fn is_complete(folder: &Path, record: &RunRecord) -> Result<bool, CommandError> {
    let refused = |why: &str| CommandError::internal(format!("{} {why}", folder.display()));
    let another = || Err(refused("contains another run; move it away, then import again"));
    match store::read_folder(folder) {
        Ok(FolderContent::Complete(found)) if found.id != record.id => another(),
        Ok(FolderContent::HalfWritten(found)) if found.id != record.id => another(),
        Ok(FolderContent::Complete(found)) => {
            Ok(matches!(found.measurement.ending, RunEnding::Imported(_)))
        }
        Ok(FolderContent::StillWritten) => {
            Err(refused("is being written by another program; import again later"))
        }
        Ok(FolderContent::HalfWritten(_))
        | Err(StoreError::NoRun { .. } | StoreError::Begun { .. } | StoreError::Read { .. }) => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// The draft of a run, for the time before its intervals are written.
fn draft(record: &RunRecord) -> RunDraft {
    RunDraft {
        format: record.format,
        id: record.id,
        provenance: record.provenance.clone(),
        plan: record.plan.clone(),
        measurement: Measurement {
            ending: RunEnding::Recovered,
            ..record.measurement.without_counts()
        },
    }
}

#[cfg(test)]
mod tests;
