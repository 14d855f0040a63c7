//! A lock on the runs folder, so that one import runs at a time.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use super::super::exit::CommandError;
use crate::store::{self, LockOutcome, StoreError};
use crate::units::format_duration;

/// How long an import waits for another one.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_mins(1);

/// A locked folder. The lock ends with this value, or with the process.
pub(super) struct FolderLock {
    pub(super) folder: File,
    /// Whether the lock excludes other imports. It does not on file systems without locks.
    pub(super) is_exclusive: bool,
}

/// Locks a folder. If another import holds it, says so and waits for at most `timeout`.
pub(super) fn lock(root: &Path, timeout: Duration) -> Result<FolderLock, CommandError> {
    let folder =
        File::open(root).map_err(|source| StoreError::Read { path: root.to_owned(), source })?;
    let waits = || {
        let (root, timeout) = (root.display(), format_duration(timeout));
        tracing::info!("Waiting at most {timeout} for another import into {root}.");
    };
    match store::lock_within(&folder, timeout, waits) {
        LockOutcome::Held => return Ok(FolderLock { folder, is_exclusive: true }),
        // Without file locks, two imports of the same file at once write the same bytes twice.
        LockOutcome::Unsupported => return Ok(FolderLock { folder, is_exclusive: false }),
        LockOutcome::Busy => {}
    }
    Err(CommandError::internal(format!(
        "another import into {} did not end within {}; nothing was imported: import again when it has ended, or \
         import into another folder with `--runs-dir`",
        root.display(),
        format_duration(timeout)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_waits_no_longer_than_its_timeout_for_another() {
        let runs = tempfile::tempdir().unwrap();
        let first = lock(runs.path(), Duration::ZERO).unwrap();
        assert!(first.is_exclusive);
        let message = lock(runs.path(), Duration::ZERO).err().unwrap().to_string();
        assert!(
            message.contains("another import into") && message.contains("import again"),
            "{message}"
        );
        drop(first);
        assert!(lock(runs.path(), Duration::ZERO).is_ok());
    }
}
