//! Sessions that a signal ends, and how they go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::bench::{AS_IT_IS, FAST, LARGER, ONE, SLOW, TWO, TuneBench, assert_exit, wait_until};
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

#[test]
fn an_interrupted_wait_for_a_boot_ends_at_once_and_the_session_goes_on_later() {
    let (boots, is_waited_for) =
        (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let (booting, waited_for) = (Arc::clone(&boots), Arc::clone(&is_waited_for));
    let mut bench = TuneBench::new(FAST, ONE, LARGER);
    // This boot does not end before the test lets it.
    let _relay = bench.relay(move |request| {
        while request.path == "/app" && booting.load(Ordering::SeqCst) {
            waited_for.store(true, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    });
    let before = bench.machines();
    let mut child = bench.start(&["--allow-downtime"]);
    wait_until("the first request", || is_waited_for.load(Ordering::SeqCst));
    signal(&child, "INT");
    wait_until("the end", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(3), "{}", bench.stderr());
    assert_eq!(bench.machines(), before, "{}", bench.stderr());
    assert!(!bench.session_folder().join("restore.json").exists());
    assert_eq!(bench.record()["ending"]["ended"], "interrupted");
    boots.store(false, Ordering::SeqCst);
    assert_exit(&bench.run(&["--allow-downtime", "--resume", "latest"]), 0);
    assert_eq!(bench.record()["ending"]["ended"], "complete");
    assert_eq!(bench.machines(), before);
}
