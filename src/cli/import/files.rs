//! Finds and checks the files of an import, all together.

use std::path::{Path, PathBuf};

use super::super::exit::CommandError;
use crate::files;
use crate::import::ImportError;
use crate::library_text::describe_io;
use crate::units::ByteSize;

/// Maximum number of mistakes reported.
const MAX_MISTAKES: usize = 50;

/// A file to import.
pub(in crate::cli) struct ListedFile {
    path: PathBuf,
    /// Whether it was found in a folder, which may also hold files of other programs.
    is_found: bool,
}

/// The files of an import.
pub(in crate::cli) struct FileList {
    files: Vec<ListedFile>,
    /// How many files of the folders have another ending.
    pub(in crate::cli) of_other_endings: u64,
}

/// A file that is left out.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct LeftOutFile {
    pub(in crate::cli) path: PathBuf,
    /// The file's name and why it is not imported.
    pub(in crate::cli) why: String,
}

/// The content of each imported file, and the files that are left out.
pub(in crate::cli) type CheckedFiles<T> = (Vec<(PathBuf, T)>, Vec<LeftOutFile>);

/// The named files. Replaces a folder by its files with this extension, sorted, without subfolders.
pub(in crate::cli) fn list(paths: &[PathBuf], extension: &str) -> Result<FileList, CommandError> {
    let mut list = FileList { files: Vec::new(), of_other_endings: 0 };
    let mut mistakes = Vec::new();
    for path in paths {
        if !path.is_dir() {
            list.files.push(ListedFile { path: path.clone(), is_found: false });
            continue;
        }
        match files_in(path, extension) {
            Ok((found, _)) if found.is_empty() => {
                mistakes
                    .push(format!("{}: the folder contains no *.{extension} file", path.display()));
            }
            Ok((found, others)) => {
                let found = found.into_iter().map(|path| ListedFile { path, is_found: true });
                list.files.extend(found);
                list.of_other_endings += others;
            }
            Err(error) => mistakes.push(format!(
                "{}: cannot be read: {}",
                path.display(),
                describe_io(&error)
            )),
        }
    }
    if mistakes.is_empty() { Ok(list) } else { Err(usage_error(&mistakes)) }
}

/// The entries with this extension, sorted, and how many files have another one. It does not check
/// whether an entry can be read: the caller reads it and reports a pipe or a broken link.
fn files_in(folder: &Path, extension: &str) -> std::io::Result<(Vec<PathBuf>, u64)> {
    let paths = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let paths = paths.collect::<Result<Vec<_>, _>>()?;
    let (mut named, others): (Vec<_>, Vec<_>) = paths
        .into_iter()
        .partition(|path| path.extension().is_some_and(|found| found == extension));
    named.sort();
    Ok((named, others.iter().filter(|path| path.is_file()).count() as u64))
}

/// Parses each file. Returns either all contents or the mistakes of all files.
pub(in crate::cli) fn check_all<T>(
    list: FileList,
    max_bytes: u64,
    check: impl Fn(&[u8]) -> Result<T, Vec<ImportError>>,
) -> Result<Vec<(PathBuf, T)>, CommandError> {
    let (contents, wrong) = parse_all(list, max_bytes, check);
    let mistakes: Vec<_> = wrong.into_iter().flat_map(|(_, mistakes)| mistakes).collect();
    if mistakes.is_empty() { Ok(contents) } else { Err(usage_error(&mistakes)) }
}

/// Parses each file, and leaves out what it finds in folders and cannot import. A mistake in a file
/// that was named, or a list without any file to import, is an error with all mistakes.
pub(in crate::cli) fn check_matching<T>(
    list: FileList,
    max_bytes: u64,
    check: impl Fn(&[u8]) -> Result<T, Vec<ImportError>>,
) -> Result<CheckedFiles<T>, CommandError> {
    let (contents, wrong) = parse_all(list, max_bytes, check);
    let is_wrong = contents.is_empty() || wrong.iter().any(|(file, _)| !file.is_found);
    if is_wrong {
        let of_named = wrong.iter().filter(|(file, _)| contents.is_empty() || !file.is_found);
        let mistakes: Vec<_> = of_named.flat_map(|(_, mistakes)| mistakes.clone()).collect();
        return Err(usage_error(&mistakes));
    }
    // One reason is enough for a file that belongs to another program.
    let left_out = wrong.into_iter().map(|(file, mistakes)| LeftOutFile {
        path: file.path,
        why: mistakes.into_iter().next().unwrap_or_default(),
    });
    Ok((contents, left_out.collect()))
}

/// The contents of the files, and the mistakes of those that cannot be parsed.
#[expect(clippy::type_complexity, reason = "the callers destructure it at once")]
fn parse_all<T>(
    list: FileList,
    max_bytes: u64,
    check: impl Fn(&[u8]) -> Result<T, Vec<ImportError>>,
) -> (Vec<(PathBuf, T)>, Vec<(ListedFile, Vec<String>)>) {
    let (mut contents, mut wrong) = (Vec::new(), Vec::new());
    for file in list.files {
        let checked = read(&file.path, max_bytes).map_err(|why| vec![why]).and_then(|bytes| {
            let located = |mistake: ImportError| format!("{}:{mistake}", file.path.display());
            check(&bytes).map_err(|mistakes| mistakes.into_iter().map(located).collect())
        });
        match checked {
            Ok(content) => contents.push((file.path, content)),
            Err(mistakes) => wrong.push((file, mistakes)),
        }
    }
    (contents, wrong)
}

/// A file's bytes. Refuses anything that is not a regular file: reading a pipe might never end.
pub(in crate::cli) fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>, String> {
    files::read_regular(path, ByteSize(max_bytes))
        .map_err(|why| format!("{}: cannot be read: {why}", path.display()))
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
