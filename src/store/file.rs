//! Writes a file to where its path leads: replaces it atomically if possible, and writes in place
//! if not.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::stdio::{stderr, stdin, stdout};
use tempfile::NamedTempFile;

use crate::files;

/// How many symbolic links are followed to a file that does not exist yet. Linux follows as many to
/// one that exists.
const MOST_LINKS: usize = 40;

/// Writes a file.
///
/// Follows links. The file exists whole or not at all, even after a loss of power; a replacement
/// keeps the mode and owner of the old file. Some files cannot be replaced and are written in
/// place: a device, a pipe, a file with several hard links, and a file whose folder accepts no new
/// files. A pipe without a reader is an error at once.
///
/// The error is the system's, without the path.
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if names_a_folder(path) {
        return Err(io::Error::new(ErrorKind::IsADirectory, "that is the name of a folder"));
    }
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let path = end_of_links(path);
            put(beside(&path, bytes)?, &path)
        }
        Err(error) => Err(error),
        Ok(there) if there.is_file() => replace(path, &there, bytes),
        Ok(_) => hand_over(path, bytes),
    }
}

/// Writes a file of a folder of tollgate's own, such as a run's.
///
/// Nothing in such a folder leads elsewhere: a link, a pipe or another name of a file is replaced
/// by a regular file, and what it led to stays as it was. The file exists whole or not at all; a
/// replacement keeps the mode and owner of a regular file. If the folder accepts no new file, a
/// regular file with no other name is written in place.
///
/// The error is the system's, without the path.
pub fn write_own_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let there = fs::symlink_metadata(path).ok().filter(Metadata::is_file);
    let put = match &there {
        Some(there) if there.nlink() == 1 => put_instead(path, there, bytes),
        _ => beside(path, bytes).and_then(|file| put(file, path)),
    };
    match put {
        Err(error) if there.is_some() && lets_none_in(&error) => {
            let file = open_own(OpenOptions::new().write(true), path)?;
            let there = file.metadata()?;
            if there.is_file() && there.nlink() == 1 { overwrite(&file, bytes) } else { Err(error) }
        }
        done => done,
    }
}

/// Opens a file of a folder of tollgate's own; a link is an error.
pub fn open_own(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    options.custom_flags(flags).open(path).map_err(|error| match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => {
            io::Error::new(ErrorKind::InvalidInput, "it is a symbolic link, not a regular file")
        }
        _ => error,
    })
}

/// Checks that [`write_file`] can write to a path, and creates missing folders above it. The file
/// itself stays as it is.
///
/// The error is the system's, without the path.
pub fn can_write(path: &Path) -> io::Result<()> {
    if names_a_folder(path) {
        return Err(io::Error::new(ErrorKind::IsADirectory, "that is the name of a folder"));
    }
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let path = end_of_links(path);
            fs::create_dir_all(folder_of(&path))?;
            beside(&path, b"").map(drop)
        }
        Err(error) => Err(error),
        Ok(there) if there.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(there) if there.is_file() => OpenOptions::new().write(true).open(path).map(drop),
        Ok(_) => Ok(()),
    }
}

/// Writes a new file, which exists whole or not at all. If the file exists, the error is
/// [`ErrorKind::AlreadyExists`].
///
/// The error is the system's, without the path.
pub fn write_new_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = beside(path, bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    Ok(())
}

/// Removes what killed processes left in a folder: temporary files, and folders of runs that were
/// being restored. What another process may still be writing stays. A failure costs nothing but
/// space.
pub fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_named = |prefix| is_temporary_name(name.as_bytes(), prefix);
        let (is_file, is_folder) = (is_named(FILE_PREFIX), is_named(FOLDER_PREFIX));
        if !is_file && !is_folder {
            continue;
        }
        let (path, there) = (entry.path(), entry.metadata());
        let Some(there) = there.ok().filter(is_old) else { continue };
        if is_file && there.is_file() && !is_locked(&path) {
            let _only_space = fs::remove_file(&path);
        } else if is_folder && there.is_dir() && !is_in_use(&path) {
            let _only_space = fs::remove_dir_all(&path);
        }
    }
}

/// The beginning of the names of temporary files.
const FILE_PREFIX: &str = ".tmp";

/// The beginning of the names of folders that are being restored.
pub(super) const FOLDER_PREFIX: &str = ".restoring-";

/// The time after which a leftover that nobody has locked is removed. A writer locks its file just
/// after it creates it.
const LEFTOVER_AGE: Duration = Duration::from_secs(10);

/// Whether a name has a prefix and six random letters and digits, as `tempfile` makes them.
fn is_temporary_name(name: &[u8], prefix: &str) -> bool {
    let random = name.strip_prefix(prefix.as_bytes());
    random.is_some_and(|random| random.len() == 6 && random.iter().all(u8::is_ascii_alphanumeric))
}

fn is_old(there: &Metadata) -> bool {
    let age = there.modified().ok().and_then(|modified| modified.elapsed().ok());
    age.is_some_and(|age| age >= LEFTOVER_AGE)
}

/// Whether a file of a folder in this one is locked: a run is being written there.
fn is_in_use(folder: &Path) -> bool {
    let paths = |folder: &Path| {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
    };
    paths(folder).any(|run| paths(&run).any(|file| is_locked(&file)))
}

/// Whether a process holds the lock of a file. The lock ends with the process, even if it is
/// killed.
pub(super) fn is_locked(path: &Path) -> bool {
    let is_held = |file: File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    files::open_regular(path).is_ok_and(is_held)
}

/// Whether a path can only name a folder: `a/`, `a/.` and `a/..`. [`Path`] drops the first two
/// endings.
fn names_a_folder(path: &Path) -> bool {
    let last = path.as_os_str().as_bytes().rsplit(|&byte| byte == b'/').next();
    matches!(last, Some(b"" | b"." | b".."))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The end of a chain of links to a file that does not exist yet.
fn end_of_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(to) = fs::read_link(&path) else { break };
        path = folder_of(&path).join(to);
    }
    path
}

/// Writes the bytes to a temporary file in the same folder. As for any new file, the umask
/// determines its mode.
fn beside(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    // Opened and written here and not by `tempfile`, whose errors lack the system's code.
    let open = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
    let file = tempfile::Builder::new().prefix(FILE_PREFIX).make_in(folder_of(path), open)?;
    // Without the lock, the file is a leftover. Where there are no locks, its age has to do.
    let _unknown = file.as_file().try_lock();
    file.as_file().write_all(bytes)?;
    Ok(file)
}

fn put(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_folder_of(path)
}

/// Writes a new file of a folder of tollgate's own, which every process then finds whole. Before
/// [`sync_placed`], a loss of power may leave it empty or cut off.
pub(super) fn place_own_file(path: &Path, bytes: &[u8]) -> io::Result<File> {
    Ok(beside(path, bytes)?.persist(path)?)
}

/// Waits until a placed file and its name are on the disk.
pub(super) fn sync_placed(file: &File, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    sync_folder_of(path)
}

/// Waits until the names of the folder of a file are on the disk.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    // A folder that may be written to but not read cannot be synced; it has the file nevertheless.
    File::open(folder_of(path)).map_or(Ok(()), |folder| folder.sync_all())
}

/// Replaces a regular file, or writes in place if that is impossible.
fn replace(path: &Path, there: &Metadata, bytes: &[u8]) -> io::Result<()> {
    // A file that the user may not write to must not be replaced either.
    let old = OpenOptions::new().write(true).open(path)?;
    if there.nlink() > 1 || is_held_open(there) {
        return overwrite(&old, bytes);
    }
    match put_instead(&fs::canonicalize(path)?, there, bytes) {
        Err(error) if lets_none_in(&error) => overwrite(&old, bytes),
        done => done,
    }
}

/// Whether the file is this process's standard input or output, as behind `/dev/stdout`. After a
/// replacement, its further output would go to a file without a name.
fn is_held_open(there: &Metadata) -> bool {
    let is_it = |open: BorrowedFd<'_>| {
        let open = open.try_clone_to_owned().and_then(|open| File::from(open).metadata());
        open.is_ok_and(|open| (open.dev(), open.ino()) == (there.dev(), there.ino()))
    };
    [stdin(), stdout(), stderr()].into_iter().any(is_it)
}

fn put_instead(path: &Path, there: &Metadata, bytes: &[u8]) -> io::Result<()> {
    let file = beside(path, bytes)?;
    let made = file.as_file().metadata()?;
    if (made.uid(), made.gid()) != (there.uid(), there.gid()) {
        fchown(file.as_file(), Some(there.uid()), Some(there.gid()))?;
    }
    file.as_file().set_permissions(there.permissions())?;
    put(file, path)
}

/// Whether an error means that the folder accepts no new file. A full disk is another error.
fn lets_none_in(error: &io::Error) -> bool {
    use ErrorKind::{CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | ResourceBusy | CrossesDevices)
}

fn overwrite(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Writes the bytes to a pipe or device.
fn hand_over(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let no_wait = OFlags::NONBLOCK;
    let flag = i32::try_from(no_wait.bits()).map_err(io::Error::other)?;
    // Opening a pipe without a reader would block until one arrives.
    let opened = OpenOptions::new().write(true).custom_flags(flag).open(path);
    let mut file = opened.map_err(|error| match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::NXIO.raw_os_error() => {
            io::Error::new(ErrorKind::NotConnected, "it is a pipe that nobody reads, or a socket")
        }
        _ => error,
    })?;
    fcntl_setfl(&file, fcntl_getfl(&file)? - no_wait)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests;
