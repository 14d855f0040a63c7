//! Leases: kept, presented, held by others.

use std::time::Duration;

use serde_json::json;
use time::macros::datetime;

use super::fake::*;
use crate::fly::FlyProblem;

const TTL: Duration = Duration::from_mins(2);

fn nonces(seen: &Seen) -> Vec<Option<String>> {
    let name = "fly-machine-lease-nonce";
    let calls = seen.calls();
    let nonce = |call: &crate::fly::HttpCall| {
        call.headers.get(name).map(|nonce| nonce.to_str().unwrap().to_owned())
    };
    calls.iter().map(nonce).collect()
}

#[test]
fn a_lease_is_taken_presented_extended_and_ended() {
    let lease = |nonce: &str| answer(201, &json!({"nonce": nonce, "expires_at": 1_764_403_320}));
    let answers = [lease("n1"), ok(), lease("n2"), ok(), ok(), ok()];
    let (mut fly, seen) = machines(&answers);
    let taken = fly.acquire_lease(&m1(), TTL, "measuring").unwrap();
    assert_eq!(taken.expires_at, Some(datetime!(2025-11-29 08:02 UTC)));
    fly.start(&m1()).unwrap();
    fly.refresh_lease(&m1(), TTL).unwrap();
    fly.start(&m1()).unwrap();
    fly.release_lease(&m1()).unwrap();
    fly.release_lease(&m1()).unwrap();
    fly.suspend(&m1()).unwrap();
    let expected = [None, Some("n1"), Some("n1"), Some("n2"), Some("n2"), None];
    assert_eq!(nonces(&seen), expected.map(|nonce| nonce.map(str::to_owned)));
    let body: serde_json::Value = serde_json::from_slice(&seen.calls()[0].body).unwrap();
    assert_eq!(body, json!({"ttl": 120, "description": "measuring"}));
}

#[test]
fn a_lease_of_somebody_else_is_reported_with_its_holder_and_end() {
    let said = "machine ID m1 lease currently held by 9af@tokens.fly.io, \
                expires at 2025-11-29T08:10:00Z";
    let (mut fly, seen) = machines(&[error(409, said)]);
    let refused = fly.stop(&m1()).unwrap_err();
    let expected = "cannot stop machine m1 of app `x`: 9af@tokens.fly.io holds the machine's \
                    lease until 2025-11-29T08:10:00Z (HTTP 409); a deploy may be running: wait \
                    until it ends, or see `fly machine leases view`";
    assert_eq!(refused.to_string(), expected);
    assert_eq!(seen.lines().len(), 1);
}

#[test]
fn a_conflict_that_does_not_say_who_holds_the_lease_is_asked_about() {
    let holder = answer(200, &json!({"owner": "ci", "expires_at": 1_764_403_320}));
    let until = Some(datetime!(2025-11-29 08:02 UTC));
    for said in ["lease is held", "conflict"] {
        let (mut fly, seen) = machines(&[error(409, said), holder.clone()]);
        let refused = fly.acquire_lease(&m1(), TTL, "").unwrap_err();
        assert_eq!(seen.lines(), ["POST /m1/lease", "GET /m1/lease"]);
        let owner = Some("ci".to_owned());
        assert_eq!(refused.problem, FlyProblem::LeaseHeld { owner, until });
    }
    // Without a lease it is another conflict, and Fly's words stay.
    let said = "insufficient memory available to fulfill request";
    let no_lease = error(404, "lease not found");
    let (mut fly, _) = machines(&[error(409, said), machine("stopped", "v1"), no_lease]);
    let refused = fly.start(&m1()).unwrap_err();
    assert_eq!(refused.problem, FlyProblem::Conflict { said: said.to_owned() });
}

#[test]
fn a_lease_that_has_ended_by_itself_is_released() {
    let (mut fly, seen) =
        machines(&[answer(201, &json!({"nonce": "n"})), error(404, "gone"), ok()]);
    fly.acquire_lease(&m1(), TTL, "").unwrap();
    fly.release_lease(&m1()).unwrap();
    fly.start(&m1()).unwrap();
    assert_eq!(nonces(&seen)[2], None);
}

#[test]
fn a_machine_without_a_lease_has_none_and_a_lease_without_a_nonce_is_an_error() {
    let (mut fly, _) = machines(&[error(404, "lease not found")]);
    assert_eq!(fly.show_lease(&m1()).unwrap(), None);
    let (mut fly, _) = machines(&[answer(201, &json!({}))]);
    let error = fly.acquire_lease(&m1(), TTL, "").unwrap_err().to_string();
    assert!(error.contains("it lacks `nonce`"), "{error}");
}

#[test]
fn a_lease_of_a_killed_holder_is_waited_for_until_it_ends() {
    let held = || error(409, "machine ID m1 lease currently held by x, expires at noon");
    let lease = answer(201, &json!({"nonce": "n1"}));
    let (mut fly, seen) = machines(&[held(), held(), lease]);
    fly.await_lease(&m1(), TTL, "restoring", TTL).unwrap();
    assert!(fly.holds_lease(&m1()));
    assert_eq!(seen.now().as_secs(), 10);
    let (mut fly, seen) = machines(&vec![held(); 40]);
    let late = fly.await_lease(&m1(), TTL, "restoring", TTL).unwrap_err();
    assert!(matches!(late.problem(), FlyProblem::LeaseHeld { .. }), "{late}");
    assert_eq!((seen.now(), fly.holds_lease(&m1())), (TTL, false));
}
