//! Waiting until a machine is in a state.
//!
//! `wait` answers 408 when its timeout, of at most 60 s, ends first. That means *not yet*, and the
//! client asks again until its caller's limit.

use std::time::Duration;

use http::Method;
use serde_json::Value;

use super::MachinesClient;
use crate::fly::caller::{ApiRequest, RepeatPolicy, read_json};
use crate::fly::clock::CallClock;
use crate::fly::error::{FlyApi, FlyError, FlyProblem};
use crate::fly::machine::{Machine, MachineState};
use crate::fly::names::MachineId;
use crate::fly::rate_limit::ApiAction;
use crate::fly::transport::HttpTransport;

/// The longest time that one `wait` asks for. Fly allows 60 s; shorter ones let a stop of this
/// program take effect sooner.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How much longer than the caller's limit an answer may take, so that Fly's own *not yet* arrives.
const GRACE: Duration = Duration::from_secs(5);

/// How long to wait between two looks at a machine.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A state that can be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitState {
    /// The machine runs; its app may not listen yet.
    Started,
    /// The machine has stopped. Fly needs to know of which `instance_id`.
    Stopped,
    /// The machine's memory is saved.
    Suspended,
}

impl WaitState {
    /// The state as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Suspended => "suspended",
        }
    }
}

/// What to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitGoal {
    state: WaitState,
    instance_id: Option<String>,
}

impl WaitGoal {
    /// A state of whatever version the machine has when the wait begins.
    pub fn new(state: WaitState) -> Self {
        Self { state, instance_id: None }
    }

    /// A state of the version that an update returned.
    pub fn of_version(state: WaitState, machine: &Machine) -> Self {
        let instance_id = Some(machine.instance_id.clone()).filter(|id| !id.is_empty());
        Self { state, instance_id }
    }

    fn is_reached(&self, machine: &Machine) -> bool {
        let is_version = self.instance_id.as_ref().is_none_or(|id| *id == machine.instance_id);
        is_version && machine.state.as_str() == self.state.as_str()
    }

    /// Whether the machine ended in another state, so that waiting longer is in vain.
    fn is_missed(&self, machine: &Machine) -> bool {
        match machine.state {
            MachineState::Destroyed | MachineState::Failed => true,
            // Fly stops a machine that it cannot suspend.
            MachineState::Stopped => self.state == WaitState::Suspended,
            _ => false,
        }
    }
}

impl<T: HttpTransport, C: CallClock> MachinesClient<T, C> {
    /// Waits until a machine is in a state, for at most `limit`.
    ///
    /// Fails with [`FlyProblem::NotReached`] if it is not, or ended in another state, and earlier
    /// if Fly gives no usable answer for as long as one call may take.
    pub fn wait(
        &mut self,
        id: &MachineId,
        goal: &WaitGoal,
        limit: Duration,
    ) -> Result<(), FlyError> {
        let start = self.caller.clock.now();
        let deadline = start.saturating_add(limit);
        let mut goal = goal.clone();
        if goal.state == WaitState::Stopped && goal.instance_id.is_none() {
            let machine = self.machine(id)?;
            if goal.is_reached(&machine) {
                return Ok(());
            }
            goal = WaitGoal::of_version(goal.state, &machine);
        }
        loop {
            let left = deadline.saturating_sub(self.caller.clock.now());
            if self.ask_once(id, &goal, left, deadline)? {
                return Ok(());
            }
            // Beyond the deadline, one more look: the state may have been reached just now.
            let machine = self.machine(id)?;
            if goal.is_reached(&machine) {
                return Ok(());
            }
            let now = self.caller.clock.now();
            if goal.is_missed(&machine) || now >= deadline {
                let seen = machine.state.as_str().to_owned();
                let (wanted, after) = (goal.state.as_str(), now.saturating_sub(start));
                let problem = FlyProblem::NotReached { wanted, seen, after };
                let task = wait_task(self, id, &goal);
                return Err(FlyError::of_read(&task, FlyApi::Machines, problem));
            }
        }
    }

    /// Waits until a machine is in a state that it does not leave by itself, and returns it.
    ///
    /// Whoever ended between a change and its wait left the machine on its way. Fails with
    /// [`FlyProblem::NotReached`] after `limit`.
    pub fn wait_settled(&mut self, id: &MachineId, limit: Duration) -> Result<Machine, FlyError> {
        let start = self.caller.clock.now();
        let deadline = start.saturating_add(limit);
        let task = format!("wait until machine {id} of app `{}` has settled", self.app);
        let error = |problem| FlyError::of_read(&task, FlyApi::Machines, problem);
        loop {
            let machine = self.machine(id)?;
            if !machine.state.is_passing() {
                return Ok(machine);
            }
            let now = self.caller.clock.now();
            if now >= deadline {
                let seen = machine.state.as_str().to_owned();
                let after = now.saturating_sub(start);
                return Err(error(FlyProblem::NotReached { wanted: "settled", seen, after }));
            }
            let paused = self.caller.clock.pause(LOOK_EVERY);
            paused.map_err(|_| error(FlyProblem::Stopped { was_sent: false }))?;
        }
    }

    /// Asks Fly to wait once. False is *not yet*, also if the time ran out without an answer.
    fn ask_once(
        &mut self,
        id: &MachineId,
        goal: &WaitGoal,
        left: Duration,
        deadline: Duration,
    ) -> Result<bool, FlyError> {
        let request = self.wait_request(id, goal, left);
        // Repeats without an answer must not last as long as a machine may take.
        let until = deadline.saturating_add(GRACE).min(self.deadline());
        let error = match self.caller.send(&request, until) {
            Ok(reply) => {
                let answer = read_json::<Value>(&request, &reply);
                let says = answer.ok().and_then(|answer| answer.get("ok")?.as_bool());
                // Older answers have no body.
                return Ok(says.unwrap_or(true));
            }
            Err(error) => error,
        };
        let is_late = self.caller.clock.now() >= deadline;
        match error.problem {
            FlyProblem::TimedOut | FlyProblem::OutOfTime => Ok(false),
            FlyProblem::NoAnswer { was_sent: true, .. } if is_late => Ok(false),
            _ => Err(error),
        }
    }

    fn wait_request(&self, id: &MachineId, goal: &WaitGoal, left: Duration) -> ApiRequest {
        let seconds = left.min(LONGEST_WAIT).as_secs().max(1);
        let mut request = ApiRequest {
            task: wait_task(self, id, goal),
            held: Duration::from_secs(seconds),
            repeats: RepeatPolicy::ExceptTimeout,
            ..self.machine_request("", ApiAction::Wait, Method::GET, id, &["wait"])
        };
        let instance_id = goal.instance_id.iter().map(|id| ("instance_id", id.clone()));
        let query = [("state", goal.state.as_str().to_owned()), ("timeout", seconds.to_string())];
        request.url.query_pairs_mut().extend_pairs(query.into_iter().chain(instance_id));
        request
    }
}

fn wait_task<T, C>(client: &MachinesClient<T, C>, id: &MachineId, goal: &WaitGoal) -> String {
    format!("wait until machine {id} of app `{}` is {}", client.app, goal.state.as_str())
}
