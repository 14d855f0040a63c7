use std::collections::BTreeMap;

use super::*;
use crate::import::ImportedArtifact;

const ARTIFACT: &[u8] =
    br#"{"timestamp": "2025-10-10T02:56:35.069Z", "target": "https://shop.example/app?mock=1",
    "budgetMs": 300, "durationMs": 242.98, "status": 200, "ok": true, "error": null}"#;

/// A run of three seconds. A run imported from an artifact has only one.
fn run() -> (RunRecord, Vec<Interval>) {
    let (record, second) = ImportedArtifact::read(ARTIFACT).unwrap().run();
    (record, vec![second; 3])
}

fn import(root: &Path) -> ImportedRun {
    let (record, intervals) = run();
    ImportWriter::open(root).unwrap().write(&record, intervals.into_iter()).unwrap()
}

/// Everything in a folder by relative path, with the content of files.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut all = BTreeMap::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = PathBuf::from(path.file_name().unwrap());
        if path.is_dir() {
            all.extend(
                contents(&path).into_iter().map(|(below, content)| (name.join(below), content)),
            );
            all.insert(name, None);
        } else {
            all.insert(name, Some(std::fs::read(path).unwrap()));
        }
    }
    all
}

/// Restores the content of a folder.
fn restore(folder: &Path, contents: &BTreeMap<PathBuf, Option<Vec<u8>>>) {
    for (path, content) in contents {
        match content {
            None => std::fs::create_dir_all(folder.join(path)).unwrap(),
            Some(bytes) => std::fs::write(folder.join(path), bytes).unwrap(),
        }
    }
}

/// The content of the disk each time the import takes an interval, and at the end.
fn contents_while_importing(root: &Path) -> Vec<BTreeMap<PathBuf, Option<Vec<u8>>>> {
    let (record, intervals) = run();
    let mut snapshots = Vec::new();
    let watched = intervals.into_iter().inspect(|_| snapshots.push(contents(root)));
    ImportWriter::open(root).unwrap().write(&record, watched).unwrap();
    snapshots.push(contents(root));
    snapshots
}

#[test]
fn an_interrupted_import_leaves_no_run_and_the_next_import_completes_it() {
    let runs = tempfile::tempdir().unwrap();
    let mut snapshots = contents_while_importing(runs.path());
    let whole = snapshots.pop().unwrap();
    assert_eq!(whole.len(), 4, "{whole:?}");
    assert_eq!(snapshots.len(), 3);
    for left in snapshots {
        assert!(left.keys().any(|path| path.ends_with(PARTIAL)), "{:?}", left.keys());
        let cut = tempfile::tempdir().unwrap();
        restore(cut.path(), &left);
        assert_eq!(store::run_folders(cut.path()).unwrap(), [] as [PathBuf; 0]);
        assert_eq!(
            store::read_summaries(cut.path(), store::SummaryDetail::Listed).unwrap().count(),
            0
        );
        assert!(import(cut.path()).is_new);
        assert_eq!(contents(cut.path()), whole);
        assert!(!import(cut.path()).is_new);
    }
}

#[test]
fn an_import_that_fails_leaves_nothing() {
    let runs = tempfile::tempdir().unwrap();
    let (record, intervals) = run();
    let failing = intervals.into_iter().enumerate().map(|(at, interval)| {
        assert!(at < 2, "the file ends");
        interval
    });
    let writer = ImportWriter::open(runs.path()).unwrap();
    let written =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| writer.write(&record, failing)));
    assert!(written.is_err());
    assert_eq!(contents(runs.path()), BTreeMap::new());
}

#[test]
fn an_incomplete_folder_gets_the_run_and_keeps_its_other_files() {
    let (runs, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = import(runs.path()).folder;
    let before = contents(runs.path());
    let mut record = run().0;
    record.measurement.ending = RunEnding::Recovered;
    store::complete_folder(&folder, &record).unwrap();
    std::fs::write(folder.join("notes"), "mine").unwrap();
    assert!(import(runs.path()).is_new);
    assert_eq!(std::fs::read(folder.join("notes")).unwrap(), b"mine");
    std::fs::remove_file(folder.join("notes")).unwrap();
    assert_eq!(contents(runs.path()), before);
    record.id = uuid::Uuid::from_u128(1);
    RunFolder::create(other.path(), &draft(&record)).unwrap();
    let named = other.path().join(folder.file_name().unwrap());
    std::fs::rename(RunFolder::path_of(other.path(), &draft(&record)), named).unwrap();
    let (record, intervals) = run();
    let written = ImportWriter::open(other.path()).unwrap().write(&record, intervals.into_iter());
    assert!(written.err().unwrap().to_string().contains("contains another run"));
}
