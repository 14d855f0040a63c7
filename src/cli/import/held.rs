//! The folder of runs, held by one import at a time.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::super::exit::Problem;
use crate::store::StoreError;
use crate::units::show;

/// How long an import waits for the one before.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(100);

/// A folder that is held as long as this lives, by a lock that ends with the process however that ends.
pub(super) struct Held {
    pub(super) folder: File,
    /// Whether it is known that no other import holds it: there are file systems without locks.
    pub(super) alone: bool,
}

/// Takes hold of a folder. Where another import has it that is told, and it is waited for no longer than `patience`.
pub(super) fn hold(root: &Path, patience: Duration) -> Result<Held, Problem> {
    let folder =
        File::open(root).map_err(|source| StoreError::Read { path: root.to_owned(), source })?;
    let looks = patience.as_millis().div_ceil(LOOK.as_millis());
    for look in 0..=looks {
        match folder.try_lock() {
            Ok(()) => return Ok(Held { folder, alone: true }),
            // Where the file system knows no locks, who imports the same file twice at once writes the same bytes twice.
            Err(TryLockError::Error(_)) => return Ok(Held { folder, alone: false }),
            Err(TryLockError::WouldBlock) if look == 0 => tracing::info!(
                "Waiting for another import into {}, for {} at most.",
                root.display(),
                show(patience)
            ),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
        }
    }
    Err(Problem::internal(format!(
        "another import into {} was not done within {}; nothing was imported: import again when it is done, or import \
         into another folder with `--runs-dir`",
        root.display(),
        show(patience)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_another_import_holds_is_waited_for_no_longer_than_told() {
        let runs = tempfile::tempdir().unwrap();
        let first = hold(runs.path(), Duration::ZERO).unwrap();
        assert!(first.alone);
        let told = hold(runs.path(), Duration::ZERO).err().unwrap().to_string();
        assert!(told.contains("another import into") && told.contains("import again"), "{told}");
        drop(first);
        assert!(hold(runs.path(), Duration::ZERO).is_ok());
    }
}
