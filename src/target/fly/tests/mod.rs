//! Tests the simulation by advancing its time.

mod api;
mod file;
mod machines;
mod metrics;
mod proxied;

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::api::{ApiAnswer, ApiCall, ApiOutcome, MachinesApi};
use super::file::read_settings;
use super::request::{RequestEnd, RequestProgress, RequestWork};
use super::world::FlyWorld;

/// Wall time of the start.
const START: Duration = Duration::from_secs(1_700_000_000);

/// A rehearsal whose time passes when a test says so.
struct Rehearsal {
    world: FlyWorld,
    api: MachinesApi,
}

impl Rehearsal {
    /// The rehearsal of a file, without rate limits unless the file has them.
    fn new(file: &str) -> Self {
        let file = if file.contains("[faults]") {
            file.to_owned()
        } else {
            format!("{file}\n[faults]\nrate_limits = false")
        };
        let settings = read_settings(&file).unwrap();
        let api = MachinesApi::new(settings.seed);
        Self { world: FlyWorld::new(settings, START), api }
    }

    /// Lets seconds pass.
    fn pass(&mut self, seconds: f64) {
        self.world.advance(self.world.now() + Duration::from_secs_f64(seconds));
    }

    fn now(&self) -> f64 {
        self.world.now().as_secs_f64()
    }

    fn id(&self, machine: usize) -> String {
        self.world.machines[machine].id.clone()
    }

    fn state(&self, machine: usize) -> &'static str {
        self.world.machines[machine].state.word()
    }

    /// Types of the machine's events with their states and sources, oldest first.
    fn events(&self, machine: usize) -> Vec<String> {
        let events: Vec<Value> = self.world.machines[machine].events().collect();
        let word = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
        let line = |event| ["type", "status", "source"].map(|name| word(event, name)).join(" ");
        events.iter().rev().map(line).collect()
    }

    /// What becomes of a call for a machine: `POST stop`, with an optional body and nonce.
    fn outcome(&mut self, machine: usize, call: &str, body: &Value, nonce: &str) -> ApiOutcome {
        let (method, rest) = call.split_once(' ').unwrap();
        let uri = format!("/v1/apps/rehearsal/machines/{}/{rest}", self.id(machine));
        let call = api_call(method, &uri, body, nonce);
        self.api.carry_out(&call, &mut self.world)
    }

    fn call_with(&mut self, machine: usize, call: &str, body: &Value, nonce: &str) -> ApiAnswer {
        match self.outcome(machine, call, body, nonce) {
            ApiOutcome::Answer(answer) => answer,
            ApiOutcome::Wait(_) => panic!("{call} waits"),
        }
    }

    fn call(&mut self, machine: usize, call: &str) -> ApiAnswer {
        self.call_with(machine, call, &Value::Null, "")
    }

    /// The answer of a call that succeeds.
    fn ok(&mut self, machine: usize, call: &str, body: &Value) -> Value {
        let answer = self.call_with(machine, call, body, "");
        assert!(answer.status.is_success(), "{call}: {answer:?}");
        answer.body.unwrap_or_default()
    }

    /// Updates the machine by changing its config.
    fn update(&mut self, machine: usize, change: impl FnOnce(&mut Value)) -> Value {
        let mut config = self.world.machines[machine].config.clone();
        change(&mut config);
        self.ok(machine, "POST ", &json!({ "config": config }))
    }

    fn admit(&mut self) -> u64 {
        self.world.admit(None, RequestWork::Page(Duration::ZERO)).0
    }

    fn admit_pinned(&mut self, machine: usize) -> u64 {
        let id = self.id(machine);
        self.world.admit(Some(&id), RequestWork::Page(Duration::ZERO)).0
    }

    /// Lets time pass until the request has ended; returns how, and the seconds that it took.
    fn finish(&mut self, request: u64) -> (RequestEnd, f64) {
        let begun = self.now();
        loop {
            match self.world.progress(request) {
                RequestProgress::Ended(end) => return (end, self.now() - begun),
                RequestProgress::NotBefore(moment) => {
                    assert!(moment > self.world.now(), "{moment:?} is not later");
                    self.world.advance(moment);
                }
            }
        }
    }

    /// Seconds that a request takes that arrives now.
    fn latency(&mut self) -> f64 {
        let request = self.admit();
        let (end, seconds) = self.finish(request);
        assert!(matches!(end, RequestEnd::Served { .. }), "{end:?}");
        seconds
    }
}

fn api_call(method: &str, uri: &str, body: &Value, nonce: &str) -> ApiCall {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer rehearsal-token"));
    headers.insert("fly-machine-lease-nonce", HeaderValue::from_str(nonce).unwrap());
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    ApiCall::new(&method, &uri.parse().unwrap(), &headers, body)
}

fn error(answer: &ApiAnswer) -> (u16, &str) {
    let body = answer.body.as_ref().unwrap();
    (answer.status.as_u16(), body["error"].as_str().unwrap())
}

fn assert_near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not near {expected}");
}

/// Constant latencies, so that times are exact.
const EXACT: &str = r#"
[work]
boot_cpu = "2s"
request_cpu = "4ms"
latency = "constant:120ms"
warming = 4
warming_factor = 3.0
cache_cost = "80ms"
"#;

const REFUSED: RequestEnd = RequestEnd::Refused(StatusCode::SERVICE_UNAVAILABLE);
