//! A scripted API and its clock.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::fly::{
    AppName, CallClock, CallsStopped, FlyEnvironment, HttpCall, HttpReply, HttpTransport,
    MachineId, MachinesClient, PrometheusClient, TransportFailure,
};

/// The token of every test. No error may contain it.
pub(super) const TOKEN: &str = "fm2_canary_Zebra";

pub(super) const NOW: OffsetDateTime = datetime!(2025-11-29 08:00 UTC);

/// What the next exchange does.
#[derive(Clone)]
pub(super) struct Answer {
    result: Result<HttpReply, TransportFailure>,
    takes: Duration,
}

impl Answer {
    pub(super) fn after(self, takes: Duration) -> Self {
        Self { takes, ..self }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        if let Ok(reply) = &mut self.result {
            let name = HeaderName::from_static(name);
            reply.headers.insert(name, HeaderValue::from_static(value));
        }
        self
    }
}

pub(super) fn answer(status: u16, body: &Value) -> Answer {
    text(status, &body.to_string())
}

pub(super) fn text(status: u16, body: &str) -> Answer {
    let status = StatusCode::from_u16(status).unwrap();
    let reply = HttpReply { status, headers: HeaderMap::new(), body: body.into() };
    Answer { result: Ok(reply), takes: Duration::ZERO }
}

pub(super) fn ok() -> Answer {
    answer(200, &json!({"ok": true}))
}

pub(super) fn error(status: u16, said: &str) -> Answer {
    answer(status, &json!({"error": said, "status": "unknown"}))
}

pub(super) fn lost(failure: TransportFailure) -> Answer {
    Answer { result: Err(failure), takes: Duration::ZERO }
}

pub(super) fn no_answer() -> Answer {
    lost(TransportFailure::NoAnswer("closed early".to_owned()))
}

pub(super) fn machine(state: &str, instance_id: &str) -> Answer {
    answer(200, &json!({"id": "m1", "state": state, "instance_id": instance_id}))
}

/// What a test sees of its client: the calls that it sent, and the pauses that it made.
#[derive(Clone, Default)]
pub(super) struct Seen {
    now: Rc<Cell<Duration>>,
    calls: Rc<RefCell<Vec<HttpCall>>>,
    pauses: Rc<RefCell<Vec<Duration>>>,
    stops_after: Rc<Cell<Option<usize>>>,
}

impl Seen {
    pub(super) fn now(&self) -> Duration {
        self.now.get()
    }

    /// The calls as `METHOD path?query`, below the app's machines.
    pub(super) fn lines(&self) -> Vec<String> {
        self.calls.borrow().iter().map(line).collect()
    }

    pub(super) fn calls(&self) -> Vec<HttpCall> {
        self.calls.borrow().clone()
    }

    /// The pauses that were not empty, in milliseconds.
    pub(super) fn pauses(&self) -> Vec<u128> {
        let pauses = self.pauses.borrow();
        pauses.iter().filter(|pause| !pause.is_zero()).map(Duration::as_millis).collect()
    }

    /// Calls are to stop once so many have been sent.
    pub(super) fn stop_after(&self, calls: usize) {
        self.stops_after.set(Some(calls));
    }
}

pub(super) fn line(call: &HttpCall) -> String {
    let url = call.url.as_str();
    let (_, below) = url.split_once("/apps/x/machines").unwrap_or(("", url));
    format!("{} {below}", call.method)
}

pub(super) struct ScriptedApi {
    seen: Seen,
    answers: VecDeque<Answer>,
}

impl HttpTransport for ScriptedApi {
    fn send(
        &mut self,
        call: &HttpCall,
        _is_stopped: &dyn Fn() -> bool,
    ) -> Result<HttpReply, TransportFailure> {
        self.seen.calls.borrow_mut().push(call.clone());
        let answer = self.answers.pop_front();
        let answer = answer.unwrap_or_else(|| panic!("not in the script: {}", line(call)));
        if answer.takes > call.timeout {
            self.seen.now.set(self.seen.now() + call.timeout);
            return Err(TransportFailure::NoAnswer("timed out".to_owned()));
        }
        self.seen.now.set(self.seen.now() + answer.takes);
        answer.result
    }
}

pub(super) struct SteppedClock(Seen);

impl CallClock for SteppedClock {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn wall_clock(&self) -> OffsetDateTime {
        NOW + self.0.now()
    }

    fn is_stopped(&self) -> bool {
        let sent = self.0.calls.borrow().len();
        self.0.stops_after.get().is_some_and(|most| sent >= most)
    }

    fn pause(&mut self, duration: Duration) -> Result<(), CallsStopped> {
        if self.is_stopped() {
            return Err(CallsStopped);
        }
        self.0.pauses.borrow_mut().push(duration);
        self.0.now.set(self.0.now() + duration);
        Ok(())
    }

    /// The longest pause of each range.
    fn draw(&mut self) -> f64 {
        1.0
    }
}

pub(super) type FakeMachines = MachinesClient<ScriptedApi, SteppedClock>;

pub(super) fn environment(organisation: &str) -> FlyEnvironment {
    let variables = [("FLY_API_TOKEN", TOKEN), ("FLY_ORG", organisation)];
    FlyEnvironment::read(|name| {
        variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
    })
    .unwrap()
}

/// A client of the app `x` that gets these answers.
pub(super) fn machines(answers: &[Answer]) -> (FakeMachines, Seen) {
    let (api, clock, seen) = scripted(answers);
    let app = AppName::parse("x").unwrap();
    (MachinesClient::new(&environment(""), app, api, clock), seen)
}

pub(super) fn prometheus(
    organisation: &str,
    answers: &[Answer],
) -> (PrometheusClient<ScriptedApi, SteppedClock>, Seen) {
    let (api, clock, seen) = scripted(answers);
    (PrometheusClient::new(&environment(organisation), api, clock), seen)
}

fn scripted(answers: &[Answer]) -> (ScriptedApi, SteppedClock, Seen) {
    let seen = Seen::default();
    let api = ScriptedApi { seen: seen.clone(), answers: answers.iter().cloned().collect() };
    (api, SteppedClock(seen.clone()), seen)
}

pub(super) fn m1() -> MachineId {
    MachineId::parse("m1").unwrap()
}
