//! Reads files that anyone may have put where they are: only regular ones, and only up to a size.
//! Raises the number of files that may be open.
//!
//! Opening a pipe (FIFO) waits for a writer, and a device may have no end. So a file that a folder,
//! a scenario or a variable names is opened here.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::units::ByteSize;

/// Opens a file for reading if it is a regular one. Follows links and never waits.
///
/// The error is the system's or says what the file is, without the path. Its kind is
/// [`ErrorKind::IsADirectory`] for a folder and [`ErrorKind::InvalidInput`] for a pipe, a socket or
/// a device.
pub fn open_regular(path: &Path) -> io::Result<File> {
    check_regular(fs::metadata(path)?.file_type())?;
    // Another program may replace the file by a pipe before it is opened.
    let flag = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flag).open(path)?;
    check_regular(file.metadata()?.file_type())?;
    Ok(file)
}

/// Reads a regular file of at most `max` bytes. A larger one is an error of the kind
/// [`ErrorKind::FileTooLarge`], and no more than that is read; the other errors are those of
/// [`open_regular`].
pub fn read_regular(path: &Path, max: ByteSize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_into(path, max, &mut bytes)?;
    Ok(bytes)
}

/// Like [`read_regular`], into a buffer that is emptied first and keeps its capacity.
pub fn read_into(path: &Path, max: ByteSize, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    let file = open_regular(path)?;
    let too_large = || io::Error::new(ErrorKind::FileTooLarge, format!("it is larger than {max}"));
    if file.metadata()?.len() > max.0 {
        return Err(too_large());
    }
    // The file may grow while it is read.
    file.take(max.0.saturating_add(1)).read_to_end(bytes)?;
    if bytes.len() as u64 > max.0 { Err(too_large()) } else { Ok(()) }
}

/// Why a program that opens this file could wait without end: it is a pipe, a socket, or a device
/// other than `/dev/null`, which stands for an empty file. `None` if it is a regular file or cannot
/// be opened at all.
pub fn find_obstacle(path: &Path) -> Option<io::Error> {
    let is_null = path == Path::new("/dev/null");
    open_regular(path).err().filter(|error| error.kind() == ErrorKind::InvalidInput && !is_null)
}

fn check_regular(kind: FileType) -> io::Result<()> {
    let what = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(io::Error::new(ErrorKind::InvalidInput, format!("it is {what}, not a regular file")))
}

/// Raises the number of files and sockets that this process may have open to at least `needed`. The
/// error is the highest number that the system allows.
pub fn allow_descriptors(needed: u64) -> Result<(), u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(needed), maximum };
    let is_allowed = maximum.is_none_or(|maximum| maximum >= needed);
    if is_allowed && setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    Err(maximum.or(current).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    const MAX: ByteSize = ByteSize(4);

    fn why_unread(path: &Path) -> String {
        read_regular(path, MAX).unwrap_err().to_string()
    }

    #[test]
    fn a_pipe_a_socket_a_device_a_folder_and_a_circle_of_links_are_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        mkfifoat(CWD, path("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        std::os::unix::fs::symlink(path("pipe"), path("link")).unwrap();
        std::os::unix::fs::symlink(path("circle"), path("circle")).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        for (name, what) in [
            ("pipe", "it is a pipe, not a regular file"),
            ("link", "it is a pipe, not a regular file"),
            ("socket", "it is a socket, not a regular file"),
            ("/dev/zero", "it is a device, not a regular file"),
            ("", "is a directory"),
            ("circle", "Too many levels of symbolic links"),
            ("missing", "No such file or directory"),
        ] {
            let why = why_unread(&path(name));
            assert!(why.contains(what), "{name}: {why}");
        }
    }

    #[test]
    fn a_file_is_read_up_to_its_limit_and_a_larger_one_is_refused_unread() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "four").unwrap();
        assert_eq!(read_regular(&path, MAX).unwrap(), b"four");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(why_unread(&path), "it is larger than 4 B");
    }

    /// Files of `/proc` say that they have no bytes.
    #[test]
    fn a_file_that_states_no_length_is_read_up_to_the_limit() {
        let status = Path::new("/proc/self/status");
        assert!(!read_regular(status, ByteSize(1 << 20)).unwrap().is_empty());
        assert_eq!(why_unread(status), "it is larger than 4 B");
    }
}
