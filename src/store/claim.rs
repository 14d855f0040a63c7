//! The file `continued-by` of a run's folder, which names the run that continues it.
//!
//! It is written before the continuing run measures anything, so that two runs cannot continue the
//! same one and the better of two verdicts cannot be chosen.

use std::fs;
use std::io;
use std::path::Path;

use super::{StoreError, write_new_file};
use crate::files;
use crate::units::ByteSize;

const CLAIM: &str = "continued-by";

/// The largest claim that is read: the name of a run.
const MAX_CLAIM: ByteSize = ByteSize(4 << 10);

/// Claims the run in a folder for the run `by`. Returns the name of the run that has claimed it
/// before, if there is one.
pub fn claim_continuation(folder: &Path, by: &str) -> Result<Option<String>, StoreError> {
    let path = folder.join(CLAIM);
    match write_new_file(&path, format!("{by}\n").as_bytes()) {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let bytes = files::read_regular(&path, MAX_CLAIM).unwrap_or_default();
            let name = String::from_utf8_lossy(&bytes).trim().replace(char::is_control, " ");
            Ok(Some(if name.is_empty() { "another run".to_owned() } else { name }))
        }
        Err(error) => Err(StoreError::write(&path)(error)),
    }
}

/// Releases the run in a folder again: the run that claimed it measured nothing.
pub fn release_continuation(folder: &Path) -> Result<(), StoreError> {
    let path = folder.join(CLAIM);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::write(&path)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_run_may_continue_another_unless_it_measured_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(claim_continuation(folder.path(), "one").unwrap(), None);
        assert_eq!(claim_continuation(folder.path(), "two").unwrap(), Some("one".to_owned()));
        release_continuation(folder.path()).unwrap();
        release_continuation(folder.path()).unwrap();
        assert_eq!(claim_continuation(folder.path(), "two").unwrap(), None);
    }
}
