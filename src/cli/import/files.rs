//! Finds and checks the files of an import, all together.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::super::exit::CommandError;
use crate::import::ImportError;
use crate::library_text::describe_io;

/// Maximum number of mistakes reported.
const MAX_MISTAKES: usize = 50;

/// The named files. Replaces a folder by its files with this extension, sorted, without subfolders.
pub(super) fn list(paths: &[PathBuf], extension: &str) -> Result<Vec<PathBuf>, CommandError> {
    let (mut files, mut mistakes) = (Vec::new(), Vec::new());
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        match files_in(path, extension) {
            Ok(found) if found.is_empty() => {
                mistakes
                    .push(format!("{}: the folder contains no *.{extension} file", path.display()));
            }
            Ok(found) => files.extend(found),
            Err(error) => mistakes.push(format!(
                "{}: cannot be read: {}",
                path.display(),
                describe_io(&error)
            )),
        }
    }
    if mistakes.is_empty() { Ok(files) } else { Err(usage_error(&mistakes)) }
}

fn files_in(folder: &Path, extension: &str) -> std::io::Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|found| found == extension) && path.is_file());
    paths.sort();
    Ok(paths)
}

/// Parses each file. Returns either all contents or the mistakes of all files.
pub(super) fn check_all<T>(
    files: Vec<PathBuf>,
    max_bytes: u64,
    check: impl Fn(&[u8]) -> Result<T, Vec<ImportError>>,
) -> Result<Vec<(PathBuf, T)>, CommandError> {
    let (mut contents, mut mistakes) = (Vec::new(), Vec::new());
    for file in files {
        let checked = read(&file, max_bytes).map_err(|why| vec![why]).and_then(|bytes| {
            let located = |mistake: ImportError| format!("{}:{mistake}", file.display());
            check(&bytes).map_err(|mistakes| mistakes.into_iter().map(located).collect())
        });
        match checked {
            Ok(content) => contents.push((file, content)),
            Err(of_file) => mistakes.extend(of_file),
        }
    }
    if mistakes.is_empty() { Ok(contents) } else { Err(usage_error(&mistakes)) }
}

/// A file's bytes. Refuses anything that is not a regular file: reading a pipe might never end.
pub(super) fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>, String> {
    let unreadable =
        |why: &dyn std::fmt::Display| format!("{}: cannot be read: {why}", path.display());
    let metadata = path.metadata().map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(unreadable(&"it is not a regular file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > max_bytes {
        return Err(unreadable(&format!(
            "it is larger than {}",
            crate::units::ByteSize(max_bytes)
        )));
    }
    Ok(bytes)
}

fn usage_error(mistakes: &[String]) -> CommandError {
    let mut lines = mistakes.iter().take(MAX_MISTAKES).cloned().collect::<Vec<_>>();
    lines.extend(
        (mistakes.len() > MAX_MISTAKES)
            .then(|| format!("and {} more", mistakes.len() - MAX_MISTAKES)),
    );
    lines.push("Nothing was imported.".to_owned());
    CommandError::usage(lines.join("\n"))
}
