//! `tollgate tune --demo`, at a faster pace than a user's.

use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use super::bench::{assert_exit, files_below, wait_until};
use crate::bench::{signal, text, tollgate, words};

/// The simulated metrics' distance. The whole simulation is faster by as much.
const PACE: [&str; 2] = ["--metric-interval", "80ms"];

#[test]
fn the_demo_is_a_whole_session_with_its_report_and_its_evidence() {
    let folder = TempDir::new().unwrap();
    let mut command = tollgate();
    command.args(["tune", "--demo", "--rounds", "1", "--evidence", "log.md"]).args(PACE);
    let output = command.current_dir(&folder).output().unwrap();
    assert_exit(&output, 0);
    let printed = words(&output.stdout);
    for words in ["3 of 3 attempts, complete", "as it is", "2 GB", "two CPUs", "session.html"] {
        assert!(printed.contains(words), "{words} is not in {printed}");
    }
    let log = std::fs::read_to_string(folder.path().join("log.md")).unwrap();
    assert_eq!(log.matches("- Outcome: completed").count(), 3, "{log}");
    let files = files_below(&folder.path().join("reports/sessions"));
    let file = |name: &str| files.iter().find(|file| file.ends_with(name)).unwrap();
    let record: Value =
        serde_json::from_slice(&std::fs::read(file("session.json")).unwrap()).unwrap();
    for attempt in record["attempts"].as_array().unwrap() {
        assert_eq!((&attempt["problem"], &attempt["start"]), (&Value::Null, &"booted".into()));
        assert_eq!(attempt["quota"]["known"], "known", "{}", attempt["quota"]);
    }
    assert!(std::fs::read_to_string(file("session.html")).unwrap().contains("two CPUs"));
}

#[test]
fn an_interrupted_demo_ends_with_its_app_and_offers_no_resume() {
    let folder = TempDir::new().unwrap();
    let stderr = folder.path().join("stderr");
    let said = || text(&std::fs::read(&stderr).unwrap_or_default());
    let mut command = tollgate();
    command.args(["tune", "--demo"]).args(PACE).current_dir(&folder).stdout(Stdio::null());
    let mut child = command.stderr(std::fs::File::create(&stderr).unwrap()).spawn().unwrap();
    wait_until("the first attempt", || said().contains("Attempt 1 of 9"));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(3), "{}", said());
    assert!(
        said().contains("Restoring the machines") && !said().contains("--resume"),
        "{}",
        said()
    );
}
