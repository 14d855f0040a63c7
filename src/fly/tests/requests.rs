//! What each call sends, and what it reads from a good answer.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use super::fake::*;
use crate::fly::{
    FlyError, LeaseNonce, MachineConfig, MachineState, MachineUpdate, WaitGoal, WaitState,
};

/// A call, the answer to it, its line on the wire, and its body.
type Row = (fn(&mut FakeMachines) -> Result<(), FlyError>, Answer, &'static str, Option<Value>);

fn update() -> MachineUpdate {
    MachineUpdate {
        config: MachineConfig::new(json!({"image": "i", "unknown": [1]})).unwrap(),
        current_version: "v1".to_owned(),
        skip_launch: false,
    }
}

fn changes() -> Vec<Row> {
    vec![
        (|fly| fly.start(&m1()), ok(), "POST /m1/start", None),
        (|fly| fly.stop(&m1()), ok(), "POST /m1/stop", Some(json!({}))),
        (|fly| fly.suspend(&m1()), ok(), "POST /m1/suspend", None),
        (|fly| fly.restart(&m1()), ok(), "POST /m1/restart", None),
        (
            |fly| fly.update(&m1(), &update()).map(drop),
            machine("starting", "v2"),
            "POST /m1",
            Some(json!({"config": {"image": "i", "unknown": [1]}, "current_version": "v1"})),
        ),
        (
            |fly| {
                let skips = MachineUpdate { skip_launch: true, ..update() };
                fly.update(&m1(), &skips).map(drop)
            },
            machine("stopped", "v2"),
            "POST /m1",
            Some(json!({"config": {"image": "i", "unknown": [1]}, "current_version": "v1",
                "skip_launch": true})),
        ),
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
        (|fly| fly.show_lease(&m1()).map(drop), lease, "GET /m1/lease", None),
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
fn a_list_is_read_as_machines() {
    let list = answer(200, &json!([{"id": "m1", "state": "started"}, {"id": "m2"}]));
    let (mut fly, _) = machines(&[list]);
    let found = fly.list_machines().unwrap();
    assert_eq!((found.len(), &found[0].state), (2, &MachineState::Started));
    assert_eq!(fly.app().as_str(), "x");
}
