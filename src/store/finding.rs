//! Finds the folder of a run by any of its names.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::StoreError;
use super::listing::folders;

/// Finds the folder of a run by its path, by the path of its `run.json`, by its name below
/// `runs_dir` or a beginning of it, by the run's id, or by the id's last eight digits.
///
/// It is an error if no folder matches or if several do.
pub fn find_run(run: &Path, runs_dir: &Path) -> Result<PathBuf, StoreError> {
    let named = match run.parent().filter(|_| run.is_file()) {
        Some(here) if here.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => run,
    };
    if named.exists() {
        return Ok(named.to_owned());
    }
    let below = runs_dir.join(named);
    if !run.as_os_str().is_empty() && below.is_dir() {
        return Ok(below);
    }
    let mut found = run.to_str().map_or_else(|| Ok(Vec::new()), |name| alike(name, runs_dir))?;
    match found.len() {
        0 => Err(StoreError::Unknown { run: run.to_owned(), runs_dir: runs_dir.to_owned() }),
        1 => Ok(found.remove(0)),
        _ => Err(StoreError::Ambiguous { run: run.to_owned(), found }),
    }
}

/// The folders in a folder whose names begin with a text. If the text is an id, also those whose
/// names end with its last digits.
pub(super) fn alike(text: &str, folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let digits =
        Uuid::try_parse(text).map_or_else(|_| text.to_owned(), |id| id.simple().to_string());
    let digits = digits.to_ascii_lowercase();
    let last = digits.get(digits.len().saturating_sub(8)..).filter(|last| last.len() == 8);
    let is_id = last.is_some() && (digits.len() == 8 || digits.len() == 32);
    let ending = last.filter(|_| is_id).map(|last| format!("-{last}"));
    let goes_by = |folder: &PathBuf| {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(text) || ending.as_ref().is_some_and(|ending| name.ends_with(ending))
    };
    Ok(folders(folder)?.into_iter().filter(goes_by).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "2026-11-23T18-47-06Z-3bb6c035";
    const SECOND: &str = "2026-11-23T18-47-09Z-21ee1ce8";

    fn runs() -> tempfile::TempDir {
        let runs = tempfile::tempdir().unwrap();
        for name in [FIRST, SECOND] {
            std::fs::create_dir(runs.path().join(name)).unwrap();
            std::fs::write(runs.path().join(name).join("run.json"), "{}").unwrap();
        }
        runs
    }

    #[test]
    fn a_run_is_found_by_its_path_its_file_its_name_the_names_beginning_and_its_id() {
        let runs = runs();
        let folder = runs.path().join(SECOND);
        let (path, file) = (folder.to_str().unwrap(), folder.join("run.json"));
        let uuid = "01a20dcf-d5c5-7429-8ac9-c14321ee1ce8";
        let names = [path, file.to_str().unwrap(), SECOND, &SECOND[..20], uuid, "21EE1CE8"];
        for name in names {
            assert_eq!(find_run(Path::new(name), runs.path()).unwrap(), folder, "{name}");
        }
    }

    #[test]
    fn a_name_that_matches_no_run_or_several_is_an_error_that_says_so() {
        let runs = runs();
        let find = |name: &str| find_run(Path::new(name), runs.path()).unwrap_err().to_string();
        let both = find("2026-11-23");
        assert!(both.contains(FIRST) && both.contains(SECOND), "{both}");
        for name in ["1ee1ce8", "", "2027", "../x"] {
            let none = find(name);
            assert!(none.contains("no run") && none.contains("tollgate history"), "{none}");
        }
    }
}
