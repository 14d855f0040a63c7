//! Keeping imported runs, each once.

use std::path::{Path, PathBuf};

use super::super::exit::Problem;
use super::super::log::LIFE;
use super::held::{self, Held, PATIENCE};
use crate::record::{Ending, Interval, Measurement, RunRecord};
use crate::store::{self, Draft, RunFolder, StoreError, Stored};

/// What the folders in which runs are put together begin with: lists of runs pass over such names.
const ASIDE: &str = ".import-";

/// The files of a run's folder, in the order in which they may come into one: the record makes it whole.
const FILES: [&str; 3] = ["intervals.jsonl", "intervals.hlog", "run.json"];

/// The mark of a half-written run.
const PARTIAL: &str = "run.partial.json";

/// The folder of runs, held by this import: a second one waits until it is done.
pub(super) struct Keeper {
    root: PathBuf,
    held: Held,
}

/// A run's folder, and whether it was made just now.
pub(super) struct Kept {
    pub(super) folder: PathBuf,
    pub(super) is_new: bool,
}

impl Keeper {
    /// Takes hold of the folder of runs, and makes it where there is none. What an import that was cut off left aside is
    /// taken away.
    pub(super) fn of(root: &Path) -> Result<Self, Problem> {
        std::fs::create_dir_all(root).map_err(unwritten(root))?;
        let held = held::hold(root, PATIENCE)?;
        if held.alone {
            clear(root)?;
        }
        Ok(Self { root: root.to_owned(), held })
    }

    /// Writes a run, unless it is there: one that was not finished is written anew.
    ///
    /// It is written aside and gets its name when it is whole, so that whatever reads runs meanwhile, or after this was cut
    /// off, finds all of it or nothing.
    pub(super) fn keep(
        &self,
        record: &RunRecord,
        intervals: impl Iterator<Item = Interval>,
    ) -> Result<Kept, Problem> {
        let draft = draft(record);
        let folder = RunFolder::path_of(&self.root, &draft);
        if is_there(&folder, record)? {
            return Ok(Kept { folder, is_new: false });
        }
        let aside = tempfile::Builder::new().prefix(ASIDE).tempdir_in(&self.root);
        let aside = aside.map_err(unwritten(&self.root))?;
        let mut written = RunFolder::create(aside.path(), &draft)?;
        for interval in intervals {
            written.add(&interval)?;
        }
        written.finish(record)?;
        put(written.path(), &folder).map_err(unwritten(&folder))?;
        self.held.folder.sync_all().map_err(unwritten(&self.root))?;
        tracing::info!(target: LIFE, run = %record.id, folder = %folder.display(), "imported");
        Ok(Kept { folder, is_new: true })
    }
}

fn unwritten(path: &Path) -> impl FnOnce(std::io::Error) -> Problem {
    let path = path.to_owned();
    |source| StoreError::Write { path, source }.into()
}

/// Takes away what imports that were cut off left.
fn clear(root: &Path) -> Result<(), Problem> {
    let entries = std::fs::read_dir(root).map_err(unwritten(root))?;
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let name =
            path.file_name().map(|name| name.as_encoded_bytes().starts_with(ASIDE.as_bytes()));
        if name == Some(true) {
            std::fs::remove_dir_all(&path).map_err(unwritten(&path))?;
        }
    }
    Ok(())
}

/// Gives a folder that is whole its name. Where one that is not whole has the name, it gets the files.
fn put(whole: &Path, named: &Path) -> std::io::Result<()> {
    match std::fs::rename(whole, named) {
        Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {}
        renamed => return renamed,
    }
    for file in FILES {
        std::fs::rename(whole.join(file), named.join(file))?;
    }
    match std::fs::remove_file(named.join(PARTIAL)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => std::fs::File::open(named)?.sync_all(),
    }
}

/// Whether a run is there whole. One that was recovered from an import that was cut off is not.
fn is_there(folder: &Path, record: &RunRecord) -> Result<bool, Problem> {
    let refused = |why: &str| Problem::internal(format!("{} {why}", folder.display()));
    let another = || Err(refused("holds another run; move it away, then import again"));
    match store::read(folder) {
        Ok(Stored::Complete(found)) if found.id != record.id => another(),
        Ok(Stored::HalfWritten(found)) if found.id != record.id => another(),
        Ok(Stored::Complete(found)) => Ok(matches!(found.measurement.ending, Ending::Imported(_))),
        Ok(Stored::StillWritten) => {
            Err(refused("is being written by another program; import again later"))
        }
        Ok(Stored::HalfWritten(_)) | Err(StoreError::NoRun { .. } | StoreError::Read { .. }) => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// What is known of a run before its intervals are written.
fn draft(record: &RunRecord) -> Draft {
    Draft {
        format: record.format,
        id: record.id,
        provenance: record.provenance.clone(),
        plan: record.plan.clone(),
        measurement: Measurement { ending: Ending::Recovered, ..record.measurement.emptied() },
    }
}

#[cfg(test)]
mod tests;
