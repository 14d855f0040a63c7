//! Sessions that are killed at any step, and `tollgate tune restore` afterwards.

use std::time::Duration;

use super::bench::{LARGER, MachineLook, SLOW, TWO, TuneBench, assert_exit, wait_until};
use crate::bench::{signal, words};

/// Kills a session at a moment, restores the app, and checks that it is as before.
fn kill_when(moment: &str, comes: impl Fn(&TuneBench)) {
    let bench = TuneBench::new(SLOW, TWO, LARGER);
    let before = bench.machines();
    kill_session(&bench, &comes);
    let refused = bench.session(&["--allow-downtime"]).output().unwrap();
    assert_exit(&refused, 2);
    assert!(words(&refused.stderr).contains("`tollgate tune restore"), "{moment}");
    restores(&bench, &before);
}

/// Kills a session at a moment after its restore file was written.
fn kill_session(bench: &TuneBench, comes: &dyn Fn(&TuneBench)) {
    let mut child = bench.start(&["--allow-downtime"]);
    wait_until("the restore file", || bench.restore_file().is_some());
    comes(bench);
    signal(&child, "KILL");
    child.wait().unwrap();
    assert!(bench.restore_file().is_some(), "{}", bench.stderr());
}

/// Asserts that `tune restore` brings the machines back, and that there is nothing to do
/// afterwards.
fn restores(bench: &TuneBench, before: &[MachineLook]) {
    assert_exit(&bench.restore(), 0);
    assert_eq!(bench.machines(), before);
    assert_eq!(bench.restore_file(), None);
    let again = bench.restore();
    assert_exit(&again, 0);
    assert!(words(&again.stdout).contains("Nothing to restore"));
}

/// Waits until a machine is in a state.
fn machine_is(bench: &TuneBench, state: &str) {
    wait_until(state, || bench.shows(state));
}

#[test]
fn an_app_is_restored_after_a_kill_before_the_first_change() {
    kill_when("before the first change", |_| ());
}

#[test]
fn an_app_is_restored_after_a_kill_during_an_update() {
    kill_when("replacing", |bench| machine_is(bench, "replacing"));
}

#[test]
fn an_app_is_restored_after_a_kill_while_a_machine_stops() {
    kill_when("stopping", |bench| machine_is(bench, "stopping"));
}

#[test]
fn an_app_is_restored_after_a_kill_while_machines_are_stopped() {
    kill_when("stopped", |bench| machine_is(bench, "stopped"));
}

#[test]
fn an_app_is_restored_after_a_kill_during_the_boot() {
    kill_when("booting", |bench| {
        machine_is(bench, "stopped");
        wait_until("the start", || bench.shows("starting"));
    });
}

#[test]
fn an_app_is_restored_after_a_kill_in_the_warm_up_curve() {
    kill_when("curve", |bench| {
        machine_is(bench, "stopped");
        machine_is(bench, "started");
        std::thread::sleep(Duration::from_millis(600));
    });
}

#[test]
fn an_app_is_restored_after_a_kill_in_the_steady_stage() {
    kill_when("steady", |bench| wait_until("a run", || bench.path("runs").exists()));
}

#[test]
fn an_app_is_restored_after_a_kill_during_the_restore() {
    kill_when("restoring", |bench| {
        wait_until("the restore", || bench.stderr().contains("Restoring the machines"));
        machine_is(bench, "replacing");
    });
}

#[test]
fn an_app_is_restored_after_a_restore_that_was_killed_too() {
    let bench = TuneBench::new(SLOW, TWO, LARGER);
    let before = bench.machines();
    kill_session(&bench, &|bench| machine_is(bench, "stopping"));
    let mut restore = bench.tune(&["restore"]).spawn().unwrap();
    machine_is(&bench, "replacing");
    signal(&restore, "KILL");
    restore.wait().unwrap();
    restores(&bench, &before);
}
