//! A prober that is stopped while it measures: what it makes late itself is never the target's
//! fault.

use std::process::Stdio;
use std::time::Duration;

use tollgate::record::{Decision, RunRecord};

use crate::bench::{Bench, PLAIN, Target, signal, wait_for_intervals};

/// How long the prober is stopped.
const STOPPED: Duration = Duration::from_millis(300);

/// Carries out a scenario with the prober stopped once it has measured for a second; the exit code
/// and the record.
fn run_stopped(bench: &Bench) -> (Option<i32>, RunRecord) {
    let mut prober = bench.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The first is the warm-up's.
    wait_for_intervals(bench, 2);
    signal(&prober, "STOP");
    // The stop itself: nothing else makes a process late on purpose.
    std::thread::sleep(STOPPED);
    signal(&prober, "CONT");
    (prober.wait().unwrap().code(), bench.record())
}

/// The reason of the only budget, which must be undecided because of the prober.
fn reason_of_the_void(bench: &Bench) -> String {
    let (exit, record) = run_stopped(bench);
    let verdict = &record.verdict.scenarios[0].budgets[0];
    assert_eq!(
        (exit, verdict.decision),
        (Some(3), Decision::Inconclusive),
        "{}",
        verdict.reason.what
    );
    assert!(record.measurement.prober.hiccups.max().unwrap() + Duration::from_millis(2) >= STOPPED);
    verdict.reason.what.clone()
}

#[test]
fn what_a_stopped_prober_sends_late_voids_the_verdict_and_the_lag_is_named() {
    let target = Target::start(&[]);
    let load = "[[request]]\nname = \"plain\"\npath = \"/plain\"\n\
                [load]\narrival_rate = \"100/s\"\nduration = \"3s\"\nconnections = 40\n\
                [warmup]\nconnections = 40\nrequests = 40\n";
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 100ms\"]", load);
    let reason = reason_of_the_void(&bench);
    assert!(reason.contains("but the prober was late: lag p99"), "{reason}");
    assert!(reason.contains("it stalled for up to"), "{reason}");
    assert!(reason.ends_with("without these delays the budget would hold"), "{reason}");
}

#[test]
fn answers_that_came_while_the_prober_was_stopped_are_not_held_against_the_target() {
    // An answer takes less time than the stop, so that whatever is under way is answered while
    // nobody looks.
    let target = Target::start(&["--mock-latency", "constant:200ms"]);
    let load = "[[request]]\nname = \"tile\"\npath = \"/app?mock=1\"\n\
                [load]\nconnections = 4\nduration = \"3s\"\n[warmup]\nconnections = 4\nrequests = 4\n";
    let bench = Bench::new(&target.base_url, "budgets = [\"max < 280ms\"]", load);
    let reason = reason_of_the_void(&bench);
    assert!(reason.contains("it stalled for up to 3"), "{reason}");
    assert!(reason.ends_with("without these delays the budget would hold"), "{reason}");
}

#[test]
fn without_spinning_nothing_is_spun_and_hiccups_are_recorded_all_the_same() {
    let target = Target::start(&[]);
    for (flags, spins) in [(&["--no-spin"][..], false), (&[], cfg!(target_os = "linux"))] {
        let bench = Bench::new(&target.base_url, "budgets = [\"errors = 0\"]", PLAIN);
        assert_eq!(bench.command().args(flags).output().unwrap().status.code(), Some(0));
        let prober = bench.record().measurement.prober;
        assert_eq!(!prober.spun.is_zero(), spins, "{flags:?}: {:?}", prober.spun);
        assert!(prober.hiccups.count() > 0);
    }
}
