//! Fleets that a signal ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::bench::{ENDLESS, FleetBench, SHORT, interrupt};
use crate::bench::{signal, wait_until, words};
use crate::fly_api::{MACHINES, call};

#[test]
fn an_interruption_while_machines_are_made_destroys_them() {
    let Some(bench) = FleetBench::new(ENDLESS) else { return };
    let mut child = bench.start(8);
    bench.wait_for(3);
    assert_eq!(interrupt(&mut child, "INT"), Some(3), "{}", bench.stderr());
    assert!(bench.stderr().contains("nothing was merged"), "{}", bench.stderr());
    bench.assert_untouched();
}

#[test]
fn an_interruption_while_machines_run_destroys_them() {
    let Some(bench) = FleetBench::new(ENDLESS) else { return };
    let mut child = bench.start(2);
    bench.wait_for(2);
    wait_until("the last", || bench.stderr().matches("Made machine").count() == 2);
    assert_eq!(interrupt(&mut child, "TERM"), Some(3), "{}", bench.stderr());
    assert!(bench.stderr().contains("Destroyed the 2 machines"), "{}", bench.stderr());
    bench.assert_untouched();
}

#[test]
fn an_interruption_while_a_create_is_under_way_finds_the_machine_that_it_makes_late() {
    let Some(mut bench) = FleetBench::new(ENDLESS) else { return };
    let api = bench.target.base_url.clone();
    let (is_held, created) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(None)));
    let (held, asked) = (Arc::clone(&is_held), Arc::clone(&created));
    let relay = bench.relay(move |request| {
        if request.method != "POST" || request.path != MACHINES {
            return None;
        }
        *asked.lock().unwrap() = Some(String::from_utf8(request.body.clone()).unwrap());
        while held.load(Ordering::SeqCst) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Some((504, serde_json::json!({"error": "gateway timeout"})))
    });
    let mut child = bench.start(2);
    wait_until("the create", || created.lock().unwrap().is_some());
    signal(&child, "INT");
    wait_until("the stop", || bench.stderr().contains("Stopping: destroying the machines"));
    let before = relay.count("GET", "machines");
    is_held.store(false, Ordering::SeqCst);
    wait_until("looks", || relay.count("GET", "machines") >= before + 12);
    // Fly carries the create out long after its answer.
    let body = created.lock().unwrap().clone().unwrap();
    assert_eq!(call(&api, ("POST", MACHINES), &[], &body).0, 200);
    assert_eq!(child.wait().unwrap().code(), Some(3), "{}", bench.stderr());
    bench.assert_untouched();
}

#[test]
fn a_second_signal_ends_at_once_and_leaves_the_rest_to_restore() {
    let Some(mut bench) = FleetBench::new(ENDLESS) else { return };
    let is_away = Arc::new(AtomicBool::new(true));
    let away = Arc::clone(&is_away);
    let _relay = bench.relay(move |request| {
        let refuses = request.method == "DELETE" && away.load(Ordering::SeqCst);
        refuses.then(|| (503, serde_json::json!({"error": "unavailable"})))
    });
    let mut child = bench.start(2);
    bench.wait_for(2);
    signal(&child, "INT");
    wait_until("the first", || bench.stderr().contains("Stopping: destroying"));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(3), "{}", bench.stderr());
    assert_eq!(bench.made(), 2);
    is_away.store(false, Ordering::SeqCst);
    assert_eq!(bench.restore().status.code(), Some(0));
    bench.assert_untouched();
}

#[test]
fn a_signal_while_machines_are_destroyed_does_not_stop_that() {
    let full = FleetBench::with_faults(ENDLESS, "full_regions = [\"fra\"]\n");
    let Some(mut bench) = full else { return };
    let (is_held, was_asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let (held, asked) = (Arc::clone(&is_held), Arc::clone(&was_asked));
    let _relay = bench.relay(move |request| {
        while request.method == "DELETE" && held.load(Ordering::SeqCst) {
            asked.store(true, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        None
    });
    let mut child = bench.start(2);
    wait_until("the destroy", || was_asked.load(Ordering::SeqCst));
    signal(&child, "INT");
    wait_until("the signal", || {
        bench.stderr().contains("Stopping once the machines are destroyed")
    });
    is_held.store(false, Ordering::SeqCst);
    assert_eq!(child.wait().unwrap().code(), Some(4), "{}", bench.stderr());
    bench.assert_untouched();
}

#[test]
fn a_signal_before_machines_are_made_makes_none() {
    let Some(mut bench) = FleetBench::new(ENDLESS) else { return };
    let (is_held, was_asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let (held, asked) = (Arc::clone(&is_held), Arc::clone(&was_asked));
    let _relay = bench.relay(move |request| {
        while request.action() == "secrets" && held.load(Ordering::SeqCst) {
            asked.store(true, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        None
    });
    let mut child = bench.start(2);
    wait_until("the check", || was_asked.load(Ordering::SeqCst));
    assert_eq!(interrupt(&mut child, "INT"), Some(3), "{}", bench.stderr());
    is_held.store(false, Ordering::SeqCst);
    assert!(bench.stderr().contains("interrupted before any machine was made"));
    assert!(!bench.stderr().contains("destroying the machines"), "{}", bench.stderr());
    bench.assert_untouched();
}

#[test]
fn a_signal_while_the_shards_are_waited_for_ends_the_merge_and_says_how_to_merge_later() {
    let Some(bench) = FleetBench::new(SHORT) else { return };
    let mut child = bench.start(2);
    wait_until("the merge", || bench.stderr().contains("Waiting for machines at the rendezvous"));
    assert_eq!(interrupt(&mut child, "INT"), Some(3), "{}", bench.stderr());
    let said = words(bench.stderr().as_bytes());
    let later = "interrupted, so nothing was merged; `tollgate merge --rendezvous trial-";
    assert!(said.contains(later), "{said}");
    assert!(!said.contains("destroying the machines"), "{said}");
    bench.assert_untouched();
}
