//! Records that anyone may have written: a small file must not stand for much memory or time.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use tollgate::record::{Histogram, RunRecord};

use crate::bench::{text, through_shell, tollgate, words};

/// Address space that a command may take, in KiB. A program without reports takes a quarter.
const MEMORY_KIB: u32 = 800 * 1024;

/// The processor time that a command may take, in seconds, unoptimized and on a busy machine.
const CPU_S: u32 = 60;

fn template(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Runs a command with little memory and processor time.
fn bounded(arguments: &[&str], path: &Path) -> Output {
    let limits = format!("ulimit -v {MEMORY_KIB}; ulimit -t {CPU_S}; exec \"$@\"");
    through_shell(&limits, tollgate().args(arguments).arg(path)).output().unwrap()
}

/// A list with further elements like its first one, named differently.
fn lengthen(list: &mut Value, length: usize) {
    let first = list[0].clone();
    let copies = (0..length).map(|at| {
        let mut copy = first.clone();
        copy["name"] = json!(format!("{at}"));
        copy
    });
    *list = Value::Array(copies.collect());
}

/// A histogram with a value in every page of buckets. Nothing takes more memory for its size: the
/// values are equally many buckets apart.
fn wide_histogram() -> Value {
    let mut histogram = Histogram::default();
    let values = (0..=20).flat_map(|doublings| (16..32_u64).map(move |at| (64 * at) << doublings));
    values.for_each(|value| histogram.record(Duration::from_micros(value)));
    serde_json::to_value(&histogram).unwrap()
}

fn widen(value: &mut Value, wide: &Value) {
    match value {
        Value::Object(fields) if fields.contains_key("hdr") => *value = wide.clone(),
        Value::Object(fields) => fields.values_mut().for_each(|field| widen(field, wide)),
        Value::Array(list) => list.iter_mut().for_each(|element| widen(element, wide)),
        _ => {}
    }
}

/// The words of commands on a record that they cannot read in bounded memory.
fn refusals(record: &Value) -> [String; 3] {
    let runs = tempfile::tempdir().unwrap();
    let folder = runs.path().join("2026-11-23T18-47-06Z-3bb6c035");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("run.json"), serde_json::to_vec(record).unwrap()).unwrap();
    fs::write(folder.join("intervals.jsonl"), "").unwrap();
    fs::write(folder.join("intervals.hlog"), "").unwrap();
    let site = runs.path().join("site");
    let report = ["report", "--since", "3650d", "--out", site.to_str().unwrap(), "--runs-dir"];
    let shown = bounded(&["show"], &folder);
    assert_eq!(shown.status.code(), Some(2), "{}", text(&shown.stderr));
    let listed = bounded(&["history", "--runs-dir"], runs.path());
    let made = bounded(&report, runs.path());
    [shown, listed, made].map(|output| {
        assert!(output.status.code().is_some(), "{output:?}");
        words(&output.stderr)
    })
}

#[test]
fn a_record_with_more_requests_than_a_run_has_is_refused() {
    let mut record = template("tests/cli/run-template.json");
    lengthen(&mut record["plan"][0]["requests"], 2 * RunRecord::MOST_REQUESTS);
    for refusal in refusals(&record) {
        assert!(refusal.contains("a run has at most 4000 requests, with redirects"), "{refusal}");
    }
}

#[test]
fn a_record_whose_histograms_fill_the_memory_is_refused_by_lists_too() {
    let mut record = template("tests/cli/run-template.json");
    widen(&mut record, &wide_histogram());
    lengthen(&mut record["measurement"]["scenarios"][0]["requests"], 60);
    assert!(record.to_string().len() < 512 << 10);
    for refusal in refusals(&record) {
        assert!(refusal.contains("too much memory from line 1, column"), "{refusal}");
    }
}

#[test]
fn a_session_with_more_configurations_than_a_session_has_is_refused() {
    let mut session = template("tests/support/session.json");
    lengthen(&mut session["plan"]["configurations"], 60_000);
    let sessions = tempfile::tempdir().unwrap();
    let folder = sessions.path().join("2026-11-29T04-00-00Z-21ee1ce8");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("session.json"), session.to_string()).unwrap();
    let shown = bounded(&["tune", "show"], &folder);
    assert_eq!(shown.status.code(), Some(2), "{}", text(&shown.stderr));
    let refusal = words(&shown.stderr);
    assert!(refusal.contains("60000 configurations; a session has at most 2000"), "{refusal}");
}
