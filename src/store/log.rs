//! A log to which several programs may append whole entries at once.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::Duration;

use super::StoreError;

/// The interval between two attempts to lock the log.
const LOOK: Duration = Duration::from_millis(20);
/// The number of attempts, which take ten seconds.
const LOOKS: u32 = 500;

/// Checks that entries can be added to a log. Creates the log and the folders above it if they are
/// missing.
pub fn can_append(path: &Path) -> Result<(), StoreError> {
    opened(path).map(|_| ()).map_err(StoreError::write(path))
}

/// Adds an entry at the end of a log, after an empty line unless the log is empty.
///
/// The log is locked during the write, so that entries of several programs do not mix. The entry is
/// on the disk when this returns. An entry that cannot be written whole is removed, and the log is
/// as before.
pub fn append_entry(path: &Path, entry: &str) -> Result<(), StoreError> {
    let appended = || add(&locked(path)?, entry, |mut file, bytes| file.write_all(bytes));
    appended().map_err(StoreError::write(path))
}

fn opened(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    // Opening a pipe without a reader would block until one arrives.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    OpenOptions::new().read(true).append(true).create(true).open(path)
}

/// Opens and locks the log. Another program may have replaced the file before the lock was
/// acquired, so the path is checked again.
///
/// On a file system without locks, an entry is still one write at the end.
fn locked(path: &Path) -> io::Result<File> {
    for _ in 0..LOOKS {
        let file = opened(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
            Ok(()) | Err(TryLockError::Error(_)) if is_at(&file, path)? => return Ok(file),
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "another program has held it for 10 s"))
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (held, there) = (file.metadata()?, fs::metadata(path));
    Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino())))
}

fn add(
    file: &File,
    entry: &str,
    write: impl FnOnce(&File, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let length = file.metadata()?.len();
    let entry = [gap(file, length)?, entry].concat();
    let written = write(file, entry.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        file.set_len(length)?;
    }
    written
}

/// The line ends that separate a new entry from the log's end by an empty line.
fn gap(file: &File, length: u64) -> io::Result<&'static str> {
    let mut end = [b'\n'; 2];
    let known = usize::try_from(length.min(2)).unwrap_or(2);
    file.read_exact_at(&mut end[2 - known..], length - known as u64)?;
    Ok(match end {
        _ if length == 0 => "",
        [b'\n', b'\n'] => "",
        [_, b'\n'] => "\n",
        _ => "\n\n",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/log.md");
        (folder, path)
    }

    #[test]
    fn an_entry_follows_an_empty_line_regardless_of_the_logs_end() {
        for (before, after) in [
            ("", "## b\n"),
            ("a", "a\n\n## b\n"),
            ("a\n", "a\n\n## b\n"),
            ("a\n\n", "a\n\n## b\n"),
            ("\n", "\n## b\n"),
            ("a\r\n", "a\r\n\n## b\n"),
        ] {
            let (_folder, path) = log();
            can_append(&path).unwrap();
            fs::write(&path, before).unwrap();
            append_entry(&path, "## b\n").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
        }
    }

    #[test]
    fn an_entry_that_cannot_be_written_whole_leaves_nothing_behind() {
        let (_folder, path) = log();
        append_entry(&path, "## a\n").unwrap();
        let half = |mut file: &File, bytes: &[u8]| {
            file.write_all(&bytes[..3])?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        };
        let error = add(&locked(&path).unwrap(), "## b\n", half).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&path).unwrap(), "## a\n");
    }

    #[test]
    fn concurrent_entries_do_not_mix() {
        let (_folder, path) = log();
        let entries: Vec<_> =
            (0..16).map(|n| format!("## {n}\n{}\n", n.to_string().repeat(10_000))).collect();
        std::thread::scope(|scope| {
            for entry in &entries {
                scope.spawn(|| append_entry(&path, entry).unwrap());
            }
        });
        let text = fs::read_to_string(&path).unwrap();
        assert!(entries.iter().all(|entry| text.contains(entry)));
        assert_eq!(text.len(), entries.iter().map(String::len).sum::<usize>() + 15);
    }

    #[test]
    fn a_link_is_followed_and_anything_but_a_file_is_refused() {
        let (folder, path) = log();
        let link = folder.path().join("link.md");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        can_append(&path).unwrap();
        append_entry(&link, "## a\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "## a\n");
        let error = can_append(folder.path()).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot write ") && error.ends_with("it is not a regular file"),
            "{error}"
        );
    }
}
