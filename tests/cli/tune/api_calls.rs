//! The rehearsal's API against its descriptions, call by call.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::bench::{AS_IT_IS, FAST, MACHINES, ONE, TuneBench, call};
use crate::fly_api::description::{Description, assert_described, is_path_of};
use crate::fly_api::relay::Relay;

/// A machine of the rehearsal, behind a relay.
struct Caller {
    relay: Relay,
    id: String,
}

impl Caller {
    fn call(&self, method: &str, path: &str, headers: &[&str], body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let path = format!("{MACHINES}/{}{path}", self.id);
        call(&self.relay.url, (method, path.trim_end_matches('/')), headers, &body)
    }

    /// Calls, asserts the status, and returns the JSON.
    fn expect(&self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        let (answered, json) = self.call(method, path, &[], body);
        assert_eq!(answered, status, "{method} {path}: {json}");
        json
    }

    fn machine(&self) -> Value {
        self.expect(200, "GET", "", &Value::Null)
    }

    /// Waits for a state of the present version.
    fn wait(&self, state: &str) {
        let version = self.machine()["instance_id"].as_str().unwrap().to_owned();
        let path = format!("/wait?state={state}&instance_id={version}&timeout=30");
        assert_eq!(self.expect(200, "GET", &path, &Value::Null)["ok"], true);
    }

    /// An order that needs no body, and the state that follows.
    fn order(&self, order: &str, state: &str) {
        self.expect(200, "POST", order, &Value::Null);
        self.wait(state);
    }
}

/// Paths have other names for the same parts.
fn unnamed((method, path): (String, String)) -> (String, String) {
    let part = |part: &str| if part.starts_with('{') { "{}".to_owned() } else { part.to_owned() };
    (method, path.split('/').map(part).collect::<Vec<_>>().join("/"))
}

fn operations(description: &Description) -> BTreeSet<(String, String)> {
    description.operations().into_iter().map(unnamed).collect()
}

#[test]
fn every_call_that_the_program_relies_on_is_in_flys_description() {
    let Some(fly) = Description::of_fly() else { return };
    let (own, fly) = (operations(&Description::of_facts()), operations(&fly));
    let missing: Vec<_> = own.difference(&fly).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn change_under_a_lease(api: &Caller) {
    let lease = json!({"ttl": 60, "description": "a test"});
    let lease = api.expect(201, "POST", "/lease", &lease);
    api.expect(200, "GET", "/lease", &Value::Null);
    let machine = api.machine();
    let mut config = machine["config"].clone();
    config["guest"]["memory_mb"] = json!(2048);
    let update = json!({"config": config, "current_version": machine["instance_id"]});
    api.expect(409, "POST", "", &update);
    let nonce = format!("fly-machine-lease-nonce: {}", lease["nonce"].as_str().unwrap());
    let (status, updated) = api.call("POST", "", &[&nonce], &update);
    assert_eq!((status, &updated["config"]["guest"]["memory_mb"]), (200, &json!(2048)));
    assert_eq!(api.call("DELETE", "/lease", &[&nonce], &Value::Null).0, 200);
    api.wait("started");
    api.expect(412, "POST", "", &update);
}

fn write_metadata(api: &Caller) {
    api.expect(204, "POST", "/metadata/shift", &json!({"value": "night"}));
    assert_eq!(api.expect(200, "GET", "/metadata", &Value::Null)["shift"], "night");
    api.expect(200, "GET", "/metadata/shift", &Value::Null);
    api.expect(204, "DELETE", "/metadata/shift", &Value::Null);
    api.expect(404, "GET", "/metadata/shift", &Value::Null);
}

/// Makes a machine that is gone once it has ended, and one that is destroyed.
fn make_and_destroy(api: &Caller) {
    let guest = json!({"cpu_kind": "shared", "cpus": 1, "memory_mb": 256});
    let config = json!({
        "image": "registry.fly.io/rehearsal:deployment-1",
        "guest": guest,
        "init": {"cmd": ["run", "/fleet/shop.toml"]},
        "files": [{"guest_path": "/fleet/shop.toml", "raw_value": "bmFtZSA9ICJhIgo="}],
        "restart": {"policy": "no"},
        "auto_destroy": true,
    });
    let create = json!({"name": "shard-1", "region": "ord", "config": config}).to_string();
    let create_it = || call(&api.relay.url, ("POST", MACHINES), &[], &create);
    let (status, made) = create_it();
    assert_eq!((status, &made["name"], &made["region"]), (200, &json!("shard-1"), &json!("ord")));
    let (status, taken) = create_it();
    assert_eq!(status, 409, "{taken}");
    let id = made["id"].as_str().unwrap().to_owned();
    let made = Caller { relay: Relay::start(&api.relay.url, |_| None), id };
    made.wait("started");
    made.expect(200, "POST", "/stop", &json!({}));
    crate::bench::wait_until("the end", || made.machine()["state"] == "destroyed");
    made.expect(412, "DELETE", "?force=true", &Value::Null);
    let (status, other) = create_it();
    assert_eq!(status, 200, "{other}");
    let path = format!("{MACHINES}/{}?force=true", other["id"].as_str().unwrap());
    assert_eq!(call(&api.relay.url, ("DELETE", &path), &[], "").0, 200);
    let secrets = MACHINES.replace("machines", "secrets");
    assert_eq!(call(&api.relay.url, ("GET", &secrets), &[], "").0, 200);
}

#[test]
fn the_rehearsal_answers_every_call_as_described() {
    let mut bench = TuneBench::new(FAST, ONE, AS_IT_IS);
    let relay = bench.relay(|_| None);
    let api = Caller { relay, id: bench.machine_id(0) };
    let list = format!("{MACHINES}?state=started&region=ord");
    let (status, list) = call(&api.relay.url, ("GET", &list), &[], "");
    assert_eq!((status, list.as_array().map(Vec::len)), (200, Some(1)));
    api.expect(200, "POST", "/cordon", &Value::Null);
    api.expect(200, "POST", "/uncordon", &Value::Null);
    change_under_a_lease(&api);
    write_metadata(&api);
    make_and_destroy(&api);
    api.expect(200, "POST", "/stop", &json!({"signal": "SIGTERM", "timeout": "5s"}));
    api.wait("stopped");
    api.expect(412, "POST", "/suspend", &Value::Null);
    api.order("/start", "started");
    api.order("/suspend", "suspended");
    api.order("/start", "started");
    api.expect(400, "GET", "/wait?state=stopped", &Value::Null);
    api.expect(408, "GET", "/wait?state=suspended&timeout=1", &Value::Null);
    api.expect(200, "POST", "/restart?timeout=5s", &Value::Null);
    assert!(api.expect(200, "GET", "/events?limit=3", &Value::Null)[0]["type"].is_string());
    assert_eq!(call(&api.relay.url, ("GET", &format!("{MACHINES}/0")), &[], "").0, 404);
    let exchanges = api.relay.exchanges();
    let is_called = |(method, path): &(String, String)| {
        let mut requests = exchanges.iter().map(|one| &one.request);
        requests.any(|one| one.method.eq_ignore_ascii_case(method) && is_path_of(&one.path, path))
    };
    let operations = Description::of_facts().operations();
    let never: Vec<_> = operations.iter().filter(|one| !is_called(one)).collect();
    assert!(never.is_empty(), "never called: {never:?}");
    assert_described(&api.relay);
}
