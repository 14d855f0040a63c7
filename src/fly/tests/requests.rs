//! What each call sends, and what it reads from a good answer.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use super::fake::*;
use crate::fly::{
    FlyError, LeaseNonce, MachineConfig, MachineState, MachineUpdate, StopOptions, WaitGoal,
    WaitState,
};

/// A call, the answer to it, its line on the wire, and its body.
type Row = (fn(&mut FakeMachines) -> Result<(), FlyError>, Answer, &'static str, Option<Value>);

fn update() -> MachineUpdate {
    MachineUpdate {
        config: MachineConfig::new(json!({"image": "i", "unknown": [1]})).unwrap(),
        current_version: "v1".to_owned(),
        skip_launch: false,
        skip_service_registration: false,
    }
}

fn changes() -> Vec<Row> {
    vec![
        (|fly| fly.start(&m1()), ok(), "POST /m1/start", None),
        (|fly| fly.stop(&m1(), &StopOptions::default()), ok(), "POST /m1/stop", Some(json!({}))),
        (
            |fly| {
                let (signal, timeout) = (Some("SIGTERM".to_owned()), Some(Duration::from_secs(5)));
                fly.stop(&m1(), &StopOptions { signal, timeout })
            },
            ok(),
            "POST /m1/stop",
            Some(json!({"signal": "SIGTERM", "timeout": "5s"})),
        ),
        (|fly| fly.suspend(&m1()), ok(), "POST /m1/suspend", None),
        (|fly| fly.restart(&m1(), None), ok(), "POST /m1/restart", None),
        (
            |fly| fly.restart(&m1(), Some(Duration::from_secs(5))),
            ok(),
            "POST /m1/restart?timeout=5s",
            None,
        ),
        (|fly| fly.cordon(&m1()), ok(), "POST /m1/cordon", None),
        (|fly| fly.uncordon(&m1()), ok(), "POST /m1/uncordon", None),
        (
            |fly| fly.update(&m1(), &update()).map(drop),
            machine("starting", "v2"),
            "POST /m1",
            Some(json!({"config": {"image": "i", "unknown": [1]}, "current_version": "v1"})),
        ),
        (
            |fly| {
                let skips = MachineUpdate { skip_launch: true, ..update() };
                let skips = MachineUpdate { skip_service_registration: true, ..skips };
                fly.update(&m1(), &skips).map(drop)
            },
            machine("stopped", "v2"),
            "POST /m1",
            Some(json!({"config": {"image": "i", "unknown": [1]}, "current_version": "v1",
                "skip_launch": true, "skip_service_registration": true})),
        ),
        (
            |fly| fly.set_metadata(&m1(), "a/b c", "on"),
            text(204, ""),
            "POST /m1/metadata/a%2Fb%20c",
            Some(json!({"value": "on"})),
        ),
        (|fly| fly.delete_metadata(&m1(), "k"), text(204, ""), "DELETE /m1/metadata/k", None),
        (
            |fly| fly.refresh_lease(&m1(), Duration::from_secs(90)).map(drop),
            answer(201, &json!({"nonce": "held"})),
            "POST /m1/lease",
            Some(json!({"ttl": 90})),
        ),
        (|fly| fly.release_lease(&m1()), ok(), "DELETE /m1/lease", None),
    ]
}

fn reads() -> Vec<Row> {
    let lease = answer(200, &json!({"owner": "me"}));
    vec![
        (|fly| fly.list_machines().map(drop), answer(200, &json!([])), "GET ", None),
        (|fly| fly.machine(&m1()).map(drop), machine("started", "v1"), "GET /m1", None),
        (
            |fly| fly.events(&m1(), 5).map(drop),
            answer(200, &json!([])),
            "GET /m1/events?limit=5",
            None,
        ),
        (|fly| fly.show_lease(&m1()).map(drop), lease, "GET /m1/lease", None),
        (|fly| fly.metadata(&m1()).map(drop), answer(200, &json!({})), "GET /m1/metadata", None),
        (
            |fly| fly.wait(&m1(), &WaitGoal::new(WaitState::Started), Duration::from_secs(7)),
            ok(),
            "GET /m1/wait?state=started&timeout=7",
            None,
        ),
    ]
}

#[test]
fn every_call_sends_the_fields_of_the_api() {
    let nonce = "fly-machine-lease-nonce";
    let rows = changes().into_iter().map(|row| (row, true));
    for ((call, answer, line, body), is_change) in
        rows.chain(reads().into_iter().map(|row| (row, false)))
    {
        let (mut fly, seen) = machines(&[answer]);
        fly.adopt_lease(&m1(), LeaseNonce::parse("held").unwrap());
        call(&mut fly).unwrap();
        assert_eq!(seen.lines(), [line]);
        let sent = &seen.calls()[0];
        assert!(sent.url.as_str().starts_with("https://api.machines.dev/v1/apps/x/machines"));
        assert_eq!(sent.headers[AUTHORIZATION], format!("Bearer {TOKEN}"), "{line}");
        assert!(sent.headers[AUTHORIZATION].is_sensitive());
        let held = sent.headers.get(nonce).map(|nonce| nonce.to_str().unwrap());
        assert_eq!(held, is_change.then_some("held"), "{line}");
        assert_eq!(sent.headers.contains_key(CONTENT_TYPE), body.is_some(), "{line}");
        let sent_body =
            (!sent.body.is_empty()).then(|| serde_json::from_slice(&sent.body).unwrap());
        assert_eq!(sent_body, body, "{line}");
    }
}

#[test]
fn answers_are_read_as_machines_events_and_metadata() {
    let list = answer(200, &json!([{"id": "m1", "state": "started"}, {"id": "m2"}]));
    let events = answer(200, &json!([{"type": "start", "status": "started"}]));
    let metadata = answer(200, &json!({"role": "app"}));
    let (mut fly, _) = machines(&[list, events, metadata]);
    let found = fly.list_machines().unwrap();
    assert_eq!((found.len(), &found[0].state), (2, &MachineState::Started));
    assert_eq!(fly.events(&m1(), 1).unwrap()[0].kind, "start");
    assert_eq!(fly.metadata(&m1()).unwrap()["role"], "app");
    assert_eq!(fly.app().as_str(), "x");
}

#[test]
fn metadata_keys_that_a_url_drops_are_refused_before_anything_is_sent() {
    for key in ["", ".", ".."] {
        let (mut fly, seen) = machines(&[]);
        let error = fly.delete_metadata(&m1(), key).unwrap_err().to_string();
        assert!(error.contains("cannot be a key of metadata; choose another"), "{error}");
        assert!(seen.lines().is_empty());
    }
}

#[test]
fn a_missing_key_is_already_deleted() {
    let (mut fly, _) = machines(&[error(404, "not found")]);
    fly.delete_metadata(&m1(), "k").unwrap();
}
