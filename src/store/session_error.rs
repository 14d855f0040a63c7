//! Why a session could not be stored or read.

use std::path::{Path, PathBuf};

use super::{StoreError, join_names};
use crate::library_text::describe_io;
use crate::record::session::SESSION_FORMAT;

/// Why a session could not be stored, found or read.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A file or folder could not be written.
    #[error("cannot write {}: {}", path.display(), describe_io(source))]
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
    /// The folder holds no session.
    #[error(
        "{} is not the folder of a session: it contains no session.json; `tollgate tune list` lists the sessions",
        path.display()
    )]
    NoSession {
        /// The folder.
        path: PathBuf,
    },
    /// No session has a name.
    #[error(
        "there is no session `{}`, neither here nor below {}; `tollgate tune list` lists the sessions",
        session.display(),
        sessions_dir.display()
    )]
    Unknown {
        /// The name that was given.
        session: PathBuf,
        /// The folder that was searched.
        sessions_dir: PathBuf,
    },
    /// Several sessions match a name.
    #[error("several sessions go by `{}`: {}; name one in full", session.display(), join_names(found))]
    Ambiguous {
        /// The name that was given.
        session: PathBuf,
        /// Their folders.
        found: Vec<PathBuf>,
    },
    /// The record is damaged.
    #[error(
        "{}: {why}; restore the file from a copy or from the database, or remove its folder",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The session was written by a later version of tollgate, in a later format.
    #[error(
        "{} has format {found}, and this tollgate reads up to format {SESSION_FORMAT}; use a newer tollgate",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Another process writes the session.
    #[error(
        "another process writes the session in {}: wait until it has ended, or stop it with Ctrl-C",
        path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The record has become larger than is read back. The earlier state stays on disk.
    #[error(
        "{} would be {size} bytes long, and at most {most} are read back; continue in a new session with fewer rounds, a shorter curve or a lower curve rate",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The size of the record in bytes.
        size: u64,
        /// The limit.
        most: u64,
    },
}

impl SessionError {
    pub(super) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Write { path, source }
    }

    pub(super) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Read { path, source }
    }

    pub(super) fn damaged(path: &Path, why: &dyn std::fmt::Display) -> Self {
        Self::Damaged { path: path.to_owned(), why: why.to_string() }
    }

    /// Whether it is reported as a mistake on the command line (exit 2) and not as an internal
    /// error: everything except a failed or refused write.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Write { .. } | Self::TooLarge { .. })
    }
}

/// Listing folders fails only in reading them.
impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Read { path, source } => Self::Read { path, source },
            StoreError::Write { path, source } => Self::Write { path, source },
            other => {
                Self::Damaged { path: PathBuf::from("the sessions folder"), why: other.to_string() }
            }
        }
    }
}
