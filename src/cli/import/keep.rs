//! Keeping imported runs, each once.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::super::exit::Problem;
use super::super::log::LIFE;
use crate::record::{Ending, Interval, Measurement, RunRecord};
use crate::store::{self, Draft, RunFolder, StoreError, Stored};

/// The folder of runs, held by this import: a second one waits until it is done.
pub(super) struct Keeper {
    root: PathBuf,
    /// Held as long as it is open, by a lock that ends with the process however that ends.
    _held: File,
}

/// A run's folder, and whether it was made just now.
pub(super) struct Kept {
    pub(super) folder: PathBuf,
    pub(super) is_new: bool,
}

impl Keeper {
    /// Takes hold of the folder of runs, and makes it where there is none.
    pub(super) fn of(root: &Path) -> Result<Self, Problem> {
        let told = |error| StoreError::Write { path: root.to_owned(), source: error };
        std::fs::create_dir_all(root).map_err(told)?;
        let held = File::open(root).map_err(told)?;
        // Where the file system knows no locks, who imports the same file twice at once writes the same bytes twice.
        let _unknown = held.lock();
        Ok(Self { root: root.to_owned(), _held: held })
    }

    /// Writes a run, unless it is there: one that was not finished is written anew.
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
        let mut written = RunFolder::create(&self.root, &draft)?;
        for interval in intervals {
            written.add(&interval)?;
        }
        written.finish(record)?;
        tracing::info!(target: LIFE, run = %record.id, folder = %folder.display(), "imported");
        Ok(Kept { folder, is_new: true })
    }
}

/// Whether a run is there whole. One that `show` recovered from an import that was cut off is not.
fn is_there(folder: &Path, record: &RunRecord) -> Result<bool, Problem> {
    let refused = |why: &str| Problem::internal(format!("{} {why}", folder.display()));
    match store::read(folder) {
        Ok(Stored::Complete(found)) if found.id != record.id => {
            Err(refused("holds another run; move it away, then import again"))
        }
        Ok(Stored::Complete(found)) => Ok(matches!(found.measurement.ending, Ending::Imported(_))),
        Ok(Stored::StillWritten) => Err(refused("is being written by another program; import again later")),
        Ok(Stored::HalfWritten(_)) | Err(StoreError::NoRun { .. } | StoreError::Read { .. }) => Ok(false),
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
