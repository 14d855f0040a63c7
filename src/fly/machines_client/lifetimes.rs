//! Making machines, destroying them, and the names of the secrets that new machines get.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::MachinesClient;
use crate::fly::backoff::Backoff;
use crate::fly::caller::{ApiRequest, RepeatPolicy, read_json};
use crate::fly::clock::CallClock;
use crate::fly::error::{FlyError, FlyProblem};
use crate::fly::machine::{Machine, MachineConfig, MachineState};
use crate::fly::names::MachineId;
use crate::fly::rate_limit::ApiAction;
use crate::fly::transport::HttpTransport;

/// A machine to make.
#[derive(Debug, Clone)]
pub struct NewMachine {
    /// Unique within the app.
    pub name: String,
    /// The region's three letters.
    pub region: String,
    /// The whole configuration. Its metadata must tell it from every other machine of the app.
    pub config: MachineConfig,
}

/// Why a machine was not made.
#[derive(Debug)]
pub struct FailedCreate {
    /// The last error.
    pub error: FlyError,
    /// Whether Fly may have made the machine all the same.
    pub may_exist: bool,
}

impl NewMachine {
    /// Whether a machine is this one: by its name and all metadata.
    fn is_made(&self, machine: &Machine) -> bool {
        let wanted = self.config.as_json().get("metadata").and_then(Value::as_object);
        let config = machine.config.as_ref().or(machine.incomplete_config.as_ref());
        machine.name == self.name
            && wanted.into_iter().flatten().all(|(key, value)| {
                config.and_then(|config| config.metadata(key)) == value.as_str()
            })
    }
}

impl<T: HttpTransport, C: CallClock> MachinesClient<T, C> {
    /// Makes a machine, which starts at once. It has not started when this returns.
    ///
    /// If a create may have been carried out without an answer, the list of machines shows whether
    /// it was. It is sent again only if the list lacks the machine, and even then it cannot make a
    /// second one: Fly refuses a name that is taken.
    pub fn create(&mut self, new: &NewMachine) -> Result<Machine, FailedCreate> {
        let task = format!("create machine {} of app `{}` in {}", new.name, self.app, new.region);
        let body = json!({"name": new.name, "region": new.region, "config": new.config});
        let request = ApiRequest {
            url: self.base.clone(),
            body: Some(body),
            repeats: RepeatPolicy::NotApplied,
            ..self.request(task, ApiAction::Create, Method::POST, None, &[])
        };
        let mut may_exist = false;
        let made = self.create_until_clear(new, &request, &mut may_exist);
        made.map_err(|error| FailedCreate {
            may_exist: may_exist || error.may_have_been_applied(),
            error,
        })
    }

    /// `may_exist` says at any time whether a create has been sent whose end is not known.
    fn create_until_clear(
        &mut self,
        new: &NewMachine,
        request: &ApiRequest,
        may_exist: &mut bool,
    ) -> Result<Machine, FlyError> {
        let deadline = self.deadline();
        let mut backoff = Backoff::default();
        loop {
            let reply = self.caller.send(request, deadline);
            let error = match reply.and_then(|reply| read_json(request, &reply)) {
                Ok(machine) => return Ok(machine),
                Err(error) => error,
            };
            *may_exist |= error.may_have_been_applied();
            let is_there = *may_exist && is_name_taken(&error);
            if !error.may_have_been_applied() && !is_there {
                return Err(error);
            }
            self.caller.pause_before_repeat(&mut backoff, error, deadline)?;
            let list = self.list_request();
            let listed = self.caller.send(&list, deadline)?;
            let machines: Vec<Machine> = read_json(&list, &listed)?;
            if let Some(made) = machines.into_iter().find(|machine| new.is_made(machine)) {
                return Ok(made);
            }
        }
    }

    /// Destroys a machine, even one that runs. Returns whether it was still there; one that is gone
    /// is not an error.
    pub fn destroy(&mut self, id: &MachineId) -> Result<bool, FlyError> {
        let mut request =
            self.change_request("destroy", ApiAction::Destroy, Method::DELETE, id, &[]);
        request.url.query_pairs_mut().append_pair("force", "true");
        request.repeats = RepeatPolicy::Always;
        let deadline = self.deadline();
        let mut backoff = Backoff::default();
        loop {
            let Err(error) = self.caller.send(&request, deadline) else { return Ok(true) };
            match error.problem {
                FlyProblem::NotFound { .. } => return Ok(false),
                // It may be gone, or between two states.
                FlyProblem::Conflict { .. }
                | FlyProblem::PreconditionFailed { .. }
                | FlyProblem::LeaseHeld { .. } => {}
                _ => return Err(error),
            }
            if self.is_gone(id, deadline)? {
                return Ok(false);
            }
            let error = self.name_holder(error, id);
            self.caller.pause_before_repeat(&mut backoff, error, deadline)?;
        }
    }

    fn is_gone(&mut self, id: &MachineId, deadline: Duration) -> Result<bool, FlyError> {
        match self.machine_until(id, deadline) {
            Ok(machine) => Ok(machine.state.is_gone()),
            Err(error) if matches!(error.problem, FlyProblem::NotFound { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The names of the app's secrets, which its machines have in their environment. Values are
    /// never asked for.
    pub fn secret_names(&mut self) -> Result<Vec<String>, FlyError> {
        let task = format!("list the secrets of app `{}`", self.app);
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop().push("secrets");
        }
        let request = ApiRequest {
            url,
            ..self.request(task, ApiAction::ListSecrets, Method::GET, None, &[])
        };
        let reply = self.send(&request)?;
        let answer: Value = read_json(&request, &reply)?;
        let secrets = answer.get("secrets").and_then(Value::as_array).into_iter().flatten();
        let name = |secret: &Value| Some(secret.get("name")?.as_str()?.to_owned());
        Ok(secrets.filter_map(name).collect())
    }
}

impl MachineState {
    /// Whether the machine is gone, or will be without anybody's doing.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Destroying | Self::Destroyed)
    }
}

/// Whether a create is refused because a machine of the app has that name:
/// `already_exists: unique machine name violation, machine ID …`.
fn is_name_taken(error: &FlyError) -> bool {
    match &error.problem {
        FlyProblem::Conflict { said } | FlyProblem::Invalid { said, .. } => {
            said.contains("unique machine name")
        }
        _ => false,
    }
}
