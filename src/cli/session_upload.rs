//! Uploads the tuning sessions of a folder, each state of a session once.

use std::path::Path;

use super::exit::CommandError;
use super::log;
use crate::store::{self, Database, DatabaseError, StoredSession, UploadLimits};

/// How many sessions were uploaded, skipped or not readable.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionCounts {
    /// Sessions whose newest state is new in the database.
    pub(super) sent: usize,
    /// Sessions whose newest state was there.
    pub(super) there: usize,
    /// Sessions in progress.
    pub(super) going_on: usize,
    /// Folders that cannot be read.
    pub(super) unreadable: usize,
}

impl SessionCounts {
    /// The counts in words; empty if there is no session.
    pub(super) fn words(self) -> String {
        let Self { sent, there, going_on, unreadable } = self;
        if self == Self::default() {
            return String::new();
        }
        let noun = if sent == 1 { "session" } else { "sessions" };
        let parts = [(going_on, "in progress"), (unreadable, "not readable")];
        let rest = parts.iter().filter(|(count, _)| *count > 0);
        let mut words = vec![format!("; {sent} {noun} uploaded"), format!("{there} already there")];
        words.extend(rest.map(|(count, what)| format!("{count} {what}")));
        words.join(", ")
    }
}

/// Uploads the sessions of a folder. A session in progress is left for later, and a damaged one is
/// skipped with a warning; a failed database ends the command.
///
/// The database decides what it has already: a session that was resumed has a new state, and a user
/// who may only store cannot ask.
pub(super) fn upload_sessions(
    database: &mut Database,
    sessions_dir: &Path,
) -> Result<SessionCounts, CommandError> {
    let mut count = SessionCounts::default();
    for (folder, record) in store::list_sessions(sessions_dir)? {
        if store::is_session_open(&folder) {
            count.going_on += 1;
            continue;
        }
        match record {
            Err(error) => {
                count.unreadable += 1;
                tracing::warn!("WARNING: {error}");
            }
            Ok(record) => match database.store_session(&record, UploadLimits::GENEROUS) {
                Ok(StoredSession { is_new: true, .. }) => count.sent += 1,
                Ok(_) => count.there += 1,
                Err(error) => return Err(failed(&error, count)),
            },
        }
    }
    Ok(count)
}

fn failed(error: &DatabaseError, count: SessionCounts) -> CommandError {
    let error = log::redact(&error.to_string());
    CommandError::internal(format!(
        "{error}\n  {} sessions uploaded before; `tollgate sync` uploads the rest",
        count.sent
    ))
}
