//! Locks that exclude other processes. A lock ends with its file, or with the process, even if that
//! is killed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::file::open_own;
use crate::files;

/// The time between two attempts.
const RETRY_PERIOD: Duration = Duration::from_millis(50);

/// What became of an attempt to lock a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockOutcome {
    /// It is locked.
    Held,
    /// Its file system has no locks, so nothing is excluded.
    Unsupported,
    /// Another process held the lock for all of the time.
    Busy,
}

/// Locks a file. If another process holds the lock and `timeout` is not zero, `waits` is called
/// once, and the lock is tried again for `timeout`.
pub fn lock_within(file: &File, timeout: Duration, waits: impl FnOnce()) -> LockOutcome {
    let mut attempts_left = timeout.as_millis().div_ceil(RETRY_PERIOD.as_millis());
    let mut waits = Some(waits);
    loop {
        match file.try_lock() {
            Ok(()) => return LockOutcome::Held,
            Err(TryLockError::Error(_)) => return LockOutcome::Unsupported,
            Err(TryLockError::WouldBlock) if attempts_left == 0 => return LockOutcome::Busy,
            Err(TryLockError::WouldBlock) => {}
        }
        if let Some(waits) = waits.take() {
            waits();
        }
        attempts_left -= 1;
        thread::sleep(RETRY_PERIOD);
    }
}

/// Opens a file for being locked, and creates it if it does not exist. It must be regular: a pipe
/// would block, a device would be damaged, and a link would create a file elsewhere.
pub(super) fn open_lock_file(path: &Path) -> io::Result<File> {
    match files::open_regular(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    open_own(OpenOptions::new().create(true).append(true), path)
}
