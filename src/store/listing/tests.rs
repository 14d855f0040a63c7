use std::path::Path;

use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::record::{DimensionHistograms, RunRecord, RunSummary, ShardRecord, ShardSharing};
use crate::store::complete_folder;

fn sample() -> RunRecord {
    serde_json::from_str(include_str!("../../../reports/sample/run.json")).unwrap()
}

fn keep(runs: &Path, name: &str, record: &RunRecord) {
    let folder = runs.join(name);
    fs::create_dir(&folder).unwrap();
    complete_folder(&folder, record).unwrap();
}

fn listed(runs: &Path) -> (Vec<RunSummary>, Vec<StoreError>) {
    let (mut runs_found, mut others) = (Vec::new(), Vec::new());
    for run in read_summaries(runs, SummaryDetail::WithFigures).unwrap() {
        match run {
            Ok(run) => runs_found.push(run),
            Err(error) => others.push(error),
        }
    }
    (runs_found, others)
}

#[test]
fn a_summary_read_in_part_equals_that_of_the_whole_record() {
    let runs = tempfile::tempdir().unwrap();
    let mut record = sample();
    record.provenance.git_commit = Some("3bb6c035\u{e9}\"\n".to_owned());
    record.provenance.tags = [("environment".to_owned(), "st\u{e4}ging \"1\"".to_owned())].into();
    record.measurement.scenarios[1].requests[0].measured.series = DimensionHistograms::default();
    let mut hop = record.plan[0].requests[0].clone();
    (hop.name, hop.hop_of) = ("hop 1".to_owned(), Some(hop.name));
    let mut measured = record.measurement.scenarios[0].requests[0].clone();
    measured.name = "hop 1".to_owned();
    record.plan[0].requests.push(hop);
    record.measurement.scenarios[0].requests.push(measured);
    record.verdict.scenarios.pop();
    keep(runs.path(), "a", &record);
    let (listed, _) = listed(runs.path());
    let written = fs::read(runs.path().join("a/run.json")).unwrap();
    let whole: RunRecord = serde_json::from_slice(&written).unwrap();
    assert_eq!(listed, [RunSummary::of(&whole)]);
    assert_eq!(listed[0].requests.len(), 2);
    let mut plain = RunSummary::of(&whole);
    plain.requests.iter_mut().for_each(|request| request.figures = None);
    let read = read_summaries(runs.path(), SummaryDetail::Listed).unwrap().next();
    assert_eq!(read.unwrap().unwrap(), plain);
}

#[test]
fn a_summary_of_an_imported_run_has_its_budgets_and_caveats() {
    let runs = tempfile::tempdir().unwrap();
    let mut record = sample();
    keep(runs.path(), "a", &record);
    record.provenance.tags.insert("imported".to_owned(), "hlog".to_owned());
    record.plan[0].caveats = vec!["it is \u{e9} \"quoted\" text".to_owned()];
    record.id = Uuid::from_u128(7);
    keep(runs.path(), "b", &record);
    let (listed, _) = listed(runs.path());
    let imported = listed.iter().find(|run| run.id == record.id).unwrap();
    assert_eq!(*imported, RunSummary::of(&record));
    let facts = imported.requests[0].imported.as_ref().unwrap();
    assert_eq!(facts.caveats, record.plan[0].caveats);
    assert!(!facts.budgets.is_empty());
    let other = listed.iter().find(|run| run.id != record.id).unwrap();
    assert!(other.requests.iter().all(|request| request.imported.is_none()));
}

#[test]
fn a_merged_run_names_its_parts_and_a_shard_does_not_name_itself() {
    let runs = tempfile::tempdir().unwrap();
    let mut record = sample();
    let part = |run| ShardRecord { shard: 1, run, host: "h".to_owned(), clock: None };
    let parts = vec![part(record.id), part(Uuid::from_u128(7))];
    record.measurement.sharing = Some(ShardSharing {
        of: 2,
        start: datetime!(2026-11-23 18:00 UTC),
        parts,
        lost: Vec::new(),
    });
    keep(runs.path(), "a", &record);
    let (listed, _) = listed(runs.path());
    assert_eq!(listed[0].parts, [Uuid::from_u128(7)]);
    assert_eq!(listed[0], RunSummary::of(&record));
}

#[test]
fn the_newest_run_comes_last_regardless_of_its_folders_name() {
    let runs = tempfile::tempdir().unwrap();
    for (name, started) in [
        ("c", datetime!(2026-11-23 18:00 UTC)),
        ("a", datetime!(2026-11-25 19:00 +2)),
        ("b", datetime!(2026-11-24 18:00 UTC)),
    ] {
        let mut record = sample();
        record.provenance.started = started;
        keep(runs.path(), name, &record);
    }
    let days: Vec<u8> = listed(runs.path()).0.iter().map(|run| run.started.day()).collect();
    assert_eq!(days, [23, 24, 25]);
}

#[test]
fn a_folder_without_a_finished_run_is_reported_and_skipped() {
    let runs = tempfile::tempdir().unwrap();
    keep(runs.path(), "good", &sample());
    let put = |name: &str, file: &str, text: &[u8]| {
        fs::create_dir(runs.path().join(name)).unwrap();
        fs::write(runs.path().join(name).join(file), text).unwrap();
    };
    let whole = serde_json::to_vec(&sample()).unwrap();
    put("cut", "run.json", &whole[..whole.len() / 2]);
    put("going on", "run.partial.json", b"{}");
    put("later", "run.json", b"{\"format\": 9999, \"other\": []}");
    put("foreign", "notes.txt", b"");
    put("binary", "run.json", &[0xff; 300]);
    put(".import-x", "run.partial.json", b"{}");
    fs::write(runs.path().join("a file"), "").unwrap();
    let (good, others) = listed(runs.path());
    assert_eq!(good, [RunSummary::of(&sample())]);
    let count = |of: fn(&StoreError) -> bool| others.iter().filter(|error| of(error)).count();
    assert_eq!(count(|error| matches!(error, StoreError::Damaged { .. })), 2);
    assert_eq!(count(|error| matches!(error, StoreError::Unfinished { .. })), 1);
    assert_eq!(count(|error| matches!(error, StoreError::Newer { found: 9999, .. })), 1);
    assert_eq!(count(|error| matches!(error, StoreError::NoRun { .. })), 1);
    assert_eq!(others.len(), 5);
}

#[test]
fn a_missing_folder_holds_no_runs_and_a_file_is_an_error() {
    let runs = tempfile::tempdir().unwrap();
    assert_eq!(
        read_summaries(&runs.path().join("nothing"), SummaryDetail::Listed).unwrap().count(),
        0
    );
    fs::write(runs.path().join("file"), "").unwrap();
    assert!(read_summaries(&runs.path().join("file"), SummaryDetail::Listed).is_err());
}
