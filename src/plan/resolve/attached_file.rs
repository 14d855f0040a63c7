//! Reads files that a scenario names: bodies and data rows.

use std::io;
use std::path::Path;

use crate::files;
use crate::library_text::describe_io;
use crate::units::ByteSize;

/// The largest file that is read; its content is held in memory.
const LARGEST: ByteSize = ByteSize(1 << 30);

/// The content of a file. The error is a problem and its remedy.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, (String, String)> {
    files::read_regular(path, LARGEST).map_err(|error| wrong(path, &error))
}

fn wrong(path: &Path, error: &io::Error) -> (String, String) {
    let display = path.display();
    let remedy = "name a file relative to the scenario's folder".to_owned();
    match error.kind() {
        io::ErrorKind::NotFound => (format!("there is no file {display}"), remedy),
        io::ErrorKind::IsADirectory => (format!("{display} is not a file"), remedy),
        io::ErrorKind::InvalidInput => {
            (format!("{display} cannot be read: {}", describe_io(error)), remedy)
        }
        io::ErrorKind::FileTooLarge => {
            let problem = "files of that size do not fit into memory".to_owned();
            (problem, format!("name a file of at most {} MiB", LARGEST.0 >> 20))
        }
        _ => (
            format!("{display} cannot be read: {}", describe_io(error)),
            "make the file readable".to_owned(),
        ),
    }
}
