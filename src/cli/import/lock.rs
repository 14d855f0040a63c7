//! A lock on the runs folder, so that one import runs at a time.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::super::exit::CommandError;
use crate::store::StoreError;
use crate::units::format_duration;

/// How long an import waits for another one.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_mins(1);

/// The time between two attempts.
const RETRY_PERIOD: Duration = Duration::from_millis(100);

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
    let attempts = timeout.as_millis().div_ceil(RETRY_PERIOD.as_millis());
    for attempt in 0..=attempts {
        match folder.try_lock() {
            Ok(()) => return Ok(FolderLock { folder, is_exclusive: true }),
            // Without file locks, two imports of the same file at once write the same bytes twice.
            Err(TryLockError::Error(_)) => return Ok(FolderLock { folder, is_exclusive: false }),
            Err(TryLockError::WouldBlock) if attempt == 0 => tracing::info!(
                "Waiting at most {1} for another import into {0}.",
                root.display(),
                format_duration(timeout)
            ),
            Err(TryLockError::WouldBlock) => std::thread::sleep(RETRY_PERIOD),
        }
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
