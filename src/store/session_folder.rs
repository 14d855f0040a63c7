//! The folder of one session, written after every attempt.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::finding::alike;
use super::listing::folders;
use super::lock::{LockOutcome, lock_within, open_lock_file};
use super::record_size::check_session_size;
use super::{SessionError, file, folder};
use crate::files;
use crate::library_text::describe_json;
use crate::record::session::{SESSION_FORMAT, SessionRecord};
use crate::units::ByteSize;

const SESSION: &str = "session.json";
const LOCK: &str = "session.lock";

/// The largest record that is read and written.
const MAX_SESSION: ByteSize = ByteSize(256 << 20);

/// The word for the session that started last.
const LATEST: &str = "latest";

/// A session folder that this process writes; no other process can meanwhile.
#[derive(Debug)]
pub struct SessionFolder {
    path: PathBuf,
    /// Holds the lock, which ends with the process even if it is killed.
    _lock: File,
}

impl SessionFolder {
    /// Creates the folder of a session below `root`, locks it and writes the record.
    pub fn create(root: &Path, record: &SessionRecord) -> Result<Self, SessionError> {
        let path = root.join(record.folder_name());
        fs::create_dir_all(&path).map_err(SessionError::write(&path))?;
        file::remove_leftovers(root);
        let folder = Self { _lock: lock(&path)?, path };
        folder.write(record)?;
        Ok(folder)
    }

    /// Locks the folder of an earlier session and reads its record, so that it can be resumed.
    pub fn open(path: &Path) -> Result<(Self, SessionRecord), SessionError> {
        // The folder of no session gets no lock file.
        read_session(path)?;
        let folder = Self { _lock: lock(path)?, path: path.to_owned() };
        file::remove_leftovers(path);
        // Another process may have written it until it released the lock.
        let record = read_session(path)?;
        Ok((folder, record))
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the record. It is whole on disk, in its old or its new state, even after a kill or
    /// a loss of power.
    pub fn write(&self, record: &SessionRecord) -> Result<(), SessionError> {
        let path = self.path.join(SESSION);
        let json = serde_json::to_vec(record)
            .map_err(|error| SessionError::damaged(&path, &describe_json(&error)))?;
        let (size, most) = (json.len() as u64, MAX_SESSION.0);
        if size > most {
            return Err(SessionError::TooLarge { path, size, most });
        }
        file::write_own_file(&path, &json).map_err(SessionError::write(&path))
    }
}

/// Locks a session's folder for this process.
fn lock(folder: &Path) -> Result<File, SessionError> {
    let path = folder.join(LOCK);
    let file = open_lock_file(&path).map_err(SessionError::write(&path))?;
    match lock_within(&file, Duration::ZERO, || {}) {
        LockOutcome::Busy => Err(SessionError::InUse { path: folder.to_owned() }),
        // Without locks nothing can tell whether another process writes.
        LockOutcome::Held | LockOutcome::Unsupported => Ok(file),
    }
}

/// Whether a process writes the session in a folder now.
pub fn is_session_open(folder: &Path) -> bool {
    file::is_locked(&folder.join(LOCK))
}

/// Reads the record of a session from its folder.
///
/// Fields that this version does not know are ignored. A conclusion that it cannot read is left
/// out: it follows from the attempts.
pub fn read_session(folder: &Path) -> Result<SessionRecord, SessionError> {
    let path = folder.join(SESSION);
    match files::read_regular(&path, MAX_SESSION) {
        Ok(bytes) => parse(&path, &bytes),
        // A file in the place of the folder is not a folder of a session either.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(SessionError::NoSession { path: folder.to_owned() })
        }
        Err(error) => Err(SessionError::read(&path)(error)),
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<SessionRecord, SessionError> {
    let damaged = |error: serde_json::Error| SessionError::damaged(path, &describe_json(&error));
    let found = folder::format(bytes).map_err(damaged)?;
    if found > SESSION_FORMAT {
        return Err(SessionError::Newer { path: path.to_owned(), found });
    }
    check_session_size(bytes).map_err(damaged)?;
    let record = decode(bytes).map_err(damaged)?;
    let lengths = [
        ("configurations", record.plan.configurations.len(), SessionRecord::MOST_CONFIGURATIONS),
        ("attempts", record.attempts.len(), SessionRecord::MOST_ATTEMPTS),
    ];
    match lengths.into_iter().find(|(_, length, most)| length > most) {
        Some((what, length, most)) => {
            let why = format!("it has {length} {what}; a session has at most {most}");
            Err(SessionError::damaged(path, &why))
        }
        None => Ok(record),
    }
}

/// Decodes a record of a known format. A conclusion that cannot be read is left out.
pub(super) fn decode(bytes: &[u8]) -> Result<SessionRecord, serde_json::Error> {
    serde_json::from_slice(bytes).or_else(|error| without_conclusion(bytes).ok_or(error))
}

/// The record without its conclusion; `None` if something else is damaged.
fn without_conclusion(bytes: &[u8]) -> Option<SessionRecord> {
    let mut value: Value = serde_json::from_slice(bytes).ok()?;
    value.as_object_mut()?.remove("conclusion")?;
    serde_json::from_value(value).ok()
}

/// A folder and the session in it.
pub type ListedSession = (PathBuf, Result<SessionRecord, SessionError>);

/// The sessions in a folder, newest first; folders without a readable session come last.
///
/// If the folder does not exist there are none; if it cannot be read, that is an error.
pub fn list_sessions(sessions_dir: &Path) -> Result<Vec<ListedSession>, SessionError> {
    let read = |folder: PathBuf| {
        let record = read_session(&folder);
        (folder, record)
    };
    let mut read: Vec<_> = folders(sessions_dir)?.into_iter().map(read).collect();
    read.sort_by_key(|(_, record)| {
        std::cmp::Reverse(record.as_ref().ok().map(|record| (record.provenance.started, record.id)))
    });
    Ok(read)
}

/// Finds the folder of a session: by its path or that of its `session.json`, by the folder's name
/// below `sessions_dir` or a beginning of it, by the session's id or its last eight digits, by the
/// name in its plan file, or as `latest`.
///
/// It is an error if no folder matches or if several do. A folder named `latest` is written
/// `./latest`.
pub fn find_session(session: &Path, sessions_dir: &Path) -> Result<PathBuf, SessionError> {
    let unknown = || SessionError::Unknown {
        session: session.to_owned(),
        sessions_dir: sessions_dir.to_owned(),
    };
    let word = session.to_str().unwrap_or_default();
    if word == LATEST {
        let mut sessions = list_sessions(sessions_dir)?.into_iter();
        let newest = sessions.find(|(_, record)| record.is_ok());
        return newest.map(|(folder, _)| folder).ok_or_else(unknown);
    }
    if let Some(folder) = by_path(session, sessions_dir) {
        return Ok(folder);
    }
    let mut found = alike(word, sessions_dir)?;
    if found.is_empty() && !word.is_empty() {
        found = by_plan_name(word, sessions_dir)?;
    }
    match found.len() {
        0 => Err(unknown()),
        1 => Ok(found.remove(0)),
        _ => Err(SessionError::Ambiguous { session: session.to_owned(), found }),
    }
}

/// The folder that a path names, here or below the folder of all sessions.
fn by_path(session: &Path, sessions_dir: &Path) -> Option<PathBuf> {
    let is_record = session.file_name().is_some_and(|name| name == SESSION);
    let named = match session.parent().filter(|_| is_record) {
        Some(here) if here.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => session,
    };
    let below = sessions_dir.join(named);
    // A word may be both a session's name and that of some other file or folder here: only a folder
    // with a record counts.
    let holds_one = |folder: &Path| folder.join(SESSION).exists();
    if holds_one(named) {
        return Some(named.to_owned());
    }
    let is_named = !session.as_os_str().is_empty();
    (is_named && (holds_one(&below) || below.is_dir())).then_some(below)
}

/// The folders of the sessions that have a name in their plan file, newest first.
fn by_plan_name(name: &str, sessions_dir: &Path) -> Result<Vec<PathBuf>, SessionError> {
    let is_named = |record: &SessionRecord| record.name == name;
    let sessions = list_sessions(sessions_dir)?.into_iter();
    let named = sessions.filter(|(_, record)| record.as_ref().is_ok_and(is_named));
    Ok(named.map(|(folder, _)| folder).collect())
}

#[cfg(test)]
mod tests;
