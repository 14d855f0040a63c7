//! Waiting for a machine's state.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::super::world::FlyWorld;
use super::answers::ApiAnswer;
use super::call::{ApiCall, read_seconds};

/// The longest wait, and the one of a call that does not say.
const LONGEST: Duration = Duration::from_mins(1);

/// States that can be waited for.
const STATES: [&str; 6] = ["started", "stopped", "suspended", "destroyed", "failed", "settled"];

/// A wait in progress. Its limit counts in simulated time.
#[derive(Debug, Clone)]
pub(in super::super) struct StateWait {
    machine: usize,
    instance: Option<String>,
    states: Vec<String>,
    /// When it ends without success.
    pub(in super::super) limit: Duration,
}

impl StateWait {
    /// The wait that a call asks for; an error answers it at once.
    pub(super) fn read(
        call: &ApiCall,
        machine: usize,
        world: &FlyWorld,
    ) -> Result<Self, ApiAnswer> {
        let mut states: Vec<String> = call.values("state").map(str::to_owned).collect();
        if states.is_empty() {
            states.push("started".to_owned());
        }
        if let Some(unknown) = states.iter().find(|state| !STATES.contains(&state.as_str())) {
            return Err(ApiAnswer::bad_request(format!(
                "invalid_argument: unknown state {unknown}"
            )));
        }
        let instance = call.value("instance_id").or_else(|| call.value("version"));
        if instance.is_none() && states.iter().any(|state| state == "stopped") {
            let error = "invalid_argument: instance_id is required to wait for state stopped";
            return Err(ApiAnswer::bad_request(error));
        }
        let timeout = match call.value("timeout") {
            None => LONGEST,
            Some(text) => read_seconds(text).ok_or_else(|| {
                ApiAnswer::bad_request(format!("invalid_argument: timeout {text} is not a number"))
            })?,
        };
        let real = timeout.min(LONGEST);
        let limit = world.now() + world.settings.scale.simulated(real);
        Ok(Self { machine, instance: instance.map(str::to_owned), states, limit })
    }

    /// The answer, once there is one.
    pub(in super::super) fn answer(&self, world: &FlyWorld) -> Option<ApiAnswer> {
        let machine = &world.machines[self.machine];
        if self.instance.as_ref().is_some_and(|instance| *instance != machine.instance_id) {
            let error = "not_found: no such version of the machine; it was updated";
            return Some(ApiAnswer::error(StatusCode::NOT_FOUND, error));
        }
        let state = machine.state.word();
        let reached = |wanted: &String| {
            wanted == state || (wanted == "settled" && machine.state.is_settled())
        };
        if self.states.iter().any(reached) {
            let event = machine.events().next();
            return Some(ApiAnswer::ok(json!({
                "ok": true,
                "state": state,
                "version": machine.instance_id,
                "event_id": event.map(|event| event["id"].clone()),
            })));
        }
        (world.now() >= self.limit).then(|| {
            let wanted = self.states.join(" or ");
            ApiAnswer::error(
                StatusCode::REQUEST_TIMEOUT,
                format!(
                    "deadline_exceeded: machine failed to reach desired state, {wanted}, \
                     currently {state}"
                ),
            )
        })
    }
}
