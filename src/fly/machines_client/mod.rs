//! The calls of the Machines API, for one app.

mod leases;
mod lifetimes;
mod wait;

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use url::Url;

use super::backoff::Backoff;
use super::caller::{ApiCaller, ApiRequest, RepeatPolicy, read_json};
use super::clock::CallClock;
use super::environment::FlyEnvironment;
use super::error::{FlyApi, FlyError, FlyProblem};
use super::lease::LeaseNonce;
use super::machine::{Machine, MachineConfig, MachineState};
use super::names::{AppName, MachineId};
use super::rate_limit::ApiAction;
use super::transport::{HttpReply, HttpTransport};

pub use lifetimes::{FailedCreate, NewMachine};
pub use wait::{WaitGoal, WaitState};

/// How long a call may take with all its repeats, unless the caller chooses another limit.
const PATIENCE: Duration = Duration::from_mins(1);

/// The client of one app. It holds the nonces of its leases and presents them with every change.
pub struct MachinesClient<T, C> {
    caller: ApiCaller<T, C>,
    base: Url,
    app: AppName,
    nonces: BTreeMap<MachineId, LeaseNonce>,
    patience: Duration,
}

/// A new version of a machine.
#[derive(Debug, Clone)]
pub struct MachineUpdate {
    /// The whole configuration, not a patch.
    pub config: MachineConfig,
    /// The `instance_id` that the configuration was read with; the update is refused if the machine
    /// has another by now.
    pub current_version: String,
    /// Whether a stopped machine stays stopped; without it, Fly starts the new version.
    pub skip_launch: bool,
}

/// What answered a change.
enum ChangeAnswer {
    Reply(HttpReply),
    /// There was no answer; the machine shows that the change was carried out.
    Seen(Box<Machine>),
}

impl<T: HttpTransport, C: CallClock> MachinesClient<T, C> {
    /// A client that sees one app. It sends nothing yet.
    pub fn new(environment: &FlyEnvironment, app: AppName, transport: T, clock: C) -> Self {
        let caller = ApiCaller::new(transport, clock, environment.token().clone());
        let base = below(&environment.machines_url, &["v1", "apps", app.as_str(), "machines"]);
        Self { caller, base, app, nonces: BTreeMap::new(), patience: PATIENCE }
    }

    /// Chooses how long a call may take with all its repeats; 60 s unless chosen.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Chooses how long a call may take from now on.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// The app.
    pub fn app(&self) -> &AppName {
        &self.app
    }

    /// All machines of the app, destroyed ones excluded.
    pub fn list_machines(&mut self) -> Result<Vec<Machine>, FlyError> {
        let request = self.list_request();
        let reply = self.send(&request)?;
        read_json(&request, &reply)
    }

    fn list_request(&self) -> ApiRequest {
        let task = format!("list the machines of app `{}`", self.app);
        ApiRequest {
            url: self.base.clone(),
            ..self.request(task, ApiAction::List, Method::GET, None, &[])
        }
    }

    /// Whether the API can be reached: false only if it gives no answer within `limit`. An error is
    /// an answer.
    pub fn is_answering(&mut self, limit: Duration) -> bool {
        let request = self.list_request();
        let deadline = self.caller.clock.now().saturating_add(limit);
        let answer = self.caller.send(&request, deadline);
        !answer.is_err_and(|error| matches!(error.problem, FlyProblem::NoAnswer { .. }))
    }

    /// One machine.
    pub fn machine(&mut self, id: &MachineId) -> Result<Machine, FlyError> {
        let deadline = self.deadline();
        self.machine_until(id, deadline)
    }

    fn machine_until(&mut self, id: &MachineId, deadline: Duration) -> Result<Machine, FlyError> {
        let request = self.machine_request("read", ApiAction::Get, Method::GET, id, &[]);
        let reply = self.caller.send(&request, deadline)?;
        read_json(&request, &reply)
    }

    /// Starts a stopped or suspended machine. It has not started when this returns: see
    /// [`Self::wait`].
    pub fn start(&mut self, id: &MachineId) -> Result<(), FlyError> {
        let request = self.change_request("start", ApiAction::Start, Method::POST, id, &["start"]);
        let is_applied = |machine: &Machine| {
            matches!(machine.state, MachineState::Starting | MachineState::Started)
        };
        self.change(id, &request, &is_applied).map(drop)
    }

    /// Stops a machine as its configuration says. It has not stopped when this returns: see
    /// [`Self::wait`].
    pub fn stop(&mut self, id: &MachineId) -> Result<(), FlyError> {
        let mut request = self.change_request("stop", ApiAction::Stop, Method::POST, id, &["stop"]);
        request.body = Some(json!({}));
        let is_applied = |machine: &Machine| {
            matches!(machine.state, MachineState::Stopping | MachineState::Stopped)
        };
        self.change(id, &request, &is_applied).map(drop)
    }

    /// Suspends a machine. It has not been suspended when this returns: see [`Self::wait`].
    pub fn suspend(&mut self, id: &MachineId) -> Result<(), FlyError> {
        let request =
            self.change_request("suspend", ApiAction::Suspend, Method::POST, id, &["suspend"]);
        let is_applied = |machine: &Machine| {
            matches!(machine.state, MachineState::Suspending | MachineState::Suspended)
        };
        self.change(id, &request, &is_applied).map(drop)
    }

    /// Stops and starts a machine, which keeps its `instance_id`. Neither has ended when this
    /// returns.
    ///
    /// It is never sent twice if it may have been carried out: nothing shows whether it was.
    pub fn restart(&mut self, id: &MachineId) -> Result<(), FlyError> {
        let request =
            self.change_request("restart", ApiAction::Restart, Method::POST, id, &["restart"]);
        self.send_change(&request).map(drop)
    }

    /// Replaces a machine's configuration and returns the machine with its new `instance_id`, which
    /// is what has to be waited for.
    ///
    /// If an update may have been carried out without an answer, the machine is read first, and the
    /// update is sent again only if it still has the old `instance_id`.
    pub fn update(&mut self, id: &MachineId, update: &MachineUpdate) -> Result<Machine, FlyError> {
        let mut request = self.change_request("update", ApiAction::Update, Method::POST, id, &[]);
        let mut body = json!({"config": update.config, "current_version": update.current_version});
        if update.skip_launch {
            body["skip_launch"] = Value::Bool(true);
        }
        request.body = Some(body);
        let is_applied = |machine: &Machine| machine.instance_id != update.current_version;
        match self.change(id, &request, &is_applied)? {
            ChangeAnswer::Seen(machine) => Ok(*machine),
            ChangeAnswer::Reply(reply) => match read_json(&request, &reply) {
                // It was carried out, so an unreadable answer must not hide the new version.
                Err(error) => {
                    let machine = self.machine(id)?;
                    if is_applied(&machine) { Ok(machine) } else { Err(error) }
                }
                machine => machine,
            },
        }
    }

    /// Sends a change. Where it may have been carried out without an answer, the machine shows
    /// whether it was before the change is sent again. A machine that is already where a start,
    /// stop or suspend takes it is not an error.
    fn change(
        &mut self,
        id: &MachineId,
        request: &ApiRequest,
        is_applied: &dyn Fn(&Machine) -> bool,
    ) -> Result<ChangeAnswer, FlyError> {
        let deadline = self.deadline();
        let mut backoff = Backoff::default();
        let mut is_unclear = changes_state(request);
        loop {
            let error = match self.caller.send(request, deadline) {
                Ok(reply) => return Ok(ChangeAnswer::Reply(reply)),
                Err(error) => error,
            };
            if error.may_have_been_applied() {
                is_unclear = true;
                self.caller.pause_before_repeat(&mut backoff, error, deadline)?;
                let machine = self.machine_until(id, deadline)?;
                if is_applied(&machine) {
                    return Ok(ChangeAnswer::Seen(Box::new(machine)));
                }
                continue;
            }
            if is_unclear && is_about_state(&error) {
                let machine = self.machine_until(id, deadline)?;
                if is_applied(&machine) {
                    return Ok(ChangeAnswer::Seen(Box::new(machine)));
                }
            }
            return Err(self.name_holder(error, id));
        }
    }

    /// Sends a change whose effect a machine does not show.
    fn send_change(&mut self, request: &ApiRequest) -> Result<HttpReply, FlyError> {
        let id = request.machine.clone();
        self.send(request).map_err(|error| match id {
            Some(id) => self.name_holder(error, &id),
            None => error,
        })
    }

    /// Asks who holds a lease if the conflict does not say.
    fn name_holder(&mut self, error: FlyError, id: &MachineId) -> FlyError {
        let is_unclear = matches!(
            error.problem,
            FlyProblem::LeaseHeld { owner: None, .. } | FlyProblem::Conflict { .. }
        );
        if !is_unclear {
            return error;
        }
        match self.show_lease(id) {
            Ok(Some(lease)) if lease.owner.is_some() && !self.nonces.contains_key(id) => {
                let problem = FlyProblem::LeaseHeld { owner: lease.owner, until: lease.expires_at };
                FlyError { problem, ..error }
            }
            _ => error,
        }
    }

    fn send(&mut self, request: &ApiRequest) -> Result<HttpReply, FlyError> {
        let deadline = self.deadline();
        self.caller.send(request, deadline)
    }

    fn deadline(&self) -> Duration {
        self.caller.clock.now().saturating_add(self.patience)
    }

    /// A call about one machine that changes nothing.
    fn machine_request(
        &self,
        verb: &str,
        action: ApiAction,
        method: Method,
        id: &MachineId,
        path: &[&str],
    ) -> ApiRequest {
        let task = format!("{verb} machine {id} of app `{}`", self.app);
        self.request(task, action, method, Some(id), path)
    }

    /// A call that changes a machine: with the nonce of its lease, and not repeated blindly.
    fn change_request(
        &self,
        verb: &str,
        action: ApiAction,
        method: Method,
        id: &MachineId,
        path: &[&str],
    ) -> ApiRequest {
        ApiRequest {
            nonce: self.nonces.get(id).cloned(),
            repeats: RepeatPolicy::NotApplied,
            ..self.machine_request(verb, action, method, id, path)
        }
    }

    fn request(
        &self,
        task: String,
        action: ApiAction,
        method: Method,
        machine: Option<&MachineId>,
        path: &[&str],
    ) -> ApiRequest {
        let mut segments: Vec<&str> = machine.iter().map(|id| id.as_str()).collect();
        segments.extend(path);
        ApiRequest {
            task,
            api: FlyApi::Machines,
            action: Some(action),
            machine: machine.cloned(),
            method,
            url: below(&self.base, &segments),
            authorization: self.caller.token.machines_header(),
            nonce: None,
            body: None,
            held: Duration::ZERO,
            repeats: RepeatPolicy::Always,
        }
    }
}

/// Whether a call takes a machine to a state, so that it may be there already.
fn changes_state(request: &ApiRequest) -> bool {
    matches!(request.action, Some(ApiAction::Start | ApiAction::Stop | ApiAction::Suspend))
}

/// Whether an error may mean that the machine is already where the call takes it.
fn is_about_state(error: &FlyError) -> bool {
    matches!(error.problem, FlyProblem::Conflict { .. } | FlyProblem::PreconditionFailed { .. })
}

/// A URL with further segments of its path, percent-encoded.
pub(super) fn below(url: &Url, segments: &[&str]) -> Url {
    let mut below = url.clone();
    if let Ok(mut path) = below.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    below
}
