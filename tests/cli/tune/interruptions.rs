//! Sessions that a signal ends, and how they go on.

use super::bench::{AS_IT_IS, LARGER, SLOW, TWO, TuneBench, assert_exit, wait_until};
use crate::bench::signal;

/// Interrupts the second attempt of a session once a machine shows a state in it, and resumes it.
fn interrupt_in(state: &str) {
    let bench = TuneBench::new(SLOW, TWO, &(LARGER.to_owned() + AS_IT_IS));
    let before = bench.machines();
    let mut child = bench.start(&["--allow-downtime"]);
    wait_until("the second attempt", || bench.stderr().contains("Attempt 2 of 2"));
    wait_until(state, || bench.shows(state));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(3), "{}", bench.stderr());
    assert_eq!(bench.machines(), before, "{}", bench.stderr());
    let record = bench.record();
    assert_eq!(record["ending"]["ended"], "interrupted");
    let problems = |record: &serde_json::Value| {
        let attempts = record["attempts"].as_array().unwrap();
        attempts.iter().map(|one| one["problem"].as_str().is_some()).collect::<Vec<_>>()
    };
    assert_eq!(problems(&record), [false, true]);
    assert!(bench.stderr().contains("--resume"), "{}", bench.stderr());
    assert!(!bench.session_folder().join("restore.json").exists());
    let resumed = bench.run(&["--allow-downtime", "--resume", "latest"]);
    assert_exit(&resumed, 0);
    let record = bench.record();
    assert_eq!(problems(&record), [false, true, false]);
    assert_eq!(record["ending"]["ended"], "complete");
    assert_eq!(bench.machines(), before);
}

#[test]
fn an_interrupted_session_restores_the_app_while_a_machine_stops_and_goes_on_later() {
    interrupt_in("stopping");
}

#[test]
fn an_interrupted_session_restores_the_app_while_a_machine_is_replaced() {
    interrupt_in("replacing");
}

#[test]
fn a_signal_during_the_restore_does_not_stop_it() {
    let bench = TuneBench::new(SLOW, TWO, LARGER);
    let before = bench.machines();
    let mut child = bench.start(&["--allow-downtime"]);
    wait_until("the restore", || bench.stderr().contains("Restoring the machines"));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(0), "{}", bench.stderr());
    assert_eq!(bench.machines(), before, "{}", bench.stderr());
    assert!(!bench.session_folder().join("restore.json").exists());
}
