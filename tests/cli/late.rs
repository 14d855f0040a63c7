//! A prober that is stopped while it measures: delays that it causes itself never count against the
//! target.

use std::process::Stdio;
use std::time::Duration;

use tollgate::record::{Decision, RunRecord};

use crate::bench::{Bench, PLAIN, Target, signal, wait_for_intervals};

/// How long the prober is stopped.
const STOPPED: Duration = Duration::from_millis(300);

/// How much of a stop goes unseen: until the next timer is due, and the rounding of a histogram.
const UNSEEN: Duration = Duration::from_millis(12);

/// Runs a scenario, and stops the prober once it has measured for a second. Returns the exit code
/// and the record.
fn run_stopped(bench: &Bench) -> (Option<i32>, RunRecord) {
    let mut prober = bench.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The first interval is that of the warm-up.
    wait_for_intervals(bench, 2);
    signal(&prober, "STOP");
    // Only a stopped process is late by a known time.
    std::thread::sleep(STOPPED);
    signal(&prober, "CONT");
    (prober.wait().unwrap().code(), bench.record())
}

/// The reason of the only budget, which must be inconclusive because of the prober.
fn reason_of_the_void(bench: &Bench) -> String {
    let (exit, record) = run_stopped(bench);
    let verdict = &record.verdict.scenarios[0].budgets[0];
    assert_eq!(
        (exit, verdict.decision),
        (Some(3), Decision::Inconclusive),
        "{}",
        verdict.reason.what
    );
    assert!(record.measurement.prober.hiccups.max().unwrap() + UNSEEN >= STOPPED);
    verdict.reason.what.clone()
}

#[test]
fn late_sends_of_a_stopped_prober_void_the_verdict_and_the_lag_is_named() {
    let target = Target::start(&[]);
    let load = "[[request]]\nname = \"plain\"\npath = \"/plain\"\n\
                [gate]\nstalls = \"20ms\"\n\
                [load]\narrival_rate = \"100/s\"\nduration = \"3s\"\nconnections = 40\n\
                [warmup]\nconnections = 40\nrequests = 40\n";
    let bench = Bench::new(&target.base_url, "budgets = [\"p95 < 100ms\"]", load);
    let reason = reason_of_the_void(&bench);
    assert!(reason.contains("but the prober was late: lag p99"), "{reason}");
    assert!(reason.contains("it stalled for up to"), "{reason}");
    assert!(reason.ends_with("without these delays the budget would hold"), "{reason}");
}

#[test]
fn answers_during_a_stop_of_the_prober_do_not_count_against_the_target() {
    // An answer takes less time than the stop, so every exchange in progress is answered while the
    // prober is stopped.
    let target = Target::start(&["--mock-latency", "constant:200ms"]);
    let load = "[[request]]\nname = \"tile\"\npath = \"/app?mock=1\"\n\
                [load]\nconnections = 4\nduration = \"3s\"\n[warmup]\nconnections = 4\nrequests = 4\n";
    let bench = Bench::new(&target.base_url, "budgets = [\"max < 280ms\"]", load);
    let reason = reason_of_the_void(&bench);
    assert!(reason.contains("it stalled for up to "), "{reason}");
    assert!(reason.ends_with("without these delays the budget would hold"), "{reason}");
}

#[test]
fn without_spinning_no_time_is_spun_and_hiccups_are_still_recorded() {
    let target = Target::start(&[]);
    for (flags, spins) in [(&["--no-spin"][..], false), (&[], cfg!(target_os = "linux"))] {
        let bench = Bench::new(&target.base_url, "budgets = [\"errors = 0\"]", PLAIN);
        assert_eq!(bench.command().args(flags).output().unwrap().status.code(), Some(0));
        let prober = bench.record().measurement.prober;
        assert_eq!(!prober.spun.is_zero(), spins, "{flags:?}: {:?}", prober.spun);
        assert!(prober.hiccups.count() > 0);
    }
}
