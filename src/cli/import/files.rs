//! The files that are named, checked together.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::super::exit::Problem;
use crate::import::Mistake;

/// The most mistakes that are told.
const TOLD: usize = 50;

/// The files named, and of a folder those in it with this ending, by name; folders in it are left alone.
pub(super) fn named(paths: &[PathBuf], ending: &str) -> Result<Vec<PathBuf>, Problem> {
    let (mut files, mut mistakes) = (Vec::new(), Vec::new());
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        match inside(path, ending) {
            Ok(found) if found.is_empty() => {
                mistakes
                    .push(format!("{}: is a folder without a *.{ending} in it", path.display()));
            }
            Ok(found) => files.extend(found),
            Err(error) => mistakes.push(format!("{}: cannot be read: {error}", path.display())),
        }
    }
    if mistakes.is_empty() { Ok(files) } else { Err(refused(&mistakes)) }
}

fn inside(folder: &Path, ending: &str) -> std::io::Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|found| found == ending) && path.is_file());
    paths.sort();
    Ok(paths)
}

/// What each file holds, or all that is wrong with any of them.
pub(super) fn checked<T>(
    files: Vec<PathBuf>,
    most_bytes: u64,
    check: impl Fn(&[u8]) -> Result<T, Vec<Mistake>>,
) -> Result<Vec<(PathBuf, T)>, Problem> {
    let (mut sound, mut mistakes) = (Vec::new(), Vec::new());
    for file in files {
        let checked = read(&file, most_bytes).map_err(|why| vec![why]).and_then(|bytes| {
            let place = |mistake: Mistake| format!("{}:{mistake}", file.display());
            check(&bytes).map_err(|mistakes| mistakes.into_iter().map(place).collect())
        });
        match checked {
            Ok(content) => sound.push((file, content)),
            Err(of_file) => mistakes.extend(of_file),
        }
    }
    if mistakes.is_empty() { Ok(sound) } else { Err(refused(&mistakes)) }
}

/// A file's bytes. What is no file is not opened: reading a pipe might never end.
pub(super) fn read(path: &Path, most_bytes: u64) -> Result<Vec<u8>, String> {
    let told = |why: &dyn std::fmt::Display| format!("{}: cannot be read: {why}", path.display());
    let metadata = path.metadata().map_err(|error| told(&error))?;
    if !metadata.is_file() {
        return Err(told(&"it is no file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| told(&error))?;
    file.take(most_bytes + 1).read_to_end(&mut bytes).map_err(|error| told(&error))?;
    if bytes.len() as u64 > most_bytes {
        return Err(told(&format!("it is larger than {}", crate::units::ByteSize(most_bytes))));
    }
    Ok(bytes)
}

fn refused(mistakes: &[String]) -> Problem {
    let mut lines = mistakes.iter().take(TOLD).cloned().collect::<Vec<_>>();
    lines.extend((mistakes.len() > TOLD).then(|| format!("and {} more", mistakes.len() - TOLD)));
    lines.push("Nothing was imported.".to_owned());
    Problem::usage(lines.join("\n"))
}
