//! Reads files that a scenario names: bodies and data rows.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use crate::units::ByteSize;

/// The largest file that is read; its content is held in memory.
const LARGEST: ByteSize = ByteSize(1 << 30);

/// The content of a file. The error is a problem and its remedy.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, (String, String)> {
    bytes_of(path).map_err(|error| wrong(path, &error))
}

fn wrong(path: &Path, error: &io::Error) -> (String, String) {
    let display = path.display();
    let remedy = "name a file relative to the scenario's folder".to_owned();
    match error.kind() {
        io::ErrorKind::NotFound => (format!("there is no file {display}"), remedy),
        io::ErrorKind::IsADirectory => (format!("{display} is not a file"), remedy),
        io::ErrorKind::FileTooLarge => {
            let problem = "files of that size do not fit into memory".to_owned();
            (problem, format!("name a file of at most {} MiB", LARGEST.0 >> 20))
        }
        _ => (format!("{display} cannot be read: {error}"), "make the file readable".to_owned()),
    }
}

fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for a writer, and a device may have no end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LARGEST.0 + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST.0 { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}
