//! The journal's file.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use crate::cli::exit::CommandError;
use crate::engine::clock;
use crate::files;
use crate::fleet::{FleetJournal, JournalError, JournalLine, JournalStart};
use crate::library_text::describe_io;
use crate::store::{LockOutcome, lock_within, open_own};
use crate::units::ByteSize;

/// What the names of journals end with.
const ENDING: &str = "jsonl";

/// The largest journal that is read: 1,000 machines need a tenth.
const LARGEST: ByteSize = ByteSize(4 << 20);

/// The journal of a fleet, locked while this process works on it.
pub(super) struct JournalFile {
    path: PathBuf,
    file: File,
    content: FleetJournal,
}

impl JournalFile {
    /// Creates the journal before anything is made, and makes sure that it is on disk.
    pub(super) fn create(folder: &Path, start: JournalStart) -> Result<Self, CommandError> {
        let path = folder.join(format!("{}.{ENDING}", start.fleet));
        let refused = |error: &std::io::Error| {
            CommandError::internal(format!(
                "{} cannot be written: {}; nothing was made; name a writable folder with \
                 --fleets-dir",
                path.display(),
                describe_io(error)
            ))
        };
        std::fs::create_dir_all(folder).map_err(|error| refused(&error))?;
        let file = OpenOptions::new().append(true).create_new(true).open(&path);
        let file = file.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => CommandError::usage(format!(
                "error: a fleet named {} has a journal already: choose another --name, or run \
                 `tollgate fleet restore {}` if it was killed",
                start.fleet, start.fleet
            )),
            _ => refused(&error),
        })?;
        // Where the file system has no locks, `restore` cannot tell a fleet in progress.
        let _unknown = lock_within(&file, Duration::ZERO, || ());
        append(&file, &start).map_err(|error| refused(&error))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| refused(&error))?;
        Ok(Self { path, file, content: FleetJournal::new(start) })
    }

    /// The journal of an earlier process; `None` if it ended before it could make anything.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, CommandError> {
        let failed = |error: &std::io::Error| {
            let why = describe_io(error);
            CommandError::usage(format!("error: {} cannot be read: {why}", path.display()))
        };
        let bytes = files::read_regular(path, LARGEST).map_err(|error| failed(&error))?;
        let file =
            open_own(OpenOptions::new().append(true), path).map_err(|error| failed(&error))?;
        if lock_within(&file, Duration::ZERO, || ()) == LockOutcome::Busy {
            return Err(CommandError::usage(format!(
                "error: the fleet of {} is in progress; it destroys its machines itself when it \
                 ends",
                path.display()
            )));
        }
        match FleetJournal::read(&String::from_utf8_lossy(&bytes)) {
            Ok(content) => Ok(Some(Self { path: path.to_owned(), file, content })),
            Err(JournalError::Empty) => Ok(None),
            Err(problem) => Err(CommandError::usage(format!(
                "error: {}: {problem}; `fly machine list --app NAME` shows machines with \
                 `tollgate_fleet` in their metadata; remove this file once they are destroyed",
                path.display()
            ))),
        }
    }

    /// What the journal says.
    pub(super) fn content(&self) -> &FleetJournal {
        &self.content
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How long ago the last line was added.
    pub(super) fn age(&self) -> Duration {
        let written = self.file.metadata().and_then(|data| data.modified()).ok();
        let age = written.map(|written| clock::wall_clock() - OffsetDateTime::from(written));
        age.and_then(|age| age.try_into().ok()).unwrap_or_default()
    }

    /// Adds a line, and makes sure that it is on disk.
    pub(super) fn note(&mut self, line: JournalLine) -> Result<(), CommandError> {
        append(&self.file, &line).map_err(|error| cannot("written", &self.path, &error))?;
        self.content.add(line);
        Ok(())
    }

    /// Removes the journal: nothing of the fleet is left.
    pub(super) fn remove(self) -> Result<(), CommandError> {
        remove_file(&self.path)
    }
}

/// Removes the file of a journal. It may be gone.
pub(super) fn remove_file(path: &Path) -> Result<(), CommandError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot("removed", path, &error)),
        _ => Ok(()),
    }
}

/// The paths of all journals in a folder, in the order of their names.
pub(super) fn journals(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            let (folder, why) = (folder.display(), describe_io(&error));
            return Err(CommandError::usage(format!("error: {folder} cannot be read: {why}")));
        }
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == ENDING)).collect();
    paths.sort();
    Ok(paths)
}

fn append(mut file: &File, line: &impl Serialize) -> std::io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)?;
    file.sync_data()
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> CommandError {
    let (path, why) = (path.display(), describe_io(error));
    CommandError::internal(format!("{path} cannot be {what}: {why}"))
}

/// Whether another process works on a journal.
pub(super) fn is_in_progress(path: &Path) -> bool {
    let file = files::open_regular(path).ok();
    file.is_some_and(|file| lock_within(&file, Duration::ZERO, || ()) == LockOutcome::Busy)
}
