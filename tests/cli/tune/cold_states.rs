//! The states that attempts start from; `stop` is in the other tests.

use serde_json::Value;

use super::bench::{AS_IT_IS, FAST, ONE, TuneBench, assert_exit};
use crate::fly_api::description::assert_described;
use crate::fly_api::relay::Relay;

/// A session of one attempt from a cold state, what it said to the API, and its record.
fn session_from(cold: &str, machines: &str, flags: &[&str]) -> (TuneBench, Relay, Value) {
    let mut bench = TuneBench::new(FAST, machines, AS_IT_IS);
    let relay = bench.relay(|_| None);
    bench.plan(&format!("app = \"rehearsal\"\ncold = \"{cold}\"\nrounds = 1\n"), AS_IT_IS);
    assert_exit(&bench.run(flags), 0);
    let attempt = bench.record()["attempts"][0].clone();
    assert_eq!(attempt["problem"], Value::Null, "{attempt}");
    assert_eq!(attempt["machines_after"][0]["state"], "started", "{attempt}");
    (bench, relay, attempt)
}

#[test]
fn a_restarted_machine_boots_and_is_never_stopped() {
    let (bench, relay, attempt) = session_from("restart", ONE, &["--allow-downtime"]);
    assert_eq!(attempt["start"], "booted");
    assert_eq!((relay.count("POST", "restart"), relay.count("POST", "stop")), (1, 0));
    assert!(bench.shows("started"));
    assert_described(&relay);
}

#[test]
fn a_suspended_machine_is_started_by_the_first_request_and_does_not_boot() {
    let (bench, relay, attempt) = session_from("suspend", ONE, &["--allow-downtime"]);
    // Fly does not say how it started; latency may leave it unknown.
    assert_ne!(attempt["start"], "booted");
    assert_eq!((relay.count("POST", "suspend"), relay.count("POST", "start")), (1, 0));
    let waits = relay.exchanges();
    assert!(waits.iter().any(|one| one.request.query.contains("state=suspended")), "{waits:?}");
    assert!(bench.shows("started"));
    assert_described(&relay);
}

#[test]
fn an_idle_app_is_stopped_by_fly_and_not_by_the_session() {
    let idle = "[[machine]]\n[service]\nautostop = \"stop\"\nidle = \"20s\"\n";
    let (_bench, relay, attempt) = session_from("idle:1200ms", idle, &[]);
    assert_eq!(attempt["start"], "booted");
    assert_eq!(relay.count("POST", "stop"), 0);
    assert_described(&relay);
}
