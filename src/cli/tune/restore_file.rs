//! The restore file: on disk before a session's first change, gone when everything is back.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::cli::exit::CommandError;
use crate::files;
use crate::library_text::describe_io;
use crate::tune::restore::{RESTORE_FORMAT, RestoreFile};
use crate::units::ByteSize;

/// The name of the file in a session's folder.
pub(super) const RESTORE_FILE: &str = "restore.json";

/// The largest file that is read: 1,000 machines with configurations of 16 KiB.
const MAX_SIZE: ByteSize = ByteSize(16 << 20);

/// The restore file of a session in progress.
pub(super) struct RestoreStore {
    path: PathBuf,
    content: RestoreFile,
}

impl RestoreStore {
    /// The path of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file, readable by its owner only, and makes sure that it is on disk.
    pub(super) fn create(folder: &Path, content: RestoreFile) -> Result<Self, CommandError> {
        let store = Self { path: folder.join(RESTORE_FILE), content };
        store.write()?;
        Ok(store)
    }

    /// The file of an earlier process; `None` if there is none.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>, CommandError> {
        let content = read(folder)?;
        Ok(content.map(|content| Self { path: folder.join(RESTORE_FILE), content }))
    }

    /// What is saved.
    pub(super) fn content(&self) -> &RestoreFile {
        &self.content
    }

    /// Notes the nonce of a lease, with which a later process can end it. A failure costs nothing:
    /// the lease ends by itself.
    pub(super) fn note_lease(&mut self, machine: &str, nonce: &str) {
        let known = self.content.leases.insert(machine.to_owned(), nonce.to_owned());
        if known.as_deref() != Some(nonce) {
            let _ends_by_itself = self.write();
        }
    }

    /// Removes the file: everything is back.
    pub(super) fn remove(self) -> Result<(), CommandError> {
        std::fs::remove_file(&self.path).map_err(|error| cannot("removed", &self.path, &error))
    }

    fn write(&self) -> Result<(), CommandError> {
        let text = serde_json::to_vec_pretty(&self.content).map_err(CommandError::internal)?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        // A temporary file is readable by its owner only, and keeps that when it is renamed.
        let written = NamedTempFile::new_in(folder).and_then(|mut file| {
            file.write_all(&text)?;
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            File::open(folder)?.sync_all()
        });
        written.map_err(|error| cannot("written", &self.path, &error))
    }
}

/// Reads the restore file of a session's folder; `None` if there is none.
pub(super) fn read(folder: &Path) -> Result<Option<RestoreFile>, CommandError> {
    let path = folder.join(RESTORE_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let bytes =
        files::read_regular(&path, MAX_SIZE).map_err(|error| cannot("read", &path, &error))?;
    let damaged = |why: String| {
        CommandError::usage(format!(
            "error: {}: {why}; restore the machines by hand with `fly machine update`, then remove this file",
            path.display()
        ))
    };
    let content: RestoreFile = serde_json::from_slice(&bytes)
        .map_err(|error| damaged(crate::library_text::describe_json(&error)))?;
    if content.format > RESTORE_FORMAT {
        return Err(CommandError::usage(format!(
            "error: {} has format {}, and this tollgate reads up to format {RESTORE_FORMAT}; use a newer tollgate",
            path.display(),
            content.format
        )));
    }
    Ok(Some(content))
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> CommandError {
    let (path, why) = (path.display(), describe_io(error));
    CommandError::internal(format!("{path} cannot be {what}: {why}"))
}
